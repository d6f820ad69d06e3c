//! Keys of brought domains roll: whoever edits the parent is asked for the DS, and waited for without harm.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_engine::intents::keys::Rolling;
use pdm_model::keys::{Heard, KeyPolicy, Layout};
use pdm_model::{ConditionKind, DsRecord, Mode, OperationKind, Phase, RollKind, Status, Who};
use pdm_ports::Store as _;
use pdm_ports::zone::CdsTold;

use super::story;
use crate::world::*;

/// Brought by hand, with a sweep every now and then.
async fn by_hand() -> World {
    let world = World::sweeping(false, &[1], Duration::from_millis(200)).await;
    let operation = world.bring(Mode::ByoManual, None).await.operation.unwrap();
    world.person_obeys(&operation).await;
    world
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// The parent's DS and the keys that are served go together.
fn must_not_be_bogus(world: &World) {
    let (there, served) = world.net.with(|held| (held.ds.clone(), held.ds_of_keys()));
    assert!(there.is_empty() || !there.is_disjoint(&served), "bogus: {there:?} {served:?}");
}

async fn until_rolled(world: &World, kind: RollKind) -> BTreeSet<DsRecord> {
    world.until(kind.as_str(), |_, operation| operation.is_none()).await;
    let state = world.row().await.observed.keys;
    let last = state.last.unwrap();
    assert_eq!((last.kind, last.given_up, state.roll, state.rests), (kind, None, None, None));
    let (there, served) = world.net.with(|held| (held.ds.clone(), held.ds_of_keys()));
    assert_eq!(there, served);
    there
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_take_months_and_repairs_go_on_meanwhile() {
    let world = by_hand().await;
    // Nothing that needs a person begins by itself, however old keys are.
    world.pass(days(500));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(world.row().await.observed.keys.roll, None);
    let Rolling::Name(roll) =
        world.engine.roll(&admin(), "acme.example", RollKind::Csk, "old").await.unwrap()
    else {
        panic!("it is no pool");
    };
    let roll = roll.operation.unwrap();
    world.until_waits("replace-ds").await;
    let todo = world.row().await.observed.foreign.unwrap().instruction.unwrap();
    assert_eq!((todo.outdated, todo.ds.len(), todo.dnskey.len()), (vec![ds(OUR_KEY)], 1, 1));
    assert!(todo.lines.iter().any(|line| line.starts_with("; remove: acme.example.")), "{:?}", todo.lines);

    for month in 1..=8 {
        world.pass(days(500 + 30 * month));
        world.hurry(&roll).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        must_not_be_bogus(&world);
        let row = world.row().await;
        let rests = row.observed.keys.rests.unwrap();
        assert_eq!((rests.reason.as_str(), rests.who), ("replace-ds", Who::Caller));
        assert!(row.observed.keys.roll.is_some());
    }
    let row = world.row().await;
    let holds = |kind| row.conditions.iter().any(|c| c.kind == kind && c.status == Status::True);
    assert!(holds(ConditionKind::ChainSecure) && holds(ConditionKind::AwaitingHuman), "{:?}", row.conditions);

    // Somebody removes records: they come back, while the roll still rests for the person.
    world.net.with(|held| {
        held.rrsets.retain(|set| !set.owner.starts_with("console."));
        held.serial += 1;
    });
    world
        .until("the record to come back", |_, _| {
            world.net.with(|held| held.rrsets.iter().any(|set| set.owner.starts_with("console.")))
        })
        .await;
    world
        .until("the roll to go on", |_, operation| {
            operation.is_some_and(|o| o.kind == OperationKind::Roll && o.id != roll.id)
        })
        .await;
    let again = world.until_waits("replace-ds").await;
    must_not_be_bogus(&world);

    let world = world.restart().await;
    world.net.set_ds(todo.ds.into_iter().collect());
    world.hurry(&again).await;
    assert_eq!(until_rolled(&world, RollKind::Csk).await.len(), 1);
    assert!(world.row().await.observed.foreign.unwrap().instruction.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_is_asked_for_every_ds_and_a_lost_reply_costs_nothing() {
    let world = World::new(false, &[1]).await;
    world.bring(Mode::ByoApi, Some(registrar("full", SECRET))).await;
    world.until_phase(Phase::Active).await;
    let before = story(&world).len();
    world.net.with(|held| held.lose_reply = true);
    world.engine.roll(&admin(), "acme.example", RollKind::Csk, "").await.unwrap();
    let new = until_rolled(&world, RollKind::Csk).await;
    let tag = new.first().unwrap().key_tag;
    assert_eq!(story(&world)[before..], [format!("ds {tag}")]);

    // Another algorithm and layout, and CDS beside the API: told while a DS is due, and of the keys it stands for.
    let policy = KeyPolicy { layout: Layout::Split, algorithm: 15, cds: true, ..KeyPolicy::default() };
    world.engine.set_key_policy(&admin(), "acme.example", Some(policy)).await.unwrap();
    world.until("the change", |_, operation| operation.is_none()).await;
    world.engine.roll(&admin(), "acme.example", RollKind::Algorithm, "").await.unwrap();
    let world = world.restart().await;
    let newer = until_rolled(&world, RollKind::Algorithm).await;
    let ds = newer.first().unwrap();
    assert_eq!((newer.len(), ds.algorithm), (1, 15));
    assert_eq!(story(&world)[before + 1..], ["tell Publish(2)".to_owned(), format!("ds {}", ds.key_tag)]);
    assert_eq!(world.net.with(|held| held.keys.len()), 2);

    // Going insecure takes the announcement back before the DS.
    world.engine.roll(&admin(), "acme.example", RollKind::Insecure, "").await.unwrap();
    until_rolled_insecure(&world).await;
    assert_eq!(story(&world)[before + 3..], ["tell Delete", "ds "]);
}

async fn until_rolled_insecure(world: &World) {
    world.until("insecure", |_, operation| operation.is_none()).await;
    assert!(world.row().await.observed.keys.insecure && world.net.with(|held| held.ds.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_scans_is_told_once_the_ds_is_due_and_until_it_is_there() {
    let world = World::new(false, &[1]).await;
    let operation = world.bring(Mode::ByoManual, None).await.operation.unwrap();
    world.until_waits("set-ns").await;
    let policy = KeyPolicy { layout: Layout::Csk, cds: true, ..KeyPolicy::default() };
    world.engine.set_key_policy(&admin(), "acme.example", Some(policy)).await.unwrap();
    assert_eq!(story(&world), ["zone"]);
    world.net.set_ns(ours());
    world.hurry(&operation).await;
    world.until_waits("add-ds").await;
    let owner = |n: u8| format!("openova.io: _dsboot.acme.example._signal.ns{n}.openova.io.");
    let told = ["zone".to_owned(), "ns ours".to_owned(), "tell Publish(2)".to_owned()];
    let signals =
        [1, 2].into_iter().flat_map(|n| [format!("{} CDS", owner(n)), format!("{} CDNSKEY", owner(n))]);
    let expected: Vec<String> = told.into_iter().chain(signals).collect();
    assert_eq!(story(&world), expected);
    // Whoever scans puts the DS in; a person need not.
    world.net.set_ds(BTreeSet::from([ds(OUR_KEY)]));
    world.hurry(&operation).await;
    world.until_phase(Phase::Active).await;
    let gone = |n: u8| format!("openova.io: no _dsboot.acme.example._signal.ns{n}.openova.io.");
    let after: Vec<String> = [1, 2]
        .into_iter()
        .flat_map(|n| [format!("{} CDS", gone(n)), format!("{} CDNSKEY", gone(n))])
        .collect();
    assert_eq!(story(&world)[expected.len() + 1..], after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_scans_alone_is_told_and_nobody_is_asked() {
    let world = World::new(false, &[1]).await;
    world.net.with(|held| held.heard = Some(Heard::Silent));
    let operation = world.bring(Mode::ByoManual, None).await.operation.unwrap();
    world.until_waits("set-ns").await;
    let policy = KeyPolicy { layout: Layout::Csk, scanned: true, ..KeyPolicy::default() };
    world.engine.set_key_policy(&admin(), "acme.example", Some(policy)).await.unwrap();
    world.net.set_ns(ours());
    world.hurry(&operation).await;
    let waits = world.until_waits("ds-scanned").await;
    let told = || story(&world).iter().filter(|what| *what == "notify").count();
    world.until("the parent to be told", |_, _| told() == 1).await;
    assert!(world.row().await.observed.foreign.unwrap().instruction.is_none(), "nobody enters anything");
    // Silence: it is told again, a bounded number of times, however often anybody looks.
    let all = usize::try_from(pdm_dnssec::dsync::MAX_TOLD).unwrap();
    let mut hours = 0;
    while told() < all || hours < 60 {
        hours += 1;
        assert!(hours < 1_000, "told {} times", told());
        world.pass(Duration::from_secs(3600 * hours));
        world.hurry(&waits).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(told(), all);
    let announced = world.row().await.observed.keys.announced.unwrap();
    assert_eq!((announced.heard, announced.what.len()), (Some(Heard::Silent), 1));
    let row = world.row().await;
    let condition = row.conditions.iter().find(|c| c.kind == ConditionKind::ParentTold).unwrap();
    assert_eq!((condition.status, condition.reason.as_str()), (Status::False, "silent"));

    world.net.with(|held| held.heard = Some(Heard::Taken));
    world.net.set_ds(BTreeSet::from([ds(OUR_KEY)]));
    world.hurry(&waits).await;
    world.until_phase(Phase::Active).await;
    let before = story(&world).len();
    // A roll of its only key: CDS of the new one, told at once; the registry follows.
    world.engine.roll(&admin(), "acme.example", RollKind::Csk, "").await.unwrap();
    let roll = world.until_waits("ds-scanned").await;
    world.until("news to be told", |_, _| story(&world)[before..].contains(&"notify".to_owned())).await;
    let both = world.net.with(|held| held.ds_of_keys());
    assert_eq!(both.len(), 2);
    world.net.set_ds(both);
    world.hurry(&roll).await;
    world.until("the old key to be gone", |_, _| world.net.with(|held| held.keys.len()) == 1).await;
    let new = world.net.with(|held| held.ds_of_keys());
    world.until_waits("ds-scanned").await;
    world.net.set_ds(new.clone());
    world.hurry(&roll).await;
    assert_eq!(until_rolled(&world, RollKind::Csk).await, new);

    // On the way back the zone asks for the DS to go, and says nothing any more when it is gone.
    let before = story(&world).len();
    let release = world.engine.release(&admin(), "acme.example", None).await.unwrap().operation.unwrap();
    world.until_waits("ds-scanned").await;
    assert_eq!(story(&world)[before..], ["tell Delete", "notify"]);
    world.net.set_ds(BTreeSet::new());
    world.hurry(&release).await;
    world.until_waits("set-ns").await;
    assert_eq!(story(&world)[before + 2..], ["ds "]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_scanning_parents_read_is_gone_before_an_api_takes_the_ds_out() {
    let world = World::new(false, &[1]).await;
    world.bring(Mode::ByoApi, Some(registrar("full", SECRET))).await;
    world.until_phase(Phase::Active).await;
    let policy = KeyPolicy { layout: Layout::Csk, cds: true, ..KeyPolicy::default() };
    world.engine.set_key_policy(&admin(), "acme.example", Some(policy)).await.unwrap();
    world.until("the change", |_, operation| operation.is_none()).await;
    world.engine.roll(&admin(), "acme.example", RollKind::Csk, "").await.unwrap();
    until_rolled(&world, RollKind::Csk).await;
    assert_eq!(world.net.with(|held| held.cds), Some(CdsTold::Publish(2)));
    let before = story(&world).len();
    world.engine.release(&admin(), "acme.example", None).await.unwrap();
    world.until_phase(Phase::Quarantined).await;
    assert_eq!(story(&world)[before..before + 2], ["tell Off", "ds "]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ds_deleted_by_hand_is_told_and_an_api_puts_it_back() {
    let world = World::sweeping(false, &[1], Duration::from_millis(200)).await;
    world.bring(Mode::ByoApi, Some(registrar("full", SECRET))).await;
    world.until_phase(Phase::Active).await;
    world.net.set_ds(BTreeSet::new());
    let before = story(&world).len();
    // The next proof is due: then the parent is looked at.
    world.pass(Duration::from_secs(2 * 3600));
    let there = || world.net.with(|held| held.ds.contains(&ds(OUR_KEY)));
    world.until("the DS to be back", |_, operation| operation.is_none() && there()).await;
    assert_eq!(story(&world)[before..], [format!("ds {}", ds(OUR_KEY).key_tag)]);
    let told = world.store.audit_log(Some(&name("acme.example")), None, None, 100).await.unwrap();
    assert!(told.iter().any(|e| e.action == "drift" && e.detail.starts_with("ds-changed")), "{told:?}");
    assert!(told.iter().any(|e| e.action == "repair"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ds_deleted_by_hand_is_asked_for_while_everything_else_is_mended() {
    let world = by_hand().await;
    world.net.set_ds(BTreeSet::new());
    world.pass(Duration::from_secs(2 * 3600));
    let repair = world.until_waits("add-ds").await;
    assert_eq!(repair.kind, OperationKind::Repair);
    let row = world.row().await;
    assert_eq!(row.observed.foreign.unwrap().instruction.unwrap().ds, [ds(OUR_KEY)]);
    let condition = row.conditions.iter().find(|c| c.kind == ConditionKind::InSync).unwrap();
    assert_eq!((condition.status, condition.reason.as_str()), (Status::False, "ds-changed"));

    world.net.with(|held| {
        held.rrsets.retain(|set| !set.owner.starts_with("console."));
        held.serial += 1;
    });
    let back = || world.net.with(|held| held.rrsets.iter().any(|set| set.owner.starts_with("console.")));
    world.until("the record to come back", |_, _| back()).await;
    let again = world.until_waits("add-ds").await;
    world.net.set_ds(BTreeSet::from([ds(OUR_KEY)]));
    world.hurry(&again).await;
    world.until("the repair to end", |_, operation| operation.is_none()).await;

    // Who wants none any more says so, and is not asked again.
    world.net.set_ds(BTreeSet::new());
    world.pass(Duration::from_secs(4 * 3600));
    world.until_waits("add-ds").await;
    world.engine.roll(&admin(), "acme.example", RollKind::Insecure, "by choice").await.unwrap();
    until_rolled_insecure(&world).await;
}
