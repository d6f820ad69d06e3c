//! Clients of the older paths that send no token: known by the network they come from, and by nothing else.
//!
//! Only the TCP peer counts. A request that came through a proxy says so in `Forwarded` or `X-Forwarded-For`; its
//! peer is the proxy, so it is not trusted.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, FORWARDED};
use ipnet::IpNet;
use pdm_engine::caller::{Caller, Role};
use serde::Deserialize;

/// One line of `auth.trusted_networks`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedNetwork {
    /// Where the clients are.
    pub cidr: IpNet,
    /// `legacy`; there is no other.
    pub role: String,
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the network {cidr} has the role {role:?}; a trusted network has the role \"legacy\" and no other")]
pub struct TrustedNetworkError {
    cidr: IpNet,
    role: String,
}

/// All trusted networks. None by default.
#[derive(Debug, Clone, Default)]
pub struct TrustedNetworks(Vec<(IpNet, Arc<Caller>)>);

impl TrustedNetworks {
    /// From the configuration.
    ///
    /// # Errors
    /// A role other than `legacy`.
    pub fn new(lines: Vec<TrustedNetwork>) -> Result<Self, TrustedNetworkError> {
        let mut networks = Vec::with_capacity(lines.len());
        for TrustedNetwork { cidr, role } in lines {
            if role != Role::Legacy.as_str() {
                return Err(TrustedNetworkError { cidr, role });
            }
            let actor = format!("network:{cidr}");
            let caller = Caller { actor, role: Role::Legacy, owner: None, pool: None, door: None };
            networks.push((cidr, Arc::new(caller)));
        }
        Ok(Self(networks))
    }

    /// The caller behind a request to an older path.
    pub(crate) fn caller(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<Arc<Caller>> {
        let proxied = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
        if self.0.is_empty() || proxied || headers.contains_key(AUTHORIZATION) {
            return None;
        }
        // A socket that listens on both families shows IPv4 peers as mapped addresses.
        let peer = peer?.to_canonical();
        self.0.iter().find(|(cidr, _)| cidr.contains(&peer)).map(|(_, caller)| caller.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks() -> TrustedNetworks {
        let line = TrustedNetwork { cidr: "10.20.0.0/24".parse().unwrap(), role: "legacy".into() };
        TrustedNetworks::new(vec![line]).unwrap()
    }

    fn asks(peer: &str, header: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(name) = header {
            headers.insert(name, http::HeaderValue::from_static("x"));
        }
        networks().caller(Some(peer.parse().unwrap()), &headers).is_some()
    }

    #[test]
    fn the_peer_alone_decides() {
        assert!(asks("10.20.0.7", None) && asks("::ffff:10.20.0.7", None));
        assert!(!asks("10.20.1.7", None) && !asks("::1", None));
        assert!(networks().caller(None, &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_proxied_request_is_not_trusted_and_a_token_is_not_ignored() {
        for header in ["forwarded", "x-forwarded-for", "authorization"] {
            assert!(!asks("10.20.0.7", Some(header)), "{header}");
        }
    }

    #[test]
    fn no_other_role_and_nothing_by_default() {
        let line = TrustedNetwork { cidr: "10.0.0.0/8".parse().unwrap(), role: "admin".into() };
        assert!(TrustedNetworks::new(vec![line]).is_err());
        let peer = Some("10.20.0.7".parse().unwrap());
        assert!(TrustedNetworks::default().caller(peer, &HeaderMap::new()).is_none());
    }
}
