//! Die at every crash point of reserve, commit, change and release; start again; the end state is consistent.
//!
//! The points are traced once, on a life that nothing disturbs. Then the daemon is told to die at each of them, one
//! after the other, while a client repeats its requests. The client never learns of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::BTreeMap;

use pdm_harness::{Plan, StoreKind, World, client, full, truth};

/// Nothing but the story may pass points, so nothing looks for drift meanwhile.
const QUIET: &str = "[worker]\npoll = \"200ms\"\nsweep = \"10m\"\nlease = \"3s\"";

/// The points of one undisturbed life, as `point:N`, in the order in which they were passed.
async fn trace(world: &mut World) -> Vec<String> {
    let file = world.path("trace");
    world.daemon().stop().await;
    let shown = file.display().to_string();
    world.daemon().env("PDM_CRASH_TRACE", &shown);
    world.daemon().go().await;
    world.daemons[0].ready().await;
    client::life(world.api(), "traced", true).await;
    world.daemon().stop().await;
    world.daemon().unset("PDM_CRASH_TRACE");
    let mut passed = BTreeMap::<String, u64>::new();
    let text = std::fs::read_to_string(file).unwrap();
    let points = text.lines().map(|line| {
        let n = passed.entry(line.to_owned()).or_default();
        *n += 1;
        format!("{line}:{n}")
    });
    points.collect()
}

/// Points worth dying at: all of them, or for the sample the first and the middle passing of each.
fn chosen(points: &[String], offset: usize) -> Vec<String> {
    if full() {
        return points.to_vec();
    }
    let verb = |p: &&String| {
        !p.contains("store.lease:") && !p.contains("store.expire") && !p.contains("store.prune")
    };
    let wanted: Vec<_> = points.iter().filter(verb).cloned().collect();
    wanted.into_iter().skip(offset).step_by(4).collect()
}

async fn die_at(world: &mut World, point: &str, label: &str) -> bool {
    world.daemon().env("PDM_CRASH_AT", point);
    world.daemon().launch();
    let api = world.api();
    let name = label.to_owned();
    let story = tokio::spawn(async move { client::life(api, &name, true).await });
    let mut died = false;
    while !story.is_finished() {
        if !world.daemon().alive() {
            died = true;
            world.daemon().unset("PDM_CRASH_AT");
            world.daemon().go().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    story.await.unwrap_or_else(|e| panic!("after dying at {point}: {e}"));
    if !world.daemon().alive() {
        died = true;
        world.daemon().unset("PDM_CRASH_AT");
        world.daemon().go().await;
    }
    let wrong = truth::differences(world).await;
    assert!(wrong.is_empty(), "after dying at {point}:\n  {}", wrong.join("\n  "));
    world.daemon().stop().await;
    died
}

/// How many installations die side by side: most of the time is spent waiting for leases, for calls of
/// the dead that may still land, and for TTLs.
const SIDE_BY_SIDE: usize = 8;

async fn one_of_several(store: StoreKind, points: Vec<String>) -> usize {
    let mut world = Plan::new(store).section(QUIET).start().await;
    world.warm().await;
    world.daemon().stop().await;
    let mut died = 0;
    for (n, point) in points.iter().enumerate() {
        died += usize::from(die_at(&mut world, point, &format!("dies-{n}")).await);
    }
    died
}

async fn die_everywhere(store: StoreKind, offset: usize) {
    let mut world = Plan::new(store).section(QUIET).start().await;
    world.warm().await;
    let points = trace(&mut world).await;
    drop(world);
    for wanted in
        ["store.decide", "store.checkpoint", "zones.create_zone", "parent.apply", "zones.remove_zone"]
    {
        assert!(points.iter().any(|p| p.contains(wanted)), "a life passes {wanted}: {points:?}");
    }
    let chosen = chosen(&points, offset);
    let parts =
        (0..SIDE_BY_SIDE).map(|part| chosen.iter().skip(part).step_by(SIDE_BY_SIDE).cloned().collect());
    let runs: Vec<_> = parts.map(|part| tokio::spawn(one_of_several(store, part))).collect();
    let mut died = 0;
    for run in runs {
        died += run.await.unwrap();
    }
    // Polls differ from run to run, so a late passing of a point may not come again.
    assert!(died * 10 >= chosen.len() * 7, "only {died} of {} points were reached", chosen.len());
    eprintln!("{} points traced, {} tried, {died} deaths", points.len(), chosen.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_survives_death_at_every_point_on_sqlite() {
    die_everywhere(StoreKind::Sqlite, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_survives_death_at_every_point_on_postgres() {
    die_everywhere(StoreKind::Postgres, 2).await;
}
