#!/usr/bin/env bash
# Builds the Python wheel and tests it as a user has it: installed into clean environments of two versions of Python, without ONNX Runtime in
# one and with it in the other. The program edge must be built.
#   tests/wheel.sh           everything
#   tests/wheel.sh --speed   also what a call takes beside `edge bench`, on a quiet machine
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
export EDGE=$PWD/target/release/edge PIP_DISABLE_PIP_VERSION_CHECK=1
[ -x "$EDGE" ] || fail "$EDGE is missing: cargo build --release -p edge"
unset ORT_DYLIB_PATH CSSA_BUNDLE

# environment NAME PYTHON PACKAGE…: a clean one, made anew where the packages or Python are others
environment() {
  local folder=target/$1 python=$2; shift 2
  local known="$("$python" --version) $*"
  [ "$(cat "$folder/known" 2>/dev/null)" = "$known" ] && return
  rm -rf "$folder"
  "$python" -m venv "$folder" && "$folder/bin/pip" install --quiet "$@" || fail "pip could not install $*"
  echo "$known" > "$folder/known"
}

# The newest and the oldest that are here, of those that the wheel is for.
pythons=()
for version in 3.10 3.11 3.12 3.13 3.14; do
  for python in "python$version" "$HOME"/.pyenv/versions/"$version".*/bin/python; do
    if command -v "$python" >/dev/null && "$python" -c 'import ensurepip' 2>/dev/null; then pythons+=("$python"); break; fi
  done
done
[ ${#pythons[@]} -gt 0 ] || pythons=(python3)
oldest=${pythons[0]} newest=${pythons[-1]}

environment wheel-venv python3 "maturin==1.16.0"
rm -rf target/wheels
target/wheel-venv/bin/maturin build --quiet --release -m edge/python/Cargo.toml --target-dir target --out target/wheels
wheel=$(echo target/wheels/cssa_onboard-*-abi3-manylinux_*.whl)
[ -f "$wheel" ] || fail "target/wheels has no wheel for Linux at large: $(ls target/wheels)"

testing=("pytest==8.4.2" "pillow>=11" "nanoarrow==0.8.0")
environment wheel-tract "$oldest" "numpy>=1.23" "${testing[@]}" "mypy==1.18.2"
environment wheel-ort "$newest" "numpy>=1.23" "${testing[@]}" "onnxruntime==1.32.0"
for runtime in tract ort; do
  venv=target/wheel-$runtime
  "$venv/bin/pip" install --quiet --force-reinstall --no-deps "$wheel"
  echo "$("$venv/bin/python" --version), $runtime"
  WHEEL_RUNTIME=$runtime "$venv/bin/python" -m pytest --quiet -p no:cacheprovider edge/python/tests
  # The example says what the program says with the bundle in the wheel.
  images=(fixtures/scenes/images/scene_0000[01].jpg)
  "$venv/bin/python" edge/python/examples/caption.py "${images[@]}" > target/wheels/example.txt
  "$EDGE" caption "${images[@]}" --bundle fixtures/bundle --runtime $runtime --json \
    | python3 -c 'import json,sys; [print(json.loads(line)["caption"]) for line in sys.stdin]' > target/wheels/said.txt
  sed -E 's/^[^:]*: //; s/ \([^)]*\)$//' target/wheels/example.txt | diff - target/wheels/said.txt || fail "edge/python/examples/caption.py says something else than edge"
  [ "${1-}" != --speed ] || "$venv/bin/python" edge/python/tests/speed.py "$EDGE"
done

types() { (cd edge/python/tests && MYPYPATH='' ../../../target/wheel-tract/bin/python -m "$@"); }
types mypy --strict --cache-dir ../../../target/mypy --python-version 3.10 typed.py
types mypy.stubtest cssa_onboard --ignore-missing-stub >/dev/null || types mypy.stubtest cssa_onboard --ignore-missing-stub
echo "the wheel $(basename "$wheel") does what the program does"
