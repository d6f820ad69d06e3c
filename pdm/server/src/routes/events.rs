//! `GET /v1/operations/{id}/events`: Server-Sent Events, one for each change.
//!
//! The id of an event is its place in the store's order, so a client that lost its connection resumes at any replica
//! with `Last-Event-ID`. The stream ends when the operation is over, or when the server stops.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderMap;
use pdm_api::{OperationView, ProblemBody};
use pdm_engine::caller::Caller;
use pdm_model::{OperationState, Refusal};

use crate::app::S;
use crate::extract::{Asking, At};
use crate::problem::Failure;

/// Another replica's changes are seen at the latest after this.
const LOOK: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Feed {
    state: S,
    caller: Arc<Caller>,
    id: String,
    after: i64,
    waiting: VecDeque<Event>,
    sent: bool,
    over: bool,
}

/// Follow an operation.
#[utoipa::path(
    get, path = "/v1/operations/{id}/events", operation_id = "followOperation", tag = "operations",
    params(
        ("id" = String, Path, description = "The operation"),
        ("Last-Event-ID" = Option<i64>, Header, description = "Go on after this event")
    ),
    responses(
        (status = 200, body = OperationView, content_type = "text/event-stream", description = "The data of each `operation` event"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(id): At<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let after = last_event_id(&headers)?;
    // A wrong id is a refusal and not an empty stream.
    state.engine().operation(&caller, &id).await?;
    let feed = Feed { state, caller, id, after, waiting: VecDeque::new(), sent: false, over: false };
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<i64, Refusal> {
    let Some(value) = headers.get("last-event-id") else { return Ok(0) };
    let place = value.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|place| *place >= 0);
    place.ok_or_else(|| {
        Refusal::new("invalid-parameter", "an event id is a whole number").field("Last-Event-ID")
    })
}

impl Feed {
    /// The next event; none when there will be none. A fault ends the stream, and the client resumes.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.sent = true;
                return Some(event);
            }
            if self.over || *self.state.stop.borrow() {
                return None;
            }
            if let Err(failure) = self.look().await {
                tracing::debug!(code = failure.refusal.code, "an event stream ended early");
                return None;
            }
            if self.waiting.is_empty() && !self.over {
                tokio::select! {
                    () = self.state.engine().next_change(&self.id, LOOK) => {}
                    () = self.state.stopped() => {}
                }
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        // The state first: when it is over by now, its last event is among those that are read next.
        let operation = self.state.engine().operation(&self.caller, &self.id).await?;
        self.over = operation.state != OperationState::Open;
        for stored in self.state.engine().events(&self.caller, &self.id, self.after).await? {
            self.after = self.after.max(stored.seq);
            let event = Event::default().event("operation").id(stored.seq.to_string());
            self.waiting.push_back(event.data(stored.operation.to_string()));
        }
        // Old events are dropped after a while; the end is still told to those who ask for the first time.
        if self.over && self.waiting.is_empty() && !self.sent && self.after == 0 {
            let data = serde_json::to_string(&OperationView::from(&operation))
                .map_err(|error| Failure::internal(error.to_string()))?;
            self.waiting.push_back(Event::default().event("operation").data(data));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_a_place() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("last-event-id", http::HeaderValue::from_static(value));
            last_event_id(&headers)
        };
        assert_eq!(with("17").unwrap(), 17);
        assert_eq!(last_event_id(&HeaderMap::new()).unwrap(), 0);
        for bad in ["x", "-1", "", "1.5"] {
            assert_eq!(with(bad).unwrap_err().code, "invalid-parameter", "{bad}");
        }
    }
}
