//! Dynadot, REST v2: the registry's delegation with DS, and NS inside a zone by appending.
//!
//! Two traps. Nameservers must stand in the account's list before a domain may use them. And a write of records
//! without the append flag replaces the whole zone, on a domain with foreign nameservers even switches it to
//! Dynadot's: so nothing is written unless the zone is known to be served there, and never without the flag.

mod client;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::{DsRecord, Timestamp, Ttl, ZoneName};
use pdm_ports::registrar::{
    Cannot, Capability, Caveat, Change, Credential, CredentialField, CurrentState, DsEntry, DsForm, Lock,
    Mode, ModeCapability, NsTarget, Operated, Passport, Place,
};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Made;
use crate::admit::{ds_difference, one_per_tag};
use crate::flow::{About, Vendor, Written, made};
use crate::http::{Http, Options};
use crate::kind::{self, Kind, label};
use client::{Client, number, server, yes};

const NO_WAY_BACK: Cannot = Cannot {
    reason: "no call of Dynadot's brings back its own DNS with the records that it had",
    way_out: "nameservers that were entered before can be restored by their names; Dynadot's own DNS is chosen in its \
              control panel under DNS settings",
};
const NO_ZONE_DS: Cannot = Cannot {
    reason: "nothing shows that Dynadot's zones take DS records",
    way_out: "bring the whole domain at the registry, or host its zone where DS can be set (Cloudflare, PowerDNS, BIND)",
};
const NO_REMOVAL: Cannot = Cannot {
    reason: "records of a Dynadot zone can safely be added by API, not changed or removed",
    way_out: "remove the NS records of the name in Dynadot's control panel",
};

static ABOUT: About = About {
    id: "dynadot",
    name: "Dynadot",
    capability: Capability {
        registry_apex: Ok(ModeCapability {
            ns_min: 2,
            ds: DsForm::Ds,
            ds_max: 8,
            withdraw_cannot: Some(NO_WAY_BACK),
            ..ModeCapability::LEAST
        }),
        hosted_parent: Ok(ModeCapability {
            ds_cannot: Some(NO_ZONE_DS),
            withdraw_cannot: Some(NO_REMOVAL),
            caveats: &[Caveat {
                code: "dynadot-ns-unconfirmed",
                text: "Dynadot's documents do not say that its zones take NS below the apex; if it refuses, nothing \
                       is changed",
            }],
            ..ModeCapability::LEAST
        }),
        calls_per_minute: 60,
        parallel: 1,
    },
    fields: &[
        CredentialField::secret("key", "API key", "Tools, API, Production Key"),
        CredentialField::secret("secret", "API secret", "beside the key; it signs the calls"),
    ],
    recipe: "Tools, API: generate key and secret. They have no scopes and open the whole account, so put \
             PDM's addresses on the list of allowed ones there.",
};

/// The adapter.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(&ABOUT, http, Dynadot { client: Client::new(http, options)? })
}

struct Dynadot {
    client: Client,
}

#[derive(Deserialize)]
struct Info {
    domain_info: Value,
}

#[derive(Deserialize)]
struct Domain {
    domain_name: String,
    #[serde(default)]
    expiration_date: Value,
    #[serde(default)]
    locked: Value,
    #[serde(default)]
    disabled: Value,
    #[serde(default)]
    udrp_locked: Value,
    #[serde(default)]
    hold: Value,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
struct Servers {
    #[serde(alias = "name_servers")]
    nameserver_list: Vec<Value>,
    #[serde(default)]
    glue_type: Option<String>,
}

#[derive(Deserialize)]
struct Records {
    glue_info: Zone,
}

#[derive(Deserialize)]
struct Zone {
    #[serde(default)]
    glue_type: Option<String>,
    #[serde(default)]
    ttl: Value,
    #[serde(default)]
    dns_main_list: Vec<Value>,
    #[serde(default, alias = "sub_list")]
    dns_sub_list: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    sub_host: String,
    record_type: String,
    #[serde(alias = "value1")]
    record_value1: String,
}

#[derive(Deserialize)]
struct Dnssec {
    #[serde(default)]
    dnssec_info_list: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    key_tag: Value,
    algorithm: Value,
    digest_type: Value,
    digest: String,
}

impl Domain {
    fn expires(&self) -> Option<Timestamp> {
        number(&self.expiration_date).map(Timestamp)
    }

    fn obstacle(&self) -> Option<String> {
        let flags =
            [("disabled", &self.disabled), ("under UDRP lock", &self.udrp_locked), ("on hold", &self.hold)];
        let flag = flags.iter().find(|(_, value)| yes(value)).map(|(name, _)| (*name).to_owned());
        let status = self.status.as_deref().filter(|status| !status.eq_ignore_ascii_case("active"));
        flag.or_else(|| status.map(kind::excerpt)).map(|what| format!("the domain is {what} at Dynadot"))
    }
}

/// Who runs the DNS, from the word for the domain's setting.
fn operated(glue_type: Option<&str>) -> Operated {
    let letters: String = glue_type.unwrap_or_default().chars().filter(char::is_ascii_alphabetic).collect();
    match letters.to_ascii_lowercase().as_str() {
        "" => Operated::Unknown,
        "nameserver" | "nameservers" | "ns" => Operated::Custom,
        _ => Operated::Vendor(kind::excerpt(glue_type.unwrap_or_default())),
    }
}

/// Whether Dynadot serves the zone's records; parking and forwarding do not.
fn hosted(glue_type: Option<&str>) -> Option<bool> {
    glue_type.map(|word| ["dns", "dynadot dns"].contains(&word.to_ascii_lowercase().as_str()))
}

fn not_hosted(glue_type: Option<&str>) -> Option<String> {
    let word = kind::excerpt(glue_type.unwrap_or("unknown"));
    (hosted(glue_type) != Some(true))
        .then(|| format!("the domain's DNS setting is \"{word}\" and not Dynadot DNS"))
}

impl Key {
    fn ds(&self) -> Option<DsRecord> {
        let part = |value| number(value).map(|number| number.to_string());
        let (tag, algorithm, digest) =
            (part(&self.key_tag)?, part(&self.algorithm)?, part(&self.digest_type)?);
        format!("{tag} {algorithm} {digest} {}", self.digest).parse().ok()
    }
}

impl Dynadot {
    async fn domain(&self, name: &ZoneName, credential: &Credential) -> Result<Domain, Fault> {
        let info: Info = self.client.get(credential, &format!("/domains/{name}")).await?;
        // An object by the documents, a list of one in the wild.
        let one = match info.domain_info {
            Value::Array(mut list) if list.len() == 1 => list.swap_remove(0),
            other => other,
        };
        let domain: Option<Domain> = serde_json::from_value(one).ok();
        let domain = domain.filter(|domain| domain.domain_name.eq_ignore_ascii_case(name.as_str()));
        domain.ok_or_else(|| Kind::Garbage.fault(format!("dynadot's answer is not about {name}")))
    }

    async fn servers(&self, name: &ZoneName, credential: &Credential) -> Result<Servers, Fault> {
        self.client.get(credential, &format!("/domains/{name}/nameservers")).await
    }

    async fn zone(&self, name: &ZoneName, credential: &Credential) -> Result<Zone, Fault> {
        let records: Records = self.client.get(credential, &format!("/domains/{name}/records")).await?;
        Ok(records.glue_info)
    }

    /// None where the registry has no DNSSEC for this domain.
    async fn ds(
        &self,
        name: &ZoneName,
        credential: &Credential,
    ) -> Result<Option<BTreeSet<DsRecord>>, Fault> {
        match self.client.get::<Dnssec>(credential, &format!("/domains/{name}/dnssec")).await {
            Ok(dnssec) => {
                let keys = dnssec.dnssec_info_list.iter();
                keys.map(|key| key.ds().ok_or_else(|| Kind::Garbage.fault("dynadot holds a DS that is none")))
                    .collect::<Result<_, _>>()
                    .map(Some)
            }
            Err(fault) if Kind::Unsupported.is(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn read_apex(&self, name: &ZoneName, credential: &Credential) -> Result<CurrentState, Fault> {
        let domain = self.domain(name, credential).await?;
        let servers = self.servers(name, credential).await?;
        let ns = servers.nameserver_list.iter().map(|value| {
            let text = server(value)
                .ok_or_else(|| Kind::Garbage.fault("dynadot lists a nameserver without a name"))?;
            kind::host("dynadot", text)
        });
        Ok(CurrentState {
            ns: ns.collect::<Result<_, _>>()?,
            ds: self.ds(name, credential).await?,
            lock: Lock { blocks_changes: domain.obstacle(), transfer: Some(yes(&domain.locked)) },
            expires: domain.expires(),
            hosted: hosted(servers.glue_type.as_deref()),
            operated: operated(servers.glue_type.as_deref()),
            ..CurrentState::untold(Mode::RegistryApex)
        })
    }

    async fn read_zone(
        &self,
        name: &ZoneName,
        child: &ZoneName,
        credential: &Credential,
    ) -> Result<CurrentState, Fault> {
        let zone = self.zone(name, credential).await?;
        let label = label(name, child);
        let owners = zone.dns_sub_list.iter().map(|r| (r.sub_host.as_str(), r.record_type.as_str()));
        Ok(CurrentState {
            ns: hosts(&zone, label)?,
            ns_ttl: number(&zone.ttl).and_then(|ttl| u32::try_from(ttl).ok()).map(Ttl::new),
            hosted: hosted(zone.glue_type.as_deref()),
            operated: operated(zone.glue_type.as_deref()),
            other_types: kind::hidden_by(label, owners),
            ..CurrentState::untold(Mode::HostedParent)
        })
    }

    /// Names are entered into the account's list first; there already, they are refused, and the domain's own change
    /// tells whether that matters.
    async fn write_ns(
        &self,
        domain: &ZoneName,
        names: &BTreeSet<ZoneName>,
        credential: &Credential,
    ) -> Result<(), Fault> {
        for ns in names {
            let path = format!("/nameservers/{ns}/add_external");
            match self.client.send(credential, Method::POST, &path, Some(&json!({}))).await {
                Err(fault) if fault.class != Class::Rejected && !Kind::InProgress.is(&fault) => {
                    return Err(fault);
                }
                Ok(_) | Err(_) => {}
            }
        }
        let hosts: Vec<_> = names.iter().map(ZoneName::as_str).collect();
        let path = format!("/domains/{domain}/nameservers");
        let sent =
            self.client.send(credential, Method::PUT, &path, Some(&json!({"nameserver_list": hosts}))).await;
        sent.map(|_| ()).map_err(Kind::Refused.means(Kind::InvalidNameserver))
    }

    /// There is "add" and "clear all". What is new is added first, so that a DS that is refused costs nothing; between
    /// the clearing and the end the domain is insecure for a moment, never bogus.
    async fn write_ds(
        &self,
        domain: &ZoneName,
        wanted: &BTreeSet<DsEntry>,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let Some(held) = &before.ds else {
            return Err(
                Kind::Unsupported.fault(format!("the registry of {domain} takes no DS through Dynadot"))
            );
        };
        let path = format!("/domains/{domain}/dnssec");
        let (new, gone) = ds_difference(held, wanted);
        for entry in new {
            self.client.send(credential, Method::PUT, &path, Some(&ds_body(&entry.ds))).await?;
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.client.send(credential, Method::DELETE, &path, None).await?;
        for entry in wanted {
            self.client.send(credential, Method::PUT, &path, Some(&ds_body(&entry.ds))).await?;
        }
        Ok(())
    }

    async fn append(
        &self,
        name: &ZoneName,
        child: &ZoneName,
        wanted: &BTreeSet<ZoneName>,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let zone = self.zone(name, credential).await?;
        if let Some(why) = not_hosted(zone.glue_type.as_deref()) {
            return Err(Fault::new(Class::Rejected, "zone-not-hosted", why));
        }
        if zone.dns_main_list.is_empty() {
            let detail =
                format!("{name} has no record at its apex, without which Dynadot adds none below it");
            return Err(Fault::new(Class::Rejected, "zone-not-hosted", detail));
        }
        let label = label(name, child);
        let held = hosts(&zone, label)?;
        if !held.is_subset(wanted) {
            let detail = format!(
                "{child} has other NS records; {}; way out: {}",
                NO_REMOVAL.reason, NO_REMOVAL.way_out
            );
            return Err(Kind::Unsupported.fault(detail));
        }
        let records: Vec<_> = wanted
            .difference(&held)
            .map(|ns| json!({"sub_host": label, "record_type": "ns", "record_value1": ns.as_str()}))
            .collect();
        let mut body = json!({"dns_sub_list": records, "add_dns_to_current_setting": true});
        if let Some(ttl) = number(&zone.ttl) {
            // The zone has one TTL: what it is now.
            body["ttl"] = ttl.into();
        }
        self.client
            .send(credential, Method::POST, &format!("/domains/{name}/records"), Some(&body))
            .await
            .map(|_| ())
    }
}

/// The NS set of a name in a zone.
fn hosts(zone: &Zone, label: &str) -> Result<BTreeSet<ZoneName>, Fault> {
    let here = zone.dns_sub_list.iter().filter(|record| record.sub_host.eq_ignore_ascii_case(label));
    let ns = here.filter(|record| record.record_type.eq_ignore_ascii_case("NS"));
    ns.map(|record| kind::host("dynadot", &record.record_value1)).collect()
}

/// All six fields, or it is refused.
fn ds_body(ds: &DsRecord) -> Value {
    json!({"key_tag": ds.key_tag, "digest_type": ds.digest_type.to_string(), "digest": ds.digest,
        "algorithm": ds.algorithm.to_string(), "flags": "", "public_key": ""})
}

#[async_trait]
impl Vendor for Dynadot {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let found = self.domain(domain, credential).await?;
        let servers = self.servers(domain, credential).await?;
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: found.obstacle(),
            hosted_parent: found.obstacle().or_else(|| not_hosted(servers.glue_type.as_deref())),
            expires: found.expires(),
            credential_expires: None,
            notes: vec!["the key opens the whole account".into()],
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        match place {
            Place::RegistryApex { domain } => self.read_apex(domain, credential).await,
            Place::HostedParent { zone, child } => self.read_zone(zone, child, credential).await,
        }
    }

    fn refuse(&self, change: &Change, _: &Credential) -> Result<(), Fault> {
        one_per_tag("Dynadot", change)
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        if let Some(NsTarget::Names { names, .. }) = &change.ns {
            match &change.place {
                Place::RegistryApex { domain } => self.write_ns(domain, names, credential).await?,
                Place::HostedParent { zone, child } => self.append(zone, child, names, credential).await?,
            }
        }
        if let (Some((entries, _)), Place::RegistryApex { domain }) = (&change.ds, &change.place) {
            self.write_ds(domain, entries, before, credential).await?;
        }
        Ok(Written::default())
    }
}
