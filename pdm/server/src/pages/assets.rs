//! Style sheet and script, compiled in, under addresses that change with their content.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use pdm_model::Refusal;
use ring::digest::{SHA256, digest};

use crate::extract::At;
use crate::problem::Failure;
use crate::token_file::hex;

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const ASSETS: &[Asset] = &[
    Asset { name: "pdm.css", kind: "text/css; charset=utf-8", text: include_str!("../../assets/pdm.css") },
    Asset {
        name: "pdm.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../assets/pdm.js"),
    },
    Asset {
        name: "frame.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../assets/frame.js"),
    },
    Asset { name: "pdm.svg", kind: "image/svg+xml", text: include_str!("../../assets/pdm.svg") },
];

static PRINTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let print = |asset: &Asset| hex(digest(&SHA256, asset.text.as_bytes()).as_ref())[..12].to_owned();
    ASSETS.iter().map(print).collect()
});

/// Where a file of ours is.
pub(crate) fn address(name: &str) -> String {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    at.map(|at| format!("/assets/{}-{name}", PRINTS[at])).unwrap_or_default()
}

/// One file.
pub(crate) async fn handler(At(file): At<String>) -> Result<Response, Failure> {
    let (print, name) = file.split_once('-').unwrap_or_default();
    let at = ASSETS.iter().position(|asset| asset.name == name).filter(|at| PRINTS[*at] == print);
    let Some(at) = at else { return Err(Refusal::new("not-found", "there is no such file").into()) };
    let mut response = ASSETS[at].text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(ASSETS[at].kind));
    Ok(response)
}
