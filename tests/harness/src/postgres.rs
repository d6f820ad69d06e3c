//! A scratch PostgreSQL: its own data directory, no fsync, gone with the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::child::{Child, guarded, hand_over, run};
use crate::{net, until_within};

/// Where Debian puts the server's programs; they are not in the PATH.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|p| p.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

/// A PostgreSQL server.
pub struct Postgres {
    dir: TempDir,
    at: SocketAddr,
    child: Option<Child>,
}

impl Postgres {
    /// Make a data directory and start a server on it.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("pdm-pg-").tempdir().expect("a directory");
        hand_over(dir.path());
        let data = dir.path().join("data");
        let mut initdb = guarded(program("initdb"), true);
        initdb.current_dir(dir.path()).arg("-D").arg(&data).args([
            "-U",
            "pdm",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]);
        run(&mut initdb).expect("initdb");
        let mut this = Self { at: net::port(net::address()), dir, child: None };
        this.go().await;
        this
    }

    /// Start it again after [`Postgres::stop`] or [`Postgres::kill`].
    pub async fn go(&mut self) {
        let data = self.dir.path().join("data");
        let mut command = guarded(program("postgres"), true);
        command.current_dir(self.dir.path()).arg("-D").arg(data);
        for setting in [
            format!("listen_addresses={}", self.at.ip()),
            format!("port={}", self.at.port()),
            format!("unix_socket_directories={}", self.dir.path().display()),
            "fsync=off".into(),
            "full_page_writes=off".into(),
            "max_connections=200".into(),
            "shared_buffers=64MB".into(),
            "deadlock_timeout=200ms".into(),
            "log_lock_waits=on".into(),
            "log_min_messages=warning".into(),
        ] {
            command.arg("-c").arg(setting);
        }
        self.child = Some(Child::start("postgres", command, &self.log_file()));
        until_within("PostgreSQL", Duration::from_secs(30), || async {
            run(self.psql_command("postgres").args(["-c", "select 1"]))
        })
        .await;
    }

    /// Stop it as an operator would, disconnecting everybody.
    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop(Signal::SIGINT).await;
        }
    }

    /// Stop it at once, as a crash would.
    pub async fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop(Signal::SIGQUIT).await;
        }
    }

    /// Create a database.
    pub fn create(&self, name: &str) {
        self.psql("postgres", &format!("create database {name}"));
    }

    /// Drop a database, disconnecting everybody, and create it as a copy of another.
    pub fn copy(&self, from: &str, to: &str) {
        self.disconnect(from);
        self.psql("postgres", &format!("drop database if exists {to} with (force)"));
        self.psql("postgres", &format!("create database {to} template {from}"));
    }

    /// Disconnect everybody from a database.
    pub fn disconnect(&self, name: &str) {
        self.psql(
            "postgres",
            &format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
            ),
        );
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://pdm@{}/{database}", self.at)
    }

    /// Where it listens.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Run SQL and answer the rows, one a line, columns parted by `|`.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        run(self.psql_command(database).args(["-c", sql])).expect("psql").trim_end().to_owned()
    }

    /// Run a file of SQL.
    pub fn psql_file(&self, database: &str, file: &Path) {
        run(self.psql_command(database).arg("-f").arg(file)).expect("psql -f");
    }

    fn psql_command(&self, database: &str) -> Command {
        let mut command = Command::new(program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "pdm", "-d", database]);
        command.args(["-h", &self.at.ip().to_string(), "-p", &self.at.port().to_string()]);
        command
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("postgres.log")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The postmaster's own children end when they see it gone.
        if let Some(child) = self.child.take() {
            child.signal(Signal::SIGQUIT);
        }
    }
}
