#!/usr/bin/env bash
# Checks the component with F´'s own tools (fprime-fpp from PyPI): fpp-check on the model, fpp-to-cpp for its base class and dictionary entries, and
# the compiler on Captioner.cpp against that base class. Exits with 3 where the tools cannot be had.
#
#   docs/fprime/check.sh PREFIX     where libcssa is installed (edge/capi/install.sh)
set -euo pipefail
include=${1:?PREFIX is missing}/include
cd "$(dirname "$0")"
fpp=3.4.0 root=$(cd ../.. && pwd)
out=$root/target/fprime tools=$root/target/fprime-fpp-$fpp
if [ ! -e "$tools/complete" ]; then
  rm -rf "$tools"
  { "${PYTHON:-python3}" -m venv "$tools" && "$tools/bin/pip" install --quiet --disable-pip-version-check fprime-fpp==$fpp; } \
    || { echo "skipped: the F´ component (pip could not install fprime-fpp $fpp)"; exit 3; }
  touch "$tools/complete"
fi
rm -rf "$out"; mkdir -p "$out"
"$tools/bin/fpp-check" stubs/Fw.fpp Captioner.fpp
"$tools/bin/fpp-to-cpp" -d "$out" -p "$PWD" -i stubs/Fw.fpp Captioner.fpp
# Every header of the framework that the generated ones include is the one stub.
for header in $(sed -n 's/^#include "\(\(Fw\|stubs\)\/.*\)"/\1/p' "$out"/*Ac.hpp | sort -u); do
  mkdir -p "$out/framework/$(dirname "$header")"
  echo '#include "framework.hpp"' > "$out/framework/$header"
done
"${CXX:-g++}" -std=c++14 -Wall -Wextra -Werror -fsyntax-only -I stubs -I "$out" -I "$out/framework" -isystem "$include" Captioner.cpp
echo "the F´ component is what fpp-check and the compiler take"
