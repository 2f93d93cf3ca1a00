#!/usr/bin/env python3
"""Makes the container image of `edge` without a container engine: an OCI layout of program, ONNX Runtime, bundle, and the C libraries that
they need. The same inputs give the same bytes; SOURCE_DATE_EPOCH, else the last commit's time, is the time of all that is in it.

  image.py cssa-edge.tar --platform target/flight/edge target/onnxruntime/libonnxruntime.so
  image.py cssa-edge.tar --platform EDGE LIBRARY --platform EDGE_ARM64 LIBRARY_ARM64       one image for both
  image.py cssa-edge-cuda --platform EDGE LIBRARY --base oci:cuda --provider cuda           on a base of yours
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import oci
import sbom
from oci import fail
from sbom import read

HERE = os.path.dirname(os.path.abspath(__file__))
# Nobody of the host, as in distroless images.
USER = 65532
PLACE = "usr/lib/cssa-edge"
STATE = "var/lib/cssa"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LOADERS = {"x86_64": "lib64/ld-linux-x86-64.so.2", "aarch64": "lib/ld-linux-aarch64.so.1"}
SECOND = 1_000_000_000


def elf(option, *paths):
    try:
        told = subprocess.run(["readelf", "-W", option, *paths], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        fail("readelf is missing: install binutils")
    return told.stdout


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", elf("--dynamic", path))


def highest(prefix, *paths):
    """The highest version of the prefix's symbols that the files need, as numbers."""
    sections = re.findall(r"\.gnu\.version_r.*?\n\n", elf("--version-info", *paths) + "\n\n", re.S)
    found = re.findall(rf"Name: {prefix}_([0-9.]+)", "".join(sections))
    return max((tuple(map(int, each.split("."))) for each in found), default=())


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
            fail(f"{runtime} is for another processor than {self.path}")
        if not self.runtime and b"/tract-core-" not in self.content:
            fail(f"{self.path} has no runtime of its own: give it libonnxruntime.so, or build it with tract")
        debian = f"{self.machine}-linux-gnu"
        self.folders = given[2:] or [f"/lib/{debian}", f"/usr/lib/{debian}", f"/usr/{debian}/lib"]
        self.linked = [self.path, *([self.runtime] if self.runtime else [])]
        self.providers = sorted(glob.glob(os.path.join(os.path.dirname(self.runtime), "libonnxruntime_providers_*.so"))) if self.runtime else []

    def libraries(self):
        """The C libraries by name, with all that these need; and those that glibc before 2.34 opens to resolve a name."""
        found, asked = {}, [name for path in self.linked for name in needed(path)] + ["libnss_files.so.2", "libnss_dns.so.2"]
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
        return found


def packages(libraries):
    """The Debian packages that the libraries are from, with version, place of their licence and one library each."""
    if not shutil.which("dpkg-query"):
        fail("dpkg-query is missing: it tells versions and licences of the C libraries; make the image on Debian, or on a --base")
    found = {}
    for path in sorted(libraries.values()):
        for known in (path, path[4:] if path.startswith("/usr/lib/") else "/usr" + path, os.path.realpath(path)):
            told = subprocess.run(["dpkg-query", "--search", known], capture_output=True, text=True)
            if told.returncode == 0:
                name = told.stdout.split(": ")[0]
                version = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", name], capture_output=True, text=True, check=True).stdout
                name = name.split(":")[0]
                found.setdefault(name, (version, f"/usr/share/doc/{name}/copyright", path))
                break
        else:
            fail(f"{path} is of no Debian package: its version and licence are not known; install the package that has it")
    return found


def system(program, time):
    """The layer of the C libraries, and their components."""
    files, libraries = oci.Files(time), program.libraries()
    folder = f"usr/lib/{program.machine}-linux-gnu"
    files.link("lib", "usr/lib")
    for name, path in libraries.items():
        if name.startswith("ld-linux"):
            continue
        files.file(f"{folder}/{name}", read(path), 0o755)
    loader = LOADERS[program.machine]
    if loader.startswith("lib64/"):
        files.link("lib64", "usr/lib64")
    files.file(f"usr/{loader}", read(libraries[os.path.basename(loader)]), 0o755)
    components = []
    for name, (version, license, path) in packages(libraries).items():
        components.append(sbom.library(name, version, read(path), f"pkg:deb/debian/{name}@{version}?arch={program.architecture}"))
        if os.path.exists(license):
            files.file(f"usr/share/doc/{name}/copyright", read(license))
    files.file("etc/passwd", f"root:x:0:0::/:\ncssa:x:{USER}:{USER}::/{STATE}:\n".encode())
    files.file("etc/group", f"root:x:0:\ncssa:x:{USER}:\n".encode())
    files.file("etc/nsswitch.conf", b"hosts: files dns\n")
    for mounted in ("dev", "proc", "run", "sys"):
        files.folder(mounted)
    files.folder("tmp", 0o1777)
    return files.layer(), components


def runtime(program, time):
    files = oci.Files(time)
    files.file(f"{PLACE}/libonnxruntime.so", read(program.runtime), 0o755)
    for provider in program.providers:
        files.file(f"{PLACE}/{os.path.basename(provider)}", read(provider), 0o755)
    return files.layer()


def model(bundle, time):
    files = oci.Files(time)
    for name in sorted(os.listdir(bundle)):
        files.file(f"{PLACE}/bundle/{name}", read(os.path.join(bundle, name)))
    return files.layer()


def flight(program, provider, bill, time):
    """The layer that changes with each build."""
    files = oci.Files(time)
    files.file(f"{PLACE}/edge", program.content, 0o755)
    files.link("usr/bin/edge", "../lib/cssa-edge/edge")
    configuration = read(os.path.join(HERE, "edge.toml")).decode()
    if provider != "cpu":
        configuration, count = re.subn(r'(?m)^# provider = ".*"$', f'provider = "{provider}"', configuration)
        count == 1 or fail(f"{HERE}/edge.toml has {count} lines `# provider`, expected one")
    files.file("etc/cssa/edge.toml", configuration.encode())
    files.file("usr/share/doc/cssa-edge/sbom.cdx.json", bill)
    files.file("usr/share/doc/cssa-edge/copyright", read(os.path.join(HERE, "debian", "copyright")))
    files.folder(STATE, 0o750, USER)
    files.folder(f"{STATE}/incoming", 0o750, USER)
    return files.layer()


def fits(base, program):
    """Refuses a base whose C libraries are older than what the program needs."""
    for prefix, pattern in (("GLIBC", r"/libc(-2\.\d+)?\.so(\.6)?$"), ("GLIBCXX", r"/libstdc\+\+\.so\.6(\.[\d.]+)?$")):
        least = highest(prefix, *program.linked)
        content = base.library(pattern) if least else False
        if content is False:
            continue
        has = re.findall(rf"\0{prefix}_([0-9.]+)\0".encode(), content or b"")
        found = max((tuple(map(int, each.split(b"."))) for each in has), default=())
        if found < least:
            shown = [".".join(map(str, each)) or "none" for each in (found, least)]
            fail(f"--base {base.name} has {prefix} {shown[0]}, expected {shown[1]} or newer: name a newer base, or build with edge/deploy/build.sh")


def image(program, options, time, blobs):
    """Adds an image to the blobs; gives its manifest's descriptor."""
    base = options.base and oci.Base(options.base, program.architecture)
    components, layers, names = [], [], []
    if base:
        fits(base, program)
        blobs.found.update(base.blobs())
        components.append({"type": "container", "bom-ref": "base", "name": "base", "description": f"{len(base.layers)} layers, last {base.layers[-1]['digest'] if base.layers else None}"})
    else:
        layer, components = system(program, time)
        layers.append(layer)
        names.append("C libraries")
    if program.runtime:
        layers.append(runtime(program, time))
        names.append("ONNX Runtime")
        components.append(sbom.onnxruntime(program.runtime, read(program.runtime)))
    layers.append(model(options.bundle, time))
    names.append("bundle")
    bill = sbom.document("cssa-edge", "edge", program.content, program.triple, components, options.bundle)
    layers.append(flight(program, options.provider, bill, time))
    names.append("program and configuration")

    created = datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = dict(base.config) if base else {}
    mine = {
        "User": f"{USER}:{USER}",
        "Entrypoint": ["/usr/bin/edge"],
        "Cmd": ["run", "--config", "/etc/cssa/edge.toml"],
        "WorkingDir": f"/{STATE}",
        "Volumes": {f"/{STATE}": {}},
        "StopSignal": "SIGTERM",
        # Docker's extension: Kubernetes and quadlets have their own, see container/.
        "Healthcheck": {
            "Test": ["CMD", "/usr/bin/edge", "health", "--config", "/etc/cssa/edge.toml"],
            "Interval": 30 * SECOND,
            "Timeout": 5 * SECOND,
            "StartPeriod": 120 * SECOND,
            "Retries": 3,
        },
    }
    theirs = config.get("config") or {}
    environment = list(theirs.get("Env") or ["PATH=/usr/bin"])
    environment.append("ORT_DISABLE_TELEMETRY=1")
    if options.provider != "cpu":
        environment += ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
    labels = {
        "org.opencontainers.image.title": "cssa-edge",
        "org.opencontainers.image.description": "captions aerial images on board and sends words instead of pixels",
        "org.opencontainers.image.version": sbom.workspace("version"),
        "org.opencontainers.image.licenses": sbom.workspace("license"),
        "org.opencontainers.image.created": created,
        "cssa.bundle": sbom.bundle(options.bundle)["version"],
        "cssa.provider": options.provider,
    }
    config["config"] = {**theirs, **mine, "Env": environment, "Labels": {**(theirs.get("Labels") or {}), **labels}}
    config.update({"architecture": program.architecture, "os": "linux", "created": created})
    before = base.config["rootfs"]["diff_ids"] if base else []
    config["rootfs"] = {"type": "layers", "diff_ids": [*before, *(plain for _, plain in layers)]}
    config["history"] = [*(config.get("history") or []), *({"created": created, "created_by": f"edge/deploy/image.py: {name}"} for name in names)]
    described = [*(base.layers if base else []), *(blobs.add(oci.LAYER, packed) for packed, _ in layers)]
    manifest = {"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": blobs.document(oci.CONFIG, config), "layers": described, "annotations": labels}
    total = sum(each["size"] for each in described)
    found = blobs.document(oci.MANIFEST, manifest, platform={"architecture": program.architecture, "os": "linux"})
    sizes = ", ".join(f"{name} {each['size'] / 1e6:.1f}" for name, each in zip(names, described[len(described) - len(names) :]))
    print(f"linux/{program.architecture} {found['digest']}: {total / 1e6:.1f} MB compressed ({sizes})")
    return found


def time_of_sources():
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        told = subprocess.run(["git", "-C", HERE, "log", "-1", "--format=%ct"], capture_output=True, text=True)
        given = told.stdout.strip() or "0"
    return int(given) if given.isdigit() else fail(f"SOURCE_DATE_EPOCH is {given!r}, expected seconds since 1970")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="the layout: a folder, or one file that ends in .tar (oci-archive)")
    parser.add_argument("--platform", nargs="+", action="append", required=True, metavar="FILE", help="EDGE LIBONNXRUNTIME [FOLDER_OF_C_LIBRARIES]; - for no ONNX Runtime")
    parser.add_argument("--bundle", default=os.path.join(sbom.ROOT, "fixtures", "bundle"), help="folder; left out, the default bundle")
    parser.add_argument("--base", help="oci:FOLDER[:TAG], a base image on this machine, which brings the C libraries")
    parser.add_argument("--provider", default="cpu", choices=["cpu", "cuda", "tensorrt"], help="what ONNX Runtime computes with")
    parser.add_argument("--tag", help="left out, cssa-edge:VERSION, with -PROVIDER where that is not the CPU")
    options = parser.parse_args()
    time, blobs, programs = time_of_sources(), oci.Blobs(), [Program(each) for each in options.platform]
    if len({each.architecture for each in programs}) != len(programs):
        fail("--platform names one processor twice, expected each once")
    for each in programs:
        library = f"libonnxruntime_providers_{options.provider}.so"
        if options.provider != "cpu" and library not in map(os.path.basename, each.providers):
            fail(f"--provider {options.provider}: {library} is not beside {each.runtime}")
    images = [image(each, options, time, blobs) for each in programs]
    tag = options.tag or f"cssa-edge:{sbom.workspace('version')}{'' if options.provider == 'cpu' else '-' + options.provider}"
    if len(images) > 1:
        top = blobs.document(oci.INDEX, {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": images})
    else:
        top = images[0]
    blobs.write({**top, "annotations": {oci.REFERENCE: tag}}, options.out, time)
    print(f"{options.out} {tag} {top['digest']}")


if __name__ == "__main__":
    main()
