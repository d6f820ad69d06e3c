//! What can be seen of a domain before anything is done with it: where it is served, what secures it, whether mail
//! depends on it, and the way to us with its times. Seen with the patience of a person, so a page fetches it afterwards.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_engine::intents::IntentError;
use pdm_engine::passport::DomainPassport;
use pdm_model::handover::Plan;
use pdm_model::{Refusal, ZoneName};
use pdm_ports::walk::Security;
use serde::Deserialize;

use super::super::{Chrome, Viewer, html};
use super::start::bare;
use crate::app::S;
use crate::extract::Params;
use crate::problem::Failure;

/// A passport, or why there is none.
pub(crate) struct Seen {
    pub domain: Result<Box<DomainPassport>, Refusal>,
    /// Where it would be served.
    pub ours: Vec<ZoneName>,
}

impl Seen {
    /// Look now.
    pub(crate) async fn of(state: &S, viewer: &Viewer, typed: &str) -> Result<Self, Failure> {
        let domain = match state.engine().passport(&viewer.caller, bare(typed)).await {
            Ok(seen) => Ok(Box::new(seen)),
            Err(IntentError::Refused(refusal)) => Err(refusal),
            Err(fault @ IntentError::Fault(_)) => return Err(fault.into()),
        };
        Ok(Self { domain, ours: state.engine().settings().nameservers.clone() })
    }

    pub(crate) fn seen(&self) -> Option<&DomainPassport> {
        self.domain.as_ref().ok().map(Box::as_ref)
    }

    pub(crate) fn refused(&self) -> Option<&Refusal> {
        self.domain.as_ref().err().or_else(|| self.seen()?.plan.as_ref()?.as_ref().err())
    }

    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.seen()?.plan.as_ref()?.as_ref().ok()
    }

    /// Key of what secures it.
    pub(crate) fn dnssec(&self) -> &'static str {
        match self.seen().and_then(|seen| seen.security.as_ref().map(|s| (s, seen.ds.is_empty()))) {
            Some((Security::Secure, false)) => "dnssec-secure",
            Some((Security::Secure, true) | (Security::Insecure { .. }, _)) => "dnssec-insecure",
            Some((Security::Bogus { .. }, _)) => "dnssec-bogus",
            Some((Security::Unknown { .. }, _)) | None => "not-asked",
        }
    }
}

#[derive(Template)]
#[template(path = "passport.html")]
struct Part {
    c: Chrome,
    p: Seen,
}

#[derive(Deserialize)]
pub(crate) struct Query {
    #[serde(default)]
    name: String,
}

/// The part of a page.
pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let p = Seen::of(&state, &viewer, &query.name).await?;
    html(&Part { c: viewer.c, p })
}
