//! Namecheap: one path, parameters in the query or in the body or in both, XML whose attribute says how it went.
//!
//! Kept as it is known from the documents, from `go-namecheap-sdk`, `dnscontrol` and `PyNamecheap`: HTTP 200 for errors,
//! 405 for too many calls, lists that lose what is not said again, SRV records that nobody sees and everybody loses.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Reply, Request, Vendor};

/// What the DNS of a domain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dns {
    /// Namecheap's own, for everybody.
    Basic,
    /// Namecheap's own, paid.
    Premium,
    /// Namecheap's own for domains that are not on BasicDNS; `dns.getList` does not know them.
    Free,
    /// Nameservers that somebody entered.
    Custom,
}

/// One record of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Name inside the zone.
    pub name: String,
    /// Type.
    pub rtype: String,
    /// Content.
    pub address: String,
    /// Preference of MX.
    pub preference: String,
    /// Time to live.
    pub ttl: u32,
}

/// One domain of the account.
#[derive(Debug, Clone)]
pub struct Domain {
    /// What its DNS is.
    pub dns: Dns,
    /// Nameservers that the registry has.
    pub ns: Vec<String>,
    /// DS that were entered by hand.
    pub ds: Vec<String>,
    /// `Ok`, `Locked` or `Expired`.
    pub status: &'static str,
    /// Rights of the account; empty stands for all.
    pub rights: Vec<&'static str>,
    /// The mail setting.
    pub email_type: String,
    /// What the API shows.
    pub hosts: Vec<Host>,
    /// SRV records, which only the web interface shows.
    pub hidden: Vec<String>,
}

/// The simulator.
pub struct Namecheap {
    /// The user whose domains these are.
    pub user: String,
    /// The address that may call.
    pub address: String,
    /// Keys by user. Whoever is not [`Namecheap::user`] has no domain.
    pub keys: BTreeMap<String, String>,
    /// Lose CAA records on every write, as if somebody else wrote at the same time.
    pub drops_caa: bool,
    domains: BTreeMap<String, Domain>,
}

/// An account with one domain, and a stranger's without.
impl Default for Namecheap {
    fn default() -> Self {
        let keys = [("acme", "0123456789abcdef-acme"), ("stranger", "0123456789abcdef-stranger")];
        let keys = keys.map(|(user, key)| (user.to_owned(), key.to_owned())).into();
        let empty = Self {
            user: "acme".into(),
            address: "192.0.2.53".into(),
            keys,
            drops_caa: false,
            domains: BTreeMap::new(),
        };
        empty.with_domain("acme.example")
    }
}

const OWN: [&str; 2] = ["dns1.registrar-servers.com", "dns2.registrar-servers.com"];
const TYPES: [&str; 12] =
    ["A", "AAAA", "ALIAS", "CAA", "CNAME", "FRAME", "MX", "MXE", "NS", "TXT", "URL", "URL301"];

/// Number and words of an error.
type Refusal = (u32, String);

impl Namecheap {
    /// With a domain on BasicDNS that has mail and a web site.
    #[must_use]
    pub fn with_domain(mut self, name: &str) -> Self {
        let host = |name: &str, rtype: &str, address: String, preference: &str| Host {
            name: name.into(),
            rtype: rtype.into(),
            address,
            preference: preference.into(),
            ttl: 1799,
        };
        let hosts = vec![
            host("@", "A", "192.0.2.1".into(), "10"),
            host("www", "CNAME", format!("{name}."), "10"),
            host("@", "MX", format!("mail.{name}."), "5"),
            host("@", "TXT", "v=spf1 a mx \"quoted\" & <odd> -all".into(), "10"),
            host("@", "CAA", "0 issue \"ca.example\"".into(), "10"),
        ];
        let domain = Domain {
            dns: Dns::Basic,
            ns: OWN.map(str::to_owned).into(),
            ds: Vec::new(),
            status: "Ok",
            rights: Vec::new(),
            email_type: "MX".into(),
            hosts,
            hidden: Vec::new(),
        };
        self.domains.insert(name.into(), domain);
        self
    }

    /// A domain, to look at or to change by hand.
    pub fn domain(&mut self, name: &str) -> Option<&mut Domain> {
        self.domains.get_mut(name)
    }

    fn zone_of<'a>(&self, name: &'a str) -> Option<(&'a str, &Domain)> {
        let zone = self
            .domains
            .keys()
            .find(|zone| name.strip_suffix(zone.as_str()).is_some_and(|h| h.ends_with('.')))?;
        Some((name[..name.len() - zone.len()].trim_end_matches('.'), self.domains.get(zone)?))
    }

    fn serve(&mut self, parameters: &Parameters, command: &str) -> Result<String, Refusal> {
        self.admit(parameters)?;
        match command {
            "namecheap.domains.getlist" => Ok(self.list(parameters)),
            "namecheap.domains.getinfo" => self.info(parameters),
            "namecheap.domains.getregistrarlock" => {
                let name = parameters.get("DomainName").unwrap_or_default();
                self.domains.get(name).ok_or_else(|| unknown(name))?;
                Ok(format!("<DomainGetRegistrarLockResult Domain=\"{name}\" RegistrarLockStatus=\"true\"/>"))
            }
            "namecheap.domains.dns.getlist" => self.dns_list(parameters),
            "namecheap.domains.dns.setcustom" => self.set_custom(parameters),
            "namecheap.domains.dns.setdefault" => self.set_default(parameters),
            "namecheap.domains.dns.gethosts" => self.get_hosts(parameters),
            "namecheap.domains.dns.sethosts" => self.set_hosts(parameters),
            _ => Err((1_011_148, "the command is not there".into())),
        }
    }

    fn admit(&self, parameters: &Parameters) -> Result<(), Refusal> {
        let missing = [("ApiUser", 1_010_101), ("ApiKey", 1_010_102), ("ClientIp", 1_010_105)];
        for (name, number) in missing {
            if parameters.get(name).unwrap_or_default().is_empty() {
                return Err((number, format!("Parameter {name} is missing")));
            }
        }
        let given = |name: &str| parameters.get(name).unwrap_or_default();
        if given("ClientIp").parse::<std::net::Ipv4Addr>().is_err() {
            return Err((1_011_105, "Parameter ClientIP is invalid".into()));
        }
        if self.keys.get(given("ApiUser")).is_none_or(|key| key != given("ApiKey")) {
            return Err((1_011_102, "API Key is invalid or API access has not been enabled".into()));
        }
        if given("ClientIp") != self.address {
            return Err((1_011_150, format!("Invalid request IP: {}", given("ClientIp"))));
        }
        let name = match parameters.get("DomainName") {
            Some(name) => name.to_owned(),
            None => format!("{}.{}", given("SLD"), given("TLD")),
        };
        if given("ApiUser") != self.user && name != "." {
            return Err(unknown(&name));
        }
        Ok(())
    }

    fn named(&mut self, parameters: &Parameters) -> Result<(String, &mut Domain), Refusal> {
        let part = |name: &str| parameters.get(name).unwrap_or_default();
        let name = format!("{}.{}", part("SLD"), part("TLD"));
        let domain = self.domains.get_mut(&name).ok_or_else(|| unknown(&name))?;
        Ok((name, domain))
    }

    fn list(&self, parameters: &Parameters) -> String {
        let number = |name: &str, default: usize| {
            parameters.get(name).and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
        };
        let (page, size) = (number("Page", 1), number("PageSize", 20));
        let mut text = String::from("<DomainGetListResult>");
        for name in self.domains.keys().skip((page - 1) * size).take(size) {
            let _ = write!(
                text,
                "<Domain ID=\"1\" Name=\"{name}\" User=\"{0}\" Created=\"01/02/2020\" Expires=\"01/02/2031\" \
                 IsExpired=\"false\" IsLocked=\"false\" AutoRenew=\"false\" WhoisGuard=\"ENABLED\" IsPremium=\"false\" \
                 IsOurDNS=\"true\"/>",
                self.user
            );
        }
        let total = self.domains.len();
        let _ = write!(
            text,
            "</DomainGetListResult><Paging><TotalItems>{total}</TotalItems><CurrentPage>{page}</CurrentPage>\
             <PageSize>{size}</PageSize></Paging>"
        );
        text
    }

    fn info(&self, parameters: &Parameters) -> Result<String, Refusal> {
        let name = parameters.get("DomainName").unwrap_or_default();
        let domain = self.domains.get(name).ok_or_else(|| unknown(name))?;
        let provider = match domain.dns {
            Dns::Basic => "FREE",
            Dns::Premium => "PremiumDNS",
            Dns::Free => "FreeDNS",
            Dns::Custom => "CUSTOM",
        };
        let rights = if domain.rights.is_empty() {
            "<Modificationrights All=\"true\"/>".to_owned()
        } else {
            let all: String =
                domain.rights.iter().map(|right| format!("<Rights Type=\"{right}\">OK</Rights>")).collect();
            format!("<Modificationrights All=\"false\">{all}</Modificationrights>")
        };
        Ok(format!(
            "<DomainGetInfoResult Status=\"{}\" ID=\"57582\" DomainName=\"{name}\" OwnerName=\"{}\" IsOwner=\"true\" \
             IsPremium=\"false\"><DomainDetails><CreatedDate>01/02/2020</CreatedDate><ExpiredDate>01/02/2031</ExpiredDate>\
             <NumYears>0</NumYears></DomainDetails><LockDetails/><DnsDetails ProviderType=\"{provider}\" \
             IsUsingOurDNS=\"{}\">{}</DnsDetails>{rights}</DomainGetInfoResult>",
            domain.status,
            self.user,
            domain.dns != Dns::Custom,
            nameservers(domain),
        ))
    }

    fn dns_list(&mut self, parameters: &Parameters) -> Result<String, Refusal> {
        let (name, domain) = self.named(parameters)?;
        if domain.dns == Dns::Free {
            return Err(unknown(&name));
        }
        Ok(format!(
            "<DomainDNSGetListResult Domain=\"{name}\" IsUsingOurDNS=\"{}\" IsPremiumDNS=\"{}\" \
             IsUsingFreeDNS=\"false\">{}</DomainDNSGetListResult>",
            domain.dns != Dns::Custom,
            domain.dns == Dns::Premium,
            nameservers(domain),
        ))
    }

    fn set_custom(&mut self, parameters: &Parameters) -> Result<String, Refusal> {
        let (name, domain) = self.named(parameters)?;
        let listed = parameters.get("Nameservers").unwrap_or_default();
        let names: Vec<String> = listed.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        if domain.status != "Ok" {
            return Err((2_030_166, "Edit permission for domain is not supported".into()));
        }
        let bad = |name: &String| {
            name.is_empty() || name.ends_with('.') || !name.contains('.') || name.contains("unregistered")
        };
        if names.len() < 2 || listed.len() > 1200 || names.iter().any(bad) {
            return Err((3_031_510, "Error response from provider: nameserver not registered".into()));
        }
        domain.ns = names;
        domain.dns = Dns::Custom;
        // Records and DS of the web interface go with it.
        domain.ds.clear();
        Ok(format!("<DomainDNSSetCustomResult Domain=\"{name}\" Updated=\"true\"/>"))
    }

    fn set_default(&mut self, parameters: &Parameters) -> Result<String, Refusal> {
        let (name, domain) = self.named(parameters)?;
        domain.ns = OWN.map(str::to_owned).into();
        domain.dns = Dns::Basic;
        domain.ds.clear();
        Ok(format!("<DomainDNSSetDefaultResult Domain=\"{name}\" Updated=\"true\"/>"))
    }

    fn get_hosts(&mut self, parameters: &Parameters) -> Result<String, Refusal> {
        let (name, domain) = self.named(parameters)?;
        if domain.dns == Dns::Custom {
            return Err((
                2_030_288,
                "Cannot complete this command as this domain is not using proper DNS servers".into(),
            ));
        }
        let mut text = format!(
            "<DomainDNSGetHostsResult Domain=\"{name}\" EmailType=\"{}\" IsUsingOurDNS=\"true\">",
            domain.email_type
        );
        for (host, id) in domain.hosts.iter().zip(100..) {
            let _ = write!(
                text,
                "<host HostId=\"{id}\" Name=\"{}\" Type=\"{}\" Address=\"{}\" MXPref=\"{}\" TTL=\"{}\" \
                 AssociatedAppTitle=\"\" FriendlyName=\"\" IsActive=\"true\" IsDDNSEnabled=\"false\"/>",
                escape(&host.name),
                host.rtype,
                escape(&host.address),
                host.preference,
                host.ttl
            );
        }
        text.push_str("</DomainDNSGetHostsResult>");
        Ok(text)
    }

    fn set_hosts(&mut self, parameters: &Parameters) -> Result<String, Refusal> {
        let drops_caa = self.drops_caa;
        let (name, domain) = self.named(parameters)?;
        if domain.dns == Dns::Custom {
            return Err((
                2_030_288,
                "Cannot complete this command as this domain is not using proper DNS servers".into(),
            ));
        }
        let mut hosts = Vec::new();
        for n in 1.. {
            let part = |part: &str| parameters.get(&format!("{part}{n}"));
            let (Some(label), Some(rtype), Some(address)) =
                (part("HostName"), part("RecordType"), part("Address"))
            else {
                break;
            };
            let ttl = part("TTL").map_or(Ok(1800), str::parse::<u32>).unwrap_or(0);
            if !TYPES.contains(&rtype) || !(60..=60_000).contains(&ttl) || (rtype == "NS" && label == "@") {
                return Err((2_050_900, format!("UNABLE to add host record {n} of type {rtype}")));
            }
            let named = ["ALIAS", "CNAME", "MX", "NS"].contains(&rtype);
            let address =
                if named && !address.ends_with('.') { format!("{address}.") } else { address.to_owned() };
            hosts.push(Host {
                name: label.to_ascii_lowercase(),
                rtype: rtype.to_owned(),
                address,
                preference: if rtype == "MX" {
                    part("MXPref").unwrap_or("10").to_owned()
                } else {
                    "10".to_owned()
                },
                ttl,
            });
        }
        hosts.retain(|host| !(drops_caa && host.rtype == "CAA"));
        // What is not said again is gone, and the SRV records cannot be said at all.
        domain.hosts = hosts;
        domain.hidden.clear();
        domain.email_type = parameters.get("EmailType").unwrap_or("NONE").to_owned();
        Ok(format!(
            "<DomainDNSSetHostsResult Domain=\"{name}\" IsSuccess=\"true\"><Warnings/></DomainDNSSetHostsResult>"
        ))
    }
}

impl Vendor for Namecheap {
    fn answer(&mut self, request: &Request) -> Reply {
        if request.path != "/xml.response" {
            return Reply::text(404, "text/html", "<html><body>404</body></html>");
        }
        let parameters = Parameters::of(request);
        let command = parameters.get("Command").unwrap_or_default().to_ascii_lowercase();
        match self.serve(&parameters, &command) {
            Ok(inner) => envelope(200, "OK", "", &command, &inner),
            Err((number, words)) => failure(200, number, &words, &command),
        }
    }

    fn writes(&self, request: &Request) -> bool {
        let command = Parameters::of(request).get("Command").unwrap_or_default().to_ascii_lowercase();
        command.rsplit('.').next().is_some_and(|verb| verb.starts_with("set"))
    }

    fn busy(&self) -> Reply {
        Reply::text(405, "text/html", "Method Not Allowed")
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        let number = match status {
            401 => 1_011_102,
            403 => 4_011_103,
            404 => 2_019_166,
            429 => 500_000,
            500.. => 5_050_900,
            _ => 2_011_170,
        };
        failure(status, number, words, "")
    }

    fn ns(&self, name: &str) -> Vec<String> {
        if let Some(domain) = self.domains.get(name) {
            return domain.ns.clone();
        }
        let Some((label, domain)) = self.zone_of(name) else { return Vec::new() };
        let ours = |host: &&Host| host.name == label && host.rtype == "NS";
        domain.hosts.iter().filter(ours).map(|host| host.address.clone()).collect()
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32) {
        if let Some(domain) = self.domains.get_mut(name) {
            domain.ns = hosts.iter().map(|host| (*host).to_owned()).collect();
            domain.dns = Dns::Custom;
            return;
        }
        let Some((label, _)) = self.zone_of(name) else { return };
        let zone = name[label.len() + 1..].to_owned();
        let Some(domain) = self.domains.get_mut(&zone) else { return };
        domain.hosts.retain(|host| !(host.name == label && host.rtype == "NS"));
        domain.hosts.extend(hosts.iter().map(|host| Host {
            name: label.to_owned(),
            rtype: "NS".into(),
            address: (*host).to_owned(),
            preference: "10".into(),
            ttl,
        }));
    }

    fn ds(&self, name: &str) -> Vec<String> {
        self.domains.get(name).map(|domain| domain.ds.clone()).unwrap_or_default()
    }

    fn rest(&self, name: &str) -> String {
        let mut text = String::new();
        for (zone, domain) in &self.domains {
            let mut hosts: Vec<_> = domain
                .hosts
                .iter()
                .filter(|host| !(host.rtype == "NS" && format!("{}.{zone}", host.name) == name))
                .map(|host| format!("{host:?}"))
                .collect();
            hosts.sort();
            let ns = if zone == name { &Vec::new() } else { &domain.ns };
            let _ = writeln!(text, "{zone} {} {ns:?} {hosts:?} {:?}", domain.email_type, domain.hidden);
        }
        text
    }
}

/// Query and body together, as the real one takes them; names do not mind case.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(request: &Request) -> Self {
        Self(request.query.iter().cloned().chain(request.form()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn unknown(name: &str) -> Refusal {
    (2_019_166, format!("The domain ({name}) doesn't seem to be associated with your account"))
}

fn nameservers(domain: &Domain) -> String {
    domain.ns.iter().map(|name| format!("<Nameserver>{}</Nameserver>", escape(name))).collect()
}

fn failure(status: u16, number: u32, words: &str, command: &str) -> Reply {
    let errors = format!("<Error Number=\"{number}\">{}</Error>", escape(words));
    envelope(status, "ERROR", &errors, command, "")
}

fn envelope(http: u16, status: &str, errors: &str, command: &str, inner: &str) -> Reply {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<ApiResponse Status=\"{status}\" \
         xmlns=\"http://api.namecheap.com/xml.response\"><Errors>{errors}</Errors><Warnings/>\
         <RequestedCommand>{command}</RequestedCommand><CommandResponse Type=\"{command}\">{inner}</CommandResponse>\
         <Server>SIM</Server><GMTTimeDifference>+0:00</GMTTimeDifference><ExecutionTime>0.01</ExecutionTime></ApiResponse>"
    );
    Reply::text(http, "text/xml; charset=utf-8", &text)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
