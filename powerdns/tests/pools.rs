//! The pools' parent side against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pdm_model::{Delegation, DsRecord, Ttl, ZoneName};
use pdm_ports::{Class, DelegationChange, ParentSide, ZoneBackend};
use pdm_powerdns::{PoolParent, PowerDns};
use serde_json::json;
use support::*;

async fn ready() -> (Pdns, Arc<PowerDns>, PoolParent, Arc<FreeLease>) {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let (parent, lease) = parent(&dns);
    parent.prepare(&pool()).await.unwrap();
    (server, dns, parent, lease)
}

fn parent(dns: &Arc<PowerDns>) -> (PoolParent, Arc<FreeLease>) {
    let lease = Arc::new(FreeLease::default());
    (PoolParent::new(dns.clone(), vec![pool_config()], lease.clone()), lease)
}

fn child(label: &str) -> ZoneName {
    name(&format!("{label}.pool.example"))
}

fn ns(mark: i64) -> DelegationChange {
    DelegationChange { ns: Some((ns_set(), Ttl::new(3600))), ds: None, mark }
}

fn ds(number: u16) -> BTreeSet<DsRecord> {
    [format!("{number} 13 2 {}", "ab".repeat(32)).parse().unwrap()].into()
}

fn both(number: u16) -> DelegationChange {
    DelegationChange { ds: Some((ds(number), Ttl::new(300))), ..ns(number.into()) }
}

fn out(mark: i64) -> DelegationChange {
    DelegationChange {
        ns: Some((BTreeSet::new(), Ttl::new(0))),
        ds: Some((BTreeSet::new(), Ttl::new(0))),
        mark,
    }
}

async fn serial(server: &Pdns) -> u64 {
    let (_, body) = server.api("GET", "/zones/pool.example.?rrsets=false", None).await;
    serde_json::from_str::<serde_json::Value>(&body).unwrap()["serial"].as_u64().unwrap()
}

/// Somebody else writes into the pool zone.
async fn by_hand(server: &Pdns, owner: &str, rtype: &str, content: &str) {
    let body = json!({"rrsets": [{"name": owner, "type": rtype, "ttl": 60, "changetype": "REPLACE",
        "records": [{"content": content}]}]});
    assert_eq!(server.api("PATCH", "/zones/pool.example.", Some(body)).await.0, 204);
}

#[tokio::test]
async fn a_new_pool_is_made_once() {
    let (server, _dns, parent, _) = ready().await;
    let before = serial(&server).await;
    let again = parent.prepare(&pool()).await.unwrap();
    assert!(!again.created && !again.switched && again.plan.steps.is_empty(), "{again:?}");
    assert_eq!(serial(&server).await, before);
    let answer = server.dig("ns1.pool.example", "AAAA").await;
    assert!(answer.contains("2001:db8::1") && answer.contains("RRSIG"), "{answer}");
    assert!(server.dig("pool.example", "NSEC3PARAM").await.contains("1 0 0 -"));
    assert_eq!(parent.pool_ds(&pool()).await.unwrap().len(), 1);
    assert_eq!(server.sql("select account from domains"), "pdm-pool");
}

async fn delegations(parent: &impl ParentSide) -> Vec<(ZoneName, Delegation)> {
    let mut all = Vec::new();
    parent.each_delegation(&pool(), &mut |name, there| all.push((name, there))).await.unwrap();
    all
}

#[tokio::test]
async fn a_delegation_comes_goes_and_the_second_time_changes_nothing() {
    let (server, _dns, parent, _) = ready().await;
    let a = child("a");
    assert_eq!(parent.observe(&a).await.unwrap(), Delegation::default());
    parent.apply(&a, both(7), soon()).await.unwrap();
    let want =
        Delegation { ns: ns_set(), ds: ds(7), ns_ttl: Some(Ttl::new(3600)), ds_ttl: Some(Ttl::new(300)) };
    assert_eq!(parent.observe(&a).await.unwrap(), want);
    assert_eq!(delegations(&parent).await, [(a.clone(), want)]);
    let before = serial(&server).await;
    parent.apply(&a, both(7), soon()).await.unwrap();
    assert_eq!(serial(&server).await, before, "nothing was written");

    // The DS alone, then the rest.
    let ds_out = DelegationChange { ns: None, ..out(8) };
    parent.apply(&a, ds_out, soon()).await.unwrap();
    assert_eq!(parent.observe(&a).await.unwrap().ds.len(), 0);
    assert_eq!(parent.observe(&a).await.unwrap().ns, ns_set());
    parent.apply(&a, out(9), soon()).await.unwrap();
    parent.apply(&a, out(9), soon()).await.unwrap();
    assert_eq!(parent.observe(&a).await.unwrap(), Delegation::default());
    assert_eq!(serial(&server).await, before + 2);
}

#[tokio::test]
async fn a_hundred_changes_are_a_few_writes() {
    let (server, _dns, parent, _) = ready().await;
    let before = serial(&server).await;
    let children: Vec<ZoneName> = (0..100).map(|n| child(&format!("c{n}"))).collect();
    let changes = children.iter().zip(1..).map(|(child, n)| parent.apply(child, both(n), soon()));
    for outcome in join_all(changes).await {
        outcome.unwrap();
    }
    let writes = serial(&server).await - before;
    assert!(writes <= 5, "{writes} PATCHes");
    assert_eq!(server.sql("select count(*) from records where type='DS'"), "100");
    assert_eq!(server.sql("select count(*) from records where type='NS' and name<>'pool.example'"), "300");
    assert_eq!(delegations(&parent).await.len(), 100);
    assert_eq!(parent.mark(&pool()).await.unwrap(), Some(100));

    // The same out again, each twice.
    let twice = children.iter().chain(&children);
    for outcome in join_all(twice.map(|child| parent.apply(child, out(1), soon()))).await {
        outcome.unwrap();
    }
    assert_eq!(server.sql("select count(*) from records where type in ('DS','NS')"), "3");
    assert_eq!(server.sql("select count(*) from records where type='SOA'"), "1");
}

#[tokio::test]
async fn the_mark_only_rises_and_outlives_the_process() {
    let (server, dns, first, _) = ready().await;
    assert_eq!(first.mark(&pool()).await.unwrap(), None);
    first.apply(&child("a"), ns(41), soon()).await.unwrap();
    first.apply(&child("b"), ns(7), soon()).await.unwrap();
    drop(first);
    let (second, _) = parent(&dns);
    assert_eq!(second.mark(&pool()).await.unwrap(), Some(41));
    second.apply(&child("c"), ns(8), soon()).await.unwrap();
    assert_eq!(second.mark(&pool()).await.unwrap(), Some(41));
    assert!(server.dig("_pdm.pool.example", "TXT").await.contains("NXDOMAIN"), "the DNS never shows it");
}

#[tokio::test]
async fn others_names_are_refused_and_untouched() {
    let (server, dns, parent, _) = ready().await;
    by_hand(&server, "www.pool.example.", "A", "192.0.2.99").await;
    by_hand(&server, "deep.under.pool.example.", "TXT", "\"x\"").await;
    by_hand(&server, "theirs.pool.example.", "NS", "ns.else.example.").await;
    by_hand(&server, "_dmarc.pool.example.", "TXT", "\"v=DMARC1\"").await;
    // A zone of somebody else on our servers, delegated to our nameservers.
    let body =
        json!({"name": "hosted.pool.example.", "kind": "Native", "nameservers": ["ns1.pool.example."]});
    assert_eq!(server.api("POST", "/zones", Some(body)).await.0, 201);
    by_hand(&server, "hosted.pool.example.", "NS", "ns1.pool.example.").await;
    let dump = || server.sql("select name,type,content from records where type<>'SOA' order by 1,2,3");
    let before = dump();

    for label in ["www", "under", "theirs", "hosted"] {
        for change in [both(1), out(2)] {
            let adds = !change.ds.as_ref().unwrap().0.is_empty();
            // There is no delegation at the first two, so nothing to take away either.
            let want = if adds || matches!(label, "theirs" | "hosted") { Some(Class::NotOurs) } else { None };
            let outcome = parent.apply(&child(label), change, soon()).await;
            assert_eq!(outcome.err().map(|fault| fault.class), want, "{label} {adds}");
        }
    }
    assert_eq!(dump(), before);
    let foreign = parent.foreign_names(&pool()).await.unwrap();
    let want = ["www", "under", "theirs", "hosted", "ns1", "ns2"].map(child);
    assert_eq!(foreign, want.into());

    // Ours by the child zone's mark, though the NS set was changed by hand: it is put right.
    dns.create_zone(&spec("mine.pool.example", A)).await.unwrap();
    by_hand(&server, "mine.pool.example.", "NS", "ns.else.example.").await;
    parent.apply(&child("mine"), ns(3), soon()).await.unwrap();
    assert_eq!(parent.observe(&child("mine")).await.unwrap().ns, ns_set());
    assert!(!parent.foreign_names(&pool()).await.unwrap().contains(&child("mine")));
}

#[tokio::test]
async fn a_leftover_with_our_nameservers_can_be_taken_away_after_a_restart() {
    let (_server, dns, first, _) = ready().await;
    first.apply(&child("a"), both(1), soon()).await.unwrap();
    drop(first);
    let (second, _) = parent(&dns);
    assert!(!second.foreign_names(&pool()).await.unwrap().contains(&child("a")));
    second.apply(&child("a"), out(2), soon()).await.unwrap();
    assert_eq!(second.observe(&child("a")).await.unwrap(), Delegation::default());
}

#[tokio::test]
async fn an_edit_by_hand_is_noticed_read_anew_and_rectified() {
    let (server, _dns, parent, _) = ready().await;
    parent.apply(&child("a"), both(1), soon()).await.unwrap();
    let known = parent.foreign_serial(&pool()).await.unwrap();
    assert_eq!(parent.foreign_serial(&pool()).await.unwrap(), known);
    parent.apply(&child("b"), both(2), soon()).await.unwrap();
    assert_eq!(parent.foreign_serial(&pool()).await.unwrap(), known, "our own writes are not foreign");

    by_hand(&server, "x.y.pool.example.", "TXT", "\"deep\"").await;
    let body = json!({"rrsets": [{"name": "a.pool.example.", "type": "DS", "changetype": "DELETE"}]});
    server.api("PATCH", "/zones/pool.example.", Some(body)).await;
    assert_ne!(parent.foreign_serial(&pool()).await.unwrap(), known);
    assert_eq!(parent.observe(&child("a")).await.unwrap().ds.len(), 0);

    // Written again although this process has written it before; and the name in between exists now.
    parent.apply(&child("a"), both(1), soon()).await.unwrap();
    assert_eq!(parent.observe(&child("a")).await.unwrap().ds, ds(1));
    let answer = server.dig("y.pool.example", "A").await;
    assert!(answer.contains("NOERROR"), "rectified: {answer}");
    let refused = parent.apply(&child("y"), ns(3), soon()).await.unwrap_err();
    assert_eq!(refused.class, Class::NotOurs);
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let (server, _dns, parent, lease) = ready().await;
    let before = serial(&server).await;
    let late = parent.apply(&child("a"), ns(1), Instant::now()).await.unwrap_err();
    assert_eq!((late.class, late.code), (Class::Fenced, "deadline-passed"));

    // Another process has the lease until it is too late for one of the two.
    lease.held.store(true, Ordering::SeqCst);
    let (b, c) = (child("b"), child("c"));
    let short = parent.apply(&b, ns(2), Instant::now() + Duration::from_millis(200));
    let long = parent.apply(&c, ns(3), soon());
    let release = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        lease.held.store(false, Ordering::SeqCst);
    };
    let (short, long, ()) = tokio::join!(short, long, release);
    assert_eq!(short.unwrap_err().class, Class::Fenced);
    long.unwrap();
    assert_eq!(delegations(&parent).await.len(), 1);
    assert_eq!(serial(&server).await, before + 1);
}

#[tokio::test]
async fn a_new_hand_reads_anew_and_waits_for_the_old_one() {
    let server = Pdns::sqlite().await;
    let mut options = options();
    options.timeout = Duration::from_millis(700);
    let dns = Arc::new(PowerDns::new(vec![server.instance()], options).unwrap());
    let (parent, lease) = parent(&dns);
    parent.prepare(&pool()).await.unwrap();
    parent.apply(&child("a"), ns(1), soon()).await.unwrap();

    // The other process left the serial where we remember it: only the lease tells.
    let serial = server.sql("select content from records where type='SOA'");
    by_hand(&server, "www.pool.example.", "A", "192.0.2.99").await;
    server.sql(&format!("update records set content='{serial}' where type='SOA'"));
    lease.changed_hands.store(true, Ordering::SeqCst);
    let refused = parent.apply(&child("www"), ns(2), soon()).await.unwrap_err();
    assert_eq!(refused.class, Class::NotOurs);

    lease.taken_over.store(true, Ordering::SeqCst);
    let started = Instant::now();
    parent.apply(&child("b"), ns(3), soon()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(700), "a call of the one before may still land");
}

#[tokio::test]
async fn one_bad_change_does_not_hold_up_the_others() {
    let (server, _dns, parent, lease) = ready().await;
    // A CNAME that appears without a new serial: the whole PATCH is refused.
    parent.apply(&child("a"), ns(1), soon()).await.unwrap();
    server.sql(
        "insert into records(domain_id,name,type,content,ttl,disabled,auth)
         select id,'bad.pool.example','CNAME','x.example',60,0,1 from domains",
    );
    lease.held.store(true, Ordering::SeqCst);
    let labels = ["good1", "bad", "good2"].map(child);
    let changes = labels.iter().map(|label| parent.apply(label, ns(2), soon()));
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        lease.held.store(false, Ordering::SeqCst);
    };
    let (outcomes, ()) = tokio::join!(join_all(changes), release);
    let classes: Vec<Option<Class>> =
        outcomes.into_iter().map(|o| o.err().map(|fault| fault.class)).collect();
    assert_eq!(classes, [None, Some(Class::Rejected), None]);
}

#[tokio::test]
async fn names_that_are_no_children_are_refused() {
    let (_server, _dns, parent, _) = ready().await;
    for bad in ["a.b.pool.example", "pool.example", "a.other.example"] {
        let fault = parent.apply(&name(bad), ns(1), soon()).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Rejected, "not-a-pool-child"), "{bad}");
        assert!(parent.observe(&name(bad)).await.is_err());
    }
}

#[tokio::test]
async fn a_missing_pool_zone_is_said_and_prepared_again() {
    let (server, _dns, parent, _) = ready().await;
    server.api("DELETE", "/zones/pool.example.", None).await;
    let fault = parent.apply(&child("a"), ns(1), soon()).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "pool-zone-missing"));
    assert_eq!(parent.observe(&child("a")).await.unwrap_err().code, "pool-zone-missing");
    assert!(parent.prepare(&pool()).await.unwrap().created);
    parent.apply(&child("a"), ns(1), soon()).await.unwrap();
}

#[tokio::test]
async fn an_old_pool_is_taken_over_gently() {
    let server = Pdns::sqlite().await;
    let body = json!({"name": "pool.example.", "kind": "Native", "dnssec": true, "soa_edit_api": "INCEPTION-EPOCH",
        "account": "customer", "nameservers": ["ns1.pool.example.", "ns9.else.example."],
        "rrsets": [
            {"name": "www.pool.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.99"}]},
            {"name": "ns2.pool.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.22"}]},
            {"name": "old.pool.example.", "type": "NS", "ttl": 60, "records": [{"content": "ns.else.example."}],
             "comments": [{"content": "by hand", "account": "me"}]}]});
    assert_eq!(server.api("POST", "/zones", Some(body)).await.0, 201);
    let dump = || server.sql("select name,type,ttl,content from records where type<>'SOA' order by 1,2,4");
    let (before, comments) = (dump(), server.sql("select comment,account from comments"));
    let (parent, _) = parent(&server.client());

    let plan = parent.plan(&pool()).await.unwrap();
    let codes: Vec<(&str, bool)> = plan.steps.iter().map(|step| (step.code, step.applies)).collect();
    let want = [
        ("nsec3-narrow", true),
        ("api-rectify-off", true),
        ("serial-moves", true),
        ("glue-missing", true),
        ("glue-differs", false),
        ("nameservers-differ", false),
    ];
    assert_eq!(codes, want);
    assert_eq!((plan.exists, plan.delegations, plan.foreign_names), (true, 1, 2));
    assert_eq!(dump(), before, "a plan changes nothing");

    let done = parent.prepare(&pool()).await.unwrap();
    assert!(done.switched && !done.created);
    let added = dump();
    let new: Vec<&str> = added.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(new, ["ns1.pool.example|A|3600|192.0.2.1", "ns1.pool.example|AAAA|3600|2001:db8::1"]);
    assert!(before.lines().all(|line| added.contains(line)));
    assert_eq!(server.sql("select comment,account from comments"), comments);
    assert_eq!(server.sql("select account from domains"), "customer");
    let again = parent.prepare(&pool()).await.unwrap();
    assert!(!again.switched && again.plan.steps.iter().all(|step| !step.applies));

    let serial_before = serial(&server).await;
    parent.apply(&child("a"), both(1), soon()).await.unwrap();
    assert!(serial(&server).await > serial_before, "the serial moves now");
}

#[tokio::test]
async fn pools_that_others_sign_or_send_are_refused() {
    let server = Pdns::sqlite().await;
    let body =
        json!({"name": "pool.example.", "kind": "Slave", "masters": ["192.0.2.53"], "nameservers": []});
    server.api("POST", "/zones", Some(body)).await;
    let (parent, _) = parent(&server.client());
    let fault = parent.prepare(&pool()).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "pool-refused"));
    server.sql("update domains set type='NATIVE'");
    server.sql("insert into domainmetadata(domain_id,kind,content) select id,'PRESIGNED','1' from domains");
    assert!(parent.plan(&pool()).await.unwrap().refused.unwrap().contains("PRESIGNED"));
}

/// The whole recipe, then `delv` with the pool's key and nothing else as its anchor.
#[tokio::test]
async fn the_chain_holds_from_the_pools_key() {
    let (server, dns, parent, _) = ready().await;
    let spec = spec("omantel.pool.example", A);
    dns.create_zone(&spec).await.unwrap();
    let keys = dns.read_keys(&spec.name).await.unwrap().unwrap();
    let ds: BTreeSet<DsRecord> = keys.into_iter().filter_map(|key| key.ds).collect();
    let change = DelegationChange { ds: Some((ds, Ttl::new(300))), ..ns(1) };
    parent.apply(&spec.name, change, soon()).await.unwrap();
    // An insecure neighbour makes the denial of its DS part of the test.
    parent.apply(&child("insecure"), ns(2), soon()).await.unwrap();

    let keys = dns.read_keys(&pool()).await.unwrap().unwrap();
    let entry = keys.iter().find(|key| key.flags == 257).unwrap();
    let (head, key) = entry.dnskey.rsplit_once(' ').unwrap();
    let anchor = server.dir.path().join("anchor");
    let text = format!("trust-anchors {{ pool.example. static-key {head} \"{key}\"; }};\n");
    std::fs::write(&anchor, text).unwrap();
    for (query, rtype, want) in [
        ("omantel.pool.example", "A", "fully validated"),
        ("console.omantel.pool.example", "A", "fully validated"),
        ("anything.omantel.pool.example", "A", "fully validated"),
        ("omantel.pool.example", "DS", "fully validated"),
        ("nobody.pool.example", "A", "negative response, fully validated"),
        ("insecure.pool.example", "DS", "negative response, fully validated"),
    ] {
        let output = tokio::process::Command::new("delv")
            .args([&format!("@{}", server.dns.ip()), "-p", &server.dns.port().to_string()])
            .args(["-a", &anchor.display().to_string(), "+root=pool.example", query, rtype])
            .output()
            .await
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(want), "{query} {rtype}: {text}");
    }
}
