//! A `nats-server` with JetStream, whose streams outlive it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::child::{Child, guarded};
use crate::{net, until_within};

/// One server.
pub struct Nats {
    at: SocketAddr,
    dir: TempDir,
    child: Option<Child>,
}

impl Nats {
    /// Start a server without streams.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("pdm-nats-").tempdir().expect("a directory");
        let mut this = Self { at: net::port(net::address()), dir, child: None };
        this.go().await;
        this
    }

    /// Start one with this configuration.
    pub async fn start_with(config: &str) -> Self {
        Self::start_at(|_| config.to_owned()).await
    }

    /// The same, where the configuration needs to know the address first, for a certificate.
    pub async fn start_at(config: impl FnOnce(std::net::IpAddr) -> String) -> Self {
        let dir = tempfile::Builder::new().prefix("pdm-nats-").tempdir().expect("a directory");
        let at = net::port(net::address());
        std::fs::write(dir.path().join("nats.conf"), config(at.ip())).expect("write nats.conf");
        let mut this = Self { at, dir, child: None };
        this.go().await;
        this
    }

    /// Start it (again).
    pub async fn go(&mut self) {
        let program = ["/usr/sbin/nats-server", "/usr/bin/nats-server"].map(Path::new);
        let program = program.into_iter().find(|p| p.exists()).expect("nats-server is installed");
        let mut command = guarded(program, false);
        command.args(["-a", &self.at.ip().to_string(), "-p", &self.at.port().to_string(), "-js", "-sd"]);
        command.arg(self.dir.path());
        let config = self.dir.path().join("nats.conf");
        if config.exists() {
            command.arg("-c").arg(config);
        }
        let child = Child::start("nats-server", command, &self.dir.path().join("log"));
        until_within("nats-server", Duration::from_secs(30), || async {
            assert!(child.alive(), "{}", child.tail());
            TcpStream::connect(self.at).await.map(drop)
        })
        .await;
        self.child = Some(child);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill();
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.at)
    }
}
