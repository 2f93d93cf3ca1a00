//! `edge doctor`: what is here, and what to do about what is not.

use super::{Result, configure, edge, said};
use serde_json::Value;

/// What it found of a thing, as `(state, found)`.
fn of(found: &Value, thing: &str) -> (String, String) {
    let entry = found.as_array().and_then(|all| all.iter().find(|entry| entry["thing"] == thing));
    let text = |key: &str| entry.and_then(|entry| entry[key].as_str()).unwrap_or_default().to_owned();
    (text("state"), text("found"))
}

#[test]
fn what_flies_is_good_and_what_does_not_is_named_with_its_advice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = configure(folder.path(), &["scene_00000.jpg"], "", "")?;
    let output =
        edge().args(["doctor", "--json", "--bundle"]).arg(fixtures::bundle()).arg("--config").arg(&config).output()?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    assert!(output.status.success(), "{found} {}", said(&output));
    for thing in ["processor", "memory", "clock", "bundle", "state", "configuration"] {
        assert_eq!(of(&found, thing).0, "good", "{thing} in {found}");
    }
    let runs = ["ONNX Runtime", "tract"].map(|thing| of(&found, thing));
    assert!(runs.iter().any(|(state, said)| state == "good" && said.contains("a caption in")), "{runs:?}");

    let broken = folder.path().join("broken.cssa");
    std::fs::write(&broken, "no bundle")?;
    std::fs::write(&config, std::fs::read_to_string(&config)?.replace("looks = 1", "looks = 1\nthreads = 0"))?;
    let output = edge().args(["doctor", "--bundle"]).arg(&broken).arg("--config").arg(&config).output()?;
    let (shown, error) = (String::from_utf8(output.stdout.clone())?, said(&output));
    assert!(!output.status.success() && error.contains("not ready to fly: bundle, configuration"), "{error}");
    assert!(shown.contains("broken.cssa") && shown.contains("model.threads is 0") && shown.contains("→ "), "{shown}");
    Ok(())
}
