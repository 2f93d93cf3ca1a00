#!/usr/bin/env bash
# Makes cssa-edge_VERSION_ARCHITECTURE.deb: program, default bundle or another, systemd unit, configuration, and ONNX Runtime
# where its library is given.
# usage: build-deb.sh EDGE_BINARY OUT_FOLDER [--bundle FOLDER] [--onnxruntime LIBONNXRUNTIME_SO]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
. "$here/package.sh"
[ $# -ge 2 ] || fail "usage: build-deb.sh EDGE_BINARY OUT_FOLDER [--bundle FOLDER] [--onnxruntime LIBONNXRUNTIME_SO]"
binary=$1 out=$2 bundle=$root/fixtures/bundle library=
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=${2:?--bundle needs a folder} ;;
    --onnxruntime) library=$2 ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done
architecture=$(architecture_of "$binary")
[ -f "$bundle/manifest.toml" ] || fail "$bundle is no bundle's folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install -D -m 755 "$binary" "$work/usr/lib/cssa-edge/edge"
mkdir -p "$work/usr/bin" "$work/usr/lib/cssa-edge/bundle" "$work/DEBIAN"
ln -s ../lib/cssa-edge/edge "$work/usr/bin/edge"
cp "$bundle"/* "$work/usr/lib/cssa-edge/bundle/"
[ -z "$library" ] || install -m 644 "$library" "$work/usr/lib/cssa-edge/libonnxruntime.so"
install -D -m 644 "$here/cssa-edge.service" "$work/lib/systemd/system/cssa-edge.service"
install -D -m 644 "$here/edge.toml" "$work/etc/cssa/edge.toml"
cat > "$work/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
getent passwd cssa >/dev/null || adduser --system --group --home /var/lib/cssa cssa >/dev/null
for group in video dialout i2c gpio render; do getent group $group >/dev/null || groupadd --system $group; done
install -d -o cssa -g cssa /var/lib/cssa /var/lib/cssa/incoming
[ ! -d /run/systemd/system ] || { systemctl daemon-reload && systemctl try-restart cssa-edge; }
POSTINST
package cssa-edge "$architecture" "libc6 (>= 2.31), libgcc-s1, libstdc++6, adduser" \
  "captions aerial images on board and sends words instead of pixels" "$work" "$out"
