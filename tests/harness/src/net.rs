//! Addresses and ports. Each test takes addresses nobody else uses, so that tests run side by side.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A loopback address that no other test of this machine has: process id and a counter.
#[must_use]
pub fn address() -> IpAddr {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let pid = std::process::id();
    // 127.64.0.0/10 for tests: 16 bits of the process id and 6 bits of the counter.
    let low = ((pid & 0xffff) << 6) | (n & 0x3f);
    IpAddr::V4(Ipv4Addr::from(0x7f40_0000 | low))
}

/// A port on `ip` that is free for both UDP and TCP.
#[must_use]
pub fn port(ip: IpAddr) -> SocketAddr {
    for _ in 0..100 {
        let tcp = TcpListener::bind((ip, 0)).expect("bind a loopback address");
        let at = tcp.local_addr().expect("local address");
        if UdpSocket::bind(at).is_ok() {
            return at;
        }
    }
    panic!("no port is free on {ip} for both UDP and TCP");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_differ_and_have_free_ports() {
        let (a, b) = (address(), address());
        assert_ne!(a, b);
        assert!(a.is_loopback() && b.is_loopback());
        assert_ne!(port(a).port(), 0);
    }
}
