#!/usr/bin/env bash
# Sets everything up and checks everything: libtorch and ONNX Runtime under target/, formatting, lints, every crate's
# tests, the bare-metal check, the documentation. After it, plain cargo commands work for all crates.
set -euo pipefail
cd "$(dirname "$0")"

tests/install-runtimes.sh

step() { echo; echo "== $*"; }

step formatting
cargo fmt --all --check

step programs
cargo build --release --workspace --all-targets

step lints
cargo clippy --release --workspace --all-targets -- --deny warnings

step aarch64
built=0
edge/deploy/build-aarch64.sh || built=$?
case $built in
  0) command -v qemu-aarch64-static >/dev/null || apt-get install --yes --quiet --no-install-recommends qemu-user-static \
       || echo "qemu-user-static could not be installed: the program for aarch64 is built, not run" ;;
  3) echo "skipped: the compiler for aarch64 is not here" ;;
  *) exit "$built" ;;
esac

# The decoder's inner loop in the instructions of aarch64: with and without sdot.
if [ "$built" = 0 ] && command -v qemu-aarch64-static >/dev/null; then
  for cpu in max cortex-a57; do
    RUSTC=/usr/bin/rustc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
      CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -cpu $cpu -E LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib -L /usr/aarch64-linux-gnu" \
      cargo test --release --quiet -p kernel --lib --target aarch64-unknown-linux-gnu
  done
fi

# Real programs that tests look at our results with; without them those tests say that they are skipped.
for pair in ogrinfo:gdal-bin chromium:chromium; do
  command -v "${pair%:*}" >/dev/null \
    || { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends "${pair#*:}"; } \
    || echo "${pair#*:} could not be installed"
done

step tests
cargo test --release --workspace

step the script for GPUs, in small on the CPU
rm -rf target/cuda-tiny
weights=../shared/backbones/efficientnet_lite2.safetensors
LD_LIBRARY_PATH="$PWD/target/libtorch/lib" tests/cuda.sh --trainer target/release/trainer --out target/cuda-tiny --device cpu --tiny \
  $([ -e $weights ] && echo --weights $weights)

step bare metal
CARGO_TARGET_DIR=target/bare-metal cargo build --release --quiet --manifest-path tests/bare-metal/Cargo.toml
echo "cssa without std and edge::wire build without an operating system"

step documentation
RUSTDOCFLAGS="--deny warnings" cargo doc --release --workspace --no-deps --quiet

echo
echo "all checks passed"
