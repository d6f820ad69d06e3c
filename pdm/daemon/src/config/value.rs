//! One reader per kind of value: from TOML to a type, or a sentence about what is wrong.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use pdm_engine::caller::Role;
use pdm_model::ZoneName;
use toml::Value;

use super::duration;

type Read<T> = Result<T, String>;

pub fn text(value: &Value) -> Read<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("a text is needed, not {}", kind(value)))
}

pub fn flag(value: &Value) -> Read<bool> {
    value.as_bool().ok_or_else(|| format!("true or false is needed, not {}", kind(value)))
}

pub fn count(value: &Value) -> Read<u32> {
    value
        .as_integer()
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| format!("a whole number from 0 to {} is needed, not {value}", u32::MAX))
}

pub fn time(value: &Value) -> Read<Duration> {
    duration::parse(&text(value)?)
}

pub fn address(value: &Value) -> Read<SocketAddr> {
    let text = text(value)?;
    text.parse().map_err(|_| format!("{text:?} is not ADDRESS:PORT"))
}

pub fn url(value: &Value) -> Read<String> {
    let text = text(value)?;
    let fits =
        ["http://", "https://"].iter().any(|s| text.strip_prefix(s).is_some_and(|rest| !rest.is_empty()));
    if !fits {
        return Err(format!("{text:?} is not an http:// or https:// address"));
    }
    if text.contains('@') {
        return Err("credentials do not belong into an address".into());
    }
    Ok(text)
}

pub fn name(value: &Value) -> Read<ZoneName> {
    let text = text(value)?;
    ZoneName::parse(&text).map_err(|e| format!("{text:?}: {e}"))
}

pub fn names(value: &Value) -> Read<Vec<ZoneName>> {
    list(value, name)
}

pub fn words(value: &Value) -> Read<Vec<String>> {
    list(value, text)
}

pub fn networks(value: &Value) -> Read<Vec<IpNet>> {
    list(value, network)
}

fn network(value: &Value) -> Read<IpNet> {
    parse_network(&text(value)?)
}

/// A range; a single address is a range of one.
pub fn parse_network(text: &str) -> Read<IpNet> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("{text:?} is not an address range like 192.0.2.0/24"))
}

/// Networks with the autonomous systems that announce them.
pub fn announced(value: &Value) -> Read<BTreeMap<IpNet, u32>> {
    let one = |value: &Value| {
        let text = text(value)?;
        let said = text.split_once(' ').and_then(|(network, system)| {
            let number = system.trim().trim_start_matches("AS").parse().ok()?;
            Some((parse_network(network).ok()?, number))
        });
        said.ok_or_else(|| {
            format!("{text:?} is not a network with its system, like \"192.0.2.0/24 AS64500\"")
        })
    };
    list(value, one).map(|all| all.into_iter().collect())
}

pub fn choice<'a>(words: &'a [&'a str]) -> impl Fn(&Value) -> Read<String> + 'a {
    move |value| {
        let text = text(value)?;
        if words.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(format!("{text:?} is none of {}", words.join(", ")))
    }
}

/// Addresses; without a port it is 53.
pub fn sockets(value: &Value) -> Read<Vec<SocketAddr>> {
    list(value, |v| text(v).and_then(|t| with_port(&t)))
}

/// Names with addresses; without a port it is 53.
pub fn addresses(value: &Value) -> Read<BTreeMap<ZoneName, Vec<SocketAddr>>> {
    let table = value.as_table().ok_or_else(|| format!("a table is needed, not {}", kind(value)))?;
    let mut all = BTreeMap::new();
    for (key, value) in table {
        let owner = ZoneName::parse(key).map_err(|e| format!("{key:?}: {e}"))?;
        all.insert(owner, sockets(value)?);
    }
    Ok(all)
}

fn with_port(text: &str) -> Read<SocketAddr> {
    text.parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
        .map_err(|_| format!("{text:?} is not an address"))
}

pub fn network_roles(value: &Value) -> Read<Vec<(IpNet, Role)>> {
    list(value, |entry| {
        let table = entry.as_table().ok_or("each is a table { cidr = ..., role = ... }")?;
        if let Some(other) = table.keys().find(|k| *k != "cidr" && *k != "role") {
            return Err(format!("unknown key {other}"));
        }
        let network = network(table.get("cidr").ok_or("cidr is missing")?)?;
        // Nothing more than this may come from an address alone.
        match table.get("role").and_then(Value::as_str) {
            Some("legacy") => Ok((network, Role::Legacy)),
            _ => Err("role must be \"legacy\": a network address proves nothing more".into()),
        }
    })
}

/// A table from words to words.
pub fn pairs(value: &Value) -> Read<BTreeMap<String, String>> {
    let table = value.as_table().ok_or_else(|| format!("a table is needed, not {}", kind(value)))?;
    table
        .iter()
        .map(|(key, value)| Ok((key.clone(), text(value).map_err(|e| format!("{key}: {e}"))?)))
        .collect()
}

fn list<T>(value: &Value, one: impl Fn(&Value) -> Read<T>) -> Read<Vec<T>> {
    let items = value.as_array().ok_or_else(|| format!("a list is needed, not {}", kind(value)))?;
    items.iter().enumerate().map(|(i, item)| one(item).map_err(|e| format!("[{i}]: {e}"))).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
