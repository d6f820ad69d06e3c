//! What only SQLite has: one process, one file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by a panic")]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use pdm_ports::Class;
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::store::Store;
use pdm_store::SqlStore;
use sqlx::Executor;
use support::*;

/// Set in the child that these tests start of themselves.
const CHILD: &str = "PDM_STORE_TEST_CHILD";

#[tokio::test]
async fn a_second_opening_is_refused_while_the_first_lasts() {
    let bed = Bed::new(Kind::Sqlite);
    let first = bed.open().await;
    let Err(fault) = SqlStore::open(&bed.url, true).await else { panic!("it should be refused") };
    assert_eq!((fault.class, fault.code), (Class::Rejected, "store-in-use"));
    // by another way to the same file, too
    let dir = tempfile::TempDir::new().unwrap();
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(bed.url.trim_start_matches("sqlite:"), &link).unwrap();
    let Err(fault) = SqlStore::open(&format!("sqlite:{}", link.display()), true).await else {
        panic!("it should be refused")
    };
    assert_eq!(fault.code, "store-in-use");
    first.close().await;
    bed.open().await;
}

/// Runs in the child only: reserve names for ever, saying each after it was promised.
#[test]
fn child() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = std::sync::Arc::new(SqlStore::open(&url, true).await.unwrap());
        let mut tasks = Vec::new();
        for task in 0..8 {
            let store = std::sync::Arc::clone(&store);
            tasks.push(tokio::spawn(async move {
                for n in 0..100_000 {
                    let label = format!("t{task}-{n}");
                    let id = format!("id-{label}");
                    let decision: pdm_ports::store::Decision = {
                        let label = label.clone();
                        std::sync::Arc::new(move |facts: &pdm_ports::store::Facts| {
                            let row = reservation(&label, "o", &id, facts.now);
                            Ok(pdm_ports::store::Write { allocations: vec![row], ..Default::default() })
                        })
                    };
                    let decided = store.decide(&under(&label), Default::default(), decision).await;
                    decided.unwrap().unwrap();
                    println!("promised {label}");
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[tokio::test]
async fn what_was_promised_survives_kill_9() {
    let bed = Bed::new(Kind::Sqlite);
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, &bed.url)
        .stdout(out.reopen().unwrap())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let promised = || {
        let text = std::fs::read_to_string(out.path()).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole).to_owned();
        whole.lines().filter_map(|l| l.split("promised ").nth(1)).map(str::to_owned).collect::<Vec<_>>()
    };
    while promised().len() < 200 {
        assert!(Instant::now() < deadline, "the child does not get on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // while it lives, nobody else gets in
    assert!(SqlStore::open(&bed.url, false).await.is_err());
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    let store = SqlStore::open(&bed.url, false).await.unwrap();
    let promised = promised();
    assert!(promised.len() >= 200);
    for label in promised {
        assert!(store.allocation(&under(&label)).await.unwrap().is_some(), "{label}");
    }
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_refused() {
    for (url, code) in [
        ("mysql://x/y", "invalid-store-url"),
        ("sqlite:", "invalid-store-url"),
        ("sqlite::memory:", "invalid-store-url"),
        ("sqlite:/no/such/place/pdm.db", "store-file"),
        ("postgres://user:secret@host:port/db", "invalid-store-url"),
    ] {
        let Err(fault) = SqlStore::open(url, true).await else { panic!("{url}") };
        assert_eq!(fault.code, code, "{url}");
        assert!(!fault.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new(Kind::Sqlite);
    let store = bed.open().await;
    reserve(&store, "acme", "o").await.unwrap();
    let path = bed.url.trim_start_matches("sqlite:").to_owned();
    for file in [path.clone(), format!("{path}-wal"), format!("{path}.lock")] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}

#[tokio::test]
async fn one_process_is_always_the_writer_of_a_zone() {
    let store = Bed::new(Kind::Sqlite).open().await;
    for holder in ["a", "b"] {
        let answer = store.acquire(&pool(), holder, Duration::from_secs(9)).await.unwrap();
        assert_eq!(answer, LeaseAnswer::Granted { taken_over: false, changed_hands: false });
    }
    store.give_back(&pool(), "a").await.unwrap();
}

#[tokio::test]
async fn a_statement_that_fails_is_not_the_end_of_the_writer() {
    let bed = Bed::new(Kind::Sqlite);
    let store = bed.open().await;
    bed.sql("ALTER TABLE audit_log RENAME TO elsewhere").await.unwrap();
    let fault = store.audit(pdm_model::AuditEntry::new("a", "b", &pool(), "")).await.unwrap_err();
    assert_eq!(fault.class, Class::Bug);
    bed.sql("ALTER TABLE elsewhere RENAME TO audit_log").await.unwrap();
    reserve(&store, "acme", "o").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_locked_by_a_tool_is_transient_and_passes() {
    let bed = Bed::new(Kind::Sqlite);
    let store = std::sync::Arc::new(bed.open().await);
    let mut tool = bed.connect().await;
    tool.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.unwrap();
    let waiting: Vec<_> = (0..5)
        .map(|n| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let label = format!("busy{n}x");
                store.decide(&under(&label), Default::default(), reserving(&label, "o")).await
            })
        })
        .collect();
    for task in waiting {
        let fault = task.await.unwrap().unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
    }
    assert!(store.now().await.is_ok(), "readers do not mind");
    tool.execute(sqlx::raw_sql("ROLLBACK")).await.unwrap();
    reserve(&store, "busy0x", "o").await.unwrap();
    assert_eq!(bed.number("SELECT count(*) FROM allocations").await, 1, "nothing of the faults was written");
}
