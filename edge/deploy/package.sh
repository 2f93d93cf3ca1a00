# What all Debian packages have in common; sourced. The caller fills $work and gives the rest.

fail() { echo "error: $*" >&2; exit 1; }

# architecture_of BINARY: Debian's name of the processor that its ELF header names, whatever built it
architecture_of() {
  [ -f "$1" ] || fail "$1 is missing: cargo build --profile flight -p $(basename "$1")"
  case $(od -An -tu2 -j18 -N2 "$1" | tr -d ' ') in
    62) echo amd64 ;;
    183) echo arm64 ;;
    *) fail "$1 is no program for x86-64 or aarch64" ;;
  esac
}

# package NAME ARCHITECTURE DEPENDS DESCRIPTION WORK OUT: makes OUT/NAME_VERSION_ARCHITECTURE.deb of the folder WORK, complete or not at all
package() {
  local name=$1 architecture=$2 depends=$3 description=$4 work=$5 out=$6 version file
  command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing: install dpkg"
  version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  chmod -R go+rX,go-w "$work"
  mkdir -p "$work/DEBIAN" "$out"
  cat > "$work/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Architecture: $architecture
Maintainer: CSSA Onboard <noreply@example.org>
Depends: $depends
Section: science
Priority: optional
Description: $description
CONTROL
  (cd "$work" && find etc -type f 2>/dev/null | sed 's|^|/|') > "$work/DEBIAN/conffiles"
  cat > "$work/DEBIAN/prerm" <<PRERM
#!/bin/sh
set -e
# An upgrade goes on: its postinst starts the new program where the old one ran.
[ "\$1" != remove ] || [ ! -d /run/systemd/system ] || systemctl stop $name || true
PRERM
  chmod 755 "$work/DEBIAN/postinst" "$work/DEBIAN/prerm"
  file=$out/${name}_${version}_$architecture.deb
  dpkg-deb --root-owner-group -Zxz --build "$work" "$file.part" >/dev/null
  mv "$file.part" "$file"
  echo "$file"
}
