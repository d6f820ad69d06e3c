//! Who asks, and what a role may do. The table of rights stands here and nowhere else.

use pdm_model::{Allocation, Refusal, ZoneName};

use crate::door::DoorScope;

/// A role of a token or a trusted network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Reserves, commits, changes and releases what its owner has.
    Provisioner,
    /// Checks and reserves for people in front of a page.
    Wizard,
    /// Reads.
    Auditor,
    /// A client of the older paths from a trusted network; never more than those need.
    Legacy,
    /// Writes its own names into one zone, through the PowerDNS door, and does nothing else.
    DnsDoor,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// See whether a name is free, pools, registrars.
    Check,
    /// Reserve and extend.
    Reserve,
    /// Commit and change the target.
    Commit,
    /// Release.
    Release,
    /// Read allocations and operations.
    Read,
    /// Read the audit log.
    Audit,
    /// Suspend, resume, transfer, freeze, thaw.
    Administer,
    /// Use the PowerDNS door.
    Door,
}

const RIGHTS: &[(Role, &[Right])] = &[
    (
        Role::Admin,
        &[
            Right::Check,
            Right::Reserve,
            Right::Commit,
            Right::Release,
            Right::Read,
            Right::Audit,
            Right::Administer,
        ],
    ),
    (Role::Provisioner, &[Right::Check, Right::Reserve, Right::Commit, Right::Release, Right::Read]),
    (Role::Wizard, &[Right::Check, Right::Reserve, Right::Commit, Right::Read]),
    (Role::Auditor, &[Right::Check, Right::Read, Right::Audit]),
    (Role::Legacy, &[Right::Check, Right::Reserve, Right::Commit, Right::Release]),
    (Role::DnsDoor, &[Right::Door]),
];

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Provisioner, Self::Wizard, Self::Auditor, Self::Legacy, Self::DnsDoor];

    /// The word in token files and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Provisioner => "provisioner",
            Self::Wizard => "wizard",
            Self::Auditor => "auditor",
            Self::Legacy => "legacy",
            Self::DnsDoor => "dns-door",
        }
    }

    /// The role named by a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// Whether the role has a right.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        RIGHTS.iter().any(|(role, rights)| *role == self && rights.contains(&right))
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// For the audit log: `token:NAME`, `network:CIDR`, or `pdm` itself. Never a default.
    pub actor: String,
    /// The role.
    pub role: Role,
    /// Only this owner's names.
    pub owner: Option<String>,
    /// Only names of this pool.
    pub pool: Option<ZoneName>,
    /// What of which zone, for the PowerDNS door.
    pub door: Option<DoorScope>,
}

/// The owner of names that were reserved without one.
pub const OPERATOR: &str = "operator";

impl Caller {
    /// Refuse unless the role has the right.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn must(&self, right: Right) -> Result<(), Refusal> {
        if self.role.may(right) {
            return Ok(());
        }
        Err(Refusal::new("forbidden", format!("the role {} may not do this", self.role.as_str())))
    }

    /// Whether an allocation lies inside the caller's scope. Outside it, it does not exist for the caller.
    #[must_use]
    pub fn sees(&self, allocation: &Allocation) -> bool {
        self.owner.as_ref().is_none_or(|owner| *owner == allocation.owner)
            && self.pool.as_ref().is_none_or(|pool| *pool == allocation.pool)
    }

    /// The owner a reservation gets.
    ///
    /// # Errors
    /// `forbidden` when the body asks for an owner outside the token's scope.
    pub fn owner_for(&self, asked: Option<&str>) -> Result<String, Refusal> {
        match (&self.owner, asked) {
            (Some(own), Some(asked)) if own != asked => {
                Err(Refusal::new("forbidden", format!("this token acts for the owner {own} only"))
                    .field("owner"))
            }
            (Some(own), _) => Ok(own.clone()),
            (None, Some(asked)) if valid_owner(asked) => Ok(asked.to_owned()),
            (None, Some(_)) => {
                Err(Refusal::new("invalid-parameter", "1 to 100 letters, digits and any of . _ : @ / -")
                    .field("owner"))
            }
            (None, None) => Ok(OPERATOR.to_owned()),
        }
    }
}

/// Owners are labels from the platform; anything that could confuse a log or a page is refused.
#[must_use]
pub fn valid_owner(owner: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:@/-".contains(&b);
    (1..=100).contains(&owner.len()) && owner.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_one_row_and_only_admins_administer() {
        for role in Role::ALL {
            assert_eq!(RIGHTS.iter().filter(|(r, _)| *r == role).count(), 1);
            assert_eq!(role.may(Right::Administer), role == Role::Admin);
            assert_eq!(role.may(Right::Door), role == Role::DnsDoor);
            assert_eq!(Role::from_word(role.as_str()), Some(role));
        }
        assert!(!Role::Legacy.may(Right::Read));
    }

    #[test]
    fn a_body_cannot_leave_the_scope_of_its_token() {
        let mut caller = Caller {
            actor: "token:t".into(),
            role: Role::Provisioner,
            owner: Some("acme".into()),
            pool: None,
            door: None,
        };
        assert_eq!(caller.owner_for(None).unwrap(), "acme");
        assert_eq!(caller.owner_for(Some("other")).unwrap_err().code, "forbidden");
        caller.owner = None;
        assert_eq!(caller.owner_for(None).unwrap(), OPERATOR);
        assert!(caller.owner_for(Some("a\nb")).is_err());
    }
}
