//! Registrars with an API: the simulators that the adapters' conformance suite holds to, in front of the lab's registry.
//! What somebody writes there is published by the registry a moment later, as it is outside.

use std::sync::Arc;
use std::time::Duration;

use pdm_lab::{ACME, Lab, ask};
use pdm_simulators::{Simulator, Trouble, Vendor, When, ovh, porkbun};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// One registrar.
pub struct Registrar {
    /// As `commit` takes it.
    pub chosen: Value,
    /// Its place, for the configuration.
    pub section: String,
    /// What was written there: the paths, in order.
    pub writes: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Trouble with a call that will come.
    pub trouble: Box<dyn Fn(When, Trouble) + Send + Sync>,
    publishing: JoinHandle<()>,
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.publishing.abort();
    }
}

async fn open<V: Vendor>(
    lab: &Arc<Lab>,
    vendor: V,
    id: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Registrar {
    let sim = Arc::new(Simulator::start(vendor).await.unwrap());
    let credential: serde_json::Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let (served, lab, counted, troubled) = (sim.clone(), lab.clone(), sim.clone(), sim.clone());
    let publishing = tokio::spawn(async move {
        let mut published = served.with(|vendor| held(vendor));
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = served.with(|vendor| held(vendor));
            if now != published {
                let names: Vec<&str> = now.0.iter().map(String::as_str).collect();
                lab.register(ACME, &names, &now.1).await;
                published = now;
            }
        }
    });
    Registrar {
        chosen: json!({"id": id, "credential": credential}),
        section: format!("\n[registrars.{id}]\nbase_url = \"{}{path}\"\n", sim.url()),
        writes: Box::new(move || {
            let calls = counted.calls().into_iter().filter(|call| call.write);
            calls.map(|call| call.request.path).collect()
        }),
        trouble: Box::new(move |when, trouble| troubled.trouble(when, trouble)),
        publishing,
    }
}

/// NS and DS of the domain, without trailing dots.
fn held<V: Vendor>(vendor: &V) -> (Vec<String>, Vec<String>) {
    let ns = vendor.ns(ACME).iter().map(|n| n.trim_end_matches('.').to_owned()).collect();
    (ns, vendor.ds(ACME))
}

/// Takes DS records, at once.
pub async fn porkbun(lab: &Arc<Lab>) -> Registrar {
    let mut vendor = porkbun::Porkbun::default();
    ACME.clone_into(&mut vendor.domains[0].name);
    vendor.put_ns(ACME, &lab.old.names(), 0);
    vendor.domains[0].keys = lab.old.ds(ACME).await.iter().map(|ds| {
        let parts: Vec<&str> = ds.split_ascii_whitespace().collect();
        json!({"keyTag": parts[0], "alg": parts[1], "digestType": parts[2], "digest": parts[3..].concat().to_uppercase()})
    }).collect();
    let [key, secret] = porkbun::GOOD;
    let fields = [("api_key", key), ("secret_api_key", secret)];
    open(lab, vendor, "porkbun", "/api/json/v3", &fields).await
}

/// Takes DNSKEYs, and carries everything out later.
pub async fn ovh(lab: &Arc<Lab>) -> Registrar {
    let mut vendor = ovh::Ovh::default();
    ACME.clone_into(&mut vendor.domains[0].name);
    "external".clone_into(&mut vendor.domains[0].kind);
    vendor.put_ns(ACME, &lab.old.names(), 0);
    let keys = ask(lab.old.servers[0].address(), ACME, "DNSKEY", Duration::from_secs(5)).await;
    let tags: Vec<String> =
        lab.old.ds(ACME).await.iter().filter_map(|ds| ds.split(' ').next().map(str::to_owned)).collect();
    let keys: Vec<String> =
        keys.records().iter().filter(|key| key.starts_with("257 ")).map(ToString::to_string).collect();
    assert_eq!((keys.len(), tags.len()), (1, 1), "one entry point: {keys:?}");
    let parts: Vec<&str> = keys[0].split_ascii_whitespace().collect();
    vendor.domains[0].keys = vec![json!({
        "id": 7, "flags": 257, "algorithm": parts[2].parse::<u8>().unwrap(), "publicKey": parts[3..].concat(),
        "tag": tags[0].parse::<u16>().unwrap(),
    })];
    let [application, secret, consumer] = ovh::GOOD;
    let fields =
        [("application_key", application), ("application_secret", secret), ("consumer_key", consumer)];
    open(lab, vendor, "ovh", "/1.0", &fields).await
}
