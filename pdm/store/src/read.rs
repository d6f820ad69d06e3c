//! Reads: no transaction, one statement each.

use async_trait::async_trait;
use pdm_model::{Allocation, AuditEntry, Operation, OperationKind, Phase, Timestamp, Who, ZoneName};
use pdm_ports::store::{Count, Filter, Queue, StoredEvent};
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::{Fields, allocation_columns, operation_columns};

/// The store's time.
pub(crate) struct Now;

#[async_trait]
impl Job for Now {
    type Out = Timestamp;

    async fn run(&self, session: &mut Session) -> Result<Timestamp, Trouble> {
        session.now().await
    }
}

/// The live allocation of a name, or the last freed one.
pub(crate) struct One(pub(crate) ZoneName);

#[async_trait]
impl Job for One {
    type Out = Option<(Allocation, Option<Operation>)>;

    async fn run(&self, session: &mut Session) -> Result<Self::Out, Trouble> {
        let row: Option<AnyRow> = sqlx::query(concat!(
            "SELECT ",
            allocation_columns!("a."),
            ", ",
            operation_columns!("o."),
            " FROM (SELECT * FROM allocations WHERE fqdn = $1
                ORDER BY CASE WHEN phase = 'freed' THEN 1 ELSE 0 END, reserved_at DESC, id DESC LIMIT 1) a
              LEFT JOIN operations o ON o.allocation = a.id AND o.state = 'open'"
        ))
        .bind(self.0.to_string())
        .fetch_optional(&mut session.conn)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut fields = Fields::new(&row);
        Ok(Some((fields.allocation()?, fields.maybe_operation()?)))
    }
}

/// A page. Of names that are free again the last allocation is listed, so that a name is never listed twice and the
/// name alone is a cursor.
pub(crate) struct Page(pub(crate) Filter);

#[async_trait]
impl Job for Page {
    type Out = Vec<Allocation>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Allocation>, Trouble> {
        let filter = &self.0;
        let sql = if filter.freed || filter.phase == Some(Phase::Freed) {
            concat!(
                "SELECT ",
                allocation_columns!("a."),
                " FROM allocations a
                 WHERE a.fqdn > $1 AND ($2 IS NULL OR a.pool = $2) AND ($3 IS NULL OR a.phase = $3)
                   AND ($4 IS NULL OR a.owner = $4)
                   AND ($6 IS NULL OR a.fqdn LIKE $6 ESCAPE '!')
                   AND (a.phase <> 'freed' OR NOT EXISTS (SELECT 1 FROM allocations b WHERE b.fqdn = a.fqdn AND
                        (b.phase <> 'freed' OR (b.reserved_at, b.id) > (a.reserved_at, a.id))))
                 ORDER BY a.fqdn LIMIT $5"
            )
        } else {
            concat!(
                "SELECT ",
                allocation_columns!("a."),
                " FROM allocations a
                 WHERE a.fqdn > $1 AND ($2 IS NULL OR a.pool = $2) AND ($3 IS NULL OR a.phase = $3)
                   AND ($4 IS NULL OR a.owner = $4) AND a.phase <> 'freed'
                   AND ($6 IS NULL OR a.fqdn LIKE $6 ESCAPE '!')
                 ORDER BY a.fqdn LIMIT $5"
            )
        };
        let rows: Vec<AnyRow> = sqlx::query(sql)
            .bind(filter.after.clone().unwrap_or_default())
            .bind(filter.pool.as_ref().map(ToString::to_string))
            .bind(filter.phase.map(Phase::as_str))
            .bind(filter.owner.clone())
            .bind(i64::from(filter.limit))
            .bind(filter.text.as_deref().map(containing))
            .fetch_all(&mut session.conn)
            .await?;
        rows.iter().map(|row| Fields::new(row).allocation()).collect()
    }
}

/// A pattern for names that contain a text, whatever is in it.
fn containing(text: &str) -> String {
    let escaped: String =
        text.chars().flat_map(|c| ['!'].into_iter().filter(move |_| "!%_".contains(c)).chain([c])).collect();
    format!("%{escaped}%")
}

/// One operation.
pub(crate) struct OneOperation(pub(crate) String);

#[async_trait]
impl Job for OneOperation {
    type Out = Option<Operation>;

    async fn run(&self, session: &mut Session) -> Result<Option<Operation>, Trouble> {
        let row: Option<AnyRow> =
            sqlx::query(concat!("SELECT ", operation_columns!(""), " FROM operations WHERE id = $1"))
                .bind(self.0.clone())
                .fetch_optional(&mut session.conn)
                .await?;
        row.map(|row| Fields::new(&row).operation()).transpose()
    }
}

/// Open operations, the oldest first.
pub(crate) struct Open(pub(crate) u32);

#[async_trait]
impl Job for Open {
    type Out = Vec<Operation>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Operation>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(concat!(
            "SELECT ",
            operation_columns!(""),
            " FROM operations WHERE state = 'open' ORDER BY seq LIMIT $1"
        ))
        .bind(i64::from(self.0))
        .fetch_all(&mut session.conn)
        .await?;
        rows.iter().map(|row| Fields::new(row).operation()).collect()
    }
}

/// Changes of an operation.
pub(crate) struct Events {
    pub(crate) operation: String,
    pub(crate) after: i64,
}

#[async_trait]
impl Job for Events {
    type Out = Vec<StoredEvent>;

    async fn run(&self, session: &mut Session) -> Result<Vec<StoredEvent>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT seq, at, body FROM operation_events WHERE operation = $1 AND seq > $2 ORDER BY seq LIMIT 1000",
        )
        .bind(self.operation.clone())
        .bind(self.after)
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok(StoredEvent { seq: fields.int()?, at: fields.time()?, operation: fields.json()? })
        };
        rows.iter().map(read).collect()
    }
}

/// Allocations by pool and phase.
pub(crate) struct Counts;

#[async_trait]
impl Job for Counts {
    type Out = Vec<Count>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Count>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT pool, phase, count(*) FROM allocations GROUP BY pool, phase ORDER BY pool, phase",
        )
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            let (pool, phase) = (fields.name()?, fields.word(Phase::from_word)?);
            Ok(Count { pool, phase, count: fields.number()? })
        };
        rows.iter().map(read).collect()
    }
}

/// Figures about open operations.
pub(crate) struct OpenQueue;

#[async_trait]
impl Job for OpenQueue {
    type Out = Queue;

    async fn run(&self, session: &mut Session) -> Result<Queue, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT kind, waits_for, count(*), count(CASE WHEN waiting = 1 THEN 1 END), min(created_at)
             FROM operations WHERE state = 'open' GROUP BY kind, waits_for ORDER BY kind, waits_for",
        )
        .fetch_all(&mut session.conn)
        .await?;
        let mut queue = Queue::default();
        for row in &rows {
            let mut fields = Fields::new(row);
            let (kind, who) = (fields.word(OperationKind::from_word)?, fields.word(Who::from_word)?);
            let count: u64 = fields.number()?;
            match queue.open.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, open)) => *open += count,
                None => queue.open.push((kind, count)),
            }
            queue.waiting += fields.number::<u64>()?;
            queue.oldest.push((kind, who, fields.time()?));
        }
        Ok(queue)
    }
}

/// A page of the audit log, newest first.
pub(crate) struct AuditPage {
    pub(crate) fqdn: Option<ZoneName>,
    pub(crate) actor: Option<String>,
    pub(crate) before: Option<i64>,
    pub(crate) limit: u32,
}

macro_rules! audit_page {
    ($filter:literal) => {
        concat!(
            "SELECT seq, at, actor, action, fqdn, result, detail FROM audit_log WHERE seq < $3 AND ",
            $filter,
            " ORDER BY seq DESC LIMIT $4"
        )
    };
}

#[async_trait]
impl Job for AuditPage {
    type Out = Vec<AuditEntry>;

    async fn run(&self, session: &mut Session) -> Result<Vec<AuditEntry>, Trouble> {
        // One statement for each way in, so that each has its index.
        let sql = match (&self.fqdn, &self.actor) {
            (Some(_), _) => audit_page!("fqdn = $1 AND ($2 IS NULL OR actor = $2)"),
            (None, Some(_)) => audit_page!("$1 IS NULL AND actor = $2"),
            (None, None) => audit_page!("$1 IS NULL AND $2 IS NULL"),
        };
        let rows: Vec<AnyRow> = sqlx::query(sql)
            .bind(self.fqdn.as_ref().map(ToString::to_string))
            .bind(self.actor.clone())
            .bind(self.before.unwrap_or(i64::MAX))
            .bind(i64::from(self.limit))
            .fetch_all(&mut session.conn)
            .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok(AuditEntry {
                seq: fields.int()?,
                at: fields.time()?,
                actor: fields.string()?,
                action: fields.string()?,
                fqdn: fields.maybe_name()?,
                result: fields.string()?,
                detail: fields.string()?,
            })
        };
        rows.iter().map(read).collect()
    }
}

/// The highest place any operation was given.
pub(crate) struct Mark;

#[async_trait]
impl Job for Mark {
    type Out = i64;

    async fn run(&self, session: &mut Session) -> Result<i64, Trouble> {
        let sql = session.pick(
            "SELECT max(seq) FROM sqlite_sequence WHERE name = 'operations'",
            "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM operations_seq_seq",
        );
        let row: AnyRow = sqlx::query(sql).fetch_one(&mut session.conn).await?;
        Ok(Fields::new(&row).maybe_int()?.unwrap_or(0))
    }
}

/// What the store calls itself; copies share it.
pub(crate) struct StoreId;

#[async_trait]
impl Job for StoreId {
    type Out = String;

    async fn run(&self, session: &mut Session) -> Result<String, Trouble> {
        let row: AnyRow =
            sqlx::query("SELECT value FROM meta WHERE key = 'store_id'").fetch_one(&mut session.conn).await?;
        Fields::new(&row).string()
    }
}
