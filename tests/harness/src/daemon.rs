//! The `pdm` binary: `serve` with a generated configuration, `up`, and one-shot verbs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::child::{Child, guarded, run};
use crate::http::Api;
use crate::until_within;

/// The binary under test: `PDM_BIN`, or the one beside this test.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("PDM_BIN") {
        return given.into();
    }
    let mut dir = std::env::current_exe().expect("the path of this test");
    while dir.pop() {
        let candidate = dir.join("pdm");
        if candidate.is_file() {
            return candidate;
        }
    }
    panic!("no pdm beside this test: build it with `cargo build --bin pdm`, or set PDM_BIN");
}

/// Run a verb to its end; its output, or its error text.
///
/// # Errors
/// The text of the failure.
pub fn verb(args: &[&str], env: &[(&str, &str)]) -> Result<String, String> {
    run(Command::new(binary()).args(args).envs(env.iter().copied()))
}

/// One daemon.
pub struct Daemon {
    name: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    log: PathBuf,
    api: Api,
    child: Option<Child>,
}

impl Daemon {
    /// `pdm serve --config FILE`, not started yet.
    #[must_use]
    pub fn serve(config: &Path, listen: SocketAddr, log: &Path) -> Self {
        let args = vec!["serve".into(), "--config".into(), config.display().to_string()];
        Self::new("pdm serve", args, listen, log)
    }

    /// `pdm up`, not started yet.
    #[must_use]
    pub fn up(state: &Path, http: SocketAddr, dns: SocketAddr, more: &[&str], log: &Path) -> Self {
        let mut args: Vec<String> = vec!["up".into(), "--state-dir".into(), state.display().to_string()];
        args.extend(["--http".into(), http.to_string(), "--dns".into(), dns.to_string()]);
        args.extend(more.iter().map(|a| (*a).to_owned()));
        Self::new("pdm up", args, http, log)
    }

    fn new(name: &str, args: Vec<String>, at: SocketAddr, log: &Path) -> Self {
        let api = Api::new(&format!("http://{at}"));
        Self { name: name.to_owned(), args, env: Vec::new(), log: log.to_owned(), api, child: None }
    }

    /// Set a variable for the next start.
    pub fn env(&mut self, name: &str, value: &str) {
        let _ = self.unset(name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Do not set a variable at the next start; true when it was set.
    pub fn unset(&mut self, name: &str) -> bool {
        let before = self.env.len();
        self.env.retain(|(n, _)| n != name);
        self.env.len() < before
    }

    /// Start it and wait until the process answers `/healthz`.
    pub async fn go(&mut self) {
        self.launch();
        self.answers().await;
    }

    /// Start it and do not wait.
    pub fn launch(&mut self) {
        let mut command = guarded(binary(), false);
        command.args(&self.args).envs(self.env.iter().map(|(n, v)| (n, v)));
        self.child = Some(Child::start(&self.name, command, &self.log));
    }

    /// Wait until `/healthz` answers.
    ///
    /// # Panics
    /// When the process ends instead.
    pub async fn answers(&self) {
        until_within("/healthz of pdm", Duration::from_secs(30), || async {
            if let Some(child) = &self.child
                && !child.alive()
            {
                panic!("pdm ended before it answered; {}", child.tail());
            }
            self.api.try_get("/healthz").await
        })
        .await;
    }

    /// Wait until `/readyz` answers 200.
    pub async fn ready(&self) {
        until_within("/readyz of pdm", Duration::from_secs(60), || self.api.try_get("/readyz")).await;
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill();
        }
    }

    /// Stop it gracefully.
    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop(Signal::SIGTERM).await;
        }
    }

    /// True while it runs.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.child.as_ref().is_some_and(Child::alive)
    }

    /// The running process.
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn child(&self) -> &Child {
        self.child.as_ref().expect("pdm was started")
    }

    /// The client of this daemon, without a token.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// What it logged in all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
