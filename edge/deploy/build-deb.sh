#!/usr/bin/env bash
# Makes cssa-edge_VERSION_ARCHITECTURE.deb: program, default bundle or another, systemd unit, configuration, and ONNX Runtime
# where its library is given.
# usage: build-deb.sh EDGE_BINARY OUT_FOLDER [--bundle FOLDER] [--onnxruntime LIBONNXRUNTIME_SO]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
fail() { echo "error: $*" >&2; exit 1; }
[ $# -ge 2 ] || fail "usage: build-deb.sh EDGE_BINARY OUT_FOLDER [--bundle FOLDER] [--onnxruntime LIBONNXRUNTIME_SO]"
binary=$1 out=$2 bundle=$root/fixtures/bundle library=
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=$2 ;;
    --onnxruntime) library=$2 ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done
command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing: install dpkg"
[ -f "$binary" ] || fail "$binary is missing: cargo build --release -p edge"
[ -f "$bundle/manifest.toml" ] || fail "$bundle is no bundle's folder"
# The ELF header's machine: what the program runs on, whatever built it.
case $(od -An -tu2 -j18 -N2 "$binary" | tr -d ' ') in
  62) architecture=amd64 ;;
  183) architecture=arm64 ;;
  *) fail "$binary is no program for x86-64 or aarch64" ;;
esac
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install -D -m 755 "$binary" "$work/usr/lib/cssa-edge/edge"
mkdir -p "$work/usr/bin" "$work/usr/lib/cssa-edge/bundle" "$work/DEBIAN"
ln -s ../lib/cssa-edge/edge "$work/usr/bin/edge"
cp "$bundle"/* "$work/usr/lib/cssa-edge/bundle/"
[ -z "$library" ] || install -m 644 "$library" "$work/usr/lib/cssa-edge/libonnxruntime.so"
install -D -m 644 "$here/cssa-edge.service" "$work/lib/systemd/system/cssa-edge.service"
install -D -m 644 "$here/edge.toml" "$work/etc/cssa/edge.toml"
chmod -R go+rX,go-w "$work"
cat > "$work/DEBIAN/control" <<CONTROL
Package: cssa-edge
Version: $version
Architecture: $architecture
Maintainer: CSSA Onboard <noreply@example.org>
Depends: libc6 (>= 2.31), libgcc-s1, libstdc++6, adduser
Section: science
Priority: optional
Description: captions aerial images on board and sends words instead of pixels
CONTROL
echo /etc/cssa/edge.toml > "$work/DEBIAN/conffiles"
cat > "$work/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
getent passwd cssa >/dev/null || adduser --system --group --home /var/lib/cssa cssa >/dev/null
for group in video dialout i2c gpio render; do getent group $group >/dev/null || groupadd --system $group; done
install -d -o cssa -g cssa /var/lib/cssa /var/lib/cssa/incoming
[ ! -d /run/systemd/system ] || systemctl daemon-reload
POSTINST
cat > "$work/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl stop cssa-edge || true
PRERM
chmod 755 "$work/DEBIAN/postinst" "$work/DEBIAN/prerm"
mkdir -p "$out"
package=$out/cssa-edge_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$work" "$package.part" >/dev/null
mv "$package.part" "$package"
echo "$package"
