//! The records of old zones: one JSON text for an allocation, replaced only by who has read it.

use async_trait::async_trait;
use pdm_carry_over::CarriedZone;
use pdm_model::AuditEntry;
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::log;
use crate::rows::{Fields, json};

/// That of an allocation, with its version.
pub(crate) struct Find(pub(crate) String);

#[async_trait]
impl Job for Find {
    type Out = Option<(CarriedZone, i64)>;

    async fn run(&self, session: &mut Session) -> Result<Self::Out, Trouble> {
        let row: Option<AnyRow> =
            sqlx::query("SELECT zone, version FROM carried_records WHERE allocation = $1")
                .bind(self.0.clone())
                .fetch_optional(&mut session.conn)
                .await?;
        row.map(|row| {
            let mut fields = Fields::new(&row);
            Ok((fields.json()?, fields.int()?))
        })
        .transpose()
    }
}

/// Keep one in place of the version that was read.
pub(crate) struct Put {
    allocation: String,
    zone: String,
    before: Option<i64>,
    audit: Option<AuditEntry>,
}

impl Put {
    pub(crate) fn new(
        allocation: &str,
        zone: &CarriedZone,
        before: Option<i64>,
        audit: Option<AuditEntry>,
    ) -> Result<Self, Trouble> {
        Ok(Self { allocation: allocation.to_owned(), zone: json(zone)?, before, audit })
    }
}

#[async_trait]
impl Job for Put {
    type Out = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, Trouble> {
        let now = session.now().await?;
        let query = match self.before {
            None => sqlx::query(
                "INSERT INTO carried_records (allocation, zone, version) VALUES ($1, $2, 1)
                 ON CONFLICT (allocation) DO NOTHING",
            ),
            Some(_) => sqlx::query(
                "UPDATE carried_records SET zone = $2, version = version + 1 WHERE allocation = $1 AND version = $3",
            ),
        };
        let mut query = query.bind(self.allocation.clone()).bind(self.zone.clone());
        if let Some(version) = self.before {
            query = query.bind(version);
        }
        let done = query.execute(&mut session.conn).await?.rows_affected() == 1;
        if done {
            log::audit(session, self.audit.as_slice(), now).await?;
        }
        Ok(done)
    }
}
