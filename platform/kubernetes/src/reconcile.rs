//! One object: what is declared beside what is there, the next thing done, and what is to be told.

use pdm_api::AllocationView;
use pdm_api::declared::{Document, FailoverPolicySpec, PoolDomainSpec, SovereignDomainSpec};
use pdm_api::requests::ReleaseBody;
use pdm_api::target::{LoadBalancerBody, TargetBody};
use pdm_client::declared::{Act, Look, Wish, label, plain};
use pdm_client::{Client, Error};
use pdm_model::Phase;

use crate::cache::Cache;
use crate::object::{Key, Object};
use crate::status::Verdict;

/// The value of `whenDeleted` that gives the name back.
pub const RELEASE: &str = "release";

/// What one look needs.
pub struct Reconcile<'a> {
    /// PDM.
    pub pdm: &'a Client,
    /// Everything that is declared.
    pub cache: &'a Cache,
    /// Whether names that others made are ours once they are declared.
    pub adopt: bool,
    /// Reads a time as in `90m`.
    pub seconds: fn(&str) -> Option<u64>,
}

/// Names that a namespace made carry this set, which no `pdm apply --set` can be.
fn set(namespace: &str) -> String {
    format!("kubernetes:{namespace}")
}

impl Reconcile<'_> {
    /// An object that shall be there.
    pub async fn present(&self, key: &Key, object: &Object) -> Verdict {
        match &object.document {
            Err(why) => Verdict::bad("invalid", why.clone()),
            Ok(Document::PoolDomain(spec)) => self.pool(key, spec).await,
            Ok(Document::FailoverPolicy(name, spec)) => self.policy(key, name, spec),
            Ok(Document::SovereignDomain(spec)) => self.sovereign(key, spec).await,
        }
    }

    async fn pool(&self, key: &Key, spec: &PoolDomainSpec) -> Verdict {
        let look = self.look(key, vec![Document::PoolDomain(spec.clone())]).await;
        let (_, look) = match look {
            Ok(found) => found,
            Err(verdict) => return verdict,
        };
        match look.plan.open().next() {
            None => Verdict::good("as-declared", "the daemon serves it so"),
            Some(row) => Verdict::bad("differs", row.detail.clone()),
        }
    }

    fn policy(&self, key: &Key, name: &str, spec: &FailoverPolicySpec) -> Verdict {
        // Whether it suits a name shows there; words that nobody knows show here.
        let any = LoadBalancerBody { ipv4: Some("192.0.2.1".into()), ..LoadBalancerBody::default() };
        let body = TargetBody { load_balancers: vec![any], failover: Some(spec.failover.clone()) };
        match body.parse() {
            Err(refusal) => Verdict::bad("invalid", refusal.detail),
            Ok(_) => Verdict::good(
                "usable",
                match self.cache.users(&key.namespace, name).len() {
                    1 => "1 name uses it".to_owned(),
                    n => format!("{n} names use it"),
                },
            ),
        }
    }

    async fn sovereign(&self, key: &Key, spec: &SovereignDomainSpec) -> Verdict {
        if let Some(elder) = self.cache.elder(key, &spec.fqdn) {
            return Verdict::bad(
                "declared-twice",
                format!("{}/{} declared this name first", elder.namespace, elder.name),
            );
        }
        let policies = self.cache.policies(&key.namespace);
        let mut documents: Vec<_> =
            policies.into_iter().map(|(name, spec)| Document::FailoverPolicy(name, spec)).collect();
        documents.push(Document::SovereignDomain(spec.clone()));
        let (wish, look) = match self.look(key, documents).await {
            Ok(found) => found,
            Err(verdict) => return verdict,
        };
        let name = plain(&spec.fqdn);
        let there = look.allocation(&name).filter(|a| !is_gone(a));
        if let Some(there) = there.filter(|there| !self.is_ours(key, there)) {
            let by = there.created_by.as_deref().unwrap_or("hand");
            let told = format!("it was made by {by}; `pdm controller --adopt` takes such names over");
            return Verdict::bad("not-ours", told).about(there, look.operation(&name));
        }
        let Some(row) = look.plan.rows.iter().find(|row| row.act != Act::Differs) else {
            return Verdict::bad("invalid", "nothing is declared");
        };
        let verdict = match row.act {
            Act::Blocked => Verdict::waiting("blocked", row.detail.clone()),
            Act::Create | Act::Renew | Act::Retarget => match wish.carry_out(self.pdm, row).await {
                Ok(_) => Verdict::on_the_way("accepted", format!("{name} is on its way")),
                Err(error) => Verdict::of_error(&error),
            },
            Act::Nothing | Act::Release | Act::Differs => {
                return there.map_or_else(
                    || Verdict::waiting("blocked", row.detail.clone()),
                    |there| Verdict::of_name(there, look.operation(&name)),
                );
            }
        };
        match there {
            Some(there) => verdict.about(there, look.operation(&name)),
            None => verdict,
        }
    }

    /// An object that is being deleted and holds its name: none when the name is gone, or was never ours.
    pub async fn leaving(&self, key: &Key, object: &Object) -> Option<Verdict> {
        let Ok(Document::SovereignDomain(spec)) = &object.document else { return None };
        if self.cache.elder(key, &spec.fqdn).is_some() {
            return None;
        }
        let name = plain(&spec.fqdn);
        let detail = match self.pdm.allocation(&name).await {
            Ok(detail) => detail,
            Err(error) if error.is("not-found") => return None,
            Err(error) => return Some(Verdict::of_error(&error)),
        };
        let there = &detail.allocation;
        if is_gone(there) || !self.is_ours(key, there) {
            return None;
        }
        let verdict = if there.phase == Phase::Releasing.as_str() {
            Verdict::of_name(there, detail.operation.as_ref())
        } else {
            let body = ReleaseBody { fqdn: name.clone(), reservation_token: None, registrar: None };
            match self.pdm.release(&body).await {
                Ok(_) => Verdict::on_the_way("releasing", format!("{name} is being given back")),
                Err(error) => Verdict::of_error(&error),
            }
        };
        Some(verdict.about(there, detail.operation.as_ref()))
    }

    fn is_ours(&self, key: &Key, there: &AllocationView) -> bool {
        self.adopt || there.created_by.as_deref() == Some(&label(&set(&key.namespace)))
    }

    async fn look(&self, key: &Key, documents: Vec<Document>) -> Result<(Wish, Look), Verdict> {
        let wish = Wish::new(documents, &set(&key.namespace))
            .map_err(|wrong| Verdict::bad("invalid", wrong.join("; ")))?;
        let look: Result<Look, Error> = wish.look_at_these(self.pdm, self.seconds).await;
        let look = look.map_err(|error| Verdict::of_error(&error))?;
        Ok((wish, look))
    }
}

fn is_gone(there: &AllocationView) -> bool {
    [Phase::Quarantined, Phase::Freed].iter().any(|phase| phase.as_str() == there.phase)
}
