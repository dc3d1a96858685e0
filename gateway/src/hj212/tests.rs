//! What an HJ 212 connection decides, without a socket.

use super::Hj212Session;
use crate::limits::Seat;
use crate::tcp::testing::{World, device};
use crate::tcp::{Actions, Opening, Session};
use model::downlink::Told;
use model::envelope::{Channel, Position, ProtocolKind, edge_remark};
use model::id::{DeviceId, PrincipalId};
use model::principal::Strictness;
use model::seams::Committed;
use model::time::IngestTime;
use model::verdict::RefusalReason;
use protocol::hj212::{Head, encode};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const NOW: IngestTime = IngestTime(1_767_240_000_000);

fn world() -> World {
    let hj = ProtocolKind::Hj212;
    World::new(vec![
        (device(1, hj, "A1", Strictness::Reject), "123456"),
        (device(2, hj, "A2", Strictness::Warn), "654321"),
    ])
}

fn session(world: &World) -> Hj212Session {
    let edge = world.edge.clone();
    Hj212Session::new(
        Opening {
            seat: Seat::nowhere(&edge.limits),
            edge,
            connection: 9,
            peer: "test".to_owned(),
            cut: CancellationToken::new(),
            wake: Arc::default(),
        },
        4_096,
    )
}

fn frame(mn: &str, pw: &str, cn: &str, flag: u8) -> Vec<u8> {
    let head = Head {
        qn: Some("20260101120000123"),
        st: Some("22"),
        cn: Some(cn),
        pw: Some(pw),
        mn: Some(mn),
        flag: Some(flag),
        packet: None,
    };
    encode(&head, "DataTime=20260101120000;a34002-Rtd=5,a34002-Flag=N")
}

fn feed(session: &mut Hj212Session, bytes: &[u8]) -> Actions {
    let mut out = Actions::default();
    session.on_bytes(bytes);
    session.advance(NOW, 64, &mut out);
    out
}

fn durable(session: &mut Hj212Session, count: u32) -> String {
    let mut out = Actions::default();
    let committed = Committed { first: Position { partition: 0, seq: 1 }, count, at: NOW };
    session.on_durable(&committed, NOW, &mut out);
    String::from_utf8(out.send).unwrap()
}

#[test]
fn a_frame_is_kept_as_it_came_with_its_provenance() {
    let world = world();
    let mut session = session(&world);
    let sent = frame("A1", "123456", "2011", 5);
    let out = feed(&mut session, &sent);
    let [envelope] = out.append.as_slice() else { panic!("one frame") };
    assert_eq!((envelope.device, envelope.principal), (DeviceId(1), PrincipalId(101)));
    assert_eq!((envelope.channel, envelope.remarks, envelope.connection), (Channel::Hj212Frame, 0, 9));
    assert_eq!(envelope.raw, &sent[..sent.len() - 2]);
    assert!(out.send.is_empty() && out.established);
}

#[test]
fn every_data_command_is_answered_when_asked_and_notices_by_9013() {
    let world = world();
    for (cn, flag, expected) in [
        ("2011", 5, "9014"),
        ("2051", 5, "9014"),
        ("2061", 5, "9014"),
        ("2031", 5, "9014"),
        ("9021", 5, "9014"),
        ("7777", 5, "9014"),
        ("1013", 5, "9013"),
        ("2011", 4, ""),
        ("9012", 5, ""),
    ] {
        let mut session = session(&world);
        let out = feed(&mut session, &frame("A1", "123456", cn, flag));
        assert_eq!(out.append.len(), 1, "{cn} is stored");
        let answer = durable(&mut session, 1);
        assert_eq!(answer.contains("CN="), !expected.is_empty(), "{cn}: {answer}");
        assert!(answer.contains(expected), "{cn}: {answer}");
    }
}

#[test]
fn an_unknown_mn_waits_at_the_doorstep_in_silence() {
    let world = world();
    let out = feed(&mut session(&world), &frame("FOREIGN", "123456", "2011", 5));
    assert!(out.append.is_empty() && out.send.is_empty() && !out.established);
    assert_eq!(world.doorstep.knocks.lock().unwrap()[0].identity, "FOREIGN");
}

#[test]
fn a_wrong_password_and_another_devices_password_are_refused_in_silence() {
    let world = world();
    for password in ["000000", "654321", ""] {
        let out = feed(&mut session(&world), &frame("A1", password, "2011", 5));
        assert!(out.append.is_empty() && out.send.is_empty());
        let refusal = world.doorstep.refusals.lock().unwrap().pop().unwrap();
        assert_eq!((refusal.reason, refusal.device), (RefusalReason::NotAuthenticated, Some(DeviceId(1))));
    }
}

#[test]
fn a_wrong_check_is_refused_or_remarked_by_the_devices_strictness() {
    let world = world();
    let wrong = |mn: &str, pw: &str| {
        let mut sent = frame(mn, pw, "2011", 5);
        let at = sent.len() - 6;
        sent[at..at + 4].copy_from_slice(b"ABCD");
        sent
    };
    let out = feed(&mut session(&world), &wrong("A1", "123456"));
    assert!(out.append.is_empty());
    let refusal = world.doorstep.refusals.lock().unwrap().pop().unwrap();
    assert_eq!((refusal.reason, refusal.device), (RefusalReason::CheckBad, Some(DeviceId(1))));
    assert!(refusal.detail.contains("ABCD found (check_other_algorithm)"), "{}", refusal.detail);
    // A damaged MN is no identity: a refused sample, not a knock.
    feed(&mut session(&world), &wrong("A9", "123456"));
    assert_eq!(world.doorstep.refusals.lock().unwrap().pop().unwrap().device, None);
    assert!(world.doorstep.knocks.lock().unwrap().is_empty());
    let mut forgiving = session(&world);
    let out = feed(&mut forgiving, &wrong("A2", "654321"));
    assert_eq!(out.append[0].remarks, edge_remark::CHECK_BAD);
    assert!(durable(&mut forgiving, 1).contains("CN=9014"));
}

#[test]
fn a_wrong_length_is_remarked_and_answered_when_forgiven() {
    let world = world();
    let mut sent = frame("A2", "654321", "2011", 5);
    sent[5] = if sent[5] == b'1' { b'2' } else { b'1' };
    let mut session = session(&world);
    let out = feed(&mut session, &sent);
    assert_eq!(out.append[0].remarks, edge_remark::LENGTH_BAD);
}

#[test]
fn garbage_before_a_good_frame_is_remarked_and_the_frame_kept() {
    let world = world();
    let sent = [b"noise ##0500QN=7 ".as_slice(), &frame("A1", "123456", "2011", 5)].concat();
    let out = feed(&mut session(&world), &sent);
    assert_eq!(out.append.len(), 1);
    assert_eq!(out.append[0].remarks, edge_remark::AFTER_GARBAGE);
}

#[test]
fn one_connection_may_carry_several_devices_and_follows_the_directory() {
    let world = world();
    let mut session = session(&world);
    let both = [frame("A1", "123456", "2011", 5), frame("A2", "654321", "2011", 5)].concat();
    let out = feed(&mut session, &both);
    assert_eq!(out.append.iter().map(|envelope| envelope.device.0).collect::<Vec<_>>(), [1, 2]);
    let mut off = device(1, ProtocolKind::Hj212, "A1", Strictness::Reject);
    off.enabled = false;
    world.directory.set(vec![(off, "123456")]);
    assert!(feed(&mut session, &both).append.is_empty());
    session.on_close(NOW);
    assert_eq!(world.wire.events.lock().unwrap().len(), 4);
}

#[test]
fn a_1013_on_disk_is_answered_and_its_device_is_told_the_time_by_a_command() {
    let world = world();
    let mut session = session(&world);
    let out = feed(&mut session, &frame("A1", "123456", "1013", 5));
    assert!(out.send.is_empty() && world.downlink.times.lock().unwrap().is_empty(), "nothing leaves before the sync");
    let sent = durable(&mut session, 1);
    assert!(sent.contains("CN=9013;") && sent.contains("QN=20260101120000123"), "{sent}");
    assert_eq!(*world.downlink.times.lock().unwrap(), [DeviceId(1)]);
}

fn woken(session: &mut Hj212Session, now: IngestTime) -> String {
    let mut out = Actions::default();
    session.on_wake(now, &mut out);
    String::from_utf8(out.send).unwrap()
}

fn answer(cn: &str, qn: &str, data: &str) -> Vec<u8> {
    let head = Head {
        qn: Some(qn),
        st: Some("91"),
        cn: Some(cn),
        pw: Some("123456"),
        mn: Some("A1"),
        flag: Some(4),
        packet: None,
    };
    encode(&head, data)
}

#[test]
fn a_command_is_sent_to_the_device_that_speaks_sent_again_in_silence_and_told_as_it_is_answered() {
    let world = world();
    let mut session = session(&world);
    feed(&mut session, &frame("A1", "123456", "2011", 4));
    assert_eq!(*world.downlink.attached.lock().unwrap(), [(DeviceId(1), 9)]);
    world.downlink.order(5, r#"{"kind":"hj212_set_time"}"#);
    let sent = woken(&mut session, NOW);
    // NOW is 04:00 UTC; ST is the device's own.
    assert!(sent.contains("ST=22;CN=1012;PW=123456;MN=A1;Flag=5;CP=&&SystemTime=20260101120000&&"), "{sent}");
    let qn = sent.get(9..26).unwrap().to_owned();
    assert_eq!(world.downlink.last(), Some((5, Told::Sent { number: qn.clone() })));

    let late = NOW.plus_ms(10_000);
    assert_eq!(session.due_in(NOW), Some(std::time::Duration::from_secs(10)));
    let mut out = Actions::default();
    session.on_tick(late, &mut out);
    assert!(String::from_utf8(out.send).unwrap().contains(&format!("QN={qn};")));
    assert_eq!(world.downlink.last(), Some((5, Told::Again { send: 2 })));

    // Each answer is journaled like any frame; another's number changes nothing.
    feed(&mut session, &answer("9012", "20200101000000000", "ExeRtn=1"));
    assert_eq!(world.downlink.last(), Some((5, Told::Again { send: 2 })));
    let out = feed(&mut session, &answer("9011", &qn, "QnRtn=1"));
    assert_eq!(out.append.len(), 1);
    assert_eq!(world.downlink.last(), Some((5, Told::Confirmed { text: "QnRtn=1".into() })));
    feed(&mut session, &answer("9012", &qn, "ExeRtn=1"));
    assert_eq!(world.downlink.last(), Some((5, Told::Done { text: String::new(), result: None })));
    assert_eq!(session.due_in(NOW), None);
    feed(&mut session, &answer("9012", &qn, "ExeRtn=1"));
    assert_eq!(world.downlink.told.lock().unwrap().len(), 4);
}

#[test]
fn a_command_that_was_cancelled_is_not_sent_again_and_the_next_one_follows() {
    let world = world();
    let mut session = session(&world);
    feed(&mut session, &frame("A1", "123456", "2011", 4));
    world.downlink.order(5, r#"{"kind":"hj212_get_time"}"#);
    assert!(woken(&mut session, NOW).contains("CN=1011;"));
    world.downlink.cancelled.store(true, std::sync::atomic::Ordering::SeqCst);
    world.downlink.order(6, r#"{"kind":"hj212_get_minute_interval"}"#);
    assert!(woken(&mut session, NOW).contains("CN=1063;"));
    session.on_close(NOW);
    assert!(world.downlink.attached.lock().unwrap().is_empty());
}

#[test]
fn a_device_that_uses_the_password_it_was_told_is_let_in_before_the_register_knows() {
    let world = world();
    let mut session = session(&world);
    *world.downlink.new_password.lock().unwrap() = Some("NEWPW1".into());
    let out = feed(&mut session, &frame("A1", "NEWPW1", "2011", 5));
    assert_eq!(out.append.len(), 1);
    let out = feed(&mut session, &frame("A1", "NEWPW2", "2011", 5));
    assert!(out.append.is_empty() && world.doorstep.refusals.lock().unwrap().len() == 1);
}

#[test]
fn answers_are_not_answered_and_notices_get_their_own_acknowledgement() {
    let world = world();
    let mut session = session(&world);
    for (command, wanted) in
        [("9011", None), ("9012", None), ("9013", None), ("9014", None), ("2081", Some("CN=9014;"))]
    {
        feed(&mut session, &frame("A1", "123456", command, 5));
        let sent = durable(&mut session, 1);
        assert_eq!(sent.is_empty(), wanted.is_none(), "{command}: {sent}");
        assert!(sent.contains(wanted.unwrap_or_default()), "{command}: {sent}");
    }
}

#[test]
fn a_connection_that_guesses_passwords_is_closed_after_a_few() {
    let world = world();
    let mut session = session(&world);
    let many: Vec<u8> = (0..100).flat_map(|n| frame("A1", &format!("{n:06}"), "2011", 5)).collect();
    let mut bytes = many.clone();
    bytes.extend(frame("A1", "123456", "2011", 5));
    let out = feed(&mut session, &bytes);
    assert!(out.append.is_empty(), "the right one came too late");
    assert_eq!(out.close.map(crate::tcp::CloseReason::code), Some("guessing"));
    assert_eq!(world.doorstep.refusals.lock().unwrap().len(), 8);
}
