//! A signer, servers that lag behind it, a parent, and every cache there could be: at any moment a cache may hold any
//! DNSKEY RRset, any DS RRset and any signed data that some server answered within the TTL of each, in any mixture.

use std::collections::{BTreeMap, BTreeSet};

use pdm_dnssec::roll::{
    Action, Cds, ChildSeen, Held, Next, Parent, ParentSeen, Setting, View, begin, next, signers,
};
use pdm_dnssec::{Dnskey, DsDigest, ENTRY_POINT, Name, ZONE_KEY};
use pdm_model::keys::{Digest, KeyAge, KeyPolicy, KeyState, Roll, RollKind, Stage};
use pdm_model::{DsRecord, Timestamp, Ttl, Who};

/// Seconds.
#[derive(Debug, Clone)]
pub struct Times {
    pub key_ttl: u32,
    pub ds_ttl: u32,
    pub zone_ttl: u32,
    /// How far each server of the zone lags.
    pub child: Vec<i64>,
    /// How far each server of the parent lags.
    pub parent: Vec<i64>,
    /// A person takes this long to enter a DS.
    pub person: i64,
}

/// Small and seeded; not for anything but tests.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

pub fn key(entry_point: bool, algorithm: u8, seed: u64) -> Dnskey {
    let flags = ZONE_KEY | if entry_point { ENTRY_POINT } else { 0 };
    let mut dice = Dice(seed);
    let mut rdata = flags.to_be_bytes().to_vec();
    rdata.extend([3, algorithm]);
    rdata.extend((0..32).map(|_| u8::try_from(dice.roll(256)).unwrap()));
    Dnskey::from_rdata(&rdata).unwrap()
}

type History<T> = Vec<(i64, T)>;

pub struct World {
    pub zone: Name,
    pub times: Times,
    pub now: i64,
    pub dice: Dice,
    pub setting: Setting,
    pub state: KeyState,
    pub roll: Roll,
    signer: History<Vec<Held>>,
    ds: History<BTreeSet<DsRecord>>,
    pub cds: Cds,
    /// What a person was asked to enter, and when it is done.
    asked: Option<(i64, BTreeSet<DsRecord>)>,
    /// How long each stage took.
    pub took: BTreeMap<Stage, i64>,
    /// Mixtures of DS, DNSKEY and data that validate.
    content: BTreeSet<(usize, usize, usize)>,
    /// Divides the TTLs that the roll gets to see: 1 is the truth.
    pub lie: u32,
}

pub fn policy(split: bool) -> KeyPolicy {
    let layout = if split { pdm_model::keys::Layout::Split } else { pdm_model::keys::Layout::Csk };
    KeyPolicy { layout, ..KeyPolicy::default() }
}

pub const PARENT: Parent = Parent { ds_max: 4, scans_only: false, by_hand: false };

impl World {
    /// A zone that has been quiet for long, at the first stage of a roll. `split` is how it is, `then` what is wanted.
    pub fn new(kind: RollKind, split: bool, policy: &KeyPolicy, times: Times, seed: u64) -> Self {
        let zone = Name::parse("s.example.").unwrap();
        let mut dice = Dice(seed);
        let held = |dnskey| Held { dnskey, active: true, published: true };
        let mut keys = vec![held(key(true, 13, dice.roll(1 << 30)))];
        if split {
            keys.push(held(key(false, 13, dice.roll(1 << 30))));
        }
        let mut known: Vec<KeyAge> = Vec::new();
        known.extend(keys.iter().map(|k| KeyAge { dnskey: k.dnskey.to_string(), since: Timestamp(0) }));
        if kind == RollKind::Tidy {
            keys.push(held(key(dice.roll(2) == 0, 13, dice.roll(1 << 30))));
        }
        let insecure = kind == RollKind::Secure;
        let state = KeyState { known, insecure, ..KeyState::default() };
        let now = 1_000_000;
        let by = "test";
        let roll = begin(kind, policy, &state, &keys, &PARENT, by, "", Timestamp(now * 1000)).unwrap();
        let entry = keys.iter().filter(|k| k.dnskey.is_entry_point());
        let ds = entry.map(|k| k.dnskey.ds(&zone, DsDigest::Sha256)).collect();
        let ds = if insecure { BTreeSet::new() } else { ds };
        let setting = Setting { digest: Digest::Sha256, cds: policy.cds, secure: true, ds_by: Who::Nobody };
        Self {
            zone,
            times,
            now,
            dice,
            setting,
            state,
            roll,
            signer: vec![(0, keys)],
            ds: vec![(0, ds)],
            cds: Cds::Off,
            asked: None,
            took: BTreeMap::new(),
            content: BTreeSet::new(),
            lie: 1,
        }
    }

    fn at<T>(history: &History<T>, time: i64) -> &T {
        &history.iter().rev().find(|(since, _)| *since <= time).unwrap_or(&history[0]).1
    }

    /// Every state that a server with this lag answered within the last `ttl` seconds.
    fn within<T>(history: &History<T>, lag: i64, now: i64, ttl: u32) -> impl Iterator<Item = usize> {
        let (first, last) = (now - lag - i64::from(ttl), now - lag);
        let begins = move |index: usize| history[index].0;
        let ends = move |index: usize| history.get(index + 1).map_or(i64::MAX, |next| next.0);
        (0..history.len()).filter(move |i| begins(*i) <= last && ends(*i) > first)
    }

    pub fn held(&self) -> &Vec<Held> {
        Self::at(&self.signer, i64::MAX)
    }

    pub fn parent_ds(&self) -> &BTreeSet<DsRecord> {
        Self::at(&self.ds, i64::MAX)
    }

    pub fn change(&mut self, edit: impl FnOnce(&mut Vec<Held>)) {
        let mut keys = self.held().clone();
        edit(&mut keys);
        self.signer.push((self.now, keys));
    }

    fn view(&self) -> View {
        let published =
            |keys: &[Held]| keys.iter().filter(|k| k.published).map(|k| k.dnskey.clone()).collect();
        let ttl = |ttl: u32| Ttl::new(ttl / self.lie);
        let child = |lag: &i64| {
            let keys = Self::at(&self.signer, self.now - lag);
            ChildSeen {
                server: format!("lag {lag}"),
                keys: Some((published(keys), ttl(self.times.key_ttl))),
                signers: Some(signers(keys.iter())),
            }
        };
        let parent = |lag: &i64| ParentSeen {
            server: format!("parent lag {lag}"),
            ds: Some((Self::at(&self.ds, self.now - lag).clone(), ttl(self.times.ds_ttl))),
        };
        View {
            held: self.held().clone(),
            edited: self.parent_ds().clone(),
            cds: self.cds,
            child: self.times.child.iter().map(child).collect(),
            parent: self.times.parent.iter().map(parent).collect(),
            zone_ttl: ttl(self.times.zone_ttl),
            at: Timestamp(self.now * 1000),
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Make { entry_point, algorithm } => {
                // The answer may be lost and the call made again.
                let copies = 1 + self.dice.roll(2);
                for _ in 0..copies {
                    let dnskey = key(entry_point, algorithm, self.dice.roll(1 << 30));
                    self.change(|keys| keys.push(Held { dnskey, active: false, published: false }));
                }
            }
            Action::Set { key, active, published } => self.change(|keys| {
                let there = keys.iter_mut().find(|k| k.dnskey == key).unwrap();
                (there.active, there.published) = (active, published);
            }),
            Action::Remove(key) => self.change(|keys| keys.retain(|k| k.dnskey != key)),
            Action::ParentDs(ds) => {
                if self.times.person == 0 {
                    self.ds.push((self.now, ds));
                } else if self.asked.as_ref().is_none_or(|(_, asked)| *asked != ds) {
                    self.asked = Some((self.now + self.times.person, ds));
                }
            }
            Action::Tell(cds) => self.cds = cds,
        }
    }

    /// What a look shows now.
    pub fn look(&self) -> View {
        self.view()
    }

    /// What the roll would do next.
    pub fn look_and_ask(&self) -> Next {
        next(&self.zone, &self.roll, &self.setting, &self.view(), Timestamp(self.now * 1000)).1
    }

    /// Poll until the roll is over.
    pub fn run(&mut self) -> Result<(), String> {
        for _ in 0..20_000 {
            if self.step()? {
                return self.afterwards();
            }
        }
        Err(format!("never over: {:?}", self.roll))
    }

    /// One poll; true when the roll is over. The process may die before and after anything is written down.
    pub fn step(&mut self) -> Result<bool, String> {
        self.caches_are_content()?;
        let view = self.view();
        let was = (self.roll.stage, self.roll.stage_since);
        let (roll, answer) = next(&self.zone, &self.roll, &self.setting, &view, Timestamp(self.now * 1000));
        let dies = self.dice.roll(10);
        if dies != 0 {
            if roll.stage != was.0 {
                self.took.insert(was.0, self.now - was.1.0 / 1000);
            }
            self.roll = roll;
        }
        match answer {
            Next::Do(_) if dies <= 1 => {}
            Next::Do(Action::ParentDs(ds)) if self.times.person > 0 => {
                self.carry_out(Action::ParentDs(ds));
                self.pass();
            }
            Next::Do(action) => self.carry_out(action),
            Next::Wait(_) => self.pass(),
            Next::Finished => return Ok(true),
            Next::GiveUp(why) => return Err(format!("given up: {why}")),
        }
        Ok(false)
    }

    /// Time passes, in small steps so that the caches are looked at often; sometimes for very long.
    fn pass(&mut self) {
        let steps = if self.dice.roll(40) == 0 { 2_000 } else { 1 + self.dice.roll(25) };
        self.now += i64::try_from(steps).unwrap();
        if let Some((when, ds)) = self.asked.take_if(|(when, _)| *when <= self.now) {
            self.ds.push((when, ds));
        }
    }

    /// Long after the end: caches are content with what is left for ever.
    fn afterwards(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            self.now += 37;
            self.caches_are_content()?;
        }
        Ok(())
    }

    fn caches_are_content(&mut self) -> Result<(), String> {
        let (mut keys, mut data, mut ds) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for lag in &self.times.child {
            keys.extend(Self::within(&self.signer, *lag, self.now, self.times.key_ttl));
            data.extend(Self::within(&self.signer, *lag, self.now, self.times.zone_ttl));
        }
        for lag in &self.times.parent {
            ds.extend(Self::within(&self.ds, *lag, self.now, self.times.ds_ttl));
        }
        for ds in ds {
            for keys in &keys {
                for data in &data {
                    // What did no harm once does none later.
                    if !self.content.insert((ds, *keys, *data)) {
                        continue;
                    }
                    validate(&self.zone, &self.ds[ds].1, &self.signer[*keys].1, &self.signer[*data].1)
                        .map_err(|why| {
                            format!(
                                "{why} at {} in stage {:?} of {:?}",
                                self.now, self.roll.stage, self.roll.kind
                            )
                        })?;
                }
            }
        }
        Ok(())
    }
}

/// The strictest validator there is: every algorithm that the DS set names must reach the DNSKEY RRset, and every
/// algorithm in the DNSKEY RRset must sign the data (RFC 4035 2.2; unbound's harden-algo-downgrade).
fn validate(zone: &Name, ds: &BTreeSet<DsRecord>, keys: &[Held], data: &[Held]) -> Result<(), String> {
    let published: Vec<&Held> = keys.iter().filter(|k| k.published).collect();
    let algorithms: BTreeSet<u8> = ds.iter().map(|d| d.algorithm).collect();
    for algorithm in algorithms {
        // PowerDNS signs the DNSKEY RRset with active entry points.
        let reached = published.iter().any(|key| {
            key.active
                && key.dnskey.is_entry_point()
                && key.dnskey.algorithm() == algorithm
                && ds.iter().any(|ds| key.dnskey.matches(zone, ds))
        });
        if !reached {
            let tags: Vec<u16> = published.iter().map(|k| k.dnskey.key_tag()).collect();
            return Err(format!("bogus: DS {ds:?} reaches none of the keys {tags:?}"));
        }
    }
    if ds.is_empty() {
        return Ok(());
    }
    let made = signers(data.iter());
    for algorithm in published.iter().map(|k| k.dnskey.algorithm()).collect::<BTreeSet<_>>() {
        let signed = published
            .iter()
            .any(|k| k.dnskey.algorithm() == algorithm && made.contains(&(algorithm, k.dnskey.key_tag())));
        if !signed {
            return Err(format!("bogus: no signature of algorithm {algorithm} by a published key"));
        }
    }
    Ok(())
}
