//! `[pages]`: how people reach the pages, and whose pages may show the wizard in a frame.

use super::section::Reader;
use super::value;

/// How the pages are served.
#[derive(Debug, Default)]
pub struct PagesConfig {
    /// Origins whose pages may show the wizard in a frame.
    pub frame_ancestors: Vec<String>,
    /// Cookies travel by HTTPS alone.
    pub secure_cookies: bool,
    /// Where people reach the pages, without a slash at the end; for the way back from an issuer's page.
    pub address: Option<String>,
    /// Addresses that calls to registrars come from.
    pub egress: Vec<std::net::IpAddr>,
}

/// Read the section.
pub(super) fn read(mut r: Reader<'_>) -> Option<PagesConfig> {
    let frame_ancestors = r.get("frame_ancestors", |v| value::words(v)?.iter().map(|o| origin(o)).collect());
    let secure_cookies = r.get("secure_cookies", value::flag);
    let address = r.get("address", |v| origin(&value::url(v)?));
    let egress = r.get("egress", |v| {
        let parsed =
            value::words(v)?.into_iter().map(|a| a.parse().map_err(|_| format!("{a:?} is no address")));
        parsed.collect()
    });
    if secure_cookies == Some(true) && address.as_ref().is_some_and(|a| a.starts_with("http:")) {
        r.problem("secure_cookies", "such cookies do not travel to an http:// address");
    }
    Some(PagesConfig {
        frame_ancestors: frame_ancestors?,
        secure_cookies: secure_cookies?,
        address,
        egress: egress?,
    })
}

/// An exact origin (RFC 6454): scheme, host and port. Patterns would let in whoever gets a name below them, and a path
/// means nothing in a policy.
fn origin(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b);
    match rest {
        Some(rest) if !rest.is_empty() && rest.bytes().all(plain) => Ok(text.to_owned()),
        _ => Err(format!(
            "{text:?} is not an exact origin: scheme://host or scheme://host:port, in lower case, without * and /"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn only_exact_origins_are_taken() {
        for good in [
            "https://console.example",
            "https://console.example:8443",
            "http://127.0.0.2:81",
            "http://[::1]:81",
        ] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "*",
            "https://*.example",
            "https://console.example/",
            "console.example",
            "https://",
            "'self'",
            "https:",
            "https://A.example",
            "https://a.example https://b.example",
            "data:",
            "https://a.example;script-src",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
