#!/usr/bin/env bash
# Lays libcssa out as compilers and linkers look for it: PREFIX/include/cssa.h, PREFIX/lib/libcssa.so.ABI.VERSION with its links, and
# PREFIX/lib/pkgconfig/cssa.pc. It builds the library first; --built takes one that is there, for another machine too. DESTDIR stands before PREFIX.
#
#   edge/capi/install.sh PREFIX [--without-tract | --built LIBCSSA_CAPI_SO]
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/../.."
fail() { echo "error: $*" >&2; exit 1; }
prefix=${1:-} built=
case $prefix in
  *[[:space:]]*) fail "PREFIX is $prefix, expected a path without spaces: pkg-config would part it" ;;
  /*) shift ;;
  *) fail "PREFIX is ${prefix:-missing}, expected an absolute path, such as /usr/local" ;;
esac
features=()
while [ $# -gt 0 ]; do
  case $1 in
    --without-tract) features=(--no-default-features); shift ;;
    --built) built=${2:?--built needs the library that cargo made}; shift 2
      case $built in /*) ;; *) built=$here/$built ;; esac ;;
    *) fail "unknown option $1, expected --without-tract or --built" ;;
  esac
done
if [ -z "$built" ]; then
  profile=${PROFILE:-flight}
  cargo build --profile "$profile" -p cssa-capi "${features[@]}"
  built=${CARGO_TARGET_DIR:-target}/$profile/libcssa_capi.so
fi
[ -f "$built" ] || fail "$built is missing: cargo build --release -p cssa-capi"
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
abi=$(sed -n 's/^#define CSSA_ABI_VERSION \([0-9]*\)$/\1/p' edge/capi/include/cssa.h)
to=${DESTDIR:-}$prefix
install -D -m 644 edge/capi/include/cssa.h "$to/include/cssa.h"
install -D -m 755 "$built" "$to/lib/libcssa.so.$abi.$version"
ln -sfn "libcssa.so.$abi.$version" "$to/lib/libcssa.so.$abi"
ln -sfn "libcssa.so.$abi" "$to/lib/libcssa.so"
mkdir -p "$to/lib/pkgconfig"
cat > "$to/lib/pkgconfig/cssa.pc" <<PC
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: cssa
Description: Captions for aerial images
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lcssa
PC
echo "libcssa $version, ABI $abi, is in $to"
