//! A job on PostgreSQL: one transaction, run again when another was in the way.

use std::time::Duration;

use pdm_ports::{Fault, trace};
use sqlx::{AssertSqlSafe, Executor};

use crate::db::{Job, Pool, Session};
use crate::fault::Trouble;
use crate::outbox;

/// How often a job is run before its conflict is handed to the caller.
const ATTEMPTS: u32 = 6;

/// Run a job in a transaction of its own.
pub(crate) async fn transact<J: Job>(pool: &Pool, job: &J) -> Result<J::Out, Fault> {
    let mut attempt = 1;
    let mut losses = 0;
    loop {
        let mut held = pool.take().await?;
        let trouble = match once(&mut held.session, job).await {
            Ok(out) => {
                pool.keep(held);
                return Ok(out);
            }
            Err(End::Before(trouble)) if trouble.is_loss() => {
                // Nothing was committed, so it may run again on a connection that lives.
                drop(held);
                pool.forget_idle();
                losses += 1;
                if losses > 1 {
                    return Err(trouble.into());
                }
                continue;
            }
            Err(End::Before(trouble)) => {
                if held.session.run("ROLLBACK").await.is_ok() {
                    pool.keep(held);
                }
                trouble
            }
            // Whether a lost COMMIT counted, nobody here can know. A refused one did not.
            Err(End::Commit(trouble)) => {
                drop(held);
                if trouble.is_loss() {
                    pool.forget_idle();
                }
                trouble
            }
        };
        if !trouble.is_conflict() || attempt == ATTEMPTS {
            return Err(trouble.into());
        }
        tracing::debug!(attempt, ?trouble, "a transaction is run again");
        tokio::time::sleep(Duration::from_millis(u64::from(attempt * attempt))).await;
        attempt += 1;
    }
}

/// Where a transaction ended.
enum End {
    /// Before its COMMIT was sent.
    Before(Trouble),
    /// At the COMMIT.
    Commit(Trouble),
}

async fn once<J: Job>(session: &mut Session, job: &J) -> Result<J::Out, End> {
    begin(session, job).await.map_err(End::Before)?;
    if let Some(trace) = trace::traceparent() {
        // It ends with the transaction.
        outbox::name_trace(session, &trace).await.map_err(End::Before)?;
    }
    let out = job.run(session).await.map_err(End::Before)?;
    session.run("COMMIT").await.map_err(End::Commit)?;
    Ok(out)
}

/// The beginning and the locks are one round trip.
async fn begin<J: Job>(session: &mut Session, job: &J) -> Result<(), Trouble> {
    let mut sql = String::from("BEGIN ISOLATION LEVEL READ COMMITTED");
    for number in job.locks() {
        // A number has no way to be anything else.
        sql.push_str(&format!("; SELECT pg_advisory_xact_lock({number})"));
    }
    session.conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}
