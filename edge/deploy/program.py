"""A program for one processor, ONNX Runtime's library for it, and the C libraries that both need."""

import glob
import os
import platform
import re
import shutil
import subprocess

import sbom
from inputs import ROOT, fail, read

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LOADERS = {"x86_64": "lib64/ld-linux-x86-64.so.2", "aarch64": "lib/ld-linux-aarch64.so.1"}


def elf(option, path):
    try:
        told = subprocess.run(["readelf", "-W", option, path], capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        fail("readelf is missing: install binutils")
    return told.stdout


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", elf("--dynamic", path))


def versions(path):
    """The versions of symbols that a file needs, as (library, version)."""
    found = set()
    for section in re.findall(r"\.gnu\.version_r.*?\n\n", elf("--version-info", path) + "\n\n", re.S):
        for part in section.split("File: ")[1:]:
            library = part.split()[0]
            found.update((library, name) for name, flags in re.findall(r"Name: (\S+)\s+Flags: (.*?)\s+Version:", part) if "WEAK" not in flags)
    return found


def lacking(path, contents):
    """The first version of symbols that a file needs and these libraries, by their names, have not; and the newest that is there."""
    for library, version in sorted(versions(path)):
        content = contents.get(library)
        if content is not None and f"\0{version}\0".encode() not in content:
            has = re.findall(rf"\0{re.escape(version.split('_')[0])}_([0-9]+(?:\.[0-9]+)*)(?=\0)".encode(), content)
            newest = max((tuple(map(int, each.split(b"."))) for each in has), default=())
            return library, version, ".".join(map(str, newest)) or "none"
    return None, None, None


class Program:
    """What is given for one platform."""

    def __init__(self, given):
        if len(given) not in (2, 3):
            fail(f"--platform {' '.join(given)}, expected EDGE LIBONNXRUNTIME [FOLDER_OF_C_LIBRARIES]; LIBONNXRUNTIME is - for none")
        self.path, runtime = given[:2]
        self.content = read(self.path)
        self.triple = sbom.triple_of(self.content) or fail(f"{self.path} is no program for x86-64 or aarch64")
        self.machine = self.triple.split("-")[0]
        self.architecture = ARCHITECTURES[self.machine]
        self.runtime = None if runtime == "-" else os.path.realpath(runtime)
        if self.runtime and sbom.triple_of(read(self.runtime)) != self.triple:
            fail(f"{runtime} is no library for {self.machine}, expected ONNX Runtime's for the processor of {self.path}")
        debian = f"{self.machine}-linux-gnu"
        self.folders = [os.path.abspath(each) for each in given[2:]] or [f"/lib/{debian}", f"/usr/lib/{debian}", f"/usr/{debian}/lib"]
        self.own_libraries = len(given) == 3
        if self.own_libraries and not os.path.isdir(given[2]):
            fail(f"{given[2]} is no folder, expected that of the C libraries for {self.machine}")
        self._is_edge()
        if not self.runtime and b"/tract-core-" not in self.content:
            fail(f"{self.path} has no runtime of its own: give it libonnxruntime.so, or build it with tract")
        self.linked = [self.path, *([self.runtime] if self.runtime else [])]
        self.providers = sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(self.runtime)), "libonnxruntime_providers_*.so"))) if self.runtime else []

    def _is_edge(self):
        """By its command line's first sentence; one for this processor and its C libraries must start, too, and be of this version."""
        sentence = re.search('^description = "(.+)"', read(os.path.join(ROOT, "edge", "Cargo.toml")).decode(), re.M).group(1)
        if sentence.encode() not in self.content or "program interpreter" not in elf("--program-headers", self.path):
            fail(f"{self.path} is not the program edge of these sources: cargo build --profile flight -p edge makes it")
        if self.own_libraries or self.machine != platform.machine():
            return
        try:
            told = subprocess.run([os.path.abspath(self.path), "--version"], capture_output=True, text=True, errors="replace", timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            fail(f"{self.path} does not start: {error}")
        expected = f"edge {sbom.workspace('version')}"
        if told.returncode or told.stdout.strip() != expected:
            said = (told.stdout + told.stderr).strip().split("\n")[-1]
            fail(f"{self.path} --version says {said!r}, expected {expected}: build it from these sources")

    def libraries(self):
        """The C libraries by name, with all that these need; and those that glibc before 2.34 opens to resolve a name."""
        found, asked = {}, [name for path in self.linked for name in needed(path)]
        asked += [os.path.basename(LOADERS[self.machine]), "libnss_files.so.2", "libnss_dns.so.2"]
        while asked:
            name = asked.pop()
            if name in found:
                continue
            path = next((path for path in (os.path.join(folder, name) for folder in self.folders) if os.path.exists(path)), None)
            if not path and name.startswith("libnss_"):
                continue
            if not path:
                fail(f"{name} is in none of {', '.join(self.folders)}: give --platform the folder of the C libraries for {self.machine}")
            if sbom.triple_of(read(path)) != self.triple:
                fail(f"{path} is for another processor than {self.path}")
            found[name] = path
            asked += needed(path)
        for path in self.linked:
            library, version, newest = lacking(path, {name: read(each) for name, each in found.items()})
            if library:
                fail(f"{found[library]} has {newest}, {path} needs {version}: give --platform the folder of newer C libraries")
        return found

    def packages(self, libraries):
        """The Debian packages that the libraries are from: version, place of their licence, one library each; and the libraries of none."""
        if not self.own_libraries and not shutil.which("dpkg-query"):
            fail("dpkg-query is missing: it tells versions and licences of the C libraries; give --platform their folder, or make the image on Debian or a --base")
        found, others = {}, {}
        for soname, path in sorted(libraries.items()):
            package = package_of(path)
            if package:
                found.setdefault(package[0], (package[1], f"/usr/share/doc/{package[0]}/copyright", path))
            elif self.own_libraries:
                others[soname] = path
            else:
                fail(f"{path} is of no Debian package: its version and licence are not known; install the package that has it, or give --platform the folder of the C libraries")
        return found, others


def package_of(path):
    """Name and version of the Debian package that a file is of."""
    if not shutil.which("dpkg-query"):
        return None
    for known in (path, path[4:] if path.startswith("/usr/lib/") else "/usr" + path, os.path.realpath(path)):
        told = subprocess.run(["dpkg-query", "--search", re.sub(r"([][*?\\])", r"\\\1", known)], capture_output=True, text=True, errors="replace")
        if told.returncode == 0:
            name = told.stdout.split(": ")[0].split(", ")[0]
            version = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", name], capture_output=True, text=True).stdout
            if version:
                return name.split(":")[0], version
    return None
