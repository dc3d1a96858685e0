//! Promises of the reassembly.

use super::*;
use crate::jt808::{
    Decoded, Event, Framer, Media, MediaEvent, MediaForm, Message, Parts, Position, encode_body, split,
};
use proptest::prelude::*;

fn phone() -> Phone {
    Phone::from_digits("13800000001", Version::V2013).unwrap()
}

fn packet(id: u16, total: u16, number: u16, serial: u16) -> Header {
    let packet = Some(Packet { total, number });
    Header { id, version: Version::V2013, phone: phone(), serial, packet, encryption: 0, declared: 0 }
}

fn default() -> Reassembly {
    Reassembly::new(ReassemblyLimits::default())
}

fn body_of(outcome: Outcome) -> Vec<u8> {
    match outcome {
        Outcome::Whole(whole) => whole.body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_long_message_split_and_shuffled_comes_back() {
    let body: Vec<u8> = (0..5_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let frames = split(Version::V2013, &phone(), 0xFFFE, 0x0801, &body).unwrap();
    assert_eq!(frames.len(), 5);
    let mut reassembly = default();
    let mut framer = Framer::new();
    for at in [3, 0, 4, 2, 1] {
        framer.push(&frames[at]);
        let Some(Event::Frame { raw, .. }) = framer.next_event() else { panic!("no frame") };
        let parts = Parts::split(&raw).unwrap();
        assert!(parts.check_ok() && parts.length_ok());
        let pushed = reassembly.push(0, &parts.header, parts.body);
        if at == 1 {
            let Outcome::Whole(whole) = pushed.outcome else { panic!("{pushed:?}") };
            assert_eq!((whole.first, whole.packets, &whole.body), (0xFFFE, 5, &body));
        } else {
            assert!(matches!(pushed.outcome, Outcome::Waiting { total: 5, .. }), "{pushed:?}");
        }
    }
    assert_eq!(reassembly.held(), (0, 0));
}

#[test]
fn what_is_missing_is_asked_for_a_bounded_number_of_times() {
    let mut reassembly = default();
    reassembly.push(0, &packet(0x0801, 4, 1, 10), b"a");
    reassembly.push(0, &packet(0x0801, 4, 3, 12), b"c");
    assert_eq!(reassembly.missing(999, 1_000, 2), vec![]);
    let asked = reassembly.missing(1_000, 1_000, 2).remove(0);
    assert_eq!((asked.first, asked.id, asked.numbers), (10, 0x0801, vec![2, 4]));
    // Asked for, packets under new serials are taken too.
    let late = reassembly.push(1_100, &packet(0x0801, 4, 2, 500), b"b");
    assert_eq!(late.outcome, Outcome::Waiting { have: 3, total: 4 });
    assert_eq!(reassembly.missing(9_000, 1_000, 2).len(), 1);
    assert_eq!(reassembly.missing(90_000, 1_000, 2), vec![]);
    assert_eq!(body_of(reassembly.push(91_000, &packet(0x0801, 4, 4, 13), b"d").outcome), b"abcd");
}

#[test]
fn a_truncated_train_is_reported() {
    let mut reassembly = default();
    reassembly.push(0, &packet(0x0801, 3, 1, 7), b"a");
    assert_eq!(reassembly.expire(120_000), vec![]);
    let lost = Lost { phone: phone(), id: 0x0801, first: 7, have: 1, total: 3, why: LostWhy::Age };
    assert_eq!(reassembly.expire(120_001), vec![lost]);
    reassembly.push(0, &packet(0x0801, 3, 2, 8), b"b");
    assert_eq!(reassembly.close(), vec![Lost { why: LostWhy::Closed, ..lost }]);
    assert_eq!(reassembly.held(), (0, 0));
}

#[test]
fn wrong_numbers_totals_and_repeats_are_told_apart() {
    let mut reassembly = default();
    let mut push = |header, body: &[u8]| reassembly.push(0, &header, body).outcome;
    assert_eq!(push(packet(0x0801, 3, 0, 7), b"a"), Outcome::Refused(Refusal::NumberOutOfRange));
    assert_eq!(push(packet(0x0801, 3, 4, 7), b"a"), Outcome::Refused(Refusal::NumberOutOfRange));
    assert_eq!(push(packet(0x0801, 9_999, 4, 7), b"a"), Outcome::Refused(Refusal::TooManyPackets));
    assert_eq!(push(packet(0x0801, 1, 1, 7), b"a"), Outcome::Single);
    assert_eq!(push(packet(0x0801, 2, 1, 7), b"a"), Outcome::Waiting { have: 1, total: 2 });
    assert_eq!(push(packet(0x0801, 2, 1, 7), b"a"), Outcome::Duplicate);
    assert_eq!(push(packet(0x0801, 2, 1, 7), b"x"), Outcome::Refused(Refusal::Conflict));
    assert_eq!(push(packet(0x0801, 3, 2, 8), b"b"), Outcome::Refused(Refusal::TotalMismatch));
    assert_eq!(body_of(push(packet(0x0801, 2, 2, 8), b"b")), b"ab");
    assert_eq!(push(packet(0x0801, 2, 2, 8), b"b"), Outcome::Duplicate);
    // The same serials later with other bytes are another message.
    assert_eq!(push(packet(0x0801, 2, 2, 8), b"y"), Outcome::Waiting { have: 1, total: 2 });
}

#[test]
fn packets_that_share_one_serial_are_survived() {
    let mut reassembly = default();
    for number in [1, 3, 2] {
        let pushed = reassembly.push(0, &packet(0x0104, 3, number, 7), &[u8::try_from(number).unwrap()]);
        if number == 2 {
            assert_eq!(body_of(pushed.outcome), [1, 2, 3]);
        }
    }
}

#[test]
fn room_is_bounded_and_the_oldest_train_goes_first() {
    let limits =
        ReassemblyLimits { trains_max: 2, bytes_max: 1_000, message_bytes_max: 500, ..ReassemblyLimits::default() };
    let mut reassembly = Reassembly::new(limits);
    reassembly.push(0, &packet(1, 9, 1, 100), &[1; 300]);
    reassembly.push(0, &packet(2, 9, 1, 200), &[1; 300]);
    let third = reassembly.push(0, &packet(3, 9, 1, 300), &[1; 300]);
    assert_eq!(third.lost.iter().map(|lost| (lost.id, lost.why)).collect::<Vec<_>>(), vec![(1, LostWhy::Room)]);
    let too_long = reassembly.push(0, &packet(3, 9, 2, 301), &[1; 300]);
    assert_eq!(too_long.outcome, Outcome::Refused(Refusal::TooLong));
    assert_eq!(
        too_long.lost.iter().map(|lost| (lost.id, lost.why)).collect::<Vec<_>>(),
        vec![(2, LostWhy::Room), (3, LostWhy::TooLong)]
    );
    assert_eq!(reassembly.held(), (0, 0));
}

fn media(total: u32, number: u32, data: &[u8]) -> Vec<u8> {
    let head = MediaEvent { id: 9, kind: 0, format: 0, event: 1, channel: 2 };
    encode_body(Version::V2013, &Message::Media(Media { head, form: MediaForm::Packet { total, number }, data }))
}

#[test]
fn heads_repeated_by_2011_are_cut_with_and_without_sub_packets() {
    let parts = [media(3, 1, b"\xff\xd8one"), media(3, 2, b"two"), media(3, 3, b"end")];
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        for split in [true, false] {
            let mut reassembly = default();
            let mut whole = None;
            for at in order {
                let number = u16::try_from(at + 1).unwrap();
                let mut header = packet(id::MEDIA, 3, number, 40 + number);
                if !split {
                    header.packet = None;
                }
                let pushed = reassembly.push(0, &header, &parts[at]);
                if let Outcome::Whole(done) = pushed.outcome {
                    whole = Some(done);
                }
            }
            let whole = whole.unwrap();
            let decoded = Decoded::read_whole(whole.id, whole.version, &whole.body);
            let Message::Media(media) = decoded.message else { panic!("{split} {order:?}") };
            assert_eq!((media.data, decoded.problems), (&b"\xff\xd8onetwoend"[..], vec![]));
        }
    }
}

#[test]
fn a_medium_numbered_in_the_body_is_asked_for_by_its_id() {
    let mut reassembly = default();
    let header = Header { packet: None, ..packet(id::MEDIA, 0, 0, 1) };
    reassembly.push(0, &header, &media(3, 2, b"two"));
    let asked = reassembly.missing(5_000, 1_000, 1).remove(0);
    assert_eq!((asked.medium, asked.numbers), (Some(9), vec![1, 3]));
}

#[test]
fn a_picture_of_2013_is_not_taken_for_one_of_2011() {
    let head = MediaEvent { id: 9, kind: 0, format: 0, event: 1, channel: 2 };
    let place = Position { time_bcd: [0x26, 1, 2, 3, 4, 5], alarm: 2, status: 1, ..Position::default() };
    for data in [&b"\xff\xd8"[..], b"no picture"] {
        let message = Message::Media(Media { head: head.clone(), form: MediaForm::Place(place.clone()), data });
        let body = encode_body(Version::V2013, &message);
        assert_eq!(
            default().push(0, &Header { packet: None, ..packet(id::MEDIA, 0, 0, 1) }, &body).outcome,
            Outcome::Single
        );
        assert_eq!(Decoded::read_whole(id::MEDIA, Version::V2013, &body).message, message);
    }
}

proptest! {
    #[test]
    fn any_order_gives_the_same_message(
        body in prop::collection::vec(any::<u8>(), 2..200), size in 1_usize..40, first in any::<u16>(), seed in any::<u64>(),
    ) {
        let parts: Vec<&[u8]> = body.chunks(size.min(body.len() - 1)).collect();
        let total = u16::try_from(parts.len()).unwrap();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|at| hash(&[seed.to_be_bytes(), at.to_be_bytes()].concat()));
        let mut reassembly = default();
        let mut last = None;
        for at in order {
            let number = u16::try_from(at + 1).unwrap();
            let pushed = reassembly.push(0, &packet(0x0704, total, number, first.wrapping_add(number - 1)), parts[at]);
            last = Some(pushed.outcome);
        }
        let Some(Outcome::Whole(whole)) = last else { panic!("not whole") };
        prop_assert_eq!(whole.body, body);
    }

    #[test]
    fn no_packets_outgrow_the_bounds(
        packets in prop::collection::vec((0_u16..4, 0_u16..6, 0_u16..6, 0_u16..40, 0_usize..300, 0_u64..50), 0..120),
    ) {
        let limits = ReassemblyLimits { trains_max: 3, bytes_max: 1_500, message_bytes_max: 700, packets_max: 5, age_ms_max: 60 };
        let mut reassembly = Reassembly::new(limits);
        let mut now = 0;
        for (id, total, number, serial, len, later) in packets {
            now += later;
            reassembly.push(now, &packet(id + 0x0800, total, number, serial), &vec![7; len]);
            let (trains, bytes) = reassembly.held();
            prop_assert!(trains <= 3 && bytes <= 1_500);
            reassembly.missing(now, 10, 1);
        }
        reassembly.close();
        prop_assert_eq!(reassembly.held(), (0, 0));
    }
}
