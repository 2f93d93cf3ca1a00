"""The command line, the program, the time and the licences."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import unittest
from unittest import mock

import images
import image
import licenses
import sbom
from program import Program, lacking

SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "image.py")


class Command(images.Case):
    def says(self, expected, *options, program="/bin/ls", out="out", **environment):
        command = [sys.executable, SCRIPT, f"{self.folder}/{out}", "--platform", program, "-", *options]
        told = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1", **environment})
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertTrue(told.stderr.startswith("error: ") and told.stderr.count("\n") == 1, told.stderr)
        self.assertIn(expected, told.stderr)
        self.assertEqual([each for each in os.listdir(self.folder) if each.startswith((".", "out"))], [])

    def test_one_line_for_what_is_mistyped(self):
        self.says("expected a bundle's folder", "--bundle", f"{self.folder}/none")
        for epoch in ("99999999999999", "²", "-1", "", "1e3", "8589934592"):
            self.says("expected seconds since 1970", SOURCE_DATE_EPOCH=epoch)
        for tag in ("a b", "../..", "a\n", "", ":", "a/B:1", "../b:1", "a:b:c", "é", "a:" + 129 * "1", "a//b:1", "a/b"):
            self.says("expected TAG or NAME:TAG", "--tag", tag)
        for tag in ("1.0", "cssa-edge:0.1.0-cuda", "localhost:5000/cssa/edge:1", "ghcr.io/a/b__c:V_1"):
            self.says("is not the program edge", "--tag", tag)
        self.says("is not the program edge", program="/bin/ls")
        self.says("is no program for", program=SCRIPT)

    def test_a_program_of_other_sources(self):
        path = f"{self.folder}/edge"
        shutil.copy(os.path.realpath("/usr/bin/true"), path)
        with open(path, "ab") as file:
            file.write(b"Flight program: captions frames on board and sends the captions over a thin link")
        self.says("--version says", program=path)

    def test_the_time_is_of_these_sources_alone(self):
        def asked(problem):
            with mock.patch.dict(os.environ):
                os.environ.pop("SOURCE_DATE_EPOCH", None)
                self.refused(problem, image.time_of_sources)

        with mock.patch.dict(os.environ, GIT_TEST_ASSUME_DIFFERENT_OWNER="1", GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null"):
            asked("set SOURCE_DATE_EPOCH")
        shutil.copy(SCRIPT, self.folder)
        with mock.patch.object(image, "HERE", self.folder), mock.patch.dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(self.folder)):
            asked("set SOURCE_DATE_EPOCH")
            subprocess.run(["git", "-C", self.folder, "-c", "init.defaultBranch=main", "init", "--quiet"], check=True)
            asked("set SOURCE_DATE_EPOCH")
            author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
            subprocess.run(["git", "-C", self.folder, *author, "commit", "--quiet", "--allow-empty", "-m", "another project"], check=True)
            asked("set SOURCE_DATE_EPOCH")


class Libraries(images.Case):
    def test_libraries_of_no_package_are_taken_from_a_folder_alone(self):
        path = f"{self.folder}/libc.so.6"
        shutil.copy(next(each for each in (f"/lib/{images.MACHINE}-linux-gnu/libc.so.6", "/lib64/libc.so.6") if os.path.exists(each)), path)
        given = Program.__new__(Program)
        given.own_libraries = True
        self.assertEqual(given.packages({"libc.so.6": path}), ({}, {"libc.so.6": path}))
        given.own_libraries = False
        self.refused("give --platform", given.packages, {"libc.so.6": path})
        component = sbom.unknown("libc.so.6", b"x")
        self.assertEqual((component["name"], component["licenses"][0]["expression"]), ("libc.so.6", "LGPL-2.1-or-later"))
        self.assertNotIn("licenses", sbom.unknown("libcurl.so.4", b"x"))

    def test_older_ones_are_said_with_their_version(self):
        true = os.path.realpath("/usr/bin/true")
        library, version, newest = lacking(true, {"libc.so.6": images.elf("GLIBC_2.0", "GLIBC_2.1.3")})
        self.assertEqual((library, newest), ("libc.so.6", "2.1.3"))
        self.assertEqual(lacking(true, {}), (None, None, None))


class Licenses(images.Case):
    def test_one_expression(self):
        parts = [{"name": "a", "licenses": [{"expression": "MIT OR Apache-2.0"}]}, {"name": "b", "licenses": [{"expression": "Apache-2.0 OR MIT"}]}, {"name": "c d"}]
        self.assertEqual(licenses.expression(parts, ["ISC"]), "(Apache-2.0 OR MIT) AND ISC AND LicenseRef-c-d")

    def test_texts_that_are_pointed_to(self):
        found = licenses.common([b"see /usr/share/common-licenses/Apache-2.0. Or '/usr/share/common-licenses/Apache-2.0'"])
        self.assertEqual(list(found), ["usr/share/common-licenses/Apache-2.0"])
        self.assertIn(b"Apache License", found["usr/share/common-licenses/Apache-2.0"])
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(licenses.common([b"/usr/share/common-licenses/NONE-1"]), {})
        self.assertIn("NONE-1 is not on this machine", said.getvalue())

    def test_crates(self):
        for name, text in (("a-1.0", "text"), ("b-2.0", "text\r\n"), ("c-3.0", None)):
            os.makedirs(f"{self.folder}/registry/src/index/{name}")
            if text:
                with open(f"{self.folder}/registry/src/index/{name}/LICENSE-MIT", "w", newline="") as file:
                    file.write(text)
        named = [("a", "1.0"), ("b", "2.0"), ("c", "3.0"), ("d", "4.0")]
        components = {name: {"name": name, "version": version, "hashes": [], "licenses": [{"expression": "MIT"}]} for name, version in named}
        components["own"] = {"name": "own", "version": "0"}
        with mock.patch.dict(os.environ, CARGO_HOME=self.folder), contextlib.redirect_stderr(io.StringIO()) as said:
            text = licenses.crates(components).decode()
        self.assertIn("a 1.0 (MIT), b 2.0 (MIT)\n", text)
        self.assertEqual(text.count("\ntext\n"), 1)
        self.assertIn("no text of a licence:\nc 3.0 (MIT)\n", text)
        self.assertIn("not here when this was written:\nd 4.0 (MIT)\n", text)
        self.assertIn("1 crates are not in", said.getvalue())
        self.assertNotIn("own", text)

    def test_notices_of_onnx_runtime(self):
        os.makedirs(f"{self.folder}/capi")
        library = f"{self.folder}/capi/libonnxruntime.so"
        with open(f"{self.folder}/LICENSE", "w") as file:
            file.write("another project's")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(licenses.runtime(library), {})
        self.assertIn("are not shipped", said.getvalue())
        with open(f"{self.folder}/{licenses.NOTICES}", "w") as file:
            file.write("notices")
        self.assertEqual(set(licenses.runtime(library)), {"usr/share/doc/onnxruntime/LICENSE", "usr/share/doc/onnxruntime/ThirdPartyNotices.txt"})


if __name__ == "__main__":
    unittest.main()
