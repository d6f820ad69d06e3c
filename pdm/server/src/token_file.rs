//! Bearer tokens in a TOML file. The file holds hashes only; a token is shown once, when it is made.
//!
//! A token is looked up by its SHA-256, so the time a lookup takes says nothing about any token. Whoever changes the
//! file writes a new one beside it and renames: readers see the old file or the new one. The daemon looks at most
//! once a second whether the file changed; one that cannot be read leaves the tokens as they were.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pdm_engine::caller::{Role, valid_owner};
use pdm_engine::door::{DoorScope, Kind, must_be_labels};
use pdm_model::{Timestamp, ZoneName};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// Reading or writing failed.
    #[error("token file {path}: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not the TOML of a token file.
    #[error("token file {path}: {detail}", path = path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Request(String),
}

/// One token in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// For revoking.
    pub id: String,
    /// For the audit log.
    pub name: String,
    /// SHA-256 of the token, lower-case hexadecimal.
    pub hash: String,
    /// `admin`, `provisioner`, `wizard`, `auditor` or `dns-door`.
    pub role: String,
    /// Only this owner's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only names of this pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<ZoneName>,
    /// With the role `dns-door`: what it may write, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<DoorEntry>,
    /// No longer valid from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What a token of the role `dns-door` may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorEntry {
    /// The Sovereign's zone.
    pub zone: ZoneName,
    /// `acme` or `external-dns`.
    pub kind: String,
    /// With `external-dns`: its own labels in the zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

impl DoorEntry {
    fn scope(&self) -> Result<DoorScope, String> {
        let kind = match self.kind.as_str() {
            "acme" if self.labels.is_empty() => Kind::Acme,
            "acme" => return Err("a door for acme has no labels".into()),
            "external-dns" => Kind::ExternalDns(must_be_labels(&self.labels)?),
            other => return Err(format!("{other:?} is neither acme nor external-dns")),
        };
        Ok(DoorScope { zone: self.zone.clone(), kind })
    }
}

fn door_scope(
    role: Role,
    owner: Option<&str>,
    door: Option<&DoorEntry>,
) -> Result<Option<DoorScope>, String> {
    match (role, door) {
        // Without its owner the token would outlive the loan of the name.
        (Role::DnsDoor, Some(_)) if owner.is_none() => {
            Err("a token for the door names the zone's owner".into())
        }
        (Role::DnsDoor, Some(door)) => door.scope().map(Some),
        (Role::DnsDoor, None) => Err("a token for the door names its zone".into()),
        (_, Some(_)) => Err("only the role dns-door has a door".into()),
        (_, None) => Ok(None),
    }
}

impl TokenEntry {
    /// The role, unless it is one that tokens do not have.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        Role::from_word(&self.role).filter(|role| *role != Role::Legacy)
    }

    /// What it may write through the door; none for another role.
    ///
    /// # Errors
    /// What makes no sense about it.
    pub fn scope(&self) -> Result<Option<DoorScope>, String> {
        let role = self.role().ok_or("the role is unknown")?;
        door_scope(role, self.owner.as_deref(), self.door.as_ref())
    }
}

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// For the audit log.
    pub name: String,
    /// Any role but `legacy`.
    pub role: Role,
    /// Only this owner's names.
    pub owner: Option<String>,
    /// Only names of this pool.
    pub pool: Option<ZoneName>,
    /// With the role `dns-door`: what it may write, and where.
    pub door: Option<DoorEntry>,
    /// No longer valid from then on.
    pub expires: Option<Timestamp>,
}

/// A token that was made. The text is shown once and never stored.
pub struct CreatedToken {
    /// For revoking.
    pub id: String,
    /// The token.
    pub token: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    token: Vec<TokenEntry>,
}

/// SHA-256 of a token in lower-case hexadecimal, as the file has it.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hex(digest(&SHA256, token.as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All tokens of a file.
///
/// # Errors
/// [`TokenFileError`] when it is missing, unreadable, or has a line that makes no sense.
pub fn list(path: &Path) -> Result<Vec<TokenEntry>, TokenFileError> {
    let text = fs::read_to_string(path).map_err(io(path))?;
    let bad = |detail: String| TokenFileError::Content { path: path.to_owned(), detail };
    let content: Content = toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?;
    for entry in &content.token {
        if entry.role().is_none() {
            return Err(bad(format!("token {}: {:?} is not a role of tokens", entry.id, entry.role)));
        }
        if let Err(detail) = entry.scope() {
            return Err(bad(format!("token {}: {detail}", entry.id)));
        }
        if entry.hash.len() != 64 || !entry.hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad(format!("token {}: the hash is not a lower-case SHA-256", entry.id)));
        }
    }
    Ok(content.token)
}

/// Make a token and add its hash to the file, which is created (0600) when it is missing.
///
/// # Errors
/// [`TokenFileError`]; the file is then as it was.
pub fn create(path: &Path, new: &NewToken) -> Result<CreatedToken, TokenFileError> {
    let secret = format!("pdm_{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
    add(path, new, secret)
}

/// Add a token whose text is known already, for a daemon that keeps its own admin token.
///
/// # Errors
/// As [`create`].
pub fn add(path: &Path, new: &NewToken, token: String) -> Result<CreatedToken, TokenFileError> {
    if new.role == Role::Legacy {
        return Err(TokenFileError::Request(
            "the role legacy belongs to trusted networks, not to tokens".into(),
        ));
    }
    if !valid_owner(&new.name) || new.owner.as_deref().is_some_and(|owner| !valid_owner(owner)) {
        let rule = "a name or an owner is 1 to 100 letters, digits and any of . _ : @ / -";
        return Err(TokenFileError::Request(rule.into()));
    }
    door_scope(new.role, new.owner.as_deref(), new.door.as_ref()).map_err(TokenFileError::Request)?;
    let _lock = lock(path)?;
    let mut entries = if path.exists() { list(path)? } else { Vec::new() };
    if entries.iter().any(|entry| entry.name == new.name) {
        return Err(TokenFileError::Request(format!("there is a token named {} already", new.name)));
    }
    let id = hex(&random::<6>()?);
    entries.push(TokenEntry {
        id: id.clone(),
        name: new.name.clone(),
        hash: token_hash(&token),
        role: new.role.as_str().to_owned(),
        owner: new.owner.clone(),
        pool: new.pool.clone(),
        door: new.door.clone(),
        expires: new.expires,
    });
    replace(path, entries)?;
    Ok(CreatedToken { id, token })
}

/// Remove a token by id or name. False when there is none.
///
/// # Errors
/// [`TokenFileError`]; the file is then as it was.
pub fn revoke(path: &Path, id_or_name: &str) -> Result<bool, TokenFileError> {
    let _lock = lock(path)?;
    let mut entries = list(path)?;
    let before = entries.len();
    entries.retain(|entry| entry.id != id_or_name && entry.name != id_or_name);
    if entries.len() == before {
        return Ok(false);
    }
    replace(path, entries)?;
    Ok(true)
}

fn random<const N: usize>() -> Result<[u8; N], TokenFileError> {
    let mut bytes = [0; N];
    let failed = |_| TokenFileError::Request("the system gives no random numbers".into());
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TokenFileError + '_ {
    move |source| TokenFileError::Io { path: path.to_owned(), source }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Two writers at once would lose one of the changes.
fn lock(path: &Path) -> Result<File, TokenFileError> {
    let path = beside(path, ".lock");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(io(&path))?;
    file.lock().map_err(io(&path))?;
    Ok(file)
}

fn replace(path: &Path, token: Vec<TokenEntry>) -> Result<(), TokenFileError> {
    let text = toml::to_string(&Content { token })
        .map_err(|e| TokenFileError::Content { path: path.to_owned(), detail: e.to_string() })?;
    let fresh = beside(path, ".new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&fresh)(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file =
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh).map_err(io(&fresh))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io(&fresh))?;
    fs::rename(&fresh, path).map_err(io(path))?;
    // The rename is durable once the directory is.
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(io(parent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn new(name: &str) -> NewToken {
        let pool = Some(ZoneName::parse("omani.works").unwrap());
        let expires = Some(Timestamp(1_795_046_400_123));
        let owner = Some("acme".into());
        NewToken { name: name.into(), role: Role::Provisioner, owner, pool, door: None, expires }
    }

    #[test]
    fn a_token_goes_round_and_its_text_is_not_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        let made = create(&path, &new("ci")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&made.token) && text.contains(&token_hash(&made.token)));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let entry = list(&path).unwrap().remove(0);
        assert_eq!(
            (entry.id, entry.role.as_str(), entry.owner.as_deref()),
            (made.id.clone(), "provisioner", Some("acme"))
        );
        assert_eq!(entry.expires, Some(Timestamp(1_795_046_400_123)));

        assert!(create(&path, &new("ci")).is_err());
        create(&path, &new("other")).unwrap();
        assert!(revoke(&path, &made.id).unwrap() && !revoke(&path, &made.id).unwrap());
        assert_eq!(list(&path).unwrap().iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["other"]);
    }

    #[test]
    fn nonsense_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        assert!(matches!(list(&path), Err(TokenFileError::Io { .. })));
        let hash = "0".repeat(64);
        for bad in [
            "garbage".to_owned(),
            format!("[[token]]\nid='a'\nname='a'\nrole='legacy'\nhash='{hash}'\n"),
            format!("[[token]]\nid='a'\nname='a'\nrole='root'\nhash='{hash}'\n"),
            "[[token]]\nid='a'\nname='a'\nrole='admin'\nhash='short'\n".to_owned(),
            format!("[[token]]\nid='a'\nname='a'\nrole='admin'\nhash='{hash}'\nextra=1\n"),
        ] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(list(&path), Err(TokenFileError::Content { .. })));
        }
        assert!(create(&dir.path().join("t"), &NewToken { role: Role::Legacy, ..new("x") }).is_err());
        assert!(create(&dir.path().join("t"), &new("a b")).is_err());
    }

    #[test]
    fn a_door_has_its_zone_its_kind_and_an_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        let door = |kind: &str, labels: &[&str]| DoorEntry {
            zone: ZoneName::parse("omantel.omani.works").unwrap(),
            kind: kind.into(),
            labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        };
        let with = |name: &str, owner: Option<&str>, door| NewToken {
            role: Role::DnsDoor,
            owner: owner.map(str::to_owned),
            door,
            ..new(name)
        };
        create(&path, &with("a", Some("acme"), Some(door("acme", &[])))).unwrap();
        create(&path, &with("b", Some("acme"), Some(door("external-dns", &["apps"])))).unwrap();
        let kinds: Vec<_> =
            list(&path).unwrap().iter().map(|e| e.scope().unwrap().unwrap().kind.as_str()).collect();
        assert_eq!(kinds, ["acme", "external-dns"]);
        for (owner, door) in [
            (None, Some(door("acme", &[]))),
            (Some("acme"), None),
            (Some("acme"), Some(door("acme", &["apps"]))),
            (Some("acme"), Some(door("external-dns", &[]))),
            (Some("acme"), Some(door("external-dns", &["console"]))),
            (Some("acme"), Some(door("all", &[]))),
        ] {
            assert!(create(&path, &with("c", owner, door)).is_err());
        }
        assert!(create(&path, &NewToken { door: Some(door("acme", &[])), ..new("d") }).is_err());
    }
}
