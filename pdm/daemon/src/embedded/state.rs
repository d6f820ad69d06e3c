//! The state directory of `pdm up`: one process at a time, secrets readable by their owner only.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The directory, locked while this lives.
pub struct State {
    dir: PathBuf,
    /// PowerDNS's API key.
    pub api_key: Zeroizing<String>,
    /// The key of reservation tokens.
    pub token_key: Zeroizing<Vec<u8>>,
    /// The port of PowerDNS's API, remembered.
    pub api_port: u16,
    _lock: File,
}

impl State {
    /// Open or create a directory and what has to be in it.
    ///
    /// # Errors
    /// Another process has it, or it cannot be written.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::refused(format!("cannot use {}: {e}", dir.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(dir.join("pdns")).map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        let lock = private().create(true).truncate(false).open(dir.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!(
                    "another `pdm up` runs on {}; stop it, or give another --state-dir",
                    dir.display()
                );
                return Err(Failure::Refused(text));
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        let api_key = secret(&dir.join("pdns/api.key"), || {
            random(24).map(|r| URL_SAFE_NO_PAD.encode(&*r).into_bytes())
        })?;
        let api_key =
            String::from_utf8(api_key.to_vec()).map_err(|_| Failure::refused("pdns/api.key is not text"))?;
        let token_key = secret(&dir.join("token.key"), || random(32).map(|r| r.to_vec()))?;
        let port = secret(&dir.join("pdns/api.port"), || free_port().map(|p| p.to_string().into_bytes()))?;
        let port = std::str::from_utf8(&port).ok().and_then(|p| p.trim().parse().ok());
        let api_port = port.ok_or_else(|| Failure::refused("pdns/api.port is not a port"))?;
        Ok(Self { dir, api_key: Zeroizing::new(api_key.trim().to_owned()), token_key, api_port, _lock: lock })
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where PowerDNS lives.
    pub fn pdns_dir(&self) -> PathBuf {
        self.path("pdns")
    }

    /// PowerDNS's database.
    pub fn pdns_database(&self) -> PathBuf {
        self.path("pdns/pdns.db")
    }

    /// The token of the admin, made the first time.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn admin_token(&self) -> Result<Zeroizing<String>, Failure> {
        let make = || random(32).map(|r| format!("pdm_{}\n", URL_SAFE_NO_PAD.encode(&*r)).into_bytes());
        let token = secret(&self.path("admin.token"), make)?;
        let token = std::str::from_utf8(&token).ok().map(str::trim).filter(|t| t.len() >= 32);
        let token =
            token.ok_or_else(|| Failure::refused("admin.token is damaged; remove it to have a new one"))?;
        Ok(Zeroizing::new(token.to_owned()))
    }

    /// Replace a file that only its owner may read, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_private(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        write_private(&self.path(name), content)
    }
}

/// Replace a file that only its owner may read, whole or not at all.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::refused(format!("cannot write {}: {e}", path.display()));
    let fresh = path.with_extension("new");
    let mut file = private().create(true).truncate(true).open(&fresh).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, path).map_err(failed)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Read a secret, making it the first time.
fn secret(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, Failure>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut content = Zeroizing::new(Vec::new());
    match File::open(path) {
        Ok(mut file) => {
            let read = file.read_to_end(&mut content);
            read.map_err(|e| Failure::refused(format!("cannot read {}: {e}", path.display())))?;
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            content = Zeroizing::new(make()?);
            write_private(path, &content)?;
        }
        Err(e) => return Err(Failure::refused(format!("cannot read {}: {e}", path.display()))),
    }
    Ok(content)
}

/// Random octets from the operating system.
pub fn random(octets: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut buffer = Zeroizing::new(vec![0; octets]);
    SystemRandom::new().fill(&mut buffer).map_err(|_| Failure::refused("the system has no randomness"))?;
    Ok(buffer)
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
    Ok(listener.map_err(|e| Failure::refused(format!("no free port on 127.0.0.1: {e}")))?.port())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_second_start_finds_what_the_first_made_and_two_at_once_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("s");
        let first = State::open(&at).unwrap();
        assert!(State::open(&at).is_err());
        let (key, port) = (first.api_key.clone(), first.api_port);
        assert_eq!(first.token_key.len(), 32);
        for name in ["token.key", "pdns/api.key"] {
            let mode = std::fs::metadata(first.path(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        drop(first);
        let second = State::open(&at).unwrap();
        assert_eq!((second.api_key.clone(), second.api_port), (key, port));
    }
}
