//! The pool's DS at its parent: read at every server of the parent, compared with the keys.

use std::collections::BTreeSet;

use pdm_dnssec::roll::{Held, ParentSeen, standing};
use pdm_model::DsRecord;
use pdm_model::pool_keys::DsStanding;
use pdm_ports::{Fault, Signing};
use tracing::{info, warn};

use super::Turn;
use crate::keys::look::signatures_until;
use crate::steps::called;

impl Turn {
    /// Look at the parent, and write down how the DS stands there.
    pub(super) async fn look_at_parent(&mut self, signing: &Signing) -> Result<(), Fault> {
        let held = crate::keys::held(&signing.keys);
        let one = &self.engine.settings.servers[..self.engine.settings.servers.len().min(1)];
        let views = self.engine.parts.probe.key_views(&self.pool, one).await;
        let until = signatures_until(&views);
        self.keys.state.signatures_until = until.or(self.keys.state.signatures_until);
        match self.parents().await {
            Ok(seen) => self.judge(&held, &seen),
            Err(fault) => {
                self.stands(DsStanding::Unknown, format!("{}: {}", fault.code, fault.detail), BTreeSet::new())
            }
        }
        Ok(())
    }

    /// What every server of the parent answers for the pool's DS.
    pub(super) async fn parents(&self) -> Result<Vec<ParentSeen>, Fault> {
        let view = self.engine.parts.walk.parent(&self.pool).await?;
        Ok(view.answers.into_iter().map(|a| ParentSeen { server: called(&a.server), ds: a.ds }).collect())
    }

    pub(super) fn judge(&mut self, held: &[Held], seen: &[ParentSeen]) {
        let (standing, detail) = standing(&self.name(), held, seen);
        let all = seen.iter().filter_map(|p| p.ds.as_ref()).flat_map(|(set, _)| set.clone()).collect();
        self.stands(standing, detail, all);
        // Whoever handed it over since does not count as unsigned.
        let there = matches!(standing, DsStanding::Right | DsStanding::Stale | DsStanding::Wrong);
        if there && self.keys.state.roll.is_none() {
            self.keys.state.insecure = false;
        }
    }

    fn stands(&mut self, standing: DsStanding, detail: String, seen: BTreeSet<DsRecord>) {
        let now = self.now();
        if !self.keys.stands(standing, detail.clone(), seen, now) {
            return;
        }
        match standing {
            DsStanding::Right => info!(pool = %self.pool, "the pool's DS is right"),
            _ => {
                warn!(pool = %self.pool, standing = standing.as_str(), detail, "the pool's DS at its parent")
            }
        }
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        self.tell("pool-ds", format!("{}{detail}", standing.as_str()));
    }
}
