#!/usr/bin/env python3
"""The bill of materials of what is shipped, as CycloneDX 1.6: the crates that a program is made of, libraries, and the bundle.

Its crates are those that cargo resolves for the program's target and features, from Cargo.lock; whether tract is among them is read off the
program itself. The same inputs give the same bytes.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import licenses
from bundle import Bundle, Words
from inputs import ROOT, fail, read

LICENSES = {
    "glibc": "LGPL-2.1-or-later",
    "libstdc++": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libudev": "LGPL-2.1-or-later",
    "onnxruntime": "MIT",
}
# The files that glibc is made of.
GLIBC = r"(ld-linux|lib(c|m|mvec|dl|pthread|rt|util|resolv|anl|nss_\w+)\.so)"


def sha256(content):
    return {"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}


def workspace(field):
    return re.search(rf'^\[workspace\.package\](?:\n.+)*?\n{field} = "(.+)"', read(os.path.join(ROOT, "Cargo.toml")).decode(), re.M).group(1)


def crates(program, content, triple):
    """Components and who takes whom: the root first."""
    features = [] if program != "edge" or b"/tract-core-" in content else ["--no-default-features"]
    command = [os.environ.get("CARGO", "cargo"), "tree", "--locked", "--package", program, "--edges", "normal,no-proc-macro"]
    command += ["--target", triple, "--prefix", "depth", "--no-dedupe", "--format", "|{p}|{l}|{r}", *features]
    try:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        fail("cargo is missing: it names the crates of the bill of materials")
    except subprocess.CalledProcessError as error:
        fail(f"{' '.join(command)}: {error.stderr.strip()}")
    locked = re.findall(r'name = "(.+)"\nversion = "(.+)"\n(?:source = .+\n)?(?:checksum = "(.+)"\n)?', read(os.path.join(ROOT, "Cargo.lock")).decode())
    checksums = {f"{name}@{version}": checksum for name, version, checksum in locked}
    components, takes, path = {}, {}, []
    for line in told.splitlines():
        depth, package, license, repository = line.split("|")
        name, version = package.split(" ")[:2]
        key, purl = f"{name}@{version[1:]}", f"pkg:cargo/{name}@{version[1:]}"
        component = {"type": "library", "bom-ref": purl, "name": name, "version": version[1:], "purl": purl}
        if license:
            component["licenses"] = [{"expression": re.sub(" */ *", " OR ", license)}]
        if repository:
            component["externalReferences"] = [{"type": "vcs", "url": repository}]
        if checksums.get(key):
            component["hashes"] = [{"alg": "SHA-256", "content": checksums[key]}]
        path = path[: int(depth)] + [purl]
        components.setdefault(purl, component)
        takes.setdefault(purl, set())
        if len(path) > 1:
            takes[path[-2]].add(purl)
    return components, takes


def onnxruntime(path, content):
    """ONNX Runtime's library: its symbols name its version."""
    version = re.search(rb"\0VERS_(\d+\.\d+\.\d+)\0", content)
    if not version:
        fail(f"{path} names no version of ONNX Runtime (VERS_…), expected libonnxruntime.so")
    return library("onnxruntime", version.group(1).decode(), content, f"pkg:github/microsoft/onnxruntime@v{version.group(1).decode()}")


def library(name, version, content, purl):
    found = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "hashes": [sha256(content)]}
    return licensed(found, name)


def unknown(soname, content):
    """A C library of no package: what it is by its name, and its hash."""
    described = "C library whose package and supplier are not known; found by its file's name"
    found = {"type": "library", "bom-ref": f"file:{soname}", "name": soname, "description": described, "hashes": [sha256(content)]}
    return licensed(found, "libc6" if re.match(GLIBC, soname) else soname)


def licensed(component, name):
    upstream = next((each for each in LICENSES if name.startswith(each)), "glibc" if name.startswith("libc6") else None)
    if upstream:
        component["licenses"] = [{"expression": LICENSES[upstream]}]
    return component


def required(depends):
    """What a package needs of the system it is installed on, and does not bring: `libc6 (>= 2.31), libgcc-s1`."""
    for each in filter(None, (part.strip() for part in depends.split(","))):
        name, _, version = each.partition(" ")
        found = {"type": "library", "bom-ref": f"system:{name}", "name": name, "description": f"of the system: {each}"}
        if version:
            found["version"] = version.strip("()")
        key = {"libc6": "glibc", "libstdc++6": "libstdc++", "libgcc-s1": "libgcc", "libudev1": "libudev"}.get(name)
        if key:
            found["licenses"] = [{"expression": LICENSES[key]}]
        yield found


def model(bundle):
    """The model: its manifest's hash, its files, and what it was trained on."""
    id, text = bundle.id(), bundle.text
    sources = re.search(r"^datasets = \[([^\]]*)\]", text, re.M)
    names = re.findall(r'"([^"]+)"', sources.group(1)) if sources else []
    backbone = re.search(r'^backbone = "(.+)"', text, re.M)
    return {
        "type": "machine-learning-model",
        "bom-ref": f"bundle:{id}",
        "name": "cssa",
        "version": id,
        "description": "captions aerial images: CSSA (Remote Sens. 2026, 18, 522), a bundle of CSSA Onboard; the hash is its manifest's",
        "hashes": [sha256(bundle.contents["manifest.toml"])],
        "licenses": [{"expression": bundle.license()}],
        "modelCard": {
            "modelParameters": {
                "task": "image-captioning",
                "architectureFamily": "CSSA",
                "modelArchitecture": backbone.group(1) if backbone else "CSSA",
                "datasets": [{"type": "dataset", "name": name} for name in names],
            }
        },
        "components": [
            {"type": "data", "bom-ref": f"bundle:{id}/{name}", "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}
            for name, (_, digest) in sorted(bundle.digests.items())
        ],
    }


def document(name, program, content, others, bundle):
    """The document's bytes. `program` is what `crates` gives; `others` are components that the caller knows."""
    components, takes = program
    components, root = dict(components), next(iter(components))
    shipped = {"type": "application", "bom-ref": name, "name": name, "version": workspace("version")}
    shipped["licenses"] = [{"expression": workspace("license")}]
    components[root] = {**components[root], "type": "application", "hashes": [sha256(content)]}
    more = [*others, model(bundle)]
    listed = [components[root], *(components[each] for each in sorted(components) if each != root), *more]
    depends = [{"ref": name, "dependsOn": [root, *(each["bom-ref"] for each in more)]}]
    depends += [{"ref": each, "dependsOn": sorted(takes[each])} for each in sorted(takes)]
    found = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": shipped, "tools": {"components": [{"type": "application", "name": "sbom.py", "version": workspace("version")}]}},
        "components": listed,
        "dependencies": depends,
    }
    # The number of what is in it: another one where anything is another.
    found["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(found, sort_keys=True))}"
    return (json.dumps(found, indent=1, sort_keys=True) + "\n").encode()


def triple_of(content):
    """The target of a program, by its ELF header."""
    machine = {62: "x86_64", 183: "aarch64"}.get(int.from_bytes(content[18:20], "little")) if content[:4] == b"\x7fELF" else None
    return machine and f"{machine}-unknown-linux-gnu"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="of what is shipped")
    parser.add_argument("program", help="edge or ground, built")
    parser.add_argument("bundle")
    parser.add_argument("--onnxruntime")
    parser.add_argument("--depends", default="", help="what the system must have, as a Debian package says it")
    parser.add_argument("--texts", help="a folder that the licences of crates and ONNX Runtime's notices are written into")
    options = parser.parse_args()
    content = read(options.program)
    triple = triple_of(content) or fail(f"{options.program} is no program for x86-64 or aarch64")
    others = list(required(options.depends))
    if options.onnxruntime:
        others.append(onnxruntime(options.onnxruntime, read(options.onnxruntime)))
    program = crates(os.path.basename(options.program), content, triple)
    if options.texts:
        texts = licenses.runtime(os.path.realpath(options.onnxruntime)) if options.onnxruntime else {}
        for path, text in {**texts, "THIRD-PARTY": licenses.crates(program[0])}.items():
            # ONNX Runtime's licence is in the package's own copyright file.
            if os.path.basename(path) != "LICENSE":
                with open(os.path.join(options.texts, os.path.basename(path)), "wb") as file:
                    file.write(text)
    bundle = Bundle(options.bundle) if os.path.basename(options.program) == "edge" else Words(options.bundle)
    sys.stdout.buffer.write(document(options.name, program, content, others, bundle))


if __name__ == "__main__":
    main()
