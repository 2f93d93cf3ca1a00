"""A bundle's folder is shipped whole, as its manifest says, and nothing else of it."""

import contextlib
import hashlib
import io
import os
import unittest

import images
from bundle import Bundle, Words
from inputs import ROOT

FILES = {"encoder.onnx": b"one", "decoder.onnx": b"two", "vocabulary.txt": b"three"}
CARD = '---\nlanguage: en\nlicense: "{}"\n---\n# A model\n'


class Folder(images.Case):
    def write(self, name, content):
        with open(f"{self.folder}/{name}", "wb") as file:
            file.write(content)

    def setUp(self):
        super().setUp()
        for name, content in FILES.items():
            self.write(name, content)
        self.manifest(FILES)

    def manifest(self, files, extra=""):
        tables = (f'[files."{name}"]\nbytes = {len(content)}\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n\n' for name, content in files.items())
        self.write("manifest.toml", ("format = 3\n\n" + "".join(tables) + extra).encode())

    def refuses(self, expected):
        self.refused(expected, Bundle, self.folder)

    def test_all_that_the_manifest_names_must_be_there(self):
        self.assertEqual(set(Bundle(self.folder).contents), {"manifest.toml", *FILES})
        os.remove(f"{self.folder}/encoder.onnx")
        self.refuses("encoder.onnx: No such file")
        self.assertEqual(set(Words(self.folder).contents), {"manifest.toml", "decoder.onnx", "vocabulary.txt"})
        self.write("encoder.onnx", b"0ne")
        self.refused("encoder.onnx differs", Words, self.folder)
        self.refuses("encoder.onnx differs from its manifest")

    def test_a_manifest_that_names_too_little_or_in_another_way(self):
        self.manifest({"decoder.onnx": b"two"})
        self.refuses("does not name encoder.onnx")
        for name in ("../key", ".hidden", "a/b", ""):
            self.manifest({**FILES, name: b"x"})
            self.refuses("4 tables of files, of which 3")
        self.manifest(FILES, '[files]\n"more" = { bytes = 1 }\n')
        self.refuses("4 tables of files, of which 3")
        self.write("manifest.toml", b"\xff")
        self.refuses("is no text")
        os.remove(f"{self.folder}/manifest.toml")
        self.refuses("manifest.toml: No such file")
        self.refused("expected a bundle's folder", Bundle, f"{self.folder}/none")
        self.refused("expected a bundle's folder", Bundle, f"{self.folder}/encoder.onnx")

    def test_links_and_pipes(self):
        for make in (lambda path: os.symlink("vocabulary.txt", path), os.mkfifo, os.mkdir):
            for name in ("encoder.onnx", "model.sig"):
                path, kept = f"{self.folder}/{name}", os.path.exists(f"{self.folder}/{name}")
                if kept:
                    os.rename(path, f"{self.folder}/kept")
                make(path)
                with contextlib.redirect_stderr(io.StringIO()):
                    self.refuses(f"{name} is no regular file")
                (os.rmdir if os.path.isdir(path) else os.remove)(path)
                if kept:
                    os.rename(f"{self.folder}/kept", path)

    def test_what_nobody_names_is_left_out_and_said(self):
        self.write("secret.key", b"key")
        self.write("model.sig", b"signed")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            found = Bundle(self.folder).contents
        self.assertEqual(set(found), {"manifest.toml", "model.sig", *FILES})
        self.assertIn("secret.key is left out", said.getvalue())

    def test_its_licence_is_its_cards(self):
        self.assertEqual(Bundle(self.folder).license(), "LicenseRef-bundle")
        for said, expected in (("apache-2.0", "Apache-2.0"), ("cc-by-nc-4.0", "CC-BY-NC-4.0"), ("other", "LicenseRef-other")):
            self.write("MODEL_CARD.md", CARD.format(said).encode())
            self.assertEqual(Bundle(self.folder).license(), expected)
        self.write("MODEL_CARD.md", b"license: mit\n")
        self.assertEqual(Bundle(self.folder).license(), "LicenseRef-bundle")

    def test_the_default_bundle(self):
        bundle = Bundle(f"{ROOT}/fixtures/bundle")
        self.assertEqual(set(bundle.contents), set(os.listdir(bundle.folder)))
        self.assertEqual(bundle.license(), "Apache-2.0")


if __name__ == "__main__":
    unittest.main()
