//! The lab with a daemon whose nameservers are the lab's, a person, and the questions of a resolver's clients.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pdm_harness::daemon::{Daemon, verb};
use pdm_harness::powerdns::API_KEY;
use pdm_harness::{Api, net, until_within};
use pdm_lab::{ACME, Lab, Plan, acme};
use pdm_model::StepKind;
use serde_json::{Value, json};

/// A move waits for TTLs of the parent, of the child and of records, one after the other, and for a person.
pub const PATIENCE: Duration = Duration::from_secs(240);
pub const ADDRESS: &str = "203.0.113.7";

/// A lab in which acme.com is signed and served by the old operator, who hands the zone out.
pub async fn lab() -> Arc<Lab> {
    let lab = Lab::start().await;
    lab.customer(ACME, acme()).await;
    Arc::new(lab)
}

/// A lab with a TTL of a second and a steered clock, in which the old operator does not sign acme.com.
pub async fn steered() -> Arc<Lab> {
    let lab = Plan::default().ttl(1).steered().start().await;
    lab.old.host(ACME, false, acme()).await;
    lab.register(ACME, &lab.old.names(), &[]).await;
    lab.old.allow_transfer(ACME, true).await;
    Arc::new(lab)
}

/// A lab and a daemon whose nameservers are the lab's.
pub struct Move {
    pub lab: Arc<Lab>,
    pub daemon: Daemon,
    pub api: Api,
    /// An admin's.
    pub token: String,
    /// Where the daemon dies next, one after the other.
    dies_at: Vec<String>,
    begun: Instant,
    /// How many days the clocks are ahead.
    day: AtomicU64,
}

impl Move {
    /// `more` are further sections of the configuration. Credentials are sealed.
    pub async fn start(lab: Arc<Lab>, more: &str) -> Self {
        Self::start_forgetful(lab, &format!("{more}\n[credentials]\nkey = \"file:credentials.key\"\n")).await
    }

    /// The same with a daemon that keeps credentials in memory only.
    pub async fn start_forgetful(lab: Arc<Lab>, more: &str) -> Self {
        let begun = Instant::now();
        let dir = lab.dir().to_owned();
        let file = |name: &str| -> PathBuf { dir.join(name) };
        std::fs::write(file("pdns.key"), API_KEY).unwrap();
        std::fs::write(file("token.key"), [b'k'; 48]).unwrap();
        std::fs::write(file("credentials.key"), [b'c'; 48]).unwrap();
        let listen = net::port(net::address());
        std::fs::write(file("pdm.toml"), config(&lab, &listen.to_string()) + more).unwrap();
        let tokens = file("tokens.toml").display().to_string();
        let made = verb(
            &["token", "create", "--file", &tokens, "--name", "t", "--role", "admin", "--output", "json"],
            &[],
        );
        let made: Value = serde_json::from_str(&made.unwrap()).unwrap();
        let mut daemon = Daemon::serve(&file("pdm.toml"), listen, &file("pdm.log"));
        for (name, value) in lab.clock_env() {
            daemon.env(&name, &value);
        }
        daemon.go().await;
        daemon.ready().await;
        let token = made["token"].as_str().unwrap().to_owned();
        let api = daemon.api().clone().with_token(&token);
        Self { lab, daemon, api, token, dies_at: Vec::new(), begun, day: AtomicU64::new(0) }
    }

    /// Let time pass for every server, for the resolvers and for the daemon. They learn of it within a second of each
    /// other. A signature of PowerDNS holds for at least a week on either side of when it is made, so nobody may be further
    /// apart than that.
    pub async fn pass(&self, days: u64) {
        let mut left = days;
        while left > 0 {
            let step = left.min(7);
            left -= step;
            let day = self.day.fetch_add(step, Ordering::Relaxed) + step;
            self.lab.set_clock(&format!("+{day}d"));
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
    }

    /// How the keys of a name or pool stand.
    pub async fn keys(&self, name: &str) -> Result<Value, String> {
        Ok(self.api.try_get(&format!("/v1/allocations/{name}/keys")).await?.body)
    }

    /// Ask for a roll.
    pub async fn roll(&self, name: &str, kind: &str) {
        let body = json!({"kind": kind, "reason": "a test"});
        let _ = self.api.post(&format!("/v1/allocations/{name}/keys/roll"), &body).await.expect(&[200, 202]);
        self.say(&format!("{name}: a roll of kind {kind} is asked for"));
    }

    /// Wait until a roll rests for this reason.
    pub async fn until_rests(&self, name: &str, reason: &str) -> Value {
        let found = std::sync::Mutex::new(Value::Null);
        until_within(&format!("{name} to wait for {reason}"), PATIENCE, || async {
            let keys = self.keys(name).await?;
            if keys["waits"]["reason"] != reason {
                return Err(format!("{keys}\n{}", self.daemon.log()));
            }
            *found.lock().unwrap() = keys;
            Ok(())
        })
        .await;
        self.say(&format!("{name}: the roll waits for {reason}"));
        found.into_inner().unwrap()
    }

    pub fn say(&self, text: &str) {
        println!("{:>7.1} s  {text}", self.begun.elapsed().as_secs_f64());
    }

    /// Reserve and prove; what to commit with.
    pub async fn claim(&self, mode: &str) -> Value {
        let body = json!({"mode": mode, "domain": ACME, "owner": "acme"});
        let reserved = self.api.post("/v1/reserve", &body).await.expect(&[201]);
        let (name, value) = (reserved.text_at("/ownership/name"), reserved.text_at("/ownership/value"));
        let label = name.strip_suffix(&format!(".{ACME}.")).expect("a name below the domain");
        self.lab.old.edit(ACME, label, "TXT", &[&format!("\"{value}\"")]).await;
        self.say(&format!("the owner proves the domain: {name} TXT {value}"));
        let token = reserved.text_at("/reservationToken");
        json!({"fqdn": ACME, "reservationToken": token, "loadBalancers": [{"ipv4": ADDRESS}]})
    }

    /// A request, repeated as long as the daemon dies over it.
    pub async fn ask(&mut self, path: &str, body: &Value) {
        let deadline = Instant::now() + self.patience();
        loop {
            self.revive().await;
            match self.api.try_post(path, body).await {
                Ok(answer) if answer.status != 503 => return drop(answer.expect(&[200, 202])),
                other => assert!(Instant::now() < deadline, "{path}: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Begin to die, at the first of these points and then at each of the others.
    pub async fn die_at(&mut self, points: Vec<String>) {
        if !points.is_empty() {
            self.dies_at = points;
            self.daemon.stop().await;
        }
    }

    /// How many points were not reached. From now on the daemon lives.
    pub fn spare(&mut self) -> usize {
        let waiting = self.daemon.unset("PDM_CRASH_AT");
        std::mem::take(&mut self.dies_at).len() + usize::from(waiting && self.daemon.alive())
    }

    /// Every death costs a start, and the time until whoever held a lease is given up.
    fn patience(&self) -> Duration {
        PATIENCE + Duration::from_secs(15) * u32::try_from(self.dies_at.len()).unwrap_or(0)
    }

    /// Start the daemon again if it died; told where to die next.
    async fn revive(&mut self) {
        if self.daemon.alive() {
            return;
        }
        self.daemon.unset("PDM_CRASH_AT");
        if !self.dies_at.is_empty() {
            let point = self.dies_at.remove(0);
            self.daemon.env("PDM_CRASH_AT", &point);
            self.say(&format!("the daemon starts and is to die at {point}"));
        }
        // It may be dead again before it answers.
        self.daemon.launch();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    pub async fn look(&self) -> Result<Value, String> {
        Ok(self.api.try_get(&format!("/v1/allocations/{ACME}")).await?.body)
    }

    /// Do what the instructions say until the name is in this phase with nothing open, killing the daemon whenever
    /// another step has begun if so wanted. A step that is looked at again is told once.
    pub async fn follow(&mut self, phase: &str, kill_at_each_step: bool) {
        let (mut last_step, mut last_told, mut told) = (String::new(), String::new(), BTreeSet::new());
        let patience = self.patience();
        let deadline = Instant::now() + patience;
        loop {
            self.revive().await;
            let shown = self.look().await.unwrap_or(Value::Null);
            let operation = &shown["operation"];
            if shown["phase"] == phase && operation["state"] != "open" {
                self.say(&format!("the name is {phase}"));
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no {phase} in {patience:?}; {shown:#}\n{}",
                self.daemon.log()
            );
            let steps = operation["steps"].as_array().cloned().unwrap_or_default();
            let step = steps.iter().find(|s| s["state"] != "done").cloned().unwrap_or(Value::Null);
            let kind = step["kind"].as_str().unwrap_or("").to_owned();
            if !kind.is_empty() && kind != last_step {
                let known = StepKind::ALL.into_iter().find(|step| step.as_str() == kind);
                if told.insert(kind.clone()) {
                    self.say(&format!("{kind}: {}", known.map_or("", StepKind::purpose)));
                }
                last_step = kind;
                if kill_at_each_step {
                    self.daemon.kill();
                    self.daemon.go().await;
                    self.say("the daemon was killed and started again");
                    continue;
                }
            }
            let wait = step["waitReason"]["detail"].as_str().unwrap_or("").to_owned();
            if !wait.is_empty() && wait != last_told {
                self.say(&format!("  waits: {wait}"));
                last_told = wait;
            }
            if self.obey(&shown["brought"]["instruction"]).await
                && let Some(id) = operation["id"].as_str()
            {
                let _ = self.api.try_post(&format!("/v1/operations/{id}/retry"), &json!({})).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A person enters what is said at the registry; true when something was entered.
    pub async fn obey(&self, instruction: &Value) -> bool {
        let texts = |name: &str| -> Vec<String> {
            let list = instruction[name].as_array().cloned().unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (held_ns, held_ds) = self.lab.registry.delegation(ACME).await;
        match instruction["action"].as_str() {
            Some("set-ns") => {
                let names = texts("ns");
                let mut dotted: Vec<String> = names.iter().map(|n| format!("{n}.")).collect();
                dotted.sort();
                if dotted == held_ns {
                    return false;
                }
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.lab.register(ACME, &names, &held_ds).await;
                self.say(&format!("a person sets NS to {}", names.join(", ")));
            }
            Some("replace-ds") if texts("ds") != held_ds => {
                self.lab.registry.set_ds(ACME, &texts("ds")).await;
                self.say(&format!("a person replaces the DS by {}", texts("ds").join(", ")));
            }
            Some("remove-ds") if !held_ds.is_empty() => {
                self.lab.registry.set_ds(ACME, &[]).await;
                self.say("a person removes the DS");
            }
            Some("add-ds") if held_ds.is_empty() => {
                let lines = texts("lines");
                let ds: Vec<String> = lines
                    .iter()
                    .filter_map(|l| l.split_once(" DS "))
                    .map(|(_, ds)| ds.trim().to_owned())
                    .collect();
                assert!(!ds.is_empty(), "{instruction}");
                self.lab.registry.set_ds(ACME, &ds).await;
                self.say(&format!("a person adds DS {}", ds.join(", ")));
            }
            _ => return false,
        }
        true
    }
}

fn config(lab: &Lab, listen: &str) -> String {
    let mut text = format!(
        "[http]\nlisten = \"{listen}\"\n\n[store]\nurl = \"sqlite:{}\"\nmigrate = true\n",
        lab.dir().join("pdm.db").display()
    );
    let first = &lab.ours.servers[0];
    let _ = write!(
        text,
        "\n[[powerdns]]\nurl = \"http://{}\"\napi_key = \"file:pdns.key\"\ndns = \"{}\"\n",
        first.server().http(),
        first.address()
    );
    let names = lab.ours.names().iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
    let places =
        lab.ours.addresses().iter().map(|(n, at)| format!("\"{n}\" = [\"{at}\"]")).collect::<Vec<_>>();
    let roots = lab.root_hints().iter().map(|(_, at)| format!("\"{at}\"")).collect::<Vec<_>>().join(", ");
    let _ = write!(
        text,
        "\n[dns]\nnameservers = [{names}]\nhostmaster = \"hostmaster.openova.io\"\nsignal_zones = [\"openova.io\"]\nprobe_allow = [\"127.0.0.0/8\"]\n\
         root_hints = [{roots}]\ntrust_anchor = \"file:root.key\"\nnameserver_addresses = {{ {} }}\n",
        places.join(", ")
    );
    let ttl = lab.ttl();
    let _ = write!(
        text,
        "\n[[pools]]\ndomain = \"omani.works\"\nallow_addresses = [\"203.0.113.0/24\"]\n\n[pools.ttl]\naddress = {ttl}\n\
         apex_ns = {ttl}\nparent_ns = {ttl}\nparent_ds = {ttl}\nnegative = {ttl}\n\n[byo]\nallow_addresses = [\"203.0.113.0/24\", \"127.0.0.0/8\"]\nttl_address = {ttl}\n\
         ttl_apex_ns = {ttl}\nttl_parent_ns = {ttl}\nttl_parent_ds = {ttl}\nttl_negative = {ttl}\n\
         \n[auth]\ntokens = \"file:tokens.toml\"\ntoken_key = \"file:token.key\"\n\
         \n[worker]\npoll = \"200ms\"\nsweep = \"1s\"\nlease = \"6s\"\npool_ds = \"1s\"\n\n[limits]\nrequests_per_second = 0\n"
    );
    text
}

pub const QUESTIONS: [&str; 11] = [
    "acme.com MX",
    "acme.com TXT",
    "acme.com A",
    "www.acme.com A",
    "mx1.acme.com A",
    "mx2.acme.com AAAA",
    "_dmarc.acme.com TXT",
    "s1._domainkey.acme.com TXT",
    "autodiscover.acme.com A",
    "api.acme.com A",
    "shop.acme.com A",
];
