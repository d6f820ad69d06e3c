//! Rows of the store that no door would let in, or not so many: copies of a name, made in the store itself.

use pdm_harness::World;
use pdm_harness::child::run;
use pdm_harness::story::fqdn;
use serde_json::{Value, json};

/// What would run, or become an element, if a page took it for more than a text: inside an element, inside a quoted
/// attribute, inside a text that browsers read to its end.
const TEXT: &str = "\"'></pre></title></textarea></script><script class=hostile>alert(1)</script>\
    <img class=hostile src=x onerror=alert(1)><svg class=hostile onload=alert(1)>&lt;i class=hostile&gt;{{7*7}}";
/// Texts that somebody else may have written: nameservers, registrars, people.
const WRITTEN_BY_OTHERS: [&str; 12] = [
    "detail",
    "reason",
    "title",
    "subject",
    "answer",
    "server",
    "reproduce",
    "what",
    "why",
    "verdict",
    "anchor",
    "by",
];
/// The year 2100, in milliseconds.
const LATER: i64 = 4_102_444_800_000;

fn sql(world: &World, text: &str) -> String {
    let mut sqlite = std::process::Command::new("sqlite3");
    sqlite.args(["-cmd", ".timeout 20000"]).arg(world.store_file()).arg(text);
    run(&mut sqlite).expect("sqlite3").trim().to_owned()
}

/// The columns of a table, each as it is or as `change` says.
fn copied(world: &World, table: &str, change: impl Fn(&str) -> Option<String>) -> (String, String) {
    let columns = sql(world, &format!("SELECT group_concat(name) FROM pragma_table_info('{table}')"));
    let values = columns.split(',').map(|name| change(name).unwrap_or_else(|| name.to_owned()));
    let values = values.collect::<Vec<_>>().join(", ");
    (columns, values)
}

/// Ten thousand Sovereigns.
pub async fn many(world: &World) {
    let _ = world.api().reserve("seed").await;
    let (columns, values) = copied(world, "allocations", |column| match column {
        "id" => Some("'many-' || i".to_owned()),
        "fqdn" => Some(format!("printf('many-%05d.{}', i)", pdm_harness::POOL)),
        "look" => Some("'many' || i".to_owned()),
        "request_key" => Some("NULL".to_owned()),
        _ => None,
    });
    let _ = sql(
        world,
        &format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             INSERT INTO allocations ({columns}) SELECT {values} FROM allocations, n WHERE fqdn = '{}'",
            fqdn("seed")
        ),
    );
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Every text that somebody else may have written, replaced.
fn poison(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(text) if WRITTEN_BY_OTHERS.contains(&name.as_str()) => {
                        TEXT.clone_into(text)
                    }
                    Value::Array(lines) if name == "difference" => *lines = vec![json!(TEXT)],
                    other => poison(other),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(poison),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A name of which every text is hostile: its owner, what holds and does not, what its operation waits for, what its
/// audit found, who did what to it. It is a copy of `label`, at rest, so that no worker writes over it.
pub fn hostile(world: &World, label: &str) -> Value {
    let (from, to) = (fqdn(label), fqdn("hostile"));
    let text = quoted(TEXT);
    let poisoned = |column: &str, table: &str| {
        let query = format!("SELECT {column} FROM {table} WHERE fqdn = '{from}' ORDER BY rowid DESC LIMIT 1");
        let mut value: Value = serde_json::from_str(&sql(world, &query)).unwrap();
        poison(&mut value);
        if column == "body" {
            (value["id"], value["fqdn"]) = (json!("hostile"), json!(to));
        }
        if column == "steps" {
            let (first, until) = (&mut value[0], json!("2100-01-01T00:00:00.000Z"));
            first["state"] = json!("waiting");
            first["waitReason"] = json!({"reason": TEXT, "detail": TEXT, "who": "operator", "until": until});
        }
        quoted(&value.to_string())
    };
    let insert = |table: &str, which: &str, change: &dyn Fn(&str) -> Option<String>| {
        let (columns, values) = copied(world, table, change);
        let rows = format!("SELECT {values} FROM {table} WHERE fqdn = '{from}' {which}");
        let _ = sql(world, &format!("INSERT INTO {table} ({columns}) {rows}"));
    };
    insert("allocations", "", &|column| match column {
        "id" | "look" => Some("'hostile'".to_owned()),
        "fqdn" => Some(quoted(&to)),
        "owner" | "suspended" => Some(text.clone()),
        "phase" => Some("'quarantined'".to_owned()),
        "quarantined_until" => Some(LATER.to_string()),
        "conditions" | "proof" => Some(poisoned(column, "allocations")),
        "request_key" | "commit_operation" => Some("NULL".to_owned()),
        _ => None,
    });
    insert("operations", "ORDER BY seq DESC LIMIT 1", &|column| match column {
        "seq" | "finished_at" | "lease_token" | "lease_until" => Some("NULL".to_owned()),
        "id" | "allocation" => Some("'hostile'".to_owned()),
        "fqdn" => Some(quoted(&to)),
        "state" => Some("'open'".to_owned()),
        "steps" => Some(poisoned(column, "operations")),
        "next_look_at" => Some(LATER.to_string()),
        _ => None,
    });
    insert("audits", "ORDER BY seq DESC LIMIT 1", &|column| match column {
        "seq" => Some("NULL".to_owned()),
        "id" => Some("'hostile'".to_owned()),
        "fqdn" => Some(quoted(&to)),
        "verdict" => Some(text.clone()),
        "body" => Some(poisoned(column, "audits")),
        _ => None,
    });
    insert("audit_log", "ORDER BY seq DESC LIMIT 1", &|column| match column {
        "seq" => Some("NULL".to_owned()),
        "fqdn" => Some(quoted(&to)),
        "actor" | "detail" => Some(text.clone()),
        _ => None,
    });
    json!({ "name": to, "text": TEXT })
}
