//! Waits until no cache can hold the DS: the largest TTL that was seen, counted from when any server last answered it.

use std::time::Duration;

use pdm_model::{Ttl, Who};
use pdm_ports::Fault;
use serde_json::json;

use super::called;
use crate::reconcile::drive::{Outcome, Work};

pub(super) async fn run(work: &mut Work) -> Result<Outcome, Fault> {
    let Some(mut last_seen) = work.allocation.observed.ds_last_seen else {
        // There was none in the parent; nothing that a cache could hold by our doing.
        return Ok(Outcome::Done { evidence: json!({ "waited": 0 }), event: None, also: None });
    };
    let engine = work.engine.clone();
    let seen = engine.parts.probe.ds(&work.allocation.fqdn, &engine.settings.servers).await;
    let now = work.now();
    let wait = |reason: &str, detail: String, who, again| Outcome::Wait {
        reason: reason.to_owned(),
        detail,
        who,
        again,
        from_start: false,
    };
    if let Some(holder) = seen.iter().find(|s| s.ds.as_ref().is_some_and(|(set, _)| !set.is_empty())) {
        work.allocation.observed.ds_last_seen = Some(now);
        let detail = format!("{} still answers the DS", called(&holder.server));
        return Ok(wait("ds-still-served", detail, Who::Nobody, Duration::from_secs(1)));
    }
    if let Some(silent) = seen.iter().find(|s| s.ds.is_none()) {
        let detail = format!("{} does not answer, so nobody knows what it serves", called(&silent.server));
        return Ok(wait("server-silent", detail, Who::Operator, Duration::from_secs(5)));
    }
    last_seen = last_seen.max(work.allocation.observed.ds_last_seen.unwrap_or(last_seen));
    let ttl = work.allocation.observed.ds_ttl_seen.unwrap_or(Ttl::new(0));
    let over = last_seen + ttl.wait();
    if now < over {
        let detail = format!("caches may hold the DS until {over}");
        return Ok(wait("ds-cached", detail, Who::Nobody, over.since(now)));
    }
    let evidence = json!({ "lastSeen": last_seen, "ttl": ttl });
    Ok(Outcome::Done { evidence, event: None, also: None })
}
