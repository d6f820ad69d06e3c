//! Whose checks are admitted, what a policy may not say, what a version lacks, and when clients see a change.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail a test")]

mod common;

use common::{TENANT, admission, failover, policies, server};
use pdm_lua_records::{
    Admission, Checking, FEATURES, Failover, Server, Spec, Version, lacks, probe_load, rehearse, render,
};

fn spec(json: &str) -> Spec {
    serde_json::from_str(json).unwrap()
}

/// Codes and fields of the refusals.
fn refused(json: &str, admission: &Admission<'_>) -> Vec<(&'static str, String)> {
    Failover::build(&spec(json), admission).unwrap_err().into_iter().map(|r| (r.code, r.field)).collect()
}

#[test]
fn a_check_reaches_public_addresses_only_unless_the_pool_says_otherwise() {
    let body = r#"{"loadBalancers":[{"ipv4":"185.10.10.1"},{"ipv4":"127.0.0.1","ipv6":"fe80::1"}]}"#;
    let expected =
        ["loadBalancers[1].ipv4", "loadBalancers[1].ipv6"].map(|field| ("address-refused", field.to_owned()));
    assert_eq!(refused(body, &admission(&[])), expected);
    let networks = ["127.0.0.0/8".parse().unwrap(), "fe80::/10".parse().unwrap()];
    assert!(Failover::build(&spec(body), &admission(&networks)).is_ok());
    let fallback = r#"{"loadBalancers":[{"ipv4":"185.10.10.1"}],
        "failover":{"whenAllDown":"fallback","fallback":["10.0.0.1"]}}"#;
    assert_eq!(refused(fallback, &admission(&[])), [("address-refused", "failover.fallback[0]".to_owned())]);
}

#[test]
fn a_url_names_the_tenant_and_only_where_the_pool_admits_urls() {
    let body = |host: &str| {
        format!(
            r#"{{"loadBalancers":[{{"ipv4":"185.10.10.1"}}],"failover":{{"check":{{"type":"http","host":"{host}"}}}}}}"#
        )
    };
    for good in [TENANT, "Console.Omantel.Omani.Works."] {
        assert!(Failover::build(&spec(&body(good)), &admission(&[])).is_ok(), "{good}");
    }
    for bad in
        ["omani.works", "evilomantel.omani.works", "omantel.omani.works.evil.example", "metadata.internal"]
    {
        let expected = [("check-host-refused", "failover.check.host".to_owned())];
        assert_eq!(refused(&body(bad), &admission(&[])), expected, "{bad}");
    }
    let strict = Admission { allow_http_checks: false, ..admission(&[]) };
    let expected = [("http-checks-refused", "failover.check.type".to_owned())];
    assert_eq!(refused(&body(TENANT), &strict), expected);
    let nobody = Admission { tenant: "", ..admission(&[]) };
    assert_eq!(refused(&body(TENANT), &nobody)[0].0, "check-host-refused");
}

#[test]
fn what_a_policy_would_ignore_is_refused() {
    let two = r#"{"region":"a","ipv4":"8.8.8.8"},{"region":"b","ipv4":"8.8.4.4"}"#;
    let cases = [
        (r#"{"loadBalancers":[{"ipv4":"8.8.8.8","weight":3}]}"#.to_owned(), "field-unused"),
        (r#"{"loadBalancers":[{"ipv4":"8.8.8.8","country":["OM"]}]}"#.to_owned(), "field-unused"),
        (format!(r#"{{"loadBalancers":[{two}],"failover":{{"reserve":["b"]}}}}"#), "field-unused"),
        (format!(r#"{{"loadBalancers":[{two}],"failover":{{"fallback":["8.8.8.8"]}}}}"#), "field-unused"),
        (format!(r#"{{"loadBalancers":[{two}],"failover":{{"check":{{"path":"/"}}}}}}"#), "field-unused"),
        (format!(r#"{{"loadBalancers":[{two}],"failover":{{"strategy":"weighted"}}}}"#), "invalid-strategy"),
        (format!(r#"{{"loadBalancers":[{two}],"failover":{{"strategy":"geo"}}}}"#), "invalid-strategy"),
        (
            format!(r#"{{"loadBalancers":[{two}],"failover":{{"strategy":"all","reserve":["b","a"]}}}}"#),
            "invalid-strategy",
        ),
        (
            format!(r#"{{"loadBalancers":[{two}],"failover":{{"strategy":"all","reserve":["b","b"]}}}}"#),
            "invalid-strategy",
        ),
        (
            format!(r#"{{"loadBalancers":[{two}],"failover":{{"whenAllDown":"fallback"}}}}"#),
            "invalid-fallback",
        ),
        (
            format!(
                r#"{{"loadBalancers":[{two}],"failover":{{"whenAllDown":"fallback","fallback":["8.8.8.8","2a01::1"]}}}}"#
            ),
            "invalid-fallback",
        ),
        (r#"{"loadBalancers":[]}"#.to_owned(), "invalid-load-balancer"),
        (r#"{"loadBalancers":[{"region":"a"}]}"#.to_owned(), "invalid-load-balancer"),
        (format!(r#"{{"loadBalancers":[{two},{{"ipv4":"8.8.8.9"}}]}}"#), "invalid-load-balancer"),
        (
            format!(r#"{{"loadBalancers":[{two},{{"region":"c","ipv4":"8.8.8.8"}}]}}"#),
            "invalid-load-balancer",
        ),
    ];
    for (body, code) in cases {
        assert_eq!(refused(&body, &admission(&[]))[0].0, code, "{body}");
    }
}

#[test]
fn a_refusal_names_the_version_that_would_do() {
    let demanding = failover(
        r#"{"loadBalancers":[{"ipv4":"8.8.8.8","country":["OM"],"continent":["AS"]}],"failover":{"strategy":"geo",
        "untilChecked":"fail","whenAllDown":"empty",
        "check":{"type":"http","interval":5,"failures":2,"expectStatus":204}}}"#,
    );
    let poor = Server { version: "4.9.5".parse().unwrap(), geoip: false, signed: true };
    let found: Vec<_> = lacks(&demanding, &poor).iter().map(|lack| (lack.code, lack.field)).collect();
    let expected = [
        ("needs-geoip", "loadBalancers.country"),
        ("needs-geoip", "loadBalancers.continent"),
        ("needs-version", "failover.check.interval"),
        ("needs-version", "failover.check.failures"),
        ("needs-version", "failover.untilChecked"),
        ("needs-version", "failover.check.expectStatus"),
        ("needs-unsigned-zone", "failover.whenAllDown"),
    ];
    assert_eq!(found, expected);
    let text = lacks(&demanding, &poor)[2].to_string();
    let expected =
        "failover.check.interval needs interval; it exists from PowerDNS 5.0.0, this server is 4.9.5";
    assert_eq!(text, expected);
    assert!(render(&demanding, &poor).is_err());
    let nearest = failover(r#"{"loadBalancers":[{"ipv4":"8.8.8.8"}],"failover":{"strategy":"nearest"}}"#);
    assert_eq!(lacks(&nearest, &poor)[0].code, "needs-geoip");
    assert!(render(&demanding, &server("5.0.0")).is_ok());
    let old = Server { version: Version::new(4, 6), geoip: true, signed: false };
    assert_eq!(lacks(&demanding, &old)[0].code, "needs-version");
}

/// Every function and option in a rendered text has a row in the table, and its version is not newer.
#[test]
fn nothing_is_rendered_that_the_table_does_not_know() {
    let lua = ["ipairs", "tonumber", "up"];
    for version in common::VERSIONS {
        let server = server(version);
        for record in policies().iter().filter_map(|(_, failover)| render(failover, &server).ok()).flatten() {
            let code: String = record.content.split('\'').step_by(2).collect();
            let names = code
                .split(|c: char| !c.is_ascii_alphanumeric())
                .zip(code.match_indices(|c: char| !c.is_ascii_alphanumeric()));
            for (name, (_, after)) in
                names.filter(|(name, (_, after))| ["("].contains(after) && !name.is_empty())
            {
                let known = FEATURES.iter().find(|feature| feature.name == name);
                assert!(lua.contains(&name) || known.is_some(), "{name}{after} in {}", record.content);
                assert!(known.is_none_or(|f| Version::new(f.since.0, f.since.1) <= server.version), "{name}");
            }
        }
    }
}

#[test]
fn probe_load_is_nameservers_times_addresses_by_interval() {
    let checking = Checking { nameservers: 3, server_interval: 5, slowest: 0 };
    let four = failover(
        r#"{"loadBalancers":[{"ipv4":"8.8.8.8","ipv6":"2a01::1"},{"ipv4":"8.8.4.4","ipv6":"2a01::2"}],
        "failover":{"check":{"interval":12}}}"#,
    );
    let load = probe_load(&four, checking);
    // 12 s are not a multiple of the server's cycle of 5 s: the check runs at the third cycle.
    assert_eq!((load.addresses, load.interval), (4, 15));
    assert!((load.per_second - 0.8).abs() < 1e-9 && (load.per_address_per_second - 0.2).abs() < 1e-9);
}

#[test]
fn a_rehearsal_says_what_and_when() {
    let failover = failover(
        r#"{"loadBalancers":[{"region":"fsn","ipv4":"8.8.8.8"},{"region":"nbg","ipv4":"8.8.4.4"}],
        "failover":{"check":{"interval":10,"failures":3,"timeout":2},"ttl":30}}"#,
    );
    let rehearsal =
        rehearse(&failover, &["fsn"], Checking { nameservers: 3, server_interval: 5, slowest: 0 }).unwrap();
    assert_eq!(rehearsal.before[0].answer.to_string(), "8.8.8.8");
    assert_eq!(rehearsal.after[0].answer.to_string(), "8.8.4.4");
    let bounds = rehearsal.bounds;
    assert_eq!(
        (bounds.detected, bounds.clients, bounds.clients_if_silent, bounds.recovery),
        (51, 81, 83, 47)
    );
    let unknown = rehearse(&failover, &["mct"], Checking { nameservers: 3, server_interval: 5, slowest: 0 })
        .unwrap_err();
    assert_eq!(unknown.to_string(), "down: no region \"mct\"; the regions are fsn, nbg");
}
