//! Reports of audits, what is acknowledged, and what quick looks saw.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pdm_model::audit::{Acknowledged, Report, Severity, Transition};
use pdm_model::incident::Measurement;
use pdm_model::{AuditEntry, Timestamp, ZoneName};
use pdm_ports::audit_store::ReportLine;
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::log::audit;
use crate::outbox::put_down;
use crate::rows::{Fields, json};

/// At most so many rows in one transaction.
const PRUNE: i64 = 1_000;
/// Measurements are kept two years.
const MEASUREMENTS_MS: i64 = 2 * 366 * 86_400_000;

/// Keep one.
pub(crate) struct Keep {
    pub(crate) report: Report,
    pub(crate) recording: Option<String>,
    pub(crate) news: Vec<Transition>,
}

#[async_trait]
impl Job for Keep {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let report = &self.report;
        sqlx::query(
            "INSERT INTO audits (id, fqdn, at, worst, verdict, undelegated, body, recording)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(report.id.clone())
        .bind(report.fqdn.to_string())
        .bind(report.begun_at.0)
        .bind(report.worst().map(Severity::as_str))
        .bind(report.verdict.clone())
        .bind(i64::from(report.undelegated))
        .bind(json(report)?)
        .bind(self.recording.clone())
        .execute(&mut session.conn)
        .await?;
        for news in &self.news {
            put_down(session, &report.fqdn, news, Some(&report.id)).await?;
        }
        Ok(())
    }
}

/// One report, by its id or the newest of a name.
pub(crate) enum One {
    /// This one.
    Id(String),
    /// The newest.
    Last(ZoneName),
}

#[async_trait]
impl Job for One {
    type Out = Option<Report>;

    async fn run(&self, session: &mut Session) -> Result<Option<Report>, Trouble> {
        let (sql, value) = match self {
            Self::Id(id) => ("SELECT body FROM audits WHERE id = $1", id.clone()),
            Self::Last(fqdn) => (
                "SELECT body FROM audits WHERE fqdn = $1 AND undelegated = 0 ORDER BY seq DESC LIMIT 1",
                fqdn.to_string(),
            ),
        };
        let row: Option<AnyRow> = sqlx::query(sql).bind(value).fetch_optional(&mut session.conn).await?;
        row.map(|row| Fields::new(&row).json()).transpose()
    }
}

/// The recording of one.
pub(crate) struct Recording(pub(crate) String);

#[async_trait]
impl Job for Recording {
    type Out = Option<String>;

    async fn run(&self, session: &mut Session) -> Result<Option<String>, Trouble> {
        let row: Option<AnyRow> = sqlx::query("SELECT recording FROM audits WHERE id = $1")
            .bind(self.0.clone())
            .fetch_optional(&mut session.conn)
            .await?;
        Ok(row.map(|row| Fields::new(&row).maybe_string()).transpose()?.flatten())
    }
}

/// A list of them.
pub(crate) struct Page {
    pub(crate) fqdn: Option<ZoneName>,
    pub(crate) before: Option<i64>,
    pub(crate) limit: u32,
}

macro_rules! page {
    ($which:literal) => {
        concat!(
            "SELECT seq, id, fqdn, at, worst, verdict FROM audits WHERE ",
            $which,
            " AND seq < $2 ORDER BY seq DESC LIMIT $3"
        )
    };
}

#[async_trait]
impl Job for Page {
    type Out = Vec<ReportLine>;

    async fn run(&self, session: &mut Session) -> Result<Vec<ReportLine>, Trouble> {
        let sql = if self.fqdn.is_some() { page!("fqdn = $1") } else { page!("$1 IS NULL") };
        let rows: Vec<AnyRow> = sqlx::query(sql)
            .bind(self.fqdn.as_ref().map(ToString::to_string))
            .bind(self.before.unwrap_or(i64::MAX))
            .bind(i64::from(self.limit))
            .fetch_all(&mut session.conn)
            .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok(ReportLine {
                seq: fields.int()?,
                id: fields.string()?,
                fqdn: fields.name()?,
                at: fields.time()?,
                worst: fields.maybe_text()?.and_then(severity),
                verdict: fields.string()?,
            })
        };
        rows.iter().map(read).collect()
    }
}

fn severity(word: &str) -> Option<Severity> {
    use Severity::{Critical, Error, Info, Notice, Warning};
    [Info, Notice, Warning, Error, Critical].into_iter().find(|severity| severity.as_str() == word)
}

/// The active names whose last reports are the oldest.
pub(crate) struct LeastRecent(pub(crate) u32);

#[async_trait]
impl Job for LeastRecent {
    type Out = Vec<(ZoneName, i64)>;

    async fn run(&self, session: &mut Session) -> Result<Vec<(ZoneName, i64)>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT a.fqdn, (SELECT COALESCE(MAX(r.seq), 0) FROM audits r WHERE r.fqdn = a.fqdn AND r.undelegated = 0) AS last
             FROM allocations a WHERE a.phase = 'active' ORDER BY last, a.fqdn LIMIT $1",
        )
        .bind(i64::from(self.0))
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok((fields.name()?, fields.int()?))
        };
        rows.iter().map(read).collect()
    }
}

/// Drop those before a time, except the newest of each name.
pub(crate) struct Prune(pub(crate) std::time::Duration);

#[async_trait]
impl Job for Prune {
    type Out = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, Trouble> {
        let keep = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        let before = session.now().await?.0.saturating_sub(keep);
        sqlx::query("DELETE FROM measurements WHERE at < $1")
            .bind(session.now().await?.0 - MEASUREMENTS_MS)
            .execute(&mut session.conn)
            .await?;
        let done = sqlx::query(
            "DELETE FROM audits WHERE seq IN
                (SELECT a.seq FROM audits a WHERE a.at < $1
                    AND EXISTS (SELECT 1 FROM audits b
                        WHERE b.fqdn = a.fqdn AND b.undelegated = a.undelegated AND b.seq > a.seq)
                 ORDER BY a.seq LIMIT $2)",
        )
        .bind(before)
        .bind(PRUNE)
        .execute(&mut session.conn)
        .await?;
        Ok(done.rows_affected())
    }
}

/// Acknowledge a finding, or take that back.
pub(crate) struct Acknowledge {
    pub(crate) fqdn: ZoneName,
    pub(crate) finding: String,
    pub(crate) known: Option<Acknowledged>,
}

#[async_trait]
impl Job for Acknowledge {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let query = match &self.known {
            None => sqlx::query("DELETE FROM acknowledgements WHERE fqdn = $1 AND finding = $2")
                .bind(self.fqdn.to_string())
                .bind(self.finding.clone()),
            Some(known) => sqlx::query(
                "INSERT INTO acknowledgements (fqdn, finding, actor, reason, until) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (fqdn, finding) DO UPDATE SET
                    actor = excluded.actor, reason = excluded.reason, until = excluded.until",
            )
            .bind(self.fqdn.to_string())
            .bind(self.finding.clone())
            .bind(known.by.clone())
            .bind(known.reason.clone())
            .bind(known.until.0),
        };
        query.execute(&mut session.conn).await?;
        Ok(())
    }
}

/// What is acknowledged now.
pub(crate) struct Acknowledgements(pub(crate) ZoneName);

#[async_trait]
impl Job for Acknowledgements {
    type Out = BTreeMap<String, Acknowledged>;

    async fn run(&self, session: &mut Session) -> Result<BTreeMap<String, Acknowledged>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT a.finding, a.actor, a.reason, a.until FROM acknowledgements a CROSS JOIN pdm_clock c
             WHERE a.fqdn = $1 AND a.until > c.now_ms ORDER BY a.finding",
        )
        .bind(self.0.to_string())
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            let finding = fields.string()?;
            let (by, reason, until): (String, String, Timestamp) =
                (fields.string()?, fields.string()?, fields.time()?);
            Ok((finding, Acknowledged { by, reason, until }))
        };
        rows.iter().map(read).collect()
    }
}

/// Names at which the last quick look saw something wrong.
pub(crate) struct Wrong;

#[async_trait]
impl Job for Wrong {
    type Out = BTreeMap<ZoneName, String>;

    async fn run(&self, session: &mut Session) -> Result<BTreeMap<ZoneName, String>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query("SELECT fqdn, why FROM wrong_names ORDER BY fqdn")
            .fetch_all(&mut session.conn)
            .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok((fields.name()?, fields.string()?))
        };
        rows.iter().map(read).collect()
    }
}

/// Something is wrong at a name, or no longer.
pub(crate) struct NoteWrong {
    pub(crate) fqdn: ZoneName,
    pub(crate) wrong: Option<String>,
    pub(crate) entry: AuditEntry,
    pub(crate) news: Transition,
}

#[async_trait]
impl Job for NoteWrong {
    type Out = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, Trouble> {
        let now = session.now().await?;
        let query = match &self.wrong {
            Some(why) => sqlx::query(
                "INSERT INTO wrong_names (fqdn, why, since) VALUES ($1, $2, $3) ON CONFLICT (fqdn) DO NOTHING",
            )
            .bind(self.fqdn.to_string())
            .bind(why.clone())
            .bind(now.0),
            None => sqlx::query("DELETE FROM wrong_names WHERE fqdn = $1").bind(self.fqdn.to_string()),
        };
        if query.execute(&mut session.conn).await?.rows_affected() == 0 {
            return Ok(false);
        }
        audit(session, std::slice::from_ref(&self.entry), now).await?;
        put_down(session, &self.fqdn, &self.news, None).await?;
        Ok(true)
    }
}

/// Keep a measurement.
pub(crate) struct Measure(pub(crate) Measurement);

#[async_trait]
impl Job for Measure {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let Measurement { at, looks, silent, wrong, millis } = self.0;
        sqlx::query(
            "INSERT INTO measurements (at, looks, silent, wrong, millis) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(at.0)
        .bind(i64::from(looks))
        .bind(i64::from(silent))
        .bind(i64::from(wrong))
        .bind(i64::try_from(millis).unwrap_or(i64::MAX))
        .execute(&mut session.conn)
        .await?;
        Ok(())
    }
}

/// Measurements since a time.
pub(crate) struct Measured(pub(crate) Timestamp);

#[async_trait]
impl Job for Measured {
    type Out = Vec<Measurement>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Measurement>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT at, looks, silent, wrong, millis FROM measurements WHERE at >= $1 ORDER BY at, seq",
        )
        .bind(self.0.0)
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok(Measurement {
                at: fields.time()?,
                looks: fields.number()?,
                silent: fields.number()?,
                wrong: fields.number()?,
                millis: fields.number()?,
            })
        };
        rows.iter().map(read).collect()
    }
}
