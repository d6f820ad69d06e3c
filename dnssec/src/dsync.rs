//! Generalized notifications (RFC 9859): whom a parent wants to be told of new CDS, and when that is told.
//!
//! A NOTIFY is a hint. Nothing waits for it: a parent that was not told, or did not listen, scans when its time comes.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_model::Timestamp;
use pdm_model::keys::{Announced, Heard};

use crate::name::Name;

/// DSYNC.
pub const DSYNC: u16 = 66;
/// CDS.
pub const CDS: u16 = 59;
/// The scheme by which a NOTIFY is sent (RFC 9859 2.1).
const NOTIFY: u8 = 1;
/// Receivers that are told at most; more would be a way to have somebody flooded.
const RECEIVERS: usize = 4;
/// Pauses after a NOTIFY that nobody took, one after the other.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
    DAY,
];
/// Of one set of CDS, so many NOTIFY at most.
pub const MAX_TOLD: u32 = 7;
const DAY: Duration = Duration::from_secs(86_400);

/// Who is to be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receiver {
    /// Its host name.
    pub target: Name,
    /// Its port.
    pub port: u16,
}

/// The receivers of NOTIFY(CDS) in a DSYNC RRset: scheme 1 for the type CDS. Anything else is meant for others.
#[must_use]
pub fn receivers<'a>(records: impl IntoIterator<Item = &'a Vec<u8>>) -> BTreeSet<Receiver> {
    let read = |rdata: &'a Vec<u8>| {
        let (head, target) = rdata.split_at_checked(5)?;
        let (rtype, scheme) = (u16::from_be_bytes([head[0], head[1]]), head[2]);
        let port = u16::from_be_bytes([head[3], head[4]]);
        let (target, length) = Name::from_wire(target)?;
        let whole = length + 5 == rdata.len();
        // The root as a target takes an invitation back.
        let invites = rtype == CDS && scheme == NOTIFY && port != 0 && target != Name::root();
        (whole && invites).then_some(Receiver { target, port })
    };
    records.into_iter().filter_map(read).take(RECEIVERS).collect()
}

/// Where `parent` says whom to tell about `child`, the more particular name first (RFC 9859 4.1). Whoever asks knows
/// the zone that delegates, so that no name in between has to be tried.
#[must_use]
pub fn lookup_names(child: &Name, parent: &Name) -> Vec<Name> {
    let Some(general) = parent.below("_dsync") else { return Vec::new() };
    if !child.is_at_or_below(parent) || child == parent {
        return Vec::new();
    }
    let front = child.labels().take(child.depth() - parent.depth());
    Name::from_labels(front.chain(general.labels())).into_iter().chain([general.clone()]).collect()
}

/// What is to be remembered of the NOTIFY that is due now; none when none is. `told` is what CDS say now, empty when
/// there are none: what was said before is then forgotten with the next set.
#[must_use]
pub fn due(before: Option<&Announced>, told: &BTreeSet<String>, now: Timestamp) -> Option<Announced> {
    if told.is_empty() {
        return None;
    }
    let Some(before) = before.filter(|before| before.what == *told) else {
        return Some(Announced { what: told.clone(), since: now, at: now, tries: 1, heard: None });
    };
    let over = before.at + pause(before)?;
    (now >= over).then(|| Announced { at: now, tries: before.tries + 1, heard: None, ..before.clone() })
}

/// How long after the last NOTIFY the next one comes; none when enough were sent. One that was taken is repeated once
/// a day for as long as the DS does not follow.
fn pause(announced: &Announced) -> Option<Duration> {
    if announced.tries >= MAX_TOLD {
        return None;
    }
    if matches!(announced.heard, Some(Heard::Taken | Heard::NotInvited)) {
        return Some(DAY);
    }
    let index = usize::try_from(announced.tries.saturating_sub(1)).unwrap_or(usize::MAX);
    PAUSES.get(index).copied().or(Some(DAY))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn rdata(rtype: u16, scheme: u8, port: u16, target: &str) -> Vec<u8> {
        [&rtype.to_be_bytes()[..], &[scheme], &port.to_be_bytes(), name(target).wire()].concat()
    }

    #[test]
    fn names_are_those_of_the_rfc() {
        let names = |child: &str, parent: &str| -> Vec<String> {
            lookup_names(&name(child), &name(parent)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names("child.example.", "example."), ["child._dsync.example.", "_dsync.example."]);
        assert_eq!(
            names("city.ise.mie.jp.", "jp."),
            ["city.ise.mie._dsync.jp.", "_dsync.jp."],
            "a parent several labels above"
        );
        assert_eq!(names("example.", "example."), [""; 0]);
        assert_eq!(names("example.", "other."), [""; 0]);
    }

    #[test]
    fn only_an_invitation_to_notify_of_cds_counts() {
        // RFC 9859 2.2: `_dsync.example.net. IN DSYNC CDS NOTIFY 5359 rr-endpoint.example.`, as octets.
        let good = rdata(59, 1, 5359, "rr-endpoint.example.");
        assert_eq!(good[..5], [0, 59, 1, 0x14, 0xef]);
        let cut = good[..good.len() - 1].to_vec();
        let longer = [&good[..], &[0]].concat();
        let others = [
            rdata(62, 1, 5359, "csync.example."),
            rdata(59, 128, 5359, "private.example."),
            rdata(59, 1, 0, "no-port.example."),
            rdata(59, 1, 53, "."),
            cut,
            longer,
            vec![],
        ];
        let found = receivers(others.iter().chain([&good]));
        assert_eq!(found, BTreeSet::from([Receiver { target: name("rr-endpoint.example."), port: 5359 }]));
        let many: Vec<_> = (1..100).map(|port| rdata(59, 1, port, "flood.example.")).collect();
        assert_eq!(receivers(&many).len(), RECEIVERS);
    }

    #[test]
    fn a_set_is_told_at_once_and_then_a_bounded_number_of_times() {
        let set = |text: &str| BTreeSet::from([text.to_owned()]);
        assert_eq!(due(None, &BTreeSet::new(), Timestamp(0)), None, "nothing is published");
        for (heard, least) in [
            (None, Duration::from_secs(30)),
            (Some(Heard::Silent), Duration::from_secs(30)),
            (Some(Heard::Refused(5)), Duration::from_secs(30)),
            (Some(Heard::Taken), DAY),
        ] {
            let mut now = Timestamp(1_000);
            let mut told = due(None, &set("one"), now).unwrap();
            let mut sent = 1;
            let mut first = None;
            for _ in 0..20_000 {
                told.heard = heard.clone();
                now = now + Duration::from_secs(60);
                if let Some(next) = due(Some(&told), &set("one"), now) {
                    first.get_or_insert(now.since(told.at));
                    told = next;
                    sent += 1;
                }
            }
            assert_eq!((sent, told.tries, told.since), (MAX_TOLD, MAX_TOLD, Timestamp(1_000)), "{heard:?}");
            assert!(first.unwrap() >= least, "{heard:?}");
            // Another set is news again, at once.
            let other = due(Some(&told), &set("two"), now).unwrap();
            assert_eq!((other.tries, other.since, other.what), (1, now, set("two")));
        }
    }
}
