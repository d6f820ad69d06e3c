//! An answer that can be remembered for its Idempotency-Key.

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use pdm_api::AcceptedView;
use pdm_engine::intents::Accepted;
use pdm_engine::token::TokenKey;
use pdm_model::OperationState;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::{Failure, json};

/// The member that carries a reservation token; it is never remembered.
const TOKEN: &str = "reservationToken";

/// Status, place and body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub status: StatusCode,
    kept: Kept,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// The allocation whose token belongs into the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_of: Option<String>,
    body: Value,
}

impl Answer {
    /// A plain answer.
    pub fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_value(body)
            .map_err(|error| Failure::internal(format!("an answer could not be written: {error}")))?;
        Ok(Self { status, kept: Kept { location: None, token_of: None, body } })
    }

    /// The body carries the reservation token of this allocation.
    pub fn with_token_of(mut self, allocation: &str) -> Self {
        self.kept.token_of = Some(allocation.to_owned());
        self
    }

    /// Of an intent: 202 and where to look while its operation is open, 200 when nothing is left to do.
    pub fn of(accepted: &Accepted) -> Result<Self, Failure> {
        let open = accepted.operation.as_ref().filter(|o| o.state == OperationState::Open);
        let status = if open.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
        let mut answer =
            Self::new(status, &AcceptedView::new(&accepted.allocation, accepted.operation.as_ref()))?;
        answer.kept.location = open.map(|o| format!("/v1/operations/{}", o.id));
        Ok(answer)
    }

    /// Add what the caller should know of a policy.
    pub fn warnings(mut self, texts: Vec<String>) -> Self {
        if let (false, Some(body)) = (texts.is_empty(), self.kept.body.as_object_mut()) {
            body.insert("warnings".to_owned(), texts.into());
        }
        self
    }

    /// What the store remembers: everything but the token.
    pub fn to_remember(&self) -> (u16, Value) {
        let mut kept = self.kept.clone();
        if let (Some(_), Some(body)) = (&kept.token_of, kept.body.as_object_mut()) {
            body.remove(TOKEN);
        }
        (self.status.as_u16(), serde_json::to_value(kept).unwrap_or_default())
    }

    /// The same answer from what the store remembers; the token is computed again.
    pub fn remembered(status: u16, value: Value, tokens: &TokenKey) -> Result<Self, Failure> {
        let broken = |what: String| Failure::internal(format!("a remembered answer is broken: {what}"));
        let status = StatusCode::from_u16(status).map_err(|e| broken(e.to_string()))?;
        let mut kept: Kept = serde_json::from_value(value).map_err(|e| broken(e.to_string()))?;
        if let (Some(allocation), Some(body)) = (&kept.token_of, kept.body.as_object_mut()) {
            body.insert(TOKEN.to_owned(), Value::String(tokens.token(allocation)));
        }
        Ok(Self { status, kept })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &self.kept.body);
        if let Some(location) = self.kept.location.and_then(|place| HeaderValue::try_from(place).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_remembered_and_comes_back_the_same() {
        let key = TokenKey::new(&[7; 32]);
        let body = serde_json::json!({"fqdn": "a.b", "reservationToken": key.token("id")});
        let answer = Answer::new(StatusCode::CREATED, &body).unwrap().with_token_of("id");
        let (status, kept) = answer.to_remember();
        assert!(!kept.to_string().contains(&key.token("id")));
        assert_eq!(Answer::remembered(status, kept, &key).unwrap(), answer);
    }
}
