#!/usr/bin/env bash
# Builds `edge` for aarch64 Linux on Debian, x86-64: target/aarch64-unknown-linux-gnu/$PROFILE/edge, PROFILE by default flight. Installs the compiler it needs
# where it may, but not with --no-install; exits with 3 where it is not there. With --without-tract the program takes ONNX Runtime alone, as on a
# Jetson, and is built in a third of the time.
#
#   edge/deploy/build-aarch64.sh [--no-install] [--without-tract]
set -euo pipefail
cd "$(dirname "$0")/../.."
install=yes features=()
for option in "$@"; do
  case $option in
    --no-install) install=no ;;
    --without-tract) features=(--no-default-features) ;;
    *) echo "error: unknown option $option, expected --no-install or --without-tract" >&2; exit 2 ;;
  esac
done
absent() { echo "error: $*" >&2; exit 3; }
installed() { dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep -q ' installed'; }
missing=()
for package in rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  [ $install = yes ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || absent "missing: ${missing[*]}; as root: dpkg --add-architecture arm64; apt-get update; apt-get install ${missing[*]}"
  dpkg --add-architecture arm64 && apt-get update --quiet \
    && apt-get install --yes --quiet --no-install-recommends "${missing[@]}" || absent "apt-get could not install ${missing[*]}"
fi
# Debian's compiler, because its library for arm64 fits no other.
RUSTC=/usr/bin/rustc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
  cargo build --profile "${PROFILE:-flight}" -p edge "${features[@]}" --target aarch64-unknown-linux-gnu
