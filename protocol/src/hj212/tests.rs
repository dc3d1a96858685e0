//! Promises of the HJ 212 codec, on synthetic frames.

use super::*;
use proptest::prelude::*;

mod fixtures;

fn good(index: usize) -> Vec<u8> {
    let mn = format!("LT{index:06}");
    let head = Head {
        qn: Some("20260101120000123"),
        st: Some("22"),
        cn: Some("2011"),
        pw: Some("123456"),
        mn: Some(&mn),
        flag: Some(5),
        packet: None,
    };
    encode(&head, &format!("DataTime=20260101120000;a34002-Rtd={index},a34002-Flag=N;LA-Rtd=50.1,LA-Flag=N"))
}

/// `##`, six digits, and eight bytes behind the body.
const HEAD_AND_CHECK: usize = 16;

fn frames(framer: &mut Framer, bytes: &[u8], cut: usize) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for chunk in bytes.chunks(cut.max(1)) {
        framer.push(chunk);
        while let Some(event) = framer.next_event() {
            if let Event::Frame { raw, .. } = event {
                found.push(raw.to_vec());
            }
        }
        assert!(framer.buffered() <= framer.bound());
    }
    found
}

fn one(bytes: &[u8]) -> Vec<u8> {
    let found = frames(&mut Framer::default(), bytes, bytes.len());
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn codes(raw: &[u8]) -> Vec<&'static str> {
    let parts = Parts::split(raw);
    let text = parts.text();
    let (_, problems) = Message::parse(&text);
    parts.problems().into_iter().chain(problems).map(|problem| problem.code.code()).collect()
}

#[test]
fn the_check_is_the_standards_and_not_modbus() {
    let segment =
        b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&";
    assert_eq!(crc(segment), 0x1C80);
    assert_ne!(modbus_crc(segment), 0x1C80);
}

#[test]
fn a_frame_decodes_to_its_fields() {
    let raw = good(7);
    let text = Parts::split(&raw).text().into_owned();
    let (message, problems) = Message::parse(&text);
    assert!(problems.is_empty());
    assert_eq!((message.qn, message.mn, message.flag), (Some("20260101120000123"), Some("LT000007"), Some(5)));
    assert_eq!(message.data_time(), Some((2026, 1, 1, 12, 0, 0, 0)));
    assert_eq!(message.request_time(), Some((2026, 1, 1, 12, 0, 0, 123)));
    let fields: Vec<_> = message.fields().map(|field| (field.code, field.suffix, field.text)).collect();
    assert_eq!(fields[1], ("a34002", "Rtd", "7"));
    assert_eq!(fields[4], ("LA", "Flag", "N"));
}

#[test]
fn the_answer_carries_the_requests_number_and_version() {
    let raw = good(1);
    let text = Parts::split(&raw).text().into_owned();
    let (message, _) = Message::parse(&text);
    let sent = answer(cn::DATA_ACK, &message, "654321");
    let segment = "QN=20260101120000123;ST=91;CN=9014;PW=654321;MN=LT000001;Flag=4;CP=&&&&";
    assert_eq!(sent, frame(segment));
    assert!(codes(&sent).is_empty());
}

#[test]
fn a_frame_with_the_right_check_needs_no_line_end() {
    let mut raw = good(1);
    raw.truncate(raw.len() - 2);
    assert_eq!(one(&raw), raw);
}

#[test]
fn a_long_declared_length_is_refused_before_its_end_is_looked_for() {
    let mut framer = Framer::new(600);
    framer.push(b"##9000QN=1;");
    assert!(matches!(framer.next_event(), Some(Event::Oversize { .. })));
    framer.push(&good(3));
    assert!(matches!(framer.next_event(), Some(Event::Frame { .. })));
}

#[test]
fn a_truncated_frame_does_not_take_the_next_with_it() {
    let (cut, whole) = (good(1), good(2));
    for length in 1..cut.len() - 3 {
        let stream = [&cut[..length], &whole].concat();
        let found = frames(&mut Framer::default(), &stream, stream.len());
        assert_eq!(found.last().unwrap(), &whole[..whole.len() - 2], "cut at {length}");
    }
}

#[test]
fn a_frame_ended_by_its_length_alone_does_not_keep_the_carriage_return() {
    let raw = b"##0105QN=20260101120000123;ST=22;CN=2011;PW=123456;MN=LT000001;Flag=9;CPA&&DataTime=20260101120000;LA-Data=7.12345\r\n";
    assert_eq!(Parts::split(raw).segment.len(), 104);
    for cut in [1, 7, raw.len()] {
        assert_eq!(frames(&mut Framer::default(), raw, cut), [raw[..raw.len() - 2].to_vec()]);
    }
}

#[test]
fn a_start_that_is_not_whole_behind_the_longest_frame_stays_within_the_bound() {
    let mut framer = Framer::new(100);
    framer.push(&[b"##000100A".as_slice(), &[b'x'; 107], b"##000100"].concat());
    while framer.next_event().is_some() {}
    assert!(framer.buffered() <= framer.bound(), "{}", framer.buffered());
    assert!(framer.buffered() > 100 + HEAD_AND_CHECK, "the case it is about: {}", framer.buffered());
}

#[test]
fn a_log_ends_at_its_own_slashes_and_an_open_one_at_the_separator() {
    let fields = |data: &str| -> Vec<String> {
        let text = format!("CN=3020;CP=&&{data}&&");
        Message::parse(&text).0.fields().map(|field| field.text.to_owned()).collect()
    };
    assert_eq!(fields("i11001-Info=//a;b,c//;x=1"), ["//a;b,c//", "1"]);
    assert_eq!(fields("i11001-Info=///;y///;x=1"), ["///;y///", "1"]);
    assert_eq!(fields("i11001-Info=//a;x=1;i11002-Info=//b,y=2"), ["//a", "1", "//b", "2"]);
    assert_eq!(fields("i11001-Info=////;x=1"), ["////", "1"]);
    assert_eq!(fields("i11001-Info=//;x=//"), ["//;x=//"]);
}

#[test]
fn a_start_inside_a_log_does_not_split_its_frame() {
    let raw = frame("QN=20260101120000123;ST=22;CN=3020;PW=1;MN=A;Flag=5;CP=&&i11001-Info=//## 23 23 ##12//&&");
    assert_eq!(one(&raw), raw[..raw.len() - 2]);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(
        parts in prop::collection::vec(prop_oneof![
            3 => (0_usize..50).prop_map(good),
            1 => prop::collection::vec(any::<u8>(), 0..40),
            1 => "(##[0-9]{2,6}[A-Z;=&]{0,6})?(&&[0-9A-F]{0,4}\r\n)?".prop_map(String::into_bytes),
            1 => (0_usize..50, 0_usize..90).prop_map(|(i, cut)| { let mut f = good(i); f.truncate(cut); f }),
            1 => (0_usize..50).prop_map(|i| { let mut f = good(i); f[3] = b'9'; f }),
            1 => (0_usize..50).prop_map(|i| { let mut f = good(i); let end = f.len() - 3; f[end] ^= 1; f }),
        ], 0..8),
        cut in 1_usize..60,
    ) {
        let stream = parts.concat();
        let whole = frames(&mut Framer::new(400), &stream, stream.len());
        prop_assert_eq!(frames(&mut Framer::new(400), &stream, cut), whole.clone());
        prop_assert_eq!(frames(&mut Framer::new(400), &stream, 1), whole);
    }

    #[test]
    fn noise_before_a_good_frame_never_loses_it(noise in prop::collection::vec(any::<u8>(), 0..300), starts in 0_usize..3) {
        let stream = [noise.as_slice(), &b"##0300QN=".repeat(starts), &good(9)].concat();
        let found = frames(&mut Framer::default(), &stream, 7);
        let wanted = good(9);
        prop_assert_eq!(found.last().map(Vec::as_slice), wanted.get(..wanted.len() - 2));
    }

    #[test]
    fn garbage_neither_panics_nor_grows_the_buffer(chunks in prop::collection::vec(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200), "[#0-9A-Z&;=,\r\n?]{0,200}".prop_map(String::into_bytes)], 0..20)) {
        let mut framer = Framer::new(256);
        for chunk in &chunks {
            framer.push(chunk);
            while let Some(event) = framer.next_event() {
                if let Event::Frame { raw, .. } = event {
                    let parts = Parts::split(&raw);
                    parts.problems();
                    let text = parts.text();
                    let (message, _) = Message::parse(&text);
                    let _ = (message.data_time(), message.request_time());
                }
            }
            prop_assert!(framer.buffered() <= framer.bound());
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        qn in "[0-9]{17}", st in "[0-9A-Z]{2}", cn in "[0-9]{4}", pw in "[0-9A-Za-z]{1,10}", mn in "[0-9A-Z]{1,24}",
        flag in 0_u8..12,
        values in prop::collection::vec(("[a-z][0-9]{5}", "(Rtd|Avg|Min|Max|Cou|Flag)", "[0-9.]{1,8}"), 0..20),
    ) {
        let data: Vec<_> = values.iter().map(|(code, suffix, text)| format!("{code}-{suffix}={text}")).collect();
        let head = Head { qn: Some(&qn), st: Some(&st), cn: Some(&cn), pw: Some(&pw), mn: Some(&mn), flag: Some(flag), packet: None };
        let raw = encode(&head, &data.join(";"));
        let parts = Parts::split(&raw);
        prop_assert!(parts.crc_ok() && parts.length_ok() && parts.problems().is_empty());
        let text = parts.text();
        let (message, _) = Message::parse(&text);
        prop_assert_eq!((message.qn, message.st, message.cn, message.pw), (head.qn, head.st, head.cn, head.pw));
        prop_assert_eq!((message.mn, message.flag), (head.mn, head.flag));
        let read: Vec<_> = message.fields().map(|f| (f.code.to_owned(), f.suffix.to_owned(), f.text.to_owned())).collect();
        prop_assert_eq!(read, values);
    }
}
