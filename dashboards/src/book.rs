//! The open alerts in memory, for counts on lists and the map: read once from SQL, then kept by the judge's live events.

use crate::dto::alerts::Severity;
use crate::dto::overview::SeverityCount;
use cases::{AlertRow, AlertState, Cases, FlowError};
use model::id::{AlertId, DeviceId, SubjectId};
use model::time::IngestTime;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    subject: SubjectId,
    device: DeviceId,
    acknowledged: bool,
    severity: Severity,
    raised: IngestTime,
}

#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    open: BTreeMap<AlertId, Line>,
    by_subject: BTreeMap<SubjectId, u32>,
    by_device: BTreeMap<DeviceId, u32>,
    head: i64,
}

impl Lines {
    fn put(&mut self, id: AlertId, line: Option<Line>) {
        if let Some(old) = self.open.remove(&id) {
            lower(&mut self.by_subject, &old.subject);
            lower(&mut self.by_device, &old.device);
        }
        if let Some(line) = line {
            *self.by_subject.entry(line.subject).or_default() += 1;
            *self.by_device.entry(line.device).or_default() += 1;
            self.open.insert(id, line);
        }
    }
}

fn lower<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the open alerts anew.
    pub(crate) async fn load(&self, cases: &Cases, severity: impl Fn(&AlertRow) -> Severity) -> Result<(), FlowError> {
        let mut query = cases::AlertQuery {
            states: vec![AlertState::Open, AlertState::Acknowledged],
            limit: Some(cases::flow::PAGE_MAX),
            offset: Some(0),
            ..cases::AlertQuery::default()
        };
        let mut fresh = Lines::default();
        let mut offset = 0;
        while fresh.open.len() < OPEN_MAX {
            query.offset = Some(offset);
            let page = cases.alerts(&query).await?;
            let count = u32::try_from(page.rows.len()).unwrap_or(u32::MAX);
            for row in &page.rows {
                fresh.head = fresh.head.max(row.seq);
                fresh.put(row.id, line_of(row, severity(row)));
            }
            offset += count;
            if count == 0 || i64::from(offset) >= page.total {
                break;
            }
        }
        let mut lines = self.lock();
        fresh.head = fresh.head.max(lines.head);
        *lines = fresh;
        Ok(())
    }

    /// Takes a change.
    pub(crate) fn take(&self, row: &AlertRow, severity: Severity) {
        let mut lines = self.lock();
        lines.head = lines.head.max(row.seq);
        let line = line_of(row, severity);
        if line.is_none() || lines.open.len() < OPEN_MAX {
            lines.put(row.id, line);
        }
    }

    pub(crate) fn of_subject(&self, subject: SubjectId) -> u32 {
        self.lock().by_subject.get(&subject).copied().unwrap_or(0)
    }

    pub(crate) fn of_device(&self, device: DeviceId) -> u32 {
        self.lock().by_device.get(&device).copied().unwrap_or(0)
    }

    /// Alerts nobody has acknowledged; of these devices only, or of all.
    pub(crate) fn open(&self, devices: Option<&[DeviceId]>) -> u64 {
        let mine = |line: &&Line| !line.acknowledged && devices.is_none_or(|own| own.contains(&line.device));
        self.lock().open.values().filter(mine).count() as u64
    }

    /// Newest sequence number seen.
    pub(crate) fn head(&self) -> u64 {
        u64::try_from(self.lock().head).unwrap_or(0)
    }

    /// Worst first.
    pub(crate) fn severities(&self) -> Vec<SeverityCount> {
        let lines = self.lock();
        [Severity::Urgent, Severity::High, Severity::Normal, Severity::Low]
            .into_iter()
            .map(|severity| {
                let of = || lines.open.values().filter(move |line| line.severity == severity);
                SeverityCount {
                    severity,
                    open: of().filter(|line| !line.acknowledged).count() as u64,
                    acknowledged: of().filter(|line| line.acknowledged).count() as u64,
                    oldest: of().filter(|line| !line.acknowledged).map(|line| line.raised).min().map(Into::into),
                }
            })
            .collect()
    }
}

fn line_of(row: &AlertRow, severity: Severity) -> Option<Line> {
    let acknowledged = match row.state {
        AlertState::Open => false,
        AlertState::Acknowledged => true,
        AlertState::Cleared | AlertState::Withdrawn => return None,
    };
    Some(Line { subject: row.subject, device: row.device, acknowledged, severity, raised: row.raised })
}

/// Alerts kept; with more than these open, counts are "at least".
const OPEN_MAX: usize = 20_000;
