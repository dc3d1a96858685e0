//! Alarms of active safety in the items of a position (0x64 – 0x67, Su-biao and Yue-biao): each is an event of its own, at its own time,
//! named by the id that its attachments carry.

use super::happening::{Told, hex, pair};
use protocol::jt808::{AlarmId, ItemValue, Position, SafetyPlace};

/// Alarms taken from one position.
const ALARMS_MAX: usize = 16;

pub(super) fn of<'a>(position: &'a Position<'_>) -> Vec<Told<'a>> {
    let alarms = position.items.iter().filter_map(|item| {
        let (system, kind, level, flag, place, alarm) = match item.read() {
            ItemValue::Adas(alarm) => ("adas", Some(alarm.kind), alarm.level, alarm.flag, alarm.place, alarm.alarm),
            ItemValue::Dsm(alarm) => ("dsm", Some(alarm.kind), alarm.level, alarm.flag, alarm.place, alarm.alarm),
            ItemValue::BlindSpot(alarm) => ("bsd", Some(alarm.kind), alarm.level, alarm.flag, alarm.place, alarm.alarm),
            ItemValue::TyrePressure(alarm) => ("tpms", None, None, alarm.flag, alarm.place, alarm.alarm),
            _ => return None,
        };
        Some(told(position, (system, kind, level, flag), place, &alarm))
    });
    alarms.take(ALARMS_MAX).collect()
}

fn told<'a>(
    position: &'a Position<'_>,
    (system, kind, level, flag): (&'static str, Option<u8>, Option<u8>, u8),
    place: SafetyPlace,
    alarm: &AlarmId<'_>,
) -> Told<'a> {
    let id = alarm_id(alarm);
    let state = match flag {
        1 => "start",
        2 => "end",
        _ => "moment",
    };
    let mut attributes = vec![
        pair("alarm_id", &id),
        pair("attachments", &alarm.attachments),
        pair("speed_kmh", &place.speed_kmh),
        pair("state", &state),
        pair("system", &system),
    ];
    attributes.extend(kind.map(|kind| pair("kind", &kind)));
    attributes.extend(level.map(|level| pair("level", &level)));
    attributes.sort();
    Told {
        what: "safety_alarm",
        which: format!("{id}/{state}"),
        time_bcd: Some(place.time_bcd),
        place: Some(position),
        attributes,
        ..Told::default()
    }
}

/// The alarm's id in hex, as its attachments name it.
fn alarm_id(alarm: &AlarmId<'_>) -> String {
    let tail = [alarm.number, alarm.attachments];
    hex(alarm.terminal) + &hex(&alarm.time_bcd) + &hex(&tail) + &hex(alarm.reserve)
}
