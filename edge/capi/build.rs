//! The library's name in the programs that are linked with it: its number is that of the ABI (`CSSA_ABI_VERSION`).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcssa.so.0");
}
