//! `pdm store copy`: from one store to another, whatever the databases.

use futures_util::TryStreamExt;
use pdm_ports::{Class, Fault};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use crate::db::{Dialect, Job, Session};
use crate::fault::Trouble;
use crate::open::Place;
use crate::read::{Mark, StoreId};
use crate::rows::Fields;
use crate::sweep::RaiseMark;

/// A table with its columns; those with `#` are numbers, all others text.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// Whether `seq` is numbered by the database.
    numbered: bool,
}

/// Every table but `meta` and `outbox` (a copy tells anew how everything stands), those that are referred to first.
const TABLES: &[Table] = &[
    Table {
        name: "allocations",
        columns: "id fqdn pool look mode owner phase #generation target committed commit_operation suspended #legacy \
                  created_by request_key #reserved_at #expires_at #quarantined_until conditions observed proof \
                  #updated_at byo keys",
        numbered: false,
    },
    Table {
        name: "operations",
        columns: "#seq id allocation fqdn pool kind #generation state steps #waiting waits_for lease_token #lease_until \
                  #next_look_at #created_at #finished_at",
        numbered: true,
    },
    Table { name: "operation_events", columns: "#seq operation #at body", numbered: true },
    Table { name: "audit_log", columns: "#seq #at actor action fqdn result detail", numbered: true },
    Table {
        name: "audits",
        columns: "#seq id fqdn #at worst verdict #undelegated body recording",
        numbered: true,
    },
    Table { name: "acknowledgements", columns: "fqdn finding actor reason #until", numbered: false },
    Table { name: "wrong_names", columns: "fqdn why #since", numbered: false },
    Table { name: "measurements", columns: "#seq #at #looks #silent #wrong #millis", numbered: true },
    Table { name: "audit_chain", columns: "#place #seq digest hash", numbered: false },
    Table { name: "audit_checkpoints", columns: "#place #at hash key signature", numbered: false },
    Table { name: "requests", columns: "key digest #begun_at #status response", numbered: false },
    Table { name: "freezes", columns: "pool actor #since", numbered: false },
    Table {
        name: "claims",
        columns: "id fqdn registered mode owner created_by request_key #reserved_at #expires_at #disputed_at",
        numbered: false,
    },
    Table { name: "carried_records", columns: "allocation zone #version", numbered: false },
    Table { name: "pool_keys", columns: "pool keys #version", numbered: false },
    Table { name: "credentials", columns: "allocation registrar sealed #sealed_at", numbered: false },
    Table { name: "zone_leases", columns: "zone holder #lease_until", numbered: false },
];

/// How many rows of each table were copied.
pub type Copied = Vec<(&'static str, u64)>;

/// Copy everything from one store to an empty one. The source must not be in use: for SQLite its lock says so, for
/// PostgreSQL the operator stops the replicas first.
///
/// # Errors
/// `store-not-empty` when the destination holds anything; otherwise what either database says. Nothing is written
/// unless everything was.
pub async fn copy(from: &str, to: &str) -> Result<Copied, Fault> {
    // Kept until the end: they hold the lock files.
    let (source, target) = (Place::find(from, false)?, Place::find(to, true)?);
    let mut source_session = source.connect().session().await?;
    let mut target_session = target.connect().session().await?;
    let copied = all(&mut source_session, &mut target_session).await?;
    for session in [source_session, target_session] {
        sqlx::Connection::close(session.conn).await.map_err(Trouble::from)?;
    }
    Ok(copied)
}

async fn all(from: &mut Session, to: &mut Session) -> Result<Copied, Trouble> {
    // One moment of the source, however long it takes.
    from.run(from.pick("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")).await?;
    to.run(to.pick("BEGIN IMMEDIATE", "SET statement_timeout = 0; BEGIN")).await?;
    let mut copied = Vec::new();
    for table in TABLES {
        refuse_rows(to, table).await?;
        copied.push((table.name, copy_table(from, to, table).await?));
    }
    RaiseMark(Mark.run(from).await?).run(to).await?;
    sqlx::query("UPDATE meta SET value = $1 WHERE key = 'store_id'")
        .bind(StoreId.run(from).await?)
        .execute(&mut to.conn)
        .await?;
    to.run("COMMIT").await?;
    from.run("ROLLBACK").await?;
    Ok(copied)
}

async fn refuse_rows(to: &mut Session, table: &Table) -> Result<(), Trouble> {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
    let row: AnyRow = sqlx::query(sql).fetch_one(&mut to.conn).await?;
    if Fields::new(&row).int()? == 0 {
        return Ok(());
    }
    let detail = format!("the destination has rows in {}; copy into an empty store", table.name);
    Err(Fault::new(Class::Rejected, "store-not-empty", detail).into())
}

async fn copy_table(from: &mut Session, to: &mut Session, table: &Table) -> Result<u64, Trouble> {
    let columns: Vec<&str> = table.columns.split_ascii_whitespace().collect();
    let names: Vec<&str> = columns.iter().map(|c| c.trim_start_matches('#')).collect();
    let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    let (name, list) = (table.name, names.join(", "));
    // Names and columns are those written above.
    let select = AssertSqlSafe(format!("SELECT {list} FROM {name} ORDER BY 1"));
    let insert = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(format!(
        "INSERT INTO {name} ({list}) VALUES ({})",
        places.join(", ")
    )));
    let mut rows = sqlx::query(select).fetch(&mut from.conn);
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        let row: AnyRow = row;
        let mut query = sqlx::query(insert.clone());
        for (place, column) in columns.iter().enumerate() {
            query = if column.starts_with('#') {
                query.bind(row.try_get::<Option<i64>, _>(place)?)
            } else {
                query.bind(row.try_get::<Option<String>, _>(place)?)
            };
        }
        query.execute(&mut to.conn).await?;
        count += 1;
    }
    drop(rows);
    // SQLite sees the numbers that were inserted; a sequence of PostgreSQL does not.
    if table.numbered && count > 0 && to.dialect == Dialect::Postgres {
        let raise = format!("SELECT setval('{name}_seq_seq', (SELECT max(seq) FROM {name}))");
        sqlx::query(AssertSqlSafe(raise)).execute(&mut to.conn).await?;
    }
    Ok(count)
}
