//! Signed calls. The time in a signature is the vendor's: its clock is asked once and run on by a monotonic one.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use pdm_ports::Fault;
use pdm_ports::registrar::Credential;
use reqwest::Method;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::http::{Answer, Call, Http, Options, Wire, open};
use crate::kind::{self, Kind};

const BASE: &str = "https://eu.api.ovh.com/1.0";

/// Codes of the older error form. The newer one has only a class, which its status says as well.
const CODES: &[(&str, Kind)] = &[
    ("INVALID_KEY", Kind::InvalidCredentials),
    ("INVALID_CREDENTIAL", Kind::InvalidCredentials),
    ("NOT_CREDENTIAL", Kind::InvalidCredentials),
    ("INVALID_SIGNATURE", Kind::InvalidCredentials),
    ("NOT_GRANTED_CALL", Kind::InsufficientScope),
    ("QUERY_TIME_OUT", Kind::ClockSkew),
];

pub(super) struct Client {
    wire: Wire,
    /// The vendor's time in seconds, and when we learnt it.
    clock: Mutex<Option<(i64, Instant)>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    error_code: Option<String>,
    message: String,
}

fn judge(answer: &Answer, _: &Credential) -> Result<(), Fault> {
    if (200..300).contains(&answer.status) {
        // Every success is JSON, be it `null`; anything else came from something between.
        return answer.json::<serde::de::IgnoredAny>().map(|_| ());
    }
    let Ok(said) = serde_json::from_slice::<Failure>(&answer.body) else {
        return Err(answer.foreign());
    };
    let code = said.error_code.as_deref().or(said.class.as_deref()).unwrap_or_default();
    let known = CODES.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind);
    let kind = match (answer.status, known) {
        (_, Some(kind)) => kind,
        (460, None) => Kind::DomainLocked,
        // The newer form has no code for it: the whole text is the sign.
        (400, None) if said.message == "Invalid signature" => Kind::InvalidCredentials,
        (status, None) => kind::by_status(status),
    };
    Err(answer.fault(kind, &format!("{code} {}", said.message)))
}

impl Client {
    pub(super) fn new(http: &Arc<Http>, options: &Options) -> Result<Self, Fault> {
        let wire = Wire::new(&super::ABOUT, BASE, http, options, judge)?;
        Ok(Self { wire, clock: Mutex::new(None) })
    }

    /// One signed call. When the vendor finds our time wrong its clock is asked again, once.
    pub(super) async fn send(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let first = self.signed(credential, method.clone(), path, body).await;
        match first {
            Err(fault) if Kind::ClockSkew.is(&fault) => {
                *open(&self.clock) = None;
                self.signed(credential, method, path, body).await
            }
            first => first,
        }
    }

    async fn signed(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let time = self.time(credential).await?;
        let field = |name| credential.get(name).unwrap_or_default();
        let url = format!("{}{path}", self.wire.base);
        let signed = Zeroizing::new(body.map(Value::to_string).unwrap_or_default());
        let (secret, consumer) = (field("application_secret"), field("consumer_key"));
        let signature = sign(secret, consumer, method.as_str(), &url, &signed, time);
        let call = Call::json(method, url, body)
            .with("x-ovh-application", field("application_key"))
            .with("x-ovh-consumer", consumer)
            .with("x-ovh-timestamp", time.to_string())
            .with("x-ovh-signature", signature);
        self.wire.call(credential, call).await
    }

    async fn time(&self, credential: &Credential) -> Result<i64, Fault> {
        let known = *open(&self.clock);
        if let Some((time, at)) = known {
            return Ok(time + i64::try_from(at.elapsed().as_secs()).unwrap_or(0));
        }
        let application = credential.get("application_key").unwrap_or_default();
        let call = Call::json(Method::GET, format!("{}/auth/time", self.wire.base), None)
            .with("x-ovh-application", application);
        let time: i64 = self.wire.call(credential, call).await?.json()?;
        *open(&self.clock) = Some((time, Instant::now()));
        Ok(time)
    }
}

fn sign(secret: &str, consumer: &str, method: &str, url: &str, body: &str, time: i64) -> String {
    let text = Zeroizing::new(format!("{secret}+{consumer}+{method}+{url}+{body}+{time}"));
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("$1${hex}")
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn signatures_are_those_of_the_official_client() {
        let time = 1_700_000_000;
        assert_eq!(
            sign("as", "ck", "GET", "https://eu.api.ovh.com/1.0/domain", "", time),
            "$1$2253ab4439f5046a6d213dfe76025c42381384c0"
        );
        let url = "https://eu.api.ovh.com/1.0/domain/acme.com/nameServers/update";
        let body = r#"{"nameServers":[{"host":"ns1.sov.example"},{"host":"ns2.sov.example"}]}"#;
        assert_eq!(sign("as", "ck", "POST", url, body, time), "$1$89cdeac46ea7e23a79293ea0ff002d7e55099780");
    }
}
