//! `GET /v1/registrars` and `POST /v1/registrars/{id}/validate`: what registrars can do, and what a credential is good for.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::pool::{CredentialFieldView, CredentialView, MenuView, RegistrarView};
use pdm_api::requests::CredentialCheckBody;
use pdm_api::{ProblemBody, Registrars};
use pdm_engine::caller::Right;
use pdm_model::menus::menus;
use pdm_ports::registrar::Registrar;
use zeroize::Zeroizing;

use crate::app::S;
use crate::extract::{Asking, At, Json};
use crate::problem::{Failure, json};

/// The registrars that are served.
#[utoipa::path(
    get, path = "/v1/registrars", operation_id = "listRegistrars", tag = "names",
    responses((status = 200, body = Registrars), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(State(state): State<S>, Asking(caller): Asking) -> Result<Response, Failure> {
    caller.must(Right::Check)?;
    let registrars = state.engine().registrars().values().map(|r| view(r.as_ref())).collect();
    let menus = menus().iter().map(MenuView::from).collect();
    let egress = state.app.pages.egress.clone();
    Ok(json(StatusCode::OK, &Registrars { registrars, menus, egress }))
}

/// What a credential can do with a domain. Writes nothing.
#[utoipa::path(
    post, path = "/v1/registrars/{id}/validate", operation_id = "validateCredential", tag = "names",
    request_body = CredentialCheckBody, params(("id" = String, Path, description = "The registrar")),
    responses((status = 200, body = CredentialView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn validate(
    State(state): State<S>,
    Asking(caller): Asking,
    At(id): At<String>,
    Json(body): Json<CredentialCheckBody>,
) -> Result<Response, Failure> {
    let credential = body.credential.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
    let found = state.engine().validate_credential(&caller, &id, &body.domain, credential).await?;
    let view = CredentialView {
        domain: found.domain,
        registry_apex: found.registry_apex,
        hosted_parent: found.hosted_parent,
        expires: found.expires,
        credential_expires: found.credential_expires,
        notes: found.notes,
    };
    Ok(json(StatusCode::OK, &view))
}

fn view(registrar: &dyn Registrar) -> RegistrarView {
    let field = |f: &pdm_ports::registrar::CredentialField| CredentialFieldView {
        name: f.name.to_owned(),
        label: f.label.to_owned(),
        secret: f.secret,
        optional: f.optional,
        help: f.help.to_owned(),
    };
    RegistrarView {
        id: registrar.id().to_owned(),
        name: registrar.name().to_owned(),
        credential_fields: registrar.credential_fields().iter().map(field).collect(),
        capability: serde_json::to_value(registrar.capability()).unwrap_or_default(),
        recipe: registrar.recipe().to_owned(),
    }
}
