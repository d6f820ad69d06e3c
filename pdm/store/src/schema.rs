//! The schema gate: which versions of the store this binary works with.
//!
//! Replicas roll: a newer one expands the schema to N+1 and says by `min_compatible` that a binary of N can still
//! work with it; a later release contracts. So N accepts N and a compatible N+1, and nothing else.

use pdm_ports::{Class, Fault};
use sqlx::any::AnyRow;
use sqlx::{Executor, Row};

use crate::db::{Dialect, Session};
use crate::fault::Trouble;

/// The version this binary was written for.
pub const SCHEMA_VERSION: i64 = 2;

/// One step of the schema in both dialects.
struct Migration {
    version: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sqlite: include_str!("../../../migrations/sqlite/0001_initial.sql"),
        postgres: include_str!("../../../migrations/postgres/0001_initial.sql"),
    },
    // Not released yet: what the rest of the product needs is added to this one until it is.
    Migration {
        version: 2,
        sqlite: include_str!("../../../migrations/sqlite/0002_whole_product.sql"),
        postgres: include_str!("../../../migrations/postgres/0002_whole_product.sql"),
    },
];

/// What the store says of itself; version 0 is an empty database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    version: i64,
    min_compatible: i64,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fits,
    Older,
    Newer,
}

fn judge(found: Found, ours: i64) -> Verdict {
    if found.version < ours {
        Verdict::Older
    } else if found.version == ours || (found.version == ours + 1 && found.min_compatible <= ours) {
        Verdict::Fits
    } else {
        Verdict::Newer
    }
}

/// Let the session through when its schema fits, after bringing it up to date if that was asked for.
pub(crate) async fn gate(session: &mut Session, migrate: bool) -> Result<(), Trouble> {
    let found = look(session).await?;
    match judge(found, SCHEMA_VERSION) {
        Verdict::Fits => Ok(()),
        Verdict::Older if migrate => bring_up(session).await,
        Verdict::Older => Err(Fault::new(
            Class::Rejected,
            "schema-too-old",
            format!(
                "the store has schema version {}, this binary needs {SCHEMA_VERSION}; run `pdm store migrate`",
                found.version
            ),
        )
        .into()),
        Verdict::Newer => Err(Fault::new(
            Class::Rejected,
            "schema-too-new",
            format!(
                "the store has schema version {} (compatible from {}), this binary knows {SCHEMA_VERSION}; use a newer one",
                found.version, found.min_compatible
            ),
        )
        .into()),
    }
}

async fn look(session: &mut Session) -> Result<Found, Trouble> {
    let there = session.pick(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'",
        "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('meta')",
    );
    let row: AnyRow = sqlx::query(there).fetch_one(&mut session.conn).await?;
    if row.try_get::<i64, _>(0)? == 0 {
        return Ok(Found { version: 0, min_compatible: 0 });
    }
    Ok(Found {
        version: number(session, "schema_version").await?,
        min_compatible: number(session, "min_compatible").await?,
    })
}

async fn number(session: &mut Session, key: &str) -> Result<i64, Trouble> {
    let row: Option<AnyRow> = sqlx::query("SELECT value FROM meta WHERE key = $1")
        .bind(key)
        .fetch_optional(&mut session.conn)
        .await?;
    let Some(row) = row else { return Err(Trouble::unreadable(format!("meta has no {key}"))) };
    let text: String = row.try_get(0)?;
    text.parse().map_err(|_| Trouble::unreadable(format!("meta.{key} is not a number")))
}

/// Every missing step, in one transaction that no other replica runs at the same time.
async fn bring_up(session: &mut Session) -> Result<(), Trouble> {
    session.run(session.pick("BEGIN IMMEDIATE", "BEGIN ISOLATION LEVEL READ COMMITTED")).await?;
    let done = steps(session).await;
    match done {
        Ok(()) => session.run("COMMIT").await,
        Err(trouble) => {
            session.run("ROLLBACK").await?;
            Err(trouble)
        }
    }
}

async fn steps(session: &mut Session) -> Result<(), Trouble> {
    if session.dialect == Dialect::Postgres {
        // Any number that nothing else in this database locks: "pdm" and the word for it.
        session.run("SELECT pg_advisory_xact_lock(7364963, 1)").await?;
    }
    let from = look(session).await?.version;
    for step in MIGRATIONS.iter().filter(|m| m.version > from) {
        let sql = session.pick(step.sqlite, step.postgres);
        session.conn.execute(sqlx::raw_sql(sql)).await?;
        tracing::info!(version = step.version, "the store's schema was brought up to date");
    }
    // Only the first step finds none; a copied store keeps the identity of the one it came from.
    sqlx::query("INSERT INTO meta (key, value) VALUES ('store_id', $1) ON CONFLICT (key) DO NOTHING")
        .bind(uuid::Uuid::new_v4().to_string())
        .execute(&mut session.conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_and_a_compatible_n_plus_one_fit() {
        let judged = |version, min_compatible| judge(Found { version, min_compatible }, 3);
        assert_eq!(judged(3, 3), Verdict::Fits);
        assert_eq!(judged(3, 2), Verdict::Fits);
        assert_eq!(judged(4, 3), Verdict::Fits);
        assert_eq!(judged(4, 4), Verdict::Newer);
        assert_eq!(judged(5, 3), Verdict::Newer);
        assert_eq!(judged(2, 2), Verdict::Older);
        assert_eq!(judged(0, 0), Verdict::Older);
    }

    #[test]
    fn the_last_migration_is_ours_and_they_are_numbered_without_gaps() {
        let versions: Vec<_> = MIGRATIONS.iter().map(|m| m.version).collect();
        assert_eq!(versions, (1..=SCHEMA_VERSION).collect::<Vec<_>>());
    }

    #[test]
    fn both_dialects_make_the_same_tables() {
        let names = |sql: &str| {
            let made = sql.lines().filter_map(|l| l.strip_prefix("CREATE TABLE "));
            let made = made.map(|l| l.trim_end_matches(" (").to_owned());
            made.filter(|name| !name.ends_with("_2")).collect::<Vec<_>>()
        };
        for m in MIGRATIONS {
            assert_eq!(names(m.sqlite), names(m.postgres));
            assert!(!names(m.sqlite).is_empty() || m.version > 1);
        }
    }
}
