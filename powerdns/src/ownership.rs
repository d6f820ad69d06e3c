//! The mark on a zone: whose it is.
//!
//! The zone's `account` says that it is PDM's and which allocation it belongs to; the list of zones shows it at no
//! extra cost. It holds 40 characters on PostgreSQL: `pdm:` and a UUID. Owner and generation stand in a comment on
//! the apex NS RRset, which the DNS never shows, and which is written in the same call as the records.

use pdm_ports::Stamp;
use serde::Deserialize;

/// The account of a zone that PDM created for an allocation starts with this.
const PREFIX: &str = "pdm:";
/// The account of a pool zone that PDM created.
pub(crate) const POOL_ACCOUNT: &str = "pdm-pool";
/// Who wrote a comment.
pub(crate) const COMMENT_ACCOUNT: &str = "pdm";
/// PostgreSQL's `account VARCHAR(40)`.
pub(crate) const ACCOUNT_LIMIT: usize = 40;

/// The account of an allocation's zone.
pub(crate) fn account(allocation: &str) -> String {
    format!("{PREFIX}{allocation}")
}

/// The allocation in an account; none when it is not PDM's.
pub(crate) fn allocation(account: &str) -> Option<&str> {
    account.strip_prefix(PREFIX).filter(|id| !id.is_empty())
}

/// What is kept in the comment. Fields that a later version adds are not an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    allocation: String,
    owner: String,
    generation: i64,
}

/// The comment's text.
pub(crate) fn comment(stamp: &Stamp) -> String {
    // A struct of two strings and a number always has a JSON text.
    serde_json::to_string(stamp).unwrap_or_default()
}

/// Put the mark together from what a zone shows. The account decides; a comment that is lost, damaged or about
/// another allocation only costs the owner and the generation.
pub(crate) fn stamp<'a>(account: &str, mut comments: impl Iterator<Item = &'a str>) -> Option<Stamp> {
    let id = allocation(account)?;
    let told = comments.find_map(|text| {
        serde_json::from_str::<Comment>(text).ok().filter(|comment| comment.allocation == id)
    });
    let (owner, generation) = told.map_or((String::new(), 0), |comment| (comment.owner, comment.generation));
    Some(Stamp { allocation: id.to_owned(), owner, generation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Stamp {
        Stamp { allocation: "a-1".into(), owner: "österreich \"x\"".into(), generation: 7 }
    }

    #[test]
    fn a_mark_survives_the_round() {
        let text = comment(&whole());
        assert_eq!(stamp("pdm:a-1", ["by hand", &text].into_iter()), Some(whole()));
    }

    #[test]
    fn a_damaged_comment_leaves_it_ours() {
        let bare = Stamp { owner: String::new(), generation: 0, ..whole() };
        for text in ["", "{", r#"{"allocation":"b-2","owner":"eve","generation":9}"#] {
            assert_eq!(stamp("pdm:a-1", [text].into_iter()), Some(bare.clone()), "{text}");
        }
    }

    #[test]
    fn others_are_others() {
        for account in ["", "pdm", "pdm:", "pdm-pool", "customer pdm:a-1"] {
            assert_eq!(stamp(account, std::iter::empty()), None, "{account}");
        }
    }

    #[test]
    fn a_uuid_fits_the_column() {
        assert_eq!(account("01234567-0123-0123-0123-012345678901").len(), ACCOUNT_LIMIT);
    }
}
