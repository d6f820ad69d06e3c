//! A login and how long it holds. Pure, but for the reading of files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::call::{Caller, parse, read};
use crate::settings::{Login, Settings};

/// A token that is refused so soon after the login is not the reason: what it may do is.
const YOUNG: Duration = Duration::from_secs(1);

/// One token with the client that got it.
pub(crate) struct Session {
    pub caller: Arc<Caller>,
    pub token: Arc<Zeroizing<String>>,
    pub term: Term,
}

impl Session {
    /// The same for another term.
    pub(crate) fn lasting(&self, term: Term) -> Self {
        Self { caller: self.caller.clone(), token: self.token.clone(), term }
    }
}

/// How long a token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    begun: Instant,
    /// None for ever.
    lease: Option<Duration>,
    renewable: bool,
}

impl Term {
    pub(crate) fn new(begun: Instant, seconds: u64, renewable: bool) -> Self {
        Self { begun, lease: (seconds > 0).then(|| Duration::from_secs(seconds)), renewable }
    }

    /// Whether it is over, a little early: a call takes time.
    pub(crate) fn over(&self, now: Instant) -> bool {
        self.lease.is_some_and(|lease| now >= self.begun + lease.saturating_sub(lease / 20))
    }

    /// When to renew or replace it: after two thirds. None for ever.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.lease.map(|lease| self.begun + lease * 2 / 3)
    }

    /// Whether a refusal may be the token's fault.
    pub(crate) fn is_suspect(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) >= YOUNG
    }

    /// Whether there is a point in asking for more.
    pub(crate) fn can_be_renewed(&self) -> bool {
        self.renewable && self.lease.is_some()
    }

    /// The term after a renewal; none when the token's own end is near, so that a login is due.
    pub(crate) fn renewed(&self, now: Instant, seconds: u64, renewable: bool) -> Option<Self> {
        let next = Self::new(now, seconds, renewable);
        let shortened = match (self.lease, next.lease) {
            (Some(before), Some(after)) => after < before / 2,
            // What had an end and is given no more seconds has come to it; it does not last for ever.
            (Some(_), None) => true,
            (None, _) => false,
        };
        (!shortened).then_some(next)
    }
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Deserialize)]
struct LookedUp {
    data: Lookup,
}

#[derive(Deserialize)]
struct Lookup {
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

/// Log in.
///
/// # Errors
/// `openbao-login` with who refused and why; or what keeps the server from answering.
pub(crate) async fn log_in(settings: &Settings) -> Result<Session, Fault> {
    let caller = Arc::new(Caller::new(settings)?);
    let begun = Instant::now();
    let (mount, body, secret) = match &settings.login {
        Login::Jwt { mount, role, file } => {
            let jwt = text(file)?;
            (mount, json!({ "role": role, "jwt": jwt.as_str() }), jwt)
        }
        Login::Certificate { mount, role, .. } => {
            let body = role.as_ref().map_or_else(|| json!({}), |name| json!({ "name": name }));
            (mount, body, Zeroizing::default())
        }
        Login::TokenFile(file) => return known(caller, text(file)?, begun).await,
        Login::Token(token) => return known(caller, token.clone(), begun).await,
    };
    let path = format!("auth/{mount}/login");
    let answer = caller.call("login", Method::POST, &path, None, Some(&body), &[&secret]).await;
    let answer = answer.map_err(refused)?;
    let LoggedIn { auth } = parse("login", &answer)?;
    let term = Term::new(begun, auth.lease_duration, auth.renewable);
    tracing::info!(mount, seconds = auth.lease_duration, "logged in at OpenBao");
    Ok(Session { caller, token: Arc::new(Zeroizing::new(auth.client_token)), term })
}

/// A token that was given: how long it holds is asked.
async fn known(caller: Arc<Caller>, token: Zeroizing<String>, begun: Instant) -> Result<Session, Fault> {
    let path = "auth/token/lookup-self";
    let answer =
        caller.call("token lookup", Method::GET, path, Some(&token), None, &[]).await.map_err(refused)?;
    let LookedUp { data } = parse("token lookup", &answer)?;
    Ok(Session { caller, token: Arc::new(token), term: Term::new(begun, data.ttl, data.renewable) })
}

/// Ask for more time.
///
/// # Errors
/// The server does not give any.
pub(crate) async fn renew(session: &Session) -> Result<Option<Term>, Fault> {
    let path = "auth/token/renew-self";
    let begun = Instant::now();
    let answer = session
        .caller
        .call("token renewal", Method::POST, path, Some(&session.token), Some(&json!({})), &[])
        .await?;
    let LoggedIn { auth } = parse("token renewal", &answer)?;
    Ok(session.term.renewed(begun, auth.lease_duration, auth.renewable))
}

/// A login that is refused is a matter of roles, keys and files: somebody must act.
fn refused(fault: Fault) -> Fault {
    match fault.code {
        "openbao-refused" | "openbao-forbidden" | "openbao-missing" => {
            Fault::new(Class::Credential, "openbao-login", fault.detail)
        }
        _ => fault,
    }
}

fn text(file: &std::path::Path) -> Result<Zeroizing<String>, Fault> {
    let octets = read(file)?;
    let text = std::str::from_utf8(&octets).unwrap_or_default().trim();
    if text.is_empty() {
        return Err(Fault::transient("openbao-login", format!("{} is empty or not text", file.display())));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_ends_a_little_early_and_is_renewed_after_two_thirds() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let term = Term::new(now, 60, true);
        assert_eq!(term.due(), Some(after(40)));
        assert!(!term.over(after(56)) && term.over(after(57)));
        assert!(!term.is_suspect(now) && term.is_suspect(after(1)));
        let eternal = Term::new(now, 0, false);
        assert!(eternal.due().is_none() && !eternal.over(after(1_000_000)) && !eternal.can_be_renewed());
    }

    #[test]
    fn a_renewal_that_is_cut_short_asks_for_a_login() {
        let now = Instant::now();
        let term = Term::new(now, 60, true);
        assert_eq!(term.renewed(now, 60, true), Some(Term::new(now, 60, true)));
        assert_eq!(term.renewed(now, 29, true), None);
        assert_eq!(term.renewed(now, 0, false), None);
        assert_eq!(Term::new(now, 0, false).renewed(now, 0, false), Some(Term::new(now, 0, false)));
    }
}
