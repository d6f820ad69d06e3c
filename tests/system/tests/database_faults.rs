//! The store's database goes down and comes back in mid-flight.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::Duration;

use pdm_harness::{Fault, StoreKind, World, truth, until};

#[tokio::test]
async fn postgres_is_down_and_clients_are_told_and_it_goes_on_by_itself() {
    let mut world = World::new(StoreKind::Postgres).await;
    world.warm().await;
    let token = world.api().reserve("omantel").await;
    // The commit is accepted, and its work is held up until the database is gone.
    world.proxy().set(Fault::Slow(Duration::from_millis(300)));
    let _ = world.api().commit("omantel", &token, "192.0.2.1").await.expect(&[202]);
    world.postgres.as_mut().unwrap().kill().await;
    world.proxy().heal();
    let refused = world.api().try_reserve("another").await;
    assert_eq!((refused.status, refused.code()), (503, "store-unavailable"), "{refused}");
    assert!(!refused.header("retry-after").is_empty(), "{refused}");
    let ready = world.stranger().get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text.contains("store"), "{ready}");
    assert_eq!(world.stranger().get("/healthz").await.status, 200);
    world.postgres.as_mut().unwrap().go().await;
    world.api().await_phase("omantel", "active").await;
    let _ = world.api().lend("another", "192.0.2.2").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn connections_are_cut_while_many_are_at_it() {
    let world = World::new(StoreKind::Postgres).await;
    let stories: Vec<_> = (0..8)
        .map(|n| {
            let api = world.api();
            tokio::spawn(async move { pdm_harness::client::life(api, &format!("cut-{n}"), n % 2 == 0).await })
        })
        .collect();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.postgres.as_ref().unwrap().disconnect("pdm");
    }
    for story in stories {
        story.await.unwrap();
    }
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn a_locked_sqlite_file_only_costs_time() {
    let world = World::new(StoreKind::Sqlite).await;
    let token = world.api().reserve("omantel").await;
    let _ = world.api().commit("omantel", &token, "192.0.2.1").await;
    // Somebody else holds the write lock for a while, as a backup tool would.
    let mut locker = std::process::Command::new("sqlite3")
        .arg(world.store_file())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = locker.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b".timeout 5000\nbegin immediate;\n").unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    drop(stdin);
    locker.wait().unwrap();
    world.api().await_phase("omantel", "active").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn a_second_daemon_on_one_sqlite_file_is_refused() {
    let world = World::new(StoreKind::Sqlite).await;
    let mut twin =
        pdm_harness::Daemon::serve(&world.config_file(0), world.powerdns[0].http(), &world.path("twin.log"));
    twin.launch();
    until("the second daemon to give up", || async { if twin.alive() { Err("it runs") } else { Ok(()) } })
        .await;
    let log = twin.log();
    assert!(log.contains("pdm.db") || log.contains("lock"), "it says why: {log}");
    let _ = world.api().lend("omantel", "192.0.2.1").await;
}
