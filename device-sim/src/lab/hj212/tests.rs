//! Good and faulty loggers at the desk: each fault is found with its check, clause and byte.

use super::super::book::Status;
use super::*;
use protocol::hj212::{Head, QnRtn, Reply, crc, encode, reply_data};

const MN: &str = "LT41010000000001";
/// 2026-01-01 12:00:00 in Beijing.
const NOON: i64 = 1_767_240_000_000;
const PACE: Pace =
    Pace { warm_frames: 1, withhold_ms: 5_000, answer_ms: 3_000, cut_ms: 3_000, back_ms: 60_000, heartbeat_s: 1 };

fn stamp(at: i64) -> String {
    let (y, mo, d, h, mi, s, _) = local(at);
    format!("{y:04}{mo:02}{d:02}{h:02}{mi:02}{s:02}")
}

fn head<'a>(qn: &'a str, cn: &'a str) -> Head<'a> {
    Head { qn: Some(qn), st: Some("51"), cn: Some(cn), pw: Some("123456"), mn: Some(MN), flag: Some(5), packet: None }
}

fn real_time(at: i64) -> Vec<u8> {
    let (qn, time) = (format!("{}000", stamp(at)), stamp(at));
    encode(&head(&qn, "2011"), &format!("DataTime={time};a34041-Rtd=1.2,a34041-Flag=N;a01002-Rtd=40,a01002-Flag=N"))
}

fn feed(desk: &mut Hj212Desk, link: u64, bytes: &[u8], now: i64) -> Vec<Action> {
    let mut out = Vec::new();
    desk.heard(link, bytes, now, &mut out);
    out
}

fn sent(out: &[Action]) -> Vec<String> {
    out.iter()
        .filter_map(|action| match action {
            Action::Send(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        })
        .collect()
}

fn passive(frames: &[Vec<u8>]) -> Hj212Desk {
    let mut desk = Hj212Desk::new(None, true);
    desk.opened(1, NOON, &mut Vec::new());
    for (frame, n) in frames.iter().zip(0..) {
        feed(&mut desk, 1, frame, NOON + n * 30_000 + 500);
    }
    desk.closed(1, NOON);
    desk.finish(NOON);
    desk
}

/// Code, place, clause.
type Told = (&'static str, Option<(usize, usize)>, &'static str);

fn found(desk: &Hj212Desk, check: &str) -> Vec<Told> {
    let findings = desk.books()[0].findings().iter();
    findings.filter(|f| f.check == check).map(|f| (f.code, f.place, f.clause)).collect()
}

/// A frame with other bytes than it had: what stands where, and with which check.
fn changed(frame: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(frame.to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    let segment = text[6..text.len() - 6].replace(from, to);
    format!("##{:04}{segment}{:04X}\r\n", segment.len(), crc(segment.as_bytes())).into_bytes()
}

#[test]
fn a_good_logger_passes_every_test() {
    let mut desk = Hj212Desk::new(Some(PACE), true);
    let mut out = Vec::new();
    desk.opened(1, NOON, &mut out);
    assert!(sent(&feed(&mut desk, 1, &real_time(NOON), NOON))[0].contains("CN=9014"));
    let second = real_time(NOON + 1_000);
    assert!(sent(&feed(&mut desk, 1, &second, NOON + 1_000)).is_empty(), "withheld");
    assert_eq!(sent(&feed(&mut desk, 1, &second, NOON + 3_000)).len(), 1);
    // 1012, then 1061: answered with 9011, (1061), 9012.
    for (n, upload) in [(0, None), (1, Some("1061"))] {
        let now = NOON + 4_000 + n * 1_000;
        let mut out = Vec::new();
        desk.tick(1, now, &mut out);
        let asked = sent(&out);
        let segment = asked[0].clone();
        let qn = segment.split("QN=").nth(1).unwrap()[..17].to_owned();
        let (cn, data) = reply_data(Reply::Request(Some(QnRtn::Ready)));
        feed(&mut desk, 1, &encode(&Head { flag: Some(4), ..head(&qn, cn) }, &data), now);
        if let Some(cn) = upload {
            feed(&mut desk, 1, &encode(&head(&qn, cn), "RtdInterval=30"), now);
        }
        let (cn, data) = reply_data(Reply::Result(Some(ExeRtn::Done)));
        feed(&mut desk, 1, &encode(&Head { flag: Some(4), ..head(&qn, cn) }, &data), now);
    }
    let mut out = Vec::new();
    desk.tick(1, NOON + 7_000, &mut out);
    let third = real_time(NOON + 8_000);
    let out = feed(&mut desk, 1, &third, NOON + 8_000);
    assert!(out.iter().any(|action| matches!(action, Action::Close)));
    desk.closed(1, NOON + 8_000);
    desk.opened(2, NOON + 12_000, &mut Vec::new());
    for at in [8_000, 9_000, 10_000, 12_000, 13_000, 14_000, 15_000] {
        feed(&mut desk, 2, &real_time(NOON + at), NOON + at.max(12_000));
    }
    desk.finish(NOON + 16_000);
    let book = desk.books()[0];
    let open: Vec<_> = book
        .checks()
        .filter(|(check, status)| check.needed && *status != Status::Pass)
        .map(|(c, s)| (c.id, s))
        .collect();
    assert_eq!(open, [], "{:#?}", book.findings());
    assert!(desk.is_done());
    for check in ["backlog", "duplicate", "ask_interval"] {
        assert_eq!(book.status(check), Status::Pass, "{check} {:?}", book.findings());
    }
}

#[test]
fn a_wrong_check_and_length_are_told_at_their_bytes() {
    let frame = real_time(NOON);
    let mut wrong = frame.clone();
    let at = wrong.len() - 6;
    wrong[at..at + 4].copy_from_slice(b"1234");
    let desk = passive(&[wrong]);
    assert_eq!(found(&desk, "check"), [("check_other_algorithm", Some((at, 4)), "HJ 212-2017 附录A")]);
    assert_eq!(desk.books()[0].status("check"), Status::Fail);
    let mut short = frame.clone();
    short[2..6].copy_from_slice(format!("{:04}", frame.len() - 12 - 2).as_bytes());
    assert_eq!(found(&passive(&[short]), "length"), [("length_without_end", Some((2, 4)), "HJ 212-2017 通讯包结构")]);
}

#[test]
fn faults_of_content_are_told_with_the_field_they_are_in() {
    let frame = real_time(NOON);
    let at = |frame: &[u8], text: &str| frame.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let cases = [
        ("QN=20260101120000000", "QN=1767240000000", "qn", "qn_epoch", "QN="),
        ("DataTime=20260101120000", "DataTime=20260230120000", "data_time", "data_time_no_date", "DataTime="),
        ("a34041-Rtd", "a34041-Avg", "statistic", "statistic_for_command", ""),
        ("a01002-Rtd=40", "a01002-Rtd=140", "value", "value_impossible", "a01002-Rtd"),
        ("a01002-Flag=N", "a01002-Flag=X", "flag", "flag_unknown", "a01002-Flag"),
        (";Flag=5;", ";", "head", "flag_missing", ""),
        ("PW=123456;", "PW=;", "head", "pw_empty", "PW="),
    ];
    for (from, to, check, code, place) in cases {
        let bad = changed(&frame, from, to);
        let desk = passive(std::slice::from_ref(&bad));
        let all = found(&desk, check);
        let hit = all.iter().find(|found| found.0 == code);
        let (_, found_at, clause) = hit.unwrap_or_else(|| panic!("{code} {:?}", desk.books()[0].findings()));
        assert!(!clause.is_empty());
        if !place.is_empty() {
            assert_eq!(found_at.map(|(at, _)| at), Some(at(&bad, place)), "{code}");
        }
    }
}

#[test]
fn utc_a_used_number_a_changed_value_and_a_periods_end_are_found() {
    // A logger that writes UTC: eight hours behind.
    let desk = passive(&[real_time(NOON - 8 * 3_600_000), real_time(NOON - 8 * 3_600_000 + 30_000)]);
    assert_eq!(desk.books()[0].status("zone"), Status::Fail);
    assert!(found(&desk, "zone")[0].1.is_some());
    let first = real_time(NOON);
    let reused = changed(&real_time(NOON + 30_000), "QN=20260101120030000", "QN=20260101120000000");
    assert_eq!(found(&passive(&[first.clone(), reused]), "qn")[0].0, "qn_reused");
    let other = changed(&first, "a34041-Rtd=1.2", "a34041-Rtd=9.9");
    assert_eq!(found(&passive(&[first, other]), "duplicate")[0].0, "content_changed");
    let minute = |at: i64, sent: i64| {
        let (qn, time) = (format!("{}001", stamp(sent)), stamp(at));
        encode(&head(&qn, "2051"), &format!("DataTime={time};a34041-Min=1,a34041-Avg=1.2,a34041-Max=2,a34041-Flag=N"))
    };
    let late = |shift: i64| {
        let mut desk = Hj212Desk::new(None, true);
        desk.opened(1, NOON, &mut Vec::new());
        for n in 1..4 {
            let now = NOON + n * 600_000;
            feed(&mut desk, 1, &minute(now - 600_000 + shift, now), now + 3_000);
        }
        desk.books()[0].status("period")
    };
    assert_eq!((late(0), late(600_000)), (Status::Pass, Status::Fail));
}

#[test]
fn a_logger_that_never_repeats_nor_takes_the_time_fails_both() {
    let mut desk = Hj212Desk::new(Some(PACE), true);
    desk.opened(1, NOON, &mut Vec::new());
    feed(&mut desk, 1, &real_time(NOON), NOON);
    feed(&mut desk, 1, &real_time(NOON + 1_000), NOON + 1_000);
    let mut now = NOON + 2_000;
    while now < NOON + 40_000 {
        now += 500;
        desk.tick(1, now, &mut Vec::new());
    }
    let book = desk.books()[0];
    assert_eq!((book.status("retransmit"), book.status("time_set")), (Status::Fail, Status::Fail));
    assert!(book.findings().iter().any(|finding| finding.code == "no_answer"));
}

#[test]
fn a_line_end_of_lf_alone_is_told_and_does_not_fail() {
    let mut frame = real_time(NOON);
    frame.truncate(frame.len() - 2);
    frame.push(b'\n');
    let desk = passive(&[frame.clone(), real_time(NOON + 30_000)]);
    let form = found(&desk, "form");
    assert_eq!(form.first().map(|found| found.0), Some("line_end_odd"), "{form:?}");
    assert_eq!(desk.books()[0].status("form"), Status::Pass);
}

#[test]
fn any_cut_of_the_stream_gives_the_same_book() {
    let stream: Vec<u8> = (0..4).flat_map(|n| real_time(NOON + n * 30_000)).collect();
    let whole = {
        let mut desk = Hj212Desk::new(None, false);
        desk.opened(1, NOON, &mut Vec::new());
        feed(&mut desk, 1, &stream, NOON);
        desk.books()[0].frames_up
    };
    for size in 1..40 {
        let mut desk = Hj212Desk::new(None, false);
        desk.opened(1, NOON, &mut Vec::new());
        for piece in stream.chunks(size) {
            feed(&mut desk, 1, piece, NOON);
        }
        desk.closed(1, NOON);
        assert_eq!((desk.books()[0].frames_up, desk.books()[0].findings()), (whole, &[][..]), "{size}");
    }
}
