//! A transfer of a whole zone (AXFR, RFC 5936) over TCP, taken for hostile: what comes is bounded, and only a zone between
//! two equal SOA records is one.

use std::net::SocketAddr;

use pdm_carry_over::{Collector, MAX_OCTETS};
use pdm_dnssec::{Name, PlainRecord, plain_records, rtype};
use pdm_model::ZoneName;
use ring::rand::SecureRandom;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Why;
use crate::judge::rcode;
use crate::walk::session::Net;
use crate::wire::Question;

const AXFR: u16 = 252;

pub(super) async fn transfer(net: &Net, zone: &ZoneName, at: SocketAddr) -> Result<Collector, Why> {
    let _pass = net.gate.enter(at, 1).await.map_err(Why::Refused)?;
    let refused = |e: std::io::Error| Why::Refused(e.to_string());
    let mut id = [0; 2];
    net.random.fill(&mut id).map_err(|_| Why::Refused("the system gives no random numbers".to_owned()))?;
    let question = Question::new(Name::from(zone), AXFR);
    let mut query = vec![0, 0];
    question.write(u16::from_be_bytes(id), &mut query);
    let length = u16::try_from(query.len() - 2).unwrap_or_default();
    query[..2].copy_from_slice(&length.to_be_bytes());
    let late = |_| Why::Refused("no answer in time".to_owned());
    let mut stream = timeout(net.patience, TcpStream::connect(at)).await.map_err(late)?.map_err(refused)?;
    stream.write_all(&query).await.map_err(refused)?;
    let (mut reading, mut octets) = (Reading::new(zone), 0);
    loop {
        // A server that drips holds a transfer up, not the whole survey: the caller's time is over sooner.
        let length = timeout(net.patience, stream.read_u16()).await.map_err(late)?.map_err(refused)?;
        octets += usize::from(length);
        if octets > MAX_OCTETS {
            return Err(Why::TooLarge(format!("the zone has more than {MAX_OCTETS} octets")));
        }
        let mut message = vec![0; usize::from(length)];
        stream.read_exact(&mut message).await.map_err(refused)?;
        if message.get(..2) != Some(&id) {
            return Err(Why::Refused("a message of another exchange came".to_owned()));
        }
        let (code, records) = plain_records(&message).map_err(|e| Why::Refused(e.to_string()))?;
        if code != 0 {
            return Err(Why::Refused(format!("it answers {}", rcode(code))));
        }
        if records.is_empty() {
            return Err(Why::Refused("a message without records came".to_owned()));
        }
        for record in records {
            if reading.take(record)? {
                return Ok(reading.collector);
            }
        }
    }
}

/// What came so far.
struct Reading {
    apex: Name,
    /// The SOA that began it.
    first: Option<Vec<u8>>,
    collector: Collector,
}

impl Reading {
    fn new(zone: &ZoneName) -> Self {
        Self { apex: Name::from(zone), first: None, collector: Collector::new(zone) }
    }

    /// Take a record; true when the zone is whole.
    fn take(&mut self, record: PlainRecord) -> Result<bool, Why> {
        let is_soa = record.rtype == rtype::SOA && record.owner == self.apex;
        match &self.first {
            None if is_soa => {
                self.first = Some(record.rdata);
                return Ok(false);
            }
            None => return Err(Why::Refused("the transfer does not begin with the zone's SOA".to_owned())),
            Some(first) if is_soa => {
                let same = *first == record.rdata;
                let changed = || Why::Refused("the zone changed under the transfer".to_owned());
                return same.then_some(true).ok_or_else(changed);
            }
            Some(_) => {}
        }
        self.collector.add(&record.owner, record.rtype, record.ttl, &record.rdata)?;
        Ok(false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;

    fn record(owner: &str, rtype: u16, rdata: &[u8]) -> PlainRecord {
        PlainRecord { owner: Name::parse(owner).unwrap(), rtype, ttl: 300, rdata: rdata.to_vec() }
    }

    fn reading() -> Reading {
        Reading::new(&ZoneName::parse("acme.com").unwrap())
    }

    #[test]
    fn a_zone_lies_between_two_equal_soa_records() {
        let mut whole = reading();
        assert!(!whole.take(record("acme.com.", rtype::SOA, b"1")).unwrap());
        assert!(!whole.take(record("www.acme.com.", rtype::A, &[192, 0, 2, 1])).unwrap());
        assert!(whole.take(record("acme.com.", rtype::SOA, b"1")).unwrap());
        assert_eq!(whole.collector.taken().count(), 1);
    }

    #[test]
    fn anything_else_is_no_zone() {
        assert!(reading().take(record("acme.com.", rtype::A, &[192, 0, 2, 1])).is_err());
        assert!(reading().take(record("other.com.", rtype::SOA, b"1")).is_err());
        let mut moved = reading();
        let _ = moved.take(record("acme.com.", rtype::SOA, b"1")).unwrap();
        assert!(moved.take(record("acme.com.", rtype::SOA, b"2")).is_err());
    }
}
