//! OpenID Connect, as Keycloak and others speak it.
//!
//! [`Provider`] knows one issuer: where it is, which keys it signs with, and what a token of it must look like. A token
//! is verified from memory, with `ring` and nothing else; keys are fetched beside requests and kept while the issuer
//! does not answer. [`SignIn`](pdm_ports::SignIn) is the authorization code flow with PKCE, for pages.
//!
//! ```text
//! fetch     bounded JSON over HTTP               discovery  the issuer's document
//! jwk       the issuer's key set                 token      form, signature, times, issuer, audience
//! claims    what a token says about its bearer   provider   keys in memory, and when to ask for them again
//! sign_in   code + PKCE
//! ```

mod claims;
mod discovery;
mod fetch;
mod jwk;
mod provider;
mod sign_in;
#[cfg(test)]
mod tests;
mod token;

pub use claims::{ClaimNames, Identity};
pub use provider::{Provider, Settings};
pub use sign_in::Client;
pub use token::{Algorithm, Refused};
