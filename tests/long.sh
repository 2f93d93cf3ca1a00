#!/usr/bin/env bash
# The long forms of what test.sh proves in short; run before what they prove is called done. Results stand under target/long.
#
#   tests/long.sh [PART…]
#
#   spice      SPICE and METEOR of trainer score equal pycocoevalcap's on published captions (10 minutes; Java, network)
#   published  every score in fixtures/results comes out again from its captions (2 minutes; with spice before it, SPICE too: 30)
#   commands   every documented command that takes minutes, too, in folders with prepared inputs (5 minutes)
#   once       from nothing to all of test.sh's builds, no dependency is compiled twice (15 minutes)
#   aarch64    the program for aarch64, with tract, says under qemu what this machine's says (15 minutes; the compiler and qemu for aarch64)
#   container  the container image for aarch64, with ONNX Runtime, captions under qemu as its program does (10 minutes; the compiler and qemu for aarch64)
#   package    the vehicle's package, built against glibc 2.31, installed, upgraded, removed and purged in Debian 11 (10 minutes; root, debootstrap)
#   flight     the flight profile: at most 25 MB with both runtimes, 12 MB with ONNX Runtime alone (25 minutes)
#   runtimes   ONNX Runtime and tract say the same of every dev image, and are as sure of it on 99 % of them (3 minutes)
#   campaign   a thousand fault campaigns, of which test.sh runs twenty (an hour; goes on where it was stopped)
#   operator   three vehicles, 10,000 captions, 200 pictures and 50 commands over passes of 6 s in 60, into SQLite and PostGIS (40 minutes)
#   archive    20,000 tiles of COGs captioned by two workers that are killed again and again, row by row as undisturbed; what a call of the
#              wheel takes; Ray's tiles a second beside two plain processes (half an hour)
#   mpi        each of four processes that train together is killed in each stage; what a step's sum costs; a job in Slurm (6 minutes; Open MPI, root for Slurm)
#   adapt      trainer adapt on half of the drone's images, with old data and without: what it learns and what it forgets (half an hour)
#   ablation   tables 4, 5 and 7 and figure 9 of the paper and table 10 on UCM-Captions, 5 seeds a cell (hours; goes on where it was stopped)
set -euo pipefail
cd "$(dirname "$0")/.."
trainer=target/release/trainer out=target/long data=../shared/data
export LD_LIBRARY_PATH="$PWD/target/libtorch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fail() { echo "error: $*" >&2; exit 1; }
[ -x $trainer ] || fail "$trainer is missing: cargo build --release -p trainer"
[ -d $data ] || fail "$data is missing: the datasets"
mkdir -p $out
[ $# -gt 0 ] || set -- spice published commands once aarch64 container package flight runtimes campaign operator archive mpi adapt ablation

# ONNX Runtime for aarch64. 1.27.0 is the newest whose library loads under qemu 7.2: 1.28 and later end with signal 11, whatever processor qemu shows.
aarch64_wheel() {
  local wheel=$out/onnxruntime-aarch64-1.27.0
  [ -d $wheel ] || target/pip-venv/bin/pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --platform manylinux_2_28_aarch64 \
    --platform manylinux_2_27_aarch64 --python-version 3.12 --target $wheel onnxruntime==1.27.0 >&2
  echo $wheel
}

score() { # RESULT DATASET SPLIT: the JSON of trainer score
  $trainer score --hypotheses "fixtures/results/$1/hypotheses.json" --references "$data/$2" --split "$3" --cache target/features --json \
    $([ -d $out/jars ] && echo --jars $out/jars) > "$out/$1-$3.json"
}

near() { # FILE NAME EXPECTED
  python3 - "$@" <<'PY'
import json, sys
path, name, expected = sys.argv[1], sys.argv[2], float(sys.argv[3])
report = json.load(open(path))
found = report.get(name)
if found is None: sys.exit(f"error: {path} has no {name}: {report.get('absent')}")
print(f"{path}: {name} {found:.7f}, expected {expected:.7f}")
if abs(found - expected) > 1e-6: sys.exit("error: they differ")
PY
}

# The drone's images by flight: the first half of each in own/ to learn from, the other half in held-out/ as a test split.
drone_halves() { # FOLDER
  python3 - "$data/uavic" "$1" <<'PY'
import collections, json, os, sys
source, out = sys.argv[1:]
flights = collections.defaultdict(list)
for image in json.load(open(f"{source}/dataset_uavic.json"))["images"]:
    flights[image["filename"].split("_")[0]].append(image)
halves = {"own": [], "held-out": []}
for _, images in sorted(flights.items()):
    images.sort(key=lambda image: image["filename"])
    halves["own"] += [{**image, "split": "train"} for image in images[:len(images) // 2]]
    halves["held-out"] += [{**image, "split": "test"} for image in images[len(images) // 2:]]
for name, images in halves.items():
    os.makedirs(f"{out}/{name}", exist_ok=True)
    if not os.path.lexists(f"{out}/{name}/images"): os.symlink(os.path.abspath(f"{source}/images"), f"{out}/{name}/images")
    json.dump({"dataset": f"drone-{name}", "images": images}, open(f"{out}/{name}/dataset.json", "w"))
PY
}

# A run's captions of a split, scored: CIDEr, the share of wrong captions and how many are distinct.
scored() { # RUN NAME DATASET SPLIT
  local report="$out/$2-$(basename "$3")-$4"
  $trainer evaluate --run "$1" --data "$3" --split "$4" --hypotheses "$report-captions.json" --device cpu --threads 1 > /dev/null
  $trainer score --hypotheses "$report-captions.json" --references "$3" --split "$4" --json --device cpu > "$report.json"
  python3 - "$report.json" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
print(f"{sys.argv[1]}: CIDEr {report['cider']:.3f}, wrong {report['wrong']:.3f}, distinct {report['distinct']} of {report['images']}")
PY
}

holds() { # FILE NAME LEAST MOST
  python3 - "$@" <<'PY'
import json, sys
path, name, least, most = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
found = json.load(open(path))[name]
if not least <= found <= most: sys.exit(f"error: {path}: {name} is {found:.4f}, expected {least} to {most}")
PY
}

for part in "$@"; do
  echo "== $part"
  case $part in
    spice)
      [ -d $out/jars ] || tests/peers/fetch-spice.sh $out/jars
      score ucm-resnet50 ucm test && near $out/ucm-resnet50-test.json spice 0.5423309
      score onboard-rsicd rsicd val && near $out/onboard-rsicd-val.json spice 0.4939085 ;;
    published)
      for metrics in fixtures/results/*/metrics.json; do
        result=$(basename "$(dirname "$metrics")")
        dataset=$(case $result in *rsicd*) echo rsicd ;; *) echo ucm ;; esac)
        for split in $(python3 -c 'import json, sys; print(*json.load(open(sys.argv[1])))' "$metrics"); do
          score "$result" "$dataset" "$split"
          for name in bleu_4 rouge_l cider $([ -d $out/jars ] && echo meteor spice); do
            near "$out/$result-$split.json" $name \
              "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]][sys.argv[3]])' "$metrics" "$split" $name)"
          done
        done
      done ;;
    once) rm -rf $out/once && tests/compiled-once.sh --cold $out/once && rm -rf $out/once ;;
    aarch64)
      PROFILE=release edge/deploy/build.sh aarch64 --no-install
      cargo test --release --workspace --test across the_aarch64_program
      if command -v qemu-aarch64 >/dev/null && command -v qemu-x86_64 >/dev/null; then
        wheel=$(aarch64_wheel)
        for cpu in cortex-a76 cortex-a57; do
          edge/deploy/instructions.py target/aarch64-unknown-linux-gnu/release/edge $wheel/onnxruntime/capi/libonnxruntime.so.1.27.0 --cpu $cpu --count 2
        done
        edge/deploy/instructions.py target/release/edge target/onnxruntime/libonnxruntime.so
      else
        echo "skipped: instructions a caption (apt-get install qemu-user)"
      fi ;;
    container)
      PROFILE=dev CARGO_PROFILE_DEV_DEBUG=false edge/deploy/build.sh aarch64 --without-tract
      aarch64-linux-gnu-strip -o $out/edge-aarch64 target/aarch64-unknown-linux-gnu/debug/edge
      wheel=$(aarch64_wheel)
      tests/container.sh arm64 $out/edge-aarch64 $wheel/onnxruntime/capi/libonnxruntime.so.1.27.0 ;;
    package)
      PROFILE=dev CARGO_PROFILE_DEV_DEBUG=false edge/deploy/build.sh "$(uname -m)" --without-tract
      package=$(edge/deploy/build-deb.sh "target/$(uname -m)-unknown-linux-gnu/debug/edge" $out/package --onnxruntime target/onnxruntime/libonnxruntime.so)
      cargo build --release --quiet -p ground
      tested=0
      tests/package-chroot.sh "$package" target/release/ground $out/chroot || tested=$?
      case $tested in
        0) ;;
        3) echo "skipped: the package in a Debian of its own" ;;
        *) exit $tested ;;
      esac ;;
    flight)
      size() { # MEGABYTES OPTIONS…
        cargo build --quiet --profile flight -p edge "${@:2}"
        bytes=$(stat -c %s target/flight/edge)
        echo "edge ${*:2}: $bytes bytes"
        [ "$bytes" -le $(($1 * 1000000)) ] || fail "that is more than $1 MB"
      }
      size 12 --no-default-features
      size 25 ;;
    runtimes)
      CSSA_DEV_IMAGES=100000 cargo test --release --workspace --test across both_runtimes -- --nocapture ;;
    operator)
      OPERATOR=long OPERATOR_RESULTS=$PWD/$out/operator.jsonl cargo test --release --workspace --test operator -- --nocapture --test-threads 1
      ;;
    archive)
      cargo build --release --quiet -p archive -p edge
      tests/archive.sh long
      tests/archive.sh short && tests/wheel.sh --speed && tests/ray.sh long ;;
    mpi)
      RANKS=long cargo test --release -p trainer --features nccl --test ranks -- --nocapture --test-threads 1
      # As between hosts.
      OMPI_MCA_btl=tcp,self cargo test --release -p trainer --features nccl --test ranks -- --test-threads 1
      # The tests have built the program with MPI where the plain one was.
      rm -rf $out/mpi && mkdir -p $out/mpi && cp $trainer $out/mpi/trainer && cp target/release/scenes $out/mpi/scenes
      cargo build --release --quiet --workspace
      for recipe in onboard paper-ucm; do
        # Small batches: the sum is the same.
        { sed '/^\[scst\]/,$d; s/^batch = .*/batch = 4/' trainer/recipes/$recipe.toml; printf '[scst]\nbatch = 2\nsamples = 2\n'; } > $out/mpi/$recipe.toml
        for ranks in 2 4; do
          OMP_NUM_THREADS=1 mpirun --allow-run-as-root --oversubscribe -n $ranks $out/mpi/trainer bench --config $out/mpi/$recipe.toml --steps 1 --rounds 2 \
            --device cpu --threads 1 --json 2> /dev/null > $out/mpi/$recipe-$ranks.json
          python3 -c 'import json, sys; report = json.load(open(sys.argv[1])); print(sys.argv[1], "sum", report["sum"])' $out/mpi/$recipe-$ranks.json
        done
      done
      slurm=0
      tests/slurm.sh $out/mpi/trainer $out/mpi/slurm || slurm=$?
      case $slurm in 0 | 3) ;; *) exit $slurm ;; esac ;;
    commands) tests/commands.sh long ;;
    campaign)
      CAMPAIGN_SEEDS=${CAMPAIGN_SEEDS:-0..1000} CAMPAIGN_RESULTS=$PWD/$out/campaign.jsonl \
        cargo test --release --workspace --test campaign -- --nocapture
      python3 - $out/campaign.jsonl <<'PY'
import collections, json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
well = {line["seed"] for line in lines if line["problem"] is None}
kinds = collections.Counter(" ".join(reached.split()[:2]) for line in lines for reached in line["reached"].splitlines())
print(f"{len(well)} campaigns passed, {sum(line['seconds'] for line in lines) / len(lines):.1f} s each; reached: {dict(kinds)}")
PY
      ;;
    adapt)
      export OMP_NUM_THREADS=1
      drone_halves $out/drone
      rm -rf $out/adapt-before && cp --recursive fixtures/run-without-drones $out/adapt-before
      for kind in alone replay; do
        rm -rf $out/adapt-$kind
        SECONDS=0
        $trainer adapt --bundle-run fixtures/run-without-drones --data $out/drone/own --out $out/adapt-$kind --device cpu --threads 1 \
          $([ $kind = alone ] || echo --replay $data/ucm $data/rsicd)
        echo "adapt $kind: $SECONDS s"
      done
      for kind in before alone replay; do
        scored $out/adapt-$kind adapt-$kind $out/drone/held-out test
        scored $out/adapt-$kind adapt-$kind $data/ucm test
        scored $out/adapt-$kind adapt-$kind $data/rsicd val
        scored $out/adapt-$kind adapt-$kind $data/rsicd test
      done
      # Measured before: drone .072, 80 % wrong; UCM 3.363; RSICD 2.874 and .858. Alone: .329, 46 %; 2.582; 1.285 and .594. With old data:
      # .444, 28 %; 3.363; 2.513 and .843.
      holds $out/adapt-before-held-out-test.json cider 0 0.1
      holds $out/adapt-alone-held-out-test.json cider 0.25 9
      holds $out/adapt-alone-held-out-test.json wrong 0 0.55
      holds $out/adapt-alone-ucm-test.json cider 2.2 9
      holds $out/adapt-alone-rsicd-val.json cider 0.9 9
      holds $out/adapt-replay-held-out-test.json cider 0.40 9
      holds $out/adapt-replay-held-out-test.json wrong 0 0.35
      holds $out/adapt-replay-ucm-test.json cider 3.2 9
      holds $out/adapt-replay-rsicd-val.json cider 2.4 9
      holds $out/adapt-replay-rsicd-test.json cider 0.78 9
      [ -x target/release/exporter ] || fail "target/release/exporter is missing: cargo build --release -p exporter"
      rm -rf $out/adapt-bundle
      target/release/exporter --checkpoint $out/adapt-replay --calibration $out/drone/own --out $out/adapt-bundle ;;
    ablation)
      [ -e $out/resnet50_v1.safetensors ] || python3 ../shared/backbones/fetch_resnet50.py $out/resnet50_v1.safetensors
      for table in 4 5 7 9 10; do
        OMP_NUM_THREADS=1 $trainer ablate --table $table --config trainer/recipes/ablation-ucm.toml --data $data/ucm \
          --backbone-weights $out/resnet50_v1.safetensors --out $out/ablation --device cpu
      done ;;
    *) fail "no part $part, expected spice, published, commands, once, aarch64, container, package, flight, runtimes, campaign, operator, archive, mpi, adapt or ablation" ;;
  esac
done
echo "all long proofs passed"
