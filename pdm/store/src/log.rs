//! What is appended and never changed: the audit log and the events of operations.

use async_trait::async_trait;
use pdm_model::{AuditEntry, Operation, Timestamp};

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::{Bound, json};

/// Append entries, all at `now`.
pub(crate) async fn audit(
    session: &mut Session,
    entries: &[AuditEntry],
    now: Timestamp,
) -> Result<(), Trouble> {
    for entry in entries {
        let query = sqlx::query(
            "INSERT INTO audit_log (at, actor, action, fqdn, result, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        );
        bind_entry(query.bind(now.0), entry).execute(&mut session.conn).await?;
    }
    Ok(())
}

/// Bind what an entry says, after its time.
pub(crate) fn bind_entry<'q>(query: Bound<'q>, entry: &AuditEntry) -> Bound<'q> {
    query
        .bind(entry.actor.clone())
        .bind(entry.action.clone())
        .bind(entry.fqdn.as_ref().map(ToString::to_string))
        .bind(entry.result.clone())
        .bind(entry.detail.clone())
}

/// Append the operation as it stands.
pub(crate) async fn event(
    session: &mut Session,
    operation: &Operation,
    now: Timestamp,
) -> Result<(), Trouble> {
    sqlx::query("INSERT INTO operation_events (operation, at, body) VALUES ($1, $2, $3)")
        .bind(operation.id.clone())
        .bind(now.0)
        .bind(json(operation)?)
        .execute(&mut session.conn)
        .await?;
    Ok(())
}

/// One entry that no decision wrote.
pub(crate) struct Append(pub(crate) AuditEntry);

#[async_trait]
impl Job for Append {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let now = session.now().await?;
        audit(session, std::slice::from_ref(&self.0), now).await
    }
}
