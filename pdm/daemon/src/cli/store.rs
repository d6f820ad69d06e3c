//! `pdm store`: works on the database itself. With SQLite the daemon must be stopped, and its lock says so.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pdm_ports::Store as _;
use pdm_store::SqlStore;
use serde_json::json;

use super::output::{self, Output, fields};
use super::settings;
use crate::compose::Daemon;
use crate::config::Log;
use crate::failure::Failure;
use crate::telemetry;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Bring the schema up to date.
    Migrate(File),
    /// Open the store, look at its schema and count what is in it.
    Check(File),
    /// Put back what only the DNS remembers, after the store was restored from an older copy.
    Recover(File),
    /// Copy everything into an empty store. Stop the daemons first.
    Copy {
        #[command(flatten)]
        file: File,
        /// The other store: sqlite:PATH, postgres://..., or env:NAME for an address with a password.
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

#[derive(Debug, Args)]
pub struct File {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Carry out a verb.
///
/// # Errors
/// What the store says.
pub async fn run(verb: Verb, form: Output) -> Result<(), Failure> {
    telemetry::start(
        &Log { json: false, level: "warn".into() },
        None,
        &tokio::sync::watch::channel(false).1,
    )?;
    match verb {
        Verb::Migrate(file) => {
            let config = settings::read(&file.config).await?;
            let version = pdm_store::migrate(&config.store.url).await?;
            output::line(&format!("the schema has version {version}"));
        }
        Verb::Check(file) => check(&file, form).await?,
        Verb::Recover(file) => {
            let config = settings::read(&file.config).await?;
            let recovered = Daemon::build(&config).await?.recover().await?;
            tell(&recovered);
            if !recovered.orphans.is_empty() {
                return Err(Failure::refused("some zones need a look by the operator"));
            }
        }
        Verb::Copy { file, to } => {
            let config = settings::read(&file.config).await?;
            let to = match to.strip_prefix("env:") {
                Some(name) => {
                    std::env::var(name).map_err(|_| Failure::Usage(format!("{name} is not set")))?
                }
                None => to,
            };
            for (table, rows) in pdm_store::copy(&config.store.url, &to).await? {
                output::line(&format!("{table}: {rows}"));
            }
        }
    }
    Ok(())
}

/// Say what a recovery did.
pub fn tell(recovered: &pdm_engine::Recovered) {
    output::line(&format!("{} names were put back or brought forward", recovered.restored));
    for zone in &recovered.orphans {
        output::line(&format!("{zone} carries our mark but could not be read back; nothing was changed"));
    }
}

async fn check(file: &File, form: Output) -> Result<(), Failure> {
    let config = settings::read(&file.config).await?;
    let store = SqlStore::open(&config.store.url, false).await?;
    let (id, now, mark) = (store.store_id().await?, store.now().await?, store.mark().await?);
    let (counts, queue, freezes) = (store.counts().await?, store.queue().await?, store.freezes().await?);
    store.close().await;
    let open: u64 = queue.open.iter().map(|(_, n)| n).sum();
    let counts: Vec<_> =
        counts.iter().map(|c| (format!("{} {}", c.pool, c.phase.as_str()), c.count)).collect();
    if form == Output::Json {
        let counts: serde_json::Map<_, _> = counts.into_iter().map(|(what, n)| (what, n.into())).collect();
        output::json(&json!({
            "storeId": id, "schemaVersion": pdm_store::SCHEMA_VERSION, "now": now, "mark": mark,
            "openOperations": open, "waiting": queue.waiting, "freezes": freezes.len(), "counts": counts,
        }));
        return Ok(());
    }
    fields(&[
        ("store", id),
        ("schema", pdm_store::SCHEMA_VERSION.to_string()),
        ("time", now.to_string()),
        ("last operation", mark.to_string()),
        ("open operations", format!("{open}, {} waiting", queue.waiting)),
        ("freezes", freezes.len().to_string()),
    ]);
    for (what, n) in counts {
        output::line(&format!("{what}: {n}"));
    }
    Ok(())
}
