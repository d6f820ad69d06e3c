//! Texts that are replaced only by who has read them: one JSON document for a key, with a version.

use std::marker::PhantomData;

use async_trait::async_trait;
use pdm_model::AuditEntry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::log;
use crate::rows::{Fields, json};

/// Where one kind of document lies.
pub(crate) struct Kind {
    find: &'static str,
    insert: &'static str,
    update: &'static str,
}

macro_rules! kind {
    ($table:literal, $key:literal, $document:literal) => {
        Kind {
            find: concat!("SELECT ", $document, ", version FROM ", $table, " WHERE ", $key, " = $1"),
            insert: concat!(
                "INSERT INTO ",
                $table,
                " (",
                $key,
                ", ",
                $document,
                ", version) VALUES ($1, $2, 1) ON CONFLICT (",
                $key,
                ") DO NOTHING"
            ),
            update: concat!(
                "UPDATE ",
                $table,
                " SET ",
                $document,
                " = $2, version = version + 1 WHERE ",
                $key,
                " = $1 AND version = $3"
            ),
        }
    };
}

/// The records of old zones, by allocation.
pub(crate) const CARRIED: &Kind = &kind!("carried_records", "allocation", "zone");
/// The keys of pools' own zones, by pool.
pub(crate) const POOL_KEYS: &Kind = &kind!("pool_keys", "pool", "keys");

/// One document with its version.
pub(crate) struct Find<T> {
    kind: &'static Kind,
    key: String,
    read: PhantomData<fn() -> T>,
}

impl<T> Find<T> {
    pub(crate) fn new(kind: &'static Kind, key: &str) -> Self {
        Self { kind, key: key.to_owned(), read: PhantomData }
    }
}

#[async_trait]
impl<T: DeserializeOwned + Send + 'static> Job for Find<T> {
    type Out = Option<(T, i64)>;

    async fn run(&self, session: &mut Session) -> Result<Self::Out, Trouble> {
        let row: Option<AnyRow> =
            sqlx::query(self.kind.find).bind(self.key.clone()).fetch_optional(&mut session.conn).await?;
        row.map(|row| {
            let mut fields = Fields::new(&row);
            Ok((fields.json()?, fields.int()?))
        })
        .transpose()
    }
}

/// Keep one in place of the version that was read.
pub(crate) struct Put {
    kind: &'static Kind,
    key: String,
    document: String,
    before: Option<i64>,
    audit: Vec<AuditEntry>,
}

impl Put {
    pub(crate) fn new(
        kind: &'static Kind,
        key: &str,
        document: &impl Serialize,
        before: Option<i64>,
        audit: Vec<AuditEntry>,
    ) -> Result<Self, Trouble> {
        Ok(Self { kind, key: key.to_owned(), document: json(document)?, before, audit })
    }
}

#[async_trait]
impl Job for Put {
    type Out = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, Trouble> {
        let now = session.now().await?;
        let sql = if self.before.is_some() { self.kind.update } else { self.kind.insert };
        let mut query = sqlx::query(sql).bind(self.key.clone()).bind(self.document.clone());
        if let Some(version) = self.before {
            query = query.bind(version);
        }
        let done = query.execute(&mut session.conn).await?.rows_affected() == 1;
        if done {
            log::audit(session, &self.audit, now).await?;
        }
        Ok(done)
    }
}
