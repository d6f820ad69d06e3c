//! `/wizard/names/{fqdn}`: how a held name comes into the DNS, live.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::StatusCode;
use pdm_engine::Engine;
use pdm_engine::caller::Caller;
use pdm_engine::intents::carry_over::Decisions;
use pdm_engine::intents::{Accepted, IntentError};
use pdm_model::{
    Allocation, Operation, OperationState, Parent, Phase, Refusal, Step, StepState, Target, Timestamp, Who,
};
use pdm_ports::registrar::Passport;
use serde::Deserialize;

use super::super::form::Form;
use super::super::session::Purpose;
use super::super::strip::{Station, stations, verdict};
use super::super::{Chrome, Problem, Viewer, html, html_with, see_other};
use super::brought::{Brought, registrar_of};
use super::carried::Table;
use super::passport::Seen;
use crate::app::S;
use crate::extract::{At, Params};
use crate::problem::Failure;
use crate::tokens::wall_clock;

/// How long a link for somebody else shows the name.
const LINK_LASTS_MS: i64 = 7 * 24 * 3600 * 1000;
/// Between two looks of the live stream.
const LOOK: Duration = Duration::from_secs(1);

/// A name and how it stands; the wizard's page and the link for somebody else show the same.
pub(crate) struct Standing {
    pub a: Allocation,
    pub verdict: &'static str,
    pub stations: Vec<Station>,
    pub brought: Brought,
    pub over: bool,
    /// What is under way; once it is over, the one that put the name into the DNS.
    pub operation: Option<Operation>,
    /// Records of the old zone; none when there is none.
    pub carried: Option<Table>,
}

impl Standing {
    pub(crate) async fn new(engine: &Engine, caller: &Caller, found: Accepted, registrar: &str) -> Self {
        let Accepted { allocation: a, operation } = found;
        let open = operation.as_ref().is_some_and(|o| o.state == OperationState::Open);
        let first = a.commit_operation.as_deref();
        let shown = match (&operation, first) {
            (None, Some(id)) => engine.operation(caller, id).await.ok(),
            _ => operation.clone(),
        };
        let waits = operation.iter().flat_map(|o| &o.steps).filter_map(|step| step.wait_reason.as_ref());
        let credential =
            waits.into_iter().any(|w| w.who == Who::Caller && w.reason.starts_with("credential"));
        let carried = if a.mode.parent() == Parent::Foreign && a.phase.has_zone() {
            engine.carry_over(caller, a.fqdn.as_str()).await.ok().map(|carried| Table::of(&carried))
        } else {
            None
        };
        Self {
            verdict: verdict(&a, operation.as_ref()),
            stations: stations(&a, operation.as_ref()),
            over: !open && a.phase != Phase::Reserved,
            brought: Brought::of(engine, &a, registrar, credential),
            operation: shown,
            carried,
            a,
        }
    }

    pub(crate) fn is_brought(&self) -> bool {
        self.a.mode.parent() == Parent::Foreign
    }

    /// How a step looks: a key of the words, and its sign.
    pub(crate) fn look(&self, step: &Step) -> &'static str {
        match (step.state, step.wait_reason.as_ref().map(|wait| wait.who)) {
            (StepState::Done, _) => "state-done",
            (StepState::Pending, _) => "state-later",
            (_, Some(Who::Caller | Who::Operator)) => "state-yours",
            (StepState::Running | StepState::Waiting, _) => "state-working",
        }
    }

    pub(crate) fn sign(&self, step: &Step) -> &'static str {
        match self.look(step) {
            "state-done" => "✓",
            "state-later" => "○",
            "state-yours" => "☞",
            _ => "…",
        }
    }

    /// Where the wait is cut short; nowhere when nothing is under way or somebody else looks.
    pub(crate) fn hurry(&self, c: &Chrome) -> String {
        let open = self.operation.as_ref().is_some_and(|o| o.state == OperationState::Open);
        if open && c.may_commit { format!("/wizard/names/{}/check", self.a.fqdn) } else { String::new() }
    }

    pub(crate) fn is_reserved(&self) -> bool {
        self.a.phase == Phase::Reserved
    }
}

#[derive(Template)]
#[template(path = "name.html")]
struct Page {
    c: Chrome,
    s: Standing,
    more: More,
}

/// What an act leaves on the page, besides how the name stands.
#[derive(Default)]
struct More {
    link: Option<(String, Timestamp)>,
    /// The passport, when a page without scripts asked for it.
    p: Option<Seen>,
    /// What a credential is good for, or why it is not.
    credential: Option<Result<Passport, Refusal>>,
    /// Why nothing came of it.
    why: Option<Problem>,
    /// The address that was typed.
    address: String,
    /// Where calls to a registrar come from.
    egress: Vec<String>,
}

#[derive(Template)]
#[template(path = "strip.html")]
struct Strip {
    c: Chrome,
    s: Standing,
}

#[derive(Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    registrar: String,
    #[serde(default)]
    look: String,
}

/// The page.
pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
    Params(choice): Params<Choice>,
) -> Result<Response, Failure> {
    let found = state.engine().get(&viewer.caller, &fqdn).await?;
    let s = Standing::new(state.engine(), &viewer.caller, found, &choice.registrar).await;
    let p = if choice.look.is_empty() { None } else { Some(Seen::of(&state, &viewer, &fqdn).await?) };
    html(&Page { c: viewer.c, s, more: More { p, egress: egress(&state), ..More::default() } })
}

fn egress(state: &S) -> Vec<String> {
    state.app.pages.egress.clone()
}

/// The part that changes.
pub(crate) async fn strip(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let found = state.engine().get(&viewer.caller, &fqdn).await?;
    let s = Standing::new(state.engine(), &viewer.caller, found, "").await;
    html(&Strip { c: viewer.c, s })
}

/// Says when the part changed; the script fetches it then.
pub(crate) async fn events(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    state.engine().get(&viewer.caller, &fqdn).await?;
    // The first event comes at once: what happened since the page was written, or since a lost connection, is not missed.
    let seen = None;
    let feed = stream::unfold((state, viewer.caller, fqdn, seen), |(state, caller, fqdn, seen)| async move {
        loop {
            if *state.stop.borrow() {
                return None;
            }
            let Ok(found) = state.engine().get(&caller, &fqdn).await else { return None };
            let attempts =
                found.operation.as_ref().map_or(0, |o| o.steps.iter().map(|s| s.attempts).sum::<u32>());
            let now = Some((found.allocation.updated_at, attempts));
            if now != seen {
                let event = Ok::<_, Infallible>(Event::default().event("change").data("look"));
                return Some((event, (state, caller, fqdn, now)));
            }
            match &found.operation {
                Some(operation) => state.engine().next_change(&operation.id, LOOK).await,
                None => tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = state.stopped() => {}
                },
            }
        }
    });
    Ok(Sse::new(feed).keep_alive(KeepAlive::default()).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    #[serde(default)]
    address: String,
    #[serde(default)]
    registrar: String,
    /// A name of the old zone that may differ.
    #[serde(default)]
    owner: String,
    /// The old zone as a file.
    #[serde(default)]
    zone: String,
    /// The whole name, before somebody else's zone is changed.
    #[serde(default)]
    typed: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

/// What an act leads to.
enum Came {
    /// The name's page, loaded anew.
    Done,
    /// The page as it is now, with more on it.
    Shown(Box<More>),
}

/// Extend, commit, look now, make a link. What is refused is told on the same page.
pub(crate) async fn act(
    State(state): State<S>,
    At((fqdn, act)): At<(String, String)>,
    form: Form<Fields>,
) -> Result<Response, Failure> {
    let Form { viewer, fields } = form;
    let found = state.engine().get(&viewer.caller, &fqdn).await?;
    let name = found.allocation.fqdn.clone();
    let (chosen, address) = (fields.registrar.clone(), fields.address.trim().to_owned());
    let (status, more) = match carry_out(&state, &viewer, found, &act, fields).await {
        Ok(Came::Done) => return Ok(see_other(&format!("/wizard/names/{name}"))),
        Ok(Came::Shown(more)) => (StatusCode::OK, *more),
        Err(failure) if failure.note.is_none() && failure.refusal.code != "not-found" => {
            (failure.status(), More { why: Some(Problem::from(&failure.refusal)), ..More::default() })
        }
        Err(failure) => return Err(failure),
    };
    let found = state.engine().get(&viewer.caller, name.as_str()).await?;
    let s = Standing::new(state.engine(), &viewer.caller, found, &chosen).await;
    let more = More { address, egress: egress(&state), ..more };
    // Links of the page lead to the page, not to the act.
    let c = Chrome { path: format!("/wizard/names/{name}"), ..viewer.c };
    html_with(status, &Page { c, s, more })
}

async fn carry_out(
    state: &S,
    viewer: &Viewer,
    found: Accepted,
    act: &str,
    fields: Fields,
) -> Result<Came, Failure> {
    let (engine, caller) = (state.engine(), &viewer.caller);
    let name = found.allocation.fqdn.clone();
    // The caller may see the name, so the token that is derived from it may act for the caller.
    let token = state.app.token_key.token(&found.allocation.id);
    match act {
        "extend" => drop(engine.extend(caller, name.as_str(), &token).await?),
        "check" => {
            if let Some(operation) = &found.operation {
                drop(engine.hurry(caller, &operation.id).await?);
            }
        }
        "commit" => {
            let typed = fields.address.trim();
            let address = typed.parse().map_err(|_| {
                Refusal::new("invalid-target", format!("{typed:?} is not an IPv4 address")).field("address")
            })?;
            let registrar = registrar_of(&fields.registrar, fields.rest)?;
            if registrar.is_some() {
                not_in_a_frame(viewer)?;
            }
            if registrar.is_some() && fields.typed.trim().to_ascii_lowercase() != name.as_str() {
                return Err(Refusal::new("invalid-body", "type the whole name to confirm")
                    .field("typed")
                    .into());
            }
            let target = Target::single(address);
            drop(engine.commit(caller, name.as_str(), &token, target, registrar).await?);
        }
        "link" => {
            let until = Timestamp(wall_clock().0 + LINK_LASTS_MS);
            let link = state.seal.seal(Purpose::Link, name.to_string(), until).map(|text| (text, until));
            return Ok(Came::Shown(Box::new(More { link, ..More::default() })));
        }
        "validate" => {
            not_in_a_frame(viewer)?;
            let given = registrar_of(&fields.registrar, fields.rest)?;
            let given =
                given.ok_or_else(|| Refusal::new("invalid-body", "choose a registrar").field("registrar"))?;
            let seen = engine.validate_credential(caller, &given.id, name.as_str(), given.credential).await;
            let credential = Some(match seen {
                Ok(passport) => Ok(passport),
                Err(IntentError::Refused(refusal)) => Err(refusal),
                Err(fault @ IntentError::Fault(_)) => return Err(fault.into()),
            });
            return Ok(Came::Shown(Box::new(More { credential, ..More::default() })));
        }
        "waive" => {
            let decisions = Decisions { waive: [fields.owner].into(), ..Decisions::default() };
            drop(engine.decide_carry_over(caller, name.as_str(), decisions).await?);
        }
        "accept-incomplete" => {
            let decisions = Decisions { accept_incomplete: true, ..Decisions::default() };
            drop(engine.decide_carry_over(caller, name.as_str(), decisions).await?);
        }
        "upload" => drop(engine.upload_carry_over(caller, name.as_str(), &fields.zone).await?),
        "credential" => {
            not_in_a_frame(viewer)?;
            if let Some(given) = registrar_of(&fields.registrar, fields.rest)? {
                engine.give_credential(caller, name.as_str(), given).await?;
            }
        }
        _ => return Err(Refusal::new("not-found", "there is no such act").into()),
    }
    Ok(Came::Done)
}

/// Whoever shows a frame could lay something over it; secrets are not typed there.
fn not_in_a_frame(viewer: &Viewer) -> Result<(), Refusal> {
    if !viewer.c.framed {
        return Ok(());
    }
    let detail = "credentials are not given inside a frame; open the wizard in a window of its own";
    Err(Refusal::new("forbidden", detail))
}
