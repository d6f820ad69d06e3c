//! A registrar's API edits the parent, and nobody has to do anything.

use std::sync::Arc;
use std::time::Duration;

use pdm_harness::daemon::verb;
use pdm_harness::{full, until_within};
use pdm_lab::{ACME, Lab, Watcher};
use serde_json::{Value, json};

use crate::hook::Hook;
use crate::registrars::{Registrar, ovh, porkbun};
use crate::scene::{ADDRESS, Move, PATIENCE, QUESTIONS, lab};

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
    async fn start(lab: Arc<Lab>, registrar: Registrar) -> Self {
        let moving = Move::start(lab, &registrar.section).await;
        Self::of(moving, registrar).await
    }

    async fn of(moving: Move, registrar: Registrar) -> Self {
        let lab = moving.lab.clone();
        lab.old.allow_transfer(ACME, true).await;
        let before = lab.registry.delegation(ACME).await;
        let watcher = lab.watcher(&QUESTIONS, Duration::from_secs(1));
        watcher.rounds(1).await;
        Self { moving, registrar, watcher, before }
    }

    async fn commit(&mut self, points: Vec<String>) {
        let mut commit = self.moving.claim("byo-api").await;
        commit["registrar"] = self.registrar.chosen.clone();
        self.moving.die_at(points).await;
        self.moving.ask("/v1/commit", &commit).await;
    }

    async fn arrive(&mut self) {
        self.moving.follow("active", false).await;
        let lab = self.moving.lab.clone();
        let mut names: Vec<String> = lab.ours.names().iter().map(|n| format!("{n}.")).collect();
        names.sort();
        assert_eq!(lab.registry.delegation(ACME).await, (names, lab.ours.ds(ACME).await));
        let console = lab.cold().ask_cold("console.acme.com", "A").await;
        assert_eq!((console.records(), console.authentic()), (vec![ADDRESS], true));
    }

    async fn release(&mut self, points: Vec<String>) {
        self.moving.die_at(points).await;
        self.moving.ask("/v1/release", &json!({"fqdn": ACME})).await;
    }

    async fn come_back(&mut self) {
        self.moving.follow("quarantined", false).await;
        let lab = self.moving.lab.clone();
        assert_eq!(lab.registry.delegation(ACME).await, self.before, "NS and DS are what they were");
        let mx = lab.cold().ask_cold("acme.com", "MX").await;
        assert_eq!((mx.records().len(), mx.authentic()), (2, true), "{mx}");
    }

    /// The daemon dies and forgets the credential: it says so, tells the owner, and goes on when it is given again.
    async fn forget_and_be_told(&mut self, hook: &Hook, time: usize) {
        const WAIT: &str = "credential-needed";
        self.moving.daemon.kill();
        self.moving.daemon.go().await;
        until_within("the wait for the credential", PATIENCE, || async {
            let shown = self.moving.look().await?;
            let conditions = shown["conditions"].as_array().cloned().unwrap_or_default();
            let awaits =
                |c: &Value| c["type"] == "AwaitingHuman" && c["status"] == "True" && c["reason"] == WAIT;
            if conditions.iter().any(awaits) { Ok(()) } else { Err(format!("{shown:#}")) }
        })
        .await;
        until_within("the notice to the owner", PATIENCE, || async {
            let (told, _) = hook.told().await;
            let asked = told.iter().filter(|event| event["data"]["reason"] == WAIT);
            let to = asked.map(|event| event["data"]["to"].as_str().unwrap()).collect::<Vec<_>>();
            if to == vec!["dns@acme.com"; time] { Ok(()) } else { Err(format!("{told:#?}")) }
        })
        .await;
        self.moving.say("the daemon forgot the credential and told the owner; it is given again");
        let body = json!({"registrar": self.registrar.chosen});
        let path = format!("/v1/allocations/{ACME}/credential");
        let _ = self.moving.api.put(&path, &body).await.expect(&[204]);
    }

    /// The key that seals credentials is replaced between two runs of the daemon.
    async fn rekey(&mut self) {
        let file = |name: &str| self.moving.lab.dir().join(name);
        let (key, old, config) = (file("credentials.key"), file("credentials.old.key"), file("pdm.toml"));
        self.moving.daemon.stop().await;
        std::fs::rename(&key, &old).unwrap();
        std::fs::write(&key, [b'd'; 48]).unwrap();
        let settings = std::fs::read_to_string(&config).unwrap();
        let both = format!("{settings}previous_key = \"file:credentials.old.key\"\n");
        std::fs::write(&config, both).unwrap();
        let rekey =
            || verb(&["credentials", "rekey", "--config", &config.display().to_string()], &[]).unwrap();
        assert_eq!(rekey().trim(), "sealed anew: 1; already as they should be: 0");
        assert_eq!(rekey().trim(), "sealed anew: 0; already as they should be: 1", "run twice");
        std::fs::write(&config, settings).unwrap();
        std::fs::remove_file(old).unwrap();
        self.moving.daemon.go().await;
        self.moving.say("credentials are sealed with another key, and the one before is gone");
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
async fn an_api_moves_it_in_six_writes_and_asks_again_for_a_credential_that_was_only_in_memory() {
    let lab = lab().await;
    let hook = Hook::start(lab.dir()).await;
    let registrar = porkbun(&lab).await;
    let sections = registrar.section.clone() + &hook.section();
    let moving = Move::start_forgetful(lab.clone(), &sections).await;
    let mut journey = Journey::of(moving, registrar).await;
    journey.commit(vec![]).await;
    journey.forget_and_be_told(&hook, 1).await;
    journey.arrive().await;
    journey.release(vec![]).await;
    journey.forget_and_be_told(&hook, 2).await;
    journey.come_back().await;
    let verbs = (journey.registrar.writes)();
    let expected = ["delete", "update", "create", "delete", "update", "create"];
    assert!(verbs.len() == 6 && verbs.iter().zip(expected).all(|(v, e)| v.contains(e)), "{verbs:?}");
    let values = journey.registrar.chosen["credential"].as_object().unwrap().values();
    let secrets: Vec<_> = values.map(|value| value.as_str().unwrap().to_owned()).collect();
    journey.end().await;
    // Not in the database with its log, and not in what the daemon said.
    let files = std::fs::read_dir(lab.dir()).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.display().to_string().contains("/pdm.")).collect();
    assert!(files.len() >= 3, "{files:?}");
    for (file, secret) in files.iter().flat_map(|file| secrets.iter().map(move |secret| (file, secret))) {
        let octets = std::fs::read(file).unwrap();
        assert!(!octets.windows(secret.len()).any(|w| w == secret.as_bytes()), "{}", file.display());
    }
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
    journey.commit(there).await;
    journey.arrive().await;
    let mut left = journey.moving.spare();
    journey.rekey().await;
    journey.release(back).await;
    journey.come_back().await;
    left += journey.moving.spare();
    journey.end().await;
    // Of a trace, some points do not come again.
    assert!(left * 10 <= if full() { all * 3 } else { 0 }, "{left} of {all} points were not reached");
}

/// Without what repeats itself at once: how often somebody looks while nothing happens differs from run to run.
fn without_polls(points: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for point in points {
        kept.push(point.clone());
        let n = kept.len();
        let again = (1..=n / 2).find(|length| kept[n - length..] == kept[n - 2 * length..n - length]);
        kept.truncate(n - again.unwrap_or(0));
    }
    kept
}

#[test]
fn polls_count_once() {
    let points = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    assert_eq!(without_polls(&points("wabababxxxyabab")), points("wabxyab"));
    assert_eq!(without_polls(&points("abcabd")), points("abcabd"));
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
    journey.commit(vec![]).await;
    journey.arrive().await;
    let turned = passed().len();
    journey.release(vec![]).await;
    journey.come_back().await;
    let all = passed();
    journey.end().await;
    (without_polls(&all[begun..turned]), without_polls(&all[turned..]))
}
