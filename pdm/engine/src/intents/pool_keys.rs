//! The same for a pool's own keys: what people want stands in the pool's row, whoever drives its keys finds it there.

use pdm_dnssec::roll::needs_parent;
use pdm_model::keys::{Asked, Hold, KeyPolicy, RollKind};
use pdm_model::pool_keys::PoolKeys;
use pdm_model::{AuditEntry, Refusal, Timestamp, ZoneName};
use pdm_ports::Fault;

use super::IntentError;
use super::keys::{KeysReport, may_ask};
use crate::caller::{Caller, Right};
use crate::engine::Engine;

/// Tries against whoever writes the row at the same time.
const TRIES: usize = 20;

impl Engine {
    /// The pool that a name is.
    pub(crate) fn pool_called(&self, fqdn: &str) -> Option<&ZoneName> {
        let name = ZoneName::parse(fqdn).ok()?;
        self.settings.pools.get_key_value(&name).map(|(pool, _)| pool)
    }

    /// What is kept of a pool's own keys; none before the first look.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn pool_keys(&self, pool: &ZoneName) -> Result<Option<PoolKeys>, Fault> {
        Ok(self.parts.store.pool_keys(pool).await?.map(|(keys, _)| keys))
    }

    pub(super) async fn keys_of_pool(
        &self,
        caller: &Caller,
        pool: &ZoneName,
    ) -> Result<KeysReport, IntentError> {
        caller.must(Right::Check)?;
        if caller.owner.is_some() || caller.pool.as_ref().is_some_and(|only| only != pool) {
            return Err(super::not_found().into());
        }
        let keys = self.pool_keys(pool).await?.unwrap_or_default();
        Ok(self.report_of(pool, keys)?)
    }

    fn report_of(&self, pool: &ZoneName, keys: PoolKeys) -> Result<KeysReport, Fault> {
        let policy = self.pool_key_policy(pool, &keys)?;
        Ok(KeysReport {
            fqdn: pool.clone(),
            policy,
            parent_ds: keys.at_parent.as_ref().map(|seen| seen.seen.clone()).unwrap_or_default(),
            ds: keys.ds,
            state: keys.state,
            intent: keys.intent,
            waits: keys.wait,
            at_parent: keys.at_parent,
        })
    }

    pub(super) async fn roll_pool(
        &self,
        caller: &Caller,
        pool: &ZoneName,
        kind: RollKind,
        reason: String,
    ) -> Result<KeysReport, IntentError> {
        if needs_parent(kind) && self.settings.anchors.contains_key(pool) {
            let detail = format!(
                "dns.trust_anchor holds the DS of {pool}, and proofs would fail with another key: take it out of that \
                 file, so that proofs start at the pool's own key"
            );
            return Err(Refusal::new("roll-unsupported", detail).into());
        }
        let actor = caller.actor.clone();
        self.edit_pool(caller, pool, "pool-roll", &format!("{}: {reason}", kind.as_str()), |keys, now| {
            may_ask(&keys.intent, &keys.state, kind)?;
            keys.intent.asked = Some(Asked { kind, by: actor.clone(), reason: reason.clone(), at: now });
            Ok(true)
        })
        .await
    }

    pub(super) async fn hold_pool(
        &self,
        caller: &Caller,
        pool: &ZoneName,
        hold: bool,
        reason: String,
    ) -> Result<KeysReport, IntentError> {
        let (actor, verb) = (caller.actor.clone(), if hold { "roll-hold" } else { "roll-resume" });
        self.edit_pool(caller, pool, verb, &reason, |keys, now| {
            let differs = keys.intent.hold.is_some() != hold;
            if differs {
                keys.intent.hold =
                    hold.then(|| Hold { by: actor.clone(), reason: reason.clone(), since: now });
            }
            Ok(differs)
        })
        .await
    }

    pub(super) async fn set_pool_policy(
        &self,
        caller: &Caller,
        pool: &ZoneName,
        policy: Option<KeyPolicy>,
    ) -> Result<KeysReport, IntentError> {
        let detail = serde_json::to_string(&policy).unwrap_or_default();
        self.edit_pool(caller, pool, "key-policy", &detail, |keys, _| {
            let differs = keys.intent.policy != policy;
            keys.intent.policy.clone_from(&policy);
            Ok(differs)
        })
        .await
    }

    /// Change what is wanted, in place of what was read; whoever drives looks at once.
    async fn edit_pool(
        &self,
        caller: &Caller,
        pool: &ZoneName,
        action: &str,
        detail: &str,
        edit: impl Fn(&mut PoolKeys, Timestamp) -> Result<bool, Refusal>,
    ) -> Result<KeysReport, IntentError> {
        if caller.owner.is_some() || caller.pool.as_ref().is_some_and(|only| only != pool) {
            return Err(super::not_found().into());
        }
        let store = &self.parts.store;
        for _ in 0..TRIES {
            let now = store.now().await?;
            let (mut keys, version) = match store.pool_keys(pool).await? {
                Some((keys, version)) => (keys, Some(version)),
                None => (PoolKeys::default(), None),
            };
            if !edit(&mut keys, now)? {
                return Ok(self.report_of(pool, keys)?);
            }
            let audit = vec![AuditEntry::new(&caller.actor, action, pool, detail.to_owned())];
            if store.put_pool_keys(pool, &keys, version, audit).await? {
                self.pool_bell.notify_one();
                return Ok(self.report_of(pool, keys)?);
            }
        }
        Err(Fault::transient("pool-keys-busy", "the pool's keys were written again and again").into())
    }
}
