#!/usr/bin/env bash
# Puts `edge` on a machine that ssh reaches: builds for its processor, copies program, ONNX Runtime and bundle as a Debian
# package, lets it caption the golden image, and starts it. The service that ran before is only stopped once the new program
# is on the machine and passed.
# usage: flash.sh [USER@]HOST [--bundle FOLDER] [--trust KEY.pub] [--onnxruntime LIBONNXRUNTIME_SO]
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
    --bundle) bundle=$2 ;;
    --trust) trust=$2 ;;
    --onnxruntime) library=$2 ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done
on_host() { $ssh "$host" "$@"; }

machine=$(on_host uname -m) || fail "$host cannot be reached"
case $machine in
  x86_64) target=x86_64-unknown-linux-gnu wheel=manylinux_2_28_x86_64 ;;
  aarch64) target=aarch64-unknown-linux-gnu wheel=manylinux_2_28_aarch64 ;;
  *) fail "$host is a $machine, expected x86_64 or aarch64" ;;
esac
if [ "$machine" = "$(uname -m)" ]; then
  (cd "$root" && cargo build --profile "$PROFILE" -p edge)
  binary=$root/target/$PROFILE/edge
else
  "$root/edge/deploy/build-$machine.sh"
  binary=$root/target/$target/$PROFILE/edge
fi
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
remote=/tmp/$(basename "$package")
$scp -q "$package" "$host:$remote"
[ -z "$trust" ] || $scp -q "$trust" "$host:/tmp/cssa-trust.pub"
on_host "set -e
  as_root() { if [ \$(id -u) = 0 ]; then \"\$@\"; else sudo \"\$@\"; fi; }
  unpacked=\$(mktemp -d)
  dpkg-deb -x $remote \$unpacked
  \$unpacked/usr/lib/cssa-edge/edge self-test ${trust:+--trust /tmp/cssa-trust.pub}
  rm -rf \$unpacked
  as_root dpkg --install $remote
  ${trust:+as_root install -m 644 /tmp/cssa-trust.pub /etc/cssa/trust.pub}
  if [ -d /run/systemd/system ]; then
    as_root systemctl enable cssa-edge
    as_root systemctl restart cssa-edge
    as_root systemctl --no-pager status cssa-edge
  else
    echo 'no systemd here: start it with edge run --config /etc/cssa/edge.toml'
  fi"
