//! METEOR 1.5 and SPICE 1.0 ([`super::spice`]) through their own programs, as pycocoevalcap 1.2 calls them. Both are Java; a jar
//! is looked for where the user says, else in an installed pycocoevalcap. Scores are published with the reason why one is absent:
//! no reason holds the path of a folder.

use cssa::metrics::{Item, tokenize_lines};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const METEOR: &str = "meteor/meteor-1.5.jar";

/// The programs, and where they keep what lasts.
#[derive(Clone, Debug)]
pub struct Jars {
    /// The folder with `meteor/` and `spice/` of pycocoevalcap.
    pub(super) folder: PathBuf,
    /// Folder of caches.
    pub(super) cache: PathBuf,
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
    #[error(
        "{jar} is missing in the folder of --jars or of python3's pycocoevalcap; tests/peers/fetch-spice.sh gets it"
    )]
    Missing {
        /// Its name from that folder on.
        jar: String,
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
    /// In `folder`, or in the pycocoevalcap of `python3`; what lasts is kept under `cache`.
    pub fn find(folder: Option<&Path>, cache: &Path) -> Result<Self, JarError> {
        let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !java.is_ok_and(|status| status.success()) {
            return Err(JarError::Java);
        }
        let cache = cache.to_path_buf();
        if let Some(folder) = folder {
            return Ok(Self { folder: folder.to_path_buf(), cache });
        }
        let program =
            "import importlib.util; print(importlib.util.find_spec('pycocoevalcap').submodule_search_locations[0])";
        let asked = Command::new("python3").args(["-c", program]).stderr(Stdio::null()).output();
        let found = asked.ok().filter(|output| output.status.success()).ok_or(JarError::Package)?;
        Ok(Self { folder: PathBuf::from(String::from_utf8_lossy(&found.stdout).trim()), cache })
    }

    /// The jar of this name, from the folder on.
    pub(super) fn jar(&self, name: &str) -> Result<PathBuf, JarError> {
        let path = self.folder.join(name);
        if path.is_file() { Ok(path) } else { Err(JarError::Missing { jar: name.to_owned() }) }
    }

    /// METEOR of the corpus.
    pub fn meteor(&self, items: &[Item]) -> Result<f64, JarError> {
        let failed = |problem: String| JarError::Failed { program: "METEOR", problem };
        let jar = self.jar(METEOR)?;
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
pub(super) fn tokenized(items: &[Item]) -> Vec<(String, Vec<String>)> {
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
