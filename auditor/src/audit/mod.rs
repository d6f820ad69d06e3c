//! Audits: gather everything about one zone, judge it, and keep what was heard.

pub(crate) mod facts;
pub(crate) mod found;
pub(crate) mod gather;
#[cfg(test)]
mod planted;
pub(crate) mod probe;
mod recording;
pub(crate) mod report;
#[cfg(test)]
mod world;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use pdm_model::audit::Report;
use pdm_ports::audit::{AuditRequest, Audited, Auditor, Glance, GlanceRequest};
use pdm_ports::{Class, Fault};

use self::gather::{gather, map_for};
use self::recording::Recording;
use self::report::report;
use crate::walk::session::Session;
use crate::walk::{Walker, in_time};

/// Questions of one audit: some fifty to each of up to 32 addresses, and the way there.
const BUDGET: u32 = 2500;

#[async_trait]
impl Auditor for Walker {
    async fn audit(&self, request: AuditRequest) -> Result<Audited, Fault> {
        in_time(async {
            let map = map_for(&self.map, &request);
            let session = Session::live(&self.net, BUDGET);
            let facts = gather(&session, &map, &request).await;
            let begun = session.begun;
            let heard = session.into_heard();
            let report = report(&facts, &heard);
            let recording = Recording { begun, request, map, heard }.write()?;
            Ok(Audited { report, recording })
        })
        .await
    }

    fn replay(&self, recording: &[u8]) -> Result<Report, Fault> {
        replay(recording)
    }

    async fn glance(&self, request: &GlanceRequest) -> Glance {
        crate::glance::glance(&self.net, request).await
    }
}

/// The report again, from what was heard. Nothing is asked.
///
/// # Errors
/// The recording cannot be read.
pub fn replay(recording: &[u8]) -> Result<Report, Fault> {
    let kept = Recording::read(recording)?;
    let session = Session::replay(kept.begun, kept.heard.clone());
    // Nothing waits for a network, so that the first poll is the last.
    let facts = gather(&session, &kept.map, &kept.request).now_or_never();
    let facts =
        facts.ok_or_else(|| Fault::new(Class::Bug, "replay-waits", "a replay waited for something"))?;
    Ok(report(&facts, &kept.heard))
}
