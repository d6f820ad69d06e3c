//! What the pages show of a domain that its owner brings: what proves it, whose API edits the parent, what a person has
//! to enter, what every parent server answers, and the way with its times.

use std::collections::{BTreeMap, BTreeSet};

use pdm_engine::Engine;
use pdm_engine::intents::RegistrarRequest;
use pdm_engine::ownership::Challenge;
use pdm_model::byo::Instruction;
use pdm_model::handover::Planned;
use pdm_model::menus::{Menu, menus};
use pdm_model::{Allocation, Mode, Phase, Refusal};
use pdm_ports::registrar::{Cannot, Caveat, CredentialField, DsForm, ModeCapability, Registrar};
use zeroize::Zeroizing;

/// Prefix of a credential's fields in a form.
const FIELD: &str = "credential.";
/// Prefix of accepted risks in a form.
const ACCEPT: &str = "accept.";

/// A registrar as it is offered.
pub(crate) struct Offer {
    pub id: &'static str,
    pub name: &'static str,
    pub chosen: bool,
    /// What it can do here; none when it cannot, with the reason and the way out.
    pub can: Result<&'static ModeCapability, &'static Cannot>,
    /// What it can do for names inside a domain.
    pub below: Result<&'static ModeCapability, &'static Cannot>,
    pub fields: &'static [CredentialField],
    pub recipe: &'static str,
}

impl Offer {
    pub(crate) fn caveats(&self) -> &'static [Caveat] {
        self.can.map_or(&[], |can| can.caveats)
    }

    pub(crate) fn ability(&self) -> Option<&'static ModeCapability> {
        self.can.ok()
    }

    /// Why names inside a domain are out of its reach.
    pub(crate) fn below_cannot(&self) -> Option<&'static Cannot> {
        self.below.err()
    }

    /// Key of how a DS gets to the parent.
    pub(crate) fn ds_form(&self) -> &'static str {
        match self.can.map_or(DsForm::None, |can| can.ds) {
            DsForm::Ds => "ds-as-ds",
            DsForm::Dnskey => "ds-as-dnskey",
            DsForm::CdsScanned => "ds-scanned",
            DsForm::None => "none",
        }
    }

    pub(crate) fn closed(&self) -> Option<&'static Cannot> {
        self.can.err()
    }
}

/// One parent server's answer.
pub(crate) struct Sight {
    pub server: String,
    /// None when it could not be asked.
    pub ns: Option<String>,
    pub ds: Option<String>,
    pub ours: bool,
}

impl Sight {
    pub(crate) fn sign(&self) -> &'static str {
        match (self.ours, &self.ns) {
            (true, _) => "✓",
            (false, Some(_)) => "○",
            (false, None) => "?",
        }
    }
}

/// Where an instruction is carried out at a common registrar.
pub(crate) struct Place {
    pub name: &'static str,
    pub menu: &'static str,
    pub help: &'static str,
}

/// The brought side of a name.
#[derive(Default)]
pub(crate) struct Brought {
    pub challenge: Option<Challenge>,
    pub offers: Vec<Offer>,
    pub instruction: Option<Instruction>,
    pub places: Vec<Place>,
    pub stages: Vec<Planned>,
    pub sights: Vec<Sight>,
}

impl Brought {
    /// `credential` says that the registrar's credential is waited for.
    pub(crate) fn of(engine: &Engine, a: &Allocation, chosen: &str, credential: bool) -> Self {
        let foreign = a.observed.foreign.as_deref();
        let ours: BTreeSet<_> = engine.settings().nameservers.iter().cloned().collect();
        let look = foreign.and_then(|f| f.look.as_ref());
        let sights = look.map(|look| {
            look.parents
                .iter()
                .map(|p| Sight {
                    server: p.server.clone(),
                    ns: p.ns.as_ref().map(|(set, _)| joined(set)),
                    ds: p.ds.as_ref().map(|(set, _)| joined(set)),
                    ours: p.ns.as_ref().is_some_and(|(set, _)| *set == ours),
                })
                .collect()
        });
        let all = engine.registrars().values();
        let offers = match a.byo.as_ref().and_then(|byo| byo.registrar.as_ref()) {
            _ if a.mode == Mode::ByoApi && a.phase == Phase::Reserved => {
                all.map(|r| offer(r.as_ref(), a, chosen)).collect()
            }
            Some(choice) if credential => {
                all.filter(|r| r.id() == choice.id).map(|r| offer(r.as_ref(), a, &choice.id)).collect()
            }
            _ => Vec::new(),
        };
        Self {
            challenge: engine.pending_challenge(a),
            offers,
            places: foreign.and_then(|f| f.instruction.as_ref()).map(|i| places(a, i)).unwrap_or_default(),
            instruction: foreign.and_then(|f| f.instruction.clone()),
            stages: foreign.and_then(|f| f.plan.as_ref()).map(|p| p.stages.clone()).unwrap_or_default(),
            sights: sights.unwrap_or_default(),
        }
    }

    /// The registrar whose form is shown.
    pub(crate) fn chosen(&self) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.chosen && offer.can.is_ok())
    }

    /// Whether some registrar cannot be used for this name.
    pub(crate) fn some_cannot(&self) -> bool {
        self.offers.iter().any(|offer| offer.closed().is_some())
    }

    /// How many parent servers delegate here, and how many there are.
    pub(crate) fn with_ours(&self) -> usize {
        self.sights.iter().filter(|sight| sight.ours).count()
    }
}

/// A registered domain is changed at its registrar; a name inside one wherever its zone is.
fn places(a: &Allocation, todo: &Instruction) -> Vec<Place> {
    let about_ds = todo.action.is_about_ds();
    let place = |menu: &Menu| {
        let at = if about_ds { menu.ds? } else { menu.nameservers };
        Some(Place { name: menu.name, menu: at, help: menu.help })
    };
    if a.pool == a.fqdn { menus().iter().filter_map(place).collect() } else { Vec::new() }
}

fn joined<T: ToString>(set: &BTreeSet<T>) -> String {
    let all: Vec<String> = set.iter().map(ToString::to_string).collect();
    if all.is_empty() { "–".to_owned() } else { all.join(", ") }
}

fn offer(registrar: &dyn Registrar, a: &Allocation, chosen: &str) -> Offer {
    let capability = registrar.capability();
    // The registered domain itself lies in the registry; a name below it lies in a hosted zone.
    let can = if a.pool == a.fqdn { &capability.registry_apex } else { &capability.hosted_parent };
    Offer {
        id: registrar.id(),
        name: registrar.name(),
        chosen: registrar.id() == chosen,
        can: can.as_ref(),
        below: capability.hosted_parent.as_ref(),
        fields: registrar.credential_fields(),
        recipe: registrar.recipe(),
    }
}

/// The registrar of a form, when there is one. Values go into memory that is wiped.
pub(crate) fn registrar_of(
    id: &str,
    rest: BTreeMap<String, String>,
) -> Result<Option<RegistrarRequest>, Refusal> {
    if id.is_empty() {
        return Ok(None);
    }
    let mut credential = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    for (key, value) in rest {
        if let Some(name) = key.strip_prefix(FIELD) {
            if !value.is_empty() {
                credential.insert(name.to_owned(), Zeroizing::new(value));
            }
        } else if let Some(code) = key.strip_prefix(ACCEPT) {
            accepted.insert(code.to_owned());
        }
    }
    Ok(Some(RegistrarRequest { id: id.to_owned(), mode: None, accepted, credential }))
}
