//! Audits: a full one of one Sovereign on demand, and the rounds of quick looks at every one of them, in pools of 100, 300
//! and 2,000. PowerDNS keeps no answers, so that every question is worked out, as after a pause of minutes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::figures::{Figures, line};
use crate::http::Connection;
use crate::load::{label, many, must};
use crate::target::{self, POOL, Target, rss};
use crate::{Failed, lifecycles, text};

/// Rounds of quick looks that a figure is the median of.
const ROUNDS: usize = 5;

/// Measure.
pub async fn measure(quick: bool) -> Result<Value, Failed> {
    let mut target = target::audited().await?;
    println!("\n== {} ==", target.name);
    let mut results = Vec::new();
    let (mut there, mut sizes) = (0, Vec::new());
    for &goal in if quick { &[100, 300][..] } else { &[100, 300, 2_000] } {
        lifecycles(&target, &format!("n{goal}-"), goal - there, 16).await?;
        there = goal;
        if goal == 100 {
            full(&target, &mut results).await?;
        }
        // A new process: what making the names took is not what looking at them takes.
        target.daemon.stop().await;
        target.daemon.go().await;
        target.daemon.ready().await;
        let mut rounds = rounds(&target, goal).await?;
        // Signatures that were not seen before are verified in the first round, afterwards known.
        let first = goal as f64 / rounds[0];
        rounds.sort_by(f64::total_cmp);
        let (median, resident) = (rounds[rounds.len() / 2], rss(target.daemon.child().id()));
        let rate = goal as f64 / median;
        println!(
            "quick looks at {goal:<13} {rate:>15.1}/s   round {:>8.2} ms   first {first:.1}/s   resident {resident:.1} MiB",
            median * 1000.0
        );
        sizes.push(json!({
            "names": goal, "perSecond": rate, "firstPerSecond": first, "roundMs": median * 1000.0,
            "rssMiB": resident,
        }));
    }
    Ok(json!({ "store": target.name, "results": results, "glances": sizes }))
}

/// Full audits on demand, one after the other and four at once.
async fn full(target: &Target, results: &mut Vec<Value>) -> Result<(), Failed> {
    for concurrency in [1, 4] {
        let act = move |mut c: Connection, n| {
            let fqdn = format!("{}.{POOL}", label("n100-", n));
            async move {
                let begun = Instant::now();
                let answer = c.post("/v1/audits", &json!({ "fqdn": fqdn }), 0).await?;
                must("audit", &[200], answer)?;
                Ok((c, begun.elapsed()))
            }
        };
        let figures: Figures = many(&target.host, &target.token, 60, concurrency, act).await.map_err(text)?;
        line(results, "full audit", concurrency, &figures, "");
    }
    Ok(())
}

/// Seconds of the next rounds at so many names.
async fn rounds(target: &Target, names: usize) -> Result<Vec<f64>, Failed> {
    let mut connection = Connection::open(&target.host, &target.token).await?;
    let (mut seen, mut last) = (Vec::new(), 0.0);
    let begun = Instant::now();
    while seen.len() < ROUNDS {
        if begun.elapsed() > Duration::from_secs(300) {
            return Err(format!("only {} rounds in five minutes", seen.len()).into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (_, body) = connection.get("/metrics").await?;
        let body = String::from_utf8_lossy(&body);
        let of = |name: &str| -> f64 {
            let value = body.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok());
            value.unwrap_or_default()
        };
        let total = of("pdm_glance_rounds_total ");
        if total > last && of("pdm_glance_round_names ") == names as f64 {
            seen.push(of("pdm_glance_round_seconds "));
        }
        last = total;
        let silences = body.lines().find(|l| l.starts_with("pdm_glance_silences_total"));
        if let Some(line) = silences {
            return Err(format!("a server said nothing: {line}").into());
        }
    }
    Ok(seen)
}
