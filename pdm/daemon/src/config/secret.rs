//! References to secrets. The configuration file itself never holds one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pdm_openbao::{OpenBao, Place};
use pdm_ports::SecretSource;
use zeroize::Zeroizing;

use crate::mesh::Mesh;
use crate::secrets::Live;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
    /// In OpenBao.
    OpenBao(Place),
}

/// What references lead to, as it was when the configuration was read.
#[derive(Default)]
pub struct Outside {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// Who we are among workloads, when OpenBao is one.
    pub mesh: Option<Arc<Mesh>>,
    /// Where `openbao:` references lead.
    pub openbao: Option<Arc<OpenBao>>,
    /// What was read there, or why not.
    pub fetched: BTreeMap<Place, Result<Zeroizing<String>, String>>,
}

/// Read a reference. The text of a literal secret is not repeated in the error.
pub fn reference(text: &str, base: &Path) -> Result<Reference, String> {
    let (kind, rest) = text.split_once(':').unwrap_or_default();
    match (kind, rest) {
        ("file", "") => Err("file: needs a path".into()),
        ("file", path) => Ok(Reference::File(base.join(path))),
        ("env", "") => Err("env: needs the name of a variable".into()),
        ("env", name) => Ok(Reference::Env(name.to_owned())),
        ("openbao", place) => place.parse().map(Reference::OpenBao).map_err(|why| format!("openbao: {why}")),
        _ => Err("a secret must be a reference: file:PATH, env:NAME or openbao:MOUNT/PATH#FIELD; a literal secret is refused".into()),
    }
}

impl Reference {
    /// The octets behind the reference, as they are.
    pub fn octets(&self, outside: &Outside) -> Result<Zeroizing<Vec<u8>>, String> {
        let octets = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        match self {
            Self::File(path) => std::fs::read(path)
                .map(Zeroizing::new)
                .map_err(|e| format!("cannot read {}: {e}", path.display())),
            Self::Env(name) => outside
                .variables
                .get(name)
                .map(|text| octets(text))
                .ok_or_else(|| format!("the environment variable {name} is not set")),
            Self::OpenBao(place) => match outside.fetched.get(place) {
                Some(Ok(text)) => Ok(octets(text)),
                Some(Err(why)) => Err(why.clone()),
                None => Err("a secret in OpenBao needs the section [openbao]".to_owned()),
            },
        }
    }

    /// The text behind the reference, without the line end that editors add.
    pub fn text(&self, outside: &Outside) -> Result<Zeroizing<String>, String> {
        let octets = self.octets(outside)?;
        let text = std::str::from_utf8(&octets).map_err(|_| "the secret is not text".to_owned())?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err("the secret is empty".into());
        }
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// The text behind the reference, for somebody who asks again when it is refused. `name` is the key's.
    pub fn live(self, name: &str, outside: &Outside) -> Result<Arc<dyn SecretSource>, String> {
        let text = self.text(outside)?;
        Ok(Arc::new(Live::new(name, self, text, outside.openbao.clone())))
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
        for wrong in
            ["file:", "env:", "openbao:", "openbao:kv/pdns", "openbao:kv/../sys#a", "swordfish", "sword:fish"]
        {
            assert!(!reference(wrong, base).unwrap_err().contains("fish"), "{wrong}");
        }
    }

    #[test]
    fn what_they_lead_to_was_read_before() {
        let place: Place = "kv/pdns#key".parse().unwrap();
        let base = Path::new(".");
        let (env, bao) =
            (reference("env:KEY", base).unwrap(), reference("openbao:kv/pdns#key", base).unwrap());
        let mut outside = Outside::default();
        assert!(env.text(&outside).is_err());
        assert!(bao.text(&outside).unwrap_err().contains("[openbao]"));
        outside.variables.insert("KEY".into(), "hush\n".into());
        outside.fetched.insert(place.clone(), Ok(Zeroizing::new("quiet".to_owned())));
        assert_eq!(env.text(&outside).unwrap().as_str(), "hush");
        assert_eq!(bao.text(&outside).unwrap().as_str(), "quiet");
        outside.fetched.insert(place, Err("openbao-missing".into()));
        assert_eq!(bao.text(&outside).unwrap_err(), "openbao-missing");
    }
}
