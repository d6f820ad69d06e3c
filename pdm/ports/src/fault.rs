//! What can go wrong behind a port. The class decides what the reconciler does; text never does.

use std::time::Duration;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Try again: a timeout, a refused connection, a 5xx, a locked database.
    Transient,
    /// Try again after the time that was named.
    RateLimited,
    /// The credential is wrong or lacks a right; somebody must act.
    Credential,
    /// What is there belongs to somebody else; nothing was changed.
    NotOurs,
    /// The other side understood and refused.
    Rejected,
    /// The other side cannot do this at all.
    Unsupported,
    /// The answer was not what the protocol allows.
    Protocol,
    /// A stale worker: its lease belongs to another by now.
    Fenced,
    /// Our own mistake.
    Bug,
}

impl Class {
    /// The word in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited => "rate-limited",
            Self::Credential => "credential",
            Self::NotOurs => "not-ours",
            Self::Rejected => "rejected",
            Self::Unsupported => "unsupported",
            Self::Protocol => "protocol",
            Self::Fenced => "fenced",
            Self::Bug => "bug",
        }
    }
}

/// One fault.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Fault {
    /// What the reconciler goes by.
    pub class: Class,
    /// Stable kebab-case code.
    pub code: &'static str,
    /// For people; no secrets.
    pub detail: String,
    /// When to try again, if the other side said so.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault of a class.
    pub fn new(class: Class, code: &'static str, detail: impl Into<String>) -> Self {
        Self { class, code, detail: detail.into(), retry_after: None }
    }

    /// A fault that goes away by itself.
    pub fn transient(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Class::Transient, code, detail)
    }
}
