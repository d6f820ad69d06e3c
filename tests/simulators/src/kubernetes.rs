//! Kubernetes' API as far as a controller of custom resources meets it: lists in pages, watches with bookmarks, resource
//! versions that are compared, status and spec written apart, finalizers that hold what is deleted, Events.
//!
//! Written from the API conventions of Kubernetes and the behaviour of its apiserver, and held to `kubectl`, which the
//! tests use on it as a person would. What it does not have: schemas, admission, RBAC, server-side apply.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::server::receive;
use crate::wire::Request;

const GROUP: &str = "pdm.openova.io";
/// What is served: plural, kind, whether it has a status of its own, API.
const KINDS: [(&str, &str, bool, &str); 4] = [
    ("pooldomains", "PoolDomain", true, "/apis/pdm.openova.io/v1alpha1"),
    ("failoverpolicies", "FailoverPolicy", true, "/apis/pdm.openova.io/v1alpha1"),
    ("sovereigndomains", "SovereignDomain", true, "/apis/pdm.openova.io/v1alpha1"),
    ("events", "Event", false, "/api/v1"),
];

/// Plural, namespace, name.
type Key = (&'static str, String, String);

/// The objects, and what happened to them.
#[derive(Default)]
pub struct Cluster {
    objects: BTreeMap<Key, Value>,
    /// The last change's number.
    version: u64,
    /// Changes that a watch may still be told: number, key, event.
    history: VecDeque<(u64, Key, Value)>,
    /// Changes up to here are forgotten.
    forgotten: u64,
    /// The bearer token that is taken.
    token: String,
    /// Requests that ended with each status.
    answers: BTreeMap<u16, usize>,
    /// The next status writes are refused as conflicts.
    conflicts: usize,
    /// Objects on a page, if not as many as asked for.
    page: Option<usize>,
    /// Raised to break every watch.
    breaks: u64,
}

/// A running API server. It ends when it is dropped.
pub struct Kubernetes {
    addr: SocketAddr,
    cluster: Arc<Mutex<Cluster>>,
    moved: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

fn open(cluster: &Mutex<Cluster>) -> MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kubernetes {
    /// Start on a free port. `token` is the one that is taken.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(token: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let cluster = Arc::new(Mutex::new(Cluster { token: token.to_owned(), ..Cluster::default() }));
        let (moved, _) = watch::channel(0);
        let (shared, telling) = (cluster.clone(), moved.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (cluster, moved) = (shared.clone(), telling.clone());
                let service = service_fn(move |request| serve(cluster.clone(), moved.clone(), request));
                tokio::spawn(async move {
                    // A client that goes away is its own affair.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { addr, cluster, moved, accepting })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// An object as it is now.
    #[must_use]
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (row(plural)?.0, namespace.to_owned(), name.to_owned());
        open(&self.cluster).objects.get(&key).cloned()
    }

    /// The Events about an object: type, reason and message, oldest first.
    #[must_use]
    pub fn events(&self, name: &str) -> Vec<(String, String, String)> {
        let cluster = open(&self.cluster);
        let mut all: Vec<_> = cluster
            .objects
            .iter()
            .filter(|((plural, ..), event)| *plural == "events" && event["involvedObject"]["name"] == name)
            .map(|(_, event)| event)
            .collect();
        let version = |event: &&Value| {
            event["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse::<u64>().ok())
        };
        all.sort_by_key(version);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.into_iter().map(|e| (text(&e["type"]), text(&e["reason"]), text(&e["message"]))).collect()
    }

    /// How many requests ended with a status.
    #[must_use]
    pub fn answered(&self, status: u16) -> usize {
        open(&self.cluster).answers.get(&status).copied().unwrap_or(0)
    }

    /// Another token is taken from now on.
    pub fn rotate(&self, token: &str) {
        token.clone_into(&mut open(&self.cluster).token);
    }

    /// The next so many writes of a status are refused: somebody else was quicker.
    pub fn conflict(&self, times: usize) {
        open(&self.cluster).conflicts = times;
    }

    /// Answer lists in pages of so many.
    pub fn pages(&self, of: usize) {
        open(&self.cluster).page = Some(of);
    }

    /// Forget every change so far, and break every watch: whoever goes on from before is told 410.
    pub fn compact(&self) {
        {
            let mut cluster = open(&self.cluster);
            // What the watchers know is behind this.
            cluster.version += 1;
            cluster.forgotten = cluster.version;
            cluster.history.clear();
            cluster.breaks += 1;
        }
        self.tell();
    }

    /// Break every watch in the middle.
    pub fn break_watches(&self) {
        open(&self.cluster).breaks += 1;
        self.tell();
    }

    fn tell(&self) {
        self.moved.send_modify(|n| *n += 1);
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn row(plural: &str) -> Option<(&'static str, &'static str, bool, &'static str)> {
    KINDS.into_iter().find(|(known, ..)| *known == plural)
}

/// A failure in Kubernetes' form.
fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (
        code,
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": message }),
    )
}

/// What a path means.
struct Asked {
    row: (&'static str, &'static str, bool, &'static str),
    namespace: String,
    name: String,
    status: bool,
}

fn asked(path: &str) -> Option<Asked> {
    let rest = KINDS.iter().find_map(|(.., api)| path.strip_prefix(&format!("{api}/")))?;
    let mut parts = rest.split('/');
    let mut first = parts.next()?;
    let mut namespace = String::new();
    if first == "namespaces" {
        namespace = parts.next()?.to_owned();
        first = parts.next()?;
    }
    let name = parts.next().unwrap_or_default().to_owned();
    Some(Asked { row: row(first)?, namespace, name, status: parts.next() == Some("status") })
}

impl Cluster {
    /// Write down a change that was made to an object, or to what it was.
    fn happened(&mut self, what: &str, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if what == "DELETED" {
            self.objects.remove(key);
        } else {
            self.objects.insert(key.clone(), object.clone());
        }
        self.history.push_back((self.version, key.clone(), json!({ "type": what, "object": object })));
        object
    }

    fn answer(&mut self, request: &Request) -> (u16, Value) {
        if let Some(found) = discovery(&request.path) {
            return (200, found);
        }
        // kubectl shows no token in the clear; whoever runs it here is an administrator.
        let person = request.header("user-agent").is_some_and(|agent| agent.starts_with("kubectl"));
        if !person && request.bearer() != Some(&self.token) {
            return status(401, "Unauthorized", "Unauthorized");
        }
        let Some(asked) = asked(&request.path) else {
            return status(404, "NotFound", "the server could not find the requested resource");
        };
        match (request.method.as_str(), asked.name.as_str()) {
            ("GET", "") => self.list(&asked, request),
            ("POST", "") => self.create(&asked, request),
            ("GET", _) => self.with(&asked, |_, _, object| (200, object)),
            ("PATCH" | "PUT", _) => self.write(&asked, request),
            ("DELETE", _) => self.delete(&asked),
            _ => status(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            ),
        }
    }

    fn with(
        &mut self,
        asked: &Asked,
        then: impl FnOnce(&mut Self, Key, Value) -> (u16, Value),
    ) -> (u16, Value) {
        let key = (asked.row.0, asked.namespace.clone(), asked.name.clone());
        match self.objects.get(&key).cloned() {
            Some(object) => then(self, key, object),
            None => status(404, "NotFound", &format!("{}.{GROUP} {:?} not found", asked.row.0, asked.name)),
        }
    }

    fn list(&self, asked: &Asked, request: &Request) -> (u16, Value) {
        let wanted =
            |value: &str| request.query.iter().find(|(name, _)| name == value).map(|(_, v)| v.clone());
        if wanted("sendInitialEvents").as_deref() == Some("true") {
            // As one without the feature gate WatchList says it: clients list then.
            let why = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList \
                       feature gate is enabled";
            return status(422, "Invalid", why);
        }
        let limit = wanted("limit").and_then(|v| v.parse().ok()).filter(|n| *n > 0).unwrap_or(usize::MAX);
        let limit = self.page.map_or(limit, |page| page.min(limit));
        let only = wanted("fieldSelector").and_then(|s| s.strip_prefix("metadata.name=").map(str::to_owned));
        // A page goes on behind a name, and is as old as the first page.
        let (version, after) = match wanted("continue") {
            Some(token) => {
                let (version, after) = token.split_once(':').unwrap_or_default();
                if version.parse().unwrap_or(0) < self.forgotten {
                    return status(410, "Expired", "The provided continue parameter is too old");
                }
                (version.to_owned(), after.to_owned())
            }
            None => (self.version.to_string(), String::new()),
        };
        let place = |key: &Key| format!("{}/{}", key.1, key.2);
        let all = self.objects.iter().filter(|(key, _)| {
            key.0 == asked.row.0
                && (asked.namespace.is_empty() || key.1 == asked.namespace)
                && only.as_ref().is_none_or(|only| *only == key.2)
                && place(key) > after
        });
        let page: Vec<_> = all.clone().take(limit).collect();
        let left = all.count().saturating_sub(page.len());
        let next = match page.last() {
            Some((key, _)) if left > 0 => format!("{version}:{}", place(key)),
            _ => String::new(),
        };
        let items: Vec<_> = page.into_iter().map(|(_, object)| object).collect();
        let api = asked.row.3.trim_start_matches("/apis/").trim_start_matches("/api/");
        (
            200,
            json!({ "kind": format!("{}List", asked.row.1), "apiVersion": api,
            "metadata": { "resourceVersion": version, "continue": next }, "items": items }),
        )
    }

    fn create(&mut self, asked: &Asked, request: &Request) -> (u16, Value) {
        let Ok(mut object) = serde_json::from_slice::<Value>(&request.body) else {
            return status(400, "BadRequest", "the body is no JSON");
        };
        let given = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let name = match object["metadata"]["generateName"].as_str() {
            Some(prefix) if given.is_empty() => format!("{prefix}{:05x}", self.version + 1),
            _ => given,
        };
        if asked.row.0 == "events" && object["involvedObject"]["namespace"] != asked.namespace {
            return status(422, "Invalid", "involvedObject.namespace: does not match event.namespace");
        }
        let key = (asked.row.0, asked.namespace.clone(), name.clone());
        if self.objects.contains_key(&key) {
            return status(409, "AlreadyExists", &format!("{} {name:?} already exists", asked.row.0));
        }
        let meta = &mut object["metadata"];
        meta["name"] = json!(name);
        meta["namespace"] = json!(asked.namespace);
        meta["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.version + 1));
        meta["generation"] = json!(1);
        meta["creationTimestamp"] =
            json!(format!("2026-01-01T00:{:02}:{:02}Z", self.version / 60 % 60, self.version % 60));
        if asked.row.2
            && let Some(object) = object.as_object_mut()
        {
            // Only its own path writes it.
            object.remove("status");
        }
        (201, self.happened("ADDED", &key, object))
    }

    fn write(&mut self, asked: &Asked, request: &Request) -> (u16, Value) {
        if asked.status && self.conflicts > 0 {
            self.conflicts -= 1;
            return status(
                409,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version",
            );
        }
        let kind = request.header("content-type").unwrap_or_default().to_owned();
        if request.method == "PATCH" && kind != "application/merge-patch+json" {
            return status(415, "UnsupportedMediaType", &format!("{kind} is not supported here"));
        }
        let Ok(patch) = serde_json::from_slice::<Value>(&request.body) else {
            return status(400, "BadRequest", "the body is no JSON");
        };
        let replaces = request.method == "PUT";
        self.with(asked, |this, key, before| {
            let version = &patch["metadata"]["resourceVersion"];
            if version.is_string() && *version != before["metadata"]["resourceVersion"] {
                return status(
                    409,
                    "Conflict",
                    "the object has been modified; please apply your changes to the latest version",
                );
            }
            let mut merged = before.clone();
            if replaces {
                merged = patch.clone()
            } else {
                merge(&mut merged, &patch)
            }
            let mut after = before.clone();
            if asked.status {
                after["status"] = merged["status"].take();
            } else {
                after["spec"] = merged["spec"].take();
                for field in ["finalizers", "labels", "annotations"] {
                    let given = merged["metadata"][field].take();
                    match after["metadata"].as_object_mut() {
                        Some(meta) if given.is_null() => drop(meta.remove(field)),
                        Some(meta) => drop(meta.insert(field.to_owned(), given)),
                        None => {}
                    }
                }
            }
            if after == before {
                return (200, before);
            }
            if after["spec"] != before["spec"] {
                after["metadata"]["generation"] =
                    json!(before["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
            }
            let held = after["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
            let what = if after["metadata"]["deletionTimestamp"].is_string() && !held {
                "DELETED"
            } else {
                "MODIFIED"
            };
            (200, this.happened(what, &key, after))
        })
    }

    fn delete(&mut self, asked: &Asked) -> (u16, Value) {
        self.with(asked, |this, key, mut object| {
            if object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty()) {
                if !object["metadata"]["deletionTimestamp"].is_string() {
                    object["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
                    object["metadata"]["generation"] =
                        json!(object["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
                    object = this.happened("MODIFIED", &key, object);
                }
                return (200, object);
            }
            this.happened("DELETED", &key, object);
            (200, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" }))
        })
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            if let Some(target) = target.as_object_mut() {
                target.remove(key);
            }
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// What `kubectl` asks before it asks anything else.
fn discovery(path: &str) -> Option<Value> {
    let resources = |api: &str, group_version: &str| {
        let mut all = Vec::new();
        for (plural, kind, has_status, _) in KINDS.into_iter().filter(|(.., of)| *of == api) {
            let singular = kind.to_lowercase();
            let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
            all.push(json!({ "name": plural, "singularName": singular, "namespaced": true, "kind": kind, "verbs": verbs }));
            if has_status {
                let name = format!("{plural}/status");
                all.push(json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind,
                    "verbs": ["get", "patch", "update"] }));
            }
        }
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": all })
    };
    let version = json!({ "groupVersion": format!("{GROUP}/v1alpha1"), "version": "v1alpha1" });
    let group = json!({ "name": GROUP, "versions": [version], "preferredVersion": version });
    Some(match path {
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group] }),
        "/api/v1" => resources("/api/v1", "v1"),
        "/apis/pdm.openova.io/v1alpha1" => resources(path, &format!("{GROUP}/v1alpha1")),
        "/version" => json!({ "major": "1", "minor": "33", "gitVersion": "v1.33.0" }),
        _ => return None,
    })
}

async fn serve(
    cluster: Arc<Mutex<Cluster>>,
    moved: watch::Sender<u64>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Lines>, std::io::Error> {
    let request = receive(request).await?;
    let wanted = |name: &str| request.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let (code, body) = open(&cluster).answer(&request);
    let watches = code == 200 && request.method == "GET" && matches!(wanted("watch"), Some("1" | "true"));
    *open(&cluster).answers.entry(code).or_default() += 1;
    let (send, lines) = mpsc::unbounded_channel();
    if let (true, Some(asked)) = (watches, asked(&request.path)) {
        let since = wanted("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0);
        let lasts = wanted("timeoutSeconds").and_then(|v| v.parse().ok()).unwrap_or(60);
        let only = wanted("fieldSelector").and_then(|s| s.strip_prefix("metadata.name=")).map(str::to_owned);
        let watching = follow(cluster, moved.subscribe(), asked, only, since, send);
        tokio::spawn(tokio::time::timeout(Duration::from_secs(lasts), watching));
    } else {
        let _ = send.send(Bytes::from(body.to_string()));
        if request.method != "GET" {
            moved.send_modify(|n| *n += 1);
        }
    }
    let mut response = hyper::Response::new(Lines(lines));
    *response.status_mut() =
        hyper::StatusCode::from_u16(code).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Tell what happened since a version, as it happens.
async fn follow(
    cluster: Arc<Mutex<Cluster>>,
    mut moved: watch::Receiver<u64>,
    asked: Asked,
    only: Option<String>,
    mut since: u64,
    send: mpsc::UnboundedSender<Bytes>,
) {
    let breaks = open(&cluster).breaks;
    let line = |event: &Value| send.send(Bytes::from(format!("{event}\n"))).is_ok();
    loop {
        {
            let cluster = open(&cluster);
            if since < cluster.forgotten {
                let gone = status(410, "Expired", "too old resource version").1;
                line(&json!({ "type": "ERROR", "object": gone }));
                return;
            }
            if cluster.breaks != breaks {
                return;
            }
            let before = since;
            for (version, key, event) in cluster.history.iter().filter(|(version, ..)| *version > before) {
                since = *version;
                let fits = key.0 == asked.row.0
                    && (asked.namespace.is_empty() || key.1 == asked.namespace)
                    && only.as_ref().is_none_or(|only| *only == key.2);
                if fits && !line(event) {
                    return;
                }
            }
        }
        // A quiet watch is told where it stands.
        let more = tokio::time::timeout(Duration::from_secs(1), moved.changed()).await;
        if more.is_err() {
            let api = asked.row.3.trim_start_matches("/apis/").trim_start_matches("/api/");
            let mark = json!({ "kind": asked.row.1, "apiVersion": api,
                "metadata": { "resourceVersion": since.to_string() } });
            if !line(&json!({ "type": "BOOKMARK", "object": mark })) {
                return;
            }
        }
    }
}

/// A body that comes line by line.
struct Lines(mpsc::UnboundedReceiver<Bytes>);

impl Body for Lines {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.get_mut().0.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
