//! `pdm pools plan`: asks PowerDNS directly and changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pdm_model::ZoneName;
use pdm_ports::Fault;
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_powerdns::PoolParent;

use super::output::{self, Output};
use super::settings;
use crate::compose;
use crate::failure::Failure;

/// Show what preparing the pool zones would change in PowerDNS.
///
/// # Errors
/// PowerDNS cannot be asked, or a zone cannot be worked with.
pub async fn show(file: &Path, domain: Option<&str>, form: Output) -> Result<(), Failure> {
    let config = settings::read(file).await?;
    let wanted: Vec<_> =
        config.pools.iter().filter(|p| domain.is_none_or(|d| p.domain.to_string() == d)).collect();
    if wanted.is_empty() {
        return Err(Failure::Refused(format!(
            "{} is not a pool in {}",
            domain.unwrap_or("nothing"),
            file.display()
        )));
    }
    // Planning reads only, so nobody has to hold the zone; the lease of the store is not needed.
    let lease: Arc<dyn ZoneLease> = Arc::new(NoLease);
    let mesh = compose::mesh(&config).await?;
    let pools = PoolParent::new(
        Arc::new(compose::powerdns(&config, mesh.as_deref())?),
        compose::pool_zones(&config),
        lease,
    );
    let mut refused = false;
    for pool in wanted {
        let plan = pools.plan(&pool.domain).await?;
        refused |= plan.refused.is_some();
        if form == Output::Json {
            output::json(&serde_json::to_value(&plan).map_err(Failure::refused)?);
            continue;
        }
        output::line(&format!(
            "{}: {}, {} delegations, {} names of others (none changes)",
            plan.zone,
            if plan.exists { "exists" } else { "is not there yet" },
            plan.delegations,
            plan.foreign_names
        ));
        for step in &plan.steps {
            let verb = if step.applies { "would change" } else { "your decision" };
            output::line(&format!("  {verb}  {}: {}", step.code, step.what));
        }
        match &plan.refused {
            Some(why) => output::line(&format!("  refused: {why}")),
            None if plan.steps.is_empty() => output::line("  nothing to change"),
            None => {}
        }
    }
    if refused { Err(Failure::refused("PDM cannot work with every one of these zones")) } else { Ok(()) }
}

/// For looking only: it never grants.
struct NoLease;

#[async_trait::async_trait]
impl ZoneLease for NoLease {
    async fn acquire(&self, _zone: &ZoneName, _holder: &str, _ttl: Duration) -> Result<LeaseAnswer, Fault> {
        Ok(LeaseAnswer::Held)
    }

    async fn give_back(&self, _zone: &ZoneName, _holder: &str) -> Result<(), Fault> {
        Ok(())
    }
}
