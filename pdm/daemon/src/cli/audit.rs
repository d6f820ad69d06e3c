//! `pdm audit`: look, show what is wrong, who must act and how, and carry out a fix.

use clap::Args;
use pdm_api::audit::AuditView;
use pdm_model::Timestamp;
use pdm_model::audit::{Finding, Outcome, Report, Transition};
use reqwest::Method;
use serde_json::{Value, json};

use super::audit_page;
use super::http::Client;
use super::names::{operation_id, show};
use super::output::{self, Output};
use super::watch;
use crate::failure::Failure;

/// Seconds that a fix may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// What `--output json` gives.
const SCHEMA: &str = include_str!("../../../../docs/audit-report.schema.json");

#[derive(Debug, Args)]
pub struct Audit {
    /// The full name, or with --pool a pool.
    name: Option<String>,
    /// Look at a whole pool.
    #[arg(long)]
    pool: bool,
    /// What would be if the parent delegated now.
    #[arg(long, conflicts_with = "pool")]
    undelegated: bool,
    /// Let PDM carry out the fix of this finding, and look again.
    #[arg(long, value_name = "FINDING", conflicts_with_all = ["pool", "undelegated"])]
    fix: Option<String>,
    /// Show what changed since this report.
    #[arg(long, value_name = "ID")]
    compare: Option<String>,
    /// Show this report instead of looking now.
    #[arg(long, value_name = "ID")]
    report: Option<String>,
    /// List the reports about the name.
    #[arg(long)]
    list: bool,
    /// Print the JSON schema of `--output json`.
    #[arg(long)]
    schema: bool,
    /// Say what a check looks at, why it matters and who must act.
    #[arg(long, value_name = "CHECK")]
    explain: Option<String>,
    /// Do not speak of this finding for a while; give --reason and --days.
    #[arg(long, value_name = "FINDING", requires = "reason")]
    acknowledge: Option<String>,
    /// Why it is acknowledged.
    #[arg(long)]
    reason: Option<String>,
    /// For how long.
    #[arg(long, default_value_t = 30)]
    days: u32,
}

/// Carry out the verb.
///
/// # Errors
/// What was refused; exit status 1 when something is open at warning or above.
pub async fn run(verb: Audit, client: &Client) -> Result<(), Failure> {
    if verb.schema {
        output::line(SCHEMA.trim_end());
        return Ok(());
    }
    if let Some(code) = &verb.explain {
        return explain(code);
    }
    let name = || verb.name.clone().ok_or_else(|| Failure::Usage("name what to look at".into()));
    if verb.list {
        return list(client, verb.name.as_deref()).await;
    }
    if let Some(finding) = &verb.acknowledge {
        let days = std::time::Duration::from_secs(u64::from(verb.days) * 86_400);
        let until: Timestamp = crate::clock::host_now() + days;
        let body = json!({ "fqdn": name()?, "finding": finding, "reason": verb.reason, "until": until });
        return show(client, client.call(Method::POST, &["audits", "acknowledge"], &body).await?.body);
    }
    if let Some(finding) = &verb.fix {
        fix(client, &name()?, finding).await?;
    }
    let compare: Vec<(&str, &str)> = verb.compare.iter().map(|id| ("compare", id.as_str())).collect();
    let id = match &verb.report {
        Some(id) => id.clone(),
        None => {
            let body = if verb.pool {
                json!({ "poolDomain": name()? })
            } else {
                json!({ "fqdn": name()?, "undelegated": verb.undelegated })
            };
            let answer = client.call(Method::POST, &["audits"], &body).await?;
            output::text(&answer.body, "/report/id")
        }
    };
    let body = client.get(&["audits", &id], &compare).await?.body;
    let view: AuditView = serde_json::from_value(body.clone())
        .map_err(|e| Failure::Refused(format!("the report cannot be read: {e}")))?;
    match client.output {
        Output::Json => output::json(&body),
        Output::Table => text(&view),
        Output::Html => output::line(&audit_page::page(&view)),
    }
    match view.report.worst() {
        None => Ok(()),
        Some(worst) => {
            Err(Failure::refused(format!("the worst open finding is of severity {}", worst.as_str())))
        }
    }
}

/// What a check is about; a finding's key names its check first.
fn explain(code: &str) -> Result<(), Failure> {
    let id = code.split_ascii_whitespace().next().unwrap_or_default();
    let check = pdm_auditor::CHECKS.iter().find(|check| check.id.eq_ignore_ascii_case(id));
    let check = check.ok_or_else(|| Failure::Usage(format!("there is no check {id:?}")))?;
    output::line(check.page().trim_end());
    Ok(())
}

/// An ordinary operation, watched to its end.
async fn fix(client: &Client, name: &str, finding: &str) -> Result<(), Failure> {
    let body = json!({ "fqdn": name, "finding": finding });
    let answer = client.call(Method::POST, &["audits", "fix"], &body).await?;
    let id = operation_id(&answer.body).ok_or_else(|| Failure::refused("there is nothing to repair"))?;
    eprintln!("repair {id} is under way");
    let closed = watch::until_closed(client, &id, PATIENCE).await?;
    if output::text(&closed, "/state") == "superseded" {
        return Err(Failure::refused("another operation took its place"));
    }
    Ok(())
}

async fn list(client: &Client, name: Option<&str>) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = name.iter().map(|name| ("fqdn", *name)).collect();
    let body: Value = client.get(&["audits"], &query).await?.body;
    match client.output {
        Output::Json => output::json(&body),
        Output::Table | Output::Html => {
            let columns = [
                ("TIME", "/at"),
                ("NAME", "/fqdn"),
                ("WORST", "/worst"),
                ("ID", "/id"),
                ("VERDICT", "/verdict"),
            ];
            output::table(&columns, &output::items(&body));
        }
    }
    Ok(())
}

/// The report for people: the verdict first, then what to do.
fn text(view: &AuditView) {
    for line in lines(view) {
        output::line(&line);
    }
}

fn lines(view: &AuditView) -> Vec<String> {
    let report = &view.report;
    let mut out = vec![report.verdict.clone(), String::new()];
    for link in &report.chain {
        let keys: Vec<String> = link.keys.iter().map(ToString::to_string).collect();
        let keys = if keys.is_empty() { String::new() } else { format!(" (keys {})", keys.join(", ")) };
        let why = if link.why.is_empty() { String::new() } else { format!(": {}", link.why) };
        out.push(format!("  {} {}{keys}{why}", link.zone, link.security));
    }
    for finding in &report.findings {
        out.push(String::new());
        out.extend(finding_lines(finding));
    }
    out.extend(silent_lines(report, "could not be asked"));
    if let Some(public) = &report.public {
        out.extend([String::new(), format!("as everybody sees it, from the root: {}", public.verdict)]);
        for finding in &public.findings {
            out.push(String::new());
            out.extend(finding_lines(finding));
        }
        out.extend(silent_lines(public, "could not be asked from there"));
    }
    if !view.transitions.is_empty() {
        out.extend([String::new(), "since the report compared with:".to_owned()]);
        out.extend(view.transitions.iter().map(transition_line));
    }
    out.extend([String::new(), summary(report)]);
    if let Some(finding) = report.findings.first() {
        out.push(format!("what a check means: pdm audit --explain {}", finding.code));
    }
    out
}

/// Checks that nobody answered.
fn silent_lines(report: &Report, what: &str) -> Vec<String> {
    let silent = report.checks.iter().filter_map(|(code, outcome)| match outcome {
        Outcome::CouldNotAsk { why } => Some(format!("  {code}: {why}")),
        Outcome::Passed | Outcome::Found | Outcome::Skipped { .. } => None,
    });
    let mut out: Vec<String> = silent.collect();
    if !out.is_empty() {
        out.splice(0..0, [String::new(), format!("{what}, which is neither good nor bad:")]);
    }
    out
}

pub(super) fn summary(report: &Report) -> String {
    let passed = report.checks.values().filter(|o| **o == Outcome::Passed).count();
    let skipped = report.checks.values().filter(|o| matches!(o, Outcome::Skipped { .. })).count();
    let view = if report.private_view { ", private view" } else { "" };
    format!(
        "{} checks passed, {skipped} did not apply; {} questions to {} servers in {} ms{view}; score {}; report {}",
        passed,
        report.queries,
        report.servers.len(),
        report.millis,
        report.score(),
        report.id
    )
}

fn finding_lines(finding: &Finding) -> Vec<String> {
    let mut out =
        vec![format!("{} {}: {}", finding.severity.as_str().to_uppercase(), finding.key(), finding.title)];
    out.push(format!("  {}", finding.detail));
    out.push(format!("  must act: {}; since {}", finding.who.as_str(), finding.since));
    if let Some(code) = &finding.because_of {
        out.push(format!("  explained by {code}"));
    }
    if let Some(known) = &finding.acknowledged {
        out.push(format!("  acknowledged by {} until {}: {}", known.by, known.until, known.reason));
    }
    for evidence in &finding.evidence {
        out.push(format!("  {} said {}", evidence.server, evidence.answer));
        out.push(format!("    {}", evidence.reproduce));
    }
    if let Some(fix) = &finding.fix {
        out.push(format!("  fix: {}", fix.what));
        out.extend(fix.difference.iter().map(|line| format!("    {line}")));
        out.extend(fix.command.iter().map(|command| format!("  run: {command}")));
    }
    out
}

pub(super) fn transition_line(transition: &Transition) -> String {
    let finding = &transition.finding;
    format!(
        "  {:5} {} {}: {}",
        transition.turn.as_str(),
        finding.severity.as_str(),
        finding.key(),
        finding.title
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn view() -> AuditView {
        serde_json::from_value(json!({
            "report": {
                "id": "7", "fqdn": "a.example", "begunAt": "2026-11-25T00:00:00Z", "millis": 12, "queries": 80,
                "privateView": false, "undelegated": false, "verdict": "a.example is <likely> broken for some.",
                "servers": ["ns1 (192.0.2.1:53)"],
                "chain": [{ "zone": "a.example.", "security": "bogus", "why": "no match", "keys": [7] }],
                "matrix": [{ "question": "a.example/A", "intent": ["192.0.2.9"], "served": [["192.0.2.8"]] }],
                "findings": [{
                    "code": "SOV01", "subject": "a.example. A", "severity": "error", "title": "wrong & bad", "detail": "d",
                    "who": "operator", "since": "2026-11-24T00:00:00Z",
                    "evidence": [{ "server": "ns1", "transport": "udp", "question": "a.example/A", "answer": "x",
                                   "at": "2026-11-25T00:00:00Z", "reproduce": "dig a.example A" }],
                    "fix": { "what": "write it", "difference": ["- old", "+ new"], "command": "pdm audit a.example --fix SOV01" }
                }],
                "checks": { "SOV01": { "outcome": "found" }, "ZONE01": { "outcome": "could-not-ask", "why": "silence" } },
                "public": {
                    "id": "7", "fqdn": "a.example", "begunAt": "2026-11-25T00:00:00Z", "millis": 12, "queries": 80,
                    "privateView": false, "undelegated": false, "verdict": "a.example does not work.", "servers": [], "chain": [],
                    "matrix": [], "checks": { "ZONE02": { "outcome": "could-not-ask", "why": "a wall" } },
                    "findings": [{
                        "code": "BASIC01", "subject": "public view", "severity": "error", "title": "not there", "detail": "d",
                        "who": "parent", "since": "2026-11-24T00:00:00Z", "evidence": []
                    }]
                }
            }
        }))
        .unwrap()
    }

    #[test]
    fn the_text_says_what_is_wrong_who_must_act_and_what_to_run() {
        let text = lines(&view()).join("\n");
        for part in [
            "a.example is <likely> broken",
            "a.example. bogus (keys 7): no match",
            "ERROR SOV01 a.example. A: wrong & bad",
            "must act: operator; since 2026-11-24",
            "dig a.example A",
            "    - old\n    + new",
            "run: pdm audit a.example --fix SOV01",
            "ZONE01: silence",
            "as everybody sees it, from the root: a.example does not work.",
            "ERROR BASIC01 public view: not there",
            "ZONE02: a wall",
            "score 70",
            "pdm audit --explain SOV01",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
