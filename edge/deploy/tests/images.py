"""Images for the tests: layers of a few files, and layouts that are as wrong as asked."""

import contextlib
import io
import json
import os
import platform
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import oci
from inputs import digest_of

# The disk is waited for at each file: memory is faster.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
MACHINE = platform.machine()
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[MACHINE]


def elf(*versions):
    """What is looked at of a C library for this processor."""
    machine = {"x86_64": 62, "aarch64": 183}[MACHINE].to_bytes(2, "little")
    return b"\x7fELF" + bytes(14) + machine + "".join(f"\0{each}\0" for each in versions).encode()


def tar(*entries):
    """A tar of (path, content), (path, "link", target), (path, "hard", target) or (path, "folder")."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content, *target in entries:
            entry = tarfile.TarInfo(path)
            if isinstance(content, bytes):
                entry.size = len(content)
            else:
                entry.type = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "folder": tarfile.DIRTYPE}[content]
                entry.linkname = target[0] if target else ""
            archive.addfile(entry, io.BytesIO(content) if entry.size else None)
    return made.getvalue()


def layout(folder, layers, change=lambda each: None, tag="base"):
    """A layout with one image of these tars; `change` may change its parts, as a dict, before they are written."""
    os.makedirs(f"{folder}/blobs/sha256")
    blobs = oci.Blobs()
    described = [blobs.add(oci.LAYER, oci.gzip(each)) for each in layers]
    config = {"architecture": ARCHITECTURE, "os": "linux", "config": {"Env": ["A=1"]}, "rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in layers]}}
    parts = {"config": config, "manifest": {"schemaVersion": 2, "mediaType": oci.MANIFEST, "layers": described}, "entry": {}, "index": {"schemaVersion": 2}}
    change(parts)
    parts["manifest"].setdefault("config", blobs.document(oci.CONFIG, parts["config"]))
    entry = {**blobs.document(oci.MANIFEST, parts["manifest"]), "annotations": {oci.REFERENCE: tag}, **parts["entry"]}
    parts["index"].setdefault("manifests", [entry])
    for path, _, _, pieces in blobs.contents():
        with open(f"{folder}/{path}", "wb") as file:
            file.write(b"".join(pieces))
    for name, value in (("index.json", parts["index"]), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(f"{folder}/{name}", "w") as file:
            json.dump(value, file)
    return f"oci:{folder}:{tag}"


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=MEMORY)
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def refused(self, expected, call, *arguments):
        """One line that says this; no traceback."""
        with self.assertRaises(SystemExit) as caught, contextlib.redirect_stderr(io.StringIO()):
            call(*arguments)
        said = str(caught.exception)
        self.assertTrue(said.startswith("error: ") and "\n" not in said, said)
        self.assertIn(expected, said)
