//! Real PowerDNS processes for tests: private directory, free ports, gone when the test is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pdm_harness::{Release, net};
use pdm_model::canonical::desired_rrsets;
use pdm_model::target::Target;
use pdm_model::{Ttls, ZoneName};
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::{Fault, Stamp, ZoneSpec};
use pdm_powerdns::{InstanceConfig, Options, PoolConfig, PoolNameserver, PowerDns};

pub const KEY: &str = "a-key-for-tests";

/// A place that is nobody else's, and where nothing listens yet.
pub fn free_place() -> SocketAddr {
    net::port(net::address())
}

/// Where records are kept.
pub enum Storage {
    Sqlite(PathBuf),
    Postgres(Arc<Postgres>),
}

/// One process.
pub struct Pdns {
    child: Child,
    pub dir: tempfile::TempDir,
    pub dns: SocketAddr,
    pub api: SocketAddr,
    pub storage: Storage,
}

impl Pdns {
    /// With its own SQLite database.
    pub async fn sqlite() -> Self {
        Self::sqlite_with("").await
    }

    /// The same with more lines in its configuration; a later line wins.
    pub async fn sqlite_with(extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pdns.sqlite3");
        let schema = fs::read_to_string(Release::usual().sqlite_schema()).unwrap();
        sqlite(&file, &format!("PRAGMA journal_mode=WAL;\n{schema}"));
        let lines = format!(
            "launch=gsqlite3\ngsqlite3-database={}\ngsqlite3-dnssec=yes\ngsqlite3-pragma-synchronous=1\n{extra}",
            file.display()
        );
        Self::start(dir, Storage::Sqlite(file), &lines).await
    }

    /// On a PostgreSQL database that others may share.
    pub async fn postgres(database: &Arc<Postgres>, extra: &str) -> Self {
        let lines = format!(
            "launch=gpgsql\ngpgsql-dnssec=yes\ngpgsql-host={}\ngpgsql-port={}\ngpgsql-user=pdns\n\
             gpgsql-dbname=pdns\n{extra}",
            database.dir.path().display(),
            database.port
        );
        Self::start(tempfile::tempdir().unwrap(), Storage::Postgres(database.clone()), &lines).await
    }

    async fn start(dir: tempfile::TempDir, storage: Storage, lines: &str) -> Self {
        let (dns, api) = (free_place(), free_place());
        let path = dir.path().display();
        let config = format!(
            "local-address={}\nlocal-port={}\nsocket-dir={path}\ndaemon=no\nguardian=no\n\
             disable-syslog=yes\nwrite-pid=no\nsecurity-poll-suffix=\napi=yes\napi-key={KEY}\nwebserver=yes\n\
             webserver-address={}\nwebserver-port={}\nwebserver-allow-from=127.0.0.0/8\n\
             enable-lua-records=shared\ndefault-ksk-algorithm=ecdsa256\ndefault-zsk-algorithm=ecdsa256\n\
             default-soa-content=ns1.pool.example hostmaster.example 0 14400 3600 604800 300\n\
             default-soa-edit-signed=INCEPTION-EPOCH\nzone-cache-refresh-interval=0\ncache-ttl=0\n\
             query-cache-ttl=0\nnegquery-cache-ttl=0\ndnssec-key-cache-ttl=0\nzone-metadata-cache-ttl=0\n{lines}\n",
            dns.ip(),
            dns.port(),
            api.ip(),
            api.port()
        );
        fs::write(dir.path().join("pdns.conf.all"), config).unwrap();
        let child = Self::run(Release::usual(), dir.path());
        let server = Self { child, dir, dns, api, storage };
        server.answers().await;
        server
    }

    fn run(release: &Release, dir: &Path) -> Child {
        let log = fs::File::options().create(true).append(true).open(dir.join("log")).unwrap();
        let settings = fs::read_to_string(dir.join("pdns.conf.all")).unwrap();
        fs::write(dir.join("pdns.conf"), settings + release.settings()).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(release.program());
        command.arg(format!("--config-dir={}", dir.display())).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    async fn answers(&self) {
        let listens = || std::net::TcpStream::connect(self.api).is_ok();
        wait_until(listens, &|| self.log()).await;
    }

    /// End it, and run another release with the same settings, on the same ports and data.
    pub async fn become_release(&mut self, release: &Release) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::run(release, self.dir.path());
        self.answers().await;
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    pub fn instance(&self) -> InstanceConfig {
        instance(&self.url())
    }

    /// A client of it.
    pub fn client(&self) -> Arc<PowerDns> {
        Arc::new(PowerDns::new(vec![self.instance()], options()).unwrap())
    }

    /// Change the database behind the server's back, or look into it.
    pub fn sql(&self, statement: &str) -> String {
        match &self.storage {
            Storage::Sqlite(file) => sqlite(file, statement),
            Storage::Postgres(database) => database.sql(statement),
        }
    }

    /// One call by hand, as another user of the API would make it: status and body.
    pub async fn api(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> (u16, String) {
        let url = format!("{}/api/v1/servers/localhost{path}", self.url());
        let mut command = tokio::process::Command::new("curl");
        command.args([
            "-s",
            "-X",
            method,
            "-H",
            &format!("X-API-Key: {KEY}"),
            "-H",
            "Accept: application/json",
        ]);
        command.args(["-w", "\n%{http_code}", &url]);
        if let Some(body) = body {
            command.args(["-d", &body.to_string()]);
        }
        let output = command.output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// The answer section of one query, or the status when there is none.
    pub async fn dig(&self, name: &str, rtype: &str) -> String {
        let (at, port) = (format!("@{}", self.dns.ip()), self.dns.port().to_string());
        let output = tokio::process::Command::new("dig")
            .args([&at, "-p", &port, "+norec", "+dnssec", "+noall", "+answer", "+comments", "+tries=1"])
            .args([name, rtype])
            .output()
            .await
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Pdns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A scratch PostgreSQL with the PowerDNS schema.
pub struct Postgres {
    child: Child,
    pub dir: tempfile::TempDir,
    pub port: u16,
}

impl Postgres {
    /// None when PostgreSQL's server programs are not installed.
    pub async fn start() -> Option<Arc<Self>> {
        let bin = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|d| d.path().join("bin")).max()?;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let nobody = "65534";
        // PostgreSQL refuses to run as root.
        let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let run = |program: &Path, args: &[&str]| {
            let mut command = Command::new("setpriv");
            if root {
                command.args(["--reuid", nobody, "--regid", nobody, "--clear-groups"]);
            }
            command.args(["--pdeathsig", "KILL"]).arg(program).args(args).stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(dir.path());
            command
        };
        if root {
            std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
        }
        let data_text = data.display().to_string();
        let args = ["-D", &data_text, "-U", "pdns", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"];
        assert!(run(&bin.join("initdb"), &args).status().unwrap().success());
        let port = free_place().port();
        let (port_text, socket) = (port.to_string(), dir.path().display().to_string());
        let args = ["-D", &data_text, "-p", &port_text, "-k", &socket, "-h", "", "-F"];
        let child = run(&bin.join("postgres"), &args).spawn().unwrap();
        let database = Self { child, dir, port };
        wait_until(|| database.psql("postgres", "select 1").is_ok(), &|| "postgres".into()).await;
        database.psql("postgres", "create database pdns").unwrap();
        database.psql("pdns", &fs::read_to_string(Release::usual().postgres_schema()).unwrap()).unwrap();
        Some(Arc::new(database))
    }

    fn psql(&self, database: &str, statement: &str) -> Result<String, String> {
        let output = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "pdns", "-d", database])
            .args(["-h", &self.dir.path().display().to_string(), "-p", &self.port.to_string()])
            .args(["-c", statement])
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    pub fn sql(&self, statement: &str) -> String {
        self.psql("pdns", statement).unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The setpriv before it has become the postmaster: SIGINT would be kinder, nothing here is kept.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sqlite(file: &Path, statement: &str) -> String {
    let output = Command::new("sqlite3").arg(file).arg(statement).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Wait for a condition, at most ten seconds.
pub async fn wait_until(mut is: impl FnMut() -> bool, why: &dyn Fn() -> String) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(Instant::now() < end, "waited in vain: {}", why());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn name(text: &str) -> ZoneName {
    ZoneName::parse(text).unwrap()
}

pub fn instance(url: &str) -> InstanceConfig {
    InstanceConfig {
        url: url.into(),
        api_key: String::from(KEY).into(),
        server_id: "localhost".into(),
        tls: None,
    }
}

pub fn options() -> Options {
    Options::new(name("hostmaster.example"), nameservers())
}

pub fn nameservers() -> Vec<ZoneName> {
    vec![name("ns1.pool.example"), name("ns2.pool.example"), name("ns3.else.example")]
}

pub fn pool() -> ZoneName {
    name("pool.example")
}

pub fn ns_set() -> BTreeSet<ZoneName> {
    nameservers().into_iter().collect()
}

pub fn pool_config() -> PoolConfig {
    let addresses = [vec!["192.0.2.1", "2001:db8::1"], vec!["192.0.2.2"], vec![]];
    let nameservers = nameservers()
        .into_iter()
        .zip(addresses)
        .map(|(name, addresses)| PoolNameserver {
            name,
            addresses: addresses.into_iter().map(|a| a.parse().unwrap()).collect(),
        })
        .collect();
    PoolConfig { zone: pool(), nameservers, ttls: Ttls::default() }
}

pub fn stamp(allocation: &str, generation: i64) -> Stamp {
    Stamp { allocation: allocation.into(), owner: "omantel \u{e9}".into(), generation }
}

pub const A: &str = "01234567-0123-4567-89ab-0123456789aa";
pub const B: &str = "01234567-0123-4567-89ab-0123456789bb";

/// A Sovereign's zone.
pub fn spec(zone: &str, allocation: &str) -> ZoneSpec {
    let (zone, ttls) = (name(zone), Ttls::default());
    let target = Target::single([192, 0, 2, 10].into());
    ZoneSpec {
        rrsets: desired_rrsets(&zone, &nameservers(), Some(&target), &ttls),
        name: zone,
        negative: ttls.negative,
        stamp: stamp(allocation, 1),
    }
}

/// A lease that is always given, with answers that a test can plant.
#[derive(Default)]
pub struct FreeLease {
    pub taken_over: AtomicBool,
    pub changed_hands: AtomicBool,
    pub held: AtomicBool,
}

#[async_trait]
impl ZoneLease for FreeLease {
    async fn acquire(&self, _: &ZoneName, _: &str, _: Duration) -> Result<LeaseAnswer, Fault> {
        if self.held.load(Ordering::SeqCst) {
            return Ok(LeaseAnswer::Held);
        }
        Ok(LeaseAnswer::Granted {
            taken_over: self.taken_over.swap(false, Ordering::SeqCst),
            changed_hands: self.changed_hands.swap(false, Ordering::SeqCst),
        })
    }

    async fn give_back(&self, _: &ZoneName, _: &str) -> Result<(), Fault> {
        Ok(())
    }
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}
