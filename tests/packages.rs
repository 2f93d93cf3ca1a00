//! The Debian packages: what is in them, and that what is in them works.
#![expect(clippy::print_stderr, reason = "says what is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{program, root};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds a package of a program of this build and unpacks it.
fn unpacked(script: &str, name: &str, folder: &Path) -> Result<Option<PathBuf>> {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        eprintln!("skipped: dpkg-deb is not here");
        return Ok(None);
    }
    let binary = program(name)?.get_program().to_owned();
    let built = Command::new(root().join(script)).arg(binary).arg(folder).output()?;
    ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let package = PathBuf::from(String::from_utf8(built.stdout)?.trim());
    ensure!(package.is_file() && std::fs::read_dir(folder)?.count() == 1, "one package and nothing beside it");
    let files = folder.join("files");
    let extracted = Command::new("dpkg-deb").arg("-x").arg(&package).arg(&files).status()?;
    ensure!(extracted.success());
    Ok(Some(files))
}

/// Every program and file that a unit names is in the package, or is made by its installation.
fn unit_names_what_is_there(files: &Path, unit: &str, made: &[&str]) -> Result<()> {
    let text = std::fs::read_to_string(files.join("lib/systemd/system").join(unit))?;
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).context("no ExecStart")?;
    let named = text.lines().filter_map(|line| line.strip_prefix("EnvironmentFile=")).chain(line.split_whitespace());
    for path in named.filter(|word| word.starts_with('/')) {
        ensure!(made.contains(&path) || files.join(&path[1..]).exists(), "{unit} names {path}, which is not packed");
    }
    Ok(())
}

#[test]
fn the_vehicles_package_captions_with_its_own_bundle() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(files) = unpacked("edge/deploy/build-deb.sh", "edge", folder.path())? else { return Ok(()) };
    unit_names_what_is_there(&files, "cssa-edge.service", &[])?;
    let tested = Command::new(files.join("usr/lib/cssa-edge/edge"))
        .args(["self-test", "--json", "--runtime", "tract", "--bundle"])
        .arg(files.join("usr/lib/cssa-edge/bundle"))
        .current_dir("/")
        .output()?;
    ensure!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    ensure!(String::from_utf8(tested.stdout)?.contains("caption"));
    Ok(())
}

#[test]
fn the_grounds_package_receives_with_the_words_that_it_brings() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(files) = unpacked("edge/ground/deploy/build-deb.sh", "ground", folder.path())? else { return Ok(()) };
    unit_names_what_is_there(&files, "cssa-ground.service", &["/var/lib/cssa-ground/bundles"])?;
    let (packets, archive) = (folder.path().join("pass.bin"), folder.path().join("captions.gpkg"));
    let scene = fixtures::scenes().join("images/scene_00003.jpg");
    let captioned =
        program("edge")?.args(["caption", "--runtime", "tract", "--packets"]).arg(&packets).arg(scene).output()?;
    ensure!(captioned.status.success());
    let received = Command::new(files.join("usr/bin/ground"))
        .args(["receive", "--from", &format!("file:{}", packets.display()), "--archive"])
        .arg(&archive)
        .arg("--bundle")
        .arg(files.join("usr/lib/cssa-ground/bundles"))
        .output()?;
    ensure!(received.status.success(), "{}", String::from_utf8_lossy(&received.stderr));
    let said = String::from_utf8(received.stdout)?;
    ensure!(said.lines().last().is_some_and(|line| line.contains("\"captions\":1")), "{said}");
    Ok(())
}
