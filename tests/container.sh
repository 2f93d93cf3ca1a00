#!/usr/bin/env bash
# Makes the container image and enters it as a container's engine does: read-only, as an unprivileged user, without a network. The program
# edge must be built.
#
#   tests/container.sh [amd64]              this machine's image, and everything around it (a minute)
#   tests/container.sh arm64 EDGE LIBRARY   the image for aarch64, its captions under qemu; QEMU_CPU is the processor
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "error: $*" >&2; exit 1; }
skipped() { echo "skipped: $*"; }
export PIP_DISABLE_PIP_VERSION_CHECK=1 OMP_NUM_THREADS=1
kind=${1:-amd64} name=cssa-edge version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
edge=$PWD/target/release/edge library=$PWD/target/onnxruntime/libonnxruntime.so
[ -x "$edge" ] || fail "$edge is missing: cargo build --release -p edge"
unset CSSA_BUNDLE
# A source archive has no commit, whose time the image would have.
git ls-files --error-unmatch edge/deploy/image.py >/dev/null 2>&1 || export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}
work=$(mktemp -d)
trap '[ -n "${KEEP-}" ] || { chmod -R u+rwX "$work"; rm -rf "$work"; }' EXIT
# Others must get in: the container's user is nobody here.
chmod 755 "$work"
command -v umoci >/dev/null || { skipped "the image, unpacked and entered: umoci is not here"; exit 0; }

# as_user COMMAND…: as the container's user where this one may become it
as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid 65532 --regid 65532 --clear-groups "$@"; else "$@"; fi; }

# entered STATE CONFIGURATION [OPTION…] -- ARGUMENT…: the image's program, with all that a container is given. Its root is read-only.
entered() {
  local state=$1 configuration=$2 options=(); shift 2
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  as_user bwrap --ro-bind "$work/image/rootfs" / --proc /proc --dev /dev --bind "$state" /var/lib/cssa --ro-bind "$configuration" /etc/cssa/edge.toml \
    --unshare-all --die-with-parent --clearenv --setenv PATH /usr/bin --setenv OMP_NUM_THREADS 1 --chdir /var/lib/cssa "${options[@]}" "$@"
}

# unpacked LAYOUT TAG: into $work/image
unpacked() {
  [ ! -e "$work/image" ] || { chmod -R u+rwX "$work/image"; rm -rf "$work/image"; }
  umoci --log error unpack $([ "$(id -u)" = 0 ] || echo --rootless) --image "$1:$2" "$work/image"
  chmod 755 "$work/image"
}

# A state with the scenes in incoming/, owned by the container's user.
state() { # FOLDER
  mkdir -p "$1/incoming" && cp fixtures/scenes/images/*.jpg "$1/incoming/"
  chmod -R a+rX "$1"
  [ "$(id -u)" != 0 ] || chown -R 65532:65532 "$1"
}

# plain FILE: captions as JSON without what a clock says: latencies, and packets, which have the time
plain() {
  python3 - "$1" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    found = {key: value for key, value in json.loads(line).items() if not key.endswith("_ms") and not key.startswith("packet_")}
    print(json.dumps(found, sort_keys=True))
PY
}

# outside STATE: captions of the program itself
outside() {
  (cd "$1" && ORT_DYLIB_PATH=$library "$edge" caption --json --threads 1 incoming > "$work/outside.json" 2> "$work/outside.log") || fail "$(cat "$work/outside.log")"
}

# same STATE CAPTIONS: the program says what the image says
same() {
  outside "$1"
  [ "$(wc -l < "$2")" = "$(ls fixtures/scenes/images/*.jpg | wc -l)" ] || fail "$(wc -l < "$2") captions"
  cmp <(plain "$2") <(plain "$work/outside.json") || fail "the image's captions are not the program's"
}

if [ "$kind" = arm64 ]; then
  program=$(realpath "$2") runtime=$(realpath "$3") qemu=$(command -v qemu-aarch64-static) || fail "qemu-aarch64-static is missing: install qemu-user-static"
  for each in one other; do edge/deploy/image.py "$work/$each" --platform "$program" "$runtime" ${4-}; done
  diff -r "$work/one" "$work/other" || fail "the same inputs gave two images"
  [ "$(du -sb "$work/one" | cut -f1)" -le 60000000 ] || fail "the image has more than 60 MB"
  unpacked "$work/one" "$name:$version"
  state "$work/state"
  qemu_in=(--ro-bind "$qemu" /tmp/qemu)
  # A mount's place must be there: qemu's is made in the unpacked copy.
  touch "$work/image/rootfs/tmp/qemu"
  entered "$work/state" edge/deploy/edge.toml "${qemu_in[@]}" -- /tmp/qemu -cpu "${QEMU_CPU:-cortex-a76}" /usr/bin/edge caption --json --threads 1 incoming > "$work/inside.json" || fail "the image for aarch64 does not caption"
  # The program itself, under the same qemu, beside the image: the same to the letter.
  (cd "$work/state" && ORT_DYLIB_PATH=$runtime "$qemu" -cpu "${QEMU_CPU:-cortex-a76}" -L "$work/image/rootfs" "$program" caption --bundle "$OLDPWD/fixtures/bundle" --json \
    --threads 1 incoming > "$work/outside.json" 2> "$work/outside.log") || fail "the program for aarch64 does not caption: $(tail -n 3 "$work/outside.log")"
  cmp <(plain "$work/inside.json") <(plain "$work/outside.json") || fail "the image's captions are not the program's"
  outside "$work/state"
  # ONNX Runtime rounds otherwise on x86-64: what either believes, the other one says, too.
  python3 - "$work/inside.json" "$work/outside.json" <<'PY'
import json, sys
inside, outside = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
if not inside or [each["image"] for each in inside] != [each["image"] for each in outside]: sys.exit("error: other images")
others = [(a, b) for a, b in zip(inside, outside) if a["caption"] != b["caption"]]
for a, b in others:
    print(f"{a['image']}: {a['caption']} ({a['confidence']}), on this machine {b['caption']} ({b['confidence']})")
if any(max(a["confidence"], b["confidence"]) >= 0.5 for a, b in others): sys.exit("error: other captions that are believed")
furthest = max(abs(a["confidence"] - b["confidence"]) for a, b in zip(inside, outside))
print(f"{len(inside) - len(others)} of {len(inside)} captions equal, {inside[0]['runtime']}, confidence differs by {furthest:.3f} at most")
PY
  echo "the image for aarch64 says what its program says"
  if command -v skopeo >/dev/null; then
    edge/deploy/image.py "$work/both.tar" --platform "$edge" "$library" --platform "$program" "$runtime" ${4-}
    for each in amd64 arm64; do
      skopeo inspect --override-arch $each "oci-archive:$work/both.tar" | grep "\"Architecture\": \"$each\"" >/dev/null || fail "the image for both has none for $each"
    done
  fi
  exit
fi
[ "$kind" = amd64 ] || fail "unknown image $kind, expected amd64 or arm64"

echo "the image's builder: layouts, bases, bundles, licences"
(cd edge/deploy/tests && python3 -m unittest --quiet) || fail "unit tests of edge/deploy"

echo "the same inputs in two folders"
for each in one other; do
  mkdir -p "$work/from-$each/lib"
  strip -o "$work/from-$each/edge" "$edge"
  # Its providers lie beside the library.
  cp "$(dirname "$(readlink -f "$library")")"/libonnxruntime*.so* "$work/from-$each/lib/"
  # Its notices lie above, as in the wheel.
  echo notices > "$work/from-$each/ThirdPartyNotices.txt"
  edge/deploy/image.py "$work/$each" --platform "$work/from-$each/edge" "$work/from-$each/lib/$(basename "$(readlink -f "$library")")"
done
diff -r "$work/one" "$work/other" || fail "the same inputs gave two images"
# All of it: layers, configuration, manifest.
[ "$(du -sb "$work/one" | cut -f1)" -le 60000000 ] || fail "the image has more than 60 MB"
(cd "$work/one/blobs/sha256" && for blob in *; do echo "$blob  $blob"; done | sha256sum --check --quiet)
if command -v skopeo >/dev/null; then
  skopeo inspect --config "oci:$work/one:$name:$version" > "$work/config.json"
  python3 - "$work/config.json" <<'PY'
import json, sys
config = json.load(open(sys.argv[1]))["config"]
expected = {"User": "65532:65532", "Entrypoint": ["/usr/bin/edge"], "StopSignal": "SIGTERM", "Volumes": {"/var/lib/cssa": {}}}
for key, value in expected.items():
    if config.get(key) != value: sys.exit(f"error: the image's {key} is {config.get(key)}, expected {value}")
PY
else
  skipped "the image as skopeo reads it"
fi
unpacked "$work/one" "$name:$version"
[ -z "$(find "$work/image/rootfs" -name '*sh' -type f -perm /111)" ] || fail "the image has a shell"

if command -v bwrap >/dev/null && as_user bwrap --ro-bind "$work/image/rootfs" / --proc /proc --unshare-all /usr/bin/edge --version >/dev/null; then
  inventory() { (cd "$work/image/rootfs" && find . -printf '%p %m %s %T@\n' | sort | sha256sum); }
  before=$(inventory)
  state "$work/state"
  entered "$work/state" edge/deploy/edge.toml -- /usr/bin/edge caption --json --threads 1 incoming > "$work/inside.json"
  same "$work/state" "$work/inside.json"
  echo "captions in the image are the program's"

  # The whole configuration is one file that is mounted.
  cat > "$work/edge.toml" <<'TOML'
state = "/var/lib/cssa"
[source]
kind = "folder"
path = "/var/lib/cssa/incoming"
[model]
threads = 1
looks = 1
[policy]
outside = "send"
[link]
to = "file:/var/lib/cssa/packets.bin"
[health]
heartbeat_seconds = 1
TOML
  chmod 644 "$work/edge.toml"
  healthy() { entered "$work/state" "$work/edge.toml" -- /usr/bin/edge health --config /etc/cssa/edge.toml; }
  ! healthy 2>/dev/null || fail "nothing runs, and it is said to be well"
  entered "$work/state" "$work/edge.toml" --as-pid-1 --info-fd 9 -- /usr/bin/edge run --config /etc/cssa/edge.toml 9> "$work/info" > "$work/run.json" 2> "$work/run.log" &
  run=$!
  for _ in $(seq 100); do [ -z "$(sed -n 's/.*"child-pid": *\([0-9]*\).*/\1/p' "$work/info" 2>/dev/null)" ] || break; sleep 0.1; done
  child=$(sed -n 's/.*"child-pid": *\([0-9]*\).*/\1/p' "$work/info")
  [ -n "$child" ] || fail "bwrap names no process: $(cat "$work/run.log")"
  for _ in $(seq 300); do
    if healthy > "$work/health.json" 2>/dev/null; then break; fi
    kill -0 "$run" 2>/dev/null || fail "edge run ended: $(tail -n 5 "$work/run.log")"
    sleep 0.2
  done
  [ -s "$work/health.json" ] || fail "it is not well: $(healthy 2>&1)"
  for _ in $(seq 300); do [ ! -s "$work/state/packets.bin" ] || break; sleep 0.2; done
  began=$(date +%s%N)
  kill -TERM "$child"
  wait "$run" || fail "SIGTERM: edge run ended with $?: $(tail -n 5 "$work/run.log")"
  took=$((($(date +%s%N) - began) / 1000000))
  [ $took -le 2000 ] || fail "SIGTERM took $took ms, expected 2,000 at most"
  [ -s "$work/state/packets.bin" ] || fail "the image sent nothing"
  [ "$(inventory)" = "$before" ] || fail "something was written outside of the state"
  echo "well by its health check, $(cat "$work/health.json"); ended $took ms after SIGTERM"
else
  skipped "entering the image: bwrap is not here or may not make namespaces"
fi

echo "licences: what copyright files point to, notices of ONNX Runtime and of the crates"
documents=$work/image/rootfs/usr/share/doc
grep -rhoE '/usr/share/common-licenses/[A-Za-z0-9][A-Za-z0-9.+-]*[A-Za-z0-9]' "$documents" | sort -u > "$work/pointed"
[ -s "$work/pointed" ] || fail "no copyright file points to a licence"
while read -r each; do [ -s "$work/image/rootfs$each" ] || fail "the image has no $each"; done < "$work/pointed"
[ -s "$documents/onnxruntime/ThirdPartyNotices.txt" ] || fail "the image has no notices of ONNX Runtime"
grep -q 'redb [0-9.]* (' "$documents/cssa-edge/THIRD-PARTY" || fail "the image has no notice of redb"

echo "a second tag, a slash at the end, and C libraries of a folder, which are of no package"
runtime=$work/from-one/lib/$(basename "$(readlink -f "$library")")
mkdir "$work/c-libraries"
find "$work/image/rootfs/usr/lib64" "$work/image/rootfs/usr/lib/$(uname -m)-linux-gnu" -name '*.so*' -exec cp {} "$work/c-libraries/" \;
edge/deploy/image.py "$work/other/" --platform "$work/from-one/edge" "$runtime" "$work/c-libraries" --tag folder
unpacked "$work/other" "$name:$version"
unpacked "$work/other" folder
grep -q 'libc.so.6: LGPL-2.1-or-later' "$documents/c-libraries/copyright" || fail "the image does not say what is known of its C libraries"
cp "$documents/cssa-edge/sbom.cdx.json" "$work/folder.cdx.json"
if command -v bwrap >/dev/null && as_user true; then
  state "$work/state-folder"
  entered "$work/state-folder" edge/deploy/edge.toml -- /usr/bin/edge caption --json --threads 1 incoming > "$work/inside.json"
  same "$work/state-folder" "$work/inside.json"
fi

echo "on a base of the user's, for another provider"
umoci --log error init --layout "$work/base" && umoci --log error new --image "$work/base:empty"
refused() { # EXPECTED ARGUMENT…: image.py says so
  local expected=$1 said; shift
  ! said=$(edge/deploy/image.py "$work/refused" "$@" 2>&1) || fail "image.py $* was not refused"
  case $said in *"$expected"*) ;; *) fail "image.py says $said, expected $expected" ;; esac
}
refused "which $work/from-one/edge needs" --platform "$work/from-one/edge" "$runtime" --base "oci:$work/base:empty"
refused "names 0 images" --platform "$work/from-one/edge" "$runtime" --base "oci:$work/base:other"
refused "a layout on this machine" --platform "$work/from-one/edge" "$runtime" --base docker://nvcr.io/nvidia/cuda
refused "libonnxruntime_providers_cuda.so is not beside" --platform "$work/from-one/edge" "$runtime" --base "oci:$work/base:empty" --provider cuda
# The base: C libraries, and a variable of its own. PyPI's library for the CPU has one provider: it stands for CUDA's.
umoci --log error unpack $([ "$(id -u)" = 0 ] || echo --rootless) --image "$work/base:empty" "$work/own"
(cd "$work/image/rootfs" && cp -a --parents lib lib64 usr/lib64 usr/lib/*-linux-gnu "$work/own/rootfs/")
mkdir -p "$work"/own/rootfs/{proc,dev}
umoci --log error repack --image "$work/base:libraries" "$work/own"
umoci --log error config --image "$work/base:libraries" --config.env BASE=1
cp "$work/from-one/lib/libonnxruntime_providers_shared.so" "$work/from-one/lib/libonnxruntime_providers_cuda.so"
# A layer that takes a library away.
umoci --log error unpack $([ "$(id -u)" = 0 ] || echo --rootless) --image "$work/base:libraries" "$work/without"
rm "$work"/without/rootfs/usr/lib/*-linux-gnu/libgcc_s.so.1
umoci --log error repack --image "$work/base:without" "$work/without"
refused "has no libgcc_s.so.1" --platform "$work/from-one/edge" "$runtime" --base "oci:$work/base:without"
# The image joins the layout of its base, all of whose images stay.
cp -r "$work/base" "$work/cuda"
edge/deploy/image.py "$work/cuda" --platform "$work/from-one/edge" "$runtime" --base "oci:$work/cuda:libraries" --provider cuda
tags=$(umoci list --layout "$work/cuda" | sort | tr '\n' ' ')
[ "$tags" = "$name:$version-cuda empty libraries without " ] || fail "the layout of the base has $tags"
unpacked "$work/cuda" "$name:$version-cuda"
grep -q '^provider = "cuda"$' "$work/image/rootfs/etc/cssa/edge.toml" || fail "the image for CUDA is not configured for it"
grep -q NVIDIA_VISIBLE_DEVICES=all "$work"/cuda/blobs/sha256/* || fail "the image for CUDA asks for no device"
! command -v skopeo >/dev/null || skopeo inspect "oci:$work/cuda:$name:$version-cuda" | grep BASE=1 >/dev/null || fail "the base's environment is lost"
if command -v bwrap >/dev/null && as_user true; then
  state "$work/state-cuda"
  entered "$work/state-cuda" edge/deploy/edge.toml -- /usr/bin/edge caption --json --threads 1 incoming > "$work/inside.json"
  same "$work/state-cuda" "$work/inside.json"
fi
blob=$(ls -S "$work/base/blobs/sha256" | head -n 1)
printf x | dd of="$work/base/blobs/sha256/$blob" bs=1 seek=1000 conv=notrunc status=none
refused "has another digest than its name" --platform "$work/from-one/edge" "$runtime" --base "oci:$work/base:libraries"

echo "examples and bills of materials, by their own tools"
venv=target/container-venv known="kubernetes-validate==1.37.0 check-jsonschema>=0.34 cyclonedx-python-lib[validation]==11.12.0"
if [ "$(cat $venv/known 2>/dev/null)" != "$known" ]; then
  rm -rf $venv && python3 -m venv $venv && $venv/bin/pip install --quiet --no-compile $known || fail "pip could not install $known"
  echo "$known" > $venv/known
fi
deploy=edge/deploy/container
$venv/bin/kubernetes-validate --strict --quiet $deploy/kubernetes.yaml
$venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec $deploy/compose.yaml
if docker compose version >/dev/null 2>&1; then docker compose --file $deploy/compose.yaml config --quiet; else skipped "docker compose config"; fi
for generator in /usr/libexec/podman/quadlet /usr/lib/podman/quadlet; do [ ! -x $generator ] || break; done
if [ -x $generator ]; then
  QUADLET_UNIT_DIRS=$PWD/$deploy $generator -dryrun >/dev/null || fail "quadlet refuses $deploy/cssa-edge.container"
else
  skipped "the quadlet: podman 4.5 or newer is not here"
fi
# All name the image that is made.
for each in kubernetes.yaml compose.yaml cssa-edge.container; do
  grep -q "[iI]mage[:=] *localhost/$name:$version$" $deploy/$each || fail "$deploy/$each names another image than $name:$version"
done
edge/deploy/sbom.py cssa-edge "$work/from-one/edge" fixtures/bundle --onnxruntime "$library" --depends "libc6 (>= 2.31), libstdc++6" > "$work/deb.cdx.json"
$venv/bin/python - "$work/deb.cdx.json" "$work/image/rootfs/usr/share/doc/cssa-edge/sbom.cdx.json" "$work/folder.cdx.json" <<'PY'
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
for path in sys.argv[1:]:
    text = open(path).read()
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text): sys.exit(f"error: {path}: {error}")
    document = json.loads(text)
    found = {each["name"]: each for each in document["components"]}
    for name in ("edge", "cssa-kernel", "redb", "onnxruntime", "cssa"):
        if name not in found: sys.exit(f"error: {path} does not name {name}")
    unlicensed = [name for name, each in found.items() if not each.get("licenses") and each["type"] == "library"]
    if unlicensed: sys.exit(f"error: {path}: no licence of {unlicensed}")
    models = [each["hashes"][0]["content"] for each in document["components"] if each["type"] == "machine-learning-model"]
    print(f"{len(found)} components, model {models[0][:12]}…")
PY
# One SPDX expression for all parts. A LicenseRef is nobody's but ours.
$venv/bin/python - "$work/one/blobs/sha256" <<'PY'
import json, os, re, sys
from license_expression import get_spdx_licensing
contents = [open(os.path.join(sys.argv[1], name), "rb").read() for name in os.listdir(sys.argv[1])]
said = [json.loads(each)["annotations"]["org.opencontainers.image.licenses"] for each in contents if each.startswith(b'{"annotations"')]
if len(said) != 1: sys.exit(f"error: {len(said)} manifests say their licences")
if errors := get_spdx_licensing().validate(re.sub(r" AND LicenseRef-[A-Za-z0-9.-]+", "", said[0])).errors: sys.exit(f"error: {said[0]}: {errors}")
for part in ("GPL-3.0-or-later WITH GCC-exception-3.1", "LGPL-2.1-or-later", "MPL-2.0", "Unicode-3.0", "LicenseRef-ONNX-Runtime"):
    if part not in said[0]: sys.exit(f"error: {said[0]} does not name {part}")
PY
echo "the container image does what the program does"
