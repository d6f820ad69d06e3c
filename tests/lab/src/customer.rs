//! A customer's domain as people have it: mail, its policies, a web site, and names that PDM wants for itself.

use crate::operator::Records;

/// The customer's domain.
pub const ACME: &str = "acme.com";

/// What the old operator serves for it. `api` and the apex are among the six names that PDM writes.
#[must_use]
pub fn acme() -> &'static Records<'static> {
    &[
        ("@", "A", &["192.0.2.80"]),
        ("@", "MX", &["10 mx1.acme.com.", "20 mx2.acme.com."]),
        ("@", "TXT", &["\"v=spf1 mx -all\"", "\"site-verification=3f9c\""]),
        ("@", "CAA", &["0 issue \"letsencrypt.org\""]),
        ("www", "CNAME", &["acme.com."]),
        ("mx1", "A", &["192.0.2.25"]),
        ("mx2", "A", &["192.0.2.26"]),
        ("mx2", "AAAA", &["2001:db8::26"]),
        ("_25._tcp.mx1", "TLSA", &["3 1 1 8b8be1ba0d9fbbd2a6d2a8f6f3b53b2a6f3a4d2f0e3bd8b0a9c5fca0b3e7d1c4"]),
        ("_dmarc", "TXT", &["\"v=DMARC1; p=reject; rua=mailto:dmarc@acme.com\""]),
        (
            "s1._domainkey",
            "TXT",
            &[
                "\"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu5oIUrFDWZK7F4thFxpZa2or6jBEX3cSL6b2TJdPkO5iNn9vHNXhNX31nOefN8FksX94YbLJ8NHcFPbaZTW8R2HthYxRaCyqodxlLHibg8aHdfa+bxKeiI/xABRuAM0WG0JEDSyakMFqIO40ghj\" \"/h7DUc/4OXNdeQhrKDTlgf2bd+FjpJ3bNAFcMYa3Oeju33b2Tp+PdtqIwXR\"",
            ],
        ),
        ("autodiscover", "CNAME", &["mx1.acme.com."]),
        ("_sip._tcp", "SRV", &["10 60 5060 sip.acme.com."]),
        ("sip", "A", &["192.0.2.90"]),
        ("api", "A", &["192.0.2.81"]),
        ("shop", "A", &["192.0.2.82"]),
    ]
}
