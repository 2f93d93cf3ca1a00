#!/bin/sh
# Runs on the machine that flies, from a folder with the package and, where bundles must be signed, trust.pub; `flash.sh` copies both and
# calls it. The folder is removed at the end.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
trap 'rm -rf "$here"' EXIT
fail() { echo "error: $*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
# As the service, in all of its groups, where an earlier package has made them.
as_service() {
  if getent passwd cssa >/dev/null; then
    as_root setpriv --reuid cssa --regid cssa --groups cssa,video,dialout,i2c,gpio,render "$@"
  else
    "$@"
  fi
}

# trusting CONFIG KEY: the configuration with model.trust = KEY; one that trusts another key is an error
trusting() {
  awk -v line="trust = \"$2\"" '
    /^[ \t]*\[/ { model = $0 ~ /^[ \t]*\[[ \t]*model[ \t]*\]/ }
    FNR == NR && model && /^[ \t]*trust[ \t]*=/ { there = 1; if (index($0, substr(line, 9)) == 0) exit other = 1 }
    FNR == NR { next }
    { print }
    /^[ \t]*\[/ && model && !there { print line; there = 1 }
    END { if (other) exit 1; if (!there) print "\n[model]\n" line }' "$1" "$1"
}

chmod 755 "$here"
dpkg-deb --extract "$here"/cssa-edge_*.deb "$here/unpacked"
chmod -R go+rX "$here/unpacked"
config=/etc/cssa/edge.toml
[ -e $config ] || config=$here/unpacked/etc/cssa/edge.toml
if [ -e "$here/trust.pub" ]; then
  # The key under its later name is not there yet.
  trusting "$config" /etc/cssa/trust.pub > "$here/edge.toml" || fail "$config trusts another key, expected /etc/cssa/trust.pub"
  sed "s|\"/etc/cssa/trust.pub\"|\"$here/trust.pub\"|" "$here/edge.toml" > "$here/proof.toml"
  chmod 644 "$here/trust.pub"
else
  cp "$config" "$here/proof.toml"
fi
chmod 644 "$here/proof.toml"
as_service "$here/unpacked/usr/lib/cssa-edge/edge" self-test --config "$here/proof.toml" --bundle "$here/unpacked/usr/lib/cssa-edge/bundle"

if [ -e "$here/trust.pub" ]; then
  # Before the package: its postinst starts the service.
  as_root mkdir -p /etc/cssa
  as_root install -m 644 "$here/trust.pub" /etc/cssa/trust.pub
fi
# A configuration that was changed stays, unasked.
as_root dpkg --force-confdef --force-confold --install "$here"/cssa-edge_*.deb
if [ -e "$here/trust.pub" ] && ! cmp -s "$here/edge.toml" /etc/cssa/edge.toml; then
  as_root install -m 644 "$here/edge.toml" /etc/cssa/edge.toml
  echo 'edge.toml: model.trust = "/etc/cssa/trust.pub"'
fi
if [ -d /run/systemd/system ]; then
  as_root systemctl enable cssa-edge
  as_root systemctl restart cssa-edge
  as_root systemctl --no-pager status cssa-edge
else
  echo 'no systemd here: start it with edge run --config /etc/cssa/edge.toml'
fi
