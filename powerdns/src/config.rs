//! Where the servers are and how to talk to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pdm_model::ZoneName;
use pdm_ports::SecretSource;
use pdm_ports::secret::Fixed;
use zeroize::Zeroizing;

/// The key of a PowerDNS API, asked for at each call: it may be replaced while we run. Never printed.
#[derive(Clone)]
pub struct ApiKey(pub(crate) Arc<dyn SecretSource>);

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(Arc::new(Fixed::new(Zeroizing::new(key))))
    }
}

impl From<Arc<dyn SecretSource>> for ApiKey {
    fn from(key: Arc<dyn SecretSource>) -> Self {
        Self(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// One PowerDNS process. All instances of one [`crate::PowerDns`] share one database.
#[derive(Debug, Clone)]
pub struct InstanceConfig {
    /// Where its web server listens: `http://127.0.0.1:8081`, optionally with a path before `/api/v1`.
    pub url: String,
    /// Its API key.
    pub api_key: ApiKey,
    /// Its id in the API's paths; PowerDNS itself knows only `localhost`.
    pub server_id: String,
    /// TLS as a workload of a mesh; that of the web when left out.
    pub tls: Option<rustls::ClientConfig>,
}

/// How to use the servers.
#[derive(Debug, Clone)]
pub struct Options {
    /// The longest one call may take; also how long a writer pauses after a call whose outcome is unknown.
    pub timeout: Duration,
    /// The longest a TCP connection may take to open.
    pub connect_timeout: Duration,
    /// Calls in flight per server. PowerDNS's listen backlog is 10: more means lost SYNs and 1 s stalls.
    pub calls_in_flight: usize,
    /// SOA RNAME of the zones that PDM creates, as a name: `hostmaster.example.org`.
    pub hostmaster: ZoneName,
    /// The operator's nameservers in order of preference; the first one that is in a zone's NS set is its SOA MNAME.
    pub nameservers: Vec<ZoneName>,
}

impl Options {
    /// The defaults: 8 s a call, 2 s to connect, 8 calls in flight.
    #[must_use]
    pub fn new(hostmaster: ZoneName, nameservers: Vec<ZoneName>) -> Self {
        Self {
            timeout: Duration::from_secs(8),
            connect_timeout: Duration::from_secs(2),
            calls_in_flight: 8,
            hostmaster,
            nameservers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let config = InstanceConfig {
            url: "http://127.0.0.1:1".into(),
            api_key: String::from("swordfish").into(),
            server_id: "localhost".into(),
            tls: None,
        };
        assert!(!format!("{config:?}").contains("swordfish"));
    }
}
