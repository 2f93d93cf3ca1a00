#!/usr/bin/env python3
"""The peer of `trainer bench`: CSSA in plain PyTorch, as one would write it from the paper, timed on made-up batches.
Drawing captions and beam search run the decoder over the whole caption at every word, as most published code does.

usage: train_step.py SETTINGS_JSON     (trainer bench calls it; needs torch)
prints {"mccl": images/s, "rsic": …, "scst": …, "evaluate": …}
"""
import copy
import json
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

S = json.loads(sys.argv[1])
DEVICE = torch.device(S["device"])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        d = S["width"]
        self.query, self.key, self.value, self.output = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x, memory, term=None):
        def split(y):
            return y.view(y.shape[0], y.shape[1], S["heads"], -1).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=term)
        return self.output(y.transpose(1, 2).reshape(x.shape))


class Layer(nn.Module):
    def __init__(self, crossed):
        super().__init__()
        d = S["width"]
        self.own, self.own_norm = Attention(), nn.LayerNorm(d)
        self.cross, self.cross_norm = (Attention(), nn.LayerNorm(d)) if crossed else (None, None)
        self.feed = nn.Sequential(nn.Linear(d, S["feed_forward"]), nn.ReLU(), nn.Linear(S["feed_forward"], d))
        self.feed_norm, self.drop = nn.LayerNorm(d), nn.Dropout(S["dropout"])

    def forward(self, x, term, memory=None):
        x = self.own_norm(x + self.drop(self.own(x, x, term)))
        if self.cross is not None:
            x = self.cross_norm(x + self.drop(self.cross(x, memory)))
        return self.feed_norm(x + self.drop(self.feed(x)))


class DgFormer(nn.Module):
    def __init__(self):
        super().__init__()
        n = math.isqrt(S["cells"])
        self.input = nn.Linear(S["channels"], S["width"])
        self.layers = nn.ModuleList(Layer(False) for _ in range(S["encoder_layers"]))
        self.high, self.low = nn.Linear(2, S["dgp_hidden"]), nn.Linear(S["dgp_hidden"], S["heads"])
        self.s, self.drop = nn.Parameter(torch.ones(1)), nn.Dropout(S["dropout"])
        y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
        place = torch.stack([x.flatten(), y.flatten()], -1).float()
        self.register_buffer("r", (place[:, None] - place[None]).abs().clamp_min(1e-3).log())

    def forward(self, features):
        geometry = F.relu(self.low(F.relu(self.high(self.r)))).permute(2, 0, 1)
        x = self.drop(self.input(features))
        for l, layer in enumerate(self.layers):
            x = layer(x, geometry * torch.exp(-l * self.s))
        return x


class TextDecoder(nn.Module):
    def __init__(self, crossed):
        super().__init__()
        d = S["width"]
        self.embedding = nn.Embedding(S["vocabulary"], d)
        self.layers = nn.ModuleList(Layer(crossed) for _ in range(S["decoder_layers"]))
        self.drop = nn.Dropout(S["dropout"])
        p, i = torch.arange(S["max_tokens"]).float()[:, None], torch.arange(0, d, 2).float()
        angle = p / 10000 ** (i / d)
        self.register_buffer("positions", torch.stack([angle.sin(), angle.cos()], -1).flatten(1))

    def forward(self, tokens, memory=None):
        t = tokens.shape[1]
        mask = torch.full((t, t), -math.inf, device=tokens.device).triu(1)
        x = self.drop(self.embedding(tokens) * math.sqrt(S["width"]) + self.positions[:t])
        for layer in self.layers:
            x = layer(x, mask, memory)
        return x


def contrast(x, y, temperature):
    similarity = x @ y.T / temperature
    labels = torch.arange(len(x), device=x.device)
    l = S["lambda"]
    return l * F.cross_entropy(similarity, labels) + (1 - l) * F.cross_entropy(similarity.T, labels)


class Mccl(nn.Module):
    def __init__(self, former):
        super().__init__()
        self.former, self.text = former, TextDecoder(False)
        self.image_projection = nn.Linear(S["width"], S["contrast_width"], bias=False)
        self.text_projection = nn.Linear(S["width"], S["contrast_width"], bias=False)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(0.07)))

    def forward(self, batch):
        def image(f):
            return F.normalize(self.image_projection(self.former(f).mean(1)), dim=-1)

        def sentence(s):
            return F.normalize(self.text_projection(self.text(s)[:, -1]), dim=-1)

        t = self.log_temperature.exp()
        f, s = image(batch["features"]), sentence(batch["tokens"])
        loss = contrast(f, s, t)
        if S["gamma_image"] > 0:
            loss = loss + S["gamma_image"] * contrast(f, image(batch["other_features"]), t)
        if S["gamma_sentence"] > 0:
            loss = loss + S["gamma_sentence"] * contrast(s, sentence(batch["other_tokens"]), t)
        return loss


class Rsic(nn.Module):
    def __init__(self, former):
        super().__init__()
        self.former, self.decoder = former, TextDecoder(True)
        self.output = nn.Linear(S["width"], S["vocabulary"])

    def forward(self, batch):
        memory = self.former(batch["features"]).repeat_interleave(S["captions"], 0)
        logits = self.output(self.decoder(batch["tokens"][:, :-1], memory))
        return F.cross_entropy(logits.flatten(0, 1), batch["tokens"][:, 1:].flatten())


class Scst(Rsic):
    def forward(self, batch):
        memory = self.former(batch["features"]).repeat_interleave(S["samples"], 0)
        with torch.no_grad():
            tokens = torch.ones(len(memory), 1, dtype=torch.long, device=DEVICE)
            for _ in range(S["max_tokens"] - 1):
                logits = self.output(self.decoder(tokens, memory)[:, -1]).float()
                tokens = torch.cat([tokens, torch.multinomial(logits.softmax(-1), 1)], 1)
                if (tokens == 0).any(1).all():
                    break
        rewards = torch.rand(len(memory), 1, device=DEVICE)  # free here; ours are computed
        losses = F.cross_entropy(self.output(self.decoder(tokens[:, :-1], memory)).transpose(1, 2), tokens[:, 1:], reduction="none")
        return ((rewards - rewards.mean()) * losses).mean()


@torch.no_grad()
def captions_per_second(model, features):
    model, beam = model.to(DEVICE).eval(), S["beam"]
    start = time.perf_counter()
    for chunk in features.split(32):
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=S["bfloat16"]):
            memory = model.former(chunk).repeat_interleave(beam, 0)
            tokens = torch.ones(len(memory), 1, dtype=torch.long, device=DEVICE)
            scores = torch.tensor([0.0] + [-1e9] * (beam - 1), device=DEVICE).repeat(len(chunk))
            for _ in range(S["max_tokens"] - 1):
                found = model.output(model.decoder(tokens, memory)[:, -1]).float().log_softmax(-1)
                ended = (tokens == 0).any(1)
                found[ended] = -1e9
                found[ended, 0] = 0.0
                best, place = (scores[:, None] + found).view(len(chunk), -1).topk(beam)
                parents = place // found.shape[1] + torch.arange(len(chunk), device=DEVICE)[:, None] * beam
                tokens = torch.cat([tokens[parents.flatten()], (place % found.shape[1]).view(-1, 1)], 1)
                scores = best.flatten()
                if (tokens == 0).any(1).all():
                    break
    tokens.cpu()
    return len(features) / (time.perf_counter() - start)


def images_per_second(model, batch, images, average):
    model = model.to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9, weight_decay=S["weight_decay"])
    mean = copy.deepcopy(model) if average > 0 else None
    start = 0.0
    for n in range(S["steps"] + S["warm"]):
        if n == S["warm"]:
            if DEVICE.type == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=S["bfloat16"]):
            loss = model(batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), S["clip"])
        optimizer.step()
        if mean is not None:
            with torch.no_grad():
                for kept, new in zip(mean.parameters(), model.parameters()):
                    kept.lerp_(new, 1 - average)
        loss.item()
    return S["steps"] * images / (time.perf_counter() - start)


def main():
    torch.set_num_threads(S["threads"])
    torch.manual_seed(1)

    def features(b):
        return torch.rand(b, S["cells"], S["channels"], device=DEVICE)

    def tokens(b):
        return torch.randint(3, S["vocabulary"], (b, S["caption_words"] + 2), device=DEVICE)

    b, former = S["mccl_batch"], DgFormer()
    batch = {"features": features(b), "other_features": features(b), "tokens": tokens(b), "other_tokens": tokens(b)}
    mccl = images_per_second(Mccl(former), batch, b, 0)
    b = S["rsic_batch"]
    batch = {"features": features(b), "tokens": tokens(b * S["captions"])}
    rsic = images_per_second(Rsic(former), batch, b, S["average"])
    b = S["scst_batch"]
    scst = Scst(former)
    rate = images_per_second(scst, {"features": features(b)}, b, 0)
    evaluate = captions_per_second(scst, features(4 * max(S["mccl_batch"], S["rsic_batch"], b)))
    print(json.dumps({"mccl": mccl, "rsic": rsic, "scst": rate, "evaluate": evaluate}))


main()
