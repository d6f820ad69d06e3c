//! From what an issuer says about somebody to what that somebody may do here.

use std::sync::Arc;

use async_trait::async_trait;
use pdm_engine::caller::{Caller, Role, valid_owner};
use pdm_oidc::{Client, Identity, Provider, Settings};
use pdm_ports::Fault;
use pdm_server::{Authenticator, Presented};

use crate::clock;
use crate::config::oidc::{Oidc, Rules};
use crate::config::spiffe::{Ids, Workload};

/// Tokens of one issuer.
pub struct OidcTokens {
    provider: Arc<Provider>,
    rules: Rules,
}

/// The issuer of a configuration; nothing is asked yet.
///
/// # Errors
/// What cannot become right by waiting.
pub fn provider(config: &Oidc) -> Result<Provider, Fault> {
    let client = config.client.as_ref().map(|(id, secret)| Client {
        id: id.clone(),
        secret: secret.clone(),
        scope: config.scope.clone(),
    });
    Provider::new(Settings {
        issuer: config.issuer.clone(),
        audience: config.audience.clone(),
        algorithms: config.algorithms.clone(),
        claims: config.claims.clone(),
        skew: config.skew,
        refresh: config.refresh,
        stale: config.stale,
        authorities: config.authorities.as_ref().map(|pem| pem.to_vec()),
        client,
        clock: || clock::host_now().0.div_euclid(1000),
    })
}

impl OidcTokens {
    /// Tokens of this issuer under these rules.
    pub fn new(provider: Arc<Provider>, rules: Rules) -> Self {
        Self { provider, rules }
    }
}

#[async_trait]
impl Authenticator for OidcTokens {
    fn authenticate(&self, presented: &Presented<'_>) -> Option<Arc<Caller>> {
        let token = presented.bearer.filter(|token| is_jwt(token))?;
        let identity = match self.provider.identify(token) {
            Ok(identity) => identity,
            Err(refused) => {
                tracing::debug!(reason = refused.as_str(), peer = ?presented.peer, "a token is refused");
                return None;
            }
        };
        match caller(&identity, &self.rules) {
            Ok(caller) => Some(Arc::new(caller)),
            Err(why) => {
                // The token is good: somebody has set something up wrongly and will look for the reason.
                tracing::info!(subject = identity.subject, why, "a token of the issuer may do nothing here");
                None
            }
        }
    }

    async fn learn(&self, presented: &Presented<'_>) -> bool {
        match presented.bearer.filter(|token| is_jwt(token)) {
            Some(token) => self.provider.learn(token).await,
            None => false,
        }
    }
}

/// Workloads by their certificates, which the listener has verified.
pub struct Workloads(Vec<(Ids, Caller)>);

impl Workloads {
    /// The rows of a configuration; each stands for callers that bear their own id.
    pub fn new(rows: Vec<Workload>) -> Self {
        let row = |row: Workload| {
            let Workload { id, role, owner, pool } = row;
            (id, Caller { actor: String::new(), role, owner, pool, door: None })
        };
        Self(rows.into_iter().map(row).collect())
    }
}

#[async_trait]
impl Authenticator for Workloads {
    fn authenticate(&self, presented: &Presented<'_>) -> Option<Arc<Caller>> {
        // A token that is shown beside a certificate is meant, also when it is wrong.
        let id = presented.workload.filter(|_| presented.bearer.is_none())?;
        let (_, caller) = self.0.iter().find(|(ids, _)| ids.contain(id))?;
        Some(Arc::new(Caller { actor: id.to_owned(), ..caller.clone() }))
    }
}

/// Our own tokens have no dots.
fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|b| *b == b'.').count() == 2
}

/// The caller that an identity is here, or why it is none.
fn caller(identity: &Identity, rules: &Rules) -> Result<Caller, &'static str> {
    let pool = if rules.environments.is_empty() {
        None
    } else {
        let environment = identity.environment.as_ref().ok_or("it names no environment")?;
        rules.environments.get(environment).ok_or("its environment is not served here")?.clone()
    };
    let organization = identity.organization.as_ref().filter(|name| valid_owner(name));
    // In the order of power: of several roles the strongest that can act holds.
    for role in Role::ALL {
        let holds = |word: &&String| rules.roles.get(*word) == Some(&role);
        for word in identity.roles.iter().filter(holds) {
            let everywhere = role == Role::Admin || rules.everywhere.contains(word);
            let owner = if everywhere { None } else { organization.cloned() };
            if everywhere || owner.is_some() {
                let actor = format!("oidc:{}", identity.subject);
                return Ok(Caller { actor, role, owner, pool, door: None });
            }
        }
    }
    let known = identity.roles.iter().any(|word| rules.roles.contains_key(word));
    Err(if known { "it names no single organization to act for" } else { "it has no role of oidc.roles" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::ZoneName;

    fn rules(environments: &[(&str, Option<&str>)]) -> Rules {
        let roles = [("root", Role::Admin), ("deployer", Role::Provisioner), ("looker", Role::Auditor)];
        let zone = |name: &str| ZoneName::parse(name).unwrap();
        Rules {
            roles: roles.into_iter().map(|(word, role)| (word.to_owned(), role)).collect(),
            everywhere: ["looker".to_owned()].into(),
            environments: environments.iter().map(|(e, p)| ((*e).to_owned(), p.map(zone))).collect(),
        }
    }

    fn identity(organization: Option<&str>, environment: Option<&str>, roles: &[&str]) -> Identity {
        Identity {
            subject: "jane".into(),
            organization: organization.map(str::to_owned),
            environment: environment.map(str::to_owned),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        }
    }

    #[test]
    fn the_strongest_role_that_can_act_holds() {
        for (organization, roles, expected) in [
            (Some("acme"), vec!["deployer"], Some((Role::Provisioner, Some("acme")))),
            (Some("acme"), vec!["looker", "deployer", "x"], Some((Role::Provisioner, Some("acme")))),
            (None, vec!["looker", "deployer"], Some((Role::Auditor, None))),
            (Some("acme"), vec!["deployer", "root"], Some((Role::Admin, None))),
            (None, vec!["deployer"], None),
            (Some("a\nb"), vec!["deployer"], None),
            (Some("acme"), vec!["offline_access"], None),
            (Some("acme"), vec![], None),
        ] {
            let found = caller(&identity(organization, None, &roles), &rules(&[])).ok();
            let found = found.as_ref().map(|c| (c.role, c.owner.as_deref()));
            assert_eq!(found, expected, "{organization:?} {roles:?}");
        }
    }

    #[test]
    fn an_environment_bounds_the_pool() {
        let rules = rules(&[("prod", Some("omani.works")), ("dev", None)]);
        let pool =
            |environment| caller(&identity(Some("acme"), environment, &["deployer"]), &rules).map(|c| c.pool);
        assert_eq!(pool(Some("prod")).unwrap().unwrap().as_str(), "omani.works");
        assert_eq!(pool(Some("dev")).unwrap(), None);
        assert!(pool(Some("test")).is_err() && pool(None).is_err());
    }

    #[test]
    fn a_workload_is_the_first_row_that_fits_and_a_token_beside_it_counts_alone() {
        let row = |id, role, owner: Option<&str>| Workload {
            id,
            role,
            owner: owner.map(str::to_owned),
            pool: None,
        };
        let id = "spiffe://openova.io/ns/catalyst/sa/provisioner";
        let workloads = Workloads::new(vec![
            row(Ids::One(id.parse().unwrap()), Role::Provisioner, Some("acme")),
            row(Ids::Below("spiffe://openova.io/ns".parse().unwrap()), Role::Auditor, None),
        ]);
        let who = |workload, bearer| workloads.authenticate(&Presented { bearer, peer: None, workload });
        let caller = who(Some(id), None).unwrap();
        assert_eq!(
            (caller.actor.as_str(), caller.role, caller.owner.as_deref()),
            (id, Role::Provisioner, Some("acme"))
        );
        assert_eq!(who(Some("spiffe://openova.io/ns/x"), None).unwrap().role, Role::Auditor);
        assert!(who(Some("spiffe://openova.io/other"), None).is_none());
        assert!(who(Some(id), Some("pdm_wrong")).is_none() && who(None, None).is_none());
    }

    #[test]
    fn our_own_tokens_are_not_taken_for_the_issuers() {
        assert!(is_jwt("a.b.c") && !is_jwt("pdm_abc") && !is_jwt("a.b.c.d.e"));
    }
}
