"""A base image in a layout on this machine. It is somebody else's: digests, sizes, and the types of what is taken from it are checked."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import zlib

import oci
from filesystem import FileSystem, TooMany
from inputs import digest_of_file, fail, json_object

LAYER = re.compile(r"application/vnd\.oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?")
# The largest C library that is looked into, and the largest configuration of the loader.
MAX_LIBRARY = 64 << 20
MAX_LOADER_CONFIGURATION = 64 << 10
TEXTS = [str]
# What is taken over, with its type: a list of texts, an object of texts, any object.
CONFIG = {"Env": TEXTS, "Labels": {str}, "Volumes": dict, "ExposedPorts": dict, "User": str, "WorkingDir": str, "Entrypoint": TEXTS, "Cmd": TEXTS, "StopSignal": str}
TOP = {"author": str, "variant": str, "created": str, "os.version": str, "os.features": TEXTS}
HISTORY = {"created": str, "created_by": str, "author": str, "comment": str, "empty_layer": bool}


class Base:
    """An image's configuration and layers for a platform. `name` is oci:FOLDER or oci:FOLDER:TAG."""

    def __init__(self, name, architecture):
        kind, _, place = name.partition(":")
        folder, _, tag = place.partition(":")
        if kind != "oci" or not os.path.exists(os.path.join(folder, "oci-layout")):
            fail(f"--base {name}, expected oci:FOLDER or oci:FOLDER:TAG, a layout on this machine: skopeo copy SOURCE oci:FOLDER:TAG makes one")
        self.folder, self.name, self.checked = folder, name, set()
        manifest = self._document(self._descriptor(tag, architecture), oci.MANIFEST)
        self._expect(manifest.get("schemaVersion") == 2, "its manifest's schemaVersion is not 2")
        described = manifest.get("config")
        self._expect(isinstance(described, dict), "its manifest has no config")
        self.config = self._document(described, oci.CONFIG)
        self.layers = self._list(manifest, "layers", "its manifest")
        self._configuration(architecture)
        self.files = FileSystem()
        for number, (layer, expected) in enumerate(zip(self.layers, self.config["rootfs"]["diff_ids"])):
            self._read(number, layer, expected)

    def _expect(self, right, problem):
        if not right:
            fail(f"--base {self.name}: {problem}")

    def _descriptor(self, tag, architecture):
        where = os.path.join(self.folder, "index.json")
        self._expect(os.path.isfile(where), f"{where} is missing")
        manifests = self._list(self._json(where), "manifests", "index.json")
        if tag:
            manifests = [each for each in manifests if self._object(each, "annotations").get(oci.REFERENCE) == tag]
        self._expect(len(manifests) == 1, f"names {len(manifests)} images, expected one: name its tag, oci:FOLDER:TAG")
        found = manifests[0]
        if found.get("mediaType") == oci.INDEX:
            platforms = [(self._object(each, "platform"), each) for each in self._list(self._document(found, oci.INDEX), "manifests", "its index")]
            fits = [each for platform, each in platforms if (platform.get("os"), platform.get("architecture")) == ("linux", architecture)]
            self._expect(fits, f"has no image for linux/{architecture}")
            found = fits[0]
        return found

    def _configuration(self, architecture):
        system, processor = self.config.get("os"), self.config.get("architecture")
        self._expect((system, processor) == ("linux", architecture), f"is for {system!r} on {processor!r}, the program for linux/{architecture}")
        rootfs = self._object(self.config, "rootfs")
        ids = self._list(rootfs, "diff_ids", "its configuration", str)
        self._expect(rootfs.get("type") == "layers" and len(ids) == len(self.layers), "its configuration and its manifest name other layers")
        self.settings = self._object(self.config, "config")
        self._types(self.config, TOP, "its configuration")
        self._types(self.settings, CONFIG, "its configuration's config")
        for each in self.settings.get("Env") or []:
            self._expect(re.match(r"[^=]+=", each), f"its configuration has Env {each!r}, expected NAME=VALUE")
        self.history = self._list(self.config, "history", "its configuration") if self.config.get("history") is not None else []
        for each in self.history:
            self._types(each, HISTORY, "its history")

    def _types(self, found, kinds, where):
        for key, kind in kinds.items():
            value = found.get(key)
            if value is not None:
                if isinstance(kind, list):
                    right = isinstance(value, list) and all(isinstance(each, str) for each in value)
                elif isinstance(kind, set):
                    right = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
                else:
                    right = isinstance(value, kind)
                self._expect(right, f"{where} has {key} of another type than image-spec gives it")

    def _object(self, found, key):
        value = found.get(key)
        self._expect(value is None or isinstance(value, dict), f"{key} is no JSON object")
        return value or {}

    def _list(self, found, key, where, kind=dict):
        entries = found.get(key)
        self._expect(isinstance(entries, list) and all(isinstance(each, kind) for each in entries), f"{where} has no list {key}")
        return entries

    def _path(self, descriptor):
        """The file of a blob, checked."""
        digest, size = descriptor.get("digest"), descriptor.get("size")
        self._expect(isinstance(digest, str) and re.fullmatch("sha256:[0-9a-f]{64}", digest), f"digest {digest!r}, expected sha256 and 64 digits")
        path = os.path.join(self.folder, "blobs", "sha256", digest.split(":")[1])
        self._expect(os.path.isfile(path), f"{path} is missing")
        self._expect(type(size) is int and size == os.path.getsize(path), f"{path} has {os.path.getsize(path)} bytes, its descriptor says {size!r}: copy the base again")
        self._expect(digest in self.checked or digest_of_file(path) == digest, f"{path} has another digest than its name: copy the base again")
        self.checked.add(digest)
        return path

    def _document(self, descriptor, kind):
        found = descriptor.get("mediaType")
        self._expect(found == kind, f"is {found!r}, expected {kind}: skopeo copy --format oci makes it")
        return self._json(self._path(descriptor))

    def _json(self, path):
        self._expect(os.path.getsize(path) <= oci.MAX_DOCUMENT, f"{path} has more than {oci.MAX_DOCUMENT} bytes")
        with open(path, "rb") as file:
            return json_object(file.read(), path)

    def _read(self, number, layer, expected):
        kind = layer.get("mediaType")
        self._expect(isinstance(kind, str) and LAYER.fullmatch(kind), f"has a layer of type {kind!r}, expected a tar as image-spec names it: skopeo copy --format oci makes it")
        with Plain(self._path(layer), kind) as plain:
            entries = enumerate(plain.entries(loader_configuration))
            try:
                self.files.add(number, ((index, content, entry) for index, (entry, content) in entries))
            except TooMany as error:
                fail(f"--base {self.name}: {error}")
            self._expect(plain.digest() == expected, f"layer {number + 1} is {plain.digest()} unpacked, its configuration says {expected!r}: copy the base again")

    def blobs(self):
        return {each["digest"]: oci.Stored(self._path(each), each["digest"]) for each in self.layers}

    def contents(self, wanted):
        """What is in these files: their content by layer and number."""
        found = {}
        for number in sorted({layer for layer, *_ in wanted}):
            numbers = {index for layer, index, _ in wanted if layer == number}
            with Plain(self._path(self.layers[number]), self.layers[number]["mediaType"]) as plain:
                small = lambda index, entry: index in numbers and entry.size <= MAX_LIBRARY
                for index, (_, content) in enumerate(plain.entries(small)):
                    if content is not None:
                        found[number, index] = content
        return found


def loader_configuration(_, entry):
    return entry.size <= MAX_LOADER_CONFIGURATION and entry.name.lstrip("./").startswith("etc/ld.so.conf")


class Plain:
    """A layer, uncompressed while it is read."""

    def __init__(self, path, kind):
        self.path, self.hash, self.unpacking = path, hashlib.sha256(), None
        if kind.endswith("+zstd"):
            if not shutil.which("zstd"):
                fail(f"{path} is compressed with zstd, and the program zstd is missing: install zstd")
            self.unpacking = subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.file = self.unpacking.stdout
        else:
            self.file = gzip.open(path) if kind.endswith("+gzip") else open(path, "rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        if self.unpacking:
            self.unpacking.wait()

    def read(self, size):
        piece = self.file.read(size)
        self.hash.update(piece)
        return piece

    def digest(self):
        return "sha256:" + self.hash.hexdigest()

    def entries(self, kept):
        """Its entries with the content of those files that `kept` names by number and entry, to the end of what is compressed."""
        try:
            with tarfile.open(fileobj=self, mode="r|", bufsize=1 << 20) as archive:
                for index, entry in enumerate(archive):
                    yield entry, archive.extractfile(entry).read() if entry.isreg() and kept(index, entry) else None
            while self.read(1 << 20):
                pass
        except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, zlib.error) as error:
            fail(f"{self.path} is no layer: {error}")
        if self.unpacking and self.unpacking.wait():
            fail(f"{self.path} is no layer: zstd does not unpack it")
