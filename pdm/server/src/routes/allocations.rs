//! `GET /v1/allocations`: a page in the order of names; never a token.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::requests::ListQuery;
use pdm_api::{AllocationPage, AllocationView, ProblemBody};
use pdm_model::{Phase, Refusal, ZoneName};
use pdm_ports::store::Filter;

use crate::app::S;
use crate::extract::{Asking, Params};
use crate::problem::{Failure, json};

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 500;

/// A page of allocations.
#[utoipa::path(
    get, path = "/v1/allocations", operation_id = "listAllocations", tag = "names", params(ListQuery),
    responses((status = 200, body = AllocationPage), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    Params(query): Params<ListQuery>,
) -> Result<Response, Failure> {
    let limit = limit(query.limit)?;
    // One more than asked tells whether there is a next page.
    let filter = Filter { limit: limit + 1, ..filter(&query)? };
    let mut rows = state.engine().list(&caller, filter).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|a| a.fqdn.to_string());
    let items = rows.iter().map(AllocationView::from).collect();
    Ok(json(StatusCode::OK, &AllocationPage { items, next_cursor }))
}

/// The size of a page.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Refusal> {
    match asked {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(_) => Err(wrong("limit", &format!("1 to {MAX_LIMIT}"))),
    }
}

fn wrong(field: &str, detail: &str) -> Refusal {
    Refusal::new("invalid-parameter", format!("{field}: {detail}")).field(field)
}

fn filter(query: &ListQuery) -> Result<Filter, Refusal> {
    let name = |field: &str, typed: &Option<String>| match typed {
        Some(text) => ZoneName::parse(text).map(Some).map_err(|e| wrong(field, &e.to_string())),
        None => Ok(None),
    };
    let phase = match &query.phase {
        Some(word) => Some(Phase::from_word(word).ok_or_else(|| wrong("phase", "there is no such phase"))?),
        None => None,
    };
    Ok(Filter {
        text: None,
        pool: name("poolDomain", &query.pool_domain)?,
        phase,
        owner: query.owner.clone(),
        freed: phase == Some(Phase::Freed),
        after: name("cursor", &query.cursor)?.map(|n| n.to_string()),
        limit: DEFAULT_LIMIT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_parameters_are_named() {
        let code = |query: ListQuery| filter(&query).unwrap_err().field;
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(code(ListQuery { phase: some("gone"), ..ListQuery::default() }), some("phase"));
        assert_eq!(code(ListQuery { pool_domain: some("a..b"), ..ListQuery::default() }), some("poolDomain"));
        assert_eq!(code(ListQuery { cursor: some(""), ..ListQuery::default() }), some("cursor"));
        assert!(limit(Some(0)).is_err() && limit(Some(501)).is_err());
        assert_eq!(limit(None).unwrap(), 100);
    }
}
