"""Images as the Open Container Initiative specifies them (image-spec 1.1): layers that are the same for the same files, and blobs."""

import hashlib
import io
import json
import os
import struct
import tarfile
import zlib

from inputs import digest_of, fail, pieces

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REFERENCE = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"
# The largest index, manifest or configuration that is read, in bytes.
MAX_DOCUMENT = 4 << 20


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
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as writer:
            for _, (entry, content) in sorted(self.entries.items()):
                writer.addfile(entry, io.BytesIO(content))
        plain = archive.getvalue()
        return gzip(plain), digest_of(plain)


def gzip(plain):
    """gzip, because Docker before 23 reads no zstd. The header (RFC 1952) is ours: Python's own differs between its versions."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS, 8)
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return header + packer.compress(plain) + packer.flush() + struct.pack("<LL", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)


class Stored:
    """A blob of another layout, which was checked, and is checked again while it is copied."""

    def __init__(self, path, digest):
        self.path, self.digest, self.size = path, digest, os.path.getsize(path)

    def pieces(self):
        found = hashlib.sha256()
        for piece in pieces(self.path):
            found.update(piece)
            yield piece
        if "sha256:" + found.hexdigest() != self.digest:
            fail(f"{self.path} changed while it was copied")


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

    def contents(self):
        """Each blob: its place in a layout, its digest, its size, and its pieces."""
        for digest, blob in sorted(self.found.items()):
            path = "blobs/sha256/" + digest.split(":")[1]
            yield (path, digest, len(blob), [blob]) if isinstance(blob, bytes) else (path, digest, blob.size, blob.pieces())
