#!/usr/bin/env bash
# Bundles for TensorRT, which no device here can run: by ONNX's own checker and shape inference, whose types say in what each node computes, and by ONNX Runtime's CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/graphs-venv packages="onnx==1.23.0 onnxruntime==1.32.0 numpy"
if [ "$(cat $venv/known 2>/dev/null)" != "$packages" ]; then
  rm -rf $venv
  python3 -m venv $venv && $venv/bin/pip install --quiet --disable-pip-version-check $packages && echo "$packages" > $venv/known \
    || { echo "skipped: graphs for TensorRT: pip could not install $packages"; exit 0; }
fi
work=target/graphs-test
rm -rf $work && mkdir -p $work
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/target/onnxruntime/libonnxruntime.so}
export_to() { target/release/exporter --checkpoint fixtures/run --out "$work/$1" --target "$2" --quantize "$3" "${@:4}" 2> "$work/$1.log" || { cat "$work/$1.log" >&2; exit 1; }; }
export_to float cpu none
export_to half tensorrt fp16
export_to int8 tensorrt int8 --ranges minmax --calibration fixtures/scenes/images --calibration-images 8
$venv/bin/python tests/graphs.py $work/float $work/half $work/int8
