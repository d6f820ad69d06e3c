//! A region forced up or down, and that it ends by itself.

use std::time::Duration;

use pdm_harness::backends::Manner;
use pdm_harness::daemon::verb;
use pdm_harness::story::fqdn;
use pdm_harness::{Answer, StoreKind};
use serde_json::{Value, json};

use crate::scene::{LABEL, Scene, plan, two_nameservers};

async fn drain(scene: &Scene, region: &str, force: &str, seconds: Option<u64>) -> Answer {
    let mut body = json!({"region": region, "force": force});
    if let Some(seconds) = seconds {
        body["seconds"] = seconds.into();
    }
    scene.world.api().post(&scene.path("/failover/drain"), &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_is_forced_for_a_while_and_then_its_checks_decide_again() {
    let mut scene = Scene::start(plan(StoreKind::Sqlite), 3, json!({"type": "tcp", "timeout": 1})).await;
    let generation = |a: &Value| a["generation"].as_i64().unwrap();
    let before = generation(&scene.world.api().allocation(LABEL).await);

    // Down, by the command line, until told otherwise.
    let (url, token) = (scene.world.api().base().to_owned(), scene.world.token().to_owned());
    let env = [("PDM_URL", url.as_str()), ("PDM_TOKEN", token.as_str())];
    let name = fqdn(LABEL);
    verb(&["lua", "drain", &name, "--region", "fsn", "--down", "--for", "2h", "--wait", "60"], &env).unwrap();
    scene.until_gives(0, &scene.ip(1)).await;
    scene.validates();
    let status = scene.status().await;
    assert_eq!(
        (&status["drains"][0]["region"], &status["drains"][0]["force"]),
        (&json!("fsn"), &json!("down"))
    );
    assert_eq!(status["state"]["reason"], "preferred", "nbg is the first of those that are left: {status}");
    let shown = verb(&["lua", "status", &name], &env).unwrap();
    assert!(shown.contains("nbg") && shown.contains("FORCED") && shown.contains("preferred"), "{shown}");
    // It stays forced through another target.
    let body = scene.target(json!({"type": "tcp", "timeout": 2}));
    let _ = scene.world.api().put(&scene.path("/target"), &body).await.expect(&[200, 202]);
    scene.world.api().await_phase(LABEL, "active").await;
    // Another check begins anew: until its first round has ended, clients get what whenAllDown says, without fsn.
    let left = scene.ip(1).union(&scene.ip(2)).copied().collect();
    let given = scene.gives(0).await.unwrap();
    assert!(given == left || given == scene.ip(1), "{given:?}");
    scene.until_gives(0, &scene.ip(1)).await;
    // Down for everybody: what was forced down is not answered even so.
    scene.backends[1].set(Manner::Refuses).await;
    scene.until_gives(0, &scene.ip(2)).await;
    scene.backends[1].set(Manner::Well).await;
    let _ = drain(&scene, "fsn", "auto", None).await.expect(&[200, 202]);
    scene.until_gives(0, &scene.ip(0)).await;
    scene.world.api().await_phase(LABEL, "active").await;

    // Up although its check fails; it ends by itself, as an ordinary change.
    scene.backends[0].set(Manner::Refuses).await;
    scene.until_gives(0, &scene.ip(1)).await;
    let _ = drain(&scene, "fsn", "up", Some(3)).await.expect(&[200, 202]);
    scene.until_gives(0, &scene.ip(0)).await;
    scene.until_gives(0, &scene.ip(1)).await;
    scene.world.api().await_audit(LABEL, "drain-end").await;
    let after = scene.world.api().await_phase(LABEL, "active").await;
    assert!(after["drains"].is_null(), "{after}");
    assert!(generation(&after) >= before + 5, "each is a change of its own: {after}");
    scene.validates();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_forced_is_refused_and_the_checks_that_go_on_are_named_at_the_end() {
    let scene = Scene::start(plan(StoreKind::Sqlite), 2, json!({"type": "tcp", "timeout": 1})).await;
    for (region, force, seconds, status, code) in [
        ("hel", "down", Some(60), 422, "unknown-region"),
        ("fsn", "down", None, 400, "invalid-parameter"),
        ("fsn", "down", Some(0), 400, "invalid-parameter"),
        ("fsn", "down", Some(31 * 86_400), 400, "invalid-parameter"),
        ("fsn", "sideways", Some(60), 400, "invalid-parameter"),
        ("fsn", "auto", Some(60), 400, "invalid-parameter"),
    ] {
        let answer = drain(&scene, region, force, seconds).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{answer}");
        assert!(!answer.text_at("/field").is_empty(), "{answer}");
    }
    let _ = drain(&scene, "fsn", "down", Some(600)).await.expect(&[200, 202]);
    let last = drain(&scene, "nbg", "down", Some(600)).await;
    assert_eq!((last.status, last.code()), (422, "last-region"), "{last}");
    scene.world.api().await_phase_within(LABEL, "active", Duration::from_secs(60)).await;

    // Another check, and one address less: what was checked before goes on as it was.
    let mut other = scene.target(json!({"type": "tcp", "timeout": 2}));
    let (api, target) = (scene.world.api(), scene.path("/target"));
    let answer = api.put(&target, &other).await.expect(&[200, 202]);
    assert!(answer.text_at("/warnings/0").contains(&scene.backends[1].ip().to_string()), "{answer}");
    other["failover"]["whenAllDown"] = "first".into();
    let answer = api.put(&target, &other).await.expect(&[200, 202]);
    assert_eq!(answer.body["warnings"], Value::Null, "the same addresses are checked as before: {answer}");
    scene.world.api().await_phase_within(LABEL, "active", Duration::from_secs(60)).await;

    let answer = scene.world.api().try_release(LABEL, None).await.expect(&[200, 202]);
    let warning = answer.text_at("/warnings/0");
    assert!(warning.contains("3600 s") && warning.contains(&scene.backends[1].ip().to_string()), "{answer}");
    scene.world.api().await_phase(LABEL, "quarantined").await;
    let none = scene.world.api().get(&scene.path("/failover")).await;
    assert_eq!(none.status, 200, "the policy is still known: {none}");
}

/// A nameserver is down, so every change waits for it. That keeps nobody from taking a region out at the others, nor the
/// time from putting it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_nameserver_keeps_no_region_in_and_no_drain_from_its_end() {
    let mut scene = Scene::start(two_nameservers(), 2, json!({"type": "tcp", "timeout": 1})).await;
    let other = "other";
    let mut body = scene.target(json!({"type": "tcp", "timeout": 1}));
    body["fqdn"] = fqdn(other).into();
    body["reservationToken"] = scene.world.api().reserve(other).await.into();
    let _ = scene.world.api().post("/v1/commit", &body).await.expect(&[200, 202]);
    scene.world.api().await_phase(other, "active").await;

    scene.world.powerdns[1].stop().await;
    // One name's change waits for the dead one, and asks the servers anew at each try.
    let changed = scene.target(json!({"type": "tcp", "timeout": 2}));
    let path = format!("/v1/allocations/{}/target", fqdn(other));
    let _ = scene.world.api().put(&path, &changed).await.expect(&[200, 202]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let _ = drain(&scene, "fsn", "down", Some(10)).await.expect(&[200, 202]);
    scene.until_gives(0, &scene.ip(1)).await;
    scene.world.api().await_audit(LABEL, "drain-end").await;
    scene.until_gives(0, &scene.ip(0)).await;
    scene.world.powerdns[1].go().await;
    scene.world.api().await_phase_within(LABEL, "active", Duration::from_secs(60)).await;
    scene.world.api().await_phase_within(other, "active", Duration::from_secs(60)).await;
    scene.reason("preferred").await;
}
