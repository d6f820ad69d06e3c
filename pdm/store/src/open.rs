//! From an address to a store: `sqlite:/path/to/file` or `postgres://user@host/database`.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pdm_ports::{Class, Fault};
use sqlx::ConnectOptions;
use sqlx::any::AnyConnectOptions;

use crate::db::{Connect, Dialect};

/// Durable by each commit; readers never wait for the writer.
const SQLITE_WRITER: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -4096;
    PRAGMA wal_autocheckpoint = 8000";
pub(crate) const SQLITE_CHECKPOINTS: &str =
    "PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL; PRAGMA cache_size = -64";
pub(crate) const SQLITE_READER: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA cache_size = -1024";
/// No statement, no lock and no forgotten transaction lasts: a call is short or it is broken. Making a plan costs more
/// than following it, so plans are kept (for how long: [`crate::db::PLANS_LAST`]). Every join and every search here goes
/// by an index, and none is worth compiling.
const POSTGRES: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '30s'; SET client_min_messages = 'warning';
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET enable_material = off; SET enable_bitmapscan = off; SET jit = off";

/// Where a store is, with what it takes to connect.
pub(crate) enum Place {
    /// A file that this process holds alone.
    Sqlite { writer: Connect, lock: File },
    /// A server.
    Postgres(Connect),
}

impl Place {
    /// Understand an address. For SQLite this takes the lock file, so that there is never a second process.
    pub(crate) fn find(url: &str, migrate: bool) -> Result<Self, Fault> {
        sqlx::any::install_default_drivers();
        if let Some(path) = url.strip_prefix("sqlite:") {
            return file(Path::new(path.strip_prefix("//").unwrap_or(path)), migrate);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(Connect {
                options: options(url)?,
                dialect: Dialect::Postgres,
                greeting: POSTGRES,
                migrate,
            }));
        }
        Err(bad_url("the address of the store starts with neither sqlite: nor postgres://"))
    }

    /// How to connect as a writer.
    pub(crate) fn connect(&self) -> &Connect {
        match self {
            Self::Sqlite { writer, .. } => writer,
            Self::Postgres(connect) => connect,
        }
    }
}

fn bad_url(detail: impl Into<String>) -> Fault {
    Fault::new(Class::Rejected, "invalid-store-url", detail)
}

fn options(url: &str) -> Result<AnyConnectOptions, Fault> {
    // The parser's own words may repeat a password.
    let parsed = url.parse::<AnyConnectOptions>();
    let options = parsed.map_err(|_| bad_url("the address of the store cannot be read"))?;
    Ok(options.disable_statement_logging())
}

fn file(path: &Path, migrate: bool) -> Result<Place, Fault> {
    let text = path.to_str().filter(|p| !p.is_empty() && !p.starts_with(':'));
    text.ok_or_else(|| bad_url("sqlite: needs the path of a file"))?;
    let io = |what: &str, error: &std::io::Error| {
        Fault::new(Class::Rejected, "store-file", format!("{what} {}: {error}", path.display()))
    };
    if migrate {
        // Only the owner may read it; the files beside it get the same rights from SQLite.
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        made.map_err(|e| io("cannot create", &e))?;
    }
    // Two ways to one file must meet at one lock.
    let real = path.canonicalize().map_err(|e| io("cannot open", &e))?;
    let lock = lock(&real)?;
    let url = url_of(&real)?;
    let writer = Connect { options: url, dialect: Dialect::Sqlite, greeting: SQLITE_WRITER, migrate };
    Ok(Place::Sqlite { writer, lock })
}

fn lock(real: &Path) -> Result<File, Fault> {
    let mut beside = real.as_os_str().to_owned();
    beside.push(".lock");
    let path = PathBuf::from(beside);
    let fault = |error: &std::io::Error| {
        Fault::new(Class::Rejected, "store-file", format!("cannot lock {}: {error}", path.display()))
    };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(|e| fault(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::new(
            Class::Rejected,
            "store-in-use",
            format!("another process has {} open; SQLite is for one process", real.display()),
        )),
        Err(TryLockError::Error(error)) => Err(fault(&error)),
    }
}

/// Everything that could mean something in an address is written in its bytes.
fn url_of(real: &Path) -> Result<AnyConnectOptions, Fault> {
    let text = real.to_str().ok_or_else(|| bad_url("the path of the store is not UTF-8"))?;
    let mut url = String::from("sqlite://");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    options(&url)
}
