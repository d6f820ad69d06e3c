//! What an admin may do to a name. The plan is shown first; an act that takes something from its users asks for the
//! name to be typed, and is refused when it was not. Each is the intent that the API offers, and nothing more.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_engine::audits::Subject;
use pdm_engine::caller::{Caller, Right};
use pdm_model::keys::RollKind;
use pdm_model::{Allocation, Refusal};
use serde::Deserialize;

use super::super::form::Form;
use super::super::{Chrome, Viewer, html, see_other};
use super::findings::Shown;
use super::matrix::difference;
use super::sovereign::PATIENCE;
use crate::app::S;
use crate::extract::{At, Params};
use crate::problem::Failure;

/// One act.
struct Act {
    word: &'static str,
    /// Key of its plan; none when it needs no confirmation.
    plan: Option<&'static str>,
    right: Right,
    command: &'static str,
    asks_reason: bool,
}

#[rustfmt::skip]
const ACTS: &[Act] = &[
    Act { word: "release", plan: Some("plan-release"), right: Right::Release, command: "pdm release", asks_reason: false },
    Act { word: "suspend", plan: Some("plan-suspend"), right: Right::Administer, command: "pdm suspend", asks_reason: true },
    Act { word: "fix", plan: Some("plan-fix"), right: Right::Commit, command: "pdm audit", asks_reason: false },
    Act { word: "roll", plan: Some("plan-roll"), right: Right::Administer, command: "pdm dnssec roll", asks_reason: true },
    Act { word: "resume", plan: None, right: Right::Administer, command: "pdm resume", asks_reason: false },
    Act { word: "retry", plan: None, right: Right::Commit, command: "pdm retry", asks_reason: false },
    Act { word: "hold", plan: None, right: Right::Administer, command: "pdm dnssec hold", asks_reason: false },
    Act { word: "unhold", plan: None, right: Right::Administer, command: "pdm dnssec hold --off", asks_reason: false },
    Act { word: "audit", plan: None, right: Right::Read, command: "pdm audit", asks_reason: false },
    Act { word: "acknowledge", plan: None, right: Right::Commit, command: "pdm audit", asks_reason: false },
];

fn act_of(word: &str) -> Result<&'static Act, Refusal> {
    ACTS.iter().find(|act| act.word == word).ok_or_else(|| Refusal::new("not-found", "there is no such act"))
}

/// What a fix would do.
struct Mending {
    finding: Shown,
    /// What PowerDNS lacks now; none when it did not answer.
    now: Option<Vec<String>>,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page {
    c: Chrome,
    fqdn: String,
    act: &'static str,
    plan: &'static str,
    command: String,
    asks_reason: bool,
    mending: Option<Mending>,
    /// Kinds of roll to choose from.
    kinds: &'static [RollKind],
    wrong: bool,
}

#[derive(Deserialize)]
pub(crate) struct Query {
    #[serde(default)]
    finding: String,
}

/// The plan, and the question.
pub(crate) async fn confirm(
    State(state): State<S>,
    viewer: Viewer,
    At((fqdn, act)): At<(String, String)>,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let act = act_of(&act)?;
    viewer.caller.must(act.right)?;
    let found = state.engine().get(&viewer.caller, &fqdn).await?;
    page(&state, &viewer, &found.allocation, act, &query.finding, false).await
}

async fn page(
    state: &S,
    viewer: &Viewer,
    a: &Allocation,
    act: &'static Act,
    finding: &str,
    wrong: bool,
) -> Result<Response, Failure> {
    let mending =
        if act.word == "fix" { Some(mending(state, &viewer.caller, a, finding).await?) } else { None };
    let fixing = mending.as_ref().map(|m| format!(" --fix '{}'", m.finding.key)).unwrap_or_default();
    html(&Page {
        c: viewer.c.clone(),
        fqdn: a.fqdn.to_string(),
        act: act.word,
        plan: act.plan.unwrap_or(act.word),
        command: format!("{} {}{fixing}", act.command, a.fqdn),
        asks_reason: act.asks_reason,
        mending,
        kinds: if act.word == "roll" { &RollKind::ALL } else { &[] },
        wrong,
    })
}

/// The finding of the last audit, and what differs at this moment.
async fn mending(state: &S, caller: &Caller, a: &Allocation, key: &str) -> Result<Mending, Failure> {
    let engine = state.engine();
    let gone = || Refusal::new("no-such-finding", "the last audit did not find this; look again");
    let last = engine.reports(caller, Some(a.fqdn.as_str()), None, 1).await?;
    let report = engine.report(caller, &last.first().ok_or_else(gone)?.id).await?;
    let finding = report.findings.iter().find(|finding| finding.key() == key).ok_or_else(gone)?;
    let desired = engine.desired(a).await?;
    let held =
        tokio::time::timeout(PATIENCE, engine.zones().read_zone(&a.fqdn)).await.ok().and_then(Result::ok);
    let now = held.map(|zone| difference(&desired, &zone.map(|zone| zone.rrsets).unwrap_or_default()));
    Ok(Mending { finding: Shown::of(finding), now })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Fields {
    typed: String,
    reason: String,
    finding: String,
    kind: String,
    days: String,
}

/// Do it.
pub(crate) async fn handler(
    State(state): State<S>,
    At((fqdn, act)): At<(String, String)>,
    form: Form<Fields>,
) -> Result<Response, Failure> {
    let act = act_of(&act)?;
    let Form { viewer, fields } = form;
    let (caller, engine) = (&viewer.caller, state.engine());
    caller.must(act.right)?;
    let found = engine.get(caller, &fqdn).await?;
    let name = found.allocation.fqdn.as_str();
    if act.plan.is_some() && fields.typed.trim().trim_end_matches('.').to_ascii_lowercase() != name {
        return page(&state, &viewer, &found.allocation, act, &fields.finding, true).await;
    }
    match act.word {
        "release" => drop(engine.release(caller, name, None).await?),
        "suspend" => drop(engine.suspend(caller, name, &fields.reason).await?),
        "resume" => drop(engine.resume(caller, name).await?),
        "fix" => drop(engine.fix(caller, name, &fields.finding).await?),
        "roll" => {
            let wrong = || Refusal::new("invalid-parameter", "choose a kind of roll").field("kind");
            let kind = RollKind::from_word(&fields.kind).ok_or_else(wrong)?;
            drop(engine.roll(caller, name, kind, &fields.reason).await?);
        }
        "hold" => drop(engine.hold_keys(caller, name, true, &fields.reason).await?),
        "unhold" => drop(engine.hold_keys(caller, name, false, "").await?),
        "audit" => {
            let subject = Subject::Name { fqdn: name.to_owned(), undelegated: false };
            drop(engine.audit(caller, subject).await?);
        }
        "acknowledge" => acknowledge(&state, caller, name, &fields).await?,
        "retry" => {
            if let Some(operation) = &found.operation {
                drop(engine.hurry(caller, &operation.id).await?);
            }
        }
        _ => return Err(Refusal::new("not-found", "there is no such act").into()),
    }
    Ok(see_other(&format!("/admin/sovereigns/{name}")))
}

/// Until a number of days from now; none takes it back.
async fn acknowledge(state: &S, caller: &Caller, name: &str, fields: &Fields) -> Result<(), Failure> {
    let known = if fields.days.is_empty() {
        None
    } else {
        let wrong = || Refusal::new("invalid-parameter", "a whole number of days").field("days");
        let days: u32 = fields.days.parse().map_err(|_| wrong())?;
        let until = state.engine().store().now().await? + Duration::from_secs(u64::from(days) * 86_400);
        Some((fields.reason.clone(), until))
    };
    Ok(state.engine().acknowledge(caller, name, &fields.finding, known).await?)
}
