#!/usr/bin/env bash
# What the documentation's commands find under the names that they use: run.py says which name is which of these. Runs in the folder that they are
# made in, with the programs on PATH.
#   usage: inputs.sh CHECKOUT
set -euo pipefail
checkout=$1

# A dataset and folders of images.
scenes --out dataset --count 12 --seed 7 2> /dev/null
# The same under the names of others.
for name in ucm rsicd; do
  cp -r dataset $name
  sed "s/\"dataset\": *\"scenes\"/\"dataset\": \"$name\"/" dataset/dataset_scenes.json > $name/dataset_$name.json
  rm $name/dataset_scenes.json
done
mkdir images
cp "$checkout"/fixtures/scenes/images/scene_0000[0-5].jpg images/
cp images/scene_00003.jpg airport.jpg
cp "$checkout/cssa/src/object_groups.txt" objects.txt

# Bundles, a delta, keys to sign with.
exporter pack "$checkout/fixtures/bundle" --out mine.cssa
exporter annotate mine.cssa --license MIT --out new.cssa 2> /dev/null
exporter delta mine.cssa new.cssa --out new.delta 2> /dev/null
cp -r "$checkout/fixtures/bundle" bundle
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out model.pem 2> /dev/null
openssl pkey -in model.pem -pubout -out model.pub
exporter sign bundle --openssf model.pem

backbone=$checkout/../shared/backbones/efficientnet_lite2.safetensors
[ ! -e "$backbone" ] || ln -s "$backbone" .

# A run, a recipe that trains in seconds, captions of the dataset's test images and of the folder.
cp -r "$checkout/fixtures/run" run
sed -n '/^pub const RECIPE/,/^"#;/p' "$checkout/tests/src/lib.rs" | sed '1d;$d' > recipe.toml
trainer evaluate --run run --data dataset --split test --hypotheses captions.json --cache features --device cpu > /dev/null 2>&1
edge caption images --packets pass.bin 2> /dev/null | sed 's/^[^:]*: //; s/ ([a-z ]*)$//' > captions.txt

# An archive of scenes: a GeoTIFF, and the table of its tiles.
gdal_translate -q -outsize 1024 1024 images/scene_00000.jpg scene.tif
python3 - <<'PY'
import json
item = {"type": "Feature", "stac_version": "1.1.0", "id": "scene", "geometry": None, "properties": {"datetime": "2026-05-01T10:00:00Z"}, "links": [],
        "assets": {"image": {"href": "scene.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]}}}
json.dump({"type": "FeatureCollection", "features": [item]}, open("scenes.json", "w"))
PY
archive --tiles scenes.json --out tiles --tile-pixels 256 > /dev/null
cp tiles/*.parquet tiles.parquet

# A vehicle, its key and a ground that has heard it; its frames are large enough to ask for a part of one.
for key in uav new; do ground key $key.key 2> /dev/null; done
mkdir frames
for image in images/*; do
  gdal_translate -q -of JPEG -outsize 1280 1280 "$image" "frames/$(basename "$image")"
done
rm -f frames/*.xml
cat > vehicle.toml <<'TOML'
state = "vehicle-state"
[source]
kind = "folder"
path = "frames"
[policy]
watch = { road = 1, tree = 1, building = 1, water = 1, plant = 1, field = 1 }
[link]
to = "udp:127.0.0.1:7301"
vehicle = 12
key = "uav.key"
resend_seconds = 1
[pictures]
small_bytes = 1000000
frame_bytes = 10000000
TOML
sed -e 's|/var/lib/cssa/packets.bin|packets.bin|; s|/var/lib/cssa|state|; s|^path = .*|path = "images"|' "$checkout/edge/deploy/edge.toml" > edge.toml
ground receive --from udp:0.0.0.0:7301 --archive captions.gpkg --key uav.key > received.txt 2>&1 &
receiver=$!
edge run --config vehicle.toml > /dev/null 2>&1 &
vehicle=$!
for _ in $(seq 100); do
  [ "$(grep -c 'vehicle 12 [0-9]' received.txt)" -lt 4 ] || break
  sleep 0.2
done
sleep 1
kill -TERM $vehicle $receiver
wait $vehicle $receiver
cat received.txt
