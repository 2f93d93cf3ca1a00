#!/usr/bin/env bash
# From a folder of captioned images of your own to a bundle that captions them: checked, adapted, exported, flown.
#
#   trainer/examples/own-data.sh DATA OUT [RUN]
#
# DATA is a dataset (docs/src/own-data.md), OUT a new folder, RUN the run to start from. As it stands this is for trying: it takes half a minute and learns
# little. Each value has what a real run takes beside it; with REAL=1 those are taken. REPLAY="FOLDER FOLDER" names datasets that RUN was trained on: they
# are not forgotten, and confidence is fitted on them, too (it needs 512 train images and 200 others).
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 DATA OUT [RUN]" >&2; exit 2; }
root=$(realpath "$(dirname "$0")/../..")
data=$(realpath "$1") out=$(realpath -m "$2") run=$(realpath "${3:-$root/fixtures/run}") bin=target/release
[ -z "${REPLAY:-}" ] || REPLAY=$(realpath $REPLAY | paste -sd ' ')
cd "$root"
[ ! -e "$out" ] || { echo "error: $out is there already, expected a new folder" >&2; exit 1; }
export LD_LIBRARY_PATH="$PWD/target/libtorch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
read -ra replay <<< "${REPLAY:-}"
real() { [ "${REAL:-}" = 1 ]; }

epochs=1 minimum=2 images=8 ranges=(--ranges minmax)
if real; then
  epochs=12       # all are tried on dev, the best one is kept
  minimum=5       # a word that is said less often is not learned
  images=200      # that determine the ranges of 8 bits
  ranges=()       # all ways are tried, the best one is taken
fi

# 1. What is missing, damaged, described twice; words that no score knows as objects.
$bin/trainer check-data --data "$data"

# 2. Adapt. OUT/run/report.html shows what became of it.
$bin/trainer adapt --bundle-run "$run" --data "$data" ${replay:+--replay "${replay[@]}"} --out "$out/run" --epochs $epochs --minimum-count $minimum --cache "$out/features" \
  --device cpu --threads 1

# 3. Export to 8 bits, checked against the run in both runtimes.
$bin/exporter --checkpoint "$out/run" --calibration "$data" --calibration-images $images "${ranges[@]}" --out "$out/bundle"

# 4. Confidence needs hundreds of images that the model has not trained on. Where they are too few the bundle has none, and says so.
bundle=$out/bundle
if real; then
  if $bin/exporter calibrate "$out/bundle" --data "$data" "${replay[@]}" --split dev,val --out "$out/calibrated"; then
    bundle=$out/calibrated
  else
    echo "$out/bundle has no confidence: see above" >&2
  fi
fi
$bin/exporter inspect "$bundle" --svg "$out/graphs.svg" > "$out/graphs.txt"

# 5. What flies.
$bin/edge caption "$data" --bundle "$bundle" --json > "$out/captions.jsonl"
echo "$out: run/report.html, ${bundle##*/}, graphs.svg, captions.jsonl"
