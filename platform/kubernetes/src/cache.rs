//! Every object as it was last seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pdm_api::declared::{Document, FailoverPolicySpec};
use pdm_client::declared::plain;

use crate::object::{Key, Kind, Object};

/// Shared by the watches and who reads.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    objects: BTreeMap<Key, Object>,
    /// Who declares a name.
    names: BTreeMap<String, BTreeSet<Key>>,
}

fn declared(object: &Object) -> Option<String> {
    match &object.document {
        Ok(Document::SovereignDomain(spec)) => Some(plain(&spec.fqdn)),
        Ok(Document::PoolDomain(_) | Document::FailoverPolicy(..)) | Err(_) => None,
    }
}

impl Known {
    fn put(&mut self, key: Key, object: Object) {
        self.remove(&key);
        if let Some(name) = declared(&object) {
            self.names.entry(name).or_default().insert(key.clone());
        }
        self.objects.insert(key, object);
    }

    fn remove(&mut self, key: &Key) {
        let Some(name) = self.objects.remove(key).as_ref().and_then(declared) else { return };
        if let Some(keys) = self.names.get_mut(&name) {
            keys.remove(key);
            if keys.is_empty() {
                self.names.remove(&name);
            }
        }
    }

    fn of(&self, kind: Kind, namespace: &str) -> impl Iterator<Item = (&Key, &Object)> {
        let first = Key { kind, namespace: namespace.to_owned(), name: String::new() };
        self.objects.range(first..).take_while(move |(key, _)| key.kind == kind && key.namespace == namespace)
    }
}

impl Cache {
    fn open(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<Object> {
        self.open().objects.get(key).cloned()
    }

    /// It is this now.
    pub fn put(&self, key: Key, object: Object) {
        self.open().put(key, object);
    }

    /// It is gone.
    pub fn remove(&self, key: &Key) {
        self.open().remove(key);
    }

    /// Those of a kind are these, and no others. The keys of all that were or are.
    pub fn replace(&self, kind: Kind, objects: Vec<(Key, Object)>) -> BTreeSet<Key> {
        let mut known = self.open();
        let mut keys: BTreeSet<Key> = known.objects.keys().filter(|key| key.kind == kind).cloned().collect();
        for key in &keys {
            known.remove(key);
        }
        for (key, object) in objects {
            keys.insert(key.clone());
            known.put(key, object);
        }
        keys
    }

    /// Policies of a namespace.
    pub fn policies(&self, namespace: &str) -> Vec<(String, FailoverPolicySpec)> {
        let known = self.open();
        let here = known.of(Kind::Policy, namespace);
        here.filter_map(|(_, object)| match &object.document {
            Ok(Document::FailoverPolicy(name, spec)) => Some((name.clone(), spec.clone())),
            Ok(Document::PoolDomain(_) | Document::SovereignDomain(_)) | Err(_) => None,
        })
        .collect()
    }

    /// Names of a namespace that use a policy.
    pub fn users(&self, namespace: &str, policy: &str) -> Vec<Key> {
        let known = self.open();
        let uses = |object: &Object| matches!(&object.document, Ok(Document::SovereignDomain(s)) if s.failover_policy.as_deref() == Some(policy));
        let here = known.of(Kind::Sovereign, namespace).filter(|(_, object)| uses(object));
        here.map(|(key, _)| key.clone()).collect()
    }

    /// Who declared a name first, if that is somebody else: of several the oldest counts.
    pub fn elder(&self, key: &Key, fqdn: &str) -> Option<Key> {
        let known = self.open();
        let age = |key: &&Key| {
            known.objects.get(key).map(|object| (&object.meta.creation_timestamp, &object.meta.uid))
        };
        let first = known.names.get(&plain(fqdn))?.iter().min_by_key(age);
        first.filter(|first| *first != key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn name(object: &str, fqdn: &str, created: &str) -> (Key, Object) {
        let object = Object::read(
            Kind::Sovereign,
            json!({ "metadata": { "name": object, "namespace": "n", "creationTimestamp": created, "uid": object },
                    "spec": { "fqdn": fqdn, "failoverPolicy": "two", "loadBalancers": [{ "ipv4": "192.0.2.1" }] } }),
        )
        .unwrap();
        (object.key(Kind::Sovereign), object)
    }

    #[test]
    fn the_oldest_declares_a_name_until_it_goes() {
        let cache = Cache::default();
        let (young, old) =
            (name("a", "A.b.c.", "2026-01-02T00:00:00Z"), name("b", "a.b.c", "2026-01-01T00:00:00Z"));
        let _ = cache.replace(Kind::Sovereign, vec![young.clone(), old.clone()]);
        assert_eq!(cache.elder(&young.0, "a.b.c"), Some(old.0.clone()));
        assert_eq!(cache.elder(&old.0, "a.b.c"), None);
        assert_eq!(cache.users("n", "two").len(), 2);
        assert!(cache.users("m", "two").is_empty());
        cache.remove(&old.0);
        assert_eq!(cache.elder(&young.0, "a.b.c"), None);
        // Another name under the same key leaves nothing behind.
        cache.put(young.0.clone(), name("a", "x.b.c", "").1);
        assert_eq!(cache.elder(&old.0, "a.b.c"), None);
        assert_eq!(cache.replace(Kind::Sovereign, Vec::new()).len(), 1);
        assert!(cache.get(&young.0).is_none());
    }
}
