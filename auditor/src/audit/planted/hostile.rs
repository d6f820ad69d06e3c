//! Replies that no honest server gives: a report comes of them, in bounded questions and without a panic.

use super::*;

/// Replies that are long, looped, cut, or of nothing but one letter.
#[test]
fn hostile_replies_end_in_findings_and_never_in_a_panic() {
    type Spoil = fn(&Asked<'_>) -> Vec<u8>;
    let spoils: [Spoil; 6] = [
        |a| a.honest[..a.honest.len() / 2].to_vec(),
        |a| [&a.honest[..12.min(a.honest.len())], &[0xff; 500]].concat(),
        // A pointer to itself in the place of the first owner name.
        |a| {
            let mut reply = bare(a, 4, 0);
            reply[7] = 1;
            let at = u8::try_from(reply.len()).unwrap();
            reply.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 1, 1, 1]);
            reply
        },
        // As many records as fit into a message.
        |a| {
            let mut reply = bare(a, 4, 0);
            reply[6..8].copy_from_slice(&4000u16.to_be_bytes());
            (0..4000u16).for_each(|n| {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 9, 9]);
                reply.extend(n.to_be_bytes());
            });
            reply
        },
        |a| [a.honest.clone(), vec![b'a'; 60_000]].concat(),
        |_| Vec::new(),
    ];
    for spoil in spoils {
        let mut world = World::healthy();
        world.hook(move |a| ours(a).then(|| Ok(spoil(a))));
        let report = world.audit_and_replay();
        assert!(report.queries < 500, "{}", report.queries);
        assert!(report.findings.iter().all(|f| f.evidence.iter().all(|e| e.answer.len() < 2000)));
    }
}

/// Whether every check still runs when these bits are turned over in replies about the Sovereign: in the octet `first` and
/// in each `stride`th after it.
fn every_check_runs(first: usize, stride: usize, bits: u8) -> bool {
    let mut world = World::healthy();
    world.hook(move |a| {
        ours(a).then(|| {
            let mut reply = a.honest.clone();
            reply.iter_mut().skip(first).step_by(stride).for_each(|octet| *octet ^= bits);
            Ok(reply)
        })
    });
    world.audit().checks.len() == CHECKS.len()
}

/// A change that makes a label with the octet 0, which then is asked for.
#[test]
fn a_name_with_any_octet_is_asked_for() {
    assert!(every_check_runs(121, 121, 0x70));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: if std::env::var_os("PDM_TEST_FULL").is_some() { 400 } else { 12 },
        ..proptest::test_runner::Config::default()
    })]

    /// Octets of every reply about the Sovereign are changed at random, but for its id; few or many of them.
    #[test]
    fn changed_octets_never_panic(first in 2usize..400, stride in 1usize..400, bits in 1u8..=255) {
        proptest::prop_assert!(every_check_runs(first, stride, bits));
    }

    /// Replies made of records at random: any section, any type, any RDATA, owners that point anywhere, counts that lie.
    #[test]
    fn replies_of_random_records_never_panic(
        records in proptest::collection::vec(
            (0usize..3, 0usize..KINDS.len(), 0usize..4, proptest::collection::vec(0u8..=255, 0..48)),
            0..16,
        ),
        lie in 0u16..3,
        flags in 0u8..=255,
    ) {
        let mut world = World::healthy();
        world.hook(move |a| {
            let mut reply = bare(a, flags & 0x07, flags >> 4);
            let mut counts = [0u16; 3];
            for (section, kind, owner, rdata) in &records {
                counts[*section] += 1;
                let itself = [0xc0, u8::try_from(reply.len()).unwrap_or(12)];
                // The question's name, the root, itself, beyond the end.
                let owner = [&[0xc0, 12][..], &[0], &itself, &[0xff, 0xff]][*owner];
                let length = u16::try_from(rdata.len()).unwrap().to_be_bytes();
                reply.extend([owner, &KINDS[*kind].to_be_bytes(), &[0, 1, 0, 0, 1, 0], &length, rdata].concat());
            }
            for (n, count) in counts.iter().enumerate() {
                reply[6 + 2 * n..8 + 2 * n].copy_from_slice(&(count + lie * 7).to_be_bytes());
            }
            ours(a).then_some(Ok(reply))
        });
        let report = world.audit();
        proptest::prop_assert!(report.checks.len() == CHECKS.len() && report.queries < 2500);
    }
}

/// Types that somebody here reads.
const KINDS: [u16; 15] = [1, 2, 5, 6, 15, 16, 28, 39, 43, 46, 47, 48, 50, 59, 257];
