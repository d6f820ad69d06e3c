//! From a target to what the six names hold, for the servers that there are.

use std::time::{Duration, Instant};

use pdm_lua_records::{Admission, Failover, Server, Spec, Version, lacks, render};
use pdm_model::canonical::{Contents, apex_ns, at_the_six_names, desired_rrsets};
use pdm_model::{Allocation, Pool, RRset, RecordType, Refusal, Target, Ttl, ZoneName};
use pdm_ports::{Class, Fault, LuaServer};

use crate::engine::Engine;

/// How long what the servers told of themselves is believed.
const FRESH: Duration = Duration::from_secs(30);
/// How long a request waits for it. A PowerDNS that is down is no reason to refuse: the operation waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// After so long they are asked again when they did not answer.
const AGAIN: Duration = Duration::from_secs(3);

/// What the servers told, and until when it is believed.
pub(crate) type LuaKnown = Option<(Instant, LuaServer)>;

/// The policy of a target, with what was forced; none when every client always gets the same, so that plain address
/// records say it.
pub(crate) fn policy_of(target: &Target) -> Result<Option<Failover>, Fault> {
    if target.failover.is_none() {
        return Ok(None);
    }
    let spec = Spec::from(target);
    let unforced = Spec { forced_up: Vec::new(), forced_down: Vec::new(), ..spec.clone() };
    let unreadable = |refusals: pdm_lua_records::Refusals| {
        Fault::new(
            Class::Rejected,
            "policy-unreadable",
            format!("the stored policy is not usable: {refusals}"),
        )
    };
    if Failover::try_from(unforced).map_err(unreadable)?.is_constant() {
        return Ok(None);
    }
    Failover::try_from(spec).map(Some).map_err(unreadable)
}

/// What keeps the servers from computing anything at all: the code and the words.
pub(crate) fn hindrance(lua: &LuaServer) -> Option<(&'static str, String)> {
    if !lua.enabled {
        return Some(("lua-off", "enable-lua-records is off on a PowerDNS instance".to_owned()));
    }
    if !lua.writable {
        return Some((
            "lua-updates-off",
            "enable-lua-record-updates is off on a PowerDNS instance".to_owned(),
        ));
    }
    None
}

/// Zones are always signed.
fn server(lua: &LuaServer) -> Result<Server, Fault> {
    let version = lua.version.parse::<Version>().map_err(|error| {
        Fault::new(
            Class::Unsupported,
            "version-unknown",
            format!("{error}; policies need a released version"),
        )
    })?;
    Ok(Server { version, geoip: lua.geoip, signed: true })
}

/// What each of the six names holds.
fn contents(policy: &Failover, lua: &LuaServer) -> Result<Vec<Contents>, Fault> {
    let records = render(policy, &server(lua)?).map_err(|lacks| {
        let code = lacks.first().map_or("needs-version", |lack| lack.code);
        let all: Vec<_> = lacks.iter().map(ToString::to_string).collect();
        Fault::new(Class::Unsupported, code, all.join("; "))
    })?;
    let ttl = Ttl::new(policy.ttl());
    let records = records.into_iter().map(|record| record.content).collect();
    Ok(vec![Contents { rtype: RecordType::Lua, ttl, records }])
}

fn refused(refusals: Vec<pdm_lua_records::Refusal>) -> Refusal {
    let mut all = refusals.into_iter();
    let Some(first) = all.next() else { return Refusal::new("internal", "a refusal without a reason") };
    // One problem carries one field; the others stand in its detail, so that nothing is found out one by one.
    let more: String = all.take(5).map(|refusal| format!("; {refusal}")).collect();
    Refusal::new(first.code, format!("{}{more}", first.detail)).field(first.field)
}

impl Engine {
    /// How the servers compute LUA records; asked anew when the last answer is old. An older answer is better than
    /// none.
    ///
    /// # Errors
    /// They do not answer, and never did.
    pub(crate) async fn lua_server(&self) -> Result<LuaServer, Fault> {
        // Held over the call: a crowd that asks at once shares one answer.
        let mut known = self.lua_refresh.lock().await;
        if let Some((until, lua)) = known.as_ref()
            && Instant::now() < *until
        {
            return Ok(lua.clone());
        }
        match self.parts.zones.lua_server().await {
            Ok(lua) => {
                *known = Some((Instant::now() + FRESH, lua.clone()));
                *self.lua.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(lua.clone());
                Ok(lua)
            }
            // One of them is down: that keeps nobody from changing a policy at the others.
            Err(fault) => {
                let told = self.known_lua_server().ok_or(fault)?;
                *known = Some((Instant::now() + AGAIN, told.clone()));
                Ok(told)
            }
        }
    }

    /// Ask them anew at the next use: something did not go as they told.
    pub(crate) async fn forget_lua_server(&self) {
        *self.lua_refresh.lock().await = None;
    }

    /// What the servers told of themselves last.
    #[must_use]
    pub fn known_lua_server(&self) -> Option<LuaServer> {
        self.lua.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The policy that nameservers compute for an allocation now; none when it is answered by plain records or not at
    /// all.
    ///
    /// # Errors
    /// What is stored cannot be read.
    pub fn policy(&self, allocation: &Allocation) -> Result<Option<Failover>, Fault> {
        allocation.served_target().map_or(Ok(None), policy_of)
    }

    /// What should be in an allocation's zone, besides SOA and keys, by what is known of the servers.
    ///
    /// # Errors
    /// They are not known, or lack what its policy needs.
    pub(crate) fn own_rrsets(&self, allocation: &Allocation) -> Result<Vec<RRset>, Fault> {
        let (name, nameservers) = (&allocation.fqdn, &self.settings.nameservers);
        let ttls = self.settings.rules(allocation).map(|rules| rules.ttls).unwrap_or_default();
        let Some(policy) = self.policy(allocation)? else {
            return Ok(desired_rrsets(name, nameservers, allocation.served_target(), &ttls));
        };
        let unknown =
            || Fault::transient("powerdns-unknown", "PowerDNS has not yet said what it can compute");
        let lua = self.known_lua_server().ok_or_else(unknown)?;
        let mut rrsets = vec![apex_ns(name, nameservers, &ttls)];
        rrsets.extend(at_the_six_names(name, &contents(&policy, &lua)?));
        Ok(rrsets)
    }

    /// The same after a look at the servers, where that matters.
    pub(crate) async fn own_rrsets_now(&self, allocation: &Allocation) -> Result<Vec<RRset>, Fault> {
        if self.policy(allocation)?.is_some() {
            self.lua_server().await?;
        }
        self.own_rrsets(allocation)
    }

    /// Before LUA records are written: where they are not computed, names that were answered would vanish.
    pub(crate) async fn must_compute(&self, allocation: &Allocation) -> Result<(), Fault> {
        if self.policy(allocation)?.is_none() {
            return Ok(());
        }
        match hindrance(&self.lua_server().await?) {
            Some((code, detail)) => Err(Fault::new(Class::Unsupported, code, detail)),
            None => Ok(()),
        }
    }

    /// A target that may be written: addresses and policy are the pool's to admit, the rest the servers'. A policy is
    /// kept with every default written out, so that a later version means the same by it.
    ///
    /// # Errors
    /// What is wrong, with its field.
    pub(crate) async fn admit_target(
        &self,
        name: &ZoneName,
        rules: &Pool,
        mut target: Target,
    ) -> Result<Target, Refusal> {
        target.validate(&rules.allow_addresses).map_err(|e| Refusal::new(e.code, e.detail).field(e.field))?;
        if target.failover.is_none() {
            return Ok(target);
        }
        let admission = Admission {
            tenant: name.as_str(),
            allowed_networks: &rules.allow_addresses,
            allow_http_checks: rules.allow_http_checks,
        };
        let policy = Failover::build(&Spec::from(&target), &admission).map_err(refused)?;
        if !policy.is_constant() {
            self.must_be_computable(&policy).await?;
        }
        target.failover = Some(Spec::from(policy).failover);
        Ok(target)
    }
}

impl Engine {
    /// What the servers lack is said to the caller at once. They are asked anew before anything is refused: somebody
    /// may just have mended it.
    async fn must_be_computable(&self, policy: &Failover) -> Result<(), Refusal> {
        let mut verdict = Ok(());
        for _ in 0..2 {
            let Ok(Ok(lua)) = tokio::time::timeout(PATIENCE, self.lua_server()).await else { return verdict };
            verdict = computable(policy, &lua);
            if verdict.is_ok() {
                break;
            }
            self.forget_lua_server().await;
        }
        verdict
    }
}

/// With what it would take.
fn computable(policy: &Failover, lua: &LuaServer) -> Result<(), Refusal> {
    if let Some((code, detail)) = hindrance(lua) {
        return Err(Refusal::new(code, detail).field("failover"));
    }
    let server =
        server(lua).map_err(|fault| Refusal::new("needs-version", fault.detail).field("failover"))?;
    let lacks = lacks(policy, &server);
    let Some(first) = lacks.first() else { return Ok(()) };
    let all: Vec<_> = lacks.iter().map(ToString::to_string).collect();
    Err(Refusal::new(first.code, all.join("; ")).field(first.field))
}

#[cfg(test)]
mod tests {
    use pdm_model::{Drain, FailoverSpec, Force, LoadBalancer, Timestamp};

    use super::*;

    fn target(regions: u8) -> Target {
        let one = |n: u8| LoadBalancer {
            region: Some(format!("r{n}")),
            ipv4: Some([192, 0, 2, n].into()),
            ..LoadBalancer::default()
        };
        let mut target = Target::plain((1..=regions).map(one).collect());
        target.failover = Some(FailoverSpec::default());
        target
    }

    fn lua(version: &str) -> LuaServer {
        let version = version.to_owned();
        LuaServer {
            version,
            enabled: true,
            writable: true,
            geoip: false,
            interval: 5,
            expire: 3600,
            instances: 1,
        }
    }

    #[test]
    fn one_load_balancer_stays_plain_and_a_drained_policy_stays_a_policy() {
        assert_eq!(policy_of(&Target { failover: None, ..target(2) }).unwrap(), None);
        assert_eq!(policy_of(&target(1)).unwrap(), None);
        let mut two = target(2);
        assert_eq!(policy_of(&two).unwrap().unwrap().regions().len(), 2);
        let (region, by) = ("r1".to_owned(), "me".to_owned());
        two.drains.push(Drain { region, force: Force::Down, until: Timestamp(1), by });
        assert_eq!(policy_of(&two).unwrap().unwrap().regions().len(), 1);
        two.drains[0].region = "r9".to_owned();
        assert_eq!(policy_of(&two).unwrap_err().code, "policy-unreadable");
    }

    #[test]
    fn what_the_servers_lack_has_its_code_and_says_what_it_takes() {
        let policy = policy_of(&target(2)).unwrap().unwrap();
        assert!(computable(&policy, &lua("4.7.3")).is_ok());
        let code = |lua: &LuaServer| computable(&policy, lua).unwrap_err().code;
        assert_eq!(code(&LuaServer { enabled: false, ..lua("4.7.3") }), "lua-off");
        assert_eq!(code(&LuaServer { writable: false, ..lua("5.1.0") }), "lua-updates-off");
        assert_eq!(code(&lua("4.6.1")), "needs-version");
        assert_eq!(code(&lua("git")), "needs-version");
        let mut nearest = target(2);
        nearest.failover = Some(FailoverSpec { strategy: Some("nearest".into()), ..FailoverSpec::default() });
        let refusal = computable(&policy_of(&nearest).unwrap().unwrap(), &lua("4.9.0")).unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), ("needs-geoip", Some("failover.strategy")));
    }
}
