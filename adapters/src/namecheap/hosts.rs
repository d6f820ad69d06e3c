//! The list of records of a zone: Namecheap replaces it as a whole, so everything that is not ours must be said again
//! exactly, or nothing may be written. Pure but for reading the answer.

use std::collections::BTreeSet;

use pdm_model::{Ttl, ZoneName};
use pdm_ports::{Class, Fault};
use roxmltree::Node;

use super::answer::{document, element, says};
use crate::http::Answer;
use crate::kind;

/// The types that a write can say again. SRV is not among them: the list does not even show it.
const REPEATABLE: &[&str] =
    &["A", "AAAA", "ALIAS", "CAA", "CNAME", "FRAME", "MX", "MXE", "NS", "TXT", "URL", "URL301"];

/// Types whose content is a host name: it comes back with a dot at its end, and case does not count.
const NAMES: &[&str] = &["ALIAS", "CNAME", "MX", "NS"];

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Host {
    name: String,
    rtype: String,
    address: String,
    preference: String,
    ttl: String,
    flag: Option<String>,
    tag: Option<String>,
    /// Why a write cannot say it again.
    unrepeatable: Option<&'static str>,
}

/// All records of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostList {
    /// Whether Namecheap serves the zone.
    pub(super) own_dns: bool,
    email_type: String,
    hosts: Vec<Host>,
}

/// The answer to `dns.getHosts`. Elements are `host` in life and `Host` in the documents.
pub(super) fn read(answer: &Answer) -> Result<HostList, Fault> {
    let document = document(answer)?;
    let result = element(answer, &document, "DomainDNSGetHostsResult")?;
    let hosts = result
        .children()
        .filter(|node| node.tag_name().name().eq_ignore_ascii_case("host"))
        .map(|node| host(node).ok_or_else(|| answer.garbage("with a record that lacks a part")))
        .collect::<Result<_, _>>()?;
    Ok(HostList {
        own_dns: says(result, "IsUsingOurDNS"),
        email_type: result.attribute("EmailType").unwrap_or_default().to_owned(),
        hosts,
    })
}

fn host(node: Node<'_, '_>) -> Option<Host> {
    let text = |name: &str| node.attribute(name).map(str::to_owned);
    let rtype = text("Type")?.to_ascii_uppercase();
    let off = node.attribute("IsActive").is_some_and(|value| value.eq_ignore_ascii_case("false"));
    let unrepeatable = if !REPEATABLE.contains(&&*rtype) {
        Some("its type is not one that the API writes")
    } else if off {
        Some("it is switched off, and a write would switch it on")
    } else if says(node, "IsDDNSEnabled") {
        Some("it follows a dynamic address, and a write would make it fixed")
    } else {
        None
    };
    Some(Host {
        name: text("Name")?.to_ascii_lowercase(),
        rtype,
        address: text("Address")?,
        preference: text("MXPref").unwrap_or_default(),
        ttl: text("TTL").unwrap_or_default(),
        flag: text("Flag"),
        tag: text("Tag"),
        unrepeatable,
    })
}

impl HostList {
    /// The NS set of a name and its largest TTL.
    pub(super) fn ns(&self, label: &str) -> Result<(BTreeSet<ZoneName>, Option<Ttl>), Fault> {
        let mut names = BTreeSet::new();
        let mut ttl = None;
        for host in self.hosts.iter().filter(|host| host.name == label && host.rtype == "NS") {
            names.insert(kind::host("Namecheap", &host.address)?);
            ttl = ttl.max(host.ttl.parse().ok().map(Ttl::new));
        }
        Ok((names, ttl))
    }

    /// Types of the records that a delegation of this name would hide: at it, and below it.
    pub(super) fn hidden_by(&self, label: &str) -> BTreeSet<String> {
        kind::hidden_by(label, self.hosts.iter().map(|host| (host.name.as_str(), host.rtype.as_str())))
    }

    /// The list with another NS set at one name.
    ///
    /// # Errors
    /// When something in the list could not be written again as it is.
    pub(super) fn with_ns(&self, label: &str, names: &BTreeSet<ZoneName>, ttl: u32) -> Result<Self, Fault> {
        let ours = |host: &&Host| host.name == label && host.rtype == "NS";
        let others = || self.hosts.iter().filter(|host| !ours(host));
        if let Some((host, why)) = others().find_map(|host| Some((host, host.unrepeatable?))) {
            let detail = format!(
                "Namecheap writes all records of a zone at once, and the {} record of \"{}\" cannot be written again \
                 as it is: {why}; way out: change that record, or make the delegation by hand",
                host.rtype, host.name
            );
            return Err(Fault::new(Class::Rejected, "zone-not-repeatable", detail));
        }
        let mut hosts: Vec<_> = others().cloned().collect();
        hosts.extend(names.iter().map(|name| Host {
            name: label.to_owned(),
            rtype: "NS".to_owned(),
            address: name.dotted(),
            preference: "10".to_owned(),
            ttl: ttl.to_string(),
            flag: None,
            tag: None,
            unrepeatable: None,
        }));
        Ok(Self { own_dns: self.own_dns, email_type: self.email_type.clone(), hosts })
    }

    /// The arguments of `dns.setHosts`, counted from 1. The mail setting is lost unless it is said again.
    pub(super) fn arguments(&self) -> Vec<(String, String)> {
        let mut all = Vec::with_capacity(5 * self.hosts.len() + 1);
        if !self.email_type.is_empty() {
            all.push(("EmailType".to_owned(), self.email_type.clone()));
        }
        for (host, n) in self.hosts.iter().zip(1..) {
            let mut say = |name: &str, value: &str| all.push((format!("{name}{n}"), value.to_owned()));
            say("HostName", &host.name);
            say("RecordType", &host.rtype);
            say("Address", &host.address);
            say("MXPref", &host.preference);
            say("TTL", &host.ttl);
            if let Some(flag) = &host.flag {
                say("Flag", flag);
            }
            if let Some(tag) = &host.tag {
                say("Tag", tag);
            }
        }
        all
    }

    /// The first thing in which two lists differ, for people; none when they say the same.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        if self.email_type != found.email_type {
            return Some(format!("the mail setting was {} and is {}", self.email_type, found.email_type));
        }
        let (wanted, found) = (self.comparable(), found.comparable());
        let tell = |what: &str, host: &(&str, &str, String, &str, &str)| {
            format!("{what} the {} record of \"{}\"", host.1, host.0)
        };
        wanted
            .difference(&found)
            .next()
            .map(|host| tell("missing:", host))
            .or_else(|| found.difference(&wanted).next().map(|host| tell("not ours:", host)))
    }

    /// Records without what Namecheap spells in its own way.
    fn comparable(&self) -> BTreeSet<(&str, &str, String, &str, &str)> {
        self.hosts
            .iter()
            .map(|host| {
                let named = NAMES.contains(&&*host.rtype);
                let address = if named {
                    host.address.trim_end_matches('.').to_ascii_lowercase()
                } else {
                    host.address.clone()
                };
                let preference = if host.rtype == "MX" { host.preference.as_str() } else { "" };
                (host.name.as_str(), host.rtype.as_str(), address, preference, host.ttl.as_str())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &str) -> HostList {
        let body = format!(
            "<ApiResponse Status=\"OK\"><CommandResponse><DomainDNSGetHostsResult Domain=\"acme.example\" \
             EmailType=\"MX\" IsUsingOurDNS=\"true\">{hosts}</DomainDNSGetHostsResult></CommandResponse></ApiResponse>"
        );
        read(&Answer { vendor: "namecheap", status: 200, body: body.into_bytes() }).unwrap()
    }

    const HOSTS: &str = "<host HostId=\"1\" Name=\"@\" Type=\"MX\" Address=\"Mail.acme.example.\" MXPref=\"5\" TTL=\"1800\"/>\
        <Host HostId=\"2\" Name=\"sub\" Type=\"NS\" Address=\"Old.example.\" MXPref=\"10\" TTL=\"300\"/>\
        <host HostId=\"3\" Name=\"www.sub\" Type=\"A\" Address=\"192.0.2.1\" MXPref=\"10\" TTL=\"60\"/>\
        <host HostId=\"4\" Name=\"xsub\" Type=\"CAA\" Address=\"0 issue &quot;ca.example&quot;\" MXPref=\"10\" TTL=\"60\"/>";

    fn set(names: &[&str]) -> BTreeSet<ZoneName> {
        names.iter().map(|name| ZoneName::parse(name).unwrap()).collect()
    }

    #[test]
    fn one_set_changes_and_all_else_is_said_again() {
        let before = list(HOSTS);
        assert_eq!(before.ns("sub").unwrap(), (set(&["old.example"]), Some(Ttl::new(300))));
        assert_eq!(before.hidden_by("sub"), ["A".to_owned()].into());
        let after = before.with_ns("sub", &set(&["ns1.pdm.example", "ns2.pdm.example"]), 600).unwrap();
        let arguments = after.arguments();
        let said = |name: &str| arguments.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!(said("EmailType"), Some("MX"));
        assert_eq!(
            (said("HostName1"), said("Address1"), said("MXPref1")),
            (Some("@"), Some("Mail.acme.example."), Some("5"))
        );
        assert_eq!((said("RecordType3"), said("Address3")), (Some("CAA"), Some("0 issue \"ca.example\"")));
        assert_eq!(
            (said("HostName5"), said("Address5"), said("TTL5")),
            (Some("sub"), Some("ns2.pdm.example."), Some("600"))
        );
        assert_eq!(said("HostName6"), None);
        let without = after.with_ns("sub", &set(&[]), 600).unwrap();
        assert_eq!(without.hosts.len(), 3);
        assert!(after.difference(&without).unwrap().contains("missing: the NS record of \"sub\""));
        assert!(without.difference(&after).unwrap().contains("not ours"));
        assert_eq!(after.difference(&after), None);
    }

    #[test]
    fn what_cannot_be_said_again_stops_the_write() {
        for (attributes, why) in [
            ("Type=\"SRV\" IsActive=\"true\"", "not one that the API writes"),
            ("Type=\"A\" IsActive=\"false\"", "switched off"),
            ("Type=\"A\" IsDDNSEnabled=\"true\"", "dynamic address"),
        ] {
            let list = list(&format!("<host Name=\"x\" Address=\"192.0.2.1\" {attributes}/>"));
            let fault = list.with_ns("sub", &set(&["a.example"]), 60).unwrap_err();
            assert_eq!(fault.code, "zone-not-repeatable");
            assert!(fault.detail.contains(why), "{}", fault.detail);
        }
    }
}
