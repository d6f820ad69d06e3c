//! The same request twice has one effect and one answer.
//!
//! Order: remember the request, do the work, remember the answer. If the process dies in between, the store lets a
//! repeat begin again after a while, and the work is idempotent by itself. A refused request changed nothing, so it
//! is forgotten and a repeat is judged anew. The work runs in a task of its own: a client that hangs up does not stop
//! it halfway.

use std::future::Future;

use pdm_model::Refusal;
use pdm_ports::store::Remembered;
use tracing::Instrument as _;

use crate::answer::Answer;
use crate::app::S;
use crate::extract::RequestKey;
use crate::problem::Failure;

/// Do `work` once for each key.
pub(crate) async fn once<F>(state: &S, key: Option<RequestKey>, work: F) -> Result<Answer, Failure>
where
    F: Future<Output = Result<Answer, Failure>> + Send + 'static,
{
    let Some(key) = key else { return detached(work).await };
    match state.engine().store().remember(&key.key, &key.body).await? {
        Remembered::Begin => {}
        Remembered::InProgress => {
            let refusal = Refusal::new(
                "idempotency-in-progress",
                "the first request with this key is not answered yet",
            );
            return Err(refusal.retry_after(1).into());
        }
        Remembered::OtherBody => {
            let refusal =
                Refusal::new("idempotency-conflict", "this key was used with another body on this path");
            return Err(refusal.field("Idempotency-Key").into());
        }
        Remembered::Answered { status, response } => {
            return Answer::remembered(status, response, &state.app.token_key);
        }
    }
    let store = state.engine().store().clone();
    detached(async move {
        let result = work.await;
        let answer = result.as_ref().ok().map(Answer::to_remember);
        if let Err(fault) = store.answer(&key.key, answer).await {
            tracing::warn!(%fault, "the answer to a request with an idempotency key was not remembered");
        }
        result
    })
    .await
}

/// Go on when the client hangs up.
pub(crate) async fn detached<T, F>(work: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) => Err(Failure::internal(format!("a request broke off: {error}"))),
    }
}
