#!/usr/bin/env bash
# fetch-spice.sh FOLDER: gets what METEOR and SPICE need beside Java, for `trainer score --jars FOLDER`: meteor/ and spice/ of
# pycocoevalcap 1.2 from PyPI, into spice/lib the parser CoreNLP 3.6.0, and into spice/modules the JavaScript engine Nashorn,
# which Java lacks since version 15, both from Maven Central. Needs python3, pip or venv, and Maven; 0.6 GB on disk.
# Every file is held against its SHA-256, and FOLDER appears complete or not at all. Nothing happens where it is there already.
set -euo pipefail

fail() { echo "error: $*" >&2; exit 1; }
[ $# = 1 ] || fail "usage: fetch-spice.sh FOLDER"
folder=$1
[ ! -e "$folder" ] || { [ -f "$folder/.complete" ] && exit 0; fail "$folder is there already and not from this script: name a new folder"; }
for program in python3 mvn sha256sum; do
  command -v $program >/dev/null || fail "$program is missing (on Debian: apt-get install python3 maven coreutils)"
done
mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$(dirname "$folder")/.fetch-spice-XXXXXX")
trap 'rm -rf "$part"' EXIT

# verify SHA256 FILE
verify() {
  local found
  found=$(sha256sum "$2" | cut -d ' ' -f 1)
  [ "$found" = "$1" ] || fail "${2#"$part"/} has SHA-256 $found, expected $1"
}

# maven ARTIFACT FOLDER SHA256 FILE: one file of Maven Central, without what it depends on
maven() {
  mvn --quiet --batch-mode -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$1" -DoutputDirectory="$2" </dev/null \
    || fail "Maven could not get $1"
  [ -f "$2/$4" ] || fail "Maven left no file $4 for $1"
  verify "$3" "$2/$4"
}

if ! python3 -m pip --version >/dev/null 2>&1; then
  python3 -m venv "$part/venv" || fail "python3 -m venv failed: install python3-venv"
  PATH=$part/venv/bin:$PATH
fi
wheel=$part/wheel/pycocoevalcap-1.2-py3-none-any.whl
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$part/wheel" pycocoevalcap==1.2 \
  || fail "pip could not get pycocoevalcap 1.2"
verify 083ed7910f1aec000b0a237ef6665f74edf19954204d0b1cbdb8399ed132228d "$wheel"
python3 -m zipfile -e "$wheel" "$part/unpacked"
mkdir "$part/jars"
mv "$part/unpacked/pycocoevalcap/meteor" "$part/unpacked/pycocoevalcap/spice" "$part/jars"

lib=$part/jars/spice/lib modules=$part/jars/spice/modules
parser=edu.stanford.nlp:stanford-corenlp:3.6.0
maven $parser "$lib" d341d5863276f55782c5ef73212222d6b3b48e02ae1951ab6de7618d28b12742 stanford-corenlp-3.6.0.jar
maven $parser:jar:models "$lib" d285157bd7887ee3018094b5dbae092e49088b023361ccdb550ee1daf9b2c9bd stanford-corenlp-3.6.0-models.jar
while read -r name hash; do
  maven "$name" "$modules" "$hash" "$(echo "$name" | cut -d : -f 2,3 | tr : -).jar"
done <<'FILES'
org.openjdk.nashorn:nashorn-core:15.4 6f816e84dfd63a81d4eaa7829c08337bbaff3ec683ff3bf6bbd90d017a00dc6f
org.ow2.asm:asm:7.3.1 2f67e11ceec819ebd88ddee5300aba699b1cbab2e20c22e97cf027d3be93959b
org.ow2.asm:asm-commons:7.3.1 87cd8bb3c6bf6bcbb33fca48060c5065f66ebf6a3d7de9bf18bff51bcf156ebc
org.ow2.asm:asm-util:7.3.1 182128592742ed4883ac82bf205f137b6bfbe1234c68e6feb13759e75a85b729
org.ow2.asm:asm-tree:7.3.1 f91a4a8aa868c5c4665bb4fd134019a91f9f8b9216527fba295e3c8b5422b78b
org.ow2.asm:asm-analysis:7.3.1 46b8a8efd4b94facb5ab4b35afe30ee0546ae7a43d2c64e6def56c2f168fefa5
FILES

touch "$part/jars/.complete"
mv --no-target-directory "$part/jars" "$folder"
echo "$folder: METEOR and SPICE are here"
