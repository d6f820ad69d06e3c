//! The audit log as a chain of hashes.
//!
//! What a place's hash is made of stands in [`pdm_ports::audit_chain`].
//!
//! Entries are appended as they come and sealed later: a chain that grew inside every transaction would make all of them
//! wait for one another. Until it is sealed the insert-only triggers alone keep an entry; a sealer runs every second.

use std::collections::BTreeSet;

use async_trait::async_trait;
use pdm_model::AuditEntry;
use pdm_ports::audit_chain::{digest, hash};
use pdm_ports::audit_store::{ChainState, Checkpoint, Link};
use sqlx::any::AnyRow;

use crate::db::{Dialect, Job, Session};
use crate::fault::Trouble;
use crate::rows::{Fields, json};

/// On PostgreSQL an entry may be seen after others with higher numbers: so far back each sealing that has caught up looks
/// for such. Older ones show in the count of what is not sealed.
const WINDOW: i64 = 10_000;
/// The lock of the one sealer, on PostgreSQL.
const LOCK: i64 = 0x7064_6d5f_7365_616c;

macro_rules! entry_columns {
    () => {
        "l.seq, l.at, l.actor, l.action, l.fqdn, l.result, l.detail"
    };
}

fn entry(fields: &mut Fields<'_>) -> Result<AuditEntry, Trouble> {
    Ok(AuditEntry {
        seq: fields.int()?,
        at: fields.time()?,
        actor: fields.string()?,
        action: fields.string()?,
        fqdn: fields.maybe_name()?,
        result: fields.string()?,
        detail: fields.string()?,
    })
}

// All links of one sealing in one statement: whoever reserves a name may wait behind it.
const LINK_SQLITE: &str = "INSERT INTO audit_chain (place, seq, digest, hash)
    SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each($1)";
const LINK_POSTGRES: &str = "INSERT INTO audit_chain (place, seq, digest, hash)
    SELECT (v->>0)::bigint, (v->>1)::bigint, v->>2, v->>3 FROM jsonb_array_elements($1::jsonb) v";

/// Hang entries on the chain.
pub(crate) struct Seal(pub(crate) u32);

#[async_trait]
impl Job for Seal {
    type Out = u64;

    fn locks(&self) -> BTreeSet<i64> {
        BTreeSet::from([LOCK])
    }

    async fn run(&self, session: &mut Session) -> Result<u64, Trouble> {
        let end = End.run(session).await?;
        let row: AnyRow =
            sqlx::query("SELECT COALESCE(max(seq), 0) FROM audit_chain").fetch_one(&mut session.conn).await?;
        let last = Fields::new(&row).int()?;
        let mut rows = self.unsealed(session, last).await?;
        // With one writer numbers are given in the order of commits, and only a copy of another store has gaps.
        let caught_up = match session.dialect {
            Dialect::Sqlite => rows.is_empty(),
            Dialect::Postgres => rows.len() < self.0 as usize,
        };
        if caught_up {
            rows = self.unsealed(session, last - WINDOW).await?;
        }
        let (mut place, mut before) = end;
        let mut links = Vec::with_capacity(rows.len());
        for row in &rows {
            let entry = entry(&mut Fields::new(row))?;
            place += 1;
            let digest = digest(place, &entry);
            before =
                hash(&before, &digest).ok_or_else(|| Trouble::unreadable("the chain's end".to_owned()))?;
            links.push((place, entry.seq, digest, before.clone()));
        }
        if !links.is_empty() {
            let insert = sqlx::query(session.pick(LINK_SQLITE, LINK_POSTGRES)).bind(json(&links)?);
            insert.execute(&mut session.conn).await?;
        }
        Ok(links.len() as u64)
    }
}

impl Seal {
    /// Entries without a link, from a number on.
    async fn unsealed(&self, session: &mut Session, after: i64) -> Result<Vec<AnyRow>, Trouble> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            entry_columns!(),
            " FROM audit_log l WHERE l.seq > $1 AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.seq = l.seq)
             ORDER BY l.seq LIMIT $2"
        ))
        .bind(after)
        .bind(i64::from(self.0))
        .fetch_all(&mut session.conn)
        .await?;
        Ok(rows)
    }
}

/// The last place and its hash.
struct End;

#[async_trait]
impl Job for End {
    type Out = (i64, String);

    async fn run(&self, session: &mut Session) -> Result<(i64, String), Trouble> {
        let row: Option<AnyRow> =
            sqlx::query("SELECT place, hash FROM audit_chain ORDER BY place DESC LIMIT 1")
                .fetch_optional(&mut session.conn)
                .await?;
        let Some(row) = row else { return Ok((0, String::new())) };
        let mut fields = Fields::new(&row);
        Ok((fields.int()?, fields.string()?))
    }
}

/// The end of the chain, and how much is not in it.
pub(crate) struct State;

#[async_trait]
impl Job for State {
    type Out = ChainState;

    async fn run(&self, session: &mut Session) -> Result<ChainState, Trouble> {
        let (place, hash) = End.run(session).await?;
        // Places are without a gap and each has its entry, so the rest of the log is what is not sealed.
        let row: AnyRow = sqlx::query("SELECT count(*) FROM audit_log").fetch_one(&mut session.conn).await?;
        let all = Fields::new(&row).int()?;
        Ok(ChainState { place, hash, unsealed: u64::try_from(all - place).unwrap_or_default() })
    }
}

/// Links after a place.
pub(crate) struct Links {
    pub(crate) after: i64,
    pub(crate) limit: u32,
}

#[async_trait]
impl Job for Links {
    type Out = Vec<Link>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Link>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(concat!(
            "SELECT c.place, c.digest, c.hash, ",
            entry_columns!(),
            " FROM audit_chain c JOIN audit_log l ON l.seq = c.seq WHERE c.place > $1 ORDER BY c.place LIMIT $2"
        ))
        .bind(self.after)
        .bind(i64::from(self.limit))
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            let (place, digest, hash) = (fields.int()?, fields.string()?, fields.string()?);
            Ok(Link { place, entry: entry(&mut fields)?, digest, hash })
        };
        rows.iter().map(read).collect()
    }
}

/// Keep a checkpoint.
pub(crate) struct AddCheckpoint(pub(crate) Checkpoint);

#[async_trait]
impl Job for AddCheckpoint {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let Checkpoint { place, at, hash, key, signature } = &self.0;
        sqlx::query(
            "INSERT INTO audit_checkpoints (place, at, hash, key, signature) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (place) DO NOTHING",
        )
        .bind(*place)
        .bind(at.0)
        .bind(hash.clone())
        .bind(key.clone())
        .bind(signature.clone())
        .execute(&mut session.conn)
        .await?;
        Ok(())
    }
}

/// Checkpoints after a place.
pub(crate) struct Checkpoints {
    pub(crate) after: i64,
    pub(crate) limit: u32,
}

#[async_trait]
impl Job for Checkpoints {
    type Out = Vec<Checkpoint>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Checkpoint>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT place, at, hash, key, signature FROM audit_checkpoints WHERE place > $1 ORDER BY place LIMIT $2",
        )
        .bind(self.after)
        .bind(i64::from(self.limit))
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok(Checkpoint {
                place: fields.int()?,
                at: fields.time()?,
                hash: fields.string()?,
                key: fields.string()?,
                signature: fields.string()?,
            })
        };
        rows.iter().map(read).collect()
    }
}
