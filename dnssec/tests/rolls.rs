//! Rolls against every cache there could be, against the formulas of RFC 7583, and their page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

#[path = "rolls/page.rs"]
mod page;
#[path = "rolls/world.rs"]
mod world;

use std::collections::BTreeSet;

use pdm_dnssec::roll::{Action, Next, Parent, begin, due, next, signers};
use pdm_dnssec::{Dnskey, DsDigest};
use pdm_model::Timestamp;
use pdm_model::keys::{KeyAge, KeyPolicy, KeyState, RollKind, Stage};
use proptest::prelude::*;
use world::{PARENT, Times, World, key, policy};

/// Every kind with the layout it starts from and the policy it goes to.
fn cases() -> Vec<(RollKind, bool, KeyPolicy)> {
    let eight = |split| KeyPolicy { algorithm: 8, ..policy(split) };
    vec![
        (RollKind::Zsk, true, policy(true)),
        (RollKind::Ksk, true, policy(true)),
        (RollKind::KskDoubleDs, true, policy(true)),
        (RollKind::Csk, false, policy(false)),
        (RollKind::Algorithm, true, eight(true)),
        (RollKind::Algorithm, false, eight(false)),
        (RollKind::Algorithm, true, eight(false)),
        (RollKind::Algorithm, false, eight(true)),
        (RollKind::Split, false, policy(true)),
        (RollKind::Join, true, policy(false)),
        (RollKind::Emergency, true, policy(true)),
        (RollKind::Emergency, true, policy(false)),
        (RollKind::Emergency, false, policy(true)),
        (RollKind::Emergency, false, policy(false)),
        (RollKind::Tidy, true, policy(true)),
        (RollKind::Tidy, false, policy(false)),
        (RollKind::Insecure, true, policy(true)),
        (RollKind::Secure, true, policy(true)),
    ]
}

prop_compose! {
    fn times()(
        key_ttl in 1u32..200, ds_ttl in 1u32..200, zone_ttl in 1u32..200,
        child in proptest::collection::vec(0i64..90, 1..4),
        parent in proptest::collection::vec(0i64..90, 1..4),
        person in prop_oneof![Just(0i64), 1i64..1_000],
    ) -> Times {
        Times { key_ttl, ds_ttl, zone_ttl, child, parent, person }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cache_ever_sees_bogus(which in 0..cases().len(), times in times(), seed in any::<u64>(), cds in any::<bool>()) {
        let (kind, split, mut to) = cases().swap_remove(which);
        to.cds = cds;
        let mut world = World::new(kind, split, &to, times, seed);
        world.run().map_err(TestCaseError::fail)?;
        // What is left is what the policy asks for, and the parent vouches for exactly that.
        let held: Vec<_> = world.held().iter().filter(|k| k.published).collect();
        let entries: Vec<_> = held.iter().filter(|k| k.dnskey.is_entry_point()).collect();
        prop_assert_eq!(entries.len(), 1);
        let zone_keys = held.len() - entries.len();
        prop_assert_eq!(zone_keys, usize::from(to.layout == pdm_model::keys::Layout::Split));
        prop_assert!(held.iter().all(|k| k.active && k.dnskey.algorithm() == to.algorithm));
        let ds = BTreeSet::from([entries[0].dnskey.ds(&world.zone, DsDigest::Sha256)]);
        prop_assert_eq!(world.parent_ds(), &if kind == RollKind::Insecure { BTreeSet::new() } else { ds });
    }

    /// RFC 7583: Ipub = Dprp + TTLkey and Iret = Dprp + TTLsig for a ZSK (3.2.1); IpubC = DprpC + TTLkey and
    /// IretP = DprpP + TTLds for a KSK with two signatures (3.3.1); IpubP = DprpP + TTLds and IretC = DprpC + TTLkey
    /// with two DS (3.3.2). Signing takes no time here, and Dprp is the lag of the slowest server. A stage is never
    /// shorter, and it is longer by a poll at most.
    #[test]
    fn stages_last_as_long_as_rfc_7583_says(times in times(), seed in any::<u64>()) {
        let times = Times { person: 0, ..times };
        let lag = |lags: &[i64]| lags.iter().copied().max().unwrap();
        let (child, parent) = (lag(&times.child), lag(&times.parent));
        let (key, ds, sig) = (i64::from(times.key_ttl), i64::from(times.ds_ttl), i64::from(times.zone_ttl.max(times.key_ttl)));
        for (kind, publish, swap) in [
            (RollKind::Zsk, child + key, child + sig),
            (RollKind::Ksk, child + key, parent + ds),
            (RollKind::KskDoubleDs, parent + ds, child + key),
        ] {
            let mut world = World::new(kind, true, &policy(true), times.clone(), seed);
            world.run().map_err(TestCaseError::fail)?;
            for (stage, formula) in [(Stage::Publish, publish), (Stage::Swap, swap)] {
                prop_assert!(world.took[&stage] >= formula, "{kind:?} {stage:?} took {} of {formula}", world.took[&stage]);
            }
        }
    }

    /// Starts are spread by name, never later than the lifetime says.
    #[test]
    fn a_roll_is_due_within_the_last_tenth_of_a_life(name in "[a-z]{1,20}", life in 1_000u64..100_000_000) {
        let zone = pdm_dnssec::Name::parse(&format!("{name}.example.")).unwrap();
        let world = World::new(RollKind::Zsk, true, &policy(true), Times { key_ttl: 1, ds_ttl: 1, zone_ttl: 1, child: vec![0], parent: vec![0], person: 0 }, 1);
        let policy = KeyPolicy { ksk_lifetime: 0, zsk_lifetime: life, ..policy(true) };
        let at = |seconds: u64| due(&zone, &policy, &world.state, world.held(), &PARENT, Timestamp(i64::try_from(seconds * 1000).unwrap()));
        prop_assert_eq!(at(life * 9 / 10 - 1), None);
        prop_assert_eq!(at(life).map(|(kind, _)| kind), Some(RollKind::Zsk));
    }
}

#[test]
fn the_model_of_caches_notices_when_a_roll_is_in_a_hurry() {
    // The control of the property above: with TTLs understated by half, some cache sees bogus.
    let times = Times {
        key_ttl: 300,
        ds_ttl: 300,
        zone_ttl: 300,
        child: vec![0, 40],
        parent: vec![0, 40],
        person: 0,
    };
    for (kind, split, to) in cases() {
        if matches!(kind, RollKind::Tidy | RollKind::Insecure | RollKind::Secure) {
            continue;
        }
        let hurried = (0..6).any(|seed| {
            let mut world = World::new(kind, split, &to, times.clone(), seed);
            world.lie = 2;
            world.run().is_err_and(|why| why.contains("bogus"))
        });
        assert!(hurried, "{kind:?} cannot be hurried into bogus: the model is blind");
    }
}

fn still() -> Times {
    Times { key_ttl: 60, ds_ttl: 60, zone_ttl: 60, child: vec![0], parent: vec![0], person: 0 }
}

#[test]
fn a_key_whose_tag_another_key_has_is_thrown_away() {
    let mut world = World::new(RollKind::Ksk, true, &policy(true), still(), 7);
    let mine = world.held()[0].dnskey.clone();
    // Two words of the key change places: another key, the same sum.
    let mut rdata = mine.rdata().to_vec();
    rdata[4..8].rotate_left(2);
    let twin = Dnskey::from_rdata(&rdata).unwrap();
    assert!(twin != mine && twin.key_tag() == mine.key_tag());
    world.change(|keys| {
        keys.push(pdm_dnssec::roll::Held { dnskey: twin.clone(), active: false, published: false });
    });
    let at = Timestamp(world.now * 1000);
    let view = world.look();
    let (_, answer) = next(&world.zone, &world.roll, &world.setting, &view, at);
    assert_eq!(answer, Next::Do(Action::Remove(twin.clone())));
    world.run().unwrap();
    assert!(world.held().iter().all(|k| k.dnskey != twin));
}

#[test]
fn a_new_key_removed_by_hand_is_made_again_and_an_old_one_ends_the_roll() {
    let mut world = World::new(RollKind::Ksk, true, &policy(true), still(), 3);
    let until = |world: &mut World, stage: Stage, new: usize| {
        while world.roll.stage != stage || world.roll.new.len() != new {
            world.step().unwrap();
        }
    };
    until(&mut world, Stage::Publish, 1);
    let lost = world.roll.new[0].clone();
    world.change(|keys| keys.retain(|k| k.dnskey.to_string() != lost));
    until(&mut world, Stage::Swap, 1);
    assert_ne!(world.roll.new[0], lost);
    let old = world.roll.old[0].clone();
    world.change(|keys| keys.retain(|k| k.dnskey.to_string() != old));
    assert_eq!(world.look_and_ask(), Next::GiveUp("old-key-gone"));
}

#[test]
fn a_silent_or_lagging_server_is_waited_for_and_named() {
    let mut world = World::new(RollKind::Zsk, true, &policy(true), still(), 5);
    while world.roll.new.is_empty() || !matches!(world.look_and_ask(), Next::Wait(_)) {
        world.step().unwrap();
    }
    let mut view = world.look();
    view.child.push(pdm_dnssec::roll::ChildSeen { server: "ns2".to_owned(), keys: None, signers: None });
    let now = Timestamp((world.now + 10_000) * 1000);
    let (roll, answer) = next(&world.zone, &world.roll, &world.setting, &view, now);
    let Next::Wait(wait) = answer else { panic!("{answer:?}") };
    assert_eq!((wait.reason, roll.keys.since), ("server-silent", None));
    assert!(wait.detail.contains("ns2"));
}

#[test]
fn what_cannot_be_rolled_is_refused_before_anything_happens() {
    let held = World::new(RollKind::Zsk, true, &policy(true), still(), 1);
    let known: Vec<KeyAge> = held.state.known.clone();
    let state = KeyState { known, ..KeyState::default() };
    let refuse = |kind, policy: &KeyPolicy, state: &KeyState, parent: &Parent| {
        begin(kind, policy, state, held.held(), parent, "t", "", Timestamp(0)).unwrap_err().code
    };
    let scans = Parent { ds_max: 0, scans_only: true, by_hand: false };
    let none = Parent { ds_max: 0, scans_only: false, by_hand: false };
    let one = Parent { ds_max: 1, ..PARENT };
    let eight = KeyPolicy { algorithm: 8, ..policy(true) };
    assert_eq!(refuse(RollKind::Csk, &policy(true), &state, &PARENT), "roll-not-applicable");
    assert_eq!(refuse(RollKind::Algorithm, &policy(true), &state, &PARENT), "roll-not-applicable");
    assert_eq!(refuse(RollKind::Algorithm, &eight, &state, &scans), "roll-unsupported");
    assert_eq!(refuse(RollKind::KskDoubleDs, &policy(true), &state, &one), "roll-unsupported");
    assert_eq!(refuse(RollKind::KskDoubleDs, &policy(true), &state, &scans), "roll-unsupported");
    assert_eq!(refuse(RollKind::Ksk, &policy(true), &state, &none), "roll-unsupported");
    let busy = KeyState { roll: Some(held.roll.clone()), ..state };
    assert_eq!(refuse(RollKind::Zsk, &policy(true), &busy, &PARENT), "roll-under-way");
}

#[test]
fn policy_and_strangers_call_for_rolls() {
    let world = World::new(RollKind::Zsk, true, &policy(true), still(), 1);
    let due = |policy: &KeyPolicy, state: &KeyState, parent: &Parent| {
        due(&world.zone, policy, state, world.held(), parent, Timestamp(1)).map(|(kind, _)| kind)
    };
    let eight = KeyPolicy { algorithm: 8, ..policy(true) };
    assert_eq!(due(&policy(true), &world.state, &PARENT), None);
    assert_eq!(due(&policy(false), &world.state, &PARENT), Some(RollKind::Join));
    assert_eq!(due(&eight, &world.state, &PARENT), Some(RollKind::Algorithm));
    assert_eq!(due(&eight, &world.state, &Parent { by_hand: true, ..PARENT }), None);
    let stranger = KeyState { known: world.state.known[..1].to_vec(), ..KeyState::default() };
    assert_eq!(due(&policy(true), &stranger, &PARENT), Some(RollKind::Tidy));
}

#[test]
fn zone_keys_sign_where_an_entry_point_stands_beside_them() {
    let held = |entry, algorithm, active| pdm_dnssec::roll::Held {
        dnskey: key(entry, algorithm, u64::from(algorithm) * 2 + u64::from(entry)),
        active,
        published: true,
    };
    let by = |keys: &[pdm_dnssec::roll::Held]| -> Vec<(u8, bool)> {
        let made = signers(keys.iter());
        let made = keys.iter().filter(|k| made.contains(&(k.dnskey.algorithm(), k.dnskey.key_tag())));
        made.map(|k| (k.dnskey.algorithm(), k.dnskey.is_entry_point())).collect()
    };
    assert_eq!(by(&[held(true, 13, true)]), [(13, true)]);
    assert_eq!(by(&[held(true, 13, true), held(false, 13, true)]), [(13, false)]);
    assert_eq!(by(&[held(true, 13, true), held(false, 13, false)]), [(13, true)]);
    assert_eq!(
        by(&[held(true, 13, true), held(false, 13, true), held(true, 8, true)]),
        [(13, false), (8, true)]
    );
}
