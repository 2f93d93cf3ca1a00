"""Whether what the program `captions` said and packed is what edge says of the images and ground reads in the packets."""

import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


said = [line.split("\t") for line in (folder / "said").read_text().splitlines()]
by_edge = []
for line in lines("edge.jsonl"):
    if "confidence" in line:
        by_edge.append([line["caption"], f"{line['confidence']:.3f}", line["reasons"][0] if line["reasons"] else "no"])
    else:
        by_edge.append([line["caption"], "none", "unknown"])
assert said == by_edge, (said, by_edge)
for name in ("packets.jsonl", "keyed.jsonl"):
    read = lines(name)
    assert len(read) == len(said), read
    for number, (line, (text, confidence, _)) in enumerate(zip(read, said)):
        found = {key: line[key] for key in ("caption", "sequence", "time", "vehicle", "priority", "latitude", "longitude")}
        expected = {"caption": text, "sequence": number, "time": 1795824004 + number, "vehicle": 12, "priority": 2,
                    "latitude": 48.20849, "longitude": 16.37208}
        assert found == expected, (found, expected)
        if confidence == "none":
            assert line.get("confidence") is None, line
        else:
            assert abs(line["confidence"] - float(confidence)) <= 0.5 / 31 + 0.0006, (line, confidence)
print(f"{len(said)} captions and their packets")
