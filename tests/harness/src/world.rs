//! A whole installation: store, PowerDNS instances behind proxies, daemons, a token.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::chaos::Chaos;
use crate::daemon::{Daemon, verb};
use crate::http::Api;
use crate::net;
use crate::postgres::Postgres;
use crate::powerdns::{API_KEY, Backend, Caches, PowerDns, Setup};
use crate::release::Release;
use crate::until;

/// The pool of every test.
pub const POOL: &str = "omani.works";
/// The nameservers of every zone.
pub const NAMESERVERS: [&str; 3] = ["ns1.openova.io", "ns2.openova.io", "ns3.openova.io"];

/// Which store PDM uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// One SQLite file.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
}

/// What to build.
#[derive(Debug, Clone)]
pub struct Plan {
    store: StoreKind,
    shared_dns: bool,
    caches: Caches,
    instances: usize,
    releases: Vec<Release>,
    replicas: usize,
    ttl: u32,
    pool: Vec<String>,
    settings: Vec<(String, String)>,
    sections: Vec<String>,
    files: Vec<(String, String)>,
    trusted: bool,
    powerdns_down: bool,
}

impl Plan {
    /// One daemon with this store, one PowerDNS with SQLite, TTLs of one second, documentation addresses admitted.
    #[must_use]
    pub fn new(store: StoreKind) -> Self {
        Self {
            store,
            shared_dns: false,
            caches: Caches::Short,
            instances: 1,
            releases: vec![Release::usual().clone()],
            replicas: 1,
            ttl: 1,
            pool: vec![
                "withdrawals_per_hour = 100000".into(),
                "allow_addresses = [\"192.0.2.0/24\", \"198.51.100.0/24\", \"203.0.113.0/24\", \"2001:db8::/32\"]".into(),
            ],
            settings: Vec::new(),
            sections: Vec::new(),
            files: Vec::new(),
            trusted: false,
            powerdns_down: false,
        }
    }

    /// So many PowerDNS instances on one PostgreSQL database.
    #[must_use]
    pub fn instances(mut self, n: usize, caches: Caches) -> Self {
        (self.instances, self.caches, self.shared_dns) = (n, caches, true);
        self
    }

    /// Which PowerDNS, in place of the usual one; several take turns among the instances.
    #[must_use]
    pub fn releases(mut self, releases: &[Release]) -> Self {
        releases.clone_into(&mut self.releases);
        self
    }

    /// So many daemons on one store (PostgreSQL only).
    #[must_use]
    pub fn replicas(mut self, n: usize) -> Self {
        self.replicas = n;
        self
    }

    /// TTLs to write.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }

    /// A line for the pool's table, in place of an earlier one of that key.
    #[must_use]
    pub fn pool(mut self, line: &str) -> Self {
        let key = line.split('=').next().unwrap_or("").trim().to_owned();
        self.pool.retain(|l| l.split('=').next().unwrap_or("").trim() != key);
        self.pool.push(line.to_owned());
        self
    }

    /// A setting of every PowerDNS, in place of an earlier one of that name.
    #[must_use]
    pub fn powerdns(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// More sections for the file, as TOML; a `[worker]` here takes the place of the usual one.
    #[must_use]
    pub fn section(mut self, toml: &str) -> Self {
        self.sections.push(toml.to_owned());
        self
    }

    /// A file beside the configuration, for settings that name one.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Trust the loopback network for the older paths.
    #[must_use]
    pub fn trusted(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// Do not start PowerDNS before the daemon; [`World::powerdns_up`] does it later.
    #[must_use]
    pub fn powerdns_down(mut self) -> Self {
        self.powerdns_down = true;
        self
    }

    /// Build it, and wait until every daemon is ready (or only alive, with PowerDNS down).
    ///
    /// # Panics
    /// When something does not start.
    pub async fn start(self) -> World {
        let dir = tempfile::Builder::new().prefix("pdm-world-").tempdir().expect("a directory");
        let postgres = if self.store == StoreKind::Postgres || self.shared_dns {
            let server = Postgres::start().await;
            server.create("pdm");
            Some(server)
        } else {
            None
        };
        let mut powerdns = Vec::new();
        let mut proxies = Vec::new();
        for n in 0..self.instances {
            let backend = match (&postgres, self.shared_dns) {
                (Some(server), true) => {
                    if n == 0 {
                        server.create("pdns");
                        server.psql_file("pdns", &self.releases[0].postgres_schema());
                    }
                    Backend::Postgres { at: server.at(), database: "pdns".into() }
                }
                (_, _) => Backend::Sqlite,
            };
            let ip = net::address();
            let more = self.settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            let (dns, http) = (net::port(ip), net::port(ip));
            let release = self.releases[n % self.releases.len()].clone();
            let setup = Setup { release, backend, caches: self.caches, dns, http, more, env: Vec::new() };
            let mut one = PowerDns::start_with(setup).await;
            proxies.push(Chaos::start(one.http()).await);
            if self.powerdns_down {
                one.stop().await;
            }
            powerdns.push(one);
        }
        let mut world =
            World { token: String::new(), daemons: Vec::new(), powerdns, proxies, postgres, plan: self, dir };
        world.build_daemons().await;
        world
    }
}

/// A whole installation. Everything ends with it.
pub struct World {
    token: String,
    /// The daemons; the first is the one that [`World::api`] talks to.
    pub daemons: Vec<Daemon>,
    /// The proxies, one before each PowerDNS.
    pub proxies: Vec<Chaos>,
    /// The PowerDNS instances.
    pub powerdns: Vec<PowerDns>,
    /// The PostgreSQL server, when something here needs one.
    pub postgres: Option<Postgres>,
    plan: Plan,
    dir: TempDir,
}

impl World {
    /// The usual installation with this store.
    pub async fn new(store: StoreKind) -> Self {
        Plan::new(store).start().await
    }

    async fn build_daemons(&mut self) {
        std::fs::write(self.path("pdns.key"), API_KEY).expect("write the key");
        std::fs::write(self.path("token.key"), [b'k'; 48]).expect("write the token key");
        for (name, text) in &self.plan.files {
            std::fs::write(self.path(name), text).expect("write a file");
        }
        for n in 0..self.plan.replicas {
            let listen = net::port(net::address());
            let config = self.path(&format!("pdm-{n}.toml"));
            std::fs::write(&config, self.config(&listen.to_string())).expect("write the configuration");
            self.daemons.push(Daemon::serve(&config, listen, &self.path(&format!("pdm-{n}.log"))));
        }
        self.token = self.make_token("harness", "admin", &[]);
        for n in 0..self.daemons.len() {
            self.daemons[n].go().await;
            if !self.plan.powerdns_down {
                self.daemons[n].ready().await;
            }
        }
        if !self.plan.powerdns_down {
            self.pool_prepared().await;
        }
    }

    /// Wait until the pool's zone was made and switched to NSEC3, and every instance says so.
    pub async fn pool_prepared(&self) {
        for server in &self.powerdns {
            until("the pool's zone", || async {
                let seen = crate::dns::short(server.dns(), POOL, "NSEC3PARAM");
                if seen == ["1 0 0 -"] { Ok(()) } else { Err(format!("{seen:?}")) }
            })
            .await;
        }
    }

    fn config(&self, listen: &str) -> String {
        let mut text = format!(
            "[http]\nlisten = \"{listen}\"\n\n[store]\nurl = \"{}\"\nmigrate = true\n",
            self.store_url()
        );
        for (one, proxy) in self.powerdns.iter().zip(&self.proxies) {
            let _ = write!(
                text,
                "\n[[powerdns]]\nurl = \"http://{}\"\napi_key = \"file:pdns.key\"\ndns = \"{}\"\n",
                proxy.at(),
                one.dns()
            );
        }
        let names = NAMESERVERS.map(|n| format!("\"{n}\"")).join(", ");
        let places: Vec<_> = NAMESERVERS
            .iter()
            .enumerate()
            .map(|(n, name)| format!("\"{name}\" = [\"{}\"]", self.powerdns[n % self.powerdns.len()].dns()))
            .collect();
        let _ = write!(
            text,
            "\n[dns]\nnameservers = [{names}]\nhostmaster = \"hostmaster.openova.io\"\nprobe_allow = [\"127.0.0.0/8\"]\n\
             nameserver_addresses = {{ {} }}\n",
            places.join(", ")
        );
        let _ = write!(text, "\n[[pools]]\ndomain = \"{POOL}\"\n");
        for line in &self.plan.pool {
            let _ = writeln!(text, "{line}");
        }
        let ttl = self.plan.ttl;
        let _ = write!(
            text,
            "[pools.ttl]\naddress = {ttl}\napex_ns = {ttl}\nparent_ns = {ttl}\nparent_ds = {ttl}\nnegative = {ttl}\n"
        );
        let _ = write!(text, "\n[auth]\ntokens = \"file:tokens.toml\"\ntoken_key = \"file:token.key\"\n");
        if self.plan.trusted {
            let _ = writeln!(text, "trusted_networks = [{{ cidr = \"127.0.0.0/8\", role = \"legacy\" }}]");
        }
        let has = |section: &str| self.plan.sections.iter().any(|s| s.contains(section));
        if !has("[worker]") {
            text.push_str("\n[worker]\npoll = \"200ms\"\nsweep = \"1s\"\nlease = \"6s\"\n");
        }
        if !has("[audit]") {
            // There is no public view of a name that lives on one machine.
            text.push_str("\n[audit]\npublic_view = false\n");
        }
        if !has("[limits]") {
            text.push_str("\n[limits]\nrequests_per_second = 0\n");
        }
        for section in &self.plan.sections {
            // Some settings name the daemon's own address.
            let _ = write!(text, "\n{}\n", section.replace("{listen}", listen));
        }
        text
    }

    /// Lend one name, so that everything that happens once has happened.
    pub async fn warm(&self) {
        let _ = self.api().lend("warm-up", "192.0.2.250").await;
    }

    /// A file of this installation.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The configuration of a daemon.
    #[must_use]
    pub fn config_file(&self, n: usize) -> PathBuf {
        self.path(&format!("pdm-{n}.toml"))
    }

    /// The store's URL.
    ///
    /// # Panics
    /// Never: PostgreSQL runs when the store needs it.
    #[must_use]
    pub fn store_url(&self) -> String {
        match self.plan.store {
            StoreKind::Sqlite => format!("sqlite:{}", self.store_file().display()),
            StoreKind::Postgres => self.postgres.as_ref().expect("PostgreSQL runs").url("pdm"),
        }
    }

    /// The file of a SQLite store.
    #[must_use]
    pub fn store_file(&self) -> PathBuf {
        self.path("pdm.db")
    }

    /// Make a token with `pdm token create`.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn make_token(&self, name: &str, role: &str, more: &[&str]) -> String {
        let file = self.path("tokens.toml").display().to_string();
        let mut args =
            vec!["token", "create", "--file", &file, "--name", name, "--role", role, "--output", "json"];
        args.extend(more);
        let said = verb(&args, &[]).expect("pdm token create");
        let said: Value = serde_json::from_str(&said).expect("JSON");
        said["token"].as_str().expect("a token").to_owned()
    }

    /// The admin's client of the first daemon.
    #[must_use]
    pub fn api(&self) -> Api {
        self.api_of(0)
    }

    /// The admin's client of a daemon.
    #[must_use]
    pub fn api_of(&self, n: usize) -> Api {
        self.daemons[n].api().clone().with_token(&self.token)
    }

    /// A client with a fresh token of a role, once the daemon knows it.
    pub async fn api_as(&self, name: &str, role: &str, more: &[&str]) -> Api {
        let api = self.daemons[0].api().clone().with_token(&self.make_token(name, role, more));
        until("the token to be known", || async {
            let answer = api.get("/v1/pools").await;
            if answer.status == 401 { Err(answer) } else { Ok(()) }
        })
        .await;
        api
    }

    /// A provisioner's client that acts for one owner.
    pub async fn api_for(&self, owner: &str) -> Api {
        self.api_as(owner, "provisioner", &["--owner", owner]).await
    }

    /// A client without a token.
    #[must_use]
    pub fn stranger(&self) -> Api {
        self.daemons[0].api().clone()
    }

    /// The admin's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The first daemon.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemons[0]
    }

    /// The first PowerDNS.
    #[must_use]
    pub fn dns(&self) -> &PowerDns {
        &self.powerdns[0]
    }

    /// The proxy before the first PowerDNS.
    #[must_use]
    pub fn proxy(&self) -> &Chaos {
        &self.proxies[0]
    }

    /// Start PowerDNS after [`Plan::powerdns_down`] or after it was stopped.
    pub async fn powerdns_up(&mut self) {
        for one in &mut self.powerdns {
            one.go().await;
        }
    }

    /// Write the pool's entry-point key as trust anchor, and answer the file.
    #[must_use]
    pub fn anchor(&self) -> PathBuf {
        let file = self.path("anchor.conf");
        crate::dns::write_anchor(self.dns().dns(), POOL, &file);
        file
    }

    /// The directory of this installation.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
