//! What a token says about its bearer, under names that differ from realm to realm.

use serde_json::{Map, Value};

/// Where the claims stand; a dot steps into an object (`realm_access.roles`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The organization.
    pub organization: String,
    /// The environment.
    pub environment: String,
    /// The roles.
    pub roles: String,
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub`: stable, and never given to somebody else.
    pub subject: String,
    /// The one organization; none when the token names none, or several.
    pub organization: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The roles, as the issuer calls them.
    pub roles: Vec<String>,
}

impl Identity {
    pub(crate) fn of(subject: &str, claims: &Map<String, Value>, names: &ClaimNames) -> Self {
        Self {
            subject: subject.to_owned(),
            organization: at(claims, &names.organization).and_then(only),
            environment: at(claims, &names.environment).and_then(only),
            roles: at(claims, &names.roles).map(words).unwrap_or_default(),
        }
    }
}

/// A claim whose own name has dots (`https://example/roles`) is found before a path.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(whole) = claims.get(path) {
        return Some(whole);
    }
    let (first, rest) = path.split_once('.')?;
    at(claims.get(first)?.as_object()?, rest)
}

/// Keycloak writes organizations as a text, a list of names, or an object by name. More than one is none: a caller
/// acts for one owner, and which one is not ours to choose.
fn only(value: &Value) -> Option<String> {
    let mut all = match value {
        Value::Object(by_name) => by_name.keys().cloned().collect(),
        _ => words(value),
    };
    if all.len() == 1 { all.pop() } else { None }
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity(claims: Value) -> Identity {
        let names = ClaimNames {
            organization: "organization".into(),
            environment: "env".into(),
            roles: "realm_access.roles".into(),
        };
        Identity::of("s", claims.as_object().unwrap(), &names)
    }

    #[test]
    fn every_form_that_keycloak_writes_is_read() {
        for organization in [json!("acme"), json!(["acme"]), json!({ "acme": { "id": "1" } })] {
            let who = identity(
                json!({ "organization": organization, "env": "prod", "realm_access": { "roles": ["a", "b"] } }),
            );
            assert_eq!(
                (who.organization.as_deref(), who.environment.as_deref()),
                (Some("acme"), Some("prod"))
            );
            assert_eq!(who.roles, ["a", "b"]);
        }
        assert_eq!(identity(json!({ "realm_access.roles": "flat" })).roles, ["flat"]);
    }

    #[test]
    fn several_organizations_are_none_and_garbage_is_nothing() {
        for organization in [json!(["a", "b"]), json!({ "a": 1, "b": 2 }), json!(7), json!(null), json!([])] {
            assert_eq!(identity(json!({ "organization": organization })).organization, None);
        }
        assert!(identity(json!({ "realm_access": "x" })).roles.is_empty());
    }
}
