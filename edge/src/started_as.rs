//! How this program is started once more: by its own file, or, where another language's interpreter runs it, as that one is told.

use std::ffi::OsString;
use std::sync::OnceLock;

static WORDS: OnceLock<Vec<OsString>> = OnceLock::new();

/// Says how the program was started, where its own file is not what to start: `python -m cssa_onboard`, for example. The first one stays.
pub fn set(words: Vec<OsString>) {
    let _first = WORDS.set(words);
}

/// The program, and what stands before its own arguments.
pub(crate) fn words() -> std::io::Result<Vec<OsString>> {
    match WORDS.get().filter(|words| !words.is_empty()) {
        Some(words) => Ok(words.clone()),
        None => Ok(vec![std::env::current_exe()?.into()]),
    }
}

/// A command that starts it.
pub(crate) fn command() -> std::io::Result<std::process::Command> {
    let words = words()?;
    let mut command = std::process::Command::new(&words[0]);
    command.args(&words[1..]);
    Ok(command)
}
