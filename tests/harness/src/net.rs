//! Addresses and ports. Each test takes addresses nobody else uses, so that tests run side by side.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Mutex;
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

/// A port on `ip` that is free for both UDP and TCP, and was not given to anybody before.
#[must_use]
pub fn port(ip: IpAddr) -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    for _ in 0..100 {
        let tcp = TcpListener::bind((ip, 0)).expect("bind a loopback address");
        let at = tcp.local_addr().expect("local address");
        // The kernel gives what is free: whoever got it may not have bound it yet.
        if UdpSocket::bind(at).is_ok() && GIVEN.lock().unwrap().insert(at) {
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
        let ports: BTreeSet<_> = (0..2000).map(|_| port(a)).collect();
        assert_eq!(ports.len(), 2000, "none is given twice");
    }
}
