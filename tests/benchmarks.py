#!/usr/bin/env python3
"""Measures what a caption takes beside other ways to get it, in turns, and writes the ratios into docs/src/benchmarks.md.

usage: benchmarks.py [--rounds N] [--count N] [--page FILE]

Every row stands beside the first one of its table: in each round all of them run one after the other, and the median of the rounds' ratios counts, so
that a machine that others use shifts both. The programs must be built. The peers come from PyPI into a virtual environment, target/benchmarks-venv.
"""
import argparse, datetime, json, os, pathlib, platform, re, statistics, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RELEASE, OUT, IMAGES = ROOT / "target/release", ROOT / "target/benchmarks", ROOT / "fixtures/scenes"
PEERS = ["numpy==2.3.5", "onnxruntime==1.32.0", "pillow==12.0.0"]
BEGIN, END = "<!-- measured by tests/benchmarks.py -->", "<!-- end -->"
PEER = """
import io, json, pathlib, statistics, sys, time
import numpy, onnxruntime
from PIL import Image
graph, images, count = sys.argv[1], sorted(pathlib.Path(sys.argv[2]).glob("images/*.jpg")), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
read = session.get_inputs()[0]
shape = [extent if isinstance(extent, int) else 1 for extent in read.shape]
pixels, times = numpy.random.default_rng(1).normal(size=shape).astype(numpy.float32), []
for n in range(count + 3):
    started = time.perf_counter()
    session.run(None, {read.name: pixels})
    times.append((time.perf_counter() - started) * 1e3)
def thumbnail(path):
    small, to = Image.open(path).convert("RGB").resize((128, 128)), io.BytesIO()
    small.save(to, "JPEG", quality=50)
    return len(to.getvalue())
print(json.dumps({"encoder_ms": statistics.median(times[3:]), "thumbnail_bytes": statistics.mean(map(thumbnail, images))}))
"""


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode: sys.exit(f"error: {' '.join(map(str, command[:3]))} failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout


def bench(count, *options):
    return json.loads(run(RELEASE / "edge", "bench", IMAGES, "--json", "--count", count, *options))


def peers():
    venv = ROOT / "target/benchmarks-venv"
    if not (venv / "known").exists() or (venv / "known").read_text() != str(PEERS):
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        if subprocess.run([venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *PEERS]).returncode: return None
        (venv / "known").write_text(str(PEERS))
    return venv / "bin/python"


def float_bundle():
    bundle = OUT / "fp32"
    if not bundle.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        run(RELEASE / "exporter", "--checkpoint", "fixtures/run", "--quantize", "none", "--out", bundle)
    return bundle


def size(bundle):
    return sum(path.stat().st_size for path in pathlib.Path(bundle).glob("*.onnx"))


def machine():
    names = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def table(head, rows):
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)])


def measure(rounds, count):
    int8, fp32, python = ROOT / "fixtures/bundle", float_bundle(), peers()
    one = ["--threads", "1", "--bundle", int8, "--runtime", "ort"]
    ways = {
        "INT8 in ONNX Runtime, one thread": one,
        "the same in FP32": ["--threads", "1", "--bundle", fp32, "--runtime", "ort"],
        "INT8 in tract, one thread": ["--threads", "1", "--bundle", int8, "--runtime", "tract"],
        "INT8 in ONNX Runtime, two threads": ["--threads", "2", "--bundle", int8, "--runtime", "ort"],
        "four images captioned together": [*one, "--batch", "4"],
        "four looks at each image": [*one, "--looks", "4"],
    }
    first = next(iter(ways))
    found = {name: [] for name in ways}
    shares, encoders, peer = [], [], None
    for _ in range(rounds):
        reports = {name: bench(count, *options) for name, options in ways.items()}
        base = reports[first]
        for name, report in reports.items(): found[name].append(report["caption"]["p50_ms"] / base["caption"]["p50_ms"])
        shares.append(base["caption_over_encoder"])
        if python:
            peer = json.loads(run(python, "-c", PEER, int8 / "encoder.onnx", IMAGES, count))
            encoders.append(base["encoder"]["p50_ms"] / peer["encoder_ms"])
    ratio = lambda values: (f"{statistics.median(values):.2f}", f"{min(values):.2f} to {max(values):.2f}")
    lines = [f"{machine()}; {datetime.date.today()}, load {os.getloadavg()[0]:.1f}; {rounds} rounds of {count} captions of {len(list(IMAGES.glob('images/*')))} "
             "rendered scenes. The machine was shared with other work: ratios, not times.", ""]
    lines += [table(["a caption, from the image file to the words", "time / that of the first row", "least to most of the rounds"],
                    [[name, *ratio(values)] for name, values in found.items()]), ""]
    beside = [["a whole caption / its encoder alone", *ratio(shares)]]
    if encoders: beside.append(["encoder in edge / in onnxruntime-python, same file, one thread", *ratio(encoders)])
    lines += [table(["beside", "ratio of times", "least to most"], beside), ""]
    sizes = [["the graphs in INT8 / in FP32", f"{size(int8) / size(fp32):.3f}"]]
    if peer: sizes.append(["a 128 × 128 thumbnail (Pillow's JPEG, quality 50) / a caption's packet", f"{peer['thumbnail_bytes'] / base['packet_bytes']:.0f}"])
    lines += [table(["bytes, the same on every machine", "ratio"], sizes)]
    if not python: lines += ["", f"Without peers: pip could not install {', '.join(PEERS)}."]
    return "\n".join(lines)


parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--count", type=int, default=40)
parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs/src/benchmarks.md")
options = parser.parse_args()
os.environ.setdefault("ORT_DYLIB_PATH", str(ROOT / "target/onnxruntime/libonnxruntime.so"))
before, found, rest = options.page.read_text().partition(BEGIN)
old, end, after = rest.partition(END)
if not (found and end): sys.exit(f"error: {options.page} has no lines {BEGIN} and {END}, between which the tables go")
options.page.write_text(f"{before}{BEGIN}\n\n{measure(options.rounds, options.count)}\n\n{END}{after}")
print(options.page)
