//! Servers that a credential names: it comes from a user and may point anywhere, so special addresses (this machine,
//! the inner network, the cloud's metadata) are refused unless the operator allows their range.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use pdm_model::address::admit_address;
use pdm_ports::{Class, Fault};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What may be connected to.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    allowed: Vec<IpNet>,
}

impl Gate {
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Refuse an address that is not for users.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<(), Fault> {
        admit_address(address, &self.allowed).map_err(|range| {
            let detail =
                format!("the server's address {address} is {range}; the operator must allow that range");
            Fault::new(Class::Rejected, "server-address-refused", detail)
        })
    }

    /// The addresses of a host that may be connected to.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Fault> {
        let found = tokio::net::lookup_host((host, port)).await.map_err(|_| {
            Fault::transient("registrar-unreachable", format!("the server's name {host} has no address"))
        })?;
        let mut refused = None;
        let mut admitted = Vec::new();
        for address in found {
            match self.admit(address.ip()) {
                Ok(()) => admitted.push(address),
                Err(fault) => refused = Some(fault),
            }
        }
        match refused {
            Some(fault) if admitted.is_empty() => Err(fault),
            _ => Ok(admitted),
        }
    }
}

/// For the HTTP client: what a name resolves to at the moment of connecting is what is judged.
impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.clone();
        Box::pin(async move {
            let addresses: Addrs = Box::new(Gate::resolve(&gate, name.as_str(), 0).await?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn special_addresses_need_leave() {
        let shut = Gate::new(Vec::new());
        for host in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1"] {
            assert_eq!(shut.resolve(host, 53).await.unwrap_err().code, "server-address-refused", "{host}");
        }
        assert_eq!(shut.resolve("9.9.9.9", 53).await.unwrap(), ["9.9.9.9:53".parse().unwrap()]);
        let open = Gate::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(open.resolve("127.0.0.1", 53).await.is_ok());
        assert!(open.resolve("10.1.2.3", 53).await.is_err());
    }
}
