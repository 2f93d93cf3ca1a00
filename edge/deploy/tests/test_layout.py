"""Layouts are whole or not there, and nobody's image is lost."""

import json
import os
import resource
import tarfile
import unittest

import images
import layout
import oci
from inputs import digest_of, digest_of_file


def blobs(content=b"layer"):
    made = oci.Blobs()
    return made, made.document(oci.MANIFEST, {"layers": [made.add(oci.LAYER, content)]})


def whole(folder):
    """The tags of a layout, all of whose blobs are what their names say."""
    for name in os.listdir(f"{folder}/blobs/sha256"):
        assert digest_of_file(f"{folder}/blobs/sha256/{name}") == f"sha256:{name}", name
    with open(f"{folder}/index.json") as file:
        manifests = json.load(file)["manifests"]
    for each in manifests:
        assert os.path.exists(f"{folder}/blobs/sha256/{each['digest'][7:]}"), each
    return [each["annotations"][oci.REFERENCE] for each in manifests]


class Written(images.Case):
    def write(self, out, tag="a:1", content=b"layer"):
        made, descriptor = blobs(content)
        layout.destination(out, tag).write(made, descriptor, 1)

    def test_a_slash_at_the_end_is_the_same_folder(self):
        out = f"{self.folder}/out"
        self.write(out)
        self.write(out + "/", "b")
        self.write(out + "//", "b", b"another")
        self.assertEqual(whole(out), ["a:1", "b"])
        self.assertEqual(os.listdir(self.folder), ["out"])

    def test_an_image_joins_those_of_others(self):
        out = f"{self.folder}/cuda"
        images.layout(out, [images.tar(("a", b"1"))])
        self.write(out)
        self.write(out)
        self.assertEqual(whole(out), ["base", "a:1"])
        self.assertEqual(sorted(os.listdir(out)), ["blobs", "index.json", "oci-layout"])
        self.refused("an image base that was not made here", layout.destination, out, "base")

    def test_a_blob_that_was_half_written_is_written_again(self):
        out = f"{self.folder}/out"
        self.write(out)
        with open(f"{out}/blobs/sha256/{digest_of(b'layer')[7:]}", "w") as file:
            file.write("la")
        self.write(out, "b")
        self.assertEqual(whole(out), ["a:1", "b"])

    def test_what_is_no_layout_is_left_alone_and_said_first(self):
        for name in ("out.part", "photos"):
            os.mkdir(f"{self.folder}/{name}")
            with open(f"{self.folder}/{name}/mine", "w") as file:
                file.write("mine")
        self.write(f"{self.folder}/out")
        self.assertTrue(os.path.exists(f"{self.folder}/out.part/mine"))
        self.refused("no OCI layout", layout.destination, f"{self.folder}/photos", "a")
        self.refused("no OCI layout", layout.destination, f"{self.folder}/photos/mine", "a")
        self.refused("no image", layout.destination, self.tar("backup.tar", "letter"), "a")
        self.refused("make it first", layout.destination, f"{self.folder}/none/out", "a")
        for name in ("", "/", "//"):
            self.refused("expected a new folder", layout.destination, name, "a")
        os.mkdir(f"{self.folder}/folder.tar")
        self.refused("is no image", layout.destination, f"{self.folder}/folder.tar", "a")
        for name, content in (("index.json", "["), ("index.json", '{"manifests": 1}'), ("oci-layout", '{"imageLayoutVersion": "2"}')):
            out = f"{self.folder}/{len(os.listdir(self.folder))}"
            self.write(out)
            with open(f"{out}/{name}", "w") as file:
                file.write(content)
            self.refused(out, layout.destination, out, "a")

    def tar(self, *names):
        path = f"{self.folder}/{names[0]}"
        with open(path, "wb") as file:
            file.write(images.tar(*((each, b"{}") for each in names[1:])))
        return path

    def test_a_link_is_followed(self):
        out = f"{self.folder}/out"
        for target in ("out", "new"):
            os.symlink(target, f"{self.folder}/link-to-{target}")
        self.write(out)
        self.write(f"{self.folder}/link-to-out", "b")
        self.write(f"{self.folder}/link-to-new/")
        self.assertEqual(whole(out), ["a:1", "b"])
        self.assertEqual(whole(f"{self.folder}/new"), ["a:1"])
        self.assertTrue(os.path.islink(f"{self.folder}/link-to-out"))

    def test_a_file_is_replaced_by_the_same_tag_alone(self):
        out = f"{self.folder}/a.tar"
        for content in (b"layer", b"another"):
            self.write(out, "a", content)
        with tarfile.open(out) as archive:
            names = archive.getnames()
            self.assertEqual(names, sorted(names))
            for name in names[:-2]:
                self.assertEqual(digest_of(archive.extractfile(name).read())[7:], os.path.basename(name))
        self.assertEqual(os.path.getsize(out) % tarfile.RECORDSIZE, 0)
        self.refused("holds other images", layout.destination, out, "b")

    def test_all_may_read_it(self):
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        for out in ("out", "a.tar"):
            self.write(f"{self.folder}/{out}")
        self.write(f"{self.folder}/out", "b", b"more")
        for place, folders, files in os.walk(self.folder):
            for name in folders:
                self.assertEqual(os.stat(f"{place}/{name}").st_mode & 0o777, 0o755, name)
            for name in files:
                self.assertEqual(os.stat(f"{place}/{name}").st_mode & 0o777, 0o644, name)

    def test_a_folder_that_may_not_be_written_to_is_said_first(self):
        out = f"{self.folder}/out"
        self.write(out)

        def asked():
            if not os.geteuid():
                os.setuid(65532)
            for place in (out, f"{self.folder}/new", f"{self.folder}/a.tar"):
                self.refused("cannot be written to", layout.destination, place, "b")

        for each in (self.folder, out):
            os.chmod(each, 0o555)
        self.assertEqual(self.in_child(asked), 0)
        os.chmod(self.folder, 0o755)

    def in_child(self, work):
        child = os.fork()
        if not child:
            try:
                work()
            except BaseException as error:
                os._exit(1 if isinstance(error, OSError) else 2)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def test_a_full_disk_leaves_what_was_there(self):
        def full(out):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
            self.write(out, "b", bytes(1 << 20))

        self.write(f"{self.folder}/old")
        for out in ("old", "new", "new.tar"):
            self.assertEqual(self.in_child(lambda: full(f"{self.folder}/{out}")), 1)
        self.assertEqual(os.listdir(self.folder), ["old"])
        self.assertEqual(whole(f"{self.folder}/old"), ["a:1"])
        self.assertEqual(sorted(os.listdir(f"{self.folder}/old")), ["blobs", "index.json", "oci-layout"])

    def test_killed_at_any_step_it_is_whole_or_as_before(self):
        """Each call that changes a name, or brings something to the disk, is the last one once."""

        def killed(out, step):
            for name in ("replace", "rename", "fsync", "mkdir", "rmdir", "unlink"):
                def counted(*arguments, call=getattr(os, name), **more):
                    nonlocal step
                    step -= 1
                    return call(*arguments, **more) if step else os._exit(9)
                setattr(os, name, counted)
            self.write(out, "b", b"another")

        for kind in ("old", "new"):
            for step in range(1, 100):
                out = f"{self.folder}/{kind}-{step}"
                if kind == "old":
                    self.write(out)
                ended = self.in_child(lambda: killed(out, step))
                if os.path.exists(out):
                    self.assertIn(whole(out), [["a:1"], ["a:1", "b"]] if kind == "old" else [["b"]])
                if not ended:
                    break
                self.write(out, "c")
                self.assertEqual(whole(out)[-1], "c")
            self.assertEqual(ended, 0)
            self.assertGreater(step, 10)


class Compressed(unittest.TestCase):
    def test_the_header_is_the_same_in_all_pythons(self):
        self.assertEqual(oci.gzip(b"")[:10].hex(), "1f8b08000000000000ff")

    def test_a_layer_is_the_same_for_the_same_files(self):
        def layer(names):
            files = oci.Files(7)
            for each in names:
                files.file(each, each.encode())
            return files.layer()

        self.assertEqual(layer(["a/b", "c"]), layer(["c", "a/b"]))


if __name__ == "__main__":
    unittest.main()
