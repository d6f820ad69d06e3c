//! Questions as octets, and which reply belongs to which question. Nothing of a reply is parsed before it is known to
//! answer a question of ours.

use std::fmt;
use std::net::Ipv4Addr;

use pdm_dnssec::Name;

use crate::types::TypeName;

/// Length of the fixed message header (RFC 1035 4.1.1).
const HEADER: usize = 12;
/// What we say we can take by UDP: fits every path without fragments (RFC 9715).
const PAYLOAD: u16 = 1232;

/// What goes into a query besides its question. The default asks an authoritative server: RD clear and DO set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// RD: only to see whether a server recurses.
    pub(crate) recursion: bool,
    /// The OPT record; none to ask as before 1999.
    pub(crate) edns: Option<Edns>,
}

/// An OPT record (RFC 6891 6.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edns {
    pub(crate) payload: u16,
    pub(crate) version: u8,
    /// DO is 0x8000 (RFC 3225); the rest is not assigned.
    pub(crate) flags: u16,
    pub(crate) option: Option<EdnsOption>,
}

/// The one option of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EdnsOption {
    /// One of this code without content.
    Empty(u16),
    /// The client on whose behalf we ask (RFC 7871 6).
    Client(Ipv4Addr),
}

impl Edns {
    pub(crate) const DO: Self = Self { payload: PAYLOAD, version: 0, flags: 0x8000, option: None };
}

impl Default for Form {
    fn default() -> Self {
        Self { recursion: false, edns: Some(Edns::DO) }
    }
}

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) rtype: u16,
    /// The question section.
    octets: Vec<u8>,
    form: Form,
}

impl Question {
    pub(crate) fn new(name: Name, rtype: u16) -> Self {
        let octets = [name.wire(), &rtype.to_be_bytes(), &1u16.to_be_bytes()].concat();
        Self { name, rtype, octets, form: Form::default() }
    }

    /// The same question in another form.
    pub(crate) fn with(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The same question with its letters in alternating case, to see whether the server minds.
    pub(crate) fn spelled_oddly(mut self) -> Self {
        let name = self.name.wire().len();
        // Length octets are below 64, where no letters are.
        for octet in self.octets.iter_mut().take(name).step_by(2) {
            octet.make_ascii_uppercase();
        }
        self
    }

    /// The same question in class CH, where servers speak of themselves.
    pub(crate) fn in_chaos(mut self) -> Self {
        let class = self.octets.len() - 1;
        self.octets[class] = 3;
        self
    }

    /// Append the query with this `id`.
    pub(crate) fn write(&self, id: u16, into: &mut Vec<u8>) {
        into.extend(id.to_be_bytes());
        let (recursion, additional) = (u8::from(self.form.recursion), u8::from(self.form.edns.is_some()));
        into.extend([recursion, 0, 0, 1, 0, 0, 0, 0, 0, additional]);
        into.extend_from_slice(&self.octets);
        let Some(edns) = self.form.edns else { return };
        into.extend([0, 0, 41]);
        into.extend(edns.payload.to_be_bytes());
        into.extend([0, edns.version]);
        into.extend(edns.flags.to_be_bytes());
        match edns.option {
            Some(EdnsOption::Empty(code)) => {
                into.extend([0, 4]);
                into.extend(code.to_be_bytes());
                into.extend([0, 0]);
            }
            Some(EdnsOption::Client(client)) => {
                // 12 octets: code 8, 8 octets, family 1 (IPv4), all 32 bits of the address, scope 0.
                into.extend([0, 12, 0, 8, 0, 8, 0, 1, 32, 0]);
                into.extend(client.octets());
            }
            None => into.extend([0, 0]),
        }
    }

    /// True when `reply` repeats the question octet for octet, as it was spelled.
    pub(crate) fn is_echoed_by(&self, reply: &[u8]) -> bool {
        reply.get(HEADER..HEADER + self.octets.len()) == Some(&self.octets[..])
    }

    /// True when `reply` is a response to this question asked with `id`.
    pub(crate) fn is_answered_by(&self, id: u16, reply: &[u8]) -> bool {
        let Some((header, rest)) = reply.split_at_checked(HEADER) else { return false };
        let is_response = header[..2] == id.to_be_bytes() && header[2] & 0xf8 == 0x80;
        // A server may refuse with a bare header; then only the id speaks for it.
        let bare = header[4..HEADER] == [0; 8] && header[3] & 0x0f != 0;
        let same = header[4..6] == [0, 1]
            && rest.get(..self.octets.len()).is_some_and(|echo| echo.eq_ignore_ascii_case(&self.octets));
        is_response && (same || bare)
    }
}

/// `name/TYPE`, without the trailing dot.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.to_string();
        write!(f, "{}/{}", name.strip_suffix('.').unwrap_or(&name), TypeName(self.rtype))
    }
}

/// True when the TC bit is set.
pub(crate) fn is_truncated(reply: &[u8]) -> bool {
    reply.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// The first whole message in a TCP stream (RFC 1035 4.2.2), and how many octets it took.
pub(crate) fn frame(stream: &[u8]) -> Option<(&[u8], usize)> {
    let (length, rest) = stream.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    Some((rest.get(..length)?, length + 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_dnssec::{Answer, rtype};
    use proptest::prelude::*;

    fn question() -> Question {
        Question::new(Name::parse("api.example.").unwrap(), rtype::A)
    }

    fn reply(id: u16) -> Vec<u8> {
        let mut octets = Vec::new();
        question().write(id, &mut octets);
        octets[2] |= 0x84;
        octets
    }

    #[test]
    fn the_query_is_well_formed() {
        let answer = Answer::parse(&reply(7)).unwrap();
        assert!(answer.authoritative && answer.answers.is_empty());
        assert_eq!(question().to_string(), "api.example/A");
    }

    #[test]
    fn a_client_is_named_with_its_whole_address() {
        let mut octets = Vec::new();
        let option = Some(EdnsOption::Client(Ipv4Addr::new(100, 64, 1, 2)));
        let form = Form { edns: Some(Edns { option, ..Edns::DO }), ..Form::default() };
        question().with(form).write(7, &mut octets);
        assert!(octets.ends_with(&[0, 8, 0, 8, 0, 1, 32, 0, 100, 64, 1, 2]), "{octets:?}");
        // As a server that heeds it for the first 24 bits would say.
        octets[2] |= 0x84;
        let scope = octets.len() - 5;
        octets[scope] = 24;
        let edns = Answer::parse(&octets).unwrap().edns.unwrap();
        assert_eq!((edns.options, edns.client_scope), (vec![8], Some(24)));
    }

    #[test]
    fn only_the_reply_to_the_question_is_taken() {
        let good = reply(7);
        assert!(question().is_answered_by(7, &good));
        assert!(!question().is_answered_by(8, &good), "other id");
        let other = Question::new(Name::parse("api.example.").unwrap(), rtype::AAAA);
        assert!(!other.is_answered_by(7, &good), "other type");
        let mut query = good.clone();
        query[2] = 0;
        assert!(!question().is_answered_by(7, &query), "a query");
        assert!(question().is_answered_by(7, &[0, 7, 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0]), "a bare refusal");
        assert!(!question().is_answered_by(7, &[0, 7, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "a bare success");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (question().is_answered_by(0, &octets), is_truncated(&octets), frame(&octets));
        }
    }
}
