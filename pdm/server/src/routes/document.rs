//! `GET /openapi.json`: the document, generated from the code.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use crate::problem::Failure;

/// The OpenAPI document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "document", tag = "operator", security(()),
    responses((status = 200, body = Object, content_type = "application/json"))
)]
pub(crate) async fn handler() -> Result<Response, Failure> {
    static DOCUMENT: OnceLock<Result<Bytes, String>> = OnceLock::new();
    let made = || crate::document().to_json().map(Bytes::from).map_err(|error| error.to_string());
    match DOCUMENT.get_or_init(made) {
        Ok(bytes) => Ok(([(CONTENT_TYPE, "application/json")], bytes.clone()).into_response()),
        Err(error) => Err(Failure::internal(error.clone())),
    }
}
