//! Signing people in for the pages, by somebody else's page.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// What the browser's cookie keeps between leaving and coming back. Whoever keeps it seals it: `verifier` is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Comes back in the address; another value is another browser's sign-in.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// The secret of PKCE.
    pub verifier: String,
    /// Where the browser comes back to, as it was asked for.
    pub redirect: String,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending(..)")
    }
}

/// The query of the address that the browser comes back with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Returned {
    /// As it was sent.
    #[serde(default)]
    pub state: String,
    /// The code, once.
    pub code: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// A person is signed in.
pub struct Session {
    /// Shown with every request, like any bearer token.
    pub access_token: Zeroizing<String>,
    /// Gets the next access token; none when the provider gives none.
    pub refresh_token: Option<Zeroizing<String>>,
    /// For signing out; none after a renewal.
    pub id_token: Option<Zeroizing<String>>,
    /// How long the access token holds.
    pub lasts: Duration,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

/// Authorization code with PKCE. Faults: `Rejected` when this sign-in is over and another one may begin, `Transient`
/// when the provider does not answer.
#[async_trait]
pub trait SignIn: Send + Sync {
    /// The address to send the browser to, and what to keep until it comes back to `redirect`.
    async fn begin(&self, redirect: &str) -> Result<(String, Pending), Fault>;
    /// It came back.
    async fn finish(&self, pending: &Pending, returned: &Returned) -> Result<Session, Fault>;
    /// Another access token. The old refresh token must not be used again.
    async fn renew(&self, refresh_token: &str) -> Result<Session, Fault>;
    /// Where to send the browser to sign out, and from there to `back`; none when the provider has no such place.
    async fn end(&self, id_token: Option<&str>, back: &str) -> Result<Option<String>, Fault>;
}
