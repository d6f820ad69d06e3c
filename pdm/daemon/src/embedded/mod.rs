//! `pdm up`: everything on this machine. A state directory holds the store, a private PowerDNS, and the secrets; the
//! second start on the same directory carries on.

mod pdns_conf;
mod schema;
mod state;
mod supervise;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pdm_model::address::DOCUMENTATION_RANGES;
use pdm_model::{Pool, Ttl, Ttls, ZoneName};
use pdm_ports::secret::Fixed;
use zeroize::Zeroizing;

use pdm_engine::audits::AuditSettings;

use crate::config::pages::PagesConfig;
use crate::config::{Auth, Config, Credentials, Dns, Instance, Limits, Log, StoreConfig, Worker, profile};
use crate::failure::Failure;
pub use state::State;
use supervise::Child;

/// What `pdm up` was told.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The state directory.
    pub state_dir: PathBuf,
    /// Where the API listens.
    pub http: SocketAddr,
    /// Where DNS is answered.
    pub dns: SocketAddr,
    /// Pools; the default one when empty.
    pub pools: Vec<ZoneName>,
    /// Ranges admitted besides the documentation ranges.
    pub allow_addresses: Vec<IpNet>,
    /// Lowers every TTL.
    pub ttl: Option<u32>,
    /// Failover policies may fetch URLs.
    pub allow_http_checks: bool,
    /// Seconds between two rounds of health checks.
    pub check_interval: u16,
}

/// The embedded set-up while it runs. Dropping it ends the child.
pub struct Embedded {
    /// The directory, locked.
    pub state: State,
    /// The configuration that it amounts to.
    pub config: Config,
    _child: Child,
}

/// Prepare the directory and start PowerDNS.
///
/// # Errors
/// What stands in the way, with what to do.
pub async fn start(mut wish: Wish) -> Result<Embedded, Failure> {
    if wish.pools.is_empty() {
        wish.pools.push(ZoneName::parse("omani.works").map_err(Failure::refused)?);
    }
    let version = supervise::version()?;
    let state = State::open(&wish.state_dir)?;
    let addresses = dns_addresses(wish.dns.ip());
    let config = config(&wish, &state, &addresses)?;
    schema::create(&state.pdns_database()).await?;
    let api = SocketAddr::from((Ipv4Addr::LOCALHOST, state.api_port));
    let conf = pdns_conf::render(&pdns_conf::Conf {
        version,
        dir: &state.pdns_dir(),
        database: &state.pdns_database(),
        addresses: &addresses,
        port: wish.dns.port(),
        api,
        api_key: &state.api_key,
        nameserver: config.dns.nameservers.first(),
        hostmaster: &config.dns.hostmaster,
        minimum: config.pools.first().map_or(300, |p| p.ttls.negative.seconds()),
        check_interval: wish.check_interval,
    });
    state.write_private("pdns/pdns.conf", conf.as_bytes())?;
    let child = Child::start(&state.pdns_dir(), &state.path("pdns.log"))?;
    ready(&format!("http://{api}/api/v1/servers/localhost"), &state.api_key, &state.path("pdns.log")).await?;
    Ok(Embedded { state, config, _child: child })
}

/// On the first loopback address there are three, so that ns1 to ns3 are really asked apart.
fn dns_addresses(ip: IpAddr) -> Vec<IpAddr> {
    match ip {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => (1..=3).map(|n| IpAddr::from([127, 0, 0, n])).collect(),
        other => vec![other],
    }
}

fn config(wish: &Wish, state: &State, addresses: &[IpAddr]) -> Result<Config, Failure> {
    let first = wish.pools.first().ok_or_else(|| Failure::refused("at least one pool is needed"))?;
    let name = |label: &str| ZoneName::parse(&format!("{label}.{first}")).map_err(Failure::refused);
    let nameservers = vec![name("ns1")?, name("ns2")?, name("ns3")?];
    let at = |n: usize| {
        let ip = addresses.get(n).or_else(|| addresses.first()).copied();
        ip.map(|ip| SocketAddr::new(ip, wish.dns.port())).into_iter().collect::<Vec<_>>()
    };
    let by_name: BTreeMap<_, _> =
        nameservers.iter().enumerate().map(|(n, name)| (name.clone(), at(n))).collect();
    let documentation = DOCUMENTATION_RANGES.iter().filter_map(|range| range.parse().ok());
    let allowed: Vec<IpNet> = documentation.chain(wish.allow_addresses.iter().copied()).collect();
    let pool = |domain: &ZoneName| {
        let mut pool = Pool {
            allow_addresses: allowed.clone(),
            allow_http_checks: wish.allow_http_checks,
            ..Pool::new(domain.clone())
        };
        if let Some(seconds) = wish.ttl {
            let ttl = Ttl::new(seconds);
            pool.ttls = Ttls {
                address: ttl,
                apex_ns: ttl,
                parent_ns: ttl,
                parent_ds: ttl,
                parent_ds_proved: ttl,
                negative: ttl,
            };
        }
        pool
    };
    Ok(Config {
        listen: wish.http,
        store: StoreConfig {
            url: Zeroizing::new(format!("sqlite:{}", state.path("pdm.db").display())),
            migrate: true,
        },
        powerdns: vec![Instance {
            url: format!("http://127.0.0.1:{}", state.api_port),
            api_key: Arc::new(Fixed::new(state.api_key.clone())),
            server_id: "localhost".into(),
            spiffe_id: None,
            dns: Some(SocketAddr::new(addresses.first().copied().unwrap_or(wish.dns.ip()), wish.dns.port())),
        }],
        dns: Dns {
            hostmaster: name("hostmaster")?,
            nameservers,
            anchors: BTreeMap::new(),
            root_hints: Vec::new(),
            root_anchor: BTreeSet::new(),
            probe_allow: addresses.iter().map(|ip| IpNet::from(*ip)).collect(),
            parent_allow: Vec::new(),
            // It answers at all these addresses.
            processes: Some(NonZeroU32::MIN),
            glue: by_name.clone(),
            nameserver_addresses: by_name,
            maintenance: Vec::new(),
            signal_zones: Vec::new(),
            claim_zone: None,
        },
        pools: wish.pools.iter().map(pool).collect(),
        byo: pool(&name("byo")?),
        credentials: Credentials::default(),
        openbao: None,
        tls: None,
        spiffe: None,
        workloads: Vec::new(),
        mesh: None,
        registrars: BTreeMap::new(),
        auth: Auth {
            tokens: state.path("tokens.toml"),
            token_key: state.token_key.clone(),
            trusted_networks: Vec::new(),
        },
        oidc: None,
        nats: None,
        notify: None,
        telemetry: None,
        // Everything is near: after a crash the next start need not wait long for the leases of the one before.
        worker: Worker { lease: Duration::from_secs(10), ..Worker::default() },
        rdap: None,
        // Nobody else sees what is on this machine.
        audit: AuditSettings {
            excused: profile("loopback").unwrap_or_default(),
            public_view: false,
            ..AuditSettings::default()
        },
        pages: PagesConfig::default(),
        // One person on one machine: no limit stands in the way of trying things out.
        limits: Limits { requests_per_second: 0, burst: 0 },
        log: log(),
    })
}

/// Quiet: the terminal belongs to the person. `PDM_LOG` says otherwise.
pub fn log() -> Log {
    Log { json: false, level: "warn".into() }
}

/// Wait until the child's API answers with our key.
async fn ready(url: &str, key: &str, log: &std::path::Path) -> Result<(), Failure> {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .no_proxy()
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(Failure::refused)?;
    for _ in 0..400 {
        let answer = client.get(url).header("X-API-Key", key).send().await;
        if answer.is_ok_and(|a| a.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let last: Vec<_> = said.lines().rev().take(3).collect();
    let last: Vec<_> = last.into_iter().rev().collect();
    Err(Failure::refused(format!(
        "pdns_server did not begin to answer; the end of {} says:\n  {}\nis another server on that address? choose another with --dns",
        log.display(),
        last.join("\n  "),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_three_addresses_and_anything_else_is_itself() {
        assert_eq!(dns_addresses(IpAddr::from([127, 0, 0, 1])).len(), 3);
        assert_eq!(dns_addresses(IpAddr::from([192, 0, 2, 1])).len(), 1);
    }
}
