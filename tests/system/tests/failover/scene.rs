//! A Sovereign with a policy over backends of this machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use pdm_harness::backends::{self, Backend};
use pdm_harness::powerdns::Caches;
use pdm_harness::story::{condition, fqdn};
use pdm_harness::{DEADLINE, POOL, Plan, Release, StoreKind, World, dns, until_within};
use serde_json::{Value, json};

pub const LABEL: &str = "omantel";
pub const REGIONS: [&str; 3] = ["fsn", "nbg", "mct"];
/// Seconds that resolvers keep an answer here.
pub const TTL: u64 = 1;

pub struct Scene {
    pub world: World,
    pub backends: Vec<Backend>,
    pub port: u16,
}

/// Loopback load balancers, URL checks, a health check every second, and frequent looks; PowerDNS as deploy/ sets it up.
pub fn plan(store: StoreKind) -> Plan {
    let deployed = Release::usual().deployed();
    let settings =
        deployed.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    // How long answers are remembered is the harness's, and what only this release knows.
    let settings = settings.filter(|(name, _)| !name.contains("cache") && !name.contains("updates"));
    settings
        .fold(Plan::new(store), |plan, (name, value)| plan.powerdns(name, value))
        .pool("allow_addresses = [\"192.0.2.0/24\", \"198.51.100.0/24\", \"127.0.0.0/8\", \"::ffff:127.0.0.0/104\"]")
        .pool("allow_http_checks = true")
        .powerdns("lua-health-checks-interval", "1")
        .section("[worker]\npoll = \"200ms\"\nsweep = \"1s\"\nlease = \"6s\"\nfailover_look = \"300ms\"")
}

/// Two nameservers on one database.
pub fn two_nameservers() -> Plan {
    plan(StoreKind::Postgres).instances(2, Caches::Short)
}

impl Scene {
    /// So many backends, and a Sovereign over them with this check, once every nameserver gives the first region.
    pub async fn start(plan: Plan, count: usize, check: Value) -> Self {
        let world = plan.start().await;
        let (backends, port) = backends::start(count).await;
        let scene = Self { world, backends, port };
        let token = scene.world.api().reserve(LABEL).await;
        let mut body = scene.target(check);
        body["fqdn"] = fqdn(LABEL).into();
        body["reservationToken"] = token.into();
        let _ = scene.world.api().post("/v1/commit", &body).await.expect(&[200, 202]);
        scene.world.api().await_phase(LABEL, "active").await;
        scene.reason("preferred").await;
        scene
    }

    /// The body of a target: an ordered policy over all backends.
    pub fn target(&self, mut check: Value) -> Value {
        check["port"] = self.port.into();
        let lbs =
            self.backends.iter().zip(REGIONS).map(|(b, region)| json!({"region": region, "ipv4": b.ip()}));
        json!({
            "loadBalancers": lbs.collect::<Vec<_>>(),
            "failover": {"strategy": "ordered", "check": check, "ttl": TTL},
        })
    }

    pub fn ip(&self, region: usize) -> BTreeSet<IpAddr> {
        [self.backends[region].ip()].into()
    }

    pub fn all(&self) -> BTreeSet<IpAddr> {
        self.backends.iter().map(Backend::ip).collect()
    }

    pub fn nameservers(&self) -> Vec<SocketAddr> {
        self.world.powerdns.iter().map(pdm_harness::PowerDns::dns).collect()
    }

    /// What one nameserver gives now.
    pub async fn gives(&self, nameserver: usize) -> Option<BTreeSet<IpAddr>> {
        dns::addresses(self.nameservers()[nameserver], &fqdn(LABEL)).await
    }

    /// How long until one nameserver gives these.
    pub async fn until_gives(&self, nameserver: usize, want: &BTreeSet<IpAddr>) -> Duration {
        let begun = Instant::now();
        until_within(&format!("ns{nameserver} to give {want:?}"), DEADLINE, || async {
            match self.gives(nameserver).await {
                Some(seen) if seen == *want => Ok(begun.elapsed()),
                seen => Err(format!("{seen:?}")),
            }
        })
        .await
    }

    /// Wait for the reason of the condition `FailoverIdle`; the allocation.
    pub async fn reason(&self, reason: &str) -> Value {
        let what = format!("to be {reason}");
        self.world
            .api()
            .await_that(LABEL, &what, DEADLINE, |a| condition(a, "FailoverIdle")["reason"] == reason)
            .await
    }

    pub async fn status(&self) -> Value {
        self.world.api().get(&self.path("/failover")).await.expect(&[200]).body
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/allocations/{}{rest}", fqdn(LABEL))
    }

    /// The second nameserver with another setting, started again.
    pub async fn restart_second(&mut self, name: &str, value: &str) {
        let second = &mut self.world.powerdns[1];
        second.stop().await;
        second.setup().more.push_str(&format!("{name}={value}\n"));
        second.go().await;
    }

    /// Every nameserver's signed answer validates from the pool's key.
    pub fn validates(&self) {
        let anchor = self.world.anchor();
        for at in self.nameservers() {
            for name in [fqdn(LABEL), format!("console.{}", fqdn(LABEL)), format!("any.{}", fqdn(LABEL))] {
                dns::must_validate(at, &anchor, POOL, &name, "A");
            }
        }
    }
}
