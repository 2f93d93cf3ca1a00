#!/usr/bin/env python3
"""Makes the container image of `edge` without a container engine: an OCI layout of program, ONNX Runtime, bundle, and the C libraries that
they need. The same inputs give the same bytes; SOURCE_DATE_EPOCH, else the last commit's time, is the time of all that is in it.

  image.py cssa-edge.tar --platform target/flight/edge target/onnxruntime/libonnxruntime.so
  image.py cssa-edge.tar --platform EDGE LIBRARY --platform EDGE_ARM64 LIBRARY_ARM64       one image for both
  image.py cssa-edge-cuda --platform EDGE LIBRARY --base oci:cuda --provider cuda           on a base of yours
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from datetime import datetime, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import layout
import licenses
import oci
import sbom
from base import Base
from bundle import Bundle
from fits import fits
from inputs import ROOT, fail, note, read
from program import LOADERS, Program

# Nobody of the host, as in distroless images.
USER = 65532
PLACE = "usr/lib/cssa-edge"
STATE = "var/lib/cssa"
DOCUMENTS = "usr/share/doc"
SECOND = 1_000_000_000
# The last second that a tar's header holds.
MAX_TIME = 8**11 - 1
# [[REGISTRY/]NAME:]TAG, as registries take it (OCI distribution-spec).
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
HOST = r"[A-Za-z0-9]+(?:(?:\.|-+)[A-Za-z0-9]+)*(?::[0-9]{1,5})?"
REFERENCE = rf"(?:(?:{HOST}/)?{COMPONENT}(?:/{COMPONENT})*:)?[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}"


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
    components, texts = [], []
    packages, others = program.packages(libraries)
    for name, (version, license, path) in packages.items():
        components.append(sbom.library(name, version, read(path), f"pkg:deb/debian/{name}@{version}?arch={program.architecture}"))
        if os.path.exists(license):
            texts.append(read(license))
            files.file(f"{DOCUMENTS}/{name}/copyright", texts[-1])
        else:
            note(f"{license} is not on this machine: the licence of {name} is not in the image")
    components += [sbom.unknown(soname, read(path)) for soname, path in others.items()]
    if others:
        said = "".join(f"{each['name']}: {each['licenses'][0]['expression'] if each.get('licenses') else 'not known'}\n" for each in components if each["name"] in others)
        said = f"C libraries of no package that is known here, and their licences by their names:\n\n{said}\n"
        texts.append((said + "".join(f"{licenses.COMMON}/{each}\n" for each in ("LGPL-2.1", "GPL-3"))).encode())
        files.file(f"{DOCUMENTS}/c-libraries/copyright", texts[-1])
    for path, text in licenses.common(texts).items():
        files.file(path, text)
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
    for path, text in licenses.runtime(program.runtime).items():
        files.file(path, text)
    return files.layer()


def model(bundle, time):
    files = oci.Files(time)
    for name, content in bundle.contents.items():
        files.file(f"{PLACE}/bundle/{name}", content)
    return files.layer()


def flight(program, provider, bill, crates, time):
    """The layer that changes with each build."""
    files = oci.Files(time)
    files.file(f"{PLACE}/edge", program.content, 0o755)
    files.link("usr/bin/edge", "../lib/cssa-edge/edge")
    configuration = read(os.path.join(HERE, "edge.toml")).decode()
    if provider != "cpu":
        configuration, count = re.subn(r'(?m)^# provider = ".*"$', f'provider = "{provider}"', configuration)
        count == 1 or fail(f"{HERE}/edge.toml has {count} lines `# provider`, expected one")
    files.file("etc/cssa/edge.toml", configuration.encode())
    copyright = read(os.path.join(HERE, "debian", "copyright"))
    files.file(f"{DOCUMENTS}/cssa-edge/sbom.cdx.json", bill)
    files.file(f"{DOCUMENTS}/cssa-edge/copyright", copyright)
    files.file(f"{DOCUMENTS}/cssa-edge/THIRD-PARTY", licenses.crates(crates))
    for path, text in licenses.common([copyright]).items():
        files.file(path, text)
    files.folder(STATE, 0o750, USER)
    files.folder(f"{STATE}/incoming", 0o750, USER)
    return files.layer()


def image(program, bundle, options, time, blobs):
    """Adds an image to the blobs; gives its manifest's descriptor."""
    base = options.base and Base(options.base, program.architecture)
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
    layers.append(model(bundle, time))
    names.append("bundle")
    crates = sbom.crates("edge", program.content, program.triple)
    bill = sbom.document("cssa-edge", crates, program.content, components, bundle)
    layers.append(flight(program, options.provider, bill, crates[0], time))
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
    theirs = base.settings if base else {}
    environment = dict(each.split("=", 1) for each in theirs.get("Env") or ["PATH=/usr/bin"])
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    if options.provider != "cpu":
        environment.update({"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"})
    more = [bundle.license(), *(["LicenseRef-ONNX-Runtime-ThirdPartyNotices"] if program.runtime else [])]
    licensed = licenses.expression([*crates[0].values(), *components], more)
    labels = {
        oci.TITLE: layout.OURS,
        "org.opencontainers.image.description": "captions aerial images on board and sends words instead of pixels",
        "org.opencontainers.image.version": sbom.workspace("version"),
        "org.opencontainers.image.licenses": licensed,
        "org.opencontainers.image.created": created,
        "cssa.bundle": bundle.id(),
        "cssa.provider": options.provider,
    }
    config["config"] = {**theirs, **mine, "Env": [f"{name}={value}" for name, value in environment.items()], "Labels": {**(theirs.get("Labels") or {}), **labels}}
    config.update({"architecture": program.architecture, "os": "linux", "created": created})
    before = base.config["rootfs"]["diff_ids"] if base else []
    config["rootfs"] = {"type": "layers", "diff_ids": [*before, *(plain for _, plain in layers)]}
    config["history"] = [*(base.history if base else []), *({"created": created, "created_by": f"edge/deploy/image.py: {name}"} for name in names)]
    described = [*(base.layers if base else []), *(blobs.add(oci.LAYER, packed) for packed, _ in layers)]
    manifest = {"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": blobs.document(oci.CONFIG, config), "layers": described, "annotations": labels}
    total = sum(each["size"] for each in described)
    found = blobs.document(oci.MANIFEST, manifest, platform={"architecture": program.architecture, "os": "linux"})
    sizes = ", ".join(f"{name} {each['size'] / 1e6:.1f}" for name, each in zip(names, described[len(described) - len(names) :]))
    print(f"linux/{program.architecture} {found['digest']}: {total / 1e6:.1f} MB compressed ({sizes})")
    return found


def time_of_sources():
    """SOURCE_DATE_EPOCH, else the last commit's time: of these sources alone, and only where git tells it."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        git = ["git", "-C", HERE]
        try:
            tracked = subprocess.run([*git, "ls-files", "--error-unmatch", "image.py"], capture_output=True, text=True, errors="replace")
            told = subprocess.run([*git, "log", "-1", "--format=%ct"], capture_output=True, text=True, errors="replace")
            known, problem = tracked.returncode == 0 and told.returncode == 0, (tracked.stderr or told.stderr).strip().split("\n")[0]
        except FileNotFoundError:
            known, problem = False, "git is missing"
        if not known:
            fail(f"git does not tell the time of these sources ({problem}): set SOURCE_DATE_EPOCH to seconds since 1970")
        given = told.stdout.strip()
    if not re.fullmatch("[0-9]{1,10}", given) or int(given) > MAX_TIME:
        fail(f"SOURCE_DATE_EPOCH is {given!r}, expected seconds since 1970, {MAX_TIME} at most")
    return int(given)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="a new folder, a layout that the image joins, or one file that ends in .tar (oci-archive)")
    parser.add_argument("--platform", nargs="+", action="append", required=True, metavar="FILE", help="EDGE LIBONNXRUNTIME [FOLDER_OF_C_LIBRARIES]; - for no ONNX Runtime")
    parser.add_argument("--bundle", default=os.path.join(ROOT, "fixtures", "bundle"), help="folder; left out, the default bundle")
    parser.add_argument("--base", help="oci:FOLDER[:TAG], a base image on this machine, which brings the C libraries")
    parser.add_argument("--provider", default="cpu", choices=["cpu", "cuda", "tensorrt"], help="what ONNX Runtime computes with")
    parser.add_argument("--tag", help="left out, cssa-edge:VERSION, with -PROVIDER where that is not the CPU")
    options = parser.parse_args()
    tag = options.tag if options.tag is not None else f"cssa-edge:{sbom.workspace('version')}{'' if options.provider == 'cpu' else '-' + options.provider}"
    if not re.fullmatch(REFERENCE, tag) or len(tag) > 255:
        fail(f"--tag {tag!r}, expected TAG or NAME:TAG, such as cssa-edge:1.0, as registries take it")
    place = layout.destination(options.out, tag)
    time, blobs, bundle, programs = time_of_sources(), oci.Blobs(), Bundle(options.bundle), [Program(each) for each in options.platform]
    if len({each.architecture for each in programs}) != len(programs):
        fail("--platform names one processor twice, expected each once")
    for each in programs:
        library = f"libonnxruntime_providers_{options.provider}.so"
        if options.provider != "cpu" and library not in map(os.path.basename, each.providers):
            fail(f"--provider {options.provider}: {library} is not beside {each.runtime}")
    images = [image(each, bundle, options, time, blobs) for each in programs]
    if len(images) > 1:
        top = blobs.document(oci.INDEX, {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": images})
    else:
        top = images[0]
    place.write(blobs, top, time)
    print(f"{options.out} {tag} {top['digest']}")


if __name__ == "__main__":
    # What is half made goes away, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        fail(f"{error.filename2 or error.filename or 'writing'}: {error.strerror or error}")
