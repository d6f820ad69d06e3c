//! What clients see while nameservers disagree. Every nameserver checks for itself and never asks the others, so that
//! this is not an accident to be prevented but a state to be known. Each row has its test in `tests/system`.

/// One situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Stable name; also the name of its test.
    pub id: &'static str,
    /// What happened.
    pub situation: &'static str,
    /// What clients get, by the nameserver that their resolver asks.
    pub clients: &'static str,
    /// Reason of the condition `FailoverIdle`.
    pub reason: &'static str,
    /// How it ends.
    pub ends: &'static str,
}

/// The table.
pub const ROWS: &[Row] = &[
    Row {
        id: "agreed",
        situation: "every nameserver reaches every region",
        clients: "the preferred region from all",
        reason: "preferred",
        ends: "it is the goal",
    },
    Row {
        id: "agreed_failover",
        situation: "a region is down for every nameserver",
        clients: "the next region from all, within the computed bound",
        reason: "failed-over",
        ends: "by itself, one good check after the region is back",
    },
    Row {
        id: "one_cannot_reach",
        situation: "one nameserver cannot reach a region that the others reach, or has not noticed yet",
        clients: "the next region from that one, the preferred from the others: both regions must serve",
        reason: "disagree",
        ends: "by itself with the next check, or when its path is mended; or force the region up or down",
    },
    Row {
        id: "one_cut_off",
        situation: "one nameserver reaches no region at all",
        clients: "what whenAllDown says from that one, the preferred region from the others",
        reason: "disagree",
        ends: "when its path is mended; or take it out of service",
    },
    Row {
        id: "one_restarted",
        situation: "one nameserver was started again and has checked nothing yet",
        clients: "what whenAllDown says from that one, until its first check has ended; the first question starts it. \
                  With `failures` above 1 it then takes every region for up until its failures are enough",
        reason: "disagree",
        ends: "by itself: PDM asks every nameserver at every look, so that it does not wait for a client",
    },
    Row {
        id: "one_without_lua",
        situation: "one nameserver runs with LUA records switched off",
        clients: "no address from that one; resolvers do not ask another, since that is an answer",
        reason: "not-computed",
        ends: "set enable-lua-records=shared there",
    },
    Row {
        id: "one_silent",
        situation: "one nameserver does not answer",
        clients: "the preferred region: resolvers ask another nameserver",
        reason: "no-answer",
        ends: "when it is back; its first answers are those of a nameserver that was started again",
    },
    Row {
        id: "all_down",
        situation: "no nameserver reaches any region",
        clients: "what whenAllDown says, from all",
        reason: "all-down",
        ends: "by itself, one good check after a region is back",
    },
];

/// The table as Markdown.
#[must_use]
pub fn markdown() -> String {
    let head = "| situation | clients get | condition `FailoverIdle` | how it ends |\n|---|---|---|---|\n";
    let row =
        |row: &Row| format!("| {} | {} | `{}` | {} |\n", row.situation, row.clients, row.reason, row.ends);
    ROWS.iter().map(row).fold(head.to_owned(), |text, line| text + &line)
}
