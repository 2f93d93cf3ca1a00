#!/usr/bin/env python3
"""Times a bundle's INT8 graphs beside onnxruntime.quantization's own INT8 of the same float graphs, in one run.

usage: quantize_step.py FP32_BUNDLE INT8_BUNDLE IMAGES_FOLDER [ROUNDS]

Both bundles are folders that `exporter` made of one run (--quantize none and int8). Run it with a Python that has
onnxruntime 1.32, onnx and Pillow. onnxruntime's own: quant_pre_process, then quantize_static, QDQ, U8 activations, S8 weights a
channel, min-max ranges from 32 images. Prints one JSON object: milliseconds (medians, one thread, rounds alternate between the
three) and ratios, for the encoder and for a decoder step of three captions."""
import json, pathlib, statistics, sys, tempfile, time

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

BEAM, IMAGES = 3, 32
MEAN, DEVIATION = np.array([.485, .456, .406]), np.array([.229, .224, .225])


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def images(folder, size):
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif"))
    for path in files[::max(1, len(files) // IMAGES)][:IMAGES]:
        pixels = np.asarray(Image.open(path).convert("RGB").resize((size, size), Image.BILINEAR), np.float64) / 255
        yield {"image": ((pixels - MEAN) / DEVIATION).astype(np.float32).transpose(2, 0, 1)[None]}


def steps(encoder, decoder, feeds):
    """Inputs of the decoder: greedy captions of a few words."""
    extents = {"beam": BEAM, "past": 0}
    shapes = {i.name: [extents.get(e, e) for e in i.shape] for i in decoder.get_inputs()}
    outputs = [o.name for o in encoder.get_outputs()]
    for feed in feeds:
        found = dict(zip(outputs, encoder.run(None, feed)))
        given = {name: value for name, value in found.items() if name in shapes}
        own = {name: np.zeros(shape, np.float32) for name, shape in shapes.items() if name.startswith("self_")}
        tokens = np.full(BEAM, 1, np.int64)
        for position in range(8):
            given |= own | {"tokens": tokens, "position": np.array([position])}
            yield dict(given)
            step = dict(zip([o.name for o in decoder.get_outputs()], decoder.run(None, given)))
            own = {name: np.concatenate([old, step["new_" + name]], 2) for name, old in own.items()}
            tokens = step["logits"].argmax(1)


class Reader(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def measure(rounds, sessions, feeds):
    """Medians; in each round every session runs a few times, the first of them to warm up, in an order that rotates."""
    times, names = {name: [] for name in sessions}, list(sessions)
    for n in range(rounds):
        for name in names[n % 3:] + names[:n % 3]:
            for again in range(4):
                started = time.perf_counter()
                sessions[name].run(None, feeds[n % len(feeds)])
                if again > 0:
                    times[name].append((time.perf_counter() - started) * 1e3)
    return {name: statistics.median(each) for name, each in times.items()}


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    fp32, int8, folder = map(pathlib.Path, sys.argv[1:4])
    rounds = int(sys.argv[4]) if len(sys.argv) == 5 else 30
    report = {}
    with tempfile.TemporaryDirectory() as scratch:
        encoder = session(fp32 / "encoder.onnx")
        pictures = list(images(folder, encoder.get_inputs()[0].shape[2]))
        all_steps = list(steps(encoder, session(fp32 / "decoder.onnx"), pictures))
        for part, feeds in (("encoder", pictures), ("decoder", all_steps)):
            prepared, own = pathlib.Path(scratch) / "prepared.onnx", pathlib.Path(scratch) / f"{part}.onnx"
            quant_pre_process(str(fp32 / f"{part}.onnx"), str(prepared), skip_symbolic_shape=True)
            quantize_static(str(prepared), str(own), Reader(feeds), quant_format=QuantFormat.QDQ, per_channel=True,
                            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
            three = {"fp32": fp32 / f"{part}.onnx", "onnxruntime_int8": own, "int8": int8 / f"{part}.onnx"}
            times = measure(rounds, {name: session(path) for name, path in three.items()}, feeds)
            report[part] = {f"{name}_ms": value for name, value in times.items()} | {
                "int8_over_onnxruntime_int8": times["int8"] / times["onnxruntime_int8"],
                "fp32_over_int8": times["fp32"] / times["int8"]}
    print(json.dumps(report))


main()
