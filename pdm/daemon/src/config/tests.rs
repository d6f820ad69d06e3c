use std::path::Path;
use std::time::Duration;

use pdm_model::{DriftPolicy, Ttl};

use super::{Config, Problem, document};

/// A directory with the files that the example names.
fn secrets() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [("pdns", "swordfish\n"), ("token.key", &"k".repeat(32)), ("tokens.toml", "")] {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    for name in [
        "ca.pem",
        "client.secret",
        "nats.password",
        "notify.secret",
        "otlp.authorization",
        "credentials.key",
        "credentials.old.key",
    ] {
        std::fs::write(dir.path().join(name), "k".repeat(32)).unwrap();
    }
    dir
}

fn minimal() -> String {
    r#"
    [store]
    url = "sqlite:pdm.db"
    [[powerdns]]
    url = "http://127.0.0.1:8081"
    api_key = "file:pdns"
    [dns]
    nameservers = ["ns1.openova.io"]
    [[pools]]
    domain = "omani.works"
    [auth]
    tokens = "file:tokens.toml"
    token_key = "file:token.key"
    "#
    .to_owned()
}

/// Nothing here is in OpenBao, so nothing is waited for.
fn load_text(
    text: &str,
    base: &Path,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Config, Vec<Problem>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(super::load_text(text, base, variables))
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let dir = secrets();
    load_text(text, dir.path(), variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

fn paths(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|p| p.path.as_str()).collect()
}

#[test]
fn little_is_needed_and_the_rest_has_defaults() {
    let config = load(&minimal(), &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8053");
    assert_eq!(config.powerdns[0].api_key.current().as_str(), "swordfish");
    assert_eq!(config.dns.hostmaster.to_string(), "hostmaster.openova.io");
    let (pool, reference) = (&config.pools[0], pdm_model::Pool::new(config.pools[0].domain.clone()));
    assert_eq!(pool.quarantine, reference.quarantine);
    assert_eq!(pool.reservation_ttl, reference.reservation_ttl);
    assert_eq!(pool.withdrawals_per_hour, reference.withdrawals_per_hour);
    assert_eq!(pool.ttls, reference.ttls);
    assert_eq!(config.worker.lease, Duration::from_secs(30));
}

#[test]
fn the_example_is_valid_with_its_comments_and_without() {
    let dir = secrets();
    let key = format!("file:{}", dir.path().join("pdns").display());
    let example = document::example().replace("file:/run/secrets/pdns", &key);
    load_text(&example, dir.path(), std::iter::empty()).unwrap();
    // Every commented key holds a value that would be taken. A trust anchor needs a real file, an agent stands in the
    // place of files, and who is known by a SPIFFE id is only met with a certificate.
    let alone = |line: &str| ["trust_anchor", "socket", "spiffe_id"].iter().any(|key| line.starts_with(key));
    let uncommented: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if (rest.contains(" = ") || rest.starts_with('[')) && !alone(rest) => rest,
            _ => line,
        })
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(uncommented.contains("\n[registrars.ovh]\nbase_url = "));
    load_text(&uncommented, dir.path(), std::iter::empty()).unwrap();
}

#[test]
fn every_problem_is_told_at_once() {
    let text = r#"
    bogus = 1
    [http]
    listen = "nowhere"
    port = 1
    [store]
    url = "mysql://x"
    [[powerdns]]
    url = "127.0.0.1"
    api_key = "swordfish"
    [dns]
    nameservers = ["-bad-"]
    [[pools]]
    domain = "omani.works"
    quarantine = "200"
    drift = "perhaps"
    [pools.ttl]
    address = -1
    [auth]
    tokens = "env:TOKENS"
    token_key = "openbao:kv/key"
    trusted_networks = [{ cidr = "10.0.0.0/8", role = "admin" }]
    [worker]
    parallel = 0
    "#;
    let problems = load(text, &[]).unwrap_err();
    let expected = [
        "bogus",
        "http.port",
        "http.listen",
        "store.url",
        "powerdns[0].url",
        "powerdns[0].api_key",
        "dns.nameservers",
        "pools[0].quarantine",
        "pools[0].drift",
        "pools[0].ttl.address",
        "auth.tokens",
        "auth.token_key",
        "auth.trusted_networks",
        "worker.parallel",
    ];
    let mut seen = paths(&problems);
    let mut expected = expected.to_vec();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert!(problems.iter().all(|p| !p.to_string().contains("swordfish")));
}

#[test]
fn missing_sections_are_named_by_what_they_lack() {
    let problems = load("", &[]).unwrap_err();
    assert_eq!(
        paths(&problems),
        ["store.url", "powerdns", "pools", "dns.nameservers", "auth.tokens", "auth.token_key"]
    );
}

#[test]
fn the_environment_is_on_top() {
    let variables = [
        ("PDM__HTTP__LISTEN", "0.0.0.0:80"),
        ("PDM__POOLS__0__QUOTA", "5"),
        ("PDM__POOLS__0__TTL__ADDRESS", "60"),
        ("PDM__POOLS__0__DRIFT", "report"),
        ("PDM__POOLS__1__DOMAIN", "other.works"),
        ("PDM__DNS__NAMESERVERS", r#"["ns1.a.example", "ns2.a.example"]"#),
        ("PDM__DNS__NAMESERVER_ADDRESSES", r#"{"ns1.a.example": ["127.0.0.1:5300", "192.0.2.1"]}"#),
        ("PDM__POWERDNS__0__API_KEY", "env:PDNS_KEY"),
        ("PDM__STORE__URL", "env:STORE"),
        ("PDM__REGISTRARS__OVH__BASE_URL", "http://127.0.0.1:1"),
        ("PDNS_KEY", "hush"),
        ("STORE", "postgres://u:p@h/d"),
        ("PDM_URL", "ignored"),
    ];
    let config = load(&minimal(), &variables).unwrap();
    assert_eq!(config.listen.port(), 80);
    assert_eq!((config.pools[0].quota, config.pools[0].ttls.address), (5, Ttl::new(60)));
    assert_eq!(config.pools[0].drift, DriftPolicy::Report);
    assert_eq!(config.pools[1].domain.to_string(), "other.works");
    let asked: Vec<_> = config.dns.nameserver_addresses.values().flatten().map(|a| a.to_string()).collect();
    assert_eq!(asked, ["127.0.0.1:5300", "192.0.2.1:53"]);
    assert_eq!(config.powerdns[0].api_key.current().as_str(), "hush");
    assert_eq!(config.store.url.as_str(), "postgres://u:p@h/d");
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && !shown.contains("u:p@h"), "{shown}");
}

#[test]
fn variables_without_a_place_are_problems() {
    for (name, value) in [
        ("PDM__HTTP__PORT", "1"),
        ("PDM__NOWHERE__KEY", "1"),
        ("PDM__HTTP", "1"),
        ("PDM__POOLS__QUOTA", "1"),
        ("PDM__POOLS__7__QUOTA", "1"),
        ("PDM__POOLS__0__QUOTA", "many"),
    ] {
        assert_eq!(paths(&load(&minimal(), &[(name, value)]).unwrap_err()), [name]);
    }
}

#[test]
fn a_password_in_the_store_address_is_a_literal_secret() {
    for url in ["postgres://u:swordfish@h/d", "postgres://h/d?user=u&password=swordfish"] {
        let problems = load(&minimal().replace("sqlite:pdm.db", url), &[]).unwrap_err();
        assert_eq!(paths(&problems), ["store.url"]);
        assert!(!problems[0].detail.contains("swordfish"));
    }
    assert!(load(&minimal().replace("sqlite:pdm.db", "postgres://u@h/d"), &[]).is_ok());
}

#[test]
fn anchors_are_ds_records_of_the_pools() {
    let dir = secrets();
    let digest = "ab".repeat(32);
    let with = |line: String| {
        std::fs::write(dir.path().join("anchor"), line).unwrap();
        let text = minimal().replace("[dns]", "[dns]\ntrust_anchor = \"file:anchor\"");
        load_text(&text, dir.path(), std::iter::empty())
    };
    let config = with(format!("; pools\nomani.works. 300 IN DS 1 13 2 {digest}\n")).unwrap();
    assert_eq!(config.dns.anchors.len(), 1);
    assert!(with(format!("other.works. IN DS 1 13 2 {digest}\n")).is_err());
    assert!(with("omani.works. IN DNSKEY 256 3 13 AAAA\n".to_owned()).is_err());
    assert!(config.dns.root_anchor.is_empty());
    // A root.key as resolvers keep it.
    let key = "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
    let config =
        with(format!(". 86400 IN DNSKEY 257 3 13 {key} ;{{id = 1}}\n. IN DS 1 13 2 {digest}")).unwrap();
    assert_eq!((config.dns.root_anchor.len(), config.dns.anchors.len()), (2, 0));
}

#[test]
fn a_nameserver_that_nobody_listed_is_a_problem() {
    let text = minimal()
        .replace("[dns]", "[dns]\nmaintenance = [\"ns9.openova.io\"]\nglue = { \"ns8.openova.io\" = [] }");
    assert_eq!(paths(&load(&text, &[]).unwrap_err()), ["dns.glue", "dns.maintenance"]);
}

#[test]
fn the_schema_knows_every_key() {
    let schema = document::schema();
    assert_eq!(schema["required"], serde_json::json!(["store", "powerdns", "dns", "pools", "auth"]));
    let pool = &schema["properties"]["pools"]["items"];
    assert_eq!(pool["properties"]["ttl"]["properties"]["address"]["default"], 300);
    assert_eq!(pool["properties"]["quarantine"]["default"], "200d");
    assert_eq!(schema["properties"]["registrars"]["additionalProperties"]["required"][0], "base_url");
}

#[test]
fn a_mesh_is_an_agent_or_files_and_whoever_needs_it_says_so() {
    let files = "certificate = \"a\"\nkey = \"b\"\nbundle = \"c\"\n";
    let with = |section: &str| load(&format!("{}\n{section}", minimal()), &[]);
    for (section, expected) in [
        ("[spiffe]".to_owned(), "spiffe.socket"),
        (format!("[spiffe]\n{files}"), "spiffe.socket"),
        (format!("[spiffe]\n{files}trust_domain = \"a\"\nsocket = \"s\""), "spiffe.socket"),
        (format!("[spiffe]\n{files}trust_domain = \"A b\""), "spiffe.trust_domain"),
        ("[spiffe]\nsocket = \"s\"\nfederated = { \"A b\" = \"f\" }".to_owned(), "spiffe.federated"),
        ("[[workloads]]\nid = \"spiffe://a/b\"\nrole = \"admin\"".to_owned(), "workloads"),
        ("[[workloads]]\nid = \"b\"\nrole = \"legacy\"\npool = \"x.y\"".to_owned(), "workloads[0].id"),
        (
            "[nats]\nurl = \"tls://a:1\"\nenvironment = \"e\"\nspiffe_id = \"spiffe://a/b\"".to_owned(),
            "nats.spiffe_id",
        ),
        ("[tls]\ncertificate = \"a\"".to_owned(), "tls.key"),
    ] {
        let problems = with(&section).unwrap_err();
        assert!(paths(&problems).contains(&expected), "{section}: {problems:?}");
    }
    let good = format!(
        "[spiffe]\n{files}trust_domain = \"a\"\n[[workloads]]\nid = \"spiffe://a/*\"\nrole = \"admin\""
    );
    assert_eq!(with(&good).unwrap().workloads.len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(super::load(Path::new("/nonexistent/pdm.toml"))).unwrap_err().len(), 1);
}

#[test]
fn a_login_needs_what_it_logs_in_with() {
    let with =
        |lines: &str| load(&format!("{}\n[openbao]\nurl = \"http://127.0.0.1:1\"\n{lines}", minimal()), &[]);
    for (lines, expected) in [
        ("", "openbao.role"),
        ("login = \"jwt\"", "openbao.role"),
        ("login = \"token\"", "openbao.token"),
        ("login = \"token\"\ntoken = \"openbao:a/b#c\"", "openbao.token"),
        ("login = \"certificate\"\ncertificate = \"a\"", "openbao.key"),
        ("role = \"pdm\"\nmount = \"a?b\"", "openbao.mount"),
        ("role = \"pdm\"\nrefresh = \"0s\"", "openbao.refresh"),
    ] {
        let problems = with(lines).unwrap_err();
        assert!(paths(&problems).contains(&expected), "{lines}: {problems:?}");
    }
    let config = with("role = \"pdm\"").unwrap();
    assert!(config.openbao.is_some_and(|(_, every)| every == Duration::from_secs(300)));
    let shelf = "[credentials]\nopenbao = \"secret/pdm\"\n";
    assert_eq!(paths(&load(&(minimal() + shelf), &[]).unwrap_err()), ["credentials.openbao"]);
}
