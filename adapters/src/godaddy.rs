//! GoDaddy. The registry's NS set is written with v1's PATCH and goes on behind the call, which the domain's status
//! tells; records of a hosted zone are replaced per type and name. DS needs v2 and a customer number, which not every
//! account may use.

mod answer;
mod customer;
mod domain;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::ZoneName;
use pdm_ports::registrar::{
    Cannot, Capability, Change, Credential, CredentialField, CurrentState, DsForm, Lock, Mode,
    ModeCapability, NsTarget, Passport, Place, TaskId, TaskStatus,
};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use self::answer::judge;
use self::domain::{Domain, Record};
use crate::Made;
use crate::admit::cannot;
use crate::flow::{About, Vendor, Written, made};
use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::{Kind, label, present};

const BASE: &str = "https://api.godaddy.com";

/// The task of a domain whose status says that something is under way.
const BY_STATUS: &str = "status";

const DS_BY_HAND: &str = "enter the DS in the web interface (the domain, DNS, DNSSEC)";

static ABOUT: About = About {
    id: "godaddy",
    name: "GoDaddy",
    capability: Capability {
        registry_apex: Ok(ModeCapability {
            ns_min: 2,
            ds: DsForm::Ds,
            ds_max: 8,
            withdraw_cannot: Some(Cannot {
                reason: "GoDaddy's API has no call that brings back GoDaddy's own DNS",
                way_out: "the nameserver names that were there before are written back instead",
            }),
            asynchronous: true,
            ..ModeCapability::LEAST
        }),
        hosted_parent: Ok(ModeCapability {
            ttl: Some((600, 86_400)),
            ds_cannot: Some(Cannot {
                reason: "GoDaddy's zones take no DS records",
                way_out: "delegate without DNSSEC, change the registered domain itself, or host the parent zone \
                          elsewhere",
            }),
            ..ModeCapability::LEAST
        }),
        calls_per_minute: 60,
        parallel: 4,
    },
    fields: &[
        CredentialField::secret(
            "token",
            "Personal access token",
            "developer.godaddy.com, with the scopes named above; instead of key and secret",
        )
        .or_none(),
        CredentialField::secret(
            "key",
            "API key",
            "developer.godaddy.com, API Keys, Production; instead of a token",
        )
        .or_none(),
        CredentialField::secret("secret", "API secret", "shown once together with the key").or_none(),
        CredentialField::plain(
            "shopper_id",
            "Customer number",
            "needed for DS only; Account Settings, Contact Preferences, Customer number",
        )
        .or_none(),
    ],
    recipe: "Make a personal access token at developer.godaddy.com with the scopes domains.domain:read, \
        domains.nameserver:update and domains.dns:update and an end date. The older kind, a production API key with \
        its secret, works too, but reaches the whole account and is refused for accounts with few domains.",
};

struct GoDaddy {
    wire: Wire,
}

/// The adapter.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(&ABOUT, http, GoDaddy { wire: Wire::new(&ABOUT, BASE, http, options, judge)? })
}

#[async_trait]
impl Vendor for GoDaddy {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let found = self.domain(domain, credential).await?;
        let hosted = self.ns_records(domain, "@", credential).await?.is_some();
        let elsewhere =
            (!hosted).then(|| format!("{domain} is not on GoDaddy's DNS, so records there have no effect"));
        let mut notes = Vec::new();
        if found.as_ref().is_some_and(|domain| domain.protected) {
            notes.push(
                "the domain has ownership protection: a person must confirm changes at GoDaddy".to_owned(),
            );
        }
        if credential.get("shopper_id").is_none() {
            notes.push(format!("without the customer number DS cannot be written; {DS_BY_HAND}"));
        }
        let Some(found) = found else {
            if !hosted {
                return Err(missing(domain));
            }
            return Ok(Passport {
                domain: domain.clone(),
                registry_apex: Some(format!("{domain} is not registered in this account")),
                hosted_parent: None,
                expires: None,
                credential_expires: None,
                notes,
            });
        };
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: found.lock.blocks_changes.clone(),
            hosted_parent: found.lock.blocks_changes.or(elsewhere),
            expires: found.expires,
            credential_expires: None,
            notes,
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        match place {
            Place::RegistryApex { domain } => self.read_apex(domain, credential).await,
            Place::HostedParent { zone, child } => self.read_hosted(zone, child, credential).await,
        }
    }

    async fn task(&self, place: &Place, task: &TaskId, credential: &Credential) -> Result<TaskStatus, Fault> {
        if let Some(action) = task.0.strip_prefix(customer::ACTION) {
            return self.action(place.zone(), action, credential).await;
        }
        let domain = self.domain(place.zone(), credential).await?.ok_or_else(|| missing(place.zone()))?;
        if domain.in_progress {
            return Ok(TaskStatus::Running { stage: domain.status });
        }
        if credential.get("shopper_id").is_some() {
            return self.action(place.zone(), customer::SET_NAMES, credential).await;
        }
        Ok(TaskStatus::Done)
    }

    fn refuse(&self, change: &Change, credential: &Credential) -> Result<(), Fault> {
        authorization(credential)?;
        let removes = matches!(&change.ns, Some(NsTarget::Names { names, .. }) if names.is_empty());
        if removes && credential.get("token").is_none() {
            let why = Cannot {
                reason: "with an API key GoDaddy does not let NS records be removed",
                way_out: "give a personal access token, or remove them in the web interface (the domain, DNS)",
            };
            return Err(cannot("withdraw-unsupported", why));
        }
        if change.ds.is_some() && credential.get("shopper_id").is_none() {
            let reason = "GoDaddy takes DS only together with the account's customer number";
            return Err(cannot("ds-unsupported", Cannot { reason, way_out: DS_BY_HAND }));
        }
        Ok(())
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        if let Some((entries, _)) = &change.ds {
            return self.write_ds(change.place.zone(), entries, before.ds.as_ref(), credential).await;
        }
        let Some(NsTarget::Names { names, ttl, .. }) = &change.ns else { return Ok(Written::default()) };
        match &change.place {
            Place::RegistryApex { domain } => {
                let body = json!({ "nameServers": names });
                self.send(credential, Method::PATCH, &format!("/v1/domains/{domain}"), Some(&body)).await?;
            }
            Place::HostedParent { zone, child } if names.is_empty() => {
                self.remove_records(zone, label(zone, child), credential).await?;
            }
            Place::HostedParent { zone, child } => {
                let records = names.iter().map(|name| json!({ "data": name, "ttl": ttl.seconds() }));
                // Exactly this type and name: the shorter paths replace all NS records, or the whole zone.
                let path = format!("/v1/domains/{zone}/records/NS/{}", label(zone, child));
                self.send(credential, Method::PUT, &path, Some(&records.collect())).await?;
            }
        }
        Ok(Written::default())
    }
}

impl GoDaddy {
    async fn send(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let call = Call::json(method, format!("{}{path}", self.wire.base), body);
        let authorization = authorization(credential)?;
        self.wire.call(credential, call.with("authorization", authorization.as_str())).await
    }

    async fn get(&self, credential: &Credential, path: &str) -> Result<Answer, Fault> {
        self.send(credential, Method::GET, path, None).await
    }

    /// The domain; none when the account has none of that name.
    async fn domain(&self, domain: &ZoneName, credential: &Credential) -> Result<Option<Domain>, Fault> {
        present(self.get(credential, &format!("/v1/domains/{domain}")).await)?
            .map(|answer| domain::read(&answer))
            .transpose()
    }

    /// The NS records of one name in a hosted zone; none when GoDaddy does not serve the zone.
    async fn ns_records(
        &self,
        zone: &ZoneName,
        label: &str,
        credential: &Credential,
    ) -> Result<Option<Vec<Record>>, Fault> {
        let path = format!("/v1/domains/{zone}/records/NS/{label}");
        present(self.get(credential, &path).await)?.map(|answer| answer.json()).transpose()
    }

    /// v1 removes no NS records; v3 does, one by one.
    async fn remove_records(
        &self,
        zone: &ZoneName,
        label: &str,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let records = format!("/v3/domains/zones/{zone}/dns-records");
        let path = format!("{records}?type=NS&name={label}&page=1&pageSize=100");
        for id in domain::record_ids(&self.get(credential, &path).await?, label)? {
            self.send(credential, Method::DELETE, &format!("{records}/{id}"), None).await?;
        }
        Ok(())
    }

    async fn read_apex(&self, domain: &ZoneName, credential: &Credential) -> Result<CurrentState, Fault> {
        let found = self.domain(domain, credential).await?.ok_or_else(|| missing(domain))?;
        let customer = self.customer_view(domain, credential).await?;
        let (ds, action) = customer.map_or((None, None), |view| (Some(view.ds), view.running));
        let by_status = found.in_progress.then(|| TaskId(BY_STATUS.to_owned()));
        Ok(CurrentState {
            ns: found.ns,
            ds,
            lock: found.lock,
            expires: found.expires,
            task: action.or(by_status),
            ..CurrentState::untold(Mode::RegistryApex)
        })
    }

    async fn read_hosted(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        credential: &Credential,
    ) -> Result<CurrentState, Fault> {
        // A zone may be hosted here although the domain is registered elsewhere.
        let found = self.domain(zone, credential).await?;
        let label = label(zone, child);
        let records = self.ns_records(zone, label, credential).await?;
        let hosted = records.is_some();
        if !hosted && found.is_none() {
            return Err(missing(zone));
        }
        let (ns, ns_ttl) = domain::ns(records.as_deref().unwrap_or_default())?;
        let mut other_types = BTreeSet::new();
        if hosted && ns.is_empty() {
            let all = self.get(credential, &format!("/v1/domains/{zone}/records")).await?;
            other_types = domain::hidden_by(&all.json::<Vec<Record>>()?, label);
        }
        let (lock, expires) = found.map_or((Lock::default(), None), |found| (found.lock, found.expires));
        Ok(CurrentState {
            ns,
            ns_ttl,
            ds: Some(BTreeSet::new()),
            lock,
            expires,
            hosted: Some(hosted),
            other_types,
            ..CurrentState::untold(Mode::HostedParent)
        })
    }
}

/// The two ways to be known. The older wins nothing: a token is used when it is given.
fn authorization(credential: &Credential) -> Result<Zeroizing<String>, Fault> {
    match (credential.get("token"), credential.get("key"), credential.get("secret")) {
        (Some(token), _, _) => Ok(Zeroizing::new(format!("Bearer {token}"))),
        (None, Some(key), Some(secret)) => Ok(Zeroizing::new(format!("sso-key {key}:{secret}"))),
        (None, _, _) => {
            let detail = "either the field \"token\" is needed, or \"key\" and \"secret\" together";
            Err(Fault::new(Class::Credential, "credential-incomplete", detail))
        }
    }
}

fn missing(domain: &ZoneName) -> Fault {
    Kind::DomainNotInAccount.fault(format!("GoDaddy has no {domain} for this credential"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(fields: &[(&str, &str)]) -> Credential {
        let given =
            fields.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned())));
        Credential::parse(ABOUT.fields, given.collect()).unwrap()
    }

    #[test]
    fn both_ways_to_be_known() {
        let classic = credential(&[("key", "keykeykey"), ("secret", "secretsecret")]);
        assert_eq!(*authorization(&classic).unwrap(), "sso-key keykeykey:secretsecret");
        let token = credential(&[("token", "tokentoken"), ("key", "keykeykey")]);
        assert_eq!(*authorization(&token).unwrap(), "Bearer tokentoken");
        let half = credential(&[("key", "keykeykey")]);
        assert_eq!(authorization(&half).unwrap_err().code, "credential-incomplete");
    }
}
