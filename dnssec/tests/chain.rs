//! The chain on zones signed here: it holds when all is right, and says what is wrong when one link is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use std::collections::BTreeSet;

use pdm_dnssec::{
    Answer, Broken, Chain, Dnskey, DsDigest, KeySet, NXDOMAIN, Name, Origin, Signature, SignedSet,
    TrustedKeys, Verified, rtype, signed_data, verify,
};
use pdm_model::DsRecord;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

const NOW: i64 = 1_800_000_000;
const DAY: u32 = 86_400;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A zone with one key.
struct Zone {
    apex: Name,
    pair: EcdsaKeyPair,
    key: Dnskey,
}

impl Zone {
    fn new(apex: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let rdata = [&[1, 1, 3, 13], &pair.public_key().as_ref()[1..]].concat();
        Self { apex: name(apex), pair, key: Dnskey::from_rdata(&rdata).unwrap() }
    }

    fn ds(&self) -> BTreeSet<DsRecord> {
        BTreeSet::from([self.key.ds(&self.apex, DsDigest::Sha256)])
    }

    /// A signature over `set` as it stands in the zone at `owner`, changed by `edit` before it is made.
    fn sign_as(&self, mut set: SignedSet, owner: &Name, edit: impl FnOnce(&mut Signature)) -> SignedSet {
        let now = u32::try_from(NOW).unwrap();
        let mut signature = Signature {
            algorithm: 13,
            labels: u8::try_from(owner.signed_depth()).unwrap(),
            original_ttl: set.ttl,
            expiration: now + DAY,
            inception: now - DAY,
            key_tag: self.key.key_tag(),
            signer: self.apex.clone(),
            octets: Vec::new(),
        };
        edit(&mut signature);
        let data = signed_data(owner, &set, &signature);
        signature.octets = self.pair.sign(&SystemRandom::new(), &data).unwrap().as_ref().to_vec();
        set.signatures.push(signature);
        set
    }

    fn sign(&self, set: SignedSet) -> SignedSet {
        let owner = set.owner.clone();
        self.sign_as(set, &owner, |_| {})
    }

    fn dnskey(&self) -> SignedSet {
        self.sign(unsigned(&self.apex, rtype::DNSKEY, &[self.key.rdata()]))
    }

    fn trusted(&self) -> TrustedKeys {
        Chain::new(NOW, &mut Verified::default()).keys(&self.ds(), &self.dnskey()).unwrap()
    }

    fn check(&self, set: &SignedSet) -> Result<Origin, Broken> {
        self.check_with(set, Vec::new())
    }

    fn check_with(&self, set: &SignedSet, authorities: Vec<SignedSet>) -> Result<Origin, Broken> {
        let reply = answer(0, vec![set.clone()], authorities);
        Chain::new(NOW, &mut Verified::default()).positive(&self.trusted(), &reply, set)
    }
}

fn unsigned(owner: &Name, rtype: u16, records: &[&[u8]]) -> SignedSet {
    let mut records: Vec<Vec<u8>> = records.iter().map(|r| r.to_vec()).collect();
    records.sort();
    SignedSet { owner: owner.clone(), rtype, ttl: 300, records, signatures: Vec::new() }
}

fn address(owner: &str) -> SignedSet {
    unsigned(&name(owner), rtype::A, &[&[192, 0, 2, 1], &[192, 0, 2, 2]])
}

fn answer(rcode: u16, answers: Vec<SignedSet>, authorities: Vec<SignedSet>) -> Answer {
    Answer { rcode, authoritative: true, answers, authorities, ..Answer::default() }
}

fn nsec(zone: &Zone, owner: &str, next: &str) -> SignedSet {
    // A, RRSIG and NSEC.
    let maps = [0, 6, 0x40, 0, 0, 0, 0, 0x03];
    zone.sign(unsigned(&name(owner), rtype::NSEC, &[&[name(next).wire(), &maps].concat()]))
}

#[test]
fn a_whole_chain_holds_and_identical_signatures_are_verified_once() {
    let (parent, child) = (Zone::new("works."), Zone::new("s.works."));
    let ds: Vec<u8> = {
        let record = child.key.ds(&child.apex, DsDigest::Sha256);
        let digest = record
            .digest
            .as_bytes()
            .chunks(2)
            .map(|h| u8::from_str_radix(std::str::from_utf8(h).unwrap(), 16));
        let digest: Vec<u8> = digest.map(Result::unwrap).collect();
        [&record.key_tag.to_be_bytes()[..], &[13, 2], &digest].concat()
    };
    let (parent_keys, child_keys) = (parent.dnskey(), child.dnskey());
    let delegation = parent.sign(unsigned(&child.apex, rtype::DS, &[&ds]));
    let set = child.sign(address("api.s.works."));
    let mut verified = Verified::default();
    for _ in 0..6 {
        let mut chain = Chain::new(NOW, &mut verified);
        let top = chain.keys(&parent.ds(), &parent_keys).unwrap();
        let seen = chain.delegation(&top, &delegation).unwrap();
        assert_eq!(seen, child.ds());
        let keys = chain.keys(&seen, &child_keys).unwrap();
        let reply = answer(0, vec![set.clone()], vec![]);
        assert_eq!(chain.positive(&keys, &reply, &set), Ok(Origin::Exact));
        assert_eq!((keys.zone(), keys.keys().len()), (&child.apex, 1));
    }
    assert_eq!(verified.operations, 4);
}

#[test]
fn the_first_thing_that_is_wrong_is_named() {
    let (zone, other) = (Zone::new("z."), Zone::new("z."));
    let owner = name("a.z.");
    let now = u32::try_from(NOW).unwrap();
    let tag = zone.key.key_tag();
    let edited =
        |edit: fn(&mut Signature)| zone.check(&zone.sign_as(address("a.z."), &owner, edit)).unwrap_err();

    assert!(matches!(zone.check(&address("a.z.")), Err(Broken::NoSignature { .. })));
    assert_eq!(edited(|s| s.expiration = 1_799_999_999), Broken::Expired { tag, at: now - 1 });
    assert_eq!(edited(|s| s.inception = 1_800_000_001), Broken::NotYetValid { tag, at: now + 1 });
    assert!(matches!(edited(|s| s.signer = Name::parse("y.").unwrap()), Broken::WrongSigner { .. }));
    assert!(matches!(edited(|s| s.labels = 3), Broken::WrongOwner(_)));
    assert!(matches!(edited(|s| s.labels = 0), Broken::WrongOwner(_)));
    assert_eq!(edited(|s| s.algorithm = 5), Broken::Algorithm(5));
    assert!(matches!(edited(|s| s.key_tag ^= 1), Broken::NoKey { .. }));
    assert_eq!(edited(|s| s.original_ttl = 299), Broken::Ttl { ttl: 300, signed: 299 });
    let stranger = zone.check(&other.sign(address("a.z.")));
    assert!(matches!(stranger, Err(Broken::NoKey { .. } | Broken::BadSignature { .. })));
    let mut changed = zone.sign(address("a.z."));
    changed.records[0][3] = 9;
    assert!(matches!(zone.check(&changed), Err(Broken::BadSignature { .. })));
    let outside = zone.sign(address("a.y."));
    assert!(matches!(zone.check(&outside), Err(Broken::WrongOwner(_))));
}

#[test]
fn bounds_of_the_window_are_inside_it_and_times_wrap() {
    let zone = Zone::new("z.");
    let now = u32::try_from(NOW).unwrap();
    let exact = zone.sign_as(address("a.z."), &name("a.z."), |s| (s.inception, s.expiration) = (now, now));
    assert_eq!(zone.check(&exact), Ok(Origin::Exact));
    // Signed before and ending after 2106-02-07, when the field starts anew (RFC 4034 3.1.5).
    let keys = KeySet { zone: name("z."), keys: vec![zone.key.clone()] };
    let wrapped =
        zone.sign_as(address("a.z."), &name("a.z."), |s| (s.inception, s.expiration) = (u32::MAX - 9, 9));
    for at in [u32::MAX - 9, u32::MAX, 0, 9] {
        assert_eq!(verify(&wrapped, &keys, at, &mut Verified::default()), Ok(Origin::Exact));
    }
    assert!(verify(&wrapped, &keys, 10, &mut Verified::default()).is_err());
}

#[test]
fn one_good_signature_among_bad_ones_is_enough() {
    let zone = Zone::new("z.");
    let mut set = zone.sign_as(address("a.z."), &name("a.z."), |s| s.expiration = 1);
    set = zone.sign_as(set, &name("a.z."), |s| s.algorithm = 7);
    assert_eq!(zone.check(&zone.sign(set)), Ok(Origin::Exact));
}

#[test]
fn bad_signatures_buy_little_work() {
    let zone = Zone::new("z.");
    let mut set = zone.sign(address("a.z."));
    let good = set.signatures.remove(0);
    for n in 0..200u8 {
        let mut bad = good.clone();
        bad.octets[5] ^= n.max(1);
        set.signatures.push(bad);
    }
    let keys = KeySet { zone: name("z."), keys: vec![zone.key.clone()] };
    let mut verified = Verified::default();
    let outcome = verify(&set, &keys, u32::try_from(NOW).unwrap(), &mut verified);
    assert!(matches!(outcome, Err(Broken::BadSignature { .. })));
    assert_eq!(verified.operations, 8);
}

#[test]
fn keys_are_trusted_only_through_their_ds() {
    let (zone, other) = (Zone::new("z."), Zone::new("z."));
    let mut verified = Verified::default();
    let mut chain = Chain::new(NOW, &mut verified);
    assert!(matches!(chain.keys(&other.ds(), &zone.dnskey()), Err(Broken::DsMatchesNoKey { .. })));
    assert_eq!(chain.keys(&BTreeSet::new(), &zone.dnskey()), Err(Broken::NoDs(name("z."))));
    let sha1 = BTreeSet::from(["1 13 1 0000000000000000000000000000000000000000".parse().unwrap()]);
    assert_eq!(chain.keys(&sha1, &zone.dnskey()), Err(Broken::NoDs(name("z."))));
    // The matching key is there, but another one signs.
    let both = unsigned(&zone.apex, rtype::DNSKEY, &[zone.key.rdata(), other.key.rdata()]);
    assert!(matches!(chain.keys(&zone.ds(), &other.sign(both.clone())), Err(Broken::NoKey { .. })));
    assert_eq!(chain.keys(&zone.ds(), &zone.sign(both)).unwrap().keys().len(), 2);
    // A revoked key vouches for nothing (RFC 5011 2.1).
    let mut rdata = zone.key.rdata().to_vec();
    rdata[1] |= 0x80;
    let revoked = Dnskey::from_rdata(&rdata).unwrap();
    let ds = BTreeSet::from([revoked.ds(&zone.apex, DsDigest::Sha256)]);
    let set = zone.sign_as(unsigned(&zone.apex, rtype::DNSKEY, &[&rdata]), &zone.apex, |s| {
        s.key_tag = revoked.key_tag();
    });
    assert!(matches!(chain.keys(&ds, &set), Err(Broken::DsMatchesNoKey { .. })));
}

#[test]
fn a_zone_signs_no_ds_for_itself() {
    let zone = Zone::new("z.");
    let own = zone.sign(unsigned(&zone.apex, rtype::DS, &[&[0, 1, 13, 2, 9]]));
    let outcome = Chain::new(NOW, &mut Verified::default()).delegation(&zone.trusted(), &own);
    assert_eq!(outcome, Err(Broken::WrongOwner(name("z."))));
}

#[test]
fn a_wildcard_needs_the_proof_that_the_name_does_not_exist() {
    let zone = Zone::new("z.");
    let mut set = zone.sign_as(address("q.z."), &name("*.z."), |_| {});
    assert!(matches!(zone.check(&set), Err(Broken::NotDenied { .. })));
    assert!(matches!(zone.check_with(&set, vec![nsec(&zone, "r.z.", "z.")]), Err(Broken::NotDenied { .. })));
    assert_eq!(zone.check_with(&set, vec![nsec(&zone, "a.z.", "r.z.")]), Ok(Origin::Wildcard(name("z."))));
    let mut forged = nsec(&zone, "a.z.", "r.z.");
    forged.signatures[0].octets[0] ^= 1;
    assert!(matches!(zone.check_with(&set, vec![forged]), Err(Broken::BadSignature { .. })));
    let mut naked = nsec(&zone, "a.z.", "r.z.");
    naked.signatures.clear();
    assert!(matches!(zone.check_with(&set, vec![naked]), Err(Broken::NoSignature { .. })));
    // The answer of the wildcard itself is no expansion.
    set = zone.sign(address("*.z."));
    assert_eq!(zone.check(&set), Ok(Origin::Exact));
}

#[test]
fn absence_is_proved_by_signed_records_only() {
    let zone = Zone::new("z.");
    let (keys, mut verified) = (zone.trusted(), Verified::default());
    let mut chain = Chain::new(NOW, &mut verified);
    let both = vec![nsec(&zone, "a.z.", "r.z."), nsec(&zone, "z.", "a.z.")];
    let gone = answer(NXDOMAIN, vec![], both.clone());
    assert_eq!(chain.negative(&keys, &gone, &name("q.z."), rtype::A), Ok(()));
    assert!(chain.negative(&keys, &gone, &name("x.z."), rtype::A).is_err());
    assert!(chain.negative(&keys, &answer(NXDOMAIN, vec![], vec![]), &name("q.z."), rtype::A).is_err());
    let no_type = answer(0, vec![], both);
    assert_eq!(chain.negative(&keys, &no_type, &name("a.z."), rtype::AAAA), Ok(()));
    assert!(chain.negative(&keys, &no_type, &name("a.z."), rtype::A).is_err());
}

/// Signatures printed in RFC 6605 6.1 and 6.2 and RFC 8080 6.1.
#[test]
fn the_signatures_of_the_rfcs_verify() {
    type Vector = (&'static str, &'static str, &'static str, u16, Vec<u8>, (u32, u32), &'static str);
    let a: Vec<u8> = vec![192, 0, 2, 1];
    let mx = [&[0u8, 10][..], name("mail.example.com.").wire()].concat();
    let vectors: [Vector; 3] = [
        (
            "example.net.",
            "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            "www.example.net.",
            rtype::A,
            a.clone(),
            (1_281_607_479, 1_284_026_679),
            "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
        ),
        (
            "example.net.",
            "257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8\
             /uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40",
            "www.example.net.",
            rtype::A,
            a,
            (1_281_608_425, 1_284_027_625),
            "/L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bd\
             cJzusdnI0RSMROxxwGipWcJm",
        ),
        (
            "example.com.",
            "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
            "example.com.",
            15,
            mx,
            (1_438_207_200, 1_440_021_600),
            "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
        ),
    ];
    for (zone, key, owner, rtype, rdata, (inception, expiration), octets) in vectors {
        let key = Dnskey::parse(key).unwrap();
        let mut set = unsigned(&name(owner), rtype, &[&rdata]);
        set.ttl = 3600;
        set.signatures.push(Signature {
            algorithm: key.algorithm(),
            labels: u8::try_from(name(owner).depth()).unwrap(),
            original_ttl: 3600,
            expiration,
            inception,
            key_tag: key.key_tag(),
            signer: name(zone),
            octets: base64::Engine::decode(&base64::engine::general_purpose::STANDARD, octets).unwrap(),
        });
        let keys = KeySet { zone: name(zone), keys: vec![key] };
        assert_eq!(
            verify(&set, &keys, inception + 1, &mut Verified::default()),
            Ok(Origin::Exact),
            "{rtype}"
        );
        set.records[0][0] ^= 1;
        assert!(verify(&set, &keys, inception + 1, &mut Verified::default()).is_err());
    }
}

/// A reply as octets: question, two A records, their RRSIG.
fn reply(set: &SignedSet) -> Vec<u8> {
    let mut octets = vec![0, 7, 0x84, 0, 0, 1, 0, 3, 0, 0, 0, 0];
    octets.extend_from_slice(set.owner.wire());
    octets.extend([0, 1, 0, 1]);
    let mut record = |rtype: u16, rdata: &[u8]| {
        octets.extend_from_slice(set.owner.wire());
        octets.extend(rtype.to_be_bytes());
        octets.extend([0, 1]);
        octets.extend(set.ttl.to_be_bytes());
        octets.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
        octets.extend_from_slice(rdata);
    };
    for rdata in &set.records {
        record(set.rtype, rdata);
    }
    let s = &set.signatures[0];
    let fixed =
        [&set.rtype.to_be_bytes()[..], &[s.algorithm, s.labels], &s.original_ttl.to_be_bytes()].concat();
    let times = [s.expiration.to_be_bytes(), s.inception.to_be_bytes()].concat();
    let rest = [&s.key_tag.to_be_bytes()[..], s.signer.wire(), &s.octets].concat();
    record(rtype::RRSIG, &[fixed, times, rest].concat());
    octets
}

#[test]
fn no_changed_octet_makes_a_signed_answer_say_something_else() {
    let zone = Zone::new("z.");
    let keys = zone.trusted();
    let set = zone.sign(address("a.z."));
    let octets = reply(&set);
    let accepted = |octets: &[u8]| -> Option<SignedSet> {
        let answer = Answer::parse(octets).ok()?;
        let seen = answer.find(&name("a.z."), rtype::A)?.clone();
        let outcome = Chain::new(NOW, &mut Verified::default()).positive(&keys, &answer, &seen);
        outcome.is_ok().then_some(seen)
    };
    assert_eq!(accepted(&octets).as_ref(), Some(&set));
    let mut refused = 0;
    for at in 0..octets.len() {
        for bit in 0..8 {
            let mut changed = octets.clone();
            changed[at] ^= 1 << bit;
            match accepted(&changed) {
                Some(seen) => {
                    // Header, question and a shorter TTL are not signed; case does not count. The content is.
                    assert_eq!((&seen.owner, &seen.records), (&set.owner, &set.records), "octet {at}");
                    assert!(seen.ttl <= set.ttl, "octet {at}");
                }
                None => refused += 1,
            }
        }
    }
    let signature_and_content = 8 * (64 + 2 * 4);
    assert!(refused > signature_and_content, "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_after_a_change_of_many_octets_never_panics(
        changes in proptest::collection::vec((0usize..220, any::<u8>()), 1..12), cut in 0usize..220,
    ) {
        let zone = Zone::new("z.");
        let mut octets = reply(&zone.sign(address("a.z.")));
        for (at, value) in changes {
            let at = at % octets.len();
            octets[at] = value;
        }
        octets.truncate(octets.len().saturating_sub(cut % 3));
        if let Ok(answer) = Answer::parse(&octets) {
            let keys = zone.trusted();
            let mut verified = Verified::default();
            let mut chain = Chain::new(NOW, &mut verified);
            for set in answer.answers.iter().chain(&answer.authorities) {
                let _ = chain.positive(&keys, &answer, set);
                let _ = chain.keys(&zone.ds(), set);
                let _ = chain.delegation(&keys, set);
            }
            let _ = chain.negative(&keys, &answer, &name("a.z."), rtype::A);
        }
    }
}
