//! Sessions of people in front of a page: the bearer token they signed in with, sealed into a cookie.
//!
//! Nothing is kept here. Every request opens the cookie and asks the authenticator again, so a revoked token ends its
//! sessions with the next click, any replica knows every session, and a restart ends none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http::header::COOKIE;
use http::{HeaderMap, StatusCode};
use pdm_engine::token::TokenKey;
use pdm_model::Timestamp;
use pdm_ports::store::Remembered;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::app::S;
use crate::problem::Failure;
use crate::token_file::hex;

/// The cookie of a session.
pub(crate) const COOKIE_NAME: &str = "pdm_session";
/// How long a session lasts: one working day.
pub(crate) const LASTS_MS: i64 = 12 * 3600 * 1000;

/// What a sealed text is for. One for another purpose does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A person's session.
    Session,
    /// A link that shows one name to somebody without a token.
    Link,
    /// A sign-in that waits for its browser to come back from the issuer.
    SignIn,
    /// What renews a session.
    Renewal,
    /// What opens one frame, once.
    Ticket,
    /// The bearer of a frame.
    Frame,
    /// What signs in once.
    Once,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Link => "link",
            Self::SignIn => "sign-in",
            Self::Renewal => "renewal",
            Self::Ticket => "ticket",
            Self::Frame => "frame",
            Self::Once => "once",
        }
    }
}

/// A person's session.
#[derive(Serialize, Deserialize)]
pub(crate) struct Session {
    /// The bearer token.
    pub token: String,
    /// Its identity, which stays when the token is renewed; forms are bound to it.
    pub id: String,
}

/// What renews a session and ends it at the issuer. In a cookie of its own: with the token it would be larger than
/// browsers keep.
#[derive(Serialize, Deserialize)]
pub(crate) struct Renewal {
    /// Gets the next token.
    pub refresh: Option<String>,
    /// Says at the issuer who signs out.
    pub id_token: Option<String>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.token.zeroize();
    }
}

/// Seals small values into texts that only this deployment can open.
pub(crate) struct Seal {
    key: [u8; 32],
    forms: hmac::Key,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    until: i64,
    value: T,
}

impl Seal {
    /// From the secret that reservation tokens are made with; its purpose keeps it apart from them.
    pub(crate) fn new(tokens: &TokenKey) -> Self {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, tokens.token("pages: sealed texts").as_bytes()).as_ref());
        let forms = digest(&SHA256, tokens.token("pages: forms").as_bytes());
        Self { key, forms: hmac::Key::new(hmac::HMAC_SHA256, forms.as_ref()) }
    }

    fn key(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.key).ok().map(LessSafeKey::new)
    }

    /// Seal a value until a time.
    pub(crate) fn seal<T: Serialize>(&self, purpose: Purpose, value: T, until: Timestamp) -> Option<String> {
        let mut text = serde_json::to_vec(&Sealed { until: until.0, value }).ok()?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let aad = Aad::from(purpose.word().as_bytes());
        self.key()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text).ok()?;
        let mut all = nonce.to_vec();
        all.append(&mut text);
        Some(BASE64.encode(all))
    }

    /// Open it, unless it is for another purpose, was changed, or its time is over.
    pub(crate) fn open<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        text: &str,
        now: Timestamp,
    ) -> Option<(T, Timestamp)> {
        let mut all = BASE64.decode(text).ok()?;
        if all.len() < NONCE_LEN {
            return None;
        }
        let mut sealed = all.split_off(NONCE_LEN);
        let (key, nonce) = (self.key()?, Nonce::try_assume_unique_for_key(&all).ok()?);
        let opened = key.open_in_place(nonce, Aad::from(purpose.word().as_bytes()), &mut sealed).ok()?;
        let sealed: Sealed<T> = serde_json::from_slice(opened).ok()?;
        (now.0 < sealed.until).then_some((sealed.value, Timestamp(sealed.until)))
    }

    /// The hidden field that a form of this session carries.
    pub(crate) fn form_token(&self, session: &str) -> String {
        BASE64.encode(hmac::sign(&self.forms, session.as_bytes()).as_ref())
    }

    /// Whether a form came from a page of this session; in constant time.
    pub(crate) fn is_form_token(&self, session: &str, given: &str) -> bool {
        BASE64.decode(given).is_ok_and(|given| hmac::verify(&self.forms, session.as_bytes(), &given).is_ok())
    }
}

/// Whether something is used for the first time, over all replicas: the store remembers it.
pub(crate) async fn first_use(state: &S, what: &str, id: &str) -> Result<bool, Failure> {
    let key = hex(digest(&SHA256, format!("{what} {id}").as_bytes()).as_ref());
    let store = state.engine().store();
    match store.remember(&key, "").await? {
        Remembered::Begin => {
            store.answer(&key, Some((StatusCode::OK.as_u16(), serde_json::Value::Null))).await?;
            Ok(true)
        }
        Remembered::InProgress | Remembered::OtherBody | Remembered::Answered { .. } => Ok(false),
    }
}

/// A cookie's value.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(n, value)| (n == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal() -> Seal {
        Seal::new(&TokenKey::new(&[7; 32]))
    }

    #[test]
    fn what_was_sealed_opens_for_its_purpose_and_time_only() {
        let text = seal().seal(Purpose::Link, "acme.example", Timestamp(1000)).unwrap();
        let open = |purpose, text: &str, now| seal().open::<String>(purpose, text, Timestamp(now));
        assert_eq!(open(Purpose::Link, &text, 999).unwrap().0, "acme.example");
        assert!(open(Purpose::Link, &text, 1000).is_none());
        assert!(open(Purpose::Session, &text, 999).is_none());
        assert!(open(Purpose::Link, &text.to_ascii_lowercase(), 999).is_none());
        for garbage in ["", "A", "AAAAAAAAAAAAAAAA", "%%%"] {
            assert!(open(Purpose::Link, garbage, 0).is_none(), "{garbage}");
        }
        let other = Seal::new(&TokenKey::new(&[8; 32]));
        assert!(other.open::<String>(Purpose::Link, &text, Timestamp(1)).is_none());
    }

    #[test]
    fn a_form_belongs_to_its_session() {
        let token = seal().form_token("one");
        assert!(seal().is_form_token("one", &token));
        assert!(!seal().is_form_token("two", &token) && !seal().is_form_token("one", ""));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, http::HeaderValue::from_static("a=1; pdm_session=x.y; b=2"));
        assert_eq!(cookie(&headers, COOKIE_NAME), Some("x.y"));
        assert_eq!(cookie(&headers, "c"), None);
    }
}
