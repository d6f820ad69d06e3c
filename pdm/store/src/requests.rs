//! Idempotency keys: a request is begun once, and its answer repeated for a day.

use async_trait::async_trait;
use pdm_ports::store::Remembered;
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::{Trouble, unavailable};
use crate::rows::{Fields, maybe_json};

/// One statement takes the key or leaves it: when it is new, when its day is over, or when the one who began it with
/// the same body never came back (its process died; the decision behind it is safe to repeat).
const BEGIN: &str = "INSERT INTO requests (key, digest, begun_at) VALUES ($1, $2, (SELECT now_ms FROM pdm_clock))
    ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, begun_at = excluded.begun_at, status = NULL, response = NULL
    WHERE requests.begun_at <= excluded.begun_at - 86400000
       OR (requests.status IS NULL AND requests.digest = excluded.digest
           AND requests.begun_at <= excluded.begun_at - 60000)
    RETURNING key";

/// Begin a request, or learn what became of it.
pub(crate) struct Remember {
    pub(crate) key: String,
    pub(crate) digest: String,
}

#[async_trait]
impl Job for Remember {
    type Out = Remembered;

    async fn run(&self, session: &mut Session) -> Result<Remembered, Trouble> {
        let begun: Option<AnyRow> = sqlx::query(BEGIN)
            .bind(self.key.clone())
            .bind(self.digest.clone())
            .fetch_optional(&mut session.conn)
            .await?;
        if begun.is_some() {
            return Ok(Remembered::Begin);
        }
        let row: Option<AnyRow> = sqlx::query("SELECT digest, status, response FROM requests WHERE key = $1")
            .bind(self.key.clone())
            .fetch_optional(&mut session.conn)
            .await?;
        // Forgotten between the two statements: the caller's repeat begins it.
        let row = row.ok_or_else(|| unavailable("the request was just forgotten"))?;
        let mut fields = Fields::new(&row);
        if fields.text()? != self.digest {
            return Ok(Remembered::OtherBody);
        }
        let status = fields.maybe_int()?;
        let response: Option<Value> = fields.maybe_json()?;
        let (Some(status), Some(response)) = (status, response) else { return Ok(Remembered::InProgress) };
        let status = u16::try_from(status).map_err(|_| Trouble::unreadable("not an HTTP status"))?;
        Ok(Remembered::Answered { status, response })
    }
}

/// Keep the answer, or forget the request.
pub(crate) struct Answer {
    pub(crate) key: String,
    pub(crate) answer: Option<(u16, Value)>,
}

#[async_trait]
impl Job for Answer {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let query = match &self.answer {
            Some((status, response)) => {
                sqlx::query("UPDATE requests SET status = $2, response = $3 WHERE key = $1")
                    .bind(self.key.clone())
                    .bind(i64::from(*status))
                    .bind(maybe_json(Some(response))?)
            }
            None => sqlx::query("DELETE FROM requests WHERE key = $1").bind(self.key.clone()),
        };
        query.execute(&mut session.conn).await?;
        Ok(())
    }
}
