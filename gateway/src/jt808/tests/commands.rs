//! Commands to a terminal: sent on its connection, answered under their serial, given up with it.

use super::{NEW, NOW, OLD, feed, logged_in, phone, world};
use crate::tcp::{Actions, Session};
use model::downlink::Told;
use model::id::DeviceId;
use protocol::jt808::{Decoded, Event, Framer, Message, Parts, Version, encode, id};

fn woken(session: &mut super::Jt808Session) -> Vec<u8> {
    let mut out = Actions::default();
    session.on_wake(NOW, &mut out);
    out.send
}

/// Serial and text of the one 0x8300 in these bytes.
fn text(wire: &[u8]) -> (u16, String) {
    let mut framer = Framer::new();
    framer.push(wire);
    let Some(Event::Frame { raw, .. }) = framer.next_event() else { panic!("a frame") };
    let parts = Parts::split(&raw).unwrap();
    let Message::Text(text) = Decoded::read(&parts.header, parts.body).message else { panic!("a text") };
    (parts.header.serial, protocol::jt808::gbk(text.text).into_owned())
}

fn confirm(version: Version, serial: u16, result: u8) -> Vec<u8> {
    encode(version, &phone(version, 1), 90, &Message::TerminalReply { serial, id: id::TEXT, result })
}

#[test]
fn a_text_is_sent_under_the_next_serial_in_the_terminals_issue_and_ends_with_its_0x0001() {
    for version in [OLD, NEW] {
        let world = world();
        let mut session = logged_in(&world, version, 1);
        assert_eq!(*world.downlink.attached.lock().unwrap(), [(DeviceId(1), 9)]);
        world.downlink.order(5, r#"{"kind":"jt808_text","text":"请覆盖篷布"}"#);
        let (serial, shown) = text(&woken(&mut session));
        // Serial 0 went to the answer of the authentication.
        assert_eq!((serial, shown.as_str()), (1, "请覆盖篷布"));
        assert_eq!(world.downlink.last(), Some((5, Told::Sent { number: "0x8300/1".into() })));
        feed(&mut session, &confirm(version, 7, 0));
        assert_eq!(world.downlink.told.lock().unwrap().len(), 1);
        let out = feed(&mut session, &confirm(version, 1, 0));
        assert_eq!(out.append.len(), 1, "answers are kept like any frame");
        assert_eq!(world.downlink.last(), Some((5, Told::Done { text: "0x0001".into(), result: None })));
        feed(&mut session, &confirm(version, 1, 0));
        assert_eq!(world.downlink.told.lock().unwrap().len(), 2);
    }
}

#[test]
fn a_terminal_that_says_nothing_hears_it_again_and_one_that_cannot_is_believed() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    world.downlink.order(5, r#"{"kind":"jt808_text","text":"A"}"#);
    let first = woken(&mut session);
    let late = NOW.plus_ms(10_000);
    assert_eq!(session.due_in(NOW), Some(std::time::Duration::from_secs(10)));
    let mut out = Actions::default();
    session.on_tick(late, &mut out);
    assert_eq!(out.send, first);
    feed(&mut session, &confirm(OLD, 1, 3));
    assert!(matches!(world.downlink.last(), Some((5, Told::Failed { why: "refused", .. }))));
    assert_eq!(session.due_in(NOW), None);
}

#[test]
fn before_it_authenticates_a_terminal_is_sent_nothing_and_after_its_logout_neither() {
    let world = world();
    let mut session = super::session(&world);
    world.downlink.order(5, r#"{"kind":"jt808_text","text":"A"}"#);
    assert!(woken(&mut session).is_empty());
    let mut session = logged_in(&world, OLD, 1);
    assert!(!woken(&mut session).is_empty());
    feed(&mut session, &encode(OLD, &phone(OLD, 1), 4, &Message::Logout));
    assert!(world.downlink.attached.lock().unwrap().is_empty() && session.due_in(NOW).is_none());
}
