#!/usr/bin/env bash
# Models as others' tools read them: OpenSSF Model Signing by model-signing itself, ONNX's metadata by onnx, the model card by huggingface_hub.
# The programs exporter and edge must be built; a quarter of a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
export PIP_DISABLE_PIP_VERSION_CHECK=1 HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
exporter=$PWD/target/release/exporter edge=$PWD/target/release/edge
for program in "$exporter" "$edge"; do [ -x "$program" ] || fail "$program is missing: cargo build --release -p $(basename "$program")"; done
command -v openssl >/dev/null || { echo "skipped: signed models, openssl is not here"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
venv=target/signed-venv known="model-signing==1.1.1 pyopenssl==26.4.0 onnx==1.23.2 huggingface_hub==2.4.0"
if [ "$(cat $venv/known 2>/dev/null)" != "$known" ]; then
  rm -rf $venv && python3 -m venv $venv && $venv/bin/pip install --quiet --no-compile $known || fail "pip could not install $known"
  echo "$known" > $venv/known
fi

"$exporter" annotate fixtures/bundle --license MIT --out "$work/bundle"
$venv/bin/python - "$work/bundle" fixtures/bundle <<'PY'
import sys
import onnx
from huggingface_hub import ModelCard

annotated, before = sys.argv[1:]
for name in ("encoder.onnx", "decoder.onnx"):
    new, old = (onnx.load(f"{folder}/{name}") for folder in (annotated, before))
    onnx.checker.check_model(new)
    for folder, model, license in ((annotated, new, "MIT"), (before, old, "Apache-2.0")):
        said = {each.key: each.value for each in model.metadata_props}
        for key in ("architecture", "dataset", "input", "license", "name", "output", "precision", "task", "version"):
            if not said.get(key): sys.exit(f"error: {folder}/{name} has no {key} in metadata_props")
        if said["license"] != license: sys.exit(f"error: {folder}/{name} is licensed {said['license']}, expected {license}")
    del new.metadata_props[:]
    del old.metadata_props[:]
    if new != old: sys.exit(f"error: annotating changed more of {name} than its metadata")
card, earlier = (ModelCard.load(f"{folder}/MODEL_CARD.md") for folder in (annotated, before))
data = card.data.to_dict()
expected = {"license": "mit", "language": "en", "pipeline_tag": "image-to-text", "library_name": "onnx", "metrics": ["cider"],
            "datasets": ["ucm", "rsicd", "uavic"]}
for key, value in expected.items():
    if data.get(key) != value: sys.exit(f"error: the card's {key} is {data.get(key)!r}, expected {value!r}")
result = card.data.eval_results[0]
if (result.task_type, result.dataset_name, round(result.metric_value, 2)) != ("image-to-text", "rsicd", 3.26): sys.exit(f"error: the card's result is {result}")
if card.text.strip() != earlier.text.strip(): sys.exit("error: annotating changed the card's text")
print("metadata_props by onnx, the model card by huggingface_hub")
PY
captions() { "$edge" caption --json --runtime "$1" --threads 1 --bundle "$2" fixtures/scenes | python3 -c '
import json, sys
for line in sys.stdin:
    found = json.loads(line)
    # A packet names its bundle, whose id is made of its files.
    print(json.dumps({key: value for key, value in found.items() if not key.endswith("_ms") and key not in ("packet_hex", "packet_bytes", "bundle")}, sort_keys=True))'; }
captions ort fixtures/bundle > "$work/before" 2>/dev/null
captions ort "$work/bundle" > "$work/after" 2>/dev/null
[ -s "$work/after" ] && cmp "$work/before" "$work/after" || fail "a bundle with metadata says something else"

openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key.pem" 2>/dev/null || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key.pem"
openssl pkey -in "$work/key.pem" -pubout -out "$work/key.pub"
theirs() { $venv/bin/model_signing "$@" > "$work/said" 2>&1; }
refused() { # FILE COMMAND…: is refused, and the file named
  local name=$1; shift
  ! "$@" > "$work/said" 2>&1 || fail "$* takes a bundle whose $name is damaged"
  grep -q "$name" "$work/said" || fail "$* does not name $name: $(cat "$work/said")"
}
both() { # WHO: both programs take it, and neither takes a flipped bit
  "$exporter" check-signature "$work/bundle" --openssf "$work/key.pub"
  theirs verify key --public_key "$work/key.pub" --signature "$work/bundle/model.sig" "$work/bundle" || fail "model_signing refuses what $1 signed: $(cat "$work/said")"
  for file in encoder.onnx MODEL_CARD.md; do
    cp "$work/bundle/$file" "$work/whole"
    python3 -c 'import sys; content = bytearray(open(sys.argv[1], "rb").read()); content[2000] ^= 1; open(sys.argv[1], "wb").write(content)' "$work/bundle/$file"
    refused $file "$exporter" check-signature "$work/bundle" --openssf "$work/key.pub"
    refused $file $venv/bin/model_signing verify key --public_key "$work/key.pub" --signature "$work/bundle/model.sig" "$work/bundle"
    mv "$work/whole" "$work/bundle/$file"
  done
  echo "$1 signed, both verify, a flipped bit is refused by its file"
}
"$exporter" sign "$work/bundle" --openssf "$work/key.pem"
both exporter
rm "$work/bundle/model.sig"
theirs sign key --private_key "$work/key.pem" --signature "$work/bundle/model.sig" "$work/bundle" || fail "model_signing cannot sign: $(cat "$work/said")"
both model_signing
# edge takes the bundle as it is: model.sig stands beside what it checks.
"$edge" self-test --runtime ort --bundle "$work/bundle" > /dev/null 2>&1 || fail "edge does not take a bundle with model.sig"
