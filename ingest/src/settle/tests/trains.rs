//! JT/T 808 sub-packets, and the messages that are events.

use super::*;
use bytes::Bytes;
use model::record::SettledRecord;
use protocol::jt808::{
    Driver, DriverCard, Event, Framer, Message, Packet, Parameter, Parameters, Passthrough, Phone, Position as Wire,
    PositionReply, Version, encode_body, encode_raw, id, time_bcd,
};

const V2013: Version = Version::V2013;

/// A frame as the journal keeps it.
fn raw(serial: u16, packet: Option<Packet>, id: u16, body: &[u8]) -> Entry {
    let phone = Phone::from_digits("13800000001", V2013).unwrap();
    let mut framer = Framer::new();
    framer.push(&encode_raw(V2013, &phone, serial, packet, id, body));
    let Some(Event::Frame { raw, .. }) = framer.next_event() else { panic!("a frame") };
    frame(JT808, Channel::Jt808Frame, now(), &raw)
}

/// A body in so many packets with consecutive serials.
fn train(first: u16, id: u16, body: &[u8], count: u16) -> Vec<Entry> {
    let size = body.len().div_ceil(usize::from(count));
    let packets = (1..=count).zip(body.chunks(size));
    packets
        .map(|(number, part)| raw(first.wrapping_add(number - 1), Some(Packet { total: count, number }), id, part))
        .collect()
}

fn wire(minute: u8) -> Wire<'static> {
    let time_bcd = time_bcd((2026, 11, 22, 7, minute, 0, 0));
    Wire { status: 3, lat_e6: 34_800_000, lon_e6: 113_600_000, time_bcd, ..Wire::default() }
}

fn batch(count: u8) -> Vec<u8> {
    let positions = (0..count).map(wire).collect();
    let kind = protocol::jt808::BatchKind::BlindZone;
    encode_body(V2013, &Message::Batch(protocol::jt808::Batch { kind, positions }))
}

/// A picture of 2013: head, place, data.
fn picture(medium: u32, minute: u8, data: &[u8]) -> Vec<u8> {
    let mut body = medium.to_be_bytes().to_vec();
    body.extend([0, 0, 1, 2]);
    body.extend(encode_body(V2013, &Message::Position(wire(minute))));
    body.extend_from_slice(data);
    body
}

pub(super) fn restart(world: &mut World) {
    let mut newest = ahash::AHashMap::new();
    for record in &world.memory.records {
        let entry = newest.entry((record.key.device, record.key.kind)).or_insert(record.key.at);
        *entry = record.key.at.max(*entry);
    }
    let restored = Restored { newest, foreign: Vec::new(), carry: world.settle.carry() };
    let facts = world.settle.facts().clone();
    world.settle = Settle::new(SettleConfig::default(), facts, restored);
}

fn attribute<'r>(record: &'r SettledRecord, name: &str) -> &'r str {
    let found = record.body.happening.as_ref().and_then(|event| event.attributes.iter().find(|(own, _)| own == name));
    found.map_or("", |(_, value)| value)
}

#[test]
fn a_picture_in_packets_is_one_event_with_its_place_and_hash() {
    let mut world = World::new();
    let data: Vec<u8> = [0xFF, 0xD8, 0xFF].into_iter().chain((1..3_000_u16).map(|n| n.to_le_bytes()[0])).collect();
    let mut packets = train(65_534, id::MEDIA, &picture(42, 30, &data), 4);
    packets.swap(0, 2);
    for packet in &packets[..3] {
        assert!(matches!(world.put(packet).items[..], [Item::Contact { verdict: None, .. }]));
    }
    let out = world.put(&packets[3]);
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((record.key.kind, record.key.at.0), (RecordKind::Event, now().0 - 30 * 60_000));
    assert_eq!(record.body.happening.as_ref().unwrap().what, "media");
    let named = ["media_id", "medium", "format", "channel", "bytes"].map(|name| attribute(record, name));
    assert_eq!(named, ["42", "picture", "jpeg", "2", "3002"]);
    let expected = <sha2::Sha256 as sha2::Digest>::digest(&data);
    let expected = expected.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(attribute(record, "sha256"), expected);
    assert_eq!(record.body.happening.as_ref().unwrap().pictures, [format!("sha256:{expected}")]);
    assert_eq!(out.blobs, [(record.key.device, Bytes::from(data))], "what the event refers to is kept first");
    assert!(record.body.fix.is_some_and(|fix| fix.fixed));
    assert_eq!((record.remarks[0].code.as_str(), record.remarks[0].place.as_str()), (RAW_AT, "3,2,1,4"));
    let sum = total(&world);
    assert_eq!((sum.frames, sum.frames_without_record, sum.records, sum.stored), (4, 3, 1, 1));
}

#[test]
fn a_message_that_lacks_a_packet_is_quarantined_as_incomplete_when_its_time_is_over() {
    let mut world = World::new();
    let packets = train(5, id::BATCH, &batch(6), 3);
    world.put(&packets[0]);
    world.put(&packets[2]);
    assert_eq!(reason(&world.put(&tick(IngestTime(now().0 + 600_000)))), None);
    let out = world.put(&tick(IngestTime(now().0 + 600_001)));
    assert_eq!((reason(&out), records(&out).len()), (Some(Reason::Incomplete), 0));
    assert_eq!(out.quarantine[0].place, "2 of 3 packets");
    assert!(total(&world).balances());
    // All of it again is the message.
    let verdicts: Vec<_> = packets.iter().map(|packet| records(&world.put(packet)).len()).collect();
    assert_eq!(verdicts, [0, 0, 6]);
}

#[test]
fn packets_that_all_have_one_serial_are_put_together_too() {
    let mut world = World::new();
    let body = batch(6);
    let size = body.len().div_ceil(3);
    let packets = (1..=3).zip(body.chunks(size));
    let packets: Vec<_> =
        packets.map(|(number, part)| raw(9, Some(Packet { total: 3, number }), id::BATCH, part)).collect();
    let found: Vec<_> = packets.iter().map(|packet| records(&world.put(packet)).len()).collect();
    assert_eq!(found, [0, 0, 6]);
}

#[test]
fn a_medium_of_2011_is_numbered_in_its_body_and_has_one_head() {
    let mut world = World::new();
    let part = |number: u32, data: &[u8]| {
        let mut body = 7_u32.to_be_bytes().to_vec();
        body.extend([0, 0, 1, 2]);
        body.extend(2_u32.to_be_bytes());
        body.extend(number.to_be_bytes());
        body.extend_from_slice(data);
        raw(u16::try_from(number).unwrap() * 10, None, id::MEDIA, &body)
    };
    assert!(records(&world.put(&part(2, &[0xAB; 700]))).is_empty());
    let out = world.put(&part(1, &[0xFF, 0xD8, 0xFF, 1]));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((attribute(record, "bytes"), attribute(record, "media_id")), ("704", "7"));
    let whole = [&[0xFF, 0xD8, 0xFF, 1][..], &[0xAB; 700]].concat();
    assert_eq!((out.blobs.len(), &out.blobs[0].1[..]), (1, &whole[..]), "the heads are not in it");
    assert_eq!(record.body.happening.as_ref().unwrap().pictures.len(), 1);
    assert_eq!(record.key.at.0, now().0);
}

#[test]
fn impossible_packets_are_quarantined_and_take_no_room() {
    let mut world = World::new();
    let most = u16::try_from(SettleConfig::default().train_packets_max).unwrap();
    for (total, number) in [(most + 1, 1), (3, 0), (3, 4)] {
        let out = world.put(&raw(1, Some(Packet { total, number }), id::MEDIA, b"part"));
        assert_eq!(reason(&out), Some(Reason::NotUnderstood));
    }
    assert!(world.settle.carry().is_empty());
}

#[test]
fn an_answer_that_holds_a_position_is_a_position() {
    let mut world = World::new();
    let reply = |minute| PositionReply { serial: 4, position: wire(minute) };
    let asked = encode_body(V2013, &Message::PositionReply(reply(10)));
    let controlled = encode_body(V2013, &Message::VehicleControlReply(reply(11)));
    for (id, body, minute) in [(id::POSITION_REPLY, asked, 50_i64), (id::VEHICLE_CONTROL_REPLY, controlled, 49)] {
        let out = world.put(&raw(1, None, id, &body));
        let [record] = records(&out)[..] else { panic!("{out:?}") };
        assert_eq!((record.key.kind, record.key.at.0), (RecordKind::Position, now().0 - minute * 60_000));
    }
}

#[test]
fn what_a_terminal_tells_of_itself_and_its_driver_is_an_event() {
    let mut world = World::new();
    let card = DriverCard {
        name: b"\xd5\xc5\xc8\xfd",
        licence: b"410101",
        office: b"ZZ",
        valid_until_bcd: [0x20, 0x30, 1, 1],
        id_card: None,
    };
    let time_bcd = time_bcd((2026, 11, 22, 7, 0, 0, 0));
    let messages = [
        Message::Driver(Driver { status: 1, time_bcd, result: Some(0), card: Some(card) }),
        Message::PassthroughUp(Passthrough { kind: 0x41, data: &[1, 0xAB] }),
        Message::Parameters(Parameters { serial: 2, list: vec![Parameter { id: 1, value: &[0, 0, 0, 60] }] }),
    ];
    let mut told = Vec::new();
    for message in &messages {
        let out = world.put(&raw(1, None, message.id(), &encode_body(V2013, message)));
        let [record] = records(&out)[..] else { panic!("{out:?}") };
        assert_eq!(record.key.kind, RecordKind::Event);
        let event = record.body.happening.as_ref().unwrap();
        assert!(event.attributes.is_sorted());
        told.push((event.what.clone(), record.key.at.0, record.clone()));
    }
    let what: Vec<_> = told.iter().map(|(what, at, _)| (what.as_str(), now().0 - at)).collect();
    assert_eq!(what, [("driver_card", 3_600_000), ("passthrough", 0), ("terminal_parameters", 0)]);
    assert_eq!((attribute(&told[0].2, "name"), attribute(&told[0].2, "card")), ("张三", "in"));
    assert_eq!((attribute(&told[1].2, "type"), attribute(&told[1].2, "data")), ("0x41", "01ab"));
    assert_eq!(attribute(&told[2].2, "0x0001"), "60");
}

#[test]
fn a_driver_card_at_no_time_is_quarantined() {
    let out = World::new().put(&raw(1, None, id::DRIVER, &[2, 0x26, 0x13, 0x41, 0, 0, 0]));
    assert_eq!(reason(&out), Some(Reason::NoTime));
}

#[test]
fn a_truck_is_read_as_its_profile_says_and_a_broken_sensor_is_not_judged() {
    use model::truck::{Truck, TruckBits};
    let mut world = World::new();
    let cover = TruckBits { item: Some(0xE5), tag: None, bit: 0, width: 1, yes: 0, no: 1, fault_bit: Some(7) };
    let mut own = profile("p-jt808", ProtocolKind::Jt808, Vec::new());
    own.truck = Some(Truck { cover_open: Some(cover), ..Truck::default() });
    world.put(&Entry::Revision(Box::new(revision(99, Object::Profile(own)))));
    let mut say = |minute, word: Option<u8>| {
        let value = word.map(|word| [word]);
        let items = value.iter().map(|value| protocol::jt808::Item { id: 0xE5, value }).collect();
        let body = encode_body(V2013, &Message::Position(Wire { items, status: 3 | 1 << 8, ..wire(minute) }));
        let out = world.put(&raw(1, None, id::POSITION, &body));
        let [record] = records(&out)[..] else { panic!("{out:?}") };
        let value = |quantity| record.body.value(quantity, Statistic::Instant).map(|value| (value.value, value.flag));
        (value(Quantity::COVER_OPEN), value(Quantity::BED_LIFTED), value(Quantity::LOAD_STATE))
    };
    let half = Some((1.0, Flag::Normal));
    assert_eq!(say(1, Some(0)), (Some((1.0, Flag::Normal)), None, half));
    assert_eq!(say(2, Some(1)), (Some((0.0, Flag::Normal)), None, half));
    assert_eq!(say(3, Some(0x80)), (Some((0.0, Flag::Fault)), None, half));
    assert_eq!(say(4, None), (None, None, half));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In whatever order the packets come, however often, and wherever the process restarts: the same records.
    #[test]
    fn the_order_and_copies_of_packets_and_restarts_do_not_matter(
        first in any::<u16>(),
        count in 2_u16..7,
        order in prop::collection::vec((0_usize..14, any::<bool>()), 0..30),
    ) {
        let entries: Vec<_> = [
            train(first, id::BATCH, &batch(9), count),
            train(first.wrapping_add(count), id::MEDIA, &picture(3, 20, &[7; 900]), count),
        ].concat();
        let run = |order: &[(usize, bool)]| {
            let mut world = World::new();
            for (index, restarts) in order {
                world.put(&entries[index % entries.len()]);
                if *restarts {
                    restart(&mut world);
                }
            }
            // Nothing waits: no time runs out.
            let later = world.put(&tick(IngestTime(now().0 + 600_001)));
            let sum = total(&world);
            let frames = i64::try_from(order.len()).unwrap();
            let counts = (sum.balances(), sum.frames - frames, sum.records, sum.quarantined_total());
            let mut made: Vec<_> = world.memory.records.iter().map(|one| (one.key, one.body.clone(), one.verdict)).collect();
            made.sort_by_key(|(key, ..)| *key);
            (made, counts, later.quarantine.len())
        };
        let in_order: Vec<_> = (0..entries.len()).map(|index| (index, false)).collect();
        let all: Vec<_> = order.iter().copied().chain(in_order.iter().copied()).collect();
        let expected = run(&in_order);
        prop_assert_eq!(expected.1, (true, 0, 10, 0));
        prop_assert_eq!(run(&all), expected);
    }
}

#[test]
fn what_is_called_a_picture_and_is_none_is_kept_and_not_shown_as_one() {
    let mut world = World::new();
    let out = world.put(&raw(1, None, id::MEDIA, &picture(5, 31, b"<svg onload='x'>")));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert!(record.body.happening.as_ref().unwrap().pictures.is_empty());
    assert_eq!(record.remarks[0].code, "no_picture");
    assert_eq!(out.blobs.len(), 1);
}

#[test]
fn a_picture_sent_again_is_a_duplicate_and_kept_once() {
    let mut world = World::new();
    let frame = raw(1, None, id::MEDIA, &picture(5, 31, &[0xFF, 0xD8, 0xFF, 0]));
    assert_eq!(world.put(&frame).blobs.len(), 1);
    let again = world.put(&frame);
    assert_eq!((records(&again).len(), again.blobs.len()), (0, 0));
}
