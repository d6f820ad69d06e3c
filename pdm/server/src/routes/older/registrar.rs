//! `POST /api/v1/registrar/{registrar}/validate` and `.../set-ns`. A token is one text there; the table below says which
//! fields it stands for.

use std::collections::BTreeMap;

use axum::extract::{FromRequest as _, Request, State};
use axum::response::Response;
use http::StatusCode;
use pdm_api::older::{OlderProblem, OlderSetNsBody, OlderValidateBody, OlderValidated};
use pdm_engine::caller::{Caller, Right, Role};
use pdm_engine::vault::Fields;
use pdm_model::Refusal;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::app::S;
use crate::extract::{Asking, At, Json};
use crate::idempotency::detached;
use crate::problem::{Failure, json};

/// The parts of a token between its colons. The first row with as many parts counts.
const TOKENS: &[(&str, &[&str])] = &[
    ("cloudflare", &["token"]),
    ("namecheap", &["api_user", "api_key", "client_ip"]),
    ("godaddy", &["key", "secret"]),
    ("ovh", &["application_key", "application_secret", "consumer_key"]),
    ("dynadot", &["key", "secret"]),
    ("dynadot", &["key"]),
];

/// Whether a token reaches a domain.
#[utoipa::path(
    post, path = "/api/v1/registrar/{registrar}/validate", operation_id = "olderRegistrarValidate", tag = "older",
    request_body = OlderValidateBody, params(("registrar" = String, Path, description = "The registrar")),
    responses((status = 200, body = OlderValidated), (status = "default", body = OlderProblem))
)]
pub(crate) async fn validate(
    State(state): State<S>,
    Asking(caller): Asking,
    At(registrar): At<String>,
    request: Request,
) -> Result<Response, Failure> {
    let body: OlderValidateBody = known(&state, &caller, &registrar, request).await?;
    let fields = split(&registrar, &Zeroizing::new(body.token))?;
    let found = state.engine().validate_credential(&caller, &registrar, &body.domain, fields).await?;
    let view = OlderValidated { valid: true, registrar, domain: found.domain.to_string() };
    Ok(json(StatusCode::OK, &view))
}

/// Point a domain at our nameservers, if that is safe now.
#[utoipa::path(
    post, path = "/api/v1/registrar/{registrar}/set-ns", operation_id = "olderRegistrarSetNs", tag = "older",
    request_body = OlderSetNsBody, params(("registrar" = String, Path, description = "The registrar")),
    responses((status = 200, body = OlderValidated), (status = "default", body = OlderProblem))
)]
pub(crate) async fn set_ns(
    State(state): State<S>,
    Asking(caller): Asking,
    At(registrar): At<String>,
    request: Request,
) -> Result<Response, Failure> {
    let body: OlderSetNsBody = known(&state, &caller, &registrar, request).await?;
    let fields = split(&registrar, &Zeroizing::new(body.token))?;
    let engine = state.engine().clone();
    let (id, domain) = (registrar.clone(), body.domain.clone());
    detached(async move { Ok(engine.set_ns(&caller, &id, &domain, fields, &body.nameservers).await?) })
        .await?;
    Ok(json(StatusCode::OK, &OlderValidated { valid: true, registrar, domain: body.domain }))
}

/// The body of a call about a registrar that is served.
async fn known<T: DeserializeOwned>(
    state: &S,
    caller: &Caller,
    registrar: &str,
    request: Request,
) -> Result<T, Failure> {
    let served = state.engine().registrars().contains_key(registrar);
    must_be_known(caller, registrar, served)?;
    let Json(body) = Json::from_request(request, state).await?;
    Ok(body)
}

/// Whatever the body says: a registrar that nobody knows is told first, and a network without a token never edits one.
fn must_be_known(caller: &Caller, registrar: &str, served: bool) -> Result<(), Refusal> {
    caller.must(Right::Commit)?;
    if !served || !TOKENS.iter().any(|(id, _)| *id == registrar) {
        let shown: String = registrar.chars().filter(|c| !c.is_control()).take(64).collect();
        return Err(Refusal::new("unsupported-registrar", format!("{shown:?} is not served here")));
    }
    if caller.role == Role::Legacy {
        return Err(Refusal::new("forbidden", "calls to registrars need a bearer token"));
    }
    Ok(())
}

fn split(registrar: &str, token: &str) -> Result<Fields, Refusal> {
    let parts: Vec<&str> = token.split(':').collect();
    let row = TOKENS.iter().find(|(id, names)| *id == registrar && names.len() == parts.len());
    let (_, names) = row.ok_or_else(|| {
        Refusal::new("credential-malformed", "the token has another number of parts").field("token")
    })?;
    let values = parts.iter().map(|part| Zeroizing::new((*part).to_owned()));
    Ok(names.iter().map(ToString::to_string).zip(values).collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role) -> Caller {
        Caller { actor: "token:t".into(), role, owner: None, pool: None, door: None }
    }

    #[test]
    fn a_token_is_split_by_its_registrar_and_no_network_gets_through() {
        assert_eq!(split("namecheap", "u:k:192.0.2.1").unwrap()["client_ip"].as_str(), "192.0.2.1");
        assert_eq!(split("dynadot", "k").unwrap().len(), 1);
        assert_eq!(split("dynadot", "k:s").unwrap().len(), 2);
        let refused = split("ovh", "a:b").unwrap_err();
        assert_eq!(refused.code, "credential-malformed");
        assert!(!refused.detail.contains("a:b"));
        let known = |role, id: &str| must_be_known(&caller(role), id, true).map_err(|r| r.code);
        assert_eq!(known(Role::Admin, "ovh"), Ok(()));
        assert_eq!(known(Role::Admin, "nobody"), Err("unsupported-registrar"));
        assert_eq!(known(Role::Legacy, "ovh"), Err("forbidden"));
    }
}
