//! SPICE 1.0 with the parser CoreNLP 3.6.0, as pycocoevalcap 1.2 calls it. The parses of sentences are kept under the cache, in a
//! database that is the program's own (LMDB) and named after everything that a parse follows from: the jars. One run at a time
//! works with it, others wait.

use super::jars::{JarError, Jars, tokenized};
use crate::progress::Progress;
use cssa::metrics::Item;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SPICE: &str = "spice/spice-1.0.jar";
const LIBRARIES: &str = "spice/lib";
/// What SPICE cannot do without and its package does not hold.
const PARSER: [&str; 2] = ["spice/lib/stanford-corenlp-3.6.0.jar", "spice/lib/stanford-corenlp-3.6.0-models.jar"];
/// The JavaScript engine that SPICE writes its answer with; Java has had none since version 15, and no module before 9.
const MODULES: &str = "spice/modules";
const ENGINE: &str = "org.openjdk.nashorn";
/// What SPICE's cache of parses (fst 2.47) looks into by reflection, which Java forbids since version 17. The launcher reads
/// `JDK_JAVA_OPTIONS` since version 9; Java 8, which SPICE was made for, knows neither variable nor option.
const OPENED: [&str; 6] = ["lang", "math", "net", "text", "util", "util.concurrent"];

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

impl Jars {
    /// SPICE, mean over the images.
    pub fn spice(&self, items: &[Item]) -> Result<f64, JarError> {
        let jar = self.jar(SPICE)?;
        for name in PARSER {
            self.jar(name)?;
        }
        let scratch = tempfile::tempdir().map_err(system("a temporary folder"))?;
        let (input, output) = (scratch.path().join("in.json"), scratch.path().join("out.json"));
        std::fs::write(&input, question(items)?).map_err(system("its input"))?;
        let cache = self.parses().map_err(system("the cache of parses"))?;
        let lock = lock(&cache).map_err(system("the lock of the cache of parses"))?;
        let ran = Command::new("java")
            .env("JDK_JAVA_OPTIONS", self.java_options(&std::env::var("JDK_JAVA_OPTIONS").unwrap_or_default()))
            .args(["-Xmx8G", "-jar"])
            .arg(&jar)
            .arg(&input)
            .arg("-cache")
            .arg(&cache)
            .arg("-out")
            .arg(&output)
            .args(["-subset", "-silent"])
            .output()
            .map_err(system("java"))?;
        drop(lock);
        if !ran.status.success() {
            return Err(failed(cause(&ran)));
        }
        let text = std::fs::read(&output).map_err(system("its answer"))?;
        let answers: Vec<Answer> = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        if answers.len() != items.len() {
            return Err(failed(format!("{} scores for {} images", answers.len(), items.len())));
        }
        Ok(answers.iter().map(|answer| answer.scores.all.f).sum::<f64>() / answers.len() as f64)
    }

    /// Options of the launcher: what the user set, the engine where its folder is, the opened packages.
    fn java_options(&self, own: &str) -> String {
        let mut options = own.to_owned();
        let modules = self.folder.join(MODULES);
        if modules.is_dir() {
            options.push_str(&format!(" \"--module-path={}\" --add-modules={ENGINE}", modules.display()));
        }
        for package in OPENED {
            options.push_str(&format!(" --add-opens=java.base/java.{package}=ALL-UNNAMED"));
        }
        options.trim_start().to_owned()
    }

    /// The folder of parses by these very jars.
    fn parses(&self) -> io::Result<PathBuf> {
        let entries = std::fs::read_dir(self.folder.join(LIBRARIES))?;
        let mut jars = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
        jars.retain(|path| path.extension().is_some_and(|ending| ending == "jar"));
        jars.sort();
        jars.push(self.folder.join(SPICE));
        let mut hash = Sha256::new();
        for jar in jars {
            let mut of_jar = Sha256::new();
            io::copy(&mut File::open(jar)?, &mut Hashed(&mut of_jar))?;
            hash.update(of_jar.finalize());
        }
        let key = cssa::bundle::hexadecimal(&hash.finalize()[..8]);
        let folder = self.cache.join("spice").join(key);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// What is written goes into a hash.
struct Hashed<'a>(&'a mut Sha256);

impl io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(problem: String) -> JarError {
    JarError::Failed { program: "SPICE", problem }
}

/// The kind of an error without its path.
fn system(what: &'static str) -> impl Fn(io::Error) -> JarError {
    move |error| failed(format!("{what}: {}", error.kind()))
}

/// What SPICE reads.
fn question(items: &[Item]) -> Result<Vec<u8>, JarError> {
    let tokenized = tokenized(items);
    let asked = tokenized.iter().enumerate().map(|(image_id, (test, refs))| Asked { image_id, test, refs });
    serde_json::to_vec(&asked.collect::<Vec<_>>()).map_err(|error| failed(error.to_string()))
}

/// Nobody else's until it is dropped, or this process ends.
fn lock(cache: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(cache.join("one-at-a-time.lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            Progress::Shown.say("waiting for another run that scores SPICE with the same cache");
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// The last cause that Java told; the lines of a stack trace below it are indented.
fn cause(ran: &Output) -> String {
    let said = String::from_utf8_lossy(&ran.stderr);
    let last = said.lines().rfind(|line| !line.starts_with(char::is_whitespace)).unwrap_or_default();
    if last.contains("ScriptEngine") || last.contains("scriptEngine") {
        return format!("Java has no JavaScript engine and {MODULES} is missing; tests/peers/fetch-spice.sh gets it");
    }
    without_folders(last)
}

/// Text in which each absolute path is its file name alone.
fn without_folders(text: &str) -> String {
    let word = |word: &str| {
        let before = |at: usize| word[..at].chars().next_back();
        let absolute = |&at: &usize| before(at).is_none_or(|c| !c.is_alphanumeric() && !".-_/".contains(c));
        match word.match_indices('/').map(|(at, _)| at).find(absolute).zip(word.rfind('/')) {
            Some((start, last)) => format!("{}{}", &word[..start], &word[last + 1..]),
            None => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};

    fn jars(folder: &Path) -> Result<Jars> {
        for name in [SPICE, PARSER[0], PARSER[1]] {
            std::fs::create_dir_all(folder.join(LIBRARIES))?;
            std::fs::write(folder.join(name), name)?;
        }
        Ok(Jars { folder: folder.to_path_buf(), cache: folder.join("cache") })
    }

    #[test]
    fn the_engine_is_a_module_where_its_folder_is() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let jars = jars(folder.path())?;
        let without = jars.java_options("-Dx=1");
        assert!(without.starts_with("-Dx=1 --add-opens=java.base/java.lang=ALL-UNNAMED"), "{without}");
        assert!(!without.contains("module"), "{without}");
        std::fs::create_dir(folder.path().join(MODULES))?;
        let with = jars.java_options("");
        let expected = format!("\"--module-path={}\" --add-modules={ENGINE} ", folder.path().join(MODULES).display());
        assert!(with.starts_with(&expected), "{with}");
        Ok(())
    }

    #[test]
    fn parses_are_kept_apart_for_other_jars() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let jars = jars(folder.path())?;
        let first = jars.parses()?;
        assert!(first.is_dir() && first.parent() == Some(&folder.path().join("cache/spice")), "{first:?}");
        assert_eq!(jars.parses()?, first);
        std::fs::write(folder.path().join(PARSER[1]), "other models")?;
        assert_ne!(jars.parses()?, first);
        Ok(())
    }

    #[test]
    fn one_run_at_a_time_has_the_parses() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let held = lock(folder.path())?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let path = folder.path().to_path_buf();
        std::thread::spawn(move || sender.send(lock(&path).map(drop)));
        assert!(receiver.recv_timeout(std::time::Duration::from_millis(100)).is_err(), "two runs have it");
        drop(held);
        Ok(receiver.recv_timeout(std::time::Duration::from_secs(60))??)
    }

    #[test]
    fn reasons_hold_no_folder() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let jars = jars(folder.path())?;
        std::fs::remove_file(folder.path().join(PARSER[0]))?;
        let reason = jars.spice(&[]).err().context("SPICE ran without its parser")?.to_string();
        assert!(
            reason.starts_with("spice/lib/stanford-corenlp-3.6.0.jar is missing in the folder of --jars"),
            "{reason}"
        );
        let said = "Caused by: x.LinkError: '/tmp/a/liblmdb.so': java.base/java.util (file:/home/b/c.jar) 1/2";
        assert_eq!(without_folders(said), "Caused by: x.LinkError: 'liblmdb.so': java.base/java.util (file:c.jar) 1/2");
        Ok(())
    }
}
