//! NOTIFY(CDS) to whoever the parent names in DSYNC records (RFC 9859). A DSYNC below a signed parent has to validate:
//! it says where packets of ours go.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use pdm_dnssec::dsync::{CDS, DSYNC, Receiver, lookup_names, receivers};
use pdm_dnssec::{Answer, Chain, Name};
use pdm_model::ZoneName;
use pdm_model::keys::Heard;
use pdm_ports::Fault;
use pdm_ports::announce::{Announcement, Announcer};
use ring::rand::SecureRandom as _;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::descend::Descent;
use super::link::Link;
use super::{Walker, in_time, whole};
use crate::wire::Question;

/// A NOTIFY is sent again after each of these while nobody answers (RFC 1996 3.6 leaves it to the sender); the longer
/// pauses between rounds are decided elsewhere.
const PATIENCE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// Addresses of one receiver that are tried.
const ADDRESSES: usize = 4;

#[async_trait]
impl Announcer for Walker {
    async fn announce_cds(&self, child: &ZoneName) -> Result<Announcement, Fault> {
        in_time(async {
            let session = self.session();
            let descent = Descent::new(&session, &self.map);
            let name = Name::from(child);
            let failed = |why: String| Fault::transient("walk-failed", why);
            let parent = descent.closest(&name.trimmed(name.depth() - 1)).await.map_err(failed)?;
            for owner in lookup_names(&name, &parent.zone) {
                let found = invited(&descent, &owner).await.map_err(failed)?;
                if !found.is_empty() {
                    let each = found.iter().map(|receiver| self.tell(&descent, &name, receiver));
                    return Ok(Announcement::Sent(join_all(each).await));
                }
            }
            Ok(Announcement::NotInvited)
        })
        .await
    }
}

/// The receivers that stand at one name.
async fn invited(descent: &Descent<'_>, owner: &Name) -> Result<BTreeSet<Receiver>, String> {
    let level = descent.closest(owner).await?;
    let question = Question::new(owner.clone(), DSYNC);
    let mut last = "it has no server".to_owned();
    for server in &level.servers {
        match whole(descent.session, server, &question).await {
            Ok(answer) if answer.authoritative => return believed(descent, &level.link, &answer, owner),
            Ok(_) => last = "it has no authority".to_owned(),
            Err(why) => last = why,
        }
    }
    Err(format!("no server of {} says anything about {owner}: {last}", level.zone))
}

/// What an answer says, if it can be believed.
fn believed(
    descent: &Descent<'_>,
    link: &Link,
    answer: &Answer,
    owner: &Name,
) -> Result<BTreeSet<Receiver>, String> {
    let Some(set) = answer.find(owner, DSYNC) else { return Ok(BTreeSet::new()) };
    match link {
        Link::Secure(keys) => {
            let good = Chain::new(descent.now(), &mut descent.verified()).positive(keys, answer, set);
            good.map_err(|broken| format!("the DSYNC records at {owner} do not validate: {broken}"))?;
        }
        // Nobody vouches for what an unsigned parent says; its delegation is no better.
        Link::Insecure(_) => {}
        Link::Bogus(_, why) | Link::Unknown(why) => return Err(why.clone()),
    }
    Ok(receivers(&set.records))
}

impl Walker {
    /// Tell one receiver, at the first of its addresses that answers.
    async fn tell(&self, descent: &Descent<'_>, child: &Name, receiver: &Receiver) -> (String, Heard) {
        let target = receiver.target.to_string();
        let called = format!("{}:{}", target.strip_suffix('.').unwrap_or(&target), receiver.port);
        let found = descent.resolve(&receiver.target, 0).await.unwrap_or_default();
        let mut worst = Heard::Silent;
        for address in found.into_iter().take(ADDRESSES) {
            match self.notify(SocketAddr::new(address.ip(), receiver.port), child).await {
                Heard::Taken => return (called, Heard::Taken),
                Heard::Silent | Heard::NotInvited => {}
                refused @ Heard::Refused(_) => worst = refused,
            }
        }
        (called, worst)
    }

    /// One NOTIFY(CDS), and what comes back. An address that may not be asked stays silent.
    async fn notify(&self, address: SocketAddr, child: &Name) -> Heard {
        let sent = u32::try_from(PATIENCE.len()).unwrap_or(u32::MAX);
        let Ok(_pass) = self.net.gate.enter(address, sent).await else { return Heard::Silent };
        let mut id = [0; 2];
        if self.net.random.fill(&mut id).is_err() {
            return Heard::Silent;
        }
        let from: SocketAddr = if address.is_ipv4() { ([0u8; 4], 0).into() } else { ([0u8; 16], 0).into() };
        let Ok(socket) = UdpSocket::bind(from).await else { return Heard::Silent };
        if socket.connect(address).await.is_err() {
            return Heard::Silent;
        }
        let message = notify_of(id, child);
        for patience in PATIENCE {
            if socket.send(&message).await.is_err() {
                continue;
            }
            let answer = async {
                let mut octets = [0; 512];
                loop {
                    let length = socket.recv(&mut octets).await.ok()?;
                    if let Some(heard) = octets.get(..length).and_then(|reply| said(&message, reply)) {
                        return Some(heard);
                    }
                }
            };
            if let Ok(Some(heard)) = timeout(patience, answer).await {
                return heard;
            }
        }
        Heard::Silent
    }
}

/// The message: opcode NOTIFY, AA as RFC 1996 3.7 has it, one question.
fn notify_of(id: [u8; 2], child: &Name) -> Vec<u8> {
    let header = [id[0], id[1], 0x24, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [&header, child.wire(), &CDS.to_be_bytes(), &1u16.to_be_bytes()].concat()
}

/// What a reply to `message` says; none when it is one to something else.
fn said(message: &[u8], reply: &[u8]) -> Option<Heard> {
    let header = reply.get(..12)?;
    let mine = header[..2] == message[..2] && header[2] & 0xf8 == 0xa0;
    mine.then(|| match header[3] & 0x0f {
        0 => Heard::Taken,
        code => Heard::Refused(code),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;

    #[test]
    fn a_notify_is_made_and_only_its_own_answer_counts() {
        let child = Name::parse("acme.com.").unwrap();
        let message = notify_of([7, 9], &child);
        assert_eq!(message[..12], [7, 9, 0x24, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(message[12..], *b"\x04acme\x03com\x00\x00\x3b\x00\x01");
        let reply = |id: [u8; 2], flags: [u8; 2]| [&id[..], &flags, &message[4..]].concat();
        assert_eq!(said(&message, &reply([7, 9], [0xa4, 0])), Some(Heard::Taken));
        assert_eq!(said(&message, &reply([7, 9], [0xa0, 5])), Some(Heard::Refused(5)));
        for other in
            [reply([7, 8], [0xa4, 0]), reply([7, 9], [0x24, 0]), reply([7, 9], [0x84, 0]), vec![7, 9]]
        {
            assert_eq!(said(&message, &other), None, "{other:?}");
        }
    }
}
