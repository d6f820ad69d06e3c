//! Whatever a caller writes into whichever field: it is refused, with the field and a code, before any text exists.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail a test")]

mod common;

use common::{admission, anywhere};
use pdm_lua_records::{Failover, Spec};

/// Each would end a string, a call, a line or a record somewhere if it came through. The same texts go through the API
/// in `tests/system`.
fn corpus() -> Vec<String> {
    serde_json::from_str(include_str!("corpus.json")).unwrap()
}

/// Numbers out of any range.
const NUMBERS: &[i64] = &[i64::MIN, -1, 0, 65536, 4_294_967_296, i64::MAX];

fn base() -> Spec {
    serde_json::from_str(
        r#"{"loadBalancers":[{"region":"fsn","ipv4":"192.0.2.1","ipv6":"2001:db8::1"},{"region":"nbg","ipv4":"192.0.2.2"}],
        "failover":{"check":{"type":"https"}}}"#,
    )
    .unwrap()
}

/// Every field that takes a string, and the path that a refusal names.
type Field = (&'static str, fn(&mut Spec, String));
const FIELDS: &[Field] = &[
    ("loadBalancers[0].region", |spec, text| spec.load_balancers[0].region = Some(text)),
    ("loadBalancers[0].ipv4", |spec, text| spec.load_balancers[0].ipv4 = Some(text)),
    ("loadBalancers[0].ipv6", |spec, text| spec.load_balancers[0].ipv6 = Some(text)),
    ("loadBalancers[0].country[0]", |spec, text| spec.load_balancers[0].country = vec![text]),
    ("loadBalancers[0].continent[0]", |spec, text| spec.load_balancers[0].continent = vec![text]),
    ("failover.strategy", |spec, text| spec.failover.strategy = Some(text)),
    ("failover.reserve[0]", |spec, text| {
        spec.failover.strategy = Some("all".into());
        spec.failover.reserve = vec![text];
    }),
    ("failover.whenAllDown", |spec, text| spec.failover.when_all_down = Some(text)),
    ("failover.fallback[0]", |spec, text| {
        spec.failover.when_all_down = Some("fallback".into());
        spec.failover.fallback = vec![text];
    }),
    ("failover.untilChecked", |spec, text| spec.failover.until_checked = Some(text)),
    ("failover.check.type", |spec, text| spec.failover.check.as_mut().unwrap().kind = Some(text)),
    ("failover.check.host", |spec, text| spec.failover.check.as_mut().unwrap().host = Some(text)),
    ("failover.check.path", |spec, text| spec.failover.check.as_mut().unwrap().path = Some(text)),
    ("failover.check.expectText", |spec, text| {
        spec.failover.check.as_mut().unwrap().expect_text = Some(text)
    }),
    ("failover.check.userAgent", |spec, text| spec.failover.check.as_mut().unwrap().user_agent = Some(text)),
];

/// What the allow-list of a field lets through because it is harmless there.
fn harmless(field: &str, text: &str) -> bool {
    let word = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" ._:=-".contains(&b));
    match field {
        "loadBalancers[0].region" => text.bytes().all(|b| b.is_ascii_alphanumeric()),
        "failover.check.expectText" | "failover.check.userAgent" => word && text.trim() == text,
        _ => false,
    }
}

#[test]
fn every_text_is_refused_at_its_field() {
    let networks = anywhere();
    for (field, put) in FIELDS {
        for text in corpus().iter().filter(|text| !harmless(field, text)) {
            let mut spec = base();
            put(&mut spec, text.clone());
            let refusals =
                Failover::build(&spec, &admission(&networks)).expect_err(&format!("{field}: {text:?}"));
            assert!(
                refusals.iter().any(|r| r.field == *field && !r.code.is_empty()),
                "{field} {text:?}: {refusals:?}"
            );
        }
    }
}

#[test]
fn what_is_harmless_stays_inside_its_string() {
    for (field, put) in FIELDS {
        for text in corpus().iter().filter(|text| harmless(field, text)) {
            let mut spec = base();
            put(&mut spec, text.clone());
            let failover = Failover::build(&spec, &admission(&anywhere())).unwrap();
            let world = common::world::World::new(common::newest());
            for record in pdm_lua_records::render(&failover, &common::server("5.1.4")).unwrap() {
                assert!(!world.ask(&record.content).unwrap().is_empty(), "{text:?}");
            }
        }
    }
}

#[test]
fn every_number_out_of_range_is_refused_at_its_field() {
    type Number = (&'static str, fn(&mut Spec, i64));
    let fields: &[Number] = &[
        ("loadBalancers[0].weight", |spec, n| spec.load_balancers[0].weight = Some(n)),
        ("failover.ttl", |spec, n| spec.failover.ttl = Some(n)),
        ("failover.check.port", |spec, n| spec.failover.check.as_mut().unwrap().port = Some(n)),
        ("failover.check.expectStatus", |spec, n| {
            spec.failover.check.as_mut().unwrap().expect_status = Some(n)
        }),
        ("failover.check.interval", |spec, n| spec.failover.check.as_mut().unwrap().interval = Some(n)),
        ("failover.check.timeout", |spec, n| spec.failover.check.as_mut().unwrap().timeout = Some(n)),
        ("failover.check.failures", |spec, n| spec.failover.check.as_mut().unwrap().failures = Some(n)),
    ];
    for (field, put) in fields {
        for number in NUMBERS {
            let mut spec = base();
            put(&mut spec, *number);
            let refusals = Failover::build(&spec, &admission(&anywhere())).unwrap_err();
            assert!(refusals.iter().any(|refusal| refusal.field == *field), "{field} {number}: {refusals:?}");
        }
    }
}

#[test]
fn unknown_fields_and_wrong_types_are_refused_by_the_reader() {
    for body in [
        r#"{"loadBalancers":[],"lua":"os.execute('id')"}"#,
        r#"{"loadBalancers":[{"ipv4":"192.0.2.1","lua":1}]}"#,
        r#"{"loadBalancers":[{"ipv4":"192.0.2.1"}],"failover":{"raw":"x"}}"#,
        r#"{"loadBalancers":[{"ipv4":"192.0.2.1"}],"failover":{"check":{"source":"127.0.0.1"}}}"#,
        r#"{"loadBalancers":[{"ipv4":"192.0.2.1"}],"failover":{"check":{"port":1e99}}}"#,
        r#"{"loadBalancers":[{"ipv4":["192.0.2.1"]}]}"#,
    ] {
        assert!(serde_json::from_str::<Spec>(body).is_err(), "{body}");
    }
}
