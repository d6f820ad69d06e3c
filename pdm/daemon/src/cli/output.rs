//! Tables for people, JSON for machines.

use std::io::Write as _;

use serde_json::Value;

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// For machines.
    Json,
    /// A page to keep, where there is one (`pdm audit`); otherwise as `table`.
    Html,
}

/// Print JSON, indented. A reader that closed the pipe is no error.
pub fn json(value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    line(&text);
}

/// Print one line.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Print named values below each other; empty ones are left out.
pub fn fields(rows: &[(&str, String)]) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        line(&format!("{name:width$}  {value}"));
    }
}

/// Print objects as a table: header and JSON pointer of each column.
pub fn table(columns: &[(&str, &str)], rows: &[Value]) {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|(_, pointer)| text(row, pointer)).collect()).collect();
    let width = |i: usize| {
        let cell = cells.iter().map(|row| row[i].chars().count());
        cell.chain([columns[i].0.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let print = |row: Vec<&str>| {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, w)| format!("{cell:w$}")).collect();
        line(padded.join("  ").trim_end());
    };
    print(columns.iter().map(|(header, _)| *header).collect());
    for row in &cells {
        print(row.iter().map(String::as_str).collect());
    }
}

/// A member by JSON pointer, as one line of text.
pub fn text(value: &Value, pointer: &str) -> String {
    flat(value.pointer(pointer).unwrap_or(&Value::Null))
}

fn flat(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key}={}", flat(value))).collect::<Vec<_>>().join(" ")
        }
    }
}

/// The list in an answer: the answer itself, or its first member that is a list.
pub fn items(body: &Value) -> Vec<Value> {
    let inner = || body.as_object().and_then(|map| map.values().find_map(Value::as_array));
    body.as_array().or_else(inner).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn anything_fits_on_one_line() {
        let value = json!({ "a": { "b": ["x", 1, { "c": true }] } });
        assert_eq!(text(&value, "/a/b"), "x, 1, c=true");
        assert_eq!(text(&value, "/nothing"), "");
        assert_eq!(items(&json!({ "next": null, "pools": [1, 2] })).len(), 2);
    }
}
