use super::*;

fn name(text: &str) -> ZoneName {
    ZoneName::parse(text).unwrap()
}

fn usual() -> BTreeSet<ZoneName> {
    [name("ns1.pool.example"), name("ns2.pool.example")].into()
}

fn ds() -> BTreeSet<DsRecord> {
    [format!("1 13 2 {}", "ab".repeat(32)).parse().unwrap()].into()
}

fn view(rrsets: &str) -> View {
    let mut view = View::new(name("pool.example"));
    let rrsets: Vec<RrsetIn<'_>> = serde_json::from_str(rrsets).unwrap();
    for rrset in &rrsets {
        view.add(rrset);
    }
    view
}

fn set(ns: BTreeSet<ZoneName>) -> DelegationChange {
    DelegationChange { ns: Some((ns, Ttl::new(3600))), ds: None, mark: 1 }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees => "agrees",
        Verdict::Write(_) => "write",
        Verdict::Ask => "ask",
        Verdict::Refuse(fault) => fault.code,
    }
}

const OURS: &str = r#"[{"name":"a.pool.example.","type":"NS","ttl":3600,"records":[
    {"content":"ns2.pool.example."},{"content":"ns1.pool.example."}]}]"#;
const THEIRS: &str =
    r#"[{"name":"a.pool.example.","type":"NS","ttl":3600,"records":[{"content":"ns.else.example."}]}]"#;

#[test]
fn the_second_time_changes_nothing() {
    let mut view = view("[]");
    let Verdict::Write(entry) = view.judge("a", &set(usual()), &usual(), None, None) else { panic!() };
    let mut rrsets = Vec::new();
    view.rrsets("a", &entry, &mut rrsets);
    assert_eq!(rrsets.len(), 1);
    view.wrote("a", entry);
    assert_eq!(word(&view.judge("a", &set(usual()), &usual(), None, None)), "agrees");
    assert_eq!(word(&view.judge("a", &set(BTreeSet::new()), &usual(), None, None)), "write");
}

#[test]
fn who_owns_a_delegation_is_one_table() {
    let gone = set(BTreeSet::new());
    for (rrsets, zone, want) in [
        (OURS, None, "ask"),
        (OURS, Some(ChildZone::Ours), "write"),
        (OURS, Some(ChildZone::Missing), "write"),
        (OURS, Some(ChildZone::Others), "name-not-ours"),
        (THEIRS, None, "ask"),
        (THEIRS, Some(ChildZone::Ours), "write"),
        (THEIRS, Some(ChildZone::Missing), "name-not-ours"),
        (THEIRS, Some(ChildZone::Others), "name-not-ours"),
        ("[]", None, "agrees"),
    ] {
        assert_eq!(word(&view(rrsets).judge("a", &gone, &usual(), zone, None)), want, "{rrsets} {zone:?}");
    }
}

#[test]
fn names_with_other_records_are_left_alone() {
    for owner in ["a.pool.example.", "x.a.pool.example.", "*.a.pool.example."] {
        for rtype in ["A", "TXT", "CNAME", "TYPE65402"] {
            let rrsets =
                format!(r#"[{{"name":"{owner}","type":"{rtype}","ttl":5,"records":[{{"content":"x"}}]}}]"#);
            let mut view = view(&rrsets);
            assert_eq!(word(&view.judge("a", &set(usual()), &usual(), None, None)), "name-not-ours");
            assert_eq!(view.foreign_names(&usual(), &BTreeMap::new()), [name("a.pool.example")].into());
        }
    }
    let disabled = OURS.replace(r#""content":"ns2.pool.example.""#, r#""content":"ns2.x.","disabled":true"#);
    assert_eq!(word(&view(&disabled).judge("a", &set(usual()), &usual(), None, None)), "name-not-ours");
}

#[test]
fn others_records_do_not_keep_our_delegation_from_leaving() {
    let both = OURS.replacen(
        '[',
        r#"[{"name":"x.a.pool.example.","type":"A","ttl":5,"records":[{"content":"192.0.2.1"}]},"#,
        1,
    );
    let view = view(&both);
    assert_eq!(word(&view.judge("a", &set(BTreeSet::new()), &usual(), Some(ChildZone::Ours), None)), "write");
}

#[test]
fn a_ds_never_stands_alone() {
    let view = view("[]");
    let alone = DelegationChange { ns: None, ds: Some((ds(), Ttl::new(300))), mark: 1 };
    assert_eq!(word(&view.judge("a", &alone, &usual(), None, None)), "ds-without-ns");
    let both = DelegationChange { ns: Some((usual(), Ttl::new(60))), ..alone };
    let Verdict::Write(entry) = view.judge("a", &both, &usual(), None, None) else { panic!() };
    let ns_out = set(BTreeSet::new());
    assert_eq!(word(&view.judge("a", &ns_out, &usual(), None, Some(&entry))), "ds-without-ns");
}

#[test]
fn a_changed_ttl_is_a_change() {
    let mut change = set(usual());
    assert_eq!(word(&view(OURS).judge("a", &change, &usual(), Some(ChildZone::Ours), None)), "agrees");
    change.ns = Some((usual(), Ttl::new(60)));
    assert_eq!(word(&view(OURS).judge("a", &change, &usual(), Some(ChildZone::Ours), None)), "write");
}

#[test]
fn the_mark_is_read_and_garbage_is_not() {
    let text = r#"[{"name":"_pdm.pool.example.","type":"TXT","ttl":0,"records":[],
        "comments":[{"content":"mark 5"},{"content":"mark x"},{"content":"mark 41"},{"content":"hello"}]}]"#;
    let view = view(text);
    assert_eq!(view.mark, Some(41));
    assert_eq!(view.foreign.len(), 0);
}

#[test]
fn names_of_other_zones_are_not_taken_for_ours() {
    let text = r#"[{"name":"xpool.example.","type":"A","ttl":0,"records":[{"content":"192.0.2.1"}]},
        {"name":"pool.example.","type":"TXT","ttl":0,"records":[{"content":"\"x\""}]}]"#;
    let view = view(text);
    assert_eq!(view.foreign.len() + view.children.len(), 0);
}

#[test]
fn a_serial_that_jumps_is_somebody_elses() {
    let mut view = view("[]");
    for (old, new, seconds, want) in [
        (2_026_112_401, Some(2_026_112_402), false, true),
        (2_026_112_407, Some(2_026_112_501), false, true),
        (2_026_112_401, Some(2_026_112_403), false, false),
        (2_026_112_401, Some(2_026_112_401), false, false),
        (1_795_495_524, Some(1_795_495_524), true, true),
        (7, None, false, false),
    ] {
        view.settle(old, seconds);
        assert_eq!(view.follow(new), want, "{old} {new:?}");
    }
}
