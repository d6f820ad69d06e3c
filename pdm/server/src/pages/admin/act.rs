//! What an admin may do to a name. The plan is shown first; an act that takes the name from its users asks for the
//! name to be typed, and is refused when it was not.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_engine::caller::Right;
use pdm_model::Refusal;
use serde::Deserialize;

use super::super::form::Form;
use super::super::{Chrome, Viewer, html, see_other};
use crate::app::S;
use crate::extract::At;
use crate::problem::Failure;

/// One act.
struct Act {
    word: &'static str,
    /// Key of its plan; none when it needs no confirmation.
    plan: Option<&'static str>,
    right: Right,
    command: &'static str,
}

const ACTS: &[Act] = &[
    Act { word: "release", plan: Some("plan-release"), right: Right::Release, command: "pdm release" },
    Act { word: "suspend", plan: Some("plan-suspend"), right: Right::Administer, command: "pdm suspend" },
    Act { word: "resume", plan: None, right: Right::Administer, command: "pdm resume" },
    Act { word: "retry", plan: None, right: Right::Commit, command: "pdm retry" },
];

fn act_of(word: &str) -> Result<&'static Act, Refusal> {
    ACTS.iter().find(|act| act.word == word).ok_or_else(|| Refusal::new("not-found", "there is no such act"))
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
    wrong: bool,
}

/// The plan, and the question.
pub(crate) async fn confirm(
    State(state): State<S>,
    viewer: Viewer,
    At((fqdn, act)): At<(String, String)>,
) -> Result<Response, Failure> {
    let act = act_of(&act)?;
    viewer.caller.must(act.right)?;
    let found = state.engine().get(&viewer.caller, &fqdn).await?;
    html(&page(viewer.c, found.allocation.fqdn.as_str(), act, false))
}

fn page(c: Chrome, fqdn: &str, act: &'static Act, wrong: bool) -> Page {
    Page {
        c,
        fqdn: fqdn.to_owned(),
        act: act.word,
        plan: act.plan.unwrap_or(act.word),
        command: format!("{} {fqdn}", act.command),
        asks_reason: act.word == "suspend",
        wrong,
    }
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    #[serde(default)]
    typed: String,
    #[serde(default)]
    reason: String,
}

/// Do it.
pub(crate) async fn handler(
    State(state): State<S>,
    At((fqdn, act)): At<(String, String)>,
    form: Form<Fields>,
) -> Result<Response, Failure> {
    let act = act_of(&act)?;
    let (caller, engine) = (&form.viewer.caller, state.engine());
    caller.must(act.right)?;
    let found = engine.get(caller, &fqdn).await?;
    let name = found.allocation.fqdn.as_str();
    if act.plan.is_some() && form.fields.typed.trim().trim_end_matches('.').to_ascii_lowercase() != name {
        return html(&page(form.viewer.c.clone(), name, act, true));
    }
    match act.word {
        "release" => drop(engine.release(caller, name, None).await?),
        "suspend" => drop(engine.suspend(caller, name, &form.fields.reason).await?),
        "resume" => drop(engine.resume(caller, name).await?),
        "retry" => {
            if let Some(operation) = &found.operation {
                drop(engine.hurry(caller, &operation.id).await?);
            }
        }
        _ => return Err(Refusal::new("not-found", "there is no such act").into()),
    }
    Ok(see_other(&format!("/admin/sovereigns/{name}")))
}
