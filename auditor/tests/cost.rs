//! What a proof costs this process: `PDM_TEST_FULL=1 cargo test --release -p pdm-auditor --test cost -- --nocapture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::time::Instant;

use pdm_ports::DnsProbe;
use support::{Pdns, prober};

/// Nanoseconds of CPU that this thread has used.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn signatures_that_are_known_cost_nothing_again() {
    let rounds = if std::env::var_os("PDM_TEST_FULL").is_some() { 200u32 } else { 20 };
    for (caches, more) in [("off", ""), ("on", "cache-ttl=20\nquery-cache-ttl=20\nnegquery-cache-ttl=20")] {
        let pdns = Pdns::start_with(&format!("max-tcp-connections=100\n{more}"));
        let request = pdns.ready(true);
        let mut used_with = Vec::new();
        for (signatures, fresh) in [("new", true), ("known", false)] {
            let mut one = prober();
            let mut queries = 0;
            one.prove(&request).await.unwrap().unwrap();
            let (begun, used) = (Instant::now(), cpu());
            for _ in 0..rounds {
                if fresh {
                    one = prober();
                }
                queries = one.prove(&request).await.unwrap().unwrap().queries;
            }
            let (wall, cpu) = (begun.elapsed(), cpu() - used);
            used_with.push(cpu);
            println!(
                "caches of the server {caches}, signatures {signatures} to the prober: {queries} queries, \
                 {:.2} ms CPU, {:.2} ms wall",
                cpu as f64 / 1e6 / f64::from(rounds),
                wall.as_secs_f64() * 1e3 / f64::from(rounds)
            );
        }
        assert!(used_with[1] < used_with[0], "nanoseconds with new and with known signatures: {used_with:?}");
    }
}
