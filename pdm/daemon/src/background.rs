//! What goes on beside requests and operations: looking at the servers, preparing pool zones, comparing clocks.

use std::sync::Arc;
use std::time::Duration;

use pdm_model::ZoneName;
use pdm_ports::Store;
use pdm_powerdns::{PoolParent, PowerDns, Severity};

use crate::clock;
use crate::crash::{PREPARE, Points};
use crate::guard::Ground;

/// PowerDNS's own caches of zone settings and answers, at its defaults: 60 s and 20 s, and a little more.
const SETTINGS_FORGOTTEN: Duration = Duration::from_secs(90);
/// Between two comparisons of the clocks.
const CLOCK_ROUND: Duration = Duration::from_secs(10);

/// Say what is wrong with the servers and how to mend it, once they answer; until then, that they do not.
pub async fn report(powerdns: &PowerDns) {
    let mut told = Vec::new();
    loop {
        let report = powerdns.preflight().await;
        // The same words every quarter of a minute would hide what is new.
        for finding in report.findings.iter().filter(|finding| !told.contains(*finding)) {
            let (code, instance, what, mend) =
                (finding.code, &finding.instance, &finding.what, &finding.mend);
            match finding.severity {
                Severity::Error => tracing::error!(code, %instance, %mend, "PowerDNS: {what}"),
                Severity::Warning => tracing::warn!(code, %instance, %mend, "PowerDNS: {what}"),
            }
        }
        if report.is_usable() {
            tracing::info!(
                version = report.version,
                backend = report.backend,
                "PowerDNS is set up as needed"
            );
            return;
        }
        told = report.findings;
        tokio::time::sleep(Duration::from_secs(15)).await;
    }
}

/// Prepare a pool zone, however long it takes until PowerDNS answers.
pub async fn prepare(
    pools: Arc<PoolParent>,
    ground: Arc<Ground>,
    points: Option<Arc<Points>>,
    pool: ZoneName,
) {
    let pass = |side| points.iter().for_each(|points| points.pass(side, PREPARE));
    let mut pause = Duration::from_millis(200);
    loop {
        pass("before");
        let outcome = pools.prepare(&pool).await;
        pass("after");
        match outcome {
            Ok(prepared) => {
                for step in &prepared.plan.steps {
                    tracing::info!(%pool, code = step.code, applied = step.applies, "{}", step.what);
                }
                if prepared.switched && !prepared.created {
                    tracing::info!(%pool, seconds = SETTINGS_FORGOTTEN.as_secs(), "waiting until no server remembers the settings before");
                    tokio::time::sleep(SETTINGS_FORGOTTEN).await;
                }
                ground.prepared(&pool);
                return;
            }
            Err(fault) => tracing::warn!(%pool, %fault, "the pool zone is not prepared yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(15));
    }
}

/// Compare the host's clock with the store's.
pub async fn watch_clock(store: Arc<dyn Store>, ground: Arc<Ground>) {
    let mut round = tokio::time::interval(CLOCK_ROUND);
    loop {
        round.tick().await;
        let before = clock::host_now();
        // A store that does not answer is named by readiness already.
        let Ok(now) = store.now().await else { continue };
        let off = clock::distance(before, now, clock::host_now());
        if off >= clock::TOLERANCE_MS {
            tracing::error!(off_ms = off, "the host's clock differs from the store's; set it by NTP");
        }
        ground.clock_off(off);
    }
}
