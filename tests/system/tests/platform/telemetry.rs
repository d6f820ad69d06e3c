//! One trace from the client's request to the calls of PowerDNS, as a collector receives it; and what is watched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use pdm_harness::child::{Child, guarded, run};
use pdm_harness::{Api, Plan, StoreKind, World, net, until};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Value>>>);

impl Collector {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind((net::address(), 0)).await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let this = Self::default();
        let kept = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(kept.clone().serve(stream));
            }
        });
        (this, at)
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut length, mut line) = (0, String::new());
            while stream.read_line(&mut line).await.ok()? > 0 && line != "\r\n" {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let body: Value = serde_json::from_slice(&body).ok()?;
            let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array()?.clone();
            self.0.lock().unwrap().extend(spans);
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    fn of(&self, trace: &str) -> Vec<Value> {
        self.0.lock().unwrap().iter().filter(|s| s["traceId"] == trace).cloned().collect()
    }
}

/// The names from a span up to what it hangs from.
fn way_up(spans: &[Value], from: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = from.clone();
    for _ in 0..10 {
        names.push(at["name"].as_str().unwrap().to_owned());
        let Some(above) = spans.iter().find(|s| s["spanId"] == at["parentSpanId"]) else {
            names.push(at["parentSpanId"].as_str().unwrap_or("nothing").to_owned());
            break;
        };
        at = above.clone();
    }
    names
}

#[tokio::test]
async fn a_trace_leads_from_the_request_to_the_calls_of_powerdns() {
    let (collector, at) = Collector::start().await;
    let world =
        Plan::new(StoreKind::Sqlite).section(&format!("[telemetry]\nendpoint = \"{at}\"\n")).start().await;
    // Until the store was compared with the DNS, operations wait for a worker and are no part of the request's trace.
    world.warm().await;
    let token = world.api().reserve("omantel").await;
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let traced = world.api().with_header("traceparent", &format!("00-{trace}-{span}-01"));
    let _ = traced.commit("omantel", &token, "192.0.2.1").await;
    world.api().await_phase("omantel", "active").await;

    let spans = until("the whole trace", || async {
        let spans = collector.of(trace);
        let has = |name: &str| spans.iter().any(|s| s["name"] == name);
        if has("request") && has("operation") && has("step") && has("powerdns") {
            return Ok(spans);
        }
        let all = collector.0.lock().unwrap();
        let names: Vec<_> = all.iter().map(|s| format!("{} in {}", s["name"], s["traceId"])).collect();
        Err(names.join(", "))
    })
    .await;
    let calls: Vec<_> = spans.iter().filter(|s| s["name"] == "powerdns").collect();
    let ways: BTreeSet<_> = calls.iter().map(|call| way_up(&spans, call).join(" < ")).collect();
    assert!(ways.contains(&format!("powerdns < step < operation < request < {span}")), "{ways:?}");
    let attribute = |span: &Value, key: &str| {
        let all = span["attributes"].as_array().unwrap();
        all.iter().find(|a| a["key"] == key).map(|a| a["value"]["stringValue"].clone())
    };
    let made: BTreeSet<_> =
        calls.iter().filter_map(|c| attribute(c, "call")).map(|v| v.to_string()).collect();
    assert!(made.contains("\"create-zone\"") && made.contains("\"patch-pool\""), "{made:?}");

    // A client that does not want to be traced is not, and a request without a context begins a trace of its own.
    let off = "0af7651916cd43dd8448eb211c80319c";
    let quiet = world.api().with_header("traceparent", &format!("00-{off}-{span}-00"));
    let _ = quiet.get("/v1/pools").await.expect(&[200]);
    let _ = world.api().get("/v1/pools").await.expect(&[200]);
    until("a trace of PDM's own", || async {
        let spans = collector.0.lock().unwrap().clone();
        let own = |s: &&Value| s["name"] == "request" && s.get("parentSpanId").is_none();
        if spans.iter().any(|s| own(&s)) { Ok(()) } else { Err(spans.len()) }
    })
    .await;
    assert!(collector.of(off).is_empty());
    // Traces do not change the log, and no key is in either.
    let log = world.daemons[0].log();
    let all = json!(*collector.0.lock().unwrap()).to_string();
    assert!(
        !log.contains("request{")
            && !all.contains(&token)
            && !all.contains(world.token())
            && !all.contains("harness-key")
    );
}

/// Prometheus scrapes the daemon and finds the trace behind a slow bucket.
#[tokio::test]
async fn a_real_prometheus_keeps_the_exemplars_of_requests_and_steps() {
    let (_collector, at) = Collector::start().await;
    let world =
        Plan::new(StoreKind::Sqlite).section(&format!("[telemetry]\nendpoint = \"{at}\"\n")).start().await;
    let dir = tempfile::tempdir().unwrap();
    let target = world.stranger().base().replace("http://", "");
    let config = format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
         scrape_configs: [{{ job_name: pdm, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    std::fs::write(dir.path().join("prometheus.yml"), config).unwrap();
    let listen = net::port(net::address());
    let mut command = guarded("prometheus", false);
    command.arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
    command.args([&format!("--web.listen-address={listen}"), "--enable-feature=exemplar-storage"]);
    let _prometheus = Child::start("prometheus", command, &dir.path().join("log"));

    world.warm().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = world.api().with_header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
    let token = traced.reserve("omantel").await;
    let _ = traced.commit("omantel", &token, "192.0.2.1").await;
    world.api().await_phase("omantel", "active").await;
    let prometheus = Api::new(&format!("http://{listen}"));
    for (metric, label) in
        [("pdm_http_request_seconds_bucket", "/v1/commit"), ("pdm_step_seconds_bucket", "ensure-zone")]
    {
        until(&format!("exemplars of {metric}"), || async {
            let path = format!("/api/v1/query_exemplars?query={metric}&start=1000000000&end=9000000000");
            let answer = prometheus.try_get(&path).await?;
            let found = answer.body["data"].as_array().cloned().unwrap_or_default();
            let ours = |series: &Value| {
                let labels = series["seriesLabels"].to_string();
                labels.contains(label) && series["exemplars"].to_string().contains(trace)
            };
            if found.iter().any(ours) { Ok(()) } else { Err(answer.text) }
        })
        .await;
    }
    // Nobody else sees a difference.
    let text = world.stranger().get("/metrics").await.text;
    assert!(!text.contains("trace_id") && !text.contains("# EOF"), "{text}");
}

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every `pdm_…` word of a text.
fn figures(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let names = text.split(word).filter(|w| w.starts_with("pdm_"));
    let base = |w: &str| {
        ["_bucket", "_count", "_sum"].iter().find_map(|end| w.strip_suffix(end)).unwrap_or(w).to_owned()
    };
    names.map(base).collect()
}

#[tokio::test]
async fn alerts_and_dashboard_watch_figures_that_exist() {
    let rules = deploy("prometheus/pdm.rules.yaml");
    run(Command::new("promtool").args(["check", "rules"]).arg(&rules)).unwrap_or_else(|e| panic!("{e}"));
    let tests = deploy("prometheus/pdm.rules.test.yaml");
    run(Command::new("promtool").args(["test", "rules"]).arg(&tests)).unwrap_or_else(|e| panic!("{e}"));

    // One runbook for each alert, and no runbook without an alert.
    let text = read(&rules);
    let alerts: BTreeSet<_> =
        text.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).map(str::to_owned).collect();
    let runbooks = std::fs::read_dir(deploy("../docs/runbooks")).unwrap();
    // Those of alerts have the alert's name; others are about a subject.
    let runbooks: BTreeSet<_> = runbooks
        .map(|f| f.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("Pdm"))
        .collect();
    assert_eq!(alerts, runbooks);
    for alert in &alerts {
        assert!(text.contains(&format!("docs/runbooks/{alert}.md")), "{alert} links its runbook");
    }

    // Whatever is watched is a figure of this daemon, or one that it has when something went wrong.
    let world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    let shown = figures(&world.stranger().get("/metrics").await.text);
    let source = source_figures();
    let watched: BTreeSet<_> =
        figures(&text).into_iter().chain(figures(&read(&deploy("grafana/pdm.json")))).collect();
    for figure in &watched {
        assert!(shown.contains(figure) || source.contains(figure), "{figure} is watched and does not exist");
    }
    let _: Value = serde_json::from_str(&read(&deploy("grafana/pdm.json"))).unwrap();
}

/// Figures that the code names.
fn source_figures() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<PathBuf> =
        ["pdm", "powerdns", "auditor", "platform"].map(|d| deploy("..").join(d)).into();
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.extend(figures(&read(&path)));
            }
        }
    }
    found
}
