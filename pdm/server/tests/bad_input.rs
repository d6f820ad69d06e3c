//! Every bad input has its stable code, names what is wrong and says what to do.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

mod fake;

use fake::{Ask, Bench};
use serde_json::{Value, json};

const JSON: &str = "application/json";

#[tokio::test]
async fn bad_names_never_break_anything() {
    let bench = Bench::new();
    let long = "x".repeat(64);
    let cases = [
        ("a b", "invalid-name"),
        ("a.b", "invalid-name"),
        ("", "invalid-name"),
        ("-a", "invalid-name"),
        ("a-", "invalid-name"),
        (long.as_str(), "invalid-name"),
        ("a\u{0}b", "invalid-name"),
        ("xn--a", "invalid-name"),
        ("ab--cd", "invalid-name"),
        ("omantel\n", "invalid-name"),
        ("api", "name-reserved"),
        ("ns1", "name-reserved"),
        ("_dmarc", "name-reserved"),
    ];
    for (label, code) in cases {
        let body = json!({"mode": "pool", "poolDomain": "omani.works", "subdomain": label});
        let reply = bench.ask("POST", "/v1/reserve", Ask::by("admin").json(&body)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (422, code), "{label:?}");
        assert_eq!(reply.json["field"], "subdomain", "{label:?}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        for member in ["title", "detail", "whoMustAct", "nextStep"] {
            assert!(reply.json[member].as_str().is_some_and(|t| !t.is_empty()), "{member} of {label:?}");
        }
    }
    for good in ["OmanTel", "1st-name"] {
        let body = json!({"mode": "pool", "poolDomain": "omani.works", "subdomain": good});
        assert_eq!(
            bench.ask("POST", "/v1/reserve", Ask::by("admin").json(&body)).await.status,
            201,
            "{good}"
        );
    }
    let body = json!({"mode": "pool", "poolDomain": "example.com", "subdomain": "a-name"});
    assert_eq!(
        bench.ask("POST", "/v1/reserve", Ask::by("admin").json(&body)).await.code(),
        "unsupported-pool"
    );
}

#[tokio::test]
async fn a_typing_mistake_in_a_commit_never_bricks_a_name() {
    let bench = Bench::new();
    let token = bench.reserve("omantel").await;
    let body =
        |lb: Value| json!({"fqdn": "omantel.omani.works", "reservationToken": token, "loadBalancers": lb});
    let first = "loadBalancers[0].ipv4";
    let cases = [
        (json!([{"ipv4": "999.1.1.1"}]), "invalid-target", first),
        (json!([{"ipv4": "::1"}]), "invalid-target", first),
        (json!([{"ipv4": "8.8.8.8\n"}]), "invalid-target", first),
        (json!([{"ipv6": "8.8.8.8"}]), "invalid-target", "loadBalancers[0].ipv6"),
        (json!([{"ipv4": "127.0.0.1"}]), "address-refused", first),
        (json!([{"ipv4": "169.254.1.1"}]), "address-refused", first),
        (json!([{"ipv4": "0.0.0.0"}]), "address-refused", first),
        (json!([{"ipv4": "224.0.0.1"}]), "address-refused", first),
        (json!([{"ipv4": "255.255.255.255"}]), "address-refused", first),
        (json!([{"ipv4": "10.0.0.1"}]), "address-refused", first),
        (json!([{"ipv4": "192.0.2.1"}]), "address-refused", first),
        (json!([]), "missing-load-balancer", "loadBalancers"),
        (json!([{}]), "missing-load-balancer", first),
    ];
    for (lb, code, field) in cases {
        let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&body(lb.clone()))).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (422, code), "{lb}");
        assert_eq!(reply.json["field"], field, "{lb}");
    }
    let mut failover = body(json!([{"ipv4": "8.8.8.8"}]));
    failover["failover"] = json!({"mode": "x"});
    let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&failover)).await;
    assert_eq!(reply.code(), "invalid-body");
    failover["failover"] = json!({"strategy": "x"});
    let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&failover)).await;
    assert_eq!((reply.code(), &reply.json["field"]), ("invalid-strategy", &json!("failover.strategy")));
    let mut registrar = body(json!([{"ipv4": "8.8.8.8"}]));
    for (given, field) in
        [(json!({"id": "ovh"}), Value::Null), (json!({"id": "ovh", "credential": {}}), json!("registrar"))]
    {
        registrar["registrar"] = given;
        let reply = bench.ask("POST", "/v1/commit", Ask::by("admin").json(&registrar)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code(), &reply.json["field"]),
            (400, "invalid-body", &field)
        );
    }

    let reply =
        bench.ask("POST", "/v1/commit", Ask::by("admin").json(&body(json!([{"ipv4": "8.8.8.8"}])))).await;
    assert_eq!(reply.status, 202);
}

#[tokio::test]
async fn bodies_that_are_none() {
    let bench = Bench::new();
    let good = br#"{"mode":"pool","poolDomain":"omani.works","subdomain":"omantel"}"#;
    let cases: [(&[u8], &str, u16, &str); 8] = [
        (good, "text/plain", 415, "unsupported-media-type"),
        (good, "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b"{", JSON, 400, "invalid-body"),
        (b"", JSON, 400, "invalid-body"),
        (br#"["pool","omani.works","omantel"]"#, JSON, 400, "invalid-body"),
        (br#"{"mode":"pool","poolDomain":"omani.works","subdomain":"omantel"} x"#, JSON, 400, "invalid-body"),
        (
            br#"{"mode":"pool","poolDomain":"omani.works","subdomain":"omantel","x":1}"#,
            JSON,
            400,
            "invalid-body",
        ),
        (br#"{"mode":"byo","domain":"acme.example"}"#, JSON, 422, "unsupported-mode"),
    ];
    for (body, media, status, code) in cases {
        let shown = String::from_utf8_lossy(body);
        let reply =
            bench.ask("POST", "/v1/reserve", Ask::by("admin").raw(body).with("content-type", media)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{shown}");
    }
    let reply = bench
        .ask("POST", "/v1/reserve", Ask::by("admin").raw(good.as_slice()).with("content-length", "64"))
        .await;
    assert_eq!(reply.code(), "unsupported-media-type");
    let huge = vec![b' '; 10 * 1024 * 1024];
    let reply = bench.ask("POST", "/v1/reserve", Ask::by("admin").raw(huge).with("content-type", JSON)).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (413, "body-too-large"));
    let just = vec![b' '; 64 * 1024];
    let reply = bench.ask("POST", "/v1/reserve", Ask::by("admin").raw(just).with("content-type", JSON)).await;
    assert_eq!(reply.code(), "invalid-body");
}

#[tokio::test]
async fn parameters_paths_methods_and_tokens() {
    let bench = Bench::new();
    let cases = [
        ("GET", "/v1/check", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/check?poolDomain=omani.works", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/check?domain=a.b&subdomain=c", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/check?pool=omani.works&subdomain=a", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/check?poolDomain=example.com&subdomain=a", "admin", 422, "unsupported-pool"),
        ("GET", "/v1/allocations?limit=0", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/allocations?limit=x", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/allocations?phase=gone", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/allocations/a%00b", "admin", 422, "invalid-name"),
        ("GET", "/v1/allocations/%FF", "admin", 400, "invalid-parameter"),
        ("GET", "/v1/nothing", "admin", 404, "not-found"),
        ("GET", "/nothing", "admin", 404, "not-found"),
        ("POST", "/v1/audits", "admin", 400, "invalid-body"),
        ("DELETE", "/v1/check", "admin", 405, "method-not-allowed"),
        ("POST", "/healthz", "admin", 405, "method-not-allowed"),
        ("GET", "/v1/audit-log", "wizard", 403, "forbidden"),
        ("GET", "/v1/pools", "wrong", 401, "unauthenticated"),
        ("GET", "/v1/nothing", "wrong", 401, "unauthenticated"),
    ];
    for (method, path, token, status, code) in cases {
        let reply = bench.ask(method, path, Ask::by(token)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{method} {path}");
    }
    let reply = bench.ask("GET", "/v1/pools", Ask::default()).await;
    assert_eq!(
        (reply.code(), reply.headers["www-authenticate"].to_str().unwrap()),
        ("unauthenticated", "Bearer")
    );
    let key = Ask::by("admin").json(&json!({})).with("idempotency-key", "a b");
    assert_eq!(bench.ask("POST", "/v1/freeze", key).await.json["field"], "Idempotency-Key");
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let bench = Bench::new();
    for path in ["/healthz", "/v1/pools", "/v1/nothing", "/openapi.json", "/api/v1/reserved"] {
        let reply = bench.ask("GET", path, Ask::default().with("x-request-id", "abc-1")).await;
        assert_eq!(reply.headers["x-request-id"], "abc-1", "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert_eq!(reply.headers["cache-control"], "no-store");
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    }
    assert_eq!(bench.ask("GET", "/healthz", Ask::default()).await.headers["x-request-id"].len(), 32);
}
