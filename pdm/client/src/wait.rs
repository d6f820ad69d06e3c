//! Waiting for the end of an operation.

use std::time::{Duration, Instant};

use pdm_api::{AcceptedView, AllocationDetail, OperationView};

use crate::error::Error;
use crate::transport::Client;

impl Client {
    /// Look at an operation until it is no longer open, and show every look to `seen`; its last state, which may be
    /// `superseded`.
    ///
    /// # Errors
    /// [`Error::StillOpen`] after `at_most`; it could not be read.
    pub async fn wait(
        &self,
        id: &str,
        at_most: Duration,
        mut seen: impl FnMut(&OperationView),
    ) -> Result<OperationView, Error> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            let operation = self.operation(id).await?;
            seen(&operation);
            if !operation.is_open() {
                return Ok(operation);
            }
            let left = at_most.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(Error::StillOpen(Box::new(operation)));
            }
            tokio::time::sleep(pause.min(left)).await;
            // Quick at first, for what takes a tenth of a second; gentle with what waits for TTLs.
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }

    /// Follow what a call began to its end, and answer how the name stands then.
    ///
    /// # Errors
    /// [`Error::StillOpen`], [`Error::Superseded`], or it could not be read.
    pub async fn follow(
        &self,
        accepted: &AcceptedView,
        at_most: Duration,
        seen: impl FnMut(&OperationView),
    ) -> Result<AllocationDetail, Error> {
        if let Some(operation) = &accepted.operation {
            let ended = self.wait(&operation.id, at_most, seen).await?;
            if ended.state == pdm_model::OperationState::Superseded.as_str() {
                return Err(Error::Superseded(Box::new(ended)));
            }
        }
        self.allocation(&accepted.fqdn.to_string()).await
    }
}
