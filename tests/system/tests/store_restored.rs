//! A store restored from an older backup notices, starts read-only, and is rebuilt from the stamps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use pdm_harness::daemon::verb;
use pdm_harness::{StoreKind, World, truth, until};

fn backup(world: &World, name: &str) {
    match &world.postgres {
        Some(server) => server.copy("pdm", "backup"),
        None => {
            let to = format!(".backup {}", world.path(name).display());
            let done =
                std::process::Command::new("sqlite3").arg(world.store_file()).arg(to).status().unwrap();
            assert!(done.success());
        }
    }
}

fn restore(world: &World, name: &str) {
    match &world.postgres {
        Some(server) => server.copy("backup", "pdm"),
        None => {
            for ending in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{ending}", world.store_file().display()));
            }
            std::fs::copy(world.path(name), world.store_file()).unwrap();
        }
    }
}

async fn older_backup(store: StoreKind) {
    let mut world = World::new(store).await;
    let _ = world.api().lend("known", "192.0.2.1").await;
    world.daemon().stop().await;
    backup(&world, "backup.db");
    world.daemon().go().await;
    let acme = world.api_for("acme").await;
    let _ = acme.lend("forgotten", "192.0.2.2").await;
    let _ = world.api().retarget("known", "192.0.2.3").await;
    world.api().await_phase("known", "active").await;
    world.daemon().stop().await;
    restore(&world, "backup.db");
    world.daemon().go().await;

    // Until PowerDNS was asked for its mark, a reservation may still be taken: it is in the store only.
    let asked = std::cell::Cell::new(0);
    let refused = until("the store to be found old", || async {
        asked.set(asked.get() + 1);
        let answer = world.api().try_reserve(&format!("probe-{}", asked.get())).await;
        if answer.status == 503 { Ok(answer) } else { Err(answer) }
    })
    .await;
    assert_eq!(refused.code(), "read-only");
    assert!(refused.text.contains("pdm store recover"), "{refused}");
    let writes = world.proxy().writes();
    let _ = world.api().get("/v1/allocations").await.expect(&[200]);
    assert_eq!(world.proxy().writes(), writes, "read-only means that nothing is written");
    world.daemon().stop().await;
    let said =
        verb(&["store", "recover", "--config", &world.config_file(0).display().to_string()], &[]).unwrap();
    assert!(!said.is_empty());
    world.daemon().go().await;
    world.daemons[0].ready().await;
    let shown = world.api().await_phase("forgotten", "active").await;
    assert_eq!(shown["owner"], "acme", "the stamp knows whose it is");
    assert_eq!(shown["loadBalancers"][0]["ipv4"], "192.0.2.2");
    assert_eq!(
        world.api().allocation("known").await["loadBalancers"][0]["ipv4"],
        "192.0.2.3",
        "brought forward"
    );
    world.api().await_condition("forgotten", "ChainSecure", "True").await;
    truth::must_hold(&world).await;
    let taken = world.api().try_reserve("forgotten").await.expect(&[409]);
    assert_eq!(taken.code(), "name-taken", "a name that is in the DNS is never lent twice");
    let _ = world.api().lend("new-name", "192.0.2.4").await;
    acme.give_back("forgotten").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn on_sqlite() {
    older_backup(StoreKind::Sqlite).await;
}

#[tokio::test]
async fn on_postgres() {
    older_backup(StoreKind::Postgres).await;
}

#[tokio::test]
async fn a_store_is_copied_from_sqlite_to_postgres() {
    let mut world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    let server = pdm_harness::Postgres::start().await;
    server.create("pdm");
    world.daemon().stop().await;
    let config = world.config_file(0);
    verb(&["store", "copy", "--config", &config.display().to_string(), "--to", &server.url("pdm")], &[])
        .unwrap();
    let text = std::fs::read_to_string(&config).unwrap().replace(&world.store_url(), &server.url("pdm"));
    std::fs::write(&config, text).unwrap();
    world.daemon().go().await;
    world.daemons[0].ready().await;
    assert_eq!(world.api().allocation("omantel").await["phase"], "active");
    let _ = world.api().retarget("omantel", "192.0.2.9").await;
    world.api().await_phase("omantel", "active").await;
    world.api().give_back("omantel").await;
    truth::must_hold(&world).await;
}
