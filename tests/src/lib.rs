//! What the cross-crate tests share: running the project's programs as a user does.

pub mod chromium;
pub mod module_graph;

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// One of the project's programs, as `cargo build --release --workspace` left it beside this test.
pub fn program(name: &str) -> Result<Command> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test runs outside target/")?;
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is missing: run cargo build --release --workspace", path.display());
    let mut command = Command::new(path);
    command.current_dir(root());
    Ok(command)
}

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a program that must succeed and gives its standard output.
pub fn succeed<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Result<String> {
    let output = program(name)?.args(arguments).output()?;
    ensure!(output.status.success(), "{name} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program that must fail with one line `error: …` as its last and gives that line.
pub fn fail<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Result<String> {
    let output = program(name)?.args(arguments).output()?;
    let line = error_line(&output)?;
    ensure!(!output.status.success(), "{name} succeeded although it said: {line}");
    Ok(line)
}

/// The last line of a program's standard error, which must be `error: …`.
pub fn error_line(output: &Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().last().unwrap_or_default().to_owned();
    ensure!(line.starts_with("error: "), "the last line is no error:\n{text}");
    Ok(line)
}

/// What a program printed that runs by itself, once it has ended well.
pub fn ended(child: &mut Child) -> Result<String> {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().context("its output is not piped")?, &mut text)?;
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}, having printed {text:?}");
    Ok(text)
}

/// Sends a program a signal, `-TERM` for example; gives whether it was there.
pub fn signal(child: &Child, name: &str) -> Result<bool> {
    Ok(Command::new("kill").arg(name).arg(child.id().to_string()).status()?.success())
}

/// The JSON objects that a program printed, one a line.
pub fn json_lines(text: &str) -> Result<Vec<serde_json::Value>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// A recipe that trains in seconds.
pub const RECIPE: &str = r#"
seed = 3
[network]
backbone = "efficientnet-lite2"
image_size = 96
width = 32
heads = 4
feed_forward = 64
encoder_layers = 2
decoder_layers = 2
dgp_hidden = 8
contrast_width = 16
[data]
minimum_count = 1
views = 2
[mccl]
epochs = 1
batch = 16
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
[rsic]
epochs = 8
batch = 8
schedule = { kind = "noam", factor = 0.1, warmup = 12 }
average = 0.9
"#;

/// The arguments of `trainer train` on `scenes` in `folder` by `recipe.toml` there, into `run`.
#[must_use]
pub fn train(folder: &Path, run: &str, weights: &Path) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let weights = weights.display().to_string();
    let arguments = ["train", "--threads", "1", "--device", "cpu", "--config"].map(str::to_owned);
    let named = ["--data", "--backbone-weights", "--out", "--cache"].map(str::to_owned);
    let values = [path("scenes"), weights, path(run), path("features")];
    let pairs = named.into_iter().zip(values).flat_map(|(name, value)| [name, value]);
    arguments.into_iter().chain([path("recipe.toml")]).chain(pairs).collect()
}

/// Renders 60 scenes into `folder` and trains [`RECIPE`] on them as `run`.
pub fn small_run(folder: &Path, weights: &Path) -> Result<()> {
    std::fs::write(folder.join("recipe.toml"), RECIPE)?;
    let scenes = folder.join("scenes").display().to_string();
    succeed("scenes", ["--out", &scenes, "--count", "60", "--seed", "5"])?;
    succeed("trainer", train(folder, "run", weights)).map(drop)
}

/// A package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: toml::Table,
}

impl Package {
    /// The names of what it depends on, but for tests.
    #[must_use]
    pub fn dependencies(&self) -> Vec<String> {
        let table = self.manifest.get("dependencies").and_then(toml::Value::as_table);
        table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
    }
}

/// The packages of the workspace, as its manifest lists them.
pub fn packages() -> Result<Vec<Package>> {
    let workspace: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let members = workspace.get("workspace").and_then(|workspace| workspace.get("members"));
    let members = members.and_then(toml::Value::as_array).context("Cargo.toml lists no members")?;
    let package = |member: &toml::Value| {
        let folder = root().join(member.as_str().context("a member that is no path")?);
        let manifest: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml"))?.parse()?;
        let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
        Ok(Package { name: name.context("a package without a name")?.into(), folder, manifest })
    };
    members.iter().map(package).collect()
}
