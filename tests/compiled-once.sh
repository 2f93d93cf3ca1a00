#!/usr/bin/env bash
# Shows that programs, tests, clippy and documentation share one build of every dependency.
#
#   tests/compiled-once.sh                 in seconds, without compiling: each program asks the features that the workspace asks
#   tests/compiled-once.sh --cold FOLDER   from nothing, in FOLDER (15 minutes): what test.sh builds compiles no dependency twice
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
programs=(edge edge-ros2 demo ground link-sim archive exporter scenes trainer)

case ${1:-} in
  "") python3 tests/compiled-once.py "${programs[@]}" cssa-capi cssa-python "cargo build" ;;
  --cold)
      [ $# = 2 ] || fail "--cold needs a folder"
      [ ! -e "$2" ] || fail "$2 is there already"
      export CARGO_TARGET_DIR=$2 CARGO_TERM_COLOR=never CARGO_TERM_QUIET=false
      log=$(mktemp); trap 'rm -f "$log"' EXIT
      build() { cargo build --release "$@" 2>> "$log" || { tail -n 20 "$log" >&2; fail "cargo build --release $* failed"; }; }
      build --workspace --all-targets
      cargo clippy --release --workspace --all-targets 2>> "$log"
      cargo test --release --workspace --no-run 2>> "$log"
      cargo doc --release --workspace --no-deps 2>> "$log"
      for program in "${programs[@]}"; do build -p "$program"; done
      build
      # Lines of dependencies only: those of the checkout end in its path.
      dependencies=$(grep -E '^ +Compiling ' "$log" | grep -vF "($PWD" | sort)
      twice=$(uniq -d <<< "$dependencies")
      [ -z "$twice" ] || { echo "$twice" >&2; fail "these were compiled more than once"; }
      echo "$(wc -l <<< "$dependencies") dependencies, each compiled once" ;;
  *) fail "unknown option $1" ;;
esac
