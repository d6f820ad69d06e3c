//! Sealed credentials, one for an allocation.

use async_trait::async_trait;
use pdm_ports::store::SealedCredential;
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::Fields;

/// Keep one in place of an older one.
pub(crate) struct Put(pub(crate) SealedCredential);

#[async_trait]
impl Job for Put {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let now = session.now().await?;
        sqlx::query(
            "INSERT INTO credentials (allocation, registrar, sealed, sealed_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (allocation) DO UPDATE SET registrar = excluded.registrar, sealed = excluded.sealed,
                sealed_at = excluded.sealed_at",
        )
        .bind(self.0.allocation.clone())
        .bind(self.0.registrar.clone())
        .bind(self.0.sealed.clone())
        .bind(now.0)
        .execute(&mut session.conn)
        .await?;
        Ok(())
    }
}

/// That of an allocation, or all of them.
pub(crate) struct Find(pub(crate) Option<String>);

#[async_trait]
impl Job for Find {
    type Out = Vec<SealedCredential>;

    async fn run(&self, session: &mut Session) -> Result<Vec<SealedCredential>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT allocation, registrar, sealed FROM credentials WHERE $1 IS NULL OR allocation = $1
             ORDER BY allocation",
        )
        .bind(self.0.clone())
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok(SealedCredential {
                allocation: fields.string()?,
                registrar: fields.string()?,
                sealed: fields.string()?,
            })
        };
        rows.iter().map(read).collect()
    }
}

/// Forget that of an allocation.
pub(crate) struct Forget(pub(crate) String);

#[async_trait]
impl Job for Forget {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        sqlx::query("DELETE FROM credentials WHERE allocation = $1")
            .bind(self.0.clone())
            .execute(&mut session.conn)
            .await?;
        Ok(())
    }
}
