//! Watches an operation: one line for every change of a step.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pdm_api::OperationView;
use pdm_api::operation::WaitView;
use serde_json::Value;

use super::http::Client;
use crate::failure::Failure;

/// Look until the operation is no longer open; its last state. Progress goes to standard error, so that standard
/// output holds the answer alone.
///
/// # Errors
/// It is still open after `at_most`, or could not be read.
pub async fn until_closed(client: &Client, id: &str, at_most: Duration) -> Result<Value, Failure> {
    let began = Instant::now();
    let mut progress = Progress::default();
    let show = |operation: &OperationView| {
        for line in progress.lines(operation) {
            eprintln!("{:>7.1}s  {line}", began.elapsed().as_secs_f32());
        }
    };
    client.wait(id, at_most, show).await
}

/// What was shown of each step.
#[derive(Default)]
struct Progress(HashMap<String, String>);

impl Progress {
    /// One line for each step that changed since the last look.
    fn lines(&mut self, operation: &OperationView) -> Vec<String> {
        let mut lines = Vec::new();
        for step in &operation.steps {
            let wait = step.wait_reason.as_ref().map(describe_wait).unwrap_or_default();
            let seen = format!("{} {wait}", step.state);
            // A step that was not begun says nothing.
            let known = self.0.insert(step.kind.clone(), seen.clone());
            if known.as_ref() == Some(&seen) || step.state == "pending" {
                continue;
            }
            lines.push(format!("{:<26}  {:<8}{wait}", step.kind, step.state));
        }
        lines
    }
}

fn describe_wait(wait: &WaitView) -> String {
    let line = if wait.detail.is_empty() { &wait.reason } else { &wait.detail };
    match wait.who.as_str() {
        "" | "nobody" => line.clone(),
        who => format!("{line} (must act: {who})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_for_each_change_and_none_without() {
        let mut progress = Progress::default();
        let operation = |steps: serde_json::Value| -> OperationView {
            serde_json::from_value(json!({
                "id": "o", "seq": 1, "allocation": "a", "fqdn": "a.b.c", "kind": "commit", "generation": 1, "state": "open",
                "createdAt": "2026-01-01T00:00:00Z", "steps": steps,
            }))
            .unwrap()
        };
        let step = |kind: &str, state: &str| json!({ "kind": kind, "state": state, "since": "2026-01-01T00:00:00Z", "attempts": 0 });
        let two =
            |state: &str| operation(json!([step("ensure-zone", state), step("await-chain", "pending")]));
        assert_eq!(progress.lines(&two("running")).len(), 1);
        assert!(progress.lines(&two("running")).is_empty());
        assert_eq!(progress.lines(&two("done")), ["ensure-zone                 done    "]);
        let mut waiting = step("await-ds-gone", "waiting");
        waiting["waitReason"] = json!({ "reason": "ds-ttl", "detail": "caches may hold it", "who": "nobody",
            "until": "2026-01-01T00:00:00Z" });
        let waiting = operation(json!([waiting]));
        assert!(progress.lines(&waiting)[0].ends_with("caches may hold it"));
    }
}
