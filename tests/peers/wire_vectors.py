#!/usr/bin/env python3
"""Writes packets by the specification in edge/wire, in Python and with nothing of the Rust code: the golden vectors.

usage: wire_vectors.py LANGUAGE_MODEL < CAPTIONS > fixtures/wire/packets.txt

CAPTIONS: a JSON object a line with bundle, digits and captions (sequence, time, latitude, longitude, score, priority, repeat,
text); the same comes out with the packet's bytes."""
import json, struct, sys, zlib

START, END, UNKNOWN, ORDER, PARTS = 0, 1, None, 4, 16
LETTERS = dict(zip(b"etaoinshrdlcumwfgypbvkjxqz",
                   [120, 90, 82, 76, 70, 68, 64, 50, 60, 44, 42, 30, 28, 26, 22, 22, 20, 20, 20, 16, 10, 8, 3, 3, 2, 2]))
SPELLING = [LETTERS.get(b, 4 if b == ord("-") else 1) for b in range(256)] + [150]


def falling(peak, steps):
    weights = []
    for n in range(34):
        halvings = abs(n - peak) * steps
        whole = 4096 >> halvings // 2 if halvings // 2 < 12 else 1
        weights.append(max(1, whole * 3 // 4 if halvings % 2 else whole))
    return weights


FEW, ANY, SMALL, SPREAD = falling(0, 2), [1] * 34, falling(0, 4), falling(7, 1)


class Model:
    def __init__(self, data):
        self.data, self.at = data, 7
        assert data[:7] == b"CSSALM\x01"
        self.discounts = [self.take("<3H") for _ in range(ORDER)]
        self.words = {}
        for n in range(self.take("<H")[0]):
            length = self.take("<B")[0]
            self.words[data[self.at:self.at + length].decode()] = n + 2
            self.at += length
        self.root = self.tree()

    def take(self, form):
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take("<B")[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def tree(self):
        children, word = {}, -1
        for _ in range(self.varint()):
            word += self.varint() + 1
            count = self.varint()
            children[word] = (count, self.tree())
        return children

    def contexts(self, before):
        for length in range(ORDER - 1, -1, -1):
            node = self.root
            for word in before[len(before) - length:]:
                node = node.get(word, (0, {}))[1]
            if node:
                yield [(word, max(1, min(count, 1 << 20) * PARTS - self.discounts[length][min(count, 3) - 1]),
                        self.discounts[length][min(count, 3) - 1]) for word, (count, _) in sorted(node.items()) if count]


class Coder:
    """The interval as exact integers: a fraction of 256^shift."""

    def __init__(self):
        self.low, self.range, self.out = 0, 1 << 56, 0

    def narrow(self, before, weight, total):
        unit = self.range // total
        self.low += before * unit
        self.range = weight * unit
        while self.range < 1 << 48:
            self.low <<= 8
            self.range <<= 8
            self.out += 1

    def choose(self, weights, symbol):
        self.narrow(sum(weights[:symbol]), weights[symbol], sum(weights))

    def uniform(self, total, value):
        self.narrow(value, 1, total)

    def finish(self):
        for kept in range(8):
            step = 1 << 56 - 8 * kept
            number = -(-self.low // step) * step
            if number < self.low + self.range:
                return (number >> 56 - 8 * kept).to_bytes(self.out + kept, "big").rstrip(b"\0")


def number(coder, lengths, value):
    length = value.bit_length()
    coder.choose(lengths, length)
    if length > 1:
        below = length - 1
        low = min(below, 16)
        coder.uniform(1 << low, value & (1 << low) - 1)
        if below > low:
            coder.uniform(1 << below - low, value >> low & (1 << below - low) - 1)


def signed(coder, value):
    number(coder, SPREAD, 2 * value if value >= 0 else -2 * value - 1)


def text(coder, model, sentence):
    stop = sentence.endswith(" .")
    coder.choose([1, 1], int(stop))
    body = sentence[:-2] if stop else sentence
    before = [START] * 3
    for word in (body.split(" ") if body else []) + [END]:
        target = END if word == END else model.words.get(word)
        excluded = set()
        for context in model.contexts(before):
            left = [f for f in context if f[0] not in excluded]
            if not left:
                continue
            ids = [f[0] for f in left]
            coder.choose([f[1] for f in left] + [max(1, sum(f[2] for f in left))], ids.index(target) if target in ids else len(ids))
            if target in ids:
                break
            excluded.update(ids)
        else:
            if END not in excluded:
                coder.choose([1, 1], int(target == END))
            if target != END:
                for byte in word.encode():
                    coder.choose(SPELLING, byte)
                coder.choose(SPELLING, 256)
        before = before[1:] + [target]


def packet(model, bundle, digits, captions):
    coder, last, before = Coder(), None, None
    number(coder, FEW, len(captions) - 1)
    coder.uniform(8, digits)
    one = 10 ** digits
    for c in captions:
        place = None if c["latitude"] is None else (round((c["latitude"] + 90) * one), round((c["longitude"] + 180) * one))
        if before is None:
            number(coder, ANY, c["sequence"])
            coder.uniform(1 << 16, c["time"] >> 16)
            coder.uniform(1 << 16, c["time"] & 0xffff)
            coder.choose([1, 1], int(place is not None))
        else:
            number(coder, SMALL, (c["sequence"] - before["sequence"] - 1) % (1 << 32))
            signed(coder, c["time"] - before["time"])
            coder.choose([15, 1], int((place is None) != (before["latitude"] is None)))
        if place is not None:
            if last is None:
                coder.uniform(180 * one + 1, place[0])
                coder.uniform(360 * one + 1, place[1])
            else:
                signed(coder, place[0] - last[0])
                signed(coder, place[1] - last[1])
            last = place
        coder.uniform(32, c["score"])
        coder.choose([60, 2, 1, 1], c["priority"])
        coder.choose([15, 1], int(c["repeat"]))
        text(coder, model, c["text"])
        before = c
    content = struct.pack("<BH", 2, bundle) + coder.finish()
    return content + struct.pack("<I", zlib.crc32(content))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    model = Model(open(sys.argv[1], "rb").read())
    print("# Golden packets of wire version 2: what each holds, and its bytes in hexadecimal; language-model.bin is their model.")
    print("# tests/peers/wire_vectors.py wrote them. A line changes only together with the version.")
    for line in sys.stdin:
        given = json.loads(line)
        given["bytes"] = packet(model, given["bundle"], given["digits"], given["captions"]).hex()
        print(json.dumps(given, ensure_ascii=False))


main()
