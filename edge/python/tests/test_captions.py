"""Captions are those of the program, from whatever an image comes."""

import copy
import io
import json
import os
import pickle
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import CHECKOUT
from PIL import Image

from cssa_onboard import Caption, Captioner, CssaError, ImageError, captions_to_arrow


def images() -> list[Path]:
    """Rendered scenes, odd files of all kinds, and photographs where this machine has them."""
    found = [*(CHECKOUT / "fixtures/scenes/images").glob("*.jpg")]
    for cases in [CHECKOUT / "fixtures/cases", CHECKOUT.parent / "shared/cases"]:
        found += [path for path in cases.rglob("*") if path.suffix in {".jpg", ".png", ".tif"}]
    found += sorted((CHECKOUT.parent / "shared/data/ucm").rglob("*.jpg"))[::42][:50]
    found += sorted((CHECKOUT.parent / "shared/data/ucm").rglob("*.tif"))[::42][:50]
    return sorted(found)


def test_captions_are_those_of_the_program(captioner: Captioner) -> None:
    program = os.environ.get("EDGE", str(CHECKOUT / "target/release/edge"))
    choice = "tract" if captioner.runtime == "tract" else "ort"
    # tract takes ten times as long, and the images are decoded by the same code.
    paths = images() if choice == "ort" else images()[::4]
    arguments = [program, "caption", "--json", "--threads", "1", "--runtime", choice, *map(str, paths)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    expected = {line["image"]: line for line in map(json.loads, done.stdout.splitlines())}
    captioned = refused = 0
    for path in paths:
        line = expected.get(str(path))
        if line is None:
            with pytest.raises((ImageError, OSError, CssaError)) as error:
                captioner.caption(path)
            assert str(error.value) in done.stderr, path
            refused += 1
            continue
        caption = captioner.caption(path)
        found = (caption.text, caption.confidence, caption.familiarity, caption.outside, caption.reasons, caption.score)
        names = ("caption", "confidence", "familiarity", "outside", "reasons", "score")
        assert found == tuple(line[name] for name in names), path
        captioned += 1
    print(f"{captioned} images captioned as by the program, {refused} refused as by it")
    assert captioned >= (50 if choice == "ort" else 25) and refused >= 1


def test_a_batch_is_its_images(captioner: Captioner, scenes: list[Path]) -> None:
    single = [captioner.caption(scene) for scene in scenes]
    assert captioner.caption_batch(str(scene) for scene in scenes) == single
    assert captioner.caption_batch([]) == []
    with pytest.raises(ImageError, match=r"image 9: an array of float64 and shape \(3,\)"):
        captioner.caption_batch([*scenes[:9], np.zeros(3)])
    with pytest.raises(TypeError):
        captioner.caption_batch(7)  # type: ignore[arg-type]


def test_pictures_arrays_and_bytes_are_as_their_files(captioner: Captioner, scenes: list[Path], tmp_path: Path) -> None:
    png = tmp_path / "scene.png"
    picture = Image.open(scenes[0]).convert("RGB")
    picture.save(png)
    expected = captioner.caption(png)
    array = np.asarray(picture)
    assert captioner.caption(picture) == captioner.caption(array) == captioner.caption(png.read_bytes()) == expected
    # Neither strides nor order of memory matter.
    spread = np.zeros((array.shape[0] * 2, array.shape[1], 5), np.uint8)
    spread[::2, :, 1:4] = array
    for same in [spread[::2, :, 1:4], np.asfortranarray(array), array[::-1][::-1]]:
        assert not same.flags.c_contiguous or same is array or same.base is not None
        assert captioner.caption(same) == expected
    assert captioner.caption(array) == expected, "nothing was written to it"


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "I;16"])
def test_modes_of_pillow_are_as_their_files(captioner: Captioner, scenes: list[Path], tmp_path: Path, mode: str) -> None:
    picture = Image.open(scenes[1]).convert("RGB")
    if mode == "I;16":
        grey = np.asarray(picture.convert("L")).astype(np.uint16)
        array = grey * 37 + np.arange(grey.shape[1], dtype=np.uint16)
        picture = Image.fromarray(array)
        assert captioner.caption(array.astype(">u2")) == captioner.caption(array)
    else:
        picture = picture.convert(mode)
    file = tmp_path / "picture.png"
    (picture.convert("RGB") if mode == "CMYK" else picture).save(file)
    assert captioner.caption(picture) == captioner.caption(file)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 64, 64), np.uint8), r"shape \(3, 64, 64\), expected uint8 or uint16 of shape \(height, width, 3\); channels come last"),
        (np.zeros((2, 64, 64, 3), np.uint8), r"caption_batch\(list\(images\)\)"),
        (np.zeros((64, 64, 3), np.float32), r"float32 .*scale it yourself"),
        (np.zeros((64, 64, 3), np.int64), r"int64 .*expected uint8"),
        (np.zeros((64, 64, 3), bool), r"bool .*expected uint8"),
        (np.zeros((64, 64, 7), np.uint8), r"\(64, 64, 7\), expected"),
        (np.zeros((0, 64, 3), np.uint8), r"expected pixels"),
        (np.zeros((64,), np.uint8), r"\(64,\), expected"),
        (np.array("a word"), r"expected uint8"),
        (np.array([[None]]), r"expected uint8"),
        (np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (1 << 15, 1 << 15, 3)), r"expected at most"),
        (b"no image", "is no JPEG, PNG or TIFF"),
        (b"", "is no JPEG, PNG or TIFF"),
    ],
)
def test_what_is_no_image_is_refused(captioner: Captioner, array: object, said: str) -> None:
    with pytest.raises(ImageError, match=said) as error:
        captioner.caption(array)  # type: ignore[arg-type]
    assert isinstance(error.value, ValueError) and isinstance(error.value, CssaError)


def test_files_that_cannot_be_read_are_oserrors(captioner: Captioner, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        captioner.caption(tmp_path / "none.jpg")
    assert error.value.errno == 2 and error.value.filename == str(tmp_path / "none.jpg")
    (tmp_path / "half.jpg").write_bytes(Path(images()[0]).read_bytes()[:500])
    with pytest.raises(ImageError, match="half.jpg"):
        captioner.caption(tmp_path / "half.jpg")
    for nothing in (None, 7, [1, 2], {}):
        with pytest.raises(TypeError, match="expected a path"):
            captioner.caption(nothing)  # type: ignore[arg-type]


def test_one_captioner_serves_many_threads(captioner: Captioner, scenes: list[Path]) -> None:
    expected = [captioner.caption(scene) for scene in scenes]
    other, wrong = Captioner(), []

    def work(captioner: Captioner, start: int) -> None:
        for n in range(start, start + len(scenes)):
            if captioner.caption(scenes[n % len(scenes)]) != expected[n % len(scenes)]:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(one, start)) for start, one in enumerate([captioner, captioner, other])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_interpreter_is_free_meanwhile(captioner: Captioner, scenes: list[Path]) -> None:
    """A thread that captions leaves time to another one: with the lock held it would count only between two captions."""
    done = threading.Event()

    def work() -> None:
        captioner.caption_batch(scenes[:8])
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not done.wait(0.002):
        turns += 1
    thread.join()
    assert turns > 10


def test_captions_are_plain_values(captioner: Captioner, scenes: list[Path]) -> None:
    caption = captioner.caption(scenes[0])
    assert pickle.loads(pickle.dumps(caption)) == caption == copy.deepcopy(caption)
    assert hash(pickle.loads(pickle.dumps(caption))) == hash(caption)
    assert str(caption) == caption.text and repr(caption).startswith(f"Caption(text={caption.text!r}")
    assert json.loads(json.dumps(caption.as_dict()))["text"] == caption.text
    assert caption != Caption("other") and Caption("a").outside is None
    assert caption.confidence is not None and 0 <= caption.confidence <= 1 and caption.milliseconds > 1
    with pytest.raises(AttributeError):
        caption.text = "other"  # type: ignore[misc]


def test_captions_are_an_arrow_table(captioner: Captioner, scenes: list[Path]) -> None:
    import nanoarrow

    captions = captioner.caption_batch(scenes[:3]) + [Caption("of no bundle", reasons=["dark", "blank"])]
    table = captions_to_arrow(captions, ids=["a", "b", "c", "d"])
    assert len(table) == 4
    rows = list(nanoarrow.ArrayStream(table).iter_py())
    assert [row["text"] for row in rows] == [caption.text for caption in captions]
    assert [row["confidence"] for row in rows] == [caption.confidence for caption in captions]
    assert [row["outside"] for row in rows] == [caption.outside for caption in captions]
    assert [row["tokens"] for row in rows] == [caption.tokens for caption in captions]
    assert rows[3]["reasons"] == ["dark", "blank"] and [row["id"] for row in rows] == ["a", "b", "c", "d"]
    assert [field.name for field in nanoarrow.Schema(table).fields] == table.column_names
    assert list(nanoarrow.ArrayStream(captions_to_arrow([])).iter_py()) == []
    with pytest.raises(ValueError, match="1 ids for 4 captions"):
        captions_to_arrow(captions, ids=["a"])


def test_looks_and_beam_are_those_of_the_program(scenes: list[Path], runtime: str) -> None:
    program = os.environ.get("EDGE", str(CHECKOUT / "target/release/edge"))
    arguments = [program, "caption", "--json", "--threads", "1", "--runtime", runtime, "--looks", "4", "--beam", "2"]
    done = subprocess.run([*arguments, *map(str, scenes[:6])], capture_output=True, text=True, check=True)
    captioner = Captioner(looks=4, beam=2)
    for scene, line in zip(scenes[:6], map(json.loads, done.stdout.splitlines())):
        caption = captioner.caption(scene)
        assert (caption.text, caption.confidence) == (line["caption"], line["confidence"])


def test_a_file_in_memory_is_no_path(captioner: Captioner, scenes: list[Path]) -> None:
    held = io.BytesIO(scenes[0].read_bytes())
    with pytest.raises(TypeError, match="BytesIO"):
        captioner.caption(held)  # type: ignore[arg-type]
    assert captioner.caption(held.getvalue()) == captioner.caption(scenes[0])
