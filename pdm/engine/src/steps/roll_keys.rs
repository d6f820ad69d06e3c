//! Keys replaced, stage by stage: look, ask the pure crate what comes next, write that down, do it, look again.
//!
//! If the process dies before an action, the next run finds the same stage and decides again; after it, the next run
//! finds it done. A key whose making was not answered is found hidden and taken. Nothing that was waited for is waited
//! for twice: since when the servers agree is written down with every look.

use std::time::Duration;

use pdm_dnssec::Name;
use pdm_dnssec::roll::{self, Action, Held, Next, RollWait};
use pdm_model::{Allocation, AuditEntry, Parent, Timestamp, Who};
use pdm_ports::{DelegationChange, Fault, Signing, Whose};
use serde_json::json;
use tracing::{info, warn};

use super::ensure_parent::apply;
use super::foreign;
use crate::keys::{self, Begun};
use crate::reconcile::drive::{Outcome, Work};

/// Writes in one run; then the lease is given back, so that others have their turn.
const MAX_WRITES: usize = 32;

pub(super) async fn run(work: &mut Work) -> Result<Outcome, Fault> {
    for _ in 0..MAX_WRITES {
        let signing = signing(work).await?;
        let held = keys::held(&signing.keys);
        if let Some(held) = &work.allocation.keys.hold {
            let detail = format!("held by {} since {}: {}", held.by, held.since, held.reason);
            let now = work.now();
            let _ = work.allocation.observed.keys.rest("roll-held", Who::Operator, now);
            return Ok(waits("roll-held", detail, Who::Operator, Duration::from_secs(15)));
        }
        if work.allocation.observed.keys.roll.is_none()
            && let Some(evidence) = begin(work, &held, &signing)?
        {
            return Ok(Outcome::Done { evidence, event: None, also: None });
        }
        let Some(roll) = work.allocation.observed.keys.roll.clone() else { continue };
        let view = keys::look(work, &roll, &signing).await?;
        let setting = work.engine.key_setting(&work.allocation)?;
        let zone = Name::from(&work.allocation.fqdn);
        let (roll, next) = roll::next(&zone, &roll, &setting, &view, work.now());
        work.allocation.observed.keys.roll = Some(roll);
        match next {
            Next::Do(Action::ParentDs(ds)) if work.allocation.mode.parent() == Parent::Foreign => {
                work.hold().await?;
                work.allocation.observed.ds = ds.iter().cloned().collect();
                keys::announce(work, &signing).await?;
                match foreign::ds::replace(work, &ds).await? {
                    Outcome::Wait { reason, detail, who, .. } => {
                        return Ok(rest(work, &reason, detail, None, who));
                    }
                    Outcome::Done { .. } | Outcome::Nothing => {}
                }
            }
            Next::Do(action) => {
                work.hold().await?;
                carry_out(work, action).await?;
            }
            Next::Wait(RollWait { reason, detail, until, who }) => {
                // Whoever had something to enter has done so.
                foreign::forget_instruction(work);
                keys::announce(work, &signing).await?;
                return Ok(rest(work, reason, detail, until, who));
            }
            Next::Finished => {
                finish(work, None, &signing, &held)?;
                work.hold().await?;
            }
            Next::GiveUp(why) => {
                warn!(zone = %work.allocation.fqdn, why, "a roll is given up; what is left is repaired");
                finish(work, Some(why), &signing, &held)?;
                work.hold().await?;
            }
        }
    }
    Ok(waits("roll-goes-on", "more is to be written".to_owned(), Who::Nobody, Duration::ZERO))
}

async fn signing(work: &Work) -> Result<Signing, Fault> {
    let missing = || Fault::transient("zone-missing", "the zone is gone from PowerDNS");
    work.engine.parts.zones.read_signing(&work.allocation.fqdn).await?.ok_or_else(missing)
}

/// Begin what was asked for, or what is due; what is there to be seen when nothing is.
fn begin(work: &mut Work, held: &[Held], signing: &Signing) -> Result<Option<serde_json::Value>, Fault> {
    let (engine, now) = (work.engine.clone(), work.now());
    let policy = engine.key_policy(&work.allocation)?;
    let parent = engine.key_parent(&work.allocation);
    let Allocation { fqdn, observed, keys: intent, .. } = &mut work.allocation;
    keys::acquaint(&mut observed.keys, &signing.keys, false, now);
    Ok(match keys::begin(fqdn, &mut observed.keys, intent, &policy, held, &parent, |_| true, now) {
        Begun::Roll(..) => None,
        Begun::Refused(_, refused) => Some(json!({ "refused": refused.code, "detail": refused.to_string() })),
        Begun::Nothing => Some(json!({ "rolled": observed.keys.last, "ds": observed.ds })),
    })
}

async fn carry_out(work: &mut Work, action: Action) -> Result<(), Fault> {
    let engine = work.engine.clone();
    if let Action::ParentDs(ds) = action {
        let ttl = engine.ds_ttl(&work.allocation, work.now())?;
        let change = DelegationChange { ns: None, ds: Some((ds.clone(), ttl)), mark: work.operation.seq };
        apply(work, change).await?;
        let observed = &mut work.allocation.observed;
        observed.ds = ds.iter().cloned().collect();
        observed.parent.ds = ds;
        observed.parent.ds_ttl = Some(ttl);
        observed.ds_ttl_seen = observed.ds_ttl_seen.max(Some(ttl));
        return Ok(());
    }
    let digest = engine.key_policy(&work.allocation)?.digest;
    let Some(change) = keys::change_of(action, digest) else { return Ok(()) };
    let whose = Whose::Allocation(work.allocation.id.clone());
    engine.parts.zones.change_signing(&work.allocation.fqdn, &whose, &change).await
}

/// Write down that a roll is over, and what is left is known from now on.
fn finish(work: &mut Work, given_up: Option<&str>, signing: &Signing, held: &[Held]) -> Result<(), Fault> {
    let now = work.now();
    let zone = work.allocation.fqdn.clone();
    let Some(detail) = keys::finish(&mut work.allocation.observed.keys, given_up, held, now) else {
        return Ok(());
    };
    info!(%zone, detail, "roll over");
    let ds = work.engine.wanted_ds(&work.allocation, &signing.keys)?;
    work.allocation.observed.ds = ds.into_iter().collect();
    work.audit.push(AuditEntry::new("pdm", "rolled", &zone, detail));
    foreign::forget_instruction(work);
    Ok(())
}

fn waits(reason: &str, detail: String, who: Who, again: Duration) -> Outcome {
    Outcome::Wait { reason: reason.to_owned(), detail, who, again, from_start: false }
}

/// Rest until a known time, or look again soon: servers of ours follow within seconds, registries and people within days.
fn rest(work: &mut Work, reason: &str, detail: String, until: Option<Timestamp>, who: Who) -> Outcome {
    let now = work.now();
    let waited = work.allocation.observed.keys.rest(reason, who, now);
    let ours = work.allocation.mode.parent() == Parent::Ours;
    let most = Duration::from_secs(if ours && who == Who::Nobody { 5 } else { 15 * 60 });
    // A look under a foreign parent asks other people's servers.
    let least = Duration::from_millis(if ours { 250 } else { 1_000 });
    let again = match until {
        Some(until) => until.since(now),
        // A tenth longer than what it has waited already, so that a wait of days costs a few looks.
        None => (waited / 10).clamp(least, most),
    };
    waits(reason, detail, who, again)
}
