//! What a JT/T 808 connection decides, without a socket; and a takeover over real ones.

mod commands;

use super::{Jt808Config, Jt808Session, serve};
use crate::limits::Seat;
use crate::tcp::testing::{World, device};
use crate::tcp::{Actions, CloseReason, Opening, Session, Signals, run};
use model::envelope::{Channel, Position as Place, ProtocolKind, edge_remark};
use model::id::DeviceId;
use model::principal::Strictness;
use model::seams::Committed;
use model::time::{IngestTime, ManualClock};
use model::verdict::RefusalReason;
use protocol::jt808::{
    Authenticate, Decoded, Event, Framer, Message, Packet, Parts, Phone, Position, Register, RegisterForm, Version,
    encode, encode_raw, id, time_bcd,
};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const NOW: IngestTime = IngestTime(1_767_240_000_000);
const OLD: Version = Version::V2013;
const NEW: Version = Version::V2019 { protocol: 1 };

fn world() -> World {
    let kind = ProtocolKind::Jt808;
    World::new(vec![
        (device(1, kind, "13800000001", Strictness::Reject), "code-1"),
        (device(2, kind, "13800000002", Strictness::Accept), "code-2"),
    ])
}

fn session(world: &World) -> Jt808Session {
    let edge = world.edge.clone();
    Jt808Session::new(Opening {
        seat: Seat::nowhere(&world.edge.limits),
        edge,
        connection: 9,
        peer: "test".to_owned(),
        cut: CancellationToken::new(),
        wake: Arc::default(),
    })
}

fn phone(version: Version, number: u8) -> Phone {
    Phone::from_digits(&format!("1380000000{number}"), version).unwrap()
}

fn authenticate(version: Version, number: u8, code: &str) -> Vec<u8> {
    let imei: &[u8] = if version.is_2019() { &[b'8'; 15] } else { &[] };
    let message = Message::Authenticate(Authenticate { code: code.as_bytes(), imei, software: &[] });
    encode(version, &phone(version, number), 3, &message)
}

fn position(version: Version, number: u8) -> Vec<u8> {
    let time_bcd = time_bcd((2026, 1, 1, 12, 0, 0, 0));
    let position = Position { status: 3, lat_e6: 34_800_000, lon_e6: 113_500_000, time_bcd, ..Position::default() };
    encode(version, &phone(version, number), 77, &Message::Position(position))
}

fn feed(session: &mut Jt808Session, bytes: &[u8]) -> Actions {
    let mut out = Actions::default();
    session.on_bytes(bytes);
    session.advance(NOW, 64, &mut out);
    out
}

fn durable(session: &mut Jt808Session, count: u32) -> Actions {
    let mut out = Actions::default();
    let committed = Committed { first: Place { partition: 0, seq: 5 }, count, at: NOW };
    session.on_durable(&committed, NOW, &mut out);
    out
}

/// `(message id, serial answered, result)` of each answer.
fn said(wire: &[u8]) -> Vec<(u16, u16, u8)> {
    let mut framer = Framer::new();
    framer.push(wire);
    let mut said = Vec::new();
    while let Some(event) = framer.next_event() {
        let Event::Frame { raw, .. } = event else { panic!("oversize") };
        let parts = Parts::split(&raw).unwrap();
        assert!(parts.check_ok() && parts.length_ok());
        said.push(match Decoded::read(&parts.header, parts.body).message {
            Message::PlatformReply { serial, result, .. } => (id::PLATFORM_REPLY, serial, result),
            Message::RegisterReply { serial, result, .. } => (id::REGISTER_REPLY, serial, result),
            Message::Time { .. } => (id::TIME, 0, 0),
            Message::ResendDown(wanted) => (id::RESEND_DOWN, wanted.first, u8::try_from(wanted.numbers.len()).unwrap()),
            Message::MediaReply(done) => {
                (id::MEDIA_REPLY, u16::try_from(done.id).unwrap(), u8::from(!done.missing.is_empty()))
            }
            other => panic!("{other:?}"),
        });
    }
    said
}

fn logged_in(world: &World, version: Version, number: u8) -> Jt808Session {
    let mut session = session(world);
    let out = feed(&mut session, &authenticate(version, number, &format!("code-{number}")));
    assert_eq!(said(&out.send), [(id::PLATFORM_REPLY, 3, 0)]);
    assert!(out.established && out.append.is_empty());
    session
}

#[test]
fn a_known_phone_registers_and_gets_its_code_and_an_unknown_one_result_4() {
    let world = world();
    let register = |version, form, number, sizes: [usize; 3]| {
        let mut filled = [0; 30];
        filled[..2].copy_from_slice(b"T1");
        let message = Message::Register(Register {
            form,
            province: 41,
            city: 101,
            maker: &filled[..sizes[0]],
            model: &filled[..sizes[1]],
            terminal_id: &filled[..sizes[2]],
            plate_colour: 2,
            plate: b"A12345",
        });
        encode(version, &phone(version, number), 1, &message)
    };
    for (version, form, sizes) in [
        (OLD, RegisterForm::V2011, [5, 8, 7]),
        (OLD, RegisterForm::V2013, [5, 20, 7]),
        (NEW, RegisterForm::V2019, [11, 30, 30]),
    ] {
        let out = feed(&mut session(&world), &register(version, form, 1, sizes));
        assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 0)]);
        assert!(out.send.windows(6).any(|window| window == b"code-1"));
        let out = feed(&mut session(&world), &register(version, form, 9, sizes));
        assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 4)]);
        assert!(out.append.is_empty());
    }
    assert_eq!(world.doorstep.knocks.lock().unwrap()[0].identity, "13800000009");
}

fn register(version: Version, number: u8, terminal: &str) -> Vec<u8> {
    let message = Message::Register(Register {
        form: if version.is_2019() { RegisterForm::V2019 } else { RegisterForm::V2013 },
        province: 41,
        city: 101,
        maker: b"MAKER",
        model: b"",
        terminal_id: terminal.as_bytes(),
        plate_colour: 2,
        plate: b"A12345",
    });
    encode(version, &phone(version, number), 1, &message)
}

#[test]
fn only_the_first_terminal_gets_the_code_and_what_another_asks_is_shown() {
    let world = world();
    let out = feed(&mut session(&world), &register(OLD, 1, "T000001"));
    assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 0)]);
    // The same terminal asks again, also in the form of another edition.
    for version in [OLD, NEW] {
        let out = feed(&mut session(&world), &register(version, 1, "T000001"));
        assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 0)]);
    }
    let out = feed(&mut session(&world), &register(OLD, 1, "T000002"));
    assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 3)]);
    assert!(!out.send.windows(6).any(|window| window == b"code-1"));
    let refusal = world.doorstep.refusals.lock().unwrap().pop().unwrap();
    assert_eq!((refusal.device, refusal.reason), (Some(DeviceId(1)), RefusalReason::NotAuthenticated));
    for part in ["MAKER/T000002", "MAKER/T000001", "13800000001", "lantian device rotate d1"] {
        assert!(refusal.detail.contains(part), "{}", refusal.detail);
    }
}

#[test]
fn the_code_leaves_only_when_it_is_written_down_who_holds_the_phone() {
    let world = world();
    world.directory.slow_disk();
    let mut session = session(&world);
    let out = feed(&mut session, &register(OLD, 1, "T000001").repeat(2));
    assert!(out.send.is_empty() && session.waits());
    let mut out = Actions::default();
    session.on_wake(NOW, &mut out);
    assert!(out.send.is_empty());
    world.directory.write_down();
    session.on_wake(NOW, &mut out);
    assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 0)]);
    assert!(!session.waits());
}

#[test]
fn a_registration_that_could_not_be_written_down_gets_no_answer_and_may_be_said_again() {
    let world = world();
    world.directory.slow_disk();
    let mut session = session(&world);
    feed(&mut session, &register(OLD, 1, "T000001"));
    world.directory.disk_gone();
    let out = feed(&mut session, &register(OLD, 1, "T000001"));
    assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 0)]);
}

#[test]
fn a_second_connection_that_only_registers_does_not_disturb_the_first() {
    let world = world();
    let mut first = logged_in(&world, OLD, 1);
    let mut second = session(&world);
    for terminal in ["T000001", "T000002"] {
        feed(&mut second, &register(OLD, 1, terminal));
        feed(&mut second, &authenticate(OLD, 1, "wrong"));
    }
    assert_eq!(world.wire.events.lock().unwrap().as_slice(), [(DeviceId(1), "connected")]);
    assert_eq!(feed(&mut first, &position(OLD, 1)).append.len(), 1);
}

#[test]
fn a_registration_that_cannot_be_read_gets_no_code() {
    let world = world();
    let short = encode_raw(OLD, &phone(OLD, 1), 1, None, id::REGISTER, &[0; 10]);
    let out = feed(&mut session(&world), &short);
    assert_eq!(said(&out.send), [(id::PLATFORM_REPLY, 1, 2)]);
}

#[test]
fn a_terminal_without_a_name_holds_no_phone() {
    let world = world();
    let zeros = [0_u8; 20];
    let message = Message::Register(Register {
        form: RegisterForm::V2013,
        province: 41,
        city: 101,
        maker: &zeros[..5],
        model: &zeros,
        terminal_id: b"       ",
        plate_colour: 2,
        plate: b"A12345",
    });
    let out = feed(&mut session(&world), &encode(OLD, &phone(OLD, 1), 1, &message));
    assert_eq!(said(&out.send), [(id::REGISTER_REPLY, 1, 4)]);
    let refusals = world.doorstep.refusals.lock().unwrap();
    assert!(refusals[0].detail.contains("without maker and terminal id"), "{refusals:?}");
}

#[test]
fn eight_wrong_codes_end_a_connection() {
    let world = world();
    let mut session = session(&world);
    for wrong in 1..=8 {
        let out = feed(&mut session, &authenticate(OLD, 1, &format!("guess-{wrong}")));
        assert_eq!(said(&out.send), [(id::PLATFORM_REPLY, 3, 1)]);
        assert_eq!(out.close, (wrong == 8).then_some(CloseReason::Guessing));
    }
}

#[test]
fn a_wrong_or_stolen_code_is_answered_1_and_opens_nothing() {
    let world = world();
    for code in ["wrong", "code-2", ""] {
        let mut session = session(&world);
        let out = feed(&mut session, &authenticate(OLD, 1, code));
        assert_eq!(said(&out.send), [(id::PLATFORM_REPLY, 3, 1)]);
        let out = feed(&mut session, &position(OLD, 1));
        assert!(out.append.is_empty() && out.send.is_empty());
    }
    assert!(world.edge.online.is_empty());
}

#[test]
fn nothing_is_taken_before_authentication() {
    let world = world();
    let mut session = session(&world);
    let heartbeat = encode(OLD, &phone(OLD, 1), 2, &Message::Heartbeat { body: &[] });
    let out = feed(&mut session, &[heartbeat, position(OLD, 1)].concat());
    assert_eq!(said(&out.send), [(id::PLATFORM_REPLY, 2, 1)]);
    assert!(out.append.is_empty());
    let refusals = world.doorstep.refusals.lock().unwrap();
    assert!(refusals.iter().all(|refusal| refusal.reason == RefusalReason::NotAuthenticated));
    assert_eq!(refusals.len(), 2);
}

#[test]
fn data_is_kept_unescaped_and_answered_after_the_append_alone() {
    let world = world();
    for version in [OLD, NEW] {
        let mut session = logged_in(&world, version, 1);
        let sent = position(version, 1);
        let out = feed(&mut session, &sent);
        assert!(out.send.is_empty());
        let [envelope] = out.append.as_slice() else { panic!("one frame") };
        assert_eq!((envelope.device, envelope.channel), (DeviceId(1), Channel::Jt808Frame));
        assert_eq!(protocol::jt808::escape(&envelope.raw), sent);
        let out = durable(&mut session, 1);
        assert_eq!(said(&out.send), [(id::PLATFORM_REPLY, 77, 0)]);
        assert_eq!(out.acknowledged, [(DeviceId(1), Place { partition: 0, seq: 5 })]);
    }
}

#[test]
fn what_cannot_be_read_is_stored_and_answered_too() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    let part = Some(Packet { total: 2, number: 1 });
    let frames = [
        encode_raw(OLD, &phone(OLD, 1), 10, None, 0x0200, b"short"),
        encode_raw(OLD, &phone(OLD, 1), 11, None, 0x0F3A, b"vendor"),
        encode_raw(OLD, &phone(OLD, 1), 12, part, 0x0801, b"part"),
        encode_raw(OLD, &phone(OLD, 1), 13, None, id::TERMINAL_REPLY, &[0, 1, 0x81, 3, 0]),
        encode_raw(OLD, &phone(OLD, 1), 14, None, id::TIME_WANTED, &[]),
    ];
    assert_eq!(feed(&mut session, &frames.concat()).append.len(), 5);
    let reply = |serial| (id::PLATFORM_REPLY, serial, 0);
    assert_eq!(said(&durable(&mut session, 5).send), [reply(10), reply(11), reply(12), (id::TIME, 0, 0)]);
}

#[test]
fn each_message_is_answered_as_its_kind_is() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    let media = [&[0, 0, 0, 9, 0, 0, 0, 1][..], &[0; 28], &[0xFF, 0xD8]].concat();
    let frames = [
        encode_raw(OLD, &phone(OLD, 1), 10, None, id::POSITION_REPLY, &[0; 30]),
        encode_raw(OLD, &phone(OLD, 1), 11, None, id::RESEND_UP, &[0, 1, 0]),
        encode_raw(OLD, &phone(OLD, 1), 12, None, id::RSA_KEY_UP, &[0; 132]),
        encode_raw(OLD, &phone(OLD, 1), 13, None, id::MEDIA, &media),
    ];
    assert_eq!(feed(&mut session, &frames.concat()).append.len(), 4);
    let out = durable(&mut session, 4);
    let wanted = [(id::PLATFORM_REPLY, 12, 3), (id::PLATFORM_REPLY, 13, 0), (id::MEDIA_REPLY, 9, 0)];
    assert_eq!(said(&out.send), wanted);
    assert_eq!(out.acknowledged.len(), 2);
}

/// A packet of a picture with id 9.
fn packet(number: u16, total: u16) -> Vec<u8> {
    let packet = Some(Packet { total, number });
    encode_raw(OLD, &phone(OLD, 1), 100 + number, packet, id::MEDIA, &[0, 0, 0, 9, 1, 1, 1, 1])
}

#[test]
fn a_missing_packet_is_asked_for_once_the_others_are_on_disk_and_the_whole_is_confirmed() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    let out = feed(&mut session, &[packet(1, 4), packet(3, 4), packet(4, 4)].concat());
    assert!(out.send.is_empty());
    assert_eq!(out.append.len(), 3);
    let reply = |number: u16| (id::PLATFORM_REPLY, 100 + number, 0);
    assert_eq!(said(&durable(&mut session, 1).send), [reply(1)]);
    let out = durable(&mut session, 2);
    assert_eq!(said(&out.send), [reply(3), reply(4), (id::RESEND_DOWN, 101, 1)]);
    feed(&mut session, &packet(2, 4));
    assert_eq!(said(&durable(&mut session, 1).send), [reply(2), (id::MEDIA_REPLY, 9, 0)]);
}

#[test]
fn small_packets_that_claim_long_messages_are_never_answered_by_more_than_they_are() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    let (mut received, mut sent, mut now) = (0, 0, NOW);
    for train in 0..200_u16 {
        let packet = Some(Packet { total: 250, number: 250 });
        let frame = encode_raw(OLD, &phone(OLD, 1), train * 256 + 250, packet, id::BATCH, &[train.to_be_bytes()[1]; 4]);
        received += frame.len();
        feed(&mut session, &frame);
        sent += durable(&mut session, 1).send.len();
    }
    for _ in 0..10 {
        now = now.plus_ms(5_000);
        let mut out = Actions::default();
        session.on_time(now, &mut out);
        sent += out.send.len();
    }
    assert!(sent <= received + 128, "{received} bytes came and {sent} were sent");
}

#[test]
fn another_phone_on_the_connection_is_refused() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    let out = feed(&mut session, &position(OLD, 2));
    assert!(out.append.is_empty() && out.send.is_empty());
}

#[test]
fn a_wrong_check_is_refused_or_remarked_by_the_devices_strictness() {
    let world = world();
    for (number, taken) in [(1, false), (2, true)] {
        let mut session = logged_in(&world, OLD, number);
        let mut sent = position(OLD, number);
        let at = sent.len() - 2;
        sent[at] ^= 1;
        let out = feed(&mut session, &sent);
        assert_eq!(out.append.len(), usize::from(taken));
        if taken {
            assert_eq!(out.append[0].remarks, edge_remark::CHECK_BAD);
        } else {
            let refusal = world.doorstep.refusals.lock().unwrap().pop().unwrap();
            assert_eq!((refusal.reason, refusal.device), (RefusalReason::CheckBad, Some(DeviceId(1))));
        }
    }
}

#[test]
fn after_logout_nothing_more_is_taken_but_the_logout_is_answered() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    let logout = encode(OLD, &phone(OLD, 1), 20, &Message::Logout);
    let out = feed(&mut session, &[logout, position(OLD, 1)].concat());
    assert_eq!(out.append.len(), 1);
    assert_eq!(said(&durable(&mut session, 1).send), [(id::PLATFORM_REPLY, 20, 0)]);
    assert!(world.edge.online.is_empty());
}

#[test]
fn a_device_that_is_switched_off_is_cut() {
    let world = world();
    let mut session = logged_in(&world, OLD, 1);
    let mut off = device(1, ProtocolKind::Jt808, "13800000001", Strictness::Reject);
    off.enabled = false;
    world.directory.set(vec![(off, "code-1")]);
    let out = feed(&mut session, &position(OLD, 1));
    assert_eq!(out.close, Some(CloseReason::Revoked));
    assert!(out.append.is_empty());
}

#[tokio::test]
async fn a_peer_that_has_closed_its_side_still_gets_the_code_that_is_being_written_down() {
    let world = world();
    world.directory.slow_disk();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let served = tokio::spawn(serve(listener, world.edge.clone(), Jt808Config::default(), cancel.clone()));
    let mut terminal = TcpStream::connect(address).await.unwrap();
    terminal.write_all(&register(OLD, 1, "T000001")).await.unwrap();
    terminal.shutdown().await.unwrap();
    world.directory.registration().await;
    world.directory.write_down();
    let mut answer = Vec::new();
    terminal.read_to_end(&mut answer).await.unwrap();
    assert_eq!(said(&answer), [(id::REGISTER_REPLY, 1, 0)]);
    cancel.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_picture_over_a_socket_is_asked_for_until_it_is_whole() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let served = tokio::spawn(serve(listener, world.edge.clone(), Jt808Config::default(), cancel.clone()));
    let mut terminal = TcpStream::connect(address).await.unwrap();
    terminal.write_all(&authenticate(OLD, 1, "code-1")).await.unwrap();
    terminal.write_all(&[packet(1, 3), packet(3, 3)].concat()).await.unwrap();
    world.inlet.frames(2).await;
    world.inlet.release(&Ok(()));
    let mut answers = Vec::new();
    let asked = |answers: &[u8]| {
        let all = answers.last() == Some(&0x7e) && answers.len() > 1;
        all && said(answers).iter().any(|(id, ..)| *id == id::RESEND_DOWN)
    };
    while !asked(&answers) {
        let mut bytes = [0; 512];
        let count = terminal.read(&mut bytes).await.unwrap();
        assert!(count > 0, "closed");
        answers.extend_from_slice(&bytes[..count]);
    }
    terminal.write_all(&packet(2, 3)).await.unwrap();
    world.inlet.frames(3).await;
    world.inlet.release(&Ok(()));
    terminal.shutdown().await.unwrap();
    let mut rest = Vec::new();
    terminal.read_to_end(&mut rest).await.unwrap();
    assert_eq!(said(&rest).last(), Some(&(id::MEDIA_REPLY, 9, 0)));
    cancel.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_quiet_terminal_is_cut_when_its_device_is_switched_off() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let served = tokio::spawn(serve(listener, world.edge.clone(), Jt808Config::default(), cancel.clone()));
    let mut terminal = TcpStream::connect(address).await.unwrap();
    terminal.write_all(&authenticate(OLD, 1, "code-1")).await.unwrap();
    let mut byte = [0];
    terminal.read_exact(&mut byte).await.unwrap();
    let mut off = device(1, ProtocolKind::Jt808, "13800000001", Strictness::Reject);
    off.enabled = false;
    world.directory.set(vec![(off, "code-1")]);
    let mut rest = Vec::new();
    terminal.read_to_end(&mut rest).await.unwrap();
    assert!(world.edge.online.is_empty());
    cancel.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_second_login_of_a_phone_replaces_the_first() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let served = tokio::spawn(serve(listener, world.edge.clone(), Jt808Config::default(), cancel.clone()));
    let mut byte = [0];
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(&authenticate(OLD, 1, "code-1")).await.unwrap();
    first.read_exact(&mut byte).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(&authenticate(NEW, 1, "code-1")).await.unwrap();
    second.read_exact(&mut byte).await.unwrap();
    let mut left = Vec::new();
    first.read_to_end(&mut left).await.unwrap();
    assert_eq!(world.edge.online.get(DeviceId(1)).unwrap().connection, 2);
    second.write_all(&position(NEW, 1)).await.unwrap();
    world.inlet.frames(1).await;
    cancel.cancel();
    world.inlet.release(&Ok(()));
    served.await.unwrap();
    assert_eq!(world.wire.acknowledged.lock().unwrap().len(), 1);
    assert!(world.edge.online.is_empty());
}

/// The next answer on a stream.
async fn next_said(stream: &mut tokio::io::DuplexStream) -> (u16, u16, u8) {
    let mut wire = vec![stream.read_u8().await.unwrap()];
    while wire.len() < 2 || wire.last() != Some(&0x7e) {
        wire.push(stream.read_u8().await.unwrap());
    }
    said(&wire)[0]
}

#[tokio::test(start_paused = true)]
async fn a_truncated_train_is_asked_for_as_time_passes_then_given_up_and_completed_by_what_comes_late() {
    let world = world();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut edge = world.edge.clone();
    edge.clock = Arc::<ManualClock>::clone(&clock);
    let (mut stream, ours) = tokio::io::duplex(1 << 16);
    let (cut, wake, cancel) = (CancellationToken::new(), Arc::<Notify>::default(), CancellationToken::new());
    let (peer, seat) = ("test".to_owned(), Seat::nowhere(&edge.limits));
    let signals = Signals {
        cut: cut.clone(),
        wake: Arc::clone(&wake),
        seat: Arc::clone(&seat),
        crowded_out: CancellationToken::new(),
        cancel: cancel.clone(),
    };
    let session = Jt808Session::new(Opening { edge: edge.clone(), connection: 1, peer, cut, wake, seat });
    let served = tokio::spawn(run(ours, session, edge, Jt808Config::default().tcp, signals));
    stream.write_all(&authenticate(OLD, 1, "code-1")).await.unwrap();
    assert_eq!(next_said(&mut stream).await, (id::PLATFORM_REPLY, 3, 0));
    // The first of three packets, and then the terminal says nothing more.
    let packet =
        |number| encode_raw(OLD, &phone(OLD, 1), 20 + number, Some(Packet { total: 3, number }), id::BATCH, b"part");
    stream.write_all(&packet(1)).await.unwrap();
    world.inlet.frames(1).await;
    world.inlet.release(&Ok(()));
    assert_eq!(next_said(&mut stream).await, (id::PLATFORM_REPLY, 21, 0));
    for _ in 0..3 {
        clock.advance_ms(5_000);
        assert_eq!(next_said(&mut stream).await, (id::RESEND_DOWN, 21, 2));
    }
    // Given up: however long it is silent, it is not asked again.
    clock.advance_ms(60_000);
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    for number in [2, 3] {
        stream.write_all(&packet(number)).await.unwrap();
        world.inlet.frames(usize::from(number)).await;
        world.inlet.release(&Ok(()));
        assert_eq!(next_said(&mut stream).await, (id::PLATFORM_REPLY, 20 + number, 0));
    }
    cancel.cancel();
    assert_eq!(served.await.unwrap(), CloseReason::Stopping);
}
