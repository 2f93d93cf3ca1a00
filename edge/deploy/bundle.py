"""A bundle's folder: the files that its manifest names, each with its hash, and the few that the project itself writes beside them.

  bundle.py FOLDER NEW_FOLDER    copies what is shipped
"""

import hashlib
import os
import re
import stat
import sys

from inputs import fail, note, read

MANIFEST = "manifest.toml"
# What the exporter writes beside what the manifest names.
BESIDE = (MANIFEST, "manifest.toml.minisig", "MODEL_CARD.md", "stac-item.json", "model.sig")
# Without these there is nothing to caption with.
GRAPHS = ("encoder.onnx", "decoder.onnx")
# Licences as a model card names them (Hugging Face), by SPDX.
SPDX = {each.lower(): each for each in ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "MPL-2.0")}


class Bundle:
    """`contents` is what is shipped, by name."""

    def __init__(self, folder):
        if not os.path.isdir(folder):
            fail(f"--bundle {folder}, expected a bundle's folder")
        self.folder = folder
        content = self._file(MANIFEST)
        try:
            self.text = content.decode()
        except UnicodeDecodeError:
            fail(f"{folder}/{MANIFEST} is no text")
        self.digests = self._digests()
        self.contents = {MANIFEST: content}
        for name, (size, expected) in sorted(self._asked()):
            self.contents[name] = self._file(name)
            if len(self.contents[name]) != size or hashlib.sha256(self.contents[name]).hexdigest() != expected:
                fail(f"{folder}/{name} differs from its manifest: export the bundle again")
        for name in sorted(os.listdir(folder)):
            if name in BESIDE:
                self.contents[name] = self._file(name)
            elif name not in self.contents:
                note(f"{folder}/{name} is left out: the bundle's manifest does not name it")

    def _asked(self):
        return self.digests.items()

    def _digests(self):
        tables = re.findall(r"^\[files\b.*", self.text, re.M)
        found = re.findall(r'^\[files\."([A-Za-z0-9][A-Za-z0-9._-]*)"\]\nbytes = (\d{1,12})\nsha256 = "([0-9a-f]{64})"\n', self.text, re.M)
        digests = {name: (int(size), digest) for name, size, digest in found}
        if len(digests) != len(tables):
            fail(f"{self.folder}/{MANIFEST} has {len(tables)} tables of files, of which {len(digests)} name one with its size and hash")
        for name in GRAPHS:
            if name not in digests:
                fail(f"{self.folder}/{MANIFEST} does not name {name}: this is no bundle to fly with")
        return digests

    def _file(self, name):
        path = os.path.join(self.folder, name)
        try:
            mode = os.lstat(path).st_mode
        except OSError as error:
            fail(f"{path}: {error.strerror}")
        return read(path) if stat.S_ISREG(mode) else fail(f"{path} is no regular file: a bundle has neither links nor folders")

    def id(self):
        return hashlib.sha256("".join(f"{name} {digest}\n" for name, (_, digest) in sorted(self.digests.items())).encode()).hexdigest()[:4]

    def license(self):
        """As its card says."""
        card = self.contents.get("MODEL_CARD.md", b"").decode(errors="replace")
        named = re.search(r'\A---\n(?:.*\n)*?license: "?([A-Za-z0-9.-]+)"?\n', card.split("\n---\n")[0] + "\n")
        return SPDX.get(named.group(1).lower(), f"LicenseRef-{named.group(1)}") if named else "LicenseRef-bundle"


class Words(Bundle):
    """What the ground has of a bundle: its graphs need not be there."""

    def _asked(self):
        return [each for each in self.digests.items() if os.path.lexists(os.path.join(self.folder, each[0]))]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        fail("usage: bundle.py FOLDER NEW_FOLDER")
    shipped = Bundle(sys.argv[1]).contents
    os.mkdir(sys.argv[2])
    for name, content in shipped.items():
        with open(os.path.join(sys.argv[2], name), "wb") as file:
            file.write(content)
