//! Addresses for one lab. A resolver speaks to port 53 and nothing else, so every server needs an address of its own.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Labs live in 127.128.0.0/9, 256 addresses each; the harness takes its addresses from 127.64.0.0/10.
const FIRST: u32 = 0x7f80_0000;
const BLOCKS: u32 = 0x8000;
/// This address of a block is bound by the lab that has it, so the kernel sees to it that nobody else takes it.
const GUARD: u32 = 254;

/// 256 addresses that are ours until this value goes.
pub struct Block {
    base: u32,
    next: AtomicU32,
    _guard: TcpListener,
}

impl Block {
    /// Take a free one.
    ///
    /// # Panics
    /// When port 53 may not be bound.
    #[must_use]
    pub fn take() -> Self {
        let start = std::process::id().wrapping_mul(31);
        for n in 0..BLOCKS {
            let base = FIRST | (start.wrapping_add(n) % BLOCKS) << 8;
            match TcpListener::bind((Ipv4Addr::from(base | GUARD), 53)) {
                Ok(guard) => return Self { base, next: AtomicU32::new(1), _guard: guard },
                Err(e) if e.kind() == ErrorKind::AddrInUse => {}
                Err(e) => panic!(
                    "cannot bind port 53 on loopback ({e}): run as root, or `sysctl net.ipv4.ip_unprivileged_port_start=53`"
                ),
            }
        }
        panic!("no block of loopback addresses is free: something listens on port 53 of all addresses");
    }

    /// The next address, with the port for DNS.
    pub fn dns(&self) -> SocketAddr {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(n < GUARD, "the block is used up");
        (Ipv4Addr::from(self.base | n), 53).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_labs_share_no_address() {
        let (a, b) = (Block::take(), Block::take());
        assert_ne!(a.base, b.base);
        assert_ne!(a.dns(), a.dns());
    }
}
