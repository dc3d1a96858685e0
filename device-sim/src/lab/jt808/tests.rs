//! Good and faulty terminals at the desk: each fault is found with its check, clause and byte.

use super::*;
use protocol::jt808::{Authenticate, Register, RegisterForm, check};

/// 2026-01-01 12:00:00 in Beijing.
const NOON: i64 = 1_767_240_000_000;
const PACE: Pace =
    Pace { warm_frames: 1, withhold_ms: 5_000, answer_ms: 3_000, cut_ms: 3_000, back_ms: 60_000, heartbeat_s: 1 };
const VERSION: Version = Version::V2013;

fn phone() -> Phone {
    Phone::from_digits("13900000042", VERSION).unwrap()
}

fn frame(serial: u16, message: &Message<'_>) -> Vec<u8> {
    encode(VERSION, &phone(), serial, message)
}

fn register(serial: u16) -> Vec<u8> {
    let register = Register {
        form: RegisterForm::V2013,
        province: 41,
        city: 100,
        maker: b"SIM01",
        model: b"LAB",
        terminal_id: b"0000042",
        plate_colour: 2,
        plate: b"SIM",
    };
    frame(serial, &Message::Register(register))
}

fn authenticate(serial: u16) -> Vec<u8> {
    let code = code_of(phone().as_str());
    frame(serial, &Message::Authenticate(Authenticate { code: code.as_bytes(), imei: b"", software: b"" }))
}

fn position(serial: u16, at: i64) -> Position<'static> {
    let stamp = LocalStamp::of(EventTime(at), BEIJING_OFFSET_MINUTES).fields().unwrap();
    let _ = serial;
    Position {
        status: 3,
        lat_e6: 34_800_001,
        lon_e6: 113_600_001,
        speed_dkmh: 421,
        course_degree: 90,
        time_bcd: time_bcd(stamp),
        ..Position::default()
    }
}

fn fix(serial: u16, at: i64) -> Vec<u8> {
    frame(serial, &Message::Position(position(serial, at)))
}

fn feed(desk: &mut Jt808Desk, link: u64, bytes: &[u8], now: i64) -> Vec<Action> {
    let mut out = Vec::new();
    desk.heard(link, bytes, now, &mut out);
    out
}

/// Ids and serials of what was sent.
fn sent(out: &[Action]) -> Vec<(u16, u16)> {
    out.iter()
        .filter_map(|action| match action {
            Action::Send(bytes) => {
                let raw = plain(bytes);
                Parts::split(&raw[1..raw.len() - 1]).map(|parts| (parts.header.id, parts.header.serial))
            }
            _ => None,
        })
        .collect()
}

/// A desk with a terminal that registered and authenticated; its next serial is 2.
fn greeted(pace: Option<Pace>) -> Jt808Desk {
    let mut desk = Jt808Desk::new(pace, true);
    desk.opened(1, NOON, &mut Vec::new());
    assert_eq!(sent(&feed(&mut desk, 1, &register(0), NOON))[0].0, id::REGISTER_REPLY);
    assert_eq!(sent(&feed(&mut desk, 1, &authenticate(1), NOON))[0].0, id::PLATFORM_REPLY);
    desk
}

fn found(desk: &Jt808Desk, check: &str) -> Vec<(&'static str, Option<(usize, usize)>)> {
    let findings = desk.books()[0].findings().iter();
    findings
        .filter(|f| f.check == check)
        .inspect(|f| assert!(!f.clause.is_empty()))
        .map(|f| (f.code, f.place))
        .collect()
}

#[test]
fn a_good_terminal_passes_every_test() {
    let mut desk = greeted(Some(PACE));
    let mut now = NOON + 1_000;
    feed(&mut desk, 1, &fix(2, now), now);
    now += 1_000;
    let held = fix(3, now);
    assert_eq!(sent(&feed(&mut desk, 1, &held, now)), [], "withheld");
    now += 2_000;
    assert_eq!(sent(&feed(&mut desk, 1, &held, now)).len(), 1);
    let mut serial = 4;
    for _ in 0..COMMANDS {
        now += 500;
        let mut out = Vec::new();
        desk.tick(1, now, &mut out);
        let (asked, of) = sent(&out)[0];
        let result = if asked == UNKNOWN_COMMAND { 3 } else { 0 };
        let answer = if asked == id::PARAMETERS_WANTED {
            Message::Parameters(protocol::jt808::Parameters { serial: of, list: Vec::new() })
        } else {
            Message::TerminalReply { serial: of, id: asked, result }
        };
        feed(&mut desk, 1, &frame(serial, &answer), now);
        serial += 1;
    }
    for _ in 0..3 {
        now += 1_000;
        feed(&mut desk, 1, &frame(serial, &Message::Heartbeat { body: &[] }), now);
        serial += 1;
    }
    desk.tick(1, now, &mut Vec::new());
    now += 1_000;
    let out = feed(&mut desk, 1, &fix(serial, now), now);
    assert!(out.iter().any(|action| matches!(action, Action::Close)));
    let cut = now;
    desk.closed(1, now);
    now += 5_000;
    desk.opened(2, now, &mut Vec::new());
    feed(&mut desk, 2, &authenticate(serial + 1), now);
    serial += 2;
    for at in [cut, cut + 1_000, cut + 2_000, now, now + 1_000, now + 2_000, now + 3_000] {
        feed(&mut desk, 2, &fix(serial, at), now.max(at));
        serial += 1;
    }
    desk.finish(now);
    let book = desk.books()[0];
    let open: Vec<_> = book
        .checks()
        .filter(|(check, status)| check.needed && *status != Status::Pass)
        .map(|(c, s)| (c.id, s))
        .collect();
    assert_eq!(open, [], "{:#?}", book.findings());
    for check in ["heartbeat", "query", "unknown", "backlog", "duplicate"] {
        assert_eq!(book.status(check), Status::Pass, "{check} {:?}", book.findings());
    }
    assert!(desk.is_done());
}

#[test]
fn faults_of_the_frame_are_told_at_their_bytes() {
    let mut desk = greeted(None);
    let mut bad = fix(2, NOON);
    let at = bad.len() - 2;
    bad[at] ^= 0x01;
    assert_eq!(sent(&feed(&mut desk, 1, &bad, NOON)), [], "a frame with a wrong check is not answered");
    assert_eq!(found(&desk, "check"), [("check_bad", Some((at, 1)))]);
    // An escape that is none.
    let mut stray = fix(2, NOON);
    let raw = plain(&stray);
    stray.splice(20..21, [0x7d, 0x05]);
    let content = plain(&stray);
    let sum = check(&content[1..content.len() - 2]);
    let last = stray.len() - 2;
    stray[last] = sum;
    feed(&mut desk, 1, &stray, NOON);
    assert_eq!(found(&desk, "form"), [("stray_escape", Some((17, 4)))], "{}", raw.len());
    let mut long = plain(&fix(3, NOON));
    long[4] += 1;
    let end = long.len() - 2;
    long[end] = check(&long[1..end]);
    let body: Vec<u8> = long[1..=end].to_vec();
    feed(&mut desk, 1, &protocol::jt808::escape(&body), NOON);
    assert!(found(&desk, "length").iter().any(|found| found.0 == "length_bad"), "{:?}", desk.books()[0].findings());
}

#[test]
fn who_speaks_before_it_is_known_and_who_counts_wrongly_is_told() {
    let mut desk = Jt808Desk::new(Some(PACE), true);
    desk.opened(1, NOON, &mut Vec::new());
    feed(&mut desk, 1, &fix(0, NOON), NOON);
    assert_eq!(found(&desk, "first"), [("not_authenticated", Some((1, 2)))]);
    let mut desk = greeted(None);
    feed(&mut desk, 1, &fix(9, NOON), NOON);
    assert_eq!(found(&desk, "serial"), [("serial_gap", Some((11, 2)))]);
    let mut desk = greeted(None);
    let wrong = Authenticate { code: b"nope", imei: b"", software: b"" };
    feed(&mut desk, 1, &frame(2, &Message::Authenticate(wrong)), NOON);
    assert_eq!(found(&desk, "code"), [("code_wrong", Some((13, 4)))]);
}

#[test]
fn serials_wrap_without_a_fault() {
    let mut desk = Jt808Desk::new(None, true);
    desk.opened(1, NOON, &mut Vec::new());
    feed(&mut desk, 1, &authenticate(65_534), NOON);
    feed(&mut desk, 1, &fix(65_535, NOON), NOON);
    feed(&mut desk, 1, &fix(0, NOON + 1_000), NOON + 1_000);
    assert_eq!((desk.books()[0].status("serial"), found(&desk, "serial").len()), (Status::Pass, 0));
}

#[test]
fn places_times_and_content_that_cannot_be_are_told() {
    let told = |change: fn(&mut Position<'_>), at: i64| {
        let mut desk = greeted(None);
        let mut position = position(2, at);
        change(&mut position);
        feed(&mut desk, 1, &frame(2, &Message::Position(position)), NOON);
        desk.finish(NOON);
        desk.books()[0].findings().iter().map(|f| (f.check, f.code, f.place.map(|(at, _)| at))).collect::<Vec<_>>()
    };
    assert_eq!(told(|_| {}, NOON), []);
    assert_eq!(told(|p| (p.lat_e6, p.lon_e6) = (0, 0), NOON), [("place", "place_zero", Some(21))]);
    assert_eq!(told(|p| p.lat_e6 = 3_480_000, NOON).len(), 0, "still between the tropics and the north of China");
    assert_eq!(told(|p| p.lon_e6 = 11_360_000, NOON), [("place", "place_abroad", Some(21))]);
    assert_eq!(told(|p| p.speed_dkmh = 4_210, NOON), [("place", "speed_impossible", Some(31))]);
    assert_eq!(told(|p| p.course_degree = 400, NOON), [("place", "course_impossible", Some(33))]);
    assert_eq!(told(|p| p.time_bcd = [0xff; 6], NOON), [("time", "time_not_digits", Some(35))]);
    assert_eq!(told(|_| {}, NOON - 8 * 3_600_000), [("zone", "zone_wrong", Some(35))]);
    let mut desk = greeted(None);
    feed(&mut desk, 1, &fix(2, NOON), NOON);
    feed(&mut desk, 1, &fix(2, NOON + 60_000), NOON + 60_000);
    assert_eq!(found(&desk, "duplicate"), [("content_changed", Some((11, 2)))]);
}

#[test]
fn a_terminal_that_answers_no_command_fails_them() {
    let mut desk = greeted(Some(PACE));
    feed(&mut desk, 1, &fix(2, NOON), NOON);
    feed(&mut desk, 1, &fix(3, NOON + 1_000), NOON + 1_000);
    let mut now = NOON + 1_000;
    while now < NOON + 60_000 {
        now += 500;
        desk.tick(1, now, &mut Vec::new());
    }
    let book = desk.books()[0];
    for check in ["retransmit", "parameters", "text"] {
        assert_eq!(book.status(check), Status::Fail, "{check}");
    }
}

#[test]
fn any_cut_of_the_stream_gives_the_same_book() {
    let mut stream = b"noise".to_vec();
    stream.extend(register(0));
    stream.extend(authenticate(1));
    stream.extend((2..6).flat_map(|serial| fix(serial, NOON + i64::from(serial) * 1_000)));
    let run = |size: usize| {
        let mut desk = Jt808Desk::new(None, false);
        desk.opened(1, NOON, &mut Vec::new());
        for piece in stream.chunks(size) {
            feed(&mut desk, 1, piece, NOON);
        }
        (desk.books()[0].frames_up, desk.books()[0].findings().iter().map(|f| f.code).collect::<Vec<_>>())
    };
    let whole = run(stream.len());
    assert_eq!(whole, (6, vec!["garbage"]));
    assert!((1..40).all(|size| run(size).0 == 6));
}
