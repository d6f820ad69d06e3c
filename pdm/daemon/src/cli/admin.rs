//! What an admin does: freeze, thaw, suspend, resume, owner.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::http::Client;
use super::names::show;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Stop every write to PowerDNS and parents; reads go on.
    Freeze {
        /// Only this pool.
        #[arg(long)]
        pool: Option<String>,
    },
    /// End a freeze.
    Thaw {
        /// Only this pool.
        #[arg(long)]
        pool: Option<String>,
    },
    /// Take a name's addresses out and keep the name, against abuse.
    Suspend {
        /// The full name.
        fqdn: String,
        /// Why; goes into the audit log.
        #[arg(long)]
        reason: String,
    },
    /// End a suspension.
    Resume {
        /// The full name.
        fqdn: String,
        /// Why; goes into the audit log.
        #[arg(long, default_value = "resumed")]
        reason: String,
    },
    /// Give a name to another owner.
    Owner {
        /// The full name.
        fqdn: String,
        /// The new owner.
        owner: String,
    },
}

/// Carry out a verb.
///
/// # Errors
/// What was refused.
pub async fn run(verb: Verb, client: &Client) -> Result<(), Failure> {
    let (path, body) = match &verb {
        Verb::Freeze { pool } => (vec!["freeze"], scope(pool.as_deref())),
        Verb::Thaw { pool } => (vec!["thaw"], scope(pool.as_deref())),
        Verb::Suspend { fqdn, reason } => (vec!["allocations", fqdn, "suspend"], json!({ "reason": reason })),
        Verb::Resume { fqdn, reason } => (vec!["allocations", fqdn, "resume"], json!({ "reason": reason })),
        Verb::Owner { fqdn, owner } => (vec!["allocations", fqdn, "owner"], json!({ "owner": owner })),
    };
    show(client, client.call(Method::POST, &path, &body).await?.body)
}

fn scope(pool: Option<&str>) -> serde_json::Value {
    pool.map_or_else(|| json!({}), |pool| json!({ "poolDomain": pool }))
}
