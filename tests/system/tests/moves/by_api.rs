//! A registrar's API edits the parent, and nobody has to do anything.

use std::time::Duration;

use pdm_harness::full;
use pdm_lab::{ACME, Watcher};
use serde_json::json;

use crate::registrars::{Registrar, ovh, porkbun};
use crate::scene::{ADDRESS, Move, QUESTIONS, lab};

/// Deaths on the way here and on the way back, in the order in which they come. `registrar.apply` takes the foreign DS
/// out, leads NS here, puts our DS in; then takes ours out, leads NS back, puts the old DS in.
const THERE: [&str; 5] = [
    "after:zones.create_zone",
    "after:registrar.apply",
    "before:registrar.apply",
    "after:registrar.apply",
    "after:registrar.apply",
];
const BACK: [&str; 5] = [
    "after:registrar.apply",
    "after:registrar.apply",
    "after:zones.remove_zone",
    "before:registrar.apply",
    "after:registrar.apply",
];
/// What is worth dying at, of everything that a trace shows.
const CALLS: [&str; 9] = [
    "registrar.",
    "zones.create_zone",
    "zones.change_zone",
    "zones.remove_zone",
    "store.decide",
    "store.checkpoint",
    "store.put_carried",
    "store.put_credential",
    "store.forget_credential",
];

/// A domain that goes there and back, and the resolver's clients.
struct Journey {
    moving: Move,
    registrar: Registrar,
    watcher: Watcher,
    before: (Vec<String>, Vec<String>),
}

impl Journey {
    async fn start(lab: std::sync::Arc<pdm_lab::Lab>, registrar: Registrar) -> Self {
        lab.old.allow_transfer(ACME, true).await;
        let moving = Move::start(lab.clone(), &registrar.section).await;
        let before = lab.registry.delegation(ACME).await;
        let watcher = lab.watcher(&QUESTIONS, Duration::from_secs(1));
        watcher.rounds(1).await;
        Self { moving, registrar, watcher, before }
    }

    async fn there(&mut self, points: Vec<String>) {
        let mut commit = self.moving.claim("byo-api").await;
        commit["registrar"] = self.registrar.chosen.clone();
        self.moving.die_at(points).await;
        self.moving.ask("/v1/commit", &commit).await;
        self.moving.follow("active", false).await;
        let lab = self.moving.lab.clone();
        let mut names: Vec<String> = lab.ours.names().iter().map(|n| format!("{n}.")).collect();
        names.sort();
        assert_eq!(lab.registry.delegation(ACME).await, (names, lab.ours.ds(ACME).await));
        let console = lab.cold().ask_cold("console.acme.com", "A").await;
        assert_eq!((console.records(), console.authentic()), (vec![ADDRESS], true));
    }

    async fn back(&mut self, points: Vec<String>) {
        self.moving.die_at(points).await;
        self.moving.ask("/v1/release", &json!({"fqdn": ACME})).await;
        self.moving.follow("quarantined", false).await;
        let lab = self.moving.lab.clone();
        assert_eq!(lab.registry.delegation(ACME).await, self.before, "NS and DS are what they were");
        let mx = lab.cold().ask_cold("acme.com", "MX").await;
        assert_eq!((mx.records().len(), mx.authentic()), (2, true), "{mx}");
    }

    async fn end(self) {
        self.watcher.rounds(3).await;
        let report = self.watcher.stop();
        report.must_be_unbroken();
        assert!(report.of("acme.com MX").seen.iter().all(|s| s.outcome.records().len() == 2), "{report}");
        self.moving.say(&format!("{} answers, not one SERVFAIL, not one lost", report.asked()));
    }
}

#[tokio::test]
async fn an_api_moves_it_there_and_back_in_six_writes() {
    let lab = lab().await;
    let registrar = porkbun(&lab).await;
    let mut journey = Journey::start(lab, registrar).await;
    journey.there(vec![]).await;
    journey.back(vec![]).await;
    let verbs = (journey.registrar.writes)();
    let expected = ["delete", "update", "create", "delete", "update", "create"];
    assert!(verbs.len() == 6 && verbs.iter().zip(expected).all(|(v, e)| v.contains(e)), "{verbs:?}");
    journey.end().await;
}

#[tokio::test]
async fn an_api_moves_it_and_the_daemon_dies_around_every_write() {
    let lab = lab().await;
    let registrar = ovh(&lab).await;
    let mut journey = Journey::start(lab, registrar).await;
    let sample = |points: &[&str]| points.iter().map(|p| format!("{p}:1")).collect();
    let (there, back): (Vec<_>, Vec<_>) =
        if full() { traced().await } else { (sample(&THERE), sample(&BACK)) };
    let all = there.len() + back.len();
    journey.there(there).await;
    let mut left = journey.moving.spare();
    journey.back(back).await;
    left += journey.moving.spare();
    journey.end().await;
    // Polls differ from run to run: of a trace, some points do not come again.
    assert!(left * 10 <= if full() { all * 3 } else { 0 }, "{left} of {all} points were not reached");
}

/// The points of a journey that nothing disturbs.
async fn traced() -> (Vec<String>, Vec<String>) {
    let lab = lab().await;
    let registrar = ovh(&lab).await;
    let mut journey = Journey::start(lab.clone(), registrar).await;
    let file = lab.dir().join("trace");
    journey.moving.daemon.stop().await;
    journey.moving.daemon.env("PDM_CRASH_TRACE", &file.display().to_string());
    journey.moving.daemon.go().await;
    let passed = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let wanted = |line: &&str| {
            CALLS.iter().any(|call| line.split(':').nth(1).is_some_and(|l| l.starts_with(call)))
        };
        text.lines().filter(wanted).map(|line| format!("{line}:1")).collect::<Vec<_>>()
    };
    let begun = passed().len();
    journey.there(vec![]).await;
    let turned = passed().len();
    journey.back(vec![]).await;
    let all = passed();
    journey.end().await;
    (all[begun..turned].to_vec(), all[turned..].to_vec())
}
