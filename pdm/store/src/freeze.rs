//! Stops of every write.

use async_trait::async_trait;
use pdm_model::ZoneName;
use pdm_ports::store::Freeze;
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::Fields;

/// Begin or end a stop.
pub(crate) struct SetFreeze {
    pub(crate) pool: Option<ZoneName>,
    pub(crate) on: bool,
    pub(crate) actor: String,
}

#[async_trait]
impl Job for SetFreeze {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        // The empty pool stands for all.
        let pool = self.pool.as_ref().map(ToString::to_string).unwrap_or_default();
        let query = if self.on {
            // A stop that is in force keeps its first author and time.
            sqlx::query(
                "INSERT INTO freezes (pool, actor, since) VALUES ($1, $2, (SELECT now_ms FROM pdm_clock))
                 ON CONFLICT (pool) DO NOTHING",
            )
            .bind(pool)
            .bind(self.actor.clone())
        } else {
            sqlx::query("DELETE FROM freezes WHERE pool = $1").bind(pool)
        };
        query.execute(&mut session.conn).await?;
        Ok(())
    }
}

/// Stops in force.
pub(crate) struct Freezes;

#[async_trait]
impl Job for Freezes {
    type Out = Vec<Freeze>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Freeze>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query("SELECT pool, actor, since FROM freezes ORDER BY pool")
            .fetch_all(&mut session.conn)
            .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Freeze, Trouble> {
    let mut fields = Fields::new(row);
    let pool = match fields.text()? {
        "" => None,
        name => Some(ZoneName::parse(name).map_err(|e| Trouble::unreadable(e.to_string()))?),
    };
    Ok(Freeze { pool, by: fields.string()?, since: fields.time()? })
}
