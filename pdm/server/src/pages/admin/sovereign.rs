//! `GET /admin/sovereigns/{fqdn}`: everything about one name. What PowerDNS would have to be asked for is asked with
//! little patience: the page stands without it and says so.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_model::{Allocation, AuditEntry, DsRecord, Operation, Proof, RRset, Who};
use pdm_ports::ZoneKey;

use super::super::strip::{Station, stations, verdict};
use super::super::{Chrome, Viewer, html};
use crate::app::S;
use crate::extract::At;
use crate::problem::Failure;

/// For an answer of PowerDNS.
const PATIENCE: Duration = Duration::from_millis(800);
/// Entries of the time line.
const ENTRIES: u32 = 40;

/// One RRset as it is meant, held and served.
struct Line {
    owner: String,
    rtype: String,
    intent: String,
    /// In PowerDNS; none when it could not be asked.
    observed: Option<String>,
    same: bool,
}

/// One link of the chain of trust.
struct Link {
    zone: String,
    what: String,
    /// The step to the next one.
    by: String,
    holds: bool,
}

struct Key {
    key: ZoneKey,
    tag: String,
}

#[derive(Template)]
#[template(path = "sovereign.html")]
struct Page {
    c: Chrome,
    a: Allocation,
    verdict: &'static str,
    stations: Vec<Station>,
    lines: Vec<Line>,
    asked: bool,
    chain: Vec<Link>,
    keys: Vec<Key>,
    operation: Option<Operation>,
    log: Vec<AuditEntry>,
}

pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let engine = state.engine();
    let found = engine.get(&viewer.caller, &fqdn).await?;
    let (a, operation) = (found.allocation, found.operation);
    let zones = engine.zones();
    let (zone, keys) = tokio::join!(
        tokio::time::timeout(PATIENCE, zones.read_zone(&a.fqdn)),
        tokio::time::timeout(PATIENCE, zones.read_keys(&a.fqdn))
    );
    let observed = zone.ok().and_then(Result::ok);
    let asked = observed.is_some();
    let observed = observed.map(|zone| zone.map(|zone| zone.rrsets).unwrap_or_default());
    let desired = if a.phase.has_zone() { engine.desired(&a).await.unwrap_or_default() } else { Vec::new() };
    let keys = keys.ok().and_then(Result::ok).flatten().unwrap_or_default();
    let log = if viewer.c.may_audit {
        engine.audit_log(&viewer.caller, Some(a.fqdn.as_str()), None, None, ENTRIES).await?
    } else {
        Vec::new()
    };
    html(&Page {
        verdict: verdict(&a, operation.as_ref()),
        stations: stations(&a, operation.as_ref()),
        lines: lines(&desired, observed.as_deref()),
        asked,
        chain: chain(&a),
        keys: keys.into_iter().map(|key| Key { tag: tag(&key), key }).collect(),
        c: viewer.c,
        operation,
        log,
        a,
    })
}

fn tag(key: &ZoneKey) -> String {
    key.ds.as_ref().map(|ds| ds.key_tag.to_string()).unwrap_or_default()
}

fn shown(rrset: &RRset) -> String {
    let contents: Vec<&str> = rrset.records.iter().map(String::as_str).collect();
    format!("{} ({})", contents.join(", "), rrset.ttl.seconds())
}

/// The matrix: every RRset that PDM means to be there, beside what PowerDNS holds.
fn lines(desired: &[RRset], observed: Option<&[RRset]>) -> Vec<Line> {
    let line = |want: &RRset| {
        let there = observed.map(|all| all.iter().find(|r| r.key() == want.key()));
        Line {
            owner: want.owner.clone(),
            rtype: want.rtype.to_string(),
            intent: shown(want),
            observed: there.map(|there| there.map(shown).unwrap_or_default()),
            same: there.flatten().is_some_and(|there| there == want),
        }
    };
    desired.iter().map(line).collect()
}

/// Anchor, pool, Sovereign, names.
fn chain(a: &Allocation) -> Vec<Link> {
    let proved = a.proof.is_some();
    let anchor = a.proof.as_ref().map(|proof| proof.anchor.clone()).unwrap_or_default();
    let ds: Vec<String> = a.observed.parent.ds.iter().map(DsRecord::to_string).collect();
    let ns: Vec<String> = a.observed.parent.ns.iter().map(ToString::to_string).collect();
    let names = a.proof.as_ref().map(|proof| proof.queries.to_string()).unwrap_or_default();
    let link =
        |zone: &str, what: String, by: &str, holds| Link { zone: zone.into(), what, by: by.into(), holds };
    vec![
        link(a.pool.as_str(), anchor, "DNSKEY", proved),
        link(a.fqdn.as_str(), ds.join("; "), "DS", proved && !ds.is_empty()),
        link(&format!("*.{}", a.fqdn), format!("{} {names}", ns.join(", ")), "RRSIG", proved),
    ]
}

impl Page {
    fn proof(&self) -> Option<&Proof> {
        self.a.proof.as_ref()
    }

    fn who(&self, who: Who) -> &'static str {
        who_word(who)
    }

    fn addresses(&self) -> Vec<String> {
        let all = self.a.target.iter().flat_map(|target| &target.load_balancers);
        all.map(|lb| {
            let region = lb.region.as_deref().map(|r| format!("{r}: ")).unwrap_or_default();
            let v4 = lb.ipv4.map(|a| a.to_string());
            let v6 = lb.ipv6.map(|a| a.to_string());
            format!("{region}{}", v4.into_iter().chain(v6).collect::<Vec<_>>().join(", "))
        })
        .collect()
    }
}

/// The key of who must act.
pub(super) fn who_word(who: Who) -> &'static str {
    match who {
        Who::Nobody => "who-nobody",
        Who::Caller => "who-caller",
        Who::Operator => "who-operator",
    }
}
