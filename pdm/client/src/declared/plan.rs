//! What would have to change. Pure.

use std::collections::{BTreeMap, BTreeSet};

use pdm_api::declared::{Document, PoolDomainSpec, SovereignDomainSpec};
use pdm_api::failover::FailoverBody;
use pdm_api::target::TargetBody;
use pdm_api::{AllocationView, PoolView};
use pdm_lua_records::{Admission, Failover, Spec};
use pdm_model::Phase;
use serde::Serialize;

/// `createdBy` of names that are made from documents: this and the set's name. Only such names are ever pruned.
pub const SET_LABEL: &str = "apply:";

/// What is done about one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// It is as declared.
    Nothing,
    /// Reserve and commit.
    Create,
    /// Its reservation's token is lost: give it back, then reserve and commit.
    Renew,
    /// Point it elsewhere.
    Retarget,
    /// It is declared no longer: give it back.
    Release,
    /// Nothing can be done about it from here.
    Blocked,
    /// It differs from what is declared, or from what PDM wrote; only reported.
    Differs,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What is done.
    pub act: Act,
    /// About which name.
    pub name: String,
    /// What differs, or why.
    pub detail: String,
    /// The target that is declared.
    #[serde(skip)]
    pub target: Option<TargetBody>,
    /// The document.
    #[serde(skip)]
    pub spec: Option<SovereignDomainSpec>,
}

/// Every line.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// In the order of names, pools first.
    pub rows: Vec<Row>,
}

impl Plan {
    /// Rows that are not as declared.
    pub fn open(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.act != Act::Nothing)
    }
}

/// What is there.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The pools of the daemon.
    pub pools: Vec<PoolView>,
    /// Names that are declared and known.
    pub names: BTreeMap<String, AllocationView>,
    /// Live names of this set.
    pub of_set: Vec<AllocationView>,
}

/// Documents in their places.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    /// Pools by domain.
    pub pools: BTreeMap<String, PoolDomainSpec>,
    /// Policies by name.
    pub policies: BTreeMap<String, FailoverBody>,
    /// Names.
    pub names: BTreeMap<String, SovereignDomainSpec>,
}

/// Names are compared without the trailing dot and in lower case, as the daemon shows them.
#[must_use]
pub fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Every document once, and every target usable.
///
/// # Errors
/// All that is wrong with them.
pub fn sort(documents: Vec<Document>) -> Result<Sorted, Vec<String>> {
    let (mut sorted, mut wrong) = (Sorted::default(), Vec::new());
    for document in documents {
        let twice = match document {
            Document::PoolDomain(spec) => {
                let name = plain(&spec.domain);
                sorted.pools.insert(name.clone(), spec).map(|_| format!("PoolDomain {name}"))
            }
            Document::FailoverPolicy(name, spec) => {
                sorted.policies.insert(name.clone(), spec.failover).map(|_| format!("FailoverPolicy {name}"))
            }
            Document::SovereignDomain(spec) => {
                let name = plain(&spec.fqdn);
                sorted.names.insert(name.clone(), spec).map(|_| format!("SovereignDomain {name}"))
            }
        };
        wrong.extend(twice.map(|what| format!("{what} is declared twice")));
    }
    for (name, spec) in &sorted.names {
        if let Err(why) = target(spec, &sorted) {
            wrong.push(format!("SovereignDomain {name}: {why}"));
        }
    }
    if wrong.is_empty() { Ok(sorted) } else { Err(wrong) }
}

/// The target as the daemon will show it: a policy with every default written out. Which addresses a pool admits is for the
/// daemon to say.
fn target(spec: &SovereignDomainSpec, sorted: &Sorted) -> Result<TargetBody, String> {
    let body = spec.target(|name| sorted.policies.get(name).cloned())?;
    if body.failover.is_none() {
        return Ok(body);
    }
    let mut target = body.parse().map_err(|r| r.detail)?;
    let anywhere: Vec<ipnet::IpNet> =
        ["0.0.0.0/0", "::/0"].iter().filter_map(|net| net.parse().ok()).collect();
    let admission =
        Admission { tenant: &plain(&spec.fqdn), allowed_networks: &anywhere, allow_http_checks: true };
    let policy = Failover::build(&Spec::from(&target), &admission)
        .map_err(|refusals| refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    target.failover = Some(Spec::from(policy).failover);
    Ok(TargetBody::from(&target))
}

/// The plan. `seconds` reads a time as in `90m`.
#[must_use]
pub fn plan(sorted: &Sorted, seen: &Seen, set: &str, seconds: impl Fn(&str) -> Option<u64>) -> Plan {
    let mut rows: Vec<Row> =
        sorted.pools.iter().map(|(name, spec)| pool(name, spec, seen, &seconds)).collect();
    for (name, spec) in &sorted.names {
        rows.extend(one(name, spec, sorted, seen, set));
    }
    let declared: BTreeSet<_> = sorted.names.keys().collect();
    for gone in seen.of_set.iter().filter(|a| !declared.contains(&plain(&a.fqdn.to_string()))) {
        rows.push(row(Act::Release, &gone.fqdn.to_string(), "it is declared no longer".to_owned()));
    }
    Plan { rows }
}

fn row(act: Act, name: &str, detail: String) -> Row {
    Row { act, name: name.to_owned(), detail, target: None, spec: None }
}

fn pool(name: &str, spec: &PoolDomainSpec, seen: &Seen, seconds: &impl Fn(&str) -> Option<u64>) -> Row {
    let Some(served) = seen.pools.iter().find(|p| plain(&p.domain.to_string()) == name) else {
        return row(
            Act::Differs,
            name,
            "the daemon serves no such pool: add it to its configuration".to_owned(),
        );
    };
    let mut differs = Vec::new();
    let mut compare = |what: &str, declared: Option<String>, is: String| {
        if let Some(declared) = declared.filter(|d| *d != is) {
            differs.push(format!("{what} is {is}, declared {declared}"));
        }
    };
    let in_seconds = |text: &String| seconds(text).map_or_else(|| text.clone(), |s| format!("{s}s"));
    let names = |all: &[String]| all.iter().map(|n| plain(n)).collect::<Vec<_>>().join(" ");
    let served_names: Vec<_> = served.nameservers.iter().map(ToString::to_string).collect();
    compare("nameservers", spec.nameservers.as_deref().map(names), names(&served_names));
    compare(
        "reservationTtl",
        spec.reservation_ttl.as_ref().map(in_seconds),
        format!("{}s", served.reservation_ttl),
    );
    compare("quarantine", spec.quarantine.as_ref().map(in_seconds), format!("{}s", served.quarantine));
    compare("quota", spec.quota.map(|q| q.to_string()), served.quota.to_string());
    if differs.is_empty() {
        return row(Act::Nothing, name, String::new());
    }
    row(Act::Differs, name, format!("{}: change the daemon's configuration", differs.join("; ")))
}

fn one(name: &str, spec: &SovereignDomainSpec, sorted: &Sorted, seen: &Seen, set: &str) -> Vec<Row> {
    let wanted = target(spec, sorted).unwrap_or_default();
    let with = |act, detail: &str| Row {
        target: Some(wanted.clone()),
        spec: Some(spec.clone()),
        ..row(act, name, detail.to_owned())
    };
    let Some(is) = seen.names.get(name) else { return vec![with(Act::Create, "")] };
    let phase = Phase::ALL.into_iter().find(|p| p.as_str() == is.phase);
    if spec.owner.as_ref().is_some_and(|owner| *owner != is.owner) && is_live(phase) {
        return vec![row(Act::Blocked, name, format!("it is lent to {}", is.owner))];
    }
    let mode = spec.mode.as_deref().unwrap_or("pool");
    if mode != is.mode && is_live(phase) {
        return vec![row(Act::Blocked, name, format!("its mode is {}; release it first", is.mode))];
    }
    match phase {
        None => vec![row(
            Act::Blocked,
            name,
            format!("its phase is {}, which this version does not know", is.phase),
        )],
        Some(Phase::Quarantined | Phase::Freed) => vec![with(Act::Create, "it was here before")],
        Some(Phase::Releasing) => {
            vec![row(Act::Blocked, name, "it is being released; apply again after that".to_owned())]
        }
        Some(Phase::Reserved) if is.created_by.as_deref() == Some(&label(set)) => {
            vec![with(Act::Renew, "an earlier run ended between reserve and commit")]
        }
        Some(Phase::Reserved) => vec![row(Act::Blocked, name, "somebody has reserved it".to_owned())],
        Some(Phase::Provisioning | Phase::Delegating | Phase::Active) => {
            let there = TargetBody {
                load_balancers: is.load_balancers.clone().unwrap_or_default(),
                failover: is.failover.clone(),
            };
            let mut rows = vec![if there == wanted {
                row(Act::Nothing, name, String::new())
            } else {
                with(Act::Retarget, &difference(&there, &wanted))
            }];
            let drift = is.conditions.iter().find(|c| c.kind == "InSync" && c.status == "False");
            rows.extend(drift.map(|c| row(Act::Differs, name, format!("{}: {}", c.reason, c.detail))));
            rows.extend(
                is.suspended.as_ref().map(|why| row(Act::Differs, name, format!("suspended: {why}"))),
            );
            rows
        }
    }
}

fn is_live(phase: Option<Phase>) -> bool {
    !matches!(phase, Some(Phase::Quarantined | Phase::Freed))
}

/// `createdBy` of a set.
#[must_use]
pub fn label(set: &str) -> String {
    format!("{SET_LABEL}{set}")
}

fn difference(there: &TargetBody, wanted: &TargetBody) -> String {
    let addresses = |target: &TargetBody| {
        let all = target.load_balancers.iter();
        let all =
            all.map(|lb| [&lb.ipv4, &lb.ipv6].into_iter().flatten().cloned().collect::<Vec<_>>().join("+"));
        all.collect::<Vec<_>>().join(" ")
    };
    let (from, to) = (addresses(there), addresses(wanted));
    match (from == to, there.failover == wanted.failover) {
        (false, _) => format!("{from} -> {to}"),
        (true, false) => "another failover policy".to_owned(),
        (true, true) => "regions or weights".to_owned(),
    }
}

/// Why a plan's releases are not carried out; none when they may be.
#[must_use]
pub fn prune_refused(plan: &Plan, sorted: &Sorted, seen: &Seen, limit: Option<usize>) -> Option<String> {
    let releases = plan.rows.iter().filter(|r| r.act == Act::Release).count();
    if releases == 0 {
        return None;
    }
    if sorted.names.is_empty() {
        return Some(
            "no SovereignDomain is declared at all: this would release every name of the set".to_owned(),
        );
    }
    let most = limit.unwrap_or((seen.of_set.len() / 5).max(1));
    (releases > most).then(|| {
        format!("{releases} of {} names would be released, {most} may be: say --prune-limit {releases} if it is meant", seen.of_set.len())
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
