"""Captions and times of edge on an execution provider beside the CPU: provider.py EDGE PROVIDER IMAGES OUT BUNDLE…; see cuda.sh."""
import json, subprocess, sys
from pathlib import Path

edge, provider, images, out, *bundles = sys.argv[1:]
tiny = provider == "cpu"


def run(*args):
    done = subprocess.run([edge, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: edge {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def captions(bundle, on, looks):
    lines = run("caption", images, "--json", "--bundle", bundle, "--runtime", "ort", "--provider", on, "--looks", looks).splitlines()
    return [json.loads(line)["caption"] for line in lines]


def bench(bundle, on, batch, looks):
    return json.loads(run("bench", images, "--json", "--bundle", bundle, "--runtime", "ort", "--provider", on, "--batch", batch, "--looks", looks,
                          "--count", 4 if tiny else 64))


found = {}
for bundle in bundles:
    rows = found[Path(bundle).name] = {"equal": {}, "times": []}
    for looks in (1, 8):
        pairs = list(zip(captions(bundle, "cpu", looks), captions(bundle, provider, looks), strict=True))
        rows["equal"][looks] = [sum(a == b for a, b in pairs), len(pairs)]
    for on in dict.fromkeys(["cpu", provider]):
        for batch, looks in [(1, 1), (4, 1)] if tiny else [(1, 1), (2, 1), (4, 1), (8, 1), (16, 1), (1, 8)]:
            report = bench(bundle, on, batch, looks)
            rows["times"].append({"at": report["runtime"], "share": report.get("share"), "batch": batch, "looks": looks,
                                  "encoder_ms": report["encoder"]["p50_ms"], "caption_ms": report["caption"]["p50_ms"], "mib": report["peak_rss_mib"]})
Path(out).write_text(json.dumps(found))
