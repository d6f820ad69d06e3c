//! Signalling records (RFC 9615) in the zones of nameserver names, which are the operator's and not PDM's: nothing but
//! `_dsboot.CHILD._signal.NAMESERVER` is touched there.

use pdm_model::ZoneName;
use pdm_model::canonical::Change;
use pdm_ports::{Class, Fault};
use reqwest::Method;

use crate::answer::ApiError;
use crate::backend::{PowerDns, not_ours};
use crate::retry::Tries;
use crate::{ownership, wire};

/// Whether an owner name is one of a signal in this zone.
fn is_signal(zone: &ZoneName, owner: &str) -> bool {
    let inside = owner.strip_suffix(&format!(".{}", zone.dotted()));
    let end = format!("{owner}.").contains("._signal.");
    inside.is_some_and(|rest| rest.starts_with("_dsboot.")) && end
}

pub(crate) async fn change(dns: &PowerDns, zone: &ZoneName, changes: &[Change]) -> Result<(), Fault> {
    let owner = |change: &Change| match change {
        Change::Replace(rrset) => rrset.owner.clone(),
        Change::Delete(owner, _) => owner.clone(),
    };
    if let Some(other) = changes.iter().map(owner).find(|owner| !is_signal(zone, owner)) {
        return Err(Fault::new(
            Class::Bug,
            "not-a-signal",
            format!("{other} is no signalling record of {zone}"),
        ));
    }
    let body = wire::plain_changes(changes)?;
    let mut tries = Tries::within(dns.instances.timeout());
    loop {
        let head = dns.head(zone).await?.ok_or_else(|| ApiError::Missing.into_fault())?;
        if ownership::allocation(&head.account).is_some() {
            return Err(not_ours(zone));
        }
        match dns.write_owned("patch-signals", Method::PATCH, zone, Some(body.clone())).await {
            Ok(()) => break,
            Err(ApiError::Busy(fault)) => {
                if !tries.again().await {
                    return Err(fault);
                }
            }
            Err(error) => return Err(error.into_fault()),
        }
    }
    dns.instances.flush_others(zone).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_signals_is_touched() {
        let zone = ZoneName::parse("openova.io").unwrap();
        assert!(is_signal(&zone, "_dsboot.acme.com._signal.ns1.openova.io."));
        for other in [
            "ns1.openova.io.",
            "_dsboot.openova.io.",
            "_signal.ns1.openova.io.",
            "_dsboot.acme.com._signal.ns1.elsewhere.io.",
            "openova.io.",
        ] {
            assert!(!is_signal(&zone, other), "{other}");
        }
    }
}
