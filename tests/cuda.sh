#!/usr/bin/env bash
# The trainer on a GPU, in one script: for a machine with one GPU and a Python with torch (and torchvision), without network and Rust.
#
#   tests/cuda.sh --trainer PATH --out FOLDER [--data UCM] [--weights BACKBONE] [--device cuda|cpu] [--tiny] [--seconds N]
#     [--edge PATH --onnxruntime LIBRARY --bundle BUNDLE…]
#
# BACKBONE is a ResNet-50 of version 1, or with lite2 in its name EfficientNet-Lite2.
#
# With --edge and an ONNX Runtime that has the CUDA provider (PyPI's onnxruntime-gpu): each bundle's captions on the GPU beside the CPU's, the share of
# the encoder that ran there, times of batches and of eight looks, memory; skipped where the library is not there.
# With a trainer that was built with the feature nccl every step's gradients go through NCCL, in one process.
# Parity of CPU and GPU on golden vectors; every stage in FP32 and bfloat16; throughput beside plain PyTorch in the same minute with
# the GPU's idle share; then training on UCM-Captions (MCCL, RSIC, SCST) until the time is up. Started again with the same --out it
# goes on with what is missing. Everything ends in one table, OUT/table.md, and FP16 checkpoints, OUT/*.fp16.safetensors.
# --device cpu --tiny does the same in small on any machine; CI runs it so.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
trainer= out= data= weights= device=cuda tiny=0 seconds=520 edge= onnxruntime= bundles=()
fail() { echo "error: $*" >&2; exit 1; }
while [ $# -gt 0 ]; do
  [ "$1" = --tiny ] || [ $# -ge 2 ] || fail "$1 needs a value"
  case $1 in
    --trainer) trainer=$2; shift ;; --out) out=$2; shift ;; --data) data=$2; shift ;; --weights) weights=$2; shift ;;
    --device) device=$2; shift ;; --tiny) tiny=1 ;; --seconds) seconds=$2; shift ;;
    --edge) edge=$2; shift ;; --onnxruntime) onnxruntime=$2; shift ;; --bundle) bundles+=("$2"); shift ;;
    *) fail "unknown option $1" ;;
  esac
  shift
done
[ -x "$trainer" ] || fail "--trainer $trainer: no program there"
[ -x "$(dirname "$trainer")/scenes" ] || fail "$(dirname "$trainer")/scenes is missing: it renders what the stages run on, and lies beside trainer"
[ -n "$out" ] || fail "--out is missing"
mkdir -p "$out/parts"
started=$SECONDS
left() { echo $((seconds - SECONDS + started)); }

# The same binary serves both: libtorch comes from python3's torch where it has one.
peer=
if found=$(python3 -c "import torch, os; print(os.path.dirname(torch.__file__))" 2>/dev/null); then
  peer=python3
  [ "$device" = cpu ] || LD_LIBRARY_PATH=$found/lib$(find "$found/../nvidia" -maxdepth 3 -name lib -printf ':%p' 2>/dev/null):${LD_LIBRARY_PATH:-}
  export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-$found/lib}
  # A trainer with NCCL looks for libnccl.so; PyPI's package has it under the longer name alone.
  if nccl=$(find "$found/../nvidia" -name libnccl.so.2 2>/dev/null | head -n 1) && [ -n "$nccl" ] && [ "$device" != cpu ]; then
    mkdir -p "$out/nccl" && ln -sf "$nccl" "$out/nccl/libnccl.so"
    LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$(realpath "$out/nccl")
  fi
fi

# part NAME COMMAND…: runs COMMAND once; its output is kept, a failure is shown and ends the script. The GPU's use is sampled.
part() {
  local name=$1 watch=; shift
  [ -e "$out/parts/$name.done" ] && return
  [ "$(left)" -gt 5 ] || { echo "$name: no time left, start again"; return; }
  if [ "$device" = cuda ] && command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 200 > "$out/parts/$name.gpu" & watch=$!
  fi
  local code=0 begun=$SECONDS
  "$@" > "$out/parts/$name.out" 2> "$out/parts/$name.err" || code=$?
  [ -z "$watch" ] || { kill "$watch"; wait "$watch" 2>/dev/null || true; }
  echo $((SECONDS - begun)) > "$out/parts/$name.seconds"
  if [ $code != 0 ]; then tail -n 5 "$out/parts/$name.err" >&2; fail "$name failed with $code, see $out/parts/$name.err"; fi
  touch "$out/parts/$name.done"
  echo "$name: $((SECONDS - begun)) s"
}
idle() { awk '{ s += 100 - $1 } END { if (NR) printf "%.0f %%", s / NR; else print "–" }' "$out/parts/$1.gpu" 2>/dev/null || echo –; }

# Parity: golden vectors of the default run, without TF32.
image=$(find "$root/fixtures/scenes/images" -name '*.jpg' -o -name '*.png' | sort | head -n 1)
golden() { NVIDIA_TF32_OVERRIDE=0 "$trainer" golden --run "$root/fixtures/run" --image "$image" --caption "many planes are parked" --device "$1" --out "$out/golden-$2.safetensors"; }
parity() {
  golden cpu cpu && golden "$device" other
  python3 "$root/tests/peers/weights.py" compare "$out/golden-cpu.safetensors" "$out/golden-other.safetensors" | tee "$out/parity.json"
  python3 -c "import json, sys; worst = max(json.load(open(sys.argv[1])).values()); sys.exit(f'apart by {worst}' if worst > 1e-3 else 0)" "$out/parity.json"
}
if [ -e "$root/fixtures/run/model.safetensors" ]; then part parity parity; else echo "parity: skipped, fixtures/run is not here"; fi

# edge on the GPU: an INT8 bundle in Q/DQ, one in FP16, and floats.
if [ -n "$edge" ] && [ -e "$onnxruntime" ] && [ ${#bundles[@]} -gt 0 ]; then
  part provider env ORT_DYLIB_PATH="$(realpath "$onnxruntime")" LD_LIBRARY_PATH="$(dirname "$(realpath "$onnxruntime")"):${LD_LIBRARY_PATH:-}" \
    python3 "$root/tests/peers/provider.py" "$(realpath "$edge")" "$device" "$root/fixtures/scenes/images" "$out/provider.json" "${bundles[@]}"
else
  echo "provider: skipped, no --edge, no --bundle, or --onnxruntime ${onnxruntime:-of no name} is not here"
fi

# Every stage, on rendered scenes or on UCM.
recipe() { # NAME PRECISION WIDTH LAYERS EPOCHS…: a recipe under OUT
  cat > "$out/$1.toml" <<TOML
[network]
backbone = "$6"
image_size = $7
width = $3
feed_forward = $(($3 * 2))
encoder_layers = $4
decoder_layers = $4
contrast_width = 128
dropout = 0.2
precision = "$2"
train_backbone_from = "$8"
backbone_rate = 0.3
[data]
views = 0
minimum_count = $9
[mccl]
epochs = ${10}
unit = "images"
batch = ${13}
schedule = { kind = "cosine", peak = 4e-4, warmup = 20 }
[rsic]
epochs = ${11}
unit = "images"
batch = ${13}
augment = true
continues_schedule = false
schedule = { kind = "cosine", peak = 5e-4, warmup = 60 }
clip = 2.0
weight_decay = 0.01
average = 0.995
[scst]
epochs = ${12}
batch = ${13}
schedule = { kind = "cosine", peak = 5e-5, warmup = 30 }
average = 0.995
invention_price = 0.5
cross_entropy = 0.1
TOML
}
scenes=$out/scenes
[ -e "$scenes/dataset_scenes.json" ] || { rm -rf "$scenes"; "$(dirname "$trainer")/scenes" --out "$scenes" --count $([ $tiny = 1 ] && echo 24 || echo 96); }
train() { "$trainer" train --config "$out/$1.toml" --data "$2" --backbone-weights "$3" --out "$out/$1" --cache "$out/cache" --device "$device"; }
backbone=${weights:-} network="resnet50-v1" from=layer4
case $(basename "${backbone:-none}") in *lite2*) network="efficientnet-lite2" from=_conv_head ;; esac
for precision in float bfloat16; do
  if [ -n "$backbone" ]; then
    recipe "stages-$precision" $precision 64 1 "" $network $([ $tiny = 1 ] && echo 64 || echo 224) $from 1 1 1 1 8
    part "stages-$precision" train "stages-$precision" "$scenes" "$backbone"
  fi
done
[ -n "$backbone" ] || echo "stages: skipped, --weights names no backbone"

# Throughput beside plain PyTorch.
for precision in float bfloat16; do
  if [ $tiny = 1 ]; then recipe "bench-$precision" $precision 64 1 "" $network 64 $from 1 1 1 1 4; else recipe "bench-$precision" $precision 256 3 "" $network 224 "" 1 1 1 1 64; fi
  part "bench-$precision" "$trainer" bench --config "$out/bench-$precision.toml" --device "$device" --steps $([ $tiny = 1 ] && echo 2 || echo 40) \
    --rounds 1 ${peer:+--peer $peer --script "$root/tests/peers/train_step.py"} --json
done
if [ -n "$peer" ] && [ $tiny = 0 ] && python3 -c "import torchvision" 2>/dev/null; then
  part backbone python3 "$root/tests/peers/backbone_step.py" 256 64 30 "$device"
fi

# UCM-Captions until the time is up; the trainer goes on where it saved itself.
if [ -n "$data" ] && [ -n "$backbone" ] && [ $tiny = 0 ]; then
  [ $network = resnet50-v1 ] && from=layer2 || from=_blocks.3
  recipe ucm bfloat16 256 3 "" $network 256 $from 5 10 30 8 64
  [ "$(left)" -lt 20 ] || part ucm timeout --signal=KILL "$(left)" "$trainer" train --config "$out/ucm.toml" --data "$data" \
    --backbone-weights "$backbone" --out "$out/ucm" --cache "$out/cache" --device "$device" --save-every 30 || true
fi
for run in "$out"/*/model.safetensors; do
  [ -e "$run" ] && python3 "$root/tests/peers/weights.py" half "$run" "$out/$(basename "$(dirname "$run")").fp16.safetensors"
done

python3 - "$out" <<'PY' | tee "$out/table.md"
import glob, json, os, re, sys
out = sys.argv[1]
def text(path):
    path = os.path.join(out, path)
    return open(path).read() if os.path.exists(path) else ""
print("| what | stage | images/s | PyTorch | ratio | GPU idle |\n|---|---|---|---|---|---|")
def idle(name):
    used = [100 - float(line) for line in text(f"parts/{name}.gpu").split()]
    return f"{sum(used) / len(used):.0f} %" if used else "–"
for precision in ("float", "bfloat16"):
    found = text(f"parts/bench-{precision}.out")
    if not found: continue
    for stage, rate in json.loads(found)["stages"].items():
        peer, ratio = rate.get("peer_images_per_second"), rate.get("ratio")
        shown = (f"{peer:.0f}", f"{ratio:.2f}") if peer else ("–", "–")
        print(f"| features, {precision} | {stage} | {rate['images_per_second']:.0f} | {shown[0]} | {shown[1]} | {idle('bench-' + precision)} |")
sums = json.loads(text("parts/bench-float.out") or "{}").get("sum", {})
nccl = [f"{stage} {cost['bytes'] / 1e6:.1f} MB in {cost['seconds'] * 1e3:.2f} ms" for stage, cost in sums.items()]
bare = text("parts/backbone.out").strip()
speeds = re.findall(r"(mccl|rsic|scst) epoch (\d+)/\d+ (\d+)/\3 ([\d.]+) images/s", text("parts/ucm.err"))
for stage in ("mccl", "rsic", "scst"):
    rates = [float(rate) for name, _, _, rate in speeds if name == stage]
    if rates:
        ratio = f"{max(rates) / float(bare):.2f}" if bare else "–"
        print(f"| images, bfloat16 | {stage} | {max(rates):.0f} | {bare or '–'} (ResNet-50 alone) | {ratio} | {idle('ucm')} |")
print("\nNCCL, one process: " + (", ".join(nccl) or "skipped, this trainer was built without it, or finds no GPU or no libnccl.so"))
for bundle, rows in json.loads(text("provider.json") or "{}").items():
    equal = ", ".join(f"{same} of {of} captions equal with {looks} looks" for looks, (same, of) in rows["equal"].items())
    print(f"\n{bundle} beside the CPU: {equal}\n\n| at work | batch | looks | encoder ms | caption ms | MiB |\n|---|---|---|---|---|---|")
    for row in rows["times"]:
        share = "" if row["share"] is None else f", {row['share']:.0%} of the encoder"
        print(f"| {row['at']}{share} | {row['batch']} | {row['looks']} | {row['encoder_ms']:.2f} | {row['caption_ms']:.2f} | {row['mib']:.0f} |")
parity = text("parity.json")
if parity:
    print("\nparity: " + ", ".join(f"{name} {value:.1e}" for name, value in json.loads(parity).items()))
for path in sorted(glob.glob(os.path.join(out, "*", "metrics.json"))):
    best = [epoch for epoch in json.load(open(path)) if epoch["chosen"]]
    if best: print(f"{os.path.basename(os.path.dirname(path))}: dev CIDEr {best[-1]['dev_cider']:.3f} ({best[-1]['stage']} epoch {best[-1]['epoch']})")
PY
