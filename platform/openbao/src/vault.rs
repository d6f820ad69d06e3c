//! The engine's fields, behind a login that stays alive.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};
use zeroize::Zeroizing;

use crate::call::{Answer, Caller, parse, refuse};
use crate::place::Place;
use crate::session::{Session, log_in, renew};
use crate::settings::{Login, Settings};

/// Between two tries to renew, at first.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Fields of one secret.
pub type Fields = BTreeMap<String, Zeroizing<String>>;

/// The text of a field; none when it is something else.
struct Text(Option<Zeroizing<String>>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(text) => Some(Zeroizing::new(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }))
    }
}

/// One server.
pub struct OpenBao {
    settings: Settings,
    /// Held over a login, so that many callers make one.
    session: Mutex<Option<Arc<Session>>>,
}

impl OpenBao {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// An address that secrets may not travel to, or certificates that make no sense.
    pub fn new(settings: Settings) -> Result<Self, Fault> {
        match Caller::new(&settings) {
            // A file that is not there yet may come.
            Err(fault) if fault.class != Class::Transient => Err(fault),
            Ok(_) | Err(_) => Ok(Self { settings, session: Mutex::default() }),
        }
    }

    /// One field.
    ///
    /// # Errors
    /// `openbao-missing` with the place; `openbao-forbidden`; or what keeps the server from answering.
    pub async fn read(&self, place: &Place) -> Result<Zeroizing<String>, Fault> {
        let missing = || refuse("openbao-missing", format!("there is no text at {place} in OpenBao"));
        let mut fields = self.read_all(&place.mount, &place.path).await?.ok_or_else(missing)?;
        fields.remove(&place.field).ok_or_else(missing)
    }

    /// Every field that is text; none when the secret is not there, or its newest version was deleted.
    ///
    /// # Errors
    /// What keeps the server from answering.
    pub async fn read_all(&self, mount: &str, path: &str) -> Result<Option<Fields>, Fault> {
        #[derive(Deserialize)]
        struct Read {
            data: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            data: Option<BTreeMap<String, Text>>,
        }
        let answer = match self.ask("read", Method::GET, &format!("{mount}/data/{path}"), None).await {
            Err(fault) if fault.code == "openbao-missing" => return Ok(None),
            Err(mut fault) => {
                fault.detail = format!("{mount}/{path}: {}", fault.detail);
                return Err(fault);
            }
            Ok(answer) => answer,
        };
        let read: Read = parse("read", &answer)?;
        let texts = |all: BTreeMap<String, Text>| {
            all.into_iter().filter_map(|(name, text)| Some((name, text.0?))).collect()
        };
        Ok(read.data.data.map(texts))
    }

    /// Write a new version with these fields and no others.
    ///
    /// # Errors
    /// What keeps the server from doing so.
    pub async fn write(&self, mount: &str, path: &str, fields: &Fields) -> Result<(), Fault> {
        let plain: BTreeMap<&str, &str> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let body = json!({ "data": plain });
        self.ask("write", Method::POST, &format!("{mount}/data/{path}"), Some(&body)).await.map(drop)
    }

    /// Remove a secret in all its versions.
    ///
    /// # Errors
    /// What keeps the server from doing so.
    pub async fn remove(&self, mount: &str, path: &str) -> Result<(), Fault> {
        match self.ask("removal", Method::DELETE, &format!("{mount}/metadata/{path}"), None).await {
            Err(fault) if fault.code == "openbao-missing" => Ok(()),
            other => other.map(drop),
        }
    }

    /// Keep the login alive until `stop`, then give it back.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE;
        while !*stop.borrow() {
            let wait = match self.keep_alive(Instant::now()).await {
                Ok(wait) => {
                    pause = PAUSE;
                    wait
                }
                Err(fault) => {
                    tracing::warn!(%fault, "the login at OpenBao could not be kept alive");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => {}
            }
        }
        self.give_back().await;
    }

    /// Renew or replace what is due; how long nothing will be.
    async fn keep_alive(&self, now: Instant) -> Result<Duration, Fault> {
        let session = self.session().await?;
        match session.term.due() {
            None => Ok(LONGEST_PAUSE),
            // No longer than that, because another caller may have logged in meanwhile.
            Some(due) if due > now => Ok((due - now).min(LONGEST_PAUSE)),
            Some(_) => {
                let longer = if session.term.can_be_renewed() { renew(&session).await } else { Ok(None) };
                let mut held = self.session.lock().await;
                let Some(mine) = held.take_if(|held| Arc::ptr_eq(held, &session)) else { return Ok(PAUSE) };
                match longer {
                    Ok(Some(term)) => *held = Some(Arc::new(mine.lasting(term))),
                    // Not there any more, or at its own end: another one, by logging in.
                    Ok(None) => *held = Some(Arc::new(log_in(&self.settings).await?)),
                    Err(fault) if fault.class == Class::Transient => {
                        *held = Some(mine);
                        return Err(fault);
                    }
                    Err(fault) => {
                        tracing::info!(%fault, "the token was not renewed: logging in again");
                        *held = Some(Arc::new(log_in(&self.settings).await?));
                    }
                }
                Ok(PAUSE)
            }
        }
    }

    /// What a login left behind ends with us. A token that was given is not ours to end.
    async fn give_back(&self) {
        let given = matches!(self.settings.login, Login::Token(_) | Login::TokenFile(_));
        let Some(session) = self.session.lock().await.take().filter(|_| !given) else { return };
        let path = "auth/token/revoke-self";
        let token = Some(&*session.token);
        if let Err(fault) =
            session.caller.call("token revocation", Method::POST, path, token, None, &[]).await
        {
            tracing::debug!(%fault, "the token ends by itself");
        }
    }

    /// One call under the login; a token that is refused is replaced once.
    async fn ask(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let mut session = self.session().await?;
        let outcome = session.caller.call(what, method.clone(), path, Some(&session.token), body, &[]).await;
        match outcome {
            Err(fault) if fault.code == "openbao-forbidden" && session.term.is_suspect(Instant::now()) => {
                self.session.lock().await.take_if(|held| Arc::ptr_eq(held, &session));
                session = self.session().await?;
                session.caller.call(what, method, path, Some(&session.token), body, &[]).await
            }
            other => other,
        }
    }

    async fn session(&self) -> Result<Arc<Session>, Fault> {
        let mut held = self.session.lock().await;
        if let Some(session) = held.as_ref().filter(|session| !session.term.over(Instant::now())) {
            return Ok(session.clone());
        }
        let session = Arc::new(log_in(&self.settings).await?);
        *held = Some(session.clone());
        Ok(session)
    }
}

impl fmt::Debug for OpenBao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}
