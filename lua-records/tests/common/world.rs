//! An embedded Lua with PowerDNS's functions for LUA records, written after `pdns/lua-record.cc`.
//!
//! What it is strict about: no other function than those that the text may use exists; what a version does not know
//! is treated as that version would (an unknown selector picks at random, address sets are an error before 4.8).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use mlua::{Function, HookTriggers, Lua, Table, Value, Variadic};
use pdm_lua_records::{Answer, Choice, RecordType, Rule, Version};

/// `lua-records-exec-limit`.
const EXEC_LIMIT: u32 = 1000;

type Check = (IpAddr, String, BTreeMap<String, String>);

#[derive(Default)]
struct State {
    up: BTreeSet<IpAddr>,
    country: Option<String>,
    continent: Option<String>,
    /// Checks that exist, as PowerDNS keys them.
    checks: BTreeSet<Check>,
    /// Whether a check answers at its first question.
    warm: bool,
    /// Which of several choices is taken in this run.
    pick: usize,
    /// How the last real choice was taken, and the weights of what there was to choose from.
    choice: Option<(Rule, Vec<u16>)>,
}

/// One nameserver.
pub struct World {
    lua: Lua,
    env: Table,
    state: Rc<RefCell<State>>,
}

fn error<T>(text: &str) -> mlua::Result<T> {
    Err(mlua::Error::runtime(text))
}

impl State {
    /// Take one of `items`, and say how it was taken unless there was nothing to choose.
    fn take<T: Clone + Ord>(&mut self, rule: Rule, items: &[(T, u16)]) -> mlua::Result<T> {
        let distinct: BTreeSet<_> = items.iter().map(|(item, _)| item).collect();
        if distinct.len() > 1 {
            self.choice = Some((rule, items.iter().map(|(_, weight)| *weight).collect()));
        }
        match items.get(self.pick % items.len().max(1)) {
            Some((item, _)) => Ok(item.clone()),
            None => error("The items list cannot be empty"),
        }
    }

    /// `useSelector`.
    fn select(&mut self, version: Version, selector: &str, from: &[IpAddr]) -> mlua::Result<Vec<IpAddr>> {
        let items: Vec<_> = from.iter().map(|address| (*address, 1)).collect();
        let rule = match selector {
            "all" => return Ok(from.to_vec()),
            "empty" if version >= Version::new(5, 1) => return Ok(Vec::new()),
            "hashed" => Rule::Sticky,
            "pickclosest" => Rule::Nearest,
            _ => Rule::Random,
        };
        Ok(vec![self.take(rule, &items)?])
    }

    /// `isUp`: up 1, down 0, not checked yet -1.
    fn is_up(&mut self, version: Version, check: Check) -> i32 {
        let address = check.0;
        let fail = check.2.get("failOnIncompleteCheck").is_some_and(|value| value == "true");
        let known = !self.checks.insert(check) || self.warm;
        match (known, self.up.contains(&address)) {
            (true, up) => i32::from(up),
            (false, _) if fail && version >= Version::new(5, 0) => -1,
            (false, _) => 0,
        }
    }

    /// `genericIfUp`.
    fn if_up(
        &mut self,
        version: Version,
        what: &str,
        list: &Table,
        options: &Table,
    ) -> mlua::Result<Vec<String>> {
        let mut opts = BTreeMap::new();
        for pair in options.pairs::<String, String>() {
            let (name, value) = pair?;
            opts.insert(name, value);
        }
        let mut incomplete = true;
        let (mut all, mut available) = (Vec::new(), Vec::new());
        for item in list.sequence_values::<Value>() {
            let Value::String(text) = item? else { return error("address sets") };
            let address: IpAddr = text.to_str()?.parse().map_err(mlua::Error::external)?;
            let status = self.is_up(version, (address, what.to_owned(), opts.clone()));
            all.push(address);
            if status > 0 {
                available.push(address);
            }
            incomplete &= status < 0;
        }
        let option = |name: &str| opts.get(name).cloned().unwrap_or_else(|| "random".to_owned());
        let chosen = if !available.is_empty() {
            self.select(version, &option("selector"), &available)?
        } else if incomplete {
            return error("if{url,port}up health check has not completed yet");
        } else {
            self.select(version, &option("backupSelector"), &all)?
        };
        Ok(chosen.iter().map(IpAddr::to_string).collect())
    }
}

impl World {
    /// A nameserver of this version that has checked everything and found it down.
    pub fn new(version: Version) -> Self {
        let lua = Lua::new();
        let env = lua.create_table().unwrap();
        let world = Self { env, lua, state: Rc::new(RefCell::new(State { warm: true, ..State::default() })) };
        for name in ["ipairs", "tonumber"] {
            world.env.set(name, world.lua.globals().get::<Function>(name).unwrap()).unwrap();
        }
        let guard = world.lua.create_table().unwrap();
        let missing =
            world.lua.create_function(|_, (_, name): (Table, String)| error::<()>(&format!("global {name}")));
        guard.set("__index", missing.unwrap()).unwrap();
        world.env.set_metatable(Some(guard)).unwrap();
        world.health_functions(version);
        world.pick_functions();
        world.geo_functions();
        world
    }

    fn health_functions(&self, version: Version) {
        let state = Rc::clone(&self.state);
        let ifportup = self.lua.create_function(move |_, (port, list, options): (u16, Table, Table)| {
            state.borrow_mut().if_up(version, &format!("port {port}"), &list, &options)
        });
        self.env.set("ifportup", ifportup.unwrap()).unwrap();
        let state = Rc::clone(&self.state);
        let ifurlup = self.lua.create_function(move |_, (url, list, options): (String, Table, Table)| {
            state.borrow_mut().if_up(version, &url, &list, &options)
        });
        self.env.set("ifurlup", ifurlup.unwrap()).unwrap();
    }

    fn pick_functions(&self) {
        for (name, rule) in
            [("pickrandom", Rule::Random), ("pickhashed", Rule::Sticky), ("pickclosest", Rule::Nearest)]
        {
            let state = Rc::clone(&self.state);
            let pick = self.lua.create_function(move |_, list: Vec<String>| {
                let items: Vec<_> = list.into_iter().map(|item| (item, 1)).collect();
                state.borrow_mut().take(rule, &items)
            });
            self.env.set(name, pick.unwrap()).unwrap();
        }
        for (name, rule) in [("pickwrandom", Rule::Random), ("pickwhashed", Rule::Sticky)] {
            let state = Rc::clone(&self.state);
            let pick = self.lua.create_function(move |_, list: Vec<Table>| {
                // Both columns are read as strings, as std::unordered_map<int, std::string>.
                let row = |row: &Table| -> mlua::Result<(String, u16)> {
                    let weight: String = row.get(1)?;
                    Ok((row.get(2)?, weight.parse().map_err(mlua::Error::external)?))
                };
                let items = list.iter().map(row).collect::<mlua::Result<Vec<_>>>()?;
                state.borrow_mut().take(rule, &items)
            });
            self.env.set(name, pick.unwrap()).unwrap();
        }
    }

    fn geo_functions(&self) {
        let state = Rc::clone(&self.state);
        let country = self.lua.create_function(move |_, codes: Vec<String>| {
            Ok(state.borrow().country.as_ref().is_some_and(|country| codes.contains(country)))
        });
        self.env.set("country", country.unwrap()).unwrap();
        let state = Rc::clone(&self.state);
        let continent = self.lua.create_function(move |_, codes: Vec<String>| {
            Ok(state.borrow().continent.as_ref().is_some_and(|continent| codes.contains(continent)))
        });
        self.env.set("continent", continent.unwrap()).unwrap();
    }

    /// From now on exactly these addresses are up.
    pub fn set_up(&self, up: impl IntoIterator<Item = IpAddr>) {
        self.state.borrow_mut().up = up.into_iter().collect();
    }

    /// From now on clients are there.
    pub fn set_client(&self, country: Option<&str>, continent: Option<&str>) {
        let mut state = self.state.borrow_mut();
        state.country = country.map(str::to_owned);
        state.continent = continent.map(str::to_owned);
    }

    /// Restart: nothing has been checked.
    pub fn restart(&self) {
        let mut state = self.state.borrow_mut();
        state.warm = false;
        state.checks.clear();
    }

    /// Checks that exist by now.
    pub fn checks(&self) -> usize {
        self.state.borrow().checks.len()
    }

    /// One evaluation, as `luaSynth` does it. The addresses must fit the type.
    pub fn ask(&self, content: &str) -> Result<Vec<IpAddr>, String> {
        let (rtype, code) = content.split_once(' ').unwrap();
        let rtype = RecordType::ALL.into_iter().find(|known| known.as_str() == rtype).unwrap();
        let code = code.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        let code = match code.strip_prefix(';') {
            Some(statements) => statements.to_owned(),
            None => format!("return {code}"),
        };
        let limit = HookTriggers::new().every_nth_instruction(EXEC_LIMIT);
        self.lua.set_hook(limit, |_, _| error("Script took too long")).unwrap();
        let result = self.lua.load(code).set_environment(self.env.clone()).eval::<Variadic<Value>>();
        self.lua.remove_hook();
        let texts: Vec<String> = match result.map_err(|e| e.to_string())?.first() {
            Some(Value::String(text)) => vec![text.to_string_lossy()],
            Some(Value::Table(table)) => table.sequence_values().collect::<mlua::Result<_>>().unwrap(),
            other => return Err(format!("neither string nor table: {other:?}")),
        };
        let addresses: Vec<IpAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert!(addresses.iter().all(|address| rtype.holds(*address)), "{content} gave {addresses:?}");
        Ok(addresses)
    }

    /// Every answer that is possible, by asking again for each choice.
    pub fn answers(&self, content: &str) -> Answer {
        let mut answer = Answer { rule: Rule::Always, choices: Vec::new() };
        let mut nth = 0;
        loop {
            self.state.borrow_mut().pick = nth;
            self.state.borrow_mut().choice = None;
            let addresses = self.ask(content).unwrap();
            let (rule, weights) = self.state.borrow().choice.clone().unwrap_or((Rule::Always, vec![1]));
            answer.rule = rule;
            if !addresses.is_empty() {
                // A single choice has no weight to speak of.
                answer.choices.push(Choice { addresses, weight: weights[nth] });
            }
            nth += 1;
            if nth == weights.len() {
                break;
            }
        }
        // A choice whose outcome nobody uses (the call that starts the checks) is no choice.
        if answer.choices.windows(2).all(|pair| pair[0].addresses == pair[1].addresses) {
            answer.choices.truncate(1);
            answer.choices.iter_mut().for_each(|choice| choice.weight = 1);
            answer.rule = Rule::Always;
        }
        answer
    }
}
