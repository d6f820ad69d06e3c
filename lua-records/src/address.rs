//! Which addresses the nameservers may be made to probe.
//!
//! A health check makes every nameserver open connections to an address that a user wrote (server-side request
//! forgery), so anything that is not plainly public is refused unless the pool's allow-list admits it.

use std::net::IpAddr;

use ipnet::IpNet;

/// A range that is not a public unicast address, and what it is (RFC 6890 and its registries).
const SPECIAL: &[(&str, &str)] = &[
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/3", "multicast or reserved"),
    // These three carry an IPv4 address inside: 2002:7f00:1:: is 127.0.0.1 to a host with a tunnel.
    ("64:ff9b::/96", "IPv4 translation"),
    ("2001::/32", "Teredo"),
    ("2002::/16", "6to4"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
];

/// What is special about `address`, if anything.
#[must_use]
pub fn special_range(address: IpAddr) -> Option<&'static str> {
    let listed =
        SPECIAL.iter().find(|(range, _)| range.parse::<IpNet>().is_ok_and(|net| net.contains(&address)));
    if let Some((_, what)) = listed {
        return Some(what);
    }
    match address {
        IpAddr::V4(_) => None,
        // Only 2000::/3 is global unicast: loopback, unique local, link-local, mapped and multicast lie outside.
        IpAddr::V6(v6) => (v6.octets()[0] >> 5 != 1).then_some("not global unicast"),
    }
}

/// Refuse `address` with the name of its range unless `allowed` admits it.
pub(crate) fn admit(address: IpAddr, allowed: &[IpNet]) -> Result<(), &'static str> {
    if allowed.iter().any(|net| net.contains(&address)) {
        return Ok(());
    }
    special_range(address).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_ranges_are_refused_and_an_allow_list_admits_them() {
        for bad in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            let address: IpAddr = bad.parse().unwrap();
            assert!(admit(address, &[]).is_err(), "{bad}");
            assert!(admit(address, &[IpNet::from(address)]).is_ok(), "{bad}");
        }
        for good in ["8.8.8.8", "185.10.10.1", "2a01:4f8::1"] {
            assert!(admit(good.parse().unwrap(), &[]).is_ok(), "{good}");
        }
    }

    #[test]
    fn every_range_parses() {
        assert!(SPECIAL.iter().all(|(range, _)| range.parse::<IpNet>().is_ok()));
    }
}
