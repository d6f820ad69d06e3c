//! Gandi's answers: domains, keys, zones, and what its refusals mean.

use std::collections::BTreeSet;

use pdm_model::{DsRecord, Timestamp, Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{Credential, KeyData, Lock};
use serde::Deserialize;

use crate::admit::ds_of;
use crate::http::Answer;
use crate::kind::{self, Kind, by_status, host, time};

/// The one of Gandi's own kinds of DNS that a call brings back.
pub(super) const LIVE_DNS: &str = "livedns";

/// EPP statuses under which the registry or Gandi takes no change.
const BLOCKING: &[&str] = &[
    "clientHold",
    "clientUpdateProhibited",
    "pendingDelete",
    "pendingTransfer",
    "redemptionPeriod",
    "serverHold",
    "serverUpdateProhibited",
];

/// Refusals come in two forms: one reason with a code, or a list of what is wrong with the body.
#[derive(Deserialize)]
#[serde(untagged)]
enum Refusal {
    Reason { code: u16, message: String },
    Body { errors: Vec<Wrong> },
}

#[derive(Deserialize)]
struct Wrong {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
}

/// What an answer means.
pub(super) fn judge(answer: &Answer, _credential: &Credential) -> Result<(), Fault> {
    if (200..=299).contains(&answer.status) {
        return answer.nothing_or_json();
    }
    Err(match answer.json::<Refusal>() {
        Ok(Refusal::Reason { code, message }) if code == answer.status => {
            answer.fault(by_status(code), &message)
        }
        Ok(Refusal::Body { errors }) => {
            let names = errors.iter().any(|wrong| wrong.name.split('.').next() == Some("nameservers"));
            let kind = if names { Kind::InvalidNameserver } else { by_status(answer.status) };
            let words: Vec<_> =
                errors.iter().map(|wrong| format!("{}: {}", wrong.name, wrong.description)).collect();
            answer.fault(kind, &words.join("; "))
        }
        Ok(Refusal::Reason { .. }) | Err(_) => answer.foreign(),
    })
}

/// What matters of a domain.
#[derive(Deserialize)]
pub(super) struct Domain {
    fqdn: String,
    nameservers: Vec<String>,
    status: Vec<String>,
    #[serde(default)]
    dates: Dates,
}

#[derive(Default, Deserialize)]
struct Dates {
    registry_ends_at: Option<String>,
}

/// The answer to `GET domain/domains/{domain}`.
pub(super) fn domain(answer: &Answer, domain: &ZoneName) -> Result<Domain, Fault> {
    let found: Domain = answer.json()?;
    if !found.fqdn.eq_ignore_ascii_case(domain.as_str()) {
        return Err(answer.garbage("about another domain"));
    }
    Ok(found)
}

impl Domain {
    pub(super) fn ns(&self) -> Result<BTreeSet<ZoneName>, Fault> {
        self.nameservers.iter().map(|name| host("Gandi", name)).collect()
    }

    pub(super) fn lock(&self) -> Lock {
        let blocking = self.status.iter().find(|status| BLOCKING.contains(&status.as_str()));
        Lock {
            blocks_changes: blocking.map(|status| format!("its status is {status}")),
            transfer: Some(self.status.iter().any(|status| status.ends_with("TransferProhibited"))),
        }
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.dates.registry_ends_at.as_deref().and_then(time)
    }
}

#[derive(Deserialize)]
struct Operator {
    current: String,
}

/// The answer to `GET domain/domains/{domain}/livedns`.
pub(super) fn operator(answer: &Answer) -> Result<String, Fault> {
    Ok(answer.json::<Operator>()?.current)
}

#[derive(Deserialize)]
struct Zone {
    fqdn: String,
}

/// The answer to `GET livedns/domains/{zone}`.
pub(super) fn zone(answer: &Answer, zone: &ZoneName) -> Result<(), Fault> {
    let found: Zone = answer.json()?;
    if found.fqdn.eq_ignore_ascii_case(zone.as_str()) {
        Ok(())
    } else {
        Err(answer.garbage("about another zone"))
    }
}

#[derive(Deserialize)]
struct Key {
    id: u64,
    algorithm: u8,
    #[serde(rename = "type")]
    kind: String,
    public_key: String,
}

/// The answer to `GET …/dnskeys`: ids, and the DS that the registry has of each.
pub(super) fn keys(answer: &Answer, domain: &ZoneName) -> Result<Vec<(u64, DsRecord)>, Fault> {
    let keys: Vec<Key> = answer.json()?;
    keys.into_iter()
        .map(|key| {
            let flags = if key.kind == "ksk" { 257 } else { 256 };
            let data = KeyData { flags, algorithm: key.algorithm, public_key: key.public_key };
            Ok((
                key.id,
                ds_of(domain, &data).ok_or_else(|| answer.garbage("with a key that cannot be read"))?,
            ))
        })
        .collect()
}

/// One RRset of a zone.
#[derive(Deserialize)]
pub(super) struct RRset {
    rrset_name: String,
    rrset_type: String,
    rrset_ttl: u32,
    rrset_values: Vec<String>,
}

fn of_type<'a>(sets: &'a [RRset], rtype: &str) -> (Vec<&'a str>, Option<Ttl>) {
    let found = sets.iter().find(|set| set.rrset_type == rtype);
    let values = found.map(|set| set.rrset_values.iter().map(String::as_str).collect()).unwrap_or_default();
    (values, found.map(|set| Ttl::new(set.rrset_ttl)))
}

/// The NS set among the sets of one name. A name without the last dot is one inside the zone.
pub(super) fn ns(sets: &[RRset], zone: &ZoneName) -> Result<(BTreeSet<ZoneName>, Option<Ttl>), Fault> {
    let (values, ttl) = of_type(sets, "NS");
    let absolute = |name: &str| match name.ends_with('.') {
        true => host("Gandi", name),
        false => host("Gandi", &format!("{name}.{zone}")),
    };
    Ok((values.into_iter().map(absolute).collect::<Result<_, _>>()?, ttl))
}

/// The DS set among the sets of one name.
pub(super) fn ds(sets: &[RRset]) -> Result<(BTreeSet<DsRecord>, Option<Ttl>), Fault> {
    let (values, ttl) = of_type(sets, "DS");
    let read =
        |text: &str| text.parse().map_err(|_| Kind::Garbage.fault("Gandi has a DS that cannot be read"));
    Ok((values.into_iter().map(read).collect::<Result<_, _>>()?, ttl))
}

/// Types of the records that a delegation of `label` would hide: at it, and below it.
pub(super) fn hidden_by(sets: &[RRset], label: &str) -> BTreeSet<String> {
    kind::hidden_by(label, sets.iter().map(|set| (set.rrset_name.as_str(), set.rrset_type.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(status: u16, body: &str) -> &'static str {
        let credential = Credential::parse(&[], [].into()).unwrap();
        let answer = Answer { vendor: "gandi", status, body: body.as_bytes().to_vec() };
        judge(&answer, &credential).map_or_else(|fault| fault.code, |()| "ok")
    }

    #[test]
    fn every_refusal_has_one_meaning() {
        for (status, want) in [
            (401, "credential-invalid"),
            (403, "credential-scope"),
            (404, "domain-not-in-account"),
            (409, "change-in-progress"),
            (422, "registrar-refused"),
            (429, "registrar-busy"),
            (500, "registrar-unavailable"),
        ] {
            let body = format!("{{\"code\":{status},\"message\":\"m\",\"object\":\"o\",\"cause\":\"c\"}}");
            assert_eq!(code(status, &body), want);
        }
        let names =
            r#"{"status":"error","errors":[{"location":"body","name":"nameservers.0","description":"d"}]}"#;
        assert_eq!(code(400, names), "nameserver-refused");
        assert_eq!(code(400, &names.replace("nameservers.0", "public_key")), "registrar-refused");
        for (status, body) in
            [(404, "<html>"), (404, "{\"code\":200,\"message\":\"m\"}"), (200, "<html>"), (301, "")]
        {
            assert_eq!(code(status, body), "registrar-garbage", "{status} {body}");
        }
        assert_eq!((code(202, "{\"message\":\"m\"}"), code(204, "")), ("ok", "ok"));
    }

    #[test]
    fn a_name_without_the_last_dot_lies_in_the_zone() {
        let text = r#"[{"rrset_name":"sub","rrset_type":"NS","rrset_ttl":300,"rrset_values":["ns1.x","Ns2.Sov.example."]}]"#;
        let sets: Vec<RRset> = serde_json::from_str(text).unwrap();
        let (names, ttl) = ns(&sets, &ZoneName::parse("acme.example").unwrap()).unwrap();
        let names: Vec<_> = names.iter().map(ZoneName::as_str).collect();
        assert_eq!((names, ttl), (vec!["ns1.x.acme.example", "ns2.sov.example"], Some(Ttl::new(300))));
    }

    #[test]
    fn a_status_of_the_registry_is_a_lock_or_none() {
        let domain = |status: &str| Domain {
            fqdn: "acme.example".into(),
            nameservers: vec!["NS1.example".into()],
            status: vec!["clientTransferProhibited".into(), status.into()],
            dates: Dates { registry_ends_at: Some("2027-11-04T09:30:00Z".into()) },
        };
        assert!(domain("clientHold").lock().blocks_changes.unwrap().contains("clientHold"));
        let free = domain("clientDeleteProhibited");
        assert_eq!(free.lock(), Lock { blocks_changes: None, transfer: Some(true) });
        assert_eq!(free.expires().unwrap().to_string(), "2027-11-04T09:30:00.000Z");
        assert_eq!(free.ns().unwrap().first().unwrap().as_str(), "ns1.example");
    }
}
