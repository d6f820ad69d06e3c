//! `pdm controller` between an API server and PDM. No kube-apiserver is in Debian, PyPI or npm: a simulator stands for it,
//! and `kubectl`, which is Kubernetes' own, says here what a person would.

use std::path::PathBuf;
use std::process::Command;

use pdm_harness::child::{Child, guarded, run};
use pdm_harness::daemon::binary;
use pdm_harness::{Plan, StoreKind, World, dns, python, until};
use pdm_simulators::kubernetes::Kubernetes;
use serde_json::{Value, json};

struct Scene {
    world: World,
    kubernetes: Kubernetes,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

const KIND: &str = "sovereigndomains";

impl Scene {
    async fn new() -> Self {
        let world = Plan::new(StoreKind::Sqlite).pool("quarantine = \"0s\"").start().await;
        let kubernetes = Kubernetes::start("first").await.unwrap();
        let mut this = Self { world, kubernetes, dir: tempfile::tempdir().unwrap(), child: None };
        std::fs::write(this.path("token"), "first\n").unwrap();
        this.start(&[]);
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn controller(&self, more: &[&str]) -> Child {
        let mut command = guarded(binary(), false);
        command.args(["controller", "--round", "500ms", "--kubernetes", &self.kubernetes.url()]);
        command.arg("--kubernetes-token").arg(self.path("token")).args(more);
        command.env("PDM_URL", self.world.api().base()).env("PDM_TOKEN", self.world.token());
        Child::start("pdm controller", command, &self.path("log"))
    }

    fn start(&mut self, more: &[&str]) {
        self.child = Some(self.controller(more));
    }

    fn kubectl(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(python::program("kubectl"));
        command.args(["--server", &self.kubernetes.url(), "--namespace", "acme"]).args(args);
        command.env("KUBECONFIG", self.path("none")).env("HOME", self.dir.path());
        run(&mut command)
    }

    fn apply(&self, documents: &[Value]) {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": documents });
        std::fs::write(self.path("documents.json"), list.to_string()).unwrap();
        let file = self.path("documents.json").display().to_string();
        let _ = self.kubectl(&["apply", "--validate=false", "-f", &file]).unwrap();
    }

    fn object(&self, name: &str) -> Value {
        self.kubernetes.get(KIND, "acme", name).unwrap_or_default()
    }

    /// Status and reason of `Ready`.
    fn ready(&self, name: &str) -> (String, String) {
        of(&self.object(name))
    }

    async fn until_ready(&self, name: &str, reason: &str) {
        until(&format!("{name} to be {reason}"), || async {
            let (_, seen) = self.ready(name);
            if seen == reason { Ok(()) } else { Err(format!("{} {}", self.object(name), self.log())) }
        })
        .await;
    }

    async fn points(&self, name: &str, address: &str) {
        until(&format!("{name} to be {address}"), || async {
            let seen = dns::short(self.world.dns().dns(), name, "A");
            if seen == [address] { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn reasons(&self, name: &str) -> Vec<String> {
        self.kubernetes.events(name).into_iter().map(|(_, reason, _)| reason).collect()
    }

    /// The last Event has this reason; it is written after what it tells of.
    async fn tells(&self, name: &str, reason: &str) {
        until(&format!("the Event {reason}"), || async {
            let reasons = self.reasons(name);
            if reasons.last().is_some_and(|last| last == reason) { Ok(()) } else { Err(reasons.join(" ")) }
        })
        .await;
    }
}

fn of(object: &Value) -> (String, String) {
    let text = |field: &str| object["status"]["conditions"][0][field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

fn document(kind: &str, name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "pdm.openova.io/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

fn name(label: &str, ipv4: &str, more: Value) -> Value {
    let mut spec = json!({ "fqdn": format!("{label}.omani.works"), "owner": "acme", "loadBalancers": [{ "region": "muscat", "ipv4": ipv4 }] });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document("SovereignDomain", label, spec)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_becomes_a_name_and_its_status_is_told() {
    let scene = Scene::new().await;
    scene.apply(&[
        document("PoolDomain", "omani", json!({ "domain": "omani.works", "quarantine": "0s" })),
        document("FailoverPolicy", "in-order", json!({ "failover": { "strategy": "ordered", "ttl": 5 } })),
        name("omantel", "203.0.113.10", json!({ "failoverPolicy": "in-order" })),
        name("plain", "203.0.113.20", json!({})),
    ]);
    let _ = scene.kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", KIND, "--all"]).unwrap();
    scene.points("plain.omani.works", "203.0.113.20").await;
    let seen = scene.object("omantel");
    assert_eq!(
        (&seen["status"]["phase"], &seen["status"]["observedGeneration"]),
        (&"active".into(), &1.into())
    );
    let detail = scene.world.api().get("/v1/allocations/omantel.omani.works").await.expect(&[200]).body;
    assert_eq!((&detail["owner"], &detail["failover"]["strategy"]), (&"acme".into(), &"ordered".into()));
    scene.tells("omantel", "Active").await;
    assert_eq!(scene.reasons("omantel")[0], "Accepted");
    assert_fits("sovereigndomains", &seen);

    // The pool is compared, the policy told who uses it.
    until("the pool and the policy to be told", || async {
        let pool = scene.kubernetes.get("pooldomains", "acme", "omani").unwrap();
        let policy = scene.kubernetes.get("failoverpolicies", "acme", "in-order").unwrap();
        let message = policy["status"]["conditions"][0]["message"].as_str().unwrap_or_default().to_owned();
        let good = of(&pool).1 == "AsDeclared" && of(&policy).1 == "Usable" && message == "1 name uses it";
        if good { Ok(()) } else { Err(format!("{pool} {policy}")) }
    })
    .await;

    // Nothing changes, so nothing is written, however often it is looked at.
    let (before, looked) = (scene.object("plain"), looks(&scene).await);
    until("more rounds", || async {
        let now = looks(&scene).await;
        if now >= looked + 6.0 { Ok(()) } else { Err(now) }
    })
    .await;
    assert_eq!(scene.object("plain"), before);

    // Another address; a policy of another kind reaches the names that use it.
    scene.apply(&[name("plain", "203.0.113.21", json!({}))]);
    scene.points("plain.omani.works", "203.0.113.21").await;
    until("the second generation", || async {
        let seen = scene.object("plain");
        if seen["status"]["observedGeneration"] == 2 && of(&seen).1 == "Active" { Ok(()) } else { Err(seen) }
    })
    .await;
    scene.apply(&[document("FailoverPolicy", "in-order", json!({ "failover": { "strategy": "all" } }))]);
    until("the other policy", || async {
        let detail = scene.world.api().get("/v1/allocations/omantel.omani.works").await.body;
        if detail["failover"]["strategy"] == "all" { Ok(()) } else { Err(detail["failover"].clone()) }
    })
    .await;

    // Deleted: one name is kept, the other given back before its resource is gone.
    scene.apply(&[name("omantel", "203.0.113.10", json!({ "whenDeleted": "release" }))]);
    until("the finalizer", || async {
        let seen = scene.object("omantel");
        if seen["metadata"]["finalizers"][0] == "pdm.openova.io/release" { Ok(()) } else { Err(seen) }
    })
    .await;
    let _ = scene.kubectl(&["delete", KIND, "omantel", "plain", "--timeout=120s"]).unwrap();
    assert!(scene.object("omantel").is_null());
    scene.tells("omantel", "LetGo").await;
    let phase = async |label: &str| {
        scene.world.api().get(&format!("/v1/allocations/{label}.omani.works")).await.body["phase"].clone()
    };
    assert!(
        ["quarantined", "freed"].map(Value::from).contains(&phase("omantel").await)
            || phase("omantel").await.is_null()
    );
    assert_eq!(phase("plain").await, "active");
}

/// How often the controller asked PDM.
async fn looks(scene: &Scene) -> f64 {
    let text = scene.world.stranger().get("/metrics").await.text;
    let lines = text
        .lines()
        .filter(|l| l.starts_with("pdm_http_requests_total{") && l.contains("/v1/allocations/{fqdn}\""));
    lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Every field that is written is in the committed schema, so that Kubernetes keeps it.
fn assert_fits(plural: &str, object: &Value) {
    fn check(schema: &Value, value: &Value, place: &str) {
        match value {
            Value::Object(all) => {
                for (key, inner) in all {
                    let schema = &schema["properties"][key];
                    assert!(schema.is_object(), "{place}.{key} is not in the schema");
                    check(schema, inner, &format!("{place}.{key}"));
                }
            }
            Value::Array(all) => all.iter().for_each(|inner| check(&schema["items"], inner, place)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let (_, definition) =
        pdm_api::declared::crd::definitions().into_iter().find(|(file, _)| *file == plural).unwrap();
    let version = &definition["spec"]["versions"][0];
    assert!(version["subresources"]["status"].is_object());
    check(&version["schema"]["openAPIV3Schema"]["properties"]["status"], &object["status"], "status");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_made_says_why_and_touches_nothing_of_others() {
    let scene = Scene::new().await;
    // Made by hand, for the same owner: not this namespace's until somebody says so.
    let _ = scene.world.api_for("acme").await.lend("by-hand", "203.0.113.1").await;
    scene.apply(&[
        name("by-hand", "203.0.113.99", json!({ "whenDeleted": "release" })),
        name("first", "203.0.113.2", json!({})),
        name("private", "10.0.0.1", json!({})),
        name("lost", "203.0.113.3", json!({ "failoverPolicy": "gone" })),
        name("www", "203.0.113.4", json!({})),
        document("PoolDomain", "omani", json!({ "domain": "omani.works", "quota": 7 })),
        document("FailoverPolicy", "nonsense", json!({ "failover": { "strategy": 7 } })),
    ]);
    scene.until_ready("first", "Active").await;
    // The same name under another resource: the older one counts.
    let mut second = name("first", "203.0.113.66", json!({}));
    second["metadata"]["name"] = json!("second");
    scene.apply(&[second]);
    for (resource, reason) in [("second", "DeclaredTwice"), ("by-hand", "NotOurs"), ("lost", "Invalid")] {
        scene.until_ready(resource, reason).await;
        assert_eq!(scene.ready(resource).0, "False");
    }
    // PDM's own refusals keep their codes.
    scene.until_ready("private", "AddressRefused").await;
    scene.until_ready("www", "NameReserved").await;
    let (kind, _, message) = scene.kubernetes.events("www").pop().unwrap();
    assert!(kind == "Warning" && message.contains("next step"), "{kind} {message}");
    until("the pool and the policy to be told", || async {
        let pool = scene.kubernetes.get("pooldomains", "acme", "omani").unwrap();
        let policy = scene.kubernetes.get("failoverpolicies", "acme", "nonsense").unwrap();
        if (of(&pool).1.as_str(), of(&policy).1.as_str()) == ("Differs", "Invalid") {
            Ok(())
        } else {
            Err(format!("{pool} {policy}"))
        }
    })
    .await;
    scene.points("first.omani.works", "203.0.113.2").await;
    scene.points("by-hand.omani.works", "203.0.113.1").await;

    // The policy comes later. Deleting a resource that never had its name leaves the name alone.
    scene.apply(&[document("FailoverPolicy", "gone", json!({ "failover": { "strategy": "ordered" } }))]);
    scene.until_ready("lost", "Active").await;
    let _ = scene.kubectl(&["delete", KIND, "by-hand", "second", "--timeout=60s"]).unwrap();
    scene.points("by-hand.omani.works", "203.0.113.1").await;
    scene.points("first.omani.works", "203.0.113.2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_misbehaves_and_nothing_is_lost() {
    let mut scene = Scene::new().await;
    scene.kubernetes.pages(1);
    scene.apply(&[name("one", "203.0.113.1", json!({})), name("two", "203.0.113.2", json!({}))]);
    scene.until_ready("one", "Active").await;
    scene.until_ready("two", "Active").await;

    // A watch that breaks goes on where it was; one that is too far behind lists again, page by page.
    scene.kubernetes.break_watches();
    scene.apply(&[name("three", "203.0.113.3", json!({}))]);
    scene.until_ready("three", "Active").await;
    scene.kubernetes.compact();
    scene.apply(&[name("four", "203.0.113.4", json!({}))]);
    scene.until_ready("four", "Active").await;
    assert!(scene.log().contains("too far behind"), "{}", scene.log());

    // Somebody writes in between: the status comes all the same.
    scene.kubernetes.conflict(2);
    scene.apply(&[name("five", "203.0.113.5", json!({}))]);
    scene.until_ready("five", "Active").await;
    assert!(scene.kubernetes.answered(409) >= 2);

    // The token is another one, and comes into its file after that.
    scene.kubernetes.rotate("second");
    scene.kubernetes.break_watches();
    until("a refusal", || async { if scene.kubernetes.answered(401) > 0 { Ok(()) } else { Err("none") } })
        .await;
    std::fs::write(scene.path("token"), "second\n").unwrap();
    scene.apply(&[name("six", "203.0.113.6", json!({}))]);
    scene.until_ready("six", "Active").await;

    // Killed, and away while things change; then two of it at once.
    scene.child.take().unwrap().kill();
    scene.apply(&[name("one", "203.0.113.11", json!({})), name("seven", "203.0.113.7", json!({}))]);
    let _ = scene.kubectl(&["delete", KIND, "two"]).unwrap();
    let _second = scene.controller(&[]);
    scene.start(&[]);
    scene.points("one.omani.works", "203.0.113.11").await;
    scene.until_ready("seven", "Active").await;
    scene.points("seven.omani.works", "203.0.113.7").await;
    scene.points("two.omani.works", "203.0.113.2").await;

    // PDM is away: nobody knows, and then it is as it was.
    scene.world.daemons[0].stop().await;
    until("the readiness to be unknown", || async {
        let seen = scene.ready("one");
        if seen == ("Unknown".into(), "NoAnswer".into()) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    assert_eq!(scene.object("one")["status"]["phase"], "active");
    scene.world.daemons[0].go().await;
    scene.until_ready("one", "Active").await;
}
