//! What an HTTP answer of PowerDNS means. The only place that reads a status code.

use pdm_ports::{Class, Fault};
use serde::Deserialize;

/// Why a call brought nothing.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The zone (or what else the path names) is not there.
    Missing,
    /// It is there already. Not a sign that it is complete.
    Conflict,
    /// The server failed and rolled back: a locked database, a deadlock, a unique violation. Worth another try.
    Busy(Fault),
    /// The call was sent and its outcome is unknown: it may have been done, or be done later.
    Lost(Fault),
    /// It was not sent because the caller's deadline had passed.
    TooLate,
    /// Everything else.
    Other(Fault),
}

impl ApiError {
    /// The same for a caller that expects none of the special cases.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Self::Missing => Fault::transient("powerdns-zone-missing", "the zone is not on the server"),
            Self::Conflict => Fault::transient("powerdns-conflict", "the zone is on the server already"),
            Self::TooLate => Fault::new(
                Class::Fenced,
                "deadline-passed",
                "the deadline passed before the call could be sent",
            ),
            Self::Busy(fault) | Self::Lost(fault) | Self::Other(fault) => fault,
        }
    }
}

/// Judge an answer by its status, and by its text where PowerDNS's versions differ.
pub(crate) fn judge(status: u16, body: &[u8]) -> Result<(), ApiError> {
    let fault = |class, code| Fault::new(class, code, format!("PowerDNS answered {status}: {}", text(body)));
    match status {
        200..=299 => Ok(()),
        // A proxy in front that has lost its way answers 404 too. Taking that for "no such zone" would end in
        // zones believed to be gone, so a body must be PowerDNS's own.
        404 if body.is_empty() || error_text(body).is_some() => Err(ApiError::Missing),
        404 => Err(ApiError::Other(fault(Class::Protocol, "powerdns-unexpected-404"))),
        // Versions between 4.8 and 4.9.11 answer 422 for a missing zone.
        422 if says_zone_missing(body) => Err(ApiError::Missing),
        409 => Err(ApiError::Conflict),
        401 | 403 => Err(ApiError::Other(fault(Class::Credential, "powerdns-unauthorized"))),
        429 => Err(ApiError::Other(fault(Class::RateLimited, "powerdns-busy"))),
        400..=499 => Err(ApiError::Other(fault(Class::Rejected, "powerdns-rejected"))),
        500 => Err(ApiError::Busy(fault(Class::Transient, "powerdns-busy"))),
        // From something between us and PowerDNS: the call may have reached it.
        501..=599 => Err(ApiError::Lost(fault(Class::Transient, "powerdns-unavailable"))),
        _ => Err(ApiError::Other(fault(Class::Protocol, "powerdns-unexpected-status"))),
    }
}

/// The transport failed. `reqwest` tells whether a connection came to be at all.
pub(crate) fn transport(server: &str, error: reqwest::Error) -> ApiError {
    let what = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke the connection"
    };
    let sent = !error.is_connect();
    if error.is_builder() {
        return ApiError::Other(Fault::new(Class::Bug, "powerdns-request", error.without_url().to_string()));
    }
    let fault = Fault::transient("powerdns-unavailable", format!("the PowerDNS API at {server} {what}"));
    if sent { ApiError::Lost(fault) } else { ApiError::Other(fault) }
}

/// An answer that was fine by its status and made no sense.
pub(crate) fn garbage(what: &str, error: &serde_json::Error) -> Fault {
    // Only the place is told: the text around it could be anybody's.
    let at = format!("line {} column {}", error.line(), error.column());
    Fault::new(Class::Protocol, "powerdns-garbage", format!("PowerDNS's {what} cannot be read ({at})"))
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

fn error_text(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<ErrorBody>(body).ok().map(|body| body.error)
}

fn text(body: &[u8]) -> String {
    let text = error_text(body).unwrap_or_else(|| "an answer without an error text".into());
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn says_zone_missing(body: &[u8]) -> bool {
    error_text(body).is_some_and(|text| {
        let text = text.to_ascii_lowercase();
        ["could not find domain", "could not find zone", "zone not found", "domain not found", "no such zone"]
            .iter()
            .any(|known| text.contains(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str) -> String {
        match judge(status, body.as_bytes()) {
            Ok(()) => "ok".into(),
            Err(ApiError::Missing) => "missing".into(),
            Err(ApiError::Conflict) => "conflict".into(),
            Err(ApiError::Busy(fault)) => format!("busy {}", fault.code),
            Err(ApiError::Lost(fault)) => format!("lost {}", fault.code),
            Err(ApiError::TooLate) => "late".into(),
            Err(ApiError::Other(fault)) => format!("{} {}", fault.class.as_str(), fault.code),
        }
    }

    #[test]
    fn every_status_has_one_meaning() {
        let table = [
            (204, "", "ok"),
            (404, r#"{"error":"Not Found"}"#, "missing"),
            (404, "default backend - 404", "protocol powerdns-unexpected-404"),
            (422, r#"{"error":"Could not find domain 'a.example.'"}"#, "missing"),
            (422, r#"{"error":"DNS Name 'b' is not canonical"}"#, "rejected powerdns-rejected"),
            (400, "", "rejected powerdns-rejected"),
            (409, r#"{"error":"Conflict"}"#, "conflict"),
            (401, "Unauthorized", "credential powerdns-unauthorized"),
            (403, "", "credential powerdns-unauthorized"),
            (429, "", "rate-limited powerdns-busy"),
            (500, r#"{"error":"Internal Server Error"}"#, "busy powerdns-busy"),
            (502, "<html>", "lost powerdns-unavailable"),
            (302, "", "protocol powerdns-unexpected-status"),
        ];
        for (status, body, want) in table {
            assert_eq!(class(status, body), want, "{status} {body}");
        }
    }

    #[test]
    fn an_error_text_is_kept_short_and_printable() {
        let body = format!("{{\"error\":\"a\\u0007{}\"}}", "b".repeat(1000));
        let Err(ApiError::Other(fault)) = judge(422, body.as_bytes()) else { panic!("not refused") };
        assert!(fault.detail.len() < 400 && !fault.detail.contains('\u{7}'));
    }
}
