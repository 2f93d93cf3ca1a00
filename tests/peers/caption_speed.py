#!/usr/bin/env python3
"""Times whole captions: PyTorch eager in FP32, onnxruntime-python with the INT8 files, and `edge`, on the same images in one run.

usage: caption_speed.py RUN INT8_BUNDLE IMAGES_FOLDER [THREADS] [ROUNDS]

RUN is a folder that the trainer wrote with a ResNet backbone, INT8_BUNDLE what the exporter made of it. Run it with a Python that
has torch, onnxruntime 1.32, numpy, Pillow and safetensors; `cargo build --release --workspace` first. All three search the same
way: a beam, cached keys and values, the end by the best that is still possible. Times start at the image file and end at the
words. Rounds alternate between the three. Prints one JSON object: medians in milliseconds, ratios to edge, and the share of
captions that are edge's."""
import json, math, os, pathlib, statistics, subprocess, sys, time, tomllib

import numpy as np
import onnxruntime as ort
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEAN, DEVIATION = np.array([.485, .456, .406], np.float32), np.array([.229, .224, .225], np.float32)
START, END, FIRST_WORD = 1, 0, 3


def pixels(path, size):
    image = Image.open(path).convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.BILINEAR)
    return ((np.asarray(image, np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None].copy()


def beam_search(step, beam, longest, exponent):
    """As cssa::search has it: `step(position, tokens, parents)` gives logits for the whole beam."""
    live, finished = [([], 0.0)], []
    tokens, parents = [START] * beam, [0] * beam
    for position in range(longest + 1):
        logits = step(position, tokens, parents)[:len(live)].astype(np.float64)
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True) + np.array([[p] for _, p in live])
        log_p[:, 1:FIRST_WORD] = -np.inf
        if position == longest:
            log_p[:, FIRST_WORD:] = -np.inf
        flat = log_p.ravel()
        best = np.argpartition(-flat, 2 * beam)[:2 * beam]
        following, tokens, parents = [], [], []
        for n in best[np.argsort(-flat[best])]:
            parent, token = divmod(int(n), log_p.shape[1])
            if not math.isfinite(flat[n]):
                continue
            if token == END:
                finished.append((live[parent][0], flat[n]))
            elif len(following) < beam:
                following.append((live[parent][0] + [token], flat[n]))
                tokens.append(token)
                parents.append(parent)
        live = following
        rank = lambda words, p: p / (len(words) + 1) ** exponent
        best_finished = max((rank(*f) for f in finished), default=-math.inf)
        hope = max((p / (longest + 1) ** exponent for _, p in live), default=-math.inf)
        if not live or best_finished >= hope:
            break
        tokens += [tokens[0]] * (beam - len(tokens))
        parents += [parents[0]] * (beam - len(parents))
    return max(finished, key=lambda f: rank(*f))[0]


class Eager:
    """The model in plain PyTorch."""

    def __init__(self, run, beam):
        m = tomllib.loads((run / "model.toml").read_text())
        self.m, self.search, self.beam = m["model"], m.get("search", {"length_exponent": 0.0}), beam
        self.w = {name: tensor.float() for name, tensor in load_file(run / "model.safetensors").items()}
        name = self.m["backbone"]
        assert name.startswith("resnet"), f"backbone {name}, expected a ResNet"
        self.first_stride = name.endswith("-v1")
        self.blocks = {"resnet50": [3, 4, 6, 3], "resnet101": [3, 4, 23, 3]}[name.removesuffix("-v1")]
        d = self.m["width"]
        p, i = torch.arange(self.m["max_tokens"]).float()[:, None], torch.arange(0, d, 2).float()
        self.positions = torch.stack([(p / 10000 ** (i / d)).sin(), (p / 10000 ** (i / d)).cos()], -1).flatten(1)
        side = self.m["image_size"] // 32
        y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        place = torch.stack([x.flatten(), y.flatten()], -1).float()
        r = (place[:, None] - place[None]).abs().clamp_min(1e-3).log()
        g = F.relu(self.linear("encoder.dgp.low", F.relu(self.linear("encoder.dgp.high", r)))).permute(2, 0, 1)
        assert self.m["dgp"]["decay"] == "exponential", "expected the exponential decay"
        self.omega = [g * torch.exp(-l * self.w["encoder.dgp.s"]) for l in range(self.m["encoder_layers"])]

    def linear(self, name, x):
        return F.linear(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def conv(self, conv, bn, x, stride=1, padding=0, relu=True):
        w = lambda part: self.w[f"backbone.{bn}.{part}"]
        x = F.conv2d(x, self.w[f"backbone.{conv}.weight"], stride=stride, padding=padding)
        x = F.batch_norm(x, w("running_mean"), w("running_var"), w("weight"), w("bias"))
        return F.relu(x) if relu else x

    def backbone(self, x):
        x = F.max_pool2d(self.conv("conv1", "bn1", x, 2, 3), 3, 2, 1)
        for layer, blocks in enumerate(self.blocks, 1):
            for block in range(blocks):
                here, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
                first, second = (stride, 1) if self.first_stride else (1, stride)
                y = self.conv(f"{here}.conv1", f"{here}.bn1", x, first)
                y = self.conv(f"{here}.conv2", f"{here}.bn2", y, second, 1)
                y = self.conv(f"{here}.conv3", f"{here}.bn3", y, relu=False)
                if block == 0:
                    x = self.conv(f"{here}.downsample.0", f"{here}.downsample.1", x, stride, relu=False)
                x = F.relu(x + y)
        return x.flatten(2).transpose(1, 2)

    def heads(self, x):
        return x.view(x.shape[0], x.shape[1], self.m["heads"], -1).transpose(1, 2)

    def attend(self, name, q, k, v, term=None):
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=term)
        return self.linear(f"{name}.output", y.transpose(1, 2).flatten(2))

    def feed(self, here, x):
        y = self.linear(f"{here}.feed_forward.down", F.relu(self.linear(f"{here}.feed_forward.up", x)))
        return self.norm(f"{here}.feed_forward_norm", x + y)

    @torch.inference_mode()
    def caption(self, path):
        x = self.linear("encoder.input", self.backbone(torch.from_numpy(pixels(path, self.m["image_size"]))))
        for l in range(self.m["encoder_layers"]):
            here = f"encoder.layers.{l}"
            q, k, v = (self.heads(self.linear(f"{here}.attention.{part}", x)) for part in ("query", "key", "value"))
            x = self.norm(f"{here}.attention_norm", x + self.attend(f"{here}.attention", q, k, v, self.omega[l]))
            x = self.feed(here, x)
        layers = [f"decoder.layers.{l}" for l in range(self.m["decoder_layers"])]
        cross = [[self.heads(self.linear(f"{here}.cross_attention.{part}", x)).expand(self.beam, -1, -1, -1)
                  for part in ("key", "value")] for here in layers]
        own = [None] * len(layers)

        def step(position, tokens, parents):
            y = self.w["decoder.embedding.weight"][tokens] * math.sqrt(self.m["width"]) + self.positions[position]
            y = y[:, None]
            for l, here in enumerate(layers):
                q, k, v = (self.heads(self.linear(f"{here}.self_attention.{part}", y)) for part in ("query", "key", "value"))
                if own[l] is not None:
                    k, v = (torch.cat([old[parents], new], 2) for old, new in zip(own[l], (k, v)))
                own[l] = (k, v)
                y = self.norm(f"{here}.self_norm", y + self.attend(f"{here}.self_attention", q, k, v))
                q = self.heads(self.linear(f"{here}.cross_attention.query", y))
                y = self.norm(f"{here}.cross_norm", y + self.attend(f"{here}.cross_attention", q, *cross[l]))
                y = self.feed(here, y)
            return self.linear("decoder.output", y[:, 0]).numpy()

        return beam_search(step, self.beam, self.m["max_tokens"] - 1, self.search["length_exponent"])


class OnnxRuntime:
    """The bundle's INT8 graphs in onnxruntime-python."""

    def __init__(self, bundle, beam, threads):
        manifest = tomllib.loads((bundle / "manifest.toml").read_text())
        self.m, self.search, self.beam = manifest["model"], manifest["search"], beam
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.encoder, self.decoder = (ort.InferenceSession(str(bundle / f"{part}.onnx"), options, providers=["CPUExecutionProvider"])
                                      for part in ("encoder", "decoder"))
        self.seen = [o.name for o in self.encoder.get_outputs()]
        self.given = [i.name for i in self.decoder.get_inputs()]
        self.made = [o.name for o in self.decoder.get_outputs()]

    def caption(self, path):
        seen = dict(zip(self.seen, self.encoder.run(None, {"image": pixels(path, self.m["image_size"])})))
        cross = {name: seen[name] for name in self.given if name.startswith("cross_")}
        shape = (self.beam, self.m["heads"], 0, self.m["width"] // self.m["heads"])
        own = {name: np.zeros(shape, np.float32) for name in self.given if name.startswith("self_")}
        new = {}

        def step(position, tokens, parents):
            nonlocal own, new
            if new:
                own = {name: np.concatenate([old, new["new_" + name]], 2)[parents] for name, old in own.items()}
            place = {"tokens": np.array(tokens, np.int64), "position": np.array([position], np.int64)}
            new = dict(zip(self.made, self.decoder.run(None, cross | own | place)))
            return new["logits"]

        return beam_search(step, self.beam, self.m["max_tokens"] - 1, self.search["length_exponent"])


def main():
    if len(sys.argv) not in (4, 5, 6):
        sys.exit(__doc__)
    run, bundle, folder = map(pathlib.Path, sys.argv[1:4])
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 5
    torch.set_num_threads(threads)
    images = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif"))[:20]
    words = (bundle / "vocabulary.txt").read_text().split("\n")
    beam = tomllib.loads((bundle / "manifest.toml").read_text())["search"]["beam"]
    peers = {"pytorch": Eager(run, beam), "onnxruntime": OnnxRuntime(bundle, beam, threads)}
    edge = ROOT / "target" / "release" / "edge"
    times = {"pytorch": [], "onnxruntime": [], "edge": []}
    encoder, said = [], {}
    for _ in range(rounds):
        for name, peer in peers.items():
            peer.caption(images[0])
            for image in images:
                started = time.perf_counter()
                said[name, image.name] = peer.caption(image)
                times[name].append((time.perf_counter() - started) * 1e3)
        bench = [edge, "bench", "--json", "--runtime", "ort", "--threads", str(threads), "--bundle", bundle, "--count", "20", *images]
        report = json.loads(subprocess.run(bench, capture_output=True, text=True, check=True).stdout)
        times["edge"].append(report["caption"]["p50_ms"])
        encoder.append(report["encoder"]["p50_ms"])
    lines = subprocess.run([edge, "caption", "--json", "--runtime", "ort", "--bundle", bundle, *images], capture_output=True, text=True, check=True).stdout
    captions = {os.path.basename(line["image"]): line["caption"] for line in map(json.loads, lines.splitlines())}
    text = lambda tokens: " ".join(words[token] for token in tokens)
    same = {name: statistics.mean(text(said[name, i.name]).removesuffix(" .").split() == captions[i.name].removesuffix(" .").split() for i in images)
            for name in peers}
    median = {name: statistics.median(each) for name, each in times.items()}
    print(json.dumps({"threads": threads, "beam": beam, "images": len(images)} | {f"{name}_ms": value for name, value in median.items()} | {
        "edge_encoder_ms": statistics.median(encoder),
        "edge_over_its_encoder": median["edge"] / statistics.median(encoder),
        "pytorch_over_edge": median["pytorch"] / median["edge"],
        "onnxruntime_over_edge": median["onnxruntime"] / median["edge"],
        "same_captions": same}))


main()
