//! v2, the API of customers with a number: DS records and the actions that go on behind a call. An account that may
//! not use it gets the DS back as a refusal with a way out.

use std::collections::BTreeSet;

use pdm_model::{DsRecord, ZoneName};
use pdm_ports::registrar::{Cannot, Credential, DsEntry, TaskId, TaskStatus};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{DS_BY_HAND, GoDaddy};
use crate::admit::{cannot, ds_difference};
use crate::flow::Written;
use crate::http::Answer;
use crate::kind::{Kind, excerpt, present};

/// How the task of an action begins.
pub(super) const ACTION: &str = "action/";
/// The action of a new NS set.
pub(super) const SET_NAMES: &str = "DOMAIN_UPDATE_NAME_SERVERS";
const ADD_DS: &str = "DNSSEC_CREATE";
const REMOVE_DS: &str = "DNSSEC_DELETE";

/// Numbers of algorithms and their names here.
const ALGORITHMS: &[(u8, &str)] = &[
    (5, "RSASHA1"),
    (7, "RSASHA1_NSEC3_SHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
];

/// The same for digest types.
const DIGESTS: &[(u8, &str)] = &[(1, "SHA1"), (2, "SHA256"), (3, "GOST"), (4, "SHA384")];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shopper {
    customer_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    #[serde(default)]
    dnssec_records: Vec<WireDs>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDs {
    key_tag: Option<u16>,
    algorithm: String,
    digest_type: Option<String>,
    digest: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: Option<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What v2 says of a domain.
pub(super) struct CustomerView {
    pub(super) ds: BTreeSet<DsRecord>,
    pub(super) running: Option<TaskId>,
}

impl GoDaddy {
    /// Where v2 keeps a domain.
    async fn v2(&self, domain: &ZoneName, shopper: &str, credential: &Credential) -> Result<String, Fault> {
        if !shopper.bytes().all(|byte| byte.is_ascii_digit()) {
            let detail = "the field \"shopper_id\" is a number";
            return Err(Fault::new(Class::Credential, "credential-malformed", detail));
        }
        let path = format!("/v1/shoppers/{shopper}?includes=customerId");
        let answer = self.get(credential, &path).await?;
        let id = uuid::Uuid::parse_str(&answer.json::<Shopper>()?.customer_id)
            .map_err(|_| answer.garbage("without a customer id"))?;
        Ok(format!("/v2/customers/{id}/domains/{domain}"))
    }

    /// DS and running actions; none when the account may not use v2 or gave no customer number.
    pub(super) async fn customer_view(
        &self,
        domain: &ZoneName,
        credential: &Credential,
    ) -> Result<Option<CustomerView>, Fault> {
        let Some(shopper) = credential.get("shopper_id") else { return Ok(None) };
        let view = async {
            let path = self.v2(domain, shopper, credential).await?;
            self.get(credential, &format!("{path}?includes=dnssecRecords,actions")).await
        };
        let answer = match view.await {
            Ok(answer) => answer,
            Err(fault) if may_not(&fault) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let view: View = answer.json()?;
        let ds = view.dnssec_records.iter().map(|record| ds(&answer, record)).collect::<Result<_, _>>()?;
        let ours = |action: &&Action| [SET_NAMES, ADD_DS, REMOVE_DS].contains(&&*action.kind);
        let running = view.actions.iter().filter(ours).find(|action| status(action) == Stage::Running);
        Ok(Some(CustomerView { ds, running: running.map(|action| task(&action.kind)) }))
    }

    /// Add what is missing; when nothing is, remove what is too much. Two actions at once are refused with 409, so a
    /// replacement takes two rounds, and the new DS is there before the old one goes.
    pub(super) async fn write_ds(
        &self,
        domain: &ZoneName,
        wanted: &BTreeSet<DsEntry>,
        held: Option<&BTreeSet<DsRecord>>,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        let nothing = BTreeSet::new();
        let held = held.unwrap_or(&nothing);
        let (missing, surplus) = ds_difference(held, wanted);
        let (method, records, action) = if missing.is_empty() {
            (Method::DELETE, surplus, REMOVE_DS)
        } else {
            (Method::PATCH, missing.iter().map(|entry| &entry.ds).collect(), ADD_DS)
        };
        let body = records.into_iter().map(wire).collect::<Result<Value, _>>()?;
        let sent = async {
            let shopper = credential.get("shopper_id").unwrap_or_default();
            let path = self.v2(domain, shopper, credential).await?;
            self.send(credential, method, &format!("{path}/dnssecRecords"), Some(&body)).await
        };
        match sent.await {
            Ok(_) => Ok(Written { task: Some(task(action)), notes: Vec::new() }),
            Err(fault) if may_not(&fault) => {
                let reason = "GoDaddy does not let this account write DS";
                Err(cannot("ds-unsupported", Cannot { reason, way_out: DS_BY_HAND }))
            }
            Err(fault) => Err(fault),
        }
    }

    /// How an action stands. One that is not there is over.
    pub(super) async fn action(
        &self,
        domain: &ZoneName,
        kind: &str,
        credential: &Credential,
    ) -> Result<TaskStatus, Fault> {
        if ![SET_NAMES, ADD_DS, REMOVE_DS].contains(&kind) {
            return Err(Fault::new(Class::Rejected, "no-such-task", "this is no task of this adapter"));
        }
        let Some(shopper) = credential.get("shopper_id") else { return Ok(TaskStatus::Done) };
        let asked = async {
            let path = self.v2(domain, shopper, credential).await?;
            present(self.get(credential, &format!("{path}/actions/{kind}")).await)
        };
        let answer = match asked.await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(TaskStatus::Done),
            Err(fault) if may_not(&fault) => return Ok(TaskStatus::Done),
            Err(fault) => return Err(fault),
        };
        let action: Action = answer.json()?;
        Ok(match status(&action) {
            Stage::Running => TaskStatus::Running { stage: excerpt(&action.status) },
            Stage::Done => TaskStatus::Done,
            Stage::Failed => {
                let reason = action.reason.map(|reason| format!("{} {}", reason.code, reason.message));
                TaskStatus::Failed { reason: excerpt(&reason.unwrap_or(action.status)) }
            }
        })
    }
}

/// Refused for what the account is, not for what was asked; the credential itself works, or v1 would have said so.
fn may_not(fault: &Fault) -> bool {
    [Kind::AccountNotEligible, Kind::InsufficientScope, Kind::DomainNotInAccount]
        .iter()
        .any(|kind| kind.is(fault))
}

fn task(action: &str) -> TaskId {
    TaskId(format!("{ACTION}{action}"))
}

#[derive(PartialEq, Eq)]
enum Stage {
    Running,
    Done,
    Failed,
}

fn status(action: &Action) -> Stage {
    match action.status.as_str() {
        "SUCCESS" => Stage::Done,
        "FAILED" | "CANCELLED" => Stage::Failed,
        // ACCEPTED, AWAITING, PENDING, and what may come.
        _ => Stage::Running,
    }
}

fn wire(ds: &DsRecord) -> Result<Value, Fault> {
    let name = |table: &[(u8, &'static str)], number| {
        table.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
    };
    let (Some(algorithm), Some(digest)) = (name(ALGORITHMS, ds.algorithm), name(DIGESTS, ds.digest_type))
    else {
        let detail =
            format!("GoDaddy takes no DS of algorithm {} and digest type {}", ds.algorithm, ds.digest_type);
        return Err(Kind::Unsupported.fault(detail));
    };
    Ok(json!({ "keyTag": ds.key_tag, "algorithm": algorithm, "digestType": digest, "digest": ds.digest }))
}

fn ds(answer: &Answer, wire: &WireDs) -> Result<DsRecord, Fault> {
    let number =
        |table: &[(u8, &str)], name: &str| table.iter().find(|(_, n)| *n == name).map(|(number, _)| *number);
    let read = || {
        Some(DsRecord {
            key_tag: wire.key_tag?,
            algorithm: number(ALGORITHMS, &wire.algorithm)?,
            digest_type: number(DIGESTS, wire.digest_type.as_deref()?)?,
            digest: wire.digest.as_ref()?.to_ascii_lowercase(),
        })
    };
    read().ok_or_else(|| answer.garbage("with a DS that cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ds_goes_out_in_names_and_comes_back_in_numbers() {
        let record: DsRecord =
            "55648 13 2 B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17".parse().unwrap();
        let sent = wire(&record).unwrap();
        assert_eq!((&sent["algorithm"], &sent["digestType"]), (&json!("ECDSAP256SHA256"), &json!("SHA256")));
        let answer = Answer { vendor: "godaddy", status: 200, body: Vec::new() };
        assert_eq!(ds(&answer, &serde_json::from_value(sent).unwrap()).unwrap(), record);
        let strange = DsRecord { algorithm: 200, ..record };
        assert_eq!(wire(&strange).unwrap_err().code, "registrar-cannot");
        let unread = serde_json::from_value(json!({ "algorithm": "ROT13", "keyTag": 1 })).unwrap();
        assert_eq!(ds(&answer, &unread).unwrap_err().code, "registrar-garbage");
    }

    #[test]
    fn an_action_is_running_until_it_says_otherwise() {
        for (word, want) in [
            ("ACCEPTED", Stage::Running),
            ("PENDING", Stage::Running),
            ("SUCCESS", Stage::Done),
            ("FAILED", Stage::Failed),
            ("CANCELLED", Stage::Failed),
        ] {
            let action = Action { kind: SET_NAMES.into(), status: word.into(), reason: None };
            assert!(status(&action) == want, "{word}");
        }
    }
}
