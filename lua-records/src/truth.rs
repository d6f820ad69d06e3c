//! The truth table: what clients get for every combination of regions that are up or down.

use std::net::IpAddr;

use serde::Serialize;

use crate::answer::{Answer, Client, answer};
use crate::model::Failover;
use crate::terms::RecordType;
use crate::text::PlainText;

/// Every combination, the one with all regions up first, the one with all down last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TruthTable {
    /// Names of the regions, in the order of [`Row::up`].
    pub regions: Vec<String>,
    /// One row for each combination: two to the power of the number of regions.
    pub rows: Vec<Row>,
}

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// For each region whether it is up, meaning all its addresses.
    pub up: Vec<bool>,
    /// For each kind of client and each type.
    pub answers: Vec<ClientAnswer>,
}

/// What one kind of client gets for one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAnswer {
    /// `any`, or for the strategy `geo` the codes that lead to one region, or `elsewhere`.
    pub client: String,
    /// The type that is asked for.
    #[serde(rename = "type")]
    pub rtype: RecordType,
    /// What it may get.
    pub answer: Answer,
}

/// The truth table of `failover`. Before the first check has ended, clients get the last row (or, with `untilChecked:
/// fail`, SERVFAIL for the question that begins the checks). With more than one failure allowed, an address that is down
/// from the beginning then counts as up until it has failed so often.
#[must_use]
pub fn truth_table(failover: &Failover) -> TruthTable {
    let count = failover.regions().len();
    // The model holds at most MAX_REGIONS regions; counting down puts "all up" first.
    let rows = (0..1_usize << count).rev().map(|bits| {
        let up: Vec<bool> = (0..count).map(|index| bits >> (count - 1 - index) & 1 == 1).collect();
        let answers = situation(failover, &up);
        Row { up, answers }
    });
    TruthTable {
        regions: failover.regions().iter().map(|region| region.name.to_string()).collect(),
        rows: rows.collect(),
    }
}

/// What every kind of client gets when the regions are up as `up` says.
pub(crate) fn situation(failover: &Failover, up: &[bool]) -> Vec<ClientAnswer> {
    let is_up = |address: IpAddr| {
        let mut regions = failover.regions().iter().zip(up);
        regions.any(|(region, up)| {
            *up && RecordType::ALL.iter().any(|t| region.addresses(*t).contains(&address))
        })
    };
    let mut answers = Vec::new();
    for (label, client) in clients(failover) {
        for rtype in failover.record_types() {
            let answer = answer(failover, rtype, client, &is_up);
            answers.push(ClientAnswer { client: label.clone(), rtype, answer });
        }
    }
    answers
}

/// One client for each clause of the policy, and one that fits none.
fn clients(failover: &Failover) -> Vec<(String, Client<'_>)> {
    let mut clients = Vec::new();
    for region in failover.regions() {
        let codes: Vec<&str> = region.countries.iter().map(PlainText::as_str).collect();
        if let Some(country) = codes.first() {
            clients.push((codes.join(" "), Client { country: Some(country), continent: None }));
        }
    }
    for region in failover.regions() {
        let codes: Vec<&str> = region.continents.iter().map(|continent| continent.as_str()).collect();
        if let Some(continent) = region.continents.first() {
            clients.push((codes.join(" "), Client { country: None, continent: Some(*continent) }));
        }
    }
    clients.push((if clients.is_empty() { "any" } else { "elsewhere" }.to_owned(), Client::default()));
    clients
}

impl std::fmt::Display for TruthTable {
    /// A Markdown table.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(first) = self.rows.first() else { return Ok(()) };
        let heads = first.answers.iter().map(|given| match given.client.as_str() {
            "any" => given.rtype.to_string(),
            client => format!("{} ({client})", given.rtype),
        });
        let heads: Vec<String> = self.regions.iter().cloned().chain(heads).collect();
        writeln!(f, "| {} |", heads.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(heads.len()))?;
        for row in &self.rows {
            let states = row.up.iter().map(|up| if *up { "up" } else { "down" }.to_owned());
            // A bar would end the cell.
            let answers = row.answers.iter().map(|given| given.answer.to_string().replace(" | ", ", "));
            writeln!(f, "| {} |", states.chain(answers).collect::<Vec<_>>().join(" | "))?;
        }
        Ok(())
    }
}
