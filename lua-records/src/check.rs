//! The health check: what a nameserver does to an address to know whether it is up.

use crate::refusal::{CHECK_HOST_REFUSED, FIELD_UNUSED, INVALID_CHECK, Refusal};
use crate::spec::CheckSpec;
use crate::text::PlainText;

const DEFAULT_TCP_PORT: u16 = 443;
/// PowerDNS's own default; written out all the same, so that the text says what happens.
const DEFAULT_TIMEOUT: u8 = 2;
/// PowerDNS waits for the slowest check of all its records before the next cycle: a long one delays everybody.
const MAX_TIMEOUT: i64 = 10;
const MAX_INTERVAL: i64 = 3600;
const MAX_FAILURES: i64 = 10;

/// How to tell whether an address is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked of the address.
    pub probe: Probe,
    /// Seconds between two checks; `None` leaves the server's `lua-health-checks-interval`.
    pub interval: Option<u16>,
    /// Seconds that one check may take.
    pub timeout: u8,
    /// Failed checks in a row before the address is down.
    pub failures: u8,
}

/// What is asked of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A TCP connection opens.
    Tcp {
        /// The port.
        port: u16,
    },
    /// A URL answers well.
    Http(HttpProbe),
}

/// A URL that is fetched from the address. PowerDNS does not verify certificates and follows redirects wherever they
/// lead, so this is not for pools whose tenants are strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    /// `https` rather than `http`.
    pub tls: bool,
    /// Host of the URL: Host header and SNI, never the address connected to.
    pub host: PlainText,
    /// Port, when it is not the scheme's own.
    pub port: Option<u16>,
    /// Path and query.
    pub path: PlainText,
    /// Text that the page must hold.
    pub expect_text: Option<PlainText>,
    /// Status that the answer must have. `None`: 200 and no other, in every version (measured on 4.7.3, 4.9.18, 5.1.5).
    pub expect_status: Option<u16>,
    /// User agent of the request.
    pub user_agent: Option<PlainText>,
}

impl HttpProbe {
    /// The URL as it is rendered.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}{}", self.host, self.path)
    }
}

/// Reads one check and keeps every refusal, so that a person sees all of them at once.
pub(crate) struct CheckReader<'a> {
    spec: &'a CheckSpec,
    refusals: &'a mut Vec<Refusal>,
}

impl<'a> CheckReader<'a> {
    pub(crate) fn new(spec: &'a CheckSpec, refusals: &'a mut Vec<Refusal>) -> Self {
        Self { spec, refusals }
    }

    /// The check, or `None` with at least one refusal recorded.
    pub(crate) fn read(mut self, default_host: Option<&str>) -> Option<HealthCheck> {
        let spec = self.spec;
        let probe = match spec.kind.as_deref() {
            None | Some("tcp") => self.tcp(),
            Some("http") => self.http(false, default_host),
            Some("https") => self.http(true, default_host),
            Some(_) => {
                self.refuse(INVALID_CHECK, "type", "one of tcp, http and https");
                None
            }
        };
        let interval = self.number("interval", spec.interval, 1, MAX_INTERVAL);
        let timeout = self.number("timeout", spec.timeout.or(Some(DEFAULT_TIMEOUT.into())), 1, MAX_TIMEOUT);
        let failures = self.number("failures", spec.failures.or(Some(1)), 1, MAX_FAILURES);
        Some(HealthCheck {
            probe: probe?,
            interval: interval?,
            timeout: timeout.flatten()?,
            failures: failures.flatten()?,
        })
    }

    fn tcp(&mut self) -> Option<Probe> {
        let spec = self.spec;
        let unused = [
            ("host", spec.host.is_some()),
            ("path", spec.path.is_some()),
            ("expectText", spec.expect_text.is_some()),
            ("expectStatus", spec.expect_status.is_some()),
            ("userAgent", spec.user_agent.is_some()),
        ];
        for (field, _) in unused.iter().filter(|(_, given)| *given) {
            self.refuse(FIELD_UNUSED, field, "only checks of type http and https use it");
        }
        let port = self.number("port", spec.port.or(Some(DEFAULT_TCP_PORT.into())), 1, u16::MAX.into())??;
        unused.iter().all(|(_, given)| !given).then_some(Probe::Tcp { port })
    }

    fn http(&mut self, tls: bool, default_host: Option<&str>) -> Option<Probe> {
        let spec = self.spec;
        let host = match spec.host.as_deref().or(default_host) {
            Some(host) => self.text("host", Some(host), PlainText::host),
            None => {
                self.refuse(CHECK_HOST_REFUSED, "host", "a check of type http or https names its host");
                None
            }
        };
        let port = self.number("port", spec.port, 1, u16::MAX.into());
        let path = self.text("path", spec.path.as_deref().or(Some("/")), PlainText::path);
        let expect_text = self.text("expectText", spec.expect_text.as_deref(), PlainText::phrase);
        let expect_status = self.number("expectStatus", spec.expect_status, 100, 599);
        let user_agent = self.text("userAgent", spec.user_agent.as_deref(), PlainText::phrase);
        Some(Probe::Http(HttpProbe {
            tls,
            host: host.flatten()?,
            port: port?,
            path: path.flatten()?,
            expect_text: expect_text?,
            expect_status: expect_status?,
            user_agent: user_agent?,
        }))
    }

    /// Outer `None`: refused. Inner `None`: not given.
    fn number<N: TryFrom<i64>>(
        &mut self,
        field: &str,
        given: Option<i64>,
        min: i64,
        max: i64,
    ) -> Option<Option<N>> {
        let Some(value) = given else { return Some(None) };
        let number = (min..=max).contains(&value).then(|| N::try_from(value).ok()).flatten();
        if number.is_none() {
            self.refuse(INVALID_CHECK, field, &format!("a number from {min} to {max}"));
        }
        number.map(Some)
    }

    /// Outer `None`: refused. Inner `None`: not given.
    fn text(
        &mut self,
        field: &str,
        given: Option<&str>,
        accept: fn(&str) -> Result<PlainText, &'static str>,
    ) -> Option<Option<PlainText>> {
        let Some(text) = given else { return Some(None) };
        match accept(text) {
            Ok(text) => Some(Some(text)),
            Err(detail) => {
                self.refuse(INVALID_CHECK, field, detail);
                None
            }
        }
    }

    fn refuse(&mut self, code: &'static str, field: &str, detail: &str) {
        self.refusals.push(Refusal::new(code, format!("failover.check.{field}"), detail));
    }
}

impl From<&HealthCheck> for CheckSpec {
    fn from(check: &HealthCheck) -> Self {
        let common = Self {
            interval: check.interval.map(i64::from),
            timeout: Some(check.timeout.into()),
            failures: Some(check.failures.into()),
            ..Self::default()
        };
        match &check.probe {
            Probe::Tcp { port } => Self { kind: Some("tcp".into()), port: Some((*port).into()), ..common },
            Probe::Http(http) => Self {
                kind: Some(if http.tls { "https" } else { "http" }.into()),
                port: http.port.map(i64::from),
                host: Some(http.host.to_string()),
                path: Some(http.path.to_string()),
                expect_text: http.expect_text.as_ref().map(PlainText::to_string),
                expect_status: http.expect_status.map(i64::from),
                user_agent: http.user_agent.as_ref().map(PlainText::to_string),
                ..common
            },
        }
    }
}
