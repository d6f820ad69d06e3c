//! Figures, not verdicts: `cargo test --release -p pdm-store --test measure -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by a panic")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pdm_model::OperationKind;
use pdm_ports::store::{Checkpoint, Store, Then};
use pdm_store::SqlStore;
use support::*;

/// A label whose look no other number shares.
fn label(n: usize) -> String {
    let letters = b"abcdefghjk";
    let text: Vec<u8> = format!("{n:06}").bytes().map(|d| letters[usize::from(d - b'0')]).collect();
    format!("q{}", String::from_utf8(text).unwrap())
}

fn report(what: &str, took: Duration, mut each: Vec<Duration>) {
    each.sort();
    let at = |part: f64| each[((each.len() - 1) as f64 * part) as usize];
    println!(
        "{what}: {:.0}/s, p50 {:?}, p99 {:?}, max {:?}",
        each.len() as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Run `each` of `tasks` tasks `times` times.
async fn at_once<F>(
    what: &str,
    tasks: usize,
    times: usize,
    each: impl Fn(usize) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    let begun = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let each = each.clone();
            tokio::spawn(async move {
                let mut took = Vec::with_capacity(times);
                for n in 0..times {
                    let begun = Instant::now();
                    each(task * times + n).await;
                    took.push(begun.elapsed());
                }
                took
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in running {
        all.extend(task.await.unwrap());
    }
    report(what, begun.elapsed(), all);
}

async fn measure(kind: Kind) {
    let bed = Bed::new(kind);
    let store: Arc<SqlStore> = Arc::new(bed.open().await);
    let s = Arc::clone(&store);
    at_once(&format!("{kind:?} reserve at 16"), 16, 500, move |n| {
        let s = Arc::clone(&s);
        async move { drop(reserve(&s, &label(n), &format!("o{}", n % 97)).await.unwrap()) }
    })
    .await;
    let s = Arc::clone(&store);
    at_once(&format!("{kind:?} reserve at 1"), 1, 500, move |n| {
        let s = Arc::clone(&s);
        async move { drop(reserve(&s, &label(10_000 + n), "one").await.unwrap()) }
    })
    .await;
    let s = Arc::clone(&store);
    at_once(&format!("{kind:?} commit at 16"), 16, 200, move |n| {
        let s = Arc::clone(&s);
        async move { drop(operate(&s, &label(n), OperationKind::Commit, None).await) }
    })
    .await;
    let s = Arc::clone(&store);
    at_once(&format!("{kind:?} lease one and finish at 4"), 4, 200, move |n| {
        let s = Arc::clone(&s);
        async move {
            let token = n.to_string();
            for lease in s.lease(&token, Duration::from_secs(60), 1).await.unwrap() {
                let done = Checkpoint { then: Then::Finish, ..Checkpoint::default() };
                s.checkpoint(&lease.operation.id, &token, done).await.unwrap();
            }
        }
    })
    .await;
    for tasks in [1, 16, 128] {
        let s = Arc::clone(&store);
        at_once(&format!("{kind:?} holder at {tasks}"), tasks, 100_000 / (tasks + 9), move |n| {
            let s = Arc::clone(&s);
            async move {
                let label = label(n % 16_000);
                s.holder(&under(&label), &pool(), &look(&label)).await.unwrap();
            }
        })
        .await;
    }
    let s = Arc::clone(&store);
    at_once(&format!("{kind:?} allocation at 16"), 16, 1000, move |n| {
        let s = Arc::clone(&s);
        async move { drop(s.allocation(&under(&label(n % 8000))).await.unwrap()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a while and says nothing in a debug build"]
async fn sqlite() {
    measure(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a while and says nothing in a debug build"]
async fn postgres() {
    measure(Kind::Postgres).await;
}
