#!/usr/bin/env python3
"""Weights and golden vectors in .safetensors, with Python's own library alone.

usage: weights.py compare A B            the largest difference of each tensor as a share of its largest value; JSON
       weights.py half IN OUT            matrices and kernels in FP16, vectors in FP32
"""
import array
import json
import struct
import sys


def read(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return header, memoryview(data)[8 + length :]


def floats(entry, data):
    start, end = entry["data_offsets"]
    count = (end - start) // {"F32": 4, "F16": 2}[entry["dtype"]]
    return array.array("f", struct.unpack(f"<{count}{'f' if entry['dtype'] == 'F32' else 'e'}", data[start:end]))


def compare(one, other):
    (a, a_data), (b, b_data) = read(one), read(other)
    assert a.keys() == b.keys(), "the files hold other tensors"
    found = {}
    for name in a:
        x, y = floats(a[name], a_data), floats(b[name], b_data)
        assert len(x) == len(y), name
        found[name] = max(abs(p - q) for p, q in zip(x, y)) / max(map(abs, x))
    print(json.dumps(found))


def half(source, target):
    header, data = read(source)
    entries, body = {}, bytearray()
    for name, entry in header.items():
        values, start = floats(entry, data), len(body)
        small = len(entry["shape"]) < 2
        body += struct.pack(f"<{len(values)}{'f' if small else 'e'}", *values)
        entries[name] = {"dtype": "F32" if small else "F16", "shape": entry["shape"], "data_offsets": [start, len(body)]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + body)


{"compare": compare, "half": half}[sys.argv[1]](*sys.argv[2:])
