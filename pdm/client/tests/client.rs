//! The client against scripted replies: what is repeated, with which key, and what the errors say. The same calls against
//! the daemon are in `tests/system`, where the command line makes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_api::declared::documents;
use pdm_api::requests::{ListQuery, ReleaseBody};
use pdm_client::declared::{Act, Wish};
use pdm_client::{Client, Error, Lost, Retry};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn quick(server: &MockServer) -> Client {
    let retry = Retry { first: Duration::from_millis(5), ..Retry::default() };
    Client::new(&server.uri()).unwrap().with_token("swordfish").with_retry(retry)
}

fn problem(code: &str, status: u16) -> ResponseTemplate {
    let body = json!({ "code": code, "title": "t", "status": status, "detail": "d", "whoMustAct": "nobody",
        "nextStep": "n", "retryAfter": 0 });
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/problem+json")
}

fn operation(state: &str) -> Value {
    json!({ "id": "o", "seq": 1, "allocation": "a", "fqdn": "omantel.omani.works", "kind": "commit", "generation": 1,
        "state": state, "steps": [], "createdAt": "2026-01-01T00:00:00Z" })
}

fn body() -> ReleaseBody {
    ReleaseBody { fqdn: "omantel.omani.works".into(), reservation_token: None, registrar: None }
}

#[tokio::test]
async fn what_passes_is_repeated_with_the_same_key_and_the_rest_is_not() {
    let server = MockServer::start().await;
    let release = || {
        Mock::given(method("POST")).and(path("/v1/release")).and(header("authorization", "Bearer swordfish"))
    };
    release()
        .respond_with(ResponseTemplate::new(502).set_body_string("<html>"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    release().respond_with(problem("store-unavailable", 503)).up_to_n_times(1).mount(&server).await;
    release().respond_with(problem("idempotency-in-progress", 409)).up_to_n_times(1).mount(&server).await;
    let accepted = json!({ "fqdn": "omantel.omani.works", "phase": "releasing", "owner": "o", "operation": operation("open") });
    release().respond_with(ResponseTemplate::new(202).set_body_json(accepted)).mount(&server).await;
    let client = quick(&server);
    assert_eq!(client.release(&body()).await.unwrap().phase, "releasing");
    let keys = |requests: Vec<wiremock::Request>| -> Vec<String> {
        requests.iter().map(|r| r.headers["idempotency-key"].to_str().unwrap().to_owned()).collect()
    };
    let first = keys(server.received_requests().await.unwrap());
    assert_eq!((first.len(), first.iter().collect::<BTreeSet<_>>().len()), (4, 1), "{first:?}");

    // The next call has another key, or the one that it was given.
    let _ = client.release(&body()).await.unwrap();
    let _ = client.clone().with_key("deploy-7").release(&body()).await.unwrap();
    let all = keys(server.received_requests().await.unwrap());
    assert!(all[4] != all[0] && all[5] == "deploy-7", "{all:?}");

    server.reset().await;
    release().respond_with(problem("frozen", 503)).expect(1).mount(&server).await;
    let error = client.release(&body()).await.unwrap_err();
    assert!(error.is("frozen") && !error.is("not-found"), "{error}");
    assert_eq!(error.problem().unwrap().next_step, "n");
    assert!(!format!("{error:?}").contains("swordfish"));
}

#[tokio::test]
async fn nobody_there_is_told_apart_from_somebody_else() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let never = Client::new(&format!("http://{gone}")).unwrap().with_retry(Retry::NEVER);
    let error = never.pools().await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { lost: Lost::Unsent, .. }), "{error:?}");

    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_string("hello");
    Mock::given(path("/v1/pools")).respond_with(answer).mount(&server).await;
    let error = quick(&server).pools().await.unwrap_err();
    assert!(matches!(error, Error::NotOurs { status: 200, .. }), "{error:?}");
    Mock::given(path("/v1/registrars")).respond_with(ResponseTemplate::new(404)).mount(&server).await;
    let error = quick(&server).registrars().await.unwrap_err();
    assert!(matches!(error, Error::NotOurs { status: 404, .. }), "{error:?}");
}

#[tokio::test]
async fn pages_are_read_to_the_last_and_a_wait_ends_in_time() {
    let server = MockServer::start().await;
    let row = |fqdn: &str| {
        json!({ "id": fqdn, "fqdn": fqdn, "poolDomain": "omani.works", "mode": "pool", "owner": "o",
        "phase": "active", "generation": 1, "reservedAt": "2026-01-01T00:00:00Z", "conditions": [],
        "updatedAt": "2026-01-01T00:00:00Z" })
    };
    let list = || Mock::given(method("GET")).and(path("/v1/allocations")).and(query_param("phase", "active"));
    let second = json!({ "items": [row("b.omani.works")] });
    list()
        .and(query_param("cursor", "2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(second))
        .with_priority(1)
        .mount(&server)
        .await;
    let first = json!({ "items": [row("a.omani.works")], "nextCursor": "2" });
    list().respond_with(ResponseTemplate::new(200).set_body_json(first)).mount(&server).await;
    let client = quick(&server);
    let query = ListQuery { phase: Some("active".into()), ..ListQuery::default() };
    let names: Vec<_> =
        client.allocations(&query).await.unwrap().iter().map(|a| a.fqdn.to_string()).collect();
    assert_eq!(names, ["a.omani.works", "b.omani.works"]);

    let look = || Mock::given(path("/v1/operations/o"));
    look()
        .respond_with(ResponseTemplate::new(200).set_body_json(operation("open")))
        .up_to_n_times(3)
        .mount(&server)
        .await;
    look()
        .respond_with(ResponseTemplate::new(200).set_body_json(operation("superseded")))
        .mount(&server)
        .await;
    let error = client.wait("o", Duration::ZERO, |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::StillOpen(ref o) if o.id == "o"), "{error:?}");
    let mut looks = 0;
    let ended = client.wait("o", Duration::from_secs(20), |_| looks += 1).await.unwrap();
    assert_eq!((ended.state.as_str(), looks), ("superseded", 3));
    let accepted =
        serde_json::from_value(json!({ "fqdn": "omantel.omani.works", "phase": "delegating", "owner": "o",
        "operation": operation("open") }));
    let error = client.follow(&accepted.unwrap(), Duration::from_secs(20), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Superseded(_)), "{error:?}");
}

/// A claim on a domain is answered again with its token; giving it back would change what proves it.
#[tokio::test]
async fn a_declared_domain_keeps_its_claim_from_one_run_to_the_next() {
    let server = MockServer::start().await;
    let claim = json!({ "id": "c", "fqdn": "acme.com", "poolDomain": "acme.com", "mode": "byo-manual", "owner": "acme",
        "phase": "reserved", "generation": 1, "createdBy": "apply:s", "reservedAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z", "conditions": [], "desired": [], "receipts": [],
        "observed": { "ds": [], "parent": { "ns": [], "ds": [] } }, "delegation": { "ns": [], "ds": [] } });
    let get = Mock::given(method("GET")).and(path("/v1/allocations/acme.com"));
    get.respond_with(ResponseTemplate::new(200).set_body_json(claim)).mount(&server).await;
    let held = json!({ "fqdn": "acme.com", "mode": "byo-manual", "owner": "acme", "phase": "reserved", "reservationToken": "t",
        "reservedAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-01-08T00:00:00Z", "nameservers": [] });
    let reserve = Mock::given(method("POST")).and(path("/v1/reserve"));
    reserve.respond_with(ResponseTemplate::new(201).set_body_json(held)).expect(1).mount(&server).await;
    let commit = Mock::given(method("POST")).and(path("/v1/commit"));
    commit.respond_with(problem("ownership-unproved", 409)).expect(1).mount(&server).await;

    let document = json!({ "apiVersion": "pdm.openova.io/v1alpha1", "kind": "SovereignDomain", "metadata": { "name": "acme" },
        "spec": { "fqdn": "acme.com", "mode": "byo-manual", "owner": "acme", "loadBalancers": [{ "ipv4": "203.0.113.1" }] } });
    let wish = Wish::new(documents(document).unwrap(), "s").unwrap();
    let client = quick(&server);
    let look = wish.look_at_these(&client, |_| None).await.unwrap();
    assert_eq!(look.plan.rows[0].act, Act::Renew);
    assert!(wish.carry_out(&client, &look.plan.rows[0]).await.unwrap_err().is("ownership-unproved"));
    let asked = server.received_requests().await.unwrap();
    assert!(asked.iter().all(|r| r.url.path() != "/v1/release"), "what proves it stays the same");
}
