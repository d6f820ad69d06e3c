//! `make bench`: PDM against the floor of raw PowerDNS, measured in the same run on the same servers.
//!
//! `--quick` takes fewer samples and does not grow the pool; `--only sqlite|postgres|audits|memory` measures one; `--json FILE`
//! keeps the figures.

mod audits;
mod figures;
mod floor;
mod http;
mod load;
mod memory;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use figures::{Figures, line};
use load::{label, many};
use serde_json::{Value, json};
use target::{Target, rss};

type Failed = Box<dyn std::error::Error>;

const USAGE: &str = "usage: pdm-bench [--quick] [--only sqlite|postgres|audits|memory] [--json FILE]";

const TARGETS: [&str; 4] = ["sqlite", "postgres", "audits", "memory"];

/// How much to measure.
struct Size {
    samples: usize,
    grow: usize,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut quick, mut only, mut file) = (false, None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => quick = true,
            "--only" => {
                only = Some(args.next().filter(|name| TARGETS.contains(&name.as_str())).ok_or(USAGE)?)
            }
            "--json" => file = Some(args.next().ok_or(USAGE)?),
            _ => return Err(USAGE.into()),
        }
    }
    let size = if quick { Size { samples: 240, grow: 0 } } else { Size { samples: 600, grow: 10_000 } };
    let wanted = |name: &str| only.as_deref().is_none_or(|o| o == name);
    let mut all = Vec::new();
    if wanted("sqlite") {
        all.push(measure(target::sqlite().await?, &size).await?);
    }
    if wanted("postgres") {
        all.push(measure(target::postgres().await?, &Size { grow: 0, ..size }).await?);
    }
    if wanted("audits") {
        all.push(audits::measure(quick).await?);
    }
    if wanted("memory") {
        all.push(memory::measure(if quick { 1_000 } else { 10_000 }).await?);
    }
    if let Some(file) = file {
        std::fs::write(file, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

async fn measure(target: Target, size: &Size) -> Result<Value, Failed> {
    println!("\n== {} ==", target.name);
    let pid = target.daemon.child().id();
    let idle = rss(pid);
    println!("start to ready {:.0} ms, resident {idle:.1} MiB idle", target.start.as_secs_f64() * 1000.0);
    let mut results = Vec::new();
    let (host, token) = (target.host.clone(), target.token.clone());
    floor::prepare(&target.raw).await?;

    for concurrency in [1, 16] {
        let figures = many(&host, &token, size.samples * 50, concurrency, load::check).await.map_err(text)?;
        line(&mut results, "check", concurrency, &figures, "");
    }
    for concurrency in [1, 4, 16, 64] {
        let tag = format!("r{concurrency}-");
        let figures = many(&host, &token, size.samples * 4, concurrency, move |mut c, n| {
            let label = label(&tag, n);
            async move {
                let begun = Instant::now();
                load::reserve(&mut c, &label).await?;
                Ok((c, begun.elapsed()))
            }
        });
        line(&mut results, "reserve", concurrency, &figures.await.map_err(text)?, "");
    }
    let mut ratios = Vec::new();
    for concurrency in [1, 4, 16, 64] {
        let count = if concurrency == 1 { size.samples / 4 } else { size.samples };
        let raw = floor::run(&target.raw, count, concurrency, &format!("f{concurrency}-")).await?;
        line(&mut results, "floor of a lifecycle", concurrency, &raw, "raw PowerDNS and DNS");
        let before = floor::counted(&target.raw).await?;
        let figures = lifecycles(&target, &format!("c{concurrency}-"), count, concurrency).await?;
        let after = floor::counted(&target.raw).await?;
        let asked = |a: u64, b: u64| (a - b) as f64 / count as f64;
        let note = format!(
            "{:.2} of the floor; {:.1} UDP and {:.1} TCP questions each",
            figures.rate / raw.rate,
            asked(after.0, before.0),
            asked(after.1, before.1)
        );
        line(&mut results, "reserve to proved", concurrency, &figures, &note);
        ratios.push(json!({ "concurrency": concurrency, "ofFloor": figures.rate / raw.rate }));
    }
    let idle_commit = commits(&target, "i-", 50).await?;
    line(&mut results, "commit to proved, idle", 1, &idle_commit, "");
    let released = releases(&target, "c16-", size.samples.min(200), 16).await?;
    line(&mut results, "release to quarantined", 16, &released, "includes the wait of the 1 s DS TTL");
    let mut grown = Value::Null;
    if size.grow > 0 {
        grown = grow(&target, size, &mut results).await?;
    }
    let full = rss(pid);
    println!("resident {full:.1} MiB at the end");
    Ok(json!({
        "store": target.name, "startMs": target.start.as_millis() as u64, "rssIdleMiB": idle, "rssEndMiB": full,
        "results": results, "ratios": ratios, "growth": grown,
    }))
}

fn text(error: Box<dyn std::error::Error + Send + Sync>) -> Failed {
    error.to_string().into()
}

/// Reserve, commit, wait until proved.
async fn lifecycles(target: &Target, tag: &str, count: usize, concurrency: usize) -> Result<Figures, Failed> {
    let tag: Arc<str> = tag.into();
    let act = move |mut c, n| {
        let label = label(&tag, n);
        async move {
            let begun = Instant::now();
            let reserved = load::reserve(&mut c, &label).await?;
            load::commit(&mut c, &label, &reserved).await?;
            Ok((c, begun.elapsed()))
        }
    };
    many(&target.host, &target.token, count, concurrency, act).await.map_err(text)
}

/// Commits one after the other, with a pause, timed from the request to the proof.
async fn commits(target: &Target, tag: &str, count: usize) -> Result<Figures, Failed> {
    let tag: Arc<str> = tag.into();
    let act = move |mut c, n| {
        let label = label(&tag, n);
        async move {
            let reserved = load::reserve(&mut c, &label).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let begun = Instant::now();
            load::commit(&mut c, &label, &reserved).await?;
            Ok((c, begun.elapsed()))
        }
    };
    many(&target.host, &target.token, count, 1, act).await.map_err(text)
}

async fn releases(target: &Target, tag: &str, count: usize, concurrency: usize) -> Result<Figures, Failed> {
    let tag: Arc<str> = tag.into();
    let act = move |mut c, n| {
        let label = label(&tag, n);
        async move {
            let begun = Instant::now();
            load::release(&mut c, &label).await?;
            Ok((c, begun.elapsed()))
        }
    };
    many(&target.host, &target.token, count, concurrency, act).await.map_err(text)
}

/// The cost of a lifecycle in a pool of 1,000 and of 10,000, with zones and delegations really there.
async fn grow(target: &Target, size: &Size, results: &mut Vec<Value>) -> Result<Value, Failed> {
    let mut steps = Vec::new();
    let mut there = 0;
    for goal in [0, 1_000, size.grow] {
        if goal > there {
            let begun = Instant::now();
            lifecycles(target, &format!("g{goal}-"), goal - there, 16).await?;
            println!("grown to {goal} in {:.0} s", begun.elapsed().as_secs_f64());
            there = goal;
        }
        let figures = lifecycles(target, &format!("m{goal}-"), size.samples, 16).await?;
        line(results, &format!("lifecycle beside {goal}"), 16, &figures, "");
        steps.push(json!({ "allocations": goal, "perSecond": figures.rate }));
    }
    Ok(Value::Array(steps))
}
