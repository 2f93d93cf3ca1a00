//! A PostgreSQL server of the test's own, from Debian's packages: its files are in a temporary folder, and it ends with the test.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, bail, ensure};
use ground::Place;
use postgres::{Client, NoTls};
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// So long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// A password that would be seen in a log.
pub(crate) const PASSWORD: &str = "cssa-secret";

/// A server that runs.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    /// Root may not start it: who does.
    user: Option<(u32, u32)>,
    port: u16,
    server: Option<Child>,
}

/// Where Debian's packages have the programs, newest first; nothing where one of them is missing.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<u32> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable();
    let has_postgis = |version: &u32| {
        Path::new(&format!("/usr/share/postgresql/{version}/extension/postgis.control")).is_file()
            && Path::new(&format!("/usr/lib/postgresql/{version}/bin/initdb")).is_file()
    };
    versions.into_iter().rev().find(has_postgis).map(|version| format!("/usr/lib/postgresql/{version}/bin").into())
}

impl Cluster {
    /// Starts a server; nothing, and why, where its packages are missing.
    pub(crate) fn start() -> Result<Option<Self>> {
        let Some(programs) = programs() else {
            eprintln!("skipped: PostgreSQL with PostGIS is not here (apt-get install postgresql-postgis)");
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("cssa-postgres").tempdir_in("/tmp")?;
        let user = if std::fs::metadata(folder.path())?.uid() == 0 {
            let number = |which: &str| -> Result<u32> {
                let found = Command::new("id").args([which, "postgres"]).output()?;
                String::from_utf8(found.stdout)?.trim().parse().context("the user postgres")
            };
            let (user, group) = (number("-u")?, number("-g")?);
            chown(folder.path(), Some(user), Some(group))?;
            Some((user, group))
        } else {
            None
        };
        let port = fixtures::free_address()?.port();
        let mut cluster = Self { programs, folder, user, port, server: None };
        let password = cluster.folder.path().join("password");
        std::fs::write(&password, PASSWORD)?;
        let made = cluster
            .program("initdb")
            .args([
                "--username",
                "cssa",
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--no-sync",
            ])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(cluster.folder.path().join("data"))
            .output()?;
        ensure!(made.status.success(), "{}", said(&made));
        cluster.run()?;
        Ok(Some(cluster))
    }

    /// A program of PostgreSQL; it ends with this one.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some((user, group)) = self.user {
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        }
        command.arg(self.programs.join(name)).current_dir(self.folder.path());
        command
    }

    /// Starts the server, the first time or again, and waits for it.
    pub(crate) fn run(&mut self) -> Result<()> {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.folder.path().join("data")).arg("-k").arg(self.folder.path());
        server.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        let log = std::fs::File::create(self.folder.path().join("log"))?;
        self.server = Some(server.stdout(Stdio::null()).stderr(log).spawn()?);
        let began = Instant::now();
        loop {
            match self.client("postgres") {
                Ok(_) => return Ok(()),
                Err(_) if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => {
                    bail!("{error:#}: {}", std::fs::read_to_string(self.folder.path().join("log"))?)
                }
            }
        }
    }

    /// Ends the server, and every connection to it.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        ensure!(Command::new("kill").arg("-INT").arg(server.id().to_string()).status()?.success());
        let began = Instant::now();
        while server.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                server.kill()?;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// A database of a name, as an administrator sees it.
    pub(crate) fn client(&self, database: &str) -> Result<Client> {
        Ok(Client::connect(&self.url(database), NoTls)?)
    }

    /// A new database, which is empty.
    pub(crate) fn create(&self, database: &str) -> Result<Place> {
        self.client("postgres")?.batch_execute(&format!("CREATE DATABASE {database}"))?;
        Ok(self.place(database))
    }

    pub(crate) fn place(&self, database: &str) -> Place {
        Place::from(OsString::from(self.url(database)))
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://cssa:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same over the socket.
    #[allow(dead_code, reason = "only the tests of the database use it")]
    pub(crate) fn socket_url(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgresql://cssa:{PASSWORD}@/{database}?host={folder}&port={}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop().ok();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
