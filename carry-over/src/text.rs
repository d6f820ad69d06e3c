//! Words of a line in a zone file (RFC 1035 section 5.1), and octets in quotes.

use std::fmt::Write as _;

/// One word. Escapes are still in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Without its quotes.
    pub(crate) text: String,
    /// It began with a quote.
    pub(crate) quoted: bool,
}

/// Why a line has no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A quote without its partner.
    Quote,
    /// A parenthesis without its partner.
    Parenthesis,
}

/// One record: its words, the line on which it began, and whether that line began with a blank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) indented: bool,
    pub(crate) words: Vec<Word>,
}

/// Takes a text apart into records; parentheses join lines, a semicolon begins a comment.
pub(crate) struct Entries<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    /// A word whose first character is next. A quote in the middle (`alpn="h2"`) belongs to it.
    fn word(&mut self) -> Result<Word, Broken> {
        let mut word = Word { text: String::new(), quoted: self.rest.starts_with('"') };
        let mut within = false;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' => within = !within,
                '\\' => {
                    word.text.push(c);
                    self.bump();
                    let Some(next) = self.rest.chars().next() else { break };
                    word.text.push(next);
                }
                '\n' if within => return Err(Broken::Quote),
                c if !within && (c.is_ascii_whitespace() || matches!(c, ';' | '(' | ')')) => break,
                c => word.text.push(c),
            }
            self.bump();
        }
        if within { Err(Broken::Quote) } else { Ok(word) }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, (usize, Broken)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut words, mut depth, mut begun) = (Vec::new(), 0usize, self.line);
        let mut indented = self.rest.starts_with([' ', '\t']);
        loop {
            let Some(c) = self.rest.chars().next() else {
                if depth > 0 {
                    return Some(Err((begun, Broken::Parenthesis)));
                }
                return (!words.is_empty()).then_some(Ok(Entry { line: begun, indented, words }));
            };
            match c {
                '\n' => {
                    self.bump();
                    if depth == 0 {
                        if !words.is_empty() {
                            return Some(Ok(Entry { line: begun, indented, words }));
                        }
                        (begun, indented) = (self.line, self.rest.starts_with([' ', '\t']));
                    }
                }
                ';' => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[end..];
                }
                '(' => {
                    depth += 1;
                    self.bump();
                }
                ')' => {
                    self.bump();
                    let Some(outer) = depth.checked_sub(1) else {
                        return Some(Err((self.line, Broken::Parenthesis)));
                    };
                    depth = outer;
                }
                c if c.is_ascii_whitespace() => {
                    self.bump();
                }
                _ => match self.word() {
                    Ok(word) => words.push(word),
                    Err(broken) => return Some(Err((self.line, broken))),
                },
            }
        }
    }
}

/// The words of one line of RDATA.
pub(crate) fn words(line: &str) -> Option<Vec<Word>> {
    let mut entries = Entries::new(line);
    let entry = entries.next()?.ok()?;
    entries.next().is_none().then_some(entry.words)
}

/// The octets that a word stands for (`\"`, `\DDD`).
pub(crate) fn octets(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            octets.push(byte);
            continue;
        }
        let next = bytes.next()?;
        if !next.is_ascii_digit() {
            octets.push(next);
            continue;
        }
        let digits = [next, bytes.next()?, bytes.next()?];
        octets.push(std::str::from_utf8(&digits).ok()?.parse::<u8>().ok()?);
    }
    Some(octets)
}

/// Octets in quotes, as PowerDNS writes them.
pub(crate) fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for octet in octets {
        match octet {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            0x20..=0x7e => text.push(char::from(*octet)),
            other => {
                let _ = write!(text, "\\{other:03}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(line: &str) -> Vec<String> {
        words(line).unwrap().into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn words_quotes_comments_and_joined_lines() {
        assert_eq!(texts(r#"10 "a b" alpn="h2" \"x ; gone"#), ["10", "a b", "alpn=h2", r#"\"x"#]);
        let all: Vec<_> = Entries::new("a 1 (2\n 3) ; x\n\n  b\n").map(Result::unwrap).collect();
        assert_eq!((all.len(), all[0].words.len(), all[0].line), (2, 4, 1));
        assert_eq!((all[1].line, all[1].indented, all[0].indented), (4, true, false));
    }

    #[test]
    fn what_does_not_close_is_refused() {
        assert_eq!(Entries::new("a \"b\nc").next(), Some(Err((1, Broken::Quote))));
        assert_eq!(Entries::new("a (b\nc").next(), Some(Err((1, Broken::Parenthesis))));
        assert_eq!(Entries::new("a )").next(), Some(Err((1, Broken::Parenthesis))));
        assert_eq!(octets("\\25"), None);
        assert_eq!(octets("\\256"), None);
    }

    proptest! {
        #[test]
        fn any_octets_survive(all in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = quoted(&all);
            let word = words(&text).unwrap().remove(0);
            prop_assert_eq!(octets(&word.text).unwrap(), all);
        }

        #[test]
        fn garbage_never_panics_and_ends(text in "[\\PC\n\t ()\";\\\\]{0,60}") {
            prop_assert!(Entries::new(&text).take(100).count() < 100);
        }
    }
}
