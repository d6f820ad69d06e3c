//! The zone as its servers carry it today: the `ZoneGather` port on real sockets.

mod survey;
mod transfer;

use std::time::Duration;

use async_trait::async_trait;
use pdm_carry_over::{CarriedZone, MAX_TIME, Source, TooLarge};
use pdm_dnssec::Name;
use pdm_model::{Timestamp, ZoneName};
use pdm_ports::{Class, Fault, Server, ZoneGather};
use tokio::time::{Instant, timeout_at};

use crate::walk::Walker;

/// A transfer may take no more of the whole time than leaves enough for a survey.
const TRANSFER: Duration = Duration::from_secs(25);

/// Why a zone cannot be read.
#[derive(Debug)]
enum Why {
    /// It has too much in it.
    TooLarge(String),
    /// This server does not give it, or gives something else.
    Refused(String),
}

impl From<TooLarge> for Why {
    fn from(e: TooLarge) -> Self {
        Self::TooLarge(e.to_string())
    }
}

impl Why {
    fn fault(self) -> Fault {
        match self {
            Self::TooLarge(detail) => Fault::new(Class::Rejected, "zone-too-large", detail),
            Self::Refused(detail) => Fault::transient("zone-silent", detail),
        }
    }
}

#[async_trait]
impl ZoneGather for Walker {
    async fn gather(
        &self,
        zone: &ZoneName,
        servers: &[Server],
        random_label: &str,
        now: Timestamp,
    ) -> Result<CarriedZone, Fault> {
        let begun = Instant::now();
        for server in servers {
            let transfer = transfer::transfer(self.net(), zone, server.address);
            match timeout_at(begun + TRANSFER, transfer).await {
                Ok(Ok(collected)) => {
                    let server = format!("{} ({})", server.names.join(", "), server.address);
                    return Ok(collected.finish(Source::Transfer { server }, now));
                }
                Ok(Err(Why::TooLarge(detail))) => return Err(Why::TooLarge(detail).fault()),
                Ok(Err(Why::Refused(why))) => {
                    tracing::debug!(%zone, at = %server.address, why, "no transfer")
                }
                Err(_) => break,
            }
        }
        let random = Name::from(zone).below(random_label).ok_or_else(|| {
            Fault::new(Class::Bug, "random-label", format!("{random_label:?} is not a label"))
        })?;
        let survey = survey::survey(self.net(), zone, servers, &random);
        let late = || Why::Refused(format!("reading took more than {} s", MAX_TIME.as_secs()));
        let (collected, questions) =
            timeout_at(begun + MAX_TIME, survey).await.unwrap_or_else(|_| Err(late())).map_err(Why::fault)?;
        Ok(collected.finish(Source::Survey { questions }, now))
    }
}
