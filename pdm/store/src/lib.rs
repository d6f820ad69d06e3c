//! The store on SQLite and on PostgreSQL: one implementation of [`pdm_ports::Store`], two dialects.
//!
//! Every write is a `db::Job`: a value that runs on one session inside one transaction and may run again. On SQLite
//! one task runs the jobs in batches with one commit (`writer`); on PostgreSQL each has a transaction of its own
//! (`transact`). Statements are the same wherever the dialects agree; where they do not, both stand side by side.

mod chain;
mod checkpoint;
mod claims;
mod copy;
mod credentials;
mod db;
mod decide;
mod documents;
mod fault;
mod freeze;
mod holder;
mod log;
mod open;
mod outbox;
mod port;
mod read;
mod reports;
mod requests;
mod rows;
mod schema;
mod sweep;
mod transact;
mod work;
mod writer;
mod zone_lease;

use std::sync::Arc;

use pdm_ports::{Class, Fault};

pub use copy::{Copied, copy};
pub use schema::SCHEMA_VERSION;

use checkpoint::Checkpoints;
use db::{Job, Pool};
use holder::Holders;
use open::{Place, SQLITE_CHECKPOINTS, SQLITE_READER};
use writer::Writer;

/// Connections to PostgreSQL unless told otherwise.
const POSTGRES_CONNECTIONS: usize = 10;
/// Readers of SQLite beside its writer.
const SQLITE_READERS: usize = 3;

/// A store on either database.
pub struct SqlStore {
    /// SQLite: readers. PostgreSQL: everything.
    pool: Arc<Pool>,
    holders: Holders,
    /// SQLite only.
    writer: Option<Writer>,
}

impl SqlStore {
    /// Open `sqlite:/path/to/file` or `postgres://…`; `migrate` brings an older or empty schema up to date.
    ///
    /// PostgreSQL may be down: the store opens, its methods answer `store-unavailable` until it is up, and the schema
    /// is looked at with each new connection.
    ///
    /// # Errors
    /// `invalid-store-url`, `store-file`, `store-in-use` (SQLite is for one process), `schema-too-old` without
    /// `migrate`, `schema-too-new`, or what the database says.
    pub async fn open(url: &str, migrate: bool) -> Result<Self, Fault> {
        Self::open_with(url, migrate, POSTGRES_CONNECTIONS).await
    }

    /// The same with another number of connections to PostgreSQL.
    ///
    /// # Errors
    /// As [`SqlStore::open`].
    pub async fn open_with(url: &str, migrate: bool, connections: usize) -> Result<Self, Fault> {
        match Place::find(url, migrate)? {
            Place::Sqlite { writer, lock } => {
                let session = writer.session().await?;
                let pool = Arc::new(Pool::new(writer.beside(SQLITE_READER), SQLITE_READERS));
                let checkpoints = Checkpoints::start(writer.beside(SQLITE_CHECKPOINTS));
                // After a loss the schema is ours already.
                let writer = Some(Writer::start(writer, session, checkpoints, lock));
                Ok(Self { holders: Holders::start(&pool), pool, writer })
            }
            Place::Postgres(connect) => {
                let pool = Arc::new(Pool::new(connect, connections.max(1)));
                match pool.take().await.map_err(Fault::from) {
                    Ok(held) => pool.keep(held),
                    Err(fault) if fault.class == Class::Transient => {
                        tracing::warn!(%fault, "the store does not answer yet");
                    }
                    Err(fault) => return Err(fault),
                }
                Ok(Self { holders: Holders::start(&pool), pool, writer: None })
            }
        }
    }

    /// Close every connection; writes under way are finished first. Dropping the store does the same, later.
    pub async fn close(self) {
        if let Some(writer) = self.writer {
            writer.close().await;
        }
        self.pool.close().await;
    }

    /// What the store calls itself. Copies keep it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn store_id(&self) -> Result<String, Fault> {
        self.read(read::StoreId).await
    }

    async fn read<J: Job>(&self, job: J) -> Result<J::Out, Fault> {
        self.pool.read(&job).await.map_err(Fault::from)
    }

    async fn write<J: Job>(&self, job: J) -> Result<J::Out, Fault> {
        match &self.writer {
            Some(writer) => writer.write(job).await,
            None => transact::transact(&self.pool, &job).await,
        }
    }
}

/// Bring the schema of a store up to date, for the command line; answers the version.
///
/// # Errors
/// As [`SqlStore::open`], and `store-unavailable` when PostgreSQL is down.
pub async fn migrate(url: &str) -> Result<i64, Fault> {
    let place = Place::find(url, true)?;
    let session = place.connect().session().await?;
    sqlx::Connection::close(session.conn).await.map_err(fault::Trouble::from)?;
    Ok(SCHEMA_VERSION)
}
