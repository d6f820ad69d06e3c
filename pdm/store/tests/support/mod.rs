//! Beds to test in: an empty store of either kind, with its clock in our hands.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod postgres;

use std::sync::Arc;
use std::time::Duration;

use pdm_model::{
    Allocation, AuditEntry, Mode, Observed, OperationKind, Phase, Refusal, Target, Timestamp, ZoneName,
};
use pdm_ports::Fault;
use pdm_ports::store::{Decided, Decision, Facts, NewOperation, Store, Wanted, Write};
use pdm_store::SqlStore;
use sqlx::any::{AnyConnectOptions, AnyRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use tempfile::TempDir;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// An empty store.
pub struct Bed {
    pub kind: Kind,
    pub url: String,
    _dir: Option<TempDir>,
}

impl Bed {
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let dir = TempDir::new().unwrap();
                let url = format!("sqlite:{}/pdm store.db", dir.path().display());
                Self { kind, url, _dir: Some(dir) }
            }
            Kind::Postgres => Self { kind, url: postgres::Postgres::shared().database(), _dir: None },
        }
    }

    /// Opened, with the schema.
    pub async fn open(&self) -> SqlStore {
        SqlStore::open(&self.url, true).await.unwrap()
    }

    /// A database without a schema.
    pub async fn create(&self) {
        if self.kind == Kind::Sqlite {
            std::fs::File::create(self.url.trim_start_matches("sqlite:")).unwrap();
        }
    }

    /// Run statements behind the store's back.
    pub async fn sql(&self, sql: &str) -> Result<(), sqlx::Error> {
        let mut conn = self.connect().await;
        conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.map(drop)
    }

    /// One number from behind the store's back.
    pub async fn number(&self, sql: &str) -> i64 {
        let mut conn = self.connect().await;
        let row: AnyRow = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap();
        row.try_get(0).unwrap()
    }

    /// A connection of another process, as far as the store can tell.
    pub async fn connect(&self) -> sqlx::AnyConnection {
        sqlx::any::install_default_drivers();
        let url = self.url.replace("sqlite:", "sqlite://").replace(' ', "%20");
        let options: AnyConnectOptions = url.parse().unwrap();
        options.connect().await.unwrap()
    }

    /// Let the store's clock run ahead by so much.
    pub async fn shift(&self, by: Duration) {
        let ms = by.as_millis();
        let sql = match self.kind {
            Kind::Sqlite => format!(
                "DROP VIEW pdm_clock; CREATE VIEW pdm_clock (now_ms) AS
                 SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + {ms};"
            ),
            Kind::Postgres => format!(
                "CREATE OR REPLACE VIEW pdm_clock (now_ms) AS
                 SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + {ms};"
            ),
        };
        self.sql(&sql).await.unwrap();
    }
}

pub fn name(text: &str) -> ZoneName {
    ZoneName::parse(text).unwrap()
}

pub fn pool() -> ZoneName {
    name("omani.works")
}

pub fn under(label: &str) -> ZoneName {
    name(&format!("{label}.omani.works"))
}

pub fn look(label: &str) -> String {
    pdm_model::reserved::look(label)
}

pub const RESERVATION: Duration = Duration::from_secs(3600);

/// A reservation of `label` by `owner` that begins at `now`.
pub fn reservation(label: &str, owner: &str, id: &str, now: Timestamp) -> Allocation {
    Allocation {
        id: id.to_owned(),
        fqdn: under(label),
        pool: pool(),
        mode: Mode::Pool,
        owner: owner.to_owned(),
        phase: Phase::Reserved,
        generation: 1,
        target: None,
        committed: None,
        commit_operation: None,
        suspended: None,
        legacy: false,
        created_by: None,
        request_key: None,
        reserved_at: now,
        expires_at: now + RESERVATION,
        quarantined_until: None,
        conditions: Vec::new(),
        observed: Observed::default(),
        proof: None,
        updated_at: now,
        byo: None,
        keys: pdm_model::KeyIntent::default(),
    }
}

pub fn fresh_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// What a reservation asks to know.
pub fn wanted(label: &str, owner: &str) -> Wanted {
    Wanted { reservation: Some((pool(), look(label), Some(owner.to_owned()))), ..Wanted::default() }
}

/// Reserve as the engine does: a name that is held is refused, an expired row is freed first.
pub fn reserving(label: &str, owner: &str) -> Decision {
    let (label, owner, id) = (label.to_owned(), owner.to_owned(), fresh_id());
    Arc::new(move |facts: &Facts| {
        let mut rows = Vec::new();
        if let Some(live) = &facts.live {
            if live.phase != Phase::Reserved || live.expires_at > facts.now {
                return Err(Refusal::new("name-taken", "held"));
            }
            rows.push(Allocation { phase: Phase::Freed, ..live.clone() });
        }
        if facts.similar.is_some() {
            return Err(Refusal::new("name-look-alike", "held"));
        }
        rows.push(reservation(&label, &owner, &id, facts.now));
        let audit = vec![AuditEntry::new(&owner, "reserve", &under(&label), "")];
        Ok(Write { allocations: rows, audit, ..Write::default() })
    })
}

pub async fn reserve(store: &SqlStore, label: &str, owner: &str) -> Result<Decided, Refusal> {
    store.decide(&under(label), wanted(label, owner), reserving(label, owner)).await.unwrap()
}

pub fn target() -> Target {
    Target::single("185.10.10.1".parse().unwrap())
}

/// How long another process's last call may take to land.
pub const QUIET: Duration = Duration::from_millis(400);

/// Open an operation of a kind, superseding what is open, and put the row into the phase that goes with it.
pub fn operating(kind: OperationKind, lease: Option<(&str, Duration)>) -> Decision {
    let lease = lease.map(|(token, ttl)| (token.to_owned(), ttl));
    let id = fresh_id();
    Arc::new(move |facts: &Facts| {
        let mut live = facts.live.clone().ok_or_else(|| Refusal::new("not-found", "nothing"))?;
        live.generation += 1;
        live.target = Some(target());
        live.phase = if kind == OperationKind::Release { Phase::Releasing } else { Phase::Provisioning };
        let operation = NewOperation {
            id: id.clone(),
            allocation: live.id.clone(),
            fqdn: live.fqdn.clone(),
            kind,
            generation: live.generation,
            holder: lease.as_ref().map_or("mine", |(token, _)| token.as_str()).to_owned(),
            lease: lease.clone(),
            quiet: QUIET,
        };
        let audit = vec![AuditEntry::new("t", kind.as_str(), &live.fqdn, "")];
        Ok(Write {
            allocations: vec![live],
            supersede: facts.open.is_some(),
            operation: Some(operation),
            audit,
            ..Write::default()
        })
    })
}

pub async fn operate(
    store: &SqlStore,
    label: &str,
    kind: OperationKind,
    lease: Option<(&str, Duration)>,
) -> Decided {
    store.decide(&under(label), Wanted::default(), operating(kind, lease)).await.unwrap().unwrap()
}

/// A reserved and committed name with its open operation.
pub async fn committed(store: &SqlStore, label: &str, lease: Option<(&str, Duration)>) -> Decided {
    reserve(store, label, "o").await.unwrap();
    operate(store, label, OperationKind::Commit, lease).await
}

/// Class and code of what should have failed.
pub fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> &'static str {
    result.expect_err("it should have failed").code
}
