#!/usr/bin/env python3
"""Transfer frames by programs of others: pycadu finds the sync markers, reed-solomon-ccsds codes and mends.

usage: frames.py read STREAM CADUS   frames of a stream, whatever lies before its first marker: a line each, with how many bytes were
                                     mended; and the same codeblocks, as they came, one after the other
       frames.py make SPACECRAFT PACKETS STREAM
                                     a stream from lines "CHANNEL HEX" of packets, as we never write it: packets follow each other without
                                     a gap, also across frames; channels take turns; idle packets and idle frames lie between, of any length"""
import binascii, random, struct, sys
from pycadu.reader import vcdu_frames
from reed_solomon_ccsds import decode, encode

MARKER = bytes.fromhex("1acffc1d")
DATA, ROOM = 223, 215


def sequence():
    """131.0-B-5, 10.4: x^8 + x^7 + x^5 + x^3 + 1 from all ones."""
    bits = [1] * 8
    while len(bits) < 255 * 8:
        bits.append(bits[-8] ^ bits[-5] ^ bits[-3] ^ bits[-1])
    return bytes(int("".join(map(str, bits[8 * n:8 * n + 8])), 2) for n in range(255))


SEQUENCE = sequence()


def randomized(block):
    return bytes(a ^ b for a, b in zip(block, SEQUENCE))


def read(stream, cadus):
    with open(cadus, "wb") as out:
        for cadu in vcdu_frames(iter([open(stream, "rb").read()]), MARKER, 259):
            out.write(cadu)
            [wrong], data = decode(randomized(cadu[4:]), dual_basis=True)
            print("frame", data[:DATA].hex(), wrong)
            # Its parity is what ours is.
            if wrong == 0 and encode(data[:DATA], dual_basis=True) != randomized(cadu[4:]):
                sys.exit("another parity")


def space_packet(apid, count, data):
    return struct.pack(">HHH", apid, 0xc000 | count % 16384, len(data) - 1) + data


def make(spacecraft, packets, stream):
    draw, data, starts, counts = random.Random(5), {}, {}, {}
    for line in open(packets):
        channel, packet = line.split()
        channel = int(channel)
        counts[channel] = counts.get(channel, -1) + 1
        parts = [space_packet(66 + channel, counts[channel], bytes.fromhex(packet))]
        if draw.random() < .3:
            parts.append(space_packet(0x7ff, 0, b"\x55" * draw.randrange(1, 400)))
        for part in parts:
            starts.setdefault(channel, []).append(len(data.setdefault(channel, b"")))
            data[channel] += part
    frames = []
    for channel, all_ in data.items():
        filling = -len(all_) % ROOM
        starts[channel].append(len(all_))
        all_ += space_packet(0x7ff, 0, b"\x55" * (filling - 6 if filling > 6 else filling - 6 + ROOM))
        frames += [(channel, n, next((s - ROOM * n for s in starts[channel] if s // ROOM == n), 0x7ff),
                    all_[ROOM * n:ROOM * (n + 1)]) for n in range(len(all_) // ROOM)]
    # The channels take turns; each one's frames stay in order.
    frames.sort(key=lambda frame: (frame[1], frame[0]))
    mixed = []
    for frame in frames:
        mixed.append(frame)
        if draw.random() < .3:
            mixed.append((7, sum(f[0] == 7 for f in mixed), 0x7fe, bytes(draw.randrange(256) for _ in range(ROOM))))
    with open(stream, "wb") as out:
        for master, (channel, count, first, content) in enumerate(mixed):
            frame = struct.pack(">HBBH", int(spacecraft) << 4 | channel << 1, master % 256, count % 256, 0x1800 | first) + content
            frame += struct.pack(">H", binascii.crc_hqx(frame, 0xffff))
            out.write(MARKER + randomized(encode(frame, dual_basis=True)))


if __name__ == "__main__":
    commands = {("read", 4): read, ("make", 5): make}
    command = commands.get((sys.argv[1] if len(sys.argv) > 1 else "", len(sys.argv)))
    if command is None:
        sys.exit(__doc__)
    command(*sys.argv[2:])
