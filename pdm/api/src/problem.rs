//! The body of every error (RFC 9457, `application/problem+json`).

use pdm_model::Refusal;
use pdm_model::Timestamp;
use pdm_model::problem::problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of [`ProblemBody`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, who must act, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemBody {
    /// Stable kebab-case code; its meaning never changes.
    #[schema(example = "name-taken")]
    pub code: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What exactly.
    pub detail: String,
    /// `nobody`, `caller` or `operator`.
    #[schema(schema_with = crate::words::actors)]
    pub who_must_act: String,
    /// What to do.
    pub next_step: String,
    /// Seconds after which a repeat makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// The field or parameter that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "loadBalancers[0].ipv4")]
    pub field: Option<String>,
    /// When it may be different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl From<&Refusal> for ProblemBody {
    fn from(refusal: &Refusal) -> Self {
        let row = problem(refusal.code);
        Self {
            code: row.code.to_owned(),
            title: row.title.to_owned(),
            status: row.status,
            detail: refusal.detail.clone(),
            who_must_act: row.who.to_owned(),
            next_step: row.next.to_owned(),
            retry_after: refusal.retry_after,
            field: refusal.field.clone(),
            until: refusal.until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::problem::PROBLEMS;

    #[test]
    fn every_row_of_the_table_becomes_its_own_body() {
        for row in PROBLEMS {
            let body = ProblemBody::from(&Refusal::new(row.code, "d").field("f"));
            assert_eq!((body.code.as_str(), body.status), (row.code, row.status));
            let json = serde_json::to_value(&body).unwrap();
            for member in ["code", "title", "detail", "whoMustAct", "nextStep", "field"] {
                assert!(json.get(member).is_some(), "{member} of {}", row.code);
            }
            assert!(json.get("retryAfter").is_none());
            assert!(["nobody", "caller", "operator"].contains(&body.who_must_act.as_str()));
        }
    }
}
