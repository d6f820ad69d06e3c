//! The audit log as a chain of hashes.
//!
//! `digest = SHA-256(fields)`, `hash = SHA-256(hash of the place before || digest)`; the first place stands on 32 zero
//! octets. Fields are netstrings (`length:octets,`) of place, seq, time in milliseconds, actor, action, name or nothing,
//! result and detail, so that no two entries read the same. Two steps, so that an extract can leave out the content of
//! other people's entries and still prove its own.
//!
//! Entries are appended as they come and sealed later: a chain that grew inside every transaction would make all of them
//! wait for one another. Until it is sealed the insert-only triggers alone keep an entry; a sealer runs every second.

use std::collections::BTreeSet;

use async_trait::async_trait;
use pdm_model::AuditEntry;
use pdm_ports::audit_store::{ChainState, Checkpoint, Link};
use ring::digest::{Context, SHA256};
use sqlx::any::AnyRow;

use crate::db::{Job, Session};
use crate::fault::Trouble;
use crate::rows::Fields;

/// An entry that commits this many numbers after later ones is still found by each sealing; older ones by the count of
/// what is not sealed.
const WINDOW: i64 = 10_000;
/// The lock of the one sealer, on PostgreSQL.
const LOCK: i64 = 0x7064_6d5f_7365_616c;

/// The digest of an entry in its place, hexadecimal.
#[must_use]
pub fn digest(place: i64, entry: &AuditEntry) -> String {
    let fqdn = entry.fqdn.as_ref().map(ToString::to_string).unwrap_or_default();
    let numbers = [place.to_string(), entry.seq.to_string(), entry.at.0.to_string()];
    let texts = [&entry.actor, &entry.action, &fqdn, &entry.result, &entry.detail];
    let mut context = Context::new(&SHA256);
    for field in numbers.iter().chain(texts) {
        context.update(format!("{}:", field.len()).as_bytes());
        context.update(field.as_bytes());
        context.update(b",");
    }
    hex(context.finish().as_ref())
}

/// The hash of a place from the hash before (empty for the first) and its digest.
///
/// `None` when one of them is not 32 octets in hexadecimal.
#[must_use]
pub fn hash(before: &str, digest: &str) -> Option<String> {
    let before = if before.is_empty() { [0; 32] } else { octets(before)? };
    let mut context = Context::new(&SHA256);
    context.update(&before);
    context.update(&octets(digest)?);
    Some(hex(context.finish().as_ref()))
}

/// Check links that follow `(place, hash)`; answers the new end.
///
/// # Errors
/// The first place that does not hold, and why.
pub fn verify(end: (i64, String), links: &[Link]) -> Result<(i64, String), (i64, String)> {
    links.iter().try_fold(end, |(place, before), link| {
        let wrong = |why: &str| Err((link.place, why.to_owned()));
        if link.place != place + 1 {
            return wrong("a place is missing before it");
        }
        if digest(link.place, &link.entry) != link.digest {
            return wrong("the entry was changed");
        }
        if hash(&before, &link.digest).as_deref() != Some(&*link.hash) {
            return wrong("it does not follow from the place before");
        }
        Ok((link.place, link.hash.clone()))
    })
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(text: &str) -> Option<[u8; 32]> {
    let mut all = [0; 32];
    (text.len() == 64 && text.is_ascii()).then_some(())?;
    for (index, octet) in all.iter_mut().enumerate() {
        *octet = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(all)
}

macro_rules! entry_columns {
    () => {
        "l.seq, l.at, l.actor, l.action, l.fqdn, l.result, l.detail"
    };
}

fn entry(fields: &mut Fields<'_>) -> Result<AuditEntry, Trouble> {
    Ok(AuditEntry {
        seq: fields.int()?,
        at: fields.time()?,
        actor: fields.string()?,
        action: fields.string()?,
        fqdn: fields.maybe_name()?,
        result: fields.string()?,
        detail: fields.string()?,
    })
}

/// Hang entries on the chain.
pub(crate) struct Seal(pub(crate) u32);

#[async_trait]
impl Job for Seal {
    type Out = u64;

    fn locks(&self) -> BTreeSet<i64> {
        BTreeSet::from([LOCK])
    }

    async fn run(&self, session: &mut Session) -> Result<u64, Trouble> {
        let end = End.run(session).await?;
        let row: AnyRow =
            sqlx::query("SELECT COALESCE(max(seq), 0) FROM audit_chain").fetch_one(&mut session.conn).await?;
        // A full window back while it is all there is to do; from the start when the chain is young.
        let after = Fields::new(&row).int()? - WINDOW;
        let rows: Vec<AnyRow> = sqlx::query(concat!(
            "SELECT ",
            entry_columns!(),
            " FROM audit_log l WHERE l.seq > $1 AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.seq = l.seq)
             ORDER BY l.seq LIMIT $2"
        ))
        .bind(after)
        .bind(i64::from(self.0))
        .fetch_all(&mut session.conn)
        .await?;
        let (mut place, mut before) = end;
        for row in &rows {
            let entry = entry(&mut Fields::new(row))?;
            place += 1;
            let digest = digest(place, &entry);
            let hash =
                hash(&before, &digest).ok_or_else(|| Trouble::unreadable("the chain's end".to_owned()))?;
            sqlx::query("INSERT INTO audit_chain (place, seq, digest, hash) VALUES ($1, $2, $3, $4)")
                .bind(place)
                .bind(entry.seq)
                .bind(digest)
                .bind(hash.clone())
                .execute(&mut session.conn)
                .await?;
            before = hash;
        }
        Ok(rows.len() as u64)
    }
}

/// The last place and its hash.
struct End;

#[async_trait]
impl Job for End {
    type Out = (i64, String);

    async fn run(&self, session: &mut Session) -> Result<(i64, String), Trouble> {
        let row: Option<AnyRow> =
            sqlx::query("SELECT place, hash FROM audit_chain ORDER BY place DESC LIMIT 1")
                .fetch_optional(&mut session.conn)
                .await?;
        let Some(row) = row else { return Ok((0, String::new())) };
        let mut fields = Fields::new(&row);
        Ok((fields.int()?, fields.string()?))
    }
}

/// The end of the chain, and how much is not in it.
pub(crate) struct State;

#[async_trait]
impl Job for State {
    type Out = ChainState;

    async fn run(&self, session: &mut Session) -> Result<ChainState, Trouble> {
        let (place, hash) = End.run(session).await?;
        // Places are without a gap and each has its entry, so the rest of the log is what is not sealed.
        let row: AnyRow = sqlx::query("SELECT count(*) FROM audit_log").fetch_one(&mut session.conn).await?;
        let all = Fields::new(&row).int()?;
        Ok(ChainState { place, hash, unsealed: u64::try_from(all - place).unwrap_or_default() })
    }
}

/// Links after a place.
pub(crate) struct Links {
    pub(crate) after: i64,
    pub(crate) limit: u32,
}

#[async_trait]
impl Job for Links {
    type Out = Vec<Link>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Link>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(concat!(
            "SELECT c.place, c.digest, c.hash, ",
            entry_columns!(),
            " FROM audit_chain c JOIN audit_log l ON l.seq = c.seq WHERE c.place > $1 ORDER BY c.place LIMIT $2"
        ))
        .bind(self.after)
        .bind(i64::from(self.limit))
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            let (place, digest, hash) = (fields.int()?, fields.string()?, fields.string()?);
            Ok(Link { place, entry: entry(&mut fields)?, digest, hash })
        };
        rows.iter().map(read).collect()
    }
}

/// Keep a checkpoint.
pub(crate) struct AddCheckpoint(pub(crate) Checkpoint);

#[async_trait]
impl Job for AddCheckpoint {
    type Out = ();

    async fn run(&self, session: &mut Session) -> Result<(), Trouble> {
        let Checkpoint { place, at, hash, key, signature } = &self.0;
        sqlx::query(
            "INSERT INTO audit_checkpoints (place, at, hash, key, signature) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (place) DO NOTHING",
        )
        .bind(*place)
        .bind(at.0)
        .bind(hash.clone())
        .bind(key.clone())
        .bind(signature.clone())
        .execute(&mut session.conn)
        .await?;
        Ok(())
    }
}

/// Checkpoints after a place.
pub(crate) struct Checkpoints {
    pub(crate) after: i64,
    pub(crate) limit: u32,
}

#[async_trait]
impl Job for Checkpoints {
    type Out = Vec<Checkpoint>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Checkpoint>, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(
            "SELECT place, at, hash, key, signature FROM audit_checkpoints WHERE place > $1 ORDER BY place LIMIT $2",
        )
        .bind(self.after)
        .bind(i64::from(self.limit))
        .fetch_all(&mut session.conn)
        .await?;
        let read = |row: &AnyRow| {
            let mut fields = Fields::new(row);
            Ok(Checkpoint {
                place: fields.int()?,
                at: fields.time()?,
                hash: fields.string()?,
                key: fields.string()?,
                signature: fields.string()?,
            })
        };
        rows.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::{Timestamp, ZoneName};

    fn links(count: i64) -> Vec<Link> {
        let mut before = String::new();
        (1..=count)
            .map(|place| {
                let fqdn = ZoneName::parse("a.example").unwrap();
                let entry = AuditEntry {
                    seq: place * 2,
                    at: Timestamp(place),
                    ..AuditEntry::new("me", "do", &fqdn, "ä")
                };
                let digest = digest(place, &entry);
                let hash = hash(&before, &digest).unwrap();
                before.clone_from(&hash);
                Link { place, entry, digest, hash }
            })
            .collect()
    }

    #[test]
    fn every_change_of_a_chain_is_seen_at_its_place() {
        let good = links(5);
        assert_eq!(verify((0, String::new()), &good).unwrap(), (5, good[4].hash.clone()));
        type Change = fn(&mut Vec<Link>);
        let changes: [(i64, Change); 5] = [
            (3, |l| l[2].entry.detail = "b".to_owned()),
            (3, |l| l[2].digest = digest(3, &l[1].entry)),
            (3, |l| l[2].hash = l[1].hash.clone()),
            (4, |l| drop(l.remove(2))),
            (4, |l| l.swap(2, 3)),
        ];
        for (at, change) in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(verify((0, String::new()), &bad).unwrap_err().0, at);
        }
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        let mut one = links(1).remove(0).entry;
        let mut other = one.clone();
        (one.actor, one.action) = ("ab".to_owned(), "c".to_owned());
        (other.actor, other.action) = ("a".to_owned(), "bc".to_owned());
        assert_ne!(digest(1, &one), digest(1, &other));
        assert_eq!(hash("zz", &digest(1, &one)), None);
    }
}
