//! A link that signs in once: `pdm up` prints it, so that its pages open ready to use. The ticket stands in the fragment
//! of the address, which no server and no log sees; the script of the sign-in page posts it.

use pdm_engine::token::TokenKey;
use pdm_model::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize as _, Zeroizing};

use super::session::{Purpose, Seal, first_use};
use crate::app::S;
use crate::problem::Failure;
use crate::tokens::wall_clock;

/// How long such a link waits to be used.
const LASTS_MS: i64 = 3600 * 1000;

#[derive(Serialize, Deserialize)]
struct Once {
    id: String,
    token: String,
}

impl Drop for Once {
    fn drop(&mut self) {
        self.token.zeroize();
    }
}

/// The path, with the ticket in its fragment, that signs in once with a token. None when the machine has no randomness.
#[must_use]
pub fn sign_in_link(key: &TokenKey, token: &str) -> Option<String> {
    sealed(&Seal::new(key), token, wall_clock()).map(|ticket| format!("/login#{ticket}"))
}

fn sealed(seal: &Seal, token: &str, now: Timestamp) -> Option<String> {
    let once = Once { id: Uuid::new_v4().simple().to_string(), token: token.to_owned() };
    seal.seal(Purpose::Once, once, Timestamp(now.0 + LASTS_MS))
}

/// The token of a ticket that nobody used yet.
pub(super) async fn redeem(state: &S, ticket: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some((mut once, _)) = state.seal.open::<Once>(Purpose::Once, ticket, wall_clock()) else {
        return Ok(None);
    };
    Ok(first_use(state, "sign-in ticket", &once.id)
        .await?
        .then(|| Zeroizing::new(std::mem::take(&mut once.token))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_ends_and_is_nothing_else() {
        let seal = Seal::new(&TokenKey::new(&[7; 32]));
        let ticket = sealed(&seal, "pdm_secret", Timestamp(0)).unwrap();
        let open = |purpose, at| seal.open::<Once>(purpose, &ticket, Timestamp(at));
        assert_eq!(open(Purpose::Once, LASTS_MS - 1).unwrap().0.token, "pdm_secret");
        assert!(open(Purpose::Once, LASTS_MS).is_none() && open(Purpose::Session, 0).is_none());
        assert!(!ticket.contains("pdm_secret"));
    }
}
