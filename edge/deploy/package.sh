# What all Debian packages have in common; sourced. The caller fills $work and sets what `package` names.

fail() { echo "error: $*" >&2; exit 1; }
. "$root/edge/deploy/elf.sh"

# architecture_of BINARY: Debian's name of the processor that its ELF header names, whatever built it
architecture_of() {
  [ -f "$1" ] || fail "$1 is missing: cargo build --profile flight -p $(basename "$1")"
  case $(od -An -tu2 -j18 -N2 "$1" | tr -d ' ') in
    62) echo amd64 ;;
    183) echo arm64 ;;
    *) fail "$1 is no program for x86-64 or aarch64" ;;
  esac
}

# install_program BINARY TARGET: the program without symbols, as the policy (10.1) asks; the flight profile's has none
install_program() {
  install -D -m 755 "$1" "$2"
  local strip=strip machine sections
  # Not through a pipe: grep leaves at the first match, and the failure of who writes on would be the pipe's.
  sections=$(elf --sections "$2")
  [[ $sections == *" SYMTAB "* ]] || return 0
  case $(architecture_of "$1") in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
  esac
  [ "$machine" = "$(uname -m)" ] || strip=$machine-linux-gnu-strip
  command -v $strip >/dev/null || fail "$1 has symbols, and $strip is missing: cargo build --profile flight, or install binutils"
  $strip --strip-unneeded --remove-section=.comment --remove-section=.note "$2"
}

# depends FILE…: the Debian packages of the C libraries that these files need, in versions that have their symbols
depends() {
  local libraries library packages=() glibc glibcxx
  glibc=$(highest GLIBC "$@")
  [ -n "$glibc" ] || fail "$* need no glibc, expected programs that are linked with it"
  packages+=("libc6 (>= $glibc)")
  libraries=$(needed "$@")
  for library in $libraries; do
    case $library in
      libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux-*) ;;
      libgcc_s.so.1) packages+=(libgcc-s1) ;;
      libudev.so.1) packages+=(libudev1) ;;
      libstdc++.so.6)
        glibcxx=$(highest GLIBCXX "$@")
        # The first GCC that has it, by GCC's "ABI Policy and Guidelines".
        case ${glibcxx#3.4} in
          .2[0-5] | .1? | .? | "") packages+=(libstdc++6) ;;
          .2[678]) packages+=("libstdc++6 (>= 9.3)") ;;
          .29) packages+=("libstdc++6 (>= 11)") ;;
          .30) packages+=("libstdc++6 (>= 12)") ;;
          .3[12]) packages+=("libstdc++6 (>= 13)") ;;
          *) fail "$* need GLIBCXX_$glibcxx, expected 3.4.32 at most" ;;
        esac ;;
      *) fail "$* need $library, expected libraries of libc6, libgcc-s1, libstdc++6 and libudev1 alone" ;;
    esac
  done
  printf '%s, ' "${packages[@]}"
}

# maintainer_scripts: postinst, prerm and postrm of $name, whose service runs as $user with $groups and owns $state and $folders
maintainer_scripts() {
  local script
  for script in postinst prerm postrm; do
    sed -e "s|@name@|$name|g; s|@user@|$user|g; s|@groups@|$groups|g; s|@state@|$state|g; s|@folders@|$folders|g" \
      "$root/edge/deploy/debian/$script" > "$work/DEBIAN/$script"
    chmod 755 "$work/DEBIAN/$script"
  done
}

# documents PROGRAM: licences, changes, and what docs/manual has of the program: a manual page for each command, and completions
documents() {
  local folder=$work/usr/share/doc/$name manual=$root/docs/manual page
  mkdir -p "$folder" "$work/usr/share/man/man1"
  cp "$root/edge/deploy/debian/copyright" "$folder/copyright"
  gzip -9 --no-name < "$root/CHANGELOG.md" > "$folder/CHANGELOG.md.gz"
  gzip -9 --no-name > "$folder/changelog.gz" <<CHANGES
$name ($version) unstable; urgency=medium

  * What has changed is in CHANGELOG.md.gz beside this file.

 -- $maintainer  $(LC_ALL=C date --utc --rfc-email --reference="$root/CHANGELOG.md")
CHANGES
  for page in "$manual/man/$1.1" "$manual/man/$1"-*.1; do
    gzip -9 --no-name < "$page" > "$work/usr/share/man/man1/$(basename "$page").gz"
  done
  install -D -m 644 "$manual/completions/bash/$1" "$work/usr/share/bash-completion/completions/$1"
  install -D -m 644 "$manual/completions/zsh/_$1" "$work/usr/share/zsh/vendor-completions/_$1"
  install -D -m 644 "$manual/completions/fish/$1.fish" "$work/usr/share/fish/vendor_completions.d/$1.fish"
}

# bill_of_materials PROGRAM BUNDLE [OPTION…]: what the package is made of and what it needs, as CycloneDX, and the licences; $depends is set
bill_of_materials() {
  mkdir -p "$work/usr/share/doc/$name"
  python3 "$root/edge/deploy/sbom.py" "$name" "$1" "$2" --depends "$depends" --texts "$work/usr/share/doc/$name" "${@:3}" > "$work/usr/share/doc/$name/sbom.cdx.json"
}

# package PROGRAM OUT: makes OUT/NAME_VERSION_ARCHITECTURE.deb of $work, $name, $architecture, $depends, $synopsis, $description and what
# `maintainer_scripts` takes, complete or not at all
package() {
  local program=$1 out=$2 maintainer="CSSA Onboard <noreply@example.org>" version file
  command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing: install dpkg"
  version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  mkdir -p "$work/DEBIAN" "$out"
  documents "$program"
  chmod -R u=rwX,go=rX "$work"
  maintainer_scripts
  (cd "$work" && find etc -type f 2>/dev/null | sed 's|^|/|') > "$work/DEBIAN/conffiles"
  (cd "$work" && find . -path ./DEBIAN -prune -o -path ./etc -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) > "$work/DEBIAN/md5sums"
  cat > "$work/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$work" | cut -f1)
Depends: ${depends}adduser
Section: science
Priority: optional
Description: $synopsis
$description
CONTROL
  file=$out/${name}_${version}_$architecture.deb
  dpkg-deb --root-owner-group "-Z${DPKG_DEB_COMPRESSOR_TYPE:-xz}" --build "$work" "$file.part" >/dev/null
  mv "$file.part" "$file"
  echo "$file"
}
