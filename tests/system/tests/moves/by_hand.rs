//! A person edits the parent, as the instructions say.

use std::time::Duration;

use pdm_harness::backends::{self, Manner};
use pdm_harness::until_within;
use pdm_lab::{ACME, Outcome};
use serde_json::json;

use crate::hook::Hook;
use crate::scene::{ADDRESS, Move, PATIENCE, QUESTIONS, lab};

async fn commit(moving: &mut Move) {
    let body = json!({"mode": "byo-manual", "domain": ACME, "owner": "acme"});
    let reserved = moving.api.post("/v1/reserve", &body).await.expect(&[201]);
    let unproved = json!({"fqdn": ACME, "reservationToken": reserved.text_at("/reservationToken"),
        "loadBalancers": [{"ipv4": ADDRESS}]});
    let refused = moving.api.post("/v1/commit", &unproved).await.expect(&[409]);
    assert_eq!(refused.code(), "ownership-unproved");
    let body = moving.claim("byo-manual").await;
    moving.ask("/v1/commit", &body).await;
    moving.say("commit is accepted");
}

async fn there_and_back(kill_at_each_step: bool) {
    let lab = lab().await;
    let hook = Hook::start(lab.dir()).await;
    let mut moving = Move::start(lab, &hook.section()).await;
    let before = moving.lab.registry.delegation(ACME).await;
    moving.lab.old.allow_transfer(ACME, true).await;
    println!(
        "\nA closed internet on this machine: a signed root, a signed com with two servers, an old operator that signs and serves\n\
         acme.com (mail, web, a console), nameservers of ours behind PowerDNS, and unbound, which validates from the root and\n\
         asks for {} names of acme.com once a second, from before the move until after the way back. All TTLs are {} s, so that\n\
         a wait takes seconds; no wait is ever shorter than the TTL that was seen. A person at the registry does what PDM says.\n",
        QUESTIONS.len(),
        moving.lab.ttl(),
    );
    moving.say("acme.com is with the old operator; unbound begins to ask");
    let watcher = moving.lab.watcher(&QUESTIONS, Duration::from_secs(1));
    watcher.rounds(1).await;
    commit(&mut moving).await;
    moving.follow("active", kill_at_each_step).await;
    let mut names: Vec<String> = moving.lab.ours.names().iter().map(|n| format!("{n}.")).collect();
    names.sort();
    let (ns, ds) = moving.lab.registry.delegation(ACME).await;
    assert_eq!((ns, ds), (names, moving.lab.ours.ds(ACME).await));
    let console = moving.lab.cold().ask_cold("console.acme.com", "A").await;
    assert_eq!((console.records(), console.authentic()), (vec![ADDRESS], true));
    let shown = moving.api.get(&format!("/v1/allocations/{ACME}/carry-over")).await.expect(&[200]).body;
    assert_eq!((&shown["source"], &shown["complete"]), (&json!("transfer"), &json!(true)), "{shown:#}");
    let kept: Vec<_> = shown["conflicts"].as_array().unwrap().iter().map(|c| c["owner"].clone()).collect();
    assert_eq!(kept, [json!("acme.com."), json!("api.acme.com.")]);
    watcher.rounds(3).await;
    watcher.report().must_be_unbroken();
    moving.say(&format!(
        "acme.com is ours, signed and proved; {} answers so far, not one lost",
        watcher.report().asked()
    ));
    println!("\nThe owner takes it back: the old nameservers and the old DS are to stand there again.\n");

    let _ = moving.api.post("/v1/release", &json!({"fqdn": ACME})).await.expect(&[200, 202]);
    moving.say("release is accepted");
    moving.follow("quarantined", kill_at_each_step).await;
    assert_eq!(moving.lab.registry.delegation(ACME).await, before, "NS and DS are what they were");
    let mx = moving.lab.cold().ask_cold("acme.com", "MX").await;
    assert_eq!((mx.records().len(), mx.authentic()), (2, true), "{mx}");
    // Each wait for the owner was told once, and once more to the hook that was down.
    let asked = ["remove-ds", "set-ns", "add-ds", "remove-ds", "set-ns", "add-ds"];
    until_within("the last notice", PATIENCE, || async {
        let (told, again) = hook.told().await;
        assert!(told.iter().all(|event| event["data"]["to"] == "dns@acme.com"), "{told:#?}");
        assert!(again == 1 || kill_at_each_step, "told {again} times more");
        let reasons: Vec<_> = told.iter().map(|event| event["data"]["reason"].as_str().unwrap()).collect();
        if reasons == asked { Ok(()) } else { Err(format!("{reasons:?}")) }
    })
    .await;
    watcher.rounds(3).await;
    let report = watcher.stop();
    println!(
        "\nWhat unbound's clients saw, there and back. An answer changes when it becomes unsigned or signed again: while the\n\
         servers change there is no DS, so nobody can see a wrong one.\n\n{}",
        report.table()
    );
    report.must_be_unbroken();
    assert!(report.of("acme.com MX").seen.iter().all(|s| s.outcome.records().len() == 2), "{report}");
    moving.say(&format!("{} answers, not one SERVFAIL, not one lost", report.asked()));
}

#[tokio::test]
async fn a_signed_domain_moves_to_us_and_back_and_nobody_loses_an_answer() {
    there_and_back(false).await;
}

#[tokio::test]
async fn the_same_with_the_daemon_killed_at_every_step() {
    there_and_back(true).await;
}

#[tokio::test]
async fn without_the_records_the_nameservers_do_not_move() {
    let mut moving = Move::start(lab().await, "").await;
    // No transfer; the zone has a name that nobody would ask for.
    moving.lab.old.edit(ACME, "nobody-guesses-this", "TXT", &["\"precious\""]).await;
    commit(&mut moving).await;
    let locked = async |reason: &str| {
        until_within(&format!("the wait {reason}"), PATIENCE, || async {
            let shown = moving.look().await?;
            let steps = shown["operation"]["steps"].as_array().cloned().unwrap_or_default();
            let waits =
                steps.iter().any(|s| s["kind"] == "await-carry-over" && s.to_string().contains(reason));
            if waits { Ok(()) } else { Err(format!("{shown:#}")) }
        })
        .await;
    };
    locked("carry-over-incomplete").await;
    let (ns, _) = moving.lab.registry.delegation(ACME).await;
    assert!(ns.iter().all(|n| n.ends_with("old-dns.net.")));
    let path = format!("/v1/allocations/{ACME}/carry-over");
    let refused = moving.api.post(&path, &json!({"zoneFile": "$INCLUDE /etc/passwd\n"})).await.expect(&[422]);
    assert_eq!(refused.code(), "zone-file-malformed");
    // An upload that says something else than the old servers is locked, until that name may differ.
    let file = "@ MX 10 elsewhere.example.\nnobody-guesses-this TXT \"precious\"\n";
    let shown = moving.api.post(&path, &json!({"zoneFile": file})).await.expect(&[200]).body;
    assert_eq!(
        (&shown["source"], shown["locked"].as_array().unwrap().len()),
        (&json!("upload"), 2),
        "{shown:#}"
    );
    locked("carry-over-locked").await;
    let body = json!({"names": ["@"]});
    let _ = moving.api.post(&format!("{path}/waive"), &body).await.expect(&[200]);
    until_within("the instruction to move", PATIENCE, || async {
        let shown = moving.look().await?;
        // The old operator's DS has to go first.
        let action = &shown["brought"]["instruction"]["action"];
        if action == "remove-ds" { Ok(()) } else { Err(format!("{shown:#}")) }
    })
    .await;
    let ours = moving.lab.address_of("ns1.openova.io");
    let mx = pdm_lab::ask(ours, ACME, "MX", Duration::from_secs(5)).await;
    assert_eq!(mx.records(), ["10 elsewhere.example."]);
    let texts = pdm_lab::ask(ours, ACME, "TXT", Duration::from_secs(5)).await;
    assert_eq!(texts, Outcome::NoData, "what the survey had found went out with it");
}

/// The apex and `api` stay what they were, so they carry no policy. It is asked for at those of the six names that do.
#[tokio::test]
async fn a_policy_does_not_wait_at_names_that_their_owner_kept() {
    let mut moving = Move::start(lab().await, "").await;
    moving.lab.old.allow_transfer(ACME, true).await;
    let (mut regions, port) = backends::start(2).await;
    let mut body = moving.claim("byo-manual").await;
    let lbs = ["fsn", "nbg"].iter().zip(&regions);
    body["loadBalancers"] = lbs.map(|(region, one)| json!({"region": region, "ipv4": one.ip()})).collect();
    body["failover"] =
        json!({"strategy": "ordered", "check": {"type": "tcp", "port": port, "timeout": 1}, "ttl": 1});
    moving.ask("/v1/commit", &body).await;
    let shown = until_within("the instruction to move", PATIENCE, || async {
        let shown = moving.look().await?;
        // The old operator's DS has to go first.
        let action = &shown["brought"]["instruction"]["action"];
        if action == "remove-ds" { Ok(shown) } else { Err(format!("{shown:#}")) }
    })
    .await;
    let idle = shown["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "FailoverIdle").unwrap();
    assert_ne!(idle["reason"], "not-computed", "{shown:#}");
    let ours = moving.lab.address_of("ns1.openova.io");
    let apex = pdm_lab::ask(ours, ACME, "A", Duration::from_secs(5)).await;
    assert_eq!(apex.records(), ["192.0.2.80"]);
    for region in [0, 1] {
        let want = regions[region].ip().to_string();
        until_within(&want, PATIENCE, || async {
            let console = pdm_lab::ask(ours, "console.acme.com", "A", Duration::from_secs(5)).await;
            if console.records() == [want.as_str()] { Ok(()) } else { Err(console) }
        })
        .await;
        regions[0].set(Manner::Refuses).await;
    }
}
