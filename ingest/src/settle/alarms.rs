//! Rising edges of the JT/T 808 alarm word become events `device_alarm`, one for each bit; a bit that stays set is told once.
//!
//! Positions may come late, in a batch stored while the link was down. A position that is newer than all before it is compared with the
//! newest before it; a late one with the late one before it, when that is older and not older than [`LATE_RUN_MS`]. So an alarm in a
//! batch is told, and neither stream makes edges in the other. What decides is the order in the journal, and what is remembered is saved
//! with the cursor.
//!
//! Bits have the names of JT/T 808-2013 and -2019; where a terminal's own issue reserves a bit, it is named all the same.

use super::draft::{Draft, Origin};
use super::hash;
use super::merge::{put_bytes, section};
use model::envelope::Channel;
use model::id::DeviceId;
use model::record::{Body, Happening, RecordKey, RecordKind};
use model::time::EventTime;
use protocol::jt808::{ALARM, AlarmEdges};
use std::collections::BTreeMap;

/// Late positions further apart are not one run.
const LATE_RUN_MS: i64 = 3_600_000;
const WHAT: &str = "device_alarm";

/// The alarm word of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    at: EventTime,
    bits: u32,
}

/// What is remembered of each device.
#[derive(Debug, Default)]
pub struct Alarms(BTreeMap<DeviceId, Seen>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    newest: Word,
    late: Option<Word>,
}

impl Alarms {
    /// A new position was stored: the events that it begins.
    pub fn rising(&mut self, origin: &Origin, key: &RecordKey, body: &Body) -> Vec<Draft<'static>> {
        let position = origin.channel == Channel::Jt808Frame && key.kind == RecordKind::Position;
        let Some(fix) = body.fix.filter(|_| position && !origin.is_doubtful()) else { return Vec::new() };
        let previous = self.next(key.device, Word { at: key.at, bits: fix.alarm });
        let raised = AlarmEdges::between(previous, fix.alarm).raised;
        if raised == 0 {
            return Vec::new();
        }
        let flags = ALARM.iter().filter(|flag| raised >> flag.bit & 1 == 1);
        flags.map(|flag| event(key, flag.bit, flag.name)).collect()
    }

    /// Remembers a word and gives the one to compare it with.
    fn next(&mut self, device: DeviceId, word: Word) -> Option<u32> {
        let Some(seen) = self.0.get_mut(&device) else {
            self.0.insert(device, Seen { newest: word, late: None });
            return None;
        };
        if word.at > seen.newest.at {
            let previous = std::mem::replace(&mut seen.newest, word);
            return Some(previous.bits);
        }
        let before = |late: &Word| (1..=LATE_RUN_MS).contains(&(word.at.0.saturating_sub(late.at.0)));
        seen.late.replace(word).filter(before).map(|late| late.bits)
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
            for (kind, word) in [(0_u64, Some(seen.newest)), (1, seen.late)] {
                let Some(word) = word else { continue };
                let head = kind << 32 | u64::from(word.bits);
                for word in [head, device.0.cast_unsigned(), word.at.0.cast_unsigned()] {
                    all.extend_from_slice(&word.to_le_bytes());
                }
            }
        }
        put_bytes(&mut out, &all);
        out
    }

    /// Puts back what [`Self::save`] gave, and gives the bytes behind it.
    pub fn restore(saved: &[u8]) -> (Self, &[u8]) {
        let mut alarms = Self::default();
        let (mut words, behind) = section(saved, KEY);
        while let (Some(head), Some(device), Some(at)) = (words.word(), words.word(), words.word()) {
            let word =
                Word { at: EventTime(at.cast_signed()), bits: u32::try_from(head & u64::from(u32::MAX)).unwrap_or(0) };
            let device = DeviceId(device.cast_signed());
            match alarms.0.get_mut(&device) {
                Some(seen) if head >> 32 == 1 => seen.late = Some(word),
                _ => drop(alarms.0.insert(device, Seen { newest: word, late: None })),
            }
        }
        (alarms, behind)
    }
}

/// What the saved bytes begin with; no split message has such a key.
const KEY: &[u8] = b"\x01alarms";

fn event(position: &RecordKey, bit: u8, name: &str) -> Draft<'static> {
    let slot = hash::slot(WHAT, Some(name));
    let key = RecordKey { kind: RecordKind::Event, slot, ..*position };
    let mut draft = Draft::new(key);
    draft.happening = Some(Box::new(Happening {
        what: WHAT.to_owned(),
        end: None,
        plate: None,
        attributes: vec![("alarm".to_owned(), name.to_owned()), ("bit".to_owned(), bit.to_string())],
        pictures: Vec::new(),
    }));
    draft
}
