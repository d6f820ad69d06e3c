//! `pdm credentials`: works on the store itself. With SQLite the daemon must be stopped, and its lock says so.

use std::path::PathBuf;

use clap::Subcommand;
use pdm_ports::Store as _;
use pdm_store::SqlStore;

use super::output;
use super::settings;
use crate::compose;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Seal every stored credential with credentials.key, and move it to where credentials belong;
    /// credentials.previous_key opens what was sealed before.
    Rekey {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Carry out a verb. It may be repeated: what is sealed with the new key already stays.
///
/// # Errors
/// What the store says, or a credential that no key opens.
pub async fn run(verb: Verb) -> Result<(), Failure> {
    let Verb::Rekey { config } = verb;
    let config = settings::read(&config).await?;
    if config.credentials.keys.0.is_empty() && config.credentials.shelf.is_none() {
        return Err(Failure::Refused("credentials.key is not configured: nothing is stored".to_owned()));
    }
    let vault = compose::vault(&config)?;
    let store = SqlStore::open(&config.store.url, false).await?;
    let (mut sealed, mut kept) = (0, 0);
    for credential in store.credentials().await? {
        match vault.again(&credential).await? {
            Some(again) => {
                store.put_credential(&again).await?;
                sealed += 1;
            }
            None => kept += 1,
        }
    }
    output::line(&format!("sealed anew: {sealed}; already as they should be: {kept}"));
    Ok(())
}
