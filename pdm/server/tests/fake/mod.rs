//! An engine on a store that lives in memory, with no DNS behind it: operations open and stay open.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

mod audits;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use metrics_exporter_prometheus::PrometheusBuilder;
use pdm_carry_over::CarriedZone;
use pdm_engine::caller::{Caller, Role};
use pdm_engine::settings::Settings;
use pdm_engine::token::TokenKey;
use pdm_engine::vault::Vault;
use pdm_engine::{Engine, Parts};
use pdm_model::canonical::Change;
use pdm_model::{Delegation, DsRecord, NotProved, Pool, Proof, RecordType, Timestamp, ZoneName};
use pdm_ports::announce::{Announcement, Announcer};
use pdm_ports::parent::DelegationChange;
use pdm_ports::probe::{AddressesSeen, Asking, DsSeen, KeyView, KeysSeen, ProofRequest, Server};
use pdm_ports::walk::{ChildAnswer, DelegationWalk, ParentView, RRsetAnswer};
use pdm_ports::zone::{
    Created, KeyChange, LuaServer, ObservedZone, Signing, Stamp, Whose, ZoneKey, ZoneSpec, ZoneSummary,
};
use pdm_ports::{DnsProbe, Fault, ParentSide, ZoneBackend, ZoneGather};
use pdm_server::edge::Peer;
use pdm_server::{App, Authenticator, Limits, Presented, TrustedNetwork, TrustedNetworks};
use serde_json::Value;
pub use store::MemoryStore;
use tower::ServiceExt as _;

struct Nothing;

fn down<T>() -> Result<T, Fault> {
    Err(Fault::transient("down", "there is no server"))
}

#[async_trait]
impl ZoneBackend for Nothing {
    async fn create_zone(&self, _: &ZoneSpec) -> Result<Created, Fault> {
        down()
    }
    async fn read_zone(&self, _: &ZoneName) -> Result<Option<ObservedZone>, Fault> {
        down()
    }
    async fn read_keys(&self, _: &ZoneName) -> Result<Option<Vec<ZoneKey>>, Fault> {
        down()
    }
    async fn change_zone(&self, _: &ZoneName, _: &[Change], _: &Stamp) -> Result<(), Fault> {
        down()
    }
    async fn ensure_signed(&self, _: &ZoneName, _: &Stamp) -> Result<(), Fault> {
        down()
    }
    async fn read_signing(&self, _: &ZoneName) -> Result<Option<Signing>, Fault> {
        down()
    }
    async fn change_signing(&self, _: &ZoneName, _: &Whose, _: &KeyChange) -> Result<(), Fault> {
        down()
    }
    async fn change_signals(&self, _: &ZoneName, _: &[Change]) -> Result<(), Fault> {
        down()
    }
    async fn remove_zone(&self, _: &ZoneName, _: &str) -> Result<(), Fault> {
        down()
    }
    async fn list_zones(&self) -> Result<Vec<ZoneSummary>, Fault> {
        down()
    }
    async fn flush(&self, _: &ZoneName) -> Result<(), Fault> {
        down()
    }
    async fn lua_server(&self) -> Result<LuaServer, Fault> {
        down()
    }
    async fn health(&self) -> Result<String, Fault> {
        down()
    }
}

#[async_trait]
impl ParentSide for Nothing {
    async fn observe(&self, _: &ZoneName) -> Result<Delegation, Fault> {
        down()
    }
    async fn apply(&self, _: &ZoneName, _: DelegationChange, _: Instant) -> Result<(), Fault> {
        down()
    }
    async fn mark(&self, _: &ZoneName) -> Result<Option<i64>, Fault> {
        down()
    }
    async fn foreign_names(&self, _: &ZoneName) -> Result<BTreeSet<ZoneName>, Fault> {
        down()
    }
    async fn each_delegation(
        &self,
        _: &ZoneName,
        _: &mut (dyn FnMut(ZoneName, Delegation) + Send),
    ) -> Result<(), Fault> {
        down()
    }
    async fn foreign_serial(&self, _: &ZoneName) -> Result<u32, Fault> {
        down()
    }
    async fn pool_ds(&self, _: &ZoneName) -> Result<BTreeSet<DsRecord>, Fault> {
        down()
    }
}

#[async_trait]
impl DnsProbe for Nothing {
    async fn keys(&self, _: &ZoneName, _: &[Server]) -> Vec<KeysSeen> {
        Vec::new()
    }
    async fn key_views(&self, _: &ZoneName, _: &[Server]) -> Vec<KeyView> {
        Vec::new()
    }
    async fn ds(&self, _: &ZoneName, _: &[Server]) -> Vec<DsSeen> {
        Vec::new()
    }
    async fn addresses(&self, _: &str, _: &[RecordType], _: Asking, _: &[Server]) -> Vec<AddressesSeen> {
        Vec::new()
    }
    async fn prove(&self, _: &ProofRequest) -> Result<Result<Proof, NotProved>, Fault> {
        down()
    }
}

#[async_trait]
impl ZoneGather for Nothing {
    async fn gather(&self, _: &ZoneName, _: &[Server], _: &str, _: Timestamp) -> Result<CarriedZone, Fault> {
        down()
    }
}

#[async_trait]
impl Announcer for Nothing {
    async fn announce_cds(&self, _: &ZoneName) -> Result<Announcement, Fault> {
        Ok(Announcement::NotInvited)
    }
}

#[async_trait]
impl DelegationWalk for Nothing {
    async fn parent(&self, _: &ZoneName) -> Result<ParentView, Fault> {
        down()
    }
    async fn child(&self, _: &ZoneName, _: &[Server]) -> Vec<ChildAnswer> {
        Vec::new()
    }
    async fn addresses(&self, _: &BTreeSet<ZoneName>) -> Result<Vec<Server>, Fault> {
        down()
    }
    async fn rrset(&self, _: &str, _: &RecordType, _: &[Server]) -> Vec<RRsetAnswer> {
        Vec::new()
    }
}

/// The token is the role's word, with `-acme` behind it for the owner's scope.
struct Words;

impl Authenticator for Words {
    fn authenticate(&self, presented: &Presented<'_>) -> Option<Arc<Caller>> {
        let token = presented.bearer?;
        let (word, owner) = match token.split_once('-') {
            Some((word, owner)) => (word, Some(owner.to_owned())),
            None => (token, None),
        };
        let role = Role::from_word(word).filter(|role| *role != Role::Legacy)?;
        Some(Arc::new(Caller { actor: format!("token:{token}"), role, owner, pool: None, door: None }))
    }
}

pub fn name(text: &str) -> ZoneName {
    ZoneName::parse(text).unwrap()
}

pub fn settings() -> Settings {
    let pool = Pool::new(name("omani.works"));
    Settings {
        pools: BTreeMap::from([(pool.domain.clone(), pool)]),
        byo: Pool::new(name("openova.io")),
        nameservers: vec![name("ns1.openova.io"), name("ns2.openova.io")],
        servers: Vec::new(),
        processes: None,
        skipped: Vec::new(),
        private_view: true,
        anchors: BTreeMap::new(),
        soa: ("ns1.openova.io.".into(), "hostmaster.openova.io.".into()),
        parallel: 4,
        lease: Duration::from_secs(30),
        poll: Duration::from_secs(1),
        sweep: Duration::from_secs(30),
        signal_zones: Vec::new(),
        claim_zone: None,
        pool_ds: Duration::ZERO,
        proof_age: Duration::from_secs(3600),
        failover_look: Duration::from_secs(5),
        audit: pdm_engine::audits::AuditSettings::default(),
    }
}

pub fn app(store: Arc<MemoryStore>, limits: Limits) -> App {
    let nothing = Arc::new(Nothing);
    let parts = Parts {
        store: store.clone(),
        audits: store,
        auditor: Arc::new(audits::OneFinding),
        zones: nothing.clone(),
        parent: nothing.clone(),
        probe: nothing.clone(),
        walk: nothing.clone(),
        announcer: nothing.clone(),
        gather: nothing,
        registrars: BTreeMap::new(),
        lease: Arc::new(pdm_ports::parent::OneProcess),
    };
    let trusted = TrustedNetwork { cidr: "10.20.0.0/24".parse().unwrap(), role: "legacy".into() };
    App {
        engine: Engine::new(settings(), parts, TokenKey::new(&[7; 32]), Vault::new(Vec::new())),
        authenticator: Arc::new(Words),
        trusted: TrustedNetworks::new(vec![trusted]).unwrap(),
        limits,
        token_key: TokenKey::new(&[7; 32]),
        pages: pdm_server::Pages::default(),
        sign_in: None,
        tls: None,
        metrics: PrometheusBuilder::new().build_recorder().handle(),
    }
}

/// The router and its store.
pub struct Bench {
    pub router: Router,
    pub store: Arc<MemoryStore>,
}

/// One answer.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }
}

/// One request to be.
#[derive(Default, Clone)]
pub struct Ask {
    pub token: Option<&'static str>,
    pub peer: Option<IpAddr>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Vec<u8>>,
}

impl Ask {
    pub fn by(token: &'static str) -> Self {
        Self { token: Some(token), ..Self::default() }
    }
    pub fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self.with("content-type", "application/json")
    }
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
    pub fn from(mut self, peer: &str) -> Self {
        self.peer = Some(peer.parse().unwrap());
        self
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Limits { older_wait: Duration::from_millis(20), ..Limits::default() })
    }

    pub fn with(limits: Limits) -> Self {
        let store = Arc::new(MemoryStore::default());
        Self { router: pdm_server::router(app(store.clone(), limits)), store }
    }

    pub async fn ask(&self, method: &str, path: &str, ask: Ask) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = ask.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(ask.body.map_or(Body::empty(), Body::from)).unwrap();
        if let Some(peer) = ask.peer {
            request.extensions_mut().insert(Peer(SocketAddr::new(peer, 5)));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let json = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Reply { status: parts.status, headers: parts.headers, json }
    }

    pub async fn reserve(&self, label: &str) -> String {
        let body = serde_json::json!({"mode": "pool", "poolDomain": "omani.works", "subdomain": label});
        let reply = self.ask("POST", "/v1/reserve", Ask::by("admin").json(&body)).await;
        assert_eq!(reply.status, 201, "{}", reply.json);
        reply.json["reservationToken"].as_str().unwrap().to_owned()
    }
}
