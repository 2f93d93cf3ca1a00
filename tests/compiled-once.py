"""Whether each program alone asks of every dependency the features that the whole workspace asks.

cargo compiles a crate once for each set of its features. `cargo tree` shows the sets without compiling anything;
the mending is a line in the Cargo.toml of a crate that the program has: see cssa/terminal/Cargo.toml.
"""

import subprocess
import sys


def feature_sets(*packages: str, edges: str) -> dict[str, set[frozenset[str]]]:
    """The feature sets of every dependency: more than one where a crate runs at the build as well."""
    command = ["cargo", "tree", "--locked", "--no-dedupe", "--prefix", "none", "--edges", edges, "--format", "{p}|{f}", *packages]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    sets: dict[str, set[frozenset[str]]] = {}
    for line in lines:
        crate, bar, features = line.partition("|")
        # A crate of the checkout has its path in brackets: its own features may differ.
        if bar and "(/" not in crate:
            sets.setdefault(crate.removesuffix(" (proc-macro)"), set()).add(frozenset(filter(None, features.split(","))))
    return sets


def main(programs: list[str]) -> int:
    workspace = feature_sets("--workspace", edges="normal,build,dev")
    differences = []
    for program in programs:
        packages = [] if program == "cargo build" else ["-p", program]
        for crate, sets in sorted(feature_sets(*packages, edges="normal,build").items()):
            for features in sets - workspace[crate]:
                nearest = min(workspace[crate], key=lambda other: len(other ^ features))
                differences.append(f"{program}: {crate} without {', '.join(sorted(nearest - features)) or 'nothing'}"
                                   + (f", with {', '.join(sorted(features - nearest))}" if features - nearest else ""))
    print("\n".join(differences), file=sys.stderr, end="\n" if differences else "")
    if differences:
        print("error: these would be compiled once more: ask for the features where all programs meet, see cssa/terminal/Cargo.toml", file=sys.stderr)
        return 1
    print(f"{len(programs)} builds, {len(workspace)} dependencies: each has one set of features")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
