//! Signed calls of Dynadot's REST v2, and its loose JSON.
//!
//! No request id is sent: Dynadot signs with the one of the header `X-Request-ID` in exactly this spelling, which
//! clients and proxies change, and an empty one is as good.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdm_ports::Fault;
use pdm_ports::registrar::Credential;
use reqwest::Method;
use ring::hmac;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::{self, Kind};

const BASE: &str = "https://api.dynadot.com/restful/v2";

/// Where nothing but the text tells it; compared as a whole, without case.
const TEXTS: &[(&str, Kind)] = &[
    ("X-Signature invalid", Kind::InvalidCredentials),
    ("invalid key", Kind::InvalidCredentials),
    ("system_busy", Kind::RateLimited),
    ("could not find domain in your account", Kind::DomainNotInAccount),
    ("Can not find the domain in the account.", Kind::DomainNotInAccount),
    ("This domain doesn't support DNSSEC.", Kind::Unsupported),
];

pub(super) struct Client {
    wire: Wire,
}

/// The code is a number or a text of one, and counts more than the status.
#[derive(Deserialize)]
struct Envelope {
    code: Value,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    error: Option<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
struct Success<T> {
    data: T,
}

fn judge(answer: &Answer, _: &Credential) -> Result<(), Fault> {
    if answer.status == 204 {
        return Ok(());
    }
    let said = serde_json::from_slice::<Envelope>(&answer.body).ok();
    let Some((said, code)) = said.and_then(|said| number(&said.code).map(|code| (said, code))) else {
        return Err(answer.foreign());
    };
    let code = u16::try_from(code).unwrap_or(0);
    if (200..300).contains(&code) && (200..300).contains(&answer.status) {
        return Ok(());
    }
    let texts = [said.error.and_then(|error| error.description), said.message].map(Option::unwrap_or_default);
    let known = TEXTS.iter().find(|(known, _)| texts.iter().any(|text| text.eq_ignore_ascii_case(known)));
    let status = if (200..300).contains(&code) { answer.status } else { code };
    let kind = known.map_or_else(|| kind::by_status(status), |(_, kind)| *kind);
    Err(answer.fault(kind, &format!("{code} {}", texts.join(" "))))
}

impl Client {
    pub(super) fn new(http: &Arc<Http>, options: &Options) -> Result<Self, Fault> {
        Ok(Self { wire: Wire::new(&super::ABOUT, BASE, http, options, judge)? })
    }

    /// One signed call.
    pub(super) async fn send(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let (key, secret) =
            (credential.get("key").unwrap_or_default(), credential.get("secret").unwrap_or_default());
        let url = format!("{}{path}", self.wire.base);
        let signed = body.map(Value::to_string).unwrap_or_default();
        let signature = sign(key, secret, path_and_query(&url), "", &signed);
        let call = Call::json(method, url, body)
            .with("authorization", format!("Bearer {key}"))
            .with("x-signature", signature);
        self.wire.call(credential, call).await
    }

    /// A read; what it asked for.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        credential: &Credential,
        path: &str,
    ) -> Result<T, Fault> {
        let answer = self.send(credential, Method::GET, path, None).await?;
        Ok(answer.json::<Success<T>>()?.data)
    }
}

fn path_and_query(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn sign(key: &str, secret: &str, path: &str, id: &str, body: &str) -> String {
    let text = Zeroizing::new(format!("{key}\n{path}\n{id}\n{body}"));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&secret, text.as_bytes()))
}

/// A number, be it written as a text. Of `ECDSAP256SHA256 (13)` it is the one in brackets.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let bracket =
                text.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inner, _)| inner);
            bracket.unwrap_or(text).trim().parse().ok()
        }
        _ => None,
    }
}

/// `true`, `"yes"`, `"true"`.
pub(super) fn yes(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::String(text) => matches!(text.to_ascii_lowercase().as_str(), "yes" | "true"),
        _ => false,
    }
}

/// A nameserver: a text, or an object that has it under one of several names.
pub(super) fn server(value: &Value) -> Option<&str> {
    let names = ["server_name", "ns_name", "host", "name"];
    value
        .as_str()
        .or_else(|| names.iter().find_map(|name| value.get(name)?.as_str()))
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn signatures_are_those_of_independent_clients() {
        let id = "8e5bc897-75c8-4a9c-9362-5671405c7761";
        let path = "/restful/v2/domains/example.com/records";
        assert_eq!(
            sign("key", "secret", path, id, r#"{"sub_list":[]}"#),
            "1v6pCnviEO/dqOIRV2wSc+YRJHt92L+P2xqkyuTVQyk="
        );
        let path = path_and_query("https://api.dynadot.com/restful/v2/domains/acme.com/nameservers");
        assert_eq!(path, "/restful/v2/domains/acme.com/nameservers");
        let body = r#"{"nameserver_list":["ns1.sov.example","ns2.sov.example"]}"#;
        assert_eq!(sign("key", "secret", path, id, body), "DfakZvyr0Gz2WpMexGN2TInmOPFX05JNVtjO0blL4u4=");
    }

    #[test]
    fn loose_json_is_read_in_all_its_forms() {
        for value in [json!(13), json!("13"), json!("ECDSAP256SHA256 (13)")] {
            assert_eq!(number(&value), Some(13));
        }
        assert_eq!(number(&json!("none")), None);
        assert!(yes(&json!("Yes")) && yes(&json!(true)) && !yes(&json!("no")) && !yes(&json!(null)));
        for value in [json!("ns1.x"), json!({"server_name": "ns1.x"}), json!({"host": "ns1.x"})] {
            assert_eq!(server(&value), Some("ns1.x"));
        }
        assert_eq!(server(&json!({"ip": "192.0.2.1"})), None);
    }
}
