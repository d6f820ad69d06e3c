//! Namecheap. One URL that takes POSTed forms and answers XML; HTTP 200 says nothing, an attribute does.
//!
//! The registry's NS set is one call and done when it answers. Records of a hosted zone can only be replaced as a
//! whole, without a version: the list is read, one name's NS changed, the whole written and read again. What the API
//! cannot say again in a write (a record of a type it does not list, a switched-off one) makes the write a refusal.

mod answer;
mod hosts;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::ZoneName;
use pdm_ports::registrar::{
    Cannot, Capability, Caveat, Change, Credential, CredentialField, CurrentState, Mode, ModeCapability,
    NsTarget, Operated, Passport, Place,
};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use zeroize::Zeroizing;

use self::answer::{Delegation, Info, judge};
use self::hosts::HostList;
use crate::Made;
use crate::admit::cannot;
use crate::flow::{About, Vendor, Written, made};
use crate::http::{Answer, Call, Http, Options, Wire};
use crate::kind::{label, present};

const BASE: &str = "https://api.namecheap.com";
const FORM: &str = "application/x-www-form-urlencoded";

/// The one of Namecheap's own kinds of DNS that a call brings back.
const BASIC_DNS: &str = "basic-dns";

const NO_DS: Cannot = Cannot {
    reason: "Namecheap has no API for DS, neither at the registry nor in its zones",
    way_out: "enter the DS in the web interface (Advanced DNS, DNSSEC), or use a parent that takes DS",
};

static ABOUT: About = About {
    id: "namecheap",
    name: "Namecheap",
    capability: Capability {
        registry_apex: Ok(ModeCapability {
            ns_min: 2,
            ns_max: 12,
            ds_cannot: Some(NO_DS),
            ..ModeCapability::LEAST
        }),
        hosted_parent: Ok(ModeCapability {
            ttl: Some((60, 60_000)),
            ds_cannot: Some(NO_DS),
            caveats: &[Caveat {
                code: "srv-records-lost",
                text: "Namecheap's API writes the whole list of records and does not know SRV: SRV records that were \
                       entered in the web interface are lost with the first write",
            }],
            ..ModeCapability::LEAST
        }),
        calls_per_minute: 20,
        parallel: 2,
    },
    fields: &[
        CredentialField::plain("api_user", "API user", "the account's user name"),
        CredentialField::secret("api_key", "API key", "Profile, Tools, Namecheap API Access"),
        CredentialField::plain(
            "username",
            "User name",
            "the account that owns the domain, when it is not the API user",
        )
        .or_none(),
        CredentialField::plain(
            "client_ip",
            "Allowed address",
            "the IPv4 address that PDM calls from, as it stands in the list of allowed addresses",
        ),
    ],
    recipe: "Profile, Tools, Namecheap API Access: switch the API on (Namecheap asks for 20 domains, 50 USD \
        of balance or 50 USD spent in two years), add PDM's fixed IPv4 address to the allowed ones, and copy the key. \
        The key has no scopes: it reaches the whole account, so make an account that holds only these domains if you can.",
};

struct Namecheap {
    wire: Wire,
}

/// The adapter.
pub(crate) fn make(http: &Arc<Http>, options: &Options) -> Made {
    made(&ABOUT, http, Namecheap { wire: Wire::new(&ABOUT, BASE, http, options, judge)? })
}

#[async_trait]
impl Vendor for Namecheap {
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        let info = self.info(domain, credential).await?;
        let blocked = info.lock.blocks_changes.clone();
        let lacks = |right: &str| {
            (!info.may(right)).then(|| format!("this account may not change {right} of {domain}"))
        };
        let elsewhere = (!info.delegation.own_dns).then(|| {
            format!("{domain} uses other nameservers than Namecheap's, so records there have no effect")
        });
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: blocked.clone().or_else(|| lacks("nameserver")),
            hosted_parent: blocked.or_else(|| lacks("hosts")).or(elsewhere),
            expires: info.expires,
            credential_expires: None,
            notes: vec!["DS records must be entered by hand at Namecheap".into()],
        })
    }

    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        let info = self.info(place.zone(), credential).await?;
        match place {
            Place::RegistryApex { domain } => self.read_apex(domain, info, credential).await,
            Place::HostedParent { zone, child } => self.read_hosted(zone, child, info, credential).await,
        }
    }

    fn refuse(&self, change: &Change, _credential: &Credential) -> Result<(), Fault> {
        match &change.ns {
            Some(NsTarget::Vendor(kind)) if kind != BASIC_DNS => Err(cannot(
                "withdraw-unsupported",
                Cannot {
                    reason: "the API brings back Namecheap's BasicDNS only, and this domain used another kind",
                    way_out: "choose the kind of DNS in the web interface (Domain, Nameservers)",
                },
            )),
            Some(NsTarget::Vendor(_) | NsTarget::Names { .. }) | None => Ok(()),
        }
    }

    async fn write(
        &self,
        change: &Change,
        _before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        match (&change.place, &change.ns) {
            (Place::RegistryApex { domain }, Some(target)) => {
                self.write_apex(domain, target, credential).await
            }
            (Place::HostedParent { zone, child }, Some(NsTarget::Names { names, ttl, .. })) => {
                self.write_hosted(zone, child, names, ttl.seconds(), credential).await
            }
            // A DS is refused by the capability, a vendor's DNS in a zone by `admit`.
            (Place::HostedParent { .. }, Some(NsTarget::Vendor(_))) | (_, None) => Ok(Written::default()),
        }
    }
}

impl Namecheap {
    /// POST one command. Everything goes into the body: the key must not stand in a URL.
    async fn call(
        &self,
        credential: &Credential,
        command: &str,
        arguments: &[(&str, &str)],
    ) -> Result<Answer, Fault> {
        let field = |name: &str| credential.get(name).unwrap_or_default();
        let client_ip = field("client_ip");
        if client_ip.parse::<Ipv4Addr>().is_err() {
            let detail = "the field \"client_ip\" is no IPv4 address, and Namecheap allows no other";
            return Err(Fault::new(Class::Credential, "credential-malformed", detail));
        }
        let api_user = field("api_user");
        let mut body = Zeroizing::new(Vec::with_capacity(1024));
        let common = [
            ("ApiUser", api_user),
            ("ApiKey", field("api_key")),
            ("UserName", credential.get("username").unwrap_or(api_user)),
            ("ClientIp", client_ip),
            ("Command", command),
        ];
        for (name, value) in common.iter().chain(arguments) {
            form(&mut body, name, value);
        }
        let call = Call {
            method: Method::POST,
            url: format!("{}/xml.response", self.wire.base),
            headers: Vec::new(),
            body: Some((FORM, body)),
        };
        self.wire.call(credential, call).await
    }

    async fn info(&self, domain: &ZoneName, credential: &Credential) -> Result<Info, Fault> {
        let arguments = [("DomainName", domain.as_str())];
        answer::info(&self.call(credential, "namecheap.domains.getInfo", &arguments).await?)
    }

    async fn read_apex(
        &self,
        domain: &ZoneName,
        info: Info,
        credential: &Credential,
    ) -> Result<CurrentState, Fault> {
        let (sld, tld) = split(domain);
        let listed =
            self.call(credential, "namecheap.domains.dns.getList", &[("SLD", sld), ("TLD", tld)]).await;
        // A domain on FreeDNS is unknown to this call although it is in the account.
        let listed = present(listed)?;
        let delegation =
            listed.map_or_else(|| Ok(info.delegation.clone()), |answer| answer::delegation(&answer))?;
        Ok(state(Mode::RegistryApex, &info, &delegation, delegation.names.clone()))
    }

    async fn read_hosted(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        info: Info,
        credential: &Credential,
    ) -> Result<CurrentState, Fault> {
        let none = state(Mode::HostedParent, &info, &info.delegation, BTreeSet::new());
        if !info.delegation.own_dns {
            return Ok(none);
        }
        let list = self.hosts(zone, credential).await?;
        if !list.own_dns {
            return Ok(CurrentState { hosted: Some(false), ..none });
        }
        let label = label(zone, child);
        let (ns, ns_ttl) = list.ns(label)?;
        Ok(CurrentState { ns, ns_ttl, ds: Some(BTreeSet::new()), other_types: list.hidden_by(label), ..none })
    }

    async fn hosts(&self, zone: &ZoneName, credential: &Credential) -> Result<HostList, Fault> {
        let (sld, tld) = split(zone);
        let arguments = [("SLD", sld), ("TLD", tld)];
        hosts::read(&self.call(credential, "namecheap.domains.dns.getHosts", &arguments).await?)
    }

    async fn write_apex(
        &self,
        domain: &ZoneName,
        target: &NsTarget,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        let (sld, tld) = split(domain);
        let answer = match target {
            NsTarget::Vendor(_) => {
                let arguments = [("SLD", sld), ("TLD", tld)];
                self.call(credential, "namecheap.domains.dns.setDefault", &arguments).await?
            }
            NsTarget::Names { names, .. } => {
                let names: Vec<_> = names.iter().map(ZoneName::as_str).collect();
                let arguments = [("SLD", sld), ("TLD", tld), ("Nameservers", &*names.join(","))];
                self.call(credential, "namecheap.domains.dns.setCustom", &arguments).await?
            }
        };
        answer::confirmed(&answer, &["Updated", "Update"])?;
        let note = "Namecheap is reported to remove the DS at the registry when nameservers change: look at the \
                    parent's DS again";
        Ok(Written { task: None, notes: vec![note.into()] })
    }

    /// Read, merge, write, read again, compare. The flow lets one writer in at a time.
    async fn write_hosted(
        &self,
        zone: &ZoneName,
        child: &ZoneName,
        names: &BTreeSet<ZoneName>,
        ttl: u32,
        credential: &Credential,
    ) -> Result<Written, Fault> {
        let before = self.hosts(zone, credential).await?;
        let wanted = before.with_ns(label(zone, child), names, ttl)?;
        let (sld, tld) = split(zone);
        let mut arguments = vec![("SLD".to_owned(), sld.to_owned()), ("TLD".to_owned(), tld.to_owned())];
        arguments.extend(wanted.arguments());
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| (&**name, &**value)).collect();
        let answer = self.call(credential, "namecheap.domains.dns.setHosts", &arguments).await?;
        answer::confirmed(&answer, &["IsSuccess"])?;
        let after = self.hosts(zone, credential).await?;
        match wanted.difference(&after) {
            None => Ok(Written::default()),
            Some(difference) => {
                let detail = format!(
                    "after the write the records of {zone} are not what was written ({difference}); somebody else \
                     writes there, or Namecheap changed them: compare the list in the web interface"
                );
                Err(Fault::new(Class::Rejected, "zone-not-as-written", detail))
            }
        }
    }
}

fn state(mode: Mode, info: &Info, delegation: &Delegation, ns: BTreeSet<ZoneName>) -> CurrentState {
    CurrentState {
        ns,
        lock: info.lock.clone(),
        expires: info.expires,
        hosted: Some(delegation.own_dns),
        operated: match &delegation.kind {
            Some(kind) if delegation.own_dns => Operated::Vendor((*kind).to_owned()),
            None if delegation.own_dns => Operated::Unknown,
            _ => Operated::Custom,
        },
        ..CurrentState::untold(mode)
    }
}

/// Second-level label and the rest. The name is a registered domain, so everything after the first dot is its TLD.
fn split(domain: &ZoneName) -> (&str, &str) {
    domain.as_str().split_once('.').unwrap_or((domain.as_str(), ""))
}

/// Append one pair of a form.
fn form(body: &mut Vec<u8>, name: &str, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if !body.is_empty() {
        body.push(b'&');
    }
    body.extend_from_slice(name.as_bytes());
    body.push(b'=');
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => body.push(byte),
            b' ' => body.push(b'+'),
            _ => body.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ZoneName {
        ZoneName::parse(text).unwrap()
    }

    #[test]
    fn names_are_split_as_the_api_wants_them() {
        assert_eq!(split(&name("acme.co.uk")), ("acme", "co.uk"));
        assert_eq!(label(&name("acme.co.uk"), &name("a.sub.acme.co.uk")), "a.sub");
    }

    #[test]
    fn a_form_encodes_what_separates() {
        let mut body = Vec::new();
        form(&mut body, "a", "b c");
        form(&mut body, "d", "0 issue \"x\"&=é");
        assert_eq!(body, b"a=b+c&d=0+issue+%22x%22%26%3D%C3%A9");
    }
}
