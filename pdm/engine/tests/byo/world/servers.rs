//! Our servers: zones, the pool's side, and what a probe sees of them.

use super::*;

#[async_trait]
impl ZoneBackend for Net {
    async fn create_zone(&self, spec: &ZoneSpec) -> Result<Created, Fault> {
        Ok(self.with(|held| {
            if held.zone.is_some() {
                return Created::Exists;
            }
            held.zone = Some(spec.stamp.clone());
            held.rrsets.clone_from(&spec.rrsets);
            held.rrsets.push(RRset::new(spec.name.dotted(), RecordType::Soa, TTL, ["x"]));
            held.serial += 1;
            held.keys = vec![zone_key(0, true, 13)];
            held.story.push("zone".to_owned());
            Created::New(Some(1))
        }))
    }
    async fn read_zone(&self, _: &ZoneName) -> Result<Option<ObservedZone>, Fault> {
        Ok(self.with(|held| {
            let stamp = held.zone.clone()?;
            let (rrsets, serial) = (held.rrsets.clone(), held.serial);
            Some(ObservedZone { rrsets, serial, dnssec: true, stamp: Some(stamp) })
        }))
    }
    async fn read_keys(&self, _: &ZoneName) -> Result<Option<Vec<ZoneKey>>, Fault> {
        Ok(self.with(|held| held.zone.is_some().then(|| held.keys.clone())))
    }
    async fn change_zone(&self, _: &ZoneName, changes: &[ZoneChange], stamp: &Stamp) -> Result<(), Fault> {
        self.with(|held| {
            held.zone = Some(stamp.clone());
            held.serial += 1;
            for change in changes {
                let (owner, rtype) = match change {
                    ZoneChange::Replace(rrset) => (&rrset.owner, &rrset.rtype),
                    ZoneChange::Delete(owner, rtype) => (owner, rtype),
                };
                held.rrsets.retain(|there| (&there.owner, &there.rtype) != (owner, rtype));
                if let ZoneChange::Replace(rrset) = change {
                    held.rrsets.push(rrset.clone());
                }
            }
        });
        Ok(())
    }
    async fn ensure_signed(&self, _: &ZoneName, _: &Stamp) -> Result<(), Fault> {
        Ok(())
    }
    async fn read_signing(&self, name: &ZoneName) -> Result<Option<Signing>, Fault> {
        let (keys, cds) = (self.read_keys(name).await?, self.with(|held| held.cds));
        Ok(keys.map(|keys| Signing { keys, cds: cds.unwrap_or(CdsTold::Off), denial: Denial::Nsec }))
    }
    async fn change_signing(&self, _: &ZoneName, _: &Whose, change: &KeyChange) -> Result<(), Fault> {
        self.with(|held| match change {
            KeyChange::Make { entry_point, algorithm } => {
                held.made += 1;
                held.keys.push(zone_key(held.made, *entry_point, *algorithm));
            }
            KeyChange::Set { dnskey, active, published } => {
                let key = held.keys.iter_mut().find(|key| key.dnskey == *dnskey).unwrap();
                (key.active, key.published) = (*active, *published);
            }
            KeyChange::Remove { dnskey } => held.keys.retain(|key| key.dnskey != *dnskey),
            KeyChange::Tell(told) => {
                held.story.push(format!("tell {told:?}"));
                held.cds = Some(*told);
            }
            KeyChange::Deny(_) => {}
        });
        Ok(())
    }
    async fn change_signals(&self, zone: &ZoneName, changes: &[ZoneChange]) -> Result<(), Fault> {
        self.with(|held| {
            for change in changes {
                held.story.push(match change {
                    ZoneChange::Replace(set) => format!("{zone}: {} {}", set.owner, set.rtype),
                    ZoneChange::Delete(owner, rtype) => format!("{zone}: no {owner} {rtype}"),
                });
            }
        });
        Ok(())
    }
    async fn remove_zone(&self, _: &ZoneName, _: &str) -> Result<(), Fault> {
        self.with(|held| {
            held.zone = None;
            held.story.push("zone removed".to_owned());
        });
        Ok(())
    }
    async fn list_zones(&self) -> Result<Vec<ZoneSummary>, Fault> {
        Ok(self
            .with(|held| {
                let stamp = held.zone.as_ref()?;
                let (name, allocation) = ("acme.example".to_owned(), Some(stamp.allocation.clone()));
                Some(ZoneSummary { name, serial: held.serial, allocation })
            })
            .into_iter()
            .collect())
    }
    async fn flush(&self, _: &ZoneName) -> Result<(), Fault> {
        Ok(())
    }
    async fn lua_server(&self) -> Result<LuaServer, Fault> {
        Err(Fault::transient("not-asked", "no policy is told here"))
    }
    async fn health(&self) -> Result<String, Fault> {
        Ok("well".to_owned())
    }
}

fn no_pool<T>() -> Result<T, Fault> {
    Err(Fault::new(Class::Bug, "no-pool", "nothing here is lent from a pool"))
}

#[async_trait]
impl ParentSide for Net {
    async fn observe(&self, _: &ZoneName) -> Result<Delegation, Fault> {
        no_pool()
    }
    async fn apply(&self, _: &ZoneName, _: DelegationChange, _: Instant) -> Result<(), Fault> {
        no_pool()
    }
    async fn mark(&self, _: &ZoneName) -> Result<Option<i64>, Fault> {
        no_pool()
    }
    async fn foreign_names(&self, _: &ZoneName) -> Result<BTreeSet<ZoneName>, Fault> {
        no_pool()
    }
    async fn each_delegation(
        &self,
        _: &ZoneName,
        _: &mut (dyn FnMut(ZoneName, Delegation) + Send),
    ) -> Result<(), Fault> {
        no_pool()
    }
    async fn foreign_serial(&self, _: &ZoneName) -> Result<u32, Fault> {
        no_pool()
    }
    async fn pool_ds(&self, _: &ZoneName) -> Result<BTreeSet<DsRecord>, Fault> {
        no_pool()
    }
}

#[async_trait]
impl DnsProbe for Net {
    async fn keys(&self, _: &ZoneName, _: &[Server]) -> Vec<KeysSeen> {
        Vec::new()
    }
    async fn key_views(&self, _: &ZoneName, servers: &[Server]) -> Vec<KeyView> {
        self.with(|held| {
            let published = held.keys.iter().filter(|key| key.published).map(|key| key.dnskey.clone());
            let (keys, signers) = (published.collect(), pdm_dnssec::roll::signers(held.rolls().iter()));
            let one = |server: &Server| KeyView {
                server: server.clone(),
                keys: Some((BTreeSet::clone(&keys), TTL)),
                signers: Some(signers.clone()),
                expires: None,
            };
            servers.iter().map(one).collect()
        })
    }
    async fn ds(&self, _: &ZoneName, _: &[Server]) -> Vec<DsSeen> {
        Vec::new()
    }
    async fn addresses(&self, _: &str, _: &[RecordType], _: Asking, _: &[Server]) -> Vec<AddressesSeen> {
        Vec::new()
    }
    async fn prove(&self, request: &ProofRequest) -> Result<Result<Proof, NotProved>, Fault> {
        // Whatever is proved rests on a DS that stands for a key of the zone.
        let served = self.with(|held| held.ds_of_keys());
        assert!(request.parent.is_none() && !request.anchor.is_disjoint(&served), "{:?}", request.anchor);
        Ok(Ok(Proof {
            begun_at: request.now,
            generation: request.generation,
            anchor: request.anchor_name.clone(),
            private_view: false,
            skipped: vec![],
            servers: vec![],
            queries: 1,
        }))
    }
}
