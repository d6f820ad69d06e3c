//! What stays plain, what the servers lack, drift of computed records, and a store rebuilt from them.

use pdm_harness::daemon::verb;
use pdm_harness::powerdns::contents;
use pdm_harness::story::{condition, fqdn};
use pdm_harness::{Release, StoreKind, dns, until};
use serde_json::{Value, json};

use crate::scene::{LABEL, Scene, plan};

const NAMES: [&str; 6] = ["", "*.", "console.", "api.", "gitea.", "harbor."];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_load_balancer_is_plain_and_several_without_a_policy_are_all_answered() {
    let world = plan(StoreKind::Sqlite).start().await;
    let lb = |ip: &str| json!({"ipv4": ip});
    let one = vec![lb("192.0.2.1")];
    let two = vec![lb("192.0.2.1"), lb("192.0.2.2")];
    let cases = [
        ("alone", json!({"loadBalancers": one, "failover": {}}), vec!["192.0.2.1"]),
        ("several", json!({"loadBalancers": two}), vec!["192.0.2.1", "192.0.2.2"]),
    ];
    for (label, mut body, want) in cases {
        body["fqdn"] = fqdn(label).into();
        body["reservationToken"] = world.api().reserve(label).await.into();
        let _ = world.api().post("/v1/commit", &body).await.expect(&[200, 202]);
        world.api().await_phase(label, "active").await;
        let zone = world.dns().zone(&fqdn(label)).await.unwrap();
        for name in NAMES {
            let owner = format!("{name}{}", fqdn(label));
            assert_eq!(contents(&zone, &owner, "A"), want, "{owner}");
            assert!(contents(&zone, &owner, "LUA").is_empty());
        }
        let again = world.api().post("/v1/commit", &body).await;
        assert_eq!(again.status, 200, "the same body again is the same answer: {again}");
        let none = world.api().get(&format!("/v1/allocations/{}/failover", fqdn(label))).await;
        assert_eq!((none.status, none.code()), (409, "no-failover"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_servers_lack_is_refused_with_what_it_would_take() {
    let world = plan(StoreKind::Sqlite).pool("allow_http_checks = false").start().await;
    let token = world.api().reserve(LABEL).await;
    let lbs = json!([{"region": "fsn", "ipv4": "192.0.2.1"}, {"region": "nbg", "ipv4": "192.0.2.2"}]);
    for (failover, code, field, takes) in [
        (json!({"check": {"interval": 3}}), "needs-version", "failover.check.interval", "5.0.0"),
        (json!({"check": {"failures": 2}}), "needs-version", "failover.check.failures", "5.0.0"),
        (json!({"untilChecked": "fail"}), "needs-version", "failover.untilChecked", "5.0.0"),
        (json!({"strategy": "nearest"}), "needs-geoip", "failover.strategy", "geoip"),
        (json!({"whenAllDown": "empty"}), "needs-unsigned-zone", "failover.whenAllDown", "fallback"),
        (json!({"check": {"type": "http"}}), "http-checks-refused", "failover.check.type", "TCP"),
        (json!({"check": {"port": 0}}), "invalid-check", "failover.check.port", "65535"),
    ] {
        if code == "needs-version" && Release::usual().version() >= (5, 0, 0) {
            continue;
        }
        let body = json!({"fqdn": fqdn(LABEL), "reservationToken": token, "loadBalancers": lbs, "failover": failover});
        let answer = world.api().post("/v1/commit", &body).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{answer}");
        assert_eq!(answer.text_at("/field"), field, "{answer}");
        assert!(answer.text_at("/detail").contains(takes), "{answer}");
    }
    let private = json!([{"ipv4": "192.0.2.1"}, {"ipv4": "169.254.169.254"}]);
    let body =
        json!({"fqdn": fqdn(LABEL), "reservationToken": token, "loadBalancers": private, "failover": {}});
    let answer = world.api().post("/v1/commit", &body).await;
    assert_eq!((answer.status, answer.code()), (422, "address-refused"), "{answer}");
    assert_eq!(answer.text_at("/field"), "loadBalancers[1].ipv4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn computed_records_that_somebody_edits_are_written_again() {
    let scene = Scene::start(plan(StoreKind::Sqlite), 2, json!({"type": "tcp", "timeout": 1})).await;
    let (zone, owner) = (fqdn(LABEL), format!("console.{}", fqdn(LABEL)));
    let ours = scene.world.dns().rrset(&zone, &owner, "LUA").await;
    assert_eq!(ours.len(), 1);
    let _ = scene.world.dns().edit(&zone, &owner, "LUA", 1, &["A \"pickrandom({'192.0.2.66'})\""]).await;
    let drift = scene.world.api().await_audit(LABEL, "drift").await;
    assert!(drift["detail"].as_str().unwrap().contains("console"), "{drift}");
    until("the policy to be written again", || async {
        let seen = scene.world.dns().rrset(&zone, &owner, "LUA").await;
        if seen == ours { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    // What answers beside the policy goes.
    let _ = scene.world.dns().edit(&zone, &owner, "A", 1, &["192.0.2.66"]).await;
    until("the address beside it to go", || async {
        let seen = scene.world.dns().rrset(&zone, &owner, "A").await;
        if seen.is_empty() { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    // Another type than before: computed to plain and back, in one change each.
    let plain = json!({"loadBalancers": [{"ipv4": "192.0.2.1"}]});
    let _ = scene.world.api().put(&scene.path("/target"), &plain).await.expect(&[200, 202]);
    let shown = scene.world.api().await_phase(LABEL, "active").await;
    assert_eq!(dns::short(scene.nameservers()[0], &owner, "A"), ["192.0.2.1"]);
    assert_eq!(condition(&shown, "FailoverIdle"), Value::Null, "{shown}");
    let policy = scene.target(json!({"type": "tcp", "timeout": 1}));
    let _ = scene.world.api().put(&scene.path("/target"), &policy).await.expect(&[200, 202]);
    scene.world.api().await_phase(LABEL, "active").await;
    scene.until_gives(0, &scene.ip(0)).await;
    scene.validates();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_rebuilt_from_the_records_that_carry_it_out() {
    let mut scene = Scene::start(plan(StoreKind::Sqlite), 2, json!({"type": "tcp", "timeout": 1})).await;
    let before = scene.world.api().allocation(LABEL).await;
    scene.world.daemon().stop().await;
    std::fs::remove_file(scene.world.store_file()).unwrap();
    for ending in ["-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{ending}", scene.world.store_file().display()));
    }
    let config = scene.world.config_file(0).display().to_string();
    verb(&["store", "migrate", "--config", &config], &[]).unwrap();
    verb(&["store", "recover", "--config", &config], &[]).unwrap();
    scene.world.daemon().go().await;
    scene.world.daemon().ready().await;
    let after = scene.reason("preferred").await;
    for member in ["loadBalancers", "failover"] {
        assert_eq!(after[member], before[member], "{member}");
    }
}

/// Computed records that are nobody's policy: the name goes on answering, and somebody has to look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_recovery_cannot_read_is_left_as_it_is() {
    let mut scene = Scene::start(plan(StoreKind::Sqlite), 2, json!({"type": "tcp", "timeout": 1})).await;
    scene.world.daemon().stop().await;
    let zone = fqdn(LABEL);
    for name in NAMES {
        let owner = format!("{name}{zone}");
        let _ = scene.world.dns().edit(&zone, &owner, "LUA", 1, &["A \"pickrandom({'192.0.2.66'})\""]).await;
    }
    for ending in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{ending}", scene.world.store_file().display()));
    }
    let config = scene.world.config_file(0).display().to_string();
    verb(&["store", "migrate", "--config", &config], &[]).unwrap();
    let told = verb(&["store", "recover", "--config", &config], &[]).unwrap_err();
    assert!(told.contains(&format!("{zone} carries our mark but could not be read back")), "{told}");
    scene.world.daemon().go().await;
    scene.world.daemon().ready().await;
    // Longer than two sweeps.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(dns::short(scene.nameservers()[0], &zone, "A"), ["192.0.2.66"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_in_a_file_is_explained_and_committed() {
    let world = plan(StoreKind::Sqlite).start().await;
    let file = world.path("policy.json");
    let policy = json!({
        "loadBalancers": [{"region": "fsn", "ipv4": "127.0.0.1"}, {"region": "nbg", "ipv4": "127.0.0.2"}],
        "failover": {"strategy": "ordered", "whenAllDown": "first"},
    });
    std::fs::write(&file, policy.to_string()).unwrap();
    let file = file.display().to_string();
    let text = verb(&["lua", "explain", "--file", &file], &[]).unwrap();
    for part in ["ifportup(443", "| up | down | 127.0.0.1 |", "4.7  as it is", "every client knows"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (url, token) = (world.api().base().to_owned(), world.token().to_owned());
    let env = [("PDM_URL", url.as_str()), ("PDM_TOKEN", token.as_str())];
    let held = world.api().reserve(LABEL).await;
    let name = fqdn(LABEL);
    verb(&["commit", &name, "--token", &held, "--policy", &file, "--wait", "60"], &env).unwrap();
    let text = verb(&["rehearse", &name, "--down", "fsn"], &env).unwrap();
    assert!(text.contains("127.0.0.1") && text.contains("127.0.0.2"), "{text}");
    let refused = verb(&["rehearse", &name, "--down", "hel"], &env).unwrap_err();
    assert!(refused.contains("unknown-region") && refused.contains("fsn, nbg"), "{refused}");
}
