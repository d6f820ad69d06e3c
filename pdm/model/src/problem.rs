//! Every refusal by its stable code: what it is called, which HTTP status it has, who must act and how.

/// One row of the table of problems. Codes never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Short title.
    pub title: &'static str,
    /// Who must act.
    pub who: &'static str,
    /// What to do.
    pub next: &'static str,
    /// The word that the older paths use for it.
    pub legacy: &'static str,
}

macro_rules! problems {
    ($($code:literal $status:literal $title:literal $who:literal $next:literal $legacy:literal)*) => {
        /// The whole table, sorted by code.
        pub const PROBLEMS: &[Problem] = &[$(Problem {
            code: $code, status: $status, title: $title, who: $who, next: $next, legacy: $legacy,
        }),*];
    };
}

problems! {
    "account-not-eligible" 403 "The registrar does not let this account use its API" "caller" "meet the registrar's conditions, or choose byo-manual" "unsupported-registrar"
    "address-refused" 422 "This address cannot be a load balancer here" "caller" "give a public address, or have the operator add the range to the pool's allow_addresses" "invalid-format"
    "already-committed" 409 "The name is committed with another target" "caller" "use PUT /v1/allocations/{fqdn}/target to change it" "already-active"
    "already-there" 409 "The registrar holds a record of this kind already" "nobody" "PDM reads it and goes on" "conflict"
    "below-another-delegation" 409 "The name lies below another delegation" "caller" "delegate it in the zone that has it" "conflict"
    "body-too-large" 413 "The body is too large" "caller" "send at most 64 KiB" "invalid-format"
    "capability-missing" 422 "Whoever holds the parent cannot do what this needs" "caller" "the detail names the way out; nothing was changed" "unsupported-registrar"
    "caveat-not-accepted" 422 "A risk at this registrar must be accepted first" "caller" "read it at GET /v1/registrars and name its code in the request" "invalid-format"
    "change-in-progress" 409 "The registrar works on another change of this domain" "nobody" "PDM waits for it" "conflict"
    "changed-meanwhile" 409 "The zone changed while PDM looked at it" "nobody" "PDM reads it again and tries again" "conflict"
    "check-host-refused" 422 "This host cannot be checked" "caller" "name the Sovereign's own name or one below it" "invalid-format"
    "clock-skew" 503 "The registrar finds our time wrong" "operator" "set the clock of the machine" "api-unavailable"
    "credential-address-not-allowed" 422 "The registrar admits only listed addresses" "caller" "add PDM's outgoing address to the list at the registrar" "invalid-token"
    "credential-incomplete" 422 "A field of the credential is missing" "caller" "give all fields that GET /v1/registrars names" "invalid-token"
    "credential-invalid" 422 "The registrar does not accept this credential" "caller" "check it for typing errors, its end date and its account" "invalid-token"
    "credential-malformed" 422 "The credential cannot be one of this registrar" "caller" "see the detail for the field" "invalid-token"
    "credential-scope" 422 "The credential lacks a right" "caller" "make one by the recipe at GET /v1/registrars" "invalid-token"
    "delegation-unsafe" 409 "Changing the nameservers now would break the domain for somebody" "caller" "the detail has the plan; commit the domain, and it waits where it has to" "conflict"
    "dns-name-refused" 403 "This token may not write this record" "caller" "write only what the token is for: TXT at _acme-challenge, or names under its own labels" "token-mismatch"
    "dns-unavailable" 503 "The nameservers do not take changes now" "nobody" "repeat as Retry-After says; nothing was changed unless a repeat shows it" "api-unavailable"
    "dnskey-malformed" 422 "The DNSKEY cannot be read" "caller" "give flags, algorithm and the key in base64" "invalid-format"
    "dnskey-mismatch" 422 "DNSKEY and DS are not of the same key" "caller" "give the key of this DS" "invalid-format"
    "dnskey-needed" 422 "This registrar takes the DNSKEY and not its digest" "caller" "give the key with the DS" "invalid-format"
    "domain-locked" 409 "The domain cannot be changed now" "caller" "the detail says why: renew it, or have the hold lifted" "conflict"
    "domain-not-in-account" 404 "The registrar knows no such domain for this credential" "caller" "use the account that holds the domain, or widen the credential's scope" "domain-not-in-account"
    "ds-count" 422 "The registrar takes fewer DS records" "caller" "finish the key roll before the next" "invalid-format"
    "ds-first" 409 "The present operator's DS must go before the NS set changes" "nobody" "PDM removes it, waits for its TTL and goes on" "conflict"
    "ds-unsupported" 422 "DS cannot be set here by API" "caller" "the detail has the way out" "unsupported-registrar"
    "ds-without-ns" 409 "A DS would stand without NS" "nobody" "NS first when they come, DS first when they go" "conflict"
    "field-unused" 422 "This field would be ignored" "caller" "leave it out, or give the policy that uses it" "invalid-format"
    "forbidden" 403 "This token may not do that" "caller" "use a token with the role and scope that the call needs" "token-mismatch"
    "foreign-records" 409 "Records of others stand in the way" "caller" "the detail names them: move or remove them first" "conflict"
    "frame-refused" 403 "The wizard does not open in this frame" "operator" "name the page's origin in pages.frame_ancestors, and ask for a fresh ticket for each frame" "token-mismatch"
    "frozen" 503 "Changes are stopped" "operator" "wait until an operator runs `pdm thaw`" "api-unavailable"
    "glue-missing" 422 "A nameserver below the delegated name has no address" "caller" "give its addresses, or use names elsewhere" "invalid-format"
    "glue-unsupported" 422 "This registrar's adapter makes no glue" "caller" "use nameserver names outside of the delegated name" "unsupported-registrar"
    "http-checks-refused" 422 "This pool admits TCP checks only" "operator" "use check.type tcp, or have the operator set the pool's allow_http_checks" "invalid-format"
    "idempotency-conflict" 422 "The Idempotency-Key was used with another body" "caller" "use a new key for a new request" "conflict"
    "idempotency-in-progress" 409 "A request with this Idempotency-Key is under way" "nobody" "repeat in a second" "conflict"
    "internal" 500 "Something broke that should not" "operator" "look for the request id in the daemon's log" "api-unavailable"
    "invalid-body" 400 "The body is not what this call takes" "caller" "send the JSON of the reference; the detail names the place" "invalid-format"
    "invalid-check" 422 "The health check is not usable" "caller" "correct the field that the detail names" "invalid-format"
    "invalid-fallback" 422 "What to answer when all are down is not usable" "caller" "correct the field that the detail names" "invalid-format"
    "invalid-load-balancer" 422 "A load balancer of the policy is not usable" "caller" "correct the field that the detail names" "invalid-format"
    "invalid-name" 422 "This is not a name that can be lent" "caller" "use letters, digits and inner hyphens, at most 63 in a label" "invalid-format"
    "invalid-parameter" 400 "A parameter is missing or malformed" "caller" "see the detail for the parameter" "invalid-format"
    "invalid-rrset" 422 "The RRset cannot be written" "caller" "correct the field that the detail names" "invalid-format"
    "invalid-strategy" 422 "The strategy is not usable" "caller" "correct the field that the detail names" "invalid-format"
    "invalid-target" 422 "The target is not usable" "caller" "correct the field that the detail names" "invalid-format"
    "last-region" 422 "No region would be left" "caller" "leave at least one region that is not forced down" "invalid-format"
    "lua-off" 422 "The nameservers do not compute answers" "operator" "set enable-lua-records=shared on every PowerDNS" "api-unavailable"
    "lua-updates-off" 422 "PowerDNS refuses computed answers in its API" "operator" "set enable-lua-record-updates=yes on every PowerDNS" "api-unavailable"
    "method-not-allowed" 405 "The path exists, the method does not" "caller" "see /openapi.json" "invalid-format"
    "missing-load-balancer" 422 "No load balancer was given" "caller" "give at least one with ipv4 or ipv6" "missing-lb-ip"
    "mode-unsupported" 422 "This registrar cannot do that" "caller" "the detail has the way out" "unsupported-registrar"
    "name-look-alike" 422 "The name looks like one that is in use or protected" "caller" "choose a name that people cannot mistake" "reserved"
    "name-overlaps" 409 "The name lies at, above or below another one that is here" "caller" "have the owner of that name release it, or choose another" "conflict"
    "name-quarantined" 409 "The name was released lately and is kept from other owners" "caller" "wait for the date, choose another name, or have its former owner reserve it" "conflict"
    "name-reserved" 422 "The name is kept and never lent" "caller" "choose another name" "reserved"
    "name-taken" 409 "The name is in use" "caller" "choose another name" "conflict"
    "nameserver-refused" 422 "The registrar or registry refused a nameserver" "operator" "see the detail; some registries want the nameserver registered or answering first" "invalid-format"
    "needs-geoip" 422 "The nameservers do not know where clients are" "operator" "launch the geoip backend with a database on every nameserver, or use another strategy" "api-unavailable"
    "needs-unsigned-zone" 422 "A signed zone cannot answer nothing" "caller" "use whenAllDown all, first or fallback" "invalid-format"
    "needs-version" 422 "The nameservers are too old for this policy" "operator" "upgrade every PowerDNS as the detail says, or leave the field out" "api-unavailable"
    "no-failover" 409 "The name has no failover policy" "caller" "give it one with PUT /v1/allocations/{fqdn}/target" "conflict"
    "no-such-finding" 404 "The last audit found no such thing, or PDM cannot mend it" "caller" "run an audit and read its findings" "not-found"
    "no-such-task" 404 "The registrar has no such task" "nobody" "PDM reads the state again" "not-found"
    "not-acceptable-state" 409 "The name cannot take this now" "caller" "read its phase and wait for it, or release it" "conflict"
    "not-below-zone" 422 "The name does not lie where the request says" "caller" "name the registered domain and a name below it" "invalid-format"
    "not-found" 404 "There is no such thing, or not for this token" "caller" "check the name and the token's scope" "not-found"
    "ns-and-ds-apart" 422 "At a registry NS and DS are two changes" "nobody" "PDM makes them one after the other with a wait between" "conflict"
    "ns-count" 422 "The registrar takes another number of nameservers" "operator" "give as many as the detail says" "invalid-format"
    "ownership-disputed" 409 "Another owner proved the domain before" "nobody" "keep the TXT record and commit again when the time is over; the other owner is asked to prove it again until then" "conflict"
    "ownership-unproved" 409 "The domain is not proved to be this owner's" "caller" "publish the TXT record that reserve answered, at every nameserver of the domain, or delegate it to the names that were answered, and commit again" "conflict"
    "parent-locked" 409 "The parent cannot be changed now" "caller" "remove what the detail names at the registrar; nothing was changed" "conflict"
    "parent-serves-child" 422 "The parent's server also serves the name, so its delegation cannot be seen" "caller" "move the name's zone off that server, or make the delegation by hand" "unsupported-registrar"
    "parent-unknown" 503 "Not every server of the parent answers" "nobody" "repeat later; nothing was changed" "api-unavailable"
    "public-suffix" 422 "A public suffix belongs to everybody under it" "caller" "bring a registered domain or a name below one" "reserved"
    "quota-reached" 409 "The owner has as many names in this pool as it may" "operator" "release one, or have the operator raise the quota" "conflict"
    "rate-limited" 429 "Too many requests" "nobody" "wait as Retry-After says" "rate-limited"
    "read-only" 503 "The store is older than the DNS, so nothing is changed" "operator" "run `pdm store recover`" "api-unavailable"
    "registrar-busy" 429 "The registrar allows no more calls for now" "nobody" "wait as Retry-After says" "rate-limited"
    "registrar-cannot" 422 "The registrar cannot do this" "caller" "see the detail for the way out" "unsupported-registrar"
    "registrar-garbage" 502 "The registrar's answer makes no sense" "operator" "look at the registrar's status page; a proxy may have answered instead" "api-unavailable"
    "registrar-no-answer" 504 "The registrar did not answer" "nobody" "PDM reads the state and tries again" "api-unavailable"
    "registrar-refused" 422 "The registrar refused the request" "operator" "see the detail for its words" "api-unavailable"
    "registrar-unavailable" 503 "The registrar has trouble" "nobody" "PDM tries again" "api-unavailable"
    "registrar-unreachable" 503 "The registrar cannot be reached" "operator" "check PDM's way out to the registrar" "api-unavailable"
    "registrar-url" 422 "The base URL of a registrar is not usable" "operator" "give http(s):// and a host, without user and query" "invalid-format"
    "reservation-expired" 410 "The reservation is over" "caller" "reserve the name again" "reservation-expired"
    "reservation-held" 409 "The name is reserved by somebody" "caller" "try again after the date, or choose another name" "conflict"
    "risk-not-accepted" 422 "This registrar has a risk that has to be accepted first" "caller" "read the detail and name its code in registrar.accept" "conflict"
    "roll-not-applicable" 409 "The zone's keys cannot be rolled this way" "caller" "see the zone's keys and policy with `pdm dnssec status`" "conflict"
    "roll-under-way" 409 "Another roll is under way" "nobody" "wait for it, or ask for an emergency roll: it begins when this one ends" "conflict"
    "roll-unsupported" 422 "The parent cannot follow such a roll" "caller" "choose the kind that the detail names" "conflict"
    "server-address-refused" 422 "The credential points to an address that is not for users" "operator" "add its range to dns.parent_allow, if it is meant" "invalid-format"
    "store-unavailable" 503 "The store does not answer" "operator" "repeat later; nothing was changed unless a repeat shows it" "api-unavailable"
    "token-mismatch" 403 "The reservation token does not belong to this name" "caller" "use the token that reserve answered" "token-mismatch"
    "too-many-withdrawals" 429 "More names were released in this pool within an hour than is safe" "operator" "an admin releases it, or waits for the hour to pass" "rate-limited"
    "unauthenticated" 401 "No valid bearer token" "caller" "send Authorization: Bearer with a token from `pdm token create`" "token-mismatch"
    "unknown-region" 422 "The policy has no such region" "caller" "use a region that the detail lists" "invalid-format"
    "unsupported-media-type" 415 "The body is not JSON" "caller" "send Content-Type: application/json" "invalid-format"
    "unsupported-mode" 422 "This mode is not served" "caller" "use pool, byo-manual or byo-api" "invalid-format"
    "unsupported-pool" 422 "This is not a pool of ours" "caller" "see GET /v1/pools" "unsupported-pool"
    "unsupported-registrar" 422 "This registrar is not served" "caller" "see GET /v1/registrars" "unsupported-registrar"
    "vendor-dns-in-zone" 422 "A name in a hosted zone has no DNS of the vendor" "caller" "give an empty set to remove the delegation" "invalid-format"
    "withdraw-unsupported" 422 "The delegation cannot be taken back by API" "caller" "the detail has the way out" "unsupported-registrar"
    "workload-unknown" 403 "The certificate is good, and nobody here knows the workload" "operator" "add its SPIFFE id to [[workloads]] in the configuration" "token-mismatch"
    "zone-file-malformed" 422 "The zone file cannot be understood" "caller" "correct the line that the detail names, or leave it out" "invalid-format"
    "zone-not-as-written" 409 "The zone is not what was just written" "caller" "compare its records at the registrar; somebody else writes there" "conflict"
    "zone-not-hosted" 409 "The registrar does not serve the zone now" "caller" "change it where the zone is served" "conflict"
    "zone-not-repeatable" 409 "A record of the zone would be lost or changed by any write" "caller" "the detail names it: change it, or make the delegation by hand" "conflict"
    "zone-silent" 503 "The servers before do not answer" "caller" "upload the zone as a file" "api-unavailable"
    "zone-too-large" 422 "The old zone has more in it than is carried over" "caller" "upload a smaller zone: at most 100,000 records and 64 MiB" "invalid-format"
}

/// The row of a code; an unknown code is our own mistake and reads as `internal`.
#[must_use]
pub fn problem(code: &str) -> &'static Problem {
    let find = |wanted: &str| PROBLEMS.iter().find(|p| p.code == wanted);
    find(code).or_else(|| find("internal")).unwrap_or(&PROBLEMS[0])
}

/// A request that is turned down: a value, never a panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// A code of the table.
    pub code: &'static str,
    /// What exactly, for people.
    pub detail: String,
    /// The field of the body that is wrong.
    pub field: Option<String>,
    /// When it may be different.
    pub until: Option<crate::time::Timestamp>,
    /// Whole seconds after which a repeat makes sense.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal with its detail.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, until: None, retry_after: None }
    }

    /// Name the field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Name the time.
    #[must_use]
    pub fn until(mut self, until: crate::time::Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Say when to repeat.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_kebab() {
        let mut seen = std::collections::BTreeSet::new();
        for p in PROBLEMS {
            assert!(seen.insert(p.code), "{} twice", p.code);
            assert!(p.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", p.code);
            assert!((400..600).contains(&p.status));
        }
    }

    #[test]
    fn older_words_are_those_the_old_clients_know() {
        let known = "invalid-format unsupported-pool reserved conflict not-found already-active token-mismatch \
                     reservation-expired missing-lb-ip invalid-token domain-not-in-account rate-limited \
                     api-unavailable unsupported-registrar";
        let known: Vec<_> = known.split_ascii_whitespace().collect();
        assert!(PROBLEMS.iter().all(|p| known.contains(&p.legacy)));
    }
}
