#!/usr/bin/env bash
# Makes cssa-edge_VERSION_ARCHITECTURE.deb: program, default bundle or another, systemd unit, configuration, and ONNX Runtime with the
# providers that lie beside it where its library is given. It depends on the glibc that these need.
# usage: build-deb.sh EDGE_BINARY OUT_FOLDER [--bundle FOLDER] [--onnxruntime LIBONNXRUNTIME_SO]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/package.sh"
[ $# -ge 2 ] || fail "usage: build-deb.sh EDGE_BINARY OUT_FOLDER [--bundle FOLDER] [--onnxruntime LIBONNXRUNTIME_SO]"
binary=$1 out=$2 bundle=$root/fixtures/bundle library=
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=${2:?--bundle needs a folder} ;;
    --onnxruntime) library=${2:?--onnxruntime needs a library} ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done
architecture=$(architecture_of "$binary")
[ -f "$bundle/manifest.toml" ] || fail "$bundle is no bundle's folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=$work/usr/lib/cssa-edge
install_program "$binary" "$programs/edge"
mkdir -p "$work/usr/bin"
ln -s ../lib/cssa-edge/edge "$work/usr/bin/edge"
python3 "$here/bundle.py" "$bundle" "$programs/bundle"
linked=("$programs/edge")
if [ -n "$library" ]; then
  [ "$(architecture_of "$library")" = "$architecture" ] || fail "$library is for another processor than $binary"
  install -m 644 "$library" "$programs/libonnxruntime.so"
  linked+=("$programs/libonnxruntime.so")
  install -D -m 644 "$here/debian/lintian-overrides" "$work/usr/share/lintian/overrides/cssa-edge"
  # ONNX Runtime looks for its providers beside itself, where a link to it is followed.
  for provider in "$(dirname "$(readlink -f "$library")")"/libonnxruntime_providers_*.so; do
    [ ! -e "$provider" ] || install -m 644 -t "$programs" "$provider"
  done
fi
install -D -m 644 "$here/cssa-edge.service" "$work/lib/systemd/system/cssa-edge.service"
install -D -m 644 "$here/edge.toml" "$work/etc/cssa/edge.toml"
depends=$(depends "${linked[@]}")
name=cssa-edge user=cssa groups="video dialout i2c gpio render" state=/var/lib/cssa folders=/var/lib/cssa/incoming
synopsis="captions aerial images on board and sends words instead of pixels"
description=" The service cssa-edge takes frames from a folder, a camera's command or
 scenes, captions them with a small neural network, and sends the captions
 over UDP, a serial line or MAVLink, in some ten bytes each."
bill_of_materials "$programs/edge" "$bundle" ${library:+--onnxruntime "$library"}
package edge "$out"
