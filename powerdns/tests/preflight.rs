//! What a real server tells about its settings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use pdm_powerdns::{InstanceConfig, PowerDns, Severity};
use support::*;

fn codes(report: &pdm_powerdns::Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn a_good_server_has_no_findings() {
    let server = Pdns::sqlite().await;
    let report = server.client().preflight().await;
    assert_eq!(report.findings, []);
    assert!(report.is_usable());
    assert_eq!(report.backend.as_deref(), Some("gsqlite3"));
    assert!(report.version.unwrap().starts_with(['4', '5']));
}

#[tokio::test]
async fn a_server_out_of_the_box_is_told_what_to_mend() {
    let server = Pdns::sqlite_with(
        "enable-lua-records=no\ndefault-zsk-algorithm=\ndnssec-key-cache-ttl=30\n\
         default-soa-content=a.misconfigured.dns.server.invalid hostmaster.@ 0 10800 3600 604800 3600\n\
         default-publish-cds=2",
    )
    .await;
    let report = server.client().preflight().await;
    assert_eq!(codes(&report), ["lua-off", "soa-misconfigured", "zsk-missing", "publish-cds", "cache-long"]);
    assert!(!report.is_usable());
    assert!(report.findings.iter().all(|finding| !finding.what.is_empty() && finding.mend.contains('`')));
}

#[tokio::test]
async fn a_wrong_key_id_or_port_is_named() {
    let server = Pdns::sqlite().await;
    let good = server.instance();
    let cases = [
        (InstanceConfig { api_key: String::from("wrong").into(), ..good.clone() }, "powerdns-unauthorized"),
        (InstanceConfig { server_id: "elsewhere".into(), ..good.clone() }, "powerdns-server-id"),
        (instance(&format!("http://{}", free_place())), "powerdns-unavailable"),
    ];
    for (config, want) in cases {
        let dns = PowerDns::new(vec![good.clone(), config], options()).unwrap();
        let report = dns.preflight().await;
        let found = report.findings.iter().find(|finding| finding.code == want).expect(want);
        assert_eq!(found.severity, Severity::Error);
        assert!(!format!("{report:?}").contains("wrong"));
    }
}
