//! Freeze and thaw, suspend and resume, transfer, quotas, the brake on withdrawals; tokens, roles and scopes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::Duration;

use pdm_harness::dns;
use pdm_harness::story::{fqdn, open_operation};
use pdm_harness::{POOL, Plan, StoreKind, World, truth};
use serde_json::json;

#[tokio::test]
async fn a_freeze_stops_every_write_and_a_thaw_goes_on() {
    let world = World::new(StoreKind::Sqlite).await;
    let api = world.api();
    let _ = api.lend("before", "192.0.2.1").await;
    let token = api.reserve("during").await;
    let _ = api.post("/v1/freeze", &json!({"poolDomain": POOL})).await.expect(&[200, 204]);
    assert_eq!(api.get("/v1/pools").await.body["pools"][0]["frozen"], true);
    let writes = world.proxy().writes();
    let _ = api.commit("during", &token, "192.0.2.2").await.expect(&[202]);
    let _ = api.try_release("before", None).await.expect(&[202]);
    // Two sweeps and many polls pass.
    let waited = tokio::time::timeout(Duration::from_secs(3), async {
        while world.proxy().writes() == writes {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_err(), "nothing is written while frozen: {:?}", &world.proxy().seen()[writes..]);
    assert_eq!(dns::short(world.dns().dns(), &fqdn("before"), "A"), ["192.0.2.1"], "reads go on");
    let _ = api.post("/v1/thaw", &json!({"poolDomain": POOL})).await.expect(&[200, 204]);
    api.await_phase("during", "active").await;
    api.await_phase("before", "quarantined").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn a_suspended_name_is_silent_and_kept_and_comes_back() {
    let world = World::new(StoreKind::Sqlite).await;
    let api = world.api();
    let _ = api.lend("omantel", "192.0.2.1").await;
    let path = format!("/v1/allocations/{}", fqdn("omantel"));
    let _ = api.post(&format!("{path}/suspend"), &json!({"reason": ""})).await.expect(&[400]);
    let _ = api.post(&format!("{path}/suspend"), &json!({"reason": "phishing"})).await.expect(&[200, 202]);
    let shown = api.await_phase("omantel", "active").await;
    assert_eq!(shown["suspended"], "phishing");
    assert!(dns::short(world.dns().dns(), &fqdn("console.omantel"), "A").is_empty());
    dns::must_validate(world.dns().dns(), &world.anchor(), POOL, &fqdn("console.omantel"), "A");
    let taken = api
        .post(
            "/v1/reserve",
            &json!({"mode": "pool", "poolDomain": POOL, "subdomain": "omantel", "owner": "x"}),
        )
        .await;
    assert_eq!(taken.code(), "name-taken");
    let _ = api.post(&format!("{path}/resume"), &json!({})).await.expect(&[200, 202]);
    api.await_phase("omantel", "active").await;
    assert_eq!(dns::short(world.dns().dns(), &fqdn("console.omantel"), "A"), ["192.0.2.1"]);
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn a_transfer_moves_the_right_and_not_the_dns() {
    let world = World::new(StoreKind::Sqlite).await;
    let (old, new) = (world.api_for("acme").await, world.api_for("globex").await);
    let _ = old.lend("omantel", "192.0.2.1").await;
    let path = format!("/v1/allocations/{}", fqdn("omantel"));
    let _ = new.get(&path).await.expect(&[404]);
    let forbidden = old.post(&format!("{path}/owner"), &json!({"owner": "globex"})).await.expect(&[403]);
    assert_eq!(forbidden.code(), "forbidden");
    let _ = world.api().post(&format!("{path}/owner"), &json!({"owner": "globex"})).await.expect(&[200, 202]);
    let _ = old.get(&path).await.expect(&[404]);
    new.await_phase("omantel", "active").await;
    let _ = old.try_release("omantel", None).await.expect(&[404]);
    let _ = new.retarget("omantel", "192.0.2.2").await;
    new.await_phase("omantel", "active").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn a_scope_is_a_wall() {
    let world = World::new(StoreKind::Sqlite).await;
    let acme = world.api_for("acme").await;
    let body = json!({"mode": "pool", "poolDomain": POOL, "subdomain": "omantel", "owner": "globex"});
    assert_eq!(acme.post("/v1/reserve", &body).await.expect(&[403]).code(), "forbidden");
    let _ = world.api().lend("theirs", "192.0.2.1").await;
    let _ = acme.get(&format!("/v1/allocations/{}", fqdn("theirs"))).await.expect(&[404]);
    let _ = acme.try_release("theirs", None).await.expect(&[404]);
    assert!(acme.allocations().await.is_empty());
    let token = acme.reserve("ours").await;
    assert_eq!(acme.allocation("ours").await["owner"], "acme");
    let wrong = acme.try_commit("ours", "bm90LXRoZS10b2tlbg", "192.0.2.1").await.expect(&[403]);
    assert_eq!(wrong.code(), "token-mismatch");
    let _ = acme.commit("ours", &token, "192.0.2.1").await;
    acme.await_phase("ours", "active").await;
    let second = acme.try_commit("ours", &token, "192.0.2.9").await.expect(&[409]);
    assert_eq!(second.code(), "already-committed");
    assert!(second.text.contains("target"), "it names the way: {second}");
}

#[tokio::test]
async fn roles_do_what_their_row_says() {
    let world = World::new(StoreKind::Sqlite).await;
    assert_eq!(world.stranger().get("/v1/pools").await.expect(&[401]).code(), "unauthenticated");
    let auditor = world.api_as("eye", "auditor", &[]).await;
    let _ = auditor.get("/v1/audit-log").await.expect(&[200]);
    assert_eq!(auditor.try_reserve("omantel").await.expect(&[403]).code(), "forbidden");
    let wizard = world.api_as("page", "wizard", &[]).await;
    let _ = wizard.reserve("omantel").await;
    let _ = wizard.try_release("omantel", None).await.expect(&[403]);
    let provisioner = world.api_as("robot", "provisioner", &[]).await;
    let _ = provisioner.post("/v1/freeze", &json!({})).await.expect(&[403]);
    let _ = provisioner.get("/v1/audit-log").await.expect(&[403]);
}

#[tokio::test]
async fn a_revoked_token_is_out_within_seconds() {
    let world = World::new(StoreKind::Sqlite).await;
    let robot = world.api_as("robot", "provisioner", &[]).await;
    let file = world.path("tokens.toml").display().to_string();
    let listed = pdm_harness::daemon::verb(&["token", "list", "--file", &file], &[]).unwrap();
    assert!(listed.contains("robot"), "{listed}");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(world.token()), "tokens are stored hashed");
    pdm_harness::daemon::verb(&["token", "revoke", "--file", &file, "--name", "robot"], &[]).unwrap();
    pdm_harness::until("the token to be refused", || async {
        let answer = robot.get("/v1/pools").await;
        if answer.status == 401 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn a_quota_is_kept() {
    let world = Plan::new(StoreKind::Sqlite).pool("quota = 2").start().await;
    let acme = world.api_for("acme").await;
    let (_, _) = (acme.reserve("one").await, acme.reserve("two").await);
    assert_eq!(acme.try_reserve("three").await.expect(&[409]).code(), "quota-reached");
    let _ = world.api_for("globex").await.reserve("three").await;
    let _ = acme.try_release("one", None).await.expect(&[200, 202]);
    let _ = acme.reserve("four").await;
}

#[tokio::test]
async fn a_run_of_withdrawals_needs_an_admin() {
    let world = Plan::new(StoreKind::Sqlite).pool("withdrawals_per_hour = 2").start().await;
    let acme = world.api_for("acme").await;
    for label in ["one", "two", "three"] {
        let _ = acme.lend(label, "192.0.2.1").await;
    }
    acme.give_back("one").await;
    acme.give_back("two").await;
    let refused = acme.try_release("three", None).await.expect(&[429]);
    assert_eq!(refused.code(), "too-many-withdrawals");
    assert!(!refused.header("retry-after").is_empty(), "{refused}");
    assert_eq!(acme.allocation("three").await["phase"], "active");
    world.api().give_back("three").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn an_operation_can_be_hurried_and_watched() {
    let world = World::new(StoreKind::Sqlite).await;
    world.warm().await;
    let api = world.api();
    let token = api.reserve("omantel").await;
    world.proxy().set(pdm_harness::Fault::Down);
    let answer = api.commit("omantel", &token, "192.0.2.1").await.expect(&[202]);
    let path = answer.header("location").to_owned();
    api.await_that("omantel", "to wait", Duration::from_secs(30), |a| {
        open_operation(a).is_some_and(|o| o["steps"].to_string().contains("waitReason"))
    })
    .await;
    world.proxy().heal();
    let _ = api.post(&format!("{path}/retry"), &json!({})).await.expect(&[200, 202]);
    api.await_phase("omantel", "active").await;
    let events = api.get(&format!("{path}/events")).await.expect(&[200]);
    assert!(events.header("content-type").starts_with("text/event-stream"), "{:?}", events.headers);
    assert!(events.text.contains("\nid:") || events.text.starts_with("id:"), "{events}");
    assert!(events.text.contains("await-chain"), "{events}");
}
