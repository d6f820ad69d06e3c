//! Porkbun: the registry with DS, and NS inside its zones.
//!
//! Every call is a POST with the keys in its body, reads as well. A key works only for domains whose owner switched API
//! access on. DS records are told apart by their key tag alone; records of a zone have ids and are changed one by one.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::{DsRecord, Timestamp, Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{
    Cannot, Capability, Change, Credential, CredentialField, CurrentState, DsEntry, DsForm, Lock, Mode,
    ModeCapability, NsTarget, Operated, Passport, Place,
};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Made;
use crate::admit::{ds_difference, ns_difference, one_per_tag};
use crate::flow::{About, Vendor, Written, made};
use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::{self, Kind, label};

const BASE: &str = "https://api.porkbun.com/api/json/v3";
/// The servers of a zone that Porkbun serves: what a domain has before anybody changes it.
const OWN: [&str; 4] = [
    "curitiba.ns.porkbun.com",
    "fortaleza.ns.porkbun.com",
    "maceio.ns.porkbun.com",
    "salvador.ns.porkbun.com",
];
/// The word for them in [`Operated`].
const OWN_WORD: &str = "porkbun";
/// Domains in one page of the account's list, and pages that are read.
const PAGE: usize = 1000;
const PAGES: usize = 20;

const NO_ZONE_DS: Cannot = Cannot {
    reason: "Porkbun's zones have no DS records",
    way_out: "bring the whole domain at the registry, or host its zone where DS can be set (Cloudflare, PowerDNS, BIND)",
};

static ABOUT: About = About {
    id: "porkbun",
    name: "Porkbun",
    capability: Capability {
        registry_apex: Ok(ModeCapability { ns_min: 2, ds: DsForm::Ds, ds_max: 4, ..ModeCapability::LEAST }),
        hosted_parent: Ok(ModeCapability {
            ttl: Some((600, 86_400)),
            ds_cannot: Some(NO_ZONE_DS),
            ..ModeCapability::LEAST
        }),
        calls_per_minute: 60,
        parallel: 1,
    },
    fields: &[
        CredentialField::secret("api_key", "API key", "it starts with pk1_"),
        CredentialField::secret("secret_api_key", "secret API key", "it starts with sk1_ and is shown once"),
    ],
    recipe: "Account, API Access: create a key. Then Domain Management, Details: switch API ACCESS on for this \
             domain and leave it off for others; that is the only limit a key has.",
};

/// Where nothing but the text tells it; compared as a whole.
const TEXTS: &[(&str, Kind)] = &[
    ("Invalid API key. (001)", Kind::InvalidCredentials),
    ("Invalid API key. (002)", Kind::InvalidCredentials),
    ("Domain is not opted in to API access.", Kind::InsufficientScope),
    ("Invalid domain.", Kind::DomainNotInAccount),
];

/// The adapter.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(&ABOUT, http, Porkbun { wire: Wire::new(&ABOUT, BASE, http, options, judge)? })
}

struct Porkbun {
    wire: Wire,
}

#[derive(Deserialize)]
struct Said {
    status: String,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Servers {
    ns: Vec<String>,
}

#[derive(Deserialize)]
struct Domains {
    domains: Vec<Domain>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Domain {
    domain: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    expire_date: Option<String>,
    #[serde(default)]
    security_lock: Value,
}

/// By key tag; a list where there are none, as PHP writes an empty map.
#[derive(Deserialize)]
struct Keys {
    records: Value,
}

#[derive(Deserialize)]
struct Records {
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    id: Value,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    content: String,
    #[serde(default)]
    ttl: Value,
}

fn judge(answer: &Answer, _: &Credential) -> Result<(), Fault> {
    let Ok(said) = serde_json::from_slice::<Said>(&answer.body) else {
        return Err(answer.foreign());
    };
    let success = said.status == "SUCCESS" && (200..300).contains(&answer.status);
    let text = said.message.unwrap_or_default();
    if success {
        return Ok(());
    }
    let known = TEXTS.iter().find(|(known, _)| *known == text).map(|(_, kind)| *kind);
    // An error may come with status 200.
    let status = if (200..300).contains(&answer.status) { 400 } else { answer.status };
    Err(answer.fault(known.unwrap_or_else(|| kind::by_status(status)), &text))
}

/// A number or the text of one.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Domain {
    /// `2027-01-01 00:00:00`, which is UTC.
    fn expires(&self) -> Option<Timestamp> {
        kind::time(&format!("{}Z", self.expire_date.as_deref()?.replace(' ', "T")))
    }

    fn obstacle(&self) -> Option<String> {
        let status = self.status.as_deref().filter(|status| *status != "ACTIVE")?;
        Some(format!("the domain is {} at Porkbun", kind::excerpt(status)))
    }
}

impl Record {
    fn is_ns(&self, child: &ZoneName) -> bool {
        self.name.eq_ignore_ascii_case(child.as_str()) && self.kind == "NS"
    }

    fn host(&self) -> Result<ZoneName, Fault> {
        kind::host("porkbun", &self.content)
    }

    fn seconds(&self) -> Option<u32> {
        text(&self.ttl).parse().ok()
    }
}

/// Whether a set of servers is the vendor's own.
fn own(ns: &BTreeSet<ZoneName>) -> bool {
    !ns.is_empty() && ns.iter().all(|host| host.as_str().ends_with(".ns.porkbun.com"))
}

impl Porkbun {
    async fn post(&self, credential: &Credential, path: &str, mut body: Value) -> Result<Answer, Fault> {
        body["apikey"] = credential.get("api_key").unwrap_or_default().into();
        body["secretapikey"] = credential.get("secret_api_key").unwrap_or_default().into();
        let url = format!("{}{path}", self.wire.base);
        self.wire.call(credential, Call::json(Method::POST, url, Some(&body))).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        credential: &Credential,
        path: &str,
        body: Value,
    ) -> Result<T, Fault> {
        self.post(credential, path, body).await?.json()
    }

    async fn servers(&self, domain: &ZoneName, credential: &Credential) -> Result<BTreeSet<ZoneName>, Fault> {
        let servers: Servers = self.get(credential, &format!("/domain/getNs/{domain}"), json!({})).await?;
        servers.ns.iter().map(|host| kind::host("porkbun", host)).collect()
    }

    async fn domain(&self, name: &ZoneName, credential: &Credential) -> Result<Domain, Fault> {
        for page in 0..PAGES {
            let body = json!({"start": (page * PAGE).to_string()});
            let list: Domains = self.get(credential, "/domain/listAll", body).await?;
            let last = list.domains.len() < PAGE;
            let found =
                list.domains.into_iter().find(|domain| domain.domain.eq_ignore_ascii_case(name.as_str()));
            match found {
                Some(found) => return Ok(found),
                None if last => break,
                None => {}
            }
        }
        Err(Kind::DomainNotInAccount.fault(format!("porkbun has no {name} in this account")))
    }

    async fn ds(&self, domain: &ZoneName, credential: &Credential) -> Result<BTreeSet<DsRecord>, Fault> {
        let keys: Keys = self.get(credential, &format!("/dns/getDnssecRecords/{domain}"), json!({})).await?;
        let all: Vec<&Value> = match &keys.records {
            Value::Object(map) => map.values().collect(),
            Value::Array(list) => list.iter().collect(),
            _ => return Err(Kind::Garbage.fault("porkbun's answer has no DS records")),
        };
        let record = |key: &Value| {
            let part = |name: &str| text(&key[name]);
            let ds = format!("{} {} {} {}", part("keyTag"), part("alg"), part("digestType"), part("digest"));
            ds.parse().map_err(|_| Kind::Garbage.fault("porkbun holds a DS that is none"))
        };
        all.into_iter().map(record).collect()
    }

    async fn records(&self, zone: &ZoneName, credential: &Credential) -> Result<Vec<Record>, Fault> {
        let records: Records = self.get(credential, &format!("/dns/retrieve/{zone}"), json!({})).await?;
        Ok(records.records)
    }

    async fn read_apex(&self, name: &ZoneName, credential: &Credential) -> Result<CurrentState, Fault> {
        let ns = self.servers(name, credential).await?;
        let domain = self.domain(name, credential).await?;
        Ok(CurrentState {
            hosted: Some(own(&ns)),
            operated: if own(&ns) { Operated::Vendor(OWN_WORD.into()) } else { Operated::Custom },
            ns,
            ds: Some(self.ds(name, credential).await?),
            lock: Lock {
                blocks_changes: domain.obstacle(),
                transfer: Some(text(&domain.security_lock) == "1"),
            },
            expires: domain.expires(),
            ..CurrentState::untold(Mode::RegistryApex)
        })
    }

    async fn read_zone(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        credential: &Credential,
    ) -> Result<CurrentState, Fault> {
        let servers = self.servers(zone, credential).await?;
        let records = self.records(zone, credential).await?;
        let ns = || records.iter().filter(|record| record.is_ns(child));
        let owners = records.iter().map(|record| (record.name.as_str(), record.kind.as_str()));
        Ok(CurrentState {
            ns: ns().map(Record::host).collect::<Result<_, _>>()?,
            ns_ttl: ns().filter_map(Record::seconds).max().map(Ttl::new),
            hosted: Some(own(&servers)),
            other_types: kind::hidden_by(child.as_str(), owners),
            ..CurrentState::untold(Mode::HostedParent)
        })
    }

    async fn write_ns(
        &self,
        domain: &ZoneName,
        target: &NsTarget,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let hosts: Vec<_> = match target {
            NsTarget::Names { names, .. } => names.iter().map(ZoneName::as_str).collect(),
            NsTarget::Vendor(word) if word == OWN_WORD => OWN.to_vec(),
            NsTarget::Vendor(_) => return Err(Kind::Unsupported.fault("porkbun has one DNS of its own")),
        };
        let sent = self.post(credential, &format!("/domain/updateNs/{domain}"), json!({"ns": hosts})).await;
        sent.map(|_| ()).map_err(Kind::Refused.means(Kind::InvalidNameserver))
    }

    /// New ones first, so that at no moment there is none. What changes under a key tag that stays has to go first.
    async fn write_ds(
        &self,
        domain: &ZoneName,
        wanted: &BTreeSet<DsEntry>,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let held = before.ds.clone().unwrap_or_default();
        let (new, gone) = ds_difference(&held, wanted);
        let (first, last): (Vec<&DsRecord>, Vec<&DsRecord>) =
            gone.into_iter().partition(|old| new.iter().any(|entry| entry.ds.key_tag == old.key_tag));
        self.drop_ds(domain, &first, credential).await?;
        for ds in new.iter().map(|entry| &entry.ds) {
            let body = json!({"keyTag": ds.key_tag.to_string(), "alg": ds.algorithm.to_string(),
                "digestType": ds.digest_type.to_string(), "digest": ds.digest});
            self.post(credential, &format!("/dns/createDnssecRecord/{domain}"), body).await?;
        }
        self.drop_ds(domain, &last, credential).await
    }

    async fn drop_ds(
        &self,
        domain: &ZoneName,
        gone: &[&DsRecord],
        credential: &Credential,
    ) -> Result<(), Fault> {
        for ds in gone {
            let path = format!("/dns/deleteDnssecRecord/{domain}/{}", ds.key_tag);
            self.post(credential, &path, json!({})).await?;
        }
        Ok(())
    }

    /// Changed and new records first, superfluous ones last.
    async fn write_zone(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        names: &BTreeSet<ZoneName>,
        ttl: Ttl,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let body = |host: &str| json!({"type": "NS", "name": label(zone, child), "content": host, "ttl": ttl.seconds().to_string()});
        let mut records = self.records(zone, credential).await?;
        records.retain(|record| record.is_ns(child));
        let difference =
            ns_difference(&records, names, ttl, |record| Ok((record.host()?, record.seconds())))?;
        for record in difference.changed {
            let (path, host) = (format!("/dns/edit/{zone}/{}", text(&record.id)), record.host()?);
            self.post(credential, &path, body(host.as_str())).await?;
        }
        for host in difference.missing {
            self.post(credential, &format!("/dns/create/{zone}"), body(host.as_str())).await?;
        }
        for record in difference.spare {
            let path = format!("/dns/delete/{zone}/{}", text(&record.id));
            self.post(credential, &path, json!({})).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Vendor for Porkbun {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let ns = self.servers(domain, credential).await?;
        let found = self.domain(domain, credential).await?;
        let elsewhere = (!own(&ns)).then(|| format!("{domain} is served elsewhere, not by Porkbun"));
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: found.obstacle(),
            hosted_parent: found.obstacle().or(elsewhere),
            expires: found.expires(),
            credential_expires: None,
            notes: vec!["the key opens every domain of the account whose API access is on".into()],
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        match place {
            Place::RegistryApex { domain } => self.read_apex(domain, credential).await,
            Place::HostedParent { zone, child } => self.read_zone(zone, child, credential).await,
        }
    }

    fn refuse(&self, change: &Change, _: &Credential) -> Result<(), Fault> {
        one_per_tag("Porkbun", change)
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        match (&change.place, &change.ns) {
            (Place::RegistryApex { domain }, Some(target)) => {
                self.write_ns(domain, target, credential).await?
            }
            (Place::HostedParent { zone, child }, Some(NsTarget::Names { names, ttl, .. })) => {
                self.write_zone(zone, child, names, *ttl, credential).await?;
            }
            (Place::HostedParent { .. }, Some(NsTarget::Vendor(_))) | (_, None) => {}
        }
        if let (Some((entries, _)), Place::RegistryApex { domain }) = (&change.ds, &change.place) {
            self.write_ds(domain, entries, before, credential).await?;
        }
        Ok(Written::default())
    }
}
