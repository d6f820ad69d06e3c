//! NOTIFY(CDS) to real receivers: one that takes it, one that refuses, one that is silent (RFC 9859).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use pdm_auditor::WalkSettings;
use pdm_model::RecordType;
use pdm_model::keys::Heard;
use pdm_ports::{Announcement, Announcer};
use tokio::net::UdpSocket;

use crate::{Tree, name, set, walker};

/// What a receiver got, and where it listens.
struct Receiver {
    at: SocketAddr,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Receiver {
    /// One that answers with this response code, or not at all.
    async fn start(ip: &str, rcode: Option<u8>) -> Self {
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        tokio::spawn(async move {
            let mut octets = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut octets).await {
                kept.lock().unwrap().push(octets[..length].to_vec());
                let Some(rcode) = rcode else { continue };
                // A stray datagram before it, as anybody could send.
                let _ = socket.send_to(&[0; 20], from).await;
                octets[2] |= 0x80;
                octets[3] |= rcode;
                let _ = socket.send_to(&octets[..length], from).await;
            }
        });
        Self { at, got }
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }
}

/// A DSYNC record for CDS by NOTIFY, as PowerDNS takes what it does not know (RFC 3597).
fn dsync(owner: &str, receivers: &[(u16, &str)]) -> pdm_model::RRset {
    let one = |(port, target): &(u16, &str)| {
        let name = pdm_dnssec::Name::parse(target).unwrap();
        let rdata = [&[0, 59, 1][..], &port.to_be_bytes(), name.wire()].concat();
        let hex: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("\\# {} {hex}", rdata.len())
    };
    let lines: Vec<String> = receivers.iter().map(one).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    set(owner, RecordType::Other("TYPE66".to_owned()), &lines)
}

#[tokio::test]
async fn whoever_the_parent_names_is_told_and_nobody_else() {
    let tree = Tree::start();
    let walker = tree.walker();
    let omani = name("omani.works");
    assert_eq!(walker.announce_cds(&omani).await.unwrap(), Announcement::NotInvited);

    let (takes, refuses, silent) = tokio::join!(
        Receiver::start("127.9.3.1", Some(0)),
        Receiver::start("127.9.3.2", Some(5)),
        Receiver::start("127.9.3.3", None),
    );
    for (host, receiver) in [("takes", &takes), ("refuses", &refuses), ("silent", &silent)] {
        let address = receiver.at.ip().to_string();
        tree.tld.patch("works", &[set(&format!("{host}.works."), RecordType::A, &[&address])]);
    }
    tree.tld.patch("works", &[dsync("_dsync.works.", &[(takes.at.port(), "takes.works.")])]);
    let said =
        |host: &str, receiver: &Receiver, heard| (format!("{host}.works:{}", receiver.at.port()), heard);
    let walker = tree.walker();
    let sent = walker.announce_cds(&omani).await.unwrap();
    assert_eq!(sent, Announcement::Sent(vec![said("takes", &takes, Heard::Taken)]));
    let message = takes.got.lock().unwrap()[0].clone();
    // NOTIFY, one question: omani.works. CDS IN.
    assert_eq!((message[2] & 0xf8, &message[4..12]), (0x20, &[0, 1, 0, 0, 0, 0, 0, 0][..]));
    assert_eq!(message[12..], *b"\x05omani\x05works\x00\x00\x3b\x00\x01");
    // A child several labels below, and one whose delegation is not signed.
    for other in ["x.y.works", "plain.works"] {
        assert!(matches!(walker.announce_cds(&name(other)).await.unwrap(), Announcement::Sent(_)), "{other}");
    }
    assert_eq!((takes.count(), refuses.count(), silent.count()), (3, 0, 0));

    // The more particular name counts, all of its receivers do, and silence is asked twice.
    let both = [(refuses.at.port(), "refuses.works."), (silent.at.port(), "silent.works.")];
    tree.tld.patch("works", &[dsync("omani._dsync.works.", &both)]);
    let walker = tree.walker();
    let Announcement::Sent(mut sent) = walker.announce_cds(&omani).await.unwrap() else { panic!("invited") };
    sent.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = vec![said("refuses", &refuses, Heard::Refused(5)), said("silent", &silent, Heard::Silent)];
    assert_eq!(sent, expected);
    assert_eq!((takes.count(), refuses.count(), silent.count()), (3, 1, 2));
}

#[tokio::test]
async fn an_invitation_that_does_not_validate_or_leads_inside_is_not_followed() {
    let tree = Tree::start();
    let silent = Receiver::start("127.10.3.1", Some(0)).await;
    tree.tld.patch("works", &[set("inside.works.", RecordType::A, &["127.10.3.1"])]);
    tree.tld.patch("works", &[dsync("_dsync.works.", &[(silent.at.port(), "inside.works.")])]);
    // 127.10.0.0/16 is not among the allowed networks.
    let sent = tree.walker().announce_cds(&name("omani.works")).await.unwrap();
    assert!(matches!(&sent, Announcement::Sent(all) if all[0].1 == Heard::Silent), "{sent:?}");
    let stranger = WalkSettings { root_anchor: tree.tld.ds("works"), ..tree.settings() };
    let fault = walker(stranger).announce_cds(&name("omani.works")).await.unwrap_err();
    assert_eq!(fault.code, "walk-failed");
    assert_eq!(silent.count(), 0);
}
