//! The table of configuration keys: defaults, the example file, the schema, the check for unknown keys and the reading
//! of environment variables all come from here.

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free text.
    Text,
    /// `file:PATH`, `env:NAME` or `openbao:MOUNT/PATH#FIELD`.
    Secret,
    /// An http or https address.
    Url,
    /// true or false.
    Flag,
    /// A whole number.
    Count,
    /// `90m`.
    Time,
    /// ADDRESS:PORT.
    Address,
    /// A domain name.
    Name,
    /// A list of domain names.
    Names,
    /// A list of words.
    Words,
    /// A list of address ranges.
    Networks,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of ADDRESS or ADDRESS:PORT.
    Sockets,
    /// A table from domain names to lists of addresses.
    Addresses,
    /// A list of `{ cidr, role }`.
    NetworkRoles,
    /// A table from words to words.
    Pairs,
    /// A table with its own rows here.
    Section,
}

impl Kind {
    /// Whether an environment variable holds the text itself instead of a TOML value.
    pub fn is_text(self) -> bool {
        match self {
            Self::Text
            | Self::Secret
            | Self::Url
            | Self::Time
            | Self::Address
            | Self::Name
            | Self::Choice(_) => true,
            Self::Flag
            | Self::Count
            | Self::Names
            | Self::Words
            | Self::Networks
            | Self::Sockets
            | Self::Addresses
            | Self::NetworkRoles
            | Self::Pairs
            | Self::Section => false,
        }
    }
}

/// How often a section stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[section]`
    Single,
    /// `[section]`, or not there at all.
    Optional,
    /// `[[section]]`
    List,
    /// `[[section]]`, or not there at all.
    OptionalList,
    /// `[section.ID]`
    Map,
    /// Inside a section of a list.
    Inner,
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// How often it stands.
    pub shape: Shape,
    /// What it is about.
    pub help: &'static str,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The value when it is left out, as TOML; empty when there is none.
    pub default: &'static str,
    /// A value for the example, as TOML; empty to show the default.
    pub example: &'static str,
    /// Must be given.
    pub required: bool,
    /// What it does.
    pub help: &'static str,
}

/// All sections in the order of the example.
pub const SECTIONS: &[Section] = &[
    Section { name: "http", shape: Shape::Single, help: "where the API listens" },
    Section { name: "store", shape: Shape::Single, help: "the database of intents; DNS data is in PowerDNS" },
    Section {
        name: "powerdns",
        shape: Shape::List,
        help: "one per PowerDNS process; all share one database, the first takes all writes",
    },
    Section {
        name: "dns",
        shape: Shape::Single,
        help: "the nameservers as the world sees them, and how proofs reach them",
    },
    Section { name: "pools", shape: Shape::List, help: "one per zone that names are lent from" },
    Section {
        name: "pools.ttl",
        shape: Shape::Inner,
        help: "TTLs to write, in seconds; waits follow what was seen in the DNS",
    },
    Section {
        name: "pools.keys",
        shape: Shape::Inner,
        help: "DNSSEC keys of the names lent here; a name may have a policy of its own",
    },
    Section {
        name: "byo",
        shape: Shape::Single,
        help: "the rules for domains that their owners bring; TTLs in seconds",
    },
    Section {
        name: "credentials",
        shape: Shape::Single,
        help: "how credentials of registrars are kept; without a key in memory only, and a restart asks for them again",
    },
    Section {
        name: "registrars",
        shape: Shape::Map,
        help: "per registrar; tests and gateways point it elsewhere",
    },
    Section {
        name: "openbao",
        shape: Shape::Optional,
        help: "secrets written as openbao:MOUNT/PATH#FIELD (key-value version 2)",
    },
    Section { name: "auth", shape: Shape::Single, help: "who may call" },
    Section {
        name: "tls",
        shape: Shape::Optional,
        help: "the listener's certificate; without it and [spiffe] it speaks HTTP",
    },
    Section {
        name: "spiffe",
        shape: Shape::Optional,
        help: "who PDM is among workloads (X.509 SVIDs), and whom it trusts: an agent's socket, or files that somebody keeps fresh",
    },
    Section {
        name: "workloads",
        shape: Shape::OptionalList,
        help: "what workloads may do that show an SVID; the first that fits",
    },
    Section {
        name: "oidc",
        shape: Shape::Optional,
        help: "tokens of an OpenID Connect issuer (Keycloak), beside those of auth.tokens",
    },
    Section {
        name: "notify",
        shape: Shape::Optional,
        help: "a hook that is told when a brought domain begins to wait for its owner; Standard Webhooks, at least once",
    },
    Section { name: "nats", shape: Shape::Optional, help: "what happens, as CloudEvents on NATS JetStream" },
    Section { name: "telemetry", shape: Shape::Optional, help: "traces for an OpenTelemetry collector" },
    Section { name: "worker", shape: Shape::Single, help: "how operations are driven" },
    Section { name: "audit", shape: Shape::Single, help: "how audits go on by themselves" },
    Section {
        name: "pages",
        shape: Shape::Single,
        help: "pages for people; a console shows the wizard in a frame as docs/how-to/embed.md says",
    },
    Section { name: "limits", shape: Shape::Single, help: "on requests" },
    Section { name: "log", shape: Shape::Single, help: "logs go to standard error" },
];

macro_rules! keys {
    ($($section:literal { $($name:literal $kind:expr, $need:ident, $default:literal, $example:literal, $help:literal;)* })*) => {
        /// All keys.
        pub const KEYS: &[Key] = &[$($(Key {
            section: $section, name: $name, kind: $kind, default: $default, example: $example,
            required: keys!(@$need), help: $help,
        },)*)*];
    };
    (@must) => { true };
    (@may) => { false };
}

use Kind::{
    Address, Addresses, Choice, Count, Flag, Name, Names, NetworkRoles, Networks, Pairs, Secret, Sockets,
    Text, Time, Url, Words,
};

keys! {
    "http" {
        "listen" Address, may, "\"127.0.0.1:8053\"", "", "address and port of the HTTP API";
    }
    "store" {
        "url" Text, must, "", "\"sqlite:/var/lib/pdm/pdm.db\"", "sqlite:PATH or postgres://...; with a password only as file:, env: or openbao: reference";
        "migrate" Flag, may, "false", "", "bring the schema up to date on start; otherwise run `pdm store migrate`";
    }
    "powerdns" {
        "url" Url, must, "", "\"http://127.0.0.1:8081\"", "its web server";
        "api_key" Secret, must, "", "\"file:/run/secrets/pdns\"", "its API key";
        "server_id" Text, may, "\"localhost\"", "", "its id in the API's paths";
        "dns" Address, may, "", "\"127.0.0.1:5300\"", "where this instance answers DNS; asked in every proof";
        "spiffe_id" Text, may, "", "\"spiffe://openova.io/ns/dns/sa/powerdns\"", "which workload answers at an https url; it is shown our SVID";
    }
    "tls" {
        "certificate" Text, must, "", "\"server.pem\"", "file of the chain (PEM), looked at every second";
        "key" Text, must, "", "\"server.key\"", "file of its key (PEM)";
    }
    "spiffe" {
        "socket" Text, may, "", "\"unix:///run/spire/agent.sock\"", "the Workload API of an agent; or these files:";
        "certificate" Text, may, "", "\"svid.pem\"", "file of the chain (PEM), as spiffe-helper or a CSI driver writes it";
        "key" Text, may, "", "\"svid.key\"", "file of its key (PEM)";
        "bundle" Text, may, "", "\"bundle.pem\"", "file of the trust domain's authorities (PEM)";
        "trust_domain" Text, may, "", "\"openova.io\"", "the name of our trust domain, with files";
        "federated" Pairs, may, "{}", "{ \"partner.example\" = \"partner.pem\" }", "other trust domains and files of their authorities, with files; an agent says them itself";
        "clients" Choice(&["optional", "required"]), may, "\"optional\"", "", "whether clients of the listener must show an SVID";
        "listener" Flag, may, "true", "", "whether the listener shows the SVID (or [tls]) and takes those of clients";
    }
    "workloads" {
        "id" Text, must, "", "\"spiffe://openova.io/ns/catalyst/sa/provisioner\"", "its SPIFFE id; /* at the end means all below";
        "role" Choice(&["admin", "provisioner", "wizard", "auditor"]), must, "", "\"provisioner\"", "what it may do";
        "owner" Text, may, "", "\"acme\"", "whom it acts for; everybody when left out";
        "pool" Name, may, "", "\"omani.works\"", "the one pool that it may use; all when left out";
    }
    "dns" {
        "nameservers" Names, must, "", "[\"ns1.openova.io\", \"ns2.openova.io\", \"ns3.openova.io\"]", "NS of every zone; the first is the SOA MNAME";
        "hostmaster" Name, may, "", "\"hostmaster.openova.io\"", "SOA RNAME; hostmaster beside the first nameserver when left out";
        "resolver" Address, may, "\"127.0.0.1:53\"", "", "kept for later; walks ask authoritative servers only, and the nameservers' addresses come from the system's resolver";
        "root_hints" Sockets, may, "[]", "[\"198.41.0.4\"]", "root servers from which the tree is walked, the public ones when left out; found servers are asked at the port of the first hint";
        "trust_anchor" Secret, may, "", "\"file:pools.ds\"", "DS or DNSKEY records of the root and of pools, one a line, to prove from; a pool without one is proved from its key in PowerDNS, the public root from IANA's";
        "probe_allow" Networks, may, "[]", "[\"192.0.2.0/24\"]", "networks that probes may reach beyond public addresses";
        "parent_allow" Networks, may, "[]", "[\"10.53.0.0/16\"]", "networks beyond public addresses in which a parent's server may be that a credential names (RFC 2136, PowerDNS)";
        "nameserver_addresses" Addresses, may, "{}", "{ \"ns1.openova.io\" = [\"127.0.0.1:5300\"] }", "where to ask the nameservers; such a proof is marked as a private view";
        "processes" Count, may, "0", "", "nameserver processes that check load balancers, each for itself; 0 counts one for each address that is asked";
        "glue" Addresses, may, "{}", "{ \"ns1.openova.io\" = [\"192.0.2.1\"] }", "addresses of nameservers inside a pool, written into that pool; those above when left out";
        "signal_zones" Names, may, "[]", "[\"openova.io\"]", "zones of nameserver names in PowerDNS in which signalling records (RFC 9615) may be written";
        "claim_zone" Name, may, "", "\"claim.openova.io\"", "a name of yours below which a wildcard leads to the nameservers' addresses: domains are also proved by delegation to names that are issued there";
        "maintenance" Names, may, "[]", "", "nameservers that a proof may skip, named in the receipt";
    }
    "pools" {
        "domain" Name, must, "", "\"omani.works\"", "the zone";
        "reservation_ttl" Time, may, "\"90m\"", "", "how long a reservation holds a name";
        "quarantine" Time, may, "\"200d\"", "", "how long a released name is kept from other owners";
        "quota" Count, may, "0", "", "live names an owner may have; 0 is no limit";
        "allow_addresses" Networks, may, "[]", "[\"10.20.0.0/16\"]", "special ranges that load balancers may use";
        "allow_http_checks" Flag, may, "false", "", "whether failover policies may fetch URLs; such checks follow redirects past any address filter";
        "reserved" Words, may, "[]", "[\"intranet\"]", "labels kept besides the built-in list";
        "protected" Words, may, "[]", "[\"openova\"]", "brands that nobody may imitate";
        "withdrawals_per_hour" Count, may, "10", "", "releases an hour beyond which only an admin may go on";
        "drift" Choice(&["repair", "report"]), may, "\"repair\"", "", "what to do when somebody changed what PDM wrote";
        "ttl" Kind::Section, may, "{}", "", "see below";
        "keys" Kind::Section, may, "{}", "", "see below";
    }
    "pools.ttl" {
        "address" Count, may, "300", "", "the six names";
        "apex_ns" Count, may, "3600", "", "NS at the Sovereign's apex";
        "parent_ns" Count, may, "3600", "", "NS in the pool";
        "parent_ds" Count, may, "300", "", "DS in the pool while it is new";
        "parent_ds_proved" Count, may, "3600", "", "DS in the pool once it was proved for as long as the short TTL; that one when only it is given";
        "negative" Count, may, "300", "", "SOA MINIMUM, and the DNSKEY RRset";
    }
    "byo" {
        "quarantine" Time, may, "\"200d\"", "", "how long a released domain is kept from other owners";
        "allow_addresses" Networks, may, "[]", "[\"10.20.0.0/16\"]", "special ranges that load balancers may use";
        "withdrawals_per_hour" Count, may, "10", "", "releases of one registered domain an hour beyond which only an admin may go on";
        "ttl_address" Count, may, "300", "", "the six names";
        "ttl_apex_ns" Count, may, "3600", "", "NS at the apex";
        "ttl_parent_ns" Count, may, "3600", "", "NS in the parent, where it can be chosen";
        "ttl_parent_ds" Count, may, "300", "", "DS in the parent, where it can be chosen";
        "ttl_negative" Count, may, "300", "", "SOA MINIMUM, and the DNSKEY RRset";
    }
    "credentials" {
        "key" Secret, may, "", "\"file:credentials.key\"", "at least 32 octets; credentials are sealed with it in the store";
        "previous_key" Secret, may, "", "\"file:credentials.old.key\"", "still opens what was sealed before, until `pdm credentials rekey` has run";
        "openbao" Text, may, "", "\"secret/pdm/credentials\"", "MOUNT/PATH in OpenBao below which they are kept in place of the store; the key is a second lock there";
    }
    "openbao" {
        "url" Url, must, "", "\"https://bao.example:8200\"", "https, or http on this machine";
        "login" Choice(&["kubernetes", "jwt", "certificate", "token"]), may, "\"kubernetes\"", "", "as the workload that PDM is; token takes one that somebody else keeps alive";
        "mount" Text, may, "", "\"kubernetes\"", "where the login is mounted; kubernetes, jwt or cert when left out";
        "role" Text, may, "", "\"pdm\"", "role of the login";
        "jwt" Text, may, "\"/var/run/secrets/kubernetes.io/serviceaccount/token\"", "", "file of the JWT, read at every login";
        "certificate" Text, may, "", "\"bao.pem\"", "file of the client certificate (PEM)";
        "key" Text, may, "", "\"bao.key\"", "file of its key (PEM)";
        "token" Secret, may, "", "\"file:bao.token\"", "for login = \"token\"; a file is read again when it is refused";
        "ca" Text, may, "", "\"bao-ca.pem\"", "file of certificate authorities (PEM); the system's when left out";
        "spiffe_id" Text, may, "", "\"spiffe://openova.io/ns/bao/sa/bao\"", "which workload it is; it is shown our SVID, with which login = \"certificate\" needs no files";
        "namespace" Text, may, "", "\"platform\"", "namespace of the server";
        "refresh" Time, may, "\"5m\"", "", "between two looks at secrets in use; one that is refused is looked at at once";
    }
    "pools.keys" {
        "layout" Choice(&["split", "csk"]), may, "\"split\"", "", "KSK and ZSK, or one key for both";
        "algorithm" Count, may, "13", "", "8, 13, 14 or 15; zones roll to it";
        "ksk_lifetime" Time, may, "\"365d\"", "", "age at which the KSK or CSK is rolled; 0s for only when asked";
        "zsk_lifetime" Time, may, "\"90d\"", "", "age at which the ZSK is rolled; 0s for only when asked";
        "digest" Choice(&["sha-256", "sha-384"]), may, "\"sha-256\"", "", "of DS records";
        "denial" Choice(&["nsec", "nsec3"]), may, "\"nsec\"", "", "how names are denied; NSEC3 has no salt and no iterations";
        "cds" Flag, may, "false", "", "publish CDS and CDNSKEY while a DS is due or stands";
        "scanned" Flag, may, "false", "", "of brought domains: the parent takes its DS from CDS and from nobody, so that nobody is asked to enter one";
        "double_ds" Flag, may, "false", "", "roll a KSK by two DS instead of two signatures";
    }
    "registrars" {
        "base_url" Url, must, "", "\"https://eu.api.ovh.com/1.0\"", "its API";
    }
    "auth" {
        "tokens" Secret, must, "", "\"file:tokens.toml\"", "hashed bearer tokens; see `pdm token create`";
        "token_key" Secret, must, "", "\"file:token.key\"", "at least 32 octets; reservation tokens are made with it";
        "trusted_networks" NetworkRoles, may, "[]", "[{ cidr = \"10.20.0.0/24\", role = \"legacy\" }]", "source networks of clients of the older paths";
    }
    "oidc" {
        "issuer" Url, must, "", "\"https://id.example/realms/platform\"", "as its tokens name it; https, or http on this machine";
        "audience" Text, must, "", "\"pdm\"", "tokens for PDM name it in `aud`";
        "roles" Pairs, must, "", "{ \"pdm-admin\" = \"admin\", \"sovereign-provisioner\" = \"provisioner\", \"platform-auditor\" = \"auditor\" }", "from the issuer's roles to those of PDM; with several the strongest holds, with none the token is refused";
        "everywhere" Words, may, "[]", "[\"platform-auditor\"]", "the issuer's roles that act for every organization, as admin does; others act for the one in the token";
        "environments" Pairs, may, "{}", "{ \"prod\" = \"omani.works\", \"dev\" = \"*\" }", "environments whose tokens are taken, and the pool they may use; every token and every pool when left out";
        "roles_claim" Text, may, "\"roles\"", "\"realm_access.roles\"", "where the roles are; a dot steps into an object";
        "organization_claim" Text, may, "\"organization\"", "", "where the organization is, which becomes the owner";
        "environment_claim" Text, may, "\"environment\"", "", "where the environment is";
        "algorithms" Words, may, "[\"RS256\", \"ES256\", \"EdDSA\"]", "", "accepted signatures";
        "clock_skew" Time, may, "\"30s\"", "", "how far the issuer's clock may be off";
        "refresh" Time, may, "\"5m\"", "", "age at which the issuer's keys are fetched again; a key that was taken back is trusted at most this long";
        "stale" Time, may, "\"1d\"", "", "how long known keys are used while the issuer does not answer";
        "ca" Secret, may, "", "\"file:ca.pem\"", "certificate authorities of the issuer; the system's when left out";
        "client_id" Text, may, "", "\"pdm-pages\"", "who PDM is at the issuer, for people who sign in";
        "client_secret" Secret, may, "", "\"file:client.secret\"", "none for a public client";
        "scope" Text, may, "\"openid\"", "", "what is asked for at sign-in";
    }
    "notify" {
        "url" Url, must, "", "\"https://hooks.example/pdm\"", "where notices are posted; https, or http inside `allow`";
        "secret" Secret, must, "", "\"file:notify.secret\"", "at least 32 octets; notices are signed with it";
        "allow" Networks, may, "[]", "[\"10.20.0.0/16\"]", "networks beyond public addresses in which the hook may be";
        "letters" Pairs, may, "{}", "{ \"acme\" = \"dns@acme.com\" }", "addresses by owner, told beside the letter to send";
    }
    "nats" {
        "url" Text, must, "", "\"nats://127.0.0.1:4222\"", "nats://HOST:PORT or tls://HOST:PORT, several by commas";
        "environment" Text, must, "", "\"prod\"", "second token of every subject";
        "prefix" Text, may, "\"ws\"", "", "first token of every subject";
        "organizations" Flag, may, "false", "", "publish each event below a subject of its owner too, for a server that exports it to that owner's account";
        "stream" Text, may, "\"PDM_DNS\"", "", "made when it is missing";
        "bucket" Text, may, "\"dns-state\"", "", "key-value bucket of how every name stands; made when it is missing";
        "max_age" Time, may, "\"30d\"", "", "how long a stream that is made here keeps an event";
        "max_bytes" Count, may, "0", "", "the most octets that such a stream keeps; a full one makes events wait in the store";
        "replicas" Count, may, "1", "", "copies of stream and bucket in a cluster";
        "spiffe_id" Text, may, "", "\"spiffe://openova.io/ns/nats/sa/nats\"", "which workload it is; it is shown our SVID";
        "user" Text, may, "", "\"pdm\"", "name at the server";
        "password" Secret, may, "", "\"file:nats.password\"", "with user; without one it is a token";
        "ca" Text, may, "", "\"nats-ca.pem\"", "file of certificate authorities (PEM)";
        "certificate" Text, may, "", "\"nats.pem\"", "file of the client certificate (PEM)";
        "key" Text, may, "", "\"nats.key\"", "file of its key (PEM)";
    }
    "telemetry" {
        "endpoint" Url, must, "", "\"http://127.0.0.1:4318\"", "OTLP over HTTP; /v1/traces is added";
        "percent" Count, may, "100", "", "of a hundred traces that begin here so many are collected; a client's own decision is kept";
        "service" Text, may, "\"pool-domain-manager\"", "", "service.name";
        "environment" Text, may, "", "\"prod\"", "deployment.environment.name";
        "authorization" Secret, may, "", "\"file:otlp.authorization\"", "sent as Authorization";
    }
    "worker" {
        "parallel" Count, may, "32", "", "operations driven at once by this process";
        "lease" Time, may, "\"30s\"", "", "how long an operation is held; a PowerDNS call may take less than a third of it";
        "poll" Time, may, "\"1s\"", "", "time between two looks for work that another replica left";
        "sweep" Time, may, "\"30s\"", "", "time between two looks for drift";
        "failover_look" Time, may, "\"5s\"", "", "time between two looks at what nameservers answer for failover policies";
        "pool_ds" Time, may, "\"5m\"", "", "time between two looks at the DS of pools at their parents; 0s for none";
        "proof_age" Time, may, "\"1h\"", "", "age at which a proof is taken again";
    }
    "audit" {
        "glance" Time, may, "\"5m\"", "", "pause between two rounds of quick looks at every Sovereign; 0s for none";
        "full" Time, may, "\"1m\"", "", "pause between two full audits, which take every Sovereign in turn; 0s for none";
        "keep" Time, may, "\"90d\"", "", "how long reports are kept; the newest of each name stays";
        "profile" Choice(&["public", "loopback"]), may, "\"public\"", "", "loopback excuses what servers on one machine cannot have";
        "rdap" Url, may, "", "\"https://rdap.example\"", "where registration data is asked for; without it the checks of expiry and locks are skipped";
        "ca" Words, may, "[]", "[\"letsencrypt.org\"]", "CAs that must be able to issue, as CAA records name them";
        "networks" Words, may, "[]", "[\"198.51.100.0/24 AS64500\"]", "autonomous systems that announce the nameservers' networks; without it the check for several is skipped";
        "public_view" Flag, may, "true", "", "with dns.nameserver_addresses: audit what everybody sees beside what those addresses say";
    }
    "pages" {
        "address" Url, may, "", "\"https://pdm.example\"", "where people reach the pages; sign-in at the issuer of [oidc] comes back to ADDRESS/login/returned";
        "secure_cookies" Flag, may, "false", "", "cookies travel by HTTPS alone: for pages behind a proxy that speaks it";
        "egress" Words, may, "[]", "[\"203.0.113.5\"]", "addresses that calls to registrars come from; the wizard shows them to whoever has to allow them there";
        "frame_ancestors" Words, may, "[]", "[\"https://console.example\"]", "exact origins whose pages may show the wizard in a frame; nobody's when left out";
    }
    "limits" {
        "requests_per_second" Count, may, "20000", "", "of one token, or of one address without a token; 0 is no limit";
        "burst" Count, may, "20000", "", "that may come at once on top";
    }
    "log" {
        "format" Choice(&["text", "json"]), may, "\"text\"", "", "PDM_LOG_FORMAT overrides it";
        "level" Text, may, "\"info\"", "", "error, warn, info, debug, trace, or a filter; PDM_LOG overrides it";
    }
}

/// The keys of a section.
pub fn of(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |k| k.section == section)
}

/// One key.
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    of(section).find(|k| k.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_section_and_stands_once() {
        for key in KEYS {
            assert!(SECTIONS.iter().any(|s| s.name == key.section), "{}", key.section);
            assert_eq!(
                of(key.section).filter(|k| k.name == key.name).count(),
                1,
                "{}.{}",
                key.section,
                key.name
            );
            assert!(!key.required || key.default.is_empty(), "{} has a default", key.name);
        }
    }
}
