//! Who looks at a page, in which language; and what every page carries.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use pdm_engine::caller::{Caller, Right};
use pdm_model::{Refusal, Timestamp};

use super::session::cookie;
use super::words::{Lang, word};
use crate::app::S;
use crate::extract::Asking;
use crate::problem::Failure;

/// The cookie of a chosen language.
pub(crate) const LANGUAGE: &str = "pdm_language";

/// Marks the requests of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Framed;

/// What forms of a session are bound to.
#[derive(Clone)]
pub(crate) struct SessionId(pub String);

/// Somebody who signed in.
pub(crate) struct Viewer {
    pub caller: Arc<Caller>,
    /// Identity of the session; forms are bound to it.
    pub session: String,
    pub c: Chrome,
}

/// What every page carries.
#[derive(Clone)]
pub(crate) struct Chrome {
    pub lang: Lang,
    /// The actor of the audit log; empty for nobody.
    pub actor: String,
    /// The hidden field of every form.
    pub form: String,
    /// This page.
    pub path: String,
    /// Inside somebody else's page: nothing is offered there that a domain's present users would lose by.
    pub framed: bool,
    pub may_read: bool,
    pub may_audit: bool,
    pub may_admin: bool,
    pub may_reserve: bool,
    pub may_commit: bool,
    pub may_release: bool,
}

impl Chrome {
    /// A word in the viewer's language.
    pub(crate) fn t<'a>(&self, key: &'a str) -> &'a str {
        word(self.lang, key)
    }

    /// The other languages, for the switch.
    pub(crate) fn others(&self) -> Vec<Lang> {
        Lang::ALL.into_iter().filter(|lang| *lang != self.lang).collect()
    }

    /// Whether this page belongs to a place of the menu.
    pub(crate) fn is_at(&self, place: &str) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        match path.strip_prefix(place) {
            Some("") => true,
            Some(rest) => rest.starts_with("/sovereigns/") || rest.starts_with("/names/"),
            None => false,
        }
    }

    /// This page's address inside another address.
    pub(crate) fn path_encoded(&self) -> String {
        super::form::encode(&self.path)
    }

    /// The address of a file of ours.
    pub(crate) fn asset(&self, name: &str) -> String {
        super::assets::address(name)
    }

    /// A time for machines and, until the script makes it local, for people.
    pub(crate) fn time(&self, time: &Timestamp) -> String {
        let text = time.to_string();
        let day = text.get(..10).unwrap_or_default();
        let minute = text.get(11..19).unwrap_or_default();
        format!("{day} {minute} UTC")
    }

    /// For a page that needs nobody.
    pub(crate) fn for_nobody(headers: &HeaderMap, path: &str) -> Self {
        Self {
            lang: language(headers),
            actor: String::new(),
            form: String::new(),
            path: path.to_owned(),
            framed: false,
            may_read: false,
            may_audit: false,
            may_admin: false,
            may_reserve: false,
            may_commit: false,
            may_release: false,
        }
    }
}

fn language(headers: &HeaderMap) -> Lang {
    let chosen = cookie(headers, LANGUAGE).and_then(Lang::from_tag);
    let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    chosen.or_else(|| header.and_then(Lang::accepted)).unwrap_or(Lang::En)
}

impl FromRequestParts<S> for Viewer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let nobody = || Failure::from(Refusal::new("unauthenticated", "sign in first"));
        let caller = parts.extensions.get::<Asking>().map(|asking| asking.0.clone()).ok_or_else(nobody)?;
        let framed = parts.extensions.get::<Framed>().is_some();
        let session = parts.extensions.get::<SessionId>().map(|id| id.0.clone()).unwrap_or_default();
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        let may = |right| caller.role.may(right);
        let c = Chrome {
            actor: caller.actor.clone(),
            form: state.seal.form_token(&session),
            framed,
            may_read: may(Right::Read),
            may_audit: may(Right::Audit),
            may_admin: may(Right::Administer),
            may_reserve: may(Right::Reserve),
            may_commit: may(Right::Commit),
            may_release: may(Right::Release),
            ..Chrome::for_nobody(&parts.headers, &path)
        };
        Ok(Self { caller, session, c })
    }
}
