//! One writer per parent zone across replicas.

use std::time::Duration;

use async_trait::async_trait;
use pdm_model::ZoneName;
use pdm_ports::parent::LeaseAnswer;
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::Fields;

/// Compare and set by the store's clock. The row remembers the last holder for ever: whoever finds itself in it knows
/// that nobody else wrote in between.
pub(crate) struct Acquire {
    pub(crate) zone: ZoneName,
    pub(crate) holder: String,
    pub(crate) ttl: Duration,
}

#[async_trait]
impl Job for Acquire {
    type Out = LeaseAnswer;

    async fn run(&self, session: &mut Session) -> Result<LeaseAnswer, Trouble> {
        sqlx::query(
            "INSERT INTO zone_leases (zone, holder, lease_until) VALUES ($1, $2, NULL) ON CONFLICT (zone) DO NOTHING",
        )
        .bind(self.zone.to_string())
        .bind(self.holder.clone())
        .execute(&mut session.conn)
        .await?;
        let lock = session.pick(
            "SELECT holder, lease_until FROM zone_leases WHERE zone = $1",
            "SELECT holder, lease_until FROM zone_leases WHERE zone = $1 FOR UPDATE",
        );
        let row: AnyRow = sqlx::query(lock).bind(self.zone.to_string()).fetch_one(&mut session.conn).await?;
        let mut fields = Fields::new(&row);
        let (last, until) = (fields.string()?, fields.maybe_time()?);
        // The lock may have been waited for: the time is read after it.
        let now = session.now().await?;
        let changed_hands = last != self.holder;
        if changed_hands && until.is_some_and(|until| until > now) {
            return Ok(LeaseAnswer::Held);
        }
        sqlx::query("UPDATE zone_leases SET holder = $2, lease_until = $3 WHERE zone = $1")
            .bind(self.zone.to_string())
            .bind(self.holder.clone())
            .bind((now + self.ttl).0)
            .execute(&mut session.conn)
            .await?;
        Ok(LeaseAnswer::Granted { taken_over: changed_hands && until.is_some(), changed_hands })
    }
}

/// Give it back; nothing happens when another has it by now.
pub(crate) struct GiveBack {
    pub(crate) zone: ZoneName,
    pub(crate) holder: String,
}

#[async_trait]
impl Job for GiveBack {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        sqlx::query("UPDATE zone_leases SET lease_until = NULL WHERE zone = $1 AND holder = $2")
            .bind(self.zone.to_string())
            .bind(self.holder.clone())
            .execute(&mut session.conn)
            .await?;
        Ok(())
    }
}
