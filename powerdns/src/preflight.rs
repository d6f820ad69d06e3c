//! Whether the servers are set up for PDM, and how to mend what is not. Read from the API alone.

use futures_util::future::try_join_all;
use pdm_ports::{Class, Fault, LuaServer};
use serde::Serialize;

use crate::answer::ApiError;
use crate::backend::{PowerDns, version};
use crate::client::{Client, Request};
use crate::instances::{self, Settings};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// PDM works, with the named disadvantage.
    Warning,
    /// PDM does not work, or zones would be wrong.
    Error,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The instance's API address.
    pub instance: String,
    /// What is wrong and what follows from it.
    pub what: String,
    /// What to do.
    pub mend: String,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The primary's version, if it told it.
    pub version: Option<String>,
    /// The primary's storage: `gsqlite3`, `gpgsql` or `gmysql`.
    pub backend: Option<String>,
    /// In the order of the instances.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Nothing stands in the way.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

impl PowerDns {
    /// Look at every instance. Being unreachable is a finding, not an error.
    pub async fn preflight(&self) -> Report {
        let mut report = Report::default();
        let several = self.instances.all().len() > 1;
        for (index, client) in self.instances.all().iter().enumerate() {
            let mut found = Found { instance: client.address().to_owned(), findings: &mut report.findings };
            match read(client).await {
                Ok((told, settings)) => {
                    check(&mut found, &told, &settings, several);
                    if index == 0 {
                        report.backend = backend(&settings).map(str::to_owned);
                        report.version = Some(told);
                    } else if report.version.as_ref().is_some_and(|first| *first != told) {
                        let mend =
                            "run the same version everywhere; during an upgrade this goes away by itself";
                        found.warn("versions-differ", format!("it runs version {told}"), mend);
                    }
                }
                Err(fault) => found.unreadable(&fault),
            }
        }
        report
    }
}

/// How all instances together compute LUA records: what one lacks, clients may meet.
pub(crate) async fn lua_server(dns: &PowerDns) -> Result<LuaServer, Fault> {
    let told = try_join_all(dns.instances.all().iter().map(read)).await?;
    let oldest = told.iter().min_by_key(|(version, _)| release(version));
    let version = oldest.map(|(version, _)| version.clone()).unwrap_or_default();
    let instances = u32::try_from(told.len()).unwrap_or(u32::MAX);
    let all = |holds: fn(&str, &Settings) -> bool| told.iter().all(|(version, one)| holds(version, one));
    let longest = |name: &str, usual: u32| {
        let seconds =
            told.iter().map(|(_, one)| one.get(name).and_then(|text| text.parse().ok()).unwrap_or(usual));
        seconds.max().unwrap_or(usual)
    };
    Ok(LuaServer {
        version,
        enabled: all(|_, one| computes_lua(one)),
        writable: all(takes_lua),
        geoip: all(|_, one| knows_places(one)),
        interval: u16::try_from(longest("lua-health-checks-interval", 5)).unwrap_or(u16::MAX),
        expire: longest("lua-health-checks-expire-delay", 3600),
        instances,
    })
}

fn setting<'a>(settings: &'a Settings, name: &str) -> &'a str {
    settings.get(name).map_or("", String::as_str)
}

fn computes_lua(settings: &Settings) -> bool {
    matches!(setting(settings, "enable-lua-records"), "yes" | "shared")
}

/// From 5.1 on the API refuses LUA records unless it is told otherwise.
fn takes_lua(version: &str, settings: &Settings) -> bool {
    !matches!(release(version), Some((5, 1..))) || setting(settings, "enable-lua-record-updates") == "yes"
}

/// Launched without a database, the backend answers that no client is anywhere.
fn knows_places(settings: &Settings) -> bool {
    let launched =
        setting(settings, "launch").split(',').any(|one| one.trim().split(':').next() == Some("geoip"));
    launched && !setting(settings, "geoip-database-files").is_empty()
}

async fn read(client: &Client) -> Result<(String, Settings), Fault> {
    // The settings first: they tell a wrong server id from a wrong key.
    let settings = instances::settings(client).await?;
    let reply = client.call(Request::get("version", "")).await.map_err(ApiError::into_fault)?;
    Ok((version(&reply.body)?, settings))
}

struct Found<'a> {
    instance: String,
    findings: &'a mut Vec<Finding>,
}

impl Found<'_> {
    fn put(&mut self, code: &'static str, severity: Severity, what: impl Into<String>, mend: &str) {
        let (what, mend) = (what.into(), mend.to_owned());
        self.findings.push(Finding { code, severity, instance: self.instance.clone(), what, mend });
    }

    fn error(&mut self, code: &'static str, what: impl Into<String>, mend: &str) {
        self.put(code, Severity::Error, what, mend);
    }

    fn warn(&mut self, code: &'static str, what: impl Into<String>, mend: &str) {
        self.put(code, Severity::Warning, what, mend);
    }

    fn unreadable(&mut self, fault: &Fault) {
        let mend = match fault.class {
            Class::Credential => "give PDM the value of `api-key` of this server",
            Class::Rejected => "set the server id to `localhost`, and check the path of the URL",
            _ => {
                "check the URL, that the server runs with `api=yes` and `webserver=yes`, and that \
                  `webserver-allow-from` admits this host (a refused host sees a reset connection)"
            }
        };
        self.error(fault.code, fault.detail.clone(), mend);
    }
}

/// The storage that we know how to work with, among what is launched.
fn backend(settings: &Settings) -> Option<&'static str> {
    let launched = settings.get("launch")?;
    ["gsqlite3", "gpgsql", "gmysql"]
        .into_iter()
        .find(|known| launched.split(',').any(|one| one.trim().split(':').next() == Some(known)))
}

/// Judge one instance. Pure.
fn check(found: &mut Found<'_>, version: &str, settings: &Settings, several: bool) {
    let get = |name: &str| setting(settings, name);
    let release = release(version);
    match release {
        Some((4, 7..) | (5, _)) => {}
        Some(_) => found.error(
            "version-unsupported",
            format!("it runs version {version}; PDM knows 4.7 to 5.x"),
            "install PowerDNS Authoritative Server 4.7 or later",
        ),
        None => found.warn(
            "version-unknown",
            format!("its version {version:?} cannot be read; PDM knows 4.7 to 5.x"),
            "use a released version, or know what you do",
        ),
    }
    match backend(settings) {
        None => found.error(
            "backend-unsupported",
            format!("it launches {:?}; zone marks need a storage with comments", get("launch")),
            "use gpgsql, gsqlite3 or gmysql (lmdb and bind keep no comments)",
        ),
        Some(storage) => {
            if get(&format!("{storage}-dnssec")) != "yes" {
                let mend = format!("set `{storage}-dnssec=yes`");
                found.error("dnssec-off", "its storage has DNSSEC switched off", &mend);
            }
            if storage == "gsqlite3" && several {
                let mend = "use gpgsql for more than one instance";
                found.warn("sqlite-shared", "several instances write one SQLite file", mend);
            }
        }
    }
    if !computes_lua(settings) {
        let mend = "set `enable-lua-records=shared` (ten times as fast as `yes`)";
        found.error("lua-off", "LUA records are off: failover policies would not be answered at all", mend);
    }
    if !takes_lua(version, settings) {
        let mend = "set `enable-lua-record-updates=yes`";
        found.error("lua-updates-off", "from 5.1 on it refuses LUA records in the API", mend);
    }
    if get("default-soa-content").starts_with("a.misconfigured.dns.server.invalid") {
        let mend =
            "set `default-soa-content=<your first nameserver> <hostmaster name> 0 14400 3600 604800 300`";
        found.warn("soa-misconfigured", "zones made by others get a nonsense SOA; PDM's own do not", mend);
    }
    if get("default-ksk-algorithm").is_empty() {
        let what = "new zones get no entry-point key";
        found.error("ksk-missing", what, "set `default-ksk-algorithm=ecdsa256`");
    }
    if get("default-zsk-algorithm").is_empty() {
        let what = "new zones get one combined key instead of KSK and ZSK: every roll needs the parent";
        found.warn("zsk-missing", what, "set `default-zsk-algorithm=ecdsa256`");
    }
    for (name, code) in
        [("default-publish-cds", "publish-cds"), ("default-publish-cdnskey", "publish-cdnskey")]
    {
        if !matches!(get(name), "" | "no" | "0") {
            let what = "a parent that scans would add a DS before PDM says so, or put a withdrawn one back";
            found.error(code, what, &format!("remove `{name}`; PDM publishes them zone by zone"));
        }
    }
    caches(found, settings, several);
}

/// What the others remember while the primary changes the database under them.
fn caches(found: &mut Found<'_>, settings: &Settings, several: bool) {
    // The setting, the most seconds we like, whether it matters with one instance too.
    let limits = [
        ("dnssec-key-cache-ttl", 5, true),
        ("zone-metadata-cache-ttl", 5, true),
        ("zone-cache-refresh-interval", 15, false),
        ("negquery-cache-ttl", 10, false),
        ("query-cache-ttl", 10, false),
        ("cache-ttl", 10, false),
    ];
    for (name, most, always) in limits {
        let Some(seconds) = settings.get(name).and_then(|text| text.parse::<u32>().ok()) else { continue };
        if seconds > most && (several || always) {
            let what = format!("{name} is {seconds}: so long may it answer what is no longer true");
            found.warn("cache-long", what, &format!("set `{name}={most}` or less"));
        }
    }
}

/// `4.7.3`, `5.1.0-alpha1`, `4.9.12-2.1` and the like: major and minor.
pub(crate) fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?;
    let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
    Some((major, minor.get(..digits)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Settings {
        [
            ("launch", "gpgsql"),
            ("gpgsql-dnssec", "yes"),
            ("enable-lua-records", "shared"),
            ("default-soa-content", "ns1.example hostmaster.example 0 14400 3600 604800 300"),
            ("default-ksk-algorithm", "ecdsa256"),
            ("default-zsk-algorithm", "ecdsa256"),
            ("dnssec-key-cache-ttl", "5"),
            ("zone-metadata-cache-ttl", "5"),
            ("cache-ttl", "20"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    fn codes(version: &str, change: &[(&str, &str)], several: bool) -> Vec<&'static str> {
        let mut settings = good();
        settings.extend(change.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut findings = Vec::new();
        check(&mut Found { instance: "x".into(), findings: &mut findings }, version, &settings, several);
        findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_good_server_has_no_findings() {
        assert_eq!(codes("4.7.3", &[], false), [""; 0]);
    }

    /// What deploy/ hands out passes our own look, for every version.
    #[test]
    fn the_settings_in_deploy_have_no_findings() {
        for version in ["4.7", "4.8", "4.9", "5.0", "5.1"] {
            let file = format!("{}/../deploy/powerdns/{version}.conf", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(file).unwrap();
            let lines =
                text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
            let mut settings: Settings =
                lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            settings.insert("launch".into(), "gpgsql".into());
            settings.insert("gpgsql-dnssec".into(), "yes".into());
            let mut findings = Vec::new();
            let mut found = Found { instance: "x".into(), findings: &mut findings };
            check(&mut found, &format!("{version}.0"), &settings, true);
            assert_eq!(findings, [], "{version}");
        }
    }

    #[test]
    fn places_are_known_from_a_database_only() {
        let with = |files: &str| {
            let mut settings = good();
            settings.insert("launch".into(), "gpgsql,geoip".into());
            settings.insert("geoip-database-files".into(), files.into());
            knows_places(&settings)
        };
        assert!(with("mmdb:/usr/share/GeoIP/c.mmdb") && !with("") && !knows_places(&good()));
    }

    #[test]
    fn every_mistake_has_its_finding() {
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], bool, &'a str);
        let table: [Row<'_>; 13] = [
            ("4.6.4", &[], false, "version-unsupported"),
            ("6.0.0", &[], false, "version-unsupported"),
            ("git-abc", &[], false, "version-unknown"),
            ("4.7.3", &[("launch", "lmdb")], false, "backend-unsupported"),
            ("4.7.3", &[("gpgsql-dnssec", "no")], false, "dnssec-off"),
            ("4.7.3", &[("enable-lua-records", "no")], false, "lua-off"),
            ("5.1.0-beta1", &[], false, "lua-updates-off"),
            (
                "4.7.3",
                &[("default-soa-content", "a.misconfigured.dns.server.invalid h 0")],
                false,
                "soa-misconfigured",
            ),
            ("4.7.3", &[("default-ksk-algorithm", "")], false, "ksk-missing"),
            ("4.7.3", &[("default-zsk-algorithm", "")], false, "zsk-missing"),
            ("4.7.3", &[("default-publish-cds", "2")], false, "publish-cds"),
            ("4.7.3", &[("dnssec-key-cache-ttl", "30")], false, "cache-long"),
            ("4.7.3", &[], true, "cache-long"),
        ];
        for (version, change, several, want) in table {
            assert_eq!(codes(version, change, several), [want], "{version} {change:?}");
        }
        assert_eq!(codes("5.1.4", &[("enable-lua-record-updates", "yes")], false), [""; 0]);
        assert_eq!(codes("4.7.3", &[("launch", "bind,gpgsql:main")], false), [""; 0]);
    }
}
