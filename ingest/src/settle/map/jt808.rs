//! JT/T 808 → positions. 0x0200 gives one record, 0x0704 one for each position in it; messages without data are signs of life,
//! and any other is quarantined by its id, so that it can be settled once it is understood.
//!
//! The time is the terminal's, without a zone (by the standard GMT+8): it becomes an instant through the profile's offset. Beside the fix a
//! record has ignition and load state (status bits 0 and 8–9), mileage, signal and satellites. These codes are fixed by the standard; items of
//! vendors need a decoder of their own and are left in the raw frame.

use super::datum::to_wgs84;
use crate::settle::draft::{Decoded, Draft, DraftValue, Fault};
use crate::settle::foreign::Foreign;
use crate::settle::profile::Profile;
use model::envelope::Envelope;
use model::geo::{Gcj02, Wgs84};
use model::quantity::Quantity;
use model::record::{Fix, Flag, RecordKind, Statistic};
use model::time::{EventTime, LocalStamp};
use protocol::jt808::{self, ItemValue, Message, Parts, Position, ProblemCode, id};

/// One frame, from the first header byte through the check byte.
pub fn decode<'p>(envelope: &Envelope, profile: &'p Profile, _foreign: &mut Foreign) -> Decoded<'p> {
    let Some(parts) = Parts::split(&envelope.raw) else {
        return Decoded::Unreadable(Fault::not_understood("shorter than a header"));
    };
    let decoded = jt808::Decoded::read(&parts.header, parts.body);
    match decoded.message {
        Message::Position(position) => Decoded::Drafts(vec![draft(envelope, &position, profile)]),
        Message::Batch(batch) => {
            let mut drafts: Vec<_> =
                batch.positions.iter().map(|position| draft(envelope, position, profile)).collect();
            // What the batch holds and could not be read is a record all the same.
            for problem in decoded.problems.iter().filter(|problem| problem.code == ProblemCode::BatchElement) {
                let mut lost = super::draft(envelope.device, RecordKind::Position, EventTime(envelope.received.0));
                lost.fault = Some(Fault::not_understood(format!("batch element at offset {}", problem.offset)));
                drafts.push(lost);
            }
            if drafts.is_empty() { Decoded::Nothing } else { Decoded::Drafts(drafts) }
        }
        Message::Other { id: id::POSITION | id::BATCH, .. } => {
            let why = decoded.problems.first();
            let place = why.map_or_else(String::new, |why| format!("{} at offset {}", why.code.code(), why.offset));
            Decoded::Unreadable(Fault::not_understood(place))
        }
        _ if WITHOUT_DATA.contains(&parts.header.id) => Decoded::Nothing,
        _ => {
            let part = parts.header.packet.filter(|packet| packet.total > 1);
            let part = part.map(|packet| format!(" part {} of {}", packet.number, packet.total)).unwrap_or_default();
            Decoded::Unreadable(Fault::not_understood(format!("0x{:04X}{part}", parts.header.id)))
        }
    }
}

/// Messages that carry no measurement: general reply, heartbeat, logout, time and sub-packets wanted, registration, authentication, and answers
/// to questions of ours (parameters, attributes, upgrade, question, areas, stored media, photo, key).
const WITHOUT_DATA: &[u16] = &[
    id::TERMINAL_REPLY,
    id::HEARTBEAT,
    id::LOGOUT,
    id::TIME_WANTED,
    0x0005,
    id::REGISTER,
    id::AUTHENTICATE,
    0x0104,
    0x0107,
    0x0108,
    0x0302,
    0x0608,
    0x0802,
    0x0805,
    0x0A00,
];

fn draft<'p>(envelope: &Envelope, position: &Position<'_>, profile: &'p Profile) -> Draft<'p> {
    let stamp = position.time().and_then(|(year, month, day, hour, minute, second, ms)| {
        LocalStamp::new(year, month, day, hour, minute, second, ms)
    });
    let at = stamp.map(|stamp| stamp.at_offset(profile.source.offset_minutes));
    let received = EventTime(envelope.received.0);
    let mut draft = super::draft(envelope.device, RecordKind::Position, at.unwrap_or(received));
    if at.is_none() {
        draft.fault = Some(Fault::no_time(format!("time {:02x?}", position.time_bcd)));
    }
    draft.fix = fix(position, profile.source.gcj02);
    if draft.fix.is_none() {
        draft.remark("place_impossible", &format!("{} {}", position.lon_e6, position.lat_e6));
    }
    let mut put = |quantity, wire| {
        let (statistic, flag) = (Statistic::Instant, Flag::Normal);
        draft.values.push(DraftValue { quantity, statistic, flag, wire, rule: None });
    };
    put(Quantity::IGNITION, f64::from(u8::from(position.ignition())));
    put(Quantity::LOAD_STATE, f64::from(position.load()));
    for item in &position.items {
        match item.read() {
            ItemValue::Mileage(tenths) => put(Quantity::MILEAGE, f64::from(tenths) / 10.0),
            ItemValue::Signal(signal) => put(Quantity::SIGNAL, f64::from(signal)),
            ItemValue::Satellites(satellites) => put(Quantity::SATELLITES, f64::from(satellites)),
            _ => {}
        }
    }
    draft
}

fn fix(position: &Position<'_>, gcj02: bool) -> Option<Fix> {
    let (lon, lat) = (f64::from(position.lon_e6) / 1e6, f64::from(position.lat_e6) / 1e6);
    let sent = Wgs84::new(lon, lat)?;
    Some(Fix {
        place: if gcj02 { to_wgs84(Gcj02 { lon, lat }) } else { sent },
        speed_kmh: f64::from(position.speed_dkmh) / 10.0,
        heading_deg: position.course_degree % 360,
        altitude_m: i16::try_from(position.altitude_m).unwrap_or(i16::MAX),
        fixed: position.is_fixed() && !super::is_nowhere(sent),
        status: position.status,
        alarm: position.alarm,
    })
}
