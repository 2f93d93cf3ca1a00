//! An ONNX Runtime that does not load: its loader's reason is said, and tract takes its place where it is there. Each library needs a
//! process of its own.

use anyhow::{Context, Result, ensure};
use cssa::bundle::Bundle;
use cssa_captioner::{Captioner, Choice, Provider, Settings};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// In which a child finds the library and the choice.
const LIBRARY: &str = "ORT_DYLIB_PATH";
const CHOICE: &str = "TEST_RUNTIME";

/// An ELF file of another architecture (S/390), as far as its header.
fn foreign() -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x02\x01".to_vec();
    header.resize(16, 0);
    header.extend([0, 3, 0, 22, 0, 0, 0, 1]);
    header.resize(4096, 0);
    header
}

/// What a child says of a library.
fn said(library: &Path, choice: &str) -> Result<String> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["child", "--exact", "--nocapture", "--ignored"]).env(LIBRARY, library).env(CHOICE, choice);
    let output = child.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

#[test]
#[ignore = "a child of the other test"]
fn child() -> Result<()> {
    let (subscriber, written) = (tracing_subscriber::fmt().with_writer(std::io::stderr), std::env::var(CHOICE)?);
    tracing::subscriber::with_default(subscriber.finish(), || {
        let (choice, provider) = match written.as_str() {
            "cuda" => (Choice::Auto, Provider::Cuda),
            "ort" => (Choice::Ort, Provider::Cpu),
            _ => (Choice::Auto, Provider::Cpu),
        };
        let bundle = Bundle::read(&fixtures::bundle())?;
        let opened = Captioner::open(&bundle, &Settings { choice, provider, ..Settings::default() });
        match opened {
            Ok(captioner) => writeln!(std::io::stderr(), "runs in {}", captioner.active())?,
            Err(error) => writeln!(std::io::stderr(), "refused: {error}")?,
        }
        Ok(())
    })
}

#[test]
fn the_loader_gives_its_reason_and_tract_takes_its_place() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe()?;
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("empty.so", Vec::new(), "file too short"),
        ("text.so", b"version https://git-lfs.github.com/spec/v1\n".repeat(200), "invalid ELF header"),
        ("foreign.so", foreign(), "foreign.so: "),
        ("missing.so", Vec::new(), "cannot open shared object file"),
    ];
    for (name, bytes, reason) in cases {
        let library = folder.path().join(name);
        if name != "missing.so" {
            std::fs::write(&library, bytes)?;
        }
        for choice in ["auto", "ort", "cuda"] {
            let said = said(&library, choice)?;
            ensure!(said.contains(&library.display().to_string()) && said.contains(reason), "{name}, {choice}: {said}");
            ensure!(!said.contains("panicked"), "{said}");
            let goes_on = choice == "auto" && cfg!(feature = "tract");
            ensure!(said.contains("runs in tract") == goes_on, "{name}, {choice}: {said}");
            ensure!(said.contains("refused: ") != goes_on, "{name}, {choice}: {said}");
            let says_tract = goes_on || choice == "auto" && said.contains("built without tract");
            ensure!(says_tract == (choice == "auto"), "{name}, {choice}: {said}");
        }
    }
    // A program is an ELF file, and no library of ONNX Runtime.
    let said = said(&program, "ort")?;
    program.file_name().context("no name")?;
    ensure!(said.contains("refused: "), "{said}");
    Ok(())
}
