//! `/s/{link}`: how one name stands, for somebody without a token, for a while, and nothing else.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use pdm_engine::Engine;
use pdm_model::{Refusal, Timestamp};

use super::super::session::Purpose;
use super::super::{Chrome, html};
use super::name::Standing;
use crate::app::S;
use crate::extract::At;
use crate::problem::Failure;
use crate::tokens::wall_clock;

#[derive(Template)]
#[template(path = "link.html")]
struct Page {
    c: Chrome,
    s: Standing,
    until: Timestamp,
}

pub(crate) async fn handler(
    State(state): State<S>,
    headers: HeaderMap,
    At(link): At<String>,
) -> Result<Response, Failure> {
    let over = || Refusal::new("not-found", "this link is not one of ours, or its time is over");
    let (fqdn, until) = state.seal.open::<String>(Purpose::Link, &link, wall_clock()).ok_or_else(over)?;
    let itself = Engine::itself();
    let found = state.engine().get(&itself, &fqdn).await?;
    let s = Standing::new(state.engine(), &itself, found, "").await;
    html(&Page { c: Chrome::for_nobody(&headers, "/s/"), s, until })
}
