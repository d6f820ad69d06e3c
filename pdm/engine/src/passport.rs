//! What can be said of a domain before anything is done with it: one look at the real tree, within two seconds. Reads only.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_model::handover::{Ability, Case, Look, Memory, Operator, Plan, Side, Stage, Write, admit, plan};
use pdm_model::{DsRecord, RecordType, Refusal, Timestamp, ZoneName};
use pdm_ports::registrar::{Change, Credential, NsTarget, Place};
use pdm_ports::walk::{ParentView, Security};
use pdm_ports::{Fault, Server};

use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::intents::IntentError;
use crate::intents::credential::in_words;
use crate::steps::foreign::{child_sight, parent_sight};
use crate::vault::Fields;

/// A person waits for it.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// Whose nameservers these are, by the end of their names.
const HOSTS: &[(&str, &str)] = &[
    ("cloudflare.com", "cloudflare"),
    ("registrar-servers.com", "namecheap"),
    ("domaincontrol.com", "godaddy"),
    ("ovh.net", "ovh"),
    ("anycast.me", "ovh"),
    ("dynadot.com", "dynadot"),
    ("gandi.net", "gandi"),
    ("porkbun.com", "porkbun"),
];

/// What was seen of a domain.
#[derive(Debug, Clone)]
pub struct DomainPassport {
    /// The name.
    pub name: ZoneName,
    /// Its registered domain.
    pub registered: ZoneName,
    /// The zone that delegates it, or would; none when it could not be found in time.
    pub parent: Option<ZoneName>,
    /// NS in the parent.
    pub ns: BTreeSet<ZoneName>,
    /// DS in the parent.
    pub ds: BTreeSet<DsRecord>,
    /// A registrar or DNS host whose nameservers these are.
    pub hosted_at: Option<&'static str>,
    /// The chain of trust down to it; none when nobody could look.
    pub security: Option<Security>,
    /// Mail exchangers.
    pub mail: BTreeSet<String>,
    /// The way to our nameservers, or why there is none.
    pub plan: Option<Result<Plan, Refusal>>,
}

impl Engine {
    /// The passport of a domain that its owner could bring. What could not be seen in time is left out.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn passport(&self, caller: &Caller, typed: &str) -> Result<DomainPassport, IntentError> {
        caller.must(Right::Check)?;
        let (name, registered) = self.may_be_brought(caller, typed)?;
        let mut made = DomainPassport {
            name: name.clone(),
            registered,
            parent: None,
            ns: BTreeSet::new(),
            ds: BTreeSet::new(),
            hosted_at: None,
            security: None,
            mail: BTreeSet::new(),
            plan: None,
        };
        let now = self.parts.store.now().await?;
        // Whoever answers late is left out; what was seen until then stays.
        let _ = tokio::time::timeout(PATIENCE, self.fill(&mut made, now)).await;
        Ok(made)
    }

    async fn fill(&self, made: &mut DomainPassport, now: Timestamp) -> Result<(), Fault> {
        let walk = &self.parts.walk;
        let view = walk.parent(&made.name).await?;
        made.parent = Some(view.parent.clone());
        made.security = Some(view.security.clone());
        let sets = view.answers.iter().filter_map(|a| a.ns.as_ref());
        made.ns = sets.flat_map(|(set, _)| set.iter().cloned()).collect();
        let sets = view.answers.iter().filter_map(|a| a.ds.as_ref());
        made.ds = sets.flat_map(|(set, _)| set.iter().cloned()).collect();
        made.hosted_at = hosted_at(&made.ns);
        let to = self.destination(&[]);
        let (look, servers) = self.glance(&made.name, &view, &to, now).await?;
        let mut memory = Memory::default();
        memory.learn(&look, &to);
        made.plan =
            Some(plan(&made.name, &Case { look: &look, memory: &memory, to: &to }, &Ability::default()));
        let mx = RecordType::Other("MX".to_owned());
        let answers = walk.rrset(&made.name.dotted(), &mx, &servers).await;
        let sets = answers.into_iter().filter_map(|a| a.contents);
        made.mail = sets.flat_map(|(set, _)| set).collect();
        Ok(())
    }

    /// Our servers as a destination. Without known keys, a key that matches nothing stands for those to come.
    pub(crate) fn destination(&self, ds: &[DsRecord]) -> Operator {
        let mut keys: BTreeSet<DsRecord> = ds.iter().cloned().collect();
        if keys.is_empty()
            && let Ok(any) = format!("0 13 2 {}", "00".repeat(32)).parse::<DsRecord>()
        {
            keys.insert(any);
        }
        Operator { ns: self.settings.nameservers.iter().cloned().collect(), ds: keys, lenient: false }
    }

    /// One look without a memory, and the servers that answer for the name now.
    async fn glance(
        &self,
        name: &ZoneName,
        view: &ParentView,
        to: &Operator,
        now: Timestamp,
    ) -> Result<(Look, Vec<Server>), Fault> {
        let walk = &self.parts.walk;
        let sets = view.answers.iter().filter_map(|a| a.ns.as_ref().map(|(set, _)| set));
        let leaving: BTreeSet<ZoneName> = sets.filter(|set| **set != to.ns).flatten().cloned().collect();
        let servers = if leaving.is_empty() { Vec::new() } else { walk.addresses(&leaving).await? };
        let (from, joining) =
            tokio::join!(walk.child(name, &servers), walk.child(name, &self.settings.servers));
        let side = |seen: Vec<pdm_ports::walk::ChildAnswer>| Side {
            servers: seen.iter().map(child_sight).collect(),
            ..Side::default()
        };
        let parents = view.answers.iter().map(parent_sight).collect();
        Ok((Look { ended: now, parents, from: side(from), to: side(joining) }, servers))
    }

    /// Point a registered domain at our nameservers at once, if that is safe now. It serves the older path only: a commit
    /// does the same and waits where this refuses.
    ///
    /// # Errors
    /// `delegation-unsafe` with the plan; a refusal with its code; or a fault of the store.
    pub async fn set_ns(
        &self,
        caller: &Caller,
        registrar: &str,
        domain: &str,
        credential: Fields,
        nameservers: &[String],
    ) -> Result<(), IntentError> {
        caller.must(Right::Commit)?;
        self.must_trust_store()?;
        let (name, registered) = self.may_be_brought(caller, domain)?;
        let asked: BTreeSet<ZoneName> = nameservers.iter().filter_map(|n| ZoneName::parse(n).ok()).collect();
        let ours: BTreeSet<ZoneName> = self.settings.nameservers.iter().cloned().collect();
        if asked != ours || name != registered {
            let names: Vec<_> = ours.iter().map(ZoneName::as_str).collect();
            let detail = format!("only a registered domain and only our nameservers: {}", names.join(", "));
            return Err(Refusal::new("invalid-parameter", detail).field("nameservers").into());
        }
        let adapter =
            self.registrar(registrar).map_err(|f| Refusal::new("unsupported-registrar", f.detail))?;
        let credential = Credential::parse(adapter.credential_fields(), credential)
            .map_err(|f| Refusal::new(f.code, f.detail).field("token"))?;
        let now = self.parts.store.now().await?;
        let seen = self.safe_now(&name, now).await?;
        if !seen {
            let ttl = self.settings.byo.ttls.parent_ns;
            let target = NsTarget::Names { names: ours, ttl, glue: std::collections::BTreeMap::new() };
            let place = Place::RegistryApex { domain: name.clone() };
            let change = Change { place, ns: Some(target), ds: None, accepted: BTreeSet::new() };
            adapter.apply(&change, &credential).await.map_err(|fault| in_words(&fault))?;
        }
        let entry = pdm_model::AuditEntry::new(&caller.actor, "set-ns", &name, format!("at {registrar}"));
        self.parts.store.audit(entry).await?;
        Ok(())
    }

    /// True when NS leads here already, false when it may be changed now.
    async fn safe_now(&self, name: &ZoneName, now: Timestamp) -> Result<bool, IntentError> {
        let view =
            self.parts.walk.parent(name).await.map_err(|f| Refusal::new("parent-unknown", f.detail))?;
        let mut to = self.destination(&[]);
        let (look, _) =
            self.glance(name, &view, &to, now).await.map_err(|f| Refusal::new("parent-unknown", f.detail))?;
        // The keys that our servers answer for the zone are those that a DS may stand for.
        to.ds =
            look.to.servers.iter().filter_map(|s| s.keys.as_ref()).flat_map(|(set, _)| set.clone()).collect();
        let mut memory = Memory::default();
        memory.learn(&look, &to);
        let case = Case { look: &look, memory: &memory, to: &to };
        let planned = plan(name, &case, &Ability::default())?;
        if !planned.stages.iter().any(|s| s.stage == Stage::ChangeNs) {
            return Ok(true);
        }
        match admit(&Write::ChangeNs, &case) {
            Ok(()) => Ok(false),
            Err(why) => {
                let stages: Vec<_> =
                    planned.stages.iter().map(|s| format!("{}: {}", s.at, s.detail)).collect();
                let detail = format!("{}; the plan: {}", why.detail, stages.join("; "));
                Err(Refusal::new("delegation-unsafe", detail).into())
            }
        }
    }
}

fn hosted_at(ns: &BTreeSet<ZoneName>) -> Option<&'static str> {
    let whose = |name: &ZoneName| {
        HOSTS.iter().find(|(end, _)| ZoneName::parse(end).is_ok_and(|end| name.is_at_or_below(&end)))
    };
    ns.iter().find_map(whose).map(|(_, id)| *id)
}
