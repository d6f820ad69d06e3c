//! The schema gate: N and a compatible N+1, nothing else.

use pdm_ports::store::Store;
use pdm_store::{SCHEMA_VERSION, SqlStore};

use crate::support::*;

async fn set(bed: &Bed, version: i64, compatible: i64) {
    let sql = format!(
        "UPDATE meta SET value = '{version}' WHERE key = 'schema_version';
         UPDATE meta SET value = '{compatible}' WHERE key = 'min_compatible';"
    );
    bed.sql(&sql).await.unwrap();
}

async fn refused(bed: &Bed, migrate: bool) -> &'static str {
    match SqlStore::open(&bed.url, migrate).await {
        Ok(_) => "accepted",
        Err(fault) => fault.code,
    }
}

pub async fn an_older_schema_is_refused_unless_told_to_migrate(bed: Bed) {
    // An empty database is version 0; of SQLite there is not even a file.
    let expected = if bed.kind == Kind::Sqlite { "store-file" } else { "schema-too-old" };
    assert_eq!(refused(&bed, false).await, expected);
    bed.open().await.close().await;
    set(&bed, SCHEMA_VERSION - 1, SCHEMA_VERSION - 1).await;
    assert_eq!(refused(&bed, false).await, "schema-too-old");
}

pub async fn a_compatible_newer_schema_is_accepted(bed: Bed) {
    bed.open().await.close().await;
    set(&bed, SCHEMA_VERSION + 1, SCHEMA_VERSION).await;
    let store = SqlStore::open(&bed.url, false).await.unwrap();
    reserve(&store, "acme", "o").await.unwrap();
    store.close().await;
    // and telling an older binary to migrate leaves it as it is
    bed.open().await.close().await;
    let kept = format!("SELECT count(*) FROM meta WHERE value = '{}'", SCHEMA_VERSION + 1);
    assert_eq!(bed.number(&kept).await, 1);
}

pub async fn an_unknown_schema_is_refused(bed: Bed) {
    bed.open().await.close().await;
    for (version, compatible) in
        [(SCHEMA_VERSION + 1, SCHEMA_VERSION + 1), (SCHEMA_VERSION + 2, SCHEMA_VERSION)]
    {
        set(&bed, version, compatible).await;
        assert_eq!(refused(&bed, false).await, "schema-too-new");
        assert_eq!(refused(&bed, true).await, "schema-too-new");
    }
    bed.sql("UPDATE meta SET value = 'one' WHERE key = 'schema_version'").await.unwrap();
    assert_eq!(refused(&bed, true).await, "unreadable-row");
}

pub async fn migrating_twice_changes_nothing(bed: Bed) {
    // two replicas at once, where there can be two
    if bed.kind == Kind::Postgres {
        let (a, b) = tokio::join!(pdm_store::migrate(&bed.url), pdm_store::migrate(&bed.url));
        assert_eq!((a.unwrap(), b.unwrap()), (SCHEMA_VERSION, SCHEMA_VERSION));
    }
    pdm_store::migrate(&bed.url).await.unwrap();
    let store = SqlStore::open(&bed.url, false).await.unwrap();
    let id = store.store_id().await.unwrap();
    store.now().await.unwrap();
    store.close().await;
    pdm_store::migrate(&bed.url).await.unwrap();
    let store = SqlStore::open(&bed.url, false).await.unwrap();
    assert_eq!(store.store_id().await.unwrap(), id);
}
