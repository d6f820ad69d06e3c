//! A pool's own keys: its DS at the registry is watched, a ZSK rolls by itself, a KSK waits for the registrar; and a year
//! of rolls by a stepped clock.

use std::time::{Duration, Instant};

use pdm_harness::{full, until_within};
use pdm_lab::Outcome;
use serde_json::{Value, json};

use crate::scene::{Move, PATIENCE, steered};

const POOL: &str = "omani.works";
impl Move {
    async fn pool(&self) -> Result<Value, String> {
        let pools = self.api.try_get("/v1/pools").await?.body;
        Ok(pools["pools"][0].clone())
    }

    /// Wait until the pool's DS stands like this at its parent.
    async fn until_stands(&self, standing: &str) {
        until_within(&format!("the pool's DS to be {standing}"), PATIENCE, || async {
            let pool = self.pool().await?;
            if pool["atParent"]["standing"] == standing {
                Ok(())
            } else {
                Err(format!("{pool}\n{}", self.daemon.log()))
            }
        })
        .await;
        self.say(&format!("the pool's DS is {standing}"));
    }

    /// Delegate the pool, hand its DS over, lend names.
    async fn lend(&self, count: usize) -> Vec<String> {
        self.lab.register(POOL, &self.lab.ours.names(), &[]).await;
        self.until_stands("missing").await;
        let ds = self.pool_ds().await;
        self.lab.registry.set_ds(POOL, &ds).await;
        self.until_stands("right").await;
        let names: Vec<String> = (0..count).map(|n| format!("rolls-{n}.{POOL}")).collect();
        for (n, name) in names.iter().enumerate() {
            let body = json!({"mode": "pool", "poolDomain": POOL, "subdomain": format!("rolls-{n}"), "owner": "acme"});
            let token = self
                .api
                .post("/v1/reserve", &body)
                .await
                .expect(&[201])
                .text_at("/reservationToken")
                .to_owned();
            let body =
                json!({"fqdn": name, "reservationToken": token, "loadBalancers": [{"ipv4": "203.0.113.7"}]});
            let _ = self.api.post("/v1/commit", &body).await.expect(&[200, 202]);
        }
        for name in &names {
            until_within(&format!("{name} to be active"), PATIENCE, || async {
                let shown = self.api.try_get(&format!("/v1/allocations/{name}")).await?.body;
                if shown["phase"] == "active" { Ok(()) } else { Err(shown.to_string()) }
            })
            .await;
        }
        self.say(&format!("{count} names are lent"));
        names
    }

    async fn pool_ds(&self) -> Vec<String> {
        let pool = self.pool().await.unwrap();
        pool["ds"].as_array().unwrap().iter().map(|ds| ds.as_str().unwrap().to_owned()).collect()
    }

    /// Ends of rolls of a zone, as the audit log tells.
    async fn rolled(&self, name: &str) -> Vec<String> {
        let Ok(answer) = self.api.try_get(&format!("/v1/audit-log?fqdn={name}&limit=500")).await else {
            return Vec::new();
        };
        let items = answer.body["items"].as_array().cloned().unwrap_or_default();
        let done = items.iter().filter(|e| e["action"] == "rolled");
        done.map(|e| e["detail"].as_str().unwrap_or("").to_owned()).collect()
    }

    async fn until_pool_rolled(&self, kind: &str) {
        until_within(&format!("a {kind} roll of the pool"), PATIENCE, || async {
            let ends = self.rolled(POOL).await;
            if ends.iter().any(|end| end == kind) {
                Ok(())
            } else {
                Err(format!("{ends:?} {}", self.keys(POOL).await?))
            }
        })
        .await;
        self.say(&format!("{POOL}: a roll of kind {kind} is over"));
    }

    /// When names and pools were looked at last, in seconds of the daemon's clock.
    async fn looks(&self) -> [f64; 2] {
        let Ok(metrics) = self.api.try_get("/metrics").await else { return [0.0; 2] };
        ["pdm_last_sweep_timestamp_seconds ", "pdm_pool_looked_timestamp_seconds{pool=\"omani.works\"} "].map(
            |name| {
                let line = metrics.text.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
            },
        )
    }

    /// Whether keys of a zone roll, or are about to.
    async fn rolls(&self, name: &str) -> bool {
        let Ok(keys) = self.keys(name).await else { return true };
        let open = match name == POOL {
            true => Ok(false),
            false => self
                .api
                .try_get(&format!("/v1/allocations/{name}"))
                .await
                .map(|a| a.body["operation"]["state"] == "open"),
        };
        !keys["roll"].is_null() || open.unwrap_or(true)
    }

    async fn cold_names(&self, names: &[String]) {
        for name in names {
            let seen = self.lab.cold().ask_cold(&format!("console.{name}"), "A").await;
            assert!(seen.authentic(), "{name}: {seen}\n{}", self.lab.cold().log());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pools_own_keys_roll_and_its_ds_is_watched() {
    let mut moving = Move::start(steered().await, "").await;
    let names = moving.lend(1).await;
    let asked =
        [format!("console.{} A", names[0]), format!("anything.{} A", names[0]), format!("{POOL} SOA")];
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let watcher = moving.lab.watcher(&asked, Duration::from_millis(400));
    watcher.rounds(1).await;

    // The ZSK rolls by age.
    moving.pass(90).await;
    moving.daemon.kill();
    moving.daemon.go().await;
    moving.until_pool_rolled("zsk").await;
    moving.cold_names(&names).await;

    // A KSK waits for the registrar, whoever asks for something else meanwhile.
    moving.roll(POOL, "ksk").await;
    let second = moving.api.post(&format!("/v1/allocations/{POOL}/keys/roll"), &json!({"kind": "zsk"})).await;
    assert_eq!((second.status, second.code()), (409, "roll-under-way"));
    let keys = moving.until_rests(POOL, "pool-ds").await;
    assert_eq!(keys["waits"]["who"], "operator");
    moving.daemon.kill();
    moving.pass(30).await;
    moving.daemon.go().await;
    watcher.rounds(3).await;
    moving.until_rests(POOL, "pool-ds").await;
    let (before, wanted) = (moving.lab.registry.delegation(POOL).await.1, moving.pool_ds().await);
    assert!(wanted.len() == 1 && wanted != before, "what is handed over is the new DS alone: {wanted:?}");
    moving.cold_names(&names).await;
    moving.lab.registry.set_ds(POOL, &wanted).await;
    moving.until_pool_rolled("ksk").await;
    moving.until_stands("right").await;
    moving.cold_names(&names).await;
    watcher.rounds(2).await;
    let report = watcher.stop();
    report.must_be_unbroken();
    moving.say(&format!("{} answers, not one SERVFAIL", report.asked()));

    // The registrar loses it, keeps an old one beside it, has a wrong one: each is told.
    let old = before[0].clone();
    for (ds, standing) in [
        (vec![], "missing"),
        (vec![wanted[0].clone(), old.clone()], "stale"),
        (vec![old], "wrong"),
        (wanted.clone(), "right"),
    ] {
        moving.lab.registry.set_ds(POOL, &ds).await;
        moving.until_stands(standing).await;
    }
    let metrics = moving.api.get("/metrics").await.text;
    for line in [
        "pdm_pool_ds{pool=\"omani.works\",standing=\"right\"} 1",
        "pdm_pool_ds{pool=\"omani.works\",standing=\"wrong\"} 0",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

/// Lifetimes as they are by default, a clock that is stepped while nothing rolls, TTLs of a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_by_a_stepped_clock_is_never_bogus() {
    let moving = Move::start(steered().await, "").await;
    let names = moving.lend(if full() { 50 } else { 3 }).await;
    let questions: Vec<String> =
        names.iter().flat_map(|n| [format!("console.{n} A"), format!("x.{n} A")]).collect();
    let asked: Vec<&str> = questions.iter().map(String::as_str).collect();
    let watcher = moving.lab.watcher(&asked, Duration::from_millis(if full() { 4_000 } else { 400 }));
    watcher.rounds(1).await;
    let end = Instant::now() + Duration::from_secs(if full() { 3_000 } else { 300 });
    let mut zones = names.clone();
    zones.push(POOL.to_owned());
    for day in (28..=392).step_by(28) {
        let before = moving.looks().await;
        moving.pass(28).await;
        // Everything was looked at since, and nothing rolls: then the clock goes on.
        loop {
            assert!(Instant::now() < end, "day {day}: {}\n{}", watcher.report(), moving.daemon.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
            let looks = moving.looks().await;
            let mut rolls = 0;
            for name in &zones {
                rolls += usize::from(moving.rolls(name).await);
            }
            let since = before.iter().zip(&looks).all(|(before, now)| *now > before + 10.0 * 86_400.0);
            if since && rolls == 0 {
                break;
            }
        }
        let seen = moving.lab.cold().ask_cold(&format!("console.{}", names[0]), "A").await;
        assert!(
            matches!(seen, Outcome::Answer { authentic: true, .. }),
            "day {day}: {seen}\n{}",
            moving.lab.cold().log()
        );
    }
    for name in &names {
        let ends = moving.rolled(name).await;
        let of = |kind: &str| ends.iter().filter(|end| *end == kind).count();
        assert!(
            of("zsk") >= 3 && of("ksk") >= 1 && ends.iter().all(|end| !end.contains(':')),
            "{name}: {ends:?}"
        );
    }
    let ends = moving.rolled(POOL).await;
    assert!(
        ends.len() >= 3 && ends.iter().all(|end| end == "zsk"),
        "nobody rolls a pool's KSK by itself: {ends:?}"
    );
    let report = watcher.stop();
    report.must_never_be_bogus();
    let (asked, unanswered) = (report.asked(), report.unanswered());
    moving.say(&format!(
        "a year of {} zones: {asked} questions, none bogus, {unanswered} unanswered",
        names.len()
    ));
    assert!(unanswered * 20 < asked, "the machine is too busy to tell: {report}");
}
