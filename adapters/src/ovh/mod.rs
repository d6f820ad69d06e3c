//! OVHcloud: the registry's delegation (changes are tasks that run for minutes) and NS inside a zone (which nobody
//! serves before a refresh).

mod apex;
mod client;
mod zone;

use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::ZoneName;
use pdm_ports::Fault;
use pdm_ports::registrar::{
    Cannot, Capability, Change, Credential, CredentialField, CurrentState, DsForm, ModeCapability, Passport,
    Place, TaskId, TaskStatus,
};
use reqwest::Method;
use serde::Deserialize;

use crate::Made;
use crate::flow::{About, Vendor, Written, made};
use crate::http::{Http, Options};
use crate::kind::{self, Kind};
use client::Client;

const HOSTED_DS: Cannot = Cannot {
    reason: "the record types of OVH's zones have no DS",
    way_out: "bring the whole domain at the registry, or host its zone where DS can be set (Cloudflare, PowerDNS, BIND)",
};

static ABOUT: About = About {
    id: "ovh",
    name: "OVHcloud",
    capability: Capability {
        registry_apex: Ok(ModeCapability {
            ns_min: 2,
            ns_max: 8,
            ds: DsForm::Dnskey,
            ds_max: 4,
            asynchronous: true,
            ..ModeCapability::LEAST
        }),
        hosted_parent: Ok(ModeCapability {
            ns_max: 10,
            ttl: Some((60, 86_400)),
            ds_cannot: Some(HOSTED_DS),
            ..ModeCapability::LEAST
        }),
        calls_per_minute: 60,
        parallel: 2,
    },
    fields: &[
        CredentialField::plain(
            "application_key",
            "application key",
            "the first of the three values of the token page",
        ),
        CredentialField::secret("application_secret", "application secret", "the second one"),
        CredentialField::secret(
            "consumer_key",
            "consumer key",
            "the third one; it carries the rights and the end date",
        ),
    ],
    recipe: "https://eu.api.ovh.com/createToken with these rights. Always: GET /auth/currentCredential. For the \
             registry: GET and PUT /domain/NAME, GET /domain/NAME/*, POST /domain/NAME/nameServers/update, \
             POST /domain/NAME/dsRecord, and DELETE /domain/zone/NAME/dnssec where OVH signs the zone now. For \
             names in the zone: GET /domain/zone/NAME and /domain/zone/NAME/*, POST /domain/zone/NAME/record, PUT and \
             DELETE /domain/zone/NAME/record/*, POST /domain/zone/NAME/refresh. Restrict it to PDM's addresses.",
};

/// The adapter. European accounts are the default; `base_url` names Canada or the United States.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(&ABOUT, http, Ovh { client: Client::new(http, options)? })
}

struct Ovh {
    client: Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consumer {
    status: String,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    expiration: Option<String>,
}

#[derive(Deserialize)]
struct Rule {
    method: String,
    path: String,
}

#[async_trait]
impl Vendor for Ovh {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let consumer: Consumer =
            self.client.send(credential, Method::GET, "/auth/currentCredential", None).await?.json()?;
        if consumer.status != "validated" {
            let detail = format!("the consumer key is {}", kind::excerpt(&consumer.status));
            return Err(Kind::InvalidCredentials.fault(detail));
        }
        let mut expires = None;
        let registry_apex = match apex::domain(&self.client, domain, credential).await {
            Ok(found) => {
                expires = found.expires();
                found.obstacle().or_else(|| missing(&consumer.rules, &apex::calls(domain)))
            }
            Err(fault) => Some(absent("registered", fault)?),
        };
        let hosted_parent = match zone::exists(&self.client, domain, credential).await {
            Ok(()) => missing(&consumer.rules, &zone::calls(domain)),
            Err(fault) => Some(absent("hosted", fault)?),
        };
        if let (Some(apex), Some(hosted)) = (&registry_apex, &hosted_parent)
            && expires.is_none()
        {
            return Err(Kind::DomainNotInAccount.fault(format!("{domain}: {apex}; {hosted}")));
        }
        Ok(Passport {
            domain: domain.clone(),
            registry_apex,
            hosted_parent,
            expires,
            credential_expires: consumer.expiration.as_deref().and_then(kind::time),
            notes: Vec::new(),
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        match place {
            Place::RegistryApex { domain } => apex::read(&self.client, domain, credential).await,
            Place::HostedParent { zone, child } => zone::read(&self.client, zone, child, credential).await,
        }
    }

    async fn task(&self, place: &Place, task: &TaskId, credential: &Credential) -> Result<TaskStatus, Fault> {
        match place {
            Place::RegistryApex { domain } => apex::task(&self.client, domain, task, credential).await,
            Place::HostedParent { zone, .. } => zone::task(&self.client, zone, credential).await,
        }
    }

    fn unfinished(&self, state: &CurrentState) -> bool {
        state.task == Some(TaskId(zone::REFRESH.into()))
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        match &change.place {
            Place::RegistryApex { domain } => {
                apex::write(&self.client, domain, change, before, credential).await
            }
            Place::HostedParent { zone, child } => {
                zone::write(&self.client, zone, child, change, credential).await
            }
        }
    }
}

/// The calls that no rule of the consumer key covers. A star in a rule stands for anything.
fn missing(rules: &[Rule], calls: &[(&str, String)]) -> Option<String> {
    let covered = |method: &str, path: &str| {
        rules.iter().any(|rule| rule.method.eq_ignore_ascii_case(method) && covers(&rule.path, path))
    };
    let lacking: Vec<_> = calls
        .iter()
        .filter(|(method, path)| !covered(method, path))
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    (!lacking.is_empty()).then(|| format!("the consumer key has no right to {}", lacking.join(", ")))
}

fn covers(rule: &str, path: &str) -> bool {
    let Some((head, tail)) = rule.split_once('*') else { return rule == path };
    path.strip_prefix(head).is_some_and(|rest| {
        tail.is_empty() || (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| covers(tail, rest)))
    })
}

/// Why something is not there, or the fault when that is not the reason.
fn absent(how: &str, fault: Fault) -> Result<String, Fault> {
    let absent = Kind::DomainNotInAccount.is(&fault) || Kind::InsufficientScope.is(&fault);
    if absent { Ok(format!("not {how} at OVH for this credential ({})", fault.code)) } else { Err(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_anything() {
        for (rule, path, want) in [
            ("/domain/acme.example", "/domain/acme.example", true),
            ("/domain/acme.example", "/domain/acme.example/task", false),
            ("/domain/*", "/domain/acme.example/task", true),
            ("/domain/*/task", "/domain/acme.example/task", true),
            ("/domain/zone/acme.example/record*", "/domain/zone/acme.example/record/1", true),
            ("/*", "/me", true),
            ("/domain/*/x", "/domain/acme.example/task", false),
        ] {
            assert_eq!(covers(rule, path), want, "{rule} {path}");
        }
    }
}
