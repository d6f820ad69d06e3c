//! `holder`: the question behind `GET /v1/check`, asked far more often than anything else.
//!
//! Questions that wait are put to the database together, so that its round trip is shared.

use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::{Phase, Timestamp, ZoneName};
use pdm_ports::Fault;
use pdm_ports::store::Held;
use sqlx::any::AnyRow;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::db::{Job, Pool, Session};
use crate::fault::{Trouble, unavailable};
use crate::rows::{Fields, json};

/// How many questions share a statement.
const TOGETHER: usize = 64;
/// How many statements are under way at once.
const ASKERS: usize = 2;
/// How many questions may wait.
const QUEUE: usize = 16_384;

struct Question {
    name: String,
    pool: String,
    look: String,
    reply: oneshot::Sender<Result<Option<Held>, Fault>>,
}

/// The way to the tasks that ask.
pub(crate) struct Holders {
    ask: mpsc::Sender<Question>,
}

impl Holders {
    pub(crate) fn start(pool: &Arc<Pool>) -> Self {
        let (ask, questions) = mpsc::channel(QUEUE);
        let questions = Arc::new(Mutex::new(questions));
        for _ in 0..ASKERS {
            tokio::spawn(answer_all(Arc::clone(pool), Arc::clone(&questions)));
        }
        Self { ask }
    }

    pub(crate) async fn holder(
        &self,
        name: &ZoneName,
        pool: &ZoneName,
        look: &str,
    ) -> Result<Option<Held>, Fault> {
        let (reply, answer) = oneshot::channel();
        let question =
            Question { name: name.to_string(), pool: pool.to_string(), look: look.to_owned(), reply };
        self.ask.send(question).await.map_err(|_| unavailable("the store is closed"))?;
        answer.await.map_err(|_| unavailable("the store is closed"))?
    }
}

async fn answer_all(pool: Arc<Pool>, questions: Arc<Mutex<mpsc::Receiver<Question>>>) {
    let mut batch = Vec::with_capacity(TOGETHER);
    loop {
        if questions.lock().await.recv_many(&mut batch, TOGETHER).await == 0 {
            return;
        }
        let asked = batch.iter().map(|q| [q.name.clone(), q.pool.clone(), q.look.clone()]).collect();
        match pool.read(&Ask(asked)).await {
            Ok(answers) => {
                for (question, answer) in batch.drain(..).zip(answers) {
                    drop(question.reply.send(Ok(answer)));
                }
            }
            Err(trouble) => {
                let fault = Fault::from(trouble);
                for question in batch.drain(..) {
                    let same = Fault::new(fault.class, fault.code, fault.detail.clone());
                    drop(question.reply.send(Err(same)));
                }
            }
        }
    }
}

/// Name, pool and look of each question.
struct Ask(Vec<[String; 3]>);

// The same name first, then those that look alike. `CROSS JOIN` keeps SQLite from turning the loop around.
macro_rules! ask {
    ($key:literal, $from:literal, $name:literal, $pool:literal, $look:literal) => {
        concat!(
            "SELECT ",
            $key,
            ", 0, c.now_ms, a.fqdn, a.phase, a.owner, a.expires_at, a.quarantined_until
               FROM pdm_clock c CROSS JOIN ",
            $from,
            " CROSS JOIN allocations a
              WHERE a.fqdn = ",
            $name,
            " AND a.phase <> 'freed'
             UNION ALL
             SELECT ",
            $key,
            ", 1, c.now_ms, a.fqdn, a.phase, a.owner, a.expires_at, a.quarantined_until
               FROM pdm_clock c CROSS JOIN ",
            $from,
            " CROSS JOIN allocations a
              WHERE a.pool = ",
            $pool,
            " AND a.look = ",
            $look,
            " AND a.phase <> 'freed' AND a.fqdn <> ",
            $name
        )
    };
}

const ASK_SQLITE: &str = ask!(
    "j.key",
    "json_each($1) j",
    "json_extract(j.value, '$[0]')",
    "json_extract(j.value, '$[1]')",
    "json_extract(j.value, '$[2]')"
);
const ASK_POSTGRES: &str = ask!(
    "j.key - 1",
    "jsonb_array_elements($1::jsonb) WITH ORDINALITY AS j(value, key)",
    "(j.value ->> 0)",
    "(j.value ->> 1)",
    "(j.value ->> 2)"
);

#[async_trait]
impl Job for Ask {
    type Out = Vec<Option<Held>>;

    async fn run(&self, session: &mut Session) -> Result<Self::Out, Trouble> {
        let rows: Vec<AnyRow> = sqlx::query(session.pick(ASK_SQLITE, ASK_POSTGRES))
            .bind(json(&self.0)?)
            .fetch_all(&mut session.conn)
            .await?;
        let mut answers: Vec<Option<(i64, Held)>> = vec![None; self.0.len()];
        for row in &rows {
            let mut fields = Fields::new(row);
            let question: usize = fields.number()?;
            let rank = fields.int()?;
            let Some(held) = held(&mut fields)? else { continue };
            let Some(slot) = answers.get_mut(question) else { continue };
            let better = slot.as_ref().is_none_or(|(r, h)| (rank, &held.fqdn) < (*r, &h.fqdn));
            if better {
                *slot = Some((rank, held));
            }
        }
        Ok(answers.into_iter().map(|a| a.map(|(_, held)| held)).collect())
    }
}

/// A row that holds its name now. The sweep may be late; the deadline counts.
fn held(fields: &mut Fields<'_>) -> Result<Option<Held>, Trouble> {
    let now = fields.time()?;
    let fqdn = fields.name()?;
    let phase = fields.word(Phase::from_word)?;
    let owner = fields.text()?;
    let standing = stands(now, phase, fields.time()?, fields.maybe_time()?);
    Ok(standing.map(|(phase, until)| Held { fqdn, phase, owner: owner.to_owned(), until }))
}

fn stands(
    now: Timestamp,
    phase: Phase,
    expires: Timestamp,
    quarantine: Option<Timestamp>,
) -> Option<(Phase, Option<Timestamp>)> {
    let kept = quarantine.filter(|until| *until > now).map(|until| (Phase::Quarantined, Some(until)));
    match phase {
        Phase::Reserved if expires > now => Some((Phase::Reserved, Some(expires))),
        // A reclaimed reservation falls back into its quarantine.
        Phase::Reserved | Phase::Quarantined => kept,
        Phase::Provisioning | Phase::Delegating | Phase::Active | Phase::Releasing => Some((phase, None)),
        Phase::Freed => None,
    }
}
