//! Who may be asked, and how much at once. What a user names may point anywhere, so special addresses are refused
//! unless the operator allows their range; and no address gets more than a few exchanges at a time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use pdm_model::address::admit_address;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Addresses remembered; past it the idle ones are forgotten.
const MAX_REMEMBERED: usize = 1024;
/// Queries a second to one address that is not ours, sustained, and how many may come at once: an audit asks some fifty.
const PACE: u32 = 20;
const BURST: u32 = 100;

#[derive(Debug)]
pub(crate) struct Gate {
    allowed: Vec<IpNet>,
    per_address: usize,
    total: Arc<Semaphore>,
    lanes: Mutex<HashMap<SocketAddr, Lane>>,
    /// When the next query would be on time for an address, at the sustained pace.
    paces: Mutex<HashMap<SocketAddr, Instant>>,
}

/// The verdict on one address, and its exchanges in flight.
#[derive(Debug, Clone)]
enum Lane {
    Open(Arc<Semaphore>),
    Shut(&'static str),
}

/// Leave to make one exchange.
#[derive(Debug)]
pub(crate) struct Pass(#[expect(dead_code, reason = "held until dropped")] [OwnedSemaphorePermit; 2]);

impl Gate {
    pub(crate) fn new(allowed: Vec<IpNet>, per_address: usize, total: usize) -> Self {
        let total = Arc::new(Semaphore::new(total.max(1)));
        Self {
            allowed,
            per_address: per_address.max(1),
            total,
            lanes: Mutex::default(),
            paces: Mutex::default(),
        }
    }

    /// Wait for a turn with `address` and for the time to send `paced` queries there; the reason when it may not be
    /// asked at all. Our own servers are asked without a pace.
    pub(crate) async fn enter(&self, address: SocketAddr, paced: u32) -> Result<Pass, String> {
        let lane = match self.lane(address) {
            Lane::Open(lane) => lane,
            Lane::Shut(range) => {
                return Err(format!("{address} is not asked: its address is {range}, which is not allowed"));
            }
        };
        if let Some(until) = self.due(address, paced) {
            tokio::time::sleep_until(until).await;
        }
        // The lane first: a slow server must not hold places that others could use.
        let first = lane.acquire_owned().await.map_err(|e| e.to_string())?;
        let second = Arc::clone(&self.total).acquire_owned().await.map_err(|e| e.to_string())?;
        Ok(Pass([first, second]))
    }

    /// When `count` queries may be sent, if not now.
    fn due(&self, address: SocketAddr, count: u32) -> Option<Instant> {
        (count > 0).then_some(())?;
        let now = Instant::now();
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= MAX_REMEMBERED {
            paces.retain(|_, next| *next > now);
        }
        let next = paces.entry(address).or_insert(now);
        *next = (*next).max(now) + Duration::from_secs(1) * count / PACE;
        let due = *next - Duration::from_secs(1) * BURST / PACE;
        (due > now).then_some(due)
    }

    fn lane(&self, address: SocketAddr) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= MAX_REMEMBERED {
            lanes.retain(|_, lane| matches!(lane, Lane::Open(l) if Arc::strong_count(l) > 1));
        }
        let judge = || match admit_address(address.ip(), &self.allowed) {
            Ok(()) => Lane::Open(Arc::new(Semaphore::new(self.per_address))),
            Err(range) => Lane::Shut(range),
        };
        lanes.entry(address).or_insert_with(judge).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn special_addresses_need_leave() {
        let shut = Gate::new(Vec::new(), 8, 64);
        for address in ["127.0.0.1:53", "10.0.0.1:53", "[::1]:53", "169.254.169.254:53", "[fd00::1]:53"] {
            assert!(shut.enter(address.parse().unwrap(), 0).await.is_err(), "{address}");
        }
        assert!(shut.enter("8.8.8.8:53".parse().unwrap(), 0).await.is_ok());
        let open = Gate::new(vec!["127.0.0.0/8".parse().unwrap()], 8, 64);
        assert!(open.enter("127.0.0.1:53".parse().unwrap(), 0).await.is_ok());
        assert!(open.enter("10.0.0.1:53".parse().unwrap(), 0).await.is_err());
    }

    #[tokio::test]
    async fn no_address_gets_more_than_its_share() {
        let gate = Gate::new(Vec::new(), 1, 64);
        let address = "8.8.8.8:53".parse().unwrap();
        let pass = gate.enter(address, 0).await.unwrap();
        let mut second = Box::pin(gate.enter(address, 0));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(gate.enter("9.9.9.9:53".parse().unwrap(), 0).await.is_ok(), "another address goes on");
        drop(pass);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn a_strangers_server_is_asked_at_a_pace() {
        let gate = Gate::new(Vec::new(), 8, 64);
        let address = "8.8.8.8:53".parse().unwrap();
        assert!(gate.due(address, BURST).is_none(), "a burst is free");
        let due = gate.due(address, 2 * PACE).unwrap() - Instant::now();
        assert!(due > Duration::from_millis(1900) && due <= Duration::from_secs(2), "{due:?}");
        assert!(gate.due("9.9.9.9:53".parse().unwrap(), 1).is_none());
    }

    #[test]
    fn what_is_remembered_stays_bounded() {
        let gate = Gate::new(Vec::new(), 1, 64);
        for n in 0..5000u16 {
            let _ = gate.lane(SocketAddr::from(([8, 8, 8, 8], n + 1)));
        }
        assert!(gate.lanes.lock().unwrap().len() <= MAX_REMEMBERED);
    }
}
