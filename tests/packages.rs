//! The Debian packages: what is in them, and that what is in them works.
#![expect(clippy::print_stderr, reason = "says what is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{program, root};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const EDGE: (&str, &str) = ("edge/deploy/build-deb.sh", "edge");
const GROUND: (&str, &str) = ("edge/ground/deploy/build-deb.sh", "ground");

/// A package of a program of this build.
struct Package {
    file: PathBuf,
    /// What it installs.
    files: PathBuf,
    /// Its maintainer scripts.
    control: PathBuf,
}

/// Whether a command is here; what its test proves is skipped by name where it is not.
fn is_here(command: &str) -> bool {
    let is_here = Command::new(command).arg("--version").output().is_ok();
    if !is_here {
        eprintln!("skipped: {command} is not here");
    }
    is_here
}

/// What a command says where it succeeds.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {told}{}", String::from_utf8_lossy(&output.stdout));
    Ok(String::from_utf8(output.stdout)?)
}

/// Builds a package and unpacks it.
fn packed((script, name): (&str, &str), folder: &Path, options: &[&str]) -> Result<Option<Package>> {
    if !is_here("dpkg-deb") {
        return Ok(None);
    }
    let (binary, out) = (program(name)?.get_program().to_owned(), folder.join("out"));
    let mut build = Command::new(root().join(script));
    build.arg(binary).arg(&out).args(options);
    // As dpkg-deb has it: xz takes ten times as long.
    let file = said(build.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1"))?;
    let file = PathBuf::from(file.trim());
    ensure!(file.is_file() && fs::read_dir(&out)?.count() == 1, "one package and nothing beside it");
    let (files, control) = (folder.join("files"), folder.join("control"));
    said(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&files))?;
    said(Command::new("dpkg-deb").arg("--control").arg(&file).arg(&control))?;
    Ok(Some(Package { file, files, control }))
}

impl Package {
    fn field(&self, name: &str) -> Result<String> {
        said(Command::new("dpkg-deb").arg("--field").arg(&self.file).arg(name))
    }
}

/// Every program and file that a unit names is in the package, or is made by its installation.
fn unit_names_what_is_there(files: &Path, unit: &str, made: &[&str]) -> Result<()> {
    let text = fs::read_to_string(files.join("lib/systemd/system").join(unit))?;
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
    let Some(Package { files, .. }) = packed(EDGE, folder.path(), &[])? else { return Ok(()) };
    unit_names_what_is_there(&files, "cssa-edge.service", &[])?;
    let bill: serde_json::Value =
        serde_json::from_slice(&fs::read(files.join("usr/share/doc/cssa-edge/sbom.cdx.json"))?)?;
    let named =
        |name: &str| bill["components"].as_array().is_some_and(|all| all.iter().any(|each| each["name"] == name));
    ensure!(["edge", "tract-onnx", "libc6", "cssa"].iter().all(|name| named(name)) && !named("onnxruntime"), "{bill}");
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
    let Some(Package { files, .. }) = packed(GROUND, folder.path(), &[])? else { return Ok(()) };
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

/// The highest version of a kind of symbols that a file needs, as objdump has it.
fn needs(file: &Path, kind: &str) -> Result<Option<Vec<u32>>> {
    let symbols = said(Command::new("objdump").arg("-T").arg(file))?;
    let versions = symbols.split(['(', ')', ' ']).filter_map(|word| word.strip_prefix(kind));
    Ok(versions.filter_map(|version| version.split('.').map(|part| part.parse().ok()).collect()).max())
}

/// ONNX Runtime loads its providers from where it lies itself.
#[test]
fn the_vehicles_package_brings_onnx_runtimes_providers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (wheel, given) = (folder.path().join("wheel"), folder.path().join("given"));
    let library = fs::canonicalize(root().join("target/onnxruntime/libonnxruntime.so"))?;
    let shared = library.with_file_name("libonnxruntime_providers_shared.so");
    for folder in [&wheel, &given] {
        fs::create_dir(folder)?;
    }
    fs::copy(&library, wheel.join("libonnxruntime.so.1"))?;
    // PyPI's for the CPU has but one: it stands for the others, too.
    let providers = ["shared", "cuda", "tensorrt"].map(|name| format!("libonnxruntime_providers_{name}.so"));
    for name in &providers {
        fs::copy(&shared, wheel.join(name))?;
    }
    let link = given.join("libonnxruntime.so");
    symlink("../wheel/libonnxruntime.so.1", &link)?;
    let options = ["--onnxruntime", link.to_str().context("a path")?];
    let Some(package) = packed(EDGE, folder.path(), &options)? else { return Ok(()) };
    let place = package.files.join("usr/lib/cssa-edge");
    for name in &providers {
        ensure!(place.join(name).is_file(), "{name} is not packed");
    }
    let bundle = place.join("bundle");
    let mut command = Command::new(place.join("edge"));
    command
        .args(["self-test", "--runtime", "ort", "--bundle"])
        .arg(bundle)
        .env_remove("ORT_DYLIB_PATH")
        .current_dir("/");
    ensure!(!said(&mut command)?.is_empty());

    let depends = package.field("Depends")?;
    let (_, rest) = depends.split_once("libc6 (>= ").context("no libc6")?;
    let claimed: Vec<u32> = rest.split(')').next().unwrap_or_default().split('.').flat_map(str::parse).collect();
    let [program, runtime] = [place.join("edge"), place.join("libonnxruntime.so")].map(|file| needs(&file, "GLIBC_"));
    ensure!(program?.max(runtime?).as_ref() == Some(&claimed), "Depends: {depends}");
    ensure!(depends.contains("libstdc++6"), "ONNX Runtime's: {depends}");
    Ok(())
}

/// What bash offers for the last of some words, with the script that a package installs.
fn completed(package: &Package, words: &[&str]) -> Result<String> {
    let script = package.files.join("usr/share/bash-completion/completions").join(words[0]);
    let last = words[words.len() - 1];
    let text = format!(
        "set -eu; source {script:?}; complete -p {0} >&2; COMP_WORDS=({1}) COMP_CWORD={2}; _{0} {0} {last:?} {0}; echo \"${{COMPREPLY[@]}}\"",
        words[0],
        words.join(" "),
        words.len() - 1
    );
    Ok(said(Command::new("bash").args(["--norc", "-c"]).arg(text))?.trim().to_owned())
}

/// The man pages of commands and the shells' completions, as Debian has them.
#[test]
fn packages_bring_man_pages_and_completions_that_work() -> Result<()> {
    for (which, page, asked, expected) in [
        (EDGE, ("edge-self-test", "edge self-test --bundle mine.cssa"), &["edge", "cap"][..], "caption"),
        (GROUND, ("ground-export", "ground export --archive"), &["ground", "export", "--form"], "--format"),
    ] {
        let (folder, name) = (tempfile::tempdir()?, which.1);
        let Some(package) = packed(which, folder.path(), &[])? else { return Ok(()) };
        let share = package.files.join("usr/share");
        assert_eq!(completed(&package, asked)?, expected);
        let commands = completed(&package, &[name, ""])?;
        for command in commands.split(' ').filter(|command| !command.starts_with('-') && *command != "help") {
            ensure!(share.join(format!("man/man1/{name}-{command}.1.gz")).is_file(), "{command} has no page");
        }
        for (shell, script) in [
            ("zsh", format!("zsh/vendor-completions/_{name}")),
            ("fish", format!("fish/vendor_completions.d/{name}.fish")),
        ] {
            ensure!(share.join(&script).is_file(), "{script}");
            if is_here(shell) {
                said(Command::new(shell).arg("-n").arg(share.join(&script)))?;
            }
        }
        if !is_here("groff") {
            continue;
        }
        for found in fs::read_dir(share.join("man/man1"))? {
            let path = found?.path();
            let text = said(Command::new("gunzip").arg("--stdout").arg(&path))?;
            let plain = folder.path().join("page.1");
            fs::write(&plain, text)?;
            let output = Command::new("groff").args(["-man", "-ww", "-Tutf8"]).arg(&plain).output()?;
            let told = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success() && told.is_empty(), "{}: {told}", path.display());
            let shown = String::from_utf8_lossy(&output.stdout);
            ensure!(!path.ends_with(format!("{}.1.gz", page.0)) || shown.contains(page.1), "{}: {shown}", page.0);
        }
    }
    Ok(())
}

/// Targets that the units name: a machine without systemd has none.
const TARGETS: [&str; 5] = ["basic", "multi-user", "network", "shutdown", "sysinit"];

#[test]
fn nothing_is_wrong_with_units_and_packages() -> Result<()> {
    for (which, unit) in [(EDGE, "cssa-edge.service"), (GROUND, "cssa-ground.service")] {
        let folder = tempfile::tempdir()?;
        let Some(package) = packed(which, folder.path(), &[])? else { return Ok(()) };
        if is_here("lintian") {
            let mut lintian = Command::new("lintian");
            let told = said(lintian.args(["--fail-on", "error,warning", "--allow-root"]).arg(&package.file))?;
            ensure!(told.is_empty(), "{told}");
        }
        if is_here("systemd-analyze") {
            for target in TARGETS {
                let path = package.files.join(format!("lib/systemd/system/{target}.target"));
                fs::write(path, "[Unit]\nDescription=as the machine has it\n")?;
            }
            let mut verify = Command::new("systemd-analyze");
            verify.args(["verify", "--man=no", "--root"]).arg(&package.files).arg(unit);
            let output = verify.output()?;
            let told = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success() && told.is_empty(), "{told}");
        }
    }
    Ok(())
}

/// A Jetson's camera is behind a socket in the machine's own /tmp; a list that is finished is not begun again.
#[test]
fn the_vehicles_unit_leaves_the_camera_and_finished_lists_alone() -> Result<()> {
    let unit = fs::read_to_string(root().join("edge/deploy/cssa-edge.service"))?;
    let is_set = |line: &str| unit.lines().any(|found| found == line);
    ensure!(unit.lines().all(|line| !line.starts_with("PrivateTmp=") && !line.starts_with("PrivateDevices=")));
    ensure!(is_set("ReadWritePaths=/tmp") && is_set("Restart=on-failure"));
    let families =
        unit.lines().find_map(|line| line.strip_prefix("RestrictAddressFamilies=")).context("all of them")?;
    ensure!(families.split(' ').any(|family| family == "AF_UNIX"), "{families}");
    Ok(())
}

/// What the maintainer scripts call, but for what makes users and folders: `tests/package-chroot.sh` runs it.
const CALLED: [&str; 10] = [
    "addgroup",
    "adduser",
    "chgrp",
    "chmod",
    "deb-systemd-helper",
    "deb-systemd-invoke",
    "dpkg-statoverride",
    "getent",
    "install",
    "systemctl",
];

/// Runs a maintainer script with stand-ins for all that it calls; gives what was asked of systemd. `answers` are the exit codes of
/// deb-systemd-helper's debian-installed and was-enabled.
fn asked(package: &Package, script: &str, arguments: &[&str], answers: [u8; 2]) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let (calls, system) = (folder.path().join("calls"), folder.path().join("root"));
    fs::create_dir_all(system.join("run/systemd/system"))?;
    for name in CALLED {
        let path = folder.path().join(name);
        let text = format!(
            "#!/bin/sh\necho {name} \"$@\" >> {calls:?}\ncase \"$*\" in\n  *debian-installed*) exit {} ;;\n  *was-enabled*) exit {} ;;\nesac\n",
            answers[0], answers[1]
        );
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    let mut command = Command::new("/bin/sh");
    command.arg(package.control.join(script)).args(arguments).env("PATH", folder.path()).env("DPKG_ROOT", &system);
    said(&mut command)?;
    let told = fs::read_to_string(&calls).unwrap_or_default();
    let is_question = |line: &str| line.contains("debian-installed") || line.contains("was-enabled");
    let asks = |line: &&str| (line.starts_with("deb-systemd") || line.starts_with("systemctl")) && !is_question(line);
    Ok(told.lines().filter(asks).map(Into::into).collect())
}

/// A maintainer script, its arguments, what deb-systemd-helper answers, and what systemd is to be asked.
type Case = (&'static str, &'static [&'static str], [u8; 2], &'static [&'static str]);

/// As users of Debian's packages expect: an upgrade leaves a service enabled or not as it was and starts it again, a removal stops it.
#[test]
fn maintainer_scripts_ask_systemd_as_debians_do() -> Result<()> {
    for (which, unit) in [(EDGE, "cssa-edge.service"), (GROUND, "cssa-ground.service")] {
        let folder = tempfile::tempdir()?;
        let Some(package) = packed(which, folder.path(), &[])? else { return Ok(()) };
        let cases: [Case; 8] = [
            ("postinst", &["configure", ""], [1, 0], &["helper enable", "reload", "invoke start"]),
            ("postinst", &["configure", "0.1.0"], [0, 0], &["helper enable", "reload", "invoke restart"]),
            ("postinst", &["configure", "0.1.0"], [0, 1], &["helper update-state", "reload", "invoke restart"]),
            // An earlier package left enabling the service to its user.
            ("postinst", &["configure", "0.1.0"], [1, 0], &["helper update-state", "reload", "invoke restart"]),
            ("prerm", &["upgrade", "0.2.0"], [0, 0], &[]),
            ("prerm", &["remove"], [0, 0], &["invoke stop"]),
            ("postrm", &["remove"], [0, 0], &["reload"]),
            ("postrm", &["purge"], [0, 0], &["helper purge"]),
        ];
        for (script, arguments, answers, expected) in cases {
            let call = |what: &&str| match *what {
                "reload" => "systemctl --system daemon-reload".into(),
                what => format!("deb-systemd-{what} {unit}"),
            };
            let expected: Vec<String> = expected.iter().map(call).collect();
            let found = asked(&package, script, arguments, answers)?;
            ensure!(found == expected, "{script} {arguments:?} {answers:?}: {found:?}, expected {expected:?}");
        }
    }
    Ok(())
}
