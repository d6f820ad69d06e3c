//! A zone as PowerDNS's API tells it, and what its refusals mean.

use std::collections::BTreeSet;

use pdm_model::{DsRecord, Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::Credential;
use serde::Deserialize;

use crate::http::Answer;
use crate::kind::{Kind, by_status, host};

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// What an answer means. A 404 that is not PowerDNS's own comes from a proxy that has lost its way.
pub(super) fn judge(answer: &Answer, _credential: &Credential) -> Result<(), Fault> {
    if (200..=299).contains(&answer.status) {
        return answer.nothing_or_json();
    }
    Err(match answer.json::<Refusal>() {
        Ok(refusal) => answer.fault(by_status(answer.status), &refusal.error),
        Err(_) => answer.foreign(),
    })
}

/// One zone with some of its records.
#[derive(Deserialize)]
pub(super) struct Zone {
    name: String,
    kind: String,
    #[serde(default)]
    pub(super) dnssec: bool,
    #[serde(default)]
    soa_edit_api: String,
    rrsets: Vec<RRset>,
}

#[derive(Deserialize)]
struct RRset {
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    ttl: u32,
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    content: String,
    #[serde(default)]
    disabled: bool,
}

/// What stands at one name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) ns: BTreeSet<ZoneName>,
    pub(super) ns_ttl: Option<Ttl>,
    pub(super) ds: BTreeSet<DsRecord>,
    pub(super) ds_ttl: Option<Ttl>,
    pub(super) other_types: BTreeSet<String>,
}

/// The answer to `GET zones/{zone}`.
pub(super) fn read(answer: &Answer, zone: &ZoneName) -> Result<Zone, Fault> {
    let found: Zone = answer.json()?;
    if !found.name.eq_ignore_ascii_case(&zone.dotted()) {
        return Err(answer.garbage("about another zone"));
    }
    Ok(found)
}

impl Zone {
    /// Why nothing can be changed here, if so. The kinds have older and newer names.
    pub(super) fn blocks_changes(&self) -> Option<String> {
        let copy = ["slave", "secondary", "consumer"].iter().any(|kind| self.kind.eq_ignore_ascii_case(kind));
        copy.then(|| "it is a copy on this server; changes must be made at its primary".to_owned())
    }

    /// Whether others copy it from here.
    pub(super) fn has_secondaries(&self) -> bool {
        ["master", "primary", "producer"].iter().any(|kind| self.kind.eq_ignore_ascii_case(kind))
    }

    /// What a person should know before relying on it.
    pub(super) fn warnings(&self) -> Vec<String> {
        let still = self.has_secondaries() && self.soa_edit_api.is_empty();
        let text =
            "soa_edit_api of the zone is empty: its serial does not move, and secondaries do not see changes";
        still.then(|| text.to_owned()).into_iter().collect()
    }

    /// What is served at a name. Disabled records are not.
    pub(super) fn at(&self, name: &ZoneName) -> Result<Found, Fault> {
        let odd = |what: &str| Kind::Garbage.fault(format!("PowerDNS has {what} at {name}"));
        let (mut ns, mut ds, mut other_types) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut ns_ttl, mut ds_ttl) = (None, None);
        for set in self.rrsets.iter().filter(|set| set.name.eq_ignore_ascii_case(&name.dotted())) {
            let served = set.records.iter().filter(|record| !record.disabled);
            for record in served {
                match set.rtype.as_str() {
                    "NS" => {
                        ns.insert(host("PowerDNS", &record.content)?);
                        ns_ttl = Some(Ttl::new(set.ttl));
                    }
                    "DS" => {
                        ds.insert(record.content.parse().map_err(|_| odd("a DS that cannot be read"))?);
                        ds_ttl = Some(Ttl::new(set.ttl));
                    }
                    other => {
                        other_types.insert(other.to_owned());
                    }
                }
            }
        }
        Ok(Found { ns, ns_ttl, ds, ds_ttl, other_types })
    }
}

#[derive(Deserialize)]
struct Hit {
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    zone: String,
    #[serde(default)]
    disabled: bool,
}

/// The answer to `GET search-data`: types of the records of `zone` below `child`.
pub(super) fn found_below(
    answer: &Answer,
    zone: &ZoneName,
    child: &ZoneName,
) -> Result<BTreeSet<String>, Fault> {
    let hits: Vec<Hit> = answer.json()?;
    let below = format!(".{}", child.dotted());
    Ok(hits
        .into_iter()
        .filter(|hit| !hit.disabled && hit.zone.eq_ignore_ascii_case(&zone.dotted()))
        .filter(|hit| hit.name.to_ascii_lowercase().ends_with(&below))
        .map(|hit| hit.rtype)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { vendor: "powerdns", status, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn every_status_has_one_meaning() {
        let credential = Credential::parse(&[], [].into()).unwrap();
        for (status, body, want) in [
            (204, "", "ok"),
            (404, r#"{"error":"Not Found"}"#, "domain-not-in-account"),
            (404, "default backend", "registrar-garbage"),
            (401, "Unauthorized", "credential-invalid"),
            (401, r#"{"error":"Unauthorized"}"#, "credential-invalid"),
            (403, "<html>", "registrar-garbage"),
            (422, r#"{"error":"DNS Name 'b' is not canonical"}"#, "registrar-refused"),
            (500, r#"{"error":"Internal Server Error"}"#, "registrar-unavailable"),
            (502, "<html>", "registrar-unavailable"),
            (301, "", "registrar-garbage"),
        ] {
            let code = judge(&answer(status, body), &credential).map_or_else(|fault| fault.code, |()| "ok");
            assert_eq!(code, want, "{status} {body}");
        }
    }

    #[test]
    fn a_zone_tells_what_is_served_at_a_name() {
        let body = r#"{"name":"acme.example.","kind":"Master","dnssec":true,"soa_edit_api":"","rrsets":[
            {"name":"Sub.acme.example.","type":"NS","ttl":300,"records":[{"content":"NS1.sov.example.","disabled":false},
                {"content":"old.example.","disabled":true}]},
            {"name":"sub.acme.example.","type":"DS","ttl":60,"records":[{"content":"1 13 2 AABBCCDDEEFFAABBCCDDEEFFAABBCCDDEEFFAABBCCDDEEFFAABBCCDDEEFFAABB"}]},
            {"name":"sub.acme.example.","type":"TXT","ttl":60,"records":[{"content":"\"x\""}]},
            {"name":"xsub.acme.example.","type":"A","ttl":60,"records":[{"content":"192.0.2.1"}]}]}"#;
        let zone = read(&answer(200, body), &ZoneName::parse("acme.example").unwrap()).unwrap();
        let found = zone.at(&ZoneName::parse("sub.acme.example").unwrap()).unwrap();
        assert_eq!(found.ns, [ZoneName::parse("ns1.sov.example").unwrap()].into());
        assert_eq!((found.ns_ttl, found.ds_ttl), (Some(Ttl::new(300)), Some(Ttl::new(60))));
        assert_eq!((found.ds.len(), found.other_types), (1, ["TXT".to_owned()].into()));
        assert!(zone.has_secondaries() && zone.warnings()[0].contains("serial"));
        assert!(zone.blocks_changes().is_none());
        let copy = body.replace("Master", "Slave");
        let copy = read(&answer(200, &copy), &ZoneName::parse("acme.example").unwrap()).unwrap();
        assert!(copy.blocks_changes().is_some());
        assert!(read(&answer(200, body), &ZoneName::parse("other.example").unwrap()).is_err());
    }
}
