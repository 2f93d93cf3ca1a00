#!/usr/bin/env python3
"""Writes packets by the specification in edge/wire, in Python and with nothing of the Rust code: the golden vectors. Postcard's
varints, the arithmetic coder, HMAC and both checksums are made here a second time.

usage: wire_vectors.py down fixtures/wire/language-model.bin > fixtures/wire/packets.txt
       wire_vectors.py up > fixtures/wire/uplink.txt"""
import hashlib, json, struct, sys

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


REASONS = ["unfamiliar", "blank", "dark", "overexposed", "defocused", "smeared", "noisy", "foggy"]
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


def message(model, digits, captions):
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
        coder.choose([63, 1], int(c["confidence"] is None))
        if c["confidence"] is not None:
            # In thousandths; rounded to the nearest, halves up.
            coder.uniform(32, (c["confidence"] * 31 + 500) // 1000)
        coder.choose([31, 1], int(c["outside"] is not None))
        if c["outside"] is not None:
            coder.uniform(8, REASONS.index(c["outside"]))
        coder.choose([60, 2, 1, 1], c["priority"])
        coder.choose([15, 1], int(c["repeat"]))
        text(coder, model, c["text"])
        before = c
    return coder.finish()


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def varints(*values):
    return b"".join(map(varint, values))


def blob(content):
    return varint(len(content)) + content


def option(value, write):
    return b"\0" if value is None else b"\1" + write(value)


def crc32(content):
    """CRC-32/ISO-HDLC."""
    register = 0xffffffff
    for byte in content:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xedb88320 if register & 1 else 0)
    return register ^ 0xffffffff


def crc16(content):
    """CRC-16/IBM-3740."""
    register = 0xffff
    for byte in content:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xffff
    return register


def closed(content, checksum):
    return content + (struct.pack("<I", crc32(content)) if checksum == 32 else struct.pack("<H", crc16(content)))


def code(key, content, length):
    """HMAC-SHA-256 (RFC 2104), its first bytes."""
    block = bytes.fromhex(key).ljust(64, b"\0")
    hashed = lambda pad, rest: hashlib.sha256(bytes(byte ^ pad for byte in block) + rest).digest()
    return hashed(0x5c, hashed(0x36, content))[:length]


def down_body(model, case):
    (kind, c), = case["body"].items()
    if kind == "captions":
        return b"\0" + blob(message(model, c["decimals"], c["captions"]))
    if kind == "housekeeping":
        dropped = [c["dropped"][group] for group in ("image", "policy", "link", "machine")]
        counted = [c[name] for name in ("sequence", "period", "uptime", "frames", "queued")] + dropped
        return (b"\1" + varints(*counted) + bytes([c["fault"]]) + varint(c["fault_count"])
                + struct.pack("<BbB", c["slot"], c["celsius"], c["free_disk"]) + varints(c["millijoules"], c["waiting"]))
    if kind == "picture_part":
        return b"\2" + varints(c["ask"], c["part"], c["parts"]) + option(c["crc"], varint) + blob(bytes.fromhex(c["bytes"]))
    if kind == "answer":
        result = {"done": b"\0", "refused": b"\1", "not_kept": b"\2"}[c["result"]]
        reason = bytes([c["reason"]]) if c["result"] == "refused" else b""
        return b"\3" + bytes([c["station"]]) + varint(c["counter"]) + result + reason + blob(bytes.fromhex(c["value"]))
    if kind == "footprints":
        content, before = b"", 0
        for f in c:
            content += varints(f["number"] - before, f["accuracy"], f["step"]) + b"".join(struct.pack("bb", c["north"], c["east"]) for c in f["corners"])
            before = f["number"]
        return b"\5" + blob(content)
    return b"\4" + varint(c["sequence"]) + bytes([REASONS.index(c["reason"])]) + varints(c["since"], c["frames"])


def down(model, case):
    version = 3 if case["checksum"] == 32 else 131
    content = bytes([version]) + varint(case["vehicle"]) + struct.pack("<H", case["bundle"]) + down_body(model, case)
    mac = b"\0" if case["key"] is None else b"\1" + code(case["key"], content, 4)
    return closed(content + mac, case["checksum"])


def acknowledged(captions):
    chunks = [captions[start:start + 32] for start in range(0, len(captions), 32)]
    out = varint(len(chunks))
    for few in chunks:
        runs, expected, digest = [0], few[0][0], 0
        for number, time, words in few:
            if number != expected:
                runs += [number - expected, 0]
            runs[-1] += 1
            expected = number + 1
            digest += crc32(struct.pack("<II", number, time) + words.encode())
        out += varint(few[0][0]) + varint(len(runs)) + varints(*runs) + varint(digest % 2**32)
    return out


def command(name, c):
    if name == "SetThreshold":
        return b"\x00" + varint(c["thousandths"])
    if name == "SetWatchWords":
        words = [blob(word["word"].encode()) + bytes([word["priority"]]) for word in c]
        return b"\x01" + varint(len(words)) + b"".join(words)
    if name == "SetNovelty":
        return b"\x02" + varints(c["metres"], c["minutes"])
    if name == "SetRate":
        return b"\x03" + varint(c["bytes_per_second"])
    if name == "SetBudget":
        return b"\x04" + varint(c["bytes_per_hour"])
    if name == "SwitchSlot":
        return b"\x08" + bytes([c["slot"]])
    if name == "DeltaPart":
        return b"\x0a" + varints(c["id"], c["part"], c["parts"]) + option(c["crc"], varint) + blob(bytes(c["bytes"]))
    if name == "NewKeyPart":
        return b"\x0c" + bytes([c["part"], c["parts"]]) + blob(bytes(c["bytes"]))
    return {"Pause": b"\x05", "Resume": b"\x06", "SelfTest": b"\x07", "StatusNow": b"\x09", "ForgetPictures": b"\x0b"}[name]


def up_body(case):
    (kind, c), = case["body"].items()
    if kind == "acknowledge":
        return b"\0" + acknowledged(c)
    if kind == "ask":
        return b"\1" + varints(c["ask"], c["caption"], c["pixels"]) + option(c["crop"], lambda crop: varints(*crop))
    if kind == "missing":
        return b"\3" + varint(c["ask"]) + varint(len(c["runs"])) + b"".join(varints(run["first"], run["count"]) for run in c["runs"])
    return b"\2" + (command(c, None) if isinstance(c, str) else command(*next(iter(c.items()))))


def up(case):
    version = 67 if case["checksum"] == 32 else 195
    content = bytes([version]) + varint(case["vehicle"]) + bytes([case["station"]]) + varint(case["counter"]) + up_body(case)
    return closed(content + code(case["key"], content, 16), case["checksum"])


KEY = bytes(range(32)).hex()


def caption(sequence, time, words, place=None, confidence=None, outside=None, priority=0, repeat=False):
    return {"sequence": sequence, "time": time, "latitude": place and place[0], "longitude": place and place[1],
            "confidence": confidence, "outside": outside, "priority": priority, "repeat": repeat, "text": words}


def down_cases():
    flight = [caption(300, 1699946752, "a parking lot with many cars is next to a road", (48.20849, -16.37208), 806, None, 2, True),
              caption(301, 1699946759, "a bridge over the river .", (48.20901, -16.37301), 1000),
              caption(305, 1699946750, "many cars", None, 0)]
    odd = [caption(2**32 - 1, 2**32 - 1, "Ein Flu\xdf  mit  Br\xfccke: \u6a4b .", (-90.0, 180.0), 32, None, 3, True),
           caption(0, 0, " .", (90.0, -180.0), None, None, 1)]
    flagged = [caption(n, 1763928000 + n, "a road", None, [None, 97][n % 2], reason) for n, reason in enumerate(REASONS)]
    apron = [caption(7, 1763928000, "zzyzx airport-apron", None, 516), caption(9, 1763931600, "an airport", (0.001, 0.0), 516)]
    captions = lambda decimals, all: {"captions": {"decimals": decimals, "captions": all}}
    dropped = lambda *four: dict(zip(("image", "policy", "link", "machine"), four))
    day = {"sequence": 288, "period": 300, "uptime": 86400, "frames": 17280, "queued": 4000, "dropped": dropped(12, 13000, 0, 268),
           "fault": 3, "fault_count": 2, "slot": 1, "celsius": -7, "free_disk": 20, "millijoules": 1800, "waiting": 12}
    most = {**dict.fromkeys(day, 65535), "uptime": 2**32 - 1, "dropped": dropped(*[65535] * 4), "fault": 255, "slot": 2,
            "celsius": -128, "free_disk": 255}
    none = {**dict.fromkeys(day, 0), "dropped": dropped(0, 0, 0, 0)}
    part = lambda n, parts, crc, content: {"picture_part": {"ask": 500, "part": n, "parts": parts, "crc": crc, "bytes": content.hex()}}
    answer = lambda result, **more: {"answer": {"station": 1, "counter": 1795824000, "result": result, "value": "", **more}}
    report = lambda n, reason, since, frames: {"report": {"sequence": n, "reason": reason, "since": since, "frames": frames}}
    bodies = [(12, 48879, captions(5, flight)), (0, 0, captions(0, [caption(0, 0, "")])), (65535, 6699, captions(7, odd)),
              (300, 27096, captions(3, apron)), (1, 2, captions(5, flagged)), (12, 48879, {"housekeeping": day}),
              (65535, 65535, {"housekeeping": most}), (0, 0, {"housekeeping": none}), (12, 48879, part(0, 2, None, bytes(range(256)) * 4)),
              (12, 48879, part(1, 2, 0xcbf43926, b"123456789")), (12, 48879, answer("done", value=b"a value".hex())),
              (12, 48879, answer("refused", reason=1)), (12, 48879, answer("refused", reason=255)), (12, 48879, answer("not_kept"))]
    bodies += [(12, 48879, report(n * 9000, reason, 1795824000 + n, 3 ** (2 * n))) for n, reason in enumerate(REASONS)]
    footprint = lambda number, accuracy, step, *corners: {"number": number, "accuracy": accuracy, "step": step, "corners": [{"north": n, "east": e} for n, e in corners]}
    nadir = footprint(300, 12, 71, (127, -95), (127, 95), (-127, 95), (-127, -95))
    oblique = footprint(302, 34, 1022, (127, -89), (127, 89), (-63, 35), (-63, -35))
    largest = footprint(2**32 - 1, 65535, 500000, (0, -127), (127, 0), (0, 127), (-127, 0))
    small = footprint(0, 1, 1, (1, 0), (0, 1), (-1, 0), (0, -1))
    bodies += [(12, 48879, {"footprints": few}) for few in ([nadir], [nadir, oblique], [small, largest], [{**nadir, "number": 64 * n} for n in range(64)])]
    for n, (vehicle, bundle, body) in enumerate(bodies):
        first = {"vehicle": vehicle, "bundle": bundle}
        for key, checksum in [(None, 32), (KEY, 16)] if n % 2 else [(KEY, 32), (None, 16)]:
            yield {**first, "key": key, "checksum": checksum, "body": body}


def up_cases():
    arrived = [[(5, 100, "a river ."), (6, 101, "a river ."), (9, 90, "")], [(300, 1, "a"), (811, 2, "b"), (812, 3, "c")],
               [(2**32 - 1, 2**32 - 1, "many planes")], [(n, n, "a") for n in range(40)], []]
    asks = [{"ask": 1, "caption": 300, "pixels": 128, "crop": None}, {"ask": 65535, "caption": 2**32 - 1, "pixels": 8192, "crop": [0, 7, 65535, 1]}]
    commands = [{"SetThreshold": {"thousandths": 600}}, {"SetWatchWords": [{"word": "ship", "priority": 2}, {"word": "storage tank", "priority": 3}]},
                {"SetWatchWords": []}, {"SetNovelty": {"metres": 20000, "minutes": 10080}}, {"SetRate": {"bytes_per_second": 10**8}},
                {"SetBudget": {"bytes_per_hour": 100000}}, "Pause", "Resume", "SelfTest", {"SwitchSlot": {"slot": 2}}, "StatusNow",
                {"DeltaPart": {"id": 65535, "part": 65534, "parts": 65535, "crc": 2**32 - 1, "bytes": list(range(80))}},
                {"DeltaPart": {"id": 3, "part": 0, "parts": 2, "crc": None, "bytes": [255, 0]}}, "ForgetPictures",
                {"NewKeyPart": {"part": 0, "parts": 2, "bytes": list(range(32))}}]
    run = lambda first, count: {"first": first, "count": count}
    missing = [{"ask": 1, "runs": []}, {"ask": 65535, "runs": [run(0, 65535)]}, {"ask": 300, "runs": [run(4 * n, n % 3 + 1) for n in range(15)]}]
    bodies = [{"acknowledge": all} for all in arrived] + [{"ask": ask} for ask in asks] + [{"command": one} for one in commands]
    bodies += [{"missing": one} for one in missing]
    counters = [1, 1795824000, 2**32 - 1]
    for n, body in enumerate(bodies):
        first = {"vehicle": [0, 12, 65535][n % 3], "station": [1, 255][n % 2], "counter": counters[n // 2 % 3]}
        for checksum in (32, 16):
            yield {**first, "key": KEY, "checksum": checksum, "body": body}


def main():
    if sys.argv[1:2] not in (["down"], ["up"]) or len(sys.argv) != (3 if sys.argv[1] == "down" else 2):
        sys.exit(__doc__)
    note = "# tests/peers/wire_vectors.py wrote them. A line changes only together with the version."
    if sys.argv[1] == "down":
        print("# Golden packets down of wire version 3: what each holds, and its bytes in hexadecimal; language-model.bin is their model.")
        print(note)
        model = Model(open(sys.argv[2], "rb").read())
        cases = ((case, down(model, case)) for case in down_cases())
    else:
        print("# Golden packets up of wire version 3: what each holds, and its bytes in hexadecimal.")
        print(note)
        cases = ((case, up(case)) for case in up_cases())
    for case, content in cases:
        print(json.dumps({**case, "bytes": content.hex()}, ensure_ascii=False))


main()
