//! `pdm controller`: names that are declared as Kubernetes resources are made, and their status is written back.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pdm_kubernetes::{Api, Controller, Place, Settings};

use super::http::Client;
use crate::config::{Log, duration};
use crate::failure::Failure;
use crate::{clock, compose, telemetry};

#[derive(Debug, Args)]
pub struct Verb {
    /// Kubernetes' API, for example of `kubectl proxy`; that of the cluster around this pod when left out.
    #[arg(long, value_name = "URL")]
    kubernetes: Option<String>,
    /// Authorities of its certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "kubernetes")]
    kubernetes_ca: Option<PathBuf>,
    /// A token for it, read again for each request.
    #[arg(long, value_name = "FILE", requires = "kubernetes")]
    kubernetes_token: Option<PathBuf>,
    /// Only resources of this namespace.
    #[arg(long)]
    namespace: Option<String>,
    /// Take names over that were made some other way, once they are declared.
    #[arg(long)]
    adopt: bool,
    /// How often everything is looked at.
    #[arg(long, default_value = "5m", value_parser = duration::parse)]
    round: Duration,
}

/// Until a signal.
///
/// # Errors
/// Kubernetes' API cannot be reached at all, by what is configured.
pub async fn run(verb: Verb, client: &Client) -> Result<(), Failure> {
    let place = match verb.kubernetes {
        Some(url) => Place { url, authorities: verb.kubernetes_ca, token: verb.kubernetes_token },
        None => Place::in_cluster(|name| std::env::var(name).ok()).map_err(usage)?,
    };
    let api = Api::new(&place).map_err(usage)?;
    let stop = compose::stop_on_signals()?;
    telemetry::start(&Log { json: false, level: "info".to_owned() }, None, &stop)?;
    let settings = Settings {
        namespace: verb.namespace,
        adopt: verb.adopt,
        round: verb.round,
        seconds: |text| duration::parse(text).ok().map(|d| d.as_secs()),
        now: clock::host_now,
    };
    Controller::new(api, client.daemon().clone(), settings).run(stop).await;
    Ok(())
}

fn usage(problem: pdm_kubernetes::Problem) -> Failure {
    Failure::Usage(problem.to_string())
}
