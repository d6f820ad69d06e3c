//! `pdm carry-over`: the records that move with a domain.

use std::path::PathBuf;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::http::Client;
use super::output::{self, Output};
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show what was carried over, what differs, and what keeps the nameservers from moving.
    Show {
        /// The full name.
        fqdn: String,
    },
    /// Read the old zone again: by transfer, or by asking for usual names.
    Gather {
        /// The full name.
        fqdn: String,
    },
    /// Take the old zone from a file.
    Upload {
        /// The full name.
        fqdn: String,
        /// A zone file (RFC 1035).
        file: PathBuf,
    },
    /// Let names differ, by name; say who gets the names that both want.
    Waive(Waive),
}

/// Decisions.
#[derive(Debug, clap::Args)]
pub struct Waive {
    /// The full name.
    fqdn: String,
    /// Names that may differ; `@` is the apex.
    names: Vec<String>,
    /// Names that go to the load balancers.
    #[arg(long)]
    take: Vec<String>,
    /// Names that keep their old answers.
    #[arg(long)]
    keep: Vec<String>,
    /// The old zone may have more records than were found.
    #[arg(long)]
    accept_incomplete: bool,
}

/// Carry out a verb.
///
/// # Errors
/// What was refused, or a file that cannot be read.
pub async fn run(verb: Verb, client: &Client) -> Result<(), Failure> {
    let post = async |fqdn: &str, more: &[&str], body: Value| {
        let path = [&["allocations", fqdn, "carry-over"], more].concat();
        client.call(Method::POST, &path, &body).await
    };
    let answer = match verb {
        Verb::Show { fqdn } => client.get(&["allocations", &fqdn, "carry-over"], &[]).await?,
        Verb::Gather { fqdn } => post(&fqdn, &[], json!({})).await?,
        Verb::Upload { fqdn, file } => {
            let text = std::fs::read_to_string(&file)
                .map_err(|e| Failure::Usage(format!("cannot read {}: {e}", file.display())))?;
            post(&fqdn, &[], json!({ "zoneFile": text })).await?
        }
        Verb::Waive(w) => {
            let body = json!({ "names": w.names, "take": w.take, "keep": w.keep,
                "acceptIncomplete": w.accept_incomplete });
            post(&w.fqdn, &["waive"], body).await?
        }
    };
    match client.output {
        Output::Json => output::json(&answer.body),
        Output::Table | Output::Html => table(&answer.body),
    }
    Ok(())
}

/// A list of an answer: its title, where it is, and what is shown of each entry under which heading.
type Part<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn table(body: &Value) {
    let complete =
        if body["complete"] == true { "" } else { ", INCOMPLETE: only usual names were asked for" };
    output::fields(&[
        ("name", output::text(body, "/fqdn")),
        ("source", format!("{}{complete}", output::text(body, "/source"))),
        ("gathered", output::text(body, "/gatheredAt")),
        ("record sets", output::text(body, "/recordSets")),
        ("left out", output::text(body, "/leftOutCounts")),
        ("waived", output::text(body, "/waived")),
    ]);
    let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let parts: [Part<'_>; 4] = [
        (
            "names that both want",
            "conflicts",
            &[("NAME", "/owner"), ("DECISION", "/choice"), ("BY DEFAULT", "/byDefault")],
        ),
        ("not taken over", "leftOut", &[("NAME", "/owner"), ("TYPE", "/type"), ("WHY", "/reason")]),
        (
            "compared",
            "compared",
            &[
                ("NAME", "/owner"),
                ("TYPE", "/type"),
                ("VERDICT", "/verdict"),
                ("OLD", "/old"),
                ("OURS", "/ours"),
            ],
        ),
        (
            "keeps the nameservers from moving",
            "locked",
            &[("NAME", "/owner"), ("TYPE", "/type"), ("WHY", "/why")],
        ),
    ];
    for (title, member, columns) in parts {
        let rows = list(member);
        if !rows.is_empty() {
            output::line(&format!("\n{title}"));
            output::table(columns, &rows);
        }
    }
}
