//! Moves between operators as validating caches see them: a small world of parent servers that lag, two operators, and
//! caches that keep what they learn as long as they may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::BTreeSet;

use pdm_model::handover::{
    Ability, Case, ChildSight, Look, Memory, Operator, ParentSight, Side, Stage, Write, admit, plan,
};
use pdm_model::{DsRecord, Timestamp, Ttl, ZoneName};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// One of the two operators.
type Op = usize;
const OLD: Op = 0;
const NEW: Op = 1;

fn ns_of(op: Op) -> BTreeSet<ZoneName> {
    let host = |n| ZoneName::parse(&format!("ns{n}.op{op}.example")).unwrap();
    BTreeSet::from([host(1), host(2)])
}

fn key_of(op: Op) -> DsRecord {
    format!("{} 13 2 {}", 1000 + op, "ab".repeat(32)).parse().unwrap()
}

fn keys_of(op: Op, signed: bool) -> BTreeSet<DsRecord> {
    if signed { BTreeSet::from([key_of(op)]) } else { BTreeSet::new() }
}

fn zone() -> ZoneName {
    ZoneName::parse("acme.example").unwrap()
}

/// Seconds in a tick: what we wrote stops being under way after five.
const TICK: u32 = 5 * 3600;

fn ttl(ticks: u32) -> Ttl {
    Ttl::new(ticks * TICK)
}

/// TTLs in ticks.
#[derive(Debug, Clone)]
struct Shape {
    parents: usize,
    signed: [bool; 2],
    parent_ns: u32,
    parent_ds: u32,
    apex: [u32; 2],
    record: [u32; 2],
    lag: u32,
    /// The old DS went out by hand just before the first look.
    withdrawn_before: bool,
    seed: [u8; 32],
}

fn shape() -> impl Strategy<Value = Shape> {
    let two = || [1u32..7, 1u32..7];
    (1usize..5, any::<bool>(), 1u32..7, 1u32..7, two(), two(), 0u32..5, any::<bool>(), any::<[u8; 32]>())
        .prop_map(|(parents, signed, parent_ns, parent_ds, apex, record, lag, before, seed)| Shape {
            parents,
            signed: [signed, true],
            parent_ns,
            parent_ds,
            apex,
            record,
            lag,
            // Only the TTL of the delegation is there to be measured then.
            withdrawn_before: before && signed && parent_ds <= parent_ns,
            seed,
        })
}

/// One parent server: what it answers, and what is on its way to it.
#[derive(Debug, Clone, Default)]
struct Parent {
    ns: Option<Op>,
    ds: Option<Op>,
    coming: Vec<(u32, bool, Option<Op>)>,
}

struct World {
    shape: Shape,
    now: u32,
    parents: Vec<Parent>,
    serving: [bool; 2],
    rng: TestRng,
}

#[derive(Default, Clone)]
struct Cache {
    ns: Option<(Option<Op>, u32, bool)>,
    ds: Option<(Option<Op>, u32)>,
    keys: Option<(Op, u32)>,
    record: Option<(Op, u32)>,
}

impl World {
    fn new(shape: Shape) -> Self {
        let ds = (shape.signed[OLD]).then_some(OLD);
        let parents = vec![Parent { ns: Some(OLD), ds, coming: vec![] }; shape.parents];
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &shape.seed);
        Self { shape, now: 100, parents, serving: [true, false], rng }
    }

    fn roll(&mut self, below: u32) -> u32 {
        self.rng.next_u32() % below
    }

    fn time(&self) -> Timestamp {
        Timestamp(i64::from(self.now) * i64::from(TICK) * 1000)
    }

    fn tick(&mut self) {
        self.now += 1;
        for parent in &mut self.parents {
            let (due, later): (Vec<_>, Vec<_>) =
                parent.coming.drain(..).partition(|(at, ..)| *at <= self.now);
            parent.coming = later;
            for (_, is_ns, op) in due {
                if is_ns { parent.ns = op } else { parent.ds = op }
            }
        }
    }

    /// The registry takes it and its servers follow, each in its own time, never out of order.
    fn write(&mut self, is_ns: bool, op: Option<Op>) {
        for index in 0..self.parents.len() {
            let lag = if self.shape.lag == 0 { 0 } else { self.roll(self.shape.lag) };
            let last = self.parents[index].coming.iter().map(|(at, ..)| *at).max().unwrap_or(0);
            let at = (self.now + lag).max(last);
            self.parents[index].coming.push((at, is_ns, op));
            if at <= self.now {
                let parent = &mut self.parents[index];
                if is_ns {
                    parent.ns = op
                } else {
                    parent.ds = op
                }
                parent.coming.pop();
            }
        }
    }

    fn side(&self, op: Op) -> Side {
        let one = |n: usize| ChildSight {
            server: format!("op{op}-{n}"),
            authoritative: self.serving[op],
            ns: self.serving[op].then(|| (ns_of(op), ttl(self.shape.apex[op]))),
            keys: self.serving[op].then(|| (keys_of(op, self.shape.signed[op]), ttl(self.shape.record[op]))),
        };
        let record_ttl = self.serving[op].then(|| ttl(self.shape.record[op]));
        Side { servers: vec![one(1), one(2)], unreachable: BTreeSet::new(), record_ttl }
    }

    fn look(&mut self, to: Option<Op>) -> Look {
        let silent = if self.roll(6) == 0 { self.roll(8) as usize } else { usize::MAX };
        let sight = |(n, p): (usize, &Parent)| ParentSight {
            server: format!("parent{n}"),
            ns: (n != silent).then(|| (p.ns.map(ns_of).unwrap_or_default(), ttl(self.shape.parent_ns))),
            ds: (n != silent).then(|| {
                (p.ds.map(|op| BTreeSet::from([key_of(op)])).unwrap_or_default(), ttl(self.shape.parent_ds))
            }),
        };
        let parents = self.parents.iter().enumerate().map(sight).collect();
        let from = match to {
            Some(to) => self.side(1 - to),
            None => self.side(NEW),
        };
        Look { ended: self.time(), parents, from, to: to.map(|to| self.side(to)).unwrap_or_default() }
    }

    fn parent(&mut self) -> Parent {
        let many = self.parents.len() as u32;
        let at = self.roll(many) as usize;
        self.parents[at].clone()
    }

    /// A cache answers one question of a client that validates what it gets.
    fn resolve(&mut self, cache: &mut Cache) -> Result<(), String> {
        let now = self.now;
        let (op, until, from_child) = match cache.ns {
            Some(known) if known.1 > now => known,
            _ => (self.parent().ns, now + self.shape.parent_ns, false),
        };
        cache.ns = Some((op, until, from_child));
        let Some(op) = op else { return Ok(()) };
        let ask = |world: &Self, what: &str| {
            if world.serving[op] { Ok(()) } else { Err(format!("lame: {what} of operator {op} at {now}")) }
        };
        // The child's own NS set is the better one (RFC 2181 5.4.1); it does not renew itself for ever.
        if !from_child && self.roll(2) == 0 {
            ask(self, "NS")?;
            cache.ns = Some((Some(op), now + self.shape.apex[op], true));
        }
        let record = match cache.record {
            Some(known) if known.1 > now => known,
            _ => {
                ask(self, "record")?;
                (op, now + self.shape.record[op])
            }
        };
        cache.record = Some(record);
        let ds = match cache.ds {
            Some(known) if known.1 > now => known,
            _ => (self.parent().ds, now + self.shape.parent_ds),
        };
        cache.ds = Some(ds);
        let Some(trusted) = ds.0 else { return Ok(()) };
        let keys = match cache.keys {
            Some(known) if known.1 > now => known,
            _ => {
                ask(self, "DNSKEY")?;
                (op, now + self.shape.record[op])
            }
        };
        cache.keys = Some(keys);
        if !self.shape.signed[keys.0] || keys.0 != trusted {
            return Err(format!("bogus: DS of {trusted}, keys of {} at {now}", keys.0));
        }
        if record.0 != keys.0 {
            return Err(format!("bogus: keys of {}, record of {} at {now}", keys.0, record.0));
        }
        Ok(())
    }
}

struct Story {
    world: World,
    caches: Vec<Cache>,
    memory: Memory,
    broken: Option<String>,
}

impl Story {
    fn new(shape: Shape) -> Self {
        let mut world = World::new(shape);
        let mut caches = vec![Cache::default(); 24];
        // Caches know the old operator before anybody looks.
        for _ in 0..4 {
            for cache in &mut caches {
                world.resolve(cache).unwrap();
            }
            world.tick();
        }
        if world.shape.withdrawn_before {
            for parent in &mut world.parents {
                parent.ds = None;
            }
        }
        Self { world, caches, memory: Memory::default(), broken: None }
    }

    fn tick(&mut self) {
        self.world.tick();
        for index in 0..self.caches.len() {
            if self.world.roll(3) == 0 {
                let mut cache = self.caches[index].clone();
                if let Err(why) = self.world.resolve(&mut cache) {
                    self.broken.get_or_insert(why);
                }
                self.caches[index] = cache;
            }
        }
    }

    fn operator(&self, to: Option<Op>) -> Operator {
        to.map_or_else(Operator::default, |op| Operator {
            ns: ns_of(op),
            ds: keys_of(op, self.world.shape.signed[op]),
            lenient: false,
        })
    }

    /// Look, learn, and do what is asked for if it is admitted.
    fn step(&mut self, to: Option<Op>, asked: Option<&Write>) -> bool {
        let operator = self.operator(to);
        let look = self.world.look(to);
        self.memory.learn(&look, &operator);
        let case = Case { look: &look, memory: &self.memory, to: &operator };
        let write = match asked {
            Some(write) => admit(write, &case).is_ok().then(|| write.clone()),
            None => match plan(&zone(), &case, &Ability::default()) {
                Ok(plan) if plan.stages.is_empty() => return true,
                Ok(plan) => plan.next(&case).ok().flatten(),
                Err(_) => None,
            },
        };
        let now = self.world.time();
        match write {
            Some(Write::WithdrawDs) => {
                self.memory.write_ds(&BTreeSet::new(), ttl(0), now);
                self.world.write(false, None);
            }
            Some(Write::ChangeNs) => {
                self.memory.write_ns(&operator.ns, ttl(self.world.shape.parent_ns), now);
                self.world.write(true, to);
            }
            Some(Write::PublishDs) => {
                self.memory.write_ds(&operator.ds, ttl(self.world.shape.parent_ds), now);
                self.world.write(false, to);
            }
            Some(Write::RemoveZone(_)) => self.world.serving[NEW] = false,
            None => {}
        }
        false
    }

    /// Go on until the plan has nothing left to do; a caller with bad ideas tries something now and then.
    fn go(&mut self, to: Option<Op>) {
        for _ in 0..400 {
            self.tick();
            if self.world.roll(4) == 0 {
                let all = [Write::WithdrawDs, Write::ChangeNs, Write::PublishDs];
                // A withdrawal is always safe, and would only make the move longer.
                let asked = all[1 + self.world.roll(2) as usize].clone();
                self.step(to, Some(&asked));
            }
            if self.world.roll(2) == 0 && self.step(to, None) {
                return;
            }
        }
        panic!("no end in sight: {:?} {:?}", self.memory, self.world.parents);
    }

    fn rest(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.tick();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_cache_sees_a_move_a_change_of_mind_or_the_way_back(shape in shape(), early in 0u32..30) {
        let mut story = Story::new(shape);
        // The zone is not served yet: nothing may point to it.
        for _ in 0..3 {
            story.tick();
            story.step(Some(NEW), Some(&Write::ChangeNs));
        }
        prop_assert!(story.world.parents.iter().all(|p| p.ns == Some(OLD)));
        story.world.serving[NEW] = true;
        // Somewhere on the way a person turns round, and then thinks better of it.
        for _ in 0..early {
            story.tick();
            story.step(Some(NEW), None);
        }
        story.go(Some(OLD));
        story.go(Some(NEW));
        story.rest(25);
        prop_assert_eq!(story.broken.clone(), None);
        let moved = |p: &Parent| p.ns == Some(NEW) && p.ds == Some(NEW);
        prop_assert!(story.world.parents.iter().all(moved));

        // Release: back to the old servers, and only then the zone.
        let remove = Write::RemoveZone(ns_of(NEW));
        story.step(Some(OLD), Some(&remove));
        prop_assert!(story.world.serving[NEW]);
        story.go(Some(OLD));
        for _ in 0..200 {
            story.tick();
            story.step(Some(OLD), Some(&remove));
        }
        prop_assert!(!story.world.serving[NEW]);
        prop_assert_eq!(story.broken, None);
    }

    #[test]
    fn no_cache_sees_a_delegation_taken_out(shape in shape()) {
        let mut story = Story::new(shape);
        story.world.serving[NEW] = true;
        story.go(Some(NEW));
        story.go(None);
        let remove = Write::RemoveZone(ns_of(NEW));
        for _ in 0..200 {
            story.tick();
            story.step(None, Some(&remove));
        }
        prop_assert!(!story.world.serving[NEW]);
        prop_assert!(story.world.parents.iter().all(|p| p.ns.is_none() && p.ds.is_none()));
        prop_assert_eq!(story.broken, None);
    }
}

/// A world at rest on the old operator, without lag.
fn still(signed: bool) -> Shape {
    Shape {
        parents: 2,
        signed: [signed, true],
        parent_ns: 10,
        parent_ds: 5,
        apex: [8, 8],
        record: [6, 6],
        lag: 0,
        withdrawn_before: false,
        seed: [7; 32],
    }
}

#[test]
fn the_longest_of_the_three_ttls_alone_is_not_enough() {
    let mut world = World::new(still(false));
    world.serving[NEW] = true;
    // The parent's NS set enters the cache in the last moment before the change.
    let mut cache = Cache { ns: Some((Some(OLD), world.now + 10, false)), ..Cache::default() };
    world.write(true, Some(NEW));
    let changed = world.now;
    // In the last moment of that, the child's own NS set; and a record in the last moment of the set.
    world.now = changed + 9;
    cache.ns = Some((Some(OLD), world.now + 8, true));
    world.now += 7;
    cache.record = Some((OLD, world.now + 6));
    // The longest TTL, 10 s, is over, so the DS would be published.
    assert!(world.now - changed > 10);
    world.write(false, Some(NEW));
    world.now += 2;
    assert!(world.resolve(&mut cache).unwrap_err().starts_with("bogus"));
}

fn planned(world: &mut World, to: Op) -> (Memory, Look, Operator) {
    let to_op = Operator { ns: ns_of(to), ds: keys_of(to, world.shape.signed[to]), lenient: false };
    let mut memory = Memory::default();
    let mut look = world.look(Some(to));
    while look.silent_parent().is_some() {
        look = world.look(Some(to));
    }
    memory.learn(&look, &to_op);
    (memory, look, to_op)
}

#[test]
fn a_signed_domain_has_its_time_line_and_its_way_back() {
    let mut world = World::new(still(true));
    world.serving[NEW] = true;
    let (memory, look, to) = planned(&mut world, NEW);
    let case = Case { look: &look, memory: &memory, to: &to };
    let plan = plan(&zone(), &case, &Ability::default()).unwrap();
    let start = look.ended.0;
    let line: Vec<_> =
        plan.stages.iter().map(|s| (s.stage, (s.at.0 - start) / 1000 / i64::from(TICK))).collect();
    let expected = [
        (Stage::WithdrawDs, 0),
        (Stage::DsOut, 5),
        (Stage::ChangeNs, 5),
        (Stage::OldOut, 5 + 10 + 8 + 6),
        (Stage::PublishDs, 29),
    ];
    assert_eq!(line, expected);
    let undo = plan.undo.unwrap();
    assert!(undo.possible);
    assert_eq!((undo.ns, undo.at_once_until), (ns_of(OLD), Some(plan.done_at)));
    let refused = admit(&Write::ChangeNs, &case).unwrap_err();
    assert_eq!(refused.code, "foreign-ds");
    assert_eq!(admit(&Write::PublishDs, &case).unwrap_err().code, "not-delegated");
}

#[test]
fn what_cannot_work_is_refused_before_anything_happens() {
    let mut world = World::new(still(true));
    let (memory, look, to) = planned(&mut world, NEW);
    let case = Case { look: &look, memory: &memory, to: &to };
    let refused = |ability: &Ability| plan(&zone(), &case, ability).unwrap_err();
    let no_ds = Ability { no_ds: Some("no DS here: enter it by hand".into()), ..Ability::default() };
    assert_eq!(refused(&no_ds).code, "capability-missing");
    assert_eq!(refused(&Ability { ns: 3..=5, ..Ability::default() }).code, "capability-missing");
    assert_eq!(
        refused(&Ability { blocked: Some("expired".into()), ..Ability::default() }).code,
        "parent-locked"
    );
    let mut silent = look.clone();
    silent.parents[1].ds = None;
    let case = Case { look: &silent, memory: &memory, to: &to };
    assert_eq!(plan(&zone(), &case, &Ability::default()).unwrap_err().code, "parent-unknown");
    assert_eq!(admit(&Write::ChangeNs, &case).unwrap_err().code, "parent-silent");
}

#[test]
fn nameservers_that_do_not_serve_the_zone_or_have_no_address_get_no_delegation() {
    let mut world = World::new(still(false));
    let (memory, look, to) = planned(&mut world, NEW);
    let refused =
        |look: &Look| admit(&Write::ChangeNs, &Case { look, memory: &memory, to: &to }).unwrap_err().code;
    assert_eq!(refused(&look), "not-served");
    world.serving[NEW] = true;
    let mut served = world.look(Some(NEW));
    while served.silent_parent().is_some() {
        served = world.look(Some(NEW));
    }
    assert!(admit(&Write::ChangeNs, &Case { look: &served, memory: &memory, to: &to }).is_ok());
    served.to.unreachable = BTreeSet::from([ZoneName::parse("ns1.op1.example").unwrap()]);
    assert_eq!(refused(&served), "not-served");
}

#[test]
fn what_we_wrote_and_nobody_shows_yet_is_not_overtaken() {
    let mut world = World::new(still(true));
    world.serving[NEW] = true;
    world.write(false, None);
    world.write(true, Some(NEW));
    let quiet = |world: &mut World, to| loop {
        let look = world.look(Some(to));
        if look.silent_parent().is_none() {
            return look;
        }
    };
    let operator = |op| Operator { ns: ns_of(op), ds: keys_of(op, true), lenient: false };
    let mut memory = Memory::default();
    memory.learn(&quiet(&mut world, NEW), &operator(NEW));
    // Our DS is asked for and no server shows it: back to the old servers now, and it would land on their NS.
    memory.write_ds(&operator(NEW).ds, ttl(5), world.time());
    world.now += 1;
    let look = quiet(&mut world, OLD);
    memory.learn(&look, &operator(OLD));
    let (old, new) = (operator(OLD), operator(NEW));
    let back = Case { look: &look, memory: &memory, to: &old };
    assert_eq!(admit(&Write::ChangeNs, &back).unwrap_err().code, "change-under-way");
    let stages = plan(&zone(), &back, &Ability::default()).unwrap().stages;
    assert_eq!(stages[0].stage, Stage::WithdrawDs);

    // NS is turned back and no server shows it: our DS now, and it would meet the old servers.
    memory.write_ns(&old.ns, ttl(10), world.time());
    world.now += 1;
    let look = quiet(&mut world, NEW);
    memory.learn(&look, &new);
    let forth = Case { look: &look, memory: &memory, to: &new };
    assert_eq!(admit(&Write::PublishDs, &forth).unwrap_err().code, "change-under-way");
    let stages = plan(&zone(), &forth, &Ability::default()).unwrap().stages;
    assert!(stages.iter().any(|s| s.stage == Stage::ChangeNs));
    // After a day it is lost, and what it left behind is waited out.
    world.now += 5;
    let look = quiet(&mut world, NEW);
    memory.learn(&look, &new);
    let forth = Case { look: &look, memory: &memory, to: &new };
    assert_eq!(admit(&Write::PublishDs, &forth).unwrap_err().code, "old-answers-cached");
}
