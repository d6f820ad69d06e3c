//! A set of public keys (RFC 7517), and checking a signature with one of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

use crate::token::Algorithm;

/// More keys than any issuer signs with.
const MOST_KEYS: usize = 64;

/// The JSON of a set. Members that nobody here uses are not an error.
#[derive(Debug, Deserialize)]
pub(crate) struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// One key to verify with. Its algorithm follows from the key, never from a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub kid: String,
    pub algorithm: Algorithm,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Point(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Set {
    /// The keys that can verify. Keys for encryption, of other kinds, without an id, or broken are left out: one of
    /// them must not take the good ones along.
    pub fn usable(self) -> Vec<Key> {
        let parse = |value| serde_json::from_value::<Jwk>(value).ok();
        self.keys.into_iter().take(MOST_KEYS).filter_map(parse).filter_map(Key::from_jwk).collect()
    }
}

impl Key {
    fn from_jwk(jwk: Jwk) -> Option<Self> {
        let octets = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let (algorithm, material) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Algorithm::Rs256, Material::Rsa { n: octets(&jwk.n)?, e: octets(&jwk.e)? }),
            ("EC", Some("P-256")) => {
                let (x, y) = (octets(&jwk.x)?, octets(&jwk.y)?);
                let whole = x.len() == 32 && y.len() == 32;
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                (Algorithm::Es256, Material::Point(whole.then_some(point)?))
            }
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, Material::Ed25519(octets(&jwk.x)?)),
            _ => return None,
        };
        // An RSA key that is announced for PS256 or RS512 signs nothing that is accepted here.
        if jwk.alg.is_some_and(|alg| alg != algorithm.as_str()) {
            return None;
        }
        Some(Self { kid: jwk.kid?, algorithm, material })
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            Material::Point(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_verify_is_left_out_and_the_rest_stays() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let set = serde_json::json!({ "keys": [
            7,
            { "kty": "oct", "kid": "shared", "k": "c2VjcmV0" },
            { "kty": "OKP", "crv": "Ed25519", "x": x },
            { "kty": "OKP", "crv": "Ed25519", "kid": "enc", "use": "enc", "x": x },
            { "kty": "EC", "crv": "P-256", "kid": "short", "x": "AQ", "y": "AQ" },
            { "kty": "EC", "crv": "P-384", "kid": "other-curve", "x": x, "y": x },
            { "kty": "RSA", "kid": "pss", "alg": "PS256", "n": x, "e": "AQAB" },
            { "kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "good", "use": "sig", "alg": "EdDSA", "x": x },
        ] });
        let keys = serde_json::from_value::<Set>(set).unwrap().usable();
        assert_eq!(keys.iter().map(|k| k.kid.as_str()).collect::<Vec<_>>(), ["good"]);
    }
}
