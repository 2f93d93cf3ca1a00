#!/usr/bin/env bash
# An archive captioned by Ray with the wheel: workers and drivers that are killed, rows as the program archive has them. Needs what
# tests/wheel.sh (the wheel) and tests/archive.sh short (scenes and their rows) have made.
#
#   tests/ray.sh [short|long]   short: 196 tiles; long: also 10,000 tiles by two workers beside two plain processes of archive (8 minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
form=${1:-short}
case $form in short | long) ;; *) echo "error: unknown form $form, expected short or long" >&2; exit 2 ;; esac
wheel=$(echo target/wheels/cssa_onboard-*.whl)
[ -f "$wheel" ] || { echo "error: target/wheels has no wheel: tests/wheel.sh makes it" >&2; exit 1; }
[ -d target/archive-test/short/whole ] || { echo "skipped: Ray: tests/archive.sh has made no scenes"; exit 0; }
venv=target/ray-venv packages="ray[data]==2.60.0 pyarrow==26.0.1"
if [ "$(cat $venv/known 2>/dev/null)" != "$packages" ]; then
  rm -rf $venv && python3 -m venv $venv && $venv/bin/pip install --quiet --disable-pip-version-check $packages && echo "$packages" > $venv/known \
    || { echo "skipped: Ray: pip could not install $packages"; exit 0; }
fi
$venv/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/target/onnxruntime/libonnxruntime.so} RAY_USAGE_STATS_ENABLED=0 RAY_DISABLE_IMPORT_WARNING=1
exec $venv/bin/python tests/ray.py "$form"
