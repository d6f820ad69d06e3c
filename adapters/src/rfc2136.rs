//! Any primary that takes dynamic updates (RFC 2136) signed with TSIG (RFC 8945): BIND, Knot, PowerDNS and others.
//!
//! What is there is read by direct query; a write is one message that first says what was seen and then what shall be.
//! The server does all of it or nothing, so nobody's change in between is lost, and NS, glue and DS come and go
//! together. Everything is signed, reads too, and an answer without a valid signature is not believed.

mod exchange;
mod message;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use pdm_model::{Timestamp, Ttl, ZoneName};
use pdm_ports::registrar::{
    Cannot, Capability, Change, Credential, CredentialField, CurrentState, Mode, NsTarget, Passport, Place,
};
use pdm_ports::{Class, Fault};

use self::exchange::Session;
use self::message::{Cut, Update};
use crate::Made;
use crate::admit::glue_changes;
use crate::flow::{About, OWN_SERVER, Vendor, Written, made};
use crate::gate::Gate;
use crate::http::{Http, Options};
use crate::kind::Kind;

static ABOUT: About = About {
    id: "rfc2136",
    name: "Dynamic update (RFC 2136)",
    capability: Capability {
        registry_apex: Err(Cannot {
            reason: "dynamic update changes a zone, not a registry",
            way_out: "change the registered domain at its registrar",
        }),
        hosted_parent: Ok(OWN_SERVER),
        calls_per_minute: 600,
        parallel: 4,
    },
    fields: &[
        CredentialField::plain(
            "server",
            "Primary server",
            "address or name of the primary that takes updates, with :port when it is not 53",
        ),
        CredentialField::plain("key_name", "Key name", "the TSIG key's name as the server knows it"),
        CredentialField::plain(
            "algorithm",
            "Algorithm",
            "hmac-sha256 (when left out), hmac-sha384 or hmac-sha512",
        )
        .or_none(),
        CredentialField::secret("key", "Key", "the TSIG key's secret in base64"),
    ],
    recipe: "Make a TSIG key of its own (tsig-keygen, keymgr or pdnsutil generate-tsig-key) and allow it to \
        update NS, DS, A and AAAA below the zone and nothing else: BIND \"update-policy { grant KEY zonesub NS DS A AAAA; }\", \
        Knot an acl with \"action: update\" and \"update-type: [NS, DS, A, AAAA]\", PowerDNS \"dnsupdate=yes\" and the \
        metadata TSIG-ALLOW-DNSUPDATE of the zone.",
};

struct Rfc2136 {
    gate: Gate,
    timeout: Duration,
    now: fn() -> Timestamp,
}

/// The adapter.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(
        &ABOUT,
        http,
        Rfc2136 { gate: Gate::new(options.allowed.clone()), timeout: options.timeout, now: options.now },
    )
}

#[async_trait]
impl Vendor for Rfc2136 {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        self.session(credential).await?.admitted(domain, None).await?;
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: Some("dynamic update changes a zone, not a registry".into()),
            hosted_parent: None,
            expires: None,
            credential_expires: None,
            notes: vec!["whether the key may write NS and DS shows with the first write".into()],
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        let session = self.session(credential).await?;
        session.admitted(place.zone(), Some(place.child())).await?;
        session.read(place.zone(), place.child()).await
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        let update = update(change, before)?;
        let session = self.session(credential).await?;
        message::judge_update(&session.exchange(update).await?)?;
        Ok(Written::default())
    }
}

impl Rfc2136 {
    async fn session(&self, credential: &Credential) -> Result<Session, Fault> {
        Session::open(credential, &self.gate, self.timeout, self.now).await
    }
}

impl Session {
    /// An update that changes nothing: the server has the zone, knows the key and lets it update, at this name NS.
    async fn admitted(&self, zone: &ZoneName, child: Option<&ZoneName>) -> Result<(), Fault> {
        let mut probe = Update::of(zone)?;
        probe.there(zone, RecordType::SOA)?;
        if let Some(child) = child {
            probe.without_effect(child)?;
        }
        message::judge_update(&self.exchange(probe.message()).await?)
    }

    async fn read(&self, zone: &ZoneName, child: &ZoneName) -> Result<CurrentState, Fault> {
        let answer = self.exchange(message::query(child, RecordType::NS)?).await?;
        let (ns, ns_ttl) = match message::cut(&answer, zone, child)? {
            Cut::At { ns, ttl } => (ns, Some(ttl)),
            Cut::None => (BTreeSet::new(), None),
        };
        let (ds, ds_ttl) = message::ds(&self.exchange(message::query(child, RecordType::DS)?).await?, child)?;
        let other_types = if ns.is_empty() { self.hidden_by(zone, child).await? } else { BTreeSet::new() };
        Ok(CurrentState {
            ns,
            ns_ttl,
            ds: Some(ds),
            ds_ttl,
            hosted: Some(true),
            other_types,
            ..CurrentState::untold(Mode::HostedParent)
        })
    }

    /// What a delegation would hide. A wildcard answers for the name too, but is not at it: the server is asked
    /// whether the name is in use.
    async fn hidden_by(&self, zone: &ZoneName, child: &ZoneName) -> Result<BTreeSet<String>, Fault> {
        let answer = self.exchange(message::query(child, RecordType::ANY)?).await?;
        let found = message::types(&answer)?;
        if found.iter().all(|found| found == message::BELOW) {
            return Ok(found);
        }
        let mut probe = Update::of(zone)?;
        probe.in_use(child)?;
        let in_use = message::holds(&self.exchange(probe.message()).await?)?;
        Ok(if in_use { found } else { BTreeSet::new() })
    }
}

/// One message: the prerequisites say what was seen, the updates what shall be.
fn update(change: &Change, before: &CurrentState) -> Result<Message, Fault> {
    let child = change.place.child();
    let mut update = Update::of(change.place.zone())?;
    let held = before.ds.clone().unwrap_or_default();
    match &change.ns {
        Some(NsTarget::Names { names, .. })
            if before.ns.is_empty() && held.is_empty() && !names.is_empty() =>
        {
            update.unused(child)?;
        }
        _ => {
            update.seen_ns(child, &before.ns)?;
            update.seen_ds(child, &held)?;
        }
    }
    // Removing: the DS before the NS.
    if let Some((entries, ttl)) = &change.ds {
        let wanted: BTreeSet<_> = entries.iter().map(|entry| entry.ds.clone()).collect();
        if wanted != held || before.ds_ttl != Some(*ttl) {
            update.set_ds(child, &wanted, *ttl)?;
        }
    }
    match &change.ns {
        Some(NsTarget::Names { names, ttl, glue }) => {
            update.set_ns(child, names, *ttl)?;
            for (name, addresses) in glue_changes(child, &before.ns, names, glue) {
                update.set_addresses(name, &addresses, *ttl)?;
            }
        }
        Some(NsTarget::Vendor(_)) => {
            return Err(Fault::new(Class::Bug, "vendor-dns-in-zone", "a zone has no vendor's DNS"));
        }
        None => {}
    }
    Ok(update.message())
}

/// The refusal of a name that is none.
fn odd_name(name: &ZoneName) -> Fault {
    Kind::Refused.fault(format!("{name} cannot stand in a message"))
}

/// The larger of two TTLs, of which one may be missing.
fn larger(seen: Option<Ttl>, other: u32) -> Option<Ttl> {
    seen.max(Some(Ttl::new(other)))
}
