#!/usr/bin/env bash
# Makes cssa-ground_VERSION_ARCHITECTURE.deb: program, the default bundle's words, a systemd unit for `ground receive`.
# usage: build-deb.sh GROUND_BINARY OUT_FOLDER [--bundle FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../../..
. "$root/edge/deploy/package.sh"
[ $# -ge 2 ] || fail "usage: build-deb.sh GROUND_BINARY OUT_FOLDER [--bundle FOLDER]"
binary=$1 out=$2 bundle=$root/fixtures/bundle
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=${2:?--bundle needs a folder} ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done
architecture=$(architecture_of "$binary")
[ -f "$bundle/manifest.toml" ] || fail "$bundle is no bundle's folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install -D -m 755 "$binary" "$work/usr/bin/ground"
mkdir -p "$work/usr/lib/cssa-ground/bundles/default" "$work/DEBIAN"
# What unpacks captions; the graphs stay on the vehicle.
cp "$bundle"/{manifest.toml,vocabulary.txt,language-model.bin} "$work/usr/lib/cssa-ground/bundles/default/"
install -D -m 644 "$here/cssa-ground.service" "$work/lib/systemd/system/cssa-ground.service"
install -D -m 644 "$here/ground.conf" "$work/etc/cssa/ground.conf"
cat > "$work/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
getent passwd cssa-ground >/dev/null || adduser --system --group --home /var/lib/cssa-ground cssa-ground >/dev/null
getent group dialout >/dev/null || groupadd --system dialout
install -d -o cssa-ground -g cssa-ground /var/lib/cssa-ground /var/lib/cssa-ground/bundles
[ ! -d /run/systemd/system ] || { systemctl daemon-reload && systemctl try-restart cssa-ground; }
POSTINST
package cssa-ground "$architecture" "libc6 (>= 2.31), libgcc-s1, adduser" \
  "receives captions from drones and satellites, keeps and maps them" "$work" "$out"
