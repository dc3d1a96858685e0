//! What an HJ 212 connection decides, without a socket.

use super::Hj212Session;
use crate::limits::Seat;
use crate::tcp::testing::{World, device};
use crate::tcp::{Actions, Opening, Session};
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
fn a_logger_that_asks_for_the_time_is_told_it_in_its_own_zone_once_its_question_is_on_disk() {
    let world = world();
    let mut session = session(&world);
    let out = feed(&mut session, &frame("A1", "123456", "1013", 5));
    assert!(out.send.is_empty(), "nothing leaves before the sync");
    let sent = durable(&mut session, 1);
    let (answer, request) = sent.split_once("\r\n").unwrap();
    assert!(answer.contains("CN=9013;") && answer.contains("QN=20260101120000123"), "{answer}");
    // NOW is 04:00 UTC.
    assert!(request.contains("CN=1012;PW=123456;MN=A1;") && request.contains("SystemTime=20260101120000"), "{request}");
    let parts = protocol::hj212::Parts::split(request.as_bytes());
    assert!(parts.crc_ok() && parts.length_ok(), "{request}");
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
