//! The HTTP server: the contract under `/v1`, the older paths under `/api/v1`, health, metrics and the OpenAPI
//! document. Handlers are thin: they take a request apart, call one intent or read of the engine, and write what came
//! of it. Which code has which status stands in `problem.rs` and nowhere else.

mod answer;
pub mod app;
pub mod auth;
pub mod edge;
mod extract;
mod idempotency;
mod limit;
mod openapi;
mod openmetrics;
mod pages;
mod problem;
mod routes;
mod serve;
mod settle;
mod telemetry;
pub mod token_file;
pub mod tokens;
pub mod trusted;

pub use app::{App, Limits, Pages, Tls};
pub use auth::{AnyOf, Authenticator, Presented};
pub use openapi::document;
pub use pages::sign_in_link;
pub use serve::serve;
pub use telemetry::install_metrics;
pub use tokens::FileTokens;
pub use trusted::{TrustedNetwork, TrustedNetworks};

/// All routes. Requests carry an [`edge::Peer`] when they come from [`serve`]; without one no network is trusted.
pub fn router(app: App) -> axum::Router {
    let (_, stop) = tokio::sync::watch::channel(false);
    routes::router(app::Shared::new(app, stop))
}

/// Every method and path that is served.
#[must_use]
pub fn paths() -> Vec<(&'static str, &'static str)> {
    routes::table().into_iter().map(|route| (route.method, route.path)).collect()
}
