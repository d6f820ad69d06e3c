//! Nobody's text reaches Lua: every text of the corpus through every field, and LUA by any other door.

use std::path::PathBuf;

use pdm_harness::story::fqdn;
use pdm_harness::{Answer, StoreKind, World, dns};
use serde_json::{Value, json};

use crate::scene::{LABEL, plan};

/// A file that a successful injection would create; the nameserver may write there.
struct Canary(PathBuf);

impl Canary {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("pdm-canary-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn corpus(&self) -> Vec<String> {
        let texts: Vec<String> =
            serde_json::from_str(include_str!("../../../../lua-records/tests/corpus.json")).unwrap();
        texts.into_iter().map(|text| text.replace("canary", &self.0.display().to_string())).collect()
    }

    fn must_not_exist(&self) {
        assert!(!self.0.exists(), "somebody's text was run by the nameserver");
    }
}

/// Nameservers check what is taken: only addresses of this machine.
fn policy() -> Value {
    json!({
        "loadBalancers": [{"region": "fsn", "ipv4": "127.0.0.1"}, {"region": "nbg", "ipv4": "127.0.0.2"}],
        "failover": {"strategy": "ordered", "check": {"type": "http", "port": 80}},
    })
}

/// Pointer into the body, and the field that the refusal names.
const FIELDS: &[(&str, &str)] = &[
    ("/loadBalancers/0/region", "loadBalancers[0].region"),
    ("/loadBalancers/0/ipv4", "loadBalancers[0].ipv4"),
    ("/loadBalancers/0/ipv6", "loadBalancers[0].ipv6"),
    ("/loadBalancers/0/weight", "loadBalancers[0].weight"),
    ("/loadBalancers/0/country/0", "loadBalancers[0].country"),
    ("/loadBalancers/0/continent/0", "loadBalancers[0].continent"),
    ("/failover/strategy", "failover.strategy"),
    ("/failover/reserve/0", "failover.reserve"),
    ("/failover/whenAllDown", "failover.whenAllDown"),
    ("/failover/fallback/0", "failover.fallback"),
    ("/failover/untilChecked", "failover.untilChecked"),
    ("/failover/ttl", "failover.ttl"),
    ("/failover/check/type", "failover.check.type"),
    ("/failover/check/port", "failover.check.port"),
    ("/failover/check/host", "failover.check.host"),
    ("/failover/check/path", "failover.check.path"),
    ("/failover/check/expectText", "failover.check.expectText"),
    ("/failover/check/expectStatus", "failover.check.expectStatus"),
    ("/failover/check/interval", "failover.check.interval"),
    ("/failover/check/timeout", "failover.check.timeout"),
    ("/failover/check/failures", "failover.check.failures"),
    ("/failover/check/userAgent", "failover.check.userAgent"),
];

/// Put a value at a pointer; a last part of `0` makes a list of one.
fn put(body: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    if last == "0" && !body.pointer(parent).is_some_and(Value::is_array) {
        return put(body, parent, json!([value]));
    }
    let parent = body.pointer_mut(parent).unwrap();
    if let Some(list) = parent.as_array_mut() {
        list[0] = value;
    } else {
        parent[last] = value;
    }
}

fn refused(answer: &Answer, field: &str, context: &str) {
    assert_eq!(answer.status, 422, "{context}: {answer}");
    assert!(answer.text_at("/field").starts_with(field), "{context}: {answer}");
    assert!(!answer.code().is_empty() && !answer.text_at("/nextStep").is_empty(), "{context}: {answer}");
}

/// Types of everything that stands in the zones.
async fn types(world: &World) -> std::collections::BTreeSet<String> {
    let mut types = std::collections::BTreeSet::new();
    for name in world.dns().zones().await {
        let zone = world.dns().zone(&name).await.unwrap();
        types.extend(
            zone["rrsets"].as_array().unwrap().iter().map(|set| set["type"].as_str().unwrap().to_owned()),
        );
    }
    types
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_text_through_every_field_is_refused_there_or_stays_a_text() {
    let world = plan(StoreKind::Sqlite).start().await;
    let canary = Canary::new();
    let api = world.api();
    let token = api.reserve(LABEL).await;
    let mut body = policy();
    body["fqdn"] = fqdn(LABEL).into();
    body["reservationToken"] = token.into();
    let _ = api.post("/v1/commit", &body).await.expect(&[200, 202]);
    api.await_phase(LABEL, "active").await;
    let target = format!("/v1/allocations/{}/target", fqdn(LABEL));
    let (mut tried, mut taken) = (0, Vec::new());
    let numbers = [json!(-1), json!(0), json!(1e300), json!(9_999_999_999_i64), json!("1"), json!(1.5)];
    let texts: Vec<Value> = canary.corpus().into_iter().map(Value::from).collect();
    for (pointer, field) in FIELDS {
        let number = ["weight", "ttl", "port", "expectStatus", "interval", "timeout", "failures"]
            .iter()
            .any(|name| pointer.ends_with(name));
        for value in texts.iter().chain(numbers.iter().filter(|_| number)) {
            let mut body = policy();
            put(&mut body, pointer, value.clone());
            let answer = api.put(&target, &body).await;
            tried += 1;
            if answer.status < 300 {
                taken.push((*field, value.as_str().unwrap_or_default().to_owned()));
            } else {
                refused(&answer, field, &format!("{field} {value}"));
            }
        }
    }
    canary.must_not_exist();
    // What was taken is what an allow-list knows to be harmless in its place.
    let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b" ._:=-".contains(&b));
    for (field, text) in &taken {
        let free = ["loadBalancers[0].region", "failover.check.expectText", "failover.check.userAgent"];
        assert!(free.contains(field) && word(text), "{field} {text:?}");
    }
    println!("{tried} bodies, {} of them harmless and taken", taken.len());
    api.await_phase(LABEL, "active").await;
    for name in dns::names_of(&fqdn(LABEL)) {
        assert!(!dns::short(world.dns().dns(), &name, "A").is_empty(), "{name} is answered");
    }
    canary.must_not_exist();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_comes_in_by_no_other_door() {
    let world = plan(StoreKind::Sqlite).start().await;
    let canary = Canary::new();
    let api = world.api();
    let token = api.reserve(LABEL).await;
    let code = format!("A \";os.execute('touch {}') return '192.0.2.1'\"", canary.0.display());
    let record = json!({"name": fqdn(LABEL), "type": "LUA", "content": code});
    // As members that no call knows, by both names of the type.
    for member in ["records", "rrsets", "lua", "extra"] {
        for rtype in ["LUA", "TYPE65402"] {
            let mut body = policy();
            body["fqdn"] = fqdn(LABEL).into();
            body["reservationToken"] = token.as_str().into();
            body[member] = json!([{"type": rtype, "content": code}]);
            let answer = api.post("/v1/commit", &body).await;
            assert_eq!((answer.status, answer.code()), (400, "invalid-body"), "{answer}");
        }
    }
    for place in ["/loadBalancers/0/lua", "/failover/lua", "/failover/check/lua"] {
        let mut body = policy();
        body["fqdn"] = fqdn(LABEL).into();
        body["reservationToken"] = token.as_str().into();
        put(&mut body, place, record.clone());
        let answer = api.post("/v1/commit", &body).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid-body"), "{place}: {answer}");
    }
    // As texts that are kept: names, owners, labels, reasons.
    for (path, body) in [
        ("/v1/reserve", json!({"mode": "pool", "poolDomain": "omani.works", "subdomain": code})),
        ("/v1/reserve", json!({"mode": "pool", "poolDomain": code, "subdomain": "x"})),
        ("/v1/validate", json!({"domain": code})),
        ("/v1/release", json!({"fqdn": code})),
    ] {
        let answer = api.post(path, &body).await;
        assert!(answer.status >= 400 || path == "/v1/validate", "{path}: {answer}");
    }
    let owned = json!({
        "mode": "pool", "poolDomain": "omani.works", "subdomain": "owned", "createdBy": code, "owner": "x\" LUA"
    });
    let _ = api.post("/v1/reserve", &owned).await;
    let mut body = json!({"loadBalancers": [{"ipv4": "192.0.2.1"}]});
    body["fqdn"] = fqdn(LABEL).into();
    body["reservationToken"] = token.as_str().into();
    let _ = api.post("/v1/commit", &body).await.expect(&[200, 202]);
    api.await_phase(LABEL, "active").await;
    let path = format!("/v1/allocations/{}", fqdn(LABEL));
    let _ = api.post(&format!("{path}/suspend"), &json!({"reason": code})).await.expect(&[200, 202]);
    api.await_phase(LABEL, "active").await;
    let _ = api.post(&format!("{path}/owner"), &json!({"owner": code})).await;
    let _ = api.post(&format!("{path}/resume"), &json!({"reason": code})).await.expect(&[200, 202]);
    api.await_phase(LABEL, "active").await;
    for name in dns::names_of(&fqdn(LABEL)) {
        let _ = dns::short(world.dns().dns(), &name, "A");
    }
    canary.must_not_exist();
    let types = types(&world).await;
    assert!(!types.contains("LUA") && !types.contains("TYPE65402"), "{types:?}");
}
