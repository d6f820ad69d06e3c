//! A domain and a zone's records as v1 tells them.

use std::collections::BTreeSet;

use pdm_model::{Timestamp, Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::Lock;
use serde::Deserialize;

use crate::http::Answer;
use crate::kind::{self, excerpt, host, time};

/// Families of statuses in which something goes on by itself.
const IN_PROGRESS: &[&str] = &["AWAITING", "PENDING", "UPDATED"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    status: String,
    /// Null in partial data (203).
    name_servers: Option<Vec<String>>,
    locked: Option<bool>,
    hold_registrar: Option<bool>,
    expires: Option<String>,
    expiration_protected: Option<bool>,
    transfer_protected: Option<bool>,
}

/// What matters of a domain.
pub(super) struct Domain {
    pub(super) status: String,
    pub(super) in_progress: bool,
    pub(super) ns: BTreeSet<ZoneName>,
    pub(super) lock: Lock,
    pub(super) expires: Option<Timestamp>,
    /// A person must confirm changes.
    pub(super) protected: bool,
}

/// The answer to `GET /v1/domains/{domain}`.
pub(super) fn read(answer: &Answer) -> Result<Domain, Fault> {
    let wire: Wire = answer.json()?;
    let names = wire.name_servers.ok_or_else(|| answer.garbage("without the nameservers"))?;
    let ns = names.iter().map(|name| host(answer.vendor, name)).collect::<Result<_, _>>()?;
    let in_progress = is_in_progress(&wire.status);
    let held = wire.hold_registrar == Some(true);
    let blocks_changes = if held {
        Some("it is on hold at GoDaddy".to_owned())
    } else if wire.status == "ACTIVE" || in_progress {
        None
    } else {
        Some(format!("its status at GoDaddy is {}", excerpt(&wire.status)))
    };
    Ok(Domain {
        in_progress,
        ns,
        lock: Lock { blocks_changes, transfer: wire.locked },
        expires: wire.expires.as_deref().and_then(time),
        protected: wire.expiration_protected == Some(true) || wire.transfer_protected == Some(true),
        status: wire.status,
    })
}

fn is_in_progress(status: &str) -> bool {
    let family = status.split('_').next().unwrap_or(status);
    IN_PROGRESS.contains(&family)
}

/// One record of a hosted zone.
#[derive(Deserialize)]
pub(super) struct Record {
    #[serde(rename = "type")]
    rtype: String,
    name: String,
    data: String,
    #[serde(rename = "ttl")]
    seconds: Option<u32>,
}

/// The names of NS records and their largest TTL.
pub(super) fn ns(records: &[Record]) -> Result<(BTreeSet<ZoneName>, Option<Ttl>), Fault> {
    let names = records.iter().map(|record| host("GoDaddy", &record.data)).collect::<Result<_, _>>()?;
    Ok((names, records.iter().filter_map(|record| record.seconds).max().map(Ttl::new)))
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    record_id: String,
    #[serde(rename = "type")]
    rtype: String,
    name: String,
}

/// The ids by which v3 knows the NS records of one name. What was not asked for is left alone.
pub(super) fn record_ids(answer: &Answer, label: &str) -> Result<Vec<String>, Fault> {
    let page: Page = answer.json()?;
    let plain = |id: &str| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    page.items
        .into_iter()
        .filter(|item| item.rtype == "NS" && item.name.eq_ignore_ascii_case(label))
        .map(|item| {
            Some(item.record_id).filter(|id| plain(id)).ok_or_else(|| answer.garbage("with an odd record id"))
        })
        .collect()
}

/// Types of the records that a delegation of `label` would hide: at it, and below it.
pub(super) fn hidden_by(records: &[Record], label: &str) -> BTreeSet<String> {
    kind::hidden_by(label, records.iter().map(|record| (record.name.as_str(), record.rtype.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(status: &str, more: &str) -> Result<Domain, Fault> {
        let body = format!("{{\"domain\":\"acme.example\",\"status\":\"{status}\"{more}}}");
        read(&Answer { vendor: "godaddy", status: 203, body: body.into_bytes() })
    }

    #[test]
    fn a_status_is_fine_or_on_its_way_or_in_the_way() {
        let names = ",\"nameServers\":[\"NS1.example\",\"ns2.example\"]";
        for (status, in_progress, blocked) in [
            ("ACTIVE", false, false),
            ("PENDING_DNS_ACTIVE", true, false),
            ("UPDATED_OWNERSHIP", true, false),
            ("AWAITING_VERIFICATION", true, false),
            ("LOCKED_ABUSE", false, true),
            ("EXPIRED_REASSIGNED", false, true),
            ("PENDINGISH", false, true),
            ("CONFISCATED", false, true),
        ] {
            let seen = domain(status, names).unwrap();
            assert_eq!(
                (seen.in_progress, seen.lock.blocks_changes.is_some()),
                (in_progress, blocked),
                "{status}"
            );
            assert_eq!(seen.ns.len(), 2);
        }
        let held = format!(
            "{names},\"holdRegistrar\":true,\"locked\":true,\"expires\":\"2027-11-04T09:30:00.000Z\""
        );
        let seen = domain("ACTIVE", &held).unwrap();
        assert!(seen.lock.blocks_changes.is_some() && seen.lock.transfer == Some(true));
        assert_eq!(seen.expires.unwrap().to_string(), "2027-11-04T09:30:00.000Z");
        assert_eq!(domain("ACTIVE", ",\"nameServers\":null").err().unwrap().code, "registrar-garbage");
    }

    #[test]
    fn only_what_was_asked_for_is_removed() {
        let page = |id: &str, name: &str, rtype: &str| {
            Answer {
            vendor: "godaddy",
            status: 200,
            body: format!(
                "{{\"items\":[{{\"recordId\":\"{id}\",\"type\":\"{rtype}\",\"name\":\"{name}\",\"data\":\"a.example\",\"ttl\":600}}]}}"
            )
            .into_bytes(),
        }
        };
        assert_eq!(record_ids(&page("r-1", "sub", "NS"), "sub").unwrap(), ["r-1"]);
        assert!(record_ids(&page("r-1", "other", "NS"), "sub").unwrap().is_empty());
        assert!(record_ids(&page("r-1", "sub", "A"), "sub").unwrap().is_empty());
        assert_eq!(record_ids(&page("../../x", "sub", "NS"), "sub").unwrap_err().code, "registrar-garbage");
    }

    #[test]
    fn records_at_and_below_a_name_are_seen() {
        let text = r#"[{"type":"A","name":"@","data":"192.0.2.1","ttl":600},{"type":"A","name":"sub","data":"192.0.2.1","ttl":600},
            {"type":"TXT","name":"x.sub","data":"t","ttl":600},{"type":"MX","name":"xsub","data":"m","ttl":600},
            {"type":"NS","name":"sub","data":"Ns1.Example.","ttl":3600}]"#;
        let records: Vec<Record> = serde_json::from_str(text).unwrap();
        let types: Vec<_> = hidden_by(&records, "sub").into_iter().collect();
        assert_eq!(types, ["A", "TXT"]);
        let (names, ttl) = ns(&records[4..]).unwrap();
        assert_eq!((names.first().unwrap().as_str(), ttl), ("ns1.example", Some(Ttl::new(3600))));
        let odd: Vec<Record> = serde_json::from_str(r#"[{"type":"NS","name":"sub","data":"a b"}]"#).unwrap();
        assert_eq!(ns(&odd).unwrap_err().code, "registrar-garbage");
    }
}
