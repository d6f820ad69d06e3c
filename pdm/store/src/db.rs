//! One way to both databases: sessions, a small pool of them, and jobs that run on one.
//!
//! The pool is our own because sqlx's repeats a refused connection until its time is up, and asks an extra question
//! for every connection that comes back; here a database that is down is an answer at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pdm_model::Timestamp;
use sqlx::any::{AnyConnectOptions, AnyRow};
use sqlx::{AnyConnection, ConnectOptions, Executor, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::{Trouble, unavailable};
use crate::schema;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long PostgreSQL keeps its plans. One that was made for empty tables would be kept until the next ANALYZE, and by
/// then read far too much.
pub(crate) const PLANS_LAST: Duration = Duration::from_secs(30);
/// How long a caller waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Which database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one process.
    Sqlite,
    /// A server, any number of replicas.
    Postgres,
}

/// One connection and its dialect.
pub(crate) struct Session {
    pub(crate) conn: AnyConnection,
    pub(crate) dialect: Dialect,
    /// When its plans were last forgotten.
    planned: Instant,
}

impl Session {
    /// The statement of this dialect.
    pub(crate) fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Run statements without parameters and without rows.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), Trouble> {
        self.conn.execute(sqlx::raw_sql(sql)).await?;
        Ok(())
    }

    /// The store's time.
    pub(crate) async fn now(&mut self) -> Result<Timestamp, Trouble> {
        let row: AnyRow = sqlx::query("SELECT now_ms FROM pdm_clock").fetch_one(&mut self.conn).await?;
        Ok(Timestamp(row.try_get(0)?))
    }

    /// Forget plans that may have been made for smaller tables.
    async fn plan_anew(&mut self) -> Result<(), Trouble> {
        if self.dialect == Dialect::Postgres && self.planned.elapsed() > PLANS_LAST {
            self.run("DISCARD PLANS").await?;
            self.planned = Instant::now();
        }
        Ok(())
    }
}

/// Work on one session, all or nothing. It may run more than once.
#[async_trait]
pub(crate) trait Job: Send + Sync + 'static {
    /// What comes of it.
    type Out: Send + 'static;
    /// Advisory locks to take before anything else, on PostgreSQL; in the order of their numbers.
    fn locks(&self) -> BTreeSet<i64> {
        BTreeSet::new()
    }
    /// Do it.
    async fn run(&self, session: &mut Session) -> Result<Self::Out, Trouble>;
}

/// How sessions of a pool are made.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub(crate) options: AnyConnectOptions,
    pub(crate) dialect: Dialect,
    /// Statements for every new connection.
    pub(crate) greeting: &'static str,
    /// Bring an older schema to ours.
    pub(crate) migrate: bool,
}

impl Connect {
    /// Another connection to the same database, with a greeting of its own.
    pub(crate) fn beside(&self, greeting: &'static str) -> Self {
        Self { greeting, migrate: false, ..self.clone() }
    }

    /// A new session whose schema was looked at: another binary may have moved it on since the last one.
    pub(crate) async fn session(&self) -> Result<Session, Trouble> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.options.connect()).await;
        let conn = connected.map_err(|_| unavailable("connecting took too long"))??;
        let mut session = Session { conn, dialect: self.dialect, planned: Instant::now() };
        session.run(self.greeting).await?;
        schema::gate(&mut session, self.migrate).await?;
        Ok(session)
    }
}

/// A few sessions, made when they are needed.
pub(crate) struct Pool {
    connect: Connect,
    idle: Mutex<Vec<Session>>,
    turns: Arc<Semaphore>,
}

/// A session of a pool. It goes back by [`Held::keep`] only: one that was dropped half way is closed, which ends its
/// transaction.
pub(crate) struct Held {
    pub(crate) session: Session,
    _turn: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(connect: Connect, size: usize) -> Self {
        Self { connect, idle: Mutex::new(Vec::new()), turns: Arc::new(Semaphore::new(size)) }
    }

    /// Wait for a turn and take a session.
    pub(crate) async fn take(&self) -> Result<Held, Trouble> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn
            .map_err(|_| unavailable("no connection came free in time"))?
            .map_err(|_| unavailable("the store is closed"))?;
        let idle = self.idle().pop();
        let session = match idle {
            Some(mut session) => match session.plan_anew().await {
                Ok(()) => session,
                // It is gone.
                Err(_) => self.connect.session().await?,
            },
            None => self.connect.session().await?,
        };
        Ok(Held { session, _turn: turn })
    }

    /// Give a healthy session back.
    pub(crate) fn keep(&self, held: Held) {
        self.idle().push(held.session);
    }

    /// After a loss the other idle connections are most likely gone as well.
    pub(crate) fn forget_idle(&self) {
        let lost = std::mem::take(&mut *self.idle());
        drop(lost);
    }

    /// Nobody gets a turn any more; idle sessions are closed.
    pub(crate) async fn close(&self) {
        self.turns.close();
        let idle = std::mem::take(&mut *self.idle());
        for session in idle {
            if let Err(error) = sqlx::Connection::close(session.conn).await {
                tracing::debug!(%error, "a connection to the store did not close in order");
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        // Nothing panics while holding it, and a list of sessions is never half written.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Run a job that only reads. It is repeated once when the connection turned out to be gone.
    pub(crate) async fn read<J: Job>(&self, job: &J) -> Result<J::Out, Trouble> {
        let mut first = true;
        loop {
            let mut held = self.take().await?;
            match job.run(&mut held.session).await {
                Err(trouble) if trouble.is_loss() => {
                    drop(held);
                    self.forget_idle();
                    if !std::mem::take(&mut first) {
                        return Err(trouble);
                    }
                }
                other => {
                    self.keep(held);
                    return other;
                }
            }
        }
    }
}
