//! What waits to be told: every change of an allocation, once, in order; and nothing while nobody is told.

use pdm_model::Phase;
use pdm_ports::outbox::Outbox;
use pdm_ports::store::Store;

use crate::support::*;

pub async fn changes_wait_in_order_until_they_are_told(bed: Bed) {
    let store = bed.open().await;
    let first = reserve(&store, "before", "acme").await.unwrap().allocation.unwrap();
    assert_eq!(store.waiting("one", 10).await.unwrap(), [], "nobody is told");
    store.keep("one", true).await.unwrap();
    let waiting = store.waiting("one", 10).await.unwrap();
    assert_eq!(waiting.len(), 1, "how everything stands is told first");
    assert_eq!((waiting[0].allocation.as_str(), waiting[0].was), (first.id.as_str(), None));

    let second = reserve(&store, "after", "acme").await.unwrap().allocation.unwrap();
    let waiting = store.waiting("one", 10).await.unwrap();
    let told: Vec<_> = waiting.iter().map(|h| (h.fqdn.as_str(), h.phase)).collect();
    let names = (first.fqdn.to_string(), second.fqdn.to_string());
    assert_eq!(told, [(names.0.as_str(), Phase::Reserved), (names.1.as_str(), Phase::Reserved)]);
    assert_eq!((waiting[1].owner.as_str(), waiting[1].mode.as_str()), ("acme", "pool"));
    let backlog = store.backlog("one").await.unwrap();
    assert!(backlog.count == 2 && backlog.oldest.is_some());

    // Freed by the clock: another path, the same trigger.
    bed.shift(std::time::Duration::from_secs(365 * 86_400)).await;
    store.expire(10).await.unwrap();
    let freed = store.waiting("one", 10).await.unwrap();
    assert_eq!((freed.len(), freed[3].phase, freed[3].was), (4, Phase::Freed, Some(Phase::Reserved)));

    // Another queue has the same in it, and keeps it when the first is told.
    store.keep("other", true).await.unwrap();
    assert_eq!(store.backlog("other").await.unwrap().count, 0, "what is freed is not told anew");
    let third = reserve(&store, "third", "acme").await.unwrap().allocation.unwrap();
    let other = store.waiting("other", 10).await.unwrap();
    assert_eq!((other.len(), other[0].allocation.as_str()), (1, third.id.as_str()));
    assert_eq!(other[0].conditions_before, None);

    store.told(&[waiting[0].seq]).await.unwrap();
    assert_eq!(store.waiting("one", 1).await.unwrap()[0].seq, waiting[1].seq);
    store.keep("one", true).await.unwrap();
    assert_eq!(store.backlog("one").await.unwrap().count, 4, "asking again changes nothing");
    store.keep("one", false).await.unwrap();
    assert_eq!(store.backlog("one").await.unwrap().count, 0);
    assert_eq!(
        store.backlog("other").await.unwrap().count,
        1,
        "one that stops takes nothing from the others"
    );
}
