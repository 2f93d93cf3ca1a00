#!/usr/bin/env bash
# Shows that programs, tests, clippy and documentation share one build of every dependency.
#
#   tests/compiled-once.sh                 after ./test.sh: README's plain cargo commands compile no dependency
#   tests/compiled-once.sh --cold FOLDER   from nothing, in FOLDER (15 minutes): what test.sh builds compiles no dependency twice
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
log=$(mktemp); trap 'rm -f "$log"' EXIT
export CARGO_TERM_COLOR=never CARGO_TERM_QUIET=false
build() { cargo build --release "$@" 2>> "$log" || { tail -n 20 "$log" >&2; fail "cargo build --release $* failed"; }; }
programs() { for program in edge ground link-sim exporter scenes trainer; do build -p "$program"; done; build; }
# Lines of dependencies only: those of the checkout end in its path.
dependencies() { grep -E '^ +Compiling ' "$log" | grep -vF "($PWD" | sort; }

case ${1:-} in
  "") programs
      [ -z "$(dependencies)" ] || { dependencies >&2; fail "after ./test.sh these were compiled anew: their features differ, see cssa/terminal/Cargo.toml"; }
      echo "README's commands compile no dependency anew" ;;
  --cold)
      [ $# = 2 ] || fail "--cold needs a folder"
      [ ! -e "$2" ] || fail "$2 is there already"
      export CARGO_TARGET_DIR=$2
      build --workspace --all-targets
      cargo clippy --release --workspace --all-targets 2>> "$log"
      cargo test --release --workspace --no-run 2>> "$log"
      cargo doc --release --workspace --no-deps 2>> "$log"
      programs
      twice=$(dependencies | uniq -d)
      [ -z "$twice" ] || { echo "$twice" >&2; fail "these were compiled more than once"; }
      echo "$(dependencies | wc -l) dependencies, each compiled once" ;;
  *) fail "unknown option $1" ;;
esac
