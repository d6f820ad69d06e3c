//! ACME01: a CAA record keeps the CA from issuing.

use std::collections::BTreeSet;

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ACME01",
    alias: "",
    title: "a CAA record keeps the CA from issuing",
    severity: "error for each CA",
    explanation: "Certificates are not renewed, and the Sovereign becomes unreachable by TLS.",
    fix: "admit the CA for both `issue` and `issuewild`",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent().filter(|intent| !intent.ca.is_empty()) else {
        return found.skip("no CA is configured");
    };
    for (name, records) in &facts.caa {
        let records = match records {
            Ok(records) if records.is_empty() => continue,
            Ok(records) => records,
            Err(why) => return found.could_not_ask(format!("{name} CAA: {why}")),
        };
        for ca in &intent.ca {
            for tag in ["issue", "issuewild"] {
                if !admits(records, tag, ca) {
                    let change = vec![format!("+ {name} CAA 0 {tag} \"{ca}\"")];
                    found
                        .add(Error, format!("{name} CAA does not admit {ca} for {tag}"))
                        .about(format!("{ca} {tag}"))
                        .change(change);
                }
            }
        }
        return;
    }
}

/// Whether CAA records admit a CA (RFC 8659 4.2 and 4.3): without `issuewild`, `issue` speaks for wildcards too.
fn admits(records: &BTreeSet<String>, tag: &str, ca: &str) -> bool {
    let of = |tag: &str| -> Vec<String> {
        let values = records.iter().filter_map(|text| {
            let mut parts = text.splitn(3, ' ');
            let (_, found, value) = (parts.next()?, parts.next()?, parts.next()?);
            found.eq_ignore_ascii_case(tag).then(|| value.trim_matches('"').to_owned())
        });
        values.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()).collect()
    };
    let mut values = of(tag);
    if values.is_empty() && tag == "issuewild" {
        values = of("issue");
    }
    values.is_empty() || values.iter().any(|value| value == ca)
}
