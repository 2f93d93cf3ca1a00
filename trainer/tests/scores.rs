//! `trainer score` as a user runs it, with a program in Java's place that answers as METEOR and SPICE do; and the scores that
//! were published.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const DATASET: &str = "path,caption,split
bridge_1.jpg,a bridge over a river .,train
bridge_1.jpg,a long bridge .,train
lake_1.jpg,a lake near trees .,train
bridge_2.jpg,a bridge over a river .,test
bridge_2.jpg,a river under a bridge .,test
lake_2.jpg,a lake .,test
lake_2.jpg,a blue lake .,test
00003.jpg,many houses .,test
00003.jpg,some houses near a road .,test
";
const HYPOTHESES: &str = r#"{"bridge_2.jpg": "a bridge over a river .", "lake_2.jpg": "a lake near a road .", "00003.jpg": "many houses ."}"#;
/// Three images: METEOR says .2 of each and .3 of all, SPICE .1, .2 and .6. What SPICE was given is left in its cache.
const JAVA: &str = r#"#!/bin/sh
case "$*" in
*meteor*)
  while read -r line; do
    case "$line" in
    SCORE*) echo 1 ;;
    EVAL*) printf '0.2\n0.2\n0.2\n0.3\n' ;;
    esac
  done ;;
*spice*)
  echo "$JDK_JAVA_OPTIONS" > "$6/options"
  if [ -e "$6/fail" ]; then echo "Caused by: java.io.IOException: $6/data.mdb" >&2; exit 1; fi
  echo '[{"scores":{"All":{"f":0.1}}},{"scores":{"All":{"f":0.2}}},{"scores":{"All":{"f":0.6}}}]' > "$8" ;;
esac
"#;
const JARS: [&str; 4] = [
    "meteor/meteor-1.5.jar",
    "spice/spice-1.0.jar",
    "spice/lib/stanford-corenlp-3.6.0.jar",
    "spice/lib/stanford-corenlp-3.6.0-models.jar",
];

/// A folder with a dataset, captions, jars and a java.
fn prepared() -> Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let put = |name: &str, text: &str| -> Result<PathBuf> {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().context("parent")?)?;
        std::fs::write(&path, text)?;
        Ok(path)
    };
    put("data/captions.csv", DATASET)?;
    put("captions.json", HYPOTHESES)?;
    for name in JARS {
        put(&format!("jars/{name}"), name)?;
    }
    std::fs::create_dir(folder.path().join("jars/spice/modules"))?;
    std::fs::set_permissions(put("bin/java", JAVA)?, std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

fn score(folder: &Path, more: &[&str]) -> Result<Output> {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH")?);
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.current_dir(folder).env("PATH", path).env_remove("JDK_JAVA_OPTIONS");
    command.args(["score", "--hypotheses", "captions.json", "--references", "data", "--device", "cpu"]);
    command.arg("--cache").arg(folder.join("cache")).arg("--jars").arg(folder.join("jars"));
    Ok(command.args(more).output()?)
}

fn json(folder: &Path, more: &[&str]) -> Result<Value> {
    let output = score(folder, &[more, &["--json"]].concat())?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn scores_say_how_varied_how_long_and_how_faithful_captions_are() -> Result<()> {
    let folder = prepared()?;
    let found = json(folder.path(), &["--by-class"])?;
    assert_eq!((&found["meteor"], &found["absent"]), (&0.3.into(), &serde_json::json!({})));
    assert!((found["spice"].as_f64().context("spice")? - 0.3).abs() < 1e-12, "{found}");
    assert_eq!((&found["images"], &found["distinct"]), (&3.into(), &3.into()));
    // The road at the lake is invented, of five objects; nothing is said by three references.
    assert_eq!((&found["invented"], &found["missed"]), (&0.2.into(), &0.0.into()));
    assert_eq!(found["wrong"], 1.0 / 3.0);
    assert_eq!(found["intervals"]["wrong"], serde_json::json!([0.0, 1.0]));
    assert!(
        found["words"].as_f64() < Some(5.0) && found["reference_words"].as_f64() < found["words"].as_f64(),
        "{found}"
    );
    for name in ["class_lookup", "class_consensus"] {
        let baseline = &found[name];
        assert_eq!((&baseline["images"], &baseline["left_out"]), (&2.into(), &1.into()), "{name}");
        assert!(baseline["scores"]["cider"].is_number(), "{name}");
    }
    let classes: Vec<&Value> =
        found["by_class"].as_array().context("by_class")?.iter().map(|row| &row["class"]).collect();
    assert_eq!(classes, [&Value::Null, &"bridge".into(), &"lake".into()]);
    let text = String::from_utf8(score(folder.path(), &["--by-class"])?.stdout)?;
    for part in
        ["3 distinct, ", "invented 0.2000  [", "class consensus, 2 images, 1 without class", "(name tells no class)"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    Ok(())
}

#[test]
fn parses_are_kept_and_reasons_name_no_folder() -> Result<()> {
    let folder = prepared()?;
    json(folder.path(), &[])?;
    json(folder.path(), &[])?;
    let kept: Vec<PathBuf> =
        std::fs::read_dir(folder.path().join("cache/spice"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    assert_eq!(kept.len(), 1, "the second run takes the parses of the first");
    let options = std::fs::read_to_string(kept[0].join("options"))?;
    let expected =
        format!("\"--module-path={}/jars/spice/modules\" --add-modules=org.openjdk.nashorn", folder.path().display());
    assert!(options.starts_with(&expected), "{options}");
    std::fs::write(kept[0].join("fail"), "")?;
    let found = json(folder.path(), &[])?;
    assert_eq!(found["absent"]["spice"], "SPICE failed: Caused by: java.io.IOException: data.mdb");
    std::fs::remove_file(folder.path().join("jars").join(JARS[3]))?;
    let reason = &json(folder.path(), &[])?["absent"]["spice"];
    assert!(
        reason
            .as_str()
            .is_some_and(|reason| reason.starts_with("spice/lib/stanford-corenlp-3.6.0-models.jar is missing")),
        "{reason}"
    );
    Ok(())
}

#[test]
fn published_results_hold_every_score_and_no_path_of_a_machine() -> Result<()> {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/results")];
    let mut scored = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path)?;
            for machine in ["/home", "/root", "/tmp", "/work", "/Users", "/mnt", "/opt", "/usr", "/var"] {
                assert!(!text.contains(machine), "{} holds a path: {machine}", path.display());
            }
            if path.ends_with("metrics.json") {
                for (split, scores) in serde_json::from_str::<serde_json::Map<String, Value>>(&text)? {
                    for name in ["meteor", "spice", "distinct", "invented", "missed", "wrong"] {
                        assert!(scores[name].is_number(), "{}: {split} has no {name}", path.display());
                    }
                    scored += 1;
                }
            }
        }
    }
    assert!(scored >= 16, "{scored} scored splits");
    Ok(())
}
