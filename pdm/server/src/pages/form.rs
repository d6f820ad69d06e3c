//! Forms that people send. Each carries a field that only a page of the same session could know, so that no other site
//! can send one in their name (the cookie is SameSite=Strict besides).

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use http::header::CONTENT_TYPE;
use pdm_model::Refusal;
use serde::de::DeserializeOwned;

use super::Viewer;
use crate::app::S;
use crate::extract::read;
use crate::problem::Failure;

const FORM: &str = "application/x-www-form-urlencoded";

/// A form of a page of ours.
pub(crate) struct Form<T> {
    pub viewer: Viewer,
    pub fields: T,
}

#[derive(serde::Deserialize)]
struct Hidden {
    #[serde(default)]
    form: String,
}

impl<T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let viewer = Viewer::from_request_parts(&mut parts, state).await?;
        let bytes = body_of(Request::from_parts(parts, body), state).await?;
        let hidden: Hidden = fields(&bytes)?;
        if !state.seal.is_form_token(&viewer.session, &hidden.form) {
            return Err(Refusal::new(
                "forbidden",
                "the form is not from a page of this session; load it again",
            )
            .into());
        }
        Ok(Self { viewer, fields: fields(&bytes)? })
    }
}

/// The body of a form.
pub(crate) async fn body_of(request: Request, state: &S) -> Result<bytes::Bytes, Failure> {
    let headers = request.headers();
    let typed = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !typed.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM) {
        return Err(Refusal::new("unsupported-media-type", "send a form").field("Content-Type").into());
    }
    // Browsers say where a request comes from. Others do not, and have no cookie to abuse.
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok()).unwrap_or("same-origin");
    if !matches!(site, "same-origin" | "none") {
        return Err(Refusal::new("forbidden", "the form came from another site").into());
    }
    read(request, &state.app.limits).await
}

/// Its fields.
pub(crate) fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_urlencoded::from_bytes(bytes).map_err(|error| Refusal::new("invalid-body", error.to_string()))
}

/// A text inside a query.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A place of ours to go back to. Anything that could lead to another site is `/`.
pub(crate) fn own_place(place: &str) -> &str {
    let plain = place.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'\\');
    if plain && place.starts_with('/') && !place.starts_with("//") { place } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away() {
        for bad in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "", "/a\nb"]
        {
            assert_eq!(own_place(bad), "/", "{bad}");
        }
        assert_eq!(own_place("/admin?phase=active"), "/admin?phase=active");
    }

    #[test]
    fn a_query_survives() {
        assert_eq!(encode("/admin?q=a b&x=é"), "/admin%3Fq%3Da%20b%26x%3D%C3%A9");
    }
}
