//! A world in memory: a parent with two servers, an old operator, our servers, a registrar's API. The store is real.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pdm_carry_over::{CarriedZone, Collector, Source};
use pdm_engine::audits::AuditSettings;
use pdm_engine::caller::{Caller, Role};
use pdm_engine::intents::claim::ClaimRequest;
use pdm_engine::intents::{Accepted, IntentError, RegistrarRequest, Reserved};
use pdm_engine::settings::Settings;
use pdm_engine::token::TokenKey;
use pdm_engine::vault::{SealKey, Vault};
use pdm_engine::{Engine, Parts};
use pdm_model::audit::Report;
use pdm_model::canonical::Change as ZoneChange;
use pdm_model::keys::{Denial, Heard};
use pdm_model::{
    Delegation, DsRecord, Mode, NotProved, Operation, OperationState, Phase, Pool, Proof, RRset, RecordType,
    Target, Timestamp, Ttl, Ttls, ZoneName,
};
use pdm_ports::audit::{AuditRequest, Audited, Auditor, Glance, GlanceRequest};
use pdm_ports::probe::{AddressesSeen, Asking, DsSeen, KeyView, KeysSeen, ProofRequest, Server};
use pdm_ports::registrar::{
    Applied, Cannot, Capability, Change, Credential, CredentialField, CurrentState, DsForm,
    Mode as PlaceMode, ModeCapability, NsTarget, Operated, Passport, Place, Registrar, TaskId, TaskStatus,
};
use pdm_ports::walk::{ChildAnswer, DelegationWalk, ParentAnswer, ParentView, RRsetAnswer, Security};
use pdm_ports::zone::{
    CdsTold, Created, KeyChange, LuaServer, ObservedZone, Signing, Stamp, Whose, ZoneKey, ZoneSpec,
    ZoneSummary,
};
use pdm_ports::{
    Announcement, Announcer, Class, DelegationChange, DnsProbe, Fault, ParentSide, Store, ZoneBackend,
    ZoneGather,
};
use pdm_store::SqlStore;
use tokio::sync::watch;
use zeroize::Zeroizing;

mod servers;
mod vendor;

pub use vendor::Vendor;
use vendor::*;

pub const SECRET: &str = "hunter2-hunter2-hunter2";

pub fn name(text: &str) -> ZoneName {
    ZoneName::parse(text).unwrap()
}

pub fn ds(tag: u16) -> DsRecord {
    let key = if tag == OUR_KEY { OUR_DNSKEY } else { OLD_DNSKEY };
    let key = pdm_dnssec::Dnskey::parse(key).unwrap();
    key.ds(&pdm_dnssec::Name::from(&name("acme.example")), pdm_dnssec::DsDigest::Sha256)
}

pub fn ours() -> BTreeSet<ZoneName> {
    BTreeSet::from([name("ns1.openova.io"), name("ns2.openova.io")])
}

pub fn theirs() -> BTreeSet<ZoneName> {
    BTreeSet::from([name("ns1.old.example"), name("ns2.old.example")])
}

pub const OUR_KEY: u16 = 1;
const OUR_DNSKEY: &str = "257 3 13 AAAA";
pub const OLD_KEY: u16 = 2;
const OLD_DNSKEY: &str = "257 3 13 CCCC";
const TTL: Ttl = Ttl::new(1);

/// What the servers hold.
#[derive(Default)]
pub struct Held {
    pub ns: BTreeSet<ZoneName>,
    pub ds: BTreeSet<DsRecord>,
    pub zone: Option<Stamp>,
    pub rrsets: Vec<RRset>,
    /// Raised by every write to the zone.
    pub serial: u32,
    pub keys: Vec<ZoneKey>,
    pub cds: Option<CdsTold>,
    /// Keys made so far.
    pub made: u8,
    pub txt: BTreeSet<String>,
    pub old_answers: bool,
    /// No server of the parent answers, and nobody gives up asking.
    pub parent_hangs: bool,
    pub old_signed: bool,
    /// Everything that happened at the parent and to the zone, in order.
    pub story: Vec<String>,
    pub writes: usize,
    /// The next write of the registrar is answered by nothing.
    pub lose_reply: bool,
    /// The registry takes changes of DS and publishes none.
    pub ds_sticks: bool,
    /// What whoever the parent invites to be told says; none when it invites nobody.
    pub heard: Option<Heard>,
    /// Until when a cache may hold the DS of the servers before.
    foreign_until: Option<Instant>,
    /// Times at which NS led here, or a person was told to let it, under that DS.
    pub flips: usize,
}

#[derive(Clone, Default)]
pub struct Net(pub Arc<Mutex<Held>>);

/// A key that nobody could sign with, and its DS.
fn zone_key(n: u8, entry_point: bool, algorithm: u8) -> ZoneKey {
    let flags = if entry_point { 257 } else { 256 };
    let text = if n == 0 {
        OUR_DNSKEY.to_owned()
    } else {
        format!("{flags} 3 {algorithm} AAA{}", char::from(b'A' + n))
    };
    let key = pdm_dnssec::Dnskey::parse(&text).unwrap();
    let ds = key.ds(&pdm_dnssec::Name::from(&name("acme.example")), pdm_dnssec::DsDigest::Sha256);
    ZoneKey {
        id: u64::from(n),
        flags,
        algorithm,
        active: n == 0,
        published: n == 0,
        ds: entry_point.then_some(ds),
        dnskey: text,
    }
}

impl Held {
    /// NS leads here now, or is about to.
    fn flip(&mut self) {
        let cached = self.foreign_until.is_some_and(|until| Instant::now() < until);
        if cached || self.ds.contains(&ds(OLD_KEY)) {
            self.flips += 1;
        }
    }

    /// The keys as rolls see them.
    pub fn rolls(&self) -> Vec<pdm_dnssec::roll::Held> {
        let one = |key: &ZoneKey| pdm_dnssec::roll::Held {
            dnskey: pdm_dnssec::Dnskey::parse(&key.dnskey).unwrap(),
            active: key.active,
            published: key.published,
        };
        self.keys.iter().map(one).collect()
    }

    /// DS of the published entry points.
    pub fn ds_of_keys(&self) -> BTreeSet<DsRecord> {
        self.keys.iter().filter(|key| key.published).filter_map(|key| key.ds.clone()).collect()
    }
}

impl Net {
    pub fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    pub fn set_ns(&self, ns: BTreeSet<ZoneName>) {
        self.with(|held| {
            held.story.push(format!(
                "ns {}",
                if ns == ours() {
                    "ours"
                } else if ns.is_empty() {
                    "none"
                } else {
                    "theirs"
                }
            ));
            if ns == ours() {
                held.flip();
            }
            held.ns = ns;
        });
    }

    pub fn set_ds(&self, ds: BTreeSet<DsRecord>) {
        self.with(|held| {
            let tags: Vec<_> = ds.iter().map(|d| d.key_tag.to_string()).collect();
            if held.ds_sticks {
                return;
            }
            held.story.push(format!("ds {}", tags.join(",")));
            if held.ds.contains(&self::ds(OLD_KEY)) && !ds.contains(&self::ds(OLD_KEY)) {
                held.foreign_until = Some(Instant::now() + Duration::from_secs(u64::from(TTL.seconds())));
            }
            held.ds = ds;
        });
    }
}

fn server(who: &str, last: u8) -> Server {
    Server { names: vec![who.to_owned()], address: ([192, 0, 2, last], 53).into() }
}

pub fn our_servers() -> Vec<Server> {
    vec![server("ns1.openova.io", 1), server("ns2.openova.io", 2)]
}

#[async_trait]
impl DelegationWalk for Net {
    async fn parent(&self, _: &ZoneName) -> Result<ParentView, Fault> {
        if self.with(|held| held.parent_hangs) {
            std::future::pending::<()>().await;
        }
        let answer = |held: &Held, n: u8| ParentAnswer {
            server: server(&format!("p{n}.example"), 100 + n),
            ns: Some((held.ns.clone(), TTL)),
            glue: BTreeMap::new(),
            ds: Some((held.ds.clone(), TTL)),
            error: None,
        };
        let answers = self.with(|held| vec![answer(held, 1), answer(held, 2)]);
        Ok(ParentView { parent: name("example"), answers, security: Security::Secure, begun: Timestamp(0) })
    }

    async fn child(&self, _: &ZoneName, servers: &[Server]) -> Vec<ChildAnswer> {
        let one = |held: &Held, s: &Server| {
            let mine = s.names[0].ends_with("openova.io");
            let up = if mine { held.zone.is_some() } else { held.old_answers };
            let (ns, keys) = if mine {
                (ours(), held.ds_of_keys())
            } else {
                (theirs(), held.old_signed.then(|| ds(OLD_KEY)).into_iter().collect())
            };
            ChildAnswer {
                server: s.clone(),
                authoritative: up,
                ns: up.then_some((ns, TTL)),
                keys: up.then_some((keys, TTL)),
                serial: up.then_some(1),
                error: None,
            }
        };
        self.with(|held| servers.iter().map(|s| one(held, s)).collect())
    }

    async fn addresses(&self, names: &BTreeSet<ZoneName>) -> Result<Vec<Server>, Fault> {
        Ok(names.iter().zip(10..).map(|(n, last)| server(n.as_str(), last)).collect())
    }

    async fn rrset(&self, owner: &str, rtype: &RecordType, servers: &[Server]) -> Vec<RRsetAnswer> {
        let challenge = owner.starts_with("_pdm-challenge.") && *rtype == RecordType::Txt;
        let texts = self.with(|held| match rtype {
            RecordType::Txt if challenge => held.txt.clone(),
            RecordType::Dnskey if held.old_signed => BTreeSet::from([OLD_DNSKEY.to_owned()]),
            RecordType::Dnskey => BTreeSet::new(),
            _ => BTreeSet::from(["x".to_owned()]),
        });
        let silent = challenge && self.with(|held| !held.old_answers);
        let one = |s: &Server| RRsetAnswer {
            server: s.clone(),
            contents: (!silent).then(|| (texts.clone(), TTL)),
            nxdomain: false,
            authoritative: true,
            error: None,
        };
        servers.iter().map(one).collect()
    }
}

#[async_trait]
impl Announcer for Net {
    async fn announce_cds(&self, _: &ZoneName) -> Result<Announcement, Fault> {
        Ok(self.with(|held| match held.heard.clone() {
            None => Announcement::NotInvited,
            Some(heard) => {
                held.story.push("notify".to_owned());
                Announcement::Sent(vec![("dsync.example:53".to_owned(), heard)])
            }
        }))
    }
}

#[async_trait]
impl ZoneGather for Net {
    async fn gather(
        &self,
        zone: &ZoneName,
        _: &[Server],
        _: &str,
        now: Timestamp,
    ) -> Result<CarriedZone, Fault> {
        // An old zone that hands itself out and has nothing in it.
        Ok(Collector::new(zone).finish(Source::Upload, now))
    }
}

/// An engine at work.
pub struct World {
    pub net: Net,
    pub store: Arc<SqlStore>,
    pub engine: Arc<Engine>,
    pub dir: Arc<tempfile::TempDir>,
    keys: Vec<u8>,
    sweep: Duration,
    stop: watch::Sender<bool>,
    running: Option<tokio::task::JoinHandle<()>>,
}

#[async_trait]
impl Auditor for Net {
    async fn audit(&self, _: AuditRequest) -> Result<Audited, Fault> {
        Err(Fault::transient("down", "nobody audits here"))
    }
    fn replay(&self, _: &[u8]) -> Result<Report, Fault> {
        Err(Fault::transient("down", "nobody audits here"))
    }
    async fn glance(&self, request: &GlanceRequest) -> Glance {
        Glance { fqdn: request.fqdn.clone(), wrong: None, unasked: true, millis: 0 }
    }
}

fn settings(sweep: Duration) -> Settings {
    let mut byo = Pool::new(name("byo"));
    byo.ttls = Ttls {
        address: TTL,
        apex_ns: TTL,
        parent_ns: TTL,
        parent_ds: TTL,
        parent_ds_proved: TTL,
        negative: TTL,
    };
    // The zone here has one key.
    byo.keys.layout = pdm_model::keys::Layout::Csk;
    Settings {
        pools: BTreeMap::new(),
        byo,
        nameservers: ours().into_iter().collect(),
        servers: our_servers(),
        processes: None,
        skipped: vec![],
        private_view: false,
        anchors: BTreeMap::new(),
        soa: ("ns1.openova.io.".into(), "hostmaster.openova.io.".into()),
        parallel: 4,
        lease: Duration::from_secs(30),
        poll: Duration::from_millis(50),
        sweep,
        failover_look: Duration::from_secs(3600),
        signal_zones: vec![name("openova.io")],
        claim_zone: Some(name("claim.openova.io")),
        pool_ds: Duration::ZERO,
        proof_age: Duration::from_secs(3600),
        audit: AuditSettings { glance: Duration::ZERO, full: Duration::ZERO, ..AuditSettings::default() },
    }
}

impl World {
    /// The domain is with the old operator. `keys` seal credentials; without any they stay in memory.
    pub async fn new(signed: bool, keys: &[u8]) -> Self {
        Self::sweeping(signed, keys, Duration::from_secs(3600)).await
    }

    /// The same, with so much time between two looks at everything.
    pub async fn sweeping(signed: bool, keys: &[u8], sweep: Duration) -> Self {
        let net = Net::default();
        net.with(|held| {
            held.ns = theirs();
            held.old_answers = true;
            held.old_signed = signed;
            held.ds = if signed { BTreeSet::from([ds(OLD_KEY)]) } else { BTreeSet::new() };
        });
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let url = format!("sqlite:{}", dir.path().join("pdm.db").display());
        let store = Arc::new(SqlStore::open(&url, true).await.unwrap());
        Self::start(net, dir, store, keys.to_vec(), sweep)
    }

    fn start(
        net: Net,
        dir: Arc<tempfile::TempDir>,
        store: Arc<SqlStore>,
        keys: Vec<u8>,
        sweep: Duration,
    ) -> Self {
        let vendor = |id, can| Arc::new(Vendor { id, can, net: net.clone() }) as Arc<dyn Registrar>;
        let registrars = BTreeMap::from([
            ("full".to_owned(), vendor("full", &FULL)),
            ("without-ds".to_owned(), vendor("without-ds", &WITHOUT_DS)),
        ]);
        let part = Arc::new(net.clone());
        let parts = Parts {
            store: store.clone(),
            zones: part.clone(),
            parent: part.clone(),
            probe: part.clone(),
            walk: part.clone(),
            announcer: part.clone(),
            gather: part.clone(),
            registrars,
            auditor: part,
            audits: store.clone(),
            lease: store.clone(),
        };
        let vault = Vault::new(keys.iter().map(|byte| SealKey::new(&[*byte; 32]).unwrap()).collect());
        let engine = Engine::new(settings(sweep), parts, TokenKey::new(&[7; 32]), vault);
        let (stop, told) = watch::channel(false);
        let running = Some(tokio::spawn(engine.clone().run(told)));
        Self { net, store, engine, dir, keys, sweep, stop, running }
    }

    /// The engine ends and another one starts on the same store.
    pub async fn restart(mut self) -> Self {
        self.stop.send(true).unwrap();
        self.running.take().unwrap().await.unwrap();
        let Self { net, dir, keys, store, sweep, .. } = self;
        Self::start(net, dir, store, keys, sweep)
    }

    pub async fn claim(&self, owner: &str, domain: &str, mode: Mode) -> Result<Reserved, IntentError> {
        let request = ClaimRequest {
            mode,
            domain: domain.to_owned(),
            owner: Some(owner.to_owned()),
            created_by: None,
            request_key: None,
        };
        self.engine.claim(&admin(), request).await
    }

    pub async fn commit(
        &self,
        domain: &str,
        token: &str,
        registrar: Option<RegistrarRequest>,
    ) -> Result<Accepted, IntentError> {
        let target = Target::single("185.10.10.1".parse().unwrap());
        self.engine.commit(&admin(), domain, token, target, registrar).await
    }

    /// Claim, publish the proof and commit.
    pub async fn bring(&self, mode: Mode, registrar: Option<RegistrarRequest>) -> Accepted {
        let claimed = self.claim("acme", "acme.example", mode).await.unwrap();
        let proof = claimed.challenge.unwrap().value;
        self.net.with(|held| held.txt.insert(format!("\"{proof}\"")));
        self.commit("acme.example", &claimed.token, registrar).await.unwrap()
    }

    /// The open operation and the phase, once `until` says so.
    pub async fn until(
        &self,
        what: &str,
        until: impl Fn(Phase, Option<&Operation>) -> bool,
    ) -> Option<Operation> {
        let end = Instant::now() + Duration::from_secs(90);
        let mut last = None;
        while Instant::now() < end {
            if let Some((allocation, operation)) = self.store.allocation(&name("acme.example")).await.unwrap()
            {
                if until(allocation.phase, operation.as_ref()) {
                    return operation;
                }
                last = Some((allocation.phase, operation.map(|o| o.steps)));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what} did not come: {last:?}; {:?}", self.net.with(|held| held.story.clone()));
    }

    pub async fn until_phase(&self, phase: Phase) {
        self.until(phase.as_str(), |now, operation| now == phase && operation.is_none()).await;
    }

    /// The step that waits for this reason.
    pub async fn until_waits(&self, reason: &str) -> Operation {
        let waits = |operation: &Operation| {
            operation.steps.iter().any(|s| s.wait_reason.as_ref().is_some_and(|w| w.reason == reason))
        };
        self.until(reason, |_, operation| operation.is_some_and(waits)).await.unwrap()
    }

    /// The name as the store has it.
    pub async fn row(&self) -> pdm_model::Allocation {
        self.store.allocation(&name("acme.example")).await.unwrap().unwrap().0
    }

    /// The store's clock goes on by this much.
    pub fn pass(&self, time: Duration) {
        let sql = format!(
            "DROP VIEW pdm_clock; CREATE VIEW pdm_clock (now_ms) AS
             SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + {};",
            time.as_millis() + 1
        );
        let file = self.dir.path().join("pdm.db");
        let mut sqlite = std::process::Command::new("sqlite3");
        let done = sqlite.args(["-cmd", ".timeout 10000"]).arg(file).arg(sql).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// Whether any file of the store has these octets in it.
    pub fn store_holds(&self, text: &str) -> bool {
        std::fs::read_dir(self.dir.path()).unwrap().any(|file| {
            let octets = std::fs::read(file.unwrap().path()).unwrap();
            octets.windows(text.len()).any(|w| w == text.as_bytes())
        })
    }

    /// What a person is told to do now; to lead NS here counts as doing it.
    pub async fn told(&self) -> String {
        let seen = self.store.allocation(&name("acme.example")).await.unwrap().unwrap().0;
        let instruction = seen.observed.foreign.and_then(|f| f.instruction);
        let action = instruction.map(|i| i.action.as_str()).unwrap_or_default().to_owned();
        if action == "set-ns" {
            self.net.with(Held::flip);
        }
        action
    }

    /// Whoever edits the parent does as told: first NS, then, when it is time, DS; and the name works.
    pub async fn person_obeys(&self, operation: &Operation) {
        self.until_waits("set-ns").await;
        self.net.set_ns(ours());
        self.hurry(operation).await;
        self.until_waits("add-ds").await;
        self.net.set_ds(BTreeSet::from([ds(OUR_KEY)]));
        self.hurry(operation).await;
        self.until_phase(Phase::Active).await;
    }

    /// Do not wait for the next look.
    pub async fn hurry(&self, operation: &Operation) {
        let now = self.store.operation(&operation.id).await.unwrap().unwrap();
        if now.state == OperationState::Open {
            self.engine.hurry(&admin(), &operation.id).await.unwrap();
        }
    }
}

pub fn admin() -> Caller {
    Caller { actor: "token:test".into(), role: Role::Admin, owner: None, pool: None, door: None }
}

pub fn registrar(id: &str, token: &str) -> RegistrarRequest {
    RegistrarRequest {
        id: id.to_owned(),
        mode: None,
        accepted: BTreeSet::new(),
        credential: BTreeMap::from([("token".to_owned(), Zeroizing::new(token.to_owned()))]),
    }
}

pub fn code(error: IntentError) -> &'static str {
    match error {
        IntentError::Refused(refusal) => refusal.code,
        IntentError::Fault(fault) => fault.code,
    }
}
