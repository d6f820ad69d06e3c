//! A client as it should be: it repeats a request with the same Idempotency-Key until it has an answer. It never learns
//! that the daemon died in between.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::http::{Answer, Api};
use crate::story::{fqdn, open_operation, target};
use crate::wait::until_within;
use crate::world::POOL;

/// How long it goes on repeating.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a name went through.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The label.
    pub label: String,
    /// Its last phase.
    pub phase: String,
}

/// Repeat until the answer is one of `good`; broken connections, 409 for a request under way, 429 and 503 are repeated.
async fn persist(api: &Api, method: Method, path: &str, key: &str, body: &Value, good: &[u16]) -> Answer {
    let api = api.clone().with_header("idempotency-key", key);
    until_within(&format!("{method} {path} {body}"), PATIENCE, || async {
        let answer = Api::send(api.request(method.clone(), path).json(body)).await?;
        if good.contains(&answer.status) {
            return Ok(answer);
        }
        let again = matches!(answer.status, 429 | 503) || answer.code() == "idempotency-in-progress";
        assert!(again, "{method} {path} {body}: {answer}");
        Err(answer.to_string())
    })
    .await
}

async fn settle(api: &Api, label: &str, phase: &str) {
    api.await_that(label, &format!("to be {phase} at last"), PATIENCE, |a| {
        a["phase"] == phase && open_operation(a).is_none()
    })
    .await;
}

/// Reserve, commit, change and, when `release`, release; each verb is repeated until it is answered, and each is
/// waited for.
pub async fn life(api: Api, label: &str, release: bool) -> Ending {
    let key = |verb: &str| format!("{label}-{verb}");
    let body = json!({"mode": "pool", "poolDomain": POOL, "subdomain": label});
    let reserved = persist(&api, Method::POST, "/v1/reserve", &key("reserve"), &body, &[201]).await;
    let mut body = target("192.0.2.1");
    body["fqdn"] = fqdn(label).into();
    body["reservationToken"] = reserved.text_at("/reservationToken").into();
    let _ = persist(&api, Method::POST, "/v1/commit", &key("commit"), &body, &[200, 202]).await;
    settle(&api, label, "active").await;
    let path = format!("/v1/allocations/{}/target", fqdn(label));
    let _ = persist(&api, Method::PUT, &path, &key("target"), &target("192.0.2.2"), &[200, 202]).await;
    settle(&api, label, "active").await;
    let mut phase = "active";
    if release {
        let body = json!({"fqdn": fqdn(label)});
        let _ = persist(&api, Method::POST, "/v1/release", &key("release"), &body, &[200, 202]).await;
        phase = "quarantined";
        settle(&api, label, phase).await;
    }
    Ending { label: label.to_owned(), phase: phase.to_owned() }
}
