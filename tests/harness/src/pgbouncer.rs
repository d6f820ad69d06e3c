//! `pgbouncer` before PostgreSQL: PowerDNS opens a connection for every call of its API, and PostgreSQL a process for
//! every connection.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::child::{Child, guarded, hand_over};
use crate::{net, until_within};

/// A running pooler; a server connection belongs to a client for as long as that stays.
pub struct PgBouncer {
    at: SocketAddr,
    _child: Child,
    _dir: TempDir,
}

impl PgBouncer {
    /// Start one before this server.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start(before: SocketAddr) -> Self {
        let dir = tempfile::Builder::new().prefix("pdm-pgbouncer-").tempdir().expect("a directory");
        let at = net::port(net::address());
        let users = dir.path().join("users");
        std::fs::write(&users, "\"pdm\" \"\"\n").expect("write the users");
        let settings = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = session\ndefault_pool_size = 40\nmax_client_conn = 200\n\
             server_reset_query = DISCARD ALL\nlog_connections = 0\nlog_disconnections = 0\n",
            before.ip(),
            before.port(),
            at.ip(),
            at.port(),
            users.display()
        );
        std::fs::write(&settings, text).expect("write the settings");
        hand_over(dir.path());
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(Path::new);
        let program = program.into_iter().find(|p| p.exists()).expect("pgbouncer is installed");
        let mut command = guarded(program, true);
        command.arg(&settings);
        let child = Child::start("pgbouncer", command, &dir.path().join("log"));
        until_within("pgbouncer", Duration::from_secs(30), || async {
            assert!(child.alive(), "{}", child.tail());
            TcpStream::connect(at).await.map(drop)
        })
        .await;
        Self { at, _child: child, _dir: dir }
    }

    /// Where it listens.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.at
    }
}
