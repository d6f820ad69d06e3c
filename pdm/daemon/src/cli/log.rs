//! `pdm log`: read the audit log, export it as a chain, and verify an export or the log itself.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pdm_api::audit::ExportPage;
use pdm_ports::audit_chain::Verifier;
use pdm_ports::audit_store::{Checkpoint, Link};
use serde_json::{Value, json};

use super::http::Client;
use super::output;
use super::read::rows;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct Log {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// About this name.
    #[arg(long)]
    fqdn: Option<String>,
    /// By this actor.
    #[arg(long)]
    actor: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the whole log, one JSON object a line, to keep elsewhere.
    Export {
        /// The file; standard output when left out.
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Check that no entry was changed, removed or put in between, and the signatures.
    Verify {
        /// An export; the log of the daemon when left out.
        file: Option<PathBuf>,
        /// The public key that must have signed, hexadecimal; any when left out.
        #[arg(long)]
        key: Option<String>,
    },
}

/// Carry out the verb.
///
/// # Errors
/// What was refused, or the first place that does not hold.
pub async fn run(log: Log, client: &Client) -> Result<(), Failure> {
    match log.verb {
        None => show(client, log.fqdn, log.actor).await,
        Some(Verb::Export { file }) => {
            let (links, checkpoints) = fetch(client).await?;
            let lines = lines(&links, &checkpoints);
            match file {
                Some(path) => write(&path, &lines),
                None => {
                    lines.iter().for_each(|line| output::line(line));
                    Ok(())
                }
            }
        }
        Some(Verb::Verify { file, key }) => {
            let (links, checkpoints) = match file {
                Some(path) => read(&path)?,
                None => fetch(client).await?,
            };
            let mut verifier = Verifier::new(key.as_deref());
            verifier.page(&links, &checkpoints).map_err(|broken| Failure::Refused(broken.to_string()))?;
            output::line(&verifier.to_string());
            Ok(())
        }
    }
}

async fn show(client: &Client, fqdn: Option<String>, actor: Option<String>) -> Result<(), Failure> {
    let given = [("fqdn", &fqdn), ("actor", &actor)];
    let query: Vec<_> = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let body = client.get(&["audit-log"], &query).await?.body;
    let columns = [
        ("TIME", "/at"),
        ("ACTOR", "/actor"),
        ("ACTION", "/action"),
        ("NAME", "/fqdn"),
        ("RESULT", "/result"),
        ("DETAIL", "/detail"),
    ];
    rows(client, &body, &columns)
}

/// The whole chain.
pub(super) async fn fetch(client: &Client) -> Result<(Vec<Link>, Vec<Checkpoint>), Failure> {
    let (mut links, mut checkpoints): (Vec<Link>, Vec<Checkpoint>) = Default::default();
    let mut after = 0;
    loop {
        let place = after.to_string();
        let body = client.get(&["audit-log", "export"], &[("after", place.as_str())]).await?.body;
        let page: ExportPage = parsed(body)?;
        let more: Vec<Link> = page.links.into_iter().map(parsed).collect::<Result<_, _>>()?;
        let signed: Vec<Checkpoint> = page.checkpoints.into_iter().map(parsed).collect::<Result<_, _>>()?;
        checkpoints.extend(signed);
        let Some(last) = more.last() else { return Ok((links, checkpoints)) };
        after = last.place;
        links.extend(more);
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value)
        .map_err(|e| Failure::Refused(format!("this is not part of an audit log: {e}")))
}

/// An export: links and checkpoints in the order of places, each with its kind.
pub(super) fn lines(links: &[Link], checkpoints: &[Checkpoint]) -> Vec<String> {
    let mut all: Vec<(i64, u8, Value)> = links.iter().map(|l| (l.place, 0, json!({ "link": l }))).collect();
    all.extend(checkpoints.iter().map(|c| (c.place, 1, json!({ "checkpoint": c }))));
    all.sort_by_key(|(place, kind, _)| (*place, *kind));
    all.into_iter().map(|(_, _, value)| value.to_string()).collect()
}

fn write(path: &Path, lines: &[String]) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::Refused(format!("cannot write {}: {e}", path.display()));
    let mut file = std::fs::File::create(path).map_err(failed)?;
    for line in lines {
        writeln!(file, "{line}").map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    eprintln!("{} lines in {}; check them with scripts/verify-audit-log.py", lines.len(), path.display());
    Ok(())
}

fn read(path: &Path) -> Result<(Vec<Link>, Vec<Checkpoint>), Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::Refused(format!("cannot read {}: {e}", path.display())))?;
    let (mut links, mut checkpoints) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let bad = || Failure::Refused(format!("line {}: this is not part of an audit log", number + 1));
        let mut value: Value = serde_json::from_str(line).map_err(|_| bad())?;
        match (value.get_mut("link").map(Value::take), value.get_mut("checkpoint").map(Value::take)) {
            (Some(link), None) => links.push(parsed(link)?),
            (None, Some(checkpoint)) => checkpoints.push(parsed(checkpoint)?),
            _ => return Err(bad()),
        }
    }
    Ok((links, checkpoints))
}
