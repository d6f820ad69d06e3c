//! A validating resolver: unbound with the lab's root hints and trust anchor.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use pdm_harness::child::{Child, guarded, run};
use pdm_harness::until_within;

use crate::question::{Outcome, ask};

/// How long a question may take: with a cold cache and a dead server on the way unbound tries for a while.
const PATIENCE: Duration = Duration::from_secs(30);

/// One unbound.
pub struct Resolver {
    dir: PathBuf,
    at: SocketAddr,
    env: Vec<(String, String)>,
    child: Option<Child>,
}

impl Resolver {
    /// Start one. `hints` and `anchor` are files; `more` are further lines of its `server:` section.
    ///
    /// # Panics
    /// When unbound is not installed or does not start.
    pub async fn start(
        dir: &Path,
        at: SocketAddr,
        hints: &Path,
        anchor: &Path,
        more: &str,
        env: &[(String, String)],
    ) -> Self {
        std::fs::create_dir_all(dir).expect("a directory");
        let path = dir.display();
        let text = format!(
            "server:\n interface: {}\n port: {}\n do-ip6: no\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n \
             directory: \"{path}\"\n pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n num-threads: 1\n \
             access-control: 127.0.0.0/8 allow\n do-not-query-localhost: no\n root-hints: \"{}\"\n \
             trust-anchor-file: \"{}\"\n module-config: \"validator iterator\"\n val-log-level: 2\n ede: yes\n \
             val-bogus-ttl: 1\n infra-host-ttl: 2\n msg-cache-size: 4m\n rrset-cache-size: 4m\n{more}\n\
             remote-control:\n control-enable: yes\n control-interface: \"{path}/control\"\n control-use-cert: no\n",
            at.ip(),
            at.port(),
            hints.display(),
            anchor.display(),
        );
        std::fs::write(dir.join("unbound.conf"), text).expect("write unbound.conf");
        let mut this = Self { dir: dir.to_owned(), at, env: env.to_vec(), child: None };
        this.go().await;
        this
    }

    /// Start it (again), with an empty cache.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn go(&mut self) {
        let mut command = guarded("/usr/sbin/unbound", false);
        command.envs(self.env.iter().map(|(n, v)| (n, v)));
        command.arg("-d").arg("-c").arg(self.dir.join("unbound.conf"));
        let child = Child::start("unbound", command, &self.dir.join("log"));
        until_within("unbound", Duration::from_secs(30), || async {
            assert!(child.alive(), "{}", child.tail());
            match ask(self.at, ".", "SOA", Duration::from_secs(2)).await {
                Outcome::Silence(why) => Err(why),
                _ => Ok(()),
            }
        })
        .await;
        self.child = Some(child);
    }

    /// Stop it.
    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop(Signal::SIGTERM).await;
        }
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// Forget every answer, key and server.
    ///
    /// # Panics
    /// When unbound refuses.
    pub fn flush(&self) {
        for what in [["flush_zone", "."], ["flush_infra", "all"]] {
            let mut control = Command::new("/usr/sbin/unbound-control");
            control.arg("-c").arg(self.dir.join("unbound.conf")).args(what);
            run(&mut control).expect("unbound-control");
        }
    }

    /// Ask it.
    pub async fn ask(&self, name: &str, rtype: &str) -> Outcome {
        ask(self.at, name, rtype, PATIENCE).await
    }

    /// Ask it with an empty cache.
    pub async fn ask_cold(&self, name: &str, rtype: &str) -> Outcome {
        self.flush();
        self.ask(name, rtype).await
    }

    /// What it logged: with each bogus answer, why.
    #[must_use]
    pub fn log(&self) -> String {
        self.child.as_ref().map(Child::log).unwrap_or_default()
    }
}
