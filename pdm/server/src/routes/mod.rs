//! The table of routes: one file per endpoint. What is not in it does not exist.

pub(crate) mod allocation;
pub(crate) mod allocations;
pub(crate) mod audit;
pub(crate) mod audit_acknowledge;
pub(crate) mod audit_fix;
pub(crate) mod audit_log;
pub(crate) mod audit_log_export;
pub(crate) mod audits;
pub(crate) mod carry_over;
pub(crate) mod check;
pub(crate) mod commit;
pub(crate) mod credential;
pub(crate) mod document;
pub(crate) mod door;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod extend;
pub(crate) mod failover;
pub(crate) mod frames;
pub(crate) mod freeze;
pub(crate) mod healthz;
pub(crate) mod keys;
pub(crate) mod metrics;
pub(crate) mod older;
pub(crate) mod operation;
pub(crate) mod owner;
pub(crate) mod pools;
pub(crate) mod readyz;
pub(crate) mod registrars;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod suspend;
pub(crate) mod target;
pub(crate) mod thaw;
pub(crate) mod validate;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use pdm_model::Refusal;

use crate::app::S;
use crate::edge::edge;
use crate::problem::Failure;

/// One line of the table.
pub(crate) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub handler: MethodRouter<S>,
}

/// Every route.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Route> {
    let row = |method, path, handler| Route { method, path, handler };
    vec![
        row("GET", "/v1/check", get(check::handler)),
        row("POST", "/v1/reserve", post(reserve::handler)),
        row("POST", "/v1/reserve/extend", post(extend::handler)),
        row("POST", "/v1/commit", post(commit::handler)),
        row("POST", "/v1/release", post(release::handler)),
        row("GET", "/v1/allocations", get(allocations::handler)),
        row("GET", "/v1/allocations/{fqdn}", get(allocation::handler)),
        row("PUT", "/v1/allocations/{fqdn}/target", put(target::handler)),
        row("PUT", "/v1/allocations/{fqdn}/credential", put(credential::handler)),
        row("GET", "/v1/allocations/{fqdn}/failover", get(failover::status)),
        row("GET", "/v1/allocations/{fqdn}/failover/rehearsal", get(failover::rehearsal)),
        row("POST", "/v1/allocations/{fqdn}/failover/drain", post(failover::drain)),
        row("GET", "/v1/allocations/{fqdn}/carry-over", get(carry_over::show)),
        row("POST", "/v1/allocations/{fqdn}/carry-over", post(carry_over::replace)),
        row("POST", "/v1/allocations/{fqdn}/carry-over/waive", post(carry_over::waive)),
        row("POST", "/v1/allocations/{fqdn}/suspend", post(suspend::handler)),
        row("POST", "/v1/allocations/{fqdn}/resume", post(resume::handler)),
        row("POST", "/v1/allocations/{fqdn}/owner", post(owner::handler)),
        row("GET", "/v1/allocations/{fqdn}/keys", get(keys::show::handler)),
        row("POST", "/v1/allocations/{fqdn}/keys/roll", post(keys::roll::handler)),
        row("POST", "/v1/allocations/{fqdn}/keys/hold", post(keys::hold::handler)),
        row("PUT", "/v1/allocations/{fqdn}/keys/policy", put(keys::policy::handler)),
        row("GET", "/v1/dnssec/inventory", get(keys::inventory::handler)),
        row("GET", "/v1/operations/{id}", get(operation::handler)),
        row("GET", "/v1/operations/{id}/events", get(events::handler)),
        row("POST", "/v1/operations/{id}/retry", post(retry::handler)),
        row("GET", "/v1/pools", get(pools::handler)),
        row("GET", "/v1/registrars", get(registrars::handler)),
        row("POST", "/v1/registrars/{id}/validate", post(registrars::validate)),
        row("POST", "/v1/validate", post(validate::handler)),
        row("POST", "/v1/frames", post(frames::handler)),
        row("POST", "/v1/freeze", post(freeze::handler)),
        row("POST", "/v1/thaw", post(thaw::handler)),
        row("POST", "/v1/audits", post(audits::handler)),
        row("GET", "/v1/audits", get(audits::list)),
        row("GET", "/v1/audits/{id}", get(audit::handler)),
        row("POST", "/v1/audits/fix", post(audit_fix::handler)),
        row("POST", "/v1/audits/acknowledge", post(audit_acknowledge::handler)),
        row("GET", "/v1/audit-log", get(audit_log::handler)),
        row("GET", "/v1/audit-log/export", get(audit_log_export::handler)),
        row("GET", "/v1/evidence/{fqdn}", get(evidence::handler)),
        row("GET", "/healthz", get(healthz::handler)),
        row("GET", "/readyz", get(readyz::handler)),
        row("GET", "/metrics", get(metrics::handler)),
        row("GET", "/openapi.json", get(document::handler)),
        row("GET", "/api", get(door::versions)),
        row("GET", "/api/v1/servers", get(door::servers)),
        row("GET", "/api/v1/servers/localhost", get(door::server)),
        row("GET", "/api/v1/servers/localhost/zones", get(door::zones)),
        row("GET", "/api/v1/servers/localhost/zones/{zone}", get(door::zone)),
        row("PATCH", "/api/v1/servers/localhost/zones/{zone}", patch(door::change)),
        row("PUT", "/api/v1/servers/localhost/zones/{zone}/notify", put(door::notify)),
        row("GET", "/api/v1/pool/{domain}/check", get(older::check::handler)),
        row("POST", "/api/v1/pool/{domain}/reserve", post(older::reserve::handler)),
        row("POST", "/api/v1/pool/{domain}/commit", post(older::commit::handler)),
        row("DELETE", "/api/v1/pool/{domain}/release", delete(older::release::handler)),
        row("GET", "/api/v1/pool/{domain}/list", get(older::list::handler)),
        row("GET", "/api/v1/reserved", get(older::reserved::handler)),
        row("POST", "/api/v1/registrar/{registrar}/validate", post(older::registrar::validate)),
        row("POST", "/api/v1/registrar/{registrar}/set-ns", post(older::registrar::set_ns)),
    ]
}

/// The router over the table, behind the edge.
pub(crate) fn router(state: S) -> Router {
    let all = table().into_iter().chain(crate::pages::table());
    let routes = all.fold(Router::new(), |router, route| router.route(route.path, route.handler));
    routes
        .fallback(|| async { Failure::from(Refusal::new("not-found", "there is no such path")) })
        .method_not_allowed_fallback(|| async {
            Failure::from(Refusal::new("method-not-allowed", "this path has other methods"))
        })
        .layer(from_fn_with_state(state.clone(), edge))
        .with_state(state)
}
