//! Namecheap's answers: an envelope whose attribute says whether it went well, and numbers that say why not.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use pdm_model::{Timestamp, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{Credential, Lock};
use roxmltree::{Document, Node, ParsingOptions};

use super::BASIC_DNS;
use crate::http::Answer;
use crate::kind::{Kind, host};

/// Ten times what the longest list of hosts needs.
const MAX_NODES: u32 = 200_000;

/// What a number means.
const NUMBERS: &[(u32, Kind)] = &[
    (1_010_101, Kind::InvalidCredentials),
    (1_010_102, Kind::InvalidCredentials),
    (1_011_102, Kind::InvalidCredentials),
    (1_016_103, Kind::InvalidCredentials),
    (1_030_408, Kind::InvalidCredentials),
    (1_050_900, Kind::InvalidCredentials),
    (1_011_105, Kind::IpNotAllowed),
    (1_011_150, Kind::IpNotAllowed),
    (1_017_105, Kind::IpNotAllowed),
    (1_017_150, Kind::IpNotAllowed),
    (1_017_101, Kind::AccountNotEligible),
    (1_017_103, Kind::AccountNotEligible),
    (2_016_166, Kind::DomainNotInAccount),
    (2_019_166, Kind::DomainNotInAccount),
    (3_016_166, Kind::DomainNotInAccount),
    (2_030_166, Kind::DomainLocked),
    (4_011_103, Kind::InsufficientScope),
    (2_030_280, Kind::Unsupported),
    (3_050_900, Kind::Unavailable),
    (4_022_288, Kind::Unavailable),
    (500_000, Kind::RateLimited),
];

/// The registry refused, whatever was asked of it.
const REGISTRY_REFUSED: u32 = 3_031_510;

/// What the answer means. HTTP 405 is Namecheap's way to say "too many calls".
pub(super) fn judge(answer: &Answer, _credential: &Credential) -> Result<(), Fault> {
    if answer.status == 405 {
        return Err(answer.fault(Kind::RateLimited, "too many calls"));
    }
    // What was taken out of an answer leaves a mark that is no XML. Here only the reason matters; a list of records with
    // a hole in it stays unreadable, because it would be written back.
    let body = String::from_utf8_lossy(&answer.body).replace("<redacted>", "(redacted)");
    let document = parse(answer, &body);
    let envelope = document.as_ref().ok().map(Document::root_element);
    let Some(envelope) = envelope.filter(|root| root.tag_name().name() == "ApiResponse") else {
        return Err(answer.foreign());
    };
    match envelope.attribute("Status") {
        Some("OK") if answer.status == 200 => Ok(()),
        Some("ERROR") => Err(refusal(answer, envelope)),
        _ => Err(answer.garbage("without its status")),
    }
}

fn refusal(answer: &Answer, envelope: Node<'_, '_>) -> Fault {
    let command = text(envelope, "RequestedCommand").unwrap_or_default().to_ascii_lowercase();
    let errors: Vec<(u32, &str)> = envelope
        .descendants()
        .filter(|node| node.tag_name().name() == "Error")
        .map(|node| {
            let number = node.attribute("Number").and_then(|number| number.parse().ok()).unwrap_or(0);
            (number, node.text().unwrap_or_default())
        })
        .collect();
    // The first number that is known; of unknown ones the first.
    let known = errors.iter().find_map(|(number, words)| Some((kind(*number, &command)?, *number, *words)));
    let (kind, number, words) = known.unwrap_or_else(|| {
        let (number, words) = errors.first().copied().unwrap_or((0, "no reason"));
        (by_family(number), number, words)
    });
    answer.fault(kind, &format!("{number} {words}"))
}

fn kind(number: u32, command: &str) -> Option<Kind> {
    if number == REGISTRY_REFUSED {
        let sets_names = command == "namecheap.domains.dns.setcustom";
        return Some(if sets_names { Kind::InvalidNameserver } else { Kind::Refused });
    }
    NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
}

/// Namecheap's numbers have seven digits, of which the first says where the trouble lies; 5 is its own inside.
fn by_family(number: u32) -> Kind {
    match number / 1_000_000 {
        1..=4 => Kind::Refused,
        5 => Kind::Unavailable,
        _ => Kind::Garbage,
    }
}

/// The answer as a tree.
pub(super) fn document(answer: &Answer) -> Result<Document<'_>, Fault> {
    parse(answer, std::str::from_utf8(&answer.body).map_err(|_| answer.garbage("no text"))?)
}

fn parse<'a>(answer: &Answer, body: &'a str) -> Result<Document<'a>, Fault> {
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    // The parser's words may quote the answer; its place is enough.
    Document::parse_with_options(body, options)
        .map_err(|error| answer.garbage(&format!("no XML (line {})", error.pos().row)))
}

/// The first element of a name.
pub(super) fn element<'a, 'input>(
    answer: &Answer,
    document: &'a Document<'input>,
    name: &str,
) -> Result<Node<'a, 'input>, Fault> {
    document
        .descendants()
        .find(|node| node.tag_name().name() == name)
        .ok_or_else(|| answer.garbage(&format!("without {name}")))
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.descendants().find(|child| child.tag_name().name() == name)?.text()
}

/// An attribute that says yes or no.
pub(super) fn says(node: Node<'_, '_>, attribute: &str) -> bool {
    node.attribute(attribute).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// A write says of itself that it was done, in one of these attributes.
pub(super) fn confirmed(answer: &Answer, attributes: &[&str]) -> Result<(), Fault> {
    let document = document(answer)?;
    let done = document.descendants().any(|node| attributes.iter().any(|attribute| says(node, attribute)));
    // A read after this settles what is true.
    if done { Ok(()) } else { Err(answer.garbage("without the word that it was done")) }
}

/// Who serves the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delegation {
    /// True for any of Namecheap's own kinds.
    pub(super) own_dns: bool,
    /// Which of them, when it is known.
    pub(super) kind: Option<&'static str>,
    pub(super) names: BTreeSet<ZoneName>,
}

/// The answer to `dns.getList`.
pub(super) fn delegation(answer: &Answer) -> Result<Delegation, Fault> {
    let document = document(answer)?;
    let result = element(answer, &document, "DomainDNSGetListResult")?;
    let kind = match (says(result, "IsPremiumDNS"), says(result, "IsUsingFreeDNS")) {
        (true, _) => "premium-dns",
        (false, true) => "free-dns",
        (false, false) => BASIC_DNS,
    };
    Ok(Delegation {
        own_dns: says(result, "IsUsingOurDNS"),
        kind: Some(kind),
        names: nameservers(answer, result)?,
    })
}

fn nameservers(answer: &Answer, within: Node<'_, '_>) -> Result<BTreeSet<ZoneName>, Fault> {
    within
        .descendants()
        .filter(|node| node.tag_name().name() == "Nameserver")
        .filter_map(|node| node.text())
        .map(|name| host(answer.vendor, name.trim()))
        .collect()
}

/// What `domains.getInfo` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) lock: Lock,
    pub(super) expires: Option<Timestamp>,
    pub(super) delegation: Delegation,
    /// Rights by name; none stands for all.
    rights: Option<BTreeSet<String>>,
}

impl Info {
    /// Whether this account may change `right`: `nameserver`, `hosts`.
    pub(super) fn may(&self, right: &str) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.contains(right))
    }
}

/// The answer to `domains.getInfo`.
pub(super) fn info(answer: &Answer) -> Result<Info, Fault> {
    let document = document(answer)?;
    let result = element(answer, &document, "DomainGetInfoResult")?;
    let status = result.attribute("Status").unwrap_or_default();
    let blocks_changes =
        (!status.eq_ignore_ascii_case("ok")).then(|| format!("its status at Namecheap is \"{status}\""));
    let dns = element(answer, &document, "DnsDetails")?;
    let kind = match dns.attribute("ProviderType").unwrap_or_default().to_ascii_lowercase().as_str() {
        "free" => Some(BASIC_DNS),
        "freedns" => Some("free-dns"),
        "premium" | "premiumdns" => Some("premium-dns"),
        _ => None,
    };
    let delegation =
        Delegation { own_dns: says(dns, "IsUsingOurDNS"), kind, names: nameservers(answer, dns)? };
    let rights = result.descendants().find(|node| node.tag_name().name() == "Modificationrights");
    let rights = rights.filter(|node| !says(*node, "All")).map(|node| {
        node.descendants().filter_map(|right| right.attribute("Type")).map(str::to_ascii_lowercase).collect()
    });
    Ok(Info {
        lock: Lock { blocks_changes, transfer: None },
        expires: text(result, "ExpiredDate").and_then(date),
        delegation,
        rights,
    })
}

/// `MM/DD/YYYY`, taken for its first moment in UTC.
fn date(text: &str) -> Option<Timestamp> {
    let mut parts = text.trim().splitn(3, '/');
    let mut next = || parts.next()?.parse::<i16>().ok();
    let (month, day, year) = (next()?, next()?, next()?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let midnight = date.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(midnight.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { vendor: "namecheap", status, body: body.as_bytes().to_vec() }
    }

    fn code(status: u16, body: &str) -> &'static str {
        let credential = Credential::parse(&[], [].into()).unwrap();
        judge(&answer(status, body), &credential).map_or_else(|fault| fault.code, |()| "ok")
    }

    fn error(number: &str, command: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><ApiResponse Status=\"ERROR\" \
             xmlns=\"http://api.namecheap.com/xml.response\"><Errors><Error Number=\"{number}\">words</Error></Errors>\
             <Warnings/><RequestedCommand>{command}</RequestedCommand></ApiResponse>"
        )
    }

    #[test]
    fn every_number_has_one_meaning() {
        let table = [
            ("1011102", "credential-invalid"),
            ("1011150", "credential-address-not-allowed"),
            ("1017101", "account-not-eligible"),
            ("2019166", "domain-not-in-account"),
            ("2030166", "domain-locked"),
            ("4011103", "credential-scope"),
            ("2030280", "registrar-cannot"),
            ("3050900", "registrar-unavailable"),
            ("5019169", "registrar-unavailable"),
            ("5050900", "registrar-unavailable"),
            ("500000", "registrar-busy"),
            ("2999999", "registrar-refused"),
            ("none", "registrar-garbage"),
        ];
        for (number, want) in table {
            assert_eq!(code(200, &error(number, "namecheap.domains.getInfo")), want, "{number}");
        }
        assert_eq!(code(200, &error("3031510", "namecheap.domains.dns.setCustom")), "nameserver-refused");
        assert_eq!(code(200, &error("3031510", "namecheap.domains.dns.setHosts")), "registrar-refused");
    }

    #[test]
    fn what_is_not_namecheaps_is_told_by_its_status() {
        assert_eq!(code(405, "Method not allowed"), "registrar-busy");
        assert_eq!(code(502, "<html><body>Bad gateway</body></html>"), "registrar-unavailable");
        assert_eq!(code(200, "<html><body>Welcome</body></html>"), "registrar-garbage");
        assert_eq!(code(404, "<html>"), "registrar-garbage");
        assert_eq!(code(200, ""), "registrar-garbage");
        assert_eq!(code(200, "<ApiResponse xmlns=\"x\"/>"), "registrar-garbage");
        assert_eq!(
            code(200, "<!DOCTYPE x [<!ENTITY e \"y\">]><ApiResponse Status=\"OK\">&e;</ApiResponse>"),
            "registrar-garbage"
        );
    }

    #[test]
    fn a_hole_in_an_answer_hides_no_reason_and_is_never_written_back() {
        let echoed = error("1011102", "x").replace("words", "key <redacted> is wrong");
        assert_eq!(code(200, &echoed), "credential-invalid");
        let list = "<ApiResponse Status=\"OK\"><DomainDNSGetHostsResult><host Name=\"x\" Type=\"TXT\" \
                    Address=\"<redacted>\"/></DomainDNSGetHostsResult></ApiResponse>";
        assert_eq!(code(200, list), "ok");
        assert_eq!(super::super::hosts::read(&answer(200, list)).unwrap_err().code, "registrar-garbage");
    }

    #[test]
    fn a_domain_tells_its_end_its_rights_and_who_serves_it() {
        let body = |status: &str, rights: &str| {
            answer(
                200,
                &format!(
                    "<ApiResponse Status=\"OK\"><CommandResponse><DomainGetInfoResult Status=\"{status}\" \
                     DomainName=\"acme.example\"><DomainDetails><ExpiredDate>11/04/2027</ExpiredDate></DomainDetails>\
                     <DnsDetails ProviderType=\"FreeDNS\" IsUsingOurDNS=\"true\">\
                     <Nameserver>FreeDNS1.registrar-servers.com</Nameserver></DnsDetails>{rights}\
                     </DomainGetInfoResult></CommandResponse></ApiResponse>"
                ),
            )
        };
        let seen = info(&body("Ok", "<Modificationrights All=\"true\"/>")).unwrap();
        assert_eq!(seen.expires.unwrap().to_string(), "2027-11-04T00:00:00.000Z");
        assert_eq!((seen.lock.blocks_changes.as_deref(), seen.delegation.kind), (None, Some("free-dns")));
        assert!(seen.may("hosts") && seen.delegation.own_dns);
        let some =
            "<Modificationrights All=\"false\"><Rights Type=\"hosts\">OK</Rights></Modificationrights>";
        let seen = info(&body("Expired", some)).unwrap();
        assert!(seen.may("hosts") && !seen.may("nameserver"));
        assert!(seen.lock.blocks_changes.unwrap().contains("Expired"));
        assert!(date("13/40/2027").is_none() && date("2027").is_none());
    }
}
