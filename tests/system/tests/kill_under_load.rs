//! `kill -9` at random moments while many clients are at it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::Duration;

use pdm_harness::{StoreKind, World, client, size, truth};

/// A small generator with a seed, so that a failure can be run again.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

async fn killed_again_and_again(store: StoreKind, mut seed: u64) {
    let mut world = World::new(store).await;
    let lives = size(12, 60);
    let stories: Vec<_> = (0..lives)
        .map(|n| {
            let api = world.api();
            tokio::spawn(async move { client::life(api, &format!("load-{n}"), n % 3 == 0).await })
        })
        .collect();
    for kill in 0..size(6, 40) {
        let pause = Duration::from_millis(150 + next(&mut seed) % 900);
        tokio::time::sleep(pause).await;
        if stories.iter().all(tokio::task::JoinHandle::is_finished) {
            assert!(kill > 1, "the stories ended before anything was killed");
            break;
        }
        world.daemon().kill();
        world.daemon().go().await;
    }
    for story in stories {
        story.await.unwrap();
    }
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn on_sqlite() {
    killed_again_and_again(StoreKind::Sqlite, 0x5eed_0001).await;
}

#[tokio::test]
async fn on_postgres() {
    killed_again_and_again(StoreKind::Postgres, 0x5eed_0002).await;
}
