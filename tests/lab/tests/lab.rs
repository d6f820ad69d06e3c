//! The lab itself: is it an internet, and does what is broken in it break?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod comparison;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use pdm_harness::dns::{short, status};
use pdm_harness::until;
use pdm_lab::{ACME, Lab, Outcome, Plan, Resolver, acme};

const SECOND: Duration = Duration::from_secs(1);

async fn with_customer() -> Lab {
    let lab = Lab::start().await;
    lab.customer(ACME, acme()).await;
    lab
}

/// Wait until a resolver with an empty cache says so.
async fn until_cold(resolver: &Resolver, question: (&str, &str), holds: impl Fn(&Outcome) -> bool) {
    until(&format!("another answer to {question:?}"), || async {
        let outcome = resolver.ask_cold(question.0, question.1).await;
        if holds(&outcome) { Ok(()) } else { Err(outcome) }
    })
    .await;
}

#[tokio::test]
async fn a_customers_domain_validates_from_the_root() {
    let lab = with_customer().await;
    let mx = lab.unbound().ask(ACME, "MX").await;
    assert_eq!(mx.records(), ["10 mx1.acme.com.", "20 mx2.acme.com."]);
    assert!(mx.authentic(), "{mx}");
    let www = lab.cold().ask_cold("www.acme.com", "A").await;
    assert_eq!((www.records(), www.authentic()), (vec!["192.0.2.80"], true));
    assert_eq!(lab.unbound().ask("nothing.acme.com", "A").await, Outcome::NxDomain);
    let ours = lab.unbound().ask("ns2.openova.io", "A").await;
    assert_eq!(ours.records(), [lab.address_of("ns2.openova.io").ip().to_string()]);
    assert!(ours.authentic());
}

#[tokio::test]
async fn a_foreign_ds_is_bogus_and_the_watcher_tells_when() {
    let lab = with_customer().await;
    let watcher = lab.watcher(&["acme.com MX", "openova.io SOA"], SECOND / 5);
    watcher.rounds(2).await;
    // The names of our nameservers with the DS of the old operator: what the planner must never do.
    lab.ours.host(ACME, true, acme()).await;
    let ds = lab.old.ds(ACME).await;
    lab.register(ACME, &lab.ours.names(), &ds).await;
    until("a SERVFAIL", || async {
        let report = watcher.report();
        if report.servfails().is_empty() { Err(report) } else { Ok(()) }
    })
    .await;
    lab.register(ACME, &lab.ours.names(), &lab.ours.ds(ACME).await).await;
    // unbound keeps a bad key for a minute, so one moment of it costs its users that long.
    assert!(matches!(lab.unbound().ask(ACME, "MX").await, Outcome::ServFail(_)));
    until_cold(lab.unbound(), (ACME, "MX"), Outcome::authentic).await;
    let report = watcher.stop();
    assert!(report.broken().iter().all(|(question, _)| *question == "acme.com MX"), "{report}");
    assert!(report.of("openova.io SOA").asked() >= 2);
}

#[tokio::test]
async fn one_tld_server_may_lag_and_one_may_be_dead() {
    let mut lab = with_customer().await;
    let ds = lab.old.ds(ACME).await;
    let (a, b) = (lab.address_of("a.gtld-servers.net"), lab.address_of("b.gtld-servers.net"));
    lab.registry.operator.servers[1].lag().await;
    lab.registry.set_ds(ACME, &[]).await;
    assert_eq!(short(a, ACME, "DS"), Vec::<String>::new());
    assert_eq!(short(b, ACME, "DS").len(), ds.len());
    lab.registry.operator.servers[1].catch_up().await;
    assert_eq!(short(b, ACME, "DS"), Vec::<String>::new());
    lab.registry.operator.servers[1].stop().await;
    let insecure = lab.cold().ask_cold(ACME, "MX").await;
    assert!(!insecure.authentic() && insecure.records().len() == 2, "{insecure}");
}

#[tokio::test]
async fn a_ds_may_be_published_late() {
    let lab = with_customer().await;
    let ds = lab.old.ds(ACME).await;
    lab.registry.set_ds(ACME, &[]).await;
    lab.registry.hold("DS");
    lab.registry.set_ds(ACME, &ds).await;
    let at = lab.address_of("a.gtld-servers.net");
    assert_eq!(short(at, ACME, "DS"), Vec::<String>::new());
    assert!(!lab.cold().ask_cold(ACME, "MX").await.authentic());
    lab.registry.publish("DS");
    assert_eq!(short(at, ACME, "DS").len(), ds.len());
    until_cold(lab.cold(), (ACME, "MX"), Outcome::authentic).await;
}

#[tokio::test]
async fn signatures_expire_where_the_clock_is_wrong() {
    let mut lab = with_customer().await;
    for server in &mut lab.old.servers {
        server.clock("-60d").await;
    }
    until_cold(lab.cold(), (ACME, "MX"), |o| matches!(o, Outcome::ServFail(why) if why.contains("error ")))
        .await;
    for server in &mut lab.old.servers {
        server.right_clock().await;
    }
    until_cold(lab.cold(), (ACME, "MX"), Outcome::authentic).await;
}

#[tokio::test]
async fn the_whole_lab_can_live_in_another_month() {
    let lab = Plan::default().steered().start().await;
    lab.customer(ACME, acme()).await;
    let expiry = |lab: &Lab| {
        let reply = pdm_harness::dns::full(lab.address_of("ns1.old-dns.net"), ACME, "MX", false);
        let words: Vec<&str> =
            reply.lines().find(|l| l.contains("RRSIG\tMX")).unwrap().split_whitespace().collect();
        words[8][..6].to_owned() // the month in which it ends
    };
    let before = expiry(&lab);
    lab.set_clock("+60d");
    until("signatures of another month", || async {
        let now = expiry(&lab);
        if now > before { Ok(()) } else { Err(now) }
    })
    .await;
    until_cold(lab.cold(), (ACME, "MX"), Outcome::authentic).await;
}

#[tokio::test]
async fn a_frozen_server_costs_time_and_no_answer() {
    let lab = with_customer().await;
    lab.old.servers[0].hang();
    let mx = lab.cold().ask_cold(ACME, "MX").await;
    assert!(mx.authentic(), "{mx}");
    lab.old.servers[0].go_on();
}

#[tokio::test]
async fn transfers_are_refused_until_they_are_allowed() {
    let lab = with_customer().await;
    let at = lab.address_of("ns1.old-dns.net");
    let transfer = || {
        let out = Command::new("dig")
            .arg(format!("@{}", at.ip()))
            .args(["+noall", "+answer", ACME, "AXFR"])
            .output();
        String::from_utf8_lossy(&out.unwrap().stdout).lines().filter(|l| l.contains("\tIN\t")).count()
    };
    assert_eq!(transfer(), 0);
    lab.old.allow_transfer(ACME, true).await;
    assert!(transfer() > acme().len());
    lab.old.drop_zone(ACME).await;
    assert_eq!(status(at, ACME, "SOA"), "REFUSED");
}

#[tokio::test]
async fn the_registry_takes_dynamic_updates_with_its_key_only() {
    let lab = with_customer().await;
    let (key, at) = (lab.registry.tsig().await, lab.address_of("a.gtld-servers.net"));
    let ds = lab.ours.ds("openova.io").await.remove(0);
    let update = |sign: bool| {
        let key = format!("{}:{}:{}", key.algorithm, key.name, key.secret);
        let mut nsupdate = Command::new("nsupdate");
        if sign {
            nsupdate.args(["-y", &key]);
        }
        let mut child = nsupdate.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let text = format!(
            "server {} 53\nzone com.\nupdate delete acme.com. NS\nupdate add acme.com. 2 NS ns1.openova.io.\n\
             update delete acme.com. DS\nupdate add acme.com. 2 DS {ds}\nsend\n",
            at.ip()
        );
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait().unwrap().success()
    };
    assert!(!update(false));
    assert!(update(true));
    let (ns, held) = lab.registry.delegation(ACME).await;
    assert_eq!((ns, held), (vec!["ns1.openova.io.".to_owned()], vec![ds]));
}

#[tokio::test]
async fn two_labs_live_side_by_side_and_start_quickly() {
    let begun = std::time::Instant::now();
    let (one, two) = tokio::join!(with_customer(), Lab::start());
    let took = begun.elapsed();
    assert!(one.unbound().ask(ACME, "MX").await.authentic());
    assert_eq!(two.unbound().ask(ACME, "MX").await, Outcome::NxDomain);
    assert!(took < 30 * SECOND, "{took:?}");
    println!("two labs started in {took:?}");
}
