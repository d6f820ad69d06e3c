//! Keys replaced, stage by stage: look, ask the pure crate what comes next, write that down, do it, look again.
//!
//! If the process dies before an action, the next run finds the same stage and decides again; after it, the next run
//! finds it done. A key whose making was not answered is found hidden and taken. Nothing that was waited for is waited
//! for twice: since when the servers agree is written down with every look.

use std::time::Duration;

use pdm_dnssec::Name;
use pdm_dnssec::roll::{self, Action, Held, Next, RollWait};
use pdm_model::keys::Rolled;
use pdm_model::{AuditEntry, RollKind, Who};
use pdm_ports::{DelegationChange, Fault, KeyChange, Signing, Whose};
use serde_json::json;
use tracing::{info, warn};

use super::ensure_parent::apply;
use crate::keys;
use crate::reconcile::backoff::doubled;
use crate::reconcile::drive::{Outcome, Work};

/// Writes in one run; then the lease is given back, so that others have their turn.
const MAX_WRITES: usize = 32;

pub(super) async fn run(work: &mut Work) -> Result<Outcome, Fault> {
    for _ in 0..MAX_WRITES {
        let signing = signing(work).await?;
        let held = keys::held(&signing.keys);
        if let Some(held) = &work.allocation.keys.hold {
            let detail = format!("held by {} since {}: {}", held.by, held.since, held.reason);
            return Ok(waits("roll-held", detail, Who::Operator, Duration::from_secs(15)));
        }
        if work.allocation.observed.keys.roll.is_none() {
            match begin(work, &held, &signing)? {
                Begun::Roll => {}
                Begun::Nothing(evidence) => return Ok(Outcome::Done { evidence, event: None, also: None }),
            }
        }
        let Some(roll) = work.allocation.observed.keys.roll.clone() else { continue };
        let view = keys::look(work, &signing).await?;
        let setting = work.engine.key_setting(&work.allocation)?;
        let zone = Name::from(&work.allocation.fqdn);
        let (roll, next) = roll::next(&zone, &roll, &setting, &view, work.now());
        work.allocation.observed.keys.roll = Some(roll);
        match next {
            Next::Do(action) => {
                work.hold().await?;
                carry_out(work, action).await?;
            }
            Next::Wait(wait) => return Ok(rest(work, wait)),
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

enum Begun {
    Roll,
    Nothing(serde_json::Value),
}

/// Begin what was asked for, or what is due.
fn begin(work: &mut Work, held: &[Held], signing: &Signing) -> Result<Begun, Fault> {
    let (engine, now) = (work.engine.clone(), work.now());
    let policy = engine.key_policy(&work.allocation)?;
    let parent = engine.key_parent(&work.allocation);
    keys::acquaint(&mut work.allocation.observed.keys, &signing.keys, false, now);
    let state = &work.allocation.observed.keys;
    let zone = Name::from(&work.allocation.fqdn);
    let asked = state.open_request(&work.allocation.keys).cloned();
    let (kind, by, reason) = match &asked {
        Some(asked) => (asked.kind, asked.by.clone(), asked.reason.clone()),
        None => match roll::due(&zone, &policy, state, held, &parent, now) {
            Some((kind, why)) => (kind, "pdm".to_owned(), why),
            None => {
                return Ok(Begun::Nothing(
                    json!({ "rolled": state.last, "ds": work.allocation.observed.ds }),
                ));
            }
        },
    };
    let begun = roll::begin(kind, &policy, state, held, &parent, &by, &reason, now);
    let state = &mut work.allocation.observed.keys;
    if let Some(asked) = asked {
        state.answered = Some(asked.at);
    }
    match begun {
        Ok(roll) => {
            info!(zone = %work.allocation.fqdn, kind = kind.as_str(), by, reason, "roll begun");
            state.roll = Some(roll);
            Ok(Begun::Roll)
        }
        Err(refused) => {
            warn!(zone = %work.allocation.fqdn, kind = kind.as_str(), code = refused.code, %refused, "no roll");
            let given_up = Some(format!("{}: {refused}", refused.code));
            state.last = Some(Rolled { kind, started_at: now, finished_at: now, given_up });
            Ok(Begun::Nothing(json!({ "refused": refused.code, "detail": refused.to_string() })))
        }
    }
}

async fn carry_out(work: &mut Work, action: Action) -> Result<(), Fault> {
    let engine = work.engine.clone();
    let digest = engine.key_policy(&work.allocation)?.digest;
    let change = match action {
        Action::Make { entry_point, algorithm } => KeyChange::Make { entry_point, algorithm },
        Action::Set { key, active, published } => {
            KeyChange::Set { dnskey: key.to_string(), active, published }
        }
        Action::Remove(key) => KeyChange::Remove { dnskey: key.to_string() },
        Action::Tell(cds) => KeyChange::Tell(keys::told(cds, digest)),
        Action::ParentDs(ds) => {
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
    };
    let whose = Whose::Allocation(work.allocation.id.clone());
    engine.parts.zones.change_signing(&work.allocation.fqdn, &whose, &change).await
}

/// Write down that a roll is over, and what is left is known from now on.
fn finish(work: &mut Work, given_up: Option<&str>, signing: &Signing, held: &[Held]) -> Result<(), Fault> {
    let now = work.now();
    let state = &mut work.allocation.observed.keys;
    let Some(roll) = state.roll.take() else { return Ok(()) };
    let ours = |text: &String| roll.kept.contains(text) || roll.old.contains(text) || roll.new.contains(text);
    let texts = held.iter().map(|key| key.dnskey.to_string());
    // Tidying ends with what stayed; everything else with what is there and was part of it.
    let stays: Vec<String> = texts.filter(|text| ours(text)).collect();
    state.take_over(stays, now);
    if given_up.is_none() {
        state.insecure = match roll.kind {
            RollKind::Insecure => true,
            RollKind::Secure => false,
            _ => state.insecure,
        };
        metrics::counter!("pdm_rolls_total", "kind" => roll.kind.as_str(), "end" => "finished").increment(1);
        info!(zone = %work.allocation.fqdn, kind = roll.kind.as_str(), "roll finished");
    } else {
        metrics::counter!("pdm_rolls_total", "kind" => roll.kind.as_str(), "end" => "given-up").increment(1);
    }
    state.last = Some(Rolled {
        kind: roll.kind,
        started_at: roll.started_at,
        finished_at: now,
        given_up: given_up.map(str::to_owned),
    });
    let ds = work.engine.wanted_ds(&work.allocation, &signing.keys)?;
    work.allocation.observed.ds = ds.into_iter().collect();
    let detail =
        format!("{}{}", roll.kind.as_str(), given_up.map(|why| format!(": {why}")).unwrap_or_default());
    work.audit.push(AuditEntry::new("pdm", "rolled", &work.allocation.fqdn, detail));
    Ok(())
}

fn waits(reason: &str, detail: String, who: Who, again: Duration) -> Outcome {
    Outcome::Wait { reason: reason.to_owned(), detail, who, again, from_start: false }
}

/// Rest until a known time, or look again soon: servers follow within seconds, people within days.
fn rest(work: &Work, wait: RollWait) -> Outcome {
    let RollWait { reason, detail, until, who } = wait;
    let step = work.operation.steps.iter().find(|step| step.wait_reason.is_some());
    let same = step.is_some_and(|step| step.wait_reason.as_ref().is_some_and(|w| w.reason == reason));
    let waited = step.filter(|_| same).map_or(Duration::ZERO, |step| work.now().since(step.since));
    let most = Duration::from_secs(if who == Who::Nobody { 5 } else { 15 * 60 });
    let again = match until {
        Some(until) => until.since(work.now()),
        // A tenth longer than what it has waited already, so that a wait of days costs a few looks.
        None => (waited / 10).clamp(doubled(Duration::from_millis(250), most, 0), most),
    };
    waits(reason, detail, who, again)
}
