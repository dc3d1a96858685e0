//! JSON over MQTT and HTTP → records: readings are instants, positions and events their own kinds, whatever comes on `status` is a state. A record without
//! `ts` happened when it was received. Keys go through the profile's factors; a key that no factor names but that is a built-in
//! quantity's code is that quantity in its canonical unit.

use super::datum::to_wgs84;
use super::{Named, Unmapped, number, put};
use crate::settle::draft::{Decoded, Draft, Fault};
use crate::settle::foreign::Foreign;
use crate::settle::hash;
use crate::settle::profile::Profile;
use model::blob::Pictures;
use model::envelope::{Channel, Envelope};
use model::facts::Facts;
use model::geo::{Gcj02, Wgs84};
use model::record::{Fix, Flag, Happening, RecordKey, RecordKind, Statistic};
use model::time::EventTime;
use model::verdict::QuarantineReason;
use protocol::mqtt::payload::{self, Document, Problem, ProblemCode, Reading, Scalar, When};

/// One payload; a batch gives a draft for each of its records, also for those that cannot be used.
pub fn decode<'p>(envelope: &Envelope, facts: &Facts, profile: &'p Profile, foreign: &mut Foreign) -> Decoded<'p> {
    if envelope.channel == Channel::MqttReply {
        return Decoded::Nothing;
    }
    let Some((pictures, text)) = pictures(envelope) else {
        return Decoded::Unreadable(Fault::not_understood("not an event with pictures"));
    };
    let document = match payload::read(text) {
        Ok(document) => document,
        Err(problem) => return Decoded::Unreadable(Fault::not_understood(problem.to_string())),
    };
    let mut drafts = Vec::with_capacity(document.readings.len());
    for reading in &document.readings {
        drafts.push(read(envelope, reading, facts, profile, foreign));
    }
    attach(&mut drafts, &pictures);
    if !document.problems.is_empty() {
        problems(envelope, &document, &mut drafts);
    }
    Decoded::Drafts(drafts)
}

/// The pictures that came beside a payload, and the payload.
fn pictures(envelope: &Envelope) -> Option<(Pictures, &[u8])> {
    if envelope.channel != Channel::HttpPictures {
        return Some((Pictures::default(), &envelope.raw));
    }
    let end = envelope.raw.iter().position(|byte| *byte == b'\n')?;
    let (line, text) = envelope.raw.split_at_checked(end)?;
    Some((serde_json::from_slice(line).ok()?, text))
}

/// A picture that an event names by its part takes that name's place; one that nobody names belongs to the first event.
fn attach(drafts: &mut [Draft<'_>], pictures: &Pictures) {
    for (name, id) in &pictures.pictures {
        let mut named = false;
        let mut events = drafts.iter_mut().filter_map(|draft| draft.happening.as_mut());
        for own in events.by_ref().flat_map(|event| event.pictures.iter_mut()).filter(|own| *own == name) {
            *own = id.reference();
            named = true;
        }
        if !named && let Some(first) = drafts.iter_mut().find_map(|draft| draft.happening.as_mut()) {
            first.pictures.push(id.reference());
        }
    }
    for draft in drafts {
        let given = draft.happening.iter().flat_map(|event| &event.pictures);
        let kept = |own: &str| pictures.pictures.iter().any(|(_, id)| id.reference() == own);
        let nowhere: Vec<String> = given.filter(|own| !payload::is_address(own) && !kept(own)).cloned().collect();
        for own in nowhere {
            draft.remark(ProblemCode::PictureUnusable.word(), &own);
        }
    }
}

fn read<'p>(
    envelope: &Envelope,
    reading: &Reading<'_>,
    facts: &Facts,
    profile: &'p Profile,
    foreign: &mut Foreign,
) -> Draft<'p> {
    let kind = match (&reading.event, &reading.position, envelope.channel) {
        (Some(_), ..) => RecordKind::Event,
        (None, Some(_), _) => RecordKind::Position,
        (None, None, Channel::MqttStatus) => RecordKind::State,
        (None, None, _) => RecordKind::Instant,
    };
    let received = EventTime(envelope.received.0);
    let at = if let When::At(ms) = reading.at { EventTime(ms) } else { received };
    let slot = reading.event.as_ref().map_or(0, |event| hash::slot(&event.what, event.plate.as_deref()));
    let mut draft = Draft::new(RecordKey { device: envelope.device, kind, slot, at });
    if reading.at == When::Unreadable {
        draft.fault = Some(Fault::no_time("ts"));
    }
    if let Some(named) = &reading.device
        && facts.devices.get(&envelope.device).is_none_or(|device| device.code != **named)
    {
        draft.fault = Some(Fault::new(QuarantineReason::ForeignDevice, format!("device {named}")));
    }
    draft.values.reserve_exact(reading.values.len());
    for field in &reading.values {
        let wire = match &field.value {
            Scalar::Number(number) => *number,
            Scalar::Bool(on) => f64::from(u8::from(*on)),
            Scalar::Null => continue,
            Scalar::Text(text) => match number(text) {
                Ok(number) => number,
                Err(code) => {
                    draft.remark(code, &field.name);
                    continue;
                }
            },
        };
        let letter = field.flag.as_ref().and_then(|flag| flag.bytes().next());
        let named = Named {
            code: &field.name,
            statistic: None,
            default: Statistic::Instant,
            flag: letter.map_or(Flag::Normal, Flag::from_letter),
            wire,
        };
        put(&mut draft, profile, foreign, Unmapped::BuiltInOrForeign, named);
    }
    draft.fix = reading.position.and_then(|position| fix(position, profile.source.gcj02));
    if let Some(event) = &reading.event {
        let mut attributes: Vec<_> =
            event.attributes.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        attributes.sort();
        draft.happening = Some(Box::new(Happening {
            what: event.what.to_string(),
            end: if let When::At(ms) = event.end { Some(EventTime(ms)) } else { None },
            plate: event.plate.as_ref().map(ToString::to_string),
            attributes,
            pictures: event.pictures.iter().map(ToString::to_string).collect(),
        }));
    }
    draft
}

fn fix(position: payload::Position, gcj02: bool) -> Option<Fix> {
    let payload::Position { lon, lat, speed_kmh, heading_deg, altitude_m, fixed } = position;
    let sent = Wgs84::new(lon, lat)?;
    let place = if gcj02 { to_wgs84(Gcj02 { lon, lat }) } else { sent };
    #[expect(clippy::cast_possible_truncation, reason = "a float-to-integer cast stops at the ends of the target")]
    #[expect(clippy::cast_sign_loss, reason = "the remainder is never negative")]
    let (heading_deg, altitude_m) =
        (heading_deg.unwrap_or(0.0).rem_euclid(360.0) as u16, altitude_m.unwrap_or(0.0) as i16);
    Some(Fix {
        place,
        speed_kmh: speed_kmh.unwrap_or(0.0),
        heading_deg,
        altitude_m,
        fixed: fixed.unwrap_or(true) && !super::is_nowhere(sent),
        status: 0,
        alarm: 0,
    })
}

/// Problems of the document become remarks of their record, or records of their own that are quarantined.
fn problems(envelope: &Envelope, document: &Document<'_>, drafts: &mut Vec<Draft<'_>>) {
    let lost: Vec<(Option<usize>, &Problem)> = document
        .problems
        .iter()
        .filter(|problem| matches!(problem.code, ProblemCode::NoRecord | ProblemCode::TooManyRecords))
        .map(|problem| (index_of(problem), problem))
        .collect();
    let mut index = 0;
    for draft in drafts.iter_mut() {
        while lost.iter().any(|(lost, _)| *lost == Some(index)) {
            index += 1;
        }
        for problem in &document.problems {
            if index_of(problem).is_none_or(|of| of == index) {
                if problem.code == ProblemCode::TimeInSeconds && problem.place.ends_with("ts") {
                    draft.fault = Some(Fault::no_time("ts is in seconds, milliseconds are wanted"));
                }
                draft.remark(problem.code.word(), &problem.place);
            }
        }
        index += 1;
    }
    for (index, problem) in lost {
        // Its fields were refused one by one, or there was nothing to read.
        let fields = document.problems.iter().find(|other| other.code != problem.code && index_of(other) == index);
        let received = EventTime(envelope.received.0);
        let mut draft = super::draft(envelope.device, RecordKind::Instant, received);
        draft.fault = Some(match fields {
            Some(field) => Fault::new(QuarantineReason::NoUsableValue, field.to_string()),
            None => Fault::not_understood(problem.to_string()),
        });
        drafts.push(draft);
    }
}

/// Which record of a batch a problem is about.
fn index_of(problem: &Problem) -> Option<usize> {
    let (index, _) = problem.place.strip_prefix('[')?.split_once(']')?;
    index.parse().ok()
}
