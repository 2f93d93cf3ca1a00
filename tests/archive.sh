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
if [ ! -e $venv/ready-2 ]; then
  rm -rf $venv && python3 -m venv $venv && $venv/bin/pip install --quiet --disable-pip-version-check 'moto[server,s3]' pyarrow kubernetes-validate 'pystac[validation]' && touch $venv/ready-2 \
    || { echo "skipped: the archive: pip could not install moto, pyarrow, kubernetes-validate and pystac"; exit 0; }
fi
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/target/onnxruntime/libonnxruntime.so}
exec $venv/bin/python tests/archive.py "$form"
