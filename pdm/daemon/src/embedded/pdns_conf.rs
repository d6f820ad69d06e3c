//! The private PowerDNS's configuration. Each setting has its reason in what was measured of PowerDNS.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use pdm_model::ZoneName;

/// What the file depends on.
pub struct Conf<'a> {
    /// PowerDNS version: major and minor.
    pub version: (u32, u32),
    /// Its directory.
    pub dir: &'a Path,
    /// Its database.
    pub database: &'a Path,
    /// Where it answers DNS.
    pub addresses: &'a [IpAddr],
    /// On which port.
    pub port: u16,
    /// Where its API listens.
    pub api: SocketAddr,
    /// The API key.
    pub api_key: &'a str,
    /// MNAME of zones that are made without a SOA.
    pub nameserver: Option<&'a ZoneName>,
    /// Their RNAME.
    pub hostmaster: &'a ZoneName,
    /// Their MINIMUM.
    pub minimum: u32,
    /// Seconds between two rounds of health checks.
    pub check_interval: u16,
}

/// The file's text.
pub fn render(conf: &Conf<'_>) -> String {
    let addresses: Vec<String> = conf.addresses.iter().map(ToString::to_string).collect();
    let (major, minor) = conf.version;
    let mut text = String::from("# Written by `pdm up` at every start.\n");
    let mut set = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}={value}");
    };
    set("launch", "gsqlite3");
    set("gsqlite3-database", &conf.database.display().to_string());
    set("gsqlite3-dnssec", "yes");
    set("local-address", &addresses.join(","));
    set("local-port", &conf.port.to_string());
    set("socket-dir", &conf.dir.display().to_string());
    set("daemon", "no");
    set("guardian", "no");
    set("disable-syslog", "yes");
    set("write-pid", "no");
    // It would report its version by DNS otherwise.
    set("security-poll-suffix", "");
    // Nobody needs the whole zone here.
    set("disable-axfr", "yes");
    set("api", "yes");
    set("api-key", conf.api_key);
    set("webserver", "yes");
    set("webserver-address", &conf.api.ip().to_string());
    set("webserver-port", &conf.api.port().to_string());
    set("webserver-allow-from", "127.0.0.0/8");
    set("webserver-loglevel", "none");
    // Every proof asks over TCP too, and the default of 20 connections would refuse some.
    set("max-tcp-connections", "200");
    set("enable-lua-records", "shared");
    set("lua-health-checks-interval", &conf.check_interval.to_string());
    if (major, minor) >= (5, 1) {
        // Unknown, and fatal, before.
        set("enable-lua-record-updates", "yes");
    }
    set("default-ksk-algorithm", "ecdsa256");
    set("default-zsk-algorithm", "ecdsa256");
    let mname = conf.nameserver.map_or_else(|| conf.hostmaster.to_string(), ToString::to_string);
    set("default-soa-content", &format!("{mname} {} 0 14400 3600 604800 {}", conf.hostmaster, conf.minimum));
    // Signatures roll weekly; the serial that secondaries see moves with them.
    set("default-soa-edit-signed", "INCEPTION-EPOCH");
    // Long caches would make a new name or a new key look missing for up to a minute.
    set("cache-ttl", "5");
    set("negquery-cache-ttl", "1");
    set("query-cache-ttl", "1");
    set("dnssec-key-cache-ttl", "5");
    set("zone-metadata-cache-ttl", "5");
    set("zone-cache-refresh-interval", "0");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_an_older_server_does_not_know_are_left_out() {
        let name = ZoneName::parse("ns1.omani.works").unwrap();
        let conf = |version| {
            render(&Conf {
                version,
                dir: Path::new("/s/pdns"),
                database: Path::new("/s/pdns/p.db"),
                addresses: &[IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])],
                port: 5300,
                api: ([127, 0, 0, 1], 8081).into(),
                api_key: "k",
                nameserver: Some(&name),
                hostmaster: &name,
                minimum: 300,
                check_interval: 5,
            })
        };
        assert!(!conf((4, 7)).contains("enable-lua-record-updates"));
        assert!(conf((5, 1)).contains("enable-lua-record-updates=yes\n"));
        assert!(conf((4, 9)).contains("local-address=127.0.0.1,127.0.0.2\n"));
    }
}
