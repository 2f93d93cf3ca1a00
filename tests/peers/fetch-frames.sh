#!/usr/bin/env bash
# fetch-frames.sh FOLDER: gets what tests/frames.rs holds our transfer frames against, from PyPI: into lib/ the jars of Yamcs 5.12.8
# (fprime-yamcs-bundle), into classes/ tests/peers/YamcsFrames.java as they compile it, into python/ pycadu 0.1.4 and
# reed-solomon-ccsds 1.0.3 with the numpy that they need. Needs a Java compiler (17 or newer), python3 and pip; 0.2 GB on disk.
# Every file of theirs is held against its SHA-256, and FOLDER appears complete or not at all. Nothing happens where it is there already.
set -euo pipefail

fail() { echo "error: $*" >&2; exit 1; }
[ $# = 1 ] || fail "usage: fetch-frames.sh FOLDER"
folder=$1
[ ! -e "$folder" ] || { [ -f "$folder/.complete" ] && exit 0; fail "$folder is there already and not from this script: name a new folder"; }
for program in python3 javac sha256sum; do
  command -v $program >/dev/null || fail "$program is missing (on Debian: apt-get install python3-pip default-jdk-headless coreutils)"
done
source=$(cd "$(dirname "$0")" && pwd)/YamcsFrames.java
mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$(dirname "$folder")/.fetch-frames-XXXXXX")
trap 'rm -rf "$part"' EXIT

if ! python3 -m pip --version >/dev/null 2>&1; then
  python3 -m venv "$part/venv" || fail "python3 -m venv failed: install python3-venv"
  PATH=$part/venv/bin:$PATH
fi
# pip OPTIONS: quiet, and the reason where it fails
pip() { python3 -m pip "$1" --quiet --disable-pip-version-check "${@:2}" || fail "pip could not get ${!#}"; }

mkdir "$part/all"
while read -r hash name package; do
  # pycadu says that it needs Python 3.12; what is called of it runs in 3.11.
  pip download --ignore-requires-python --no-deps --dest "$part/wheels" "$package"
  found=$(sha256sum "$part/wheels/$name" | cut -d ' ' -f 1)
  [ "$found" = "$hash" ] || fail "$name has SHA-256 $found, expected $hash"
  python3 -m zipfile -e "$part/wheels/$name" "$part/all/python"
done <<'FILES'
f54e931a5c84324bb16da3a3db90aa0d90ddf41d6a19e7d81b3c4535c6f635aa fprime_yamcs_bundle-5.12.8.0-py3-none-any.whl fprime-yamcs-bundle==5.12.8.0
efc9636cbd006185871a87916ad932db53bb6eb6db561daf6d1128ca67dda7d8 pycadu-0.1.4-py3-none-any.whl pycadu==0.1.4
fafbac36819fa25ca7cdf7531c5a01220d31a2f78f577b2468889e67471950f5 reed_solomon_ccsds-1.0.3-py3-none-any.whl reed-solomon-ccsds==1.0.3
FILES
pip install --root-user-action=ignore --target "$part/all/python" 'numpy>=2'
mv "$part/all/python/fprime_yamcs_bundle/lib" "$part/all/lib"
rm -r "$part/all/python/fprime_yamcs_bundle"
javac -cp "$part/all/lib/*" -d "$part/all/classes" "$source" || fail "javac did not compile $source"

touch "$part/all/.complete"
mv --no-target-directory "$part/all" "$folder"
echo "$folder: Yamcs, pycadu and reed-solomon-ccsds are here"
