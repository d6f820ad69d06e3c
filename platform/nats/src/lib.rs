//! Events on NATS JetStream.
//!
//! Each change of an allocation becomes one CloudEvent 1.0 in JSON ([`event`]), published with its id as `Nats-Msg-Id`, and
//! is told once the stream has stored it. Then the name's entry in the key-value bucket is brought up to date, for those
//! who want to know how things stand and not how they came to be. Stream and bucket are made when they are missing,
//! and looked at when they are there.

mod connect;
mod event;
mod sink;

pub use connect::{Login, Settings};
pub use event::Words;
pub use sink::Nats;
