//! The one writer of SQLite, with group commit.
//!
//! Jobs that wait run inside one `BEGIN IMMEDIATE` and are answered after the one `COMMIT`, so that a disk flush serves
//! all of them. If the process dies before the commit, nobody was answered and nothing was written. A job that fails
//! spoils nothing for the others: then all of them run again, each in its own savepoint.

use std::fs::File;
use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures_util::FutureExt;
use pdm_ports::{Class, Fault, trace};
use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::Checkpoints;
use crate::db::{Connect, Job, Session};
use crate::fault::{Trouble, unavailable};
use crate::outbox;

/// How many jobs share one commit at most.
const BATCH: usize = 64;
/// How many jobs may wait; more is refused at once rather than late.
const QUEUE: usize = 4096;

/// A job with its answer, whatever its type.
#[async_trait]
trait Posted: Send {
    /// Run it and keep the answer; false when its writes must go.
    async fn run(&mut self, session: &mut Session) -> bool;
    /// Hand the answer out: its own, or the fault that took the whole batch.
    fn answer(self: Box<Self>, committed: Result<(), String>);
}

struct Post<J: Job> {
    job: J,
    /// The trace of the caller.
    trace: Option<String>,
    out: Option<Result<J::Out, Trouble>>,
    reply: oneshot::Sender<Result<J::Out, Fault>>,
}

#[async_trait]
impl<J: Job> Posted for Post<J> {
    async fn run(&mut self, session: &mut Session) -> bool {
        // A decision that panics must not take the writer, and with it the store, along.
        let ran = AssertUnwindSafe(traced(&self.job, self.trace.as_deref(), session)).catch_unwind().await;
        let out =
            ran.unwrap_or_else(|_| Err(Fault::new(Class::Bug, "internal", "a decision panicked").into()));
        let good = out.is_ok();
        self.out = Some(out);
        good
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        let answer = match (committed, self.out) {
            (_, Some(Err(trouble))) => Err(trouble.into()),
            (Ok(()), Some(Ok(out))) => Ok(out),
            (Err(why), _) => Err(unavailable(why)),
            (Ok(()), None) => Err(unavailable("the job was not run")),
        };
        // A caller that went away does not want it.
        drop(self.reply.send(answer));
    }
}

/// Run a job whose changes are told with the trace that it belongs to.
async fn traced<J: Job>(job: &J, trace: Option<&str>, session: &mut Session) -> Result<J::Out, Trouble> {
    let Some(trace) = trace else { return job.run(session).await };
    outbox::name_trace(session, trace).await?;
    let out = job.run(session).await?;
    outbox::name_trace(session, "").await?;
    Ok(out)
}

/// The way to the writer task.
pub(crate) struct Writer {
    post: mpsc::Sender<Box<dyn Posted>>,
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

impl Writer {
    /// Start the task. It holds the lock file until its connection is closed.
    pub(crate) fn start(connect: Connect, session: Session, checkpoints: Checkpoints, lock: File) -> Self {
        let (post, jobs) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move {
            Task { connect, session: Some(session) }.work(jobs, &checkpoints).await;
            checkpoints.close().await;
            drop(lock);
            // Nobody may be waiting for it.
            let _ = end.send(());
        });
        Self { post, ended: tokio::sync::Mutex::new(Some(ended)) }
    }

    /// Run a job in the next batch.
    pub(crate) async fn write<J: Job>(&self, job: J) -> Result<J::Out, Fault> {
        let (reply, answer) = oneshot::channel();
        let post = Box::new(Post { job, trace: trace::traceparent(), out: None, reply });
        self.post.send(post).await.map_err(|_| unavailable("the store is closed"))?;
        answer.await.map_err(|_| unavailable("the writer ended"))?
    }

    /// Wait until the writer closed its connection. Call it after the sender was dropped or is about to be.
    pub(crate) async fn close(self) {
        drop(self.post);
        if let Some(ended) = self.ended.lock().await.take() {
            drop(ended.await);
        }
    }
}

struct Task {
    connect: Connect,
    session: Option<Session>,
}

impl Task {
    async fn work(&mut self, mut jobs: mpsc::Receiver<Box<dyn Posted>>, checkpoints: &Checkpoints) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.recv_many(&mut batch, BATCH).await > 0 {
            let done = self.batch(&mut batch).await;
            let committed = done.map_err(|trouble| Fault::from(trouble).detail);
            if let Err(why) = &committed {
                tracing::warn!(why, jobs = batch.len(), "a batch of writes was not committed");
            }
            for post in batch.drain(..) {
                post.answer(committed.clone());
            }
            checkpoints.ring();
        }
        if let Some(session) = self.session.take()
            && let Err(error) = sqlx::Connection::close(session.conn).await
        {
            tracing::warn!(%error, "the store's writer did not close in order");
        }
    }

    /// One transaction for all of them.
    async fn batch(&mut self, batch: &mut [Box<dyn Posted>]) -> Result<(), Trouble> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.connect.session().await?,
        };
        let done = transaction(&mut session, batch).await;
        // A session that cannot even go back to the beginning is not used again.
        if done.is_ok() || session.run("ROLLBACK").await.is_ok() || !in_doubt(&mut session).await {
            self.session = Some(session);
        }
        done
    }
}

/// After a failed `ROLLBACK`: true unless there was nothing to go back from: the file was locked, or SQLite went back by
/// itself, as it does when the disk is full.
async fn in_doubt(session: &mut Session) -> bool {
    session.run("BEGIN; ROLLBACK").await.is_err()
}

/// All of them at full speed; if one fails, everything goes back and each gets a savepoint of its own. Jobs can run
/// twice, and failing is rare: a refusal is no failure.
async fn transaction(session: &mut Session, batch: &mut [Box<dyn Posted>]) -> Result<(), Trouble> {
    session.run("BEGIN IMMEDIATE").await?;
    for post in batch.iter_mut() {
        if !post.run(session).await {
            session.run("ROLLBACK").await?;
            return if batch.len() == 1 { Ok(()) } else { one_by_one(session, batch).await };
        }
    }
    session.run("COMMIT").await
}

async fn one_by_one(session: &mut Session, batch: &mut [Box<dyn Posted>]) -> Result<(), Trouble> {
    session.run("BEGIN IMMEDIATE; SAVEPOINT job").await?;
    for post in batch.iter_mut() {
        let next = if post.run(session).await {
            "RELEASE job; SAVEPOINT job"
        } else {
            // When SQLite has given up the whole transaction, there is none to go back to, and the batch ends here.
            "ROLLBACK TO job; RELEASE job; SAVEPOINT job"
        };
        session.run(next).await?;
    }
    session.run("RELEASE job; COMMIT").await
}
