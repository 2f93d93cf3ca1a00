"""Images in, captions out: from recordings, floods, in every form."""

import io
import json
import time
from pathlib import Path

import messages as ros
import numpy
import pytest
from conftest import BEST_EFFORT, MANY, NEWEST, RELIABLE, START, fix, header, image, quality, until
from PIL import Image as Picture
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
KEYS = ("caption", "score", "confidence", "familiarity", "outside", "reasons", "looks")


def same(found: dict, expected: dict) -> bool:
    return [found.get(key) for key in KEYS] == [expected.get(key) for key in KEYS]


def stored(message) -> object:
    """A message of messages.py as rosbags has it."""
    name = type(message).__idl_typename__.replace("::dds_::", "/").replace("::", "/").removesuffix("_")
    fields = {}
    for key, value in vars(message).items():
        if hasattr(value, "__idl_typename__"):
            value = stored(value)
        elif isinstance(value, bytes):
            value = numpy.frombuffer(value, numpy.uint8)
        elif isinstance(value, list):
            value = numpy.array(value, numpy.float64)
        fields[key] = value
    return STORE.types[name](**fields)


def played(message, kind: type) -> object:
    """A message of rosbags as cyclonedds has it."""
    fields = {}
    for key in kind.__dataclass_fields__:
        value = getattr(message, key)
        if isinstance(value, numpy.ndarray):
            value = value.tobytes() if value.dtype == numpy.uint8 else value.tolist()
        elif hasattr(value, "__msgtype__"):
            value = played(value, {"header": ros.Header, "stamp": ros.Time, "status": ros.NavSatStatus}[key])
        fields[key] = value
    return kind(**fields)


def record(path: Path, plugin: StoragePlugin, topics: dict[str, list]) -> None:
    with Writer(path, version=9, storage_plugin=plugin) as bag:
        for topic, messages in topics.items():
            kind = stored(messages[0]).__msgtype__
            connection = bag.add_connection(topic, kind, typestore=STORE)
            for message in messages:
                stamp = message.header.stamp.sec * 10**9
                bag.write(connection, stamp, STORE.serialize_cdr(stored(message), kind))


@pytest.mark.parametrize("plugin", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_each_image_of_a_recording_has_its_caption_in_order(start, tmp_path, pictures, known, plugin):
    """100 images in, 100 captions out: the next is published when the last is captioned."""
    frames = 100 if plugin is StoragePlugin.SQLITE3 else 12
    shown = [pictures[n % len(pictures)] for n in range(frames)]
    record(tmp_path / "bag", plugin, {
        "/camera/image_raw": [image(path, n) for n, path in enumerate(shown)],
        "/gps/fix": [fix(n, 48 + n / 1000, 11 - n / 1000) for n in range(frames)],
    })
    node = start("-r", "image:=/camera/image_raw", "-r", "fix:=/gps/fix", "-p", "reliability:=reliable")
    writers = {
        "/camera/image_raw": (node.writer("rt/camera/image_raw", ros.Image), ros.Image),
        "/gps/fix": (node.writer("rt/gps/fix", ros.NavSatFix), ros.NavSatFix),
    }
    captions = 0
    with Reader(tmp_path / "bag") as bag:
        for connection, _, raw in sorted(bag.messages(), key=lambda row: (row[1], row[0].topic != "/gps/fix")):
            writer, kind = writers[connection.topic]
            writer.write(played(bag_message := STORE.deserialize_cdr(raw, connection.msgtype), kind))
            if connection.topic == "/gps/fix":
                continue
            captions += 1
            found = node.next(captions)
            assert found["header_stamp"] == {"sec": bag_message.header.stamp.sec, "nanosec": 0}
    assert captions == frames and len(node.heard()) == frames and len({found["caption"] for found in node.said}) > 4
    for n, (found, path) in enumerate(zip(node.said, shown)):
        assert same(found, known[path]), (found, known[path])
        assert found["image"] == "/camera/image_raw" and found["frame_id"] == "camera"
        assert found["stamp"].startswith("2030-03-17T17:4") and found["header_stamp"]["sec"] == START + n
        assert found["runtime"] == known[path]["runtime"] and found["latency_ms"] > 0
    placed = [found for found in node.said if "latitude" in found]
    assert len(placed) >= frames * 0.9, "a fix that comes after its frame was captioned is too late"
    for found in placed:
        n = found["header_stamp"]["sec"] - START
        assert abs(found["latitude"] - (48 + n / 1000)) < 0.0011 and abs(found["longitude"] - (11 - n / 1000)) < 0.0011
    until(lambda: node.count("captioned") == frames, "the count")
    counts = node.counts()
    assert [counts[key] for key in ("frames", "older", "missed", "refused", "unsure")] == [str(frames), "0", "0", "0", "0"]
    assert node.status().level == 0 and node.status().name == "cssa: captions"
    assert node.end()[0] == 0


def test_in_a_flood_the_newest_frame_wins_and_each_other_is_counted(start, pictures):
    node = start("-p", "reliability:=reliable")
    writer = node.writer("rt/image", ros.Image)
    template = image(pictures[0], 0)
    sent = 0
    resident = []
    for _ in range(2):
        for _ in range(150):
            sent += 1
            template.header = header(sent)
            writer.write(template)
        until(lambda: node.heard() and node.said[-1]["header_stamp"]["sec"] == START + sent, "the last frame's caption")
        until(lambda: node.count("frames") + node.count("missed") == sent
              and node.count("captioned") + node.count("older") == node.count("frames"), "each frame is counted")
        status = Path(f"/proc/{node.process.pid}/status").read_text()
        resident.append(int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]))
    stamps = [found["header_stamp"]["sec"] for found in node.heard()]
    assert stamps == sorted(set(stamps)) and len(stamps) == node.count("captioned")
    assert node.count("older") + node.count("missed") > 0, "the flood was none"
    assert resident[1] < resident[0] + 100_000, f"{resident} kB: frames pile up"


@pytest.mark.parametrize("reliability", [BEST_EFFORT, RELIABLE])
def test_a_publisher_of_either_reliability_is_met(start, pictures, known, reliability):
    """Best effort may lose a frame on the way: it is sent until it is captioned."""
    node = start()
    writer = node.writer("rt/image/compressed", ros.CompressedImage, quality(reliability, NEWEST))
    for n, path in enumerate(pictures[:4]):
        message = ros.CompressedImage(header(n), "whatever", path.read_bytes())
        for _ in range(20):
            writer.write(message)
            end = time.monotonic() + 1.0
            while time.monotonic() < end and not any(found["header_stamp"]["sec"] == START + n for found in node.heard()):
                time.sleep(0.01)
            found = [found for found in node.heard() if found["header_stamp"]["sec"] == START + n]
            if found:
                break
        assert found and same(found[0], known[path]) and found[0]["image"] == "/image/compressed"


def test_each_encoding_shows_the_same_picture(start, pictures, known):
    node = start("-p", "reliability:=reliable")
    writer = node.writer("rt/image", ros.Image)
    plain = image(pictures[0], 0)
    pixels = numpy.frombuffer(plain.data, numpy.uint8).reshape(plain.height, plain.width, 3)
    opaque = numpy.full((plain.height, plain.width, 1), 255, numpy.uint8)
    padded = numpy.pad(pixels.reshape(plain.height, -1), ((0, 0), (0, 5)))
    doubled = numpy.repeat(numpy.repeat(pixels, 2, 0), 2, 1)
    mosaic = doubled[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = doubled[0::2, 0::2, 0], doubled[1::2, 1::2, 2]
    for n, (encoding, rows) in enumerate([
        ("rgb8", pixels), ("bgr8", pixels[..., ::-1]), ("rgba8", numpy.concatenate([pixels, opaque], 2)),
        ("bgra8", numpy.concatenate([pixels[..., ::-1], opaque], 2)), ("rgb8", padded), ("bayer_rggb8", mosaic),
    ]):
        rows = numpy.ascontiguousarray(rows)
        height, step = rows.shape[0], rows.reshape(rows.shape[0], -1).shape[1]
        width = rows.shape[1] if encoding != "rgb8" else plain.width
        writer.write(ros.Image(header(n), height, width, encoding, 0, step, rows.tobytes()))
        assert same(node.next(n + 1), known[pictures[0]]), encoding
    deep = (pixels.astype(">u2") * 256).tobytes()
    writer.write(ros.Image(header(9), plain.height, plain.width, "rgb16", 1, 6 * plain.width, deep))
    assert node.next(7)["caption"]


def test_what_is_no_picture_is_refused_by_its_reason(start, pictures):
    node = start("-p", "reliability:=reliable")
    raw, packed = node.writer("rt/image", ros.Image), node.writer("rt/image/compressed", ros.CompressedImage)
    call = node.service("caption", ros.TriggerRequest, ros.TriggerResponse)
    jpeg = io.BytesIO()
    Picture.open(pictures[0]).save(jpeg, "jpeg")
    cases = [
        (raw, ros.Image(header(1), 2, 2, "32FC1", 0, 8, bytes(16)), 'encoding "32FC1", expected one of rgb8'),
        (raw, ros.Image(header(2), 2, 2, "rgb8", 0, 6, bytes(11)), "rgb8 of 2 × 2 with a step of 6: 11 bytes of data, expected 12"),
        (raw, ros.Image(header(3), 2**32 - 1, 2**32 - 1, "rgba16", 0, 2**32 - 1, bytes(16)), "rgba16 of 4294967295 × 4294967295"),
        (raw, ros.Image(header(4), 0, 7, "rgb8", 0, 0, b""), "rgb8 of 7 × 0 with a step of 0: expected pixels"),
        (raw, ros.Image(header(5, "x" * 300), 1, 1, "mono8", 0, 1, b"0"), "a frame_id has 300 bytes, expected at most 256"),
        (packed, ros.CompressedImage(header(6), "jpeg", jpeg.getvalue()[:800]), "the image is refused: the JPEG is cut off"),
        (packed, ros.CompressedImage(header(7), "gif", b"GIF89a" + bytes(50)), "the image is refused: is no JPEG, PNG or TIFF"),
    ]
    for writer, message, said in cases:
        writer.write(message)

        def told():
            answer = call(ros.TriggerRequest())
            return not answer.success and answer.message.startswith(said)

        until(told, said)
    expected = {"encoding": 1, "layout": 3, "frame_id": 1, "damaged": 1, "format": 1}
    until(lambda: node.count("refused") == len(cases), "the counts")
    assert {kind: node.count(f"refused: {kind}") for kind in expected} == expected
    assert node.status().level == 1 and "is no JPEG" in node.status().message
    broken = node.writer("rt/image", ros.TruncatedImage)
    broken.write(ros.TruncatedImage(header(9), 7))
    until(lambda: node.count("refused: message") == 1, "a message of another form")
    raw.write(image(pictures[0], 10))
    assert node.next(1)["header_stamp"]["sec"] == START + 10, "the node works on"
    until(lambda: node.count("captioned") == 1, "the count")
    assert node.count("frames") == len(cases) + 2


@pytest.mark.parametrize("environment", [{}, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}])
def test_a_camera_that_publishes_both_forms_is_captioned_once(start, pictures, environment):
    node = start("-p", "reliability:=reliable", **environment)
    raw, packed = node.writer("rt/image", ros.Image), node.writer("rt/image/compressed", ros.CompressedImage)
    for n in range(3):
        raw.write(image(pictures[n], n))
        node.next(n + 1)
        packed.write(ros.CompressedImage(header(n), "png", pictures[n].read_bytes()))
    until(lambda: node.count("repeated") == 3, "the repeated frames")
    assert node.count("captioned") == 3 and len(node.heard()) == 3


def test_one_form_without_a_picture_does_not_silence_the_other(start, pictures, known):
    node = start("-p", "reliability:=reliable")
    raw, packed = node.writer("rt/image", ros.Image), node.writer("rt/image/compressed", ros.CompressedImage)
    for n in range(3):
        raw.write(ros.Image(header(n), 2, 2, "32FC1", 0, 8, bytes(16)))
        until(lambda: node.count("refused: encoding") == n + 1, "a depth is no picture")
        packed.write(ros.CompressedImage(header(n), "png", pictures[n].read_bytes()))
        assert node.next(n + 1)["caption"] == known[pictures[n]]["caption"]
    for n in range(3, 6):
        packed.write(ros.CompressedImage(header(n), "jpeg", b"\xff\xd8\xff\xe0"))
        until(lambda: node.count("refused: damaged") == n - 2, "a damaged file")
        raw.write(image(pictures[n], n))
    # That the first one is damaged is known too late for its pair.
    assert node.next(5)["header_stamp"]["sec"] == START + 5
    assert node.count("repeated") <= 1


def test_a_place_is_told_only_where_it_is_known(start, pictures):
    node = start("-p", "reliability:=reliable", "-p", "place_seconds:=2")
    images, fixes = node.writer("rt/image", ros.Image), node.writer("rt/fix", ros.NavSatFix)
    sent = 0

    def placed(*said: ros.NavSatFix, stamp: ros.Header) -> dict:
        nonlocal sent
        for one in said:
            fixes.write(one)
        known = node.count("fixes") + len(said)
        until(lambda: node.count("fixes") >= known, "the fixes")
        frame = image(pictures[0], 0)
        frame.header = stamp
        images.write(frame)
        sent += 1
        return node.next(sent)

    assert "latitude" not in placed(stamp=header(0)), "nobody said where"
    no_fix = fix(100, status=ros.NavSatStatus(-1))
    unknown = fix(100, position_covariance_type=0)
    nowhere = [fix(100, float("nan")), fix(100, 0.0, 0.0), fix(100, 91.0)]
    assert "latitude" not in placed(no_fix, unknown, *nowhere, stamp=header(100))
    until(lambda: node.count("fixes refused") == 5, "each of them is counted")
    between = placed(fix(200, 48.0, 11.0), fix(202, 48.002, 11.004), stamp=header(201))
    assert (between["latitude"], between["longitude"]) == (48.001, 11.002)
    assert "latitude" not in placed(stamp=header(205)), "three seconds after the last fix"
    unstamped = placed(fix(0), stamp=ros.Header(ros.Time(0, 0), "camera"))
    assert not {"stamp", "header_stamp", "latitude"} & unstamped.keys()
    simulated = placed(stamp=ros.Header(ros.Time(12, 0), "camera"))
    assert "stamp" not in simulated and simulated["header_stamp"] == {"sec": 12, "nanosec": 0}
    assert json.dumps(simulated)
