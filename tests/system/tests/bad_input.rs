//! What people and programs type wrongly: each has its status, its stable code and its field, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use pdm_harness::story::fqdn;
use pdm_harness::{Answer, POOL, Plan, StoreKind, World, truth};
use pdm_model::problem::PROBLEMS;
use serde_json::{Value, json};

fn must_be(answer: &Answer, status: u16, code: &str, context: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{context}: {answer}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{context}");
    let row = PROBLEMS.iter().find(|p| p.code == code).expect("a code of the table");
    assert_eq!(row.status, status, "{context}");
    for key in ["title", "detail", "whoMustAct", "nextStep"] {
        assert!(!answer.text_at(&format!("/{key}")).is_empty(), "{context}: no {key} in {answer}");
    }
}

#[tokio::test]
async fn names() {
    let world = World::new(StoreKind::Sqlite).await;
    let api = world.api();
    let too_long = "a".repeat(64);
    let cases = [
        ("", "invalid-name"),
        (" ", "invalid-name"),
        ("two words", "invalid-name"),
        ("a.b", "invalid-name"),
        (".", "invalid-name"),
        ("-a", "invalid-name"),
        ("a-", "invalid-name"),
        ("ab--cd", "invalid-name"),
        ("xn--", "invalid-name"),
        ("xn--a", "invalid-name"),
        ("xn--zzzzzzzz99999", "invalid-name"),
        ("a\u{0}b", "invalid-name"),
        ("a\nb", "invalid-name"),
        ("a_b", "invalid-name"),
        ("a/b", "invalid-name"),
        ("*", "invalid-name"),
        ("@", "invalid-name"),
        ("<script>", "invalid-name"),
        (&too_long, "invalid-name"),
        ("_acme", "name-reserved"),
        ("ns1", "name-reserved"),
        ("ns9", "name-reserved"),
        ("WWW", "name-reserved"),
        ("console", "name-reserved"),
    ];
    for (label, code) in cases {
        let answer = api.try_reserve(label).await;
        must_be(&answer, 422, code, &format!("{label:?}"));
        assert_eq!(answer.text_at("/field"), "subdomain", "{label:?}");
        let check = api.get_label(label).await;
        assert!(
            check.body["available"] == false && check.text_at("/code") == code,
            "check {label:?}: {check}"
        );
    }
    for label in pdm_model::reserved::RESERVED_LABELS {
        must_be(&api.try_reserve(label).await, 422, "name-reserved", label);
    }
    assert!(api.allocations().await.is_empty(), "nothing is left behind");
    for (label, name) in [
        ("OMANTEL", "omantel"),
        ("9zone", "9zone"),
        ("münchen", "xn--mnchen-3ya"),
        (&"b".repeat(63), &*"b".repeat(63)),
    ] {
        let answer = api.try_reserve(label).await.expect(&[201]);
        assert_eq!(answer.text_at("/fqdn"), fqdn(name));
    }
    must_be(&api.try_reserve("omantel").await, 409, "reservation-held", "again, in lower case");
    for twin in ["0mantel", "оmantel", "oman-tel"] {
        let answer = api.try_reserve(twin).await;
        must_be(&answer, 422, "name-look-alike", twin);
    }
    let other = api
        .post("/v1/reserve", &json!({"mode": "pool", "poolDomain": "nobody.example", "subdomain": "a"}))
        .await;
    must_be(&other, 422, "unsupported-pool", "another pool");
    let other = api.post("/v1/reserve", &json!({"mode": "byo", "domain": "acme.example"})).await;
    must_be(&other, 422, "unsupported-mode", "another mode");
}

/// `check` of any text, escaped as a query.
trait Check {
    async fn get_label(&self, label: &str) -> Answer;
}

impl Check for pdm_harness::Api {
    async fn get_label(&self, label: &str) -> Answer {
        let escaped: String = label.bytes().map(|b| format!("%{b:02X}")).collect();
        self.get(&format!("/v1/check?poolDomain={POOL}&subdomain={escaped}")).await
    }
}

#[tokio::test]
async fn addresses() {
    let world = Plan::new(StoreKind::Sqlite).pool("allow_addresses = []").start().await;
    let api = world.api();
    let token = api.reserve("omantel").await;
    let commit = |lb: Value| {
        let body = json!({"fqdn": fqdn("omantel"), "reservationToken": token, "loadBalancers": lb});
        let api = api.clone();
        async move { api.post("/v1/commit", &body).await }
    };
    let malformed =
        ["999.1.1.1", "::1", "8.8.8.8\n", "8.8.8", "8.8.8.8/32", "08.8.8.8", "example.org", "", "8.8.8.8 "];
    for ip in malformed {
        let answer = commit(json!([{"ipv4": ip}])).await;
        must_be(&answer, 422, "invalid-target", &format!("{ip:?}"));
        assert_eq!(answer.text_at("/field"), "loadBalancers[0].ipv4", "{ip:?}");
    }
    let special = [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "240.0.0.1",
    ];
    for ip in special {
        let answer = commit(json!([{"ipv4": "8.8.8.8"}, {"ipv4": ip}])).await;
        must_be(&answer, 422, "address-refused", ip);
        assert_eq!(answer.text_at("/field"), "loadBalancers[1].ipv4", "{ip}");
    }
    for ip in ["::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1"] {
        must_be(&commit(json!([{"ipv6": ip}])).await, 422, "address-refused", ip);
    }
    must_be(&commit(json!([])).await, 422, "missing-load-balancer", "none");
    must_be(&commit(json!([{}])).await, 422, "missing-load-balancer", "an empty one");
    must_be(&commit(json!([{"ipv4": "8.8.8.8"}, {"ipv4": "8.8.8.8"}])).await, 422, "invalid-target", "twice");
    must_be(&commit(json!([{"ipv4": "8.8.8.8", "weight": 0}])).await, 422, "invalid-target", "no weight");
    must_be(&commit(json!([{"ipv4": "8.8.8.8", "country": ["om"]}])).await, 422, "field-unused", "country");
    // A typing mistake never bricks a name.
    let good = commit(json!([{"ipv4": "8.8.8.8", "ipv6": "2001:4860:4860::8888"}])).await;
    assert!([200, 202].contains(&good.status), "{good}");
    api.await_phase("omantel", "active").await;
    assert_eq!(
        world.dns().rrset(&fqdn("omantel"), &fqdn("api.omantel"), "AAAA").await,
        ["2001:4860:4860::8888"]
    );
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn bodies() {
    let world = World::new(StoreKind::Sqlite).await;
    let api = world.api();
    let json_type = "application/json";
    let cases: [(&str, String, u16, &str); 12] = [
        (json_type, String::new(), 400, "invalid-body"),
        (json_type, "{".into(), 400, "invalid-body"),
        (json_type, "null".into(), 400, "invalid-body"),
        (json_type, "[]".into(), 400, "invalid-body"),
        (json_type, "{\"mode\":\"pool\"} trailing".into(), 400, "invalid-body"),
        (
            json_type,
            "{\"mode\":\"pool\",\"poolDomain\":\"omani.works\",\"subDomain\":\"a\"}".into(),
            400,
            "invalid-body",
        ),
        (json_type, "{\"mode\":\"pool\",\"poolDomain\":\"omani.works\"}".into(), 400, "invalid-body"),
        (json_type, "{\"mode\":\"pool\",\"poolDomain\":7,\"subdomain\":\"a\"}".into(), 400, "invalid-body"),
        (json_type, "[".repeat(20_000), 400, "invalid-body"),
        ("text/plain", "{\"mode\":\"pool\"}".into(), 415, "unsupported-media-type"),
        ("application/x-www-form-urlencoded", "mode=pool".into(), 415, "unsupported-media-type"),
        (json_type, format!("{{\"mode\":\"{}\"}}", "x".repeat(70 * 1024)), 413, "body-too-large"),
    ];
    for (content_type, body, status, code) in cases {
        let shown: String = body.chars().take(60).collect();
        let answer = api.post_raw("/v1/reserve", content_type, body).await;
        must_be(&answer, status, code, &shown);
    }
    let mut invalid_utf8 = b"{\"mode\":\"".to_vec();
    invalid_utf8.extend([0xff, 0xfe]);
    invalid_utf8.extend(b"\"}");
    must_be(&api.post_raw("/v1/reserve", json_type, invalid_utf8).await, 400, "invalid-body", "not UTF-8");
    assert!(api.allocations().await.is_empty());
}

#[tokio::test]
async fn ten_megabytes_are_refused_without_being_read() {
    let world = World::new(StoreKind::Sqlite).await;
    let body = vec![b'x'; 10 * 1024 * 1024];
    let request =
        world.api().request(reqwest::Method::POST, "/v1/reserve").header("content-type", "application/json");
    // The daemon may close before all was sent; then the client sees a broken connection instead of the answer.
    if let Ok(answer) = pdm_harness::Api::send(request.body(body)).await {
        must_be(&answer, 413, "body-too-large", "10 MB");
    }
    assert_eq!(world.stranger().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn parameters_paths_and_methods() {
    let world = World::new(StoreKind::Sqlite).await;
    let api = world.api();
    for query in ["", "poolDomain=omani.works", "subdomain=a", "poolDomain=omani.works&subdomain=a&extra=1"] {
        let answer = api.get(&format!("/v1/check?{query}")).await;
        must_be(&answer, 400, "invalid-parameter", query);
    }
    for query in ["limit=0x", "phase=nowhere", "limit=-1", "unknown=1"] {
        must_be(&api.get(&format!("/v1/allocations?{query}")).await, 400, "invalid-parameter", query);
    }
    must_be(&api.get("/v1/nothing-here").await, 404, "not-found", "path");
    must_be(&api.get("/v1/allocations/nobody.omani.works").await, 404, "not-found", "allocation");
    must_be(&api.get("/v1/operations/0198-not-an-id").await, 404, "not-found", "operation");
    must_be(&api.delete("/v1/reserve", None).await, 405, "method-not-allowed", "method");
    let absurd = "a.".repeat(200);
    let answer = api.get(&format!("/v1/allocations/{absurd}example")).await;
    assert!([404, 422].contains(&answer.status), "{answer}");
}

#[tokio::test]
async fn every_answer_carries_a_request_id_and_the_security_headers() {
    let world = World::new(StoreKind::Sqlite).await;
    for path in ["/healthz", "/v1/pools", "/v1/nothing", "/openapi.json"] {
        let answer = world.api().get(path).await;
        assert!(!answer.header("x-request-id").is_empty(), "{path}: {:?}", answer.headers);
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}
