//! The way to the destination with its times, or why there is none.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::rules::{Write, admit, matches_key};
use super::{Case, Look};
use crate::name::ZoneName;
use crate::problem::Refusal;
use crate::time::Timestamp;

/// One stage of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The DS of other servers goes out.
    WithdrawDs,
    /// No cache holds it any more.
    DsOut,
    /// NS leads to the destination.
    ChangeNs,
    /// No cache holds anything of the servers before.
    OldOut,
    /// The DS of the destination goes in.
    PublishDs,
}

/// A stage and the earliest time for it. What people and registries take comes on top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Which.
    pub stage: Stage,
    /// Not before.
    pub at: Timestamp,
    /// For people.
    pub detail: String,
}

/// How to go back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// The servers before answer for the zone now.
    pub possible: bool,
    /// Until then NS can go back at once; afterwards our DS has to be withdrawn and waited out first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once_until: Option<Timestamp>,
    /// Where it leads.
    pub ns: BTreeSet<ZoneName>,
}

/// The whole way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Stages that are still to come, in order; empty when everything is as it should be.
    pub stages: Vec<Planned>,
    /// When the last of them can be done.
    pub done_at: Timestamp,
    /// The way back; none when nothing stood there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// What whoever edits the parent is able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ability {
    /// How many NS names it takes.
    pub ns: RangeInclusive<usize>,
    /// Why it cannot write or remove a DS, and the way out.
    pub no_ds: Option<String>,
    /// Why it cannot take addresses of nameservers inside the name, and the way out.
    pub no_glue: Option<String>,
    /// Why it cannot take a delegation back, and the way out.
    pub no_withdrawal: Option<String>,
    /// Why nothing can be changed now: expired, on hold.
    pub blocked: Option<String>,
}

impl Default for Ability {
    /// A person at a registrar's pages.
    fn default() -> Self {
        Self { ns: 1..=13, no_ds: None, no_glue: None, no_withdrawal: None, blocked: None }
    }
}

/// The way from what was seen to the destination. Servers of the destination that do not answer yet are no hindrance:
/// they are looked at again before NS changes.
///
/// # Errors
/// `parent-unknown`, `parent-locked` or `capability-missing`: what will not get better by waiting, before anything is done.
pub fn plan(zone: &ZoneName, case: &Case<'_>, ability: &Ability) -> Result<Plan, Refusal> {
    if let Some(silent) = case.look.silent_parent() {
        let detail = format!("{silent}: without every parent server's answer there is no safe order");
        return Err(Refusal::new("parent-unknown", detail));
    }
    let stages = stages(case);
    able(zone, &stages, case, ability)?;
    let done_at = stages.last().map_or(case.look.ended, |s| s.at);
    let undo = undo(&stages, case);
    Ok(Plan { stages, done_at, undo })
}

fn stages(case: &Case<'_>) -> Vec<Planned> {
    let (look, to) = (case.look, case.to);
    let mut stages = Vec::new();
    let mut push = |stage, at, detail: String| stages.push(Planned { stage, at, detail });
    let mut at = look.ended;
    let (with, all) = look.with_ns(&to.ns);
    // Where NS leads to the destination already, the set of its DS replaces whatever stands there.
    let settled = with == all && !to.ds.is_empty();
    // A write of ours that leads elsewhere may be under way: another one behind it has the last word.
    let astray = |n: &super::NsSeen| n.written.is_some() && case.memory.wrote_ns.as_ref() == Some(&n.set);
    let astray = case.memory.ns.iter().any(|n| n.set != to.ns && astray(n));
    let turns = with < all || astray;
    let coming = case.memory.ds.iter().filter(|d| d.written.is_some());
    let coming = coming.filter_map(|d| d.ds.as_ref().map(|ds| (ds, d.ttl)));
    let coming = coming.filter(|(ds, _)| case.memory.wrote_ds.as_ref().is_some_and(|set| set.contains(ds)));
    let foreign = look.ds_records().chain(coming);
    let foreign: Vec<_> = foreign.filter(|(ds, _)| !settled && !matches_key(ds, &to.ds)).collect();
    if let Some(ttl) = foreign.iter().map(|(_, ttl)| *ttl).max() {
        let tags: BTreeSet<_> = foreign.iter().map(|(ds, _)| ds.key_tag.to_string()).collect();
        let tags = tags.into_iter().collect::<Vec<_>>().join(", ");
        push(
            Stage::WithdrawDs,
            at,
            format!("DS {tags} goes out of the parent; it matches no key of the new servers"),
        );
        at = at + ttl.wait();
        push(Stage::DsOut, at, format!("its TTL of {} s is over", ttl.seconds()));
    } else if let Some(until) = cached_ds_until(case).filter(|_| turns) {
        at = until;
        push(Stage::DsOut, at, "the DS of other servers is out of every cache".to_owned());
    }
    if turns {
        let names: Vec<_> = to.ns.iter().map(ZoneName::as_str).collect();
        let detail =
            if names.is_empty() { "NS goes out".to_owned() } else { format!("NS: {}", names.join(", ")) };
        push(Stage::ChangeNs, at, detail);
    }
    if to.ds.is_empty() || to.ns.is_empty() || !turns && ds_is_right(look, case) {
        return stages;
    }
    let leaves = if turns { Some(at) } else { None };
    let others = case.memory.ns.iter().filter(|n| n.set != to.ns);
    let out = others.filter_map(|n| n.gone.or(leaves).map(|gone| gone + n.held_for())).max();
    if let Some(out) = out.filter(|out| *out > at) {
        at = out;
        push(Stage::OldOut, at, "no cache holds anything of the servers before".to_owned());
    }
    push(Stage::PublishDs, at, "DS of the new servers' keys goes into the parent".to_owned());
    stages
}

fn ds_is_right(look: &Look, case: &Case<'_>) -> bool {
    let (with, all) = look.with_ds(&case.to.ds);
    with == all
}

fn cached_ds_until(case: &Case<'_>) -> Option<Timestamp> {
    let foreign = |d: &&super::DsSeen| !d.ds.as_ref().is_some_and(|ds| matches_key(ds, &case.to.ds));
    let until =
        case.memory.ds.iter().filter(foreign).filter_map(|d| d.gone.map(|gone| gone + d.ttl.wait())).max();
    until.filter(|until| *until > case.look.ended)
}

/// What cannot work is refused before anything happens.
fn able(zone: &ZoneName, stages: &[Planned], case: &Case<'_>, ability: &Ability) -> Result<(), Refusal> {
    let has = |wanted: &[Stage]| stages.iter().any(|s| wanted.contains(&s.stage));
    if let Some(why) = ability.blocked.as_ref().filter(|_| !stages.is_empty()) {
        return Err(Refusal::new("parent-locked", why.clone()));
    }
    let missing = |why: &String| Err(Refusal::new("capability-missing", why.clone()));
    if has(&[Stage::WithdrawDs, Stage::PublishDs])
        && let Some(why) = &ability.no_ds
    {
        return missing(why);
    }
    if !has(&[Stage::ChangeNs]) {
        return Ok(());
    }
    let names = case.to.ns.len();
    if names == 0 {
        return ability.no_withdrawal.as_ref().map_or(Ok(()), missing);
    }
    if !ability.ns.contains(&names) {
        let (least, most) = (ability.ns.start(), ability.ns.end());
        return missing(&format!("it takes {least} to {most} nameservers, and there are {names}"));
    }
    if case.to.ns.iter().any(|ns| ns.is_at_or_below(zone))
        && let Some(why) = &ability.no_glue
    {
        return missing(why);
    }
    Ok(())
}

fn undo(stages: &[Planned], case: &Case<'_>) -> Option<Undo> {
    let before = case.memory.before(&case.to.ns)?;
    let answers =
        !case.look.from.servers.is_empty() && case.look.from.servers.iter().all(|s| s.authoritative);
    let published = stages.iter().find(|s| s.stage == Stage::PublishDs).map(|s| s.at);
    Some(Undo {
        possible: answers && case.look.from.unreachable.is_empty(),
        at_once_until: published,
        ns: before.set.clone(),
    })
}

/// The write of a stage, where it is one.
impl Stage {
    /// What is written in it; none for a wait.
    #[must_use]
    pub fn write(self) -> Option<Write> {
        match self {
            Self::WithdrawDs => Some(Write::WithdrawDs),
            Self::ChangeNs => Some(Write::ChangeNs),
            Self::PublishDs => Some(Write::PublishDs),
            Self::DsOut | Self::OldOut => None,
        }
    }
}

impl Plan {
    /// The first write that the plan calls for, if it may happen now.
    ///
    /// # Errors
    /// Why it has to wait.
    pub fn next(&self, case: &Case<'_>) -> Result<Option<Write>, super::Unsafe> {
        let Some(write) = self.stages.iter().find_map(|s| s.stage.write()) else { return Ok(None) };
        admit(&write, case).map(|()| Some(write))
    }
}
