"""The licences of what is shipped: their texts, and one SPDX expression for all."""

import glob
import os
import re

from inputs import ROOT, note, read

COMMON = "/usr/share/common-licenses"
NOTICES = "ThirdPartyNotices.txt"
# What a crate's package has its licence in.
TEXTS = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.I)


def common(texts):
    """The texts that copyright files point to, by their paths in the image."""
    found = {}
    for name in sorted({each.decode() for text in texts for each in re.findall(COMMON.encode() + rb"/([A-Za-z0-9][A-Za-z0-9.+-]*[A-Za-z0-9])", text)}):
        # The project's own copy, so that it is there on any machine.
        path = os.path.join(ROOT, "LICENSE-APACHE") if name == "Apache-2.0" else f"{COMMON}/{name}"
        if os.path.isfile(path):
            found[f"{COMMON[1:]}/{name}"] = read(path)
        else:
            note(f"{path} is not on this machine: the text is not shipped; install base-files")
    return found


def runtime(library):
    """ONNX Runtime's licence and its notices, which its wheel and its archive have beside the library's folder."""
    for folder in (os.path.dirname(library), os.path.dirname(os.path.dirname(library))):
        if os.path.isfile(f"{folder}/{NOTICES}"):
            return {f"usr/share/doc/onnxruntime/{name}": read(f"{folder}/{name}") for name in ("LICENSE", NOTICES) if os.path.isfile(f"{folder}/{name}")}
    note(f"{NOTICES} is neither beside {library} nor above: the notices of what ONNX Runtime is made of are not shipped; PyPI's wheel has them")
    return {}


def crates(components):
    """One text with the licences of the crates, each text once, from cargo's copy of their sources."""
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    texts, without, absent = {}, [], []
    for each in sorted(components.values(), key=lambda each: (each["name"], each["version"])):
        if "hashes" not in each:
            continue
        name = f"{each['name']} {each['version']}"
        licensed = f"{name} ({each['licenses'][0]['expression'] if each.get('licenses') else 'licence not named'})"
        folders = sorted(glob.glob(os.path.join(glob.escape(home), "registry", "src", "*", f"{each['name']}-{each['version']}")))
        if not folders:
            absent.append(licensed)
            continue
        files = [os.path.join(folders[0], file) for file in sorted(os.listdir(folders[0])) if TEXTS.match(file)]
        files = [file for file in files if os.path.isfile(file) and not os.path.islink(file)]
        for file in files:
            texts.setdefault(read(file).decode(errors="replace").replace("\r\n", "\n").strip("\n"), []).append(licensed)
        if not files:
            without.append(licensed)
    if absent:
        note(f"{len(absent)} crates are not in {home}/registry: their notices are not shipped; cargo fetch brings them")
    parts = ["The Rust libraries that edge is made of, and their licences. Rust's standard library: MIT OR Apache-2.0, https://www.rust-lang.org.\n"]
    parts += [f"{'=' * 80}\n{', '.join(dict.fromkeys(names))}\n{'-' * 80}\n{text}\n" for text, names in texts.items()]
    for title, names in (("Their packages have no text of a licence:", without), ("Their sources were not here when this was written:", absent)):
        if names:
            parts.append(f"{'=' * 80}\n{title}\n{', '.join(names)}\n")
    return "\n".join(parts).encode()


def expression(components, others):
    """All licences of the components and of others, as SPDX writes that all apply."""
    found = set(others)
    for each in components:
        licenses = [known["expression"] for known in each.get("licenses", [])]
        found.update(licenses or [f"LicenseRef-{re.sub('[^A-Za-z0-9.-]', '-', each['name'])}"])
    plain = {" OR ".join(sorted(each.split(" OR "))) if "(" not in each else each for each in found}
    return " AND ".join(f"({each})" if " OR " in each or " AND " in each else each for each in sorted(plain))
