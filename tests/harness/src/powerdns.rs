//! A `pdns_server` of one's own, with its database, its HTTP API and a way to save and restore copies.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::child::{Child, guarded, guarded_with, hand_over, run};
use crate::http::{Answer, Api};
use crate::release::Release;
use crate::{net, until_within};

/// The key of every API here.
pub const API_KEY: &str = "harness-key";

/// Where the zones are kept.
#[derive(Clone)]
pub enum Backend {
    /// One SQLite file of its own.
    Sqlite,
    /// A SQLite file that exists and belongs to the caller; several instances may share it.
    File(PathBuf),
    /// A database of a PostgreSQL server; several instances may share it.
    Postgres {
        /// Where the server listens.
        at: SocketAddr,
        /// Name of the database.
        database: String,
    },
}

/// How answers are cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caches {
    /// Short, so that tests are quick.
    Short,
    /// As PowerDNS comes: a second instance lags by up to minutes.
    Default,
}

/// What an instance is made of.
pub struct Setup {
    /// Its version.
    pub release: Release,
    /// Its zones.
    pub backend: Backend,
    /// Its caches.
    pub caches: Caches,
    /// Where it answers DNS.
    pub dns: SocketAddr,
    /// Where its API listens.
    pub http: SocketAddr,
    /// Further lines of `pdns.conf`; a setting here wins over the usual one.
    pub more: String,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
}

/// One instance.
pub struct PowerDns {
    dir: Arc<TempDir>,
    setup: Setup,
    child: Option<Child>,
    api: Api,
}

impl PowerDns {
    /// Prepare an empty database and start an instance.
    ///
    /// # Panics
    /// When PowerDNS is not installed or does not start.
    pub async fn start(backend: Backend, caches: Caches) -> Self {
        let ip = net::address();
        Self::start_at(backend, caches, ip).await
    }

    /// Like [`PowerDns::start`], on a chosen address.
    ///
    /// # Panics
    /// When PowerDNS is not installed or does not start.
    pub async fn start_at(backend: Backend, caches: Caches, ip: IpAddr) -> Self {
        let (dns, http) = (net::port(ip), net::port(ip));
        Self::start_with(Setup {
            release: Release::usual().clone(),
            backend,
            caches,
            dns,
            http,
            more: String::new(),
            env: Vec::new(),
        })
        .await
    }

    /// Start an instance as it is described.
    ///
    /// # Panics
    /// When PowerDNS is not installed or does not start.
    pub async fn start_with(setup: Setup) -> Self {
        let dir = tempfile::Builder::new().prefix("pdm-pdns-").tempdir().expect("a directory");
        hand_over(dir.path());
        let api = Api::new(&format!("http://{}", setup.http)).with_header("x-api-key", API_KEY);
        let mut this = Self { dir: Arc::new(dir), setup, child: None, api };
        if matches!(this.setup.backend, Backend::Sqlite) {
            Self::empty_database(&this.setup.release, &this.file());
        }
        this.go().await;
        this
    }

    /// Make a SQLite file with the schema of PowerDNS and nothing in it.
    ///
    /// # Panics
    /// When PowerDNS or SQLite is not installed.
    pub fn empty_database(release: &Release, file: &Path) {
        let schema = std::fs::read_to_string(release.sqlite_schema()).expect("the SQLite schema of PowerDNS");
        let mut sqlite = guarded("sqlite3", true);
        sqlite.arg(file).arg(schema);
        run(&mut sqlite).expect("the SQLite schema of PowerDNS");
    }

    /// What it is made of; a change takes effect when it is started again.
    pub fn setup(&mut self) -> &mut Setup {
        &mut self.setup
    }

    fn configure(&self) {
        let (dns, http) = (self.dns(), self.http());
        let dir = self.dir.path().display();
        let mut text = format!(
            "local-address={}\nlocal-port={}\nwebserver-address={}\nwebserver-port={}\napi-key={API_KEY}\nsocket-dir={dir}\n",
            dns.ip(),
            dns.port(),
            http.ip(),
            http.port(),
        );
        text.push_str(
            "daemon=no\nguardian=no\ndisable-syslog=yes\nwrite-pid=no\nsecurity-poll-suffix=\napi=yes\nwebserver=yes\n\
             webserver-allow-from=127.0.0.0/8\nenable-lua-records=yes\ndefault-ksk-algorithm=ecdsa256\n\
             default-zsk-algorithm=ecdsa256\ndefault-soa-edit-signed=INCEPTION-EPOCH\nloglevel=4\n\
             default-soa-content=ns1.openova.io hostmaster.openova.io 0 14400 3600 604800 300\n",
        );
        match &self.setup.backend {
            Backend::Sqlite | Backend::File(_) => {
                let _ = write!(
                    text,
                    "launch=gsqlite3\ngsqlite3-dnssec=yes\ngsqlite3-database={}\n",
                    self.file().display()
                );
            }
            Backend::Postgres { at, database } => {
                let _ = write!(
                    text,
                    "launch=gpgsql\ngpgsql-dnssec=yes\ngpgsql-host={}\ngpgsql-port={}\ngpgsql-user=pdm\ngpgsql-dbname={database}\n",
                    at.ip(),
                    at.port()
                );
            }
        }
        if self.setup.caches == Caches::Short {
            text.push_str(
                "zone-cache-refresh-interval=0\ncache-ttl=1\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n\
                 dnssec-key-cache-ttl=0\nzone-metadata-cache-ttl=0\n",
            );
        }
        text.push_str(self.setup.release.settings());
        text.push_str(&self.setup.more);
        std::fs::write(self.dir.path().join("pdns.conf"), text).expect("write pdns.conf");
    }

    /// Start it (again).
    pub async fn go(&mut self) {
        self.configure();
        let release = &self.setup.release;
        let mut rights = release.rights().to_vec();
        rights.extend((self.dns().port() < 1024).then_some("net_bind_service"));
        // Variables are set behind the change of user: what they preload may make files of its user.
        let mut command = guarded_with("env", &rights);
        let env = self.setup.env.iter().map(|(name, value)| format!("{name}={value}"));
        command.args(env).arg(release.program());
        command.arg(format!("--config-dir={}", self.dir.path().display()));
        let child = Child::start("pdns_server", command, &self.dir.path().join("log"));
        until_within("the API of PowerDNS", Duration::from_secs(30), || async {
            if !child.alive() {
                panic!("{}", child.tail());
            }
            self.api.try_get("/api/v1/servers/localhost").await
        })
        .await;
        self.child = Some(child);
    }

    /// Take another API key from the next start on.
    pub fn rekey(&mut self, key: &str) {
        self.api = Api::new(&format!("http://{}", self.http())).with_header("x-api-key", key);
        self.setup.more.push_str(&format!("api-key={key}\n"));
    }

    /// Stop it.
    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop(Signal::SIGTERM).await;
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill();
        }
    }

    /// Where it answers DNS.
    #[must_use]
    pub fn dns(&self) -> SocketAddr {
        self.setup.dns
    }

    /// Where its API listens.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.setup.http
    }

    /// Its API.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    fn file(&self) -> PathBuf {
        match &self.setup.backend {
            Backend::File(file) => file.clone(),
            Backend::Sqlite | Backend::Postgres { .. } => self.dir.path().join("pdns.sqlite3"),
        }
    }

    /// Freeze it: it listens and says nothing, as a server behind a broken network.
    pub fn hang(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Let it go on after [`PowerDns::hang`].
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    /// Keep a copy of the database under `name`. SQLite only; the instance goes on.
    pub fn save(&self, name: &str) {
        let to = self.dir.path().join(name);
        run(Command::new("sqlite3").arg(self.file()).arg(format!(".backup {}", to.display())))
            .expect("backup");
    }

    /// Put a copy back in place of the database. The instance is stopped and started.
    pub async fn restore(&mut self, name: &str) {
        self.stop().await;
        for ending in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(format!("{}{ending}", self.file().display()));
        }
        std::fs::copy(self.dir.path().join(name), self.file()).expect("copy back");
        hand_over(&self.file());
        self.go().await;
    }

    /// Run SQL on the SQLite database, beside the running instance.
    pub fn sql(&self, sql: &str) -> String {
        let mut command = guarded("sqlite3", true);
        command.arg("-cmd").arg(".timeout 5000").arg(self.file()).arg(sql);
        run(&mut command).expect("sqlite3").trim_end().to_owned()
    }

    /// The path of a zone in the API; the root zone, whose name is empty here, has an id of its own.
    #[must_use]
    pub fn path(zone: &str) -> String {
        let id = if zone.is_empty() { "=2E".to_owned() } else { format!("{zone}.") };
        format!("/api/v1/servers/localhost/zones/{id}")
    }

    /// A zone by its API; none when it is missing. `zone` without the trailing dot.
    pub async fn zone(&self, zone: &str) -> Option<Value> {
        let answer = self.api.get(&Self::path(zone)).await;
        (answer.status == 200).then_some(answer.body)
    }

    /// Names of all zones, without the trailing dot, in order.
    pub async fn zones(&self) -> Vec<String> {
        let answer = self.api.get("/api/v1/servers/localhost/zones").await;
        let list = answer.body.as_array().cloned().unwrap_or_default();
        let mut names: Vec<_> =
            list.iter().map(|z| z["name"].as_str().unwrap_or("").trim_end_matches('.').to_owned()).collect();
        names.sort();
        names
    }

    /// Contents of one RRset in order; empty when it is missing. `owner` without the trailing dot.
    pub async fn rrset(&self, zone: &str, owner: &str, rtype: &str) -> Vec<String> {
        self.zone(zone).await.map(|z| contents(&z, owner, rtype)).unwrap_or_default()
    }

    /// Write or remove one RRset as somebody else would: past PDM.
    pub async fn edit(&self, zone: &str, owner: &str, rtype: &str, ttl: u32, records: &[&str]) -> Answer {
        let records: Vec<_> = records.iter().map(|c| json!({"content": c, "disabled": false})).collect();
        let set = json!({"name": format!("{owner}."), "type": rtype, "ttl": ttl, "changetype": "REPLACE", "records": records});
        let answer = self.api.patch(&Self::path(zone), &json!({"rrsets": [set]})).await;
        assert_eq!(answer.status, 204, "{answer}");
        answer
    }

    /// Create an unsigned or signed zone past PDM.
    pub async fn create(&self, zone: &str, account: &str, dnssec: bool) {
        let body = json!({"name": format!("{zone}."), "kind": "Native", "dnssec": dnssec, "account": account,
            "soa_edit_api": "DEFAULT", "nameservers": ["ns1.openova.io."]});
        let answer = self.api.post("/api/v1/servers/localhost/zones", &body).await;
        assert_eq!(answer.status, 201, "{answer}");
    }

    /// Remove a zone past PDM.
    pub async fn remove(&self, zone: &str) {
        let answer = self.api.delete(&Self::path(zone), None).await;
        assert_eq!(answer.status, 204, "{answer}");
    }

    /// The keys of a zone, without their private halves.
    pub async fn keys(&self, zone: &str) -> Vec<Value> {
        let answer = self.api.get(&format!("{}/cryptokeys", Self::path(zone))).await;
        answer.body.as_array().cloned().unwrap_or_default()
    }

    /// Remove every key of a zone past PDM.
    pub async fn remove_keys(&self, zone: &str) {
        for key in self.keys(zone).await {
            let answer =
                self.api.delete(&format!("{}/cryptokeys/{}", Self::path(zone), key["id"]), None).await;
            assert_eq!(answer.status, 204, "{answer}");
        }
    }

    /// SHA-256 DS of the entry-point keys, as PowerDNS computes them, in lower case and in order.
    pub async fn ds_of_keys(&self, zone: &str) -> Vec<String> {
        let keys = self.keys(zone).await;
        let mut all: Vec<String> = keys
            .iter()
            .filter(|k| k["flags"] == 257)
            .filter_map(|k| k["ds"].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .filter(|ds| ds.split(' ').nth(2) == Some("2"))
            .map(str::to_ascii_lowercase)
            .collect();
        all.sort();
        all
    }

    /// SOA serial as stored.
    pub async fn serial(&self, zone: &str) -> u32 {
        let soa = self.rrset(zone, zone, "SOA").await;
        soa.first().and_then(|s| s.split(' ').nth(2)).and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

/// Contents of one RRset of a zone's JSON, lower-cased and in order.
#[must_use]
pub fn contents(zone: &Value, owner: &str, rtype: &str) -> Vec<String> {
    let name = format!("{owner}.");
    let sets = zone["rrsets"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<String> = sets
        .iter()
        .filter(|s| s["name"] == name.as_str() && s["type"] == rtype)
        .filter_map(|s| s["records"].as_array())
        .flatten()
        .filter_map(|r| r["content"].as_str())
        .map(str::to_ascii_lowercase)
        .collect();
    all.sort();
    all
}
