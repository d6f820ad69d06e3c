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

pub async fn an_upgrade_keeps_rows_and_their_places(bed: Bed) {
    let (first, raise) = match bed.kind {
        Kind::Sqlite => (
            include_str!("../../../../migrations/sqlite/0001_initial.sql"),
            "UPDATE sqlite_sequence SET seq = 41 WHERE name = 'operations';",
        ),
        Kind::Postgres => (
            include_str!("../../../../migrations/postgres/0001_initial.sql"),
            "SELECT setval('operations_seq_seq', 41);",
        ),
    };
    bed.create().await;
    bed.sql(first).await.unwrap();
    bed.sql(
        "INSERT INTO allocations (id, fqdn, pool, look, mode, owner, phase, generation, legacy, reserved_at,
            expires_at, conditions, observed, updated_at)
         VALUES ('a', 'acme.omani.works', 'omani.works', 'acme', 'pool', 'o', 'provisioning', 1, 0, 1, 2, '[]', '{}', 1);
         INSERT INTO operations (seq, id, allocation, fqdn, pool, kind, generation, state, steps, next_look_at, created_at)
         VALUES (7, 'op', 'a', 'acme.omani.works', 'omani.works', 'commit', 1, 'open', '[]', 1, 1);",
    )
    .await
    .unwrap();
    bed.sql(raise).await.unwrap();
    let store = bed.open().await;
    assert_eq!(store.mark().await.unwrap(), 41);
    let (live, open) = store.allocation(&under("acme")).await.unwrap().unwrap();
    assert_eq!((live.id.as_str(), open.unwrap().seq), ("a", 7));
    let next = operate(&store, "acme", pdm_model::OperationKind::Release, None).await;
    assert!(next.operation.unwrap().seq > 41);
    // One open operation for an allocation, and none without one: the rules came along.
    let twice = "INSERT INTO operations (id, allocation, fqdn, pool, kind, generation, state, steps, next_look_at, created_at)
         VALUES ('x', 'a', 'acme.omani.works', 'omani.works', 'commit', 1, 'open', '[]', 1, 1)";
    assert!(bed.sql(twice).await.is_err());
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
