//! Promises of the explainer.

use super::super::{Address, Head, Request, encode, frame};
use super::*;
use proptest::prelude::*;

/// Innermost spans are those that no deeper one follows.
fn assert_covers(explained: &Explanation, len: usize) {
    let spans = &explained.spans;
    let mut at = 0;
    for (index, span) in spans.iter().enumerate() {
        assert!(span.len > 0, "{span:?}");
        if spans.get(index + 1).is_none_or(|next| next.depth <= span.depth) {
            assert_eq!(span.at, at, "{span:?}");
            at += span.len;
        } else {
            assert_eq!(span.at, at, "a part begins where its first child does: {span:?}");
        }
    }
    assert_eq!(at, len);
    // Children lie within their parents.
    for (index, span) in spans.iter().enumerate().filter(|(_, span)| span.depth > 0) {
        let parent = spans[..index].iter().rev().find(|parent| parent.depth < span.depth).unwrap();
        assert!(parent.depth + 1 == span.depth && span.at + span.len <= parent.at + parent.len, "{span:?}");
    }
}

fn named<'e>(explained: &'e Explanation, name: &str) -> &'e Span {
    explained.spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {explained:?}"))
}

fn troubles(explained: &Explanation) -> Vec<(&'static str, Option<usize>)> {
    explained.all_troubles().map(|(place, trouble)| (trouble.code, place.map(|(at, _)| at))).collect()
}

const DATA: &str = "DataTime=20260101120000;a34002-Rtd=5,a34002-Flag=D;LA-Rtd=50.1,LA-Flag=N;SB001-RS=5";

fn good() -> Vec<u8> {
    let head = Head {
        qn: Some("20260101120000123"),
        st: Some("39"),
        cn: Some("2011"),
        pw: Some("123456"),
        mn: Some("LT000001"),
        flag: Some(5),
        packet: None,
    };
    encode(&head, DATA)
}

#[test]
fn a_good_frame_is_told_field_by_field_without_trouble() {
    let raw = good();
    let explained = explain(&raw);
    assert_covers(&explained, raw.len());
    assert_eq!(troubles(&explained), []);
    assert_eq!(
        (explained.standard, explained.title.zh, explained.direction),
        ("HJ 212-2017", "实时数据", Direction::Up)
    );
    assert_eq!(explained.answer.unwrap().zh, "9014 数据应答");
    assert_eq!(named(&explained, "QN").value, "2026-01-01 12:00:00.123");
    assert_eq!(named(&explained, "ST").value, "39 · 工地扬尘污染源 (construction dust)");
    assert_eq!(named(&explained, "Flag").value, "5 · HJ 212-2017, A=1 answer wanted");
    let value = named(&explained, "a34002-Rtd");
    assert_eq!((value.value.as_str(), value.unit, value.depth), ("5", "ng/m³", 2));
    assert_eq!(named(&explained, "a34002").clause, "HJ 212-2017 附录B");
    assert_eq!(named(&explained, "a34002-Flag").value, "D · 故障 (fault)");
    assert_eq!(named(&explained, "SB001-RS").value, "5 · 反吹 (back-flush)");
    assert_eq!(named(&explained, "DataTime").label.zh, "数据时间（时刻）");
    let at = named(&explained, "a34002-Rtd").at;
    assert!(raw[at..].starts_with(b"a34002-Rtd=5,"));
}

#[test]
fn downlinks_are_told_as_such() {
    let to = Address {
        qn: "20160801085857223",
        st: "32",
        pw: "100000",
        mn: "010000A8900016F000169DC0",
        version: Version::V2017,
    };
    let raw = Request::SetRealTimeInterval { seconds: 30 }.encode(&to).unwrap();
    let explained = explain(&raw);
    assert_covers(&explained, raw.len());
    assert_eq!((explained.direction, explained.title.en), (Direction::Down, "set real-time interval"));
    assert_eq!(explained.answer, None);
    assert_eq!(named(&explained, "RtdInterval").unit, "s");
    let raw = frame("QN=20160801085857223;ST=91;CN=9011;PW=1;MN=A;Flag=4;CP=&&QnRtn=3&&");
    let explained = explain(&raw);
    assert_eq!(named(&explained, "QnRtn").value, "3 · PW 错误 (wrong PW)");
}

#[test]
fn troubles_have_their_place_and_what_was_expected() {
    let text = String::from_utf8(good()).unwrap();
    let swapped = text.trim_end().get(..text.trim_end().len() - 4).unwrap();
    let right = super::super::crc(&swapped.as_bytes()[6..]);
    let raw = format!("{swapped}{:04X}\r\n", right.swap_bytes());
    let explained = explain(raw.as_bytes());
    let check = named(&explained, "check");
    assert_eq!(check.troubles[0].code, "check_swapped");
    assert_eq!(check.troubles[0].detail, format!("{right:04X} expected, {:04X} found", right.swap_bytes()));
    assert!(check.troubles[0].fatal);

    let raw = text.replacen("##0", "##9", 1).replace("Flag=5;", "FLAG=5;");
    let explained = explain(raw.as_bytes());
    assert_covers(&explained, raw.len());
    assert_eq!(named(&explained, "Flag").troubles[0].code, "key_case");
    assert!(named(&explained, "length").troubles[0].fatal);
}

#[test]
fn what_is_before_and_behind_is_told_apart() {
    let raw = [b"BDS0001\r\n".as_slice(), &good(), &good()].concat();
    let explained = explain(&raw);
    assert_covers(&explained, raw.len());
    assert_eq!(troubles(&explained), [("bytes_before", Some(0)), ("bytes_behind", Some(9 + good().len()))]);
    let mut bare = good();
    bare.truncate(bare.len() - 2);
    assert_eq!(troubles(&explain(&bare)), [("line_end_missing", None)]);
    assert_eq!(troubles(&explain_kept(&bare)), []);
    bare.push(b'\n');
    assert_eq!(troubles(&explain_kept(&bare)), [("line_end_odd", Some(bare.len() - 1))]);
}

#[test]
fn troubles_in_gbk_stand_on_their_byte() {
    let text =
        "QN=20260101120000123;ST=39;CN=2011;PW=1;MN=A;Flag=5;CP=&&DataTime=20260101120000;备注=油烟;a34002-Rtd&&";
    let segment = encoding_rs::GBK.encode(text).0.into_owned();
    let crc = super::super::crc(&segment);
    let raw = [format!("##{:04}", segment.len()).as_bytes(), &segment, format!("{crc:04X}\r\n").as_bytes()].concat();
    let explained = explain(&raw);
    assert_covers(&explained, raw.len());
    let odd =
        explained.spans.iter().find(|span| span.troubles.iter().any(|trouble| trouble.code == "no_value")).unwrap();
    assert!(raw[odd.at..].starts_with(b"a34002-Rtd&&"), "{odd:?}");
    assert!(explained.spans.iter().any(|span| span.name == "备注" && span.value == "油烟"));
}

#[test]
fn more_bytes_than_are_explained_are_one_span() {
    let raw = [good(), vec![b'x'; 100_000]].concat();
    assert_covers(&explain(&raw), raw.len());
    assert_covers(&explain(&vec![b';'; 100_000]), 100_000);
    assert_eq!(explain(b"").spans, []);
}

proptest! {
    #[test]
    fn any_bytes_are_covered_exactly_once(raw in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "(##[0-9]{0,6})?[#0-9A-Za-z&;=, /\r\n?-]{0,200}(&&[0-9A-F]{0,5}\r?\n?)?".prop_map(String::into_bytes),
        ("(QN=[0-9]{0,18}|ST=22|CN=[0-9]{4}|PW=|MN=[A-Z]{0,3}|Flag=[0-9]{1,3}|,|;;|FLAG=x|[^;]{0,5}){0,8}",
         "(DataTime=[0-9]{0,17}|a34002-Rtd=[0-9]|[;,]|i11001-Info=//[^&]{0,9}(//)?|LA-Rtd-Rtd=1|Flag=N| ){0,12}").prop_map(|(head, data)| frame(&format!("{head};CP=&&{data}&&"))),
        (0_usize..400, any::<u8>()).prop_map(|(at, byte)| { let mut raw = good(); let at = at % raw.len(); raw[at] = byte; raw }),
    ]) {
        let explained = explain(&raw);
        assert_covers(&explained, raw.len());
        assert_covers(&explain_kept(&raw), raw.len());
        for (place, _) in explained.all_troubles() {
            prop_assert!(place.is_none_or(|(at, len)| at + len <= raw.len()));
        }
    }
}
