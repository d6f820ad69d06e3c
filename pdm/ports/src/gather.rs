//! Reading a zone from the servers that carry it today.

use async_trait::async_trait;
use pdm_carry_over::CarriedZone;
use pdm_model::{Timestamp, ZoneName};

use crate::fault::Fault;
use crate::probe::Server;

/// Reads a whole zone, or as much of it as can be found. Answers are parsed as hostile, and the address policy for probes
/// applies. At most [`pdm_carry_over::MAX_RECORDS`] records, [`pdm_carry_over::MAX_OCTETS`] octets and
/// [`pdm_carry_over::MAX_TIME`].
#[async_trait]
pub trait ZoneGather: Send + Sync {
    /// By transfer from the first server that allows it, else by asking for names that zones usually have.
    /// `random_label` finds wildcards: nobody has a name like it. `zone-silent` when no server answers with authority,
    /// `zone-too-large` when it has more than is read.
    async fn gather(
        &self,
        zone: &ZoneName,
        servers: &[Server],
        random_label: &str,
        now: Timestamp,
    ) -> Result<CarriedZone, Fault>;
}
