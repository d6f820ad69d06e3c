//! The one place where the parts meet: a configuration becomes a running daemon.
//!
//! Nothing here waits for PowerDNS or PostgreSQL: what is down at the start is named by `/readyz` and tried again, and
//! `check` and `reserve` work meanwhile.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pdm_auditor::{Prober, WalkSettings, Walker};
use pdm_engine::settings::Settings;
use pdm_engine::token::TokenKey;
use pdm_engine::vault::{SealKey, Vault};
use pdm_engine::{Engine, Parts};
use pdm_model::ZoneName;
use pdm_ports::audit::Auditor;
use pdm_ports::audit_store::AuditStore;
use pdm_ports::outbox::Outbox;
use pdm_ports::parent::ZoneLease;
use pdm_ports::registrar::Registrar;
use pdm_ports::{DnsProbe, Fault, ParentSide, SignIn, Store, ZoneBackend};
use pdm_powerdns::{InstanceConfig, Options, PoolConfig, PoolNameserver, PoolParent, PowerDns};
use pdm_server::{AnyOf, App, Authenticator, FileTokens, Limits, TrustedNetwork, TrustedNetworks};
use pdm_store::SqlStore;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::background;
use crate::clock;
use crate::config::Config;
use crate::crash::{Crash, Points};
use crate::events;
use crate::failure::Failure;
use crate::guard::{Ground, GuardedParent, GuardedZones};
use crate::identity::{self, OidcTokens, Workloads};
use crate::mesh::{self, Mesh};
use crate::rdap::WithRegistrations;
use crate::secrets;
use crate::servers;
use crate::turns::Turns;

/// The longest a PowerDNS call may take, unless a third of the lease is less.
const CALL: Duration = Duration::from_secs(8);

/// Everything of a configuration, not running yet.
pub struct Daemon {
    /// Intents, workers and sweeps.
    pub engine: Arc<Engine>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) lease: Arc<dyn ZoneLease>,
    /// Who we are among workloads, when that is configured.
    pub(crate) mesh: Option<Arc<Mesh>>,
    powerdns: Arc<PowerDns>,
    pools: Arc<PoolParent>,
    ground: Arc<Ground>,
    points: Option<Arc<Points>>,
}

impl Daemon {
    /// Put the parts together. PowerDNS is not called.
    ///
    /// # Errors
    /// What cannot become right by waiting.
    pub async fn build(config: &Config) -> Result<Self, Failure> {
        let points = Points::from_env().map_err(Failure::Usage)?;
        let servers = servers::find(config).await?;
        let sql = Arc::new(SqlStore::open(&config.store.url, config.store.migrate).await?);
        let audits: Arc<dyn AuditStore> = sql.clone();
        let (mut store, mut lease): (Arc<dyn Store>, Arc<dyn ZoneLease>) = (sql.clone(), sql.clone());
        if let Some(points) = &points {
            (store, lease) = (Crash::new(store, points.clone()), Crash::new(lease, points.clone()));
        }
        let mesh = mesh(config).await?;
        let powerdns = Arc::new(powerdns(config, mesh.as_deref())?);
        let turns = Turns::new(lease.clone(), powerdns_call(config));
        let pools = Arc::new(PoolParent::new(powerdns.clone(), pool_zones(config), lease.clone()));
        let ground = Arc::new(Ground::default());
        let (mut zones, mut parent): (Arc<dyn ZoneBackend>, Arc<dyn ParentSide>) =
            (powerdns.clone(), pools.clone());
        if let Some(points) = points.clone() {
            (zones, parent) = (Crash::new(zones, points.clone()), Crash::new(parent, points));
        }
        let walker = walk(config, &servers);
        let auditor: Arc<dyn Auditor> = match &config.rdap {
            Some(base) => Arc::new(WithRegistrations::new(walker.clone(), base)),
            None => walker.clone(),
        };
        let parts = Parts {
            store,
            zones: Arc::new(GuardedZones { inner: zones, ground: ground.clone(), turns }),
            parent: Arc::new(GuardedParent { inner: parent, ground: ground.clone() }),
            probe: probe(config, &servers),
            walk: walker.clone(),
            announcer: walker.clone(),
            gather: walker,
            registrars: registrars(config, points.as_ref())?,
            auditor,
            audits,
            lease: lease.clone(),
        };
        let vault = vault(config)?;
        let tokens = TokenKey::new(&config.auth.token_key);
        let engine = Engine::new(settings(config, servers), parts, tokens, vault);
        Ok(Self { engine, outbox: sql, lease, mesh, powerdns, pools, ground, points })
    }

    /// Prepare every pool once and put back what only the DNS remembers.
    ///
    /// # Errors
    /// The first thing that stands in the way; running it again goes on.
    pub async fn recover(&self) -> Result<pdm_engine::Recovered, Fault> {
        for pool in self.engine.settings().pools.keys() {
            self.pools.prepare(pool).await?;
            self.ground.prepared(pool);
        }
        self.engine.recover("pdm store recover").await
    }

    fn background(&self) {
        let powerdns = self.powerdns.clone();
        tokio::spawn(async move { background::report(&powerdns).await });
        for pool in self.engine.settings().pools.keys() {
            let (pools, ground, points) = (self.pools.clone(), self.ground.clone(), self.points.clone());
            tokio::spawn(background::prepare(pools, ground, points, pool.clone()));
        }
        tokio::spawn(background::watch_clock(self.engine.store().clone(), self.ground.clone()));
    }
}

/// Run until `stop`; then requests and steps under way are finished.
///
/// # Errors
/// What keeps the daemon from starting.
pub async fn run(
    config: &Config,
    daemon: Daemon,
    stop: watch::Receiver<bool>,
    announce: impl FnOnce(SocketAddr),
) -> Result<(), Failure> {
    let metrics = pdm_server::install_metrics().map_err(Failure::refused)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|e| Failure::Refused(format!("cannot listen on http.listen = {}: {e}", config.listen)))?;
    // Its first certificate came before there was anybody to measure.
    daemon.mesh.iter().for_each(|mesh| mesh.measure());
    let mesh = daemon.mesh.as_deref().zip(config.spiffe.as_ref());
    let tls = mesh::listener(config.tls.as_ref(), mesh, &stop)?;
    let networks = config.auth.trusted_networks.iter();
    let networks =
        networks.map(|(cidr, role)| TrustedNetwork { cidr: *cidr, role: role.as_str().to_owned() });
    let (authenticator, sign_in) = authenticator(config, &stop)?;
    let app = App {
        engine: daemon.engine.clone(),
        authenticator,
        trusted: TrustedNetworks::new(networks.collect()).map_err(Failure::refused)?,
        limits: Limits {
            per_second: config.limits.requests_per_second,
            burst: config.limits.burst,
            ..Limits::default()
        },
        token_key: TokenKey::new(&config.auth.token_key),
        pages: pdm_server::Pages {
            secure: config.pages.secure_cookies || tls.is_some(),
            frame_ancestors: config.pages.frame_ancestors.clone(),
            address: config.pages.address.clone(),
            egress: config.pages.egress.iter().map(ToString::to_string).collect(),
        },
        sign_in,
        tls,
        metrics,
    };
    let tellers = events::start(config, &daemon, &stop).await?;
    daemon.background();
    let login = config.openbao.as_ref().map(|(openbao, every)| {
        let secrets = config.powerdns.iter().map(|instance| instance.api_key.clone());
        tokio::spawn(secrets::refresh(secrets.collect(), *every));
        let (openbao, stop) = (openbao.clone(), stop.clone());
        tokio::spawn(async move { openbao.run(stop).await })
    });
    let driver = tokio::spawn(daemon.engine.clone().run(stop.clone()));
    announce(listener.local_addr().unwrap_or(config.listen));
    tracing::info!(listen = %config.listen, "ready for requests");
    pdm_server::serve(listener, app, stop).await;
    // What is not told now waits in the store.
    let _ = tokio::time::timeout(Duration::from_secs(5), futures_util::future::join_all(tellers)).await;
    let ended = driver.await.map_err(|e| Failure::Refused(format!("the workers ended badly: {e}")));
    if let Some(login) = login {
        // What it does not give back ends by itself.
        let _ = tokio::time::timeout(Duration::from_secs(2), login).await;
    }
    ended
}

/// Who may call.
type Callers = (Arc<dyn Authenticator>, Option<Arc<dyn SignIn>>);

/// The tokens of the file, those of the issuer, whose page signs people in when PDM is a client there, then workloads by
/// their certificates.
fn authenticator(config: &Config, stop: &watch::Receiver<bool>) -> Result<Callers, Failure> {
    let file = FileTokens::open(&config.auth.tokens).map_err(|e| {
        Failure::Refused(format!(
            "{e}\n  next step: pdm token create --file {} --name ... --role ...",
            config.auth.tokens.display()
        ))
    })?;
    let mut all: Vec<Arc<dyn Authenticator>> = vec![Arc::new(file)];
    let mut sign_in: Option<Arc<dyn SignIn>> = None;
    if let Some(oidc) = &config.oidc {
        let provider = Arc::new(identity::provider(oidc)?);
        if oidc.client.is_some() {
            sign_in = Some(provider.clone());
        }
        let (running, stop) = (provider.clone(), stop.clone());
        tokio::spawn(async move { running.run(stop).await });
        all.push(Arc::new(OidcTokens::new(provider, oidc.rules.clone())));
    }
    all.push(Arc::new(Workloads::new(config.workloads.clone())));
    Ok((Arc::new(AnyOf(all)), sign_in))
}

/// True once the process is told to end; a second signal ends it at once.
///
/// # Errors
/// Signals cannot be received.
pub fn stop_on_signals() -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::refused)?;
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        for round in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if round == 0 {
                tracing::info!("stopping: steps under way are finished");
                tell.send_replace(true);
            }
        }
        tracing::warn!("ended by the second signal");
        std::process::exit(1);
    });
    Ok(told)
}

/// The longest a call may take: one that outlives its lease could land after another worker took over.
fn powerdns_call(config: &Config) -> Duration {
    CALL.min(config.worker.lease * 3 / 10)
}

/// Become a workload, where that is configured and not done yet.
///
/// # Errors
/// No certificate comes in time.
pub async fn mesh(config: &Config) -> Result<Option<Arc<Mesh>>, Failure> {
    Ok(match (&config.mesh, &config.spiffe) {
        (None, Some(spiffe)) => Some(Arc::new(Mesh::join(spiffe).await?)),
        (joined, _) => joined.clone(),
    })
}

/// The client of the configured servers; nothing is called.
///
/// # Errors
/// An address that cannot be used.
pub fn powerdns(config: &Config, mesh: Option<&Mesh>) -> Result<PowerDns, Failure> {
    let instances = config.powerdns.iter().map(|instance| {
        let tls = instance.spiffe_id.as_ref().zip(mesh).map(|(id, mesh)| mesh.client(id)).transpose()?;
        Ok(InstanceConfig {
            url: instance.url.clone(),
            api_key: instance.api_key.clone().into(),
            server_id: instance.server_id.clone(),
            tls,
        })
    });
    let instances = instances.collect::<Result<_, Failure>>()?;
    let mut options = Options::new(config.dns.hostmaster.clone(), config.dns.nameservers.clone());
    options.timeout = powerdns_call(config);
    Ok(PowerDns::new(instances, options)?)
}

/// The pool zones as they should be.
pub fn pool_zones(config: &Config) -> Vec<PoolConfig> {
    let ips = |name: &ZoneName| -> Vec<IpAddr> {
        let given = config.dns.glue.get(name).or_else(|| config.dns.nameserver_addresses.get(name));
        given.into_iter().flatten().map(SocketAddr::ip).collect()
    };
    let nameserver = |name: &ZoneName| PoolNameserver { name: name.clone(), addresses: ips(name) };
    let nameservers: Vec<_> = config.dns.nameservers.iter().map(nameserver).collect();
    let pool = |pool: &pdm_model::Pool| PoolConfig {
        zone: pool.domain.clone(),
        nameservers: nameservers.clone(),
        ttls: pool.ttls,
    };
    config.pools.iter().map(pool).collect()
}

/// What the operator wrote down as an address to ask may be asked, wherever it lies.
fn may_ask(config: &Config) -> Vec<IpNet> {
    let dns = &config.dns;
    let given = dns.nameserver_addresses.values().flatten().chain(&dns.root_hints);
    let given = given.chain(config.powerdns.iter().filter_map(|i| i.dns.as_ref()));
    dns.probe_allow.iter().copied().chain(given.map(|address| IpNet::from(address.ip()))).collect()
}

fn probe(config: &Config, servers: &[pdm_ports::Server]) -> Arc<dyn DnsProbe> {
    let settings = pdm_auditor::Settings { allowed: may_ask(config), ..pdm_auditor::Settings::default() };
    tracing::debug!(servers = servers.len(), "proofs ask these servers");
    Arc::new(Prober::new(settings))
}

fn walk(config: &Config, servers: &[pdm_ports::Server]) -> Arc<Walker> {
    let settings = WalkSettings {
        allowed: may_ask(config),
        ours: servers.iter().map(|server| server.address).collect(),
        root_hints: config.dns.root_hints.clone(),
        root_anchor: config.dns.root_anchor.clone(),
        anchors: config.dns.anchors.clone(),
        overrides: config.dns.nameserver_addresses.clone(),
        ..WalkSettings::default()
    };
    Arc::new(Walker::new(settings, Arc::new(clock::host_now)))
}

fn settings(config: &Config, servers: Vec<pdm_ports::Server>) -> Settings {
    let mname = config.dns.nameservers.first().unwrap_or(&config.dns.hostmaster);
    Settings {
        pools: config
            .pools
            .iter()
            .map(|pool| (pool.domain.clone(), pool.clone()))
            .collect::<BTreeMap<_, _>>(),
        byo: config.byo.clone(),
        nameservers: config.dns.nameservers.clone(),
        signal_zones: config.dns.signal_zones.clone(),
        claim_zone: config.dns.claim_zone.clone(),
        processes: config.dns.processes,
        servers,
        skipped: config.dns.maintenance.iter().map(ToString::to_string).collect(),
        private_view: !config.dns.nameserver_addresses.is_empty(),
        anchors: config.dns.anchors.clone(),
        soa: (mname.dotted(), config.dns.hostmaster.dotted()),
        parallel: config.worker.parallel,
        lease: config.worker.lease,
        poll: config.worker.poll,
        sweep: config.worker.sweep,
        failover_look: config.worker.failover_look,
        pool_ds: config.worker.pool_ds,
        proof_age: config.worker.proof_age,
        audit: config.audit.clone(),
    }
}

/// Every registrar with an adapter; its base address from the configuration, where it stands there.
///
/// # Errors
/// A base address that cannot be used, or one of a registrar that nobody knows.
fn registrars(
    config: &Config,
    points: Option<&Arc<Points>>,
) -> Result<BTreeMap<String, Arc<dyn Registrar>>, Failure> {
    let known = |id: &String| pdm_adapters::REGISTRARS.iter().any(|entry| entry.id == id);
    if let Some(unknown) = config.registrars.keys().find(|id| !known(id)) {
        return Err(Failure::Refused(format!("registrars.{unknown}: there is no such registrar")));
    }
    let http = pdm_adapters::Http::new()?;
    let make = |entry: &pdm_adapters::Entry| {
        let base = config.registrars.get(entry.id).cloned();
        let allowed = config.dns.parent_allow.clone();
        let options = pdm_adapters::Options { base, allowed, ..pdm_adapters::Options::default() };
        let made = (entry.make)(&http, &options)?;
        let made = points.map_or(made.clone(), |points| Crash::<dyn Registrar>::new(made, points.clone()));
        Ok((entry.id.to_owned(), made))
    };
    pdm_adapters::REGISTRARS.iter().map(make).collect()
}

/// Where credentials are kept.
///
/// # Errors
/// A key that cannot seal.
pub fn vault(config: &Config) -> Result<Vault, Fault> {
    let keys = config.credentials.keys.0.iter().map(|key| SealKey::new(key));
    let vault = Vault::new(keys.collect::<Result<_, _>>()?);
    Ok(match &config.credentials.shelf {
        Some(shelf) => vault.on_shelf(shelf.clone()),
        None => vault,
    })
}

/// The OpenAPI document.
///
/// # Errors
/// It cannot be written as JSON.
pub fn openapi() -> Result<String, Failure> {
    serde_json::to_string_pretty(&pdm_server::document()).map_err(Failure::refused)
}
