#!/usr/bin/env bash
# Sets everything up and checks everything: libtorch and ONNX Runtime under target/, formatting, lints, every crate's
# tests, the bare-metal check, the documentation. After it, plain cargo commands work for all crates.
# usage: test.sh [--install]
#   --install  also install the system packages that some checks need; without it they are named and, at a terminal, asked for
set -euo pipefail
cd "$(dirname "$0")"
install=ask
case ${1-} in
  --install) install=yes ;;
  "") ;;
  *) echo "error: unknown option $1, expected --install" >&2; exit 2 ;;
esac

# What some checks need beside Rust and Python, the package that has it, and what is skipped without it.
needs() {
  cat <<'NEEDS'
ogrinfo gdal-bin the_archive_in_GDAL
chromium chromium the_map_in_a_browser
bwrap bubblewrap entering_the_container_image
umoci umoci the_container_image
skopeo skopeo the_container_image_as_skopeo_reads_it
qemu-aarch64-static qemu-user-static running_the_program_for_aarch64
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu the_kernel_for_aarch64
/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1 libc6-dev-arm64-cross running_the_program_for_aarch64
lintian lintian the_faults_of_the_packages
groff groff the_faults_of_the_man_pages
pkg-config pkg-config the_C_library
systemd-analyze systemd the_faults_of_the_units
/usr/share/postgresql/*/extension/postgis.control postgresql-postgis archives_in_PostgreSQL
java default-jre-headless METEOR_and_SPICE
javac default-jdk-headless transfer_frames_beside_Yamcs
socat socat a_serial_line_beside_Yamcs
bwrap bubblewrap the_documentation_as_a_book
bwrap bubblewrap documented_commands
gdal_translate gdal-bin documented_commands
openssl openssl documented_commands
zsh zsh completions_in_zsh
fish fish completions_in_fish
ip iproute2 the_ROS_2_node_in_a_network
mpirun openmpi-bin training_in_several_processes
mpicc libopenmpi-dev training_in_several_processes
/usr/lib/llvm-*/lib/libclang.so libclang-dev training_in_several_processes
NEEDS
}
missing=()
while read -r command package skipped; do
  command -v "$command" >/dev/null || compgen -G "$command" >/dev/null && continue
  missing+=("$package")
  echo "$command is missing (apt-get install $package); without it is skipped: ${skipped//_/ }"
done < <(needs)
if [ ${#missing[@]} -gt 0 ]; then
  if [ $install = ask ] && [ -t 0 ]; then
    read -r -p "install ${missing[*]}? [y/N] " answer
    case $answer in y | Y | yes) install=yes ;; esac
  fi
  if [ $install = yes ]; then
    { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends "${missing[@]}"; } \
      || echo "${missing[*]} could not be installed: what needs them is skipped"
  fi
fi

tests/install-runtimes.sh

# With the seconds since the start, so that a slow step is seen in CI's output.
step() { echo; echo "== $* (${SECONDS} s)"; }

step formatting
cargo fmt --all --check
# grep -q leaves at the first match; who still writes into the pipe fails then, and under pipefail so does the pipe, now and then.
if grep -rnE '\| *grep -[A-Za-z]*q' --include='*.sh' --exclude-dir=target .; then
  echo "error: a pipe into grep -q, expected grep … >/dev/null" >&2
  exit 1
fi

step each dependency once
tests/compiled-once.sh

step licences, sources, advisories
if cargo deny --version >/dev/null 2>&1; then
  cargo deny check licenses bans sources
  cargo deny check advisories || echo "the advisory database could not be had, or has something to say: see above"
else
  echo "skipped: cargo-deny is not here (cargo install cargo-deny)"
fi

step programs
cargo build --release --workspace --all-targets

step lints
cargo clippy --release --workspace --all-targets -- --deny warnings

# Without optimization, which takes half of the time: that it builds and starts. tests/long.sh aarch64 says what it says.
step aarch64
built=0
CARGO_TERM_QUIET=true CARGO_PROFILE_DEV_DEBUG=false PROFILE=dev edge/deploy/build.sh aarch64 --without-tract $([ $install = yes ] || echo --no-install) || built=$?
case $built in
  0 | 3) [ $built = 0 ] || echo "skipped: the compiler for aarch64 or cargo-zigbuild is not here" ;;
  *) exit "$built" ;;
esac

# The decoder's inner loop in the instructions of aarch64: with and without sdot.
if [ "$built" = 0 ] && command -v qemu-aarch64-static >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null; then
  for cpu in max cortex-a57; do
    RUSTC=/usr/bin/rustc CARGO_PROFILE_DEV_DEBUG=false CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
      CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -cpu $cpu -E LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib -L /usr/aarch64-linux-gnu" \
      cargo test --quiet -p cssa-kernel --lib --target aarch64-unknown-linux-gnu
  done
fi

step tests
tests/peers/fetch-frames.sh target/frame-peers || echo "skipped: transfer frames beside Yamcs and others"
cargo test --release --workspace

step training in several processes
if command -v mpirun >/dev/null && command -v mpicc >/dev/null && compgen -G '/usr/lib/llvm-*/lib/libclang.so' >/dev/null; then
  cargo clippy --release -p trainer --features nccl --all-targets -- --deny warnings
  cargo test --release -p trainer --features nccl --test ranks --test nccl
  # target/release/trainer is the one without MPI again: it is compiled already.
  cargo build --release --workspace
else
  echo "skipped: MPI with its headers, or libclang, is not here"
fi
bash -n trainer/deploy/train.sbatch

step graphs for TensorRT
tests/graphs.sh

step the Python wheel
tests/wheel.sh

step the container image and signed models
tests/container.sh
tests/signed.sh

step the ROS 2 node
tests/ros2.sh

step the C library
tests/capi.sh

step examples
tests/examples.sh

step an archive of scenes
tests/archive.sh short
tests/ray.sh short

step the script for GPUs, in small on the CPU
rm -rf target/cuda-tiny
weights=../shared/backbones/efficientnet_lite2.safetensors
LD_LIBRARY_PATH="$PWD/target/libtorch/lib" tests/cuda.sh --trainer target/release/trainer --out target/cuda-tiny --device cpu --tiny \
  --edge target/release/edge --onnxruntime target/onnxruntime/libonnxruntime.so --bundle fixtures/bundle $([ -e $weights ] && echo --weights $weights)

step bare metal
CARGO_TARGET_DIR=target/bare-metal cargo build --release --quiet --manifest-path tests/bare-metal/Cargo.toml
echo "cssa without std and cssa-wire build without an operating system"

step documented commands
tests/commands.sh

step documentation
tests/docs.sh
RUSTDOCFLAGS="--deny warnings" cargo doc --release --workspace --no-deps --quiet

echo
echo "all checks passed"
