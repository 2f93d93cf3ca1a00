# What programs and libraries need, by their ELF files; sourced. `fail` is the caller's.

elf() { LC_ALL=C readelf -W "$@" 2>/dev/null; }

# highest PREFIX FILE…: the highest version of PREFIX's symbols that the files need, such as 2.31 of GLIBC; nothing where none is needed
highest() {
  local prefix=$1
  shift
  command -v readelf >/dev/null || fail "readelf is missing: install binutils"
  elf --version-info "$@" | sed -n '/\.gnu\.version_r/,/^$/p' | grep -o "Name: ${prefix}_[0-9.]*" | sed 's/.*_//' | sort -Vu | tail -n 1
}

# needed FILE…: the libraries that the files name
needed() { elf --dynamic "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u; }
