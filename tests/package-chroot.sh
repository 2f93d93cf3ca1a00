#!/usr/bin/env bash
# The vehicle's package in Debian 11, whose glibc is the oldest that it is for: installed, upgraded, disabled, removed and purged, with
# stand-ins that write down what systemctl and deb-systemd-invoke are asked for. As root, with debootstrap; exits with 3 without.
# usage: package-chroot.sh PACKAGE GROUND FOLDER
#   PACKAGE  cssa-edge_*_*.deb of this machine's processor
#   GROUND   the ground program, which makes a key
#   FOLDER   for the Debian system: made once, and the copy in which things are installed
set -euo pipefail
fail() { echo "error: $*" >&2; exit 1; }
[ $# = 3 ] || fail "usage: package-chroot.sh PACKAGE GROUND FOLDER"
package=$(realpath "$1") ground=$(realpath "$2") folder=$3 suite=bullseye unit=cssa-edge.service
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || { echo "error: not root, or debootstrap is missing (apt-get install debootstrap)" >&2; exit 3; }
command -v systemctl >/dev/null && command -v systemd-analyze >/dev/null || { echo "error: systemctl or systemd-analyze is missing (apt-get install systemd)" >&2; exit 3; }
mkdir -p "$folder"
folder=$(cd "$folder" && pwd) root=$folder/root
cd "$(dirname "$0")/.."
if [ ! -e "$folder/$suite/complete" ]; then
  rm -rf "${folder:?}/$suite"
  debootstrap --variant=minbase --include=systemd,adduser,libgcc-s1,libstdc++6 $suite "$folder/$suite" > "$folder/debootstrap.log" \
    || { echo "error: debootstrap failed: $(tail -n 1 "$folder/debootstrap.log")" >&2; exit 3; }
  touch "$folder/$suite/complete"
fi
cleanup() {
  ! mountpoint --quiet "$root/proc" || umount "$root/proc"
  rm -rf "${root:?}" "$folder/versions" "$folder/trust.key" "$folder/trust.pub"
}
cleanup
trap cleanup EXIT
cp --archive "$folder/$suite" "$root"
mount -t proc proc "$root/proc"
mkdir -p "$root/run/systemd/system" "$folder/versions"

stand_in() { cat > "$root/usr/local/bin/$1"; chmod 755 "$root/usr/local/bin/$1"; }
stand_in systemctl <<'SYSTEMCTL'
#!/bin/sh
for unit; do :; done
case " $* " in
  *" is-enabled "*) /bin/systemctl --root=/ is-enabled "$unit"; exit ;;
  *" is-active "*) test -e /active; exit ;;
  # As deb-systemd-helper enables units.
  *" preset "*) exec /bin/systemctl --root=/ "$@" ;;
esac
echo "systemctl $*" >> /calls
case " $* " in
  *" start "* | *" restart "*) touch /active ;;
  *" stop "*) rm -f /active ;;
esac
SYSTEMCTL
stand_in deb-systemd-invoke <<'INVOKE'
#!/bin/sh
echo "deb-systemd-invoke $*" >> /calls
exec /usr/bin/deb-systemd-invoke "$@"
INVOKE
inside() { chroot "$root" env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
as_service() { inside setpriv --reuid cssa --regid cssa --init-groups "$@"; }

# version N [COMMAND…]: the package as version N, after COMMAND in its default bundle
version() {
  local files=$folder/versions/$1
  dpkg-deb --raw-extract "$package" "$files"
  (cd "$files/usr/lib/cssa-edge/bundle" && "${@:2}")
  sed -i "s/^Version: .*/Version: $1/" "$files/DEBIAN/control"
  # What a later version's configuration may say beside the user's.
  echo "# version $1" >> "$files/etc/cssa/edge.toml"
  dpkg-deb --root-owner-group -Znone --build "$files" "$root/$1.deb" > /dev/null
  rm -rf "$files"
}

# step WHAT STATE COMMAND…: after the command the unit is `enabled`/`disabled` and `running`/`stopped`, as STATE says, and the maintainer scripts
# have asked for $asked, and for no other start or stop
step() {
  local what=$1 state=$2 found
  shift 2
  rm -f "$root/calls"
  inside "$@" > "$folder/said" 2>&1 || fail "$what: $(cat "$folder/said")"
  found="$(systemctl --root="$root" is-enabled $unit 2>/dev/null || true)"
  [ -e "$root/active" ] && found="${found:-absent} running" || found="${found:-absent} stopped"
  [ "$found" = "$state" ] || fail "$what: $found, expected $state; asked: $(cat "$root/calls" 2>/dev/null)"
  found=$(grep -o '^deb-systemd-invoke .*\|^systemctl .*daemon-reload' "$root/calls" 2>/dev/null | paste -sd';' || true)
  [ "$found" = "$asked" ] || fail "$what asked for '$found', expected '$asked'"
  echo "$what: $state; ${found:-nothing asked}"
}
for n in 1 2 3 4 5; do version $n true; done
reload="systemctl --system daemon-reload"

asked="$reload;deb-systemd-invoke start $unit" step "first installation" "enabled running" dpkg --install /1.deb
found=$(systemd-analyze verify --man=no --root="$root" $unit 2>&1) && [ -z "$found" ] || fail "systemd-analyze verify: $found"
as_service /usr/lib/cssa-edge/edge self-test --config /etc/cssa/edge.toml --bundle /usr/lib/cssa-edge/bundle
as_service /usr/lib/cssa-edge/edge run --check --config /etc/cssa/edge.toml
inside edge install /usr/lib/cssa-edge/bundle --state /etc/cssa/edge.toml
[ "$(inside stat -c %U /var/lib/cssa/slots/a/manifest.toml)" = cssa ] || fail "a slot that root installed is not the service's"
# A key that root makes there is the service's to read; one that was copied says what to do.
"$ground" key "$root/etc/cssa/ground.key"
install -m 600 "$root/etc/cssa/ground.key" "$root/etc/cssa/copied.key" && chgrp root "$root/etc/cssa/copied.key"
keyed() { sed -e "s|^# key = .*|key = \"/etc/cssa/$1.key\"|" -e "s|^to = .*|to = \"udp:127.0.0.1:7301\"|" "$root/etc/cssa/edge.toml" > "$root/etc/cssa/$1.toml"; }
keyed ground && as_service edge run --check --config /etc/cssa/ground.toml
keyed copied && as_service edge run --check --config /etc/cssa/copied.toml > "$folder/said" 2>&1 && fail "a key of root's was read"
grep -q 'copied.key: .*chgrp cssa /etc/cssa/copied.key' "$folder/said" || fail "no remedy: $(cat "$folder/said")"

echo "# the user's" >> "$root/etc/cssa/edge.toml"
asked="$reload;deb-systemd-invoke restart $unit" step "upgrade" "enabled running" dpkg --force-confdef --force-confold --install /2.deb
grep -q "the user's" "$root/etc/cssa/edge.toml" || fail "the user's configuration is gone"
rm "$root/active"
inside /bin/systemctl --root=/ disable $unit 2> /dev/null
asked="$reload;deb-systemd-invoke restart $unit" step "upgrade of a service that was disabled and stopped" "disabled stopped" \
  dpkg --force-confdef --force-confold --install /3.deb
touch "$root/active"
asked="$reload;deb-systemd-invoke restart $unit" step "upgrade of one that was started by hand" "disabled running" \
  dpkg --force-confdef --force-confold --install /4.deb

# Packages before kept no word of the unit, and enabling it to their users; one stopped the service before an upgrade.
old() {
  inside /bin/systemctl --root=/ "$1" $unit 2> /dev/null
  rm -rf "$root"/var/lib/systemd/deb-systemd-helper-enabled "$root/active"
}
old enable
asked="$reload;deb-systemd-invoke restart $unit" step "upgrade of an old package, enabled" "enabled running" dpkg --force-confdef --force-confold --install /5.deb
old disable
asked="$reload;deb-systemd-invoke restart $unit" step "upgrade of an old package, disabled" "disabled stopped" dpkg --force-confdef --force-confold --install /4.deb

inside /bin/systemctl --root=/ enable $unit 2> /dev/null && touch "$root/active"
touch "$root/var/lib/cssa/incoming/image.jpg"
asked="deb-systemd-invoke stop $unit;$reload" step "removal" "absent stopped" dpkg --remove cssa-edge
[ -e "$root/etc/cssa/edge.toml" ] && [ ! -e "$root/usr/bin/edge" ] || fail "a removal takes the program, and leaves the configuration"
asked="$reload;deb-systemd-invoke restart $unit" step "installation after that" "enabled running" dpkg --force-confdef --force-confold --install /5.deb
asked="deb-systemd-invoke stop $unit;$reload;systemctl daemon-reload" step "purge" "absent stopped" dpkg --purge cssa-edge
[ ! -e "$root/etc/cssa/edge.toml" ] && [ -z "$(find "$root/etc/systemd" "$root/var/lib/systemd" -name "*$unit*")" ] || fail "a purge takes configuration and links"
[ -e "$root/var/lib/cssa/incoming/image.jpg" ] && [ -e "$root/etc/cssa/ground.key" ] || fail "a purge leaves images and keys"

# As `flash.sh --trust` does it on a fresh machine, and on one whose configuration was changed.
if command -v minisign > /dev/null; then
  minisign -G -W -p "$folder/trust.pub" -s "$folder/trust.key" -f > /dev/null
  version 6 minisign -S -s "$folder/trust.key" -m manifest.toml > /dev/null
  flash() { # N: version N by edge/deploy/install.sh
    mkdir "$root/tmp/flash"
    cp "$root/$1.deb" "$root/tmp/flash/cssa-edge_$1.deb"
    cp edge/deploy/install.sh "$folder/trust.pub" "$root/tmp/flash"
    inside sh /tmp/flash/install.sh > "$folder/said" 2>&1
  }
  rm -rf "$root/var/lib/cssa/slots"
  flash 5 && fail "a bundle that nobody signed was flashed"
  [ ! -e "$root/usr/bin/edge" ] && [ ! -e "$root/tmp/flash" ] || fail "a refused flash leaves something"
  grep -q "is not signed" "$folder/said" || fail "no reason: $(cat "$folder/said")"
  flash 6 || fail "flash.sh --trust: $(cat "$folder/said")"
  [ -e "$root/active" ] && as_service edge run --check --config /etc/cssa/edge.toml
  grep -A1 '^\[model\]' "$root/etc/cssa/edge.toml" | grep '^trust = "/etc/cssa/trust.pub"' >/dev/null || fail "the configuration trusts nobody"
  echo "# the user's" >> "$root/etc/cssa/edge.toml"
  flash 6 || fail "flash.sh --trust again: $(cat "$folder/said")"
  [ "$(grep -c "^trust = \|the user's" "$root/etc/cssa/edge.toml")" = 2 ] || fail "the user's configuration is gone"
  sed -i 's|^trust = .*|trust = "/etc/cssa/other.pub"|' "$root/etc/cssa/edge.toml"
  flash 6 && fail "another key than the configuration's was flashed"
  grep -q 'trusts another key' "$folder/said" || fail "no reason: $(cat "$folder/said")"
  echo "flash.sh --trust: signed bundles alone, by a key that the configuration names"
else
  echo "skipped: minisign is not here (flash.sh --trust)"
fi
echo "the package is installed, upgraded, removed and purged as a Debian package"
