//! The one place where what went wrong becomes an HTTP answer. Handlers and extractors return a [`Failure`]; it
//! travels inside the response, and the edge renders it in the words of the path that was asked: problem+json,
//! `{error, detail}` for the older paths, `{error}` for the PowerDNS door.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use pdm_api::door::DoorProblem;
use pdm_api::older::OlderProblem;
use pdm_api::problem::{PROBLEM_JSON, ProblemBody};
use pdm_engine::intents::IntentError;
use pdm_model::Refusal;
use pdm_model::problem::problem;
use pdm_ports::{Class, Fault};
use serde::Serialize;

/// Why a request was not carried out.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// What the client is told.
    pub refusal: Refusal,
    /// What the log is told besides.
    pub note: Option<String>,
}

/// How errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// RFC 9457.
    Problem,
    /// `{error, detail}`.
    Older,
    /// For people; rendered by the pages.
    Page,
    /// `{error}`, as PowerDNS answers.
    Door,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, note: None }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let note = Some(format!("{}: {fault}", fault.class.as_str()));
        let refusal = match fault.class {
            // An intent asks nothing but the store; a wrong password of the database is an outage too.
            Class::Transient | Class::RateLimited | Class::Credential => {
                let seconds = fault.retry_after.map_or(2, |after| after.as_secs().max(1));
                Refusal::new(
                    "store-unavailable",
                    "the store did not answer; the same request may be repeated",
                )
                .retry_after(u32::try_from(seconds).unwrap_or(60))
            }
            Class::NotOurs
            | Class::Rejected
            | Class::Unsupported
            | Class::Protocol
            | Class::Fenced
            | Class::Bug => Refusal::new("internal", "see the daemon's log"),
        };
        Self { refusal, note }
    }
}

impl From<IntentError> for Failure {
    fn from(error: IntentError) -> Self {
        match error {
            IntentError::Refused(refusal) => refusal.into(),
            IntentError::Fault(fault) => fault.into(),
        }
    }
}

impl Failure {
    /// Our own mistake; the text is for the log only.
    pub fn internal(note: impl Into<String>) -> Self {
        Self { refusal: Refusal::new("internal", "see the daemon's log"), note: Some(note.into()) }
    }

    /// The status of its code.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(problem(self.refusal.code).status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer in the words of the path.
    pub fn render(&self, style: Style) -> Response {
        let mut response = match style {
            Style::Problem | Style::Page => json(self.status(), &ProblemBody::from(&self.refusal)),
            Style::Older => {
                let error = problem(self.refusal.code).legacy.to_owned();
                json(self.status(), &OlderProblem { error, detail: self.refusal.detail.clone() })
            }
            Style::Door => {
                let place =
                    self.refusal.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
                let error = format!("{}: {}{place}", self.refusal.code, self.refusal.detail);
                json(self.status(), &DoorProblem { error })
            }
        };
        let headers = response.headers_mut();
        if style == Style::Problem {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        }
        if let Some(seconds) = self.refusal.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => Failure::internal(format!("an answer could not be written: {error}")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::problem::PROBLEMS;

    #[test]
    fn every_row_has_its_status_in_both_styles() {
        for row in PROBLEMS {
            let failure = Failure::from(Refusal::new(row.code, "d").retry_after(3));
            for style in [Style::Problem, Style::Older, Style::Door] {
                let response = failure.render(style);
                assert_eq!(response.status().as_u16(), row.status, "{}", row.code);
                assert_eq!(response.headers()[RETRY_AFTER], "3");
            }
            assert_eq!(failure.render(Style::Problem).headers()[CONTENT_TYPE], PROBLEM_JSON);
            assert_eq!(failure.render(Style::Older).headers()[CONTENT_TYPE], "application/json");
        }
    }

    #[test]
    fn faults_keep_their_text_from_the_client() {
        let failure = Failure::from(Fault::transient("database", "password=hunter2"));
        assert_eq!(failure.refusal.code, "store-unavailable");
        assert!(failure.refusal.retry_after.is_some() && !failure.refusal.detail.contains("hunter2"));
        let failure = Failure::from(Fault::new(Class::Bug, "x", "y"));
        assert_eq!((failure.refusal.code, failure.status().as_u16()), ("internal", 500));
        assert!(failure.note.is_some());
    }
}
