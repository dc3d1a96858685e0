//! The loss ledger with gaps and clocks: a device's days, the district's devices from the worst on, and the same as CSV.

use crate::csv::Csv;
use crate::dto::ledger::{
    DeviceLedger, DistrictLedger, DistrictLedgerQuery, LedgerClock, LedgerCounts, LedgerDay, LedgerGaps, LedgerQuery,
    LedgerRow, LedgerSort, QuarantinedCount,
};
use crate::extract::{Caller, Id, Json, Search};
use crate::handlers::devices::{day, seen, wrong_day};
use crate::problem::ApiResult;
use crate::state::AppState;
use crate::view::refs;
use axum::extract::State;
use axum::response::Response;
use ingest::loss::watch::{gaps, minutes_until};
use ingest::loss::{ClockOffset, LossCounts, OURS, REASONS, Watch};
use model::facts::Facts;
use model::id::DeviceId;
use model::register::Device;
use model::time::{EventTime, IngestTime, local_day, local_day_text};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Days of a device in one answer, and of the district.
const DEVICE_DAYS_MAX: i64 = 92;
const DISTRICT_DAYS_MAX: i64 = 31;
const ROWS_USUAL: usize = 50;
const ROWS_MAX: usize = 200;

/// Everything that is needed of some days, for one device or all.
struct Book {
    from: i64,
    to: i64,
    now: IngestTime,
    counts: BTreeMap<(DeviceId, i64), LossCounts>,
    watches: BTreeMap<(DeviceId, i64), Watch>,
    first_days: BTreeMap<DeviceId, i64>,
    refused: BTreeMap<(DeviceId, i64), u64>,
}

impl Book {
    async fn read(state: &AppState, device: Option<DeviceId>, from: i64, to: i64) -> ApiResult<Self> {
        let counts = state.loss.days(device, from, to, usize::MAX).await?;
        let mut watches = state.loss.watches(device, from, to).await?;
        if device.is_some() {
            watches.extend(state.loss.watches(Some(OURS), from, to).await?);
        }
        let first_days = state.loss.first_days(device).await?;
        let mut refused = BTreeMap::new();
        for line in state.porch.refusals(from, to) {
            if let Some(of) = line.device {
                *refused.entry((of, line.day)).or_default() += line.frames;
            }
        }
        Ok(Self {
            from,
            to,
            now: state.now(),
            counts: counts.into_iter().map(|line| ((line.device, line.day), line.counts)).collect(),
            watches: watches.into_iter().map(|line| ((line.device, line.day), line.watch)).collect(),
            first_days,
            refused,
        })
    }

    fn counts(&self, device: DeviceId, day: i64) -> LossCounts {
        self.counts.get(&(device, day)).copied().unwrap_or_default()
    }

    /// `None`: nothing was due on this day.
    fn gaps(&self, device: DeviceId, day: i64) -> Option<LedgerGaps> {
        let first = *self.first_days.get(&device)?;
        let watch = self.watches.get(&(device, day));
        let from = match day.cmp(&first) {
            std::cmp::Ordering::Less => return None,
            std::cmp::Ordering::Equal => watch?.first_minute()?,
            std::cmp::Ordering::Greater => 0,
        };
        // The minute at hand is not over.
        let until = minutes_until(day, self.now);
        let found = gaps(watch, self.watches.get(&(OURS, day)), from, until);
        (found.expected > 0).then(|| LedgerGaps {
            expected: positive(found.expected),
            missing: positive(found.missing),
            ours: positive(found.ours),
            longest: positive(found.longest),
        })
    }

    fn clock(&self, device: DeviceId, day: i64) -> Option<ClockOffset> {
        self.watches.get(&(device, day)).and_then(Watch::clock)
    }

    /// One device over all the days.
    fn row(&self, facts: &Facts, device: &Device) -> LedgerRow {
        let (mut sum, mut refused) = (LossCounts::default(), 0);
        let mut total: Option<LedgerGaps> = None;
        let mut clock: Option<ClockOffset> = None;
        for day in self.from..=self.to {
            sum.add(&self.counts(device.id, day));
            refused += self.refused.get(&(device.id, day)).copied().unwrap_or(0);
            if let Some(found) = self.gaps(device.id, day) {
                let total = total.get_or_insert_default();
                total.expected += found.expected;
                total.missing += found.missing;
                total.ours += found.ours;
                total.longest = total.longest.max(found.longest);
            }
            if let Some(found) = self.clock(device.id, day)
                && clock.is_none_or(|known| found.median_ms.abs() > known.median_ms.abs())
            {
                clock = Some(found);
            }
        }
        let at = EventTime(self.now.0);
        let subject = facts.installation_at(device.id, at).and_then(|at| facts.subjects.get(&at.subject));
        LedgerRow {
            device: refs::device_of(device),
            protocol: device.protocol.into(),
            vendor: device.vendor.clone(),
            subject: subject.map(|subject| refs::subject_of(subject)),
            counts: counted(&sum, refused),
            gaps: total,
            clock: clock.map(Into::into),
        }
    }
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn counted(counts: &LossCounts, refused: u64) -> LedgerCounts {
    let by = REASONS.iter().zip(counts.quarantined).filter(|(_, records)| *records > 0);
    LedgerCounts {
        frames: positive(counts.frames),
        received: positive(counts.records),
        stored: positive(counts.stored),
        revised: positive(counts.revised),
        duplicate: positive(counts.duplicate),
        quarantined: positive(counts.quarantined_total()),
        quarantined_by: by
            .map(|(reason, records)| QuarantinedCount { reason: (*reason).into(), records: positive(records) })
            .collect(),
        refused,
        balanced: counts.balances(),
    }
}

impl From<ClockOffset> for LedgerClock {
    fn from(clock: ClockOffset) -> Self {
        Self {
            median_ms: clock.median_ms,
            min_ms: clock.min_ms,
            max_ms: clock.max_ms,
            records: positive(clock.records),
            whole_hours: clock.whole_hours(),
        }
    }
}

/// `from ..= to`, checked.
fn span(state: &AppState, from: Option<&str>, to: Option<&str>, back: i64, most: i64) -> ApiResult<(i64, i64)> {
    let today = local_day(EventTime(state.now().0));
    let to = day(to, "to")?.unwrap_or(today);
    let from = day(from, "from")?.unwrap_or(to - back);
    if to < from || to - from >= most {
        return Err(wrong_day("to", format!("at most {most} days, and not before from")));
    }
    Ok((from, to))
}

pub(crate) async fn device(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Search(query): Search<LedgerQuery>,
) -> ApiResult<Json<DeviceLedger>> {
    let facts = state.facts();
    let device = seen(&facts, &caller, id)?;
    let (from, to) = span(&state, query.from.as_deref(), query.to.as_deref(), 6, DEVICE_DAYS_MAX)?;
    let book = Book::read(&state, Some(device.id), from, to).await?;
    let line = |day: i64| {
        let refused = book.refused.get(&(device.id, day)).copied().unwrap_or(0);
        LedgerDay {
            day: local_day_text(day),
            counts: counted(&book.counts(device.id, day), refused),
            gaps: book.gaps(device.id, day),
            clock: book.clock(device.id, day).map(Into::into),
        }
    };
    let today = local_day(EventTime(book.now.0));
    Ok(Json(DeviceLedger {
        from: local_day_text(from),
        to: local_day_text(to),
        expected_interval_s: facts.profile_of(device.id).map_or(60, |profile| profile.expected_interval_s),
        days: (from..=to.min(today)).rev().map(line).collect(),
    }))
}

/// The asked devices, worst first, with what all of them sum up to.
async fn ranked(
    state: &AppState,
    caller: &Caller,
    query: &DistrictLedgerQuery,
) -> ApiResult<(Book, Vec<LedgerRow>, BTreeSet<String>)> {
    let (from, to) = span(state, query.from.as_deref(), query.to.as_deref(), 0, DISTRICT_DAYS_MAX)?;
    let book = Book::read(state, None, from, to).await?;
    let facts = state.facts();
    let seen: Vec<&Arc<Device>> = facts.devices.values().filter(|row| caller.sees(row)).collect();
    let vendors = seen.iter().map(|row| row.vendor.clone()).filter(|vendor| !vendor.is_empty()).collect();
    let wanted = |row: &&&Arc<Device>| query.vendor.as_ref().is_none_or(|vendor| row.vendor == *vendor);
    let mut rows: Vec<LedgerRow> = seen.iter().filter(wanted).map(|row| book.row(&facts, row)).collect();
    let sort = query.sort.unwrap_or_default();
    rows.sort_by_key(|row| (Reverse(badness(row, sort)), row.device.id));
    Ok((book, rows, vendors))
}

fn badness(row: &LedgerRow, sort: LedgerSort) -> u64 {
    match sort {
        LedgerSort::Gap => row.gaps.map_or(0, |gaps| gaps.missing),
        LedgerSort::Quarantined => row.counts.quarantined,
        LedgerSort::Refused => row.counts.refused,
        LedgerSort::Duplicate => row.counts.duplicate,
        LedgerSort::Clock => row.clock.map_or(0, |clock| clock.median_ms.unsigned_abs()),
    }
}

pub(crate) async fn district(
    State(state): State<AppState>,
    caller: Caller,
    Search(query): Search<DistrictLedgerQuery>,
) -> ApiResult<Json<DistrictLedger>> {
    let (book, rows, vendors) = ranked(&state, &caller, &query).await?;
    let mut sum = LossCounts::default();
    let mut refused = 0;
    let ids: BTreeSet<i64> = rows.iter().map(|row| row.device.id).collect();
    for ((_, _), counts) in book.counts.iter().filter(|((device, _), _)| ids.contains(&device.0)) {
        sum.add(counts);
    }
    for row in &rows {
        refused += row.counts.refused;
    }
    let ours = (book.from..=book.to).map(|day| {
        let until = minutes_until(day, book.now);
        positive(gaps(None, book.watches.get(&(OURS, day)), 0, until).ours)
    });
    let offset = usize::try_from(query.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = query.limit.map_or(ROWS_USUAL, |limit| usize::try_from(limit).unwrap_or(ROWS_MAX)).clamp(1, ROWS_MAX);
    Ok(Json(DistrictLedger {
        from: local_day_text(book.from),
        to: local_day_text(book.to),
        total: rows.len() as u64,
        sum: counted(&sum, refused),
        our_outage_minutes: ours.sum(),
        vendors: vendors.into_iter().collect(),
        rows: rows.into_iter().skip(offset).take(limit).collect(),
    }))
}

/// All asked devices, worst first.
pub(crate) async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Search(query): Search<DistrictLedgerQuery>,
) -> ApiResult<Response> {
    let (book, rows, _) = ranked(&state, &caller, &query).await?;
    let mut csv = Csv::new(&[
        "起始日",
        "截止日",
        "设备",
        "名称",
        "厂商",
        "对象",
        "协议",
        "接收记录",
        "入库",
        "修订",
        "重复",
        "隔离",
        "隔离原因",
        "拒收帧",
        "应有分钟",
        "缺数分钟",
        "最长缺数分钟",
        "平台中断分钟",
        "时钟偏差中位数秒",
        "时钟偏差最小秒",
        "时钟偏差最大秒",
        "整点时差小时",
    ]);
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, (ms % 1000).abs());
    for row in rows {
        let counts = &row.counts;
        let gaps = row.gaps;
        let clock = row.clock;
        let gap = |of: fn(LedgerGaps) -> u64| gaps.map_or_else(String::new, |gaps| of(gaps).to_string());
        let reasons: Vec<_> = counts
            .quarantined_by
            .iter()
            .map(|one| format!("{}={}", super::alerts::word(&one.reason), one.records))
            .collect();
        csv.row(&[
            local_day_text(book.from),
            local_day_text(book.to),
            row.device.code,
            row.device.name,
            row.vendor,
            row.subject.map(|subject| subject.name).unwrap_or_default(),
            super::alerts::word(&row.protocol),
            counts.received.to_string(),
            counts.stored.to_string(),
            counts.revised.to_string(),
            counts.duplicate.to_string(),
            counts.quarantined.to_string(),
            reasons.join("; "),
            counts.refused.to_string(),
            gap(|gaps| gaps.expected),
            gap(|gaps| gaps.missing),
            gap(|gaps| gaps.longest),
            gap(|gaps| gaps.ours),
            clock.map_or_else(String::new, |clock| seconds(clock.median_ms)),
            clock.map_or_else(String::new, |clock| seconds(clock.min_ms)),
            clock.map_or_else(String::new, |clock| seconds(clock.max_ms)),
            clock.and_then(|clock| clock.whole_hours).map(|hours| hours.to_string()).unwrap_or_default(),
        ]);
    }
    Ok(csv.answer("ledger.csv"))
}
