#!/usr/bin/env bash
# Executes what the documentation and the examples of --help tell a user to type, in folders with prepared inputs and without network.
#
#   tests/commands.sh                 everything that takes seconds (a minute and a half on two cores)
#   tests/commands.sh long            also what is marked `needs minutes`
#   tests/commands.sh [long] PAGE…    only pages whose name has one of these words, such as ground.md
#
# tests/commands/run.py says how a block is marked that cannot be executed here; tests/commands/inputs.sh makes the inputs.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
for tool in bwrap gdal_translate openssl; do
  command -v $tool > /dev/null || { echo "skipped: the documentation's commands: $tool is missing (apt-get install bubblewrap gdal-bin openssl)"; exit 0; }
done
programs=${PROGRAMS:-$PWD/target/release}
for program in edge ground link-sim archive exporter scenes trainer; do
  [ -x "$programs/$program" ] || fail "$programs/$program is missing: cargo build --release --workspace"
done
export PROGRAMS=$programs ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/target/onnxruntime/libonnxruntime.so} OMP_NUM_THREADS=1
export LD_LIBRARY_PATH=$PWD/target/libtorch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
unset CSSA_BUNDLE
python3 tests/commands/run.py "$@"
python3 tests/commands/test_run.py --quiet
