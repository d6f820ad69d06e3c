//! The older paths under `/api/v1`, which an existing provisioner uses. Shapes, states and error words are what that
//! client knows; the intents behind them are those of `/v1`.

pub(crate) mod check;
pub(crate) mod commit;
pub(crate) mod list;
pub(crate) mod registrar;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod reserved;

use pdm_model::{Label, Refusal, ZoneName};

use crate::app::Shared;

/// The name that pool and label make. These paths have always trimmed what was typed.
pub(crate) fn name(state: &Shared, pool: &str, label: &str) -> Result<ZoneName, Refusal> {
    let unknown = |e: String| Refusal::new("unsupported-pool", e);
    let pool = ZoneName::parse(pool.trim()).map_err(|e| unknown(format!("not a pool here: {e}")))?;
    let pool = &state.engine().settings().pool(&pool)?.domain;
    let invalid =
        |e: pdm_model::name::NameError| Refusal::new("invalid-name", e.to_string()).field("subdomain");
    let label = Label::parse(label.trim()).map_err(invalid)?;
    pool.child(&label).map_err(invalid)
}
