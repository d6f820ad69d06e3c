//! `GET /admin/sovereigns/{fqdn}`: everything about one name. What PowerDNS would have to be asked for is asked with
//! little patience: the page stands without it and says so. Nameservers are not asked here; the last audit and the watch
//! of failover policies have what they said.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_api::keys::KeysView;
use pdm_engine::Engine;
use pdm_engine::caller::Caller;
use pdm_model::audit::Report;
use pdm_model::{Allocation, AuditEntry, Operation, Opinion, Proof, Who};
use pdm_ports::audit_store::ReportLine;
use serde::Deserialize;

use super::super::strip::{Station, stations, verdict};
use super::super::{Chrome, Viewer, html};
use super::chain::Chain;
use super::findings::{Findings, told};
use super::matrix::{Line, lines};
use crate::app::S;
use crate::extract::{At, Params};
use crate::problem::Failure;
use crate::routes::keys::show;

/// For an answer of PowerDNS.
pub(super) const PATIENCE: Duration = Duration::from_millis(800);
/// Entries of the time line.
const ENTRIES: u32 = 40;
/// Reports to choose from.
const REPORTS: u32 = 12;

#[derive(Deserialize, Default)]
pub(crate) struct Query {
    /// Another report than the newest.
    #[serde(default)]
    report: String,
    /// The one it is compared with.
    #[serde(default)]
    compare: String,
}

/// What audits said.
#[derive(Default)]
struct Audits {
    list: Vec<ReportLine>,
    report: Option<Report>,
    changed: Option<Vec<(&'static str, String)>>,
}

/// What clients get for one combination of regions.
struct Situation {
    up: Vec<bool>,
    answers: Vec<String>,
}

/// The truth table of a policy.
struct Truth {
    regions: Vec<String>,
    /// What is asked, by whom.
    asked: Vec<String>,
    rows: Vec<Situation>,
}

#[derive(Template)]
#[template(path = "sovereign.html")]
struct Page {
    c: Chrome,
    query: Query,
    a: Allocation,
    verdict: &'static str,
    stations: Vec<Station>,
    lines: Vec<Line>,
    left_out: usize,
    asked: bool,
    chain: Chain,
    keys: Option<KeysView>,
    operation: Option<Operation>,
    log: Vec<AuditEntry>,
    reports: Vec<ReportLine>,
    findings: Option<Findings>,
    changed: Option<Vec<(&'static str, String)>>,
    truth: Option<Truth>,
}

pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let engine = state.engine();
    let found = engine.get(&viewer.caller, &fqdn).await?;
    let (a, operation) = (found.allocation, found.operation);
    // A name whose pool left the configuration has no policy, and its page all the same.
    let keys = engine.keys(&viewer.caller, &fqdn).await.ok().map(|report| show::view(&report));
    let observed = if a.phase.has_zone() {
        tokio::time::timeout(PATIENCE, engine.zones().read_zone(&a.fqdn)).await.ok().and_then(Result::ok)
    } else {
        Some(None)
    };
    let asked = observed.is_some();
    let observed = observed.map(|zone| zone.map(|zone| zone.rrsets).unwrap_or_default());
    let desired = if a.phase.has_zone() { engine.desired(&a).await.unwrap_or_default() } else { Vec::new() };
    let log = if viewer.c.may_audit {
        engine.audit_log(&viewer.caller, Some(a.fqdn.as_str()), None, None, ENTRIES).await?
    } else {
        Vec::new()
    };
    let audits = audits(engine, &viewer.caller, a.fqdn.as_str(), &query).await?;
    let (lines, left_out) = lines(&desired, observed.as_deref(), audits.report.as_ref());
    html(&Page {
        verdict: verdict(&a, operation.as_ref()),
        stations: stations(&a, operation.as_ref()),
        lines,
        left_out,
        asked,
        chain: Chain::of(&a, audits.report.as_ref()),
        keys,
        c: viewer.c,
        query,
        operation,
        log,
        reports: audits.list,
        findings: audits.report.as_ref().map(Findings::of),
        changed: audits.changed,
        truth: truth(engine, &a),
        a,
    })
}

async fn audits(engine: &Engine, caller: &Caller, fqdn: &str, query: &Query) -> Result<Audits, Failure> {
    let list = match engine.reports(caller, Some(fqdn), None, REPORTS).await {
        Ok(list) => list,
        // A name that is no allocation any more has none to show.
        Err(pdm_engine::intents::IntentError::Refused(_)) => return Ok(Audits::default()),
        Err(fault) => return Err(fault.into()),
    };
    let wanted = if query.report.is_empty() {
        list.first().map(|line| line.id.clone())
    } else {
        Some(query.report.clone())
    };
    let report = match wanted {
        Some(id) => Some(engine.report(caller, &id).await?),
        None => None,
    };
    let changed = match &report {
        Some(report) if !query.compare.is_empty() => {
            Some(told(&engine.compare_reports(caller, &query.compare, report).await?))
        }
        _ => None,
    };
    // A report of another name is not this page's.
    let report = report.filter(|report| report.fqdn.as_str() == fqdn);
    Ok(Audits { list, report, changed })
}

fn truth(engine: &Engine, a: &Allocation) -> Option<Truth> {
    let table = engine.truth_table(a)?;
    let asked = table.rows.first()?.answers.iter();
    let asked = asked.map(|given| match given.client.as_str() {
        "any" => given.rtype.to_string(),
        client => format!("{} ({client})", given.rtype),
    });
    Some(Truth {
        asked: asked.collect(),
        rows: table
            .rows
            .iter()
            .map(|row| Situation {
                up: row.up.clone(),
                answers: row.answers.iter().map(|given| given.answer.to_string()).collect(),
            })
            .collect(),
        regions: table.regions,
    })
}

impl Page {
    fn proof(&self) -> Option<&Proof> {
        self.a.proof.as_ref()
    }

    fn opinions(&self) -> &[Opinion] {
        &self.a.observed.opinions
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

    /// Where the wait of what is open is cut short.
    fn hurry(&self) -> String {
        let open = self.operation.as_ref().is_some_and(|o| o.state == pdm_model::OperationState::Open);
        if open && self.c.may_commit {
            format!("/admin/sovereigns/{}/retry", self.a.fqdn)
        } else {
            String::new()
        }
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
