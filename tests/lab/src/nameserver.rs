//! One nameserver, and what can happen to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pdm_harness::child::{guarded, run};
use pdm_harness::powerdns::{Backend, Caches, Setup};
use pdm_harness::{PowerDns, Release};

/// Where libfaketime is installed by Debian.
const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Variables that give a process another clock: `offset` as libfaketime reads it (`-60d`, `+2h`), or the file that
/// holds it, which may change while the process runs. Timers go on by the real clock.
#[must_use]
pub fn clock(offset: Offset<'_>) -> Vec<(String, String)> {
    let (name, value) = match offset {
        Offset::Fixed(text) => ("FAKETIME", text.to_owned()),
        Offset::File(file) => ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
    };
    [
        ("LD_PRELOAD", LIBFAKETIME),
        (name, &value),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_CACHE_DURATION", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// How far a clock is off.
#[derive(Debug, Clone, Copy)]
pub enum Offset<'a> {
    /// By this much, for good.
    Fixed(&'a str),
    /// By what the file says now.
    File(&'a Path),
}

/// One nameserver: a name, an address, a process on its operator's database.
pub struct Nameserver {
    name: String,
    shared: PathBuf,
    server: PowerDns,
}

impl Nameserver {
    /// Start one on a database.
    pub async fn start(
        name: &str,
        at: SocketAddr,
        shared: &Path,
        more: &str,
        env: &[(String, String)],
    ) -> Self {
        let setup = Setup {
            release: Release::usual().clone(),
            backend: Backend::File(shared.to_owned()),
            caches: Caches::Short,
            dns: at,
            http: (at.ip(), 8081).into(),
            more: format!(
                "cache-ttl=0\nreceiver-threads=1\ndistributor-threads=1\ndisable-axfr=no\nallow-axfr-ips=\n\
                 dnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\n{more}"
            ),
            env: env.to_vec(),
        };
        Self { name: name.to_owned(), shared: shared.to_owned(), server: PowerDns::start_with(setup).await }
    }

    /// Its name, without the trailing dot.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.dns()
    }

    /// The process and its API.
    #[must_use]
    pub fn server(&self) -> &PowerDns {
        &self.server
    }

    /// Stop it: nobody listens on its address.
    pub async fn stop(&mut self) {
        self.server.stop().await;
    }

    /// Start it again.
    pub async fn go(&mut self) {
        self.server.go().await;
    }

    /// Freeze it: questions are swallowed.
    pub fn hang(&self) {
        self.server.hang();
    }

    /// Thaw it.
    pub fn go_on(&self) {
        self.server.go_on();
    }

    /// Serve what the zones are now, whatever is written from now on.
    ///
    /// # Panics
    /// When the database cannot be copied.
    pub async fn lag(&mut self) {
        let copy = self.shared.with_extension(format!("{}.lag", self.name));
        let _ = std::fs::remove_file(&copy);
        let mut sqlite = guarded("sqlite3", true);
        sqlite.args(["-cmd", ".timeout 5000"]).arg(&self.shared).arg(format!(".backup {}", copy.display()));
        run(&mut sqlite).expect("a copy of the database");
        self.serve(copy).await;
    }

    /// Serve what is written, again.
    pub async fn catch_up(&mut self) {
        self.serve(self.shared.clone()).await;
    }

    async fn serve(&mut self, file: PathBuf) {
        self.server.setup().backend = Backend::File(file);
        self.restart().await;
    }

    /// Give it another clock: with `-60d` every signature that it makes has expired.
    pub async fn clock(&mut self, offset: &str) {
        self.server.setup().env = clock(Offset::Fixed(offset));
        self.restart().await;
    }

    /// Give it the right time again.
    pub async fn right_clock(&mut self) {
        self.server.setup().env.clear();
        self.restart().await;
    }

    async fn restart(&mut self) {
        self.server.stop().await;
        self.server.go().await;
    }
}
