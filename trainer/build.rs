//! Lets the program and its tests find the libtorch they were linked with, so that plain cargo commands run them.
//! `LD_LIBRARY_PATH` goes first, so the same program runs with another installation, one with CUDA for example.

use std::process::Command;

fn main() {
    println!("cargo:rustc-env=CSSA_REVISION={}", revision());
    for file in ["HEAD", "index"] {
        println!("cargo:rerun-if-changed=../.git/{file}");
    }
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    }
}

/// What the program is built from; a run remembers it.
fn revision() -> String {
    let asked = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=40"]).output();
    match asked {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
