//! `pdm config`: check a file, show an example or the schema.

use std::path::PathBuf;

use clap::Subcommand;

use super::output;
use crate::config::{self, document};
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Read a file with the environment on top and name everything that is wrong.
    Check {
        /// The file.
        #[arg(value_name = "FILE", required_unless_present = "config")]
        file: Option<PathBuf>,
        /// The same, as `pdm serve` takes it.
        #[arg(long, conflicts_with = "file")]
        config: Option<PathBuf>,
    },
    /// A commented file with every key.
    Example,
    /// JSON Schema of the file.
    Schema,
}

/// Carry out a verb.
///
/// # Errors
/// What is wrong with the file.
pub async fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Check { file, config } => {
            let file = file.or(config).unwrap_or_default();
            let config = read(&file).await?;
            output::line(&format!(
                "{} is good: {} pools, {} PowerDNS instances",
                file.display(),
                config.pools.len(),
                config.powerdns.len()
            ));
        }
        Verb::Example => output::line(document::example().trim_end()),
        Verb::Schema => output::json(&document::schema()),
    }
    Ok(())
}

/// Read a configuration, telling every problem.
///
/// # Errors
/// All that is wrong, one a line.
pub async fn read(file: &std::path::Path) -> Result<config::Config, Failure> {
    config::load(file).await.map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("  {p}")).collect();
        Failure::Refused(format!("{} has {} problems:\n{}", file.display(), lines.len(), lines.join("\n")))
    })
}
