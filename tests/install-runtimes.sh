#!/usr/bin/env bash
# Installs libtorch (CPU use; CUDA joins at run time where it is there) and ONNX Runtime under target/, from PyPI wheels.
# Nothing happens when they are there already. Versions are those that fit tch and ort in Cargo.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
torch=2.11.0 cudart=13.0.96 cupti=13.0.85 onnxruntime=1.32.0

fail() { echo "error: $*" >&2; exit 1; }
command -v python3 >/dev/null || fail "python3 is missing: install python3 and python3-venv"
mkdir -p target

# wheel FOLDER PACKAGE…: unpacks wheels without their dependencies into target/FOLDER, complete or not at all
wheel() {
  local folder=target/$1; shift
  [ -d "$folder" ] && return
  echo "installing $* into $folder"
  rm -rf "$folder.part"
  [ -x target/pip-venv/bin/pip ] || python3 -m venv target/pip-venv || fail "python3 -m venv failed: install python3-venv"
  target/pip-venv/bin/pip install --quiet --disable-pip-version-check --no-deps --target "$folder.part" "$@" \
    || fail "pip could not install $*"
  mv "$folder.part" "$folder"
}

# link PATTERN WHEELS TARGET: makes TARGET a link to the one file among the wheels whose name fits
link() {
  local found
  found=$(find -L "$PWD/target/$2" -name "$1" -print -quit)
  [ -n "$found" ] || fail "$1 is not in target/$2"
  ln -sf "$found" "$3"
}

wheel torch-wheels "torch==$torch" "nvidia-cuda-runtime==$cudart" "nvidia-cuda-cupti==$cupti"
if [ ! -e target/libtorch/build-version ]; then
  rm -rf target/libtorch.part && mkdir -p target/libtorch.part/lib
  ln -s "$PWD/target/torch-wheels/torch/include" target/libtorch.part/include
  for library in libtorch_cpu.so libtorch.so libc10.so libgomp.so.1 libcudart.so.13 libcupti.so.13; do
    link "$library" torch-wheels "target/libtorch.part/lib/$library"
  done
  echo "$torch" > target/libtorch.part/build-version
  rm -rf target/libtorch && mv target/libtorch.part target/libtorch
fi

wheel onnxruntime-wheel "onnxruntime==$onnxruntime"
if [ ! -e target/onnxruntime/libonnxruntime.so ]; then
  mkdir -p target/onnxruntime
  link "libonnxruntime.so.*" onnxruntime-wheel target/onnxruntime/libonnxruntime.so
fi
