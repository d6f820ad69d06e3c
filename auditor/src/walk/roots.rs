//! Where a walk starts when nothing else is configured: the root servers' addresses and the root's trust anchors, as
//! IANA publishes them. Addresses are only hints: what is answered must validate from the anchor.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use pdm_model::DsRecord;
use pdm_ports::Server;

/// Letter, IPv4 and IPv6 (named.root, 2025).
const ROOTS: &[(&str, &str, &str)] = &[
    ("a", "198.41.0.4", "2001:503:ba3e::2:30"),
    ("b", "170.247.170.2", "2801:1b8:10::b"),
    ("c", "192.33.4.12", "2001:500:2::c"),
    ("d", "199.7.91.13", "2001:500:2d::d"),
    ("e", "192.203.230.10", "2001:500:a8::e"),
    ("f", "192.5.5.241", "2001:500:2f::f"),
    ("g", "192.112.36.4", "2001:500:12::d0d"),
    ("h", "198.97.190.53", "2001:500:1::53"),
    ("i", "192.36.148.17", "2001:7fe::53"),
    ("j", "192.58.128.30", "2001:503:c27::2:30"),
    ("k", "193.0.14.129", "2001:7fd::1"),
    ("l", "199.7.83.42", "2001:500:9f::42"),
    ("m", "202.12.27.33", "2001:dc3::35"),
];

/// KSK-2017 and KSK-2024 (root-anchors.xml).
const ANCHORS: &[&str] = &[
    "20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d",
    "38696 8 2 683d2d0acb8c9b712a1948b27f741219298d0a450d612c483af444a4c0fb2b16",
];

/// The root servers, IPv4 first: a host without IPv6 must not wait for each of them.
pub(crate) fn servers() -> Vec<Server> {
    let named = |letter: &str, address: &str| {
        let address: IpAddr = address.parse().ok()?;
        let names = vec![format!("{letter}.root-servers.net")];
        Some(Server { names, address: SocketAddr::new(address, 53) })
    };
    let v4 = ROOTS.iter().filter_map(|(letter, v4, _)| named(letter, v4));
    v4.chain(ROOTS.iter().filter_map(|(letter, _, v6)| named(letter, v6))).collect()
}

/// The DS records of the root's keys.
pub(crate) fn anchors() -> BTreeSet<DsRecord> {
    ANCHORS.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_row_reads() {
        assert_eq!(super::servers().len(), 2 * super::ROOTS.len());
        assert_eq!(super::anchors().len(), super::ANCHORS.len());
    }
}
