#!/usr/bin/env bash
# Builds `edge` for a machine with glibc 2.31 or newer (JetPack 5, Debian 11, Ubuntu 20.04):
# target/MACHINE-unknown-linux-gnu/$PROFILE/edge, PROFILE by default flight. cargo-zigbuild links it against that glibc, whatever this
# machine has; it goes to target/zig. Installs what it needs where it may, but not with --no-install; exits with 3 where it is not there.
# With --without-tract the program takes ONNX Runtime alone, as on a Jetson, and is built in a third of the time.
#
#   edge/deploy/build.sh aarch64|x86_64 [--no-install] [--without-tract]
set -euo pipefail
cd "$(dirname "$0")/../.."
glibc=2.31 zig=0.17.1 zigbuild=0.24.1
fail() { echo "error: $*" >&2; exit 1; }
absent() { echo "error: $*" >&2; exit 3; }
. edge/deploy/elf.sh
machine=${1:-} install=yes features=()
case $machine in
  aarch64 | x86_64) shift ;;
  *) echo "error: ${machine:-no machine}, expected aarch64 or x86_64" >&2; exit 2 ;;
esac
for option in "$@"; do
  case $option in
    --no-install) install=no ;;
    --without-tract) features=(--no-default-features) ;;
    *) echo "error: unknown option $option, expected --no-install or --without-tract" >&2; exit 2 ;;
  esac
done
command -v readelf >/dev/null || absent "readelf is missing: install binutils"

if [ "$machine" != "$(uname -m)" ]; then
  [ "$machine" = aarch64 ] || absent "on $(uname -m) there is no compiler for $machine"
  installed() { dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep ' installed' >/dev/null; }
  missing=()
  for package in rustc-web libstd-rust-web-dev:arm64; do
    installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    [ $install = yes ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || absent "missing: ${missing[*]}; as root: dpkg --add-architecture arm64; apt-get update; apt-get install ${missing[*]}"
    dpkg --add-architecture arm64 && apt-get update --quiet \
      && apt-get install --yes --quiet --no-install-recommends "${missing[@]}" || absent "apt-get could not install ${missing[*]}"
  fi
  # Debian's compiler, because its library for arm64 fits no other.
  export RUSTC=/usr/bin/rustc
fi

# Complete or not at all; its name has the versions. A program of venv knows its folder's name: it is made where it stays.
tools=target/zig-$zig-$zigbuild
if [ ! -e $tools/complete ]; then
  [ $install = yes ] || absent "cargo-zigbuild is not in $tools: run this without --no-install"
  rm -rf target/zig-*
  mkdir -p target
  { "${PYTHON:-python3}" -m venv $tools && $tools/bin/pip install --quiet --disable-pip-version-check ziglang==$zig cargo-zigbuild==$zigbuild; } \
    || absent "pip could not install ziglang $zig and cargo-zigbuild $zigbuild"
  touch $tools/complete
fi
target=$machine-unknown-linux-gnu profile=${PROFILE:-flight}
PATH=$PWD/$tools/bin:$PATH cargo-zigbuild zigbuild --profile "$profile" -p edge "${features[@]}" --target "$target.$glibc"
[ "$profile" != dev ] || profile=debug
binary=${CARGO_TARGET_DIR:-target}/$target/$profile/edge
found=$(highest GLIBC "$binary")
printf '%s\n' "$found" $glibc | sort -VC || fail "$binary needs glibc $found, expected $glibc at most"
echo "$binary needs glibc $found, at most $glibc"
