//! Every nameserver computes the policy, and has begun its checks.
//!
//! With LUA records switched off a nameserver answers as if they were not there, in silence: only a real question tells.
//! The first question also begins the checks of a nameserver, so that no client is the first to ask. If the process
//! died here, the next run asks again, which is all there is to it.

use std::time::Duration;

use pdm_model::{ConditionKind, Opinion, StepKind, Verdict, Who};
use pdm_ports::Fault;
use serde_json::json;

use crate::failover::{opinions, overall};
use crate::reconcile::backoff::doubled;
use crate::reconcile::drive::{Outcome, Work};

/// Looks in quick succession, so that caches of a moment do not cost a wait.
const QUICK_LOOKS: u32 = 5;

pub(super) async fn run(work: &mut Work) -> Result<Outcome, Fault> {
    let engine = work.engine.clone();
    let Some(policy) = engine.policy(&work.allocation)? else {
        return Ok(forget(work));
    };
    let attempts =
        work.operation.steps.iter().find(|s| s.kind == StepKind::EnsureFailover).map_or(0, |s| s.attempts);
    if attempts > 0 {
        engine.forget_lua_server().await;
    }
    engine.must_compute(&work.allocation).await?;
    let mut found: Vec<Opinion> = Vec::new();
    let mut by = policy.clone();
    for look in 0..QUICK_LOOKS {
        if look > 0 {
            tokio::time::sleep(doubled(Duration::from_millis(40), Duration::from_millis(300), look)).await;
        }
        let Some((judged, seen)) = engine.ask_policy(&work.allocation, policy.clone()).await? else {
            // The owner kept what stood at every name: there is nothing that carries the policy.
            return Ok(forget(work));
        };
        // What was thought of the policy before says nothing about this one.
        found = opinions(&judged, &[], &seen, work.now());
        by = judged;
        if found.iter().all(computes) {
            break;
        }
    }
    let (status, reason, detail) = overall(&by, &found);
    work.set(ConditionKind::FailoverIdle, status, reason, detail);
    work.allocation.observed.opinions.clone_from(&found);
    let lacking = found.iter().find(|opinion| !computes(opinion));
    if let Some(opinion) = lacking.filter(|_| !found.is_empty()) {
        let (reason, what) = match opinion.verdict {
            Verdict::Silent => ("nameserver-silent", "does not answer"),
            _ => ("failover-not-computed", "gives no answer of the policy; is enable-lua-records on there?"),
        };
        let who = if attempts > 3 { Who::Operator } else { Who::Nobody };
        let again = doubled(Duration::from_millis(250), Duration::from_secs(15), attempts);
        let detail = format!("{} ({}) {what}", opinion.names.join(", "), opinion.server);
        return Ok(Outcome::Wait {
            reason: reason.to_owned(),
            detail,
            who,
            again,
            from_start: attempts % 8 == 7,
        });
    }
    engine.watch_policy(&work.allocation.fqdn);
    let answers: Vec<_> = found
        .iter()
        .map(|o| json!({ "server": o.server, "verdict": o.verdict.as_str(), "addresses": o.addresses }))
        .collect();
    Ok(Outcome::Done { evidence: json!({ "nameservers": answers }), event: None, also: None })
}

fn forget(work: &mut Work) -> Outcome {
    work.allocation.forget_failover();
    Outcome::Nothing
}

fn computes(opinion: &Opinion) -> bool {
    !matches!(opinion.verdict, Verdict::NotComputed | Verdict::Silent)
}
