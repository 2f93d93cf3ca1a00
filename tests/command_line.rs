//! What the programs say when they are misused: one line that names the culprit, and nothing half-written.

use anyhow::Result;
use cross_crate_tests::{fail, program, root, succeed};
use std::path::Path;

fn scene() -> String {
    fixtures::scenes().join("images/scene_00000.jpg").display().to_string()
}

fn is_empty(folder: &Path) -> Result<bool> {
    Ok(std::fs::read_dir(folder)?.next().is_none())
}

/// What a user adds to the documentation.
#[test]
fn a_row_of_bench_fits_its_table() -> Result<()> {
    let row = succeed("edge", ["bench", &scene(), "--count", "1", "--threads", "1", "--row"])?;
    let results = std::fs::read_to_string(root().join("docs/src/results.md"))?;
    let header = results.lines().find(|line| line.starts_with("| machine | runtime |")).unwrap_or_default();
    let columns = |line: &str| line.trim().split(" | ").count();
    assert_eq!((row.lines().count(), columns(&row)), (1, columns(header)), "{row}");
    assert!(row.contains("CPUExecutionProvider | 1 |") || row.contains("| tract | 1 |"), "{row}");
    Ok(())
}

#[test]
fn missing_things_are_named() -> Result<()> {
    let cases: [(&str, &[&str], &str); 20] = [
        (
            "trainer",
            &["train", "--config", "fixtures/wire/packets.txt", "--data", ".", "--backbone-weights", ".", "--out", "."],
            "error: fixtures/wire/packets.txt: line 3: ",
        ),
        ("edge", &["caption", "/no/such.jpg"], "/no/such.jpg: no such file or folder"),
        ("edge", &["caption", "cssa"], "cssa: no image in this folder"),
        ("edge", &["caption", "fixtures/scenes", "--bundle", "/no/bundle"], "/no/bundle/manifest.toml"),
        ("ground", &["decode", "/no/packets"], "/no/packets"),
        // A slip of the finger is no state folder, and nothing is made of it.
        (
            "edge",
            &["install", "fixtures/bundle", "--state", "target/no-edge.tmol"],
            "target/no-edge.tmol: no such file",
        ),
        (
            "exporter",
            &["--checkpoint", "fixtures/run", "--quantize", "fp16", "--validation", "/no", "--out", "target/no-bundle"],
            "--validation needs --quantize int8",
        ),
        ("ground", &["decode", "README.md"], "packets could not be decoded"),
        ("exporter", &["--checkpoint", "/no/run", "--out", "target/no-bundle"], "/no/run/model.toml"),
        ("trainer", &["evaluate", "--run", "/no/run", "--data", "fixtures/scenes"], "/no/run/model.toml"),
        (
            "trainer",
            &["train", "--config", "/no/recipe", "--data", ".", "--backbone-weights", ".", "--out", "."],
            "/no/recipe",
        ),
        ("scenes", &["--out", "fixtures", "--count", "1"], "fixtures: is there already"),
        (
            "link-sim",
            &["--captions", "README.md", "--every-seconds", "10"],
            "pass_seconds is 0, expected more than 0 and at most every_seconds",
        ),
        (
            "ground",
            &["receive", "--from", "mavlink:udpin:127.0.0.1:1", "--framing", "ccsds", "--archive", "/tmp/none.gpkg"],
            "MAVLink has its own frames, expected plain",
        ),
        ("exporter", &["--log", "lines", "inspect", "/no/bundle"], "/no/bundle/manifest.toml"),
        ("exporter", &["inspect", "README.md"], "is no bundle, expected a folder with manifest.toml or a .cssa file"),
        (
            "exporter",
            &["check-signature", "fixtures/bundle"],
            "error: --openssf is missing, expected the signer's public key",
        ),
        (
            "trainer",
            &["tune", "--run", "fixtures/run", "--data", "fixtures/scenes", "--length-exponents", "5"],
            "search.length_exponent is 5, expected 0 to 4",
        ),
        (
            "trainer",
            &["evaluate", "--run", "fixtures/run", "--data", "fixtures/scenes", "fixtures/scenes", "--split", "test"],
            "another dataset of --data is called scenes, too",
        ),
        (
            "trainer",
            &["caption", "--run", "fixtures/run", "--length-exponent", "nan", "fixtures/scenes"],
            "search.length_exponent is NaN, expected 0 to 4",
        ),
    ];
    for (name, arguments, expected) in cases {
        let line = fail(name, arguments)?;
        assert!(line.contains(expected), "{name} {arguments:?}: {line}");
    }
    assert!(!Path::new("target/no-bundle").exists());
    Ok(())
}

/// What is given is looked at before graphs are made: this run lacks what comes next, its golden vectors.
#[test]
fn an_export_reads_its_images_first() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["model.toml", "model.safetensors", "vocabulary.txt", "language-model.bin", "document-frequencies.bin"]
    {
        std::os::unix::fs::symlink(root().join("fixtures/run").join(name), folder.path().join(name))?;
    }
    let (run, out) = (folder.path().display().to_string(), folder.path().join("bundle"));
    let arguments = ["--checkpoint", &run, "--calibration", "/no/images", "--out", &out.display().to_string()];
    let line = fail("exporter", arguments)?;
    assert!(line.contains("error: /no/images: ") && !out.exists(), "{line}");
    Ok(())
}

/// A reason is said once, whatever the database's own chain of errors repeats.
#[test]
fn what_is_no_archive_is_said_once() -> Result<()> {
    let export = ["export", "--format", "csv", "--out", "/tmp/none.csv", "--archive"];
    for arguments in [&export[..], &["receive", "--from", "udp:127.0.0.1:1", "--archive"]] {
        let line = fail("ground", [arguments, &[scene().as_str()]].concat())?;
        assert!(line.contains(&scene()) && line.matches("not a database").count() == 1, "{line}");
    }
    Ok(())
}

/// An option that the chosen way of working does not have is no option that is silently left out.
#[test]
fn a_relay_takes_no_options_of_a_plan() -> Result<()> {
    // And the other way round.
    let others = [&["--to", "127.0.0.1:1"][..], &["--listen", "127.0.0.1:2"], &["--pass-seconds", "5"]];
    for other in others {
        let output = program("link-sim")?.args(["--captions", "README.md"]).args(other).output()?;
        assert_eq!(output.status.code(), Some(2), "{other:?}");
    }
    for option in ["--side", "--share", "--sends", "--contact-bytes", "--longest"] {
        let output =
            program("link-sim")?.args(["--listen", "127.0.0.1:2", "--to", "127.0.0.1:1", option, "20"]).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("cannot be used with") && said.contains("--listen"),
            "{option}: {said}"
        );
    }
    Ok(())
}

#[test]
fn a_link_has_finite_numbers() -> Result<()> {
    let seconds = ["--resend-seconds", "--interval", "--longest", "--every-seconds", "--latency-ms"];
    for option in seconds.into_iter().chain(["--bits-per-second", "--loss", "--bit-errors", "--pass-seconds"]) {
        for number in ["nan", "inf", "-0.5", "1e300", "fast"] {
            let given = format!("{option}={number}");
            let output = program("link-sim")?.args(["--captions", "README.md", &given]).output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(2) && said.contains("expected a number, "), "{given}: {said}");
            assert!(said.contains(option), "{given}: {said}");
        }
    }
    Ok(())
}

/// Before anything is made: a ground that listens nowhere leaves no archive.
#[test]
fn an_address_that_cannot_be_is_refused_with_its_option() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("captions.gpkg").display().to_string();
    let cases: [(&str, &[&str], &str); 4] = [
        ("link-sim", &["--listen", "x", "--to", "127.0.0.1:1"], "--listen"),
        ("link-sim", &["--listen", "127.0.0.1:1", "--to", "127.0.0.1:99999"], "--to"),
        ("ground", &["receive", "--archive", &archive, "--from", "udp:127.0.0.1:99999"], "--from"),
        ("ground", &["receive", "--archive", &archive, "--from", "mavlink:udpin:0.0.0.0"], "--from"),
    ];
    for (name, arguments, option) in cases {
        let output = program(name)?.args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_named = said.contains(option) && said.contains("expected");
        assert!(output.status.code() == Some(2) && is_named, "{arguments:?}: {said}");
    }
    assert!(is_empty(folder.path())?);
    Ok(())
}

/// What a file is called begins no line of a program's messages.
#[test]
fn a_name_with_a_line_feed_is_one_line() -> Result<()> {
    let named = "/no/such\nerror: all is well\u{1b}[2J.jpg";
    let output = program("edge")?.args(["caption", named, &scene()]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !said.contains('\u{1b}'), "{said}");
    assert!(said.contains("/no/such\\nerror: all is well"), "{said}");
    Ok(())
}

#[test]
fn results_that_cannot_be_written_are_an_error() -> Result<()> {
    for (name, arguments) in [("edge", ["caption", &scene()]), ("exporter", ["inspect", "fixtures/bundle"])] {
        let full = std::fs::File::options().write(true).open("/dev/full")?;
        let output = program(name)?.args(arguments).stdout(full).output()?;
        let line = cross_crate_tests::error_line(&output)?;
        assert!(!output.status.success() && line.contains("standard output: No space left"), "{line}");
    }
    Ok(())
}

#[test]
fn a_runtime_that_is_not_there_is_an_error() -> Result<()> {
    let output = program("edge")?
        .args(["caption", "--runtime", "ort", &scene()])
        .env("ORT_DYLIB_PATH", "/no/libonnxruntime.so")
        .output()?;
    assert!(!output.status.success());
    let line = cross_crate_tests::error_line(&output)?;
    assert!(line.contains("/no/libonnxruntime.so"), "{line}");
    // What is no library: the loader says why, and the path stands once.
    let output =
        program("edge")?.args(["caption", "--runtime", "ort", &scene()]).env("ORT_DYLIB_PATH", scene()).output()?;
    let line = cross_crate_tests::error_line(&output)?;
    assert!(line.contains("invalid ELF header") && line.matches(&scene()).count() == 1, "{line}");
    let line = fail("edge", ["caption", "--runtime", "ort", "--provider", "cuda", &scene()])?;
    assert!(line.contains("CUDA"), "{line}");
    let line = fail("edge", ["caption", "--runtime", "tract", "--provider", "cuda", &scene()])?;
    assert!(line.contains("--provider cuda: tract has no providers"), "{line}");
    Ok(())
}

#[test]
fn a_damaged_image_does_not_stop_the_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let whole = std::fs::read(scene())?;
    std::fs::write(folder.path().join("a.jpg"), &whole)?;
    std::fs::write(folder.path().join("b.jpg"), &whole[..whole.len() / 8])?;
    std::fs::write(folder.path().join("c.png"), b"not an image")?;
    std::fs::write(folder.path().join("d.jpg"), &whole)?;
    let output = program("edge")?.arg("caption").arg(folder.path()).arg("--json").output()?;
    assert!(!output.status.success());
    assert_eq!(String::from_utf8(output.stdout)?.lines().count(), 2);
    let errors = String::from_utf8(output.stderr)?;
    for name in ["b.jpg", "c.png"] {
        assert!(errors.lines().any(|line| line.starts_with("error: ") && line.contains(name)), "{errors}");
    }
    Ok(())
}

#[test]
fn a_changed_bundle_is_refused_by_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for entry in std::fs::read_dir(fixtures::bundle())? {
        let path = entry?.path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap_or_default()))?;
    }
    let decoder = folder.path().join("decoder.onnx");
    let mut bytes = std::fs::read(&decoder)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&decoder, bytes)?;
    let bundle = folder.path().display().to_string();
    let line = fail("edge", ["caption", "--bundle", &bundle, &scene()])?;
    assert!(line.contains("decoder.onnx") && line.contains("SHA-256"), "{line}");
    Ok(())
}

#[test]
fn packets_of_another_bundle_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let language = cssa::bundle::Language::read(&fixtures::bundle())?;
    let caption = cssa_wire::Caption { text: "a road".into(), ..cssa_wire::Caption::default() };
    let captions = vec![caption];
    let packet = cssa_wire::CaptionPacket { vehicle: 0, bundle: 0, decimals: 5, captions };
    let mut stream = Vec::new();
    cssa_wire::push_frame(&mut stream, &packet.encode(&language.model, None, cssa_wire::Checksum::Crc32)?);
    let path = folder.path().join("packets");
    std::fs::write(&path, stream)?;
    let output = program("ground")?.arg("decode").arg(&path).output()?;
    let errors = String::from_utf8(output.stderr)?;
    assert!(!output.status.success() && errors.contains("made with bundle 0000"), "{errors}");
    Ok(())
}

/// A reader that goes away, as `| head` does, is no error of the program.
#[test]
fn nobody_need_read_the_results() -> Result<()> {
    for (name, arguments) in [
        ("trainer", &["check-data", "--data", "fixtures/scenes", "--json"][..]),
        ("edge", &["caption", "--runtime", "tract", "fixtures/scenes"]),
        ("exporter", &["inspect", "fixtures/bundle"]),
    ] {
        let (stdout, stderr) = (std::process::Stdio::piped(), std::process::Stdio::piped());
        let mut child = program(name)?.args(arguments).stdout(stdout).stderr(stderr).spawn()?;
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("panicked"), "{name}: {said}");
    }
    Ok(())
}

#[test]
fn outputs_that_cannot_be_written_leave_nothing() -> Result<()> {
    let line = fail("edge", ["caption", &scene(), "--packets", "/proc/packets.bin"])?;
    assert!(line.contains("/proc/packets.bin"), "{line}");
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("bundle").display().to_string();
    let line = fail("exporter", ["--checkpoint", "fixtures/bundle", "--out", &out])?;
    assert!(line.contains("model.toml"), "{line}");
    assert!(is_empty(folder.path())?);
    let out = folder.path().join("scenes").display().to_string();
    let line = fail("scenes", ["--out", &out, "--count", "0"])?;
    assert!(line.contains("scenes: 0 scenes, expected one or more"), "{line}");
    assert!(is_empty(folder.path())?);
    Ok(())
}

#[test]
fn what_is_read_is_not_written_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["lines", "image", "captions", "bundle"] {
        std::fs::write(path(name), "kept")?;
    }
    let (lines, image, captions, bundle) = (path("lines"), path("image"), path("captions"), path("bundle"));
    let (run, data) = ("fixtures/run", "fixtures/scenes");
    let cases: [(&str, &[&str]); 5] = [
        ("exporter", &["inspect", &bundle, "--svg", &bundle]),
        ("exporter", &["trust", "--lines", &lines, "--data", data, "--report", &lines]),
        ("exporter", &["delta", &bundle, "fixtures/bundle", "--out", &bundle]),
        ("trainer", &["heatmap", "--run", run, "--image", &image, "--word", "river", "--out", &image]),
        ("trainer", &["gallery", "--hypotheses", &captions, "--data", data, "--out", &captions]),
    ];
    for (program, arguments) in cases {
        let line = fail(program, arguments)?;
        assert!(line.contains("would be written over"), "{program} {arguments:?}: {line}");
    }
    for name in ["lines", "image", "captions", "bundle"] {
        assert_eq!(std::fs::read(path(name))?, b"kept", "{name}");
    }
    Ok(())
}

#[test]
fn scenes_are_the_same_to_the_byte() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("scenes");
    succeed("scenes", ["--count".as_ref(), "12".as_ref(), "--out".as_ref(), out.as_os_str()])?;
    let mut compared = 0;
    for name in
        ["dataset_scenes.json".to_owned()].into_iter().chain((0..12).map(|n| format!("images/scene_{n:05}.jpg")))
    {
        assert_eq!(std::fs::read(out.join(&name))?, std::fs::read(fixtures::scenes().join(&name))?, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 13);
    Ok(())
}

/// The file that the wire's vectors are packed with comes out again: a folder without a model gets the n-gram model alone.
#[test]
fn captions_are_counted_for_a_folder_without_a_model() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let run = folder.path().display().to_string();
    succeed("trainer", ["language-model", "--run", &run, "--data", "fixtures/scenes"])?;
    let name = "language-model.bin";
    let (found, expected) =
        (std::fs::read(folder.path().join(name))?, std::fs::read(root().join("fixtures/wire").join(name))?);
    assert!(found == expected && !folder.path().join("document-frequencies.bin").exists());
    Ok(())
}
