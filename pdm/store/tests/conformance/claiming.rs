//! Claims, the names around them, and sealed credentials.

use std::sync::Arc;
use std::time::Duration;

use pdm_model::{Claim, Mode, Phase, Timestamp, ZoneName};
use pdm_ports::store::{Decision, Facts, Related, SealedCredential, Store, Wanted, Write};

use crate::support::*;
use pdm_model::pool_keys::PoolKeys;

fn claim(fqdn: &str, owner: &str, now: Timestamp) -> Claim {
    Claim {
        id: fresh_id(),
        fqdn: name(fqdn),
        registered: name("acme.example"),
        mode: Mode::ByoManual,
        owner: owner.to_owned(),
        created_by: Some("wizard".into()),
        request_key: Some("digest".into()),
        reserved_at: now,
        expires_at: now + Duration::from_secs(3600),
        disputed_at: Some(now),
    }
}

fn around() -> Wanted {
    Wanted { byo: Some(name("acme.example")), ..Wanted::default() }
}

fn put(claims: Vec<Claim>, drop_claims: Vec<String>) -> Decision {
    Arc::new(move |_: &Facts| {
        Ok(Write { claims: claims.clone(), drop_claims: drop_claims.clone(), ..Write::default() })
    })
}

pub async fn claims_stand_side_by_side_until_they_are_over(bed: Bed) {
    let store = bed.open().await;
    let acme = name("acme.example");
    let now = store.now().await.unwrap();
    let (one, other) =
        (claim("acme.example", "one", now), claim("acme.example", "other", now + Duration::from_secs(1)));
    for claim in [&one, &other] {
        store.decide(&acme, around(), put(vec![claim.clone()], vec![])).await.unwrap().unwrap();
    }
    assert_eq!(store.claims(&acme).await.unwrap(), [one.clone(), other.clone()]);
    // An owner has one claim on a name; a new one takes its place.
    let again = claim("acme.example", "one", now + Duration::from_secs(2));
    store.decide(&acme, around(), put(vec![again.clone()], vec![other.id])).await.unwrap().unwrap();
    assert_eq!(store.claims(&acme).await.unwrap(), [again]);
    bed.shift(Duration::from_secs(2 * 3600)).await;
    assert_eq!(store.claims(&acme).await.unwrap(), []);
    assert_eq!(store.expire(10).await.unwrap(), 1);
    assert_eq!(bed.number("SELECT count(*) FROM claims").await, 0);
    assert_eq!(bed.number("SELECT count(*) FROM audit_log WHERE action = 'claim-over'").await, 1);
}

pub async fn names_above_and_below_are_seen(bed: Bed) {
    let store = bed.open().await;
    let brought = |fqdn: &str, mode, phase| {
        let row = claim(fqdn, "one", Timestamp(1)).as_allocation();
        pdm_model::Allocation { mode, phase, quarantined_until: Some(Timestamp(i64::MAX / 2)), ..row }
    };
    let rows = vec![
        brought("acme.example", Mode::ByoManual, Phase::Active),
        brought("a.b.acme.example", Mode::ByoApi, Phase::Delegating),
        brought("xb.acme.example", Mode::ByoApi, Phase::Active),
        brought("old.b.acme.example", Mode::ByoApi, Phase::Quarantined),
        brought("lent.b.acme.example", Mode::Pool, Phase::Active),
    ];
    for row in rows {
        let fqdn = row.fqdn.clone();
        let write: Decision =
            Arc::new(move |_: &Facts| Ok(Write { allocations: vec![row.clone()], ..Write::default() }));
        store.decide(&fqdn, Wanted::default(), write).await.unwrap().unwrap();
    }
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = seen.clone();
    let look: Decision = Arc::new(move |facts: &Facts| {
        *kept.lock().unwrap() = facts.related.clone();
        Ok(Write::default())
    });
    store.decide(&name("b.acme.example"), around(), look).await.unwrap().unwrap();
    let mut found: Vec<ZoneName> = seen.lock().unwrap().drain(..).map(|r: Related| r.fqdn).collect();
    found.sort();
    assert_eq!(found, [name("a.b.acme.example"), name("acme.example")]);
}

pub async fn a_credential_is_kept_replaced_and_forgotten(bed: Bed) {
    let store = bed.open().await;
    let sealed = |text: &str| SealedCredential {
        allocation: "a".into(),
        registrar: "ovh".into(),
        sealed: text.to_owned(),
    };
    store.put_credential(&sealed("first")).await.unwrap();
    let with: Decision =
        Arc::new(move |_: &Facts| Ok(Write { credential: Some(sealed("second")), ..Write::default() }));
    store.decide(&name("acme.example"), Wanted::default(), with).await.unwrap().unwrap();
    assert_eq!(store.credential("a").await.unwrap().unwrap().sealed, "second");
    assert_eq!(store.credentials().await.unwrap().len(), 1);
    store.forget_credential("a").await.unwrap();
    assert_eq!(store.credential("a").await.unwrap(), None);
}

pub async fn carried_records_are_replaced_only_by_who_read_them(bed: Bed) {
    let store = bed.open().await;
    let zone = |file: &str| {
        pdm_carry_over::read(&name("acme.example"), file)
            .unwrap()
            .finish(pdm_carry_over::Source::Upload, Timestamp(1))
    };
    let (one, other) = (zone("@ MX 10 mx\n"), zone("@ MX 20 mx\n"));
    let entry = || Some(pdm_model::AuditEntry::new("a", "carry-over", &name("acme.example"), "x"));
    assert_eq!(store.carried("id").await.unwrap(), None);
    assert!(store.put_carried("id", &one, None, entry()).await.unwrap());
    assert!(!store.put_carried("id", &other, None, entry()).await.unwrap(), "it is there");
    assert!(!store.put_carried("id", &other, Some(7), entry()).await.unwrap(), "another version");
    assert_eq!(store.carried("id").await.unwrap(), Some((one, 1)));
    assert!(store.put_carried("id", &other, Some(1), entry()).await.unwrap());
    assert_eq!(store.carried("id").await.unwrap(), Some((other, 2)));
    assert_eq!(bed.number("SELECT count(*) FROM audit_log WHERE action = 'carry-over'").await, 2);
}

pub async fn keys_of_a_pool_are_replaced_only_by_who_read_them(bed: Bed) {
    let store = bed.open().await;
    let (one, mut other) = (PoolKeys::default(), PoolKeys::default());
    assert!(other.take("a", Timestamp(1), Timestamp(2)));
    let entry = || vec![pdm_model::AuditEntry::new("a", "pool-roll", &pool(), "x")];
    assert_eq!(store.pool_keys(&pool()).await.unwrap(), None);
    assert!(store.put_pool_keys(&pool(), &one, None, entry()).await.unwrap());
    assert!(!store.put_pool_keys(&pool(), &other, None, entry()).await.unwrap(), "it is there");
    assert!(!store.put_pool_keys(&pool(), &other, Some(7), entry()).await.unwrap(), "another version");
    assert!(store.put_pool_keys(&pool(), &other, Some(1), entry()).await.unwrap());
    assert_eq!(store.pool_keys(&pool()).await.unwrap(), Some((other, 2)));
    assert_eq!(bed.number("SELECT count(*) FROM audit_log WHERE action = 'pool-roll'").await, 2);
}
