//! How a zone is signed, on a real server with either database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod support;

use std::collections::BTreeSet;

use pdm_model::ZoneName;
use pdm_model::keys::Denial;
use pdm_ports::{CdsTold, Class, KeyChange, Signing, Whose, ZoneBackend, ZoneKey};
use pdm_powerdns::PowerDns;
use support::*;

const ZONE: &str = "omantel.pool.example";

struct Zone<'a> {
    dns: &'a PowerDns,
    name: ZoneName,
}

impl Zone<'_> {
    async fn change(&self, change: KeyChange) {
        self.dns.change_signing(&self.name, &Whose::Allocation(A.to_owned()), &change).await.unwrap();
    }
    async fn read(&self) -> Signing {
        self.dns.read_signing(&self.name).await.unwrap().unwrap()
    }
    async fn key(&self, flags: u16, known: &[&str]) -> ZoneKey {
        let keys = self.read().await.keys;
        keys.into_iter().find(|k| k.flags == flags && !known.contains(&k.dnskey.as_str())).unwrap()
    }
    async fn set(&self, dnskey: &str, active: bool, published: bool) {
        self.change(KeyChange::Set { dnskey: dnskey.to_owned(), active, published }).await;
    }
}

/// Key tags of the signatures over a type.
async fn signers(server: &Pdns, rtype: &str) -> BTreeSet<String> {
    let answer = server.dig(ZONE, rtype).await;
    let sets = answer.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    sets.filter(|f| f.len() > 10 && f[3] == "RRSIG" && f[4] == rtype).map(|f| f[10].to_owned()).collect()
}

fn tag(dnskey: &str) -> String {
    pdm_dnssec::Dnskey::parse(dnskey).unwrap().key_tag().to_string()
}

async fn a_key_goes_through_every_state(server: &Pdns) {
    let dns = server.client();
    dns.create_zone(&spec(ZONE, A)).await.unwrap();
    let zone = Zone { dns: &dns, name: name(ZONE) };
    let before = zone.read().await;
    assert_eq!((before.keys.len(), before.cds, before.denial), (2, CdsTold::Off, Denial::Nsec));
    let (ksk, zsk) = (zone.key(257, &[]).await.dnskey, zone.key(256, &[]).await.dnskey);
    let set = |keys: &[&String]| keys.iter().map(|k| tag(k)).collect::<BTreeSet<_>>();
    assert_eq!((signers(server, "SOA").await, signers(server, "DNSKEY").await), (set(&[&zsk]), set(&[&ksk])));

    // Hidden: told with its RDATA, not served, and signs nothing.
    zone.change(KeyChange::Make { entry_point: false, algorithm: 13 }).await;
    let new = zone.key(256, &[&zsk]).await;
    assert!(!new.active && !new.published);
    let served = server.dig(ZONE, "DNSKEY").await;
    assert_eq!(served.matches("\tDNSKEY\t").count(), 2, "{served}");

    // Published, then signing, then alone.
    zone.set(&new.dnskey, false, true).await;
    assert_eq!(server.dig(ZONE, "DNSKEY").await.matches("\tDNSKEY\t").count(), 3);
    assert_eq!(signers(server, "SOA").await, set(&[&zsk]));
    zone.set(&new.dnskey, true, true).await;
    assert_eq!(signers(server, "SOA").await, set(&[&zsk, &new.dnskey]));
    zone.set(&zsk, false, true).await;
    assert_eq!(signers(server, "SOA").await, set(&[&new.dnskey]));
    zone.change(KeyChange::Remove { dnskey: zsk.clone() }).await;
    zone.change(KeyChange::Remove { dnskey: zsk }).await;
    assert_eq!(zone.read().await.keys.len(), 2);

    // Without an active zone key the entry point signs everything; that is what the tables of rolls rest on.
    zone.set(&new.dnskey, false, true).await;
    assert_eq!(signers(server, "SOA").await, set(&[&ksk]));
    zone.set(&new.dnskey, true, true).await;

    // Signing without being published, in another algorithm: its entry point too.
    for (entry_point, flags) in [(true, 257), (false, 256)] {
        zone.change(KeyChange::Make { entry_point, algorithm: 15 }).await;
        let key = zone.key(flags, &[&ksk, &new.dnskey]).await;
        assert_eq!(key.algorithm, 15);
        zone.set(&key.dnskey, true, false).await;
    }
    assert_eq!(signers(server, "SOA").await.len(), 2);
    assert_eq!(server.dig(ZONE, "DNSKEY").await.matches("\tDNSKEY\t").count(), 2);
    zone.change(KeyChange::Make { entry_point: true, algorithm: 8 }).await;
    assert!(zone.read().await.keys.iter().any(|k| k.algorithm == 8 && k.flags == 257));
}

async fn parents_are_told(server: &Pdns) {
    let dns = server.client();
    let zone = Zone { dns: &dns, name: name(ZONE) };
    for (told, cds, cdnskey) in [
        (CdsTold::Publish(2), " 13 2 ", "257 3 13"),
        (CdsTold::Publish(4), " 13 4 ", "257 3 13"),
        (CdsTold::Delete, "0 0 0 00", "0 3 0 AA=="),
    ] {
        zone.change(KeyChange::Tell(told)).await;
        assert_eq!(zone.read().await.cds, told);
        let (one, two) = (server.dig(ZONE, "CDS").await, server.dig(ZONE, "CDNSKEY").await);
        assert!(one.contains(cds) && two.contains(cdnskey), "{told:?}: {one} {two}");
    }
    zone.change(KeyChange::Tell(CdsTold::Off)).await;
    assert_eq!(zone.read().await.cds, CdsTold::Off);
    assert!(!server.dig(ZONE, "CDS").await.contains("\tCDS\t"));
    for denial in [Denial::Nsec3, Denial::Nsec] {
        zone.change(KeyChange::Deny(denial)).await;
        assert_eq!(zone.read().await.denial, denial);
        let parameters = server.dig(ZONE, "NSEC3PARAM").await;
        assert_eq!(parameters.contains("1 0 0 -"), denial == Denial::Nsec3, "{parameters}");
    }
}

#[tokio::test]
async fn keys_on_sqlite() {
    let server = Pdns::sqlite().await;
    a_key_goes_through_every_state(&server).await;
    parents_are_told(&server).await;
    let dns = server.client();
    let make = KeyChange::Make { entry_point: false, algorithm: 13 };
    for whose in [Whose::Allocation(B.to_owned()), Whose::Pool] {
        let fault = dns.change_signing(&name(ZONE), &whose, &make).await.unwrap_err();
        assert_eq!(fault.class, Class::NotOurs);
    }
    let gone = KeyChange::Set { dnskey: "257 3 13 AAAA".into(), active: true, published: true };
    let fault = dns.change_signing(&name(ZONE), &Whose::Allocation(A.into()), &gone).await.unwrap_err();
    assert_eq!(fault.code, "key-missing");
    assert_eq!(dns.read_signing(&name("nothing.pool.example")).await.unwrap(), None);
    assert!(!server.log().contains("PrivateKey"));
}

#[tokio::test]
async fn keys_on_postgresql() {
    let Some(database) = Postgres::start().await else {
        panic!("this test needs PostgreSQL's server programs (Debian: postgresql)");
    };
    let server = Pdns::postgres(&database, "").await;
    a_key_goes_through_every_state(&server).await;
    parents_are_told(&server).await;
}
