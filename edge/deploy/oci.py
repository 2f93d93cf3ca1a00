"""Images as the Open Container Initiative specifies them (image-spec 1.1): layers that are the same for the same files, and layouts.

What is read of an image that somebody else made is checked against its digests before it is used.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REFERENCE = "org.opencontainers.image.ref.name"
# The largest index, manifest or configuration that is read, in bytes.
MAX_DOCUMENT = 4 << 20
# The largest C library that is looked into.
MAX_LIBRARY = 64 << 20


def fail(problem):
    sys.exit(f"error: {problem}")


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Files:
    """The files of a layer by their paths, without a first slash."""

    def __init__(self, time):
        self.time, self.entries = time, {}

    def _add(self, path, kind, mode, owner=0, content=b"", target=""):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self._add(parent, tarfile.DIRTYPE, 0o755)
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.mtime, entry.linkname = kind, mode, self.time, target
        entry.uid = entry.gid = owner
        entry.size = len(content)
        self.entries[path] = (entry, content)

    def file(self, path, content, mode=0o644):
        self._add(path, tarfile.REGTYPE, mode, content=content)

    def link(self, path, target):
        self._add(path, tarfile.SYMTYPE, 0o777, target=target)

    def folder(self, path, mode=0o755, owner=0):
        self._add(path, tarfile.DIRTYPE, mode, owner)

    def layer(self):
        """The compressed layer and the digest of what it is uncompressed."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for _, (entry, content) in sorted(self.entries.items()):
                archive.addfile(entry, io.BytesIO(content))
        plain, small = packed.getvalue(), io.BytesIO()
        # gzip, because Docker before 23 reads no zstd.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=small, mtime=0) as writer:
            writer.write(plain)
        return small.getvalue(), digest_of(plain)


class Blobs:
    """What a new layout holds: bytes, or files of another layout."""

    def __init__(self):
        self.found = {}

    def add(self, kind, content, **more):
        digest = digest_of(content)
        self.found[digest] = content
        return {"mediaType": kind, "digest": digest, "size": len(content), **more}

    def document(self, kind, value, **more):
        return self.add(kind, json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), **more)

    def write(self, descriptor, out, time):
        """Writes the layout with one entry: a folder, or one file where the name ends in .tar; complete or not at all."""
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}
        small = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index, sort_keys=True).encode()}
        files = {**small, **{f"blobs/sha256/{digest.split(':')[1]}": blob for digest, blob in self.found.items()}}
        part = out + ".part"
        shutil.rmtree(part, ignore_errors=True)
        if out.endswith(".tar"):
            with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as archive:
                for path, blob in sorted(files.items()):
                    entry = tarfile.TarInfo(path)
                    entry.mtime, entry.mode = time, 0o644
                    entry.size = len(blob) if isinstance(blob, bytes) else os.path.getsize(blob.path)
                    with opened(blob) as content:
                        archive.addfile(entry, content)
        else:
            for path, blob in files.items():
                os.makedirs(os.path.dirname(os.path.join(part, path)), exist_ok=True)
                with opened(blob) as content, open(os.path.join(part, path), "wb") as file:
                    shutil.copyfileobj(content, file)
            if os.path.isdir(out):
                if not os.path.exists(os.path.join(out, "oci-layout")) and os.listdir(out):
                    fail(f"{out} is there and is no OCI layout: name a new folder")
                shutil.rmtree(out)
        os.replace(part, out)


class Stored:
    """A blob of another layout, which was checked."""

    def __init__(self, path):
        self.path = path


def opened(blob):
    return io.BytesIO(blob) if isinstance(blob, bytes) else open(blob.path, "rb")


class Base:
    """An image in a local layout: its configuration and layers for a platform. `name` is oci:FOLDER or oci:FOLDER:TAG."""

    def __init__(self, name, architecture):
        kind, _, place = name.partition(":")
        folder, _, tag = place.partition(":")
        if kind != "oci" or not os.path.exists(os.path.join(folder, "oci-layout")):
            fail(f"--base {name}, expected oci:FOLDER or oci:FOLDER:TAG, a layout on this machine: skopeo copy SOURCE oci:FOLDER:TAG makes one")
        self.folder, self.name = folder, name
        with open(os.path.join(folder, "index.json"), "rb") as file:
            found = parsed(file.read(MAX_DOCUMENT), os.path.join(folder, "index.json"))
        manifests = self._list(found, "manifests", "index.json")
        if tag:
            manifests = [each for each in manifests if each.get("annotations", {}).get(REFERENCE) == tag]
        if len(manifests) != 1:
            fail(f"--base {name} names {len(manifests)} images, expected one: name its tag, oci:FOLDER:TAG")
        descriptor = manifests[0]
        if descriptor.get("mediaType") == INDEX:
            fits = [
                each
                for each in self._list(self._document(descriptor), "manifests", "its index")
                if each.get("platform", {}).get("architecture") == architecture and each["platform"].get("os") == "linux"
            ]
            if not fits:
                fail(f"--base {name} has no image for linux/{architecture}")
            descriptor = fits[0]
        if descriptor.get("mediaType") != MANIFEST:
            fail(f"--base {name} is {descriptor.get('mediaType')}, expected {MANIFEST}: skopeo copy --format oci makes it")
        manifest = self._document(descriptor)
        self.config = self._document(manifest.get("config", {}))
        self.layers = self._list(manifest, "layers", "its manifest")
        if self.config.get("architecture") != architecture:
            fail(f"--base {name} is for {self.config.get('architecture')}, the program for {architecture}")
        if len(self._list(self.config.get("rootfs", {}), "diff_ids", "its configuration", str)) != len(self.layers):
            fail(f"--base {name}: its configuration and its manifest name other layers")
        for layer in self.layers:
            self._path(layer)

    def _list(self, found, key, where, kind=dict):
        entries = found.get(key) if isinstance(found, dict) else None
        if not isinstance(entries, list) or not all(isinstance(each, kind) for each in entries):
            fail(f"--base {self.name}: {where} has no list {key}")
        return entries

    def _path(self, descriptor):
        """The file of a blob, checked."""
        digest = str(descriptor.get("digest"))
        if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            fail(f"--base {self.name}: digest {digest!r}, expected sha256 and 64 digits")
        path = os.path.join(self.folder, "blobs", "sha256", digest.split(":")[1])
        if not os.path.exists(path):
            fail(f"--base {self.name}: {path} is missing")
        hash = hashlib.sha256()
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                hash.update(piece)
        if "sha256:" + hash.hexdigest() != digest:
            fail(f"{path} has another digest than its name: copy the base again")
        return path

    def _document(self, descriptor):
        path = self._path(descriptor)
        with open(path, "rb") as file:
            return parsed(file.read(MAX_DOCUMENT), path)

    def blobs(self):
        return {each["digest"]: Stored(os.path.join(self.folder, "blobs", "sha256", each["digest"].split(":")[1])) for each in self.layers}

    def library(self, pattern):
        """The content of the last file that the pattern names; None where there is none. False where a layer cannot be read."""
        found = None
        for layer in self.layers:
            kind = str(layer.get("mediaType"))
            if not kind.endswith((".tar", "+gzip")):
                return False
            path = self._path(layer)
            try:
                with tarfile.open(path, "r|gz" if kind.endswith("+gzip") else "r|") as archive:
                    for entry in archive:
                        if entry.isreg() and entry.size <= MAX_LIBRARY and re.search(pattern, "/" + entry.name):
                            found = archive.extractfile(entry).read()
            except (tarfile.TarError, EOFError, OSError) as error:
                fail(f"{path} is no layer: {error}")
        return found


def parsed(content, path):
    try:
        found = json.loads(content)
    except ValueError as error:
        fail(f"{path} is no JSON: {error}")
    return found if isinstance(found, dict) else fail(f"{path} is no JSON object")
