//! The contract under `/v1`, without DNS behind it.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

mod fake;

use std::sync::atomic::Ordering;
use std::time::Duration;

use fake::{Ask, Bench};
use pdm_model::Phase;
use pdm_server::Limits;
use serde_json::{Value, json};

const POOL: &str = "omani.works";
const FQDN: &str = "omantel.omani.works";

fn reserve_body() -> Value {
    json!({"mode": "pool", "poolDomain": POOL, "subdomain": "omantel"})
}

fn commit_body(token: &str) -> Value {
    json!({"fqdn": FQDN, "reservationToken": token, "loadBalancers": [{"ipv4": "8.8.8.8"}]})
}

#[tokio::test]
async fn a_name_goes_through_its_calls() {
    let bench = Bench::new();
    let check = format!("/v1/check?poolDomain={POOL}&subdomain=omantel");
    assert_eq!(bench.ask("GET", &check, Ask::by("admin")).await.json["available"], true);
    let token = bench.reserve("omantel").await;
    let reply = bench.ask("GET", &format!("/v1/check?domain={FQDN}"), Ask::by("admin")).await;
    assert_eq!((&reply.json["available"], &reply.json["code"]), (&json!(false), &json!("reservation-held")));
    let extend = json!({"fqdn": FQDN, "reservationToken": token});
    assert_eq!(bench.ask("POST", "/v1/reserve/extend", Ask::by("admin").json(&extend)).await.status, 200);

    let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&commit_body(&token))).await;
    assert_eq!((reply.status.as_u16(), &reply.json["phase"]), (202, &json!("provisioning")));
    let place = reply.headers["location"].to_str().unwrap().to_owned();
    let reply = bench.ask("GET", &place, Ask::by("admin")).await;
    assert_eq!((&reply.json["kind"], &reply.json["state"]), (&json!("commit"), &json!("open")));
    assert_eq!(bench.ask("POST", &format!("{place}/retry"), Ask::by("admin")).await.status, 202);

    let mut other = commit_body(&token);
    other["loadBalancers"][0]["ipv4"] = json!("8.8.4.4");
    let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&other)).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "already-committed"));

    bench.store.end(FQDN, Phase::Active);
    let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&commit_body(&token))).await;
    assert_eq!((reply.status.as_u16(), &reply.json["phase"]), (200, &json!("active")));
    let reply = bench.ask("GET", &format!("/v1/allocations/{FQDN}"), Ask::by("auditor")).await;
    assert!(reply.json["desired"].as_array().is_some_and(|d| !d.is_empty()), "{}", reply.json);
    assert!(!reply.json.to_string().contains(&token));

    let target = json!({"loadBalancers": [{"ipv4": "8.8.4.4"}]});
    let path = format!("/v1/allocations/{FQDN}");
    assert_eq!(bench.ask("PUT", &format!("{path}/target"), Ask::by("admin").json(&target)).await.status, 202);
    let why = json!({"reason": "phishing"});
    assert_eq!(bench.ask("POST", &format!("{path}/suspend"), Ask::by("admin").json(&why)).await.status, 202);
    assert_eq!(bench.ask("POST", &format!("{path}/resume"), Ask::by("admin")).await.status, 202);
    let owner = json!({"owner": "acme"});
    assert_eq!(bench.ask("POST", &format!("{path}/owner"), Ask::by("admin").json(&owner)).await.status, 202);
    let release = json!({"fqdn": FQDN});
    let reply = bench.ask("POST", "/v1/release", Ask::by("admin").json(&release)).await;
    assert_eq!((reply.status.as_u16(), &reply.json["phase"]), (202, &json!("releasing")));
    bench.store.end(FQDN, Phase::Quarantined);
    let reply = bench.ask("POST", "/v1/release", Ask::by("admin").json(&release)).await;
    assert_eq!((reply.status.as_u16(), &reply.json["phase"]), (200, &json!("quarantined")));
    let reply = bench.ask("GET", &format!("/v1/audit-log?fqdn={FQDN}&limit=2"), Ask::by("auditor")).await;
    assert_eq!(reply.json["items"].as_array().unwrap().len(), 2);
    assert!(reply.json["nextCursor"].is_i64());
}

#[tokio::test]
async fn a_repeat_with_a_key_is_answered_from_memory_without_a_stored_token() {
    let bench = Bench::new();
    let ask = || Ask::by("admin").json(&reserve_body()).with("idempotency-key", "k1");
    let first = bench.ask("POST", "/v1/reserve", ask()).await;
    let token = first.json["reservationToken"].as_str().unwrap().to_owned();
    assert!(!bench.store.memory().contains(&token));
    // Even after the commit the answer is the same.
    bench.ask("POST", "/v1/commit", Ask::by("admin").json(&commit_body(&token))).await;
    let again = bench.ask("POST", "/v1/reserve", ask()).await;
    assert_eq!((again.status, again.json), (first.status, first.json));

    let other = json!({"mode": "pool", "poolDomain": POOL, "subdomain": "other"});
    let reply =
        bench.ask("POST", "/v1/reserve", Ask::by("admin").json(&other).with("idempotency-key", "k1")).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (422, "idempotency-conflict"));
    bench.store.begin_forever();
    let reply = bench.ask("POST", "/v1/reserve", ask()).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "idempotency-in-progress"));
    assert_eq!(reply.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_refused_request_is_judged_anew() {
    let bench = Bench::new();
    let token = bench.reserve("omantel").await;
    let ask = || Ask::by("provisioner-acme").json(&reserve_body()).with("idempotency-key", "k");
    assert_eq!(bench.ask("POST", "/v1/reserve", ask()).await.code(), "reservation-held");
    let release = json!({"fqdn": FQDN, "reservationToken": token});
    assert_eq!(bench.ask("POST", "/v1/release", Ask::by("admin").json(&release)).await.status, 200);
    assert_eq!(bench.ask("POST", "/v1/reserve", ask()).await.status, 201);
}

#[tokio::test]
async fn prefer_waits_and_answers_how_it_stands() {
    let bench = Bench::new();
    let token = bench.reserve("omantel").await;
    let store = bench.store.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        store.end(FQDN, Phase::Active);
    });
    let ask = Ask::by("admin").json(&commit_body(&token)).with("prefer", "wait=5");
    let reply = bench.ask("POST", "/v1/commit", ask).await;
    assert_eq!((reply.status.as_u16(), &reply.json["phase"]), (200, &json!("active")));
    assert_eq!(reply.json["operation"]["state"], "done");
}

#[tokio::test]
async fn events_resume_and_end_with_the_operation() {
    let bench = Bench::new();
    let token = bench.reserve("omantel").await;
    let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&commit_body(&token))).await;
    let path = format!("{}/events", reply.headers["location"].to_str().unwrap());
    bench.store.end(FQDN, Phase::Active);
    let all = bench.ask("GET", &path, Ask::by("admin")).await;
    assert_eq!(all.headers["content-type"], "text/event-stream");
    let text = all.json.as_str().unwrap();
    assert!(
        text.contains("id: 1\n") && text.contains("id: 2\n") && text.contains("\"state\":\"done\""),
        "{text}"
    );
    let rest = bench.ask("GET", &path, Ask::by("admin").with("last-event-id", "1")).await;
    let text = rest.json.as_str().unwrap();
    assert!(!text.contains("id: 1\n") && text.contains("id: 2\n"), "{text}");
    let reply = bench.ask("GET", &path, Ask::by("admin").with("last-event-id", "x")).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid-parameter"));
    assert_eq!(bench.ask("GET", "/v1/operations/none/events", Ask::by("admin")).await.status, 404);
}

#[tokio::test]
async fn lists_have_pages_and_scopes() {
    let bench = Bench::new();
    for label in ["c-one", "a-one", "b-one"] {
        bench.reserve(label).await;
    }
    let reply = bench.ask("GET", "/v1/allocations?limit=2", Ask::by("auditor")).await;
    let cursor = reply.json["nextCursor"].as_str().unwrap().to_owned();
    assert_eq!((reply.json["items"].as_array().unwrap().len(), cursor.as_str()), (2, "b-one.omani.works"));
    let reply =
        bench.ask("GET", &format!("/v1/allocations?limit=2&cursor={cursor}"), Ask::by("auditor")).await;
    assert_eq!(reply.json["items"][0]["fqdn"], "c-one.omani.works");
    assert!(reply.json.get("nextCursor").is_none());
    let reply = bench.ask("GET", "/v1/allocations", Ask::by("provisioner-acme")).await;
    assert_eq!(reply.json["items"], json!([]));
    let path = "/v1/allocations/a-one.omani.works";
    assert_eq!(bench.ask("GET", path, Ask::by("provisioner-acme")).await.code(), "not-found");
}

#[tokio::test]
async fn pools_passports_and_freezes() {
    let bench = Bench::new();
    bench.reserve("omantel").await;
    let freeze = json!({"poolDomain": POOL});
    assert_eq!(bench.ask("POST", "/v1/freeze", Ask::by("wizard").json(&freeze)).await.code(), "forbidden");
    assert_eq!(bench.ask("POST", "/v1/freeze", Ask::by("admin").json(&freeze)).await.json["frozen"], true);
    let pool = bench.ask("GET", "/v1/pools", Ask::by("wizard")).await.json["pools"][0].clone();
    assert_eq!((&pool["frozen"], &pool["counts"]["reserved"]), (&json!(true), &json!(1)));
    assert_eq!(bench.ask("POST", "/v1/thaw", Ask::by("admin")).await.status, 200);
    let reply = bench
        .ask("POST", "/v1/validate", Ask::by("wizard").json(&json!({"domain": "acme.omani.works"})))
        .await;
    assert_eq!((&reply.json["modes"][0]["works"], &reply.json["subdomain"]), (&json!(true), &json!("acme")));
    let reply =
        bench.ask("POST", "/v1/validate", Ask::by("wizard").json(&json!({"domain": "acme.example"}))).await;
    assert_eq!(
        (&reply.json["check"]["available"], &reply.json["modes"][0]["works"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(reply.json["domain"]["registeredDomain"], "acme.example");
    let known = bench.ask("GET", "/v1/registrars", Ask::by("wizard")).await.json;
    assert_eq!(known["registrars"], json!([]));
    let menus = known["menus"].as_array().unwrap();
    assert!(menus.len() >= 10 && menus.iter().all(|m| m["nameservers"] != "" && m["ds"] != ""), "{menus:?}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_503_and_says_nothing_of_itself() {
    let bench = Bench::new();
    bench.store.down.store(true, Ordering::Relaxed);
    let reply = bench.ask("POST", "/v1/reserve", Ask::by("admin").json(&reserve_body())).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "store-unavailable"));
    assert!(reply.headers.contains_key("retry-after"));
    assert!(!reply.json.to_string().contains("secret-connection-string"));
    assert_eq!(bench.ask("GET", "/healthz", Ask::default()).await.status, 200);
    let reply = bench.ask("GET", "/readyz", Ask::default()).await;
    assert_eq!((reply.status.as_u16(), &reply.json["parts"][0]["name"]), (503, &json!("store")));
    assert_eq!(bench.ask("GET", "/metrics", Ask::default()).await.status, 200);
}

#[tokio::test]
async fn a_client_that_asks_too_often_waits() {
    let bench = Bench::with(Limits { per_second: 1, burst: 1, ..Limits::default() });
    let path = format!("/v1/check?poolDomain={POOL}&subdomain=a-name");
    assert_eq!(bench.ask("GET", &path, Ask::by("admin")).await.status, 200);
    let reply = bench.ask("GET", &path, Ask::by("admin")).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (429, "rate-limited"));
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(bench.ask("GET", &path, Ask::by("wizard")).await.status, 200);
}

#[tokio::test]
async fn a_policy_is_kept_with_its_defaults_rehearsed_and_forced() {
    let bench = Bench::new();
    let token = bench.reserve("omantel").await;
    let mut body = commit_body(&token);
    body["loadBalancers"] =
        json!([{"region": "fsn", "ipv4": "8.8.8.8"}, {"region": "nbg", "ipv4": "8.8.4.4"}]);
    body["failover"] = json!({"strategy": "ordered"});
    assert_eq!(bench.ask("POST", "/v1/commit", Ask::by("admin").json(&body)).await.status, 202);
    bench.store.end(FQDN, Phase::Active);
    let path = format!("/v1/allocations/{FQDN}");
    let shown = bench.ask("GET", &path, Ask::by("auditor")).await.json;
    assert_eq!(shown["failover"]["check"], json!({"type": "tcp", "port": 443, "timeout": 2, "failures": 1}));
    assert_eq!(shown["loadBalancers"], body["loadBalancers"]);

    let status = bench.ask("GET", &format!("{path}/failover"), Ask::by("auditor")).await.json;
    assert_eq!((&status["state"]["reason"], &status["bounds"]["clients"]), (&json!("no-answer"), &json!(12)));
    let rehearsal = format!("{path}/failover/rehearsal?down=");
    let then = bench.ask("GET", &format!("{rehearsal}fsn"), Ask::by("auditor")).await.json;
    assert_eq!(
        (&then["before"][0]["answer"], &then["after"][0]["answer"]),
        (&json!("8.8.8.8"), &json!("8.8.4.4"))
    );
    let reply = bench.ask("GET", &format!("{rehearsal}hel"), Ask::by("auditor")).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (422, "unknown-region"));

    let drain = json!({"region": "fsn", "force": "down", "seconds": 60});
    let forced = |by| {
        bench.ask("POST", "/v1/allocations/omantel.omani.works/failover/drain", Ask::by(by).json(&drain))
    };
    assert_eq!(forced("auditor").await.status, 403);
    assert_eq!(forced("provisioner-other").await.status, 404, "a name of somebody else's");
    assert_eq!(forced("admin").await.status, 202);
    let shown = bench.ask("GET", &path, Ask::by("auditor")).await.json;
    assert_eq!(
        (&shown["drains"][0]["region"], &shown["drains"][0]["by"]),
        (&json!("fsn"), &json!("token:admin"))
    );

    let token = bench.reserve("plain").await;
    let plain = json!({"fqdn": "plain.omani.works", "reservationToken": token, "loadBalancers": [{"ipv4": "8.8.8.8"}]});
    assert_eq!(bench.ask("POST", "/v1/commit", Ask::by("admin").json(&plain)).await.status, 202);
    let reply = bench.ask("GET", "/v1/allocations/plain.omani.works/failover", Ask::by("admin")).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "no-failover"));
}
