//! A client of pool-domain-manager.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use pdm_api::requests::{CommitBody, ReserveBody};
//! # use pdm_api::target::LoadBalancerBody;
//! # use pdm_client::{Client, Error};
//! # async fn provision(token: &str) -> Result<(), Error> {
//! let pdm = Client::new("https://pdm.example")?.with_token(token);
//! let held = pdm.reserve(&ReserveBody {
//!     mode: "pool".into(), pool_domain: Some("omani.works".into()), subdomain: Some("omantel".into()),
//!     ..ReserveBody::default()
//! }).await?;
//! let accepted = pdm.commit(&CommitBody {
//!     fqdn: held.fqdn.to_string(), reservation_token: held.reservation_token,
//!     load_balancers: vec![LoadBalancerBody { ipv4: Some("203.0.113.10".into()), ..LoadBalancerBody::default() }],
//!     failover: None, registrar: None,
//! }).await?;
//! let active = pdm.follow(&accepted, Duration::from_secs(600), |operation| println!("{}", operation.state)).await?;
//! # let _ = active; Ok(()) }
//! ```
//!
//! Every call that changes something carries an `Idempotency-Key`, so a repeat after a lost reply has one effect. Repeats
//! happen by themselves ([`Retry`]): when nothing was answered, and for answers that pass by themselves. Everything else
//! is an [`Error`], a refusal with the code, who must act and the next step of the daemon.

mod calls;
pub mod declared;
mod error;
mod files;
mod retry;
mod transport;
mod wait;

pub use error::{Error, Lost};
pub use files::Files;
pub use retry::Retry;
pub use transport::{Answer, Client, builder};
