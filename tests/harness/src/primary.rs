//! Primaries that take dynamic updates: BIND and Knot, each with one zone and any number of keys.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::child::{Child, guarded, hand_over};
use crate::{dns, net, until_within};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    /// `named`.
    Bind,
    /// `knotd`.
    Knot,
}

/// A key that a server knows.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// `hmac-sha256` and the like.
    pub algorithm: &'static str,
    /// Its secret in base64.
    pub secret: &'static str,
    /// Whether it may update the zone. One that may not is known all the same.
    pub may_update: bool,
}

/// One instance.
pub struct Primary {
    // Kept until the process is gone.
    _child: Child,
    _dir: TempDir,
    at: SocketAddr,
}

impl Primary {
    /// Start a server with one zone, whose records are the lines of a zone file besides SOA and NS.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start(software: Software, zone: &str, records: &str, keys: &[Key]) -> Self {
        let dir = tempfile::Builder::new().prefix("pdm-primary-").tempdir().expect("a directory");
        // BIND listens on addresses that an interface has by name, and of 127.0.0.0/8 that is one.
        let at = net::port(match software {
            Software::Bind => Ipv4Addr::LOCALHOST.into(),
            Software::Knot => net::address(),
        });
        let head = format!(
            "$ORIGIN {zone}.\n$TTL 300\n@ SOA ns1 hostmaster 1 14400 3600 604800 300\n@ NS ns1\nns1 A {}\n",
            at.ip()
        );
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("write a file");
            hand_over(&dir.path().join(name));
        };
        write("zone", &format!("{head}{records}\n"));
        hand_over(dir.path());
        let mut command = match software {
            Software::Bind => {
                write("conf", &bind(dir.path(), at, zone, keys));
                let mut command = guarded("/usr/sbin/named", true);
                command.args(["-g", "-n", "1", "-c"]);
                command
            }
            Software::Knot => {
                write("conf", &knot(dir.path(), at, zone, keys));
                let mut command = guarded("/usr/sbin/knotd", true);
                command.arg("-c");
                command
            }
        };
        command.arg(dir.path().join("conf"));
        let child = Child::start(&format!("{software:?}"), command, &dir.path().join("log"));
        let limit = Duration::from_secs(60);
        until_within("a primary that listens", limit, || async {
            assert!(child.alive(), "{}", child.tail());
            TcpStream::connect(at).await
        })
        .await;
        until_within("the zone of a primary", limit, || async {
            match dns::status(at, zone, "SOA").as_str() {
                "NOERROR" => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        Self { _child: child, _dir: dir, at }
    }

    /// Where it answers.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.at
    }
}

fn bind(dir: &Path, at: SocketAddr, zone: &str, keys: &[Key]) -> String {
    let mut text = format!(
        "options {{ directory \"{}\"; listen-on port {} {{ {}; }}; listen-on-v6 {{ none; }}; pid-file none;\n\
         session-keyfile none; lock-file none; recursion no; notify no; dnssec-validation no; empty-zones-enable no;\n\
         allow-query {{ any; }}; allow-transfer {{ any; }}; }};\ncontrols {{ }};\n",
        dir.display(),
        at.port(),
        at.ip()
    );
    let mut grants = String::new();
    for key in keys {
        let _ = writeln!(
            text,
            "key \"{}\" {{ algorithm {}; secret \"{}\"; }};",
            key.name, key.algorithm, key.secret
        );
        if key.may_update {
            let _ = write!(grants, "key \"{}\"; ", key.name);
        }
    }
    let _ = writeln!(
        text,
        "zone \"{zone}\" {{ type primary; file \"{}\"; allow-update {{ {grants}}}; }};",
        dir.join("zone").display()
    );
    text
}

fn knot(dir: &Path, at: SocketAddr, zone: &str, keys: &[Key]) -> String {
    let dir = dir.display();
    let mut text = format!(
        "server:\n  rundir: \"{dir}\"\n  listen: {}@{}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{dir}\"\nlog:\n- target: stderr\n  any: info\nkey:\n",
        at.ip(),
        at.port()
    );
    for key in keys {
        let _ =
            write!(text, "- id: {}\n  algorithm: {}\n  secret: {}\n", key.name, key.algorithm, key.secret);
    }
    let may: Vec<_> = keys.iter().filter(|key| key.may_update).map(|key| key.name).collect();
    let _ = write!(
        text,
        "acl:\n- id: updates\n  key: [{}]\n  action: update\n- id: transfers\n  address: 127.0.0.0/8\n  action: transfer\n\
         zone:\n- domain: {zone}\n  storage: \"{dir}\"\n  file: zone\n  acl: [updates, transfers]\n",
        may.join(", ")
    );
    text
}
