//! Keys of a brought domain roll while its person, its registry, its nameservers and PDM itself are at their worst; a
//! resolver with a cache and one without see nothing wrong.

use std::time::{Duration, Instant};

use pdm_harness::until_within;
use pdm_lab::{ACME, Nameserver, Outcome, Watcher};
use serde_json::{Value, json};

use crate::scene::{Move, PATIENCE, steered};

const QUESTIONS: [&str; 5] =
    ["acme.com MX", "acme.com SOA", "console.acme.com A", "anything.acme.com A", "www.acme.com A"];

impl Move {
    /// Look at it with a cold cache, through every server of the parent.
    async fn cold(&self) {
        for question in ["console.acme.com", "acme.com"] {
            let seen = self.lab.cold().ask_cold(question, "A").await;
            assert!(
                matches!(seen, Outcome::Answer { .. } | Outcome::NoData),
                "{question}: {seen}\n{}",
                self.lab.cold().log()
            );
        }
    }

    /// Obey until the last roll that ended is of this kind.
    pub async fn until_rolled(&mut self, kind: &str, kill: bool) {
        let end = Instant::now() + PATIENCE;
        let mut stages = Vec::new();
        loop {
            let keys = self.keys(ACME).await.unwrap_or(Value::Null);
            if keys["roll"].is_null() && keys["last"]["kind"] == kind && keys["asked"].is_null() {
                assert!(keys["last"]["givenUp"].is_null(), "{keys}");
                self.say(&format!("{ACME}: the roll of kind {kind} is over"));
                return;
            }
            assert!(Instant::now() < end, "{kind} is not over: {keys:#}\n{}", self.daemon.log());
            let stage = format!("{} {}", keys["roll"]["stage"], keys["waits"]["reason"]);
            if keys["roll"].is_object() && !stages.contains(&stage) {
                self.say(&format!("{ACME}: {stage}"));
                stages.push(stage);
                self.cold().await;
                if kill {
                    self.daemon.kill();
                    self.daemon.go().await;
                }
            }
            self.obey_now().await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// The person does what is asked for now.
    async fn obey_now(&self) {
        let shown = self.look().await.unwrap_or(Value::Null);
        if self.obey(&shown["brought"]["instruction"]).await {
            self.hurry().await;
        }
    }

    async fn hurry(&self) {
        let shown = self.look().await.unwrap_or(Value::Null);
        if let Some(id) = shown["operation"]["id"].as_str() {
            let _ = self.api.post(&format!("/v1/operations/{id}/retry"), &json!({})).await;
        }
    }

    fn lab(&mut self) -> &mut pdm_lab::Lab {
        std::sync::Arc::get_mut(&mut self.lab).expect("nobody else has the lab")
    }

    fn second_of_the_registry(&mut self) -> &mut Nameserver {
        &mut self.lab().registry.operator.servers[1]
    }

    fn second_of_ours(&mut self) -> &mut Nameserver {
        &mut self.lab().ours.servers[1]
    }

    /// The zone holds so many keys: nothing went out before its time.
    async fn holds_keys(&self, count: usize) {
        let inventory = self.api.get("/v1/dnssec/inventory").await.expect(&[200]).body;
        let zones = inventory["zones"].as_array().unwrap();
        let zone = zones.iter().find(|zone| zone["zone"] == ACME).expect("the domain is listed");
        assert_eq!(zone["keys"].as_array().unwrap().len(), count, "{zone:#}");
    }

    async fn a_person_does_nothing_for_months(&mut self, watcher: &Watcher) {
        self.roll(ACME, "ksk").await;
        self.until_rests(ACME, "replace-ds").await;
        let before = self.lab.registry.delegation(ACME).await.1;
        for _ in 0..3 {
            self.pass(24).await;
            self.daemon.kill();
            self.daemon.go().await;
            self.hurry().await;
            watcher.rounds(1).await;
            self.cold().await;
        }
        let keys = self.until_rests(ACME, "replace-ds").await;
        assert_eq!((&keys["waits"]["who"], &keys["roll"]["stage"]), (&json!("caller"), &json!("swap")));
        assert_eq!(self.lab.registry.delegation(ACME).await.1, before);
        // It is told as waiting for a person, and not as stuck.
        let metrics = self.api.get("/metrics").await.text;
        let age = |who: &str| -> f64 {
            let start = format!("pdm_operations_oldest_age_seconds{{kind=\"roll\",who=\"{who}\"}} ");
            metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
        };
        assert!(age("caller") > 60.0 * 86_400.0 && age("nobody") == 0.0, "{metrics}");
    }

    async fn one_server_of_the_registry_is_out_of_step(&mut self, watcher: &Watcher) {
        self.second_of_the_registry().lag().await;
        self.obey_now().await;
        let keys = self.until_rests(ACME, "ds-not-served").await;
        assert!(keys["waits"]["detail"].as_str().unwrap().contains("b.gtld-servers.net"), "{keys}");
        watcher.rounds(3).await;
        self.cold().await;
        self.holds_keys(3).await;
        self.second_of_the_registry().catch_up().await;
        self.hurry().await;
        self.until_rolled("ksk", false).await;
        self.holds_keys(2).await;
    }

    async fn our_second_nameserver_lags(&mut self, watcher: &Watcher) {
        self.second_of_ours().lag().await;
        self.roll(ACME, "ksk").await;
        let keys = self.until_rests(ACME, "keys-not-served").await;
        assert!(keys["waits"]["detail"].as_str().unwrap().contains("ns2.openova.io"), "{keys}");
        watcher.rounds(3).await;
        self.cold().await;
        let keys = self.keys(ACME).await.unwrap();
        assert_eq!(
            keys["roll"]["stage"], "publish",
            "the parent is not asked before every server has the key"
        );
        self.second_of_ours().catch_up().await;
        self.hurry().await;
    }

    async fn the_registry_publishes_the_ds_late(&mut self, watcher: &Watcher) {
        self.until_rests(ACME, "replace-ds").await;
        self.lab.registry.hold("DS");
        let shown = self.look().await.unwrap();
        let wanted = shown["brought"]["instruction"]["ds"].as_array().unwrap().clone();
        // What stands there goes on being answered: the new one is added beside it.
        let held = self.lab.registry.delegation(ACME).await.1;
        let both: Vec<String> =
            held.iter().cloned().chain(wanted.iter().map(|ds| ds.as_str().unwrap().to_owned())).collect();
        self.lab.registry.set_ds(ACME, &both).await;
        self.hurry().await;
        watcher.rounds(4).await;
        self.cold().await;
        self.holds_keys(3).await;
        let keys = self.keys(ACME).await.unwrap();
        assert_eq!(keys["roll"]["stage"], "swap", "{keys}");
        self.lab.registry.publish("DS");
        self.hurry().await;
        self.until_rolled("ksk", false).await;
    }

    async fn an_algorithm_rolls(&mut self) {
        let policy = json!({"policy": {"algorithm": 15}});
        let path = format!("/v1/allocations/{ACME}/keys/policy");
        let _ = self.api.put(&path, &policy).await.expect(&[200]);
        until_within("the policy to be taken", PATIENCE, || async {
            let shown = self.look().await?;
            if shown["operation"]["state"] == "open" { Err(shown.to_string()) } else { Ok(()) }
        })
        .await;
        self.roll(ACME, "algorithm").await;
        self.until_rolled("algorithm", false).await;
        let ds = self.lab.registry.delegation(ACME).await.1;
        assert!(ds.len() == 1 && ds[0].contains(" 15 2 "), "{ds:?}");
    }

    async fn nobody_saw_anything_wrong(&self, watcher: Watcher) {
        watcher.rounds(2).await;
        let report = watcher.stop();
        report.must_be_unbroken();
        self.say(&format!("{} answers, not one SERVFAIL", report.asked()));
        let seen = self.lab.cold().ask_cold("console.acme.com", "A").await;
        assert!(seen.authentic(), "{seen}");
    }
}

async fn brought() -> (Move, Watcher) {
    let mut moving = Move::start(steered().await, "").await;
    let body = moving.claim("byo-manual").await;
    moving.ask("/v1/commit", &body).await;
    moving.follow("active", false).await;
    let watcher = moving.lab.watcher(&QUESTIONS, Duration::from_millis(500));
    watcher.rounds(1).await;
    (moving, watcher)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_takes_months_and_one_server_of_the_registry_is_out_of_step() {
    let (mut moving, watcher) = brought().await;
    moving.a_person_does_nothing_for_months(&watcher).await;
    moving.one_server_of_the_registry_is_out_of_step(&watcher).await;
    moving.an_algorithm_rolls().await;
    moving.nobody_saw_anything_wrong(watcher).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nameserver_lags_the_ds_comes_late_and_the_daemon_is_killed_at_every_step() {
    let (mut moving, watcher) = brought().await;
    moving.our_second_nameserver_lags(&watcher).await;
    moving.the_registry_publishes_the_ds_late(&watcher).await;
    moving.roll(ACME, "emergency").await;
    moving.until_rolled("emergency", true).await;
    moving.nobody_saw_anything_wrong(watcher).await;
}
