//! Secrets in OpenBao (and whatever else speaks its API), over HTTP.
//!
//! [`OpenBao`] reads and writes fields of the key-value engine, version 2. It logs in with what the workload is anyway: a
//! Kubernetes service account, a JWT, a client certificate; or with a token that somebody else keeps alive. The token it
//! gets is renewed before it ends and replaced when it cannot be renewed or is refused, so that no caller ever sees one
//! run out. [`CredentialShelf`] keeps sealed texts below one path.
//!
//! No secret appears in an address, an error, a log or a `Debug` text.

mod call;
mod place;
mod session;
mod settings;
mod shelf;
mod vault;

pub use place::Place;
pub use settings::{Login, Settings};
pub use shelf::CredentialShelf;
pub use vault::OpenBao;
