#!/usr/bin/env bash
# The program archive with real parts: COGs made by GDAL, an HTTP server with ranges and one without, an S3 server (moto), kills.
#
#   tests/archive.sh [short|long]   short: 196 tiles in half a minute; long: 20,000 tiles by two workers, killed again and again (10 minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
form=${1:-short}
case $form in short | long) ;; *) echo "error: unknown form $form, expected short or long" >&2; exit 2 ;; esac
venv=target/archive-venv
for tool in gdal_translate gdalbuildvrt; do
  command -v $tool > /dev/null || { echo "skipped: the archive: $tool is missing (apt-get install gdal-bin)"; exit 0; }
done
[ -d ../shared/data/ucm ] || { echo "skipped: the archive: ../shared/data is missing"; exit 0; }
# environment NAME PACKAGE…: one of pip's, made anew where the packages are others
environment() {
  local folder=target/$1; shift
  [ "$(cat "$folder/known" 2>/dev/null)" = "$*" ] && return
  rm -rf "$folder"
  python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" && echo "$*" > "$folder/known" \
    || { echo "skipped: the archive: pip could not install $*"; exit 0; }
}
environment archive-venv 'moto[server,s3]' pyarrow kubernetes-validate 'pystac[validation]'
# What catalogs' users check files with: stac-model of the Machine Learning Model extension 1.5; geoparquet-io, which asks DuckDB of geometries.
environment validators-venv stac-model==0.4.0 geoparquet-io==1.6.0 duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-spatial==1.5.5
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/target/onnxruntime/libonnxruntime.so}
exec $venv/bin/python tests/archive.py "$form"
