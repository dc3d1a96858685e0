//! What a condition asks of the registers: limits, stoves, cleaning records, notices, permits, hours.
//!
//! A [`Plan`] holds the rows that the rule's askings rest on, so that a judge can tell whether an edit of the registers
//! concerns it, and limits ready for comparison.

use super::Condition;
use super::compile::Ask;
use super::program::{Value, Why};
use crate::engine::judge::{GroupKey, Scene};
use crate::engine::limits::{self, LimitRow, Terms};
use model::id::SubjectId;
use model::quantity::Quantity;
use model::register::{
    Background, Calendar, Cleaning, NightPermit, Notice, Schedule, Subject, SubjectDetails, windows,
};
use model::time::EventTime;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plan {
    subjects: Vec<Of>,
    notices: Vec<Arc<Notice>>,
    backgrounds: Vec<Arc<Background>>,
    schedules: Vec<Arc<Schedule>>,
    calendar: Option<Arc<Calendar>>,
    /// Expected interval of each device that may speak.
    intervals: Vec<(i64, i64)>,
}

/// What is asked about one subject.
#[derive(Debug, Clone, PartialEq)]
struct Of {
    subject: SubjectId,
    row: Option<Arc<Subject>>,
    limits: Vec<(Ask, Vec<LimitRow>)>,
    cleanings: Vec<Arc<Cleaning>>,
    night_permits: Vec<Arc<NightPermit>>,
}

impl Plan {
    pub(super) fn new(rule: &Condition, scene: &Scene<'_>) -> Self {
        let facts = scene.facts;
        let asks = |wanted: fn(&Ask) -> bool| rule.parts.asks.iter().any(wanted);
        let subjects: Vec<SubjectId> = match scene.group {
            GroupKey::Subject(subject) | GroupKey::Gate(subject) | GroupKey::Site(subject) => vec![*subject],
            GroupKey::Device(device) => {
                let mut all: Vec<SubjectId> = facts.installations_of(*device).map(|row| row.subject).collect();
                all.sort_unstable();
                all.dedup();
                all
            }
            GroupKey::Plate(_) | GroupKey::District => Vec::new(),
        };
        let of = |subject: SubjectId| Of {
            subject,
            row: facts.subjects.get(&subject).cloned(),
            limits: rule
                .parts
                .asks
                .iter()
                .filter_map(|ask| {
                    let Ask::Limit(quantity, class) = ask else { return None };
                    let (standard, region) = (rule.standard.as_str(), rule.region.as_str());
                    let terms = Terms { quantity: *quantity, standard, region, class: class.as_deref() };
                    Some((ask.clone(), limits::rows(facts, &terms, subject)))
                })
                .collect(),
            cleanings: if asks(|ask| *ask == Ask::SinceCleaning) {
                facts.cleanings_of(subject).cloned().collect()
            } else {
                Vec::new()
            },
            night_permits: if asks(|ask| *ask == Ask::NightPermit) {
                facts.night_permits.values().filter(|row| row.site == subject).cloned().collect()
            } else {
                Vec::new()
            },
        };
        let hours = asks(|ask| matches!(ask, Ask::Open | Ask::Peak));
        let interval = |device: model::id::DeviceId| {
            facts.profile_of(device).map_or(60_000, |profile| i64::from(profile.expected_interval_s.max(1)) * 1_000)
        };
        Self {
            subjects: subjects.into_iter().map(of).collect(),
            notices: if asks(|ask| matches!(ask, Ask::Stopped(_))) {
                facts.notices.values().cloned().collect()
            } else {
                Vec::new()
            },
            backgrounds: if rule.has_background() { facts.backgrounds.values().cloned().collect() } else { Vec::new() },
            schedules: if hours { facts.schedules.values().cloned().collect() } else { Vec::new() },
            calendar: if hours || !rule.schedule.is_empty() { facts.holidays().cloned() } else { None },
            intervals: match scene.group {
                GroupKey::Device(device) => vec![(device.0, interval(*device))],
                _ => Vec::new(),
            },
        }
    }

    /// The expected interval of a device's records.
    pub(super) fn interval_ms(&self, device: model::id::DeviceId, scene: &Scene<'_>) -> i64 {
        if let Some((_, ms)) = self.intervals.iter().find(|(known, _)| *known == device.0) {
            return *ms;
        }
        scene.facts.profile_of(device).map_or(60_000, |profile| i64::from(profile.expected_interval_s.max(1)) * 1_000)
    }

    /// Whether the rule's hours hold.
    pub(super) fn is_scheduled(&self, rule: &Condition, at: i64) -> bool {
        rule.schedule.is_empty() || windows::is_open(&rule.schedule, self.calendar.as_deref(), EventTime(at))
    }

    /// Whether a device is the background station of a quantity for the subject.
    pub(super) fn is_background(
        &self,
        quantity: Quantity,
        device: model::id::DeviceId,
        subject: SubjectId,
        at: i64,
        scene: &Scene<'_>,
    ) -> bool {
        if !self.backgrounds.iter().any(|row| row.device == device) {
            return false;
        }
        let grid = scene.facts.grid_of(subject).map(|grid| grid.id);
        let code = quantity.spec().map_or("", |spec| spec.code);
        scene.facts.background_at(code, grid, EventTime(at)).is_some_and(|row| row.device == device)
    }

    /// The limit row that the rule compares with.
    pub(super) fn limit(&self, ask: &Ask, subject: SubjectId, at: i64) -> Option<&LimitRow> {
        let of = self.of(subject)?;
        let (_, rows) = of.limits.iter().find(|(known, _)| known == ask)?;
        limits::at(rows, at)
    }

    fn of(&self, subject: SubjectId) -> Option<&Of> {
        self.subjects.iter().find(|of| of.subject == subject)
    }

    /// An asking that rests on no reading.
    pub(super) fn ask(&self, ask: &Ask, subject: SubjectId, at: i64, scene: &Scene<'_>) -> Value {
        let facts = scene.facts;
        let time = EventTime(at);
        match ask {
            Ask::Limit(..) => {
                self.limit(ask, subject, at).map_or(Value::unknown(Why::NoLimit), |row| Value::known(row.value))
            }
            Ask::Stoves => match self.of(subject).and_then(|of| of.row.as_deref()).map(|row| &row.details) {
                Some(SubjectDetails::Restaurant { stoves: Some(stoves), .. }) if *stoves > 0.0 => Value::known(*stoves),
                _ => Value::unknown(Why::NoRecord),
            },
            Ask::SinceCleaning => {
                let Some(of) = self.of(subject) else { return Value::unknown(Why::NoRecord) };
                let last = of.cleanings.iter().map(|row| row.cleaned_at.0).filter(|cleaned| *cleaned <= at).max();
                last.map_or(Value::unknown(Why::NoRecord), |cleaned| seconds(at.saturating_sub(cleaned)))
            }
            Ask::Stopped(work) => Value::truth(facts.subject_stopped_at(*work, subject, time).is_some()),
            Ask::NightPermit => Value::truth(facts.night_permit_at(subject, time).is_some()),
            Ask::Open => Value::truth(facts.is_open_at(subject, time)),
            Ask::Peak => facts.is_peak_at(subject, time).map_or(Value::unknown(Why::NoSchedule), Value::truth),
            Ask::Night => {
                let minute = windows::local_minute(time);
                Value::truth(!(NIGHT_ENDS..NIGHT_BEGINS).contains(&minute))
            }
            Ask::Stage(wanted) => match self.of(subject).and_then(|of| of.row.as_deref()).map(|row| &row.details) {
                Some(SubjectDetails::Site { stage: Some(stage), .. }) => Value::truth(stage == wanted),
                _ => Value::unknown(Why::NoRecord),
            },
            Ask::Size(wanted) => match self.of(subject).and_then(|of| of.row.as_deref()).map(|row| &row.details) {
                Some(SubjectDetails::Restaurant { size_class: Some(class), .. }) => Value::truth(class == wanted),
                _ => Value::unknown(Why::NoRecord),
            },
            Ask::Delay | Ask::Flagged(..) => Value::unknown(Why::NoData),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a span of milliseconds")]
pub(super) fn seconds(ms: i64) -> Value {
    Value::known(ms as f64 / 1_000.0)
}

/// GB 12523: night is from 22:00 to 06:00.
const NIGHT_BEGINS: u16 = 22 * 60;
const NIGHT_ENDS: u16 = 6 * 60;
