//! Wait for the end of what an intent began, within bounds.

use std::time::Duration;

use pdm_engine::intents::Accepted;
use pdm_model::OperationState;

use crate::app::Shared;
use crate::problem::Failure;

/// Wait until the operation is no longer open, for `at_most`, or until the server stops; answers how things stand.
pub(crate) async fn settle(
    state: &Shared,
    accepted: Accepted,
    at_most: Option<Duration>,
) -> Result<Accepted, Failure> {
    let open = accepted.operation.as_ref().filter(|o| o.state == OperationState::Open);
    let (Some(id), Some(at_most)) = (open.map(|o| o.id.clone()), at_most) else { return Ok(accepted) };
    let ended = tokio::select! {
        ended = state.engine().wait(&id, at_most) => ended?,
        () = state.stopped() => return Ok(accepted),
    };
    // The phase moved with the operation; and another operation may have taken its place.
    match state.engine().store().allocation(&accepted.allocation.fqdn).await? {
        Some((allocation, open)) if allocation.id == accepted.allocation.id => {
            Ok(Accepted { allocation, operation: open.or(ended) })
        }
        Some(_) | None => Ok(Accepted { operation: ended, ..accepted }),
    }
}
