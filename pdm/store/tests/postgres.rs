//! What only PostgreSQL has: several processes, a server that can be down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by a panic")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pdm_ports::Class;
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::store::Store;
use pdm_store::SqlStore;
use support::postgres::Postgres;
use support::*;

const TTL: Duration = Duration::from_secs(30);

fn granted(taken_over: bool, changed_hands: bool) -> LeaseAnswer {
    LeaseAnswer::Granted { taken_over, changed_hands }
}

#[tokio::test]
async fn a_zone_has_one_writer_across_replicas() {
    let bed = Bed::new(Kind::Postgres);
    let (a, b) = (bed.open().await, bed.open().await);
    let zone = pool();
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(false, false));
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(false, false));
    assert_eq!(b.acquire(&zone, "b", TTL).await.unwrap(), LeaseAnswer::Held);
    a.give_back(&zone, "a").await.unwrap();
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(false, false), "nobody was in between");
    a.give_back(&zone, "a").await.unwrap();
    assert_eq!(b.acquire(&zone, "b", TTL).await.unwrap(), granted(false, true));
    // b dies without a word
    bed.shift(TTL * 2).await;
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(true, true));
    b.give_back(&zone, "b").await.unwrap();
    assert_eq!(
        b.acquire(&zone, "b", TTL).await.unwrap(),
        LeaseAnswer::Held,
        "a late return takes nothing away"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_a_zone_one_gets_it() {
    let bed = Bed::new(Kind::Postgres);
    let store = Arc::new(bed.open().await);
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.acquire(&pool(), &format!("h{n}"), TTL).await.unwrap() })
        })
        .collect();
    let mut got = 0;
    for task in tasks {
        got += usize::from(task.await.unwrap() != LeaseAnswer::Held);
    }
    assert_eq!(got, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_reserve_one_name_once() {
    let bed = Bed::new(Kind::Postgres);
    let stores = [Arc::new(bed.open().await), Arc::new(bed.open().await)];
    for round in 0..20 {
        let label = format!("round{round}x");
        let (a, b) = tokio::join!(reserve(&stores[0], &label, "a"), reserve(&stores[1], &label, "b"));
        assert_ne!(a.is_ok(), b.is_ok());
    }
}

/// The lock on the look is not what keeps a name single: the index is, and a lost race is decided again.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_the_index_decides_and_the_loser_decides_again() {
    let bed = Bed::new(Kind::Postgres);
    let store = Arc::new(bed.open().await);
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let store = Arc::clone(&store);
            let decision = reserving("acme", &format!("o{n}"));
            tokio::spawn(
                async move { store.decide(&under("acme"), Default::default(), decision).await.unwrap() },
            )
        })
        .collect();
    let mut codes = Vec::new();
    for task in tasks {
        codes.push(task.await.unwrap().map_or_else(|refusal| refusal.code, |_| "won"));
    }
    assert_eq!(codes.iter().filter(|c| **c == "won").count(), 1);
    assert_eq!(codes.iter().filter(|c| **c == "name-taken").count(), 49);
}

#[tokio::test]
async fn a_store_that_is_down_opens_and_answers_at_once() {
    let store = SqlStore::open("postgres://nobody@127.0.0.1:1/nothing", false).await.unwrap();
    let begun = Instant::now();
    for _ in 0..3 {
        let fault = store.now().await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
        let fault = store.audit(pdm_model::AuditEntry::new("a", "b", &pool(), "")).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
        assert!(store.holder(&under("a"), &pool(), "a").await.is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn lost_connections_are_replaced_without_a_fault() {
    let bed = Bed::new(Kind::Postgres);
    let store = Arc::new(bed.open().await);
    let warm: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { reserve(&store, &format!("warm{n}x"), "o").await.unwrap() })
        })
        .collect();
    for task in warm {
        task.await.unwrap();
    }
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    bed.number(end).await;
    reserve(&store, "acme", "o").await.unwrap();
    bed.number(end).await;
    assert!(store.allocation(&under("acme")).await.unwrap().is_some());
    bed.number(end).await;
    assert!(store.holder(&under("acme"), &pool(), &look("acme")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_lock_that_is_never_given_is_a_transient_fault() {
    let bed = Bed::new(Kind::Postgres);
    let store = bed.open().await;
    reserve(&store, "acme", "o").await.unwrap();
    let database = bed.url.split('/').nth(3).unwrap().split('?').next().unwrap().to_owned();
    let holder = std::thread::spawn(move || {
        Postgres::shared().psql(&database, "BEGIN; SELECT 1 FROM allocations FOR UPDATE; SELECT pg_sleep(8)");
    });
    let locked =
        "SELECT count(*) FROM pg_locks WHERE relation = 'allocations'::regclass AND mode = 'RowShareLock'";
    while bed.number(locked).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    let fault = store.decide(&under("acme"), Default::default(), reserving("acme", "o")).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
    assert!(begun.elapsed() < Duration::from_secs(7));
    holder.join().unwrap();
}

#[tokio::test]
async fn a_wrong_user_is_a_matter_of_credentials() {
    let url = Postgres::shared().database().replace("postgres@", "stranger@");
    let Err(fault) = SqlStore::open(&url, true).await else { panic!("it should be refused") };
    assert_eq!((fault.class, fault.code), (Class::Credential, "store-refused"));
}

/// Authorities, a server that takes TLS only, and a user who shows a certificate; all made here.
const CERTIFICATES: &str = "set -e
for ca in one other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$ca -keyout $ca.ca.key -out $ca.ca.pem
done
leaf() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr
  printf \"subjectAltName=$2\\nbasicConstraints=critical,CA:FALSE\\n\" > $1.ext
  openssl x509 -req -in $1.csr -CA one.ca.pem -CAkey one.ca.key -days 1 -extfile $1.ext -out $1.pem
}
leaf server IP:$IP
leaf shows DNS:shows
printf 'local all all trust\\nhostssl all postgres all trust\\nhostssl all shows all cert\\n' > hba";

#[tokio::test]
async fn tls_is_spoken_and_the_server_is_looked_at() {
    // An address of this process's own, so that the usual port is free.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = format!("127.140.{high}.{}", low.max(2));
    let unnamed = ip.replace("127.140.", "127.141.");
    let server = Postgres::start("-tls", |dir| {
        let made = std::process::Command::new("sh")
            .args(["-c", CERTIFICATES])
            .env("IP", &ip)
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // The server wants its key for itself.
        std::os::unix::fs::chown(dir.join("server.key"), support::postgres::server_user(), None).unwrap();
        let file = |setting: &str, name: &str| format!("{setting}={}", dir.join(name).display());
        vec![
            format!("listen_addresses={ip},{unnamed}"),
            "ssl=on".to_owned(),
            file("ssl_cert_file", "server.pem"),
            file("ssl_key_file", "server.key"),
            file("ssl_ca_file", "one.ca.pem"),
            file("hba_file", "hba"),
        ]
    });
    let file = |name: &str| server.dir().join(name).display().to_string();
    let database = server.create();
    let open = async |user: &str, host: &str, parameters: &str| {
        let url = format!("postgres://{user}@{host}/{database}?{parameters}");
        let store = SqlStore::open(&url, true).await?;
        store.freezes().await.map(|_| store)
    };
    let (ours, others) = (file("one.ca.pem"), file("other.ca.pem"));

    let store = open("postgres", &ip, &format!("sslmode=verify-full&sslrootcert={ours}")).await.unwrap();
    let seen = server.psql(
        "postgres",
        &format!(
            "SELECT DISTINCT s.version FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
             WHERE a.datname = '{database}' AND s.ssl"
        ),
    );
    assert_eq!(seen, "TLSv1.3");
    reserve(&store, "sealed", "a").await.unwrap();

    // Another authority, a name that is not in the certificate, none at all: nothing is asked of such a server.
    for (host, parameters, why) in [
        (&ip, format!("sslmode=verify-full&sslrootcert={others}"), "UnknownIssuer"),
        (&unnamed, format!("sslmode=verify-full&sslrootcert={ours}"), "not valid for name"),
        (&ip, "sslmode=disable".to_owned(), "pg_hba"),
    ] {
        let fault = open("postgres", host, &parameters).await.err().unwrap();
        assert!(fault.to_string().contains(why), "{parameters}: {fault:?}");
    }

    // Who must show a certificate is whom it names.
    let shows = format!("sslcert={}&sslkey={}", file("shows.pem"), file("shows.key"));
    server.psql("postgres", "CREATE ROLE shows LOGIN SUPERUSER");
    open("shows", &ip, &format!("sslmode=verify-full&sslrootcert={ours}&{shows}")).await.unwrap();
    let fault = open("shows", &ip, &format!("sslmode=verify-full&sslrootcert={ours}")).await.err().unwrap();
    assert_eq!((fault.class, fault.code), (Class::Credential, "store-refused"), "{fault:?}");
}
