//! What happens without a request: deadlines pass, looks are written down, old things are dropped, lost rows return.

use async_trait::async_trait;
use pdm_model::{Allocation, AuditEntry, Proof, Timestamp};
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::decide;
use crate::fault::Trouble;
use crate::log;
use crate::rows::{Fields, json, maybe_json};

// The phases written here are rows of the lifecycle's table; a test below compares them.
macro_rules! expire {
    ($due:literal, $lock:literal, $to:literal) => {
        concat!(
            "WITH over AS MATERIALIZED (SELECT id AS over_id FROM allocations WHERE ",
            $due,
            " ORDER BY id LIMIT $2",
            $lock,
            ") UPDATE allocations SET phase = ",
            $to,
            ", updated_at = $1 FROM over WHERE id = over_id RETURNING fqdn, phase, quarantined_until"
        )
    };
}

macro_rules! reservations {
    ($lock:literal) => {
        expire!(
            "phase = 'reserved' AND expires_at <= $1",
            $lock,
            "CASE WHEN quarantined_until > $1 THEN 'quarantined' ELSE 'freed' END"
        )
    };
}

macro_rules! quarantines {
    ($lock:literal) => {
        expire!("phase = 'quarantined' AND quarantined_until <= $1", $lock, "'freed'")
    };
}

macro_rules! claims {
    ($lock:literal) => {
        concat!(
            "DELETE FROM claims WHERE id IN
                (SELECT id FROM claims WHERE expires_at <= $1 ORDER BY id LIMIT $2",
            $lock,
            ") RETURNING fqdn, owner"
        )
    };
}

/// Free what is over.
pub(crate) struct Expire(pub(crate) u32);

#[async_trait]
impl Job for Expire {
    type Out = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, Trouble> {
        let now = session.now().await?;
        let mut left = i64::from(self.0);
        let kinds = [
            ("expire", session.pick(reservations!(""), reservations!(" FOR UPDATE SKIP LOCKED"))),
            ("quarantine-over", session.pick(quarantines!(""), quarantines!(" FOR UPDATE SKIP LOCKED"))),
        ];
        for (action, sql) in kinds {
            let rows: Vec<AnyRow> =
                sqlx::query(sql).bind(now.0).bind(left).fetch_all(&mut session.conn).await?;
            left -= i64::try_from(rows.len()).unwrap_or(left);
            let entries = rows.iter().map(|row| entry(action, row)).collect::<Result<Vec<_>, _>>()?;
            log::audit(session, &entries, now).await?;
        }
        let rows: Vec<AnyRow> = sqlx::query(session.pick(claims!(""), claims!(" FOR UPDATE SKIP LOCKED")))
            .bind(now.0)
            .bind(left)
            .fetch_all(&mut session.conn)
            .await?;
        left -= i64::try_from(rows.len()).unwrap_or(left);
        let over = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            let name = fields.name()?;
            Ok(AuditEntry::new("pdm", "claim-over", &name, format!("of {}, never proved", fields.text()?)))
        };
        let entries = rows.iter().map(over).collect::<Result<Vec<_>, Trouble>>()?;
        log::audit(session, &entries, now).await?;
        Ok(u64::try_from(i64::from(self.0) - left).unwrap_or(0))
    }
}

fn entry(action: &str, row: &AnyRow) -> Result<AuditEntry, Trouble> {
    let mut fields = Fields::new(row);
    let name = fields.name()?;
    let detail = match (fields.text()?, fields.maybe_int()?) {
        ("quarantined", Some(until)) => format!("back into quarantine until {}", Timestamp(until)),
        _ => "the name is free".to_owned(),
    };
    Ok(AuditEntry::new("pdm", action, &name, detail))
}

/// Write down what a look found.
pub(crate) struct Note {
    pub(crate) allocation: Allocation,
    pub(crate) proof: Option<Proof>,
    pub(crate) audit: Vec<AuditEntry>,
}

macro_rules! lock_one {
    ($lock:literal) => {
        concat!("SELECT c.now_ms FROM allocations a CROSS JOIN pdm_clock c WHERE a.id = $1", $lock)
    };
}

#[async_trait]
impl Job for Note {
    type Out = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, Trouble> {
        // First the lock, then the look at operations: see `decide`.
        let row: Option<AnyRow> = sqlx::query(session.pick(lock_one!(""), lock_one!(" FOR UPDATE OF a")))
            .bind(self.allocation.id.clone())
            .fetch_optional(&mut session.conn)
            .await?;
        let Some(row) = row else { return Ok(false) };
        // Never the same time twice: it is what tells a row that changed.
        let now = Fields::new(&row).time()?.max(Timestamp(self.allocation.updated_at.0 + 1));
        let done = sqlx::query(
            "UPDATE allocations SET conditions = $3, proof = COALESCE($4, proof), updated_at = $5, observed = $6
             WHERE id = $1 AND generation = $2 AND updated_at = $7 AND phase <> 'freed' AND NOT EXISTS
                (SELECT 1 FROM operations o WHERE o.allocation = $1 AND o.state = 'open'
                    AND (o.lease_token IS NOT NULL OR o.kind <> 'roll' AND o.waits_for = 'nobody'))",
        )
        .bind(self.allocation.id.clone())
        .bind(self.allocation.generation)
        .bind(json(&self.allocation.conditions)?)
        .bind(maybe_json(self.proof.as_ref())?)
        .bind(now.0)
        .bind(json(&self.allocation.observed)?)
        .bind(self.allocation.updated_at.0)
        .execute(&mut session.conn)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        log::audit(session, &self.audit, now).await?;
        Ok(true)
    }
}

/// Put an allocation back that only its zone's stamp remembers.
pub(crate) struct Restore {
    pub(crate) allocation: Allocation,
    pub(crate) audit: AuditEntry,
}

#[async_trait]
impl Job for Restore {
    type Out = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, Trouble> {
        // A row of the same allocation whose generation is older is what an older backup remembers: the zone knows
        // better. Anything else that is live under the name is somebody's, and stays.
        let row: AnyRow = sqlx::query(
            "SELECT now_ms, (SELECT count(*) FROM allocations
                WHERE (id = $1 AND generation >= $3) OR (id <> $1 AND fqdn = $2 AND phase <> 'freed')) FROM pdm_clock",
        )
        .bind(self.allocation.id.clone())
        .bind(self.allocation.fqdn.to_string())
        .bind(self.allocation.generation)
        .fetch_one(&mut session.conn)
        .await?;
        let mut fields = Fields::new(&row);
        let now = fields.time()?;
        if fields.int()? > 0 {
            return Ok(false);
        }
        // What the older store still meant to do was done, or overtaken, long ago.
        sqlx::query(
            "UPDATE operations SET state = 'superseded', finished_at = $2, lease_token = NULL, lease_until = NULL
                WHERE allocation = $1 AND state = 'open'",
        )
        .bind(self.allocation.id.clone())
        .bind(now.0)
        .execute(&mut session.conn)
        .await?;
        decide::put(session, &Allocation { updated_at: now, ..self.allocation.clone() }).await?;
        log::audit(session, std::slice::from_ref(&self.audit), now).await?;
        Ok(true)
    }
}

/// Answered requests are remembered this long.
const REQUESTS_MS: i64 = 24 * 3_600_000;
/// Events are kept this long after their operation ended.
const EVENTS_MS: i64 = 7 * 24 * 3_600_000;
/// At most so many rows of a kind in one transaction.
const PRUNE: i64 = 5_000;

macro_rules! prune_requests {
    ($lock:literal) => {
        concat!(
            "DELETE FROM requests WHERE key IN
                (SELECT key FROM requests WHERE begun_at <= $1 ORDER BY key LIMIT $2",
            $lock,
            ")"
        )
    };
}

macro_rules! prune_events {
    ($lock:literal) => {
        concat!(
            "DELETE FROM operation_events WHERE seq IN
                (SELECT e.seq FROM operation_events e JOIN operations o ON o.id = e.operation
                 WHERE e.at <= $1 AND o.finished_at <= $1 ORDER BY e.seq LIMIT $2",
            $lock,
            ")"
        )
    };
}

/// Drop what nobody asks for any more.
pub(crate) struct Prune;

#[async_trait]
impl Job for Prune {
    type Out = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, Trouble> {
        let now = session.now().await?;
        let kinds = [
            (REQUESTS_MS, session.pick(prune_requests!(""), prune_requests!(" FOR UPDATE SKIP LOCKED"))),
            (EVENTS_MS, session.pick(prune_events!(""), prune_events!(" FOR UPDATE OF e SKIP LOCKED"))),
        ];
        let mut dropped = 0;
        for (age, sql) in kinds {
            let done = sqlx::query(sql).bind(now.0 - age).bind(PRUNE).execute(&mut session.conn).await?;
            dropped += done.rows_affected();
        }
        let freed = "DELETE FROM carried_records WHERE allocation IN (SELECT id FROM allocations WHERE phase = 'freed')";
        dropped += sqlx::query(freed).execute(&mut session.conn).await?.rows_affected();
        Ok(dropped)
    }
}

/// Make sure that new operations are placed after a mark.
pub(crate) struct RaiseMark(pub(crate) i64);

#[async_trait]
impl Job for RaiseMark {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        // A number given between the look and the raise lies below the mark, so none is given twice.
        let sql = session.pick(
            "UPDATE sqlite_sequence SET seq = $1 WHERE name = 'operations' AND seq < $1",
            "SELECT setval('operations_seq_seq', $1) FROM operations_seq_seq WHERE last_value < $1",
        );
        sqlx::query(sql).bind(self.0).execute(&mut session.conn).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pdm_model::lifecycle::next_phase;
    use pdm_model::{Event, Phase};

    #[test]
    fn the_phases_in_the_statements_are_those_of_the_table() {
        assert_eq!(next_phase(Phase::Reserved, Event::Expire), Ok(Phase::Freed));
        assert_eq!(next_phase(Phase::Reserved, Event::ExpireReclaimed), Ok(Phase::Quarantined));
        assert_eq!(next_phase(Phase::Quarantined, Event::QuarantineOver), Ok(Phase::Freed));
    }
}
