//! The same domain through the wizard in Chromium, from a typed name to live: by hand, and by a registrar's API.
//! `tests/browser/brought.mjs` looks and types; what people do elsewhere it asks for by a file, which is taken away when
//! it is done.

use std::sync::Arc;
use std::time::Duration;

use pdm_harness::browser::browse;
use pdm_lab::{ACME, Lab, acme};
use pdm_simulators::{Trouble, When};
use serde_json::{Value, json};

use crate::registrars::{Registrar, porkbun};
use crate::scene::{ADDRESS, Move, lab};

/// What would run, or become an element, if a page took it for more than a text: from a TXT of the old zone, from a
/// CAA, from a registrar's error.
const TEXT: &str = "<img class=hostile src=x onerror=alert(1)>";
const ISSUER: &str = "</pre></code><svg class=hostile onload=alert(1)>";
const ERROR: &str = "</p><script class=hostile>alert(1)</script> & <b class=hostile>";

/// The story of one mode, with people at hand.
async fn story(mut moving: Move, registrar: Option<&Registrar>) {
    let dir = moving.lab.dir().to_owned();
    let chosen = registrar.map_or(Value::Null, |r| r.chosen.clone());
    let more = json!({
        "mode": if registrar.is_some() { "byo-api" } else { "byo-manual" }, "domain": ACME, "address": ADDRESS, "dir": dir,
        "old": moving.lab.old.names()[0], "ours": moving.lab.ours.names(), "texts": [TEXT, ISSUER], "error": ERROR,
        "registrar": chosen["id"], "credential": chosen["credential"], "zone": zone_file(),
    });
    let (url, token) = (moving.api.base().to_owned(), moving.token.clone());
    tokio::select! {
        () = browse(&["brought.mjs"], &url, &token, &dir, &more) => {}
        () = people(&mut moving, registrar) => {}
    }
}

/// Do what files ask for.
async fn people(moving: &mut Move, registrar: Option<&Registrar>) {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        for file in std::fs::read_dir(moving.lab.dir()).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if let Some(asked) = name.strip_prefix("person-")
                && act(moving, registrar, asked).await
            {
                std::fs::remove_file(&file).unwrap();
            }
        }
    }
}

/// One act; false when it cannot be done yet.
async fn act(moving: &mut Move, registrar: Option<&Registrar>, asked: &str) -> bool {
    let Ok(shown) = moving.look().await else { return false };
    match asked {
        "proves" => {
            let text = |place: &str| shown.pointer(place).and_then(Value::as_str).unwrap().to_owned();
            let (name, value) = (text("/ownership/name"), text("/ownership/value"));
            let label = name.strip_suffix(&format!(".{ACME}.")).unwrap();
            moving.lab.old.edit(ACME, label, "TXT", &[&format!("\"{value}\"")]).await;
        }
        "obeys" => {
            if !moving.obey(&shown["brought"]["instruction"]).await {
                return false;
            }
            let id = shown["operation"]["id"].as_str().unwrap();
            let _ = moving.api.try_post(&format!("/v1/operations/{id}/retry"), &json!({})).await;
        }
        // One of the registry's servers is behind, and catches up.
        "lags" => second(moving).lag().await,
        "catches-up" => second(moving).catch_up().await,
        "refused" => (registrar.unwrap().trouble)(When::Next, Trouble::Says(400, ERROR)),
        "refused-write" => (registrar.unwrap().trouble)(When::Write, Trouble::Says(503, ERROR)),
        other => panic!("nobody knows how to {other}"),
    }
    true
}

fn second(moving: &mut Move) -> &mut pdm_lab::Nameserver {
    let lab = Arc::get_mut(&mut moving.lab).expect("nobody else holds this lab");
    &mut lab.registry.operator.servers[1]
}

/// Texts of the old zone that would do something.
const HOSTILE: [(&str, &str, &str, &str); 2] =
    [("note", "TXT", "", TEXT), ("shop", "CAA", "0 issue ", ISSUER)];

/// Put them into the zone; it is handed out, or nobody may have it.
async fn hostile(lab: &Lab, handed_out: bool) {
    lab.old.allow_transfer(ACME, handed_out).await;
    for (label, rtype, before, text) in HOSTILE {
        lab.old.edit(ACME, label, rtype, &[&format!("{before}\"{text}\"")]).await;
    }
}

/// The same zone as a file.
fn zone_file() -> String {
    let mut file = String::new();
    for (label, rtype, contents) in acme() {
        for content in *contents {
            file += &format!("{label} {rtype} {content}\n");
        }
    }
    for (label, rtype, before, text) in HOSTILE {
        file += &format!("{label} {rtype} {before}\"{text}\"\n");
    }
    file
}

#[tokio::test]
async fn a_customer_moves_it_by_hand_in_a_browser() {
    let lab = lab().await;
    hostile(&lab, true).await;
    story(Move::start(lab, "").await, None).await;
}

#[tokio::test]
async fn a_customer_moves_it_by_an_api_in_a_browser() {
    let lab = lab().await;
    hostile(&lab, false).await;
    let registrar = porkbun(&lab).await;
    story(Move::start(lab, &registrar.section).await, Some(&registrar)).await;
    let writes = (registrar.writes)();
    assert_eq!(writes.len(), 4, "DS out (refused once), NS, DS in: {writes:?}");
}
