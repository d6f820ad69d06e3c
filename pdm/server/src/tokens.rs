//! The tokens of a file, held in memory and read again when the file changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use pdm_engine::caller::Caller;
use pdm_model::Timestamp;
use ring::digest::{SHA256, digest};

use crate::auth::{Authenticator, Presented};
use crate::token_file::{TokenFileError, list};

/// Time between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);

struct Known {
    caller: Arc<Caller>,
    expires: Option<Timestamp>,
}

type Table = HashMap<[u8; 32], Known>;

/// What the file system says of a file; another answer means another content.
type Look = (Option<SystemTime>, u64, u64);

/// The tokens of a file.
pub struct FileTokens {
    path: PathBuf,
    table: RwLock<Table>,
    seen: RwLock<Option<Look>>,
    start: Instant,
    /// Milliseconds after `start` of the last look.
    looked: AtomicU64,
    clock: fn() -> Timestamp,
}

impl FileTokens {
    /// Read a file.
    ///
    /// # Errors
    /// [`TokenFileError`] when it is missing or wrong.
    pub fn open(path: &Path) -> Result<Self, TokenFileError> {
        Self::with_clock(path, wall_clock)
    }

    fn with_clock(path: &Path, clock: fn() -> Timestamp) -> Result<Self, TokenFileError> {
        let seen = look(path);
        let table = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            table: RwLock::new(table),
            seen: RwLock::new(seen),
            start: Instant::now(),
            looked: AtomicU64::new(0),
            clock,
        })
    }

    /// Look at the file unless somebody did within the last second.
    fn refresh(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.looked.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= u64::try_from(LOOK.as_millis()).unwrap_or(1000);
        if due && self.looked.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.reload();
        }
    }

    fn reload(&self) {
        let now = look(&self.path);
        if now == *self.seen.read().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        match read(&self.path) {
            Ok(table) => {
                tracing::info!(tokens = table.len(), "the token file was read again");
                *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
            }
            Err(error) => {
                tracing::error!(%error, "the token file cannot be read; the tokens stay as they were")
            }
        }
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Authenticator for FileTokens {
    fn authenticate(&self, presented: &Presented<'_>) -> Option<Arc<Caller>> {
        let token = presented.bearer?;
        self.refresh();
        let hash: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()?;
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let known = table.get(&hash)?;
        let valid = known.expires.is_none_or(|expires| (self.clock)() < expires);
        valid.then(|| known.caller.clone())
    }
}

fn look(path: &Path) -> Option<Look> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok(), meta.len(), meta.ino()))
}

fn read(path: &Path) -> Result<Table, TokenFileError> {
    let mut table = Table::new();
    for entry in list(path)? {
        let (Some(role), Some(hash)) = (entry.role(), unhex(&entry.hash)) else { continue };
        let actor = format!("token:{}", entry.name);
        let door = entry.scope().ok().flatten();
        let caller = Arc::new(Caller { actor, role, owner: entry.owner, pool: entry.pool, door });
        table.insert(hash, Known { caller, expires: entry.expires });
    }
    Ok(table)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The expiry of a token is a date that people wrote; no store is asked for it.
#[expect(clippy::disallowed_methods, reason = "the edge has no store's time for each request")]
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token_file::{NewToken, create, revoke};
    use pdm_engine::caller::Role;

    fn new(name: &str, expires: Option<Timestamp>) -> NewToken {
        NewToken { name: name.into(), role: Role::Admin, owner: None, pool: None, door: None, expires }
    }

    fn who(tokens: &FileTokens, token: &str) -> Option<String> {
        tokens
            .authenticate(&Presented { bearer: Some(token), peer: None, workload: None })
            .map(|c| c.actor.clone())
    }

    #[test]
    fn a_revoked_token_ends_with_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        let a = create(&path, &new("a", None)).unwrap();
        let tokens = FileTokens::open(&path).unwrap();
        assert_eq!(who(&tokens, &a.token).as_deref(), Some("token:a"));
        assert_eq!(who(&tokens, "wrong"), None);
        assert!(tokens.authenticate(&Presented { bearer: None, peer: None, workload: None }).is_none());

        let b = create(&path, &new("b", None)).unwrap();
        revoke(&path, "a").unwrap();
        tokens.reload();
        assert_eq!((who(&tokens, &a.token), who(&tokens, &b.token).as_deref()), (None, Some("token:b")));

        std::fs::write(&path, "garbage").unwrap();
        tokens.reload();
        assert_eq!(who(&tokens, &b.token).as_deref(), Some("token:b"));
    }

    #[test]
    fn an_expired_token_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        let early = create(&path, &new("early", Some(Timestamp(1000)))).unwrap();
        let late = create(&path, &new("late", Some(Timestamp(1001)))).unwrap();
        let tokens = FileTokens::with_clock(&path, || Timestamp(1000)).unwrap();
        assert_eq!(who(&tokens, &early.token), None);
        assert!(who(&tokens, &late.token).is_some());
    }
}
