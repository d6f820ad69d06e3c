//! Before NS moves: the records of the servers before are here too. They are read by themselves once; whoever knows more
//! uploads the zone. The step looks again from the start, so that the zone follows what people decide.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};
use pdm_carry_over::{Asked, CarriedZone, Merged, Question, Said, judge, locked, merge, next_questions};
use pdm_model::{AuditEntry, StepKind, Who, ZoneName};
use pdm_ports::walk::RRsetAnswer;
use pdm_ports::{Fault, Server};
use serde_json::json;
use uuid::Uuid;

use super::{called, done, look, ours, wait};
use crate::reconcile::drive::{Outcome, Work};

/// Questions under way at once.
const AT_ONCE: usize = 8;
/// Questions between two holds of the lease: at the pace for strangers' servers they take about a second.
const HOLD_AFTER: usize = 20;
/// Names that a wait tells.
const TOLD: usize = 5;

pub(in crate::steps) async fn settled(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::AwaitCarryOver;
    let to = ours(work);
    let seen = look(work, &to).await?;
    // Behind names that were issued for the claim are our own servers, which have nothing to take over.
    let issued = work.engine.issued_names(&work.allocation);
    let others = seen.ns_sets().filter(|(set, _)| *set != to.ns && *set != issued);
    let leaving: BTreeSet<ZoneName> = others.flat_map(|(set, _)| set.clone()).collect();
    let moved = seen.ns_sets().any(|(set, _)| *set == to.ns);
    if leaving.is_empty() || moved {
        return Ok(done(json!({ "serversBefore": leaving })));
    }
    let engine = work.engine.clone();
    let old = engine.parts.walk.addresses(&leaving).await?;
    let Some((mut carried, version)) = engine.carried(&work.allocation).await? else {
        return read(work, step, &old).await;
    };
    let merged = merge(&work.allocation.fqdn, &carried, &engine.own_rrsets_now(&work.allocation).await?);
    compare(work, &mut carried, &merged, &old).await?;
    // Somebody decided meanwhile: the next look compares with that.
    if !engine.parts.store.put_carried(&work.allocation.id, &carried, Some(version), None).await? {
        return Ok(from_start(wait(
            work,
            step,
            "carry-over-changed",
            "it was changed meanwhile".into(),
            Who::Nobody,
        )));
    }
    let names = locked(&carried, work.now());
    if !names.is_empty() {
        let told: Vec<String> =
            names.iter().take(TOLD).map(|(q, why)| format!("{} {}: {why}", q.owner, q.rtype)).collect();
        let more = names.len().saturating_sub(TOLD);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let detail = format!("{}{more}", told.join("; "));
        return Ok(from_start(wait(work, step, "carry-over-locked", detail, Who::Caller)));
    }
    if carried.lacks_acceptance() {
        let detail = format!(
            "{} record sets were found by asking for usual names; the old zone may have more: upload it, allow a \
             transfer and gather again, or accept what was found",
            carried.sets.len()
        );
        return Ok(from_start(wait(work, step, "carry-over-incomplete", detail, Who::Caller)));
    }
    Ok(done(
        json!({ "recordSets": carried.sets.len(), "compared": carried.asked.len(), "waived": carried.waived.len() }),
    ))
}

/// What is asked again in the moment of moving NS: somebody may have uploaded another zone since.
pub(super) async fn undone(work: &Work) -> Result<Option<Outcome>, Fault> {
    let Some((carried, _)) = work.engine.carried(&work.allocation).await? else { return Ok(None) };
    if locked(&carried, work.now()).is_empty() && !carried.lacks_acceptance() {
        return Ok(None);
    }
    let detail = "the carried records changed, or were compared too long ago".to_owned();
    Ok(Some(from_start(wait(work, StepKind::EnsureDelegation, "carry-over-changed", detail, Who::Nobody))))
}

fn from_start(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Wait { reason, detail, who, again, .. } => {
            Outcome::Wait { reason, detail, who, again, from_start: true }
        }
        other => other,
    }
}

/// Read the old zone, holding the lease meanwhile; the zone is written with the next look.
async fn read(work: &mut Work, step: StepKind, old: &[Server]) -> Result<Outcome, Fault> {
    let engine = work.engine.clone();
    let (name, now) = (work.allocation.fqdn.clone(), work.now());
    let label = format!("pdm-{}", Uuid::new_v4().simple());
    let zone = match super::holding(work, engine.parts.gather.gather(&name, old, &label, now)).await? {
        Ok(zone) => zone,
        Err(fault) if fault.code == "zone-silent" || fault.code == "zone-too-large" => {
            let detail = format!("the old zone cannot be read ({}); upload it as a file", fault.detail);
            return Ok(from_start(wait(work, step, "carry-over-unread", detail, Who::Caller)));
        }
        Err(fault) => return Err(fault),
    };
    let told = format!("{} record sets by {}", zone.sets.len(), how(&zone));
    let entry = AuditEntry::new("pdm", "carry-over", &name, told.clone());
    let _ = engine.parts.store.put_carried(&work.allocation.id, &zone, None, Some(entry)).await?;
    let mut outcome = wait(work, step, "carry-over-read", format!("{told} are written now"), Who::Nobody);
    if let Outcome::Wait { again, .. } = &mut outcome {
        *again = std::time::Duration::from_millis(50);
    }
    Ok(from_start(outcome))
}

/// How the records came, for people.
pub(crate) fn how(zone: &CarriedZone) -> &'static str {
    match zone.source {
        pdm_carry_over::Source::Transfer { .. } => "transfer",
        pdm_carry_over::Source::Upload => "upload",
        pdm_carry_over::Source::Survey { .. } => "asking for usual names",
    }
}

/// Ask both sides for what is due.
async fn compare(
    work: &mut Work,
    carried: &mut CarriedZone,
    merged: &Merged,
    old: &[Server],
) -> Result<(), Fault> {
    let engine = work.engine.clone();
    let (walk, ours) = (engine.parts.walk.clone(), engine.settings.servers.clone());
    for part in next_questions(carried, work.now()).chunks(HOLD_AFTER) {
        let at = work.now();
        let ask = async |question: &Question| {
            let old = walk.rrset(&question.owner, &question.rtype, old).await;
            let ours = walk.rrset(&question.owner, &question.rtype, &ours).await;
            let verdict = judge(question, merged, &said(old), &said(ours));
            Asked { owner: question.owner.clone(), rtype: question.rtype.clone(), at, verdict }
        };
        let asked: Vec<Asked> = stream::iter(part).map(ask).buffer_unordered(AT_ONCE).collect().await;
        for new in asked {
            carried.asked.retain(|a| a.owner != new.owner || a.rtype != new.rtype);
            carried.asked.push(new);
        }
        work.hold().await?;
    }
    Ok(())
}

fn said(answers: Vec<RRsetAnswer>) -> Vec<Said> {
    let one = |a: RRsetAnswer| Said {
        server: called(&a.server),
        // What is repeated from a cache is not the operator's word.
        contents: a.contents.filter(|_| a.authoritative).map(|(all, _)| all),
    };
    answers.into_iter().map(one).collect()
}
