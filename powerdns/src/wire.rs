//! The JSON that goes out, and the small shapes that come in.

use std::borrow::Cow;

use pdm_model::canonical::Change;
use pdm_model::rrset::RRset;
use pdm_model::{RecordType, Ttl, ZoneName};
use pdm_ports::{Class, Fault, Stamp, ZoneSpec};
use serde::{Deserialize, Serialize};

use crate::escapes::Form;
use crate::ownership;

/// An RRset as PowerDNS gives it. Fields of later versions are not an error.
#[derive(Debug, Deserialize)]
pub(crate) struct RrsetIn<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    pub(crate) rtype: Cow<'a, str>,
    #[serde(default)]
    pub(crate) ttl: u32,
    #[serde(borrow, default)]
    pub(crate) records: Vec<RecordIn<'a>>,
    #[serde(borrow, default)]
    pub(crate) comments: Vec<CommentIn<'a>>,
}

/// One record of it.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordIn<'a> {
    #[serde(borrow)]
    pub(crate) content: Cow<'a, str>,
    #[serde(default)]
    pub(crate) disabled: bool,
}

/// One comment of it.
#[derive(Debug, Deserialize)]
pub(crate) struct CommentIn<'a> {
    #[serde(borrow)]
    pub(crate) content: Cow<'a, str>,
}

impl RrsetIn<'_> {
    /// As the model has it; none when nothing of it is served. Comments without records, which PowerDNS shows as an
    /// empty set, and disabled records are not in the DNS.
    pub(crate) fn served(&self) -> Option<RRset> {
        let contents: Vec<&str> =
            self.records.iter().filter(|r| !r.disabled).map(|r| r.content.as_ref()).collect();
        if contents.is_empty() {
            return None;
        }
        let rtype = RecordType::from(self.rtype.as_ref().to_owned());
        Some(RRset::new(self.name.as_ref(), rtype, Ttl::new(self.ttl), contents))
    }
}

/// An RRset as PowerDNS wants it.
#[derive(Serialize)]
pub(crate) struct RrsetOut<'a> {
    pub(crate) name: Cow<'a, str>,
    #[serde(rename = "type")]
    pub(crate) rtype: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changetype: Option<&'static str>,
    /// None leaves the records as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<Vec<RecordOut<'a>>>,
    /// None leaves the comments as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comments: Option<Vec<CommentOut>>,
}

#[derive(Serialize)]
pub(crate) struct RecordOut<'a> {
    pub(crate) content: Cow<'a, str>,
}

#[derive(Serialize)]
pub(crate) struct CommentOut {
    content: String,
    account: &'static str,
}

impl CommentOut {
    pub(crate) fn ours(content: String) -> Vec<Self> {
        vec![Self { content, account: ownership::COMMENT_ACCOUNT }]
    }
}

impl<'a> RrsetOut<'a> {
    /// Write this whole RRset.
    pub(crate) fn replace<C: Into<Cow<'a, str>>>(
        name: impl Into<Cow<'a, str>>,
        rtype: impl Into<Cow<'a, str>>,
        ttl: Ttl,
        contents: impl IntoIterator<Item = C>,
    ) -> Self {
        let records = contents.into_iter().map(|content| RecordOut { content: content.into() }).collect();
        Self {
            name: name.into(),
            rtype: rtype.into(),
            ttl: Some(ttl.seconds()),
            changetype: Some("REPLACE"),
            records: Some(records),
            comments: None,
        }
    }

    /// Remove an RRset. It need not be there.
    pub(crate) fn delete(name: impl Into<Cow<'a, str>>, rtype: impl Into<Cow<'a, str>>) -> Self {
        Self {
            name: name.into(),
            rtype: rtype.into(),
            ttl: None,
            changetype: Some("DELETE"),
            records: None,
            comments: None,
        }
    }

    /// Write the comment of an RRset and leave its records, if it has any, as they are.
    pub(crate) fn comment(name: impl Into<Cow<'a, str>>, rtype: &'static str, content: String) -> Self {
        Self {
            name: name.into(),
            rtype: rtype.into(),
            ttl: None,
            changetype: Some("REPLACE"),
            records: None,
            comments: Some(CommentOut::ours(content)),
        }
    }

    fn from_model(rrset: &'a RRset, form: Form) -> Result<Self, Fault> {
        let rtype = type_out(&rrset.rtype)?;
        if rrset.rtype == RecordType::Lua {
            rrset.records.iter().try_for_each(|content| inert(&rrset.owner, content))?;
        }
        Ok(Self::replace(
            rrset.owner.as_str(),
            rtype,
            rrset.ttl,
            rrset.records.iter().map(|content| form.of(content)),
        ))
    }
}

/// A type's name, unless it is given by number: `TYPE65402` is LUA, which is code, and PowerDNS takes other
/// spellings of the number too.
fn type_out(rtype: &RecordType) -> Result<&str, Fault> {
    let name = rtype.as_str();
    if name.starts_with("TYPE") || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return Err(Fault::new(
            Class::Rejected,
            "record-type",
            format!("the record type {name} is not written"),
        ));
    }
    Ok(name)
}

/// The outline of what `pdm-lua-records` renders. It is code for the nameserver, so the last place before PowerDNS looks
/// once more: A or AAAA, one string on one line, nothing that would have to be escaped, and our mark at its end.
fn inert(owner: &str, content: &str) -> Result<(), Fault> {
    let code = content.strip_prefix("A \"").or_else(|| content.strip_prefix("AAAA \""));
    let code = code.and_then(|code| code.strip_suffix('"')).filter(|code| {
        let plain = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
        code.len() <= 8192 && code.bytes().all(plain) && code.contains(" -- pdm1 ")
    });
    if code.is_some() {
        return Ok(());
    }
    let detail = format!("the LUA record at {owner} was not rendered by PDM; it is not written");
    Err(Fault::new(Class::Rejected, "record-type", detail))
}

#[derive(Serialize)]
struct Patch<'a> {
    rrsets: &'a [RrsetOut<'a>],
}

/// The body of a PATCH.
pub(crate) fn patch(rrsets: &[RrsetOut<'_>]) -> Result<Vec<u8>, Fault> {
    to_json(&Patch { rrsets })
}

/// Any JSON body.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| Fault::new(Class::Bug, "powerdns-request", error.to_string()))
}

#[derive(Serialize)]
struct NewZone<'a> {
    name: String,
    kind: &'static str,
    dnssec: bool,
    soa_edit_api: &'static str,
    account: String,
    /// Must be there, and stays empty: the NS RRset below carries its own TTL and the mark.
    nameservers: [&'static str; 0],
    rrsets: Vec<RrsetOut<'a>>,
}

/// The body that creates a zone. Serial 0 lets PowerDNS choose the first one (DEFAULT: `YYYYMMDD01`).
pub(crate) fn new_zone(spec: &ZoneSpec, mname: &ZoneName, rname: &ZoneName) -> Result<Vec<u8>, Fault> {
    let apex = spec.name.dotted();
    let mut rrsets = Vec::with_capacity(spec.rrsets.len() + 1);
    let mut soa_ttl = None;
    for rrset in &spec.rrsets {
        let mut out = RrsetOut::from_model(rrset, Form::Once)?;
        out.changetype = None;
        if rrset.rtype == RecordType::Ns && rrset.owner == apex {
            soa_ttl = Some(rrset.ttl);
            out.comments = Some(CommentOut::ours(ownership::comment(&spec.stamp)));
        }
        if rrset.rtype != RecordType::Soa {
            rrsets.push(out);
        }
    }
    let Some(soa_ttl) = soa_ttl else {
        return Err(Fault::new(Class::Bug, "apex-ns-missing", "a zone without an NS RRset at its apex"));
    };
    rrsets.push(soa(&apex, soa_ttl, mname, rname, spec.negative));
    to_json(&NewZone {
        name: apex,
        kind: "Native",
        dnssec: true,
        soa_edit_api: "DEFAULT",
        account: ownership::account(&spec.stamp.allocation),
        nameservers: [],
        rrsets,
    })
}

/// The SOA of a new zone; given in full so that it does not depend on the server's `default-soa-content`.
pub(crate) fn soa<'a>(
    apex: &str,
    ttl: Ttl,
    mname: &ZoneName,
    rname: &ZoneName,
    negative: Ttl,
) -> RrsetOut<'a> {
    let content = format!("{mname}. {rname}. 0 14400 3600 604800 {}", negative.seconds());
    RrsetOut { changetype: None, ..RrsetOut::replace(apex.to_owned(), "SOA", ttl, [content]) }
}

/// The body that changes a zone and renews its mark.
pub(crate) fn change(
    zone: &ZoneName,
    changes: &[Change],
    stamp: &Stamp,
    form: Form,
) -> Result<Vec<u8>, Fault> {
    let apex = zone.dotted();
    let mark = ownership::comment(stamp);
    let mut marked = false;
    let mut rrsets = Vec::with_capacity(changes.len() + 1);
    for change in changes {
        match change {
            Change::Replace(rrset) => {
                let mut out = RrsetOut::from_model(rrset, form)?;
                if rrset.rtype == RecordType::Ns && rrset.owner == apex {
                    // PowerDNS refuses the same RRset twice in one PATCH.
                    out.comments = Some(CommentOut::ours(mark.clone()));
                    marked = true;
                }
                rrsets.push(out);
            }
            Change::Delete(owner, rtype) if *rtype == RecordType::Ns && *owner == apex => {
                let text = "the NS RRset at the apex is never removed";
                return Err(Fault::new(Class::Bug, "apex-ns-missing", text));
            }
            Change::Delete(owner, rtype) => rrsets.push(RrsetOut::delete(owner.as_str(), type_out(rtype)?)),
        }
    }
    if !marked {
        rrsets.push(RrsetOut::comment(apex, "NS", mark));
    }
    patch(&rrsets)
}

/// The body that changes RRsets of a zone without a mark.
pub(crate) fn plain_changes(changes: &[Change]) -> Result<Vec<u8>, Fault> {
    fn one(change: &Change) -> Result<RrsetOut<'_>, Fault> {
        match change {
            Change::Replace(rrset) => RrsetOut::from_model(rrset, Form::Once),
            Change::Delete(owner, rtype) => Ok(RrsetOut::delete(owner.as_str(), type_out(rtype)?)),
        }
    }
    patch(&changes.iter().map(one).collect::<Result<Vec<_>, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp { allocation: "a".into(), owner: "o".into(), generation: 1 }
    }

    fn zone() -> ZoneName {
        ZoneName::parse("x.example").unwrap()
    }

    #[test]
    fn a_change_carries_the_mark_once() {
        let ns = RRset::new("x.example.", RecordType::Ns, Ttl::new(60), ["ns1.example."]);
        for changes in [vec![], vec![Change::Replace(ns)]] {
            let body = String::from_utf8(change(&zone(), &changes, &stamp(), Form::Once).unwrap()).unwrap();
            assert_eq!(body.matches("\"NS\"").count(), 1, "{body}");
            assert_eq!(body.matches("generation").count(), 1, "{body}");
        }
    }

    #[test]
    fn code_that_was_not_rendered_here_is_refused() {
        let change_to = |content: &str| {
            let rrset = RRset::new("x.example.", RecordType::Lua, Ttl::new(1), [content]);
            change(&zone(), &[Change::Replace(rrset)], &stamp(), Form::Once)
        };
        assert!(change_to("A \"ifportup(443,{'192.0.2.1'},{}) -- pdm1 all all a:1\"").is_ok());
        for bad in [
            "A \"ifportup(443,{'192.0.2.1'},{})\"",
            "TXT \";os.execute('id') -- pdm1 all\"",
            "A \"x\" \" -- pdm1 \"",
            "A \"\\\" -- pdm1 \"",
            "A \"x\n -- pdm1 \"",
            "A ",
            "",
        ] {
            assert_eq!(change_to(bad).unwrap_err().code, "record-type", "{bad}");
        }
    }

    #[test]
    fn code_by_number_is_refused() {
        let rrset = RRset {
            owner: "x.example.".into(),
            rtype: RecordType::Other("TYPE065402".into()),
            ttl: Ttl::new(1),
            records: [String::new()].into(),
        };
        let fault = change(&zone(), &[Change::Replace(rrset)], &stamp(), Form::Once).unwrap_err();
        assert_eq!(fault.code, "record-type");
    }

    #[test]
    fn the_apex_keeps_its_nameservers() {
        let gone = Change::Delete("x.example.".into(), RecordType::Ns);
        assert_eq!(change(&zone(), &[gone], &stamp(), Form::Once).unwrap_err().class, Class::Bug);
    }
}
