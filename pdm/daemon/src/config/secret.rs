//! References to secrets. The configuration file itself never holds one.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// Read a reference. The text of a literal secret is not repeated in the error.
pub fn reference(text: &str, base: &Path) -> Result<Reference, String> {
    if let Some(path) = text.strip_prefix("file:") {
        return match path {
            "" => Err("file: needs a path".into()),
            path => Ok(Reference::File(base.join(path))),
        };
    }
    if let Some(name) = text.strip_prefix("env:") {
        return match name {
            "" => Err("env: needs the name of a variable".into()),
            name => Ok(Reference::Env(name.to_owned())),
        };
    }
    if text.starts_with("openbao:") {
        return Err("openbao: references are not served yet; use file: or env:".into());
    }
    Err("a secret must be a reference: file:PATH or env:NAME; a literal secret is refused".into())
}

impl Reference {
    /// The octets behind the reference, as they are.
    pub fn octets(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Zeroizing<Vec<u8>>, String> {
        match self {
            Self::File(path) => std::fs::read(path)
                .map(Zeroizing::new)
                .map_err(|e| format!("cannot read {}: {e}", path.display())),
            Self::Env(name) => env(name)
                .map(|text| Zeroizing::new(text.into_bytes()))
                .ok_or_else(|| format!("the environment variable {name} is not set")),
        }
    }

    /// The text behind the reference, without the line end that editors add.
    pub fn text(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Zeroizing<String>, String> {
        let octets = self.octets(env)?;
        let text = std::str::from_utf8(&octets).map_err(|_| "the secret is not text".to_owned())?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err("the secret is empty".into());
        }
        Ok(Zeroizing::new(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_are_taken_and_a_literal_is_not_repeated() {
        let base = Path::new("/etc/pdm");
        assert_eq!(reference("file:a", base).unwrap(), Reference::File("/etc/pdm/a".into()));
        assert_eq!(reference("file:/b", base).unwrap(), Reference::File("/b".into()));
        assert_eq!(reference("env:KEY", base).unwrap(), Reference::Env("KEY".into()));
        assert!(reference("openbao:kv/pdns", base).unwrap_err().contains("not served yet"));
        assert!(!reference("swordfish", base).unwrap_err().contains("swordfish"));
        let env = |_: &str| Some("hush\n".to_owned());
        assert_eq!(reference("env:KEY", base).unwrap().text(&env).unwrap().as_str(), "hush");
        assert!(reference("env:KEY", base).unwrap().text(&|_| None).is_err());
    }
}
