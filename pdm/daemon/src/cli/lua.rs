//! Failover policies: explain one without touching anything, see what nameservers make of one, force a region.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use pdm_lua_records::{
    Admission, Checking, FEATURES, Failover, Lack, Server, Spec, Version, bounds, lacks, probe_load, render,
    truth_table,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::http::Client;
use super::names::{Waiting, settle};
use super::output::{self, Output, fields, table, text};
use crate::config::duration;
use crate::failure::Failure;

/// Versions that a policy is explained for.
const VERSIONS: [Version; 5] =
    [Version::new(4, 7), Version::new(4, 8), Version::new(4, 9), Version::new(5, 0), Version::new(5, 1)];

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What a policy in a file renders to, needs, answers and costs. Nothing is touched.
    Explain(Explain),
    /// What each nameserver answers now, and how often that changed.
    Status {
        /// The full name.
        fqdn: String,
    },
    /// Force a region up or down for a while, or let its checks decide again.
    Drain(Drain),
}

#[derive(Debug, Args)]
pub struct Explain {
    /// JSON with loadBalancers and failover, as in a commit.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The PowerDNS version to render for.
    #[arg(long, value_name = "VERSION", default_value = "4.7.3")]
    powerdns: Version,
    /// The nameservers launch the geoip backend with a database.
    #[arg(long)]
    geoip: bool,
    /// The name whose policy it is; HTTP checks are of its hosts.
    #[arg(long, value_name = "FQDN", default_value = "omantel.omani.works")]
    name: String,
    /// Nameserver processes, each of which checks for itself.
    #[arg(long, default_value_t = 3)]
    nameservers: u32,
    /// Their lua-health-checks-interval in seconds.
    #[arg(long, default_value_t = 5)]
    interval: u16,
}

#[derive(Debug, Args)]
pub struct Drain {
    /// The full name.
    fqdn: String,
    /// The region.
    #[arg(long)]
    region: String,
    #[command(flatten)]
    force: Force,
    /// For how long, as in 2h; at most 30d.
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse, required_unless_present = "auto", conflicts_with = "auto")]
    lasting: Option<Duration>,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Force {
    /// It does not answer.
    #[arg(long)]
    down: bool,
    /// It answers as if its checks succeeded.
    #[arg(long)]
    up: bool,
    /// Its checks decide again.
    #[arg(long)]
    auto: bool,
}

#[derive(Debug, Args)]
pub struct Rehearse {
    /// The full name.
    fqdn: String,
    /// A region that goes down; repeat for several that go down together.
    #[arg(long, required = true, value_delimiter = ',')]
    down: Vec<String>,
}

/// Carry out a verb.
///
/// # Errors
/// What was refused.
pub async fn run(
    verb: Verb,
    output: Output,
    client: impl Fn() -> Result<Client, Failure>,
) -> Result<(), Failure> {
    match verb {
        Verb::Explain(explain) => explain_file(&explain, output),
        Verb::Status { fqdn } => status(&client()?, &fqdn).await,
        Verb::Drain(drain) => {
            let force = if drain.force.down {
                "down"
            } else if drain.force.up {
                "up"
            } else {
                "auto"
            };
            let mut body = json!({ "region": drain.region, "force": force });
            if let Some(lasting) = drain.lasting {
                body["seconds"] = lasting.as_secs().into();
            }
            let client = client()?;
            let path = ["allocations", &drain.fqdn, "failover", "drain"];
            let answer = client.call(Method::POST, &path, &body).await?;
            settle(&client, &drain.fqdn, answer, &drain.waiting).await
        }
    }
}

/// The policy of a file, admitted wherever its addresses lie: the pool's own rules apply when it is committed.
fn read(path: &Path, name: &str) -> Result<Failover, Failure> {
    let told = std::fs::read_to_string(path)
        .map_err(|e| Failure::Usage(format!("cannot read {}: {e}", path.display())))?;
    let spec: Spec = serde_json::from_str(&told)
        .map_err(|e| Failure::Refused(format!("{} is not a policy: {e}", path.display())))?;
    let anywhere: Vec<ipnet::IpNet> =
        ["0.0.0.0/0", "::/0"].iter().filter_map(|net| net.parse().ok()).collect();
    let admission = Admission { tenant: name, allowed_networks: &anywhere, allow_http_checks: true };
    Failover::build(&spec, &admission).map_err(|refusals| {
        let lines: Vec<_> = refusals.iter().map(|r| format!("{} ({})", r, r.code)).collect();
        Failure::Refused(format!("the policy is not usable\n  {}", lines.join("\n  ")))
    })
}

fn explain_file(explain: &Explain, output: Output) -> Result<(), Failure> {
    let policy = read(&explain.file, &explain.name)?;
    let server = |version| Server { version, geoip: explain.geoip, signed: true };
    let rendered = render(&policy, &server(explain.powerdns));
    let checking =
        Checking { nameservers: explain.nameservers, server_interval: explain.interval, slowest: 0 };
    let (load, bounds, truth) =
        (probe_load(&policy, checking), bounds(&policy, checking), truth_table(&policy));
    let needs: Vec<(Version, Vec<Lack>)> =
        VERSIONS.into_iter().map(|version| (version, lacks(&policy, &server(version)))).collect();
    if output == Output::Json {
        let records: Vec<_> =
            rendered.iter().flatten().map(|r| json!({"ttl": r.ttl, "content": r.content})).collect();
        let needs: Vec<_> = needs
            .iter()
            .map(|(version, lacks)| json!({"version": version.to_string(), "lacks": lacks}))
            .collect();
        output::json(&json!({
            "plain": policy.is_constant(), "records": records, "versions": needs, "truthTable": truth, "load": load,
            "bounds": bounds, "warnings": policy.warnings(),
        }));
        return refused(rendered.err(), explain.powerdns);
    }
    if policy.is_constant() {
        output::line(
            "there is nothing to choose: it is answered by plain A and AAAA records, without checks\n",
        );
    }
    output::line(&format!("# PowerDNS {}\n", explain.powerdns));
    for record in rendered.iter().flatten() {
        output::line(&format!("LUA {} {}\n", record.ttl, record.content));
    }
    output::line("# by version\n");
    for (version, lacks) in &needs {
        let line = match lacks.as_slice() {
            [] => "as it is".to_owned(),
            all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        output::line(&format!("{}.{}  {line}", version.major, version.minor));
    }
    output::line(&format!("\n# what clients get\n\n{truth}"));
    for warning in policy.warnings() {
        output::line(&format!("warning: {warning}\n"));
    }
    output::line("# what it costs, and when clients see a change\n");
    fields(&[
        ("addresses checked", load.addresses.to_string()),
        (
            "checks per second",
            format!("{:.2} in all, {:.2} for each address", load.per_second, load.per_address_per_second),
        ),
        ("a nameserver knows", format!("{} s after a region goes down", bounds.detected)),
        (
            "every client knows",
            format!("{} s; {} s when it is silent", bounds.clients, bounds.clients_if_silent),
        ),
        ("and that it is back", format!("{} s", bounds.recovery)),
    ]);
    refused(rendered.err(), explain.powerdns)
}

fn refused(lacks: Option<Vec<Lack>>, version: Version) -> Result<(), Failure> {
    let Some(lacks) = lacks else { return Ok(()) };
    let known = |lack: &Lack| FEATURES.iter().find(|f| f.name == lack.needs).map_or("", |f| f.source);
    let lines: Vec<_> = lacks.iter().map(|lack| format!("{lack} ({}) {}", lack.code, known(lack))).collect();
    let lines = lines.join("\n  ");
    Err(Failure::Refused(format!("PowerDNS {version} cannot serve it\n  {}", lines.trim_end())))
}

async fn status(client: &Client, fqdn: &str) -> Result<(), Failure> {
    let body = client.get(&["allocations", fqdn, "failover"], &[]).await?.body;
    if client.output == Output::Json {
        output::json(&body);
        return Ok(());
    }
    fields(&[
        ("name", text(&body, "/fqdn")),
        ("strategy", text(&body, "/failover/strategy")),
        ("check", text(&body, "/failover/check")),
        ("state", format!("{}  {}", text(&body, "/state/reason"), text(&body, "/state/detail"))),
        ("since", text(&body, "/state/since")),
        ("checks per second", text(&body, "/load/perSecond")),
        ("bound for clients", format!("{} s", text(&body, "/bounds/clients"))),
    ]);
    let rows = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    output::line("");
    table(
        &[
            ("NAMESERVER", "/names"),
            ("ANSWERS", "/addresses"),
            ("REGIONS", "/regions"),
            ("VERDICT", "/verdict"),
            ("SINCE", "/since"),
            ("FLIPS", "/flips"),
        ],
        &rows("nameservers"),
    );
    let drains = rows("drains");
    if !drains.is_empty() {
        output::line("");
        table(&[("FORCED", "/region"), ("TO", "/force"), ("UNTIL", "/until"), ("BY", "/by")], &drains);
    }
    Ok(())
}

/// `pdm rehearse`.
///
/// # Errors
/// What was refused.
pub async fn rehearse(rehearse: Rehearse, client: &Client) -> Result<(), Failure> {
    let down = rehearse.down.join(",");
    let path = ["allocations", &rehearse.fqdn, "failover", "rehearsal"];
    let body = client.get(&path, &[("down", &down)]).await?.body;
    if client.output == Output::Json {
        output::json(&body);
        return Ok(());
    }
    let side = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let rows: Vec<Value> = side("before")
        .iter()
        .zip(side("after"))
        .map(|(before, after)| json!({
            "client": before["client"], "type": before["type"], "now": before["answer"], "then": after["answer"],
        }))
        .collect();
    table(&[("CLIENT", "/client"), ("TYPE", "/type"), ("WITH ALL UP", "/now"), ("THEN", "/then")], &rows);
    output::line("");
    fields(&[
        ("a nameserver knows", format!("{} s after {down} goes down", text(&body, "/bounds/detected"))),
        (
            "every client knows",
            format!(
                "{} s; {} s when it is silent",
                text(&body, "/bounds/clients"),
                text(&body, "/bounds/clientsIfSilent")
            ),
        ),
        ("and that it is back", format!("{} s", text(&body, "/bounds/recovery"))),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_explained_or_refused_with_its_fields() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.json");
        let explain = |policy: &str, powerdns: &str| {
            std::fs::write(&file, policy).unwrap();
            let explain = Explain {
                file: file.clone(),
                powerdns: powerdns.parse().unwrap(),
                geoip: false,
                name: "a.b.c".into(),
                nameservers: 3,
                interval: 5,
            };
            explain_file(&explain, Output::Table).map_err(|e| e.to_string())
        };
        let two = r#"{"loadBalancers":[{"ipv4":"192.0.2.1"},{"ipv4":"192.0.2.2"}],"failover":{"check":{"interval":3}}}"#;
        assert!(explain(two, "5.0.0").is_ok());
        assert!(explain(two, "4.7.3").unwrap_err().contains("needs-version"));
        let wrong = two.replace("192.0.2.2", "x'");
        assert!(explain(&wrong, "5.0.0").unwrap_err().contains("loadBalancers[1].ipv4"));
    }
}
