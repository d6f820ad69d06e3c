//! A registrar's API in front of the parent.

use super::*;

pub(super) const fn mode(ds: DsForm) -> ModeCapability {
    ModeCapability {
        ns_min: 2,
        ns_max: 5,
        ds,
        ds_max: 4,
        ds_cannot: Some(Cannot { reason: "no DS by this API", way_out: "enter it on the web page" }),
        ..ModeCapability::LEAST
    }
}

pub(super) const FULL: Capability = Capability {
    registry_apex: Ok(mode(DsForm::Ds)),
    hosted_parent: Err(Cannot { reason: "no zones here", way_out: "use another host" }),
    calls_per_minute: 60,
    parallel: 1,
};
pub(super) const WITHOUT_DS: Capability = Capability { registry_apex: Ok(mode(DsForm::None)), ..FULL };

pub(super) const FIELDS: &[CredentialField] = &[CredentialField::secret("token", "Token", "ask")];

/// A vendor whose writes reach the parent at once.
pub struct Vendor {
    pub id: &'static str,
    pub can: &'static Capability,
    pub net: Net,
}

impl Vendor {
    fn admit(credential: &Credential) -> Result<(), Fault> {
        if credential.get("token") == Some(SECRET) {
            return Ok(());
        }
        Err(Fault::new(Class::Credential, "credential-invalid", "the token is not known"))
    }

    fn state(&self) -> CurrentState {
        self.net.with(|held| CurrentState {
            ns: held.ns.clone(),
            ds: Some(held.ds.clone()),
            operated: Operated::Custom,
            ..CurrentState::untold(PlaceMode::RegistryApex)
        })
    }
}

#[async_trait]
impl Registrar for Vendor {
    fn id(&self) -> &'static str {
        self.id
    }
    fn name(&self) -> &'static str {
        "Vendor"
    }
    fn capability(&self) -> &'static Capability {
        self.can
    }
    fn credential_fields(&self) -> &'static [CredentialField] {
        FIELDS
    }
    fn recipe(&self) -> &'static str {
        "make one"
    }
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        Self::admit(credential)?;
        Ok(Passport {
            domain: domain.clone(),
            registry_apex: None,
            hosted_parent: Some("no zones here".to_owned()),
            expires: None,
            credential_expires: None,
            notes: vec![],
        })
    }
    async fn read(&self, _: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        Self::admit(credential)?;
        Ok(self.state())
    }
    async fn apply(&self, change: &Change, credential: &Credential) -> Result<Applied, Fault> {
        Self::admit(credential)?;
        if let Some(NsTarget::Names { names, .. }) = &change.ns
            && self.net.with(|held| held.ns != *names)
        {
            self.net.set_ns(names.clone());
            self.net.with(|held| held.writes += 1);
        }
        if let Some((set, _)) = &change.ds {
            let set: BTreeSet<DsRecord> = set.iter().map(|entry| entry.ds.clone()).collect();
            if self.net.with(|held| held.ds != set) {
                self.net.set_ds(set);
                self.net.with(|held| held.writes += 1);
            }
        }
        if self.net.with(|held| std::mem::take(&mut held.lose_reply)) {
            return Err(Fault::transient("no-reply", "the reply was lost"));
        }
        Ok(Applied { wrote: true, task: None, read_back: self.state(), agrees: true, notes: vec![] })
    }
    async fn task(&self, _: &Place, _: &TaskId, _: &Credential) -> Result<TaskStatus, Fault> {
        Ok(TaskStatus::Done)
    }
}
