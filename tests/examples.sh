#!/usr/bin/env bash
# The way from a folder of images to a bundle, as trainer/examples/own-data.sh goes it, in small; its pages and its drawing are valid.
# The programs must be built. (Examples in Rust: tests/examples.rs; in Python: tests/wheel.sh; in C: tests/capi.sh.)
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
out=target/examples venv=target/examples-venv packages="html5lib==1.1"
rm -rf $out && mkdir -p $out
export ORT_DYLIB_PATH=$PWD/target/onnxruntime/libonnxruntime.so
target/release/scenes --out $out/data --count 24 --seed 11
trainer/examples/own-data.sh $out/data $out/own
! trainer/examples/own-data.sh $out/data $out/own 2>/dev/null || fail "own-data.sh wrote into a folder that was there"

if [ "$(cat $venv/known 2>/dev/null)" != "$packages" ]; then
  rm -rf $venv
  python3 -m venv $venv && $venv/bin/pip install --quiet --disable-pip-version-check $packages && echo "$packages" > $venv/known || venv=
fi
export LD_LIBRARY_PATH="$PWD/target/libtorch/lib"
python3 - $out/own <<'PY'
import json, pathlib, re, sys, xml.etree.ElementTree as tree
out = pathlib.Path(sys.argv[1])
captions = [json.loads(line) for line in open(out / "captions.jsonl")]
hypotheses = {pathlib.Path(line["image"]).name: line["caption"] for line in captions}
(out.parent / "hypotheses.json").write_text(json.dumps(hypotheses))
if len(captions) != 24 or not all(line["caption"] for line in captions): sys.exit(f"error: {out}/captions.jsonl: {captions}")
drawing = tree.parse(out / "graphs.svg").getroot()
if drawing.tag != "{http://www.w3.org/2000/svg}svg": sys.exit(f"error: {out}/graphs.svg is {drawing.tag}")
drawn = [sum(int(part.get(name)) for part in drawing.iter() if part.get(name)) for name in ("data-parameters", "data-bytes")]
told = [line.split()[-3::2] for line in open(out / "graphs.txt") if re.match(r"all +\d", line)]
if drawn != [sum(int(line[n]) for line in told) for n in (0, 1)]: sys.exit(f"error: {drawn} is drawn, {told} told")
PY
if [ -n "$venv" ]; then
  target/release/trainer gallery --hypotheses $out/hypotheses.json --data $out/data --split train --out $out/gallery.html
  target/release/exporter trust --data fixtures/scenes --split train --threads 1 --report $out/trust.html >/dev/null
  $venv/bin/python - $out/own/run/report.html $out/gallery.html $out/trust.html <<'PY'
import sys, html5lib
for path in sys.argv[1:]:
    html5lib.HTMLParser(strict=True).parse(open(path, encoding="utf-8").read())
print(f"{len(sys.argv) - 1} pages are valid HTML")
PY
else
  echo "skipped: whether the pages are valid HTML: pip could not install $packages"
fi
echo "own data became a bundle that captions"
