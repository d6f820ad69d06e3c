//! What depends on who asks: whose host a check may name, which addresses it may reach.

use std::net::IpAddr;

use ipnet::IpNet;
use pdm_model::address::admit_address as admit_range;

use crate::check::{HttpProbe, Probe};
use crate::model::Failover;
use crate::refusal::{ADDRESS_REFUSED, CHECK_HOST_REFUSED, HTTP_CHECKS_REFUSED, Refusal};
use crate::spec::Spec;

/// The pool's policy, as far as health checks go.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    /// The Sovereign's name: the host of an HTTP check is this name or below it, and this name when absent.
    pub tenant: &'a str,
    /// Networks whose addresses are admitted although they are not public.
    pub allowed_networks: &'a [IpNet],
    /// Whether checks of type `http` and `https` are admitted. They follow redirects past any address filter.
    pub allow_http_checks: bool,
}

impl Failover {
    /// The model of `spec`, for this tenant of this pool.
    ///
    /// # Errors
    /// Everything that is wrong, each with its field.
    pub fn build(spec: &Spec, admission: &Admission<'_>) -> Result<Self, Vec<Refusal>> {
        let failover = Self::from_spec(spec, Some(admission.tenant))?;
        failover.admit_as(spec, admission)?;
        Ok(failover)
    }

    /// Check a model again that came out of the store or off a nameserver: the pool's policy may have changed.
    ///
    /// # Errors
    /// Everything that this pool does not admit.
    pub fn admit(&self, admission: &Admission<'_>) -> Result<(), Vec<Refusal>> {
        self.admit_as(&Spec::from(self.clone()), admission)
    }

    /// `spec` is where the fields of refusals point.
    fn admit_as(&self, spec: &Spec, admission: &Admission<'_>) -> Result<(), Vec<Refusal>> {
        let mut refusals = Vec::new();
        for (index, entry) in spec.load_balancers.iter().enumerate() {
            for (family, text) in [("ipv4", &entry.ipv4), ("ipv6", &entry.ipv6)] {
                admit_address(
                    text.as_deref(),
                    format!("loadBalancers[{index}].{family}"),
                    admission,
                    &mut refusals,
                );
            }
        }
        for (index, text) in spec.failover.fallback.iter().enumerate() {
            admit_address(Some(text), format!("failover.fallback[{index}]"), admission, &mut refusals);
        }
        match &self.check.probe {
            Probe::Tcp { .. } => {}
            Probe::Http(http) => admit_http(http, admission, &mut refusals),
        }
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }
}

/// The text has been read as an address before: what does not parse here is not part of the model.
fn admit_address(text: Option<&str>, field: String, admission: &Admission<'_>, refusals: &mut Vec<Refusal>) {
    let Some(address) = text.and_then(|text| text.parse::<IpAddr>().ok()) else { return };
    if let Err(what) = admit_range(address, admission.allowed_networks) {
        let detail = format!("{address} is a {what} address, which this pool does not admit");
        refusals.push(Refusal::new(ADDRESS_REFUSED, field, detail));
    }
}

fn admit_http(http: &HttpProbe, admission: &Admission<'_>, refusals: &mut Vec<Refusal>) {
    if !admission.allow_http_checks {
        let detail = "this pool admits TCP checks only";
        refusals.push(Refusal::new(HTTP_CHECKS_REFUSED, "failover.check.type", detail));
    }
    let tenant = admission.tenant.strip_suffix('.').unwrap_or(admission.tenant).to_ascii_lowercase();
    let host = http.host.as_str();
    let below = host.strip_suffix(&tenant).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    // An empty tenant would admit every host.
    if tenant.is_empty() || !below {
        let detail = format!("{tenant} or a name below it");
        refusals.push(Refusal::new(CHECK_HOST_REFUSED, "failover.check.host", detail));
    }
}
