//! Why a call failed.

use pdm_api::{OperationView, ProblemBody};

/// Why a call failed, after every repeat.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address of the daemon is not usable.
    #[error("{0:?} is not an http:// or https:// address")]
    Address(String),
    /// The HTTP client could not be made.
    #[error("cannot make an HTTP client")]
    Setup(#[source] reqwest::Error),
    /// A file with certificates or a key is not usable.
    #[error("{}: {why}", .file.display())]
    File {
        /// Which.
        file: std::path::PathBuf,
        /// Why.
        why: String,
    },
    /// The daemon said no.
    #[error("{} ({}): {}", .0.title, .0.code, .0.detail)]
    Refused(Box<ProblemBody>),
    /// Nothing was answered. What was asked may have been accepted unless it is [`Lost::Unsent`].
    #[error("no answer from {base}")]
    NoAnswer {
        /// Who was asked.
        base: String,
        /// How it was lost.
        lost: Lost,
        /// What the HTTP client says.
        #[source]
        source: reqwest::Error,
    },
    /// Something answered that does not speak like PDM.
    #[error("{base} answered {status} with something that is not of pool-domain-manager: {detail}")]
    NotOurs {
        /// Who was asked.
        base: String,
        /// The HTTP status.
        status: u16,
        /// What does not fit.
        detail: String,
    },
    /// The wait is over and the operation is not. It goes on by itself.
    #[error("operation {} is still open", .0.id)]
    StillOpen(Box<OperationView>),
    /// Another operation took its place.
    #[error("operation {} was superseded by another one of {}", .0.id, .0.fqdn)]
    Superseded(Box<OperationView>),
}

/// How an answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// There was no connection: nothing was asked.
    Unsent,
    /// It took too long.
    Late,
    /// The connection broke.
    Broken,
}

impl Error {
    /// The problem that the daemon answered.
    #[must_use]
    pub fn problem(&self) -> Option<&ProblemBody> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Address(_)
            | Self::Setup(_)
            | Self::File { .. }
            | Self::NoAnswer { .. }
            | Self::NotOurs { .. }
            | Self::StillOpen(_)
            | Self::Superseded(_) => None,
        }
    }

    /// Whether it is the problem of this code of the table, for example `name-taken`. Codes never change meaning.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        debug_assert!(pdm_model::problem::PROBLEMS.iter().any(|p| p.code == code), "no such code: {code}");
        self.problem().is_some_and(|p| p.code == code)
    }
}
