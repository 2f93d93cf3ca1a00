#!/usr/bin/env bash
# Makes cssa-ground_VERSION_ARCHITECTURE.deb: program, the default bundle's words, a systemd unit for `ground receive`.
# usage: build-deb.sh GROUND_BINARY OUT_FOLDER [--bundle FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
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
install_program "$binary" "$work/usr/bin/ground"
mkdir -p "$work/usr/lib/cssa-ground/bundles/default"
# What unpacks captions; the graphs stay on the vehicle.
cp "$bundle"/{manifest.toml,vocabulary.txt,language-model.bin} "$work/usr/lib/cssa-ground/bundles/default/"
install -D -m 644 "$here/cssa-ground.service" "$work/lib/systemd/system/cssa-ground.service"
install -D -m 644 "$here/ground.conf" "$work/etc/cssa/ground.conf"
depends=$(depends "$work/usr/bin/ground")
name=cssa-ground user=cssa-ground groups="cssa dialout" state=/var/lib/cssa-ground folders=/var/lib/cssa-ground/bundles
synopsis="receives captions from drones and satellites, keeps and maps them"
description=" The service cssa-ground receives what vehicles with cssa-edge send, and keeps
 it in a GeoPackage; its program shows it on a map and exports it."
bill_of_materials "$work/usr/bin/ground" "$bundle"
package ground "$out"
