//! Takes the times of spans, and knows the context of whatever runs on this thread.

use std::cell::RefCell;
use std::fmt;

use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context as Place;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use crate::context::Context;

thread_local! {
    /// Contexts of the spans that were entered here; the last one runs.
    static ENTERED: RefCell<Vec<Context>> = const { RefCell::new(Vec::new()) };
}

/// The context of what runs here, for a call to the outside.
#[must_use]
pub fn traceparent() -> Option<String> {
    ENTERED.with_borrow(|stack| stack.last().map(ToString::to_string))
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
    Flag(bool),
}

/// A span that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub context: Context,
    pub parent: Option<u64>,
    pub name: &'static str,
    /// `server`, `client`, or nothing.
    pub kind: Option<String>,
    pub error: Option<String>,
    /// Nanoseconds since the epoch.
    pub begun: u64,
    pub ended: u64,
    pub attributes: Vec<(&'static str, Value)>,
}

/// The layer.
pub struct Tracer {
    ended: mpsc::Sender<Span>,
    /// Of a hundred traces that begin here, so many are collected.
    percent: u32,
    clock: fn() -> u64,
}

impl Tracer {
    pub(crate) fn new(ended: mpsc::Sender<Span>, percent: u32, clock: fn() -> u64) -> Self {
        Self { ended, percent, clock }
    }

    /// A new trace. Chance decides whether it is collected, by its own id, so that every replica decides alike.
    fn root(&self) -> Context {
        let trace = Uuid::new_v4().as_u128();
        Context { trace, span: 0, sampled: trace % 100 < u128::from(self.percent) }
    }
}

/// A number for a span: never 0, and as random as a UUID.
fn span_id() -> u64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    (high ^ low.rotate_left(32)).max(1)
}

#[derive(Default)]
struct Fields {
    traceparent: Option<String>,
    kind: Option<String>,
    error: Option<String>,
    rest: Vec<(&'static str, Value)>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "traceparent" => self.traceparent = Some(text),
            "span_kind" => self.kind = Some(text),
            "error" => self.error = Some(text),
            name => self.rest.push((name, Value::Text(text))),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.rest.push((field.name(), Value::Int(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.rest.push((field.name(), Value::Int(i64::try_from(value).unwrap_or(i64::MAX))));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.rest.push((field.name(), Value::Flag(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Tracer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, place: Place<'_, S>) {
        let Some(span) = place.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let given = fields.traceparent.as_deref().and_then(Context::parse);
        let above = || span.parent().and_then(|parent| parent.extensions().get::<Span>().map(|s| s.context));
        let parent = given.or_else(above);
        let context = Context { span: span_id(), ..parent.unwrap_or_else(|| self.root()) };
        span.extensions_mut().insert(Span {
            context,
            parent: parent.map(|p| p.span),
            name: span.name(),
            kind: fields.kind,
            error: fields.error,
            begun: (self.clock)(),
            ended: 0,
            attributes: fields.rest,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, place: Place<'_, S>) {
        let Some(span) = place.span(id) else { return };
        let mut fields = Fields::default();
        values.record(&mut fields);
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Span>() else { return };
        open.error = fields.error.or(open.error.take());
        open.attributes.append(&mut fields.rest);
    }

    fn on_enter(&self, id: &Id, place: Place<'_, S>) {
        let context = place.span(id).and_then(|span| span.extensions().get::<Span>().map(|s| s.context));
        if let Some(context) = context {
            ENTERED.with_borrow_mut(|stack| stack.push(context));
        }
    }

    fn on_exit(&self, id: &Id, place: Place<'_, S>) {
        let context = place.span(id).and_then(|span| span.extensions().get::<Span>().map(|s| s.context));
        ENTERED.with_borrow_mut(|stack| {
            // Spans may be left in another order than they were entered.
            if let Some(at) = stack.iter().rposition(|one| Some(*one) == context) {
                stack.remove(at);
            }
        });
    }

    fn on_close(&self, id: Id, place: Place<'_, S>) {
        let Some(mut span) = place.span(&id).and_then(|span| span.extensions_mut().remove::<Span>()) else {
            return;
        };
        if !span.context.sampled {
            return;
        }
        span.ended = (self.clock)();
        if self.ended.try_send(span).is_err() {
            metrics::counter!("pdm_spans_dropped_total").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn collected(percent: u32, body: impl FnOnce()) -> Vec<Span> {
        let (ended, mut spans) = mpsc::channel(64);
        let subscriber = tracing_subscriber::registry().with(Tracer::new(ended, percent, || 7));
        tracing::subscriber::with_default(subscriber, body);
        std::iter::from_fn(|| spans.try_recv().ok()).collect()
    }

    #[test]
    fn a_child_belongs_to_its_parent_and_a_root_to_the_context_it_was_given() {
        let spans = collected(100, || {
            let request =
                tracing::trace_span!("request", traceparent = PARENT, status = tracing::field::Empty);
            request.in_scope(|| {
                request.record("status", 200_u64);
                tracing::trace_span!("call", span_kind = "client", error = "timeout").in_scope(|| {
                    let out = Context::parse(&traceparent().unwrap()).unwrap();
                    assert_eq!(format!("{:032x}", out.trace), &PARENT[3..35]);
                });
            });
            assert_eq!(traceparent(), None);
        });
        let [call, request] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(request.parent, Some(0x00f0_67aa_0ba9_02b7));
        assert_eq!(request.attributes, [("status", Value::Int(200))]);
        assert_eq!((call.parent, call.context.trace), (Some(request.context.span), request.context.trace));
        assert_eq!((call.kind.as_deref(), call.error.as_deref()), (Some("client"), Some("timeout")));
    }

    #[test]
    fn what_is_not_sampled_is_not_sent_and_still_handed_on() {
        let out = std::cell::Cell::new(None);
        let spans = collected(0, || tracing::trace_span!("request").in_scope(|| out.set(traceparent())));
        assert!(spans.is_empty() && out.take().is_some_and(|t| t.ends_with("-00")));
        let off = PARENT.replace("-01", "-00");
        assert!(
            collected(100, || drop(tracing::trace_span!("request", traceparent = off.as_str()))).is_empty()
        );
    }
}
