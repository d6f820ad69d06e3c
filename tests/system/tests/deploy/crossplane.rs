//! The claim of Crossplane. Crossplane itself is not to be had: what its two parts would do is done here, the patches by a few
//! lines and the mappings by `jq`, as provider-http runs them, against a real daemon.

use std::collections::BTreeMap;
use std::process::Command;

use pdm_harness::http::Answer;
use pdm_harness::{Api, Plan, StoreKind, until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::render::{documents, fed, file, list, text};

/// One composed resource with the patches of a composite applied.
fn composed(name: &str, composite: &Value) -> Value {
    let composition = documents(&file("crossplane/composition.yaml")).remove(0);
    let all = list(&composition, "/spec/pipeline/0/input/resources").to_vec();
    let resource = all.into_iter().find(|r| text(r, "/name") == name).unwrap();
    let mut object = resource["base"].clone();
    let pointer = |path: &str| format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    for patch in list(&resource, "/patches").iter().filter(|p| text(p, "/type") == "FromCompositeFieldPath") {
        let mut value = composite.pointer(&pointer(text(patch, "/fromFieldPath"))).unwrap().clone();
        for transform in list(patch, "/transforms") {
            value = match text(transform, "/string/type") {
                "Convert" => value.to_string().into(),
                "Format" => text(transform, "/string/fmt").replace("%s", value.as_str().unwrap()).into(),
                other => panic!("{other}"),
            };
        }
        *object.pointer_mut(&pointer(text(patch, "/toFieldPath"))).unwrap() = value;
    }
    object
}

fn jq(program: &str, input: &Value) -> Value {
    let (said, good) = fed(Command::new("jq").args(["-c", program]), &input.to_string());
    assert!(good, "{program}: {said}");
    serde_json::from_str(&said).unwrap()
}

/// provider-http, as far as these mappings need it.
struct Provider {
    api: Api,
    secrets: BTreeMap<String, String>,
}

impl Provider {
    fn input(request: &Value) -> Value {
        let body: Value = serde_json::from_str(text(request, "/spec/forProvider/payload/body")).unwrap();
        json!({ "payload": { "baseUrl": request["spec"]["forProvider"]["payload"]["baseUrl"], "body": body } })
    }

    async fn act(&self, request: &Value, action: &str) -> Answer {
        let mapping = list(request, "/spec/forProvider/mappings")
            .iter()
            .find(|m| text(m, "/action") == action)
            .unwrap();
        let input = Self::input(request);
        let url = jq(text(mapping, "/url"), &input);
        let path = url.as_str().unwrap().strip_prefix("http://pdm.pdm:8053").unwrap();
        let method: Method = text(mapping, "/method").parse().unwrap();
        let mut sent = self.api.request(method, path);
        if mapping.get("body").is_some() {
            let body = self.secrets.iter().fold(text(mapping, "/body").to_owned(), |all, (name, secret)| {
                all.replace(&format!("{{{{ {name}:crossplane-system:token }}}}"), secret)
            });
            sent = sent.json(&jq(&body, &input));
        }
        Api::send(sent).await.unwrap()
    }

    fn check(request: &Value, which: &str, answer: &Answer) -> bool {
        let mut input = Self::input(request);
        input["response"] = json!({ "statusCode": answer.status, "body": answer.body });
        jq(text(&request["spec"]["forProvider"][which], "/logic"), &input) == true
    }
}

#[tokio::test]
async fn a_claim_lends_moves_and_gives_back() {
    let world = Plan::new(StoreKind::Sqlite).start().await;
    let token = world.make_token("crossplane", "provisioner", &["--owner", "acme"]);
    let api = world.stranger().with_token(&token);
    until("the token to be known", || api.try_get("/v1/pools")).await;
    let claim = documents(&file("crossplane/claim.yaml")).remove(0);
    let mut composite = json!({ "metadata": { "name": "omantel-x7k2p" }, "spec": claim["spec"] });

    let reservation = composed("reservation", &composite);
    let mut provider = Provider { api, secrets: BTreeMap::new() };
    let held = provider.act(&reservation, "CREATE").await.expect(&[201]);
    let store = &reservation["spec"]["forProvider"]["secretInjectionConfigs"][0];
    let secret = jq(text(store, "/keyMappings/0/responseJQ"), &json!({ "body": held.body }));
    provider.secrets.insert(text(store, "/secretRef/name").to_owned(), secret.as_str().unwrap().to_owned());
    let seen = provider.act(&reservation, "OBSERVE").await.expect(&[200]);
    assert!(Provider::check(&reservation, "expectedResponseCheck", &seen));
    assert!(!Provider::check(&reservation, "isRemovedCheck", &seen));

    let target = composed("target", &composite);
    let _ = provider.act(&target, "CREATE").await.expect(&[200, 202]);
    world.api().await_phase("omantel", "active").await;
    let seen = provider.act(&target, "OBSERVE").await.expect(&[200]);
    assert!(Provider::check(&target, "expectedResponseCheck", &seen), "{seen}");

    composite["spec"]["parameters"]["loadBalancers"][0]["ipv4"] = json!("203.0.113.11");
    let target = composed("target", &composite);
    assert!(!Provider::check(&target, "expectedResponseCheck", &seen));
    let _ = provider.act(&target, "UPDATE").await.expect(&[200, 202]);
    world.api().await_phase("omantel", "active").await;
    let seen = provider.act(&target, "OBSERVE").await.expect(&[200]);
    assert!(Provider::check(&target, "expectedResponseCheck", &seen), "{seen}");

    let _ = provider.act(&reservation, "REMOVE").await.expect(&[200, 202]);
    until("the name to be gone", || async {
        let seen = provider.act(&reservation, "OBSERVE").await;
        if Provider::check(&reservation, "isRemovedCheck", &seen) { Ok(()) } else { Err(seen) }
    })
    .await;
    assert!(world.dns().zone("omantel.omani.works").await.is_none());
}

/// The claim, the definition and the composition name the same things.
#[test]
fn the_three_files_fit_together() {
    let [definition, composition, claim] = ["definition", "composition", "claim"]
        .map(|f| documents(&file(&format!("crossplane/{f}.yaml"))).remove(0));
    let names = &definition["spec"];
    let version = format!("{}/{}", text(names, "/group"), text(names, "/versions/0/name"));
    assert_eq!(text(&claim, "/apiVersion"), version);
    assert_eq!(claim["kind"], names["claimNames"]["kind"]);
    assert_eq!(
        composition["spec"]["compositeTypeRef"],
        json!({ "apiVersion": version, "kind": names["names"]["kind"] })
    );
    let plural = format!("{}.{}", text(names, "/names/plural"), text(names, "/group"));
    assert_eq!(text(&definition, "/metadata/name"), plural);
    let schema =
        names.pointer("/versions/0/schema/openAPIV3Schema/properties/spec/properties/parameters").unwrap();
    let given = claim["spec"]["parameters"].as_object().unwrap();
    for required in list(schema, "/required") {
        assert!(given.contains_key(required.as_str().unwrap()), "{required}");
    }
    for name in given.keys() {
        assert!(schema["properties"].get(name).is_some(), "{name}");
    }
}
