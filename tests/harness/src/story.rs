//! What a client does with a name, said in one line each.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Answer, Api};
use crate::wait::{DEADLINE, until_within};
use crate::world::POOL;

/// The full name of a label in the pool.
#[must_use]
pub fn fqdn(label: &str) -> String {
    format!("{label}.{POOL}")
}

/// The body of a target with one IPv4 address.
#[must_use]
pub fn target(ipv4: &str) -> Value {
    json!({"loadBalancers": [{"ipv4": ipv4}]})
}

impl Api {
    /// Ask to reserve a label.
    pub async fn try_reserve(&self, label: &str) -> Answer {
        self.post("/v1/reserve", &json!({"mode": "pool", "poolDomain": POOL, "subdomain": label})).await
    }

    /// Reserve a label; its reservation token.
    pub async fn reserve(&self, label: &str) -> String {
        let answer = self.try_reserve(label).await.expect(&[201]);
        answer.text_at("/reservationToken").to_owned()
    }

    /// Ask to commit.
    pub async fn try_commit(&self, label: &str, token: &str, ipv4: &str) -> Answer {
        let mut body = target(ipv4);
        body["fqdn"] = fqdn(label).into();
        body["reservationToken"] = token.into();
        self.post("/v1/commit", &body).await
    }

    /// Commit; accepted or already active.
    pub async fn commit(&self, label: &str, token: &str, ipv4: &str) -> Answer {
        self.try_commit(label, token, ipv4).await.expect(&[200, 202])
    }

    /// Reserve, commit and wait until it is active; the reservation token.
    pub async fn lend(&self, label: &str, ipv4: &str) -> String {
        let token = self.reserve(label).await;
        let _ = self.commit(label, &token, ipv4).await;
        self.await_phase(label, "active").await;
        token
    }

    /// Another target.
    pub async fn retarget(&self, label: &str, ipv4: &str) -> Answer {
        self.put(&format!("/v1/allocations/{}/target", fqdn(label)), &target(ipv4)).await.expect(&[200, 202])
    }

    /// Ask to release.
    pub async fn try_release(&self, label: &str, token: Option<&str>) -> Answer {
        let mut body = json!({"fqdn": fqdn(label)});
        if let Some(token) = token {
            body["reservationToken"] = token.into();
        }
        self.post("/v1/release", &body).await
    }

    /// Release and wait until it is quarantined.
    pub async fn give_back(&self, label: &str) {
        let _ = self.try_release(label, None).await.expect(&[200, 202]);
        self.await_phase(label, "quarantined").await;
    }

    /// The allocation of a label as the API shows it.
    pub async fn allocation(&self, label: &str) -> Value {
        self.get(&format!("/v1/allocations/{}", fqdn(label))).await.expect(&[200]).body
    }

    /// Wait until the allocation is in a phase.
    pub async fn await_phase(&self, label: &str, phase: &str) -> Value {
        self.await_phase_within(label, phase, DEADLINE).await
    }

    /// Wait until the allocation is in a phase and nothing is open, at most this long.
    pub async fn await_phase_within(&self, label: &str, phase: &str, limit: Duration) -> Value {
        self.await_that(label, &format!("to be {phase}"), limit, |a| {
            a["phase"] == phase && open_operation(a).is_none()
        })
        .await
    }

    /// Wait until something holds of the allocation. A broken connection only means to look again.
    pub async fn await_that(
        &self,
        label: &str,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let path = format!("/v1/allocations/{}", fqdn(label));
        until_within(&format!("{label} {what}"), limit, || async {
            let answer = self.try_get(&path).await?;
            if holds(&answer.body) { Ok(answer.body) } else { Err(answer.text) }
        })
        .await
    }

    /// Wait until a condition of the allocation has this status; the condition.
    pub async fn await_condition(&self, label: &str, kind: &str, status: &str) -> Value {
        let shown = self
            .await_that(label, &format!("to have {kind}={status}"), DEADLINE, |a| {
                condition(a, kind)["status"] == status
            })
            .await;
        condition(&shown, kind)
    }

    /// Entries of the audit log about a label, newest first.
    pub async fn audit_of(&self, label: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/audit-log?fqdn={}", fqdn(label))).await.expect(&[200]);
        answer.body["items"].as_array().cloned().unwrap_or_default()
    }

    /// Wait until the audit log has an entry about a label with this action; the entry.
    pub async fn await_audit(&self, label: &str, action: &str) -> Value {
        let path = format!("/v1/audit-log?fqdn={}", fqdn(label));
        until_within(&format!("the audit log of {label} to say {action}"), DEADLINE, || async {
            let answer = self.try_get(&path).await?;
            let items = answer.body["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().find(|e| e["action"] == action).ok_or(answer.text)
        })
        .await
    }

    /// All allocations, page by page.
    pub async fn allocations(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut path = "/v1/allocations?limit=100".to_owned();
        loop {
            let answer = self.get(&path).await.expect(&[200]);
            all.extend(answer.body["items"].as_array().cloned().unwrap_or_default());
            let Some(next) = answer.body["nextCursor"].as_str() else { return all };
            path = format!("/v1/allocations?limit=100&cursor={next}");
        }
    }
}

/// One condition of an allocation; `null` when it has none of this type.
#[must_use]
pub fn condition(allocation: &Value, kind: &str) -> Value {
    let list = allocation["conditions"].as_array().cloned().unwrap_or_default();
    list.into_iter().find(|c| c["type"] == kind).unwrap_or(Value::Null)
}

/// The open operation of an allocation, if there is one.
#[must_use]
pub fn open_operation(allocation: &Value) -> Option<&Value> {
    allocation.get("operation").filter(|o| o["state"] == "open")
}
