#!/usr/bin/env python3
"""Captions a dataset's split with `edge` and scores it with pycocoevalcap.

usage: score_bundle.py BUNDLE DATASET_FOLDER SPLIT [HYPOTHESES.json] [-- further options of edge caption]

Run it with a Python that has pycocoevalcap 1.2 (and Java for METEOR); `cargo build --release -p edge` first. Prints one JSON
object: scores, number of images, mean bytes of a packet, median latency."""
import json, os, pathlib, statistics, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    arguments, extra = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, extra = arguments[:at], arguments[at + 1:]
    if len(arguments) not in (3, 4):
        sys.exit(__doc__)
    bundle, folder, split = arguments[:3]
    dataset = next(pathlib.Path(folder).glob("dataset*.json"), None) or sys.exit(f"error: {folder} has no dataset*.json")
    entries = json.loads(dataset.read_text())["images"]
    images = [str(pathlib.Path(folder) / "images" / e["filename"]) for e in entries if e["split"] == split]
    images = [i for i in images if os.path.exists(i)] or sys.exit(f"error: {folder} has no image of split {split}")
    edge = ROOT / "target" / "release" / "edge"
    run = subprocess.run([edge, "caption", "--json", "--bundle", bundle, *extra, *images], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    hypotheses = {os.path.basename(line["image"]): line["caption"] for line in lines}
    with tempfile.TemporaryDirectory() as scratch:
        path = arguments[3] if len(arguments) == 4 else os.path.join(scratch, "hypotheses.json")
        pathlib.Path(path).write_text(json.dumps(hypotheses, indent=0))
        peer = [sys.executable, ROOT / "tests" / "peers" / "coco_scores.py", path, dataset, split]
        scores = json.loads(subprocess.run(peer, check=True, stdout=subprocess.PIPE, text=True).stdout)
    scores |= {"images": len(lines), "runtime": lines[0]["runtime"],
               "packet_bytes": statistics.mean(line["packet_bytes"] for line in lines),
               "latency_ms": statistics.median(line["latency_ms"] for line in lines)}
    print(json.dumps(scores))


main()
