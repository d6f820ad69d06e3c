//! Domains that their owners bring, as a person sees them: the way, where it stands, and back; and their credentials.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::http::Client;
use super::names::{Waiting, settle};
use super::output::{self, Output, fields, text};
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The way to our nameservers with its times, or why there is none. Looks only.
    Plan {
        /// The domain.
        fqdn: String,
    },
    /// What every parent server answers, what waits for whom, and what to enter at the registrar.
    Status {
        /// The domain.
        fqdn: String,
    },
    /// Back to the nameservers from before, in the safe order; the zone goes when nobody asks it any more.
    Undo {
        /// The domain.
        fqdn: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

/// A registrar and its credential on the command line. The credential comes from a file, never from an argument.
#[derive(Debug, Args)]
pub struct Registrar {
    /// Whose API edits the parent; see `pdm registrars`.
    #[arg(long, value_name = "ID", requires = "credential")]
    registrar: Option<String>,
    /// registry-apex or hosted-parent; by the name when left out.
    #[arg(long, value_name = "MODE", requires = "registrar")]
    registrar_mode: Option<String>,
    /// The code of a risk that is accepted; repeat for several.
    #[arg(long, value_name = "CODE", requires = "registrar")]
    accept: Vec<String>,
    /// A file with the credential: a JSON object, or lines of `field = value`.
    #[arg(long, value_name = "FILE", requires = "registrar")]
    credential: Option<PathBuf>,
}

impl Registrar {
    /// As the body of a request names it; none when none was given.
    ///
    /// # Errors
    /// A file that is no credential.
    pub fn body(&self) -> Result<Option<Value>, Failure> {
        let (Some(id), Some(file)) = (&self.registrar, &self.credential) else { return Ok(None) };
        let mut body = Map::from_iter([
            ("id".to_owned(), Value::from(id.as_str())),
            ("credential".to_owned(), read_credential(file)?),
        ]);
        body.extend(self.registrar_mode.as_ref().map(|mode| ("mode".to_owned(), Value::from(mode.as_str()))));
        if !self.accept.is_empty() {
            body.insert("accept".to_owned(), Value::from(self.accept.clone()));
        }
        Ok(Some(Value::Object(body)))
    }
}

/// The fields in a credential file.
///
/// # Errors
/// A file that cannot be read or is no credential; its content is never shown.
pub fn read_credential(file: &Path) -> Result<Value, Failure> {
    let failed = |why: &str| Failure::Usage(format!("{}: {why}", file.display()));
    let content = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|e| failed(&e.to_string()))?;
    if content.trim_start().starts_with('{') {
        return serde_json::from_str(&content).map_err(|_| failed("this is no JSON object of texts"));
    }
    let mut all = Map::new();
    for line in content.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (name, value) =
            line.split_once('=').ok_or_else(|| failed("write each line as `field = value`"))?;
        all.insert(name.trim().to_owned(), Value::from(value.trim().trim_matches('"')));
    }
    Ok(Value::Object(all))
}

/// Carry out a verb.
///
/// # Errors
/// What was refused.
pub async fn run(verb: Verb, client: &Client) -> Result<(), Failure> {
    match verb {
        Verb::Plan { fqdn } => {
            let body = client.call(Method::POST, &["validate"], &json!({ "domain": fqdn })).await?.body;
            plan(client, &body)
        }
        Verb::Status { fqdn } => {
            let body = client.get(&["allocations", &fqdn], &[]).await?.body;
            status(client, &body);
            Ok(())
        }
        Verb::Undo { fqdn, waiting } => {
            let answer = client.call(Method::POST, &["release"], &json!({ "fqdn": fqdn })).await?;
            settle(client, &fqdn, answer, &waiting).await
        }
    }
}

fn plan(client: &Client, body: &Value) -> Result<(), Failure> {
    if client.output == Output::Json {
        output::json(body);
    } else {
        fields(&[
            ("name", text(body, "/name")),
            ("registered domain", text(body, "/domain/registeredDomain")),
            ("parent", text(body, "/domain/parentZone")),
            ("nameservers now", text(body, "/domain/ns")),
            ("DS now", text(body, "/domain/ds")),
            ("DNSSEC", text(body, "/domain/dnssec")),
            ("mail", text(body, "/domain/mail")),
        ]);
        stages(body.pointer("/domain/plan"));
    }
    match body.pointer("/domain/refused/detail").and_then(Value::as_str) {
        Some(why) => Err(Failure::Refused(why.to_owned())),
        None => Ok(()),
    }
}

fn stages(plan: Option<&Value>) {
    let stages = plan.and_then(|p| p.get("stages")).and_then(Value::as_array);
    for stage in stages.into_iter().flatten() {
        output::line(&format!(
            "{}  {:<12} {}",
            text(stage, "/at"),
            text(stage, "/stage"),
            text(stage, "/detail")
        ));
    }
}

fn status(client: &Client, body: &Value) {
    if client.output == Output::Json {
        output::json(body);
        return;
    }
    fields(&[
        ("name", text(body, "/fqdn")),
        ("mode", text(body, "/mode")),
        ("phase", text(body, "/phase")),
        ("publish", text(body, "/ownership/name")),
        ("as TXT", text(body, "/ownership/value")),
        ("or delegate to", text(body, "/ownership/nameservers")),
        ("parent", text(body, "/brought/parentZone")),
        ("looked at", text(body, "/brought/lookedAt")),
        ("before", text(body, "/brought/previous/ns/0")),
    ]);
    for parent in body.pointer("/brought/parents").and_then(Value::as_array).into_iter().flatten() {
        let (server, ns, ds) = (text(parent, "/server"), text(parent, "/ns/0"), text(parent, "/ds/0"));
        output::line(&format!("{server}  NS {ns}  DS {ds}"));
    }
    stages(body.pointer("/brought/plan"));
    for step in body.pointer("/operation/steps").and_then(Value::as_array).into_iter().flatten() {
        if let Some(wait) = step.get("waitReason").filter(|w| !w.is_null()) {
            output::line(&format!(
                "waits: {} ({}) until {}",
                text(wait, "/detail"),
                text(wait, "/who"),
                text(wait, "/until")
            ));
        }
    }
    for line in body.pointer("/brought/instruction/lines").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!("  {}", line.as_str().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_in_both_forms_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let read = |content: &str| {
            let file = dir.path().join("c");
            std::fs::write(&file, content).unwrap();
            read_credential(&file)
        };
        let expected = json!({ "token": "abc", "user": "x=y" });
        assert_eq!(read(r#"{"token": "abc", "user": "x=y"}"#).unwrap(), expected);
        assert_eq!(read("# mine\ntoken = \"abc\"\nuser=x=y\n").unwrap(), expected);
        for bad in ["{hunter2", "hunter2"] {
            let Failure::Usage(text) = read(bad).unwrap_err() else { panic!() };
            assert!(!text.contains("hunter2"));
        }
    }
}
