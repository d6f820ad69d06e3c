//! NSEC3 records (RFC 5155): hashed names and the gaps between them.

use ring::digest;

use crate::answer::SignedSet;
use crate::name::Name;

/// Iterations that are still computed. RFC 9276 3.2 lets a validator refuse anything above zero; 100 is what the large
/// resolvers do, and what an old zone may still have.
const MAX_ITERATIONS: u16 = 100;

/// How names are hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Params {
    iterations: u16,
    salt: Vec<u8>,
}

impl Params {
    /// Refuse what would only burn time.
    pub(crate) fn admit(&self) -> Result<(), u16> {
        if self.iterations > MAX_ITERATIONS { Err(self.iterations) } else { Ok(()) }
    }

    /// RFC 5155 section 5.
    pub(crate) fn hash(&self, name: &Name) -> Vec<u8> {
        let mut hash = self.round(name.wire());
        for _ in 0..self.iterations.min(MAX_ITERATIONS) {
            hash = self.round(hash.as_ref());
        }
        hash.as_ref().to_vec()
    }

    fn round(&self, octets: &[u8]) -> digest::Digest {
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(octets);
        context.update(&self.salt);
        context.finish()
    }
}

/// One record.
#[derive(Debug)]
pub(crate) struct Nsec3 {
    /// Hash of the owner name.
    pub(crate) owner: Vec<u8>,
    next: Vec<u8>,
    /// Unsigned delegations may hide in the gap.
    pub(crate) opt_out: bool,
    /// Type bit maps.
    pub(crate) types: Vec<u8>,
}

impl Nsec3 {
    /// Read one; `None` for another hash than SHA-1, unknown flags (RFC 5155 8.1, 8.2) or a broken format.
    pub(crate) fn read(zone: &Name, set: &SignedSet) -> Option<(Params, Self)> {
        let [algorithm, flags, iterations_high, iterations_low, rest @ ..] = set.records.first()?.as_slice()
        else {
            return None;
        };
        let (salt, rest) = counted(rest)?;
        let (next, types) = counted(rest)?;
        // The owner is one label, directly below the apex.
        let owner = base32hex(set.owner.labels().next()?)?;
        let known = *algorithm == 1 && flags & !1 == 0 && owner.len() == 20 && next.len() == 20;
        (known && set.owner.trimmed(set.owner.depth() - 1) == *zone).then(|| {
            let iterations = u16::from_be_bytes([*iterations_high, *iterations_low]);
            let record = Self { owner, next: next.to_vec(), opt_out: flags & 1 == 1, types: types.to_vec() };
            (Params { iterations, salt: salt.to_vec() }, record)
        })
    }

    /// The hash lies in the gap; the last record points to the first.
    pub(crate) fn covers(&self, hash: &[u8]) -> bool {
        let (owner, next) = (self.owner.as_slice(), self.next.as_slice());
        if owner < next { owner < hash && hash < next } else { owner < hash || hash < next }
    }
}

/// A field with its length in front, and what follows.
fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// RFC 4648 section 7, lower case, without padding.
fn base32hex(text: &[u8]) -> Option<Vec<u8>> {
    let (mut octets, mut buffer, mut bits) = (Vec::with_capacity(20), 0u32, 0u32);
    for byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'v' => byte - b'a' + 10,
            _ => return None,
        };
        buffer = (buffer << 5) | u32::from(digit);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            octets.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_in_rfc_5155_appendix_a() {
        let params = Params { iterations: 12, salt: vec![0xaa, 0xbb, 0xcc, 0xdd] };
        for (name, hash) in [
            ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            assert_eq!(
                params.hash(&Name::parse(name).unwrap()),
                base32hex(hash.as_bytes()).unwrap(),
                "{name}"
            );
        }
    }

    #[test]
    fn the_last_gap_wraps_around() {
        let record = |owner: u8, next: u8| Nsec3 {
            owner: vec![owner],
            next: vec![next],
            opt_out: false,
            types: Vec::new(),
        };
        assert!(record(9, 2).covers(&[1]) && record(9, 2).covers(&[10]) && !record(9, 2).covers(&[5]));
        assert!(record(2, 9).covers(&[5]) && !record(2, 9).covers(&[2]) && !record(2, 9).covers(&[9]));
    }

    #[test]
    fn a_zone_may_not_ask_for_much_hashing() {
        assert_eq!(Params { iterations: 101, salt: vec![] }.admit(), Err(101));
        assert_eq!(Params { iterations: 100, salt: vec![] }.admit(), Ok(()));
    }
}
