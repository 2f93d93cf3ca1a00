"""A base is somebody else's: what is wrong with it is said in a line, and its files are those that a process in it would find."""

import json
import os
import tarfile
import unittest
from unittest import mock

import images
import filesystem
import fits
import oci
import program
import sbom
from base import Base
from images import tar
from inputs import digest_of

TRUE = os.path.realpath("/usr/bin/true")
LOADER = program.LOADERS[images.MACHINE]
TRIPLET = f"{images.MACHINE}-linux-gnu"


class Given:
    """A program that needs libc alone, and no newer one than this machine's."""

    path, linked, machine, triple = TRUE, [TRUE], images.MACHINE, sbom.triple_of(open(TRUE, "rb").read())


NEW = images.elf(*(version for _, version in program.versions(TRUE)))
OLD = images.elf("GLIBC_2.2.5")
LINKER_SCRIPT = b"/* GNU ld script */ GROUP ( libc.so.6 )"


class Refused(images.Case):
    def base(self, change=lambda parts: None, *layers):
        self.count = getattr(self, "count", 0) + 1
        return images.layout(f"{self.folder}/{self.count}", layers or [tar(("a", b"1"))], change)

    def wrong(self, expected, change):
        self.refused(expected, Base, self.base(change), images.ARCHITECTURE)

    def test_what_is_right_is_taken(self):
        self.assertEqual(len(Base(self.base(), images.ARCHITECTURE).layers), 1)

    def test_sizes_and_digests(self):
        for size in (7, None, "7", True, -1):
            self.wrong("its descriptor says", lambda parts: parts["manifest"]["layers"][0].update(size=size))
            self.wrong("its descriptor says", lambda parts: parts["entry"].update(size=size))
        self.wrong("its descriptor says", lambda parts: parts["manifest"]["layers"][0].pop("size"))
        for digest in (None, "sha256:../../x", 7, "md5:1"):
            self.wrong("expected sha256", lambda parts: parts["manifest"]["layers"][0].update(digest=digest))
        self.wrong("is missing", lambda parts: parts["manifest"]["layers"][0].update(digest="sha256:" + 64 * "0"))
        name = self.base()
        path = os.path.join(name.split(":")[1], "blobs/sha256", digest_of(oci.gzip(tar(("a", b"1"))))[7:])
        with open(path, "r+b") as file:
            file.seek(30)
            file.write(b"x")
        self.refused("another digest than its name", Base, name, images.ARCHITECTURE)

    def test_digests_of_what_is_unpacked(self):
        self.wrong("unpacked, its configuration says", lambda parts: parts["config"]["rootfs"].update(diff_ids=["sha256:" + 64 * "0"]))
        for ids in ([], ["a", "b"], "a", [1], None):
            self.wrong("", lambda parts: parts["config"]["rootfs"].update(diff_ids=ids))

    def test_types_of_the_configuration(self):
        for key, value in (("os", "windows"), ("os", None), ("architecture", "s390x"), ("rootfs", []), ("config", "x"), ("config", []), ("history", "abc"), ("history", [1]),
                           ("history", [{"created_by": 1}]), ("history", [{"empty_layer": "no"}]), ("author", 1), ("variant", [])):
            self.wrong("", lambda parts: parts["config"].update({key: value}))
        for key, value in (("Env", [1, None]), ("Env", "abc"), ("Env", ["abc"]), ("Env", ["=1"]), ("Labels", []), ("Labels", {"a": 1}), ("Volumes", []), ("User", 1), ("ExposedPorts", "80"), ("Cmd", "sh")):
            self.wrong("", lambda parts: parts["config"]["config"].update({key: value}))

    def test_types_of_the_manifest_and_the_index(self):
        for value in ("x", None, 7, {}, {"mediaType": oci.CONFIG}):
            self.wrong("", lambda parts: parts["manifest"].update(config=value))
        for value in ("x", None, [1], [{"mediaType": "x"}], [{"mediaType": None}], {}):
            self.wrong("", lambda parts: parts["manifest"].update(layers=value))
        self.wrong("schemaVersion", lambda parts: parts["manifest"].update(schemaVersion=1))
        for annotations in (None, [], "x", {}, {oci.REFERENCE: None}):
            self.wrong("", lambda parts: parts["entry"].update(annotations=annotations))
        for value in (None, "x", [1], [{}], [[]]):
            self.wrong("", lambda parts: parts["index"].update(manifests=value))
        self.wrong("expected application/vnd.oci.image.manifest", lambda parts: parts["entry"].update(mediaType="application/vnd.docker.distribution.manifest.v2+json"))

    def test_platforms_of_an_index(self):
        for platform in (None, "x", [], {}, {"os": "windows", "architecture": images.ARCHITECTURE}):
            name = self.base()
            folder = name.split(":")[1]
            inner = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": oci.MANIFEST, "platform": platform}]}).encode()
            with open(f"{folder}/blobs/sha256/{digest_of(inner)[7:]}", "wb") as file:
                file.write(inner)
            entry = {"mediaType": oci.INDEX, "digest": digest_of(inner), "size": len(inner), "annotations": {oci.REFERENCE: "base"}}
            with open(f"{folder}/index.json", "w") as file:
                json.dump({"manifests": [entry]}, file)
            self.refused("", Base, name, images.ARCHITECTURE)

    def test_documents_that_are_none(self):
        name = self.base()
        path = os.path.join(name.split(":")[1], "index.json")
        for content in (b"", b"[]", b"\xff", b"[" * 100_000, b" " * (oci.MAX_DOCUMENT + 1)):
            with open(path, "wb") as file:
                file.write(content)
            self.refused("index.json", Base, name, images.ARCHITECTURE)
        os.remove(path)
        self.refused("index.json is missing", Base, name, images.ARCHITECTURE)

    def test_layers_that_are_none(self):
        for plain in (b"no tar" * 100, b""):
            self.refused("is no layer", Base, self.base(lambda parts: None, plain), images.ARCHITECTURE)
        self.wrong("is no layer", lambda parts: parts["manifest"].update(layers=[{**parts["manifest"]["layers"][0], "mediaType": "application/vnd.oci.image.layer.v1.tar"}]))

    def test_no_more_entries_are_held_than_may_be(self):
        taken = []

        def entries():
            for number in range(100):
                taken.append(number)
                yield number, None, tarfile.TarInfo(str(number))

        with mock.patch.object(filesystem, "MAX_ENTRIES", 10):
            with self.assertRaises(filesystem.TooMany):
                filesystem.FileSystem().add(0, entries())
            self.assertEqual(len(taken), 11)
            self.refused("more than 10 files", Base, self.base(lambda parts: None, tar(*((str(number), b"") for number in range(20)))), images.ARCHITECTURE)


class Found(images.Case):
    """`fits` finds the library that the loader would."""

    def check(self, *layers):
        self.count = getattr(self, "count", 0) + 1
        fits.fits(Base(images.layout(f"{self.folder}/{self.count}", layers), images.ARCHITECTURE), Given)

    def libc(self, content, folder=f"usr/lib/{TRIPLET}"):
        return tar((LOADER, images.elf()), (f"{folder}/libc.so.6", content))

    def test_where_the_loader_looks(self):
        for folder in (f"lib/{TRIPLET}", f"usr/lib/{TRIPLET}", "lib64", "usr/lib64", "lib", "./usr/lib"):
            self.check(self.libc(NEW, folder))
            self.refused("has 2.2.5, ", self.check, self.libc(OLD, folder))
        self.refused("has no libc.so.6", self.check, self.libc(NEW, "opt/lib"))

    def test_what_only_looks_like_it(self):
        """A -devel base's linker script, and copies that nobody loads."""
        self.check(self.libc(NEW), tar((f"usr/lib/{TRIPLET}/libc.so", LINKER_SCRIPT), ("opt/x/libc.so.6", OLD)))
        self.refused("has 2.2.5, ", self.check, self.libc(OLD), tar(("opt/x/libc.so.6", NEW)))
        self.refused("has no libc.so.6", self.check, self.libc(b"\x7fELF of another processor"))

    def test_no_loader(self):
        self.refused(f"has no {os.path.basename(LOADER)}", self.check, tar((f"usr/lib/{TRIPLET}/libc.so.6", NEW)))

    def test_links(self):
        self.check(tar(("lib", "link", "usr/lib"), ("lib64", "link", "/usr/lib64"), (f"usr/{LOADER}", images.elf()), (f"usr/lib/{TRIPLET}/libc-2.41.so", NEW),
                       (f"usr/lib/{TRIPLET}/libc.so.6", "link", "libc-2.41.so")))
        self.check(tar(("opt/libc-2.41.so", NEW), (LOADER, images.elf())), tar(("opt/second", "hard", "opt/libc-2.41.so"), ("lib/libc.so.6", "hard", "./opt/second")))
        self.check(tar((LOADER, images.elf()), (f"lib/{TRIPLET}/libc.so.6", "link", "../../../../usr/libc"), ("usr/libc", NEW)))
        self.refused("has no libc.so.6", self.check, tar((LOADER, images.elf()), ("lib/libc.so.6", "link", "libc.so.6")))

    def test_a_later_layer_writes_through_a_link(self):
        usr = tar(("lib", "link", "usr/lib"), ("lib64", "link", "usr/lib64"), (f"usr/{LOADER}", images.elf()), ("usr/lib/libc.so.6", OLD))
        self.check(usr, tar(("lib/libc.so.6", NEW)))
        # A folder takes the place of a link.
        self.refused("has no ", self.check, usr, tar(("lib", "folder"), ("lib64", "folder")))

    def test_whiteouts(self):
        self.refused("has no libc.so.6", self.check, self.libc(NEW), tar((f"usr/lib/{TRIPLET}/.wh.libc.so.6", b"")))
        self.refused("has no libc.so.6", self.check, self.libc(NEW), tar(("usr/.wh.lib", b"")))
        self.refused("has no libc.so.6", self.check, self.libc(NEW), tar(("usr/lib/.wh..wh..opq", b"")))
        # What a whiteout's own layer brings stays, whatever comes first.
        self.check(self.libc(OLD), tar((f"usr/lib/{TRIPLET}/libc.so.6", NEW), (f"usr/lib/{TRIPLET}/.wh.libc.so.6", b"")))
        self.check(self.libc(OLD), tar((f"usr/lib/{TRIPLET}/libc.so.6", NEW), ("usr/lib/.wh..wh..opq", b"")))
        self.check(self.libc(OLD, f"lib/{TRIPLET}"), tar((f"lib/.wh.{TRIPLET}", b""), ("usr/lib/libc.so.6", NEW)))

    def test_folders_that_ldconfig_was_given(self):
        configuration = tar(("etc/ld.so.cache", b"cache"), ("etc/ld.so.conf", b"include ld.so.conf.d/*.conf\n"), ("etc/ld.so.conf.d/gcc.conf", b"# gcc\n/usr/local/lib64\n"))
        self.check(self.libc(OLD), tar(("usr/local/lib64/libc.so.6", NEW)), configuration)
        self.refused("has 2.2.5, ", self.check, self.libc(NEW), tar(("usr/local/lib64/libc.so.6", OLD)), configuration)


if __name__ == "__main__":
    unittest.main()
