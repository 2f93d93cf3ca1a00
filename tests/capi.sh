#!/usr/bin/env bash
# Tests the C library as a user has it: installed into a prefix, linked by pkg-config into programs in C11 and C++17, which run under AddressSanitizer
# and UndefinedBehaviorSanitizer; its captions are those of the program edge, its packets are read by ground. The header is what cbindgen makes of
# the sources, and the F´ component what F´'s own tools take. The library and the two programs must be built (cargo build --release --workspace).
#
#   tests/capi.sh            everything
#   tests/capi.sh --header   writes edge/capi/include/cssa.h anew
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
release=${CARGO_TARGET_DIR:-target}/release out=$PWD/target/capi cbindgen=0.29.4
header=edge/capi/include/cssa.h tests=edge/capi/tests

# A program of its own: what it depends on is not compiled into the workspace's.
made() {
  local tool=target/cbindgen/bin/cbindgen
  if [ "$($tool --version 2>/dev/null)" != "cbindgen $cbindgen" ]; then
    env -u CARGO_TARGET_DIR cargo install --quiet --locked --debug --root target/cbindgen "cbindgen@$cbindgen" >/dev/null 2>&1 || return 3
  fi
  $tool --quiet --config edge/capi/cbindgen.toml --crate cssa-capi --lockfile Cargo.lock edge/capi
}
if [ "${1:-}" = --header ]; then
  made > "$header.new" || fail "cbindgen $cbindgen could not be had"
  mv "$header.new" "$header"
  exit
fi
for tool in gcc g++ nm readelf pkg-config; do
  command -v $tool >/dev/null || { echo "skipped: the C library ($tool is missing)"; exit; }
done
for file in "$release/libcssa_capi.so" "$release/edge" "$release/ground"; do
  [ -e "$file" ] || fail "$file is missing: cargo build --release -p cssa-capi -p edge -p ground"
done
rm -rf "$out"; mkdir -p "$out"
if made > "$out/cssa.h"; then
  diff -u $header "$out/cssa.h" || fail "$header is not what the sources say: tests/capi.sh --header"
else
  echo "skipped: whether $header is what the sources say (cargo install cbindgen@$cbindgen failed)"
fi

edge/capi/install.sh "$out/prefix" --built "$release/libcssa_capi.so"
library=$out/prefix/lib/libcssa.so.0
nm --dynamic --defined-only --format=posix "$library" | cut -d ' ' -f 1 | diff -u $tests/symbols.txt - || fail "$library exports other symbols than $tests/symbols.txt"
abi=$(sed -n 's/^#define CSSA_ABI_VERSION //p' $header)
LC_ALL=C readelf --dynamic "$library" | grep -F "soname: [libcssa.so.$abi]" >/dev/null || fail "the name in $library is not libcssa.so.$abi, which edge/capi/build.rs says"

export PKG_CONFIG_PATH=$out/prefix/lib/pkgconfig LD_LIBRARY_PATH=$out/prefix/lib
version=$(pkg-config --modversion cssa)
# Whatever goes out of bounds, leaks, or is undefined ends a program with 99. ONNX Runtime keeps what is its own until the end.
printf 'leak:libonnxruntime\n' > "$out/leaks"
export ASAN_OPTIONS=exitcode=99:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:exitcode=99 LSAN_OPTIONS=suppressions=$out/leaks:print_suppressions=0:exitcode=99
build() { # COMPILER STANDARD NAME…
  local compiler=$1 standard=$2 name
  shift 2
  for name in "$@"; do
    $compiler "-std=$standard" -Wall -Wextra -Werror -pedantic -g -fsanitize=address,undefined -fno-omit-frame-pointer "-DVERSION=\"$version\"" \
      $([ "$compiler" = gcc ] || echo -x c++) "$tests/$name.c" -x none -o "$out/$name-$standard" $(pkg-config --cflags --libs cssa) -lpthread
  done
}
build gcc c11 abi captions pixels wrong
build g++ c++17 abi captions wrong
"$out/abi-c11" && "$out/abi-c++17"

# What edge says of the same images in the same runtime.
images=(fixtures/scenes/images/scene_0000[0-3].jpg)
damaged=$out/damaged
cp -r fixtures/bundle "$damaged"
printf '\001' | dd of="$damaged/encoder.onnx" bs=1 seek=5000 conv=notrunc status=none
# A bundle that cannot tell how far it can be believed.
untold=$out/untold
cp -r fixtures/bundle "$untold"
awk '/^\[/ { told = /^\[trust[].]/ } !told' fixtures/bundle/manifest.toml > "$untold/manifest.toml"
export ORT_DYLIB_PATH=$PWD/target/onnxruntime/libonnxruntime.so
says() { # RUNTIME STANDARD BUNDLE: what the program in C says and packs is what edge says and ground reads
  RUNTIME=$1 "$out/captions-$2" "$3" "$out/packets" "$out/keyed" "${images[@]}" > "$out/said"
  "$release/edge" caption "${images[@]}" --bundle "$3" --runtime "$1" --json > "$out/edge.jsonl"
  for file in packets keyed; do "$release/ground" decode "$out/$file" --bundle "$3" --json > "$out/$file.jsonl"; done
  python3 $tests/compare.py "$out"
}
says ort c11 fixtures/bundle
gcc -std=c11 -Wall -Wextra -Werror -pedantic edge/capi/examples/caption.c $(pkg-config --cflags --libs cssa) -o "$out/example"
"$out/example" fixtures/bundle "${images[0]}" > "$out/example.txt"
python3 -c 'import json,sys; print(json.loads(next(open(sys.argv[1])))["caption"])' "$out/edge.jsonl" | diff - "$out/example.txt" || fail "edge/capi/examples/caption.c says something else than edge"
if "$out/example" fixtures/bundle /no/image.jpg 2> "$out/example.err"; then fail "edge/capi/examples/caption.c captioned what is not there"; fi
grep -q '^error: .*/no/image.jpg' "$out/example.err" || fail "edge/capi/examples/caption.c says $(cat "$out/example.err")"
says tract c++17 fixtures/bundle
says ort c++17 "$untold"
RUNTIME=ort "$out/pixels-c11" fixtures/bundle
RUNTIME=ort "$out/wrong-c11" fixtures/bundle "$damaged" "${images[0]}"
RUNTIME=tract "$out/wrong-c++17" fixtures/bundle "$damaged" "${images[0]}"

docs/fprime/check.sh "$out/prefix" || [ $? = 3 ]
echo "libcssa does in C what edge does"
