//! Authorization code with PKCE (RFC 6749, 7636, 9700), as the port wants it.
//!
//! What binds the way back to the way out: `state` (this browser), the PKCE verifier (this code), `nonce` (this ID
//! token) and, where the issuer says so, `iss` (this issuer, RFC 9207). All are fresh for each sign-in.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pdm_ports::sign_in::{Pending, Returned, Session};
use pdm_ports::{Class, Fault, SignIn};
use reqwest::Url;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::fetch;
use crate::provider::Provider;
use crate::token::Kind;

/// Who PDM is at the issuer.
#[derive(Clone)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; a public client has none.
    pub secret: Option<Zeroizing<String>>,
    /// Scopes, by spaces; `openid` is among them.
    pub scope: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
    expires_in: Option<u64>,
}

fn over(code: &'static str, detail: impl Into<String>) -> Fault {
    Fault::new(Class::Rejected, code, detail)
}

fn fresh() -> Result<String, Fault> {
    let mut octets = [0; 32];
    let failed = |_| Fault::new(Class::Bug, "random", "the system gives no random numbers");
    SystemRandom::new().fill(&mut octets).map_err(failed)?;
    Ok(URL_SAFE_NO_PAD.encode(octets))
}

impl Provider {
    fn client(&self) -> Result<&Client, Fault> {
        let none = || Fault::new(Class::Unsupported, "sign-in", "no oidc.client_id is configured");
        self.settings.client.as_ref().ok_or_else(none)
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Answer, Fault> {
        let client = self.client()?;
        let address = self.endpoints().await?.token;
        let address = address.ok_or_else(|| over("oidc-garbage", "the issuer names no token endpoint"))?;
        let mut form = form.to_vec();
        let mut request = self.http.post(address);
        match &client.secret {
            Some(secret) => request = request.basic_auth(escape(&client.id), Some(escape(secret))),
            None => form.push(("client_id", &client.id)),
        }
        let body = Url::parse_with_params("form:", &form).ok();
        let body = body.and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = fetch::json::<Answer>("the token endpoint", request).await?.body;
        if answer.token_type.eq_ignore_ascii_case("bearer") {
            return Ok(answer);
        }
        Err(over("oidc-garbage", "the token endpoint answered something else than a bearer token"))
    }
}

impl Answer {
    fn session(self) -> Session {
        Session {
            access_token: Zeroizing::new(self.access_token),
            refresh_token: self.refresh_token.map(Zeroizing::new),
            id_token: self.id_token.map(Zeroizing::new),
            lasts: Duration::from_secs(self.expires_in.unwrap_or(60)),
        }
    }
}

/// Id and secret are form-encoded before they are put into the header (RFC 6749 2.3.1).
fn escape(text: &str) -> String {
    let url = Url::parse_with_params("form:", [("", text)]).ok();
    let query = url.as_ref().and_then(Url::query).unwrap_or_default();
    query.trim_start_matches('=').to_owned()
}

#[async_trait]
impl SignIn for Provider {
    async fn begin(&self, redirect: &str) -> Result<(String, Pending), Fault> {
        let client = self.client()?;
        let address = self.endpoints().await?.authorization;
        let mut address = address.ok_or_else(|| over("oidc-garbage", "the issuer has no page to sign in"))?;
        let pending =
            Pending { state: fresh()?, nonce: fresh()?, verifier: fresh()?, redirect: redirect.to_owned() };
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, pending.verifier.as_bytes()));
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client.id.as_str()),
            ("redirect_uri", redirect),
            ("scope", client.scope.as_str()),
            ("state", pending.state.as_str()),
            ("nonce", pending.nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            // The audience of the access token, where the issuer goes by RFC 8707; others ignore it.
            ("resource", self.settings.audience.as_str()),
        ]);
        Ok((address.into(), pending))
    }

    async fn finish(&self, pending: &Pending, returned: &Returned) -> Result<Session, Fault> {
        if pending.state.len() < 32 || returned.state != pending.state {
            return Err(over("sign-in-state", "the answer does not belong to a sign-in of this browser"));
        }
        let endpoints = self.endpoints().await?;
        let issuer = &self.settings.issuer;
        let named = returned.iss.as_ref();
        if named.is_some_and(|iss| iss != issuer) || (endpoints.names_issuer && named.is_none()) {
            return Err(over("sign-in-issuer", "the answer comes from another issuer"));
        }
        let Some(code) = returned.code.as_deref().filter(|_| returned.error.is_none()) else {
            return Err(over("sign-in-refused", "the issuer gave no code"));
        };
        let answer = self
            .tokens(&[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &pending.redirect),
                ("code_verifier", &pending.verifier),
                ("resource", &self.settings.audience),
            ])
            .await?;
        let id_token =
            answer.id_token.as_ref().ok_or_else(|| over("oidc-garbage", "there is no ID token"))?;
        let kind = Kind::Id { nonce: &pending.nonce };
        let client = self.client()?;
        let mut checked = self.check(id_token, &client.id, kind);
        if checked.is_err() && self.learn(id_token).await {
            checked = self.check(id_token, &client.id, kind);
        }
        let refused = |refused| over("sign-in-token", format!("the ID token is not accepted: {refused}"));
        checked.map_err(refused)?;
        Ok(answer.session())
    }

    async fn renew(&self, refresh_token: &str) -> Result<Session, Fault> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("resource", &self.settings.audience),
        ];
        Ok(self.tokens(&form).await?.session())
    }

    async fn end(&self, id_token: Option<&str>, back: &str) -> Result<Option<String>, Fault> {
        let client = self.client()?;
        let Some(mut address) = self.endpoints().await?.end_session else { return Ok(None) };
        {
            let mut query = address.query_pairs_mut();
            query.append_pair("client_id", &client.id).append_pair("post_logout_redirect_uri", back);
            if let Some(token) = id_token {
                query.append_pair("id_token_hint", token);
            }
        }
        Ok(Some(address.into()))
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn credentials_are_form_encoded() {
        assert_eq!(escape("a b:c/ä"), "a+b%3Ac%2F%C3%A4");
        assert_eq!(fresh().unwrap().len(), 43);
        assert_ne!(fresh().unwrap(), fresh().unwrap());
    }
}
