#!/usr/bin/env bash
# Builds `edge` for aarch64 Linux on Debian, x86-64: target/aarch64-unknown-linux-gnu/$PROFILE/edge, PROFILE by default flight. Installs the compiler it needs
# where it may, but not with --no-install; exits with 3 where it is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
absent() { echo "error: $*" >&2; exit 3; }
installed() { dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep -q ' installed'; }
missing=()
for package in rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  [ "${1-}" != --no-install ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || absent "missing: ${missing[*]}; as root: dpkg --add-architecture arm64; apt-get update; apt-get install ${missing[*]}"
  dpkg --add-architecture arm64 && apt-get update --quiet \
    && apt-get install --yes --quiet --no-install-recommends "${missing[@]}" || absent "apt-get could not install ${missing[*]}"
fi
# Debian's compiler, because its library for arm64 fits no other.
RUSTC=/usr/bin/rustc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
  cargo build --profile "${PROFILE:-flight}" -p edge --target aarch64-unknown-linux-gnu
