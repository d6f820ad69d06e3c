//! What GoDaddy's refusals mean: its own codes first, then the status.

use std::time::Duration;

use pdm_ports::Fault;
use pdm_ports::registrar::Credential;
use serde::Deserialize;

use crate::http::Answer;
use crate::kind::{Kind, by_status};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<Field>,
    retry_after_sec: Option<u64>,
}

#[derive(Deserialize)]
struct Field {
    #[serde(default)]
    path: String,
    #[serde(default)]
    message: String,
}

/// What a code means, whatever the status.
const CODES: &[(&str, Kind)] = &[
    ("UNABLE_TO_AUTHENTICATE", Kind::InvalidCredentials),
    ("MALFORMED_CREDENTIALS", Kind::InvalidCredentials),
    ("ACCOUNT_NOT_ELIGIBLE", Kind::AccountNotEligible),
    ("UNKNOWN_DOMAIN", Kind::DomainNotInAccount),
    ("NOT_FOUND", Kind::DomainNotInAccount),
    ("CONFLICTING_STATUS", Kind::DomainLocked),
    ("FAILED_NAME_SERVER_VALIDATION", Kind::InvalidNameserver),
    ("MISSING_NAME_SERVER", Kind::InvalidNameserver),
    ("TOO_MANY_REQUESTS", Kind::RateLimited),
];

/// What the answer means. 203 is partial data and good enough; a write is answered without a body or with JSON.
pub(super) fn judge(answer: &Answer, credential: &Credential) -> Result<(), Fault> {
    if (200..=299).contains(&answer.status) {
        return answer.nothing_or_json();
    }
    let Ok(refusal) = answer.json::<Refusal>() else {
        return Err(answer.foreign());
    };
    let mut words = format!("{} {}", refusal.code, refusal.message);
    for field in &refusal.fields {
        words.push_str(&format!("; {}: {}", field.path, field.message));
    }
    let mut fault = answer.fault(kind(answer.status, &refusal, credential), &words);
    fault.retry_after = refusal.retry_after_sec.map(Duration::from_secs);
    Err(fault)
}

fn kind(status: u16, refusal: &Refusal, credential: &Credential) -> Kind {
    // A token has scopes; a key has none, so a refused key means a refused account.
    if status == 403 && credential.get("token").is_none() {
        return Kind::AccountNotEligible;
    }
    if status == 422 && refusal.fields.iter().any(|field| field.path.starts_with("nameServers")) {
        return Kind::InvalidNameserver;
    }
    CODES.iter().find(|(code, _)| *code == refusal.code).map_or_else(|| by_status(status), |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn fault(status: u16, body: &str, field: &str) -> Fault {
        let given = [(field.to_owned(), Zeroizing::new("x".repeat(20)))].into();
        let credential = Credential::parse(super::super::ABOUT.fields, given).unwrap();
        let answer = Answer { vendor: "godaddy", status, body: body.as_bytes().to_vec() };
        judge(&answer, &credential).unwrap_err()
    }

    #[test]
    fn every_refusal_has_one_meaning() {
        let table = [
            (400, "INVALID_BODY", "registrar-refused"),
            (401, "UNABLE_TO_AUTHENTICATE", "credential-invalid"),
            (401, "SOMETHING_NEW", "credential-invalid"),
            (403, "ACCESS_DENIED", "account-not-eligible"),
            (404, "UNKNOWN_DOMAIN", "domain-not-in-account"),
            (409, "CONFLICTING_STATUS", "domain-locked"),
            (409, "ANOTHER_CHANGE", "change-in-progress"),
            (422, "FAILED_NAME_SERVER_VALIDATION", "nameserver-refused"),
            (422, "INVALID_BODY", "registrar-refused"),
            (429, "TOO_MANY_REQUESTS", "registrar-busy"),
            (500, "SERVER_ERROR", "registrar-unavailable"),
            (504, "TIMEOUT", "registrar-unavailable"),
        ];
        for (status, code, want) in table {
            let body = format!("{{\"code\":\"{code}\",\"message\":\"words\"}}");
            assert_eq!(fault(status, &body, "key").code, want, "{status} {code}");
        }
        assert_eq!(fault(403, r#"{"code":"ACCESS_DENIED"}"#, "token").code, "credential-scope");
        let fields = r#"{"code":"INVALID_BODY","message":"m","fields":[{"path":"nameServers[0]","code":"X","message":"trailing dot"}]}"#;
        let refused = fault(422, fields, "key");
        assert_eq!(refused.code, "nameserver-refused");
        assert!(refused.detail.contains("trailing dot"));
    }

    #[test]
    fn a_named_pause_is_kept_and_a_proxy_is_no_vendor() {
        let busy = fault(429, r#"{"code":"TOO_MANY_REQUESTS","retryAfterSec":17}"#, "key");
        assert_eq!(busy.retry_after, Some(Duration::from_secs(17)));
        assert_eq!(fault(404, "<html>", "key").code, "registrar-garbage");
        assert_eq!(fault(502, "<html>", "key").code, "registrar-unavailable");
        assert_eq!(fault(302, "", "key").code, "registrar-garbage");
    }
}
