//! What workers do: lease what is due, write down progress under the lease, give it back.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use pdm_model::allocation::beside_decided;
use pdm_model::lifecycle::next_phase;
use pdm_model::{Condition, Event, Operation, Phase, Step, Timestamp};
use pdm_ports::store::{Checkpoint, Lease, Then};
use pdm_ports::{Class, Fault};
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::log;
use crate::rows::{Fields, allocation_columns, json, maybe_json, operation_columns, waiting, waits_for};

macro_rules! lease_due {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                SELECT o.seq AS due_seq FROM operations o
                WHERE o.state = 'open' AND o.next_look_at <= (SELECT now_ms FROM pdm_clock)
                  AND (o.lease_until IS NULL OR o.lease_until < (SELECT now_ms FROM pdm_clock))
                  AND NOT EXISTS (SELECT 1 FROM freezes f WHERE f.pool = '' OR f.pool = o.pool)
                ORDER BY o.next_look_at, o.seq LIMIT $3",
            $lock,
            ")
            UPDATE operations SET lease_token = $1, lease_until = (SELECT now_ms FROM pdm_clock) + $2
            FROM due WHERE seq = due_seq RETURNING ",
            operation_columns!("")
        )
    };
}

const LEASE_SQLITE: &str = lease_due!("");
const LEASE_POSTGRES: &str = lease_due!(" FOR UPDATE OF o SKIP LOCKED");

const THEIRS_SQLITE: &str = concat!(
    "SELECT ",
    allocation_columns!(""),
    " FROM allocations WHERE id IN (SELECT value FROM json_each($1))"
);
const THEIRS_POSTGRES: &str = concat!(
    "SELECT ",
    allocation_columns!(""),
    " FROM allocations WHERE id IN (SELECT jsonb_array_elements_text($1::jsonb))"
);

/// Lease what is due. A worker that died left a lease behind, which is taken over once its time is up.
pub(crate) struct LeaseDue {
    pub(crate) token: String,
    pub(crate) ttl: Duration,
    pub(crate) limit: u32,
}

#[async_trait]
impl Job for LeaseDue {
    type Out = Vec<Lease>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Lease>, Trouble> {
        let leased: Vec<AnyRow> = sqlx::query(session.pick(LEASE_SQLITE, LEASE_POSTGRES))
            .bind(self.token.clone())
            .bind(millis(self.ttl))
            .bind(i64::from(self.limit))
            .fetch_all(&mut session.conn)
            .await?;
        if leased.is_empty() {
            return Ok(Vec::new());
        }
        let mut operations =
            leased.iter().map(|row| Fields::new(row).operation()).collect::<Result<Vec<_>, _>>()?;
        operations.sort_by_key(|o| o.seq);
        // Read after the lease was granted, so that they are not older than it.
        let ids: Vec<_> = operations.iter().map(|o| o.allocation.as_str()).collect();
        let rows: Vec<AnyRow> = sqlx::query(session.pick(THEIRS_SQLITE, THEIRS_POSTGRES))
            .bind(json(&ids)?)
            .fetch_all(&mut session.conn)
            .await?;
        let mut theirs = HashMap::new();
        for row in &rows {
            let allocation = Fields::new(row).allocation()?;
            theirs.insert(allocation.id.clone(), allocation);
        }
        let with_row = |operation: Operation| {
            let allocation = theirs.remove(&operation.allocation);
            let allocation = allocation.ok_or_else(|| Trouble::unreadable("an operation without its row"))?;
            Ok(Lease { operation, allocation, token: self.token.clone() })
        };
        operations.into_iter().map(with_row).collect()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

macro_rules! stand {
    ($lock:literal) => {
        concat!(
            "SELECT c.now_ms, a.id, a.phase, a.conditions, o.steps FROM operations o
             JOIN allocations a ON a.id = o.allocation CROSS JOIN pdm_clock c WHERE o.id = $1",
            $lock
        )
    };
}

/// The fence is this `WHERE`: an expired lease that nobody took over still counts, any other does not.
const ADVANCE: &str = concat!(
    "UPDATE operations SET steps = $3, waiting = $4, waits_for = $9, state = $5, finished_at = $6,
        next_look_at = COALESCE($7, next_look_at),
        lease_until = $8, lease_token = CASE WHEN $8 IS NULL THEN NULL ELSE lease_token END
     WHERE id = $1 AND lease_token = $2 AND state = 'open' RETURNING ",
    operation_columns!("")
);

const MOVE: &str = "UPDATE allocations SET phase = $2, observed = COALESCE($3, observed),
        conditions = COALESCE($4, conditions), proof = COALESCE($5, proof),
        quarantined_until = COALESCE($6, quarantined_until), updated_at = $7
     WHERE id = $1";

/// Write down progress. Intent (target, owner, generation) is never touched here.
pub(crate) struct WriteCheckpoint {
    pub(crate) operation: String,
    pub(crate) token: String,
    pub(crate) checkpoint: Checkpoint,
}

struct Stand {
    now: Timestamp,
    allocation: String,
    phase: Phase,
    conditions: Vec<Condition>,
    steps: Vec<Step>,
}

fn lease_lost() -> Trouble {
    Fault::new(Class::Fenced, "lease-lost", "the lease of this operation belongs to another, or it is closed")
        .into()
}

#[async_trait]
impl Job for WriteCheckpoint {
    type Out = Timestamp;

    async fn run(&self, session: &mut Session) -> Result<Timestamp, Trouble> {
        let stand = self.stand(session).await?;
        let operation = self.advance(session, stand.now).await?;
        self.move_allocation(session, &stand).await?;
        let finished = matches!(self.checkpoint.then, Then::Finish);
        // Holding on without news is nothing to tell.
        if finished || operation.steps != stand.steps {
            log::event(session, &operation, stand.now).await?;
        }
        log::audit(session, &self.checkpoint.audit, stand.now).await?;
        Ok(stand.now)
    }
}

impl WriteCheckpoint {
    async fn stand(&self, session: &mut Session) -> Result<Stand, Trouble> {
        let sql = session.pick(stand!(""), stand!(" FOR UPDATE OF a"));
        let row: Option<AnyRow> =
            sqlx::query(sql).bind(self.operation.clone()).fetch_optional(&mut session.conn).await?;
        let row = row.ok_or_else(lease_lost)?;
        let mut fields = Fields::new(&row);
        Ok(Stand {
            now: fields.time()?,
            allocation: fields.string()?,
            phase: fields.word(Phase::from_word)?,
            conditions: fields.json()?,
            steps: fields.json()?,
        })
    }

    async fn advance(&self, session: &mut Session, now: Timestamp) -> Result<Operation, Trouble> {
        let (state, finished, look, until) = match self.checkpoint.then {
            Then::Hold(time) => ("open", None, None, Some((now + time).0)),
            Then::LookAgain(time) => ("open", None, Some((now + time).0), None),
            Then::Finish => ("done", Some(now.0), None, None),
        };
        let row: Option<AnyRow> = sqlx::query(ADVANCE)
            .bind(self.operation.clone())
            .bind(self.token.clone())
            .bind(json(&self.checkpoint.steps)?)
            .bind(waiting(&self.checkpoint.steps))
            .bind(state)
            .bind(finished)
            .bind(look)
            .bind(until)
            .bind(waits_for(&self.checkpoint.steps).as_str())
            .fetch_optional(&mut session.conn)
            .await?;
        Fields::new(&row.ok_or_else(lease_lost)?).operation()
    }

    async fn move_allocation(&self, session: &mut Session, stand: &Stand) -> Result<(), Trouble> {
        let new = &self.checkpoint;
        if new.event.is_none() && new.observed.is_none() && new.conditions.is_none() && new.proof.is_none() {
            return Ok(());
        }
        let phase = match new.event {
            Some(event) => next_phase(stand.phase, event)
                .map_err(|e| Trouble::Fault(Fault::new(Class::Bug, "no-transition", e.to_string())))?,
            None => stand.phase,
        };
        let conditions = new.conditions.as_ref().map(|found| beside_decided(found, &stand.conditions));
        let until =
            (new.event == Some(Event::Removed)).then(|| (stand.now + new.quarantine.unwrap_or_default()).0);
        sqlx::query(MOVE)
            .bind(stand.allocation.clone())
            .bind(phase.as_str())
            .bind(maybe_json(new.observed.as_ref())?)
            .bind(maybe_json(conditions.as_ref())?)
            .bind(maybe_json(new.proof.as_ref())?)
            .bind(until)
            .bind(stand.now.0)
            .execute(&mut session.conn)
            .await?;
        Ok(())
    }
}

macro_rules! let_go {
    ($lock:literal) => {
        concat!(
            "WITH held AS MATERIALIZED (
                SELECT seq AS held_seq FROM operations WHERE lease_token = $1 AND state = 'open' ORDER BY seq",
            $lock,
            ")
            UPDATE operations SET lease_token = NULL, lease_until = NULL FROM held WHERE seq = held_seq"
        )
    };
}

/// Let every lease with this token go.
pub(crate) struct LetGo(pub(crate) String);

#[async_trait]
impl Job for LetGo {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let sql = session.pick(let_go!(""), let_go!(" FOR UPDATE"));
        sqlx::query(sql).bind(self.0.clone()).execute(&mut session.conn).await?;
        Ok(())
    }
}

/// Look again now instead of at the end of the backoff.
pub(crate) struct Hurry(pub(crate) String);

#[async_trait]
impl Job for Hurry {
    type Out = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, Trouble> {
        let done = sqlx::query(
            "UPDATE operations SET next_look_at = (SELECT now_ms FROM pdm_clock) WHERE id = $1 AND state = 'open'",
        )
        .bind(self.0.clone())
        .execute(&mut session.conn)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
