//! The zones' port against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use futures_util::future::join_all;
use pdm_harness::Release;
use pdm_model::canonical::{Change, diff};
use pdm_model::{RRset, RecordType, Ttl};
use pdm_ports::zone::Created;
use pdm_ports::{Class, ZoneBackend};
use serde_json::json;
use support::*;

const ZONE: &str = "omantel.pool.example";

fn address(label: &str, last: u8) -> Change {
    let owner = format!("{label}.{ZONE}.");
    Change::Replace(RRset::new(owner, RecordType::A, Ttl::new(60), [format!("192.0.2.{last}")]))
}

#[tokio::test]
async fn a_new_zone_is_as_specified_and_the_second_time_changes_nothing() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let spec = spec(ZONE, A);
    assert!(matches!(dns.create_zone(&spec).await.unwrap(), Created::New(Some(_))));
    assert_eq!(dns.create_zone(&spec).await.unwrap(), Created::Exists);

    let zone = dns.read_zone(&spec.name).await.unwrap().unwrap();
    assert_eq!(zone.stamp.as_ref(), Some(&spec.stamp));
    assert!(zone.dnssec && zone.serial > 2_026_000_000);
    assert_eq!(diff(&spec.name, &spec.rrsets, &zone.rrsets), []);
    let soa = zone.rrsets.iter().find(|rrset| rrset.rtype == RecordType::Soa).unwrap();
    let want = format!("ns1.pool.example. hostmaster.example. {} 14400 3600 604800 300", zone.serial);
    assert_eq!(soa.records.first(), Some(&want));

    let keys = dns.read_keys(&spec.name).await.unwrap().unwrap();
    let flags: Vec<u16> = keys.iter().map(|key| key.flags).collect();
    assert!(keys.len() == 2 && flags.contains(&257) && flags.contains(&256));
    assert!(keys.iter().all(|key| key.active && key.published && key.algorithm == 13));
    assert_eq!(keys.iter().filter(|key| key.ds.is_some()).count(), 1);

    let answer = server.dig(&format!("anything.{ZONE}"), "A").await;
    assert!(answer.contains("192.0.2.10") && answer.contains("RRSIG"), "{answer}");
}

#[tokio::test]
async fn ten_edits_move_the_serial_ten_times() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let spec = spec(ZONE, A);
    dns.create_zone(&spec).await.unwrap();
    let before = dns.read_zone(&spec.name).await.unwrap().unwrap();
    for generation in 2..12_u8 {
        let changes = [address("console", generation)];
        dns.change_zone(&spec.name, &changes, &stamp(A, generation.into())).await.unwrap();
    }
    let after = dns.read_zone(&spec.name).await.unwrap().unwrap();
    assert_eq!(after.serial, before.serial + 10);
    assert_eq!(after.stamp, Some(stamp(A, 11)));
    let ns = |zone: &pdm_ports::ObservedZone| zone.rrsets.iter().find(|r| r.rtype == RecordType::Ns).cloned();
    assert_eq!(ns(&after), ns(&before), "renewing the mark leaves the records");

    // The caller compares: a second round has nothing to write.
    let mut want = spec.rrsets.clone();
    want.retain(|rrset| rrset.owner != format!("console.{ZONE}."));
    want.push(RRset::new(format!("console.{ZONE}."), RecordType::A, Ttl::new(60), ["192.0.2.11"]));
    assert_eq!(diff(&spec.name, &want, &after.rrsets), []);
}

#[tokio::test]
async fn a_change_is_all_or_nothing_and_a_refusal_has_its_text() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let spec = spec(ZONE, A);
    dns.create_zone(&spec).await.unwrap();
    let before = dns.read_zone(&spec.name).await.unwrap();
    let bad = RRset::new(format!("x.{ZONE}."), RecordType::Txt, Ttl::new(60), ["no quotes"]);
    let changes = [address("console", 77), Change::Replace(bad)];
    let fault = dns.change_zone(&spec.name, &changes, &stamp(A, 2)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "powerdns-rejected"));
    assert!(fault.detail.contains("TXT"), "{}", fault.detail);
    assert_eq!(dns.read_zone(&spec.name).await.unwrap(), before);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_untouched() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let (theirs, other) = (spec("theirs.pool.example", A), spec("other.pool.example", B));
    let body = json!({"name": "theirs.pool.example.", "kind": "Native", "nameservers": ["ns.else.example."]});
    assert_eq!(server.api("POST", "/zones", Some(body)).await.0, 201);
    dns.create_zone(&other).await.unwrap();
    let dump = || server.sql("select name,type,content from records order by 1,2,3");
    let before = dump();

    assert_eq!(dns.create_zone(&theirs).await.unwrap(), Created::Exists);
    for zone in ["theirs.pool.example", "other.pool.example"] {
        let (zone, mine) = (name(zone), stamp(A, 1));
        let refused = [
            dns.change_zone(&zone, &[], &mine).await.unwrap_err(),
            dns.remove_zone(&zone, A).await.unwrap_err(),
            dns.ensure_signed(&zone, &mine).await.unwrap_err(),
        ];
        assert!(refused.iter().all(|fault| fault.class == Class::NotOurs), "{refused:?}");
    }
    assert_eq!(dump(), before);
    assert_eq!(dns.read_zone(&theirs.name).await.unwrap().unwrap().stamp, None);
}

#[tokio::test]
async fn removing_twice_is_fine_and_what_is_missing_is_none() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let spec = spec(ZONE, A);
    dns.create_zone(&spec).await.unwrap();
    dns.remove_zone(&spec.name, A).await.unwrap();
    dns.remove_zone(&spec.name, A).await.unwrap();
    assert_eq!(dns.read_zone(&spec.name).await.unwrap(), None);
    assert_eq!(dns.read_keys(&spec.name).await.unwrap(), None);
    let fault = dns.change_zone(&spec.name, &[], &stamp(A, 2)).await.unwrap_err();
    assert_eq!(fault.code, "powerdns-zone-missing");
}

/// A zone's row without anything in it, as a crash inside PowerDNS leaves it.
async fn half_made(server: &Pdns, account: &str) {
    let body = json!({"name": format!("{ZONE}."), "kind": "Native", "account": account,
        "nameservers": ["ns1.pool.example."], "master_tsig_key_ids": ["missing."]});
    assert_eq!(server.api("POST", "/zones", Some(body)).await.0, 422);
    assert_eq!(server.sql("select count(*) from domains"), "1");
    assert_eq!(server.sql("select count(*) from records"), "0");
}

#[tokio::test]
async fn a_half_made_zone_of_ours_is_made_whole() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    half_made(&server, &format!("pdm:{A}")).await;
    let spec = spec(ZONE, A);
    assert!(matches!(dns.create_zone(&spec).await.unwrap(), Created::New(Some(_))));
    let zone = dns.read_zone(&spec.name).await.unwrap().unwrap();
    assert!(zone.dnssec && diff(&spec.name, &spec.rrsets, &zone.rrsets).is_empty());
}

#[tokio::test]
async fn a_half_made_zone_of_others_is_left_and_reported() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    half_made(&server, &format!("pdm:{B}")).await;
    assert_eq!(dns.create_zone(&spec(ZONE, A)).await.unwrap(), Created::Exists);
    let zone = dns.read_zone(&name(ZONE)).await.unwrap().unwrap();
    assert_eq!((zone.rrsets.len(), zone.stamp.unwrap().allocation), (0, B.to_owned()));
}

#[tokio::test]
async fn a_damaged_comment_does_not_make_it_anybody_elses() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let spec = spec(ZONE, A);
    dns.create_zone(&spec).await.unwrap();
    server.sql("update comments set comment='{'");
    let seen = dns.read_zone(&spec.name).await.unwrap().unwrap().stamp.unwrap();
    assert_eq!((seen.allocation.as_str(), seen.owner.as_str(), seen.generation), (A, "", 0));
    dns.change_zone(&spec.name, &[], &stamp(A, 5)).await.unwrap();
    assert_eq!(dns.read_zone(&spec.name).await.unwrap().unwrap().stamp, Some(stamp(A, 5)));
}

#[tokio::test]
async fn lost_keys_are_made_again_and_switched_off_ones_switched_on() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let spec = spec(ZONE, A);
    dns.create_zone(&spec).await.unwrap();
    let flags = |keys: Option<Vec<pdm_ports::ZoneKey>>| {
        let live = keys.unwrap().into_iter().filter(|key| key.active && key.published);
        let mut flags: Vec<u16> = live.map(|key| key.flags).collect();
        flags.sort_unstable();
        flags
    };
    for damage in [
        "update cryptokeys set active=0",
        "update cryptokeys set published=0 where flags=257",
        "delete from cryptokeys where flags=257",
        "delete from cryptokeys where flags=256; update cryptokeys set active=0",
        "delete from cryptokeys",
    ] {
        server.sql(damage);
        dns.ensure_signed(&spec.name, &spec.stamp).await.unwrap();
        let keys = flags(dns.read_keys(&spec.name).await.unwrap());
        assert!(keys == [256, 257] || keys == [257], "{damage}: {keys:?}");
        let answer = server.dig(ZONE, "A").await;
        assert!(answer.contains("RRSIG\tA"), "{damage}: {answer}");
    }
    let count = server.sql("select count(*) from cryptokeys");
    dns.ensure_signed(&spec.name, &spec.stamp).await.unwrap();
    assert_eq!(server.sql("select count(*) from cryptokeys"), count);
}

#[tokio::test]
async fn the_list_shows_marks_and_lua_has_one_name() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let mut spec = spec(ZONE, A);
    let lua = RRset::new(
        format!("app.{ZONE}."),
        RecordType::Lua,
        Ttl::new(5),
        ["A \"pickrandom({'192.0.2.1', '192.0.2.2'})\""],
    );
    // Code that PDM did not render is never written, whoever asks for it.
    spec.rrsets.push(lua.clone());
    assert_eq!(dns.create_zone(&spec).await.unwrap_err().code, "record-type");
    spec.rrsets.pop();
    dns.create_zone(&spec).await.unwrap();
    let body = json!({"rrsets": [{"name": lua.owner, "type": "LUA", "ttl": 5, "changetype": "REPLACE",
        "records": lua.records.iter().map(|r| json!({"content": r, "disabled": false})).collect::<Vec<_>>()}]});
    server.api("PATCH", &format!("/zones/{ZONE}."), Some(body)).await;
    let body = json!({"name": "theirs.example.", "kind": "Native", "nameservers": ["ns.else.example."]});
    server.api("POST", "/zones", Some(body)).await;
    let mut zones = dns.list_zones().await.unwrap();
    zones.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(zones.len(), 2);
    assert_eq!((zones[0].name.as_str(), zones[0].allocation.as_deref()), (ZONE, Some(A)));
    assert_eq!(zones[1].allocation, None);
    let zone = dns.read_zone(&spec.name).await.unwrap().unwrap();
    assert_eq!(zone.serial, zones[0].serial);
    assert!(zone.rrsets.contains(&lua));
}

#[tokio::test]
async fn a_crowd_of_writers_meets_no_locked_database() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let specs: Vec<_> = (0..40).map(|n| spec(&format!("z{n}.pool.example"), A)).collect();
    let made = join_all(specs.iter().map(|spec| dns.create_zone(spec))).await;
    assert!(made.into_iter().all(|made| matches!(made.unwrap(), Created::New(_))));
    let same = join_all((0..8).map(|_| dns.create_zone(&specs[0]))).await;
    assert!(same.into_iter().all(|made| made.unwrap() == Created::Exists));
    let gone = join_all(specs.iter().map(|spec| dns.remove_zone(&spec.name, A))).await;
    assert!(gone.into_iter().all(|gone| gone.is_ok()));
    assert_eq!(dns.list_zones().await.unwrap().len(), 0);
}

#[tokio::test]
async fn eight_creators_of_one_zone_make_one() {
    let server = Pdns::sqlite().await;
    let spec = spec(ZONE, A);
    // Each with its own client: their gates do not know of each other, as in several processes.
    let clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    let made = join_all(clients.iter().map(|dns| dns.create_zone(&spec))).await;
    let made: Vec<Created> = made.into_iter().map(Result::unwrap).collect();
    assert!(made.iter().filter(|made| matches!(made, Created::New(_))).count() <= 1, "{made:?}");
    let zone = clients[0].read_zone(&spec.name).await.unwrap().unwrap();
    assert_eq!(diff(&spec.name, &spec.rrsets, &zone.rrsets), []);
    assert_eq!(clients[0].read_keys(&spec.name).await.unwrap().unwrap().len(), 2);
}

#[tokio::test]
async fn health_knows_the_version_and_flush_reaches_the_cache() {
    let server = Pdns::sqlite_with("cache-ttl=60\nnegquery-cache-ttl=60").await;
    let dns = server.client();
    assert!(dns.health().await.unwrap().starts_with(['4', '5']));
    let body = json!({"name": "pool.example.", "kind": "Native", "nameservers": ["ns1.pool.example."]});
    server.api("POST", "/zones", Some(body)).await;
    assert!(server.dig(&format!("console.{ZONE}"), "A").await.contains("NXDOMAIN"));
    dns.create_zone(&spec(ZONE, A)).await.unwrap();
    dns.flush(&name(ZONE)).await.unwrap();
    assert!(server.dig(&format!("console.{ZONE}"), "A").await.contains("192.0.2.10"));
}

#[tokio::test]
async fn signals_are_written_beside_the_operators_records_and_nothing_else_is() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let spec = spec(ZONE, A);
    dns.create_zone(&spec).await.unwrap();
    let zone = pdm_model::ZoneName::parse("nameservers.example").unwrap();
    let body = json!({"name": "nameservers.example.", "kind": "Native", "dnssec": true, "nameservers": ["ns1.nameservers.example."],
        "rrsets": [{"name": "ns1.nameservers.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.1"}]}]});
    assert_eq!(server.api("POST", "/zones", Some(body)).await.0, 201);
    let owner = "_dsboot.acme.com._signal.ns1.nameservers.example.";
    let cds = RecordType::Other("CDS".to_owned());
    let content = format!("1 13 2 {}", "ab".repeat(32));
    let signal = RRset::new(owner, cds.clone(), Ttl::new(60), [content]);
    dns.change_signals(&zone, &[Change::Replace(signal)]).await.unwrap();
    assert!(server.dig(owner, "CDS").await.contains("1 13 2 ABAB"));
    assert!(server.dig("ns1.nameservers.example", "A").await.contains("192.0.2.1"));
    dns.change_signals(&zone, &[Change::Delete(owner.to_owned(), cds.clone())]).await.unwrap();
    assert!(!server.dig(owner, "CDS").await.contains("1 13 2"));
    let refused =
        dns.change_signals(&zone, &[Change::Delete("ns1.nameservers.example.".into(), RecordType::A)]).await;
    assert_eq!(refused.unwrap_err().code, "not-a-signal");
    let ours = format!("_dsboot.acme.com._signal.{ZONE}.");
    let refused = dns.change_signals(&spec.name, &[Change::Delete(ours, cds)]).await;
    assert_eq!(refused.unwrap_err().class, Class::NotOurs);
}

/// Records whose contents have escapes, and what the DNS says then.
fn escaped() -> Vec<(RRset, &'static str)> {
    let set = |label: &str, rtype: &str, content: &str| {
        let owner = format!("{label}.{ZONE}.");
        RRset::new(owner, RecordType::from(rtype.to_owned()), Ttl::new(60), [content])
    };
    vec![
        (set("quote", "TXT", r#""say \"hi\"""#), r#""say \"hi\"""#),
        (set("slash", "TXT", r#""a\\b" "c\\\"d""#), r#""a\\b" "c\\\"d""#),
        (set("octets", "TXT", r#""\200\000\127""#), r#""\200\000\127""#),
        (set("by-number", "TXT", r#""\065\;""#), r#""A;""#),
        (set("issue", "CAA", r#"0 issue "ca.example; a=\"b\"""#), r#"0 issue "ca.example; a=\"b\"""#),
        (set("dot", "CNAME", r"a\.b.example."), r"a\.b.example."),
    ]
}

async fn must_serve(server: &Pdns) {
    for (rrset, said) in escaped() {
        let got = server.dig(rrset.owner.trim_end_matches('.'), rrset.rtype.as_str()).await;
        assert!(got.contains(&format!("\t{}\t{said}\n", rrset.rtype)), "{said} at {got}");
    }
}

/// 5.1 undoes escapes once more than others. A client that saw one form work goes on with the other when that is what
/// works: after an upgrade, and after the way back.
#[tokio::test]
async fn escapes_arrive_as_they_were_meant_whatever_release_reads_them() {
    let mut server = Pdns::sqlite().await;
    let dns = server.client();
    let mut spec = spec(ZONE, A);
    spec.rrsets.extend(escaped().into_iter().map(|(rrset, _)| rrset));
    assert!(matches!(dns.create_zone(&spec).await.unwrap(), Created::New(_)));
    must_serve(&server).await;
    let all = Release::all();
    for release in all.iter().chain(all.iter().rev()) {
        server.become_release(release).await;
        let (quotes, slashes): (Vec<_>, Vec<_>) =
            escaped().into_iter().partition(|(rrset, _)| rrset.owner.starts_with("quote"));
        // Refused, or taken for something else: both are seen.
        for sets in [slashes, quotes] {
            let owners =
                sets.iter().map(|(rrset, _)| Change::Delete(rrset.owner.clone(), rrset.rtype.clone()));
            dns.change_zone(&spec.name, &owners.collect::<Vec<_>>(), &spec.stamp).await.unwrap();
            let changes: Vec<_> = sets.into_iter().map(|(rrset, _)| Change::Replace(rrset)).collect();
            dns.change_zone(&spec.name, &changes, &spec.stamp).await.unwrap();
        }
        must_serve(&server).await;
    }
    // What no release takes is refused, as it is without escapes.
    let broken = RRset::new(format!("b.{ZONE}."), RecordType::Txt, Ttl::new(60), [r#""no \"end"#]);
    let fault = dns.change_zone(&spec.name, &[Change::Replace(broken)], &spec.stamp).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "powerdns-rejected"));
}
