//! Follows one kind: a list, then what changes after it, forever.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::api::{Api, Problem, because};
use crate::cache::Cache;
use crate::object::{Key, Kind, Object};

/// The server ends a watch after this; a quiet one is told by bookmarks, about once a minute.
const LASTS: u64 = 290;
/// A watch that brings nothing for longer than it may last is dead.
const SILENCE: Duration = Duration::from_secs(LASTS + 20);
/// No object of ours is so long.
const LONGEST: usize = 4 << 20;
/// Between the end of a watch and the next: a server that ends each at once is not asked without a pause.
const BREATH: Duration = Duration::from_millis(500);
/// Pauses after failures.
const PAUSES: [u64; 5] = [1, 2, 5, 10, 30];

/// Keep the cache as the server is, and tell every key that may have changed.
pub(crate) async fn follow(api: Api, kind: Kind, path: String, cache: Cache, tell: UnboundedSender<Key>) {
    let mut failures = 0;
    loop {
        match once(&api, kind, &path, &cache, &tell, &mut failures).await {
            // What is known is too old: that is no failure.
            Problem::Gone => {
                tracing::info!(kind = kind.plural(), "listing again: the watch is too far behind");
                tokio::time::sleep(BREATH).await;
            }
            problem => {
                let pause = PAUSES[failures.min(PAUSES.len() - 1)];
                failures += 1;
                tracing::warn!(kind = kind.plural(), pause, %problem, "Kubernetes cannot be watched");
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
        }
        if tell.is_closed() {
            return;
        }
    }
}

/// One list and the watches after it; why they ended.
async fn once(
    api: &Api,
    kind: Kind,
    path: &str,
    cache: &Cache,
    tell: &UnboundedSender<Key>,
    failures: &mut usize,
) -> Problem {
    let list = match api.list(path).await {
        Ok(list) => list,
        Err(problem) => return problem,
    };
    let objects = list.items.into_iter().filter_map(|value| Object::read(kind, value));
    let objects = objects.map(|object| (object.key(kind), object)).collect();
    for key in cache.replace(kind, objects) {
        let _ = tell.send(key);
    }
    let mut version = list.version;
    loop {
        let mut stream = match api.watch(path, &version, LASTS).await {
            Ok(stream) => Lines { stream, read: Vec::new() },
            Err(problem) => return problem,
        };
        *failures = 0;
        loop {
            match stream.next().await {
                Ok(Some(event)) => match apply(kind, event, cache, &mut version) {
                    Ok(key) => drop(key.map(|key| tell.send(key))),
                    Err(problem) => return problem,
                },
                // Its time is over, or the connection: go on where it was.
                Ok(None) => break,
                Err(problem) => {
                    tracing::debug!(kind = kind.plural(), %problem, "a watch broke");
                    break;
                }
            }
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Take one event of a watch in.
fn apply(kind: Kind, mut event: Value, cache: &Cache, version: &mut String) -> Result<Option<Key>, Problem> {
    let what = event["type"].as_str().unwrap_or_default().to_owned();
    let object = event["object"].take();
    if what == "ERROR" {
        return Err(match object["code"].as_u64() {
            Some(410) => Problem::Gone,
            _ => Problem::Away(object["message"].as_str().unwrap_or("a watch failed").to_owned()),
        });
    }
    if let Some(seen) = object["metadata"]["resourceVersion"].as_str() {
        seen.clone_into(version);
    }
    if what == "BOOKMARK" {
        return Ok(None);
    }
    let Some(object) = Object::read(kind, object) else { return Ok(None) };
    let key = object.key(kind);
    if what == "DELETED" {
        cache.remove(&key)
    } else {
        cache.put(key.clone(), object)
    }
    Ok(Some(key))
}

/// A line of JSON for each event.
struct Lines {
    stream: Response,
    read: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Value>, Problem> {
        loop {
            if let Some(end) = self.read.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let wrong = |e| Problem::Away(format!("an event of a watch is no JSON: {e}"));
                return serde_json::from_slice(&line).map(Some).map_err(wrong);
            }
            let more = tokio::time::timeout(SILENCE, self.stream.chunk()).await;
            match more.map_err(|_| Problem::Away("a watch is silent".into()))? {
                Ok(Some(more)) if self.read.len() + more.len() <= LONGEST => {
                    self.read.extend_from_slice(&more)
                }
                Ok(Some(_)) => return Err(Problem::Away("an event of a watch is too long".into())),
                Ok(None) => return Ok(None),
                Err(error) => return Err(Problem::Away(because(&error))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_change_the_cache_and_bookmarks_only_the_version() {
        let (cache, mut version) = (Cache::default(), "1".to_owned());
        let mut take = |what: &str, object: Value| {
            let taken = apply(Kind::Pool, json!({ "type": what, "object": object }), &cache, &mut version);
            (taken, version.clone())
        };
        let pool = |version: &str| json!({ "metadata": { "name": "a", "namespace": "n", "resourceVersion": version }, "spec": { "domain": "b.c" } });
        let (key, version) = take("ADDED", pool("5"));
        let key = key.unwrap().unwrap();
        assert!(cache.get(&key).is_some() && version == "5");
        let (none, version) = take("BOOKMARK", json!({ "metadata": { "resourceVersion": "9" } }));
        assert!(none.unwrap().is_none() && version == "9");
        let _ = take("DELETED", pool("10"));
        assert!(cache.get(&key).is_none());
        let (gone, version) = take("ERROR", json!({ "code": 410, "metadata": {} }));
        assert!(matches!(gone, Err(Problem::Gone)) && version == "10");
        assert!(matches!(take("ERROR", json!({ "code": 500 })).0, Err(Problem::Away(_))));
    }
}
