//! Starting: with PowerDNS down, with a pool zone of somebody's own, with a wrong configuration; and stopping.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::{Duration, Instant};

use pdm_harness::daemon::verb;
use pdm_harness::story::fqdn;
use pdm_harness::{POOL, Plan, StoreKind, World, dns, truth, until};

#[tokio::test]
async fn it_starts_with_powerdns_down_and_takes_what_it_can() {
    let mut world = Plan::new(StoreKind::Sqlite).powerdns_down().start().await;
    let ready = world.stranger().get("/readyz").await;
    assert_eq!(ready.status, 503, "{ready}");
    assert!(ready.text.contains("powerdns"), "{ready}");
    let check = world.api().get("/v1/check?poolDomain=omani.works&subdomain=omantel").await.expect(&[200]);
    assert_eq!(check.body["available"], true);
    let token = world.api().reserve("omantel").await;
    let _ = world.api().commit("omantel", &token, "192.0.2.1").await.expect(&[202]);
    world.powerdns_up().await;
    world.daemons[0].ready().await;
    world.api().await_phase("omantel", "active").await;
    dns::must_validate(world.dns().dns(), &world.anchor(), POOL, &fqdn("omantel"), "A");
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn the_pool_zone_is_made_once_and_left_as_it_is_afterwards() {
    let mut world = World::new(StoreKind::Sqlite).await;
    let pool = world.dns().zone(POOL).await.expect("the pool's zone was created at start");
    assert_eq!(pool["dnssec"], true);
    assert_eq!(pool["api_rectify"], false, "the cost of a delegation must not grow with the pool");
    assert_eq!(pool["nsec3narrow"], true);
    let soa = world.dns().rrset(POOL, POOL, "SOA").await;
    assert!(soa[0].starts_with("ns1.openova.io. hostmaster.openova.io. "), "{soa:?}");
    let serial = world.dns().serial(POOL).await;
    world.daemon().stop().await;
    world.daemon().go().await;
    world.daemons[0].ready().await;
    assert_eq!(world.dns().serial(POOL).await, serial, "the second time changes nothing");
    let ds = &world.api().get("/v1/pools").await.body["pools"][0]["ds"];
    let shown: Vec<_> =
        ds.as_array().unwrap().iter().filter_map(|d| d.as_str()).map(str::to_lowercase).collect();
    assert_eq!(shown, world.dns().ds_of_keys(POOL).await, "the DS to hand to the registrar");
}

#[tokio::test]
async fn a_pool_zone_with_other_peoples_records_is_taken_over_gently() {
    let mut world = Plan::new(StoreKind::Sqlite).powerdns_down().start().await;
    world.daemon().stop().await;
    world.powerdns_up().await;
    world.dns().create(POOL, "", false).await;
    let _ = world.dns().edit(POOL, &fqdn("www"), "A", 300, &["203.0.113.7"]).await;
    let _ = world.dns().edit(POOL, POOL, "MX", 300, &["10 mail.elsewhere.example."]).await;
    let _ = world.dns().edit(POOL, &fqdn("theirs"), "NS", 300, &["ns.elsewhere.example."]).await;
    let serial = world.dns().serial(POOL).await;
    let plan = verb(&["pools", "plan", POOL, "--config", &world.config_file(0).display().to_string()], &[]);
    let (Ok(plan) | Err(plan)) = plan;
    assert!(!plan.is_empty(), "the plan is shown");
    assert_eq!(world.dns().serial(POOL).await, serial, "a plan writes nothing");
    world.daemon().go().await;
    world.daemons[0].ready().await;
    let token = world.api().reserve("omantel").await;
    let _ = world.api().commit("omantel", &token, "192.0.2.1").await;
    // A pool that was switched to other settings takes no change until no server remembers those before.
    world.api().await_phase_within("omantel", "active", Duration::from_secs(180)).await;
    assert_eq!(world.dns().rrset(POOL, &fqdn("www"), "A").await, ["203.0.113.7"]);
    assert_eq!(world.dns().rrset(POOL, POOL, "MX").await, ["10 mail.elsewhere.example."]);
    assert_eq!(world.dns().rrset(POOL, &fqdn("theirs"), "NS").await, ["ns.elsewhere.example."]);
    assert!(world.dns().serial(POOL).await > serial, "a serial never decreases");
    let anchor = world.anchor();
    for name in [fqdn("omantel"), fqdn("www"), fqdn("missing")] {
        dns::must_validate(world.dns().dns(), &anchor, POOL, &name, "A");
    }
    // A name that is delegated to somebody else is not PDM's to lend out from under them.
    let token = world.api().reserve("theirs").await;
    let _ = world.api().commit("theirs", &token, "192.0.2.2").await.expect(&[202]);
    world
        .api()
        .await_that("theirs", "to wait for the operator", Duration::from_secs(60), |a| {
            a["operation"]["steps"].to_string().contains("\"operator\"")
        })
        .await;
    assert_eq!(world.dns().rrset(POOL, &fqdn("theirs"), "NS").await, ["ns.elsewhere.example."]);
}

#[tokio::test]
async fn a_stop_is_graceful_and_loses_nothing() {
    let mut world = World::new(StoreKind::Sqlite).await;
    for n in 0..5 {
        let label = format!("stop-{n}");
        let token = world.api().reserve(&label).await;
        let _ = world.api().commit(&label, &token, "192.0.2.1").await;
    }
    let begun = Instant::now();
    world.daemon().stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    world.daemon().go().await;
    for n in 0..5 {
        world.api().await_phase(&format!("stop-{n}"), "active").await;
    }
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn every_problem_of_a_configuration_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    std::fs::write(
        &file,
        "[http]\nlisten = \"nowhere\"\n[store]\nurl = \"mysql://x\"\nmispelt = 1\n[[powerdns]]\nurl = \"http://127.0.0.1:1\"\napi_key = \"swordfish\"\n",
    )
    .unwrap();
    let said = verb(&["config", "check", &file.display().to_string()], &[]).unwrap_err();
    for part in ["http.listen", "store", "mispelt", "api_key", "dns"] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
    assert!(!said.contains("swordfish"), "a literal secret is not repeated");
    let example = verb(&["config", "example"], &[]).unwrap();
    assert!(example.contains("[[pools]]") && example.contains("[auth]"));
}

#[tokio::test]
async fn an_unknown_schema_is_refused() {
    let mut world = World::new(StoreKind::Sqlite).await;
    world.daemon().stop().await;
    let listed = std::process::Command::new("sqlite3")
        .arg(world.store_file())
        .arg("select count(*) from _sqlx_migrations")
        .output();
    let known = listed.is_ok_and(|o| o.status.success());
    let change = if known {
        "update _sqlx_migrations set version = version + 1000"
    } else {
        "update meta set value = '1000' where key like '%version%'"
    };
    let done = std::process::Command::new("sqlite3").arg(world.store_file()).arg(change).status().unwrap();
    assert!(done.success());
    world.daemon().launch();
    until("pdm to refuse the schema", || async {
        if world.daemons[0].alive() { Err("it runs") } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn no_secret_reaches_the_log_or_the_metrics() {
    let world = World::new(StoreKind::Sqlite).await;
    let token = world.api().lend("omantel", "192.0.2.1").await;
    let _ = world.api().try_commit("omantel", "a-wrong-token-that-is-secret", "192.0.2.1").await;
    let log = world.daemons[0].log();
    let metrics = world.api().get("/metrics").await.text;
    for secret in
        [token.as_str(), world.token(), "harness-key", "a-wrong-token-that-is-secret", &"k".repeat(48)]
    {
        assert!(!log.contains(secret), "a secret is in the log");
        assert!(!metrics.contains(secret), "a secret is in the metrics");
    }
}
