//! The older paths as their client sees them.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

mod fake;

use fake::{Ask, Bench, Reply};
use pdm_model::Phase;
use serde_json::{Value, json};

const BASE: &str = "/api/v1/pool/omani.works";
const INSIDE: &str = "10.20.0.7";

async fn post(bench: &Bench, verb: &str, body: Value) -> Reply {
    bench.ask("POST", &format!("{BASE}/{verb}"), Ask::default().from(INSIDE).json(&body)).await
}

async fn release(bench: &Bench, body: Value) -> Reply {
    bench.ask("DELETE", &format!("{BASE}/release"), Ask::default().from(INSIDE).json(&body)).await
}

fn commit(token: &str, ip: &str) -> Value {
    json!({"subdomain": "omantel", "reservationToken": token, "sovereignFQDN": "omantel.omani.works", "loadBalancerIP": ip})
}

fn error(reply: &Reply) -> (u16, &str) {
    assert_eq!(reply.json.as_object().unwrap().len(), 2, "{}", reply.json);
    assert!(reply.json["detail"].is_string());
    (reply.status.as_u16(), reply.json["error"].as_str().unwrap())
}

#[tokio::test]
async fn a_client_without_a_token_goes_all_the_way() {
    let bench = Bench::new();
    let check = format!("{BASE}/check?sub=OmanTel");
    let reply = bench.ask("GET", &check, Ask::default().from(INSIDE)).await;
    assert_eq!(reply.json, json!({"available": true, "fqdn": "omantel.omani.works"}));

    let reply =
        post(&bench, "reserve", json!({"subdomain": " OmanTel ", "createdBy": "d-1", "extra": 1})).await;
    let token = reply.json["reservationToken"].as_str().unwrap().to_owned();
    let expected = json!({
        "poolDomain": "omani.works", "subdomain": "omantel", "state": "reserved", "createdBy": "d-1",
        "reservedAt": "2026-11-19T00:00:00Z", "expiresAt": "2026-11-19T01:30:00Z", "reservationToken": token,
    });
    assert_eq!((reply.status.as_u16(), &reply.json), (201, &expected));
    let reply = bench.ask("GET", &check, Ask::default().from(INSIDE)).await;
    assert_eq!((&reply.json["available"], &reply.json["reason"]), (&json!(false), &json!("conflict")));

    let active = json!({
        "poolDomain": "omani.works", "subdomain": "omantel", "state": "active", "createdBy": "d-1",
        "reservedAt": "2026-11-19T00:00:00Z", "sovereignFQDN": "omantel.omani.works", "loadBalancerIP": "8.8.8.8",
    });
    let reply = post(&bench, "commit", commit(&token, "8.8.8.8")).await;
    assert_eq!((reply.status.as_u16(), &reply.json["state"]), (202, &json!("active")));
    assert!(reply.json["warning"].is_string());
    assert_eq!(post(&bench, "commit", commit(&token, "8.8.8.8")).await.status, 202);
    bench.store.end("omantel.omani.works", Phase::Active);
    let reply = post(&bench, "commit", commit(&token, "8.8.8.8")).await;
    assert_eq!((reply.status.as_u16(), &reply.json), (200, &active));
    assert_eq!(error(&post(&bench, "commit", commit(&token, "8.8.4.4")).await), (409, "already-active"));

    let reply = release(&bench, json!({"subdomain": "omantel"})).await;
    assert_eq!((reply.status.as_u16(), &reply.json["freed"]), (202, &active));
    assert_eq!(release(&bench, json!({"subdomain": "omantel"})).await.status, 202);
    bench.store.end("omantel.omani.works", Phase::Quarantined);
    let path = format!("{BASE}/release?sub=omantel");
    let reply = bench.ask("DELETE", &path, Ask::default().from(INSIDE)).await;
    assert_eq!((reply.status.as_u16(), &reply.json), (200, &json!({"freed": active})));
}

#[tokio::test]
async fn errors_keep_their_words() {
    let bench = Bench::new();
    for (sub, reason) in [("a b", "invalid-format"), ("", "invalid-format"), ("api", "reserved")] {
        let path = format!("{BASE}/check?sub={}", sub.replace(' ', "%20"));
        let reply = bench.ask("GET", &path, Ask::default().from(INSIDE)).await;
        assert_eq!((reply.status.as_u16(), &reply.json["reason"]), (200, &json!(reason)), "{sub}");
    }
    let path = "/api/v1/pool/example.com/check?sub=a";
    let reply = bench.ask("GET", path, Ask::default().from(INSIDE)).await;
    assert_eq!((reply.status.as_u16(), &reply.json["reason"]), (200, &json!("unsupported-pool")));

    assert_eq!(error(&post(&bench, "reserve", json!({"subdomain": "a b"})).await), (422, "invalid-format"));
    assert_eq!(error(&post(&bench, "reserve", json!({"subdomain": "api"})).await), (422, "reserved"));
    assert_eq!(error(&post(&bench, "commit", commit("t", "8.8.8.8")).await), (404, "not-found"));
    assert_eq!(error(&release(&bench, json!({"subdomain": "omantel"})).await), (404, "not-found"));
    let token =
        post(&bench, "reserve", json!({"subdomain": "omantel"})).await.json["reservationToken"].clone();
    let token = token.as_str().unwrap();
    assert_eq!(error(&post(&bench, "reserve", json!({"subdomain": "omantel"})).await), (409, "conflict"));
    assert_eq!(error(&post(&bench, "commit", commit("wrong", "8.8.8.8")).await), (403, "token-mismatch"));
    assert_eq!(error(&post(&bench, "commit", commit(token, " ")).await), (422, "missing-lb-ip"));
    for bad in ["999.1.1.1", "8.8.8.8\n", "127.0.0.1"] {
        assert_eq!(
            error(&post(&bench, "commit", commit(token, bad)).await),
            (422, "invalid-format"),
            "{bad:?}"
        );
    }
    let mut other = commit(token, "8.8.8.8");
    other["sovereignFQDN"] = json!("other.omani.works");
    assert_eq!(error(&post(&bench, "commit", other).await), (422, "invalid-format"));
    let garbage = Ask::default().from(INSIDE).raw("{").with("content-type", "application/json");
    assert_eq!(error(&bench.ask("POST", &format!("{BASE}/reserve"), garbage).await), (400, "invalid-format"));
    for verb in ["validate", "set-ns"] {
        let path = format!("/api/v1/registrar/ovh/{verb}");
        let reply = bench.ask("POST", &path, Ask::default().from(INSIDE).json(&json!({}))).await;
        assert_eq!(error(&reply), (422, "unsupported-registrar"));
    }
}

#[tokio::test]
async fn a_trusted_network_is_bounded() {
    let bench = Bench::new();
    let inside = || Ask::default().from(INSIDE);
    assert_eq!(bench.ask("GET", "/v1/pools", inside()).await.status, 401);
    let check = format!("{BASE}/check?sub=a-name");
    assert_eq!(error(&bench.ask("GET", &check, Ask::default().from("10.20.1.7")).await).0, 401);
    assert_eq!(error(&bench.ask("GET", &check, Ask::default()).await).0, 401);
    for header in ["x-forwarded-for", "forwarded"] {
        assert_eq!(error(&bench.ask("GET", &check, inside().with(header, "10.20.0.7")).await).0, 401);
    }
    assert_eq!(error(&bench.ask("GET", &format!("{BASE}/list"), inside()).await).0, 403);
    // A name that was reserved through /v1 is not theirs to release without its token.
    bench.reserve("omantel").await;
    assert_eq!(error(&release(&bench, json!({"subdomain": "omantel"})).await), (403, "token-mismatch"));
    let list = bench.ask("GET", &format!("{BASE}/list"), Ask::by("admin")).await;
    assert_eq!(list.json["allocations"][0]["subdomain"], "omantel");
    assert!(list.json["allocations"][0].get("reservationToken").is_none());
    let reserved = bench.ask("GET", "/api/v1/reserved", inside()).await;
    assert!(reserved.json["reserved"].as_array().unwrap().contains(&json!("www")));
}
