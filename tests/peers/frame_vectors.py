#!/usr/bin/env python3
"""Writes frames by the specification in edge/link, in Python and with nothing of the Rust code: the golden vectors. The
Reed-Solomon code is made here from CCSDS 131.0-B-5's own definition.

usage: frame_vectors.py fixtures/wire/packets.txt > fixtures/wire/frames.txt"""
import binascii, json, struct, sys

# GF(256) by x^8 + x^7 + x^2 + x + 1; the code's roots are (a^11)^112 .. (a^11)^143 (131.0-B-5, 4.3).
EXP, LOG = [0] * 512, [0] * 256
value = 1
for power in range(255):
    EXP[power] = EXP[power + 255] = value
    LOG[value] = power
    value = value << 1 ^ (0x187 if value & 0x80 else 0)


def multiply(one, other):
    return EXP[LOG[one] + LOG[other]] if one and other else 0


GENERATOR = [1]
for root in range(112, 144):
    shifted = GENERATOR + [0]
    for place, coefficient in enumerate(GENERATOR):
        shifted[place + 1] ^= multiply(coefficient, EXP[11 * root % 255])
    GENERATOR = shifted

# The dual basis (131.0-B-5, 4.4.2 and annex F): rows of the matrix that takes u7..u0 to z0..z7.
ROWS = [0b10001101, 0b11101111, 0b11101100, 0b10000110, 0b11111010, 0b10011001, 0b10101111, 0b01111011]


def to_dual(conventional):
    dual = 0
    for bit, row in enumerate(ROWS):
        if conventional >> 7 - bit & 1:
            dual ^= row
    return dual


DUAL = [to_dual(byte) for byte in range(256)]
CONVENTIONAL = {dual: byte for byte, dual in enumerate(DUAL)}


def parity(message):
    remainder = [0] * 32
    for byte in (CONVENTIONAL[b] for b in message):
        factor = byte ^ remainder.pop(0)
        remainder.append(0)
        for place in range(32):
            remainder[place] ^= multiply(factor, GENERATOR[place + 1])
    return bytes(DUAL[byte] for byte in remainder)


def random_sequence():
    """131.0-B-5, 10.4: x^8 + x^7 + x^5 + x^3 + 1 from all ones."""
    bits = [1] * 8
    while len(bits) < 255 * 8:
        bits.append(bits[-8] ^ bits[-5] ^ bits[-3] ^ bits[-1])
    return bytes(int("".join(map(str, bits[8 * n:8 * n + 8])), 2) for n in range(255))


def space_packet(up, apid, count, data):
    return struct.pack(">HHH", up << 12 | apid, 0b11 << 14 | count, len(data) - 1) + data


def codeblock(data):
    left = 223 - len(data)
    data += space_packet(0, 0x7ff, 0, b"\x55" * (left - 6)) if left > 6 else bytes(left)
    block = data + parity(data)
    return bytes.fromhex("1acffc1d") + bytes(a ^ b for a, b in zip(block, random_sequence()))


def transfer_frames(spacecraft, kind, packet):
    """TM transfer frames (132.0-B-3): header, 215 bytes of packets, frame error control; each in a codeblock."""
    channel = {"housekeeping": 1, "picture_part": 2}.get(kind, 0)
    data = space_packet(0, 66 + channel, 0, packet)
    starts, room = [0], -len(data) % 215
    if room:
        starts.append(len(data))
        data += space_packet(0, 0x7ff, 0, b"\x55" * (max(room, 7) - 6))
    frames = b""
    for count in range(len(data) // 215):
        first = next((start - 215 * count for start in starts if start // 215 == count), 0x7ff)
        frame = struct.pack(">HBBH", spacecraft << 4 | channel << 1, count, count, 0x1800 | first)
        frame += data[215 * count:215 * (count + 1)]
        frames += codeblock(frame + struct.pack(">H", binascii.crc_hqx(frame, 0xffff)))
    return frames


def cobs(data):
    encoded = b""
    for group in (data + b"\0").split(b"\0")[:-1]:
        while len(group) >= 254:
            encoded += b"\xff" + group[:254]
            group = group[254:]
        encoded += bytes([len(group) + 1]) + group
    return b"\0" + encoded + b"\0"


def show(**fields):
    print(json.dumps({name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("# Golden frames: tests/peers/frame_vectors.py wrote them. A line changes only together with a version.")
    cases = [json.loads(line) for line in open(sys.argv[1]) if not line.startswith("#")]
    packets = {case["bytes"]: next(iter(case["body"])) for case in cases if case["checksum"] == 32}
    kinds = set()
    for packet, kind in packets.items():
        packet = bytes.fromhex(packet)
        is_small = len(packet) <= 217
        if kind == "captions" or (kind, is_small) not in kinds:
            kinds.add((kind, is_small))
            framed = space_packet(0, 66, 0, packet)
            # A codeblock holds no more.
            alone = {"ccsds_rs": codeblock(framed)} if is_small else {}
            frames = transfer_frames(12, kind, packet)
            show(packet=packet, apid=66, spacecraft=12, cobs=cobs(packet), ccsds=framed, **alone, ccsds_tm=frames)


main()
