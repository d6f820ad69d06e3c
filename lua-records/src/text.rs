//! The only strings that may reach Lua.
//!
//! PowerDNS decodes DNS escapes first (`\"`, `\\`, `\DDD`) and runs what is left, unsandboxed. So a rendered string
//! holds no quote, no backslash, no bracket, no control and no non-ASCII character at all: there is nothing to
//! escape, and therefore nothing to escape wrongly.

/// Text that is inert inside a single-quoted Lua string inside a double-quoted DNS string.
///
/// It exists only through one of the constructors below, each with its own allow-list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlainText(String);

const MAX_REGION: usize = 32;
const MAX_HOST: usize = 253;
const MAX_LABEL: usize = 63;
const MAX_PATH: usize = 256;
const MAX_PHRASE: usize = 64;

impl PlainText {
    /// A region's short name: letters, digits and inner hyphens, at most 32.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn region(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_REGION || !is_ldh_label(text) {
            return Err("1 to 32 letters, digits and inner hyphens");
        }
        Ok(Self(text.to_owned()))
    }

    /// A host name in LDH form of at least two labels, lower-cased, without trailing dot. Never an address.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn host(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "a host name of at least two labels of letters, digits and inner hyphens";
        let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let mut labels = host.split('.');
        let top = labels.next_back().unwrap_or_default();
        // An all-digit last label is an address to every URL parser (RFC 3696 section 2), whatever we call it.
        if host.len() > MAX_HOST || !is_ldh_label(top) || top.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SHAPE);
        }
        let mut below = 0;
        for label in labels {
            if !is_ldh_label(label) {
                return Err(SHAPE);
            }
            below += 1;
        }
        if below == 0 { Err(SHAPE) } else { Ok(Self(host)) }
    }

    /// Path and query of a URL: begins with `/`, then `A-Z a-z 0-9 . _ ~ / ? & = % + -`, at most 256.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn path(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "begins with /, then at most 255 of A-Z a-z 0-9 . _ ~ / ? & = % + -";
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._~/?&=%+-".contains(&b);
        // "//host" is a network-path reference (RFC 3986 section 4.2): a URL parser may take it for another host.
        if !text.starts_with('/')
            || text.starts_with("//")
            || text.len() > MAX_PATH
            || !text.bytes().all(allowed)
        {
            return Err(SHAPE);
        }
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('%') {
            if !after.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                return Err("every % is followed by two hexadecimal digits");
            }
            rest = after;
        }
        Ok(Self(text.to_owned()))
    }

    /// A text to find in a page, or a user agent: `A-Z a-z 0-9 space . _ : = -`, 1 to 64, no space at either end.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn phrase(text: &str) -> Result<Self, &'static str> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b" ._:=-".contains(&b);
        if text.is_empty() || text.len() > MAX_PHRASE || text.trim() != text || !text.bytes().all(allowed) {
            return Err("1 to 64 of A-Z a-z 0-9 space . _ : = -, without a space at either end");
        }
        Ok(Self(text.to_owned()))
    }

    /// An ISO 3166 code: two upper-case letters.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn country(text: &str) -> Result<Self, &'static str> {
        if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err("two upper-case letters each (ISO 3166)");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PlainText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Letters, digits, inner hyphens (RFC 1123 section 2.1).
fn is_ldh_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_never_an_address() {
        assert_eq!(PlainText::host("Console.Omantel.Works.").unwrap().as_str(), "console.omantel.works");
        for bad in
            ["", ".", "works", "127.0.0.1", "a.0", "[::1]", "a..b", "-a.b", "a-.b", "a_b.c", "a.b..", "é.om"]
        {
            assert!(PlainText::host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_stays_a_path() {
        assert!(PlainText::path("/healthz?a=b&c=%20+d~e").is_ok());
        for bad in [
            "",
            "healthz",
            "//evil.example/",
            "/a b",
            "/a'b",
            "/a\\b",
            "/[[",
            "/%",
            "/%2",
            "/%zz",
            "/a#b",
            "/@",
        ] {
            assert!(PlainText::path(bad).is_err(), "{bad}");
        }
    }
}
