//! Everything that was seen in one audit, as the checks look at it. Values only: a check that has its facts needs no
//! network and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pdm_dnssec::{Answer, Dnskey, KeySet, Name, SignedSet};
use pdm_model::{DsRecord, Timestamp, Transport};
use pdm_ports::Server;
use pdm_ports::audit::{AuditRequest, Intent};
use pdm_ports::walk::{ParentAnswer, Security};

use super::probe::Probe;
use crate::present::{Soa, presented};
use crate::walk::reply::ns_names;
use crate::wire::Question;

/// What was heard of one question.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) question: Question,
    pub(crate) transport: Transport,
    /// Taken apart, or why there is nothing to take apart.
    pub(crate) answer: Result<Answer, String>,
    /// As it came, with its id at zero.
    pub(crate) octets: Vec<u8>,
    pub(crate) at: Timestamp,
}

/// One address of a nameserver of the zone.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) server: Server,
    pub(crate) heard: BTreeMap<Probe, Reply>,
}

impl Child {
    pub(crate) fn reply(&self, probe: &Probe) -> Option<&Reply> {
        self.heard.get(probe)
    }

    pub(crate) fn answer(&self, probe: &Probe) -> Option<&Answer> {
        self.reply(probe)?.answer.as_ref().ok()
    }

    /// The RRset that was asked for, said with authority.
    pub(crate) fn set(&self, probe: &Probe) -> Option<&SignedSet> {
        let reply = self.reply(probe)?;
        let answer = reply.answer.as_ref().ok().filter(|answer| answer.authoritative)?;
        answer.find(&reply.question.name, reply.question.rtype)
    }

    /// Contents and TTL of an RRset: empty when there is none, `None` without an authoritative answer.
    pub(crate) fn contents(&self, probe: &Probe) -> Option<(BTreeSet<String>, u32)> {
        let answer = self.answer(probe).filter(|a| a.authoritative && matches!(a.rcode, 0 | 3))?;
        let set = self.set(probe);
        // An alias in place of what was asked for is not an empty set.
        if set.is_none() && !answer.answers.is_empty() {
            return None;
        }
        Some(set.map_or_else(|| (BTreeSet::new(), 0), |set| (texts(set), set.ttl)))
    }

    /// It answers for the zone by UDP, as resolvers ask first.
    pub(crate) fn speaks(&self) -> bool {
        self.set(&Probe::Soa).is_some()
    }

    pub(crate) fn soa(&self) -> Option<Soa> {
        Soa::read(self.set(&Probe::Soa)?.records.first()?)
    }

    /// The apex NS set.
    pub(crate) fn ns(&self) -> Option<BTreeSet<Name>> {
        self.set(&Probe::Ns).map(ns_names)
    }

    pub(crate) fn keys(&self) -> Vec<Dnskey> {
        let set = self.set(&Probe::Dnskey);
        set.iter().flat_map(|set| &set.records).filter_map(|rdata| Dnskey::from_rdata(rdata)).collect()
    }

    /// The keys that may sign, for verification without a chain.
    pub(crate) fn key_set(&self) -> Option<KeySet> {
        self.set(&Probe::Dnskey).map(KeySet::of)
    }

    /// Names behind the address.
    pub(crate) fn called(&self) -> String {
        if self.server.names.is_empty() {
            self.server.address.to_string()
        } else {
            format!("{} ({})", self.server.names.join(", "), self.server.address)
        }
    }

    /// The first name behind the address: what findings are about.
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}", self.server.names.first().map_or("", String::as_str), self.server.address.ip())
    }
}

/// One nameserver name of the zone.
#[derive(Debug, Clone, Default)]
pub(crate) struct NsName {
    /// As the parent tells them.
    pub(crate) glue: BTreeSet<IpAddr>,
    /// As its own servers tell them; `Err` when they could not be asked.
    pub(crate) addresses: Option<Result<BTreeSet<IpAddr>, String>>,
    /// It is an alias of this.
    pub(crate) alias: Option<Name>,
    /// Addresses come from the configuration: the DNS was not asked.
    pub(crate) configured: bool,
}

/// A name that a record points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// It has addresses.
    There,
    /// It exists without addresses.
    NoAddress,
    /// It is an alias of this.
    Alias(Name),
    /// It does not exist.
    Gone,
    /// Nobody could tell.
    Unknown(String),
}

/// The parent's side.
#[derive(Debug, Clone)]
pub(crate) enum Above {
    /// What its servers say.
    Seen(ParentSeen),
    /// It is not looked at, and why.
    NotAsked(String),
    /// It could not be asked.
    Failed(String),
}

/// What the servers of the parent say.
#[derive(Debug, Clone)]
pub(crate) struct ParentSeen {
    pub(crate) zone: Name,
    pub(crate) answers: Vec<ParentAnswer>,
    pub(crate) security: Security,
    /// Servers whose referral does not fit into 512 octets.
    pub(crate) truncated: Vec<Server>,
    /// The same servers carry parent and child, so that the parent's own NS set is not seen.
    pub(crate) same_servers: bool,
}

/// A delegation inside the zone, and whether anybody answers there.
#[derive(Debug, Clone)]
pub(crate) struct Below {
    pub(crate) zone: Name,
    pub(crate) ns: BTreeSet<Name>,
    /// A nameserver answers for it with authority; `Err` when none could be asked for reasons of ours.
    pub(crate) alive: Result<bool, String>,
}

/// Everything.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) zone: Name,
    pub(crate) begun: Timestamp,
    pub(crate) request: AuditRequest,
    pub(crate) parent: Above,
    pub(crate) servers: Vec<Child>,
    pub(crate) names: BTreeMap<Name, NsName>,
    /// Reverse names of nameserver addresses; none in a private view.
    pub(crate) reverse: Option<BTreeMap<IpAddr, Result<BTreeSet<Name>, String>>>,
    pub(crate) targets: BTreeMap<Name, Target>,
    pub(crate) delegations: Vec<Below>,
    /// CAA sets from the zone upwards, up to the first that is there.
    pub(crate) caa: Vec<(Name, Result<BTreeSet<String>, String>)>,
}

impl Facts {
    /// Seconds, as signatures count them.
    pub(crate) fn now(&self) -> u32 {
        u32::try_from(self.begun.0.div_euclid(1000).rem_euclid(1 << 32)).unwrap_or_default()
    }

    pub(crate) fn intent(&self) -> Option<&Intent> {
        self.request.intent.as_ref()
    }

    pub(crate) fn parent(&self) -> Option<&ParentSeen> {
        match &self.parent {
            Above::Seen(seen) => Some(seen),
            Above::NotAsked(_) | Above::Failed(_) => None,
        }
    }

    /// Servers that answer for the zone.
    pub(crate) fn speaking(&self) -> impl Iterator<Item = &Child> {
        self.servers.iter().filter(|child| child.speaks())
    }

    /// Some server has keys for the zone.
    pub(crate) fn is_signed(&self) -> bool {
        self.speaking().any(|child| child.set(&Probe::Dnskey).is_some())
    }

    /// Every DS that some parent server answers.
    pub(crate) fn ds(&self) -> BTreeSet<DsRecord> {
        let answers = self.parent().into_iter().flat_map(|parent| &parent.answers);
        answers.filter_map(|answer| answer.ds.as_ref()).flat_map(|(ds, _)| ds.iter().cloned()).collect()
    }

    /// Every nameserver name that some parent server answers.
    pub(crate) fn delegated_to(&self) -> BTreeSet<Name> {
        let answers = self.parent().into_iter().flat_map(|parent| &parent.answers);
        answers
            .filter_map(|answer| answer.ns.as_ref())
            .flat_map(|(ns, _)| ns.iter().map(Name::from))
            .collect()
    }

    /// The TTL and signature of the SOA set, by server.
    pub(crate) fn soas(&self) -> Vec<(&Child, Soa)> {
        self.servers.iter().filter_map(|child| Some((child, child.soa()?))).collect()
    }
}

/// Contents in presentation form.
pub(crate) fn texts(set: &SignedSet) -> BTreeSet<String> {
    set.records.iter().map(|rdata| presented(set.rtype, rdata)).collect()
}

/// Exchange names of an MX set; the null MX (RFC 7505) has none.
pub(crate) fn exchanges(set: &SignedSet) -> BTreeSet<Name> {
    let names = set.records.iter().filter_map(|rdata| Name::from_wire(rdata.get(2..)?));
    names.map(|(name, _)| name).filter(|name| *name != Name::root()).collect()
}
