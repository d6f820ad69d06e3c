//! The one place where the parts meet: a configuration becomes a running daemon.
//!
//! Nothing here waits for PowerDNS or PostgreSQL: what is down at the start is named by `/readyz` and tried again, and
//! `check` and `reserve` work meanwhile.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pdm_auditor::Prober;
use pdm_engine::settings::Settings;
use pdm_engine::token::TokenKey;
use pdm_engine::{Engine, Parts};
use pdm_model::ZoneName;
use pdm_ports::parent::ZoneLease;
use pdm_ports::{DnsProbe, Fault, ParentSide, Store, ZoneBackend};
use pdm_powerdns::{InstanceConfig, Options, PoolConfig, PoolNameserver, PoolParent, PowerDns, Severity};
use pdm_server::{App, FileTokens, Limits, TrustedNetwork, TrustedNetworks};
use pdm_store::SqlStore;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::output;
use crate::clock;
use crate::config::Config;
use crate::crash::{Crash, Points};
use crate::failure::Failure;
use crate::guard::{Ground, GuardedParent, GuardedZones};
use crate::servers;

/// The longest a PowerDNS call may take, unless a third of the lease is less.
const CALL: Duration = Duration::from_secs(8);
/// PowerDNS's own caches of zone settings and answers, at its defaults: 60 s and 20 s, and a little more.
const SETTINGS_FORGOTTEN: Duration = Duration::from_secs(90);
/// Between two comparisons of the clocks.
const CLOCK_ROUND: Duration = Duration::from_secs(10);

/// Everything of a configuration, not running yet.
pub struct Daemon {
    /// Intents, workers and sweeps.
    pub engine: Arc<Engine>,
    powerdns: Arc<PowerDns>,
    pools: Arc<PoolParent>,
    ground: Arc<Ground>,
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
        let (mut store, mut lease): (Arc<dyn Store>, Arc<dyn ZoneLease>) = (sql.clone(), sql);
        if let Some(points) = &points {
            (store, lease) = (Crash::new(store, points.clone()), Crash::new(lease, points.clone()));
        }
        let powerdns = Arc::new(powerdns(config)?);
        let pools = Arc::new(PoolParent::new(powerdns.clone(), pool_zones(config), lease));
        let ground = Arc::new(Ground::default());
        let (mut zones, mut parent): (Arc<dyn ZoneBackend>, Arc<dyn ParentSide>) =
            (powerdns.clone(), pools.clone());
        if let Some(points) = points {
            (zones, parent) = (Crash::new(zones, points.clone()), Crash::new(parent, points));
        }
        let parts = Parts {
            store,
            zones: Arc::new(GuardedZones { inner: zones, ground: ground.clone() }),
            parent: Arc::new(GuardedParent { inner: parent, ground: ground.clone() }),
            probe: probe(config, &servers),
        };
        let engine = Engine::new(settings(config, servers), parts, TokenKey::new(&config.auth.token_key));
        Ok(Self { engine, powerdns, pools, ground })
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
        tokio::spawn(async move { report(&powerdns).await });
        for pool in self.engine.settings().pools.keys() {
            tokio::spawn(prepare(self.pools.clone(), self.ground.clone(), pool.clone()));
        }
        tokio::spawn(watch_clock(self.engine.store().clone(), self.ground.clone()));
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
    let networks = config.auth.trusted_networks.iter();
    let networks =
        networks.map(|(cidr, role)| TrustedNetwork { cidr: *cidr, role: role.as_str().to_owned() });
    let app = App {
        engine: daemon.engine.clone(),
        authenticator: Arc::new(FileTokens::open(&config.auth.tokens).map_err(|e| {
            Failure::Refused(format!(
                "{e}\n  next step: pdm token create --file {} --name ... --role ...",
                config.auth.tokens.display()
            ))
        })?),
        trusted: TrustedNetworks::new(networks.collect()).map_err(Failure::refused)?,
        limits: Limits {
            per_second: config.limits.requests_per_second,
            burst: config.limits.burst,
            ..Limits::default()
        },
        token_key: TokenKey::new(&config.auth.token_key),
        metrics,
    };
    daemon.background();
    let driver = tokio::spawn(daemon.engine.clone().run(stop.clone()));
    announce(listener.local_addr().unwrap_or(config.listen));
    tracing::info!(listen = %config.listen, "ready for requests");
    pdm_server::serve(listener, app, stop).await;
    driver.await.map_err(|e| Failure::Refused(format!("the workers ended badly: {e}")))
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

fn powerdns(config: &Config) -> Result<PowerDns, Fault> {
    let instances = config.powerdns.iter().map(|instance| InstanceConfig {
        url: instance.url.clone(),
        api_key: instance.api_key.clone().into(),
        server_id: instance.server_id.clone(),
    });
    let mut options = Options::new(config.dns.hostmaster.clone(), config.dns.nameservers.clone());
    // A call that outlives its lease could land after another worker took over.
    options.timeout = CALL.min(config.worker.lease * 3 / 10);
    PowerDns::new(instances.collect(), options)
}

fn pool_zones(config: &Config) -> Vec<PoolConfig> {
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

fn probe(config: &Config, servers: &[pdm_ports::Server]) -> Arc<dyn DnsProbe> {
    // What the operator wrote down as an address to ask may be asked, wherever it lies.
    let given = config
        .dns
        .nameserver_addresses
        .values()
        .flatten()
        .chain(config.powerdns.iter().filter_map(|i| i.dns.as_ref()));
    let given = given.map(|address| IpNet::from(address.ip()));
    let settings = pdm_auditor::Settings {
        allowed: config.dns.probe_allow.iter().copied().chain(given).collect(),
        ..pdm_auditor::Settings::default()
    };
    tracing::debug!(servers = servers.len(), "proofs ask these servers");
    Arc::new(Prober::new(settings))
}

fn settings(config: &Config, servers: Vec<pdm_ports::Server>) -> Settings {
    let mname = config.dns.nameservers.first().unwrap_or(&config.dns.hostmaster);
    Settings {
        pools: config
            .pools
            .iter()
            .map(|pool| (pool.domain.clone(), pool.clone()))
            .collect::<BTreeMap<_, _>>(),
        nameservers: config.dns.nameservers.clone(),
        servers,
        skipped: config.dns.maintenance.iter().map(ToString::to_string).collect(),
        private_view: !config.dns.nameserver_addresses.is_empty(),
        anchors: config.dns.anchors.clone(),
        soa: (mname.dotted(), config.dns.hostmaster.dotted()),
        parallel: config.worker.parallel,
        lease: config.worker.lease,
        poll: config.worker.poll,
        sweep: config.worker.sweep,
        proof_age: config.worker.proof_age,
    }
}

/// Say once what is wrong with the servers, and how to mend it.
async fn report(powerdns: &PowerDns) {
    let report = powerdns.preflight().await;
    for finding in &report.findings {
        let (code, instance, what, mend) = (finding.code, &finding.instance, &finding.what, &finding.mend);
        match finding.severity {
            Severity::Error => tracing::error!(code, %instance, %mend, "PowerDNS: {what}"),
            Severity::Warning => tracing::warn!(code, %instance, %mend, "PowerDNS: {what}"),
        }
    }
    if report.is_usable() {
        tracing::info!(version = report.version, backend = report.backend, "PowerDNS is set up as needed");
    }
}

/// Prepare a pool zone, however long it takes until PowerDNS answers.
async fn prepare(pools: Arc<PoolParent>, ground: Arc<Ground>, pool: ZoneName) {
    let mut pause = Duration::from_millis(200);
    loop {
        match pools.prepare(&pool).await {
            Ok(prepared) => {
                for step in &prepared.plan.steps {
                    tracing::info!(%pool, code = step.code, applied = step.applies, "{}", step.what);
                }
                if prepared.switched && !prepared.created {
                    tracing::info!(%pool, seconds = SETTINGS_FORGOTTEN.as_secs(), "waiting until no server remembers the settings before");
                    tokio::time::sleep(SETTINGS_FORGOTTEN).await;
                }
                ground.prepared(&pool);
                return;
            }
            Err(fault) => tracing::warn!(%pool, %fault, "the pool zone is not prepared yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(15));
    }
}

async fn watch_clock(store: Arc<dyn Store>, ground: Arc<Ground>) {
    let mut round = tokio::time::interval(CLOCK_ROUND);
    loop {
        round.tick().await;
        let before = clock::host_now();
        // A store that does not answer is named by readiness already.
        let Ok(now) = store.now().await else { continue };
        let off = clock::distance(before, now, clock::host_now());
        if off >= clock::TOLERANCE_MS {
            tracing::error!(off_ms = off, "the host's clock differs from the store's; set it by NTP");
        }
        ground.clock_off(off);
    }
}

/// The OpenAPI document.
///
/// # Errors
/// It cannot be written as JSON.
pub fn openapi() -> Result<String, Failure> {
    serde_json::to_string_pretty(&pdm_server::document()).map_err(Failure::refused)
}

/// Show what preparing the pool zones would change in PowerDNS.
///
/// # Errors
/// PowerDNS cannot be asked, or a zone cannot be worked with.
pub async fn plan(file: &Path, domain: Option<&str>, form: output::Output) -> Result<(), Failure> {
    let config = crate::cli::settings::read(file)?;
    let wanted: Vec<_> =
        config.pools.iter().filter(|p| domain.is_none_or(|d| p.domain.to_string() == d)).collect();
    if wanted.is_empty() {
        return Err(Failure::Refused(format!(
            "{} is not a pool in {}",
            domain.unwrap_or("nothing"),
            file.display()
        )));
    }
    // Planning reads only, so nobody has to hold the zone; the lease of the store is not needed.
    let lease: Arc<dyn ZoneLease> = Arc::new(NoLease);
    let pools = PoolParent::new(Arc::new(powerdns(&config)?), pool_zones(&config), lease);
    let mut refused = false;
    for pool in wanted {
        let plan = pools.plan(&pool.domain).await?;
        refused |= plan.refused.is_some();
        if form == output::Output::Json {
            output::json(&serde_json::to_value(&plan).map_err(Failure::refused)?);
            continue;
        }
        output::line(&format!(
            "{}: {}, {} delegations, {} names of others (none changes)",
            plan.zone,
            if plan.exists { "exists" } else { "is not there yet" },
            plan.delegations,
            plan.foreign_names
        ));
        for step in &plan.steps {
            let verb = if step.applies { "would change" } else { "your decision" };
            output::line(&format!("  {verb}  {}: {}", step.code, step.what));
        }
        match &plan.refused {
            Some(why) => output::line(&format!("  refused: {why}")),
            None if plan.steps.is_empty() => output::line("  nothing to change"),
            None => {}
        }
    }
    if refused { Err(Failure::refused("PDM cannot work with every one of these zones")) } else { Ok(()) }
}

/// For looking only: it never grants.
struct NoLease;

#[async_trait::async_trait]
impl ZoneLease for NoLease {
    async fn acquire(
        &self,
        _zone: &ZoneName,
        _holder: &str,
        _ttl: Duration,
    ) -> Result<pdm_ports::parent::LeaseAnswer, Fault> {
        Ok(pdm_ports::parent::LeaseAnswer::Held)
    }

    async fn give_back(&self, _zone: &ZoneName, _holder: &str) -> Result<(), Fault> {
        Ok(())
    }
}
