#!/usr/bin/env bash
# Puts `edge` on a machine that ssh reaches: builds for its processor, copies program, ONNX Runtime with its providers, and bundle as a
# Debian package, lets it caption the golden image as it will fly there, and starts it. The service that ran before is only stopped
# once the new program is on the machine and passed. A configuration that was changed there stays.
# usage: flash.sh [USER@]HOST [--bundle FOLDER] [--trust KEY.pub] [--onnxruntime LIBONNXRUNTIME_SO]
#   --trust        becomes /etc/cssa/trust.pub, and model.trust of the machine's edge.toml names it from then on
#   --onnxruntime  the machine's own, NVIDIA's for a Jetson for example; left out, PyPI's for its processor
#   SSH, SCP       other programs to reach it with
#   PROFILE        cargo's profile, by default flight: small, optimized as a whole
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
ssh=${SSH:-ssh} scp=${SCP:-scp}
export PROFILE=${PROFILE:-flight}
fail() { echo "error: $*" >&2; exit 1; }
[ $# -ge 1 ] || fail "usage: flash.sh [USER@]HOST [--bundle FOLDER] [--trust KEY.pub] [--onnxruntime LIBONNXRUNTIME_SO]"
host=$1 bundle=$root/fixtures/bundle trust= library=
shift
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=${2:?--bundle needs a folder} ;;
    --trust) trust=${2:?--trust needs a public key} ;;
    --onnxruntime) library=${2:?--onnxruntime needs a library} ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done

machine=$($ssh "$host" uname -m) || fail "$host cannot be reached"
case $machine in
  x86_64) wheel=manylinux_2_28_x86_64 ;;
  aarch64) wheel=manylinux_2_28_aarch64 ;;
  *) fail "$host is a $machine, expected x86_64 or aarch64" ;;
esac
"$here/build.sh" "$machine"
[ "$PROFILE" = dev ] && built=debug || built=$PROFILE
binary=$root/target/$machine-unknown-linux-gnu/$built/edge
if [ -z "$library" ]; then
  wheels=$root/target/onnxruntime-$machine
  if [ ! -d "$wheels" ]; then
    rm -rf "$wheels.part"
    "${PYTHON:-python3}" -m pip install --quiet --no-deps --only-binary :all: --platform "$wheel" --python-version 3.12 \
      --target "$wheels.part" onnxruntime==1.32.0 || fail "pip could not fetch ONNX Runtime for $machine"
    mv "$wheels.part" "$wheels"
  fi
  library=$(find "$wheels/onnxruntime/capi" -name 'libonnxruntime.so*' -print -quit)
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
package=$("$here/build-deb.sh" "$binary" "$work" --bundle "$bundle" --onnxruntime "$library")
folder=$($ssh "$host" mktemp -d)
$scp -q "$package" "$here/install.sh" "$host:$folder/"
[ -z "$trust" ] || $scp -q "$trust" "$host:$folder/trust.pub"
$ssh "$host" "sh $folder/install.sh"
