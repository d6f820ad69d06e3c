//! Why the command ends badly, and with which exit status.

use std::fmt;
use std::process::ExitCode;

/// How a command failed.
#[derive(Debug)]
pub enum Failure {
    /// It was refused, or found something: status 1.
    Refused(String),
    /// It was called wrongly: status 2.
    Usage(String),
}

impl Failure {
    /// The exit status.
    pub fn status(&self) -> ExitCode {
        match self {
            Self::Refused(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }

    /// A refusal from anything that can be shown.
    pub fn refused(detail: impl fmt::Display) -> Self {
        Self::Refused(detail.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) | Self::Usage(text) => f.write_str(text),
        }
    }
}

impl From<pdm_ports::Fault> for Failure {
    fn from(fault: pdm_ports::Fault) -> Self {
        Self::refused(fault)
    }
}
