//! Gandi. The registry's NS set and keys are written in the domain API, which answers before the registry has taken them
//! and names no task: a read shows the old state for a while. LiveDNS zones take NS and DS, one RRset a call.

mod answer;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::{DsRecord, Ttl, ZoneName};
use pdm_ports::registrar::{
    Capability, Change, Credential, CredentialField, CurrentState, DsEntry, DsForm, Lock, Mode,
    ModeCapability, NsTarget, Operated, Passport, Place,
};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use self::answer::{Domain, LIVE_DNS, RRset, judge};
use crate::Made;
use crate::admit::ds_difference;
use crate::flow::{About, Vendor, Written, made};
use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::{Kind, label, present};

const BASE: &str = "https://api.gandi.net/v5";

/// Records on one page, and pages that are read at most.
const PAGE: usize = 500;
const MAX_PAGES: usize = 40;

static ABOUT: About = About {
    id: "gandi",
    name: "Gandi",
    capability: Capability {
        registry_apex: Ok(ModeCapability {
            ns_min: 2,
            ds: DsForm::Dnskey,
            ds_max: 4,
            ..ModeCapability::LEAST
        }),
        hosted_parent: Ok(ModeCapability {
            ttl: Some((300, 2_592_000)),
            ds: DsForm::Ds,
            ds_max: 8,
            ..ModeCapability::LEAST
        }),
        calls_per_minute: 300,
        parallel: 4,
    },
    fields: &[CredentialField::secret(
        "token",
        "Personal access token",
        "account.gandi.net, Organization, Sharing, Personal access token",
    )],
    recipe: "Make a personal access token for the organization that holds the domain, restricted to this domain, \
        with the permissions \"See and renew domain names\" and \"Manage domain name technical configurations\", and an \
        end date. The older API keys reach everything and are not accepted.",
};

struct Gandi {
    wire: Wire,
}

/// The adapter.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(&ABOUT, http, Gandi { wire: Wire::new(&ABOUT, BASE, http, options, judge)? })
}

#[async_trait]
impl Vendor for Gandi {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let found = self.domain(domain, credential).await?;
        let hosted = self.hosts(domain, credential).await?;
        if found.is_none() && !hosted {
            return Err(missing(domain));
        }
        let blocked = found.as_ref().and_then(|found| found.lock().blocks_changes);
        let elsewhere = (!hosted)
            .then(|| format!("{domain} has no zone on LiveDNS, so there is nothing to delegate from"));
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: match &found {
                Some(_) => blocked,
                None => Some(format!("{domain} is not registered in this account")),
            },
            hosted_parent: elsewhere,
            expires: found.as_ref().and_then(Domain::expires),
            credential_expires: None,
            notes: Vec::new(),
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        match place {
            Place::RegistryApex { domain } => self.read_apex(domain, credential).await,
            Place::HostedParent { zone, child } => self.read_hosted(zone, child, credential).await,
        }
    }

    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        match &change.place {
            Place::RegistryApex { domain } => {
                if let Some(target) = &change.ns {
                    self.write_names(domain, target, credential).await?;
                }
                if let Some((entries, _)) = &change.ds {
                    self.write_keys(domain, entries, credential).await?;
                }
            }
            Place::HostedParent { zone, child } => {
                self.write_hosted(zone, child, change, before, credential).await?
            }
        }
        Ok(Written::default())
    }
}

impl Gandi {
    async fn send(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let token = credential.get("token").unwrap_or_default();
        let call = Call::json(method, format!("{}{path}", self.wire.base), body);
        self.wire.call(credential, call.with("authorization", format!("Bearer {token}"))).await
    }

    /// What a path holds; none when nothing is there.
    async fn get(&self, credential: &Credential, path: &str) -> Result<Option<Answer>, Fault> {
        present(self.send(credential, Method::GET, path, None).await)
    }

    async fn domain(&self, domain: &ZoneName, credential: &Credential) -> Result<Option<Domain>, Fault> {
        let answer = self.get(credential, &format!("/domain/domains/{domain}")).await?;
        answer.map(|answer| answer::domain(&answer, domain)).transpose()
    }

    /// Whether LiveDNS has the zone and the domain uses it, as far as it is registered here.
    async fn hosts(&self, zone: &ZoneName, credential: &Credential) -> Result<bool, Fault> {
        let Some(answer) = self.get(credential, &format!("/livedns/domains/{zone}")).await? else {
            return Ok(false);
        };
        answer::zone(&answer, zone)?;
        let used = self.operator(zone, credential).await?;
        Ok(used.is_none_or(|used| used == LIVE_DNS))
    }

    /// Gandi's word for who runs the DNS; none when the domain is registered elsewhere.
    async fn operator(&self, domain: &ZoneName, credential: &Credential) -> Result<Option<String>, Fault> {
        let answer = self.get(credential, &format!("/domain/domains/{domain}/livedns")).await?;
        answer.map(|answer| answer::operator(&answer)).transpose()
    }

    async fn keys(&self, domain: &ZoneName, credential: &Credential) -> Result<Vec<(u64, DsRecord)>, Fault> {
        let path = format!("/domain/domains/{domain}/dnskeys");
        let answer = self.get(credential, &path).await?.ok_or_else(|| missing(domain))?;
        answer::keys(&answer, domain)
    }

    async fn read_apex(&self, domain: &ZoneName, credential: &Credential) -> Result<CurrentState, Fault> {
        let found = self.domain(domain, credential).await?.ok_or_else(|| missing(domain))?;
        let operator = self.operator(domain, credential).await?.ok_or_else(|| missing(domain))?;
        let keys = self.keys(domain, credential).await?;
        Ok(CurrentState {
            ns: found.ns()?,
            ds: Some(keys.into_iter().map(|(_, ds)| ds).collect()),
            lock: found.lock(),
            expires: found.expires(),
            hosted: Some(operator == LIVE_DNS),
            operated: match operator.as_str() {
                LIVE_DNS => Operated::Vendor(operator),
                "other" => Operated::Custom,
                // Older kinds of Gandi's own, which no call brings back.
                _ => Operated::Unknown,
            },
            ..CurrentState::untold(Mode::RegistryApex)
        })
    }

    async fn read_hosted(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        credential: &Credential,
    ) -> Result<CurrentState, Fault> {
        let found = self.domain(zone, credential).await?;
        let hosted = self.hosts(zone, credential).await?;
        if found.is_none() && !hosted {
            return Err(missing(zone));
        }
        let label = label(zone, child);
        let at_name = if hosted {
            self.sets(&format!("{zone}/records/{label}"), credential).await?
        } else {
            Vec::new()
        };
        let (ns, ns_ttl) = answer::ns(&at_name, zone)?;
        let (ds, ds_ttl) = answer::ds(&at_name)?;
        let mut other_types = BTreeSet::new();
        if hosted && ns.is_empty() {
            other_types = answer::hidden_by(&self.all_sets(zone, credential).await?, label);
        }
        Ok(CurrentState {
            ns,
            ns_ttl,
            ds: Some(ds),
            ds_ttl,
            lock: Lock {
                blocks_changes: None,
                transfer: found.as_ref().and_then(|found| found.lock().transfer),
            },
            expires: found.as_ref().and_then(Domain::expires),
            hosted: Some(hosted),
            other_types,
            ..CurrentState::untold(Mode::HostedParent)
        })
    }

    async fn sets(&self, path: &str, credential: &Credential) -> Result<Vec<RRset>, Fault> {
        let answer = self.get(credential, &format!("/livedns/domains/{path}")).await?;
        Ok(answer.map(|answer| answer.json()).transpose()?.unwrap_or_default())
    }

    async fn all_sets(&self, zone: &ZoneName, credential: &Credential) -> Result<Vec<RRset>, Fault> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let path = format!("{zone}/records?per_page={PAGE}&page={page}");
            let sets = self.sets(&path, credential).await?;
            let last = sets.len() < PAGE;
            all.extend(sets);
            if last {
                return Ok(all);
            }
        }
        Err(Kind::Garbage.fault(format!("Gandi's list of records of {zone} does not end")))
    }

    async fn write_names(
        &self,
        domain: &ZoneName,
        target: &NsTarget,
        credential: &Credential,
    ) -> Result<(), Fault> {
        match target {
            NsTarget::Names { names, .. } => {
                let path = format!("/domain/domains/{domain}/nameservers");
                self.send(credential, Method::PUT, &path, Some(&json!({ "nameservers": names }))).await?;
            }
            NsTarget::Vendor(kind) if kind == LIVE_DNS => {
                let path = format!("/domain/domains/{domain}/livedns");
                self.send(credential, Method::POST, &path, None).await?;
            }
            NsTarget::Vendor(_) => {
                let detail =
                    "Gandi's API brings back LiveDNS only; way out: choose the DNS in the web interface";
                return Err(Fault::new(Class::Unsupported, "withdraw-unsupported", detail));
            }
        }
        Ok(())
    }

    /// The new keys before the old ones go, so that there is never a moment with neither.
    async fn write_keys(
        &self,
        domain: &ZoneName,
        wanted: &BTreeSet<DsEntry>,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let held = self.keys(domain, credential).await?;
        let path = format!("/domain/domains/{domain}/dnskeys");
        let there = held.iter().map(|(_, ds)| ds.clone()).collect();
        let (new, gone) = ds_difference(&there, wanted);
        // `admit` refuses a DS without its key.
        for key in new.iter().filter_map(|entry| entry.key.as_ref()) {
            let kind = if key.flags & 1 == 1 { "ksk" } else { "zsk" };
            let body = json!({ "algorithm": key.algorithm, "type": kind, "public_key": key.public_key });
            self.send(credential, Method::POST, &path, Some(&body)).await?;
        }
        for (id, _) in held.iter().filter(|(_, ds)| gone.contains(&ds)) {
            self.send(credential, Method::DELETE, &format!("{path}/{id}"), None).await?;
        }
        Ok(())
    }

    /// NS before DS when they come, DS before NS when they go. A call that is lost between them is made up for by the
    /// next round.
    async fn write_hosted(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let at = format!("/livedns/domains/{zone}/records/{}", label(zone, child));
        let ds = change.ds.as_ref().map(|(entries, ttl)| {
            let held = before.ds.clone().unwrap_or_default();
            let wanted: BTreeSet<_> = entries.iter().map(|entry| entry.ds.clone()).collect();
            let same = wanted == held && (wanted.is_empty() || before.ds_ttl == Some(*ttl));
            (same, wanted.iter().map(DsRecord::to_string).collect::<Vec<_>>(), *ttl)
        });
        let ns = match &change.ns {
            Some(NsTarget::Names { names, ttl, .. }) => {
                let same = *names == before.ns && (names.is_empty() || before.ns_ttl == Some(*ttl));
                Some((same, names.iter().map(ZoneName::dotted).collect::<Vec<_>>(), *ttl))
            }
            Some(NsTarget::Vendor(_)) | None => None,
        };
        let ds_goes = ds.as_ref().is_some_and(|(_, values, _)| values.is_empty());
        let mut sets = [("NS", ns), ("DS", ds)];
        if ds_goes {
            sets.reverse();
        }
        for (rtype, set) in sets {
            if let Some((false, values, ttl)) = set {
                self.write_set(&format!("{at}/{rtype}"), &values, ttl, credential).await?;
            }
        }
        Ok(())
    }

    async fn write_set(
        &self,
        path: &str,
        values: &[String],
        ttl: Ttl,
        credential: &Credential,
    ) -> Result<(), Fault> {
        if values.is_empty() {
            self.send(credential, Method::DELETE, path, None).await?;
        } else {
            let body: Value = json!({ "rrset_values": values, "rrset_ttl": ttl.seconds() });
            self.send(credential, Method::PUT, path, Some(&body)).await?;
        }
        Ok(())
    }
}

fn missing(domain: &ZoneName) -> Fault {
    Kind::DomainNotInAccount.fault(format!("Gandi has no {domain} for this token"))
}
