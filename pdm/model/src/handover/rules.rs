//! Whether a write may happen now. Every caller asks here in the moment of writing, whatever order it has in mind.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Case, Side};
use crate::delegation::DsRecord;
use crate::name::ZoneName;
use crate::time::Timestamp;

/// A write at the parent, or its consequence at the child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Take every DS out.
    WithdrawDs,
    /// Point NS at the destination, or take it out.
    ChangeNs,
    /// Put the destination's DS in.
    PublishDs,
    /// Take the zone off the servers with these names.
    RemoveZone(BTreeSet<ZoneName>),
}

/// Why a write would break somebody now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
#[serde(rename_all = "camelCase")]
pub struct Unsafe {
    /// Stable kebab-case code.
    pub code: String,
    /// For people.
    pub detail: String,
    /// When it will be safe, where only time is lacking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Unsafe {
    fn now(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into(), until: None }
    }

    fn until(code: &str, detail: impl Into<String>, until: Timestamp) -> Self {
        Self { until: Some(until), ..Self::now(code, detail) }
    }
}

/// Whether `write` may happen now.
///
/// # Errors
/// Why not, and when it may be different.
pub fn admit(write: &Write, case: &Case<'_>) -> Result<(), Unsafe> {
    match write {
        // Without a DS a zone is insecure, which no cache minds.
        Write::WithdrawDs => Ok(()),
        Write::ChangeNs => {
            parents_answer(case)?;
            served(case)?;
            no_foreign_ds(case)
        }
        Write::PublishDs => {
            parents_answer(case)?;
            if case.to.ds.is_empty() {
                return Err(Unsafe::now("no-keys", "there is no key that a DS could stand for"));
            }
            delegated(case)?;
            served(case)?;
            nothing_of_others_cached(case)
        }
        Write::RemoveZone(ns) => {
            parents_answer(case)?;
            nobody_asks(ns, case)
        }
    }
}

/// Whether a DS stands for one of these keys. Of a digest that is not SHA-256 only tag and algorithm can be compared.
#[must_use]
pub fn matches_key(ds: &DsRecord, keys: &BTreeSet<DsRecord>) -> bool {
    keys.iter().any(|key| {
        key.key_tag == ds.key_tag
            && key.algorithm == ds.algorithm
            && (key.digest_type != ds.digest_type || key.digest == ds.digest)
    })
}

fn parents_answer(case: &Case<'_>) -> Result<(), Unsafe> {
    match case.look.silent_parent() {
        None => Ok(()),
        Some(silent) => Err(Unsafe::now(
            "parent-silent",
            format!("{silent} does not answer, so nobody knows what it serves"),
        )),
    }
}

/// Every server of the destination answers for the zone, with its own NS set and keys.
fn served(case: &Case<'_>) -> Result<(), Unsafe> {
    if case.to.ns.is_empty() {
        return Ok(());
    }
    match lacking(&case.look.to, case) {
        None => Ok(()),
        Some(what) => Err(Unsafe::now("not-served", what)),
    }
}

fn lacking(side: &Side, case: &Case<'_>) -> Option<String> {
    if let Some(name) = side.unreachable.first() {
        return Some(format!("{name} has no address"));
    }
    if side.servers.is_empty() {
        return Some("no nameserver of the destination was asked".to_owned());
    }
    side.servers.iter().find_map(|s| {
        let what = if !s.authoritative {
            "does not answer for the zone with authority"
        } else if !s.ns.as_ref().is_some_and(|(set, _)| fits(set, case)) {
            "answers another NS set at the apex"
        } else if !s.keys.as_ref().is_some_and(|(keys, _)| keys.is_superset(&case.to.ds)) {
            "does not answer the keys of the zone"
        } else {
            return None;
        };
        Some(format!("{} {what}", s.server))
    })
}

fn fits(apex: &BTreeSet<ZoneName>, case: &Case<'_>) -> bool {
    if case.to.lenient { !apex.is_disjoint(&case.to.ns) } else { *apex == case.to.ns }
}

/// No parent server answers, and no cache can hold, a DS that the destination's keys do not match.
fn no_foreign_ds(case: &Case<'_>) -> Result<(), Unsafe> {
    if let Some((ds, _)) = case.look.ds_records().find(|(ds, _)| !matches_key(ds, &case.to.ds)) {
        let detail = format!(
            "the parent holds DS {} of other servers; with new nameservers the name would be bogus for every \
             validating resolver",
            ds.key_tag
        );
        return Err(Unsafe::now("foreign-ds", detail));
    }
    let foreign =
        case.memory.ds.iter().filter(|d| !d.ds.as_ref().is_some_and(|ds| matches_key(ds, &case.to.ds)));
    let foreign: Vec<_> = foreign.collect();
    if foreign.iter().any(|d| d.gone.is_none()) {
        return Err(under_way("a DS of other servers"));
    }
    let until = foreign.iter().filter_map(|d| d.gone.map(|gone| gone + d.ttl.wait())).max();
    match until.filter(|until| *until > case.look.ended) {
        None => Ok(()),
        Some(until) => {
            let detail = format!("caches may hold the DS of other servers until {until}");
            Err(Unsafe::until("foreign-ds-cached", detail, until))
        }
    }
}

/// It was written by us and is shown by nobody yet, so it may still come.
fn under_way(what: &str) -> Unsafe {
    Unsafe::now(
        "change-under-way",
        format!("{what} was written before and may still reach the parent's servers"),
    )
}

/// Every parent server delegates to the destination.
fn delegated(case: &Case<'_>) -> Result<(), Unsafe> {
    let (with, all) = case.look.with_ns(&case.to.ns);
    if with == all {
        return Ok(());
    }
    Err(Unsafe::now(
        "not-delegated",
        format!("{with} of {all} parent servers answer with the new nameservers"),
    ))
}

/// No cache can hold anything from the servers before.
fn nothing_of_others_cached(case: &Case<'_>) -> Result<(), Unsafe> {
    let others: Vec<_> = case.memory.ns.iter().filter(|n| n.set != case.to.ns).collect();
    if others.iter().any(|n| n.gone.is_none()) {
        return Err(under_way("another NS set"));
    }
    let until = others.iter().filter_map(|n| n.gone.map(|gone| gone + n.held_for())).max();
    match until.filter(|until| *until > case.look.ended) {
        None => Ok(()),
        Some(until) => {
            let detail = format!("caches may hold answers of the servers before until {until}");
            Err(Unsafe::until("old-answers-cached", detail, until))
        }
    }
}

/// No parent server delegates to these names, and no cache can still hold that one did.
fn nobody_asks(ns: &BTreeSet<ZoneName>, case: &Case<'_>) -> Result<(), Unsafe> {
    let shares = |set: &BTreeSet<ZoneName>| set.iter().any(|name| ns.contains(name));
    let still = case.look.ns_sets().filter(|(set, _)| shares(set)).count();
    if still > 0 {
        let all = case.look.parents.len();
        return Err(Unsafe::now(
            "still-delegated",
            format!("{still} of {all} parent servers still delegate here"),
        ));
    }
    let mine: Vec<_> = case.memory.ns.iter().filter(|n| shares(&n.set)).collect();
    if mine.iter().any(|n| n.gone.is_none()) {
        return Err(under_way("a delegation to here"));
    }
    let until = mine.iter().filter_map(|n| n.gone.map(|gone| gone + n.asked_for())).max();
    match until.filter(|until| *until > case.look.ended) {
        None => Ok(()),
        Some(until) => {
            Err(Unsafe::until("ns-cached", format!("caches may ask these servers until {until}"), until))
        }
    }
}
