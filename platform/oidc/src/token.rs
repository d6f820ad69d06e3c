//! One token (RFC 7519, RFC 8725): form, signature, issuer, audience, times. A pure function of the token, the keys, the
//! rules and the time.
//!
//! The algorithm is the key's. What the token's header says must agree with it and be among the pinned ones, so neither
//! `none` nor a public key used as an HMAC secret gets anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::jwk::Key;

/// Longer than any token of an issuer with sense; a header line has its bound too.
const LONGEST: usize = 16 * 1024;

/// A signature algorithm that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// Its name in tokens and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of a name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }
}

/// Why a token is not accepted. For logs and metrics; a client only learns that it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.as_str())]
pub enum Refused {
    /// Not three parts of base64url with JSON inside.
    Malformed,
    /// An algorithm that is not pinned, or not the key's.
    Algorithm,
    /// An access token was needed, and this is something else.
    Kind,
    /// No key of this id.
    UnknownKey,
    /// The issuer's keys were never fetched, or are too old to trust.
    NoKeys,
    /// The signature is not the key's.
    Signature,
    /// Another issuer's.
    Issuer,
    /// For somebody else.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Early,
    /// Not made for the sign-in at hand.
    Nonce,
}

impl Refused {
    /// The word in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Kind => "kind",
            Self::UnknownKey => "unknown-key",
            Self::NoKeys => "no-keys",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Nonce => "nonce",
        }
    }
}

/// What a token must say.
#[derive(Debug, Clone)]
pub(crate) struct Rules<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub algorithms: &'a [Algorithm],
    /// Seconds by which the clocks may differ.
    pub skew: i64,
    pub kind: Kind<'a>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Sent with a request.
    Access,
    /// The answer to one sign-in.
    Id { nonce: &'a str },
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token taken apart, not believed yet.
pub(crate) struct Parts<'a> {
    header: Header,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub fn of(token: &'a str) -> Result<Self, Refused> {
        let malformed = Refused::Malformed;
        if token.len() > LONGEST {
            return Err(malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed);
        let header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?;
        Ok(Self { header, signed, payload: decode(payload)?, signature: decode(signature)? })
    }

    /// The id of the key that is said to have signed it, if its algorithm is one that is accepted.
    pub fn key_wanted(&self, algorithms: &[Algorithm]) -> Option<&str> {
        let pinned = Algorithm::from_word(&self.header.alg).is_some_and(|a| algorithms.contains(&a));
        self.header.kid.as_deref().filter(|_| pinned)
    }
}

/// The claims of a good token, and its subject.
pub(crate) fn verify(
    parts: &Parts<'_>,
    keys: &[Key],
    rules: &Rules<'_>,
    now: i64,
) -> Result<(String, Map<String, Value>), Refused> {
    let header = &parts.header;
    let algorithm = Algorithm::from_word(&header.alg).filter(|a| rules.algorithms.contains(a));
    let algorithm = algorithm.ok_or(Refused::Algorithm)?;
    // Extensions that must be understood and are not (RFC 7515 4.1.11).
    if header.crit.is_some() {
        return Err(Refused::Malformed);
    }
    let typ = header.typ.as_deref().map(|t| t.trim_start_matches("application/").to_ascii_lowercase());
    if !matches!(typ.as_deref(), None | Some("jwt" | "at+jwt")) {
        return Err(Refused::Kind);
    }
    let kid = header.kid.as_deref().ok_or(Refused::UnknownKey)?;
    let key = keys.iter().find(|key| key.kid == kid).ok_or(Refused::UnknownKey)?;
    if key.algorithm != algorithm {
        return Err(Refused::Algorithm);
    }
    if !key.verifies(parts.signed.as_bytes(), &parts.signature) {
        return Err(Refused::Signature);
    }
    let claims: Map<String, Value> =
        serde_json::from_slice(&parts.payload).map_err(|_| Refused::Malformed)?;
    let subject = judge(&claims, rules, now)?;
    Ok((subject, claims))
}

fn judge(claims: &Map<String, Value>, rules: &Rules<'_>, now: i64) -> Result<String, Refused> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(rules.issuer) {
        return Err(Refused::Issuer);
    }
    let addressed = match claims.get("aud") {
        Some(Value::String(one)) => one == rules.audience,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(rules.audience)),
        _ => false,
    };
    if !addressed {
        return Err(Refused::Audience);
    }
    let time = |name: &str| claims.get(name).map(|v| seconds(v).ok_or(Refused::Malformed)).transpose();
    let expires = time("exp")?.ok_or(Refused::Malformed)?;
    if now >= expires.saturating_add(rules.skew) {
        return Err(Refused::Expired);
    }
    let begins = time("nbf")?.max(time("iat")?).unwrap_or(i64::MIN);
    if begins > now.saturating_add(rules.skew) {
        return Err(Refused::Early);
    }
    match rules.kind {
        // Keycloak tells kinds apart by a claim: `Bearer`, `ID`, `Refresh`, `Logout`.
        Kind::Access if text("typ").is_some_and(|typ| typ != "Bearer") => return Err(Refused::Kind),
        Kind::Id { nonce } if text("nonce") != Some(nonce) => return Err(Refused::Nonce),
        Kind::Access | Kind::Id { .. } => {}
    }
    let subject = text("sub").unwrap_or_default();
    // It goes into the audit log and its pages.
    let plain = (1..=255).contains(&subject.len()) && subject.bytes().all(|b| b.is_ascii_graphic());
    if plain { Ok(subject.to_owned()) } else { Err(Refused::Malformed) }
}

/// A NumericDate, which may have a fraction.
fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "bounded below")]
    let whole = |float: f64| (float.abs() < 1e15).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}
