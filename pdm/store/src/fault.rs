//! From what sqlx says to what the reconciler goes by: one mapping, by code and never by text.

use pdm_ports::{Class, Fault};
use sqlx::error::ErrorKind;

/// What can end a job. The runner sees the raw error first, because some of them mean "once more".
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The database or the way to it.
    Sql(sqlx::Error),
    /// A rule of ours.
    Fault(Fault),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Sql(error) => fault_of(&error),
            Trouble::Fault(fault) => fault,
        }
    }
}

impl Trouble {
    /// Our own mistake: a decision or a worker asked for something the store must not do.
    pub(crate) fn invalid_write(detail: impl Into<String>) -> Self {
        Self::Fault(Fault::new(Class::Bug, "invalid-write", detail))
    }

    /// A row that this binary cannot read.
    pub(crate) fn unreadable(detail: impl Into<String>) -> Self {
        Self::Fault(Fault::new(Class::Bug, "unreadable-row", detail))
    }

    /// The connection is of no more use.
    pub(crate) fn is_loss(&self) -> bool {
        match self {
            Self::Sql(error) => is_loss(error),
            Self::Fault(_) => false,
        }
    }

    /// Running the whole transaction again may end otherwise: somebody else was in the way.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        // serialization_failure, deadlock_detected, unique_violation
        error.code().is_some_and(|code| matches!(&*code, "40001" | "40P01" | "23505"))
    }
}

/// A fault that a repeat may cure.
pub(crate) fn unavailable(detail: impl Into<String>) -> Fault {
    Fault::transient("store-unavailable", detail)
}

fn is_loss(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            true
        }
        // 08: connection exceptions; 57P01 to 57P04: shut down by an administrator, by a crash, not yet up, dropped.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}

/// SQLSTATEs have five characters, SQLite's result codes are numbers of at most four digits.
fn is_garbage(code: &str) -> bool {
    // data exceptions (22) and integrity violations (23)
    if code.len() == 5 {
        return code.starts_with("22") || code.starts_with("23");
    }
    // The low byte is the primary code: SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

fn is_passing(code: &str) -> bool {
    if code.len() == 5 {
        // connection, resources, operator intervention, lock not available, serialization, I/O of the server
        let class = code.get(..2).unwrap_or_default();
        return matches!(class, "08" | "40" | "53" | "55" | "57" | "58") || code == "25006";
    }
    // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5..=10 | 13..=15))
}

fn is_credential(code: &str) -> bool {
    code.len() == 5 && (code.starts_with("28") || code == "42501" || code == "3D000")
}

/// The one mapping from sqlx to a fault.
pub(crate) fn fault_of(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let detail = format!("the database answered {code}: {}", database.message());
            if is_passing(&code) {
                unavailable(detail)
            } else if is_garbage(&code) || database.kind() != ErrorKind::Other {
                Fault::new(Class::Bug, "invalid-row", detail)
            } else if is_credential(&code) {
                Fault::new(Class::Credential, "store-refused", detail)
            } else {
                Fault::new(Class::Bug, "internal", detail)
            }
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => unavailable("no connection came free in time"),
        sqlx::Error::ColumnDecode { index, source } => {
            Fault::new(Class::Bug, "unreadable-row", format!("column {index}: {source}"))
        }
        sqlx::Error::Decode(source) => Fault::new(Class::Bug, "unreadable-row", source.to_string()),
        // The text of a configuration error may hold the address with its password.
        sqlx::Error::Configuration(_) => {
            Fault::new(Class::Rejected, "invalid-store-url", "the address of the store cannot be used")
        }
        lost if is_loss(lost) => unavailable(lost.to_string()),
        other => Fault::new(Class::Bug, "internal", other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_fall_into_their_class() {
        // unique, check and type violations of SQLite carry extended codes
        assert!(["2067", "1555", "275", "3091", "20", "23514", "22021"].iter().all(|c| is_garbage(c)));
        assert!(["5", "261", "10", "13", "57014", "57P01", "40001", "53300"].iter().all(|c| is_passing(c)));
        assert!(!is_garbage("5") && !is_passing("19") && !is_passing("42P01") && !is_garbage("42601"));
    }

    #[test]
    fn a_lost_connection_is_transient_and_has_the_stable_code() {
        let error = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        let fault = fault_of(&error);
        assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
        assert!(Trouble::Sql(error).is_loss());
    }
}
