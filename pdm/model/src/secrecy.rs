//! Where a secret may travel.

use std::net::IpAddr;

/// An address that tokens, keys and passwords may be sent to: over TLS, or within this machine. `host` may be an IPv6
/// address in brackets.
///
/// # Errors
/// What is wrong with it, to be told beside the setting that holds it.
pub fn may_carry_secrets(scheme: &str, host: Option<&str>) -> Result<(), &'static str> {
    let host = host.filter(|host| !host.is_empty()).ok_or("there is no host")?;
    let here = || {
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    match scheme {
        "https" => Ok(()),
        "http" if here() => Ok(()),
        _ => Err("https is needed beyond this machine"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (scheme, host) in [
            ("https", "id.example"),
            ("http", "127.0.0.1"),
            ("http", "127.9.9.9"),
            ("http", "[::1]"),
            ("http", "localhost"),
        ] {
            assert_eq!(may_carry_secrets(scheme, Some(host)), Ok(()), "{scheme}://{host}");
        }
        for (scheme, host) in [
            ("http", Some("id.example")),
            ("http", Some("10.0.0.1")),
            ("http", Some("localhost.example")),
            ("ftp", Some("[::1]")),
            ("file", None),
            ("https", None),
            ("https", Some("")),
        ] {
            assert!(may_carry_secrets(scheme, host).is_err(), "{scheme}://{host:?}");
        }
    }
}
