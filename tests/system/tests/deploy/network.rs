//! Who may speak to whom.

use std::net::IpAddr;

use serde_json::Value;

use crate::render::{OVERLAYS, list, named, objects, of_kind, selects, text, workloads};

/// Special places that no pod which follows an address from outside may reach: metadata of the cloud, the cluster itself,
/// this host, other tenants.
const NEVER: [&str; 11] = [
    "169.254.169.254",
    "10.0.0.1",
    "10.96.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "127.0.0.1",
    "100.64.0.1",
    "224.0.0.1",
    "::1",
    "fd00::1",
    "fe80::1",
];

fn inside(network: &str, address: IpAddr) -> bool {
    let (base, bits) = network.split_once('/').unwrap();
    let (base, bits): (IpAddr, u32) = (base.parse().unwrap(), bits.parse().unwrap());
    match (base, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let shift = 32 - bits;
            u64::from(u32::from(a)) >> shift == u64::from(u32::from(b)) >> shift
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            bits == 0 || u128::from(a) >> (128 - bits) == u128::from(b) >> (128 - bits)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// The policies of a direction that hold for pods with these labels.
fn policies<'a>(objects: &'a [Value], labels: &'a Value, direction: &'a str) -> Vec<&'a Value> {
    let holds = |policy: &&Value| {
        let selector = &policy["spec"]["podSelector"];
        let everything = selector.as_object().is_some_and(serde_json::Map::is_empty);
        (everything || selects(&selector["matchLabels"], labels))
            && list(policy, "/spec/policyTypes").iter().any(|t| t == direction)
    };
    of_kind(objects, "NetworkPolicy").filter(holds).collect()
}

fn reaches(objects: &[Value], labels: &Value, address: &str, port: u16) -> bool {
    let address: IpAddr = address.parse().unwrap();
    policies(objects, labels, "Egress").iter().flat_map(|p| list(p, "/spec/egress")).any(|rule| {
        let to_all = rule.get("to").is_none();
        let block = list(rule, "/to").iter().filter_map(|to| to.get("ipBlock")).any(|block| {
            inside(text(block, "/cidr"), address)
                && !list(block, "/except").iter().any(|e| inside(e.as_str().unwrap(), address))
        });
        let ports = list(rule, "/ports");
        (to_all || block) && (ports.is_empty() || ports.iter().any(|p| p["port"] == port))
    })
}

#[test]
fn networks_hold_what_they_hold() {
    assert!(
        inside("10.0.0.0/8", "10.255.0.1".parse().unwrap())
            && !inside("10.0.0.0/8", "11.0.0.1".parse().unwrap())
    );
    assert!(
        inside("0.0.0.0/0", "9.9.9.9".parse().unwrap()) && inside("2000::/3", "2a01::1".parse().unwrap())
    );
    assert!(!inside("2001:db8::/32", "2001:db9::1".parse().unwrap()));
}

#[test]
fn pods_that_follow_addresses_from_outside_reach_the_world_and_nothing_special() {
    for overlay in OVERLAYS {
        let objects = objects(overlay);
        for (workload, world) in [("pdm", [53, 443]), ("powerdns", [80, 443])] {
            let pod = workloads(&objects).find(|w| text(w, "/metadata/name") == workload).unwrap();
            let labels = &pod["spec"]["template"]["metadata"]["labels"];
            for port in world {
                for address in ["8.8.8.8", "2a01:4f8::1"] {
                    assert!(
                        reaches(&objects, labels, address, port),
                        "{overlay}: {workload} {address}:{port}"
                    );
                }
                for address in NEVER {
                    assert!(
                        !reaches(&objects, labels, address, port),
                        "{overlay}: {workload} {address}:{port}"
                    );
                }
            }
            for port in [22, 25, 6443, 8080] {
                assert!(!reaches(&objects, labels, "8.8.8.8", port), "{overlay}: {workload} port {port}");
            }
        }
        let dnsdist = &named(&objects, "Deployment", "dnsdist")["spec"]["template"]["metadata"]["labels"];
        assert!(!reaches(&objects, dnsdist, "8.8.8.8", 53), "dnsdist asks nobody but PowerDNS");
    }
}

#[test]
fn nobody_but_pdm_and_the_figures_reach_the_key_of_powerdns() {
    for overlay in OVERLAYS {
        let objects = objects(overlay);
        let deny = named(&objects, "NetworkPolicy", "default-deny");
        assert_eq!(
            deny["spec"],
            serde_json::json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
        );
        let labels = &named(&objects, "StatefulSet", "powerdns")["spec"]["template"]["metadata"]["labels"];
        let mut who: Vec<String> = Vec::new();
        for policy in policies(&objects, labels, "Ingress") {
            for rule in list(policy, "/spec/ingress") {
                if list(rule, "/ports").iter().any(|p| p["port"] == 8081) {
                    assert!(rule.get("from").is_some(), "{rule}");
                    who.extend(list(rule, "/from").iter().map(ToString::to_string));
                }
            }
        }
        assert_eq!(who.len(), 2, "{who:?}");
        assert!(
            who[0].contains("\"app.kubernetes.io/name\":\"pdm\"") && who[1].contains("monitoring"),
            "{who:?}"
        );
        // And the database only from PowerDNS, its own kind and the operator.
        let labels = serde_json::json!({"cnpg.io/cluster": "powerdns-db"});
        let from: Vec<_> = policies(&objects, &labels, "Ingress")
            .iter()
            .flat_map(|p| list(p, "/spec/ingress"))
            .flat_map(|rule| list(rule, "/from"))
            .map(ToString::to_string)
            .collect();
        assert_eq!(from.len(), 1, "{from:?}");
        assert!(from[0].contains("powerdns"), "{from:?}");
    }
}
