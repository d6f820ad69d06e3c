//! The auditor beside an independent one on the same zones: zonemaster, from the same private root. Where one of them speaks
//! up at warning or above and the other does not, `docs/auditor-comparison.md` says why; nothing else may differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pdm_auditor::{CHECKS, WalkSettings, Walker};
use pdm_lab::Lab;
use pdm_model::audit::Severity;
use pdm_model::{Timestamp, ZoneName};
use pdm_ports::audit::{AuditRequest, Auditor, Registration};
use serde_json::Value;

/// Zones, each with what is wrong in it.
const ZONES: &[&str] = &[
    "healthy.com",
    "other-ds.com",
    "lame.com",
    "no-ds.com",
    "unsigned.com",
    "one-server.com",
    "more-at-home.com",
    "alias-mail.com",
    "odd-timers.com",
];

const GOOD: &[(&str, &str, &[&str])] = &[
    ("@", "A", &["192.0.2.80"]),
    ("@", "MX", &["10 mx"]),
    ("@", "TXT", &["\"v=spf1 mx -all\""]),
    ("mx", "A", &["192.0.2.25"]),
];

/// Plant what the name says.
async fn plant(lab: &Lab, zone: &str) {
    let mx = format!("10 mx.{zone}.");
    let mx = [mx.as_str()];
    let mut records: Vec<(&str, &str, &[&str])> = GOOD.to_vec();
    records[1].2 = &mx;
    let soa = ["ns1.old-dns.net. hostmaster.old-dns.net. 7 600 1200 3600 200000"];
    let more = ["ns1.old-dns.net.", "ns2.old-dns.net.", "ns3.old-dns.net."];
    let alias = format!("mx2.{zone}.");
    let alias = [alias.as_str()];
    match zone {
        "alias-mail.com" => records[3] = ("mx", "CNAME", &alias),
        "odd-timers.com" => records.push(("@", "SOA", &soa)),
        _ => {}
    }
    lab.old.host(zone, zone != "unsigned.com", &records).await;
    if zone == "more-at-home.com" {
        lab.old.edit(zone, "@", "NS", &more).await;
    }
    let theirs = lab.old.names();
    let ds = match zone {
        "no-ds.com" => Vec::new(),
        "other-ds.com" | "unsigned.com" => lab.old.ds("old-dns.net").await,
        _ => lab.old.ds(zone).await,
    };
    let ns: Vec<&str> = match zone {
        "lame.com" => vec![theirs[0], "ns1.openova.io"],
        "one-server.com" => vec![theirs[0]],
        _ => theirs,
    };
    lab.register(zone, &ns, &ds).await;
}

/// Test cases with something at warning or above, by their names in zonemaster.
type Loud = BTreeSet<String>;

/// What zonemaster says.
fn zonemaster(hints: &Path, zone: &str) -> Loud {
    let mut command = Command::new("zonemaster-cli");
    command.args(["--hints", hints.to_str().unwrap(), "--no-ipv6", "--json", "--level", "INFO", zone]);
    let done = command.output().expect("zonemaster-cli: scripts/install.sh installs it");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let said: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{zone}: {e}: {text}{}", String::from_utf8_lossy(&done.stderr)));
    let entries = said.as_array().or(said["results"].as_array()).unwrap_or_else(|| panic!("{zone}: {said}"));
    assert!(entries.len() > 20, "{zone}: it looked at little: {said}");
    let loud = entries
        .iter()
        .filter(|entry| matches!(entry["level"].as_str(), Some("WARNING" | "ERROR" | "CRITICAL")));
    loud.map(|entry| {
        println!("zonemaster {zone}: {} {} {}", entry["level"], entry["testcase"], entry["tag"]);
        entry["testcase"].as_str().unwrap().to_uppercase()
    })
    .collect()
}

fn clock() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a test stands in for the host, whose clock it is")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

/// What the auditor says of a name that it knows nothing about.
async fn auditor(lab: &Lab, zone: &str) -> Loud {
    let operators = [&lab.root, &lab.registry.operator, &lab.old, &lab.ours];
    let settings = WalkSettings {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        ours: operators.iter().flat_map(|o| o.addresses()).map(|(_, at)| at).collect(),
        root_hints: lab.root_hints().into_iter().map(|(_, at)| at).collect(),
        root_anchor: lab.trust_anchor().await.iter().map(|ds| ds.parse().unwrap()).collect(),
        ..WalkSettings::default()
    };
    let walker = Walker::new(settings, Arc::new(clock));
    let request = AuditRequest {
        id: zone.to_owned(),
        fqdn: ZoneName::parse(zone).unwrap(),
        intent: None,
        pool: None,
        above: None,
        public: false,
        servers: Vec::new(),
        undelegated: false,
        random_label: "x7f3q".to_owned(),
        excused: BTreeMap::new(),
        registration: Registration::Unknown("no registry is asked".to_owned()),
        networks: BTreeMap::new(),
    };
    let report = walker.audit(request).await.unwrap().report;
    let alias = |code: &str| CHECKS.iter().find(|check| check.id == code).unwrap().alias.to_uppercase();
    let loud = report.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
    loud.map(|finding| {
        println!("auditor {zone}: {:?} {} {}", finding.severity, finding.code, finding.detail);
        let alias = alias(&finding.code);
        if alias.is_empty() { finding.code.clone() } else { alias }
    })
    .collect()
}

/// One difference: zone, test case, and who speaks up.
type Difference = (String, String, String);

/// The rows of the table: zone, test case, who, and why. `every zone` stands for all of them, save one that is named.
fn explained() -> BTreeMap<Difference, String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/auditor-comparison.md");
    let text = std::fs::read_to_string(page).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| zone"));
    let mut all = BTreeMap::new();
    for row in rows {
        let cells: Vec<String> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let [zone, case, who, why]: [String; 4] = cells.try_into().unwrap();
        let but = zone.strip_prefix("every zone but ").unwrap_or_default();
        let named: Vec<String> = if zone.starts_with("every zone") {
            ZONES.iter().filter(|name| **name != but).map(|name| (*name).to_owned()).collect()
        } else {
            vec![zone.clone()]
        };
        all.extend(named.into_iter().map(|zone| ((zone, case.clone(), who.clone()), why.clone())));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_differs_from_an_independent_auditor_is_explained() {
    let lab = Lab::start().await;
    for zone in ZONES {
        plant(&lab, zone).await;
    }
    let explained = explained();
    let (mut seen, mut agreed) = (BTreeSet::new(), 0);
    for zone in ZONES {
        let hints = lab.hints_file();
        let theirs = tokio::task::spawn_blocking(move || zonemaster(&hints, zone));
        let ours = auditor(&lab, zone).await;
        let theirs = theirs.await.unwrap();
        let row = |case: &String, who: &str| ((*zone).to_owned(), case.clone(), who.to_owned());
        seen.extend(theirs.difference(&ours).map(|case| row(case, "zonemaster")));
        seen.extend(ours.difference(&theirs).map(|case| row(case, "PDM")));
        agreed += ours.intersection(&theirs).count();
    }
    let here: BTreeSet<Difference> = explained.keys().cloned().collect();
    let new: Vec<_> = seen.difference(&here).collect();
    let gone: Vec<_> = here.difference(&seen).collect();
    assert!(new.is_empty() && gone.is_empty(), "not explained: {new:#?}\nno longer so: {gone:#?}");
    assert!(explained.values().all(|why| why.len() > 20), "every row says why");
    // Each fault but those of the table, and the addresses of every zone.
    assert!(agreed >= ZONES.len(), "they agree on {agreed} things");
}
