#!/usr/bin/env bash
# Writes, with `edge` of revision 42b033e, the store, slots and archive of the tests of upgrades into a new folder.
# usage: make.sh CHECKOUT_OF_42B033E EDGE OUT, with ORT_DYLIB_PATH
set -euo pipefail
checkout=$1 edge=$(realpath "$2") out=$3
bundle=$checkout/fixtures/bundle
mkdir "$out" && cd "$out" && mkdir incoming
"$edge" key ground.key
configure() { # LINK
  cat > edge.toml <<CONFIG
state = "state"
[model]
bundle = "$bundle"
[source]
kind = "folder"
path = "incoming"
watch = false
[policy]
watch = { airplane = 2, trees = 1 }
[link]
to = "$1"
key = "ground.key"
resend_seconds = 0.5
captions = 2
CONFIG
}
frames() { for n in "$@"; do cp "$checkout/fixtures/scenes/images/scene_0000$n.jpg" incoming/; done; }
fly() { "$edge" run --config edge.toml; }
# A ground hears: three captions arrive and are acknowledged.
"$edge" receive --from udp:127.0.0.1:7399 --key ground.key --archive captions.gpkg --bundle "$bundle" --quiet & ground=$!
sleep 1
configure udp:127.0.0.1:7399
frames 1 2 3 && fly
# Nobody hears: three more wait, two of which went out.
kill $ground && wait $ground || true
frames 4 5 6 && fly
# The link is down: two more wait that never went out.
configure udp:no-such-host.invalid:1
frames 7 8 && fly
# A packet of scene 9 that names bundle ccb5, which nobody has: byte 1 of the packet and its CRC-32 are changed.
printf '\x05\x02\xb5\xcc\x50\x0c\x5f\x6d\x9b\x25\x4a\x19\x2d\xa3\xc8\x9c\x2b\x02\xe4\x00' > other.bin
"$edge" receive --from file:other.bin --archive captions.gpkg --bundle "$bundle"
# A bundle in each slot, the second one active.
for _ in 1 2; do "$edge" install "$bundle" --state state; done
