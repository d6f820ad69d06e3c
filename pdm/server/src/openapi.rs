//! The OpenAPI document, generated from the handlers and the types of `pdm-api`.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::routes::{
    allocation, allocations, audit, audit_acknowledge, audit_fix, audit_log, audit_log_export, audits,
    carry_over, check, commit, credential, document as file, door, events, evidence, extend, failover,
    frames, freeze, healthz, keys, metrics, older, operation, owner, pools, readyz, registrars, release,
    reserve, resume, retry, suspend, target, thaw, validate,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "pool-domain-manager",
        description = "Names for Sovereigns: reserve, commit, release, and proof that they answer."
    ),
    paths(
        check::handler, reserve::handler, extend::handler, commit::handler, release::handler, allocations::handler,
    allocation::handler, credential::handler, registrars::validate, target::handler, failover::status, failover::rehearsal, failover::drain, suspend::handler, resume::handler, owner::handler, operation::handler, keys::show::handler, keys::roll::handler, keys::hold::handler, keys::policy::handler, keys::inventory::handler, carry_over::show, carry_over::replace, carry_over::waive,
        events::handler, retry::handler, pools::handler, registrars::handler, validate::handler, frames::handler, freeze::handler,
    thaw::handler, audits::handler, audits::list, audit::handler, audit_fix::handler, audit_acknowledge::handler, audit_log::handler, audit_log_export::handler, evidence::handler, healthz::handler, readyz::handler, metrics::handler, file::handler, door::versions, door::servers, door::server, door::zones, door::zone, door::change, door::notify,
        older::check::handler, older::reserve::handler, older::commit::handler, older::release::handler,
        older::list::handler, older::reserved::handler, older::registrar::validate, older::registrar::set_ns,
    ),
    security(("bearer" = [])),
    modifiers(&Bearer),
    tags(
        (name = "names", description = "Reserve, commit, change and release"),
        (name = "operations", description = "What is under way"),
        (name = "dnssec", description = "Keys and their rolls"),
        (name = "audits", description = "What the world really sees"),
        (name = "operator", description = "For who runs it"),
        (name = "door", description = "PowerDNS's own shapes, for certificate clients and external-dns"),
        (name = "older", description = "Paths of an earlier provisioner; they stay as they are")
    )
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", scheme);
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        components.add_security_scheme("door", key);
    }
}

/// The OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_in_the_document_and_nothing_else() {
        let document = serde_json::to_value(super::document()).unwrap();
        let mut documented = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                documented.insert((method.to_uppercase(), path.clone()));
            }
        }
        let served =
            crate::paths().into_iter().map(|(m, p)| (m.to_owned(), p.to_owned())).collect::<BTreeSet<_>>();
        assert_eq!(documented, served);
    }

    #[test]
    fn every_reference_resolves() {
        let document = serde_json::to_value(super::document()).unwrap();
        let text = document.to_string();
        let references =
            text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        for name in references {
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }
}
