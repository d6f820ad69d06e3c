//! A zone on somebody's PowerDNS, by its REST API: NS, glue and DS of one name in one PATCH, which PowerDNS does as a
//! whole or not at all. It has no way to say "only if it is still so": changes here are serialised per zone, and another
//! writer of the same RRset would be overwritten.

mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::{DsRecord, Ttl, ZoneName};
use pdm_ports::registrar::{
    Applied, Cannot, Capability, Change, Credential, CredentialField, CurrentState, DsForm, Glue, Lock, Mode,
    ModeCapability, NsTarget, Operated, Passport, Place, Registrar, TaskId, TaskStatus,
};
use pdm_ports::{Class, Fault};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use self::zone::{Found, Zone, judge};
use crate::admit::check_place;
use crate::flow::{self, Vendor, Written};
use crate::gate::Gate;
use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::Kind;

const ID: &str = "powerdns";
const JSON: &str = "application/json";

static CAPABILITY: Capability = Capability {
    registry_apex: Err(Cannot {
        reason: "PowerDNS serves zones and is no registrar",
        way_out: "change the registered domain at its registrar",
    }),
    hosted_parent: Ok(ModeCapability {
        ns_min: 1,
        ns_max: 13,
        ttl: Some((1, 604_800)),
        ds: DsForm::Ds,
        ds_max: 8,
        ds_cannot: None,
        glue: Glue::Both,
        withdraw_cannot: None,
        asynchronous: false,
        caveats: &[],
    }),
    calls_per_minute: 600,
    parallel: 4,
};

static FIELDS: &[CredentialField] = &[
    CredentialField {
        name: "url",
        label: "API address",
        secret: false,
        optional: false,
        help: "as in https://dns.example.com:8081, without /api",
    },
    CredentialField {
        name: "api_key",
        label: "API key",
        secret: true,
        optional: false,
        help: "api-key of its configuration",
    },
    CredentialField {
        name: "server_id",
        label: "Server id",
        secret: false,
        optional: true,
        help: "localhost when left out",
    },
];

const RECIPE: &str = "PowerDNS has one key for its whole API, so let a proxy in front of it admit PDM to this zone only: \
    GET and PATCH of /api/v1/servers/localhost/zones/ZONE, PUT of its /rectify and /notify, and GET of /search-data. \
    Use https, allow PDM's address in webserver-allow-from, and set soa_edit_api of the zone so that its serial moves.";

/// The adapter.
pub(crate) struct PowerDnsParent {
    wire: Wire,
    gate: Gate,
}

/// Make the adapter. It has a client of its own, which refuses addresses that a user may not point to.
pub(crate) fn make(_http: &Arc<Http>, options: &Options) -> Result<Arc<dyn Registrar>, Fault> {
    let gate = Gate::new(options.allowed.clone());
    let http = Http::guarded(gate.clone())?;
    Ok(Arc::new(PowerDnsParent { wire: Wire::new(ID, "", &http, options, &CAPABILITY, judge)?, gate }))
}

#[async_trait]
impl Registrar for PowerDnsParent {
    fn id(&self) -> &'static str {
        ID
    }

    fn name(&self) -> &'static str {
        "PowerDNS"
    }

    fn capability(&self) -> &'static Capability {
        &CAPABILITY
    }

    fn credential_fields(&self) -> &'static [CredentialField] {
        FIELDS
    }

    fn recipe(&self) -> &'static str {
        RECIPE
    }

    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let zone = self.zone(domain, domain, credential).await?;
        let mut notes = zone.warnings();
        if credential.get("url").is_some_and(|url| url.starts_with("http://")) {
            notes.push("the API is not reached by https: the key can be read on the way".into());
        }
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: Some("PowerDNS serves zones and is no registrar".into()),
            hosted_parent: zone.blocks_changes(),
            expires: None,
            credential_expires: None,
            notes,
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        check_place(place)?;
        let (name, child) = (place.zone(), place.child());
        let zone = self.zone(name, child, credential).await?;
        let Found { ns, ns_ttl, ds, ds_ttl, mut other_types } = zone.at(child)?;
        if ns.is_empty() {
            other_types.extend(self.below(name, child, credential).await?);
        }
        Ok(CurrentState {
            ns,
            ns_ttl,
            ds: Some(ds),
            ds_ttl,
            lock: Lock { blocks_changes: zone.blocks_changes(), transfer: None },
            expires: None,
            mode: Mode::HostedParent,
            hosted: Some(true),
            operated: Operated::Unknown,
            other_types,
            task: None,
        })
    }

    async fn apply(&self, change: &Change, credential: &Credential) -> Result<Applied, Fault> {
        flow::apply(self, change, credential).await
    }

    async fn task(
        &self,
        _place: &Place,
        _task: &TaskId,
        _credential: &Credential,
    ) -> Result<TaskStatus, Fault> {
        // Every change is done when its call answers.
        Ok(TaskStatus::Done)
    }
}

#[async_trait]
impl Vendor for PowerDnsParent {
    fn http(&self) -> &Http {
        &self.wire.http
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        let name = change.place.zone();
        let body = serde_json::to_vec(&json!({ "rrsets": rrsets(change, before) })).map_err(|_| {
            Fault::new(Class::Bug, "registrar-request", "the request could not be written as JSON")
        })?;
        let path = format!("/zones/{}", name.dotted());
        self.call(credential, Method::PATCH, &path, Some(body)).await?;
        let zone = self.zone(name, change.place.child(), credential).await?;
        let mut notes = zone.warnings();
        // The server may not do these by itself. The write itself is done, so what fails here is told and no more.
        for (needed, verb, harm) in [
            (zone.dnssec, "rectify", "proofs of absence may be stale"),
            (zone.has_secondaries(), "notify", "secondaries follow at their own pace"),
        ] {
            if needed && self.call(credential, Method::PUT, &format!("{path}/{verb}"), None).await.is_err() {
                notes.push(format!("PowerDNS was asked to {verb} the zone and did not: {harm}"));
            }
        }
        Ok(Written { task: None, notes })
    }
}

impl PowerDnsParent {
    async fn call(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Fault> {
        let call = Call {
            method,
            url: format!("{}{path}", self.base(credential)?),
            headers: vec![
                ("x-api-key", Zeroizing::new(credential.get("api_key").unwrap_or_default().to_owned())),
                ("accept", Zeroizing::new(JSON.to_owned())),
            ],
            body: body.map(|body| (JSON, Zeroizing::new(body))),
        };
        self.wire.call(credential, call).await
    }

    /// Where the server's resources begin. A host that is an address is judged here, a name when it is resolved.
    fn base(&self, credential: &Credential) -> Result<String, Fault> {
        let malformed = |field: &str, what: &str| {
            Fault::new(Class::Credential, "credential-malformed", format!("the field \"{field}\" {what}"))
        };
        let text = credential.get("url").unwrap_or_default().trim_end_matches('/');
        let url = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let url = url.ok_or_else(|| malformed("url", "is not http(s)://, a host and perhaps a port"))?;
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            self.gate.admit(address)?;
        }
        let server = credential.get("server_id").unwrap_or("localhost");
        if !server.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err(malformed("server_id", "has characters that no server id has"));
        }
        Ok(format!("{text}/api/v1/servers/{server}"))
    }

    /// The zone, with its records at one name or, from older servers, with all.
    async fn zone(&self, zone: &ZoneName, at: &ZoneName, credential: &Credential) -> Result<Zone, Fault> {
        let path = format!("/zones/{}?rrset_name={}", zone.dotted(), at.dotted());
        match self.call(credential, Method::GET, &path, None).await {
            Ok(answer) => zone::read(&answer, zone),
            // Some versions call a missing zone an unprocessable request; nothing else of this one could be.
            Err(fault) if Kind::Refused.is(&fault) => {
                Err(Kind::DomainNotInAccount.fault(format!("this PowerDNS has no zone {zone}")))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Types of the records below a name, which a delegation would hide too.
    async fn below(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        credential: &Credential,
    ) -> Result<BTreeSet<String>, Fault> {
        // Whether stored names end in a dot depends on the version, so the pattern is open and the answer is sifted.
        let path = format!("/search-data?q=*.{child}*&max=100&object_type=record");
        zone::found_below(&self.call(credential, Method::GET, &path, None).await?, zone, child)
    }
}

/// The sets to replace or to remove.
fn rrsets(change: &Change, before: &CurrentState) -> Vec<Value> {
    let child = change.place.child();
    let mut sets = Vec::new();
    if let Some(NsTarget::Names { names, ttl, glue }) = &change.ns {
        sets.push(set(child, "NS", *ttl, names.iter().map(ZoneName::dotted)));
        sets.extend(glue_sets(child, before, names, glue, *ttl));
    }
    if let Some((entries, ttl)) = &change.ds {
        sets.push(set(child, "DS", *ttl, entries.iter().map(|entry| DsRecord::to_string(&entry.ds))));
    }
    sets
}

/// Addresses of nameservers below the delegated name: of the new ones set, of the old ones removed.
fn glue_sets(
    child: &ZoneName,
    before: &CurrentState,
    names: &BTreeSet<ZoneName>,
    glue: &BTreeMap<ZoneName, BTreeSet<IpAddr>>,
    ttl: Ttl,
) -> Vec<Value> {
    let none = BTreeSet::new();
    let gone = before.ns.iter().filter(|old| old.is_at_or_below(child) && !names.contains(*old));
    let gone = gone.map(|old| (old, &none));
    let stay = glue.iter().filter(|(name, _)| names.contains(*name));
    gone.chain(stay)
        .flat_map(|(name, addresses)| {
            let (four, six): (Vec<_>, Vec<_>) = addresses.iter().partition(|address| address.is_ipv4());
            let text =
                |all: Vec<&IpAddr>| all.into_iter().map(IpAddr::to_string).collect::<Vec<_>>().into_iter();
            [set(name, "A", ttl, text(four)), set(name, "AAAA", ttl, text(six))]
        })
        .collect()
}

fn set(name: &ZoneName, rtype: &str, ttl: Ttl, contents: impl Iterator<Item = String>) -> Value {
    let records: Vec<_> = contents.map(|content| json!({ "content": content, "disabled": false })).collect();
    if records.is_empty() {
        return json!({ "name": name.dotted(), "type": rtype, "changetype": "DELETE" });
    }
    json!({ "name": name.dotted(), "type": rtype, "ttl": ttl.seconds(), "changetype": "REPLACE", "records": records })
}
