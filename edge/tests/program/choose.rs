//! `edge bench --choose`: what is fastest here is what flies.

use super::{Result, configure, edge, fly, said};

/// The configuration gets what was measured, keeps the rest, and flies; a bundle that does not load is a line and no end.
#[test]
fn the_fastest_way_is_written_and_flies() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = configure(folder.path(), &["scene_00000.jpg"], "threads = 2 # mine", "# the end")?;
    let broken = folder.path().join("broken.cssa");
    std::fs::write(&broken, "no bundle")?;
    let image = fixtures::scenes().join("images/scene_00001.jpg");
    let mut command = edge();
    command.args(["bench", "--count", "3", "--choose"]).arg(&config).arg("--candidate").arg(&broken);
    let output = command.arg("--candidate").arg(fixtures::bundle()).arg(&image).output()?;
    assert!(output.status.success(), "{}", said(&output));
    let (shown, log) = (String::from_utf8(output.stdout.clone())?, said(&output));
    assert!(shown.contains("ms a caption") && shown.contains("edge install"), "{shown}");
    assert!(log.contains("broken.cssa") && log.contains("not to be chosen"), "{log}");
    let rejected =
        |provider: &str| log.lines().any(|line| line.contains(provider) && line.contains("not to be chosen"));
    assert!(rejected("ort/cuda") && rejected("ort/tensorrt"), "no such device is here: {log}");

    let text = std::fs::read_to_string(&config)?;
    assert!(text.contains("# mine") && text.contains("# the end") && text.contains("looks = 1"), "{text}");
    for key in ["runtime", "provider = \"cpu\"", "threads", "batch"] {
        assert!(text.contains(&format!("\n{key}")), "{key} in {text}");
    }
    assert!(!text.contains("bundle"), "the slots have it: {text}");
    let (status, log) = fly(&config)?;
    assert_eq!(status["counters"]["frames"], 1, "{status} {log}");

    let before = text;
    let output = edge()
        .args(["bench", "--count", "1", "--choose"])
        .arg(&config)
        .arg("--candidate")
        .arg(&broken)
        .arg(&image)
        .output()?;
    let said = said(&output);
    assert!(!output.status.success() && said.contains("nothing captions") && said.contains("broken.cssa"), "{said}");
    assert_eq!(std::fs::read_to_string(&config)?, before);
    Ok(())
}
