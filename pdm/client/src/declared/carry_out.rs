//! Looking at what is there, and doing what a plan says.

use std::collections::BTreeMap;

use pdm_api::declared::{Document, SovereignDomainSpec};
use pdm_api::requests::{CommitBody, ListQuery, ReleaseBody, ReserveBody};
use pdm_api::target::TargetBody;
use pdm_api::{AcceptedView, AllocationView, OperationView, Pools};
use pdm_model::Phase;

use super::plan::{self, Act, Plan, Row, Seen, Sorted};
use crate::error::Error;
use crate::transport::Client;

/// Documents, and the set that they are.
pub struct Wish {
    sorted: Sorted,
    set: String,
}

/// A plan, and what it was made from.
pub struct Look {
    /// What would be done.
    pub plan: Plan,
    seen: Seen,
    open: BTreeMap<String, OperationView>,
}

impl Wish {
    /// Documents of a set. Names that are made carry the set's name, and pruning stays inside it.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn new(documents: Vec<Document>, set: &str) -> Result<Self, Vec<String>> {
        Ok(Self { sorted: plan::sort(documents)?, set: set.to_owned() })
    }

    /// Set them beside what is there, names of the set that are declared no longer too. `seconds` reads a time as in
    /// `90m`.
    ///
    /// # Errors
    /// The daemon cannot be asked.
    pub async fn look(&self, client: &Client, seconds: impl Fn(&str) -> Option<u64>) -> Result<Look, Error> {
        let (mut seen, open) = self.seen(client).await?;
        let label = plan::label(&self.set);
        let mine = |a: &AllocationView| a.created_by.as_ref() == Some(&label) && lives(a);
        seen.of_set = client
            .allocations(&ListQuery { limit: Some(500), ..ListQuery::default() })
            .await?
            .into_iter()
            .filter(mine)
            .collect();
        Ok(self.beside(seen, open, seconds))
    }

    /// The same for these documents alone: nothing that others declared is looked at, and nothing is to be released.
    ///
    /// # Errors
    /// The daemon cannot be asked.
    pub async fn look_at_these(
        &self,
        client: &Client,
        seconds: impl Fn(&str) -> Option<u64>,
    ) -> Result<Look, Error> {
        let (seen, open) = self.seen(client).await?;
        Ok(self.beside(seen, open, seconds))
    }

    async fn seen(&self, client: &Client) -> Result<(Seen, BTreeMap<String, OperationView>), Error> {
        let pools =
            if self.sorted.pools.is_empty() { Pools { pools: Vec::new() } } else { client.pools().await? };
        let (mut seen, mut open) = (Seen { pools: pools.pools, ..Seen::default() }, BTreeMap::new());
        for name in self.sorted.names.keys() {
            match client.allocation(name).await {
                Ok(detail) => {
                    seen.names.insert(name.clone(), detail.allocation);
                    open.extend(detail.operation.map(|operation| (name.clone(), operation)));
                }
                Err(error) if error.is("not-found") => {}
                Err(error) => return Err(error),
            }
        }
        Ok((seen, open))
    }

    fn beside(
        &self,
        seen: Seen,
        open: BTreeMap<String, OperationView>,
        seconds: impl Fn(&str) -> Option<u64>,
    ) -> Look {
        Look { plan: plan::plan(&self.sorted, &seen, &self.set, seconds), seen, open }
    }

    /// Why the releases of a plan must not be carried out; none when they may be.
    #[must_use]
    pub fn prune_refused(&self, look: &Look, limit: Option<usize>) -> Option<String> {
        plan::prune_refused(&look.plan, &self.sorted, &look.seen, limit)
    }

    /// Do what one row says; none when there is nothing to do. Releases are carried out too: leave them out to keep names.
    ///
    /// # Errors
    /// What was refused.
    pub async fn carry_out(&self, client: &Client, row: &Row) -> Result<Option<AcceptedView>, Error> {
        let (Some(spec), Some(target)) = (&row.spec, &row.target) else {
            return match row.act {
                Act::Release => client.release(&release(&row.name)).await.map(Some),
                Act::Nothing | Act::Create | Act::Renew | Act::Retarget | Act::Blocked | Act::Differs => {
                    Ok(None)
                }
            };
        };
        match row.act {
            Act::Retarget => client.set_target(&row.name, target).await.map(Some),
            Act::Renew => {
                // A claim on a domain is answered again with its token, and what proves it must stay the same.
                if lent(spec) {
                    client.release(&release(&row.name)).await?;
                }
                self.create(client, &row.name, spec, target).await.map(Some)
            }
            Act::Create => self.create(client, &row.name, spec, target).await.map(Some),
            Act::Nothing | Act::Release | Act::Blocked | Act::Differs => Ok(None),
        }
    }

    async fn create(
        &self,
        client: &Client,
        name: &str,
        spec: &SovereignDomainSpec,
        target: &TargetBody,
    ) -> Result<AcceptedView, Error> {
        let mode = spec.mode.clone().unwrap_or_else(|| POOL.to_owned());
        let (label, pool) = name.split_once('.').unwrap_or((name, ""));
        let lent = lent(spec);
        let held = client
            .reserve(&ReserveBody {
                mode,
                pool_domain: lent.then(|| pool.to_owned()),
                subdomain: lent.then(|| label.to_owned()),
                domain: (!lent).then(|| name.to_owned()),
                owner: spec.owner.clone(),
                created_by: Some(plan::label(&self.set)),
            })
            .await?;
        client
            .commit(&CommitBody {
                fqdn: held.fqdn.to_string(),
                reservation_token: held.reservation_token,
                load_balancers: target.load_balancers.clone(),
                failover: target.failover.clone(),
                registrar: None,
            })
            .await
    }
}

impl Look {
    /// What is there of a name.
    #[must_use]
    pub fn allocation(&self, name: &str) -> Option<&AllocationView> {
        self.seen.names.get(name)
    }

    /// What is under way for a name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&OperationView> {
        self.open.get(name)
    }
}

fn lives(allocation: &AllocationView) -> bool {
    let live = [Phase::Reserved, Phase::Provisioning, Phase::Delegating, Phase::Active];
    live.iter().any(|phase| phase.as_str() == allocation.phase)
}

const POOL: &str = "pool";

fn lent(spec: &SovereignDomainSpec) -> bool {
    spec.mode.as_deref().is_none_or(|mode| mode == POOL)
}

fn release(name: &str) -> ReleaseBody {
    ReleaseBody { fqdn: name.to_owned(), reservation_token: None, registrar: None }
}
