//! Tokens of an issuer that the test plays, with keys of every kind: what is accepted, and all that is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::discovery::Document;
use crate::jwk::Set;
use crate::token::Kind;
use crate::{Algorithm, ClaimNames, Client, Provider, Refused, Settings};

const ISSUER: &str = "https://id.example/realms/platform";
const NOW: i64 = 1_800_000_000;
/// A 2048-bit key for these tests only, in PKCS#1.
const RSA: &[u8] = include_bytes!("../tests/rsa.der");

enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    fn all() -> [(&'static str, Self); 3] {
        [("RS256", Self::rsa()), ("ES256", Self::ec()), ("EdDSA", Self::ed())]
    }

    fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_der(RSA).unwrap())
    }

    fn ec() -> Self {
        let rng = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &rng).unwrap())
    }

    fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&rng, message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                let public: PublicKeyComponents<Vec<u8>> = key.public().into();
                json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": b64(public.n), "e": b64(public.e) })
            }
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": b64(&point[1..33]), "y": b64(&point[33..]) })
            }
            Self::Ed(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(key.public_key()) })
            }
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        format!("{signed}.{}", b64(self.sign(signed.as_bytes())))
    }
}

fn provider(algorithms: &[Algorithm], keys: Vec<Value>) -> Provider {
    let provider = Provider::new(Settings {
        issuer: ISSUER.into(),
        audience: "pdm".into(),
        algorithms: algorithms.to_vec(),
        claims: ClaimNames {
            organization: "organization".into(),
            environment: "environment".into(),
            roles: "roles".into(),
        },
        skew: Duration::from_secs(30),
        refresh: Duration::from_secs(300),
        stale: Duration::from_secs(3600),
        authorities: None,
        client: Some(Client { id: "pages".into(), secret: None, scope: "openid".into() }),
        clock: || NOW,
    });
    let provider = provider.unwrap();
    let document = json!({ "issuer": ISSUER, "jwks_uri": "https://id.example/keys" });
    let endpoints = serde_json::from_value::<Document>(document).unwrap().endpoints(ISSUER).unwrap();
    provider.teach(serde_json::from_value::<Set>(json!({ "keys": keys })).unwrap().usable(), endpoints);
    provider
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": ["account", "pdm"], "sub": "1b2c", "exp": NOW + 60, "iat": NOW - 1, "typ": "Bearer",
        "organization": "acme", "environment": "prod", "roles": ["deployer"],
    })
}

#[test]
fn a_good_token_of_every_algorithm_is_its_bearer() {
    for (alg, signer) in Signer::all() {
        let provider = provider(&Algorithm::ALL, vec![signer.jwk("k1")]);
        let token = signer.token(&json!({ "alg": alg, "kid": "k1", "typ": "JWT" }), &claims());
        let who = provider.identify(&token).unwrap();
        assert_eq!((who.subject.as_str(), who.organization.as_deref()), ("1b2c", Some("acme")), "{alg}");
        assert_eq!(who.roles, ["deployer"]);
    }
}

#[test]
fn what_the_claims_must_say() {
    let signer = Signer::ed();
    let provider = provider(&Algorithm::ALL, vec![signer.jwk("k1")]);
    let header = json!({ "alg": "EdDSA", "kid": "k1", "typ": "at+jwt" });
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        provider.identify(&signer.token(&header, &claims)).err()
    };
    for (name, value, refused) in [
        ("iss", json!("https://id.example/realms/other"), Refused::Issuer),
        ("iss", json!(null), Refused::Issuer),
        ("aud", json!("other"), Refused::Audience),
        ("aud", json!([]), Refused::Audience),
        ("exp", json!(NOW - 30), Refused::Expired),
        ("exp", json!(null), Refused::Malformed),
        ("exp", json!("tomorrow"), Refused::Malformed),
        ("nbf", json!(NOW + 31), Refused::Early),
        ("iat", json!(NOW + 31), Refused::Early),
        ("typ", json!("ID"), Refused::Kind),
        ("typ", json!("Refresh"), Refused::Kind),
        ("sub", json!(""), Refused::Malformed),
        ("sub", json!("a\nb"), Refused::Malformed),
    ] {
        assert_eq!(with(name, value.clone()), Some(refused), "{name} {value}");
    }
    // Clocks may differ by so much, and times may have fractions.
    for (name, value) in [
        ("exp", json!(NOW - 29)),
        ("nbf", json!(NOW + 30)),
        ("exp", json!(1_800_000_001.5)),
        ("aud", json!("pdm")),
    ] {
        assert_eq!(with(name, value.clone()), None, "{name} {value}");
    }
}

#[test]
fn what_the_header_must_say() {
    let signer = Signer::rsa();
    let provider = provider(&[Algorithm::Rs256], vec![signer.jwk("k1"), Signer::ec().jwk("k2")]);
    let refused = |header: Value| provider.identify(&signer.token(&header, &claims())).err();
    for (header, expected) in [
        (json!({ "alg": "none", "kid": "k1" }), Refused::Algorithm),
        (json!({ "alg": "HS256", "kid": "k1" }), Refused::Algorithm),
        (json!({ "alg": "rs256", "kid": "k1" }), Refused::Algorithm),
        (json!({ "alg": "ES256", "kid": "k2" }), Refused::Algorithm), // not pinned here
        (json!({ "alg": "RS256", "kid": "k2" }), Refused::Algorithm), // pinned, and not the key's
        (json!({ "alg": "RS256", "kid": "k3" }), Refused::UnknownKey),
        (json!({ "alg": "RS256" }), Refused::UnknownKey),
        (json!({ "alg": "RS256", "kid": "k1", "typ": "logout+jwt" }), Refused::Kind),
        (json!({ "alg": "RS256", "kid": "k1", "crit": ["exp"] }), Refused::Malformed),
        (json!({ "alg": 1 }), Refused::Malformed),
    ] {
        assert_eq!(refused(header.clone()), Some(expected), "{header}");
    }
    assert_eq!(refused(json!({ "alg": "RS256", "kid": "k1", "typ": "application/at+jwt" })), None);
}

#[test]
fn forged_and_broken_tokens_are_refused() {
    let (signer, forger) = (Signer::ec(), Signer::ec());
    let provider = provider(&Algorithm::ALL, vec![signer.jwk("k1")]);
    let header = json!({ "alg": "ES256", "kid": "k1" });
    assert_eq!(provider.identify(&forger.token(&header, &claims())), Err(Refused::Signature));

    // The signature belongs to other claims.
    let good = signer.token(&header, &claims());
    let (_, signature) = good.rsplit_once('.').unwrap();
    let mut more = claims();
    more["roles"] = json!(["admin"]);
    let forged = format!("{}.{}.{signature}", b64(header.to_string()), b64(more.to_string()));
    assert_eq!(provider.identify(&forged), Err(Refused::Signature));

    let stripped = format!("{}.", good.rsplit_once('.').unwrap().0);
    assert_eq!(provider.identify(&stripped), Err(Refused::Signature));
    for broken in
        ["", "a", "a.b", "a.b.c", "..", &format!("{good}="), &format!("x{good}"), &"a.".repeat(20_000)]
    {
        assert_eq!(provider.identify(broken), Err(Refused::Malformed), "{broken:.40}");
    }
}

#[test]
fn a_key_that_was_taken_back_signs_nothing_any_more() {
    let (old, new) = (Signer::ed(), Signer::ed());
    let header = |kid| json!({ "alg": "EdDSA", "kid": kid });
    let provider = provider(&Algorithm::ALL, vec![old.jwk("old"), new.jwk("new")]);
    let (first, second) = (old.token(&header("old"), &claims()), new.token(&header("new"), &claims()));
    assert!(provider.identify(&first).is_ok() && provider.identify(&second).is_ok());
    let document = json!({ "issuer": ISSUER, "jwks_uri": "https://id.example/keys" });
    let endpoints = serde_json::from_value::<Document>(document).unwrap().endpoints(ISSUER).unwrap();
    let left = serde_json::from_value::<Set>(json!({ "keys": [new.jwk("new")] })).unwrap().usable();
    provider.teach(left, endpoints);
    assert_eq!(provider.identify(&first), Err(Refused::UnknownKey));
    assert!(provider.identify(&second).is_ok());
}

#[test]
fn an_id_token_is_for_its_sign_in_and_for_nothing_else() {
    let signer = Signer::ed();
    let provider = provider(&Algorithm::ALL, vec![signer.jwk("k1")]);
    let mut claims = claims();
    (claims["aud"], claims["typ"], claims["nonce"]) = (json!("pages"), json!("ID"), json!("n1"));
    let token = signer.token(&json!({ "alg": "EdDSA", "kid": "k1" }), &claims);
    assert!(provider.check(&token, "pages", Kind::Id { nonce: "n1" }).is_ok());
    assert_eq!(provider.check(&token, "pages", Kind::Id { nonce: "n2" }), Err(Refused::Nonce));
    assert_eq!(provider.identify(&token), Err(Refused::Audience));
}
