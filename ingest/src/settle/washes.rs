//! A washer that is polled has no event to send: its pump is on or off. What the readings of `washer_pump_on` say becomes the event `wash`
//! that a washer on MQTT sends: told when it begins, and revised with its end. So who watches washes need not know how a washer speaks.
//!
//! The begin is the first reading with the pump on, the end the first with the pump off: a wash can be longer by the poll interval on
//! either side, never shorter than told. Where nothing was heard for longer than [`SILENCE_MS`], nothing is made up: a wash ends with the
//! last reading that showed it, and a pump that was on when the silence ended began at no known time. That the pump tells a wash is an
//! assumption of the shipped map; a profile whose switch means otherwise maps it to another quantity.

use super::draft::{Draft, Origin};
use super::hash;
use super::merge::{put_bytes, section};
use model::envelope::Channel;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{Body, Flag, Happening, RecordKey, RecordKind, Statistic};
use model::time::EventTime;
use std::collections::BTreeMap;

/// Readings further apart are not of one wash.
const SILENCE_MS: i64 = 300_000;
const WHAT: &str = "wash";

/// What is remembered of each washer.
#[derive(Debug, Default)]
pub struct Washes(BTreeMap<DeviceId, Seen>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: EventTime,
    on: bool,
    /// Of the wash that lasts, when it is known.
    began: Option<EventTime>,
}

impl Washes {
    /// A new reading was stored: the wash that it begins or ends.
    pub fn told(&mut self, origin: &Origin, key: &RecordKey, body: &Body) -> Option<Draft<'static>> {
        let polled = origin.channel == Channel::ModbusReading && key.kind == RecordKind::Instant;
        let pump = body.value(Quantity::WASHER_PUMP_ON, Statistic::Instant).filter(|value| value.flag == Flag::Normal);
        let on = pump.filter(|_| polled)?.value >= 0.5;
        let Some(seen) = self.0.get_mut(&key.device) else {
            self.0.insert(key.device, Seen { at: key.at, on, began: None });
            return None;
        };
        if key.at <= seen.at {
            return None;
        }
        let silent = key.at.0.saturating_sub(seen.at.0) > SILENCE_MS;
        let before = std::mem::replace(seen, Seen { at: key.at, on, began: seen.began });
        if before.on && (silent || !on) {
            seen.began = None;
            let end = if silent { before.at } else { key.at };
            return before.began.map(|began| event(key.device, began, Some(end), body));
        }
        if on && !before.on && !silent {
            seen.began = Some(key.at);
            return Some(event(key.device, key.at, None, body));
        }
        None
    }

    /// As bytes before those of another kind; nothing when nothing is remembered.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.0.is_empty() {
            return out;
        }
        put_bytes(&mut out, KEY);
        let mut all = Vec::with_capacity(self.0.len() * 32);
        for (device, seen) in &self.0 {
            let began = seen.began.map_or(i64::MIN, |began| began.0);
            for word in [device.0, seen.at.0, i64::from(seen.on), began] {
                all.extend_from_slice(&word.to_le_bytes());
            }
        }
        put_bytes(&mut out, &all);
        out
    }

    /// Puts back what [`Self::save`] gave, and gives the bytes behind it.
    pub fn restore(saved: &[u8]) -> (Self, &[u8]) {
        let mut washes = Self::default();
        let (mut words, behind) = section(saved, KEY);
        while let (Some(device), Some(at), Some(on), Some(began)) =
            (words.word(), words.word(), words.word(), words.word())
        {
            let began = Some(began.cast_signed()).filter(|began| *began != i64::MIN).map(EventTime);
            let seen = Seen { at: EventTime(at.cast_signed()), on: on == 1, began };
            washes.0.insert(DeviceId(device.cast_signed()), seen);
        }
        (washes, behind)
    }
}

/// What the saved bytes begin with; no split message has such a key.
const KEY: &[u8] = b"\x01washes";

/// The key is that of the same event over MQTT.
fn event(device: DeviceId, began: EventTime, end: Option<EventTime>, body: &Body) -> Draft<'static> {
    let slot = hash::slot(WHAT, None);
    let mut draft = Draft::new(RecordKey { device, kind: RecordKind::Event, slot, at: began });
    // The washer's own count of the seconds, where it has one, beside what the polls saw.
    let seconds = body.value(Quantity::WASH_SECONDS, Statistic::Instant).filter(|_| end.is_some());
    let attributes = seconds.map(|value| ("wash_seconds".to_owned(), value.value.to_string()));
    draft.happening = Some(Box::new(Happening {
        what: WHAT.to_owned(),
        end,
        plate: None,
        attributes: attributes.into_iter().collect(),
        pictures: Vec::new(),
    }));
    draft
}
