//! The latest state of one device.

use crate::settle::map::sparkplug::HISTORICAL;
use model::envelope::Position;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Fix, Flag, RecordKind, SettledRecord, Statistic};
use model::time::{EventTime, IngestTime};
use serde::Serialize;

/// A value with the time it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LiveValue {
    pub quantity: Quantity,
    pub statistic: Statistic,
    pub flag: Flag,
    pub value: f64,
    pub at: EventTime,
}

/// A fix with its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LiveFix {
    pub at: EventTime,
    pub fix: Fix,
}

/// What a device said last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceState {
    pub device: DeviceId,
    /// Where it was installed at its newest record's time.
    pub subject: Option<SubjectId>,
    /// Event time of the newest record.
    pub at: EventTime,
    /// When the last frame came, whatever became of it.
    pub received: IngestTime,
    pub position: Position,
    /// By (quantity, statistic), each the newest of its own.
    pub values: Vec<LiveValue>,
    pub fix: Option<LiveFix>,
}

impl DeviceState {
    pub(super) fn new(device: DeviceId) -> Self {
        Self {
            device,
            subject: None,
            at: EventTime::MIN,
            received: IngestTime::MIN,
            position: Position::default(),
            values: Vec::new(),
            fix: None,
        }
    }

    /// Takes what is newer in `record`.
    pub(super) fn take(&mut self, record: &SettledRecord) {
        let at = record.key.at;
        self.received = self.received.max(record.received);
        self.position = self.position.max(record.position);
        // What a device kept while it was away is no current value, whatever its time.
        if record.remarks.iter().any(|remark| remark.code == HISTORICAL) {
            return;
        }
        if at >= self.at {
            self.at = at;
            self.subject = record.subject;
        }
        // Both lists are sorted, so one walk over them is enough.
        let mut place = 0;
        for value in &record.body.values {
            let key = (value.quantity, value.statistic);
            while self.values.get(place).is_some_and(|mine| (mine.quantity, mine.statistic) < key) {
                place += 1;
            }
            let new = LiveValue {
                quantity: value.quantity,
                statistic: value.statistic,
                flag: value.flag,
                value: value.value,
                at,
            };
            let full = self.values.len() >= VALUES_MAX;
            match self.values.get_mut(place) {
                Some(mine) if (mine.quantity, mine.statistic) == key => {
                    *mine = if at >= mine.at { new } else { *mine };
                }
                _ if !full => self.values.insert(place, new),
                _ => {}
            }
        }
        if let Some(fix) = record.body.fix
            && record.key.kind == RecordKind::Position
            && self.fix.is_none_or(|mine| at >= mine.at)
        {
            self.fix = Some(LiveFix { at, fix });
        }
    }
}

/// Values of one device in the hub at most; a device that invents codes does not grow it further.
const VALUES_MAX: usize = 256;
