//! `pdm dnssec`: how keys stand, rolls, holds, policies, the inventory.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::http::Client;
use super::names::{Waiting, settle};
use super::output::{self, Output, fields, items, table, text};
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Keys, policy and roll of a name or a pool, and what it waits for.
    Status {
        /// The full name, or the pool.
        fqdn: String,
    },
    /// Replace keys: zsk, ksk, ksk-double-ds, csk, algorithm, split, join, emergency, tidy, insecure, secure.
    Roll {
        /// The full name, or the pool.
        fqdn: String,
        /// Which keys, and how.
        #[arg(long)]
        kind: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Stop rolls of a name or a pool where they are; with --off let them go on.
    Hold {
        /// The full name, or the pool.
        fqdn: String,
        /// Let them go on.
        #[arg(long)]
        off: bool,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Give a name a key policy of its own, or its pool's again.
    Policy {
        /// The full name.
        fqdn: String,
        /// As in the configuration: layout=csk algorithm=13 kskLifetime=31536000 digest=sha-384 denial=nsec3 cds=true.
        settings: Vec<String>,
        /// The pool's policy again.
        #[arg(long, conflicts_with = "settings")]
        pool: bool,
    },
    /// Every zone's keys as PowerDNS holds them, beside DS and store; ends with 1 when something is wrong.
    Inventory {
        /// Only this pool and its names.
        #[arg(long)]
        pool: Option<String>,
    },
}

/// Carry out a verb.
///
/// # Errors
/// What was refused, or that something is wrong.
pub async fn run(verb: Verb, client: &Client) -> Result<(), Failure> {
    match verb {
        Verb::Status { fqdn } => {
            show(client, &client.get(&["allocations", &fqdn, "keys"], &[]).await?.body);
            Ok(())
        }
        Verb::Roll { fqdn, kind, reason, waiting } => {
            let body = json!({ "kind": kind, "reason": reason });
            let answer = client.call(Method::POST, &["allocations", &fqdn, "keys", "roll"], &body).await?;
            if answer.body.get("policy").is_none() {
                return settle(client, &fqdn, answer, &waiting).await;
            }
            // A pool's own roll has no operation; `status` follows it.
            show(client, &answer.body);
            Ok(())
        }
        Verb::Hold { fqdn, off, reason } => {
            let body = json!({ "hold": !off, "reason": reason });
            let path = ["allocations", fqdn.as_str(), "keys", "hold"];
            show(client, &client.call(Method::POST, &path, &body).await?.body);
            Ok(())
        }
        Verb::Policy { fqdn, settings, pool } => {
            let policy = if pool { Value::Null } else { policy(&settings)? };
            let path = ["allocations", fqdn.as_str(), "keys", "policy"];
            show(client, &client.call(Method::PUT, &path, &json!({ "policy": policy })).await?.body);
            Ok(())
        }
        Verb::Inventory { pool } => inventory(client, pool.as_deref()).await,
    }
}

/// `name=value` words as JSON: numbers and truth values as such.
fn policy(settings: &[String]) -> Result<Value, Failure> {
    let mut map = Map::new();
    for setting in settings {
        let wrong = || Failure::Usage(format!("{setting:?} is not NAME=VALUE"));
        let (name, value) = setting.split_once('=').ok_or_else(wrong)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        map.insert(name.to_owned(), value);
    }
    Ok(Value::Object(map))
}

const KEY_COLUMNS: [(&str, &str); 6] = [
    ("TAG", "/tag"),
    ("ALGORITHM", "/algorithm"),
    ("ROLE", "/role"),
    ("SIGNS", "/active"),
    ("PUBLISHED", "/published"),
    ("SINCE", "/since"),
];

fn show(client: &Client, body: &Value) {
    if client.output == Output::Json {
        output::json(body);
        return;
    }
    let wait = body.pointer("/waits").map_or(String::new(), |_| {
        format!("{} (who must act: {})", text(body, "/waits/detail"), text(body, "/waits/who"))
    });
    fields(&[
        ("name", text(body, "/fqdn")),
        ("policy", text(body, "/policy")),
        ("roll", text(body, "/roll")),
        ("waits for", wait),
        ("held", text(body, "/hold")),
        ("asked for", text(body, "/asked")),
        ("last roll", text(body, "/last")),
        ("DS wanted", text(body, "/ds")),
        ("DS at the parent", text(body, "/parentDs")),
        ("which is", text(body, "/atParent/standing")),
        ("because", text(body, "/atParent/detail")),
        ("told the parent", text(body, "/announced/heard")),
        ("signatures until", text(body, "/signaturesUntil")),
    ]);
    let keys = body.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    output::line("");
    table(&[KEY_COLUMNS[0], KEY_COLUMNS[1], KEY_COLUMNS[2], KEY_COLUMNS[5], ("DS", "/ds")], &keys);
}

async fn inventory(client: &Client, pool: Option<&str>) -> Result<(), Failure> {
    let query: Vec<_> = pool.iter().map(|pool| ("poolDomain", *pool)).collect();
    let body = client.get(&["dnssec", "inventory"], &query).await?.body;
    let zones = items(&body);
    let wrong = |zone: &Value| zone.get("findings").and_then(Value::as_array).is_some_and(|f| !f.is_empty());
    if client.output == Output::Json {
        output::json(&body);
    } else {
        for zone in &zones {
            fields(&[
                ("zone", text(zone, "/zone")),
                ("roll", text(zone, "/roll")),
                ("DS wanted", text(zone, "/ds")),
                ("DS at the parent", text(zone, "/parentDs")),
                ("wrong", text(zone, "/findings")),
            ]);
            let keys = zone.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
            table(&KEY_COLUMNS, &keys);
            output::line("");
        }
    }
    let bad = zones.iter().filter(|zone| wrong(zone)).count();
    if bad == 0 {
        Ok(())
    } else {
        Err(Failure::Refused(format!("{bad} of {} zones have findings", zones.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_json() {
        let words = ["layout=csk".to_owned(), "algorithm=15".to_owned(), "cds=true".to_owned()];
        assert_eq!(policy(&words).unwrap(), json!({ "layout": "csk", "algorithm": 15, "cds": true }));
        assert!(policy(&["layout".to_owned()]).is_err());
    }
}
