//! Cloudflare: NS and DS of a name inside a zone that it serves. Never the nameservers of a registered domain.
//!
//! A change is one `batch`: deletes, patches and posts in this order in one transaction there. What is replaced is
//! patched, so the name has NS records at every moment of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::{DsRecord, Ttl, ZoneName};
use pdm_ports::registrar::{
    Cannot, Capability, Change, Credential, CredentialField, CurrentState, DsForm, Lock, Mode,
    ModeCapability, NsTarget, Passport, Place,
};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Made;
use crate::admit::cannot;
use crate::flow::{About, Vendor, Written, made};
use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::{self, Kind};

const BASE: &str = "https://api.cloudflare.com/client/v4";
/// Records in one page, and pages that one name may fill.
const PAGE: usize = 100;
const PAGES: usize = 20;
/// What a TTL of 1 ("automatic") means for a record that is not proxied.
const AUTOMATIC: u32 = 300;

const NO_APEX: Cannot = Cannot {
    reason: "Cloudflare assigns the nameservers of its zones, its registrar keeps domains on them by contract, and \
             no call changes the registry's delegation",
    way_out: "delegate a name below the domain in its Cloudflare zone, change the nameservers where the domain is \
              registered if that is elsewhere, or transfer the domain out",
};

static ABOUT: About = About {
    id: "cloudflare",
    name: "Cloudflare",
    capability: Capability {
        registry_apex: Err(NO_APEX),
        hosted_parent: Ok(ModeCapability {
            ns_max: 10,
            ttl: Some((60, 86_400)),
            ds: DsForm::Ds,
            ds_max: 10,
            ..ModeCapability::LEAST
        }),
        calls_per_minute: 240,
        parallel: 4,
    },
    fields: &[CredentialField::secret(
        "token",
        "API token",
        "a user token or an account token; the Global API Key is not taken",
    )],
    recipe: "My Profile or Manage Account, API Tokens, Create Custom Token: Zone / Zone / Read and Zone / DNS \
             / Edit, for this one zone, with an end date and, where the address is fixed, an IP filter.",
};

/// Codes of errors. Statuses speak for the rest.
const CODES: &[(i64, Kind)] = &[
    (1000, Kind::InvalidCredentials),
    (6003, Kind::InvalidCredentials),
    (6103, Kind::InvalidCredentials),
    (6111, Kind::InvalidCredentials),
    (9103, Kind::InvalidCredentials),
    (9109, Kind::InvalidCredentials),
    (10_000, Kind::InvalidCredentials),
    (7000, Kind::DomainNotInAccount),
    (7003, Kind::DomainNotInAccount),
    (1004, Kind::Refused),
    (9004, Kind::Refused),
    (10_013, Kind::Unavailable),
    (81_053, Kind::Conflict),
    (81_054, Kind::Conflict),
    (89_018, Kind::Conflict),
    (81_057, Kind::Exists),
    (81_058, Kind::Exists),
];

/// The adapter.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(&ABOUT, http, Cloudflare { wire: Wire::new(&ABOUT, BASE, http, options, judge)? })
}

struct Cloudflare {
    wire: Wire,
}

#[derive(Deserialize)]
struct Envelope<T> {
    result: T,
}

#[derive(Deserialize)]
struct Failure {
    success: bool,
    #[serde(default)]
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Zone {
    id: String,
    name: String,
    status: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name_servers: Option<Vec<String>>,
    #[serde(default)]
    original_registrar: Option<String>,
    #[serde(default)]
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    id: String,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    content: String,
    ttl: u32,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    expires_on: Option<String>,
}

#[derive(Deserialize)]
struct Dnssec {
    status: String,
}

impl Record {
    fn at(&self, child: &ZoneName) -> bool {
        self.name.eq_ignore_ascii_case(child.as_str())
    }

    fn below(&self, child: &ZoneName) -> bool {
        self.name.to_ascii_lowercase().ends_with(&format!(".{child}"))
    }

    fn seconds(&self) -> u32 {
        if self.ttl == 1 { AUTOMATIC } else { self.ttl }
    }
}

fn judge(answer: &Answer, _: &Credential) -> Result<(), Fault> {
    let Ok(said) = serde_json::from_slice::<Failure>(&answer.body) else {
        return Err(answer.foreign());
    };
    if said.success && (200..300).contains(&answer.status) {
        return Ok(());
    }
    let known = said.errors.iter().find_map(|error| CODES.iter().find(|(code, _)| *code == error.code));
    let kind = match (answer.status, known) {
        // Whatever the text: too many is too many, and their trouble is their trouble.
        (429 | 500..=599, _) | (_, None) => kind::by_status(answer.status),
        (_, Some((_, kind))) => *kind,
    };
    let words: Vec<_> = said.errors.iter().map(|error| format!("{} {}", error.code, error.message)).collect();
    Err(answer.fault(kind, &words.join("; ")))
}

impl Cloudflare {
    async fn send(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let token = credential.get("token").unwrap_or_default();
        let call = Call::json(method, format!("{}{path}", self.wire.base), body);
        self.wire.call(credential, call.with("authorization", format!("Bearer {token}"))).await
    }

    async fn zone(&self, name: &ZoneName, credential: &Credential) -> Result<Zone, Fault> {
        let answer = self.send(credential, Method::GET, &format!("/zones?name={name}"), None).await?;
        let zones: Envelope<Vec<Zone>> = answer.json()?;
        // A token without the right sees an empty list, as for a zone that is not there.
        zones.result.into_iter().find(|zone| zone.name.eq_ignore_ascii_case(name.as_str())).ok_or_else(|| {
            let detail = format!(
                "this token sees no zone {name}: it is not in the account, or not in the token's scope"
            );
            Kind::DomainNotInAccount.fault(detail)
        })
    }

    /// A call below a zone that the token could see: whatever it lacks now is a right.
    async fn below(
        &self,
        zone: &Zone,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let sent = self.send(credential, method, &format!("/zones/{}{path}", zone.id), body).await;
        sent.map_err(Kind::InvalidCredentials.means(Kind::InsufficientScope))
    }

    /// At a name and below it. Should the filter not be known there, all come, and are sifted here.
    async fn records(
        &self,
        zone: &Zone,
        child: &ZoneName,
        credential: &Credential,
    ) -> Result<Vec<Record>, Fault> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/dns_records?name.endswith={child}&page={page}&per_page={PAGE}");
            let answer = self.below(zone, credential, Method::GET, &path, None).await?;
            let records: Envelope<Vec<Record>> = answer.json()?;
            let last = records.result.len() < PAGE;
            all.extend(records.result.into_iter().filter(|record| record.at(child) || record.below(child)));
            if last {
                return Ok(all);
            }
        }
        Err(Kind::Garbage.fault(format!("cloudflare lists {child} without end")))
    }
}

#[async_trait]
impl Vendor for Cloudflare {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let zone = self.zone(domain, credential).await?;
        let dnssec: Envelope<Dnssec> =
            self.below(&zone, credential, Method::GET, "/dnssec", None).await?.json()?;
        let mut notes = Vec::new();
        if dnssec.result.status != "active" {
            notes.push(format!("{domain} itself is not signed, so a DS below it secures nothing"));
        }
        if let Some(registrar) = zone.original_registrar.as_deref().filter(|text| !text.is_empty()) {
            notes.push(format!("registered at {}", kind::excerpt(registrar)));
        }
        let credential_expires = match self.token(&zone, credential).await {
            Ok(token) => token.expires_on.as_deref().and_then(kind::time),
            Err(fault) => {
                notes.push(format!("when the token ends could not be learnt ({})", fault.code));
                None
            }
        };
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: Some(format!("{}; way out: {}", NO_APEX.reason, NO_APEX.way_out)),
            hosted_parent: obstacle(&zone).or_else(|| not_served(&zone)),
            expires: None,
            credential_expires,
            notes,
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        let Place::HostedParent { zone, child } = place else {
            return Err(cannot("mode-unsupported", NO_APEX));
        };
        let zone = self.zone(zone, credential).await?;
        let records = self.records(&zone, child, credential).await?;
        state(&zone, child, &records)
    }

    async fn write(
        &self,
        change: &Change,
        _: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        let zone = self.zone(change.place.zone(), credential).await?;
        if let Some(NsTarget::Names { names, .. }) = &change.ns {
            refuse_its_own(&zone, names)?;
        }
        let mut records = self.records(&zone, change.place.child(), credential).await?;
        records.retain(|record| record.at(change.place.child()));
        let batch = batch(change, &records);
        self.below(&zone, credential, Method::POST, "/dns_records/batch", Some(&batch)).await?;
        Ok(Written::default())
    }
}

impl Cloudflare {
    /// User tokens are verified at one place and account tokens at another, where each is unknown to the other.
    async fn token(&self, zone: &Zone, credential: &Credential) -> Result<Token, Fault> {
        let user = self.send(credential, Method::GET, "/user/tokens/verify", None).await;
        let answer = match (user, &zone.account) {
            (Err(fault), Some(account)) if fault.class == Class::Credential => {
                let path = format!("/accounts/{}/tokens/verify", account.id);
                self.send(credential, Method::GET, &path, None).await?
            }
            (user, _) => user?,
        };
        Ok(answer.json::<Envelope<Token>>()?.result)
    }
}

/// Why records of this zone cannot be changed here.
fn obstacle(zone: &Zone) -> Option<String> {
    (zone.kind != "full").then(|| {
        format!("the zone is of type {}; its records are edited elsewhere", kind::excerpt(&zone.kind))
    })
}

fn not_served(zone: &Zone) -> Option<String> {
    (zone.status != "active").then(|| {
        format!("the zone is {} and the world does not ask Cloudflare for it", kind::excerpt(&zone.status))
    })
}

fn state(zone: &Zone, child: &ZoneName, records: &[Record]) -> Result<CurrentState, Fault> {
    let of =
        |kind: &'static str| records.iter().filter(move |record| record.at(child) && record.kind == kind);
    let owners = records.iter().map(|record| (record.name.as_str(), record.kind.as_str()));
    let longest = |kind| of(kind).map(Record::seconds).max().map(Ttl::new);
    Ok(CurrentState {
        ns: of("NS").map(|record| kind::host("cloudflare", &record.content)).collect::<Result<_, _>>()?,
        ns_ttl: longest("NS"),
        ds: Some(of("DS").map(ds).collect::<Result<_, _>>()?),
        ds_ttl: longest("DS"),
        lock: Lock { blocks_changes: obstacle(zone), transfer: None },
        hosted: Some(zone.status == "active"),
        other_types: kind::hidden_by(child.as_str(), owners),
        ..CurrentState::untold(Mode::HostedParent)
    })
}

fn ds(record: &Record) -> Result<DsRecord, Fault> {
    record.content.parse().map_err(|error| Kind::Garbage.fault(format!("cloudflare holds what is {error}")))
}

/// A child that is delegated back to its own parent's servers is refused there with a bare code.
fn refuse_its_own(zone: &Zone, names: &BTreeSet<ZoneName>) -> Result<(), Fault> {
    let own = zone
        .name_servers
        .iter()
        .flatten()
        .find(|own| names.iter().any(|ns| ns.as_str().eq_ignore_ascii_case(own)));
    own.map_or(Ok(()), |own| {
        Err(Kind::InvalidNameserver.fault(format!("{own} serves the parent zone itself at Cloudflare")))
    })
}

/// One transaction from what is there to what shall be. DS before NS when both go, NS before DS when both come.
fn batch(change: &Change, records: &[Record]) -> Value {
    let child = change.place.child().as_str();
    let mut steps = Steps::default();
    if let Some((entries, ttl)) = &change.ds {
        let wanted = entries.iter().map(|entry| {
            let ds = &entry.ds;
            let data = json!({"key_tag": ds.key_tag, "algorithm": ds.algorithm, "digest_type": ds.digest_type,
                "digest": ds.digest});
            (ds.to_string(), json!({"type": "DS", "name": child, "ttl": ttl.seconds(), "data": data}))
        });
        let same = |record: &Record| ds(record).map_or_else(|_| record.content.clone(), |ds| ds.to_string());
        steps.add("DS", wanted.collect(), *ttl, records, same);
    }
    if let Some(NsTarget::Names { names, ttl, .. }) = &change.ns {
        let wanted = names.iter().map(|ns| {
            let record = json!({"type": "NS", "name": child, "ttl": ttl.seconds(), "content": ns.as_str()});
            (ns.as_str().to_owned(), record)
        });
        let same = |record: &Record| record.content.trim_end_matches('.').to_ascii_lowercase();
        let posts = std::mem::take(&mut steps.posts);
        steps.add("NS", wanted.collect(), *ttl, records, same);
        steps.posts.extend(posts);
    }
    json!({"deletes": steps.deletes, "patches": steps.patches, "puts": [], "posts": steps.posts})
}

#[derive(Default)]
struct Steps {
    deletes: Vec<Value>,
    patches: Vec<Value>,
    posts: Vec<Value>,
}

impl Steps {
    fn add(
        &mut self,
        kind: &str,
        mut wanted: Vec<(String, Value)>,
        ttl: Ttl,
        records: &[Record],
        text: impl Fn(&Record) -> String,
    ) {
        let mut spare = Vec::new();
        for record in records.iter().filter(|record| record.kind == kind) {
            let text = text(record);
            match wanted.iter().position(|(want, _)| *want == text) {
                Some(at) => {
                    let (_, value) = wanted.swap_remove(at);
                    if record.seconds() != ttl.seconds() {
                        self.patches.push(with_id(value, &record.id));
                    }
                }
                None => spare.push(record),
            }
        }
        let mut spare = spare.into_iter();
        for (_, value) in wanted {
            match spare.next() {
                Some(record) => self.patches.push(with_id(value, &record.id)),
                None => self.posts.push(value),
            }
        }
        self.deletes.extend(spare.map(|record| json!({"id": record.id})));
    }
}

fn with_id(mut value: Value, id: &str) -> Value {
    value["id"] = id.into();
    value
}
