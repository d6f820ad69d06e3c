//! Claims on domains that their owners bring, and the names around one.

use async_trait::async_trait;
use pdm_model::{Claim, Mode, ZoneName};
use pdm_ports::store::{Related, Write};
use sqlx::any::AnyRow;

use crate::credentials;
use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::{Fields, json};

/// Claims on a name that are not over.
pub(crate) struct Of(pub(crate) ZoneName);

#[async_trait]
impl Job for Of {
    type Out = Vec<Claim>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Claim>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT id, fqdn, registered, mode, owner, created_by, request_key, reserved_at, expires_at, disputed_at
             FROM claims CROSS JOIN pdm_clock WHERE fqdn = $1 AND expires_at > now_ms ORDER BY reserved_at, id",
        )
        .bind(self.0.to_string())
        .fetch_all(&mut session.conn)
        .await?;
        rows.iter().map(claim).collect()
    }
}

fn claim(row: &AnyRow) -> Result<Claim, Trouble> {
    let mut fields = Fields::new(row);
    Ok(Claim {
        id: fields.string()?,
        fqdn: fields.name()?,
        registered: fields.name()?,
        mode: fields.word(Mode::from_word)?,
        owner: fields.string()?,
        created_by: fields.maybe_string()?,
        request_key: fields.maybe_string()?,
        reserved_at: fields.time()?,
        expires_at: fields.time()?,
        disputed_at: fields.maybe_time()?,
    })
}

// What lies above is found by name, what lies below among the names that were brought: pools lend none below those.
macro_rules! related {
    ($above:literal) => {
        concat!(
            "SELECT fqdn, owner FROM allocations WHERE phase <> 'freed' AND phase <> 'quarantined' AND fqdn IN (",
            $above,
            ") UNION ALL
             SELECT fqdn, owner FROM allocations
              WHERE mode <> 'pool' AND phase <> 'freed' AND phase <> 'quarantined' AND fqdn LIKE $2"
        )
    };
}

/// Claims and live names around a name. Names are LDH, so `LIKE` has nothing to escape.
pub(crate) async fn facts(
    session: &mut Session,
    name: &ZoneName,
) -> Result<(Vec<Claim>, Vec<Related>), Trouble> {
    let claims = Of(name.clone()).run(session).await?;
    let above: Vec<String> =
        std::iter::successors(name.parent(), ZoneName::parent).map(|n| n.to_string()).collect();
    let sql = session.pick(
        related!("SELECT value FROM json_each($1)"),
        related!("SELECT jsonb_array_elements_text($1::jsonb)"),
    );
    let rows: Vec<AnyRow> =
        sqlx::query(sql).bind(json(&above)?).bind(format!("%.{name}")).fetch_all(&mut session.conn).await?;
    let related = |row: &AnyRow| {
        let mut fields = Fields::new(row);
        Ok(Related { fqdn: fields.name()?, owner: fields.string()? })
    };
    Ok((claims, rows.iter().map(related).collect::<Result<_, Trouble>>()?))
}

/// The part of a decision that is about claims and credentials.
pub(crate) async fn write(session: &mut Session, write: &Write) -> Result<(), Trouble> {
    for claim in &write.claims {
        sqlx::query(
            "INSERT INTO claims (id, fqdn, registered, mode, owner, created_by, request_key, reserved_at, expires_at,
                disputed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (fqdn, owner) DO UPDATE SET id = excluded.id, mode = excluded.mode,
                created_by = excluded.created_by, request_key = excluded.request_key,
                reserved_at = excluded.reserved_at, expires_at = excluded.expires_at,
                disputed_at = excluded.disputed_at",
        )
        .bind(claim.id.clone())
        .bind(claim.fqdn.to_string())
        .bind(claim.registered.to_string())
        .bind(claim.mode.as_str())
        .bind(claim.owner.clone())
        .bind(claim.created_by.clone())
        .bind(claim.request_key.clone())
        .bind(claim.reserved_at.0)
        .bind(claim.expires_at.0)
        .bind(claim.disputed_at.map(|t| t.0))
        .execute(&mut session.conn)
        .await?;
    }
    for id in &write.drop_claims {
        sqlx::query("DELETE FROM claims WHERE id = $1").bind(id.clone()).execute(&mut session.conn).await?;
    }
    match &write.credential {
        Some(credential) => credentials::Put(credential.clone()).run(session).await,
        None => Ok(()),
    }
}
