//! `/v1/allocations/{fqdn}/carry-over`: the records that move with a domain, shown, read, uploaded, decided about.

use axum::extract::State;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::carry_over::{
    CarryOverBody, CarryOverView, ComparedView, ConflictView, LeftOutView, LockedView, WaiveBody,
};
use pdm_carry_over::{Choice, Source, Verdict};
use pdm_engine::intents::carry_over::{Carried, Decisions};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{Asking, At, Change};
use crate::idempotency::once;
use crate::problem::Failure;

/// Entries of a list that are shown.
const SHOWN: usize = 1000;

/// What was carried over, and what still stands in the way.
#[utoipa::path(
    get, path = "/v1/allocations/{fqdn}/carry-over", operation_id = "getCarryOver", tag = "names",
    params(("fqdn" = String, Path, description = "The name")),
    responses(
        (status = 200, body = CarryOverView, description = "What was carried over"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(state): State<S>,
    Asking(caller): Asking,
    At(fqdn): At<String>,
) -> Result<Answer, Failure> {
    let carried = state.engine().carry_over(&caller, &fqdn).await?;
    Answer::new(StatusCode::OK, &view(&fqdn, &carried))
}

/// Read the old zone again, or take it from a file.
#[utoipa::path(
    post, path = "/v1/allocations/{fqdn}/carry-over", operation_id = "carryOver", tag = "names",
    request_body = CarryOverBody,
    params(
        ("fqdn" = String, Path, description = "The name"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")
    ),
    responses(
        (status = 200, body = CarryOverView, description = "What is carried over now"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn replace(
    State(state): State<S>,
    At(fqdn): At<String>,
    change: Change<CarryOverBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body, key, .. } = change;
    let engine = state.engine().clone();
    once(&state, key, async move {
        let carried = match body.zone_file {
            Some(text) => engine.upload_carry_over(&caller, &fqdn, &text).await?,
            None => engine.gather_carry_over(&caller, &fqdn).await?,
        };
        Answer::new(StatusCode::OK, &view(&fqdn, &carried))
    })
    .await
}

/// Let names differ, and say who gets the names that both want.
#[utoipa::path(
    post, path = "/v1/allocations/{fqdn}/carry-over/waive", operation_id = "waiveCarryOver", tag = "names",
    request_body = WaiveBody,
    params(
        ("fqdn" = String, Path, description = "The name"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")
    ),
    responses(
        (status = 200, body = CarryOverView, description = "What is carried over now"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn waive(
    State(state): State<S>,
    At(fqdn): At<String>,
    change: Change<WaiveBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body, key, .. } = change;
    let engine = state.engine().clone();
    once(&state, key, async move {
        let decisions = Decisions {
            waive: body.names.into_iter().collect(),
            take: body.take.into_iter().collect(),
            keep: body.keep.into_iter().collect(),
            accept_incomplete: body.accept_incomplete,
        };
        let carried = engine.decide_carry_over(&caller, &fqdn, decisions).await?;
        Answer::new(StatusCode::OK, &view(&fqdn, &carried))
    })
    .await
}

fn view(fqdn: &str, carried: &Carried) -> CarryOverView {
    let zone = &carried.zone;
    CarryOverView {
        fqdn: fqdn.to_owned(),
        source: match zone.source {
            Source::Transfer { .. } => "transfer",
            Source::Upload => "upload",
            Source::Survey { .. } => "survey",
        }
        .to_owned(),
        complete: zone.source.complete(),
        incomplete_accepted: zone.incomplete_accepted.is_some(),
        gathered_at: zone.gathered_at,
        record_sets: zone.sets.len(),
        sets: zone.sets.iter().take(SHOWN).map(Into::into).collect(),
        left_out: zone
            .left_out
            .iter()
            .map(|l| LeftOutView {
                owner: l.owner.clone(),
                r#type: l.rtype.clone(),
                reason: l.reason.clone(),
            })
            .collect(),
        left_out_counts: zone.left_out_counts.clone(),
        conflicts: carried
            .conflicts
            .iter()
            .map(|c| ConflictView {
                owner: c.owner.clone(),
                choice: match c.choice {
                    Choice::Keep => "keep",
                    Choice::Take => "take",
                }
                .to_owned(),
                by_default: c.by_default,
                old: c.old.iter().map(Into::into).collect(),
                ours: c.ours.iter().map(Into::into).collect(),
            })
            .collect(),
        compared: zone.asked.iter().take(SHOWN).map(compared).collect(),
        locked: carried
            .locked
            .iter()
            .take(SHOWN)
            .map(|(q, why)| LockedView {
                owner: q.owner.clone(),
                r#type: q.rtype.to_string(),
                why: (*why).to_owned(),
            })
            .collect(),
        waived: zone.waived.keys().cloned().collect(),
    }
}

fn compared(asked: &pdm_carry_over::Asked) -> ComparedView {
    let (verdict, old, ours) = match &asked.verdict {
        Verdict::Same => ("same", Vec::new(), Vec::new()),
        Verdict::Given => ("given", Vec::new(), Vec::new()),
        Verdict::Differs { old, ours } => ("differs", old.clone(), ours.clone()),
        Verdict::OldSilent => ("old-silent", Vec::new(), Vec::new()),
        Verdict::OursSilent => ("ours-silent", Vec::new(), Vec::new()),
    };
    let (owner, r#type) = (asked.owner.clone(), asked.rtype.to_string());
    ComparedView { owner, r#type, at: asked.at, verdict: verdict.to_owned(), old, ours }
}
