//! The invariants of the architecture that can be read off the sources.

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{packages, root};
use std::path::{Path, PathBuf};

fn manifest(name: &str) -> Result<toml::Table> {
    Ok(std::fs::read_to_string(root().join(name).join("Cargo.toml"))?.parse()?)
}

fn dependencies(name: &str) -> Result<Vec<String>> {
    let package = packages()?.into_iter().find(|package| package.name == name);
    Ok(package.with_context(|| format!("no package {name}"))?.dependencies())
}

/// All that a package links, as cargo resolves it.
fn links(name: &str) -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = ["tree", "--offline", "--package", name, "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let output = std::process::Command::new(cargo).args(tree).current_dir(root()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The map: what stands where, under which name.
#[test]
fn programs_lie_by_place_and_libraries_by_contract() -> Result<()> {
    let found: Vec<(String, String)> = packages()?
        .into_iter()
        .map(|package| Ok((package.folder.strip_prefix(root())?.display().to_string(), package.name)))
        .collect::<Result<_>>()?;
    let expected = [
        ("cssa", "cssa"),
        ("cssa/graph", "cssa-graph"),
        ("cssa/image", "cssa-image"),
        ("cssa/terminal", "cssa-terminal"),
        ("edge", "edge"),
        ("edge/archive", "archive"),
        ("edge/capi", "cssa-capi"),
        ("edge/captioner", "cssa-captioner"),
        ("edge/geoparquet", "cssa-geoparquet"),
        ("edge/kernel", "cssa-kernel"),
        ("edge/wire", "cssa-wire"),
        ("edge/link", "cssa-link"),
        ("edge/ground", "ground"),
        ("edge/python", "cssa-python"),
        ("edge/ros2", "edge-ros2"),
        ("edge/simulator", "link-sim"),
        ("demo", "demo"),
        ("exporter", "exporter"),
        ("trainer", "trainer"),
        ("trainer/nccl", "cssa-nccl"),
        ("trainer/scenes", "scenes"),
        ("fixtures", "fixtures"),
        ("tests", "cross-crate-tests"),
        ("tests/manual", "cssa-manual"),
    ];
    assert_eq!(found, expected.map(|(folder, name)| (folder.to_owned(), name.to_owned())));
    Ok(())
}

#[test]
fn only_the_trainer_links_libtorch() -> Result<()> {
    for package in packages()? {
        let direct = package.dependencies().iter().any(|dependency| dependency == "tch" || dependency == "trainer");
        assert_eq!(direct, ["trainer", "cssa-nccl"].contains(&package.name.as_str()), "{}", package.name);
        let sums = package.dependencies().contains(&"cssa-nccl".to_owned());
        assert_eq!(sums, package.name == "trainer", "{}", package.name);
    }
    Ok(())
}

/// What no crate may know, directly or by what it depends on.
#[test]
fn every_crate_keeps_to_its_place() -> Result<()> {
    let may_not: [(&str, &[&str]); 19] = [
        ("cssa", &["cssa-graph", "prost", "ort", "tract-onnx", "tch", "clap", "tokio", "edge"]),
        ("cssa-graph", &["ort", "tract-onnx", "tch", "clap"]),
        ("cssa-image", &["cssa-graph", "cssa-wire", "ort", "tract-onnx", "tch", "clap"]),
        ("cssa-captioner", &["cssa-image", "clap", "edge", "cssa-link", "cssa-wire", "tokio", "rusqlite", "tch"]),
        ("cssa-kernel", &["cssa"]),
        ("cssa-wire", &["image", "ort", "tokio", "clap"]),
        ("cssa-link", &["cssa-captioner", "cssa-graph", "ort", "tract-onnx", "rusqlite", "clap"]),
        ("cssa-geoparquet", &["cssa", "tokio", "object_store", "ort", "tch", "clap"]),
        ("archive", &["edge", "cssa-link", "cssa-wire", "rusqlite", "tch", "exporter"]),
        ("cssa-capi", &["edge", "archive", "cssa-link", "rusqlite", "tokio", "tch", "exporter"]),
        (
            "edge",
            &[
                "archive",
                "object_store",
                "parquet",
                "rusqlite",
                "axum",
                "tokio",
                "tch",
                "ground",
                "exporter",
                "link-sim",
            ],
        ),
        ("edge-ros2", &["edge", "archive", "cssa-link", "cssa-wire", "tokio", "rusqlite", "tch", "exporter"]),
        ("ground", &["cssa-image", "cssa-captioner", "cssa-graph", "ort", "tract-onnx", "edge", "tch"]),
        ("link-sim", &["tch", "exporter"]),
        ("demo", &["tch", "torch-sys", "trainer", "exporter", "archive", "object_store"]),
        ("trainer", &["cssa-graph", "cssa-captioner", "ort", "tract-onnx", "edge", "exporter", "mpi", "cudarc"]),
        ("cssa-nccl", &["cssa", "mpi", "clap"]),
        ("scenes", &["tch", "torch-sys", "ort", "tract-onnx"]),
        ("exporter", &["tch", "torch-sys", "edge", "rusqlite", "axum"]),
    ];
    for (name, forbidden) in may_not {
        let linked = links(name)?;
        assert!(linked.len() > 1 || name == "cssa-kernel", "{name}: {linked:?}");
        for one in forbidden {
            assert!(!linked.iter().any(|linked| linked == one), "{name} links {one}");
        }
    }
    for package in packages()? {
        assert!(!package.dependencies().contains(&"demo".to_owned()), "{} depends on the demo", package.name);
    }
    for name in ["cssa-captioner", "cssa-image", "cssa-link", "cssa-wire", "cssa-graph", "cssa"] {
        for one in ["anyhow", "clap"] {
            assert!(!dependencies(name)?.contains(&one.to_owned()), "{name} depends on {one}");
        }
    }
    Ok(())
}

/// Manual pages and completions are generated by tests: no program carries what generates them.
#[test]
fn only_tests_generate_manuals() -> Result<()> {
    for package in packages()? {
        for generator in ["cssa-manual", "clap_complete", "clap_mangen"] {
            let has = package.dependencies().contains(&generator.to_owned());
            assert_eq!(
                has,
                package.name == "cssa-manual" && generator != "cssa-manual",
                "{}: {generator}",
                package.name
            );
        }
    }
    Ok(())
}

/// What a program says of itself is checked in, and what is documented of it is parsed by it.
#[test]
fn every_program_checks_its_help() -> Result<()> {
    for package in packages()? {
        let main = package.folder.join("src/main.rs");
        if !main.is_file() || !package.dependencies().contains(&"clap".to_owned()) {
            continue;
        }
        let mut found = Vec::new();
        sources(&package.folder.join("src"), &mut found)?;
        let texts: Vec<String> = found.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
        assert!(texts.iter().any(|text| text.contains("cssa_manual::check")), "{}", package.name);
    }
    Ok(())
}

/// A library says what went wrong in types of its own, and takes settings, not command lines: anyhow and clap belong to `main.rs`
/// and the commands and options beside it.
#[test]
fn anyhow_and_clap_stay_in_binaries() -> Result<()> {
    let mut found = Vec::new();
    for package in packages()?
        .into_iter()
        .filter(|package| !["cssa-terminal", "cssa-manual", "cross-crate-tests"].contains(&package.name.as_str()))
    {
        sources(&package.folder.join("src"), &mut found)?;
    }
    for path in found {
        let shown = path.display().to_string();
        if ["/main.rs", "/commands", "/options.rs"].iter().any(|binary| shown.contains(binary)) {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let library = text.split("#[cfg(test)]").next().unwrap_or_default();
        for one in ["anyhow::", "clap::"] {
            let uses = library.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(one));
            let is_tests = shown.ends_with("/tests.rs") || shown.contains("/tests/");
            assert!(!uses || is_tests, "{shown} uses {one}");
        }
    }
    Ok(())
}

/// What the graphs' tensors are called stands in one file.
#[test]
fn suffixes_of_tensors_are_written_once() -> Result<()> {
    let mut found = Vec::new();
    for package in packages()? {
        sources(&package.folder.join("src"), &mut found)?;
    }
    for path in found.iter().filter(|path| !path.ends_with("graph/src/names.rs")) {
        let text = std::fs::read_to_string(path)?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for suffix in
            [".half\"", ".quantized\"", ".dequantized\"", ".scale\"", ".zero\"", "\"decoder.layers", "\"encoder.layers"]
        {
            let own = path.ends_with("cssa/src/parameters.rs") || path.starts_with(root().join("trainer"));
            assert!(own || !code.contains(suffix), "{}: {suffix} belongs to cssa-graph's names", path.display());
        }
    }
    Ok(())
}

/// The decoder's instructions, what C passes, and NVIDIA's libraries that are looked for by loading them.
const UNSAFE: [&str; 3] = ["edge/kernel", "edge/capi", "trainer/nccl"];

#[test]
fn every_crate_takes_the_workspace_lints_and_three_have_unsafe_code() -> Result<()> {
    let has_unsafe =
        |package: &cross_crate_tests::Package| UNSAFE.iter().any(|folder| package.folder.ends_with(folder));
    for package in packages()?.iter().filter(|package| !has_unsafe(package)) {
        let lints = package.manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(lints.and_then(toml::Value::as_bool), Some(true), "{}", package.name);
    }
    let workspace = manifest(".")?;
    let lints = workspace.get("workspace").and_then(|w| w.get("lints")).and_then(|l| l.get("rust"));
    let unsafe_code = lints.and_then(|rust| rust.get("unsafe_code")).and_then(toml::Value::as_str);
    assert_eq!(unsafe_code, Some("forbid"));
    // Each of these is a crate of its own, which needs it; what it is needed for is said each time.
    let mut found = Vec::new();
    UNSAFE.iter().try_for_each(|folder| sources(&root().join(folder), &mut found))?;
    for path in found {
        let text = std::fs::read_to_string(&path)?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (n, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe {")) {
            assert!(n > 0 && lines[n - 1].starts_with("// SAFETY: "), "{}: line {} {line}", path.display(), n + 1);
        }
    }
    assert_eq!(dependencies("cssa-kernel")?, Vec::<String>::new());
    Ok(())
}

#[test]
fn files_are_short_and_say_what_they_are() -> Result<()> {
    let mut found = Vec::new();
    for package in packages()? {
        sources(&package.folder, &mut found)?;
    }
    found.sort();
    found.dedup();
    assert!(found.len() > 200);
    for path in found {
        let text = std::fs::read_to_string(&path)?;
        assert!(text.lines().count() <= 600, "{} is longer than 600 lines", path.display());
        let test_module = path.ends_with("tests.rs");
        assert!(text.starts_with("//!") || test_module, "{} does not open with //!", path.display());
    }
    Ok(())
}

#[test]
fn libraries_neither_print_nor_exit() -> Result<()> {
    let mut found = Vec::new();
    for package in packages()? {
        sources(&package.folder.join("src"), &mut found)?;
    }
    let printers = ["trainer/src/progress.rs", "cssa/terminal/src/lib.rs"];
    for path in found {
        if printers.iter().any(|printer| path.ends_with(printer)) {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for call in ["println!", "eprintln!", "process::exit", "std::io::stderr"] {
            assert!(!text.contains(call), "{} uses {call}", path.display());
        }
    }
    Ok(())
}

#[test]
fn the_minimal_rust_version_stands_in_one_place() -> Result<()> {
    for package in packages()? {
        let own = package.manifest.get("package").and_then(|table| table.get("rust-version"));
        assert!(own.is_some_and(toml::Value::is_table), "{}", package.name);
    }
    Ok(())
}
