//! A zone on somebody's PowerDNS, by its REST API: NS, glue and DS of one name in one PATCH, which PowerDNS does as a
//! whole or not at all. It has no way to say "only if it is still so": changes here are serialised per zone, and another
//! writer of the same RRset would be overwritten.

mod zone;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::{DsRecord, Ttl, ZoneName};
use pdm_ports::registrar::{
    Cannot, Capability, Change, Credential, CredentialField, CurrentState, Lock, Mode, NsTarget, Passport,
    Place,
};
use pdm_ports::{Class, Fault};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use self::zone::{Found, Zone, judge};
use crate::Made;
use crate::admit::glue_changes;
use crate::flow::{About, OWN_SERVER, Vendor, Written, made};
use crate::gate::Gate;
use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::Kind;

static ABOUT: About = About {
    id: "powerdns",
    name: "PowerDNS",
    capability: Capability {
        registry_apex: Err(Cannot {
            reason: "PowerDNS serves zones and is no registrar",
            way_out: "change the registered domain at its registrar",
        }),
        hosted_parent: Ok(OWN_SERVER),
        calls_per_minute: 600,
        parallel: 4,
    },
    fields: &[
        CredentialField::plain("url", "API address", "as in https://dns.example.com:8081, without /api"),
        CredentialField::secret("api_key", "API key", "api-key of its configuration"),
        CredentialField::plain("server_id", "Server id", "localhost when left out").or_none(),
    ],
    recipe: "PowerDNS has one key for its whole API, so let a proxy in front of it admit PDM to this zone only: \
        GET and PATCH of /api/v1/servers/localhost/zones/ZONE, PUT of its /rectify and /notify, and GET of /search-data. \
        Use https, allow PDM's address in webserver-allow-from, and set soa_edit_api of the zone so that its serial moves.",
};

struct PowerDnsParent {
    wire: Wire,
    gate: Gate,
}

/// The adapter. It has a client of its own, which refuses addresses that a user may not point to.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    let gate = Gate::new(options.allowed.clone());
    let own = Http::guarded(gate.clone())?;
    made(&ABOUT, http, PowerDnsParent { wire: Wire::new(&ABOUT, "", &own, options, judge)?, gate })
}

#[async_trait]
impl Vendor for PowerDnsParent {
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
            hosted: Some(true),
            other_types,
            ..CurrentState::untold(Mode::HostedParent)
        })
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        let name = change.place.zone();
        let body = json!({ "rrsets": rrsets(change, before) });
        let path = format!("/zones/{}", name.dotted());
        self.call(credential, Method::PATCH, &path, Some(&body)).await?;
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
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let call = Call::json(method, format!("{}{path}", self.base(credential)?), body);
        let key = credential.get("api_key").unwrap_or_default();
        self.wire.call(credential, call.with("x-api-key", key)).await
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
        for (name, addresses) in glue_changes(child, &before.ns, names, glue) {
            let (four, six): (Vec<_>, Vec<_>) = addresses.iter().partition(|address| address.is_ipv4());
            let text = |all: Vec<&IpAddr>| all.into_iter().map(IpAddr::to_string).collect::<Vec<_>>();
            sets.push(set(name, "A", *ttl, text(four).into_iter()));
            sets.push(set(name, "AAAA", *ttl, text(six).into_iter()));
        }
    }
    if let Some((entries, ttl)) = &change.ds {
        sets.push(set(child, "DS", *ttl, entries.iter().map(|entry| DsRecord::to_string(&entry.ds))));
    }
    sets
}

fn set(name: &ZoneName, rtype: &str, ttl: Ttl, contents: impl Iterator<Item = String>) -> Value {
    let records: Vec<_> = contents.map(|content| json!({ "content": content, "disabled": false })).collect();
    if records.is_empty() {
        return json!({ "name": name.dotted(), "type": rtype, "changetype": "DELETE" });
    }
    json!({ "name": name.dotted(), "type": rtype, "ttl": ttl.seconds(), "changetype": "REPLACE", "records": records })
}
