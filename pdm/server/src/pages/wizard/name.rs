//! `/wizard/names/{fqdn}`: how a held name comes into the DNS, live.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use pdm_engine::Engine;
use pdm_engine::intents::Accepted;
use pdm_model::{Allocation, OperationState, Phase, Refusal, Target, Timestamp};
use serde::Deserialize;

use super::super::form::Form;
use super::super::session::Purpose;
use super::super::strip::{Station, stations, verdict};
use super::super::{Chrome, Viewer, html, see_other};
use super::brought::{Brought, registrar_of};
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
}

impl Standing {
    pub(crate) fn new(engine: &Engine, found: Accepted, registrar: &str) -> Self {
        let Accepted { allocation: a, operation } = found;
        let open = operation.as_ref().is_some_and(|o| o.state == OperationState::Open);
        Self {
            verdict: verdict(&a, operation.as_ref()),
            stations: stations(&a, operation.as_ref()),
            over: !open && a.phase != Phase::Reserved,
            brought: Brought::of(engine, &a, registrar),
            a,
        }
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
    link: Option<(String, Timestamp)>,
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
}

/// The page.
pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
    Params(choice): Params<Choice>,
) -> Result<Response, Failure> {
    let found = state.engine().get(&viewer.caller, &fqdn).await?;
    let s = Standing::new(state.engine(), found, &choice.registrar);
    html(&Page { c: viewer.c, s, link: None })
}

/// The part that changes.
pub(crate) async fn strip(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let s = Standing::new(state.engine(), state.engine().get(&viewer.caller, &fqdn).await?, "");
    html(&Strip { c: viewer.c, s })
}

/// Says when the part changed; the script fetches it then.
pub(crate) async fn events(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let first = state.engine().get(&viewer.caller, &fqdn).await?;
    let seen = (first.allocation.updated_at, 0u32);
    let feed = stream::unfold((state, viewer.caller, fqdn, seen), |(state, caller, fqdn, seen)| async move {
        loop {
            if *state.stop.borrow() {
                return None;
            }
            let Ok(found) = state.engine().get(&caller, &fqdn).await else { return None };
            let attempts = found.operation.as_ref().map_or(0, |o| o.steps.iter().map(|s| s.attempts).sum());
            let now = (found.allocation.updated_at, attempts);
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
    /// The whole name, before somebody else's zone is changed.
    #[serde(default)]
    typed: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

/// Extend, commit, look now, make a link.
pub(crate) async fn act(
    State(state): State<S>,
    At((fqdn, act)): At<(String, String)>,
    form: Form<Fields>,
) -> Result<Response, Failure> {
    let Form { viewer, fields } = form;
    let engine = state.engine();
    let found = engine.get(&viewer.caller, &fqdn).await?;
    let name = found.allocation.fqdn.clone();
    // The caller may see the name, so the token that is derived from it may act for the caller.
    let token = state.app.token_key.token(&found.allocation.id);
    match act.as_str() {
        "extend" => drop(engine.extend(&viewer.caller, name.as_str(), &token).await?),
        "check" => {
            if let Some(operation) = &found.operation {
                drop(engine.hurry(&viewer.caller, &operation.id).await?);
            }
        }
        "commit" => {
            let typed = fields.address.trim();
            let address = typed.parse().map_err(|_| {
                Refusal::new("invalid-target", format!("{typed:?} is not an IPv4 address")).field("address")
            })?;
            let registrar = registrar_of(&fields.registrar, fields.rest)?;
            if registrar.is_some() && fields.typed.trim().to_ascii_lowercase() != name.as_str() {
                return Err(Refusal::new("invalid-body", "type the whole name to confirm")
                    .field("typed")
                    .into());
            }
            let target = Target::single(address);
            drop(engine.commit(&viewer.caller, name.as_str(), &token, target, registrar).await?);
        }
        "link" => {
            let until = Timestamp(wall_clock().0 + LINK_LASTS_MS);
            let link = state.seal.seal(Purpose::Link, name.to_string(), until).map(|text| (text, until));
            return html(&Page { c: viewer.c, s: Standing::new(engine, found, ""), link });
        }
        _ => return Err(Refusal::new("not-found", "there is no such act").into()),
    }
    Ok(see_other(&format!("/wizard/names/{name}")))
}
