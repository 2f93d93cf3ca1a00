//! Lets the program and its tests find the libtorch they were linked with, so that plain cargo commands run them.
//! `LD_LIBRARY_PATH` goes first, so the same program runs with another installation, one with CUDA for example.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    }
}
