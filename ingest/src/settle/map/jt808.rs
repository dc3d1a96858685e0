//! JT/T 808 → positions and events. 0x0200, 0x0201 and 0x0500 give one position, 0x0704 one for each in it, and each alarm of active safety
//! in their items is an event beside it ([`safety`]); media, pass-through bytes, the driver's card, attributes and parameters are events
//! ([`happening`]), so are bus data, recorder data, waybills and compressed blocks ([`report`]) and the files of an alarm ([`attachment`]);
//! messages without data are signs of life, and any other is quarantined by its id, so that it can be settled once it is understood.
//!
//! The time is the terminal's, without a zone (by the standard GMT+8): it becomes an instant through the profile's offset. Beside the fix a
//! record has ignition and load state (status bits 0 and 8–9), mileage, signal and satellites. These codes are fixed by the standard; where a
//! profile has the table `truck`, cover, bed and load are read as it says ([`truck`]), and other items of vendors are left in the raw frame.

pub mod attachment;
mod happening;
mod report;
mod safety;
pub mod truck;

use super::datum::to_wgs84;
use crate::settle::draft::{Decoded, Draft, DraftValue, Fault};
use crate::settle::foreign::Foreign;
use crate::settle::profile::Profile;
use crate::settle::{hash, train};
use happening::Told;
use model::envelope::Envelope;
use model::geo::{Gcj02, Wgs84};
use model::quantity::Quantity;
use model::record::{Fix, Flag, Happening, RecordKey, RecordKind, Statistic};
use model::time::{EventTime, LocalStamp};
use protocol::jt808::{self, ItemValue, Message, Parts, Position, ProblemCode, Whole, id};

/// One frame, from the first header byte through the check byte; a sub-packet is only named.
pub fn decode<'p>(envelope: &Envelope, profile: &'p Profile, _foreign: &mut Foreign) -> Decoded<'p> {
    let Some(parts) = Parts::split(&envelope.raw) else {
        return Decoded::Unreadable(Fault::not_understood("shorter than a header"));
    };
    if let Some(packet) = train::packet(&parts) {
        return Decoded::Packet(packet);
    }
    let decoded = jt808::Decoded::read(&parts.header, parts.body);
    read(envelope, parts.header.id, &decoded, profile)
}

/// A message put together from its sub-packets, the last of which is `envelope`.
pub fn decode_whole<'p>(envelope: &Envelope, whole: &Whole, profile: &'p Profile) -> Decoded<'p> {
    let decoded = jt808::Decoded::read_whole(whole.id, whole.version, &whole.body);
    read(envelope, whole.id, &decoded, profile)
}

fn read<'p>(envelope: &Envelope, id: u16, decoded: &jt808::Decoded<'_>, profile: &'p Profile) -> Decoded<'p> {
    match &decoded.message {
        Message::Position(position) => Decoded::Drafts(drafts(envelope, position, profile).collect()),
        Message::PositionReply(reply) | Message::VehicleControlReply(reply) => {
            Decoded::Drafts(drafts(envelope, &reply.position, profile).collect())
        }
        Message::Batch(batch) => {
            let mut drafts: Vec<_> =
                batch.positions.iter().flat_map(|position| drafts(envelope, position, profile)).collect();
            // What the batch holds and could not be read is a record all the same.
            for problem in decoded.problems.iter().filter(|problem| problem.code == ProblemCode::BatchElement) {
                let mut lost = super::draft(envelope.device, RecordKind::Position, EventTime(envelope.received.0));
                lost.fault = Some(Fault::not_understood(format!("batch element at offset {}", problem.offset)));
                drafts.push(lost);
            }
            if drafts.is_empty() { Decoded::Nothing } else { Decoded::Drafts(drafts) }
        }
        Message::Other { .. } if WITHOUT_DATA.contains(&id) => Decoded::Nothing,
        Message::Other { body, .. } if decoded.problems.is_empty() && report::is_known(id) => {
            match report::of(id, body) {
                Some(told) => Decoded::Drafts(vec![event(envelope, told, profile)]),
                None => Decoded::Unreadable(Fault::not_understood(format!("0x{id:04X} body_truncated"))),
            }
        }
        Message::Other { .. } => {
            let why = decoded.problems.first().map(|why| format!(" {} at offset {}", why.code.code(), why.offset));
            Decoded::Unreadable(Fault::not_understood(format!("0x{id:04X}{}", why.unwrap_or_default())))
        }
        message => match happening::of(message) {
            Some(told) => {
                let mut draft = event(envelope, told, profile);
                for problem in &decoded.problems {
                    draft.remark(problem.code.code(), &format!("offset {}", problem.offset));
                }
                Decoded::Drafts(vec![draft])
            }
            None if WITHOUT_DATA.contains(&id) => Decoded::Nothing,
            None => Decoded::Unreadable(Fault::not_understood(format!("0x{id:04X}"))),
        },
    }
}

/// Messages that carry no measurement: general reply, heartbeat, logout, time and sub-packets wanted, registration, authentication, what
/// belongs to the connection of attachments, and answers to questions of ours (areas, stored media, photo, key, sound and video, recordings).
const WITHOUT_DATA: &[u16] = &[
    id::TERMINAL_REPLY,
    id::HEARTBEAT,
    id::LOGOUT,
    id::TIME_WANTED,
    id::RESEND_UP,
    id::REGISTER,
    id::AUTHENTICATE,
    id::AREAS,
    id::MEDIA_FOUND,
    id::SHOOT_REPLY,
    id::RSA_KEY_UP,
    id::AV_ATTRIBUTES,
    id::RECORDINGS,
    id::RECORDINGS_UPLOADED,
    id::ATTACHMENTS,
    id::FILE_INFO,
    id::FILE_DONE,
];

fn event<'p>(envelope: &Envelope, told: Told<'_>, profile: &'p Profile) -> Draft<'p> {
    let received = EventTime(envelope.received.0);
    let at = told.time_bcd.map(|bcd| instant(bcd, profile));
    let slot = hash::slot(told.what, Some(&told.which));
    let key =
        RecordKey { device: envelope.device, kind: RecordKind::Event, slot, at: at.flatten().unwrap_or(received) };
    let mut draft = Draft::new(key);
    if let (Some(None), Some(bcd)) = (at, told.time_bcd) {
        draft.fault = Some(Fault::no_time(format!("time {bcd:02x?}")));
    }
    draft.fix = told.place.and_then(|position| fix(position, profile.source.gcj02));
    draft.happening = Some(Box::new(Happening {
        what: told.what.to_owned(),
        end: None,
        plate: None,
        attributes: told.attributes,
        pictures: told.picture.into_iter().collect(),
    }));
    draft.blob = told.blob;
    for (code, place) in told.remarks {
        draft.remark(code, &place);
    }
    draft
}

/// A position, and the alarms of active safety in its items.
fn drafts<'p>(
    envelope: &Envelope,
    position: &Position<'_>,
    profile: &'p Profile,
) -> impl Iterator<Item = Draft<'p>> + use<'p> {
    let alarms: Vec<_> = safety::of(position).into_iter().map(|told| event(envelope, told, profile)).collect();
    std::iter::once(draft(envelope, position, profile)).chain(alarms)
}

/// The terminal's clock has no zone.
fn instant(bcd: [u8; 6], profile: &Profile) -> Option<EventTime> {
    let (year, month, day, hour, minute, second, ms) = jt808::bcd_time(&bcd)?;
    let stamp = LocalStamp::new(year, month, day, hour, minute, second, ms)?;
    Some(stamp.at_offset(profile.source.offset_minutes))
}

fn draft<'p>(envelope: &Envelope, position: &Position<'_>, profile: &'p Profile) -> Draft<'p> {
    let at = instant(position.time_bcd, profile);
    let received = EventTime(envelope.received.0);
    let mut draft = super::draft(envelope.device, RecordKind::Position, at.unwrap_or(received));
    if at.is_none() {
        draft.fault = Some(Fault::no_time(format!("time {:02x?}", position.time_bcd)));
    }
    draft.fix = fix(position, profile.source.gcj02);
    if draft.fix.is_none() {
        draft.remark("place_impossible", &format!("{} {}", position.lon_e6, position.lat_e6));
    }
    let mut flagged = |quantity, wire, flag| {
        let statistic = Statistic::Instant;
        draft.values.push(DraftValue { quantity, statistic, flag, wire, rule: None });
    };
    match &profile.truck {
        Some(truck) => truck::values(position, truck).for_each(|(quantity, wire, flag)| flagged(quantity, wire, flag)),
        None => flagged(Quantity::LOAD_STATE, f64::from(position.load()), Flag::Normal),
    }
    let mut put = |quantity, wire| flagged(quantity, wire, Flag::Normal);
    put(Quantity::IGNITION, f64::from(u8::from(position.ignition())));
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
