//! The whole closed internet.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pdm_harness::child::hand_over;
use pdm_harness::{PowerDns, Release};
use tempfile::TempDir;

use crate::block::Block;
use crate::nameserver::{Offset, clock};
use crate::operator::{Ground, Operator, Records};
use crate::registry::Registry;
use crate::resolver::Resolver;
use crate::watch::{Watcher, watch};

/// Top-level domains.
const TLDS: [&str; 4] = ["com", "net", "io", "works"];

/// What to build.
#[derive(Debug, Clone)]
pub struct Plan {
    ttl: u32,
    steered: bool,
    ours: Vec<String>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { ttl: 2, steered: false, ours: vec!["ns1.openova.io".into(), "ns2.openova.io".into()] }
    }
}

impl Plan {
    /// TTL of everything, negative answers included. The default is two seconds.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }

    /// All servers and resolvers take their time from the lab: see [`Lab::set_clock`].
    #[must_use]
    pub fn steered(mut self) -> Self {
        self.steered = true;
        self
    }

    /// Names of our nameservers, all under `openova.io`.
    #[must_use]
    pub fn ours(mut self, names: &[&str]) -> Self {
        self.ours = names.iter().map(|n| (*n).to_owned()).collect();
        self
    }

    /// Build it.
    ///
    /// # Panics
    /// When something is not installed or does not start.
    pub async fn start(self) -> Lab {
        let dir = tempfile::Builder::new().prefix("pdm-lab-").tempdir().expect("a directory");
        hand_over(dir.path());
        let (block, template, time) = (Block::take(), dir.path().join("empty.db"), dir.path().join("clock"));
        PowerDns::empty_database(Release::usual(), &template);
        std::fs::write(&time, "+0").expect("write the clock");
        let env = if self.steered { clock(Offset::File(&time)) } else { Vec::new() };
        let ground = Ground { block: &block, dir: dir.path(), template: &template, ttl: self.ttl, env: &env };
        let ours: Vec<&str> = self.ours.iter().map(String::as_str).collect();
        let (root, registry, old, ours) = tokio::join!(
            Operator::start(&["a.root-servers"], "root", &ground),
            Operator::start(&["a.gtld-servers.net", "b.gtld-servers.net"], "registry", &ground),
            Operator::start(&["ns1.old-dns.net", "ns2.old-dns.net"], "old", &ground),
            Operator::start(&ours, "ours", &ground),
        );
        tokio::join!(host_own_zone(&old, "old-dns.net"), host_own_zone(&ours, "openova.io"));
        for tld in TLDS {
            host_tld(&registry, tld, &[(&old, "old-dns.net"), (&ours, "openova.io")]).await;
        }
        host_root(&root, &registry).await;
        let hints = dir.path().join("root.hints");
        let anchor = dir.path().join("root.key");
        let address = root.servers[0].address();
        std::fs::write(
            &hints,
            format!(". 3600 NS a.root-servers.\na.root-servers. 3600 A {}\n", address.ip()),
        )
        .expect("write the hints");
        let trust: String = root.ds("").await.iter().fold(String::new(), |mut text, ds| {
            let _ = writeln!(text, ". IN DS {ds}");
            text
        });
        std::fs::write(&anchor, trust).expect("write the anchor");
        let (warm, cold) = (dir.path().join("unbound"), dir.path().join("unbound-cold"));
        let (resolver, cold) = tokio::join!(
            Resolver::start(&warm, block.dns(), &hints, &anchor, "", &env),
            Resolver::start(&cold, block.dns(), &hints, &anchor, " aggressive-nsec: yes\n", &env),
        );
        let registry = Registry { operator: registry, tlds: TLDS.map(str::to_owned).to_vec() };
        Lab {
            root,
            registry,
            old,
            ours,
            resolver,
            cold,
            steered: self.steered,
            ttl: self.ttl,
            dir,
            _block: block,
        }
    }
}

/// The zone of an operator's own nameserver names.
async fn host_own_zone(operator: &Operator, zone: &str) {
    let mut sets = Sets::default();
    sets.addresses(operator, zone);
    sets.host(operator, zone).await;
}

/// Owned RRsets, lent to [`Operator::host`].
#[derive(Default)]
struct Sets(Vec<(String, &'static str, Vec<String>)>);

impl Sets {
    fn push(&mut self, owner: &str, rtype: &'static str, contents: Vec<String>) {
        self.0.push((owner.to_owned(), rtype, contents));
    }

    fn delegate(&mut self, owner: &str, to: &Operator, ds: Vec<String>) {
        self.push(owner, "NS", to.names().iter().map(|n| format!("{n}.")).collect());
        self.push(owner, "DS", ds);
    }

    fn addresses(&mut self, of: &Operator, within: &str) {
        let end = if within.is_empty() { String::new() } else { format!(".{within}") };
        for (name, at) in of.addresses() {
            let label = name.strip_suffix(&end).expect("a name in the zone");
            self.push(label, "A", vec![at.ip().to_string()]);
        }
    }

    async fn host(&self, operator: &Operator, zone: &str) {
        let lent: Vec<(&str, &str, Vec<&str>)> =
            self.0.iter().map(|(o, t, c)| (o.as_str(), *t, c.iter().map(String::as_str).collect())).collect();
        let records: Vec<(&str, &str, &[&str])> =
            lent.iter().map(|(o, t, c)| (*o, *t, c.as_slice())).collect();
        operator.host(zone, true, &records).await;
    }
}

/// A TLD with the delegations, with glue, of the operators' own zones. The TLD servers' names lie in `net`.
async fn host_tld(registry: &Operator, tld: &str, delegated: &[(&Operator, &str)]) {
    let mut sets = Sets::default();
    if tld == "net" {
        sets.addresses(registry, tld);
    }
    for (operator, zone) in delegated {
        if let Some(label) = zone.strip_suffix(&format!(".{tld}")) {
            sets.delegate(label, operator, operator.ds(zone).await);
            sets.addresses(operator, tld);
        }
    }
    sets.host(registry, tld).await;
}

async fn host_root(root: &Operator, registry: &Operator) {
    let mut sets = Sets::default();
    sets.addresses(root, "");
    for tld in TLDS {
        sets.delegate(tld, registry, registry.ds(tld).await);
    }
    sets.addresses(registry, "");
    sets.host(root, "").await;
}

/// A closed internet. Everything ends with it.
pub struct Lab {
    /// The root.
    pub root: Operator,
    /// The TLDs.
    pub registry: Registry,
    /// Who runs the customers' zones today.
    pub old: Operator,
    /// What PDM writes to.
    pub ours: Operator,
    resolver: Resolver,
    cold: Resolver,
    steered: bool,
    ttl: u32,
    dir: TempDir,
    _block: Block,
}

impl Lab {
    /// The usual one.
    pub async fn start() -> Self {
        Plan::default().start().await
    }

    /// TTL of everything.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Delegate a domain in its TLD. Without NS and DS it is not delegated any more.
    pub async fn register(&self, domain: &str, ns: &[&str], ds: &[String]) {
        self.registry.register(domain, ns, ds).await;
    }

    /// A customer of the old operator: the zone, signed, and its delegation with DS.
    pub async fn customer(&self, domain: &str, records: &Records<'_>) {
        self.old.host(domain, true, records).await;
        self.register(domain, &self.old.names(), &self.old.ds(domain).await).await;
    }

    /// Name and address of each root server.
    #[must_use]
    pub fn root_hints(&self) -> Vec<(String, SocketAddr)> {
        self.root.addresses()
    }

    /// The same as a file of hints.
    #[must_use]
    pub fn hints_file(&self) -> PathBuf {
        self.dir.path().join("root.hints")
    }

    /// DS records of the root: what a resolver here trusts.
    pub async fn trust_anchor(&self) -> Vec<String> {
        self.root.ds("").await
    }

    /// The same as a file of DS records in presentation form.
    #[must_use]
    pub fn anchor_file(&self) -> PathBuf {
        self.dir.path().join("root.key")
    }

    /// The address of a nameserver.
    ///
    /// # Panics
    /// When nobody here has that name.
    #[must_use]
    pub fn address_of(&self, nameserver: &str) -> SocketAddr {
        let all = [&self.root, &self.registry.operator, &self.old, &self.ours];
        let found = all.into_iter().flat_map(|o| &o.servers).find(|s| s.name() == nameserver);
        found.unwrap_or_else(|| panic!("nobody here is called {nameserver}")).address()
    }

    /// The resolver that keeps its cache.
    #[must_use]
    pub fn unbound(&self) -> &Resolver {
        &self.resolver
    }

    /// The resolver to be asked with an empty cache ([`Resolver::ask_cold`]); it also believes denials of whole ranges
    /// (RFC 8198).
    #[must_use]
    pub fn cold(&self) -> &Resolver {
        &self.cold
    }

    /// Ask the resolver that keeps its cache each of `questions` (`name TYPE`) once a `period`.
    #[must_use]
    pub fn watcher(&self, questions: &[&str], period: Duration) -> Watcher {
        watch(self.resolver.address(), questions, period)
    }

    /// Move the clocks of all servers and resolvers, as libfaketime reads it: `+0`, `+30d`, `-2h`. They see it within a
    /// second.
    ///
    /// # Panics
    /// When the lab is not [`Plan::steered`].
    pub fn set_clock(&self, offset: &str) {
        assert!(self.steered, "this lab has the clock of its machine: Plan::steered");
        // A reader never sees half of it.
        let (new, file) = (self.dir.path().join("clock.new"), self.dir.path().join("clock"));
        std::fs::write(&new, offset).expect("write the clock");
        std::fs::rename(&new, &file).expect("put the clock in place");
    }

    /// Variables that give a process the clock of this lab; none when it has that of its machine.
    #[must_use]
    pub fn clock_env(&self) -> Vec<(String, String)> {
        if self.steered { clock(Offset::File(&self.dir.path().join("clock"))) } else { Vec::new() }
    }

    /// A directory for whatever belongs to this lab.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
