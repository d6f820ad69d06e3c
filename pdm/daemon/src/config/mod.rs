//! The configuration: a TOML file with environment variables on top, read whole, with every problem reported at once.

pub mod document;
pub mod duration;
mod env;
mod keys;
pub mod nats;
pub mod oidc;
pub mod openbao;
pub mod pages;
mod read;
pub mod secret;
mod section;
pub mod spiffe;
#[cfg(test)]
mod tests;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pdm_engine::audits::AuditSettings;
use pdm_engine::caller::Role;
use pdm_model::{DsRecord, Pool, ZoneName};
use pdm_openbao::OpenBao;
use pdm_ports::{SecretSource, Shelf};
use pdm_spiffe::SpiffeId;
use zeroize::Zeroizing;

use crate::mesh::Mesh;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key's path, or the variable's name.
    pub path: String,
    /// What is wrong; never the value of a secret.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.detail)
    }
}

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The store.
    pub store: StoreConfig,
    /// The PowerDNS processes.
    pub powerdns: Vec<Instance>,
    /// Nameservers and proofs.
    pub dns: Dns,
    /// The pools.
    pub pools: Vec<Pool>,
    /// The rules for domains that their owners bring; its domain has no meaning.
    pub byo: Pool,
    /// How credentials of registrars are kept.
    pub credentials: Credentials,
    /// Base addresses of registrars that differ from the vendor's.
    pub registrars: BTreeMap<String, String>,
    /// Who may call.
    pub auth: Auth,
    /// Where secrets are, and the time between two looks at those in use.
    pub openbao: Option<(Arc<OpenBao>, Duration)>,
    /// An issuer of tokens.
    pub oidc: Option<oidc::Oidc>,
    /// The listener's certificate, when it is none of the mesh.
    pub tls: Option<spiffe::ServerFiles>,
    /// Who PDM is among workloads, and whom it trusts.
    pub spiffe: Option<spiffe::Spiffe>,
    /// What workloads may do, the first that fits.
    pub workloads: Vec<spiffe::Workload>,
    /// The mesh, when the configuration itself needed it.
    pub mesh: Option<Arc<Mesh>>,
    /// Where events go.
    pub nats: Option<nats::NatsConfig>,
    /// Whom owners' waits are told.
    pub notify: Option<pdm_webhook::Settings>,
    /// Where traces go.
    pub telemetry: Option<Telemetry>,
    /// How operations are driven.
    pub worker: Worker,
    /// How audits go on by themselves.
    pub audit: AuditSettings,
    /// Where registration data is asked for.
    pub rdap: Option<String>,
    /// How the pages are served.
    pub pages: pages::PagesConfig,
    /// Per client.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
}

/// How credentials are kept.
#[derive(Default)]
pub struct Credentials {
    /// Keys that seal and open them, the one that seals first.
    pub keys: CredentialKeys,
    /// Where they are in place of the store.
    pub shelf: Option<Arc<dyn Shelf>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("keys", &self.keys).field("shelf", &self.shelf.is_some()).finish()
    }
}

/// Keys of credentials.
#[derive(Default)]
pub struct CredentialKeys(pub Vec<Zeroizing<Vec<u8>>>);

impl fmt::Debug for CredentialKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} redacted>", self.0.len())
    }
}

/// The store.
pub struct StoreConfig {
    /// Its address; may hold a password.
    pub url: Zeroizing<String>,
    /// Migrate on start.
    pub migrate: bool,
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig").field("url", &"<redacted>").field("migrate", &self.migrate).finish()
    }
}

/// One PowerDNS process.
pub struct Instance {
    /// Its web server.
    pub url: String,
    /// Its API key.
    pub api_key: Arc<dyn SecretSource>,
    /// Its id.
    pub server_id: String,
    /// Where it answers DNS.
    pub dns: Option<SocketAddr>,
    /// Which workload it is; without one, TLS is that of the web.
    pub spiffe_id: Option<SpiffeId>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("url", &self.url)
            .field("api_key", &"<redacted>")
            .finish_non_exhaustive()
    }
}

/// Nameservers and proofs.
#[derive(Debug)]
pub struct Dns {
    /// NS of every zone.
    pub nameservers: Vec<ZoneName>,
    /// SOA RNAME.
    pub hostmaster: ZoneName,
    /// Zones of nameserver names in which signalling records may be written.
    pub signal_zones: Vec<ZoneName>,
    /// Below it every name has the nameservers' addresses.
    pub claim_zone: Option<ZoneName>,
    /// Configured trust anchors by pool.
    pub anchors: BTreeMap<ZoneName, BTreeSet<DsRecord>>,
    /// Root servers from which the tree is walked; the public ones when empty.
    pub root_hints: Vec<SocketAddr>,
    /// Trust anchor of the root.
    pub root_anchor: BTreeSet<DsRecord>,
    /// Networks that probes may reach beyond public addresses.
    pub probe_allow: Vec<IpNet>,
    /// Networks beyond public addresses in which a parent's server may be that a credential names.
    pub parent_allow: Vec<IpNet>,
    /// Where to ask the nameservers.
    pub nameserver_addresses: BTreeMap<ZoneName, Vec<SocketAddr>>,
    /// Nameserver processes behind them; none counts one for each address.
    pub processes: Option<NonZeroU32>,
    /// Addresses of nameservers inside a pool.
    pub glue: BTreeMap<ZoneName, Vec<SocketAddr>>,
    /// Nameservers that a proof may skip.
    pub maintenance: Vec<ZoneName>,
}

/// Who may call.
pub struct Auth {
    /// The file of hashed tokens.
    pub tokens: PathBuf,
    /// The key of reservation tokens.
    pub token_key: Zeroizing<Vec<u8>>,
    /// Networks of clients of the older paths.
    pub trusted_networks: Vec<(IpNet, Role)>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("tokens", &self.tokens)
            .field("token_key", &"<redacted>")
            .finish_non_exhaustive()
    }
}

/// How operations are driven.
#[derive(Debug)]
pub struct Worker {
    /// At once.
    pub parallel: usize,
    /// How long an operation is held.
    pub lease: Duration,
    /// Between two looks for work.
    pub poll: Duration,
    /// Between two looks for drift.
    pub sweep: Duration,
    /// Between two looks at failover policies.
    pub failover_look: Duration,
    /// Between two looks at the DS of pools at their parents; zero for none.
    pub pool_ds: Duration,
    /// Age at which a proof is taken again.
    pub proof_age: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            parallel: 32,
            lease: seconds(30),
            poll: seconds(1),
            sweep: seconds(30),
            failover_look: seconds(5),
            // Whoever tries things out has no pool that is delegated.
            pool_ds: Duration::ZERO,
            proof_age: seconds(3600),
        }
    }
}

/// Per client.
#[derive(Debug)]
pub struct Limits {
    /// Sustained; 0 is no limit.
    pub requests_per_second: u32,
    /// At once.
    pub burst: u32,
}

/// Where traces go.
pub struct Telemetry {
    /// The collector.
    pub endpoint: String,
    /// How many of a hundred.
    pub percent: u32,
    /// What this service is called.
    pub service: String,
    /// In which environment it runs.
    pub environment: Option<String>,
    /// `Authorization` at the collector.
    pub authorization: Option<Zeroizing<String>>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Logs.
#[derive(Debug)]
pub struct Log {
    /// JSON instead of text.
    pub json: bool,
    /// Level or filter.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { json: false, level: "info".into() }
    }
}

/// The checks that a profile excuses.
pub fn profile(word: &str) -> Option<BTreeMap<String, String>> {
    match word {
        "loopback" => pdm_auditor::profile::read(pdm_auditor::profile::LOOPBACK).ok(),
        _ => Some(BTreeMap::new()),
    }
}

/// Read a file with the process's environment on top. References to files are relative to the file's directory; what is
/// in OpenBao is read there.
///
/// # Errors
/// Every problem at once.
pub async fn load(file: &Path) -> Result<Config, Vec<Problem>> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        vec![Problem { path: file.display().to_string(), detail: format!("cannot read it: {e}") }]
    })?;
    let base = file.parent().unwrap_or(Path::new("."));
    let variables = std::env::vars_os();
    let variables = variables.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    load_text(&text, base, variables).await
}

async fn load_text(
    text: &str,
    base: &Path,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Config, Vec<Problem>> {
    let variables = variables.collect();
    let tree = read::Tree::parse(text, &variables)?;
    let outside = openbao::fetch(&tree.table, base, variables).await;
    tree.read(base, &outside)
}
