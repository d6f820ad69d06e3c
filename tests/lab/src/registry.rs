//! The registry of every TLD here: who is delegated where.

use serde_json::json;

use crate::operator::Operator;

/// A key for dynamic updates.
#[derive(Debug, Clone)]
pub struct Tsig {
    /// Its name, without the trailing dot.
    pub name: String,
    /// Its algorithm.
    pub algorithm: String,
    /// The secret in base64.
    pub secret: String,
}

/// The registry. Its zones are edited by its methods, by the REST API of its first server and, with
/// [`Registry::tsig`], by dynamic update; all of it shows at both servers at once.
pub struct Registry {
    /// Its servers.
    pub operator: Operator,
    /// The TLDs, without dots.
    pub tlds: Vec<String>,
}

impl Registry {
    /// The TLD of a name.
    fn tld<'a>(&'a self, name: &str) -> &'a str {
        let last = name.rsplit('.').next().unwrap_or(name);
        self.tlds.iter().find(|t| *t == last).unwrap_or_else(|| panic!("{name} is under no TLD of this lab"))
    }

    /// Delegate a domain. Without NS and DS it is not delegated any more. Glue is left as it is.
    pub async fn register(&self, domain: &str, ns: &[&str], ds: &[String]) {
        let owner = format!("{domain}.");
        let ns = ns.iter().map(|n| format!("{n}.")).collect();
        let sets = [(owner.clone(), "NS", ns), (owner, "DS", ds.to_vec())];
        self.operator.patch_all(self.tld(domain), &sets).await;
    }

    /// Set the addresses of a nameserver's name (glue, a host object); none removes them.
    pub async fn glue(&self, host: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|a| (*a).to_owned()).collect();
        self.operator.patch_all(self.tld(host), &[(format!("{host}."), "A", addresses)]).await;
    }

    /// Change only the DS set of a domain.
    pub async fn set_ds(&self, domain: &str, ds: &[String]) {
        self.operator.patch_all(self.tld(domain), &[(format!("{domain}."), "DS", ds.to_vec())]).await;
    }

    /// What the registry holds for a domain: NS (dotted) and DS, each in order.
    pub async fn delegation(&self, domain: &str) -> (Vec<String>, Vec<String>) {
        let tld = self.tld(domain);
        let ns = self.operator.contents(tld, domain, "NS").await;
        (ns, self.operator.contents(tld, domain, "DS").await)
    }

    /// From now on new records of this type are kept back: no server answers them until [`Registry::publish`]. The API
    /// shows them as disabled. What is written again as it was stays.
    pub fn hold(&self, rtype: &str) {
        self.operator.editor().sql(&format!(
            "CREATE TABLE shown_{rtype} AS SELECT name, content FROM records WHERE type = '{rtype}'; \
             CREATE TRIGGER hold_{rtype} AFTER INSERT ON records WHEN NEW.type = '{rtype}' AND NOT EXISTS \
             (SELECT 1 FROM shown_{rtype} s WHERE s.name = NEW.name AND s.content = NEW.content) \
             BEGIN UPDATE records SET disabled = 1 WHERE id = NEW.id; END"
        ));
    }

    /// Publish what was kept back, and keep nothing back any more.
    pub fn publish(&self, rtype: &str) {
        self.operator.editor().sql(&format!(
            "DROP TRIGGER hold_{rtype}; DROP TABLE shown_{rtype}; UPDATE records SET disabled = 0 WHERE type = '{rtype}'"
        ));
    }

    /// The key with which every TLD takes dynamic updates, made when it is first asked for.
    ///
    /// # Panics
    /// When PowerDNS refuses.
    pub async fn tsig(&self) -> Tsig {
        let api = self.operator.editor().api();
        let path = "/api/v1/servers/localhost/tsigkeys";
        let known = api.get(&format!("{path}/registrar.")).await;
        let key = if known.status == 200 {
            known
        } else {
            let made = api
                .post(path, &json!({"name": "registrar", "algorithm": "hmac-sha256"}))
                .await
                .expect(&[201]);
            for tld in &self.tlds {
                let body = json!({"kind": "TSIG-ALLOW-DNSUPDATE", "metadata": ["registrar"]});
                let path = format!("/api/v1/servers/localhost/zones/{tld}./metadata/TSIG-ALLOW-DNSUPDATE");
                let _ = api.put(&path, &body).await.expect(&[200]);
            }
            made
        };
        Tsig {
            name: "registrar".into(),
            algorithm: "hmac-sha256".into(),
            secret: key.text_at("/key").to_owned(),
        }
    }
}
