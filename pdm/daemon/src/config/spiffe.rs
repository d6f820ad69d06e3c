//! `[tls]`, `[spiffe]` and `[[workloads]]`: what the listener shows, whom it trusts, and what they may do here.

use std::path::{Path, PathBuf};

use pdm_engine::caller::{Role, valid_owner};
use pdm_model::ZoneName;
use pdm_spiffe::files::Files;
use pdm_spiffe::{Clients, SpiffeId, TrustDomain};
use toml::Value;

use super::section::Reader;
use super::value;

/// Who PDM is, and whom it trusts.
#[derive(Debug)]
pub struct Spiffe {
    /// Where certificates come from.
    pub origin: Origin,
    /// Whether clients must show one.
    pub clients: Clients,
    /// Whether the listener takes part.
    pub listener: bool,
}

/// Where certificates come from.
#[derive(Debug)]
pub enum Origin {
    /// An agent's socket.
    Agent(PathBuf),
    /// Files that somebody else writes.
    Files(Files),
}

/// A certificate for the listener that is no SVID.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// The chain, leaf first, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What a workload may do.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Which.
    pub id: Ids,
    /// Its role.
    pub role: Role,
    /// The owner that it acts for; every one when left out.
    pub owner: Option<String>,
    /// The one pool that it may use; every one when left out.
    pub pool: Option<ZoneName>,
}

/// One id, or all below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    /// This one.
    One(SpiffeId),
    /// Every one below: `spiffe://openova.io/ns/catalyst/*`.
    Below(SpiffeId),
}

impl Ids {
    /// Whether an id is meant.
    pub fn contain(&self, id: &str) -> bool {
        match self {
            Self::One(one) => one.as_str() == id,
            Self::Below(top) => id
                .strip_prefix(top.as_str())
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| !rest.is_empty()),
        }
    }
}

/// Read `[tls]`.
pub(super) fn read_tls(mut r: Reader<'_>, base: &Path) -> Option<ServerFiles> {
    let file = |v: &Value| Ok(base.join(value::text(v)?));
    let (certificate, key) = (r.get("certificate", file), r.get("key", file));
    Some(ServerFiles { certificate: certificate?, key: key? })
}

/// Read `[spiffe]`.
pub(super) fn read(mut r: Reader<'_>, base: &Path) -> Option<Spiffe> {
    let file = |v: &Value| Ok(base.join(value::text(v)?));
    let socket = r.get("socket", |v| {
        let text = value::text(v)?;
        Ok(base.join(text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(&text)))
    });
    let (certificate, key, bundle) = (r.get("certificate", file), r.get("key", file), r.get("bundle", file));
    let domain = r.get("trust_domain", |v| value::text(v)?.parse::<TrustDomain>().map_err(str::to_owned));
    let federated = r.get("federated", |v| federated(v, base));
    let clients = r.get("clients", value::choice(&["optional", "required"]));
    let listener = r.get("listener", value::flag);
    let some = certificate.is_some() || key.is_some() || bundle.is_some();
    let origin = match (socket, certificate, key, bundle, domain) {
        (Some(_), ..) if some => {
            r.problem("socket", "an agent or files, not both");
            None
        }
        (Some(socket), ..) => Some(Origin::Agent(socket)),
        (None, Some(certificate), Some(key), Some(bundle), Some(domain)) => {
            let own = (domain, bundle);
            let bundles = std::iter::once(own).chain(federated?).collect();
            Some(Origin::Files(Files { certificate, key, bundles }))
        }
        (None, ..) => {
            r.problem("socket", "give the agent's socket; or certificate, key, bundle and trust_domain");
            None
        }
    };
    let clients = if clients? == "required" { Clients::Required } else { Clients::Optional };
    Some(Spiffe { origin: origin?, clients, listener: listener? })
}

fn federated(v: &Value, base: &Path) -> Result<Vec<(TrustDomain, PathBuf)>, String> {
    let one = |(domain, file): (String, String)| {
        let parsed = domain.parse::<TrustDomain>().map_err(|why| format!("{domain:?}: {why}"))?;
        Ok((parsed, base.join(file)))
    };
    value::pairs(v)?.into_iter().map(one).collect()
}

/// Read one of `[[workloads]]`.
pub(super) fn read_workload(mut r: Reader<'_>, pools: &[ZoneName]) -> Option<Workload> {
    let id = r.get("id", |v| {
        let text = value::text(v)?;
        match text.strip_suffix("/*") {
            Some(top) => top.parse().map(Ids::Below),
            None => text.parse().map(Ids::One),
        }
        .map_err(|why: &str| format!("{text:?}: {why}"))
    });
    let role = r.get("role", |v| match Role::from_word(&value::text(v)?) {
        Some(Role::Legacy | Role::DnsDoor) | None => {
            Err("write admin, provisioner, wizard or auditor".to_owned())
        }
        Some(role) => Ok(role),
    });
    let owner = r.get("owner", |v| {
        let text = value::text(v)?;
        if valid_owner(&text) { Ok(text) } else { Err(format!("{text:?} cannot be an owner")) }
    });
    let pool = r.get("pool", |v| match value::name(v)? {
        name if pools.contains(&name) => Ok(name),
        name => Err(format!("{name} is not one of the pools")),
    });
    Some(Workload { id: id?, role: role?, owner, pool })
}

/// Who stands behind `spiffe_id` of a service.
pub(super) fn id(v: &Value) -> Result<SpiffeId, String> {
    value::text(v)?.parse().map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_means_everything_below_and_not_the_top() {
        let top = Ids::Below("spiffe://openova.io/ns/catalyst".parse().unwrap());
        assert!(top.contain("spiffe://openova.io/ns/catalyst/sa/a"));
        for other in [
            "spiffe://openova.io/ns/catalyst",
            "spiffe://openova.io/ns/catalyst/",
            "spiffe://openova.io/ns/catalyst2/sa/a",
        ] {
            assert!(!top.contain(other), "{other}");
        }
    }
}
