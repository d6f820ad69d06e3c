//! What happened to allocations and was not told yet. Triggers write it, so that no way of changing an allocation can
//! forget to; only while somebody wants to tell it.

use async_trait::async_trait;
use pdm_model::audit::Transition;
use pdm_model::{Phase, ZoneName};
use pdm_ports::Fault;
use pdm_ports::outbox::{Backlog, Happened, Outbox};
use serde_json::json;
use sqlx::any::AnyRow;

use crate::SqlStore;
use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::Fields;

const SEED: &str = "INSERT INTO outbox
    (sink, at, allocation, fqdn, pool, mode, owner, phase, was, generation, target, suspended, conditions)
    SELECT $1, updated_at, id, fqdn, pool, mode, owner, phase, NULL, generation, target, suspended, conditions
    FROM allocations WHERE phase <> 'freed' ORDER BY fqdn";
const WAITING: &str = "SELECT seq, at, allocation, fqdn, pool, mode, owner, phase, was, generation, target, suspended, conditions,
    finding, trace, conditions_before FROM outbox WHERE sink = $1 ORDER BY seq LIMIT $2";
/// A turn of a finding, with how its name stands.
const FINDING: &str = "INSERT INTO outbox
    (sink, at, allocation, fqdn, pool, mode, owner, phase, was, generation, target, suspended, conditions,
    conditions_before, finding)
    SELECT sink, $1, id, fqdn, pool, mode, owner, phase, phase, generation, target, suspended, conditions, conditions, $3
    FROM allocations, outbox_sinks WHERE fqdn = $2 AND phase <> 'freed'";
/// The same of a pool, which is no allocation.
const FINDING_OF_POOL: &str = "INSERT INTO outbox
    (sink, at, allocation, fqdn, pool, mode, owner, phase, was, generation, target, suspended, conditions,
    conditions_before, finding)
    SELECT sink, $1, '', $2, $2, 'pool', '', 'active', NULL, 0, NULL, NULL, '[]', '[]', $3 FROM outbox_sinks";

/// Put down a turn of a finding for whoever is told, while somebody is.
pub(crate) async fn put_down(
    session: &mut Session,
    fqdn: &ZoneName,
    news: &Transition,
    report: Option<&str>,
) -> Result<(), Trouble> {
    let on: Option<AnyRow> =
        sqlx::query("SELECT 1 FROM outbox_sinks LIMIT 1").fetch_optional(&mut session.conn).await?;
    if on.is_none() {
        return Ok(());
    }
    let now = session.now().await?;
    let body =
        json!({ "turn": news.turn, "was": news.was, "finding": news.finding, "report": report }).to_string();
    for sql in [FINDING, FINDING_OF_POOL] {
        let query = sqlx::query(sql).bind(now.0).bind(fqdn.to_string()).bind(body.clone());
        if query.execute(&mut session.conn).await?.rows_affected() > 0 {
            break;
        }
    }
    Ok(())
}

/// Say which trace the changes of the running transaction belong to; the empty text for none.
pub(crate) async fn name_trace(session: &mut Session, trace: &str) -> Result<(), Trouble> {
    // On SQLite there is one writer, and a row of `meta` is as good as a variable; on PostgreSQL it would be a lock.
    let set = session
        .pick("UPDATE meta SET value = $1 WHERE key = 'trace'", "SELECT set_config('pdm.trace', $1, true)");
    sqlx::query(set).bind(trace.to_owned()).execute(&mut session.conn).await?;
    Ok(())
}

struct Keep(String, bool);

#[async_trait]
impl Job for Keep {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let Self(sink, on) = self;
        let change = if *on {
            "INSERT INTO outbox_sinks (sink) VALUES ($1) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM outbox_sinks WHERE sink = $1"
        };
        let changed =
            sqlx::query(change).bind(sink.clone()).execute(&mut session.conn).await?.rows_affected();
        if changed == 0 {
            return Ok(());
        }
        let then = if *on { SEED } else { "DELETE FROM outbox WHERE sink = $1" };
        sqlx::query(then).bind(sink.clone()).execute(&mut session.conn).await?;
        Ok(())
    }
}

struct Waiting(String, u32);

#[async_trait]
impl Job for Waiting {
    type Out = Vec<Happened>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Happened>, Trouble> {
        let asked = sqlx::query(WAITING).bind(self.0.clone()).bind(i64::from(self.1));
        let rows: Vec<AnyRow> = asked.fetch_all(&mut session.conn).await?;
        rows.iter().map(happened).collect()
    }
}

fn happened(row: &AnyRow) -> Result<Happened, Trouble> {
    let mut fields = Fields::new(row);
    Ok(Happened {
        seq: fields.int()?,
        at: fields.time()?,
        allocation: fields.string()?,
        fqdn: fields.string()?,
        pool: fields.string()?,
        mode: fields.string()?,
        owner: fields.string()?,
        phase: fields.word(Phase::from_word)?,
        was: fields.maybe_string()?.as_deref().and_then(Phase::from_word),
        generation: fields.int()?,
        target: fields.maybe_json()?,
        suspended: fields.maybe_string()?,
        conditions: fields.maybe_json()?.unwrap_or_default(),
        finding: fields.maybe_json()?,
        trace: fields.maybe_string()?,
        conditions_before: fields.maybe_json()?,
    })
}

struct Told(Vec<i64>);

#[async_trait]
impl Job for Told {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        for seq in &self.0 {
            sqlx::query("DELETE FROM outbox WHERE seq = $1").bind(*seq).execute(&mut session.conn).await?;
        }
        Ok(())
    }
}

struct Measure(String);

#[async_trait]
impl Job for Measure {
    type Out = Backlog;

    async fn run(&self, session: &mut Session) -> Result<Backlog, Trouble> {
        let asked = sqlx::query("SELECT count(*), min(at) FROM outbox WHERE sink = $1").bind(self.0.clone());
        let row: AnyRow = asked.fetch_one(&mut session.conn).await?;
        let mut fields = Fields::new(&row);
        let count = u64::try_from(fields.int()?).unwrap_or(0);
        Ok(Backlog { count, oldest: fields.maybe_time()? })
    }
}

#[async_trait]
impl Outbox for SqlStore {
    async fn keep(&self, sink: &str, on: bool) -> Result<(), Fault> {
        self.write(Keep(sink.to_owned(), on)).await
    }

    async fn waiting(&self, sink: &str, limit: u32) -> Result<Vec<Happened>, Fault> {
        self.read(Waiting(sink.to_owned(), limit)).await
    }

    async fn told(&self, seqs: &[i64]) -> Result<(), Fault> {
        self.write(Told(seqs.to_vec())).await
    }

    async fn backlog(&self, sink: &str) -> Result<Backlog, Fault> {
        self.read(Measure(sink.to_owned())).await
    }
}
