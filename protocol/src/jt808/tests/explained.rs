//! Promises of the explainer.

use super::*;
use crate::explain::{Direction, Explanation};

/// Bytes covered by spans that have none below them.
fn covered(explanation: &Explanation, len: usize) -> Vec<u8> {
    let mut times = vec![0_u8; len];
    for (index, span) in explanation.spans.iter().enumerate() {
        let is_leaf = explanation.spans.get(index + 1).is_none_or(|next| next.depth <= span.depth);
        if is_leaf {
            for byte in &mut times[span.at..span.at + span.len] {
                *byte += 1;
            }
        }
    }
    times
}

fn holds_together(wire: &[u8]) -> Explanation {
    let explanation = explain(wire);
    let plain = plain(wire);
    assert!(explanation.spans.len() <= SPANS_MAX);
    assert!(covered(&explanation, plain.len()).iter().all(|times| *times == 1), "{wire:02x?} {explanation:#?}");
    assert!(explanation.spans.is_sorted_by_key(|span| span.at), "in order");
    assert!(explanation.spans.iter().all(|span| span.value.len() < 4_096));
    explanation
}

fn codes(explanation: &Explanation) -> Vec<&'static str> {
    explanation.all_troubles().map(|(_, trouble)| trouble.code).collect()
}

#[test]
fn a_position_is_explained_field_by_field() {
    let wire = hex(
        "7e0200002d013800000001000100000000000000030213018106c3df62006e01a5005a260101120001010400000102300114310109f003010203b07e",
    );
    let explanation = holds_together(&wire);
    assert_eq!((explanation.title.en, explanation.direction), ("position", Direction::Up));
    assert_eq!(explanation.answer.map(|answer| answer.en), Some("platform's general reply"));
    assert_eq!(codes(&explanation), Vec::<&str>::new());
    let find = |name: &str| explanation.spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!((find("lat").at, find("lat").len, find("lat").value.as_str()), (21, 4, "34.800001"));
    assert_eq!((find("speed").value.as_str(), find("speed").unit), ("42.1", "km/h"));
    assert_eq!(find("time").value, "2026-01-01 12:00:01");
    assert_eq!(find("mileage").value, "25.8");
    assert_eq!(find("status").value, "0x00000003 · ACC 开 ignition on · 定位 fixed · 空车 empty");
}

#[test]
fn troubles_lie_where_they_are() {
    let wire = hex(
        "7e02000030013800000001000100000000000000030213018106c3df62006e01a5005a260101120001010400000102300114310109f003010203170901b37e",
    );
    let explanation = holds_together(&wire);
    assert_eq!(codes(&explanation), ["item_truncated", "check_bad"]);
    let places: Vec<_> =
        explanation.all_troubles().map(|(place, trouble)| (place.unwrap(), trouble.detail.as_str())).collect();
    assert_eq!(places, [((58, 1), ""), ((61, 1), "B2 expected, B3 found")]);
    assert_eq!(codes(&explain(b"")), ["no_opening_flag", "header_truncated", "no_closing_flag"]);
    assert_eq!(codes(&explain(&hex("7e0002000001380000000100013b"))), ["no_closing_flag"]);
    assert_eq!(codes(&explain(&hex("aa7e0002000001380000000100013b7e55"))), ["garbage", "behind"]);
    assert_eq!(codes(&explain(&hex("7e0002000001380000007d00013a7e"))), ["stray_escape", "check_bad"]);
    assert_eq!(codes(&explain(&hex("7e000200090138000000010001616263527e"))), ["length_bad"]);
    assert_eq!(codes(&explain(&hex("7e00020000010000000001380000000100013a7e"))), ["version_by_length"]);
}

#[test]
fn kept_frames_and_chunks_are_explained_too() {
    let explanation = explain_kept(&hex("0002000001380000000100013b"));
    assert_eq!((explanation.title.zh, codes(&explanation).len()), ("终端心跳", 0));
    let chunk = encode_chunk(b"a.jpg", 7, b"data").unwrap();
    assert_eq!(codes(&holds_together(&chunk)), Vec::<&str>::new());
    assert_eq!(codes(&holds_together(&chunk[..64])), ["chunk_truncated"]);
    assert_eq!(codes(&holds_together(&chunk[..20])), ["chunk_truncated"]);
    // Nothing in a chunk is an escape: its data is as it was sent.
    let pairs = encode_chunk(b"a.jpg", 7, &[0x7d, 1, 0x7d, 2, 0x7e, 0]).unwrap();
    assert_eq!(plain(&pairs), pairs);
    assert_eq!(codes(&holds_together(&pairs)), Vec::<&str>::new());
}

proptest! {
    #[test]
    fn any_bytes_are_covered_once(bytes in prop::collection::vec(prop_oneof![5 => any::<u8>(), 1 => Just(0x7e), 1 => Just(0x7d)], 0..300)) {
        holds_together(&bytes);
    }

    #[test]
    fn any_body_of_any_message_is_covered_once(
        at in 0..KINDS.len(), version in any_version(), number in 0_u16..3,
        body in prop::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..400), id in any::<u16>(), known in 0_u8..10,
    ) {
        let id = if known == 0 { id } else { KINDS[at].id };
        let packet = (number == 2).then_some(Packet { total: 3, number: 1 });
        holds_together(&encode_raw(version, &phone(version), 1, packet, id, &body));
    }

    #[test]
    fn decoder_and_explainer_find_the_same_problems(
        at in 0..KINDS.len(), version in any_version(),
        body in prop::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..300),
    ) {
        let wire = encode_raw(version, &phone(version), 1, None, KINDS[at].id, &body);
        let raw = frames(&wire, 9_999).remove(0);
        let parts = Parts::split(&raw).unwrap();
        let mut decoded: Vec<_> =
            Decoded::read(&parts.header, parts.body).problems.iter().map(|problem| problem.code.code()).collect();
        let mut explained = codes(&explain(&wire));
        explained.retain(|code| *code != "version_by_length");
        decoded.sort_unstable();
        explained.sort_unstable();
        prop_assert_eq!(decoded, explained);
    }
}
