//! Environment variables on top of the file: `PDM__SECTION__KEY`, `PDM__POOLS__0__QUOTA`, `PDM__POOLS__0__TTL__ADDRESS`.

use toml::{Table, Value};

use super::Problem;
use super::keys::{self, SECTIONS, Shape};

const PREFIX: &str = "PDM__";

/// Lay the variables over the tree. What has no place in it becomes a problem.
pub fn overlay(
    tree: &mut Table,
    variables: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) {
    let mut ours: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    // In the order of names, so that POOLS__0 exists before POOLS__1 is asked for.
    ours.sort();
    for (variable, text) in ours {
        let path: Vec<String> = variable[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if let Err(detail) = set(tree, &path, &text) {
            problems.push(Problem { path: variable, detail });
        }
    }
}

fn set(tree: &mut Table, path: &[&str], text: &str) -> Result<(), String> {
    let section = path.first().and_then(|name| SECTIONS.iter().find(|s| s.name == *name));
    let section = section.ok_or("there is no such section; write PDM__SECTION__KEY")?;
    let (table, rest) = match (section.shape, path) {
        (Shape::Single | Shape::Optional, [_, rest @ ..]) => (table_at(tree, section.name)?, rest),
        (Shape::Map, [_, id, rest @ ..]) => (table_at(table_at(tree, section.name)?, id)?, rest),
        (Shape::List | Shape::OptionalList, [_, index, rest @ ..]) => {
            (item_at(tree, section.name, index)?, rest)
        }
        (Shape::Inner, _) | (_, _) => return Err("the key is missing".into()),
    };
    match rest {
        [key] => insert(table, section.name, key, text),
        [inner, key] => {
            let name = format!("{}.{inner}", section.name);
            insert(table_at(table, inner)?, &name, key, text)
        }
        _ => Err("the key is missing or too deep".into()),
    }
}

fn insert(table: &mut Table, section: &str, key: &str, text: &str) -> Result<(), String> {
    let row = keys::find(section, key).ok_or_else(|| format!("[{section}] has no key {key}"))?;
    let quoted = text.starts_with('"') || text.starts_with('\'');
    let value = if row.kind.is_text() && !quoted { Value::String(text.to_owned()) } else { value(text)? };
    table.insert(key.to_owned(), value);
    Ok(())
}

/// A TOML value; a list or table may be written as JSON too.
fn value(text: &str) -> Result<Value, String> {
    let parsed: Result<Table, _> = format!("value = {text}").parse();
    if let Some(value) = parsed.ok().and_then(|mut table| table.remove("value")) {
        return Ok(value);
    }
    serde_json::from_str(text).map_err(|_| "this is neither a TOML nor a JSON value".into())
}

fn table_at<'a>(table: &'a mut Table, key: &str) -> Result<&'a mut Table, String> {
    let value = table.entry(key.to_owned()).or_insert_with(|| Value::Table(Table::new()));
    value.as_table_mut().ok_or_else(|| format!("{key} is not a table in the file"))
}

fn item_at<'a>(table: &'a mut Table, key: &str, index: &str) -> Result<&'a mut Table, String> {
    let at: usize = index.parse().map_err(|_| {
        format!("[[{key}]] is a list: write its place, as in PDM__{}__0__KEY", key.to_ascii_uppercase())
    })?;
    let value = table.entry(key.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
    let items = value.as_array_mut().ok_or_else(|| format!("{key} is not a list in the file"))?;
    if at == items.len() {
        items.push(Value::Table(Table::new()));
    }
    let item = items.get_mut(at).ok_or_else(|| format!("there is no [[{key}]] before place {at}"))?;
    item.as_table_mut().ok_or_else(|| format!("{key} is not a list of tables in the file"))
}
