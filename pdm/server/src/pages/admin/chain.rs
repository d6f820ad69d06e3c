//! The chain of trust from its anchor down to the name, as a drawing and as a list that says the same. Pure.

use pdm_model::Allocation;
use pdm_model::audit::{ChainLink, Report};

/// Height of one zone in the drawing, and of the box in it.
const STEP: usize = 86;
const BOX: usize = 56;
/// Characters of a name that fit into a box.
const FITS: usize = 34;

/// One zone of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub zone: String,
    /// `secure`, `insecure`, `bogus` or `unknown`.
    pub security: String,
    pub why: String,
    /// Key tags of its entry points, or the DS that vouches for it.
    pub keys: String,
    /// Top of its box.
    pub y: usize,
}

impl Link {
    fn new(at: usize, zone: &str, security: &str, why: &str, keys: String) -> Self {
        let (security, why) = (security.to_owned(), why.to_owned());
        // An audit writes names with their root, a proof without; the root itself keeps its dot.
        let zone = zone.strip_suffix('.').filter(|rest| !rest.is_empty()).unwrap_or(zone);
        Self { zone: zone.to_owned(), security, why, keys, y: at * STEP + 4 }
    }

    /// Reads without colours.
    pub(super) fn sign(&self) -> &'static str {
        match self.security.as_str() {
            "secure" => "✓",
            "insecure" => "○",
            "bogus" => "✗",
            _ => "?",
        }
    }

    /// The name as it fits into its box; the list has all of it.
    pub(super) fn short(&self) -> String {
        let count = self.zone.chars().count();
        if count <= FITS {
            return self.zone.clone();
        }
        let head: String = self.zone.chars().take(FITS / 2).collect();
        let tail: String = self.zone.chars().skip(count - FITS / 2 + 1).collect();
        format!("{head}…{tail}")
    }

    pub(super) fn middle(&self) -> usize {
        self.y + 24
    }

    pub(super) fn foot(&self) -> usize {
        self.y + 43
    }

    pub(super) fn bottom(&self) -> usize {
        self.y + BOX
    }
}

/// The whole chain.
pub(super) struct Chain {
    pub links: Vec<Link>,
}

impl Chain {
    /// As the last audit walked it; before there is one, as the last proof did.
    pub(super) fn of(a: &Allocation, report: Option<&Report>) -> Self {
        match report.filter(|report| !report.chain.is_empty()) {
            Some(report) => Self::walked(&report.chain),
            None => Self::proved(a),
        }
    }

    fn walked(chain: &[ChainLink]) -> Self {
        let link = |(at, link): (usize, &ChainLink)| {
            let tags: Vec<String> = link.keys.iter().map(ToString::to_string).collect();
            Link::new(at, &link.zone, &link.security, &link.why, tags.join(", "))
        };
        Self { links: chain.iter().enumerate().map(link).collect() }
    }

    fn proved(a: &Allocation) -> Self {
        let security = if a.proof.is_some() { "secure" } else { "unknown" };
        let anchor = a.proof.as_ref().map(|proof| proof.anchor.clone()).unwrap_or_default();
        let tags: Vec<String> = a.observed.parent.ds.iter().map(|ds| ds.key_tag.to_string()).collect();
        let parent = if a.pool == a.fqdn {
            a.fqdn.parent().map(|parent| parent.to_string()).unwrap_or_else(|| ".".to_owned())
        } else {
            a.pool.to_string()
        };
        Self {
            links: vec![
                Link::new(0, &parent, security, &anchor, String::new()),
                Link::new(1, a.fqdn.as_str(), security, "", tags.join(", ")),
            ],
        }
    }

    pub(super) fn height(&self) -> usize {
        self.links.last().map_or(0, |last| last.bottom() + 4)
    }

    /// From each zone to the next: where the arrow begins and ends.
    pub(super) fn arrows(&self) -> Vec<(usize, usize)> {
        self.links.windows(2).map(|pair| (pair[0].bottom(), pair[1].y)).collect()
    }

    /// The drawing in words.
    pub(super) fn words(&self) -> String {
        let link = |link: &Link| format!("{}: {}", link.zone, link.security);
        self.links.iter().map(link).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_grows_with_the_chain_and_its_words_say_the_same() {
        let link = |zone: &str, security: &str| ChainLink {
            zone: zone.to_owned(),
            security: security.to_owned(),
            why: String::new(),
            keys: vec![1, 2],
        };
        let chain = Chain::walked(&[link(".", "secure"), link("com.", "secure"), link("acme.com.", "bogus")]);
        assert_eq!(
            chain.words(),
            ".: secure; com: secure; acme.com: bogus",
            "as everywhere on the pages: without the root"
        );
        assert_eq!((chain.arrows().len(), chain.links[2].sign()), (2, "✗"));
        assert!(chain.height() >= chain.links[2].bottom());
        assert_eq!(Chain::walked(&[]).height(), 0);
    }

    #[test]
    fn a_long_name_fits_and_keeps_both_ends() {
        let zone = format!("a{}z.example.", "b".repeat(60));
        let short = Link::new(0, &zone, "secure", "", String::new()).short();
        assert!(short.chars().count() <= FITS && short.starts_with("ab") && short.ends_with(".example"));
    }
}
