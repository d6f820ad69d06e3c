//! Reading a zone: its settings as a value, its RRsets one by one as they are parsed, so that a pool of 10,000
//! delegations is never held twice.

use std::fmt;

use pdm_ports::Fault;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::answer::garbage;
use crate::wire::RrsetIn;

/// A zone without its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ZoneHead {
    pub(crate) account: String,
    /// The serial in the database. `edited_serial` is what SOA-EDIT makes of it and moves by the calendar.
    pub(crate) serial: u32,
    pub(crate) dnssec: bool,
    pub(crate) kind: String,
    pub(crate) soa_edit_api: String,
    pub(crate) nsec3param: String,
    pub(crate) nsec3narrow: bool,
}

/// Read the answer to `GET zones/Z`, giving every RRset to `each`.
pub(crate) fn read(body: &[u8], each: &mut dyn FnMut(&RrsetIn<'_>)) -> Result<ZoneHead, Fault> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let head = ZoneSeed { each }.deserialize(&mut parser).map_err(|error| garbage("zone", &error))?;
    parser.end().map_err(|error| garbage("zone", &error))?;
    Ok(head)
}

struct ZoneSeed<'f> {
    each: &'f mut dyn FnMut(&RrsetIn<'_>),
}

impl<'de> DeserializeSeed<'de> for ZoneSeed<'_> {
    type Value = ZoneHead;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ZoneHead, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ZoneSeed<'_> {
    type Value = ZoneHead;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a zone")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ZoneHead, A::Error> {
        let mut head = ZoneHead::default();
        let mut named = false;
        while let Some(key) = map.next_key::<Field>()? {
            match key {
                // The one field that every answer about a zone has: `{}` is not a zone of serial 0.
                Field::Name => {
                    named = !map.next_value::<String>()?.is_empty();
                }
                Field::Account => head.account = map.next_value::<Option<String>>()?.unwrap_or_default(),
                Field::Serial => head.serial = map.next_value()?,
                Field::Dnssec => head.dnssec = map.next_value()?,
                Field::Kind => head.kind = map.next_value()?,
                Field::SoaEditApi => {
                    head.soa_edit_api = map.next_value::<Option<String>>()?.unwrap_or_default();
                }
                Field::Nsec3param => {
                    head.nsec3param = map.next_value::<Option<String>>()?.unwrap_or_default();
                }
                Field::Nsec3narrow => head.nsec3narrow = map.next_value()?,
                Field::Rrsets => map.next_value_seed(RrsetsSeed { each: &mut *self.each })?,
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if named { Ok(head) } else { Err(serde::de::Error::missing_field("name")) }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Name,
    Account,
    Serial,
    Dnssec,
    Kind,
    SoaEditApi,
    Nsec3param,
    Nsec3narrow,
    Rrsets,
    #[serde(other)]
    Other,
}

struct RrsetsSeed<'f> {
    each: &'f mut dyn FnMut(&RrsetIn<'_>),
}

impl<'de> DeserializeSeed<'de> for RrsetsSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RrsetsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RRsets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(rrset) = seq.next_element::<RrsetIn<'de>>()? {
            (self.each)(&rrset);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_whatever_the_order_and_the_unknown_fields() {
        let body = br#"{"rrsets":[{"name":"a.","type":"A","ttl":5,"records":[{"content":"192.0.2.1","new":1}],
            "comments":[]},{"name":"b.","type":"TXT","comments":[{"content":"x \"y\""}]}],"serial":7,"name":"a.",
            "account":"pdm:1","later":{"x":[1]},"edited_serial":9}"#;
        let mut seen = Vec::new();
        let head = read(body, &mut |rrset| seen.push((rrset.name.to_string(), rrset.served()))).unwrap();
        assert_eq!((head.serial, head.account.as_str()), (7, "pdm:1"));
        assert_eq!(seen.len(), 2);
        assert!(seen[0].1.is_some() && seen[1].1.is_none());
    }

    #[test]
    fn garbage_is_refused_with_a_code() {
        for body in ["", "{", "[]", "{}", "<html>", r#"{"name":"a.","serial":"x"}"#, r#"{"name":"a."} x"#] {
            let fault = read(body.as_bytes(), &mut |_| ()).unwrap_err();
            assert_eq!(fault.code, "powerdns-garbage", "{body}");
        }
    }
}
