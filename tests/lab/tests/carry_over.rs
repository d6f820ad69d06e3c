//! A zone is read from the servers that carry it, put on ours, and compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use pdm_auditor::{WalkSettings, Walker};
use pdm_carry_over::{Asked, CarriedZone, Choice, Said, Verdict, judge, locked, merge, next_questions};
use pdm_lab::{ACME, Lab, Operator, Records, acme};
use pdm_model::{RRset, RecordType, Timestamp, Ttl, ZoneName};
use pdm_ports::walk::DelegationWalk;
use pdm_ports::{Server, ZoneGather};

const NOW: Timestamp = Timestamp(1);

fn servers(operator: &Operator) -> Vec<Server> {
    let all = operator.addresses().into_iter();
    all.map(|(name, address)| Server { names: vec![name], address }).collect()
}

/// A walker that asks the lab, without a pace.
fn walker(lab: &Lab) -> Walker {
    let operators = [&lab.old, &lab.ours];
    let ours: Vec<SocketAddr> = operators.iter().flat_map(|o| o.addresses()).map(|(_, at)| at).collect();
    let root_hints = lab.root_hints().into_iter().map(|(_, at)| at).collect();
    let allowed = vec!["127.0.0.0/8".parse().unwrap()];
    Walker::new(WalkSettings { allowed, ours, root_hints, ..WalkSettings::default() }, Arc::new(|| NOW))
}

async fn gather(lab: &Lab, zone: &str) -> CarriedZone {
    let zone = ZoneName::parse(zone).unwrap();
    walker(lab).gather(&zone, &servers(&lab.old), "pdm-nobody-has-this", NOW).await.unwrap()
}

fn lines(carried: &CarriedZone) -> BTreeSet<String> {
    let line =
        |s: &RRset| s.records.iter().map(|r| format!("{} {} {r}", s.owner, s.rtype)).collect::<Vec<_>>();
    carried.sets.iter().flat_map(line).collect()
}

fn expected(zone: &str, records: &Records<'_>) -> BTreeSet<String> {
    let owner = |label: &str| if label == "@" { format!("{zone}.") } else { format!("{label}.{zone}.") };
    let line = |(label, rtype, contents): &(&str, &str, &[&str])| {
        contents.iter().map(|c| format!("{} {rtype} {c}", owner(label))).collect::<Vec<_>>()
    };
    records.iter().flat_map(line).collect()
}

/// Put sets on our servers as they are.
async fn serve(lab: &Lab, zone: &str, sets: &[RRset]) {
    lab.ours.host(zone, true, &[]).await;
    for set in sets.iter().filter(|s| s.rtype != RecordType::Ns) {
        let label = if set.owner == format!("{zone}.") {
            "@"
        } else {
            set.owner.trim_end_matches(&format!(".{zone}."))
        };
        let contents: Vec<&str> = set.records.iter().map(String::as_str).collect();
        lab.ours.edit(zone, label, set.rtype.as_str(), &contents).await;
    }
}

async fn compare(lab: &Lab, zone: &str, carried: &mut CarriedZone, ours: &[RRset]) {
    let (walker, apex) = (walker(lab), ZoneName::parse(zone).unwrap());
    let said = |answers: Vec<pdm_ports::walk::RRsetAnswer>| -> Vec<Said> {
        let one = |a: pdm_ports::walk::RRsetAnswer| Said {
            server: a.server.names.join(", "),
            contents: a.contents.map(|(all, _)| all),
        };
        answers.into_iter().map(one).collect()
    };
    let merged = merge(&apex, carried, ours);
    carried.asked.clear();
    for question in next_questions(carried, NOW) {
        let old = said(walker.rrset(&question.owner, &question.rtype, &servers(&lab.old)).await);
        let mine = said(walker.rrset(&question.owner, &question.rtype, &servers(&lab.ours)).await);
        let verdict = judge(&question, &merged, &old, &mine);
        carried.asked.push(Asked { owner: question.owner, rtype: question.rtype, at: NOW, verdict });
    }
}

#[tokio::test]
async fn a_transferred_zone_is_the_same_on_our_servers_until_somebody_edits_the_old_one() {
    let lab = Lab::start().await;
    lab.customer(ACME, acme()).await;
    lab.old.allow_transfer(ACME, true).await;
    let mut carried = gather(&lab, ACME).await;
    assert!(carried.source.complete(), "{:?}", carried.source);
    assert_eq!(lines(&carried), expected(ACME, acme()));
    assert!(carried.left_out.is_empty(), "{:?}", carried.left_out);
    assert_eq!(locked(&carried, NOW).len(), 13, "nothing was compared yet");
    // Ours would like the apex and `api`; `api` is given up.
    let address = |owner: &str| RRset::new(owner, RecordType::A, Ttl::new(2), ["203.0.113.1"]);
    let ours = [address("acme.com."), address("api.acme.com."), address("console.acme.com.")];
    carried.choices.insert("api.acme.com.".into(), Choice::Take);
    let merged = merge(&ZoneName::parse(ACME).unwrap(), &carried, &ours);
    serve(&lab, ACME, &merged.sets).await;
    compare(&lab, ACME, &mut carried, &ours).await;
    assert_eq!(locked(&carried, NOW), []);
    assert_eq!(carried.asked.iter().filter(|a| a.verdict == Verdict::Given).count(), 1);
    assert_eq!(carried.asked.iter().filter(|a| a.verdict == Verdict::Same).count(), carried.sets.len() - 1);
    lab.old.edit(ACME, "@", "MX", &["10 elsewhere.example."]).await;
    compare(&lab, ACME, &mut carried, &ours).await;
    let names: Vec<_> =
        locked(&carried, NOW).into_iter().map(|(q, _)| format!("{} {}", q.owner, q.rtype)).collect();
    assert_eq!(names, ["acme.com. MX"]);
}

#[tokio::test]
async fn without_a_transfer_names_are_asked_for_and_what_nobody_thinks_of_is_missing() {
    let mut lab = Lab::start().await;
    lab.customer(ACME, acme()).await;
    lab.old.edit(ACME, "nobody-guesses-this", "A", &["192.0.2.99"]).await;
    lab.old.edit(ACME, "sub", "NS", &["ns.elsewhere.example."]).await;
    lab.old.servers[0].stop().await;
    let carried = gather(&lab, ACME).await;
    assert!(!carried.source.complete());
    let (found, all) = (lines(&carried), expected(ACME, acme()));
    assert_eq!(found, all, "missing: {:?}", all.difference(&found).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_wildcard_is_one_record_and_not_every_name() {
    let lab = Lab::start().await;
    let records: &Records<'_> = &[
        ("*", "A", &["192.0.2.1"]),
        ("*", "TXT", &["\"wild\""]),
        ("www", "A", &["192.0.2.2"]),
        ("_dmarc", "TXT", &["\"v=DMARC1; p=none\""]),
    ];
    lab.customer("wild.net", records).await;
    let carried = gather(&lab, "wild.net").await;
    assert_eq!(lines(&carried), expected("wild.net", records));
}

#[tokio::test]
async fn every_carried_type_is_taken_by_powerdns_as_we_write_it() {
    let lab = Lab::start().await;
    let records: &Records<'_> = &[
        ("@", "MX", &["0 ."]),
        ("a", "A", &["192.0.2.1", "192.0.2.2"]),
        ("a", "AAAA", &["2001:db8::1"]),
        ("c", "CNAME", &["a.types.io."]),
        ("t", "TXT", &[r#""a\"b\\c;d\200\000 e" "x""#, "\"\""]),
        ("_s._tcp", "SRV", &["1 2 3 .", "10 60 5060 a.types.io."]),
        ("@", "CAA", &[r#"128 issue "a\"b\\c;d; x=1""#]),
        ("_443._tcp", "TLSA", &["3 1 1 8b8be1ba0d9fbbd2a6d2a8f6f3b53b2a6f3a4d2f0e3bd8b0a9c5fca0b3e7d1c4"]),
        ("a", "SSHFP", &["4 2 8b8be1ba0d9fbbd2a6d2a8f6f3b53b2a6f3a4d2f0e3bd8b0a9c5fca0b3e7d1c4"]),
        ("a", "HTTPS", &["1 . alpn=h3,h2 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"]),
        ("h", "HTTPS", &["1 . mandatory=alpn alpn=h2 no-default-alpn port=8443"]),
        ("s", "SVCB", &["1 a.types.io. ech=\"AAAA\" key65333=\"abc\"", "0 a.types.io."]),
        ("n", "NAPTR", &[r#"10 20 "u" "E2U+sip" "!^.*$!sip:a@b!" ."#]),
        ("p", "PTR", &["a_b.c.types.io."]),
    ];
    lab.old.host("types.io", true, records).await;
    lab.old.allow_transfer("types.io", true).await;
    let mut carried = gather(&lab, "types.io").await;
    assert_eq!(lines(&carried), expected("types.io", records));
    serve(&lab, "types.io", &carried.sets).await;
    compare(&lab, "types.io", &mut carried, &[]).await;
    let others: Vec<_> = carried.asked.iter().filter(|a| a.verdict != Verdict::Same).collect();
    assert!(others.is_empty(), "{others:?}");
}
