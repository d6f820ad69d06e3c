//! SQLite's checkpoints, beside the writer instead of in it.
//!
//! A commit that finds a long write-ahead log would copy it into the database file, with everybody who waits behind it
//! waiting for two more disk flushes. Here another connection copies while the writer goes on, so that the writer, when
//! its turn to start the log anew comes, has next to nothing left to copy. If this task fails or dies, the writer does
//! all of it, as SQLite always did.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::db::Connect;
use crate::fault::Trouble;

/// The least time between two copies.
const PAUSE: Duration = Duration::from_millis(100);

/// The way to the task that copies.
pub(crate) struct Checkpoints {
    bell: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

impl Checkpoints {
    pub(crate) fn start(connect: Connect) -> Self {
        let (bell, rung) = mpsc::channel(1);
        Self { bell, task: tokio::spawn(work(connect, rung)) }
    }

    /// Something was committed.
    pub(crate) fn ring(&self) {
        // Full: it was rung already.
        let _ = self.bell.try_send(());
    }

    /// Wait until its connection is closed.
    pub(crate) async fn close(self) {
        drop(self.bell);
        let _ = self.task.await;
    }
}

async fn work(connect: Connect, mut rung: mpsc::Receiver<()>) {
    while rung.recv().await.is_some() {
        if let Err(trouble) = copy_while_asked(&connect, &mut rung).await {
            tracing::debug!(?trouble, "the writer makes its own checkpoints for a while");
            tokio::time::sleep(PAUSE * 10).await;
        }
    }
}

async fn copy_while_asked(connect: &Connect, rung: &mut mpsc::Receiver<()>) -> Result<(), Trouble> {
    let mut session = connect.session().await?;
    loop {
        // Whatever a reader or the writer still needs is left for the next time.
        session.run("PRAGMA wal_checkpoint(PASSIVE)").await?;
        tokio::time::sleep(PAUSE).await;
        if rung.recv().await.is_none() {
            sqlx::Connection::close(session.conn).await?;
            return Ok(());
        }
    }
}
