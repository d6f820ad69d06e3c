//! Brought domains from claim to quarantine: the whole engine on a real store, with the world around it in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod rolls;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_model::handover::Stage;
use pdm_model::{Mode, Phase};
use pdm_ports::{Stamp, Store};
use world::*;

fn story(world: &World) -> Vec<String> {
    world.net.with(|held| held.story.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unproved_claims_block_nobody_and_build_nothing() {
    let world = World::new(false, &[]).await;
    let one = world.claim("acme", "Acme.Example.", Mode::ByoManual).await.unwrap();
    let other = world.claim("mallory", "acme.example", Mode::ByoManual).await.unwrap();
    assert_ne!(one.challenge, other.challenge);
    // The same owner's claim is the same claim.
    assert_eq!(world.claim("acme", "acme.example", Mode::ByoManual).await.unwrap().token, one.token);
    let refused = world.commit("acme.example", &one.token, None).await.unwrap_err();
    assert_eq!(code(refused), "ownership-unproved");
    // Another claim's token is no proof of this one.
    world.net.with(|held| held.txt.insert(other.challenge.clone().unwrap().value));
    assert_eq!(code(world.commit("acme.example", &one.token, None).await.unwrap_err()), "ownership-unproved");
    assert!(story(&world).is_empty());
    for (domain, expected) in [
        ("com", "public-suffix"),
        ("github.io", "public-suffix"),
        ("a..b", "invalid-name"),
        ("openova.io", "name-reserved"),
    ] {
        assert_eq!(
            code(world.claim("acme", domain, Mode::ByoManual).await.unwrap_err()),
            expected,
            "{domain}"
        );
    }
    // Once one is proved, nothing is admitted at, above or below it.
    world.net.with(|held| held.txt.insert(one.challenge.unwrap().value));
    world.commit("acme.example", &one.token, None).await.unwrap();
    assert_eq!(code(world.commit("acme.example", &other.token, None).await.unwrap_err()), "name-taken");
    let below = world.claim("mallory", "a.acme.example", Mode::ByoManual).await.unwrap_err();
    assert_eq!(code(below), "name-overlaps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_moves_a_signed_domain_and_takes_it_back() {
    let world = World::new(true, &[]).await;
    let accepted = world.bring(Mode::ByoManual, None).await;
    let operation = accepted.operation.unwrap();
    // The DS of the servers before comes first, and NS is not even asked for before caches are rid of it.
    world.until_waits("remove-ds").await;
    let seen = world.store.allocation(&name("acme.example")).await.unwrap().unwrap().0;
    let foreign = seen.observed.foreign.unwrap();
    assert_eq!(foreign.instruction.unwrap().ds, [ds(OLD_KEY)]);
    assert_eq!(foreign.previous.unwrap().ns.0, theirs());
    world.net.set_ds(BTreeSet::new());
    world.hurry(&operation).await;
    let waiting = world.until_waits("set-ns").await;
    let current = waiting.current().map(|at| waiting.steps[at].kind);
    assert_eq!(current, Some(pdm_model::StepKind::EnsureDelegation));

    // A restart in the middle changes nothing.
    let world = world.restart().await;
    world.net.set_ns(ours());
    world.hurry(&operation).await;
    world.until_waits("add-ds").await;
    let seen = world.store.allocation(&name("acme.example")).await.unwrap().unwrap().0;
    let instruction = seen.observed.foreign.unwrap().instruction.unwrap();
    assert_eq!((instruction.ds, instruction.dnskey), (vec![ds(OUR_KEY)], vec!["257 3 13 AAAA".to_owned()]));
    world.net.set_ds(BTreeSet::from([ds(OUR_KEY)]));
    world.hurry(&operation).await;
    world.until_phase(Phase::Active).await;

    let release = world.engine.release(&admin(), "acme.example", None).await.unwrap().operation.unwrap();
    world.until_waits("remove-ds").await;
    world.net.set_ds(BTreeSet::new());
    world.hurry(&release).await;
    world.until_waits("set-ns").await;
    // The old servers fall silent: nothing is put back to them, and our zone stays.
    world.net.with(|held| held.old_answers = false);
    world.hurry(&release).await;
    world.until_waits("old-servers-silent").await;
    world.net.with(|held| held.old_answers = true);
    world.net.set_ns(theirs());
    world.hurry(&release).await;
    // What stood there before goes back last, as long as those servers sign with its key.
    world.until_waits("add-ds").await;
    let seen = world.store.allocation(&name("acme.example")).await.unwrap().unwrap().0;
    let instruction = seen.observed.foreign.unwrap().instruction.unwrap();
    assert_eq!((instruction.ds, instruction.dnskey), (vec![ds(OLD_KEY)], vec!["257 3 13 CCCC".to_owned()]));
    world.net.set_ds(BTreeSet::from([ds(OLD_KEY)]));
    world.hurry(&release).await;
    world.until_phase(Phase::Quarantined).await;
    let there = ["zone", "ds ", "ns ours", "ds 1038"];
    let old = format!("ds {}", ds(OLD_KEY).key_tag);
    let back = ["ds ", "ns theirs", "zone removed", &old];
    assert_eq!(story(&world), [there.as_slice(), &back].concat());
    // Should it come back, nothing of this is taken for what stood there then.
    let seen = world.store.allocation(&name("acme.example")).await.unwrap().unwrap().0;
    assert_eq!(seen.observed.foreign.unwrap().previous, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ds_whose_key_is_gone_stays_out_and_one_that_was_never_touched_stays_in() {
    let world = World::new(true, &[1]).await;
    world.bring(Mode::ByoApi, Some(registrar("full", SECRET))).await;
    world.until_phase(Phase::Active).await;
    world.net.with(|held| held.old_signed = false);
    world.engine.release(&admin(), "acme.example", None).await.unwrap();
    world.until_phase(Phase::Quarantined).await;
    assert_eq!(story(&world)[4..], ["ds ", "ns theirs", "zone removed"]);

    // Undone before anybody acted: what stood there is left alone.
    let world = World::new(true, &[]).await;
    world.bring(Mode::ByoManual, None).await;
    world.until_waits("remove-ds").await;
    world.engine.release(&admin(), "acme.example", None).await.unwrap();
    world.until_phase(Phase::Quarantined).await;
    assert_eq!(story(&world), ["zone", "zone removed"]);
    assert_eq!(world.net.with(|held| held.ds.clone()), BTreeSet::from([ds(OLD_KEY)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_moves_it_without_a_person_and_a_lost_reply_costs_nothing() {
    let world = World::new(true, &[1]).await;
    world.net.with(|held| held.lose_reply = true);
    world.bring(Mode::ByoApi, Some(registrar("full", SECRET))).await;
    world.until_phase(Phase::Active).await;
    assert_eq!(story(&world), ["zone", "ds ", "ns ours", "ds 1038"]);
    assert_eq!(world.net.with(|held| held.writes), 3);
    world.engine.release(&admin(), "acme.example", None).await.unwrap();
    world.until_phase(Phase::Quarantined).await;
    let old = format!("ds {}", ds(OLD_KEY).key_tag);
    assert_eq!(story(&world)[4..], ["ds ", "ns theirs", "zone removed", &old]);
    // What is no longer needed is gone, and it never was readable.
    assert_eq!(world.store.credentials().await.unwrap(), []);
    assert!(!world.store_holds(SECRET));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_missing_or_wrong_is_asked_for() {
    let world = World::new(false, &[]).await;
    world.bring(Mode::ByoApi, Some(registrar("full", "not-the-right-token"))).await;
    world.until_waits("credential-invalid").await;
    // In memory only: the next process has none.
    let world = world.restart().await;
    world.until_waits("credential-needed").await;
    let other = world.engine.give_credential(&admin(), "acme.example", registrar("without-ds", SECRET)).await;
    assert_eq!(code(other.unwrap_err()), "not-acceptable-state");
    world.engine.give_credential(&admin(), "acme.example", registrar("full", SECRET)).await.unwrap();
    world.until_phase(Phase::Active).await;
    assert_eq!(story(&world), ["zone", "ns ours", "ds 1038"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_registrar_cannot_do_is_said_before_anything_happens() {
    let world = World::new(false, &[]).await;
    let claimed = world.claim("acme", "acme.example", Mode::ByoApi).await.unwrap();
    world.net.with(|held| held.txt.insert(claimed.challenge.unwrap().value));
    let commit = async |registrar| world.commit("acme.example", &claimed.token, registrar).await;
    assert_eq!(code(commit(None).await.unwrap_err()), "invalid-body");
    assert_eq!(code(commit(Some(registrar("nobody", SECRET))).await.unwrap_err()), "unsupported-registrar");
    assert_eq!(code(commit(Some(registrar("full", "short"))).await.unwrap_err()), "credential-malformed");
    let sub = world.claim("acme", "cloud.acme.example", Mode::ByoApi).await.unwrap();
    let refused = world.commit("cloud.acme.example", &sub.token, Some(registrar("full", SECRET))).await;
    assert_eq!(code(refused.unwrap_err()), "capability-missing");
    // No DS by this API: it waits with the way out, and nothing was touched.
    commit(Some(registrar("without-ds", SECRET))).await.unwrap();
    let waiting = world.until_waits("capability-missing").await;
    let detail = &waiting.steps[0].wait_reason.as_ref().unwrap().detail;
    assert!(detail.contains("enter it on the web page") && detail.contains("ds-by-hand"), "{detail}");
    assert!(story(&world).is_empty());
    let wrong = registrar("full", "not-the-right-token").credential;
    let sees = world.engine.validate_credential(&admin(), "full", "free.example", wrong).await;
    assert_eq!(code(sees.unwrap_err()), "credential-invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_path_writes_only_what_is_safe_now_and_the_passport_says_the_way() {
    let world = World::new(true, &[]).await;
    let seen = world.engine.passport(&admin(), "acme.example").await.unwrap();
    assert_eq!((seen.ns, seen.ds), (theirs(), BTreeSet::from([ds(OLD_KEY)])));
    let stages: Vec<_> = seen.plan.unwrap().unwrap().stages.iter().map(|s| s.stage).collect();
    assert_eq!((stages.first(), stages.last()), (Some(&Stage::WithdrawDs), Some(&Stage::PublishDs)));

    let set = async |names: [&str; 2]| {
        let names = names.map(str::to_owned);
        let credential = registrar("full", SECRET).credential;
        world.engine.set_ns(&admin(), "full", "acme.example", credential, &names).await
    };
    let ours = ["NS2.openova.io.", "ns1.openova.io"];
    assert_eq!(code(set(["ns1.old.example", "ns2.old.example"]).await.unwrap_err()), "invalid-parameter");
    assert_eq!(code(set(ours).await.unwrap_err()), "delegation-unsafe");
    // Without the DS, but with nobody behind our names, it is not safe either.
    world.net.with(|held| {
        held.ds.clear();
        held.old_signed = false;
    });
    assert_eq!(code(set(ours).await.unwrap_err()), "delegation-unsafe");
    assert!(story(&world).is_empty());
    world.net.with(|held| {
        held.zone = Some(Stamp { allocation: "a".into(), owner: "acme".into(), generation: 1 });
    });
    set(ours).await.unwrap();
    set(ours).await.unwrap();
    assert_eq!((story(&world), world.net.with(|held| held.writes)), (vec!["ns ours".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passport_is_there_within_two_seconds_whoever_is_silent() {
    let world = World::new(true, &[]).await;
    world.net.with(|held| held.parent_hangs = true);
    let within = Duration::from_secs(2);
    let seen = tokio::time::timeout(within, world.engine.passport(&admin(), "acme.example")).await.unwrap();
    let seen = seen.unwrap();
    assert!(seen.parent.is_none() && seen.plan.is_none(), "{seen:?}");
    assert_eq!(seen.registered, name("acme.example"));
}

/// Every caller's trick in every mode, while the registry keeps the DS of the servers before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_flips_a_domain_under_a_foreign_ds() {
    for (mode, by) in [(Mode::ByoManual, None), (Mode::ByoApi, Some("full"))] {
        let world = World::new(true, &[1]).await;
        world.net.with(|held| held.ds_sticks = true);
        let credential = || by.map(|id| registrar(id, SECRET));
        let claimed = world.claim("acme", "acme.example", mode).await.unwrap();
        world.net.with(|held| held.txt.insert(claimed.challenge.clone().unwrap().value));
        let commit = || world.commit("acme.example", &claimed.token, credential());
        let operation = commit().await.unwrap().operation.unwrap();
        let waits = |open: &pdm_model::Operation| open.steps.iter().any(|s| s.wait_reason.is_some());
        world.until("the first wait", |_, open| open.is_some_and(waits)).await;
        let engine = &world.engine;
        for round in 0..6_u8 {
            world.hurry(&operation).await;
            let _ = commit().await;
            if let Some(given) = credential() {
                let _ = engine.give_credential(&admin(), "acme.example", given).await;
            }
            let names = ["ns1.openova.io", "ns2.openova.io"].map(str::to_owned);
            let fields = registrar("full", SECRET).credential;
            let older = engine.set_ns(&admin(), "full", "acme.example", fields, &names).await;
            assert_eq!(code(older.unwrap_err()), "delegation-unsafe");
            let target = pdm_model::Target::single(std::net::Ipv4Addr::new(185, 10, 10, 2 + round));
            let _ = engine.retarget(&admin(), "acme.example", target).await;
            let _ = engine.suspend(&admin(), "acme.example", "abuse").await;
            let _ = engine.resume(&admin(), "acme.example").await;
            let _ = world.told().await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let world = world.restart().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let _ = world.told().await;
        assert!(!story(&world).contains(&"ns ours".to_owned()), "{mode:?}: {:?}", story(&world));
        assert_eq!(world.net.with(|held| held.flips), 0, "{mode:?}");

        // It goes out, and comes back in the moment before NS: back to the start.
        world.net.with(|held| held.ds_sticks = false);
        world.net.set_ds(BTreeSet::new());
        if mode == Mode::ByoManual {
            let open = world.until_waits("set-ns").await;
            assert_eq!((world.told().await.as_str(), world.net.with(|held| held.flips)), ("set-ns", 0));
            world.net.set_ds(BTreeSet::from([ds(OLD_KEY)]));
            world.hurry(&open).await;
            world.until_waits("remove-ds").await;
            assert_eq!((world.told().await.as_str(), world.net.with(|held| held.flips)), ("remove-ds", 0));
            world.net.set_ds(BTreeSet::new());
            world.hurry(&open).await;
            world.until_waits("set-ns").await;
            world.net.set_ns(ours());
        } else {
            world.until_phase(Phase::Active).await;
        }
        assert_eq!(world.net.with(|held| held.flips), 0, "{mode:?}: {:?}", story(&world));
        assert!(story(&world).contains(&"ns ours".to_owned()));
        // The measure itself: what it is made to see is seen.
        world.net.set_ds(BTreeSet::from([ds(OLD_KEY)]));
        world.net.set_ns(ours());
        assert_eq!(world.net.with(|held| held.flips), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_kept_in_memory_is_nowhere_in_the_store() {
    let world = World::new(true, &[]).await;
    world.net.with(|held| held.lose_reply = true);
    world.bring(Mode::ByoApi, Some(registrar("full", SECRET))).await;
    world.until_phase(Phase::Active).await;
    assert!(!world.store_holds(SECRET));
    // Replaced by one that is refused, and asked for again.
    let wrong = "not-the-right-token";
    world.engine.give_credential(&admin(), "acme.example", registrar("full", wrong)).await.unwrap();
    world.engine.release(&admin(), "acme.example", None).await.unwrap();
    world.until_waits("credential-invalid").await;
    world.engine.give_credential(&admin(), "acme.example", registrar("full", SECRET)).await.unwrap();
    world.until_phase(Phase::Quarantined).await;
    assert!(!world.store_holds(SECRET) && !world.store_holds(wrong));
    // The search itself: what is in the store is found.
    assert!(world.store_holds("acme.example"));
    let entry = pdm_model::AuditEntry::new("test", "planted", &name("acme.example"), SECRET);
    world.store.audit(entry).await.unwrap();
    assert!(world.store_holds(SECRET));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_proof_wins_only_when_the_older_cannot_be_repeated_after_notice() {
    let world = World::new(true, &[]).await;
    let publish = |values: &[&String]| {
        let values = values.iter().map(|v| format!("\"{v}\"")).collect();
        world.net.with(|held| held.txt = values);
    };
    let older = world.claim("acme", "acme.example", Mode::ByoManual).await.unwrap();
    let older_proof = older.challenge.unwrap().value;
    publish(&[&older_proof]);
    world.commit("acme.example", &older.token, None).await.unwrap();
    world.until_waits("remove-ds").await;

    let newer = world.claim("mallory", "acme.example", Mode::ByoManual).await.unwrap();
    let newer_proof = newer.challenge.unwrap().value;
    let refused = async || code(world.commit("acme.example", &newer.token, None).await.unwrap_err());
    let told = async || ownership(&world).await;
    // Both can show it: the older stays.
    publish(&[&older_proof, &newer_proof]);
    assert_eq!(refused().await, "name-taken");
    // The older cannot: its owner is told, and has time.
    publish(&[&newer_proof]);
    assert_eq!((refused().await, refused().await), ("ownership-disputed", "ownership-disputed"));
    assert_eq!(told().await, Some(("ownership-disputed".to_owned(), true)));
    // Repeated in time, the dispute is over.
    publish(&[&older_proof, &newer_proof]);
    assert_eq!(refused().await, "name-taken");
    assert_eq!(told().await, Some(("proved".to_owned(), false)));
    // Not repeated, the time passes.
    publish(&[&newer_proof]);
    assert_eq!(refused().await, "ownership-disputed");
    assert!(!story(&world).contains(&"zone removed".to_owned()));
    world.pass(pdm_engine::intents::NOTICE);
    assert_eq!(refused().await, "ownership-disputed", "it is being given back");
    world.until("the end of the older", |phase, _| phase == Phase::Quarantined).await;
    world.store.expire(10).await.unwrap();
    world.commit("acme.example", &newer.token, None).await.unwrap();
    world.until_waits("remove-ds").await;
    let held = world.store.allocation(&name("acme.example")).await.unwrap().unwrap().0;
    assert_eq!(held.owner, "mallory");
    assert_eq!(story(&world), ["zone", "zone removed", "zone"]);
    // Once the parent delegates here, that is the proof, and whoever shows a TXT comes too late.
    world.net.set_ds(BTreeSet::new());
    world.until_waits("set-ns").await;
    world.net.set_ns(ours());
    publish(&[]);
    let third = world.claim("eve", "acme.example", Mode::ByoManual).await.unwrap();
    publish(&[&third.challenge.unwrap().value]);
    world.until_waits("add-ds").await;
    assert_eq!(code(world.commit("acme.example", &third.token, None).await.unwrap_err()), "name-taken");
}

/// What the name says of its proof: the reason, and whether its owner must act.
async fn ownership(world: &World) -> Option<(String, bool)> {
    let kind = pdm_model::ConditionKind::OwnershipProved;
    let proved = world.row().await.conditions.into_iter().find(|c| c.kind == kind);
    proved.map(|c| (c.reason, c.who == Some(pdm_model::Who::Caller)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_looked_for_again_every_day_until_the_parent_delegates_here() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let world = World::sweeping(false, &[1], Duration::from_millis(100)).await;
    let operation = world.bring(Mode::ByoManual, None).await.operation.unwrap();
    world.until_waits("set-ns").await;
    let proof = world.net.with(|held| std::mem::take(&mut held.txt));
    let gone = Some(("ownership-unproved".to_owned(), true));
    let there = Some(("proved".to_owned(), false));
    let several_sweeps = || tokio::time::sleep(Duration::from_millis(600));
    let told = async |wanted: &Option<(String, bool)>| {
        for _ in 0..100 {
            if ownership(&world).await == *wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?} for {wanted:?}", ownership(&world).await);
    };
    world.pass(DAY - Duration::from_secs(600));
    several_sweeps().await;
    assert_ne!(ownership(&world).await, gone, "it is not a day yet");
    // Silence is no answer: whoever is not asked today is asked tomorrow, and nobody loses a name by it.
    world.net.with(|held| held.old_answers = false);
    world.pass(DAY + Duration::from_secs(60));
    several_sweeps().await;
    world.net.with(|held| held.old_answers = true);
    several_sweeps().await;
    assert_ne!(ownership(&world).await, gone, "they were silent, and are asked once a day");
    world.pass(DAY * 2 + Duration::from_secs(120));
    told(&gone).await;
    // Published again it counts from the next look on, and the move was never given up.
    world.net.with(|held| held.txt = proof);
    several_sweeps().await;
    assert_eq!(ownership(&world).await, gone, "once a day");
    world.pass(DAY * 3 + Duration::from_secs(180));
    told(&there).await;
    world.until_waits("set-ns").await;
    // Once the parent delegates here, that is the proof.
    world.net.with(|held| held.txt.clear());
    world.person_obeys(&operation).await;
    world.pass(DAY * 9);
    several_sweeps().await;
    assert_eq!(ownership(&world).await, there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_were_issued_for_a_claim_prove_it_and_no_other() {
    let world = World::new(false, &[]).await;
    let claimed = world.claim("acme", "acme.example", Mode::ByoManual).await.unwrap();
    let other = world.claim("mallory", "acme.example", Mode::ByoManual).await.unwrap();
    let issued = claimed.challenge.unwrap().nameservers;
    assert!(issued.len() == 2 && issued.is_disjoint(&other.challenge.unwrap().nameservers), "{issued:?}");
    let commit = || world.commit("acme.example", &claimed.token, None);
    let refused = commit().await.unwrap_err().to_string();
    assert!(issued.iter().all(|name| refused.contains(name.as_str())), "{refused}");
    // Ours alone prove nobody's claim, nor do issued ones beside others.
    for set in [ours(), issued.union(&theirs()).cloned().collect()] {
        world.net.with(|held| held.ns = set);
        assert_eq!(code(commit().await.unwrap_err()), "ownership-unproved");
    }
    world.net.with(|held| held.ns.clone_from(&issued));
    assert_eq!(
        code(world.commit("acme.example", &other.token, None).await.unwrap_err()),
        "ownership-unproved"
    );
    assert!(story(&world).is_empty(), "nothing is built before a proof");
    commit().await.unwrap();
    // Nobody's records are behind them: nothing is taken over, and what is asked for are the nameservers of all.
    world.until_waits("set-ns").await;
    let row = world.row().await;
    assert_eq!(row.byo.unwrap().ownership.by, pdm_model::byo::ProvedBy::IssuedNames);
    assert_eq!(world.store.carried(&row.id).await.unwrap(), None);

    // On the way back they lead to us: they are no place to go back to, and the zone stays as long as they are there.
    let release = world.engine.release(&admin(), "acme.example", None).await.unwrap().operation.unwrap();
    world.until_waits("set-other-ns").await;
    assert_eq!(story(&world), ["zone"]);
    world.net.set_ns(theirs());
    world.hurry(&release).await;
    world.until_phase(Phase::Quarantined).await;
    assert_eq!(story(&world), ["zone", "ns theirs", "zone removed"]);
    let claims = world.store.claims(&name("acme.example")).await.unwrap();
    assert_eq!(claims.iter().map(|c| c.owner.as_str()).collect::<Vec<_>>(), ["mallory"], "it was not meant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_was_proved_by_issued_names_moves_on_to_ours() {
    let world = World::new(false, &[]).await;
    let claimed = world.claim("acme", "acme.example", Mode::ByoManual).await.unwrap();
    world.net.with(|held| held.ns = claimed.challenge.unwrap().nameservers);
    let operation = world.commit("acme.example", &claimed.token, None).await.unwrap().operation.unwrap();
    world.person_obeys(&operation).await;
}
