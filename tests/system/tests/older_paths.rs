//! The older paths: golden pairs of request and answer for every path and every error, and a client that knows only them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use pdm_harness::{Api, Plan, StoreKind, World, until};
use serde_json::{Value, json};

const BASE: &str = "/api/v1/pool/omani.works";

async fn world() -> World {
    Plan::new(StoreKind::Sqlite).trusted().start().await
}

async fn reserve(api: &Api, label: &str) -> String {
    let answer =
        api.post(&format!("{BASE}/reserve"), &json!({"subdomain": label, "createdBy": "wizard"})).await;
    answer.expect(&[201]).text_at("/reservationToken").to_owned()
}

fn commit_body(label: &str, token: &str, ip: &str) -> Value {
    json!({"subdomain": label, "reservationToken": token, "sovereignFQDN": format!("{label}.omani.works"), "loadBalancerIP": ip})
}

/// Replace what differs from run to run, and check that it was there.
fn golden(mut body: Value) -> Value {
    let object = body.as_object_mut().expect("an object");
    for key in ["reservedAt", "expiresAt", "reservationToken"] {
        if let Some(value) = object.get_mut(key) {
            assert!(value.as_str().is_some_and(|v| v.len() >= 20), "{key}: {value}");
            *value = json!("...");
        }
    }
    body
}

#[tokio::test]
async fn a_client_of_the_older_paths_goes_through_its_life_without_a_token() {
    let world = world().await;
    let api = world.stranger();
    let check = api.get(&format!("{BASE}/check?sub=omantel")).await.expect(&[200]);
    assert_eq!(check.body, json!({"available": true, "fqdn": "omantel.omani.works"}));

    let reserved =
        api.post(&format!("{BASE}/reserve"), &json!({"subdomain": "omantel", "createdBy": "wizard"})).await;
    let reserved = reserved.expect(&[201]);
    let token = reserved.text_at("/reservationToken").to_owned();
    assert_eq!(
        golden(reserved.body),
        json!({"poolDomain": "omani.works", "subdomain": "omantel", "state": "reserved", "reservedAt": "...",
            "expiresAt": "...", "reservationToken": "...", "createdBy": "wizard"})
    );
    let check = api.get(&format!("{BASE}/check?sub=omantel")).await.expect(&[200]);
    assert_eq!(check.body["available"], false);
    assert!(check.body["reason"].is_string() && check.body["detail"].is_string(), "{check}");

    let body = commit_body("omantel", &token, "192.0.2.10");
    let last = until("the older commit to be active", || async {
        let answer = api.post(&format!("{BASE}/commit"), &body).await.expect(&[200, 202]);
        if answer.status == 200 { Ok(answer) } else { Err(answer) }
    })
    .await;
    assert_eq!(last.text_at("/state"), "active");
    assert_eq!(
        (last.text_at("/sovereignFQDN"), last.text_at("/loadBalancerIP")),
        ("omantel.omani.works", "192.0.2.10")
    );
    assert_eq!(
        world.dns().rrset("omantel.omani.works", "api.omantel.omani.works", "A").await,
        ["192.0.2.10"]
    );

    let body = json!({"subdomain": "omantel"});
    let freed = api.delete(&format!("{BASE}/release"), Some(&body)).await.expect(&[200, 202]);
    assert_eq!(freed.text_at("/freed/subdomain"), "omantel");
    let _ = api.delete(&format!("{BASE}/release?sub=omantel"), None).await.expect(&[200, 202, 404]);
    world.api().await_phase("omantel", "quarantined").await;
    pdm_harness::truth::must_hold(&world).await;
}

#[tokio::test]
async fn every_error_has_its_word_and_status() {
    let world = world().await;
    let api = world.stranger();
    let taken = reserve(&api, "taken").await;
    let post = |path: &str, body: Value| {
        let (api, path) = (api.clone(), format!("{BASE}/{path}"));
        async move { api.post(&path, &body).await }
    };
    let cases = [
        ("reserve", json!({"subdomain": "taken"}), 409, "conflict"),
        ("reserve", json!({"subdomain": "api"}), 422, "reserved"),
        ("reserve", json!({"subdomain": "-a-"}), 422, "invalid-format"),
        ("reserve", json!({}), 422, "invalid-format"),
        ("commit", commit_body("nobody", &taken, "192.0.2.1"), 404, "not-found"),
        ("commit", commit_body("taken", "not-the-token", "192.0.2.1"), 403, "token-mismatch"),
        ("commit", commit_body("taken", &taken, ""), 422, "missing-lb-ip"),
        ("commit", commit_body("taken", &taken, "999.1.1.1"), 422, "invalid-format"),
    ];
    for (path, body, status, word) in cases {
        let answer = post(path, body.clone()).await;
        assert_eq!((answer.status, answer.text_at("/error")), (status, word), "{path} {body}: {answer}");
        assert!(!answer.text_at("/detail").is_empty(), "{answer}");
        assert_eq!(answer.body.as_object().unwrap().len(), 2, "error and detail only: {answer}");
    }
    for (path, reason) in [
        ("/api/v1/pool/nobody.example/check?sub=a", "unsupported-pool"),
        ("/api/v1/pool/omani.works/check?sub=api", "reserved"),
        ("/api/v1/pool/omani.works/check?sub=-a", "invalid-format"),
        ("/api/v1/pool/omani.works/check?sub=taken", "conflict"),
    ] {
        let check = api.get(path).await.expect(&[200]);
        assert_eq!((&check.body["available"], check.text_at("/reason")), (&json!(false), reason), "{check}");
    }
    let other = api.post("/api/v1/pool/nobody.example/reserve", &json!({"subdomain": "a"})).await;
    assert_eq!((other.status, other.text_at("/error")), (422, "unsupported-pool"), "{other}");
    let gone = api.delete(&format!("{BASE}/release"), Some(&json!({"subdomain": "never-was"}))).await;
    assert_eq!((gone.status, gone.text_at("/error")), (404, "not-found"), "{gone}");

    let token = reserve(&api, "committed").await;
    let _ = post("commit", commit_body("committed", &token, "192.0.2.1")).await.expect(&[200, 202]);
    let twice = post("commit", commit_body("committed", &token, "192.0.2.2")).await;
    assert_eq!(twice.text_at("/error"), "already-active", "{twice}");
}

#[tokio::test]
async fn an_expired_reservation_is_410() {
    let world = Plan::new(StoreKind::Sqlite).trusted().pool("reservation_ttl = \"1s\"").start().await;
    let api = world.stranger();
    let token = reserve(&api, "omantel").await;
    until("the reservation to end", || async {
        let check = api.get(&format!("{BASE}/check?sub=omantel")).await;
        if check.body["available"] == true { Ok(()) } else { Err(check) }
    })
    .await;
    let late = api.post(&format!("{BASE}/commit"), &commit_body("omantel", &token, "192.0.2.1")).await;
    assert_eq!((late.status, late.text_at("/error")), (410, "reservation-expired"), "{late}");
}

#[tokio::test]
async fn list_is_for_admins_and_reserved_labels_are_told() {
    let world = world().await;
    let _ = reserve(&world.stranger(), "omantel").await;
    let _ = world.stranger().get(&format!("{BASE}/list")).await.expect(&[401, 403]);
    let list = world.api().get(&format!("{BASE}/list")).await.expect(&[200]);
    assert_eq!(list.text_at("/poolDomain"), "omani.works");
    assert_eq!(list.text_at("/allocations/0/subdomain"), "omantel");
    assert!(!list.text.contains("oken"), "a token is never listed: {list}");
    let reserved = world.stranger().get("/api/v1/reserved").await.expect(&[200]);
    let labels: Vec<_> =
        reserved.body["reserved"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(pdm_model::reserved::RESERVED_LABELS.iter().all(|l| labels.contains(l)), "{labels:?}");
}

#[tokio::test]
async fn registrars_are_answered_in_the_older_words() {
    let world = world().await;
    let body = json!({"domain": "acme.example", "token": "t"});
    let valid = world.api().post("/api/v1/registrar/nobody/validate", &body).await;
    assert_eq!(valid.text_at("/error"), "unsupported-registrar", "{valid}");
    let body = json!({"domain": "acme.example", "token": "t", "nameservers": ["ns1.openova.io"]});
    let set = world.api().post("/api/v1/registrar/nobody/set-ns", &body).await;
    assert_eq!(set.text_at("/error"), "unsupported-registrar", "{set}");
}

#[tokio::test]
async fn a_trusted_network_is_no_more_than_the_older_paths_need() {
    let world = world().await;
    let api = world.stranger();
    let v1 = api.try_reserve("omantel").await;
    assert_eq!((v1.status, v1.code()), (401, "unauthenticated"), "/v1 always asks for a token: {v1}");
    for header in ["x-forwarded-for", "forwarded"] {
        let proxied = api.clone().with_header(header, "for=198.51.100.1");
        let answer = proxied.post(&format!("{BASE}/reserve"), &json!({"subdomain": "omantel"})).await;
        assert_eq!(answer.status, 401, "a proxied client is not of the network: {answer}");
    }
    // A name that was reserved with a token cannot be released without one.
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    let answer = api.delete(&format!("{BASE}/release"), Some(&json!({"subdomain": "omantel"}))).await;
    assert!([401, 403, 404].contains(&answer.status), "{answer}");
    assert_eq!(world.api().allocation("omantel").await["phase"], "active");
}

#[tokio::test]
async fn without_a_trusted_network_the_older_paths_ask_for_a_token_too() {
    let world = World::new(StoreKind::Sqlite).await;
    let answer = world.stranger().post(&format!("{BASE}/reserve"), &json!({"subdomain": "omantel"})).await;
    assert_eq!(answer.status, 401, "{answer}");
    let _ = reserve(&world.api(), "omantel").await;
}
