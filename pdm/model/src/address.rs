//! Which addresses a load balancer may have. One table of special ranges (RFC 6890 and its registry); a pool's
//! `allow_addresses` is the only way around it.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// A range that is never a public load balancer, and what it is.
const SPECIAL: &[(&str, &str)] = &[
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private (RFC 1918)"),
    ("100.64.0.0/10", "carrier-grade NAT (RFC 6598)"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private (RFC 1918)"),
    ("192.0.0.0/24", "IETF protocol assignments"),
    ("192.0.2.0/24", DOCUMENTATION),
    ("192.88.99.0/24", "6to4 relay anycast"),
    ("192.168.0.0/16", "private (RFC 1918)"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", DOCUMENTATION),
    ("203.0.113.0/24", DOCUMENTATION),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "IPv4-mapped"),
    // These three carry an IPv4 address inside: 2002:7f00:1:: is 127.0.0.1 to a host with a tunnel.
    ("64:ff9b::/96", "IPv4 translation"),
    ("2001::/32", "Teredo"),
    ("2002::/16", "6to4"),
    ("64:ff9b:1::/48", "local-use translation"),
    ("100::/64", "discard-only"),
    ("2001:db8::/32", DOCUMENTATION),
    ("3fff::/20", DOCUMENTATION),
    ("fc00::/7", "unique local"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
];

const DOCUMENTATION: &str = "documentation";

/// The documentation ranges that `pdm up` accepts for trying things out.
pub const DOCUMENTATION_RANGES: &[&str] =
    &["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"];

/// What is special about `address`, if anything.
#[must_use]
pub fn special_range(address: IpAddr) -> Option<&'static str> {
    if let IpAddr::V6(v6) = address
        && let Some(reason) = outside_global_unicast(v6)
    {
        return Some(reason);
    }
    SPECIAL
        .iter()
        .find(|(range, _)| range.parse::<IpNet>().is_ok_and(|net| net.contains(&address)))
        .map(|(_, what)| *what)
}

/// Only 2000::/3 is global unicast today; the table above names the better-known exceptions.
fn outside_global_unicast(v6: Ipv6Addr) -> Option<&'static str> {
    let known =
        SPECIAL.iter().any(|(r, _)| r.parse::<IpNet>().is_ok_and(|net| net.contains(&IpAddr::V6(v6))));
    (!known && v6.octets()[0] >> 5 != 1).then_some("not global unicast")
}

/// Refuse `address` with the name of its range unless `allowed` admits it.
///
/// # Errors
/// The name of the special range.
pub fn admit_address(address: IpAddr, allowed: &[IpNet]) -> Result<(), &'static str> {
    if allowed.iter().any(|net| net.contains(&address)) {
        return Ok(());
    }
    special_range(address).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_ranges_are_refused_and_the_pool_can_admit_them() {
        for bad in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:8.8.8.8",
            "2001:db8::1",
            "4000::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::8",
        ] {
            let address: IpAddr = bad.parse().unwrap();
            assert!(admit_address(address, &[]).is_err(), "{bad}");
            assert!(admit_address(address, &[IpNet::from(address)]).is_ok(), "{bad}");
        }
        for good in ["8.8.8.8", "185.10.10.1", "2a01:4f8::1"] {
            assert!(admit_address(good.parse().unwrap(), &[]).is_ok(), "{good}");
        }
    }

    #[test]
    fn every_range_parses() {
        for (range, _) in SPECIAL {
            assert!(range.parse::<IpNet>().is_ok(), "{range}");
        }
        assert!(DOCUMENTATION_RANGES.iter().all(|r| r.parse::<IpNet>().is_ok()));
    }
}
