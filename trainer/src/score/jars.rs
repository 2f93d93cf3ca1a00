//! METEOR 1.5 and SPICE 1.0 through their own programs, as pycocoevalcap 1.2 calls them. Both are Java; a jar is looked for
//! where the user says, else in an installed pycocoevalcap.

use cssa::metrics::{Item, tokenize_lines};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const METEOR: &str = "meteor-1.5.jar";
const SPICE: &str = "spice-1.0.jar";
/// What SPICE cannot do without and its package does not hold.
const PARSER: &str = "stanford-corenlp-3.6.0.jar";
/// What SPICE's cache of parses (fst 2.47) looks into by reflection, which Java forbids since version 17. The launcher reads
/// `JDK_JAVA_OPTIONS` since version 9; Java 8, which SPICE was made for, knows neither variable nor option.
const OPENED: [&str; 6] = ["lang", "math", "net", "text", "util", "util.concurrent"];

/// The folder with `meteor/` and `spice/` of pycocoevalcap.
#[derive(Clone, Debug)]
pub struct Jars {
    folder: PathBuf,
}

/// Why a score is absent.
#[derive(Debug, thiserror::Error)]
pub enum JarError {
    /// No Java.
    #[error("java is not there, or does not start")]
    Java,
    /// No package.
    #[error("pycocoevalcap is not installed for python3, and --jars names no folder with meteor/ and spice/")]
    Package,
    /// A jar is missing.
    #[error("{} is missing", .path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The program did not answer as it should.
    #[error("{program} failed: {problem}")]
    Failed {
        /// METEOR or SPICE.
        program: &'static str,
        /// What it said.
        problem: String,
    },
}

impl Jars {
    /// In `folder`, or in the pycocoevalcap of `python3`.
    pub fn find(folder: Option<&Path>) -> Result<Self, JarError> {
        let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !java.is_ok_and(|status| status.success()) {
            return Err(JarError::Java);
        }
        if let Some(folder) = folder {
            return Ok(Self { folder: folder.to_path_buf() });
        }
        let program =
            "import importlib.util; print(importlib.util.find_spec('pycocoevalcap').submodule_search_locations[0])";
        let asked = Command::new("python3").args(["-c", program]).stderr(Stdio::null()).output();
        let found = asked.ok().filter(|output| output.status.success()).ok_or(JarError::Package)?;
        Ok(Self { folder: PathBuf::from(String::from_utf8_lossy(&found.stdout).trim()) })
    }

    fn jar(&self, part: &str, name: &str) -> Result<PathBuf, JarError> {
        let path = self.folder.join(part).join(name);
        if path.is_file() { Ok(path) } else { Err(JarError::Missing { path }) }
    }

    /// METEOR of the corpus.
    pub fn meteor(&self, items: &[Item]) -> Result<f64, JarError> {
        let failed = |problem: String| JarError::Failed { program: "METEOR", problem };
        let jar = self.jar("meteor", METEOR)?;
        let mut child = Command::new("java")
            .args(["-Xmx2G", "-jar"])
            .arg(&jar)
            .args(["-", "-", "-stdio", "-l", "en", "-norm"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let answered = talk(&mut child, items);
        child.kill().ok();
        child.wait().ok();
        answered.map_err(|error| failed(error.to_string()))
    }

    /// SPICE, mean over the images.
    pub fn spice(&self, items: &[Item]) -> Result<f64, JarError> {
        let failed = |problem: String| JarError::Failed { program: "SPICE", problem };
        let jar = self.jar("spice", SPICE)?;
        self.jar("spice/lib", PARSER)?;
        let scratch = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let (input, output) = (scratch.path().join("in.json"), scratch.path().join("out.json"));
        let tokenized = tokenized(items);
        let asked: Vec<Asked<'_>> =
            tokenized.iter().enumerate().map(|(image_id, (test, refs))| Asked { image_id, test, refs }).collect();
        let text = serde_json::to_vec(&asked).map_err(|error| failed(error.to_string()))?;
        std::fs::write(&input, text).map_err(|error| failed(error.to_string()))?;
        let cache = scratch.path().join("cache");
        std::fs::create_dir(&cache).map_err(|error| failed(error.to_string()))?;
        let mut options = std::env::var("JDK_JAVA_OPTIONS").unwrap_or_default();
        for package in OPENED {
            options.push_str(&format!(" --add-opens=java.base/java.{package}=ALL-UNNAMED"));
        }
        let ran = Command::new("java")
            .env("JDK_JAVA_OPTIONS", options.trim_start())
            .args(["-Xmx8G", "-jar"])
            .arg(&jar)
            .arg(&input)
            .arg("-cache")
            .arg(&cache)
            .arg("-out")
            .arg(&output)
            .args(["-subset", "-silent"])
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !ran.status.success() {
            // The last cause; the lines of a stack trace below it are indented.
            let said = String::from_utf8_lossy(&ran.stderr);
            let cause = said.lines().rfind(|line| !line.starts_with(char::is_whitespace));
            return Err(failed(cause.unwrap_or_default().to_owned()));
        }
        let text = std::fs::read(&output).map_err(|error| failed(error.to_string()))?;
        let answers: Vec<Answer> = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        if answers.len() != items.len() {
            return Err(failed(format!("{} scores for {} images", answers.len(), items.len())));
        }
        Ok(answers.iter().map(|answer| answer.scores.all.f).sum::<f64>() / answers.len() as f64)
    }
}

/// METEOR's protocol: a line `SCORE ||| references ||| hypothesis` an image, answered by its statistics; then one line `EVAL`
/// with all statistics, answered by a score an image and the corpus score.
fn talk(child: &mut Child, items: &[Item]) -> std::io::Result<f64> {
    let broken = || std::io::Error::other("it closed its input or output");
    let (mut input, output) = (child.stdin.take().ok_or_else(broken)?, child.stdout.take().ok_or_else(broken)?);
    let mut answers = BufReader::new(output).lines();
    let mut answer = || answers.next().ok_or_else(broken)?;
    let mut evaluate = String::from("EVAL");
    for (hypothesis, references) in tokenized(items) {
        let hypothesis = hypothesis.replace("|||", "").replace("  ", " ");
        writeln!(input, "SCORE ||| {} ||| {hypothesis}", references.join(" ||| "))?;
        input.flush()?;
        evaluate.push_str(" ||| ");
        evaluate.push_str(answer()?.trim());
    }
    writeln!(input, "{evaluate}")?;
    input.flush()?;
    for _ in items {
        answer()?;
    }
    answer()?.trim().parse().map_err(std::io::Error::other)
}

/// Each hypothesis and its references as the PTB tokenizer leaves them.
fn tokenized(items: &[Item]) -> Vec<(String, Vec<String>)> {
    let hypotheses: Vec<&str> = items.iter().map(|item| item.hypothesis.as_str()).collect();
    let references: Vec<&str> = items.iter().flat_map(|item| item.references.iter().map(String::as_str)).collect();
    let mut references = tokenize_lines(&references).into_iter().map(|tokens| tokens.join(" "));
    let hypotheses = tokenize_lines(&hypotheses).into_iter().map(|tokens| tokens.join(" "));
    items
        .iter()
        .zip(hypotheses)
        .map(|(item, hypothesis)| (hypothesis, references.by_ref().take(item.references.len()).collect()))
        .collect()
}

#[derive(Serialize)]
struct Asked<'a> {
    image_id: usize,
    test: &'a str,
    refs: &'a [String],
}

#[derive(Deserialize)]
struct Answer {
    scores: Parts,
}

#[derive(Deserialize)]
struct Parts {
    #[serde(rename = "All")]
    all: All,
}

#[derive(Deserialize)]
struct All {
    f: f64,
}
