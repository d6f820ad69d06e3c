//! Every phase against every wish.

use pdm_api::declared::{API_VERSION, documents};
use serde_json::{Value, json};

use super::*;

fn sorted(all: &[Value]) -> Result<Sorted, Vec<String>> {
    sort(all.iter().flat_map(|v| documents(v.clone()).unwrap()).collect())
}

fn document(kind: &str, name: &str, spec: Value) -> Value {
    json!({ "apiVersion": API_VERSION, "kind": kind, "metadata": { "name": name }, "spec": spec })
}

fn declared(label: &str, ipv4: &str) -> Value {
    let fqdn = format!("{label}.omani.works");
    document(
        "SovereignDomain",
        label,
        json!({ "fqdn": fqdn, "owner": "acme", "loadBalancers": [{ "ipv4": ipv4 }] }),
    )
}

fn allocation(label: &str, phase: &str, created_by: &str) -> AllocationView {
    serde_json::from_value(json!({
        "id": label, "fqdn": format!("{label}.omani.works"), "poolDomain": "omani.works", "mode": "pool", "owner": "acme",
        "phase": phase, "generation": 1, "loadBalancers": [{ "ipv4": "192.0.2.1" }], "createdBy": created_by,
        "reservedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "conditions": [],
    }))
    .unwrap()
}

fn seen(all: &[AllocationView]) -> Seen {
    Seen {
        names: all.iter().map(|a| (a.fqdn.to_string(), a.clone())).collect(),
        of_set: all.iter().filter(|a| a.created_by.as_deref() == Some("apply:s")).cloned().collect(),
        pools: Vec::new(),
    }
}

fn acts(sorted: &Sorted, seen: &Seen) -> Vec<Act> {
    plan(sorted, seen, "s", |_| None).rows.iter().map(|r| r.act).collect()
}

#[test]
fn every_phase_has_its_act() {
    let wish = sorted(&[declared("a", "192.0.2.1")]).unwrap();
    let other = sorted(&[declared("a", "192.0.2.9")]).unwrap();
    assert_eq!(acts(&wish, &Seen::default()), [Act::Create]);
    for phase in Phase::ALL {
        let there = seen(&[allocation("a", phase.as_str(), "apply:s")]);
        let expected = match phase {
            Phase::Reserved => [Act::Renew, Act::Renew],
            Phase::Provisioning | Phase::Delegating | Phase::Active => [Act::Nothing, Act::Retarget],
            Phase::Releasing => [Act::Blocked, Act::Blocked],
            Phase::Quarantined | Phase::Freed => [Act::Create, Act::Create],
        };
        assert_eq!([acts(&wish, &there)[0], acts(&other, &there)[0]], expected, "{phase:?}");
    }
    // A reservation of somebody else stays theirs.
    assert_eq!(acts(&wish, &seen(&[allocation("a", "reserved", "wizard")])), [Act::Blocked]);
    let mut theirs = allocation("a", "active", "wizard");
    theirs.owner = "other".into();
    assert_eq!(acts(&wish, &seen(&[theirs])), [Act::Blocked]);
}

#[test]
fn what_drifted_is_told_beside_what_is_done() {
    let wish = sorted(&[declared("a", "192.0.2.1")]).unwrap();
    let mut drifted = allocation("a", "active", "x");
    drifted.suspended = Some("abuse".into());
    drifted.conditions =
        serde_json::from_value(json!([{ "type": "InSync", "status": "False", "reason": "record-changed",
        "detail": "www", "since": "2026-01-01T00:00:00Z" }]))
        .unwrap();
    assert_eq!(acts(&wish, &seen(&[drifted])), [Act::Nothing, Act::Differs, Act::Differs]);
}

#[test]
fn pools_are_compared_and_never_written() {
    let pool = |quota: u32, ttl: &str| {
        document(
            "PoolDomain",
            "p",
            json!({ "domain": "omani.works.", "quota": quota, "reservationTtl": ttl,
        "nameservers": ["NS1.openova.io"] }),
        )
    };
    let served: PoolView =
        serde_json::from_value(json!({ "domain": "omani.works", "nameservers": ["ns1.openova.io"],
        "reservationTtl": 5400, "quarantine": 1, "quota": 5, "frozen": false }))
        .unwrap();
    let seen = Seen { pools: vec![served], ..Seen::default() };
    let minutes = |t: &str| t.strip_suffix('m').and_then(|n| n.parse::<u64>().ok()).map(|n| n * 60);
    let row = |quota, ttl| plan(&sorted(&[pool(quota, ttl)]).unwrap(), &seen, "s", minutes).rows.remove(0);
    assert_eq!(row(5, "90m").act, Act::Nothing);
    let differs = row(6, "91m");
    assert_eq!(differs.act, Act::Differs);
    assert!(
        differs.detail.contains("quota is 5, declared 6") && differs.detail.contains("5460s"),
        "{}",
        differs.detail
    );
    assert_eq!(acts(&sorted(&[pool(5, "90m")]).unwrap(), &Seen::default()), [Act::Differs]);
}

#[test]
fn pruning_takes_only_names_of_the_set_and_never_many_by_accident() {
    let many: Vec<_> = (0..10).map(|n| allocation(&format!("n{n}"), "active", "apply:s")).collect();
    let mut all = many.clone();
    all.push(allocation("by-hand", "active", "wizard"));
    let there = seen(&all);
    let judge = |declare: usize, limit| {
        let wish: Vec<_> = (0..declare).map(|n| declared(&format!("n{n}"), "192.0.2.1")).collect();
        let wish = sorted(&wish).unwrap();
        let plan = plan(&wish, &there, "s", |_| None);
        assert!(plan.rows.iter().all(|r| !r.name.starts_with("by-hand")));
        prune_refused(&plan, &wish, &there, limit)
    };
    assert_eq!(judge(10, None), None);
    assert_eq!(judge(8, None), None);
    assert!(judge(7, None).unwrap().contains("--prune-limit 3"));
    assert_eq!(judge(7, Some(3)), None);
    assert!(judge(0, Some(100)).unwrap().contains("every name"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let policy = |name: &str| {
        document(
            "SovereignDomain",
            name,
            json!({ "fqdn": "b.c.d", "loadBalancers": [], "failoverPolicy": name }),
        )
    };
    let wrong =
        sorted(&[declared("a", "192.0.2.1"), declared("a", "192.0.2.2"), policy("none"), declared("x", "y")])
            .unwrap_err();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}
