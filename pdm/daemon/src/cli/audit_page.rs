//! A report as one HTML page that needs nothing else: to keep, to print, to send.

use std::fmt::Write as _;

use pdm_api::audit::AuditView;
use pdm_model::audit::{Finding, Outcome, Row};

use super::audit::{summary, transition_line};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1b1b}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top}\
pre{background:#f4f4f4;padding:.5rem;overflow:auto}.f{border-left:.4rem solid #888;padding:0 1rem;margin:1.5rem 0}\
.critical,.error{border-color:#a00}.warning{border-color:#b60}.differs{background:#fdd}";

/// The page.
pub fn page(view: &AuditView) -> String {
    let report = &view.report;
    let name = escaped(report.fqdn.as_str());
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Audit of {name}</title><style>{STYLE}</style></head>\
         <body>\n<h1>{}</h1>\n<p>{}</p>\n",
        escaped(&report.verdict),
        escaped(&summary(report))
    );
    out.push_str("<h2>Chain</h2>\n<ol>");
    for link in &report.chain {
        let _ = write!(
            out,
            "<li><code>{}</code> {} {}</li>",
            escaped(&link.zone),
            escaped(&link.security),
            escaped(&link.why)
        );
    }
    out.push_str("</ol>\n<h2>Findings</h2>\n");
    if report.findings.is_empty() {
        out.push_str("<p>None.</p>\n");
    }
    report.findings.iter().for_each(|finding| push_finding(&mut out, finding));
    if let Some(public) = &report.public {
        let _ = write!(
            out,
            "<h2>As everybody sees it, from the root</h2>\n<p>{}</p>\n",
            escaped(&public.verdict)
        );
        public.findings.iter().for_each(|finding| push_finding(&mut out, finding));
    }
    if !view.transitions.is_empty() {
        let lines: Vec<String> = view.transitions.iter().map(transition_line).collect();
        let _ = write!(out, "<h2>What changed</h2>\n<pre>{}</pre>\n", escaped(&lines.join("\n")));
    }
    push_matrix(&mut out, &report.servers, &report.matrix);
    out.push_str("<h2>Checks</h2>\n<table><tr><th>Check</th><th>Outcome</th></tr>");
    for (code, outcome) in &report.checks {
        let outcome = match outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Found => "see above".to_owned(),
            Outcome::CouldNotAsk { why } => format!("could not ask: {why}"),
            Outcome::Skipped { why } => format!("does not apply: {why}"),
        };
        let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", escaped(code), escaped(&outcome));
    }
    out.push_str("</table>\n</body></html>");
    out
}

fn push_finding(out: &mut String, finding: &Finding) {
    let severity = finding.severity.as_str();
    let _ = write!(
        out,
        "<div class=\"f {severity}\"><h3>{severity} {}: {}</h3><p>{}</p><p>Must act: <b>{}</b>, since {}.</p>",
        escaped(&finding.key()),
        escaped(&finding.title),
        escaped(&finding.detail),
        finding.who.as_str(),
        finding.since
    );
    if let Some(known) = &finding.acknowledged {
        let text = format!("Acknowledged by {} until {}: {}", known.by, known.until, known.reason);
        let _ = write!(out, "<p>{}</p>", escaped(&text));
    }
    for evidence in &finding.evidence {
        let text =
            format!("{} at {}\n{}\n{}", evidence.server, evidence.at, evidence.reproduce, evidence.answer);
        let _ = write!(out, "<pre>{}</pre>", escaped(&text));
    }
    if let Some(fix) = &finding.fix {
        let _ = write!(out, "<p>Fix: {}</p>", escaped(&fix.what));
        let lines: Vec<String> =
            fix.difference.iter().cloned().chain(fix.command.iter().map(|c| format!("$ {c}"))).collect();
        if !lines.is_empty() {
            let _ = write!(out, "<pre>{}</pre>", escaped(&lines.join("\n")));
        }
    }
    out.push_str("</div>\n");
}

fn push_matrix(out: &mut String, servers: &[String], rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    out.push_str("<h2>Intent, held, served</h2>\n<table><tr><th>Question</th><th>Intent</th><th>Held</th>");
    servers.iter().for_each(|server| {
        let _ = write!(out, "<th>{}</th>", escaped(server));
    });
    out.push_str("</tr>\n");
    for row in rows {
        let _ = write!(out, "<tr><td><code>{}</code></td>", escaped(&row.question));
        let mut cell = |value: Option<&Vec<String>>, compared: bool| {
            let text = value.map_or_else(|| "no answer".to_owned(), |list| list.join(", "));
            let differs = compared && value != row.intent.as_ref();
            let class = if differs { " class=\"differs\"" } else { "" };
            // Not by colour alone.
            let sign = if differs { "&ne; " } else { "" };
            let _ = write!(out, "<td{class}>{sign}{}</td>", escaped(&text));
        };
        cell(row.intent.as_ref(), false);
        cell(row.held.as_ref(), row.held.is_some());
        row.served.iter().for_each(|served| cell(served.as_ref(), true));
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

/// Some of it was written by strangers' nameservers.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::tests::view;

    #[test]
    fn the_page_escapes_what_strangers_wrote_and_marks_differences() {
        let page = page(&view());
        assert!(page.contains("a.example is &lt;likely&gt; broken") && page.contains("wrong &amp; bad"));
        assert!(page.contains("<td class=\"differs\">&ne; 192.0.2.8</td>"));
        assert!(page.contains("$ pdm audit a.example --fix SOV01"));
        assert!(
            page.contains("As everybody sees it") && page.contains("error BASIC01 public view: not there")
        );
        assert_eq!(page.matches("<html").count(), page.matches("</html>").count());
    }
}
