//! Reads one section: known keys only, defaults from the table of keys, every problem written down with its path.

use toml::{Table, Value};

use super::Problem;
use super::keys::{self, Kind};

/// One section while it is read.
pub struct Reader<'a> {
    section: &'static str,
    path: String,
    table: Option<&'a Table>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Begin with a section, complaining about keys that it does not have.
    pub fn new(
        section: &'static str,
        path: impl Into<String>,
        value: Option<&'a Value>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let path = path.into();
        let table = value.and_then(Value::as_table);
        if value.is_some() && table.is_none() {
            problems.push(Problem { path: path.clone(), detail: "this must be a table".into() });
        }
        for key in table.into_iter().flat_map(Table::keys) {
            if keys::find(section, key).is_none() {
                let detail = unknown(section);
                problems.push(Problem { path: format!("{path}.{key}"), detail });
            }
        }
        Self { section, path, table, problems }
    }

    /// The value of a key, or its default. None when it is absent or wrong; wrong is written down.
    pub fn get<T>(&mut self, name: &str, read: impl Fn(&Value) -> Result<T, String>) -> Option<T> {
        let Some(key) = keys::find(self.section, name) else {
            self.problem(name, "this key is not in the table of keys");
            return None;
        };
        let given = self.table.and_then(|t| t.get(name)).cloned();
        let value = match given.or_else(|| default(key.default)) {
            Some(value) => value,
            None if key.required => {
                self.problem(name, format!("this is missing: {}", key.help));
                return None;
            }
            None => return None,
        };
        read(&value).map_err(|detail| self.problem(name, detail)).ok()
    }

    /// Whether the file gives this key.
    pub fn given(&self, name: &str) -> bool {
        self.table.is_some_and(|t| t.contains_key(name))
    }

    /// A table inside the section.
    pub fn inner(&mut self, section: &'static str, name: &str) -> Reader<'_> {
        let value = self.table.and_then(|t| t.get(name));
        Reader::new(section, format!("{}.{name}", self.path), value, self.problems)
    }

    /// Write down a problem of a key.
    pub fn problem(&mut self, name: &str, detail: impl Into<String>) {
        self.problems.push(Problem { path: format!("{}.{name}", self.path), detail: detail.into() });
    }
}

fn default(text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    format!("value = {text}").parse::<Table>().ok()?.remove("value")
}

fn unknown(section: &str) -> String {
    let known: Vec<_> = keys::of(section).filter(|k| k.kind != Kind::Section).map(|k| k.name).collect();
    format!("unknown key; [{section}] takes {}", known.join(", "))
}
