//! Names in the one form in which DNSSEC compares, hashes and signs them: uncompressed, lower case
//! (RFC 4034 section 6).

use std::cmp::Ordering;
use std::fmt;

use pdm_model::ZoneName;

/// Longest name in octets, the root's zero included (RFC 1035 2.3.4).
const MAX_WIRE: usize = 255;

/// A fully qualified name in canonical wire form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self(Box::from([0u8]))
    }

    /// From presentation form, with or without the trailing dot; `\.` and `\DDD` as in RFC 1035 section 5.1.
    /// `None` for what is not a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "." {
            return Some(Self::root());
        }
        let mut wire = Vec::with_capacity(text.len() + 2);
        let mut label = Vec::with_capacity(16);
        let mut bytes = text.bytes();
        let mut open = false;
        while let Some(byte) = bytes.next() {
            open = true;
            match byte {
                b'.' => {
                    push_label(&mut wire, &label)?;
                    label.clear();
                    open = false;
                }
                b'\\' => label.push(unescape(&mut bytes)?.to_ascii_lowercase()),
                other => label.push(other.to_ascii_lowercase()),
            }
        }
        if open {
            push_label(&mut wire, &label)?;
        }
        (!wire.is_empty()).then_some(())?;
        wire.push(0);
        (wire.len() <= MAX_WIRE).then(|| Self(wire.into()))
    }

    /// From labels, leftmost first.
    #[must_use]
    pub fn from_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut wire = Vec::with_capacity(64);
        for label in labels {
            push_label(&mut wire, label)?;
        }
        wire.push(0);
        wire.make_ascii_lowercase();
        (wire.len() <= MAX_WIRE).then(|| Self(wire.into()))
    }

    /// An uncompressed name at the start of `wire`, and how many octets it takes.
    #[must_use]
    pub fn from_wire(wire: &[u8]) -> Option<(Self, usize)> {
        let mut at = 0;
        loop {
            let length = usize::from(*wire.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            if length > 63 {
                return None;
            }
            at += length;
        }
        (at <= MAX_WIRE).then_some(())?;
        Some((Self(wire.get(..at)?.to_ascii_lowercase().into()), at))
    }

    /// The octets, the root's zero included.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels, leftmost first, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first()?;
            let (label, tail) = tail.split_at_checked(usize::from(*length))?;
            rest = tail;
            (!label.is_empty()).then_some(label)
        })
    }

    /// Number of labels without the root; a leading `*` counts.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.labels().count()
    }

    /// Number of labels as the RRSIG Labels field counts them: without the root and a leading `*` (RFC 4034 3.1.3).
    #[must_use]
    pub fn signed_depth(&self) -> usize {
        self.depth() - usize::from(self.is_wildcard())
    }

    /// True when the leftmost label is `*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// The name that is left when only the `depth` rightmost labels are kept.
    #[must_use]
    pub fn trimmed(&self, depth: usize) -> Self {
        let mut rest: &[u8] = &self.0;
        for _ in depth..self.depth() {
            let skip = rest.first().map_or(0, |length| usize::from(*length) + 1);
            rest = rest.get(skip..).unwrap_or_default();
        }
        Self(rest.into())
    }

    /// `*` under this name; `None` when that would be too long.
    #[must_use]
    pub fn wildcard(&self) -> Option<Self> {
        (self.0.len() + 2 <= MAX_WIRE).then(|| Self([b"\x01*", &*self.0].concat().into()))
    }

    /// `label` under this name; `None` when that would be too long.
    #[must_use]
    pub fn below(&self, label: &str) -> Option<Self> {
        Self::from_labels(std::iter::once(label.as_bytes()).chain(self.labels()))
    }

    /// True for the same name or one below `other`.
    #[must_use]
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.depth(), other.depth());
        mine >= theirs && self.trimmed(theirs) == *other
    }

    /// How many labels both share, counted from the root.
    #[must_use]
    pub fn shared_depth(&self, other: &Self) -> usize {
        let (mine, theirs): (Vec<_>, Vec<_>) = (self.labels().collect(), other.labels().collect());
        mine.iter().rev().zip(theirs.iter().rev()).take_while(|(a, b)| a == b).count()
    }
}

impl From<&ZoneName> for Name {
    fn from(zone: &ZoneName) -> Self {
        // A `ZoneName` fits by construction; the root stands in for the impossible.
        Self::parse(zone.as_str()).unwrap_or_else(Self::root)
    }
}

/// Canonical DNS name order (RFC 4034 6.1): by labels from the right, octet by octet.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs): (Vec<_>, Vec<_>) = (self.labels().collect(), other.labels().collect());
        mine.iter().rev().cmp(theirs.iter().rev())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= 1 {
            return f.write_str(".");
        }
        for label in self.labels() {
            for byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                    0x21..=0x7e => write!(f, "{}", char::from(*byte))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Option<()> {
    let length = u8::try_from(label.len()).ok().filter(|n| (1..=63).contains(n))?;
    wire.push(length);
    wire.extend_from_slice(label);
    Some(())
}

/// What follows a backslash.
fn unescape(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = bytes.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn names_compare_in_canonical_order() {
        // The example of RFC 4034 6.1.
        let ordered: Vec<Name> = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ]
        .map(name)
        .to_vec();
        assert!(ordered.is_sorted());
    }

    #[test]
    fn names_are_cut_and_extended_by_labels() {
        let deep = name("a.b.c.");
        assert_eq!(deep.trimmed(2), name("b.c"));
        assert_eq!(deep.trimmed(0), Name::root());
        assert_eq!(name("b.c.").wildcard().unwrap(), name("*.b.c."));
        assert_eq!(name("*.b.c.").signed_depth(), 2);
        assert_eq!(name("b.c.").below("A").unwrap(), deep);
        assert!(deep.is_at_or_below(&name("C.")));
        assert!(!name("xb.c.").is_at_or_below(&name("b.c.")));
        assert_eq!(deep.shared_depth(&name("x.c.")), 1);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "..", "a..b", ".a", "\\", "\\2", "\\999.", &"a".repeat(64), &"a.".repeat(128)] {
            assert!(Name::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(name("first\\.last.example.").depth(), 2);
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_text_reads_back(s in "\\PC{0,80}", wire in proptest::collection::vec(any::<u8>(), 0..300)) {
            for name in [Name::parse(&s), Name::from_wire(&wire).map(|(n, _)| n)].into_iter().flatten() {
                prop_assert_eq!(Name::parse(&name.to_string()).unwrap(), name.clone());
                prop_assert_eq!(Name::from_wire(name.wire()).unwrap(), (name.clone(), name.wire().len()));
            }
        }
    }
}
