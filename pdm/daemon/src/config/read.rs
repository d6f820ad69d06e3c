//! From the tree of the file to the typed configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use pdm_dnssec::{Dnskey, DsDigest, Name};
use pdm_engine::audits::AuditSettings;
use pdm_model::keys::{ALGORITHMS, Denial, Digest, KeyPolicy, Layout};
use pdm_model::{DriftPolicy, DsRecord, Pool, Ttl, Ttls, ZoneName};
use pdm_openbao::CredentialShelf;
use pdm_ports::Shelf;
use toml::{Table, Value};
use zeroize::Zeroizing;

use super::keys::SECTIONS;
use super::secret::{Outside, Reference, reference};
use super::section::Reader;
use super::{
    Auth, Config, CredentialKeys, Credentials, Dns, Instance, Limits, Log, Problem, StoreConfig, Telemetry,
    Worker, env, value,
};

/// The tree of a file with variables on top.
pub(super) struct Tree {
    pub(super) table: Table,
    problems: Vec<Problem>,
}

impl Tree {
    /// # Errors
    /// The text is no TOML.
    pub(super) fn parse(text: &str, variables: &BTreeMap<String, String>) -> Result<Self, Vec<Problem>> {
        let mut table: Table = text.parse().map_err(|e: toml::de::Error| {
            vec![Problem { path: "TOML".into(), detail: e.to_string().trim_end().to_owned() }]
        })?;
        let mut problems = Vec::new();
        env::overlay(&mut table, variables.clone().into_iter(), &mut problems);
        for name in table.keys().filter(|k| !SECTIONS.iter().any(|s| s.name == *k)) {
            problems.push(Problem { path: name.clone(), detail: "there is no such section".into() });
        }
        Ok(Self { table, problems })
    }

    /// # Errors
    /// Every problem at once.
    pub(super) fn read(mut self, base: &Path, outside: &Outside) -> Result<Config, Vec<Problem>> {
        match read(&self.table, base, outside, &mut self.problems) {
            Some(config) if self.problems.is_empty() => Ok(config),
            _ => Err(self.problems),
        }
    }
}

/// Every section is read before the first `?`, so that nothing hides behind the first problem.
fn read(tree: &Table, base: &Path, env: &Outside, problems: &mut Vec<Problem>) -> Option<Config> {
    let listen = Reader::new("http", "http", tree.get("http"), problems).get("listen", value::address);
    let store = store(Reader::new("store", "store", tree.get("store"), problems), base, env);
    let powerdns = list(tree, "powerdns", problems, |reader| instance(reader, base, env));
    let pools = list(tree, "pools", problems, pool);
    let names: Vec<_> = pools.iter().map(|p| p.domain.clone()).collect();
    let dns = dns(Reader::new("dns", "dns", tree.get("dns"), problems), &names, base, env);
    let registrars = registrars(tree, problems);
    let byo = byo(Reader::new("byo", "byo", tree.get("byo"), problems));
    let credentials =
        credentials(Reader::new("credentials", "credentials", tree.get("credentials"), problems), base, env);
    let openbao = tree
        .get("openbao")
        .map(|v| super::openbao::read(Reader::new("openbao", "openbao", Some(v), problems), base, env));
    let auth = auth(Reader::new("auth", "auth", tree.get("auth"), problems), base, env);
    let names = names.as_slice();
    let tls =
        tree.get("tls").map(|v| super::spiffe::read_tls(Reader::new("tls", "tls", Some(v), problems), base));
    let spiffe = tree
        .get("spiffe")
        .map(|v| super::spiffe::read(Reader::new("spiffe", "spiffe", Some(v), problems), base));
    let workloads = match tree.get("workloads") {
        Some(_) => list(tree, "workloads", problems, |reader| super::spiffe::read_workload(reader, names)),
        None => Vec::new(),
    };
    must_have_a_mesh(tree, problems);
    let oidc = tree
        .get("oidc")
        .map(|v| super::oidc::read(Reader::new("oidc", "oidc", Some(v), problems), names, base, env));
    let nats = tree
        .get("nats")
        .map(|v| super::nats::read(Reader::new("nats", "nats", Some(v), problems), base, env));
    let notify =
        tree.get("notify").map(|v| notify(Reader::new("notify", "notify", Some(v), problems), base, env));
    let telemetry = tree
        .get("telemetry")
        .map(|v| telemetry(Reader::new("telemetry", "telemetry", Some(v), problems), base, env));
    let worker = worker(Reader::new("worker", "worker", tree.get("worker"), problems));
    let audit = audit(Reader::new("audit", "audit", tree.get("audit"), problems));
    let pages = super::pages::read(Reader::new("pages", "pages", tree.get("pages"), problems));
    let limits = limits(Reader::new("limits", "limits", tree.get("limits"), problems));
    let log = log(Reader::new("log", "log", tree.get("log"), problems));
    for (index, name) in names.iter().enumerate().filter(|(i, name)| names[..*i].contains(name)) {
        problems.push(Problem {
            path: format!("pools[{index}].domain"),
            detail: format!("{name} is given twice"),
        });
    }
    let (audit, rdap) = audit?;
    Some(Config {
        listen: listen?,
        store: store?,
        powerdns,
        dns: dns?,
        pools,
        byo: byo?,
        credentials,
        registrars,
        auth: auth?,
        openbao: env.openbao.clone().zip(openbao.flatten().map(|section| section.refresh)),
        oidc: oidc.flatten(),
        tls: tls.flatten(),
        spiffe: spiffe.flatten(),
        workloads,
        mesh: env.mesh.clone(),
        nats: nats.flatten(),
        notify: notify.flatten(),
        telemetry: telemetry.flatten(),
        worker: worker?,
        audit,
        rdap,
        pages: pages?,
        limits: limits?,
        log: log?,
    })
}

/// A service known by its SPIFFE id, and clients known by theirs, need the section that says whom to trust.
fn must_have_a_mesh(tree: &Table, problems: &mut Vec<Problem>) {
    if tree.contains_key("spiffe") {
        return;
    }
    let instances = tree.get("powerdns").and_then(Value::as_array).into_iter().flatten();
    let instances = instances.enumerate().map(|(n, value)| (format!("powerdns[{n}]"), Some(value)));
    let services = ["nats", "openbao"].map(|name| (name.to_owned(), tree.get(name)));
    for (path, value) in instances.chain(services) {
        if value.is_some_and(|value| value.get("spiffe_id").is_some()) {
            problems.push(Problem {
                path: format!("{path}.spiffe_id"),
                detail: "it needs the section [spiffe]".into(),
            });
        }
    }
    if tree.contains_key("workloads") {
        problems.push(Problem { path: "workloads".into(), detail: "they need the section [spiffe]".into() });
    }
}

fn notify(mut r: Reader<'_>, base: &Path, env: &Outside) -> Option<pdm_webhook::Settings> {
    let url = r.get("url", value::url);
    let secret = r.get("secret", |v| {
        let octets = secret(base)(v)?.octets(env)?;
        if octets.len() < 32 { Err("at least 32 octets are needed".to_owned()) } else { Ok(octets) }
    });
    let (allowed, letters) = (r.get("allow", value::networks), r.get("letters", value::pairs));
    Some(pdm_webhook::Settings { url: url?, secret: secret?, allowed: allowed?, letters: letters? })
}

fn list<T>(
    tree: &Table,
    section: &'static str,
    problems: &mut Vec<Problem>,
    one: impl Fn(Reader<'_>) -> Option<T>,
) -> Vec<T> {
    let items = match tree.get(section) {
        Some(Value::Array(items)) => items.as_slice(),
        Some(_) => {
            problems.push(Problem { path: section.into(), detail: format!("write it as [[{section}]]") });
            return Vec::new();
        }
        None => &[],
    };
    if items.is_empty() {
        problems
            .push(Problem { path: section.into(), detail: format!("at least one [[{section}]] is needed") });
    }
    let read = |(i, item)| one(Reader::new(section, format!("{section}[{i}]"), Some(item), &mut *problems));
    items.iter().enumerate().filter_map(read).collect()
}

pub(super) fn secret(base: &Path) -> impl Fn(&Value) -> Result<Reference, String> {
    move |v| reference(&value::text(v)?, base)
}

fn store(mut r: Reader<'_>, base: &Path, env: &Outside) -> Option<StoreConfig> {
    let url = r.get("url", |v| store_url(&value::text(v)?, base, env));
    let migrate = r.get("migrate", value::flag);
    Some(StoreConfig { url: url?, migrate: migrate? })
}

fn store_url(text: &str, base: &Path, env: &Outside) -> Result<Zeroizing<String>, String> {
    let referenced = text.starts_with("file:") || text.starts_with("env:") || text.starts_with("openbao:");
    let url = if referenced { reference(text, base)?.text(env)? } else { Zeroizing::new(text.to_owned()) };
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|s| url.starts_with(s)) {
        return Err("this is neither sqlite:PATH nor postgres://...".into());
    }
    let user_part = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user);
    let literal = user_part.is_some_and(|user| user.contains(':')) || url.contains("password=");
    if literal && !referenced {
        return Err("it holds a password: put the whole address into a file or variable and write file:PATH or env:NAME".into());
    }
    Ok(url)
}

fn instance(mut r: Reader<'_>, base: &Path, env: &Outside) -> Option<Instance> {
    let url = r.get("url", value::url);
    let api_key = r.get("api_key", |v| secret(base)(v)?.live("powerdns.api_key", env));
    let server_id = r.get("server_id", value::text);
    let dns = r.get("dns", value::address);
    let spiffe_id = r.get("spiffe_id", super::spiffe::id);
    Some(Instance { url: url?, api_key: api_key?, server_id: server_id?, dns, spiffe_id })
}

fn dns(mut r: Reader<'_>, pools: &[ZoneName], base: &Path, env: &Outside) -> Option<Dns> {
    let nameservers = r.get("nameservers", |v| match value::names(v)? {
        names if names.is_empty() => Err("at least one is needed".to_owned()),
        names => Ok(names),
    });
    let hostmaster = r.get("hostmaster", value::name);
    // Checked, and not used yet.
    r.get("resolver", value::address);
    let anchors = r.get("trust_anchor", |v| anchors(&secret(base)(v)?.text(env)?, pools));
    let root_hints = r.get("root_hints", value::sockets);
    let probe_allow = r.get("probe_allow", value::networks);
    let parent_allow = r.get("parent_allow", value::networks);
    let nameserver_addresses = r.get("nameserver_addresses", value::addresses);
    let processes = r.get("processes", value::count);
    let glue = r.get("glue", value::addresses);
    let maintenance = r.get("maintenance", value::names);
    let signal_zones = r.get("signal_zones", value::names);
    let claim_zone = r.get("claim_zone", value::name);
    let known = nameservers.clone().unwrap_or_default();
    let tables = [("nameserver_addresses", &nameserver_addresses), ("glue", &glue)];
    for (key, map) in tables {
        for name in map.iter().flat_map(|m| m.keys()).filter(|n| !known.contains(n)) {
            r.problem(key, format!("{name} is not among dns.nameservers"));
        }
    }
    for name in maintenance.iter().flatten().filter(|n| !known.contains(n)) {
        r.problem("maintenance", format!("{name} is not among dns.nameservers"));
    }
    let Anchors { root: root_anchor, pools: anchors } = anchors.unwrap_or_default();
    let nameservers = nameservers?;
    let first = nameservers.first()?;
    let beside = ZoneName::parse(&format!("hostmaster.{}", first.parent().as_ref().unwrap_or(first))).ok();
    Some(Dns {
        hostmaster: hostmaster.or(beside)?,
        nameservers,
        anchors,
        root_hints: root_hints?,
        root_anchor,
        probe_allow: probe_allow?,
        parent_allow: parent_allow?,
        nameserver_addresses: nameserver_addresses?,
        processes: NonZeroU32::new(processes?),
        glue: glue?,
        maintenance: maintenance?,
        signal_zones: signal_zones?,
        claim_zone,
    })
}

/// What a file of trust anchors holds.
#[derive(Default)]
struct Anchors {
    root: BTreeSet<DsRecord>,
    pools: BTreeMap<ZoneName, BTreeSet<DsRecord>>,
}

/// Lines like `omani.works. 300 IN DS 12345 13 2 abcd...` or `. IN DNSKEY 257 3 8 ...`, as resolvers keep them.
fn anchors(text: &str, pools: &[ZoneName]) -> Result<Anchors, String> {
    let mut all = Anchors::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (owner, record) = anchor(line).map_err(|e| format!("line {}: {e}", index + 1))?;
        if owner == "." {
            all.root.insert(record);
            continue;
        }
        let name = ZoneName::parse(owner).map_err(|e| format!("line {}: {e}", index + 1))?;
        if !pools.contains(&name) {
            return Err(format!("line {}: {name} is neither the root nor one of the pools", index + 1));
        }
        all.pools.entry(name).or_default().insert(record);
    }
    Ok(all)
}

/// The owner and the DS of one line.
fn anchor(line: &str) -> Result<(&str, DsRecord), String> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let is = |kind: &str| words.iter().position(|w| w.eq_ignore_ascii_case(kind)).filter(|at| *at > 0);
    if let Some(at) = is("DS") {
        let record = words[at + 1..].join(" ").parse::<DsRecord>().map_err(|e| e.to_string())?;
        return Ok((words[0], record));
    }
    let key = is("DNSKEY").and_then(|at| Dnskey::parse(&words[at + 1..].join(" ")));
    let key = key.filter(Dnskey::is_entry_point).zip(Name::parse(words[0]));
    let (key, owner) =
        key.ok_or("this is neither a DS record nor an entry point's DNSKEY; write POOL. IN DS ...")?;
    Ok((words[0], key.ds(&owner, DsDigest::Sha256)))
}

fn pool(mut r: Reader<'_>) -> Option<Pool> {
    let domain = r.get("domain", value::name);
    let reservation_ttl = r.get("reservation_ttl", value::time);
    let quarantine = r.get("quarantine", value::time);
    let quota = r.get("quota", value::count);
    let allow_addresses = r.get("allow_addresses", value::networks);
    let allow_http_checks = r.get("allow_http_checks", value::flag);
    let reserved = r.get("reserved", value::words);
    let protected = r.get("protected", value::words);
    let withdrawals_per_hour = r.get("withdrawals_per_hour", value::count);
    let drift = r.get("drift", value::choice(&["repair", "report"]));
    let ttls = ttls(r.inner("pools.ttl", "ttl"));
    let keys = keys(r.inner("pools.keys", "keys"));
    Some(Pool {
        domain: domain?,
        reservation_ttl: reservation_ttl?,
        quarantine: quarantine?,
        quota: quota?,
        allow_addresses: allow_addresses?,
        allow_http_checks: allow_http_checks?,
        reserved: reserved?,
        protected: protected?,
        withdrawals_per_hour: withdrawals_per_hour?,
        drift: if drift? == "report" { DriftPolicy::Report } else { DriftPolicy::Repair },
        ttls: ttls?,
        keys: keys?,
    })
}

fn ttls(mut r: Reader<'_>) -> Option<Ttls> {
    let mut one = |name| r.get(name, value::count).map(Ttl::new);
    let (address, apex_ns, parent_ns) = (one("address"), one("apex_ns"), one("parent_ns"));
    let (parent_ds, proved, negative) = (one("parent_ds"), one("parent_ds_proved"), one("negative"));
    // Whoever sets the short one alone wants short waits.
    let proved = if r.given("parent_ds") && !r.given("parent_ds_proved") { parent_ds } else { proved };
    Some(Ttls {
        address: address?,
        apex_ns: apex_ns?,
        parent_ns: parent_ns?,
        parent_ds: parent_ds?,
        parent_ds_proved: proved?,
        negative: negative?,
    })
}

/// The rules for brought domains. No name is lent there, so the domain in them is only a place holder.
fn byo(mut r: Reader<'_>) -> Option<Pool> {
    let quarantine = r.get("quarantine", value::time);
    let allow_addresses = r.get("allow_addresses", value::networks);
    let withdrawals_per_hour = r.get("withdrawals_per_hour", value::count);
    let mut one = |name| r.get(name, value::count).map(Ttl::new);
    let (address, apex_ns, parent_ns) = (one("ttl_address"), one("ttl_apex_ns"), one("ttl_parent_ns"));
    let (parent_ds, negative) = (one("ttl_parent_ds"), one("ttl_negative"));
    Some(Pool {
        quarantine: quarantine?,
        allow_addresses: allow_addresses?,
        withdrawals_per_hour: withdrawals_per_hour?,
        ttls: Ttls {
            address: address?,
            apex_ns: apex_ns?,
            parent_ns: parent_ns?,
            parent_ds: parent_ds?,
            parent_ds_proved: parent_ds?,
            negative: negative?,
        },
        ..Pool::new(ZoneName::parse("byo").ok()?)
    })
}

fn credentials(mut r: Reader<'_>, base: &Path, env: &Outside) -> Credentials {
    let mut one = |name| {
        r.get(name, |v| {
            let key = secret(base)(v)?.octets(env)?;
            if key.len() < 32 {
                return Err(
                    "the key has fewer than 32 octets; make one with `head -c 32 /dev/urandom`".into()
                );
            }
            Ok(key)
        })
    };
    let (key, previous) = (one("key"), one("previous_key"));
    if key.is_none() && previous.is_some() {
        r.problem("previous_key", "it is of no use without key");
    }
    let below = r.get("openbao", |v| {
        let below = value::text(v)?;
        let Some(openbao) = &env.openbao else { return Err("it needs the section [openbao]".to_owned()) };
        CredentialShelf::new(openbao.clone(), &below).map(Arc::new).map_err(str::to_owned)
    });
    Credentials {
        keys: CredentialKeys(key.into_iter().chain(previous).collect()),
        shelf: below.map(|shelf| -> Arc<dyn Shelf> { shelf }),
    }
}

fn keys(mut r: Reader<'_>) -> Option<KeyPolicy> {
    let layout = r.get("layout", value::choice(&["split", "csk"]));
    let algorithm = r.get("algorithm", |v| match u8::try_from(value::count(v)?) {
        Ok(number) if ALGORITHMS.iter().any(|(known, _)| *known == number) => Ok(number),
        _ => Err("write 8, 13, 14 or 15".to_owned()),
    });
    let (ksk_lifetime, zsk_lifetime) =
        (r.get("ksk_lifetime", value::time), r.get("zsk_lifetime", value::time));
    let digest = r.get("digest", value::choice(&["sha-256", "sha-384"]));
    let denial = r.get("denial", value::choice(&["nsec", "nsec3"]));
    let (cds, scanned) = (r.get("cds", value::flag), r.get("scanned", value::flag));
    let double_ds = r.get("double_ds", value::flag);
    Some(KeyPolicy {
        layout: if layout? == "csk" { Layout::Csk } else { Layout::Split },
        algorithm: algorithm?,
        ksk_lifetime: ksk_lifetime?.as_secs(),
        zsk_lifetime: zsk_lifetime?.as_secs(),
        digest: if digest? == "sha-384" { Digest::Sha384 } else { Digest::Sha256 },
        denial: if denial? == "nsec3" { Denial::Nsec3 } else { Denial::Nsec },
        cds: cds?,
        scanned: scanned?,
        double_ds: double_ds?,
    })
}

fn registrars(tree: &Table, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let Some(value) = tree.get("registrars") else { return all };
    let Some(table) = value.as_table() else {
        problems.push(Problem { path: "registrars".into(), detail: "write it as [registrars.ID]".into() });
        return all;
    };
    for (id, value) in table {
        let url = Reader::new("registrars", format!("registrars.{id}"), Some(value), problems)
            .get("base_url", value::url);
        all.extend(url.map(|url| (id.clone(), url)));
    }
    all
}

fn auth(mut r: Reader<'_>, base: &Path, env: &Outside) -> Option<Auth> {
    let tokens = r.get("tokens", |v| match secret(base)(v)? {
        Reference::File(path) => Ok(path),
        Reference::Env(_) | Reference::OpenBao(_) => Err("tokens are in a file: write file:PATH".to_owned()),
    });
    let token_key = r.get("token_key", |v| {
        let key = secret(base)(v)?.octets(env)?;
        if key.len() < 32 {
            return Err("the key has fewer than 32 octets; make one with `head -c 32 /dev/urandom`".into());
        }
        Ok(key)
    });
    let trusted_networks = r.get("trusted_networks", value::network_roles);
    Some(Auth { tokens: tokens?, token_key: token_key?, trusted_networks: trusted_networks? })
}

fn telemetry(mut r: Reader<'_>, base: &Path, env: &Outside) -> Option<Telemetry> {
    let endpoint = r.get("endpoint", value::url);
    let percent = r.get("percent", value::count);
    let service = r.get("service", value::text);
    let environment = r.get("environment", value::text);
    let authorization = r.get("authorization", |v| secret(base)(v)?.text(env));
    if percent.is_some_and(|p| p > 100) {
        r.problem("percent", "at most 100");
    }
    Some(Telemetry { endpoint: endpoint?, percent: percent?, service: service?, environment, authorization })
}

fn worker(mut r: Reader<'_>) -> Option<Worker> {
    let parallel = r.get("parallel", value::count);
    let mut time = |name| r.get(name, value::time);
    let (lease, poll, sweep, proof_age) = (time("lease"), time("poll"), time("sweep"), time("proof_age"));
    let (failover_look, pool_ds) = (time("failover_look"), time("pool_ds"));
    for (name, given) in
        [("lease", lease), ("poll", poll), ("sweep", sweep), ("failover_look", failover_look)]
    {
        if given.is_some_and(|t| t.is_zero()) {
            r.problem(name, "this must be longer than nothing");
        }
    }
    if parallel == Some(0) {
        r.problem("parallel", "at least 1 is needed");
    }
    let parallel = usize::try_from(parallel?).ok()?;
    Some(Worker {
        parallel,
        lease: lease?,
        poll: poll?,
        sweep: sweep?,
        failover_look: failover_look?,
        pool_ds: pool_ds?,
        proof_age: proof_age?,
    })
}

/// The settings, and where registration data is asked for.
fn audit(mut r: Reader<'_>) -> Option<(AuditSettings, Option<String>)> {
    let mut time = |name| r.get(name, value::time);
    let (glance, full, keep) = (time("glance"), time("full"), time("keep"));
    let profile = r.get("profile", value::choice(&["public", "loopback"]));
    let ca = r.get("ca", value::words);
    let networks = r.get("networks", value::announced);
    let rdap = r.get("rdap", value::url);
    let public_view = r.get("public_view", value::flag);
    let excused = profile.and_then(|word| super::profile(&word));
    let settings = AuditSettings {
        glance: glance?,
        full: full?,
        keep: keep?,
        excused: excused?,
        ca: ca?,
        networks: networks?,
        public_view: public_view?,
    };
    Some((settings, rdap))
}

fn limits(mut r: Reader<'_>) -> Option<Limits> {
    let requests_per_second = r.get("requests_per_second", value::count);
    let burst = r.get("burst", value::count);
    Some(Limits { requests_per_second: requests_per_second?, burst: burst? })
}

fn log(mut r: Reader<'_>) -> Option<Log> {
    let format = r.get("format", value::choice(&["text", "json"]));
    let level = r.get("level", value::text);
    Some(Log { json: format? == "json", level: level? })
}
