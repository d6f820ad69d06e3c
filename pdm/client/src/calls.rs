//! The calls with their types.

use pdm_api::requests::{CheckQuery, CommitBody, ExtendBody, ListQuery, ReleaseBody, ReserveBody};
use pdm_api::target::TargetBody;
use pdm_api::{
    AcceptedView, AllocationDetail, AllocationPage, AllocationView, CheckView, ExtendedView, OperationView,
    Pools, Registrars, ReservationView,
};
use reqwest::Method;

use crate::error::Error;
use crate::transport::Client;

/// Each ends with [`Error`]: a refusal by its code, or no answer.
#[allow(clippy::missing_errors_doc)] // said once, above
impl Client {
    /// Whether a name can be had. A read of the store only.
    pub async fn check(&self, query: &CheckQuery) -> Result<CheckView, Error> {
        let all =
            [("poolDomain", &query.pool_domain), ("subdomain", &query.subdomain), ("domain", &query.domain)];
        Ok(self.get(&["check"], &given(&all)).await?.body)
    }

    /// Hold a name. The answer carries the token that commit takes.
    pub async fn reserve(&self, body: &ReserveBody) -> Result<ReservationView, Error> {
        Ok(self.call(Method::POST, &["reserve"], body).await?.body)
    }

    /// Hold a reservation longer.
    pub async fn extend(&self, body: &ExtendBody) -> Result<ExtendedView, Error> {
        Ok(self.call(Method::POST, &["reserve", "extend"], body).await?.body)
    }

    /// Build a reserved name: zone, signatures, delegation. [`Client::follow`] sees it through.
    pub async fn commit(&self, body: &CommitBody) -> Result<AcceptedView, Error> {
        Ok(self.call(Method::POST, &["commit"], body).await?.body)
    }

    /// Point a committed name somewhere else.
    pub async fn set_target(&self, fqdn: &str, body: &TargetBody) -> Result<AcceptedView, Error> {
        Ok(self.call(Method::PUT, &["allocations", fqdn, "target"], body).await?.body)
    }

    /// Give a name back.
    pub async fn release(&self, body: &ReleaseBody) -> Result<AcceptedView, Error> {
        Ok(self.call(Method::POST, &["release"], body).await?.body)
    }

    /// Everything about a name.
    pub async fn allocation(&self, fqdn: &str) -> Result<AllocationDetail, Error> {
        Ok(self.get(&["allocations", fqdn], &[]).await?.body)
    }

    /// Every name that fits, over all pages.
    pub async fn allocations(&self, query: &ListQuery) -> Result<Vec<AllocationView>, Error> {
        let mut found = Vec::new();
        let mut cursor = query.cursor.clone();
        loop {
            let limit = query.limit.map(|limit| limit.to_string());
            let all = [
                ("poolDomain", &query.pool_domain),
                ("phase", &query.phase),
                ("owner", &query.owner),
                ("cursor", &cursor),
                ("limit", &limit),
            ];
            let page: AllocationPage = self.get(&["allocations"], &given(&all)).await?.body;
            found.extend(page.items);
            if page.next_cursor.is_none() || page.next_cursor == cursor {
                return Ok(found);
            }
            cursor = page.next_cursor;
        }
    }

    /// An operation and its steps.
    pub async fn operation(&self, id: &str) -> Result<OperationView, Error> {
        Ok(self.get(&["operations", id], &[]).await?.body)
    }

    /// Pools with nameservers, counts and quotas.
    pub async fn pools(&self) -> Result<Pools, Error> {
        Ok(self.get(&["pools"], &[]).await?.body)
    }

    /// The registrars that are served.
    pub async fn registrars(&self) -> Result<Registrars, Error> {
        Ok(self.get(&["registrars"], &[]).await?.body)
    }
}

/// The parameters that have a value.
fn given<'a>(all: &[(&'a str, &'a Option<String>)]) -> Vec<(&'a str, &'a str)> {
    all.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect()
}
