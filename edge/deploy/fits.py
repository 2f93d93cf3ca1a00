"""Whether a base image has what the program needs to start: the loader, and C libraries that are new enough."""

import fnmatch
import os

import sbom
from inputs import fail
from program import LOADERS, lacking, needed


def fits(base, program):
    """Refuses a base without the loader or a C library that the program needs, or with an older one."""
    loader = LOADERS[program.machine]
    names = sorted({name for path in program.linked for name in needed(path)} - {os.path.basename(loader)})
    places = {name: [f"{folder}/{name}" for folder in folders(base, program.machine)] for name in names}
    places[os.path.basename(loader)] = [f"/{loader}"]
    files = {place: base.files.find(place) for several in places.values() for place in several}
    files = {place: file for place, file in files.items() if isinstance(file, tuple)}
    contents = base.contents(set(files.values()))
    found = {}
    for name, several in places.items():
        here = [(place, contents.get(files[place][:2], b"")) for place in several if place in files]
        found[name] = next((each for each in here if sbom.triple_of(each[1]) == program.triple), None)
        if not found[name]:
            fail(f"--base {base.name} has no {name} for {program.machine}, which {program.path} needs: name a base with glibc and libstdc++")
    for path in program.linked:
        library, version, newest = lacking(path, {name: content for name, (_, content) in found.items()})
        if library:
            fail(f"--base {base.name}: {found[library][0]} has {newest}, {path} needs {version}: name a newer base, or build with edge/deploy/build.sh")


def folders(base, machine):
    """Where ld.so looks in the image, in its order: ld.so(8), with Debian's and Fedora's folders."""
    variables = dict(each.split("=", 1) for each in base.settings.get("Env") or [])
    found = [each for each in variables.get("LD_LIBRARY_PATH", "").split(":") if each]
    if base.files.find("/etc/ld.so.cache"):
        found += configured(base.files, "/etc/ld.so.conf", 2)
    return found + [f"/lib/{machine}-linux-gnu", f"/usr/lib/{machine}-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]


def configured(files, path, depth):
    """The folders that a configuration of ldconfig names, with those that it includes."""
    file = files.find(path)
    if not isinstance(file, tuple) or not file[2] or not depth:
        return []
    found = []
    for line in file[2].decode(errors="replace").splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                folder, name = os.path.split(os.path.join("/etc", pattern))
                inside = files.find(folder)
                for each in sorted(fnmatch.filter(inside, name)) if isinstance(inside, dict) else []:
                    found += configured(files, f"{folder}/{each}", depth - 1)
        else:
            found += [each for each in words[:1] if each.startswith("/")]
    return found
