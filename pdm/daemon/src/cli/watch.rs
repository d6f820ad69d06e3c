//! Watches an operation: one line for every change of a step.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::Client;
use super::output::text;
use crate::failure::Failure;

/// Look until the operation is no longer open; its last state. Progress goes to standard error, so that standard
/// output holds the answer alone.
///
/// # Errors
/// It is still open after `at_most`, or could not be read.
pub async fn until_closed(client: &Client, id: &str, at_most: Duration) -> Result<Value, Failure> {
    let began = Instant::now();
    let mut progress = Progress::default();
    let mut pause = Duration::from_millis(50);
    loop {
        let operation = client.get(&["operations", id], &[]).await?.body;
        for line in progress.lines(&operation) {
            eprintln!("{:>7.1}s  {line}", began.elapsed().as_secs_f32());
        }
        if text(&operation, "/state") != "open" {
            return Ok(operation);
        }
        let left = at_most.saturating_sub(began.elapsed());
        if left.is_zero() {
            let text = format!(
                "the operation is still open after {} s; it goes on by itself\n  next step: pdm wait {id}",
                at_most.as_secs()
            );
            return Err(Failure::Refused(text));
        }
        tokio::time::sleep(pause.min(left)).await;
        // Quick at first, for what takes a tenth of a second; gentle with what waits for TTLs.
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}

/// What was shown of each step.
#[derive(Default)]
struct Progress(HashMap<String, String>);

impl Progress {
    /// One line for each step that changed since the last look.
    fn lines(&mut self, operation: &Value) -> Vec<String> {
        let steps = operation.get("steps").and_then(Value::as_array);
        let mut lines = Vec::new();
        for step in steps.into_iter().flatten() {
            let (kind, state) = (text(step, "/kind"), text(step, "/state"));
            let wait = describe_wait(step);
            let seen = format!("{state} {wait}");
            // A step that was not begun says nothing.
            let known = self.0.insert(kind.clone(), seen.clone());
            if known.as_ref() == Some(&seen) || state == "pending" {
                continue;
            }
            lines.push(format!("{kind:<26}  {state:<8}{wait}"));
        }
        lines
    }
}

fn describe_wait(step: &Value) -> String {
    let Some(wait) = step.get("waitReason").filter(|w| !w.is_null()) else { return String::new() };
    if let Some(reason) = wait.as_str() {
        return reason.to_owned();
    }
    let mut line = text(wait, "/detail");
    if line.is_empty() {
        line = text(wait, "/reason");
    }
    match text(wait, "/who").as_str() {
        "" | "nobody" => line,
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
        let operation = |state: &str| {
            json!({ "steps": [
                { "kind": "ensure-zone", "state": state },
                { "kind": "await-chain", "state": "pending" },
            ] })
        };
        assert_eq!(progress.lines(&operation("running")).len(), 1);
        assert!(progress.lines(&operation("running")).is_empty());
        assert_eq!(progress.lines(&operation("done")), ["ensure-zone                 done    "]);
        let waiting = json!({ "steps": [{ "kind": "await-ds-gone", "state": "waiting",
            "waitReason": { "reason": "ds-ttl", "detail": "caches may hold it", "who": "nobody", "until": "t" } }] });
        assert!(progress.lines(&waiting)[0].ends_with("caches may hold it"));
    }
}
