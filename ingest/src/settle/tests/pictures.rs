//! Pictures beside an event, files of alarms, and what becomes of each message of a terminal.

use super::*;
use model::blob::{Attachment, BlobId, Pictures};
use model::record::SettledRecord;
use protocol::jt808::{
    AlarmForm, AlarmId, Item as Part, KINDS, Message, Position as Wire, SafetyAlarm, SafetyPlace, Version, encode_body,
    id, time_bcd,
};

fn happening(record: &SettledRecord) -> &model::record::Happening {
    record.body.happening.as_deref().unwrap()
}

fn attribute<'r>(record: &'r SettledRecord, name: &str) -> &'r str {
    happening(record).attributes.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

#[test]
fn pictures_take_the_place_of_the_names_that_an_event_gives_them() {
    let mut world = World::new();
    let ids = [BlobId([1; 32]), BlobId([2; 32]), BlobId([3; 32])];
    let pictures = Pictures { pictures: ["front", "rear", "more"].map(str::to_owned).into_iter().zip(ids).collect() };
    let events = r#"[{"event":"vehicle_exit","plate":"A1","pictures":["front","http://camera/7.jpg"]},
        {"event":"vehicle_exit","plate":"B2","pictures":["rear"]}]"#;
    let raw = format!("{}\n{events}", serde_json::to_string(&pictures).unwrap());
    let out = world.put(&frame(MQTT, Channel::HttpPictures, now(), raw.as_bytes()));
    let [one, two] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!(happening(one).pictures, [ids[0].reference(), "http://camera/7.jpg".to_owned(), ids[2].reference()]);
    assert_eq!(happening(two).pictures, [ids[1].reference()]);
    for odd in [&b"no line"[..], b"{}\n{}", b"\n{\"event\":\"x\"}"] {
        let out = world.put(&frame(MQTT, Channel::HttpPictures, now(), odd));
        assert_eq!(reason(&out), Some(Reason::NotUnderstood));
    }
}

#[test]
fn a_device_cannot_name_a_picture_of_another_as_its_own_part() {
    let mut world = World::new();
    let foreign = BlobId([9; 32]).reference();
    let raw = format!(r#"{{"event":"vehicle_exit","pictures":["{foreign}"]}}"#);
    let out = world.put(&frame(MQTT, Channel::MqttEvent, now(), raw.as_bytes()));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    // It stays a text of the device's; who may see the bytes is asked of the blob store.
    assert_eq!((&happening(record).pictures[..], out.blobs.len()), (&[foreign][..], 0));
}

fn alarm(attachments: u8) -> AlarmId<'static> {
    let time_bcd = time_bcd((2026, 11, 22, 7, 59, 30, 0));
    AlarmId { form: AlarmForm::SuBiao, terminal: b"T000001", time_bcd, number: 4, attachments, reserve: &[0] }
}

#[test]
fn an_alarm_of_active_safety_is_an_event_at_its_own_time_beside_the_position() {
    let mut world = World::new();
    let place = SafetyPlace {
        speed_kmh: 42,
        altitude_m: 100,
        lat_e6: 34_800_000,
        lon_e6: 113_600_000,
        time_bcd: time_bcd((2026, 11, 22, 7, 59, 30, 0)),
        vehicle: 0,
    };
    let value = SafetyAlarm { id: 7, flag: 1, kind: 2, level: Some(2), specific: &[0; 5], place, alarm: alarm(3) };
    let value = value.to_bytes();
    let wire = Wire {
        status: 3,
        lat_e6: 34_800_000,
        lon_e6: 113_600_000,
        time_bcd: time_bcd((2026, 11, 22, 8, 0, 0, 0)),
        items: vec![Part { id: 0x65, value: &value }],
        ..Wire::default()
    };
    let body = encode_body(Version::V2013, &Message::Position(wire));
    let entry = frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_frame(id::POSITION, &body));
    let out = world.put(&entry);
    let [position, event] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((position.key.kind, event.key.kind), (RecordKind::Position, RecordKind::Event));
    assert_eq!((happening(event).what.as_str(), event.key.at.0), ("safety_alarm", now().0 - 30_000));
    let told = ["system", "kind", "level", "attachments", "state"].map(|name| attribute(event, name));
    assert_eq!(told, ["dsm", "2", "2", "3", "start"]);
    let id = attribute(event, "alarm_id").to_owned();
    // The terminal repeats it in every position while it lasts.
    assert!(records(&world.put(&entry)).is_empty());

    let file = Attachment {
        alarm: id.clone(),
        time: "261122075930".to_owned(),
        name: "00_65_6502_0_1.jpg".to_owned(),
        kind: 0,
        bytes: 9,
        blob: BlobId([5; 32]),
        is_picture: true,
    };
    let raw = serde_json::to_vec(&file).unwrap();
    let out = world.put(&frame(JT808, Channel::Jt808Attachment, now(), &raw));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((happening(record).what.as_str(), record.key.at), ("alarm_attachment", event.key.at));
    assert_eq!(happening(record).pictures, [file.blob.reference()]);
    assert_eq!((attribute(record, "alarm_id"), attribute(record, "file")), (id.as_str(), "00_65_6502_0_1.jpg"));
    let again = world.put(&frame(JT808, Channel::Jt808Attachment, now(), &raw));
    assert!(records(&again).is_empty() && reason(&again).is_none(), "a duplicate");
}

/// What a message with a body of zeros becomes: enough to see that none of the standard's is without an end.
#[test]
fn every_message_a_terminal_sends_ends_as_a_record_or_a_sign_of_life() {
    let mut world = World::new();
    let body = [0_u8; 64];
    let mut ends = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.direction == protocol::explain::Direction::Up) {
        let out = world.put(&frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_frame(kind.id, &body)));
        let end = match (records(&out).first(), out.quarantine.first()) {
            (Some(record), _) => record.body.happening.as_ref().map_or("position", |event| &event.what).to_owned(),
            (None, Some(entry)) => format!("{:?}", entry.reason),
            (None, None) => "-".to_owned(),
        };
        ends.push(format!("{:04X} {end}", kind.id));
    }
    let expected = "\
        0001 -, 0002 -, 0003 -, 0004 -, 0005 -, 0100 -, 0102 -, 0104 terminal_parameters, 0107 terminal_attributes, \
        0108 upgrade_result, 0200 NoTime, 0201 NoTime, 0301 terminal_event, 0302 question_answered, \
        0303 information_wanted, 0500 NoTime, 0608 -, 0700 recorder_data, 0701 waybill, 0702 NoTime, 0704 -, \
        0705 can_data, 0800 media_event, 0801 NoTime, 0802 -, 0805 -, 0900 passthrough, 0901 compressed, 0A00 -, \
        1003 -, 1005 passengers, 1205 -, 1206 -, 1210 -, 1211 -, 1212 -";
    assert_eq!(ends.join(", "), expected);
}
