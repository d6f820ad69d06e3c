//! The example file and the JSON schema, both made from the table of keys.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Kind, SECTIONS, Section, Shape};

/// A commented file with every key. It is valid as it stands, once the files that it names exist.
pub fn example() -> String {
    let mut text = String::from(
        "# Configuration of pool-domain-manager.\n\
         # A variable PDM__SECTION__KEY overrides a key (PDM__POOLS__0__QUOTA for a list).\n\
         # Secrets are references: file:PATH (relative to this file), env:NAME or openbao:MOUNT/PATH#FIELD.\n\
         # Lines that begin with \"#\" and a key show the default, or a value for a key that has none.\n",
    );
    for section in SECTIONS {
        let header = match section.shape {
            Shape::Single | Shape::Inner => format!("[{}]", section.name),
            Shape::List => format!("[[{}]]", section.name),
            Shape::Map => format!("# [{}.ovh]", section.name),
            Shape::Optional => format!("# [{}]", section.name),
            Shape::OptionalList => format!("# [[{}]]", section.name),
        };
        let _ = write!(text, "\n# {}\n{header}\n", section.help);
        for key in keys::of(section.name).filter(|k| k.kind != Kind::Section) {
            let value = if key.example.is_empty() { key.default } else { key.example };
            // What need not be there is shown as a comment whole: its header is one already.
            let off = if key.required
                && !matches!(section.shape, Shape::Map | Shape::Optional | Shape::OptionalList)
            {
                ""
            } else {
                "# "
            };
            let _ = writeln!(text, "{off}{} = {value}  # {}", key.name, key.help);
        }
    }
    text
}

/// JSON Schema of the file (draft 2020-12).
pub fn schema() -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for section in SECTIONS.iter().filter(|s| s.shape != Shape::Inner) {
        let table = table(section);
        let value = match section.shape {
            Shape::Single | Shape::Optional | Shape::Inner => table,
            Shape::List => json!({ "type": "array", "minItems": 1, "items": table }),
            Shape::OptionalList => json!({ "type": "array", "items": table }),
            Shape::Map => json!({ "type": "object", "additionalProperties": table }),
        };
        properties.insert(section.name.into(), value);
        if !matches!(section.shape, Shape::Map | Shape::Optional | Shape::OptionalList)
            && keys::of(section.name).any(|k| k.required)
        {
            required.push(section.name);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pool-domain-manager",
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn table(section: &Section) -> Value {
    let properties: Map<String, Value> =
        keys::of(section.name).map(|k| (k.name.to_owned(), property(k))).collect();
    let required: Vec<_> = keys::of(section.name).filter(|k| k.required).map(|k| k.name).collect();
    json!({
        "type": "object",
        "description": section.help,
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn property(key: &Key) -> Value {
    let inner = format!("{}.{}", key.section, key.name);
    let mut shape = match key.kind {
        Kind::Text | Kind::Address | Kind::Name => json!({ "type": "string" }),
        Kind::Secret => json!({ "type": "string", "pattern": "^(file|env|openbao):.+" }),
        Kind::Url => json!({ "type": "string", "pattern": "^https?://.+" }),
        Kind::Time => json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Count => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        Kind::Names | Kind::Words | Kind::Networks | Kind::Sockets => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Addresses => json!({
            "type": "object",
            "additionalProperties": { "type": "array", "items": { "type": "string" } },
        }),
        Kind::Pairs => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::NetworkRoles => json!({ "type": "array", "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["cidr", "role"],
            "properties": { "cidr": { "type": "string" }, "role": { "enum": ["legacy"] } },
        } }),
        Kind::Section => SECTIONS.iter().find(|s| s.name == inner).map_or(Value::Null, table),
    };
    if let Some(object) = shape.as_object_mut() {
        object.insert("description".into(), key.help.into());
        let default = format!("value = {}", key.default).parse::<toml::Table>().ok();
        if let Some(default) = default.and_then(|mut t| t.remove("value"))
            && let Ok(default) = serde_json::to_value(default)
        {
            object.insert("default".into(), default);
        }
    }
    shape
}
