//! `/wizard`: which name shall it be. Understands whatever is pasted, says live whether it can be had, and holds it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_engine::intents::claim::ClaimRequest;
use pdm_engine::intents::{CheckAnswer, IntentError, ReserveRequest};
use pdm_model::{Mode, Refusal, ZoneName};
use serde::Deserialize;

use super::super::form::Form;
use super::super::{Chrome, Viewer, html, see_other};
use super::passport::Seen;
use crate::app::S;
use crate::extract::Params;
use crate::problem::Failure;

#[derive(Deserialize, Default)]
pub(crate) struct Query {
    #[serde(default)]
    name: String,
    #[serde(default)]
    pool: String,
    /// Look at a typed domain now; scripts fetch that afterwards.
    #[serde(default)]
    look: String,
}

/// What became of a typed name.
struct Understood {
    label: String,
    pool: String,
    answer: CheckAnswer,
}

#[derive(Template)]
#[template(path = "wizard.html")]
struct Page {
    c: Chrome,
    typed: String,
    pool: String,
    pools: Vec<String>,
    understood: Option<Understood>,
    brings: Vec<Brings>,
    /// The typed domain, if it may be one that its owner brings.
    domain: Option<String>,
    p: Option<Seen>,
}

/// A mode in which a domain can be brought, or why it cannot.
struct Brings {
    mode: &'static str,
    key: String,
    cannot: Option<String>,
}

#[derive(Template)]
#[template(path = "availability.html")]
struct Availability {
    c: Chrome,
    understood: Option<Understood>,
}

/// The page.
pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let understood = understand(&state, &viewer, &query).await?;
    let p = if query.look.is_empty() { None } else { Some(Seen::of(&state, &viewer, &query.name).await?) };
    html(&page(&state, viewer, query, understood, p))
}

fn page(state: &S, viewer: Viewer, query: Query, understood: Option<Understood>, p: Option<Seen>) -> Page {
    let pools = pools(state, &viewer);
    let brings = brings(state, &viewer, bare(&query.name));
    let open = brings.iter().any(|way| way.cannot.is_none());
    let domain = Some(bare(&query.name).to_owned()).filter(|name| open && name.contains('.'));
    Page { c: viewer.c, typed: query.name, pool: query.pool, pools, understood, brings, domain, p }
}

/// What is typed decides which ways are open; a way that is closed says why.
fn brings(state: &S, viewer: &Viewer, typed: &str) -> Vec<Brings> {
    // A label alone is a wish for a name in a pool, and says nothing about a domain.
    let name = typed.contains('.').then(|| state.engine().may_be_brought(&viewer.caller, typed));
    let name = name.and_then(Result::err).map(|refusal| refusal.detail);
    let none = state.engine().registrars().is_empty();
    let way = |mode: Mode, closed: Option<String>| Brings {
        mode: mode.as_str(),
        key: format!("mode-{}", mode.as_str()),
        cannot: closed,
    };
    let api = none.then(|| viewer.c.t("no-registrars").to_owned());
    vec![way(Mode::ByoManual, name.clone()), way(Mode::ByoApi, name.or(api))]
}

#[derive(Deserialize)]
pub(crate) struct Bring {
    domain: String,
    mode: String,
}

/// Claim a domain that its owner brings.
pub(crate) async fn claim(State(state): State<S>, form: Form<Bring>) -> Result<Response, Failure> {
    let Form { viewer, fields } = form;
    let mode = Mode::from_word(&fields.mode)
        .ok_or_else(|| Refusal::new("unsupported-mode", "choose a way").field("mode"))?;
    let request = ClaimRequest {
        mode,
        domain: bare(&fields.domain).to_owned(),
        owner: None,
        created_by: None,
        request_key: None,
    };
    let claimed = state.engine().claim(&viewer.caller, request).await?;
    Ok(see_other(&format!("/wizard/names/{}", claimed.allocation.fqdn)))
}

/// The part that changes while somebody types.
pub(crate) async fn check(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let understood = understand(&state, &viewer, &query).await?;
    html(&Availability { c: viewer.c, understood })
}

fn pools(state: &S, viewer: &Viewer) -> Vec<String> {
    let usable = |pool: &&ZoneName| viewer.caller.pool.as_ref().is_none_or(|only| only == *pool);
    state.engine().settings().pools.keys().filter(usable).map(ToString::to_string).collect()
}

/// Strip what people paste around a name: a scheme, a path, a port, white space.
pub(super) fn bare(typed: &str) -> &str {
    let typed = typed.trim();
    let typed = typed.split_once("://").map_or(typed, |(_, rest)| rest);
    let typed = typed.split(['/', '?', '#']).next().unwrap_or_default();
    typed
        .split('@')
        .next_back()
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
}

async fn understand(state: &S, viewer: &Viewer, query: &Query) -> Result<Option<Understood>, Failure> {
    let typed = bare(&query.name);
    if typed.is_empty() {
        return Ok(None);
    }
    let pools = pools(state, viewer);
    // A whole name below one of the pools names its pool itself.
    let lower = typed.to_lowercase();
    let inside = pools.iter().find_map(|pool| {
        let label = lower.strip_suffix(pool.as_str())?.strip_suffix('.')?;
        Some((label.to_owned(), pool.clone()))
    });
    let chosen = pools.iter().find(|pool| **pool == query.pool).or(pools.first());
    let Some((label, pool)) = inside.or_else(|| chosen.map(|pool| (typed.to_owned(), pool.clone()))) else {
        return Ok(None);
    };
    let answer = state.engine().check(&viewer.caller, &pool, &label).await?;
    Ok(Some(Understood { label, pool, answer }))
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    name: String,
    #[serde(default)]
    pool: String,
}

/// Hold it.
pub(crate) async fn reserve(State(state): State<S>, form: Form<Fields>) -> Result<Response, Failure> {
    let Form { viewer, fields } = form;
    let query = Query { name: fields.name, pool: fields.pool, look: String::new() };
    let Some(found) = understand(&state, &viewer, &query).await? else { return Ok(see_other("/wizard")) };
    let request = ReserveRequest { pool: found.pool, subdomain: found.label, ..ReserveRequest::default() };
    match state.engine().reserve(&viewer.caller, request).await {
        Ok(reserved) => Ok(see_other(&format!("/wizard/names/{}", reserved.allocation.fqdn))),
        // Somebody was faster, or the rules say no: the page says so beside the field.
        Err(IntentError::Refused(_)) => {
            let understood = understand(&state, &viewer, &query).await?;
            html(&page(&state, viewer, query, understood, None))
        }
        Err(fault) => Err(fault.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn what_people_paste_is_understood() {
        for (typed, name) in [
            ("https://Acme.com/", "Acme.com"),
            (" acme.com. ", "acme.com"),
            ("acme", "acme"),
            ("http://user@acme.com:8080/path?x#y", "acme.com"),
            ("", ""),
        ] {
            assert_eq!(bare(typed), name);
        }
    }
}
