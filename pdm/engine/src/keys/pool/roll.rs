//! Rolls of a pool's own keys: look, ask the pure crate what comes next, write that down, do it, look again.

use std::time::Duration;

use pdm_dnssec::Name;
use pdm_dnssec::roll::{self, Action, Held, Next, ParentSeen, RollWait, View, needs_parent};
use pdm_model::keys::{KeyPolicy, Roll, RollKind};
use pdm_model::{RollKind as Kind, Stage, Timestamp, Ttl, Wait, Who};
use pdm_ports::{Fault, KeyChange, Signing, Whose};
use tracing::{info, warn};

use super::{BY_HAND, Turn};
use crate::keys::look::{child_seen, edited_of};
use crate::keys::{self, Begun};

/// Writes in one turn; then other pools have theirs.
const MAX_WRITES: usize = 32;

/// What begins by itself: nothing that the registrar would have to act for, and no key goes that somebody may have put
/// there on purpose.
fn by_itself(kind: Kind) -> bool {
    kind != Kind::Tidy
}

impl Turn {
    /// Whether a roll is to begin now.
    pub(super) fn is_due(&self, signing: &Signing) -> Result<bool, Fault> {
        if self.keys.intent.hold.is_some() {
            return Ok(false);
        }
        let held = keys::held(&signing.keys);
        let (state, policy) = (&self.keys.state, self.policy(&held)?);
        let due = roll::due(&self.name(), &policy, state, &held, &BY_HAND, self.now());
        Ok(state.open_request(&self.keys.intent).is_some() || due.is_some_and(|(kind, _)| by_itself(kind)))
    }

    /// Begin what is due, and go on with it as far as that goes now.
    pub(super) async fn drive(&mut self) -> Result<(), Fault> {
        for _ in 0..MAX_WRITES {
            let missing = || Fault::transient("zone-missing", "the pool's zone is not in PowerDNS");
            let signing = self.engine.parts.zones.read_signing(&self.pool).await?.ok_or_else(missing)?;
            let held = keys::held(&signing.keys);
            let policy = self.policy(&held)?;
            if let Some(hold) = self.keys.intent.hold.clone().filter(|_| self.keys.state.roll.is_some()) {
                let detail = format!("held by {} since {}: {}", hold.by, hold.since, hold.reason);
                self.rest("roll-held", detail, None, Who::Operator);
                return Ok(());
            }
            if self.engine.is_frozen(&self.pool) {
                self.rest(
                    "frozen",
                    "changes are frozen until an admin thaws them".to_owned(),
                    None,
                    Who::Operator,
                );
                return Ok(());
            }
            if self.keys.state.roll.is_none() && !self.begin(&policy, &held).await? {
                return Ok(());
            }
            let Some(under_way) = self.keys.state.roll.clone() else { return Ok(()) };
            let setting = self.setting(&policy);
            let view = match self.look(&under_way, &policy, &signing, &held).await {
                Ok(view) => view,
                Err(fault) => {
                    self.rest(fault.code, fault.detail, None, Who::Operator);
                    return Ok(());
                }
            };
            let (moved, next) = roll::next(&self.name(), &under_way, &setting, &view, self.now());
            self.keys.state.roll = Some(moved);
            self.keys.ds = self.wanted(&policy, &held);
            match next {
                Next::Do(Action::ParentDs(ds)) => {
                    self.announce(&signing, &policy).await?;
                    let detail = to_enter(&self.name(), &ds, &view);
                    self.rest("pool-ds", detail, None, Who::Operator);
                    return Ok(());
                }
                Next::Do(action) => {
                    self.keep().await?;
                    self.carry_out(action, &policy).await?;
                }
                Next::Wait(RollWait { reason, detail, until, who }) => {
                    self.announce(&signing, &policy).await?;
                    self.rest(reason, detail, until, who);
                    return Ok(());
                }
                Next::Finished => self.end(None, &policy, &held),
                Next::GiveUp(why) => self.end(Some(why), &policy, &held),
            }
        }
        self.rest("roll-goes-on", "more is to be written".to_owned(), Some(self.now()), Who::Nobody);
        Ok(())
    }

    /// Tell the registry that CDS changed, if that is due.
    async fn announce(&mut self, signing: &Signing, policy: &KeyPolicy) -> Result<(), Fault> {
        let now = self.now();
        if !policy.cds || !keys::announce_is_due(&mut self.keys.state, &self.pool, signing, policy, now) {
            return Ok(());
        }
        self.keep().await?;
        let (heard, _) = keys::tell_parent(&self.engine, &self.pool).await;
        keys::keep_heard(&mut self.keys.state, heard);
        Ok(())
    }

    /// Begin what was asked for, or what is due.
    async fn begin(&mut self, policy: &KeyPolicy, held: &[Held]) -> Result<bool, Fault> {
        let asked = self.keys.state.open_request(&self.keys.intent).map(|asked| asked.kind);
        if asked
            .is_some_and(|kind| needs_parent(kind) && !matches!(kind, RollKind::Insecure | RollKind::Secure))
        {
            // Where the parent has no DS at all, keys come and go without it.
            let seen = match self.parents().await {
                Ok(seen) => seen,
                Err(fault) => {
                    self.rest(fault.code, fault.detail, None, Who::Operator);
                    return Ok(false);
                }
            };
            let none = |p: &ParentSeen| p.ds.as_ref().is_some_and(|(set, _)| set.is_empty());
            self.judge(held, &seen);
            self.keys.state.insecure = !seen.is_empty() && seen.iter().all(none);
        }
        let (pool, now) = (self.pool.clone(), self.now());
        let (state, intent) = (&mut self.keys.state, &self.keys.intent);
        let begun = keys::begin(&pool, state, intent, policy, held, &BY_HAND, by_itself, now);
        match begun {
            Begun::Roll(kind, reason) => {
                (self.keys.wait, self.keys.state.rests) = (None, None);
                self.tell("roll", format!("{}: {reason}", kind.as_str()));
                Ok(true)
            }
            Begun::Refused(kind, refused) => {
                self.tell("roll-refused", format!("{}: {refused}", kind.as_str()));
                Ok(false)
            }
            Begun::Nothing => Ok(false),
        }
    }

    async fn look(
        &mut self,
        roll: &Roll,
        policy: &KeyPolicy,
        signing: &Signing,
        held: &[Held],
    ) -> Result<View, Fault> {
        let engine = self.engine.clone();
        let views = engine.parts.probe.key_views(&self.pool, &engine.settings.servers).await;
        let until = keys::signatures_until(&views);
        self.keys.state.signatures_until = until.or(self.keys.state.signatures_until);
        let wanted = self.wanted(policy, held);
        let parent = if needs_parent(roll.kind) {
            let seen = self.parents().await?;
            self.judge(held, &seen);
            seen
        } else {
            // Keys that the parent does not vouch for come and go whatever it holds.
            vec![ParentSeen { server: "the parent".to_owned(), ds: Some((wanted.clone(), Ttl::new(0))) }]
        };
        let edited = edited_of(parent.iter().filter_map(|p| p.ds.as_ref().map(|(set, _)| set)), &wanted);
        let zone_ttl = self.zone_ttl(roll).await?;
        Ok(View {
            held: held.to_vec(),
            edited,
            cds: keys::cds(signing.cds, policy.digest),
            child: views.into_iter().map(child_seen).collect(),
            parent,
            zone_ttl,
            at: self.now(),
        })
    }

    /// The largest TTL in the zone. It is a large zone: it is read while signatures are being exchanged, not in every look.
    async fn zone_ttl(&self, roll: &Roll) -> Result<Ttl, Fault> {
        if roll.signatures.since.is_some() && roll.signatures.ttl > Ttl::new(0) || roll.stage == Stage::Remove
        {
            return Ok(roll.signatures.ttl);
        }
        let zone = self.engine.parts.zones.read_zone(&self.pool).await?;
        let largest = zone.into_iter().flat_map(|zone| zone.rrsets).map(|rrset| rrset.ttl).max();
        Ok(largest.unwrap_or(roll.signatures.ttl))
    }

    async fn carry_out(&mut self, action: Action, policy: &KeyPolicy) -> Result<(), Fault> {
        let Some(change) = keys::change_of(action, policy.digest) else { return Ok(()) };
        let zones = &self.engine.parts.zones;
        if let KeyChange::Make { .. } = change {
            info!(pool = %self.pool, "a key is made for a roll of the pool");
        }
        zones.change_signing(&self.pool, &Whose::Pool, &change).await?;
        // Proofs of names in the pool start at its keys.
        self.engine.forget_anchor(&self.pool);
        Ok(())
    }

    fn end(&mut self, given_up: Option<&str>, policy: &KeyPolicy, held: &[Held]) {
        let now = self.now();
        let Some(detail) = keys::finish(&mut self.keys.state, given_up, held, now) else { return };
        self.keys.wait = None;
        self.keys.ds = self.wanted(policy, held);
        match given_up {
            Some(why) => warn!(pool = %self.pool, why, "a roll of the pool is given up"),
            None => info!(pool = %self.pool, detail, "a roll of the pool is over"),
        }
        self.tell("rolled", detail);
    }

    /// Rest until a known time, or look again: servers follow within seconds, registrars within days.
    fn rest(&mut self, reason: &str, detail: String, until: Option<Timestamp>, who: Who) {
        let now = self.now();
        let waited = self.keys.state.rest(reason, who, now);
        let most = Duration::from_secs(15 * 60);
        let until = until.unwrap_or(now + (waited / 10).clamp(Duration::from_secs(1), most));
        self.keys.wait = Some(Wait { reason: reason.to_owned(), detail, who, until });
    }
}

/// What the registrar is to be told.
fn to_enter(zone: &Name, wanted: &std::collections::BTreeSet<pdm_model::DsRecord>, view: &View) -> String {
    let lines: Vec<_> = wanted.iter().map(|ds| format!("{zone} IN DS {ds}")).collect();
    let out: Vec<_> = view.edited.difference(wanted).map(|ds| ds.key_tag.to_string()).collect();
    let mut text = match lines.as_slice() {
        [] => format!("let the registrar of {zone} take every DS out"),
        lines => format!("let the registrar of {zone} have exactly: {}", lines.join("; ")),
    };
    if !out.is_empty() && !wanted.is_empty() {
        text.push_str(&format!("; add what is missing first, then remove {}", out.join(", ")));
    }
    text
}
