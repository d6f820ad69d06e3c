//! `/wizard`: which name shall it be. One field takes whatever is pasted; beside it stand the three ways, each with what
//! it would make of the name, or why it cannot.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_engine::intents::claim::ClaimRequest;
use pdm_engine::intents::{CheckAnswer, IntentError, ReserveRequest};
use pdm_model::{Mode, Refusal, Timestamp, ZoneName};
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

/// A way to a name, with the keys of its words.
struct WayWords {
    mode: Mode,
    title: &'static str,
    hint: &'static str,
    open: &'static str,
    take: &'static str,
}

const WAYS: [WayWords; 3] = [
    WayWords {
        mode: Mode::Pool,
        title: "mode-pool",
        hint: "mode-pool-hint",
        open: "available",
        take: "reserve",
    },
    WayWords {
        mode: Mode::ByoManual,
        title: "mode-byo-manual",
        hint: "mode-byo-manual-hint",
        open: "may-be-brought",
        take: "bring-manual",
    },
    WayWords {
        mode: Mode::ByoApi,
        title: "mode-byo-api",
        hint: "mode-byo-api-hint",
        open: "may-be-brought",
        take: "bring-api",
    },
];

/// What a way makes of a typed name.
enum Found {
    /// Nothing was typed.
    Nothing,
    /// It would be this name.
    Open {
        name: ZoneName,
        note: Option<String>,
    },
    Closed(Closed),
}

/// Why a way is closed.
#[derive(Default)]
struct Closed {
    code: Option<&'static str>,
    detail: String,
    until: Option<Timestamp>,
    /// Whole names that are free.
    suggestions: Vec<String>,
}

struct Way {
    w: WayWords,
    found: Found,
}

impl Way {
    fn mode(&self) -> &'static str {
        self.w.mode.as_str()
    }

    fn is_closed(&self) -> bool {
        matches!(self.found, Found::Closed(_))
    }

    fn action(&self) -> &'static str {
        match self.w.mode {
            Mode::Pool => "/wizard/reserve",
            Mode::ByoManual | Mode::ByoApi => "/wizard/claim",
        }
    }
}

/// A typed name as it goes into the DNS, and as people read it when that differs.
struct Understood {
    ascii: String,
    unicode: Option<String>,
}

/// The three ways.
#[derive(Template)]
#[template(path = "ways.html")]
struct Ways {
    c: Chrome,
    understood: Option<Understood>,
    ways: Vec<Way>,
}

#[derive(Template)]
#[template(path = "wizard.html")]
struct Page {
    c: Chrome,
    typed: String,
    pool: String,
    pools: Vec<String>,
    understood: Option<Understood>,
    ways: Vec<Way>,
    /// The typed domain, if it may be one that its owner brings.
    domain: Option<String>,
    p: Option<Seen>,
}

/// The page.
pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let p = if query.look.is_empty() { None } else { Some(Seen::of(&state, &viewer, &query.name).await?) };
    page(&state, viewer, query, p).await
}

async fn page(state: &S, viewer: Viewer, query: Query, p: Option<Seen>) -> Result<Response, Failure> {
    let Ways { c: _, understood, ways } = look(state, &viewer, &query).await?;
    let brought = ways.iter().filter(|way| way.w.mode != Mode::Pool);
    let domain = brought
        .filter_map(|way| match &way.found {
            Found::Open { name, .. } => Some(name.to_string()),
            Found::Nothing | Found::Closed(_) => None,
        })
        .next();
    let pools = pools(state, &viewer);
    html(&Page { typed: query.name, pool: query.pool, pools, understood, ways, domain, p, c: viewer.c })
}

/// The part that changes while somebody types.
pub(crate) async fn check(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    html(&look(&state, &viewer, &query).await?)
}

/// What each way makes of what was typed. A read of the store.
async fn look(state: &S, viewer: &Viewer, query: &Query) -> Result<Ways, Failure> {
    let typed = bare(&query.name);
    let mut ways = Vec::new();
    for w in WAYS {
        let found = match w.mode {
            _ if typed.is_empty() => Found::Nothing,
            Mode::Pool => in_a_pool(state, viewer, typed, &query.pool).await?,
            Mode::ByoManual | Mode::ByoApi => brought(state, viewer, typed, w.mode).await?,
        };
        ways.push(Way { w, found });
    }
    Ok(Ways { c: viewer.c.clone(), understood: understood(typed), ways })
}

fn understood(typed: &str) -> Option<Understood> {
    if typed.is_empty() {
        return None;
    }
    let lower = typed.to_lowercase();
    let ascii = match ZoneName::parse(typed) {
        Ok(name) => name.to_string(),
        Err(_) => lower.clone(),
    };
    let unicode = Some(lower).filter(|unicode| *unicode != ascii);
    Some(Understood { ascii, unicode })
}

/// A label of one of the pools, or a whole name below one.
async fn in_a_pool(state: &S, viewer: &Viewer, typed: &str, chosen: &str) -> Result<Found, Failure> {
    let Some((label, pool)) = pool_of(state, viewer, typed, chosen) else {
        let detail = viewer.c.t("no-pools").to_owned();
        return Ok(Found::Closed(Closed { detail, ..Closed::default() }));
    };
    let whole = |label: String| format!("{label}.{pool}");
    let answer = state.engine().check(&viewer.caller, &pool, &label).await?;
    let mut found = answered(answer);
    // Whoever typed a domain of theirs may like its first label.
    if let Found::Closed(closed) = &mut found
        && let Some((first, _)) = label.split_once('.')
        && state.engine().check(&viewer.caller, &pool, first).await?.available
    {
        closed.suggestions.push(first.to_lowercase());
    }
    if let Found::Closed(closed) = &mut found {
        closed.suggestions = std::mem::take(&mut closed.suggestions).into_iter().map(whole).collect();
    }
    Ok(found)
}

/// A domain of the viewer's own.
async fn brought(state: &S, viewer: &Viewer, typed: &str, mode: Mode) -> Result<Found, Failure> {
    let closed = |key| {
        let detail = viewer.c.t(key).to_owned();
        Ok(Found::Closed(Closed { detail, ..Closed::default() }))
    };
    // A label alone is a wish for a name in a pool, and says nothing about a domain.
    if !typed.contains('.') {
        return closed("whole-domain");
    }
    if mode == Mode::ByoApi && state.engine().registrars().is_empty() {
        return closed("no-registrars");
    }
    match state.engine().check_domain(&viewer.caller, typed).await {
        Ok(answer) => Ok(answered(answer)),
        Err(IntentError::Refused(refusal)) => Ok(Found::Closed(Closed {
            code: Some(refusal.code),
            detail: refusal.detail,
            ..Closed::default()
        })),
        Err(fault @ IntentError::Fault(_)) => Err(fault.into()),
    }
}

fn answered(answer: CheckAnswer) -> Found {
    match answer.fqdn {
        Some(name) if answer.available => Found::Open { name, note: answer.detail },
        _ => Found::Closed(Closed {
            code: answer.code,
            detail: answer.detail.unwrap_or_default(),
            until: answer.until,
            suggestions: answer.suggestions,
        }),
    }
}

#[derive(Deserialize)]
pub(crate) struct Bring {
    name: String,
    mode: String,
}

/// Claim a domain that its owner brings.
pub(crate) async fn claim(State(state): State<S>, form: Form<Bring>) -> Result<Response, Failure> {
    let Form { viewer, fields } = form;
    let mode = Mode::from_word(&fields.mode)
        .ok_or_else(|| Refusal::new("unsupported-mode", "choose a way").field("mode"))?;
    let request = ClaimRequest {
        mode,
        domain: bare(&fields.name).to_owned(),
        owner: None,
        created_by: None,
        request_key: None,
    };
    let claimed = state.engine().claim(&viewer.caller, request).await?;
    Ok(see_other(&format!("/wizard/names/{}", claimed.allocation.fqdn)))
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

/// Which label of which pool is meant.
fn pool_of(state: &S, viewer: &Viewer, typed: &str, chosen: &str) -> Option<(String, String)> {
    let pools = pools(state, viewer);
    // A whole name below one of the pools names its pool itself.
    let lower = typed.to_lowercase();
    let inside = pools.iter().find_map(|pool| {
        let label = lower.strip_suffix(pool.as_str())?.strip_suffix('.')?;
        Some((label.to_owned(), pool.clone()))
    });
    let chosen = pools.iter().find(|pool| *pool == chosen).or(pools.first());
    inside.or_else(|| chosen.map(|pool| (typed.to_owned(), pool.clone())))
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
    let Some((label, pool)) = pool_of(&state, &viewer, bare(&query.name), &query.pool) else {
        return Ok(see_other("/wizard"));
    };
    let request = ReserveRequest { pool, subdomain: label, ..ReserveRequest::default() };
    match state.engine().reserve(&viewer.caller, request).await {
        Ok(reserved) => Ok(see_other(&format!("/wizard/names/{}", reserved.allocation.fqdn))),
        // Somebody was faster, or the rules say no: the page says so beside the field.
        Err(IntentError::Refused(_)) => page(&state, viewer, query, None).await,
        Err(fault) => Err(fault.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::words::{Lang, word};
    use super::{WAYS, bare, understood};

    #[test]
    fn the_words_of_every_way_are_known() {
        for key in WAYS.iter().flat_map(|w| [w.title, w.hint, w.open, w.take]) {
            assert_ne!(word(Lang::Ar, key), key);
        }
    }

    #[test]
    fn a_name_is_shown_as_it_goes_into_the_dns() {
        let seen = |typed| understood(typed).map(|u| (u.ascii, u.unicode));
        assert_eq!(seen(""), None);
        assert_eq!(seen("Acme.com"), Some(("acme.com".into(), None)));
        let idn = ("xn--bcher-kva.example".into(), Some("bücher.example".into()));
        assert_eq!(seen("Bücher.example"), Some(idn));
    }

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
