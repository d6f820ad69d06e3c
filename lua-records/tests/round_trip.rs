//! What is rendered reads back to the same policy, and nothing else reads back at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail a test")]

mod common;

use common::generate::any_failover;
use common::{VERSIONS, policies, server};
use pdm_lua_records::{Failover, ReadError, Rendered, Server, Version, read, render};
use proptest::prelude::*;

fn contents(records: &[Rendered]) -> Vec<&str> {
    records.iter().map(|record| record.content.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rendered_policy_reads_back(failover in any_failover(6), old in any::<bool>(), reversed in any::<bool>()) {
        let version = if old { Version::new(5, 0) } else { Version::new(5, 1) };
        let mut records = render(&failover, &Server { version, geoip: true, signed: false }).unwrap();
        if reversed {
            records.reverse();
        }
        prop_assert_eq!(read(&contents(&records), failover.ttl()), Ok(failover));
    }

    #[test]
    fn its_json_reads_back(failover in any_failover(6)) {
        let json = serde_json::to_string(&failover).unwrap();
        prop_assert_eq!(serde_json::from_str::<Failover>(&json).unwrap(), failover);
    }

    /// One string, one line, nothing to escape, and no comment before the end.
    #[test]
    fn the_text_is_inert(failover in any_failover(6)) {
        for record in render(&failover, &server("5.1.4")).unwrap() {
            let code = record.content.strip_prefix(&format!("{} \"", record.rtype)).unwrap().strip_suffix('"').unwrap();
            prop_assert!(code.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\'), "{}", code);
            let outside: String = code.split('\'').step_by(2).collect();
            prop_assert_eq!(outside.matches("--").count(), 1, "{}", code);
        }
    }

    /// Any single change of one character either reads back as another policy's own text or not at all.
    #[test]
    fn an_edit_is_noticed(failover in any_failover(3), at in any::<prop::sample::Index>(), to in "[ -~]") {
        let records = render(&failover, &server("5.1.4")).unwrap();
        let mut edited: Vec<String> = records.iter().map(|record| record.content.clone()).collect();
        let place = at.index(edited[0].len());
        edited[0].replace_range(place..=place, &to);
        let edited: Vec<&str> = edited.iter().map(String::as_str).collect();
        if let Ok(other) = read(&edited, failover.ttl()) {
            let again = [Version::new(5, 0), Version::new(5, 1)]
                .map(|version| render(&other, &Server { version, geoip: true, signed: false }).unwrap());
            prop_assert!(again.iter().any(|records| contents(records) == edited));
        }
    }

    #[test]
    fn garbage_is_refused(text in ".*", pieces in proptest::collection::vec(piece(), 0..24)) {
        prop_assert!(read(&[&text], 5).is_err());
        let pieced = pieces.concat();
        prop_assert!(read(&[&pieced], 5).is_err());
        prop_assert!(read(&[&pieced, &text], 5).is_err());
    }
}

/// Fragments of our own text, to get past the outline.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "A \"",
        "AAAA \"",
        "\"",
        ";local o={",
        "selector='all'",
        "} ",
        "local r={",
        "} for i,t in ",
        "{'192.0.2.1'}",
        "ifportup(443,",
        "ifurlup('",
        "https://a.b/",
        "'",
        "},{",
        "})",
        ",{",
        " -- pdm1 ",
        "ordered all r0:1",
        " / ",
        ":",
        "local h=0 ",
        "if country({'DE'}) then h=1 ",
        "else",
        "h=",
        "end if h>0",
        "for i,v in ipairs({",
        "return {",
        "1",
    ])
}

#[test]
fn every_golden_record_reads_back() {
    for (_, failover) in policies() {
        for version in VERSIONS {
            if let Ok(records) = render(&failover, &server(version)) {
                assert_eq!(read(&contents(&records), failover.ttl()).as_ref(), Ok(&failover));
            }
        }
    }
}

#[test]
fn a_foreign_record_is_foreign_and_an_edited_one_differs() {
    let (_, failover) = policies().into_iter().find(|(name, _)| name == "all").unwrap();
    let records = render(&failover, &server("4.7.3")).unwrap();
    let all = contents(&records);
    for foreign in
        [vec![], vec!["A \"ifportup(443,{'192.0.2.1'})\""], vec!["192.0.2.1"], vec![all[0], all[0]]]
    {
        assert_eq!(read(&foreign, 5), Err(ReadError::Foreign), "{foreign:?}");
    }
    let edited = all[0].replace("timeout='2'", "timeout='2',source='192.0.2.7'");
    assert_eq!(read(&[&edited, all[1]], 5), Err(ReadError::Differs));
    let loud = all[0].replace("443", "99999");
    assert!(matches!(read(&[&loud, all[1]], 5), Err(ReadError::Refused(_))));
    let half = &all[..1];
    assert_eq!(read(half, 5).unwrap().record_types().len(), 1, "an A record alone is a policy of its own");
}
