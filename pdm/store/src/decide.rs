//! `decide`: read the facts of one name with its row locked, ask the pure decision, write what it says.
//!
//! Order of locks on PostgreSQL, the same in every job, so that no two of them ever wait for each other in a circle:
//! advisory locks in the order of their numbers, then ONE allocation row, then ONE operation row, then inserts. Jobs
//! that take several rows skip those that are locked, or take one kind only, in order.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use pdm_model::{Allocation, AuditEntry, Operation, OperationState, Phase, Refusal, Timestamp, ZoneName};
use pdm_ports::store::{Decided, Decision, Facts, NewOperation, Wanted, Write};
use sqlx::any::AnyRow;

use crate::claims;
use crate::db::{Dialect, Job, Session};
use crate::fault::{Trouble, unavailable};
use crate::log;
use crate::rows::{self, Fields, allocation_columns, bind_allocation, json, operation_columns};

/// The name, its open operation and the wanted counts, in one statement. Where nothing is wanted, the parameter is
/// null and the count costs nothing.
const FACTS: &str = concat!(
    "SELECT c.now_ms,
        (SELECT min(s.fqdn) FROM allocations s
          WHERE s.pool = $2 AND s.look = $3 AND s.phase <> 'freed' AND s.fqdn <> $1
            AND (s.phase <> 'reserved' OR s.expires_at > c.now_ms OR s.quarantined_until > c.now_ms)
            AND (s.phase <> 'quarantined' OR s.quarantined_until > c.now_ms)),
        (SELECT count(*) FROM allocations n
          WHERE n.pool = $2 AND n.owner = $4 AND n.phase <> 'freed' AND n.phase <> 'quarantined'
            AND (n.phase <> 'reserved' OR n.expires_at > c.now_ms)),
        (SELECT count(DISTINCT r.allocation) FROM operations r
          WHERE r.pool = $5 AND r.kind = 'release' AND r.created_at > c.now_ms - 3600000), ",
    allocation_columns!("a."),
    ", ",
    operation_columns!("o."),
    " FROM pdm_clock c
        LEFT JOIN allocations a ON a.fqdn = $1 AND a.phase <> 'freed'
        LEFT JOIN operations o ON o.allocation = a.id AND o.state = 'open'"
);

const LOCK: &str = "SELECT id FROM allocations WHERE fqdn = $1 AND phase <> 'freed' FOR UPDATE";

/// By identity; a row can never become another name.
macro_rules! put {
    () => {
        concat!(
            "INSERT INTO allocations (",
            allocation_columns!(""),
            ", look) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                $21, $22, $23, $24)
             ON CONFLICT (id) DO UPDATE SET
                pool = excluded.pool, mode = excluded.mode, owner = excluded.owner, phase = excluded.phase,
                generation = excluded.generation, target = excluded.target, committed = excluded.committed,
                commit_operation = excluded.commit_operation, suspended = excluded.suspended,
                legacy = excluded.legacy, created_by = excluded.created_by, request_key = excluded.request_key,
                reserved_at = excluded.reserved_at, expires_at = excluded.expires_at,
                quarantined_until = excluded.quarantined_until, conditions = excluded.conditions,
                observed = excluded.observed, proof = excluded.proof, updated_at = excluded.updated_at,
                byo = excluded.byo, keys = excluded.keys, look = excluded.look
             WHERE allocations.fqdn = excluded.fqdn"
        )
    };
}

/// A row and its entry in the log, at the row's `updated_at`, in one round trip.
const PUT_AND_LOG_SQLITE: &str = concat!(
    put!(),
    "; INSERT INTO audit_log (at, actor, action, fqdn, result, detail) VALUES ($21, $25, $26, $27, $28, $29)"
);
const PUT_AND_LOG_POSTGRES: &str = concat!(
    "WITH put AS (",
    put!(),
    " RETURNING id)
     INSERT INTO audit_log (at, actor, action, fqdn, result, detail) SELECT $21, $25, $26, $27, $28, $29 FROM put"
);

const OPEN: &str = "INSERT INTO operations
    (id, allocation, fqdn, pool, kind, generation, state, steps, lease_token, lease_until, next_look_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, $9, $11, $10) RETURNING seq";

/// How often the row may change hands between lock and look before we say that the store is too busy.
const LOOKS: usize = 8;

/// The whole of it.
pub(crate) struct Decide {
    pub(crate) name: ZoneName,
    pub(crate) wanted: Wanted,
    pub(crate) decision: Decision,
}

#[async_trait]
impl Job for Decide {
    type Out = Result<Decided, Refusal>;

    /// Two reservations under one look, by one owner, and two releases in one pool take turns: each must count the
    /// other.
    fn locks(&self) -> BTreeSet<i64> {
        let mut numbers = BTreeSet::new();
        if let Some((pool, look, owner)) = &self.wanted.reservation {
            numbers.insert(lock_number(&["look", pool.as_str(), look]));
            numbers.extend(owner.iter().map(|owner| lock_number(&["owner", pool.as_str(), owner])));
        }
        if let Some(registered) = &self.wanted.byo {
            numbers.insert(lock_number(&["byo", registered.as_str()]));
        }
        if let Some(pool) = &self.wanted.releases_of {
            numbers.insert(lock_number(&["releases", pool.as_str()]));
        }
        numbers
    }

    async fn run(&self, session: &mut Session) -> Result<Self::Out, Trouble> {
        let facts = match session.dialect {
            Dialect::Sqlite => self.facts(session).await?,
            Dialect::Postgres => self.locked_facts(session).await?,
        };
        match (self.decision)(&facts) {
            Ok(write) => write_down(session, facts, write).await.map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

impl Decide {
    async fn facts(&self, session: &mut Session) -> Result<Facts, Trouble> {
        let (pool, look, owner) = match &self.wanted.reservation {
            Some((pool, look, owner)) => (Some(pool.to_string()), Some(look.clone()), owner.clone()),
            None => (None, None, None),
        };
        let row: AnyRow = sqlx::query(FACTS)
            .bind(self.name.to_string())
            .bind(pool)
            .bind(look)
            .bind(owner)
            .bind(self.wanted.releases_of.as_ref().map(ToString::to_string))
            .fetch_one(&mut session.conn)
            .await?;
        let mut fields = Fields::new(&row);
        let (claims, related) = match &self.wanted.byo {
            Some(_) => claims::facts(session, &self.name).await?,
            None => (Vec::new(), Vec::new()),
        };
        Ok(Facts {
            now: fields.time()?,
            similar: fields.maybe_name()?,
            owner_count: fields.number()?,
            releases_last_hour: fields.number()?,
            live: fields.maybe_allocation()?,
            open: fields.maybe_operation()?,
            claims,
            related,
        })
    }

    /// Facts are read after the lock was granted: a statement that waited for a row still sees the rest as it was
    /// before the wait.
    async fn locked_facts(&self, session: &mut Session) -> Result<Facts, Trouble> {
        if self.wanted.reservation.is_some() {
            // Usually nobody has the name. Of two who find that, the second meets the first at the unique index.
            let facts = self.facts(session).await?;
            if facts.live.is_none() {
                return Ok(facts);
            }
        }
        for _ in 0..LOOKS {
            let row: Option<AnyRow> =
                sqlx::query(LOCK).bind(self.name.to_string()).fetch_optional(&mut session.conn).await?;
            let locked = row.as_ref().map(|row| Fields::new(row).string()).transpose()?;
            let facts = self.facts(session).await?;
            if facts.live.as_ref().map(|a| &a.id) == locked.as_ref() {
                return Ok(facts);
            }
        }
        Err(unavailable("the name changed hands again and again").into())
    }
}

/// The same number for the same words in every replica (FNV-1a). Two words with one number only take turns.
fn lock_number(words: &[&str]) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in words.iter().flat_map(|word| word.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash.cast_signed()
}

async fn write_down(session: &mut Session, facts: Facts, write: Write) -> Result<Decided, Trouble> {
    let now = facts.now;
    if write.operation.is_some() && facts.open.is_some() && !write.supersede {
        return Err(Trouble::invalid_write("the name has an open operation that was not superseded"));
    }
    claims::write(session, &write).await?;
    let mut entries = write.audit.iter();
    let mut written: Vec<Allocation> = Vec::with_capacity(write.allocations.len());
    for mut allocation in write.allocations {
        allocation.updated_at = now;
        match entries.next() {
            Some(entry) => put_and_log(session, &allocation, entry).await?,
            None => put(session, &allocation).await?,
        }
        written.push(allocation);
    }
    let mut open = facts.open;
    let mut quiet = None;
    if write.supersede
        && let Some(old) = open.take()
    {
        let new = write.operation.as_ref();
        quiet = supersede(session, old, new.map_or("", |new| new.holder.as_str()), now).await?;
    }
    let mut opened_quiet = false;
    if let Some(new) = write.operation {
        let whose = whose(&new, &written, facts.live.as_ref())?;
        let until = quiet.map(|lease_end: Timestamp| lease_end.min(now + new.quiet));
        opened_quiet = until.is_some();
        open = Some(open_operation(session, new, whose, now, until).await?);
    }
    log::audit(session, entries.as_slice(), now).await?;
    let allocation = standing(written, facts.live);
    Ok(Decided { now, allocation, operation: open, quiet: opened_quiet })
}

/// The live one afterwards, or the one that was freed.
fn standing(written: Vec<Allocation>, before: Option<Allocation>) -> Option<Allocation> {
    let mut latest: HashMap<String, Allocation> = HashMap::new();
    let mut order = Vec::new();
    for allocation in before.into_iter().chain(written) {
        match latest.entry(allocation.id.clone()) {
            Entry::Occupied(mut there) => drop(there.insert(allocation)),
            Entry::Vacant(free) => {
                order.push(allocation.id.clone());
                free.insert(allocation);
            }
        }
    }
    let live = order.iter().rev().find(|id| latest.get(*id).is_some_and(|a| a.phase != Phase::Freed));
    let id = live.or(order.last())?;
    latest.remove(id)
}

fn whose<'a>(
    new: &NewOperation,
    written: &'a [Allocation],
    live: Option<&'a Allocation>,
) -> Result<&'a Allocation, Trouble> {
    let mut known = written.iter().rev().chain(live);
    let whose = known.find(|a| a.id == new.allocation && a.fqdn == new.fqdn);
    whose.ok_or_else(|| Trouble::invalid_write("the operation is for another name than the decision"))
}

/// Insert or update one row by its identity.
pub(crate) async fn put(session: &mut Session, allocation: &Allocation) -> Result<(), Trouble> {
    let done = bind_allocation(sqlx::query(put!()), allocation)?.execute(&mut session.conn).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(stolen(allocation)) }
}

async fn put_and_log(
    session: &mut Session,
    allocation: &Allocation,
    entry: &AuditEntry,
) -> Result<(), Trouble> {
    let sql = session.pick(PUT_AND_LOG_SQLITE, PUT_AND_LOG_POSTGRES);
    let done = log::bind_entry(bind_allocation(sqlx::query(sql), allocation)?, entry)
        .execute(&mut session.conn)
        .await?;
    // SQLite counts both rows, PostgreSQL those of the outer insert, which has one for each row of the inner.
    let expected = match session.dialect {
        Dialect::Sqlite => 2,
        Dialect::Postgres => 1,
    };
    if done.rows_affected() == expected { Ok(()) } else { Err(stolen(allocation)) }
}

fn stolen(allocation: &Allocation) -> Trouble {
    Trouble::invalid_write(format!("allocation {} belongs to another name", allocation.id))
}

/// Close it; whoever works on it finds its lease worthless. Answers the end of that lease when another process than
/// `holder` has it: what that one sent last may still land.
async fn supersede(
    session: &mut Session,
    old: Operation,
    holder: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, Trouble> {
    let row: AnyRow = sqlx::query("SELECT lease_token, lease_until FROM operations WHERE seq = $1")
        .bind(old.seq)
        .fetch_one(&mut session.conn)
        .await?;
    let mut fields = Fields::new(&row);
    let (token, until) = (fields.maybe_string()?, fields.maybe_time()?);
    let elsewhere = token.is_some_and(|token| token.split('-').next() != Some(holder));
    let busy = until.filter(|until| elsewhere && *until > now);
    sqlx::query(
        "UPDATE operations SET state = 'superseded', finished_at = $2, lease_token = NULL, lease_until = NULL
         WHERE seq = $1 AND state = 'open'",
    )
    .bind(old.seq)
    .bind(now.0)
    .execute(&mut session.conn)
    .await?;
    let closed = Operation { state: OperationState::Superseded, finished_at: Some(now), ..old };
    log::event(session, &closed, now).await?;
    Ok(busy)
}

async fn open_operation(
    session: &mut Session,
    new: NewOperation,
    whose: &Allocation,
    now: Timestamp,
    quiet_until: Option<Timestamp>,
) -> Result<Operation, Trouble> {
    let steps = Operation::fresh_steps(whose.mode.parent(), new.kind, now);
    let (token, until) = match (new.lease, quiet_until) {
        (Some((token, ttl)), None) => (Some(token), Some((now + ttl).0)),
        (None, _) | (_, Some(_)) => (None, None),
    };
    let row: AnyRow = sqlx::query(OPEN)
        .bind(new.id.clone())
        .bind(new.allocation.clone())
        .bind(new.fqdn.to_string())
        .bind(whose.pool.to_string())
        .bind(new.kind.as_str())
        .bind(new.generation)
        .bind(json(&steps)?)
        .bind(token)
        .bind(until)
        .bind(now.0)
        .bind(quiet_until.unwrap_or(now).0)
        .fetch_one(&mut session.conn)
        .await?;
    let operation = Operation {
        id: new.id,
        seq: rows::Fields::new(&row).int()?,
        allocation: new.allocation,
        fqdn: new.fqdn,
        kind: new.kind,
        generation: new.generation,
        state: OperationState::Open,
        steps,
        created_at: now,
        finished_at: None,
    };
    log::event(session, &operation, now).await?;
    Ok(operation)
}
