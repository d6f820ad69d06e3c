//! The DS that stood at the parent before we came. It goes back last, and only when it holds: NS leads to the servers
//! from before everywhere, they still sign with its keys, and no cache holds anything of ours any more.
//!
//! Nobody is harmed without it, so it keeps no release open for ever: who has not entered it after [`PATIENCE`] does not
//! want it. What somebody else entered meanwhile stays.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_dnssec::{Dnskey, DsDigest, Name};
use pdm_model::handover::{Look, Operator, Write};
use pdm_model::{DsRecord, RecordType, StepKind, Who, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{DsEntry, KeyData};
use pdm_ports::walk::RRsetAnswer;
use serde_json::json;

use super::{Change, change, done, edit, forget_instruction, look, may, not_yet, patience, state, wait};
use crate::reconcile::drive::{Outcome, Work};

/// How long a release waits for somebody to put it back.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long it waits for what a registrar accepted to show.
const SHOWN: Duration = Duration::from_secs(48 * 3600);

/// Where a release leads.
pub(super) struct Before {
    /// The servers from before. Their DS are those of the keys below, as far as they sign with them.
    pub to: Operator,
    /// The DS records that stood there and whose keys those servers still answer.
    pub ds: BTreeSet<DsEntry>,
}

/// To what it was before, or out.
pub(super) async fn before(work: &Work) -> Result<Before, Fault> {
    let previous = work.allocation.observed.foreign.as_ref().and_then(|f| f.previous.as_ref());
    let (ns, recorded) = previous.map(|p| (p.ns.0.clone(), p.ds.clone())).unwrap_or_default();
    let mut before = Before { to: Operator { ns, ds: BTreeSet::new(), lenient: true }, ds: BTreeSet::new() };
    if recorded.is_empty() || before.to.ns.is_empty() {
        return Ok(before);
    }
    let walk = &work.engine.parts.walk;
    let name = &work.allocation.fqdn;
    let servers = walk.addresses(&before.to.ns).await?;
    let answers = walk.rrset(&name.dotted(), &RecordType::Dnskey, &servers).await;
    for (ds, key) in held(name, &recorded, &answers) {
        before.to.ds.insert(key.ds(&Name::from(name), DsDigest::Sha256));
        before.ds.insert(DsEntry { ds, key: Some(parts(&key)) });
    }
    Ok(before)
}

/// The recorded DS with their keys, as far as every server that answers still has them. Pure.
fn held(name: &ZoneName, recorded: &BTreeSet<DsRecord>, answers: &[RRsetAnswer]) -> Vec<(DsRecord, Dnskey)> {
    let owner = Name::from(name);
    let mut common: Option<BTreeSet<Dnskey>> = None;
    for (contents, _) in answers.iter().filter(|a| a.authoritative).filter_map(|a| a.contents.as_ref()) {
        let keys = contents.iter().filter_map(|text| Dnskey::parse(text)).filter(Dnskey::is_entry_point);
        let keys: BTreeSet<Dnskey> = keys.collect();
        common = Some(common.map_or(keys.clone(), |common| common.intersection(&keys).cloned().collect()));
    }
    let common = common.unwrap_or_default();
    let key_of = |ds: &DsRecord| common.iter().find(|key| key.matches(&owner, ds)).cloned();
    recorded.iter().filter_map(|ds| Some((ds.clone(), key_of(ds)?))).collect()
}

fn parts(key: &Dnskey) -> KeyData {
    use base64::Engine as _;
    let public_key = base64::engine::general_purpose::STANDARD.encode(key.public_key());
    KeyData { flags: key.flags(), algorithm: key.algorithm(), public_key }
}

/// How the parent stands towards it.
#[derive(Debug, PartialEq, Eq)]
enum Stands {
    /// Every parent server answers it.
    There,
    /// It will not go back, and why.
    Left(&'static str),
    /// Not every parent server delegates back yet.
    Turning,
    /// Nobody knows what the servers from before sign with.
    Silent,
    /// To be written.
    Missing,
}

/// Pure.
fn stands(seen: &Look, before: &Before) -> Stands {
    let (with, all) = seen.with_ns(&before.to.ns);
    let wanted: BTreeSet<DsRecord> = before.ds.iter().map(|entry| entry.ds.clone()).collect();
    if with == 0 && seen.silent_parent().is_none() {
        return Stands::Left("the name leads elsewhere now");
    }
    if with < all {
        return Stands::Turning;
    }
    if wanted.is_empty() {
        let to = &seen.to;
        if to.servers.is_empty() || to.servers.iter().any(|s| !s.authoritative) {
            return Stands::Silent;
        }
        return Stands::Left("the servers from before do not sign with its keys any more");
    }
    if seen.with_ds(&wanted) == (all, all) {
        return Stands::There;
    }
    if seen.ds_records().any(|(ds, _)| !wanted.contains(ds)) {
        return Stands::Left("the parent holds another DS");
    }
    Stands::Missing
}

fn left(work: &mut Work, why: &str) -> Outcome {
    forget_instruction(work);
    done(json!({ "restored": false, "why": why }))
}

/// The DS from before in the parent.
pub(in crate::steps) async fn restore(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::RestoreDelegationDs;
    if state(work).previous.as_ref().is_none_or(|p| p.ds.is_empty()) {
        return Ok(Outcome::Nothing);
    }
    if patience(work, step).1 > PATIENCE {
        return Ok(left(work, "nobody put it back within 7 days"));
    }
    let before = before(work).await?;
    let seen = look(work, &before.to).await?;
    match stands(&seen, &before) {
        Stands::There => {
            forget_instruction(work);
            return Ok(done(json!({ "restored": true, "ds": work.allocation.observed.parent.ds })));
        }
        Stands::Left(why) => return Ok(left(work, why)),
        Stands::Silent => {
            let detail = "the nameservers from before do not all answer".to_owned();
            return Ok(wait(work, step, "old-servers-silent", detail, Who::Nobody));
        }
        Stands::Turning => {
            let detail = "not every parent server delegates to the nameservers from before".to_owned();
            return Ok(wait(work, step, "not-delegated", detail, Who::Nobody));
        }
        Stands::Missing => {}
    }
    if let Err(why) = may(work, &Write::PublishDs, &seen, &before.to) {
        let outcome = not_yet(work, step, why);
        // Whatever came undone: nothing of ours is there any more that the steps before would have to see to.
        return Ok(match outcome {
            Outcome::Wait { reason, detail, who, again, .. } => {
                Outcome::Wait { reason, detail, who, again, from_start: false }
            }
            other => other,
        });
    }
    let engine = work.engine.clone();
    if let Some(why) = super::editor(work)?.ability(&engine, &work.allocation, None)?.no_ds {
        tracing::info!(zone = %work.allocation.fqdn, why, "the DS from before is left out");
        return Ok(left(work, "the registrar's API takes no DS"));
    }
    let ttl = engine.pool_of(&work.allocation)?.ttls.parent_ds;
    let wanted = Change { ds: Some((before.ds, ttl)), ..change(work) };
    let progress =
        "It is the one from before: the nameservers sign with its key. Without it the name works, unsigned.";
    edit(work, step, wanted, progress.to_owned()).await
}

/// Every parent server answers it.
pub(in crate::steps) async fn visible(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::AwaitRestoredDs;
    let before = before(work).await?;
    let wanted: BTreeSet<DsRecord> = before.ds.iter().map(|entry| entry.ds.clone()).collect();
    // By hand it was waited for already.
    if wanted.is_empty() || state(work).memory.wrote_ds.as_ref() != Some(&wanted) {
        return Ok(Outcome::Nothing);
    }
    let seen = look(work, &before.to).await?;
    match stands(&seen, &before) {
        Stands::There => Ok(done(json!({ "ds": work.allocation.observed.parent.ds }))),
        Stands::Left(why) => Ok(left(work, why)),
        Stands::Turning | Stands::Silent | Stands::Missing if patience(work, step).1 > SHOWN => {
            Ok(left(work, "it was accepted and does not show"))
        }
        Stands::Turning | Stands::Silent | Stands::Missing => {
            let (with, all) = seen.with_ds(&wanted);
            let detail = format!("{with} of {all} parent servers answer with the DS from before");
            Ok(wait(work, step, "ds-not-visible", detail, Who::Nobody))
        }
    }
}
