//! The conformance suite: what holds for every registrar in every mode, chosen by its capability.
//!
//! A vendor's file gives an `async fn` that makes a fresh [`Parent`] and calls `suite!(name, function)`.

pub mod checks;
pub mod leaks;
pub mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pdm_adapters::{Http, Options, registrar};
use pdm_dnssec::{Dnskey, DsDigest, Name};
use pdm_model::{Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{
    Applied, Change, Credential, CurrentState, DsEntry, KeyData, ModeCapability, NsTarget, Place, Registrar,
    TaskStatus,
};
use pdm_simulators::{Call, Simulator, Trouble, Vendor, When};
use zeroize::Zeroizing;

/// The TTL that the suite asks for; within every vendor's range.
pub const TTL: u32 = 3600;

/// Whose credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// It may do all that is needed.
    Good,
    /// No such credential, or a wrong secret.
    Bad,
    /// A valid one of somebody else, who does not have this domain.
    Foreign,
}

/// One vendor in one mode, freshly made: the adapter on one side, what the vendor really holds on the other.
#[async_trait]
pub trait Parent: Send + Sync {
    /// The adapter.
    fn registrar(&self) -> &dyn Registrar;
    /// The delegation.
    fn place(&self) -> &Place;
    /// A credential.
    fn credential(&self, who: Who) -> &Credential;
    /// The NS set that the vendor holds, as it spells it.
    async fn ns(&self) -> Vec<String>;
    /// The DS set that the vendor holds, in presentation form, lower case.
    async fn ds(&self) -> Vec<String>;
    /// An NS set entered by hand.
    async fn put_ns(&self, hosts: &[&str]);
    /// Everything else that the vendor holds.
    async fn rest(&self) -> String;
    /// Requests so far that change something.
    fn writes(&self) -> usize;
    /// What can go wrong over HTTP; none for a vendor that speaks something else.
    fn web(&self) -> Option<&dyn Web>;
}

/// A vendor that is spoken to by HTTP.
pub trait Web: Send + Sync {
    /// Have trouble with a request that will come.
    fn trouble(&self, when: When, trouble: Trouble);
    /// End all trouble.
    fn calm(&self);
    /// What came in.
    fn calls(&self) -> Vec<Call>;
    /// The next asynchronous change fails.
    fn fail_next(&self);
}

impl<V: Vendor> Web for Simulator<V> {
    fn trouble(&self, when: When, trouble: Trouble) {
        Simulator::trouble(self, when, trouble);
    }
    fn calm(&self) {
        Simulator::calm(self);
    }
    fn calls(&self) -> Vec<Call> {
        Simulator::calls(self)
    }
    fn fail_next(&self) {
        self.with(Vendor::fail_next);
    }
}

/// A [`Parent`] that is a simulator.
pub struct Simulated<V> {
    /// The simulator.
    pub sim: Simulator<V>,
    registrar: Arc<dyn Registrar>,
    place: Place,
    credentials: [Credential; 3],
}

/// Fields of a credential.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

impl<V: Vendor> Simulated<V> {
    /// Start a simulator and the adapter `id` against it; `path` is what the base URL has behind the host.
    pub async fn start(id: &str, vendor: V, path: &str, place: Place, who: [Fields<'_>; 3]) -> Self {
        leaks::listen();
        let sim = Simulator::start(vendor).await.unwrap();
        let registrar = adapter(id, Some(format!("{}{path}", sim.url())));
        let credentials = who.map(|fields| credential(&*registrar, fields));
        Self { sim, registrar, place, credentials }
    }

    /// The same for an adapter that learns from its credential where the vendor is.
    pub async fn start_named(
        id: &str,
        vendor: V,
        place: Place,
        who: impl for<'a> Fn(&'a str) -> [Vec<(&'static str, String)>; 3],
    ) -> Self {
        leaks::listen();
        let sim = Simulator::start(vendor).await.unwrap();
        let registrar = adapter(id, None);
        let credentials = who(&sim.url()).map(|fields| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            credential(&*registrar, &fields)
        });
        Self { sim, registrar, place, credentials }
    }
}

#[async_trait]
impl<V: Vendor> Parent for Simulated<V> {
    fn registrar(&self) -> &dyn Registrar {
        &*self.registrar
    }
    fn place(&self) -> &Place {
        &self.place
    }
    fn credential(&self, who: Who) -> &Credential {
        &self.credentials[who as usize]
    }
    async fn ns(&self) -> Vec<String> {
        self.sim.with(|vendor| vendor.ns(self.place.child().as_str()))
    }
    async fn ds(&self) -> Vec<String> {
        self.sim.with(|vendor| vendor.ds(self.place.child().as_str()))
    }
    async fn put_ns(&self, hosts: &[&str]) {
        self.sim.with(|vendor| vendor.put_ns(self.place.child().as_str(), hosts, TTL));
    }
    async fn rest(&self) -> String {
        self.sim.with(|vendor| vendor.rest(self.place.child().as_str()))
    }
    fn writes(&self) -> usize {
        self.sim.calls().iter().filter(|call| call.write).count()
    }
    fn web(&self) -> Option<&dyn Web> {
        Some(&self.sim)
    }
}

/// An adapter without pauses between its calls.
pub fn adapter(id: &str, base: Option<String>) -> Arc<dyn Registrar> {
    let options = Options {
        base,
        timeout: Duration::from_secs(5),
        patience: Duration::from_secs(2),
        calls_per_minute: Some(1_000_000),
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        ..Options::default()
    };
    registrar(id, &Http::new().unwrap(), &options).unwrap_or_else(|| panic!("no registrar {id}")).unwrap()
}

/// A credential from its fields.
pub fn credential(registrar: &dyn Registrar, fields: Fields<'_>) -> Credential {
    let given: BTreeMap<_, _> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned())))
        .collect();
    Credential::parse(registrar.credential_fields(), given).unwrap()
}

/// A name.
pub fn name(text: &str) -> ZoneName {
    ZoneName::parse(text).unwrap()
}

/// A registered domain at its registry.
pub fn apex(domain: &str) -> Place {
    Place::RegistryApex { domain: name(domain) }
}

/// A name in a hosted zone.
pub fn hosted(child: &str, zone: &str) -> Place {
    Place::HostedParent { zone: name(zone), child: name(child) }
}

/// A key and its DS; another one for each letter.
pub fn key(child: &ZoneName, letter: char) -> DsEntry {
    // 64 octets, as algorithm 13 has them.
    let public_key = format!("{}==", letter.to_string().repeat(85) + "A");
    let dnskey = Dnskey::parse(&format!("257 3 13 {public_key}")).unwrap();
    let ds = dnskey.ds(&Name::from(child), DsDigest::Sha256);
    DsEntry { ds, key: Some(KeyData { flags: 257, algorithm: 13, public_key }) }
}

/// What every check does with a parent.
impl dyn Parent + '_ {
    /// What the vendor can do in this mode.
    pub fn can(&self) -> &'static ModeCapability {
        self.registrar().capability().mode(self.place().mode()).unwrap()
    }

    fn change(&self) -> Change {
        let accepted = self.can().caveats.iter().map(|caveat| caveat.code.to_owned()).collect();
        Change { place: self.place().clone(), ns: None, ds: None, accepted }
    }

    /// A change of the NS set.
    pub fn to_ns(&self, hosts: &[&str]) -> Change {
        let names: BTreeSet<_> = hosts.iter().map(|host| name(host)).collect();
        let ns = NsTarget::Names { names, ttl: Ttl::new(TTL), glue: BTreeMap::new() };
        Change { ns: Some(ns), ..self.change() }
    }

    /// A change of the DS set to keys by their letters.
    pub fn to_ds(&self, letters: &str) -> Change {
        let entries = letters.chars().map(|letter| key(self.place().child(), letter)).collect();
        Change { ds: Some((entries, Ttl::new(TTL))), ..self.change() }
    }

    /// Apply with the good credential.
    pub async fn apply(&self, change: &Change) -> Result<Applied, Fault> {
        self.registrar().apply(change, self.credential(Who::Good)).await
    }

    /// Read with the good credential.
    pub async fn read(&self) -> Result<CurrentState, Fault> {
        self.registrar().read(self.place(), self.credential(Who::Good)).await
    }

    /// Apply, follow the task, and be there at the end.
    pub async fn bring(&self, change: &Change) {
        for _ in 0..10 {
            let applied = self.apply(change).await.unwrap();
            if let Some(task) = &applied.task {
                assert_eq!(self.follow(task).await, TaskStatus::Done);
            } else if applied.agrees {
                return;
            }
        }
        panic!("it never came to agree: {:?}", self.read().await);
    }

    /// Follow a task to its end.
    pub async fn follow(&self, task: &pdm_ports::registrar::TaskId) -> TaskStatus {
        for _ in 0..20 {
            let status = self.registrar().task(self.place(), task, self.credential(Who::Good)).await.unwrap();
            if !matches!(status, TaskStatus::Running { .. }) {
                return status;
            }
        }
        panic!("{task:?} does not end");
    }

    /// The NS set that the vendor holds, in our form.
    pub async fn ns_set(&self) -> BTreeSet<ZoneName> {
        self.ns().await.iter().map(|host| name(host)).collect()
    }

    /// Assert what the vendor holds.
    pub async fn holds_ns(&self, hosts: &[&str]) {
        assert_eq!(self.ns_set().await, hosts.iter().map(|host| name(host)).collect());
        assert_eq!(self.ns().await.len(), hosts.len(), "doubles: {:?}", self.ns().await);
    }

    /// Assert the DS set that the vendor holds.
    pub async fn holds_ds(&self, letters: &str) {
        let mut want: Vec<_> =
            letters.chars().map(|letter| key(self.place().child(), letter).ds.to_string()).collect();
        let mut held = self.ds().await;
        want.sort();
        held.sort();
        assert_eq!(held, want);
    }
}

/// One test per check for one vendor in one mode; `$start` is an `async fn` that makes a fresh [`Parent`].
macro_rules! suite {
    ($name:ident, $start:ident) => {
        mod $name {
            crate::suite::each! { $start;
                checks: good_credential bad_credential foreign_credential apply_then_observe twice_is_one_write
                    order_and_case_do_not_matter ns_replaced_and_nothing_else ds_comes_changes_and_goes
                    taken_back two_at_once_write_once what_cannot_be_is_refused_first async_failure_is_told
            }
            crate::suite::each! { $start;
                trouble: lost_reply_is_recognised lost_ds_reply_is_recognised busy_in_its_own_words
                    retry_after_is_honoured server_errors_are_transient pages_are_not_answers
                    other_json_is_not_an_empty_state broken_replies too_long_replies silence_ends
            }
            crate::suite::each! { $start; leaks: secrets_stay_in }
        }
    };
}

macro_rules! each {
    ($start:ident; $file:ident: $($check:ident)*) => {
        $(
            #[tokio::test]
            async fn $check() {
                crate::suite::$file::$check(&super::$start().await).await;
            }
        )*
    };
}

pub(crate) use {each, suite};
