//! The daemon as the command line sees it, and what it answers in plain words. Calls, repeats and waits are `pdm-client`'s.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use pdm_api::{OperationView, ProblemBody};
use pdm_client::{Error, Lost, Retry};
use reqwest::Method;
use serde_json::Value;

use super::output::Output;
use crate::failure::Failure;

/// The daemon behind an address.
pub struct Client {
    daemon: pdm_client::Client,
    /// How answers are shown.
    pub output: Output,
}

/// An answer that is not a problem.
pub type Answer = pdm_client::Answer<Value>;

/// A person waits: lost replies and moments of trouble are bridged, a daemon that is not there is told at once.
const RETRY: Retry = Retry {
    total: Duration::from_secs(10),
    first: Duration::from_millis(200),
    longest: Duration::from_secs(2),
    unsent: false,
};

impl Client {
    /// A client of a daemon, with the token of `PDM_TOKEN`.
    pub fn new(daemon: pdm_client::Client, output: Output) -> Self {
        let mut daemon = daemon.with_retry(RETRY);
        if let Some(token) = std::env::var("PDM_TOKEN").ok().filter(|t| !t.is_empty()) {
            daemon = daemon.with_token(token.trim());
        }
        Self { daemon, output }
    }

    /// The typed client below.
    pub fn daemon(&self) -> &pdm_client::Client {
        &self.daemon
    }

    /// GET with query parameters.
    ///
    /// # Errors
    /// The problem that was answered, or why there was no answer.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.daemon.get(path, query).await.map_err(|e| self.tell(&e))
    }

    /// A call with a JSON body.
    ///
    /// # Errors
    /// The problem that was answered, or why there was no answer.
    pub async fn call(&self, method: Method, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        self.daemon.call(method, path, body).await.map_err(|e| self.tell(&e))
    }

    /// Look at an operation until it is no longer open.
    ///
    /// # Errors
    /// It is still open after `at_most`, or could not be read.
    pub async fn wait(
        &self,
        id: &str,
        at_most: Duration,
        seen: impl FnMut(&OperationView),
    ) -> Result<Value, Failure> {
        let ended = self.daemon.wait(id, at_most, seen).await.map_err(|e| match e {
            Error::StillOpen(_) => Failure::Refused(format!(
                "the operation is still open after {} s; it goes on by itself\n  next step: pdm wait {id}",
                at_most.as_secs()
            )),
            other => self.tell(&other),
        })?;
        serde_json::to_value(ended).map_err(Failure::refused)
    }

    /// A failure in words; with `--output json` the problem as it came goes to standard output.
    pub fn tell(&self, error: &Error) -> Failure {
        let mut text = match error {
            Error::Refused(problem) => {
                if self.output == Output::Json {
                    super::output::json(&serde_json::to_value(problem).unwrap_or_default());
                }
                describe(problem, self.daemon.has_token())
            }
            other => other.to_string(),
        };
        if let Error::NoAnswer { source, .. } = error {
            let _ = write!(text, ": {}", last_cause(source));
        }
        match error {
            Error::NoAnswer { lost: Lost::Unsent, .. } => text.push_str(
                "\n  next step: start it with `pdm up` or `pdm serve`, or set PDM_URL to where it runs",
            ),
            Error::NoAnswer { lost: Lost::Late, .. } => text.push_str(
                "\n  next step: look with `pdm get` or `pdm wait`; what was asked may have been accepted",
            ),
            Error::NoAnswer { lost: Lost::Broken, .. } => {}
            other => {
                if let Some(source) = other.source() {
                    let _ = write!(text, ": {source}");
                }
            }
        }
        Failure::Refused(text)
    }
}

/// A certificate that is refused is told at the very end of what the HTTP client says.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A problem in words (RFC 9457 and our members).
fn describe(problem: &ProblemBody, has_token: bool) -> String {
    let mut text = format!("{} ({})", problem.title, problem.code);
    let until = problem.until.map(|t| t.to_string());
    for (label, value) in [
        ("", Some(problem.detail.as_str())),
        ("field:     ", problem.field.as_deref()),
        ("until:     ", until.as_deref()),
        ("must act:  ", Some(problem.who_must_act.as_str())),
        ("next step: ", Some(problem.next_step.as_str())),
    ] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            let _ = write!(text, "\n  {label}{value}");
        }
    }
    if let Some(seconds) = problem.retry_after {
        let _ = write!(text, "\n  again in:  {seconds} s");
    }
    if problem.status == 401 && !has_token {
        text.push_str("\n  PDM_TOKEN is not set; after `pdm up`: export PDM_TOKEN=$(cat .pdm/admin.token)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_who_must_act_and_what_to_do() {
        let mut problem: ProblemBody = serde_json::from_value(serde_json::json!({
            "code": "name-taken", "title": "The name is in use", "status": 409, "detail": "a.b.c is lent",
            "whoMustAct": "caller", "nextStep": "choose another name", "retryAfter": 3,
        }))
        .unwrap();
        assert_eq!(
            describe(&problem, true),
            "The name is in use (name-taken)\n  a.b.c is lent\n  must act:  caller\n  next step: choose another name\n  again in:  3 s"
        );
        problem.status = 401;
        assert!(describe(&problem, false).contains("PDM_TOKEN is not set"));
        assert!(!describe(&problem, true).contains("PDM_TOKEN is not set"));
    }
}
