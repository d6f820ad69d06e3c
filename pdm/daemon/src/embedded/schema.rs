//! The private PowerDNS's database: PowerDNS's own schema, run through the SQLite library that the store uses, so that
//! no `sqlite3` command is needed.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::failure::Failure;

const PLACES: &[&str] = &[
    "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
    "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql",
    "/usr/share/doc/pdns-backend-sqlite/schema.sqlite3.sql",
    "/usr/share/doc/pdns/schema.sqlite3.sql",
    "/usr/local/share/doc/pdns/schema.sqlite3.sql",
];

/// Create the database unless it is there. It is built beside its place and moved, so that a start that died half-way
/// leaves nothing that looks complete.
pub async fn create(database: &Path) -> Result<(), Failure> {
    if database.exists() {
        return Ok(());
    }
    let schema = PLACES.iter().find_map(|place| std::fs::read_to_string(place).ok()).ok_or_else(|| {
        Failure::refused(
            "PowerDNS's SQLite back end is not installed: apt-get install -y pdns-backend-sqlite3",
        )
    })?;
    let fresh = database.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let failed = |e: sqlx::Error| Failure::refused(format!("cannot create {}: {e}", fresh.display()));
    let options = SqliteConnectOptions::new().filename(&fresh).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    // The schema is a file of the PowerDNS package, not input.
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    // The journal mode is kept in the file, so PowerDNS finds it so.
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    std::fs::rename(&fresh, database)
        .map_err(|e| Failure::refused(format!("cannot create {}: {e}", database.display())))
}
