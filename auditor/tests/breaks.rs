//! Every way to be wrong has its reason, its question and a detail that names the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod independent;
mod support;

use std::collections::BTreeSet;

use pdm_model::{RRset, RecordType, Timestamp, Transport, Ttl};
use pdm_ports::{DnsProbe, ProofRequest};
use serde_json::json;
use support::{CHILD, PARENT, Pdns, desired, prober, refused, server};

fn a(label: &str, ttl: u32, records: &[&str]) -> RRset {
    RRset::new(format!("{label}{CHILD}."), RecordType::A, Ttl::new(ttl), records)
}

/// Expect a refusal with this reason and question, and a word of its detail.
async fn expect(request: &ProofRequest, reason: &str, question: &str, word: &str) {
    let (seen, at, detail) = refused(request).await;
    assert_eq!((seen.as_str(), at.as_str()), (reason, question), "{detail}");
    assert!(detail.contains(word), "{detail}");
}

#[tokio::test]
async fn wrong_content_is_a_wrong_answer() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let console = format!("console.{CHILD}/A");
    pdns.patch(CHILD, &[a("console.", 300, &["192.0.2.99"])]);
    expect(&request, "wrong-answer", &console, "seen 192.0.2.99, expected 192.0.2.10").await;
    pdns.patch(CHILD, &[a("console.", 300, &["192.0.2.10", "192.0.2.99"])]);
    expect(&request, "wrong-answer", &console, "seen 192.0.2.10, 192.0.2.99").await;
    pdns.patch(CHILD, &[a("console.", 60, &["192.0.2.10"])]);
    expect(&request, "wrong-answer", &console, "seen TTL 60, expected 300").await;
    // A missing name is answered by the wildcard with the very same address: only the signature tells.
    pdns.patch(CHILD, &[a("console.", 300, &[])]);
    expect(&request, "wrong-answer", &console, "wildcard").await;
    pdns.patch(CHILD, &[a("console.", 300, &[]), a("*.", 300, &[])]);
    expect(&request, "wrong-answer", &format!("*.{CHILD}/A"), "does not exist").await;
    pdns.patch(CHILD, &[a("console.", 300, &["192.0.2.10"]), a("*.", 300, &["192.0.2.10"])]);
    assert!(prober().prove(&request).await.unwrap().is_ok());
    let alias = RRset::new(
        format!("api.{CHILD}."),
        RecordType::Other("CNAME".to_owned()),
        Ttl::new(300),
        [format!("console.{CHILD}.")],
    );
    pdns.patch(CHILD, &[a("api.", 300, &[]), alias]);
    expect(&request, "wrong-answer", &format!("api.{CHILD}/A"), "CNAME").await;
}

#[tokio::test]
async fn a_shadowed_wildcard_is_a_wrong_answer() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let random = format!("x7f3q.{CHILD}/A");
    let below =
        RRset::new(format!("_acme-challenge.x7f3q.{CHILD}."), RecordType::Txt, Ttl::new(60), ["\"t\""]);
    pdns.patch(CHILD, std::slice::from_ref(&below));
    pdns.call("PUT", &format!("servers/localhost/zones/{CHILD}./rectify"), None);
    expect(&request, "wrong-answer", &random, "no such record").await;
    let nothing = RRset { records: BTreeSet::new(), ..below };
    pdns.patch(CHILD, &[nothing, a("x7f3q.", 300, &["192.0.2.10"])]);
    expect(&request, "wrong-answer", &random, "the name exists").await;
}

#[tokio::test]
async fn the_soa_and_the_apex_ns_must_be_ours() {
    let pdns = Pdns::start();
    let mut request = pdns.ready(false);
    request.soa = Some(("ns9.openova.io.".to_owned(), "hostmaster.openova.io.".to_owned()));
    expect(&request, "wrong-answer", &format!("{CHILD}/SOA"), "expected ns9.openova.io.").await;
    request.soa = None;
    request.desired[0] = RRset::new(
        format!("{CHILD}."),
        RecordType::Ns,
        Ttl::new(3600),
        ["ns1.openova.io.", "ns7.openova.io."],
    );
    expect(&request, "wrong-answer", &format!("{CHILD}/NS"), "ns7.openova.io.").await;
}

#[tokio::test]
async fn the_ds_must_be_there_be_ours_and_match_a_key() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let question = format!("{CHILD}/DS");
    let other = pdns.ds(PARENT);
    pdns.delegate(&other);
    expect(&request, "wrong-answer", &question, "expected").await;
    let fooled = ProofRequest { ds: other, ..request.clone() };
    expect(&fooled, "bogus", &format!("{CHILD}/DNSKEY"), "matches one of its keys").await;
    pdns.delegate(&BTreeSet::new());
    expect(&request, "no-ds", &question, "no such record").await;
    let none = ProofRequest { ds: BTreeSet::new(), ..request.clone() };
    expect(&none, "no-ds", &question, "no chain").await;
    let gone = RRset::new(format!("{CHILD}."), RecordType::Ns, Ttl::new(1), Vec::<&str>::new());
    pdns.patch(PARENT, &[gone]);
    expect(&request, "no-ds", &question, "").await;
}

#[tokio::test]
async fn an_unsigned_child_is_not_signed() {
    let pdns = Pdns::start();
    pdns.create(PARENT, true, true, &[]);
    pdns.create(CHILD, false, false, &desired(Some(&["192.0.2.10"])));
    let ds = pdns.ds(PARENT);
    pdns.delegate(&ds);
    let request = pdns.request(ds, desired(Some(&["192.0.2.10"])));
    expect(&request, "not-signed", &format!("{CHILD}/DNSKEY"), "no such record").await;
}

#[tokio::test]
async fn another_anchor_and_another_time_are_bogus() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let parent = format!("{PARENT}/DNSKEY");
    let stranger = ProofRequest { anchor: request.ds.clone(), ..request.clone() };
    expect(&stranger, "bogus", &parent, "matches one of its keys").await;
    let nothing = ProofRequest { anchor: BTreeSet::new(), ..request.clone() };
    expect(&nothing, "bogus", &parent, "no DS").await;
    let month = 30 * 24 * 3600 * 1000;
    let later = ProofRequest { now: Timestamp(request.now.0 + month), ..request.clone() };
    expect(&later, "bogus", &parent, "expired at").await;
    let earlier = ProofRequest { now: Timestamp(request.now.0 - month), ..request.clone() };
    expect(&earlier, "bogus", &parent, "not valid before").await;
}

#[tokio::test]
async fn an_inactive_zone_signing_key_leaves_nothing_to_trust() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let path = format!("servers/localhost/zones/{CHILD}./cryptokeys");
    let keys: serde_json::Value = serde_json::from_str(&pdns.call("GET", &path, None)).unwrap();
    let ksk = keys.as_array().unwrap().iter().find(|k| k["flags"] == 257).unwrap();
    pdns.call("PUT", &format!("{path}/{}", ksk["id"]), Some(json!({"active": false, "published": true})));
    pdns.patch(CHILD, &[a("console.", 300, &["192.0.2.10"])]);
    expect(&request, "bogus", &format!("{CHILD}/DNSKEY"), "").await;
}

#[tokio::test]
async fn a_server_that_is_down_gives_no_answer() {
    let pdns = Pdns::start();
    let mut request = pdns.ready(true);
    request.servers[1] = server(2, "127.0.0.9", pdns.dns);
    let refusal = prober().prove(&request).await.unwrap().unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.transport), ("no-answer", Transport::Udp));
    assert!(refusal.server.contains("ns2.openova.io") && refusal.server.contains("127.0.0.9"), "{refusal:?}");
    request.servers.clear();
    expect(&request, "no-answer", &format!("{CHILD}/DS"), "no server").await;
}

#[tokio::test]
async fn a_server_without_the_zone_is_lame() {
    let (pdns, empty) = (Pdns::start(), Pdns::start());
    let mut request = pdns.ready(true);
    request.servers[2] = server(3, "127.0.0.3", empty.dns);
    expect(&request, "lame", &format!("{PARENT}/DNSKEY"), "REFUSED").await;
    // It has a parent of its own, with other keys.
    empty.create(PARENT, true, true, &[]);
    expect(&request, "bogus", &format!("{PARENT}/DNSKEY"), "matches one of its keys").await;
}

#[tokio::test]
async fn a_server_that_only_delegates_is_lame() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    pdns.call("DELETE", &format!("servers/localhost/zones/{CHILD}."), None);
    expect(&request, "lame", &format!("{CHILD}/DNSKEY"), "not authoritative").await;
}

#[tokio::test]
async fn a_server_that_lags_behind_is_a_wrong_answer_naming_it() {
    let (pdns, old) = (Pdns::start(), Pdns::start());
    let request = pdns.ready(true);
    // The same keys cannot be had by REST, so the second one is a whole chain of its own.
    let mut lagging = old.ready(true);
    old.patch(CHILD, &[a("harbor.", 300, &["192.0.2.77"])]);
    lagging.servers[0] = server(1, "127.0.0.1", old.dns);
    expect(&lagging, "wrong-answer", &format!("harbor.{CHILD}/A"), "192.0.2.77").await;
    assert!(prober().prove(&request).await.unwrap().is_ok());
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_not_asked() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let strict = pdm_auditor::Prober::new(pdm_auditor::Settings::default());
    let before = pdns.statistic("udp-queries");
    let refusal = strict.prove(&request).await.unwrap().unwrap_err();
    assert_eq!(refusal.reason, "no-answer");
    assert!(refusal.detail.contains("loopback"), "{}", refusal.detail);
    assert!(strict.keys(&request.zone, &request.servers).await.iter().all(|k| k.ds_of_keys.is_none()));
    assert_eq!(pdns.statistic("udp-queries"), before);
}
