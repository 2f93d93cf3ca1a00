"""What the wheel's call takes beside the program: `edge bench` and this package in turn, on the same images, one thread.

usage: python speed.py EDGE [ROUNDS]
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from cssa_onboard import Captioner

COUNT = 100
scenes = sorted((Path(__file__).parents[3] / "fixtures/scenes/images").glob("*.jpg"))
captioner = Captioner()
arrays = [np.asarray(Image.open(scene).convert("RGB")) for scene in scenes]
runtime = "tract" if captioner.runtime == "tract" else "ort"


def measured(images: list[Path] | list[np.ndarray]) -> tuple[float, float]:
    """Median milliseconds of a call, and of what it takes beside the model's own time."""
    whole, beside = [], []
    for n in range(COUNT + 3):
        started = time.perf_counter()
        caption = captioner.caption(images[n % len(images)])
        took = (time.perf_counter() - started) * 1e3
        if n >= 3:
            whole.append(took)
            beside.append(took - caption.milliseconds)
    return statistics.median(whole), statistics.median(beside)


differences, arrays_beside = [], []
for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5):
    arguments = [sys.argv[1], "bench", "--json", "--threads", "1", "--runtime", runtime, "--count", str(COUNT), *map(str, scenes)]
    program = json.loads(subprocess.check_output(arguments))["caption"]["p50_ms"]
    call, _ = measured(scenes)
    _, beside = measured(arrays)
    differences.append(call - program)
    arrays_beside.append(beside)
    print(f"{runtime}: edge bench {program:.2f} ms, caption(path) {call:.2f} ms; caption(array) {beside:.3f} ms beside the model")
difference, beside = statistics.median(differences), statistics.median(arrays_beside)
print(f"caption(path) {difference:+.2f} ms over the program, caption(array) {beside:.3f} ms over the model, expected at most 0.3")
sys.exit(beside > 0.3)
