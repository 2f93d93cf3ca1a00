"""Where an image goes: a layout in a folder, or in one file (oci-archive). The place is checked before the work, and what is written is there
whole or not at all: each file under a private name first, on disk, and renamed; a folder's index.json last of all."""

import fcntl
import json
import os
import tarfile
import tempfile

import oci
from inputs import digest_of_file, fail, json_object, read

VERSION = b'{"imageLayoutVersion":"1.0.0"}'
OURS = "cssa-edge"


def destination(out, tag):
    place = os.path.realpath(out)
    if not out.strip("/"):
        fail(f"the output is {out!r}, expected a new folder, a layout, or a file that ends in .tar")
    if not os.path.isdir(os.path.dirname(place)):
        fail(f"{os.path.dirname(place)} is no folder: make it first")
    found = Archive(place, tag) if out.endswith(".tar") else Folder(place, tag)
    where = place if os.path.isdir(place) else os.path.dirname(place)
    if not os.access(where, os.W_OK | os.X_OK):
        fail(f"{where} cannot be written to: name another output, or become its owner")
    return found


class Archive:
    """One file. An image of the same tag that this program made is replaced, nothing else."""

    def __init__(self, place, tag):
        self.place, self.tag = place, tag
        if not os.path.lexists(place):
            return
        try:
            with tarfile.open(place, "r:") as archive:
                index = json_object(archive.extractfile("index.json").read(oci.MAX_DOCUMENT), f"{place}: index.json")
        except (OSError, KeyError, AttributeError, ValueError, tarfile.TarError):
            fail(f"{place} is there and is no image: name a new file")
        if others(index, tag, place):
            fail(f"{place} is there and holds other images: name a new file")

    def write(self, blobs, descriptor, time):
        index = {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": [tagged(descriptor, self.tag)]}
        files = [(path, size, pieces) for path, _, size, pieces in blobs.contents()]
        for path, content in (("index.json", json.dumps(index, sort_keys=True).encode()), ("oci-layout", VERSION)):
            files.append((path, len(content), [content]))
        with tempfile.TemporaryDirectory(prefix=".cssa-edge-", dir=os.path.dirname(self.place)) as private:
            stored(f"{private}/image", packed(files, time))
            os.replace(f"{private}/image", self.place)
        on_disk(os.path.dirname(self.place))


class Folder:
    """A layout. Where there is one, the image joins it: other tags stay."""

    def __init__(self, place, tag):
        self.place, self.tag = place, tag
        self.new = not os.path.lexists(place) or (os.path.isdir(place) and not os.listdir(place))
        if not self.new:
            self._index()

    def _index(self):
        if not os.path.isfile(f"{self.place}/oci-layout"):
            fail(f"{self.place} is there and is no OCI layout: name a new folder")
        version = json_object(read(f"{self.place}/oci-layout"), f"{self.place}/oci-layout").get("imageLayoutVersion")
        if version != "1.0.0":
            fail(f"{self.place} is a layout of version {version!r}, expected 1.0.0: name a new folder")
        index = json_object(read(f"{self.place}/index.json"), f"{self.place}/index.json")
        return index, others(index, self.tag, self.place)

    def write(self, blobs, descriptor, time):
        entry = tagged(descriptor, self.tag)
        if self.new:
            with tempfile.TemporaryDirectory(prefix=".cssa-edge-", dir=os.path.dirname(self.place)) as private:
                layout = f"{private}/layout"
                folder(layout)
                stored(f"{layout}/oci-layout", [VERSION])
                self._blobs(layout, private, blobs)
                self._replace(layout, private, {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": [entry]})
                os.rename(layout, self.place)
            on_disk(os.path.dirname(self.place))
            return
        lock = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with tempfile.TemporaryDirectory(prefix=".cssa-edge-", dir=self.place) as private:
                self._blobs(self.place, private, blobs)
                # Another run may have added an image meanwhile.
                index, kept = self._index()
                self._replace(self.place, private, {**index, "manifests": [*kept, entry]})
        finally:
            os.close(lock)

    def _blobs(self, layout, private, blobs):
        for each in ("blobs", "blobs/sha256"):
            if not os.path.isdir(f"{layout}/{each}"):
                folder(f"{layout}/{each}")
        for path, digest, _, pieces in blobs.contents():
            if os.path.isfile(f"{layout}/{path}") and digest_of_file(f"{layout}/{path}") == digest:
                continue
            stored(f"{private}/blob", pieces)
            os.replace(f"{private}/blob", f"{layout}/{path}")
        for each in ("blobs/sha256", "blobs"):
            on_disk(f"{layout}/{each}")

    def _replace(self, layout, private, index):
        stored(f"{private}/index", [json.dumps(index, sort_keys=True).encode()])
        os.replace(f"{private}/index", f"{layout}/index.json")
        on_disk(layout)


def tagged(descriptor, tag):
    return {**descriptor, "annotations": {oci.REFERENCE: tag, oci.TITLE: OURS}}


def others(index, tag, place):
    """What the index names beside this tag. The tag on an image that is not ours is somebody's."""
    entries, kept = index.get("manifests"), []
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        fail(f"{place}: index.json has no list of manifests: name a new output")
    for each in entries:
        annotations = each.get("annotations") if isinstance(each.get("annotations"), dict) else {}
        if annotations.get(oci.REFERENCE) != tag:
            kept.append(each)
        elif annotations.get(oci.TITLE) != OURS:
            fail(f"{place} has an image {tag} that was not made here: choose another --tag")
    return kept


def folder(path):
    os.mkdir(path)
    os.chmod(path, 0o755)


def stored(path, pieces):
    """A new file that all may read, on disk."""
    with open(path, "xb") as file:
        os.fchmod(file.fileno(), 0o644)
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def on_disk(path):
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def packed(files, time):
    """A tar of the files, piece by piece."""
    written = 0
    for path, size, pieces in sorted(files, key=lambda each: each[0]):
        entry = tarfile.TarInfo(path)
        entry.mtime, entry.mode, entry.size = time, 0o644, size
        yield entry.tobuf(tarfile.GNU_FORMAT)
        yield from pieces
        yield bytes(-size % tarfile.BLOCKSIZE)
        written += tarfile.BLOCKSIZE + size + -size % tarfile.BLOCKSIZE
    yield bytes(2 * tarfile.BLOCKSIZE)
    yield bytes(-(written + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE)
