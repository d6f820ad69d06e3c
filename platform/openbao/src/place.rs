//! Where a field is: `MOUNT/PATH#FIELD`.

use std::fmt;
use std::str::FromStr;

/// One field of one secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Where the engine is mounted: one part of a path.
    pub mount: String,
    /// The secret.
    pub path: String,
    /// The field in it.
    pub field: String,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (place, field) = text.split_once('#').ok_or("the field is missing: MOUNT/PATH#FIELD")?;
        let (mount, path) = split(place)?;
        if field.is_empty() || !field.bytes().all(plain) {
            return Err("a field has letters, digits, and -_. only");
        }
        Ok(Self { mount, path, field: field.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.mount, self.path, self.field)
    }
}

/// `MOUNT/PATH` in its two parts. Nothing in it needs to be encoded, so nothing can be smuggled into an address.
pub(crate) fn split(text: &str) -> Result<(String, String), &'static str> {
    let (mount, path) = text.split_once('/').ok_or("the path is missing: MOUNT/PATH")?;
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
    if !part(mount) || !path.split('/').all(part) {
        return Err("mount and path have letters, digits, and -_. only, with slashes between their parts");
    }
    Ok((mount.to_owned(), path.to_owned()))
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_mount_path_and_field() {
        let place: Place = "secret/pdm/pdns#api-key".parse().unwrap();
        assert_eq!((&*place.mount, &*place.path, &*place.field), ("secret", "pdm/pdns", "api-key"));
        assert_eq!(place.to_string(), "secret/pdm/pdns#api-key");
        for wrong in [
            "",
            "secret",
            "secret/pdns",
            "secret#key",
            "/a#k",
            "secret/#k",
            "secret/a#",
            "secret//a#k",
            "secret/../sys/seal#k",
            "secret/a?b#k",
            "secret/a%2e#k",
            "secret/a b#k",
            "secret/a#b#c",
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
