//! Rows of the registers as the page shows them.

use crate::dto::common::Time;
use crate::dto::registers::{FactorRow, LimitRow, PermitRow, ProfileRow, Window};
use crate::view::refs;
use model::facts::Facts;
use model::register::{DeviceProfile, Limit, Permit, WeekWindow};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, local_day};

pub(crate) fn limit(row: &Limit) -> LimitRow {
    LimitRow {
        id: row.id.0,
        quantity: row.quantity.clone(),
        value: row.value,
        unit: row.unit.code().to_owned(),
        region: row.region.clone(),
        standard: row.standard.clone(),
        class: row.class.clone(),
        subject_kind: row.subject_kind.clone(),
        valid_from: row.valid_from.into(),
        valid_to: row.valid_to.map(Time::from),
        source: row.source.clone(),
        verified: row.verified,
        retired: row.retired,
    }
}

pub(crate) fn window(row: &WeekWindow) -> Window {
    Window { weekdays: row.weekdays.clone(), from_minute: row.from_minute, to_minute: row.to_minute }
}

pub(crate) fn window_in(row: Window) -> WeekWindow {
    WeekWindow { weekdays: row.weekdays, from_minute: row.from_minute, to_minute: row.to_minute }
}

pub(crate) fn permit(facts: &Facts, row: &Permit) -> PermitRow {
    PermitRow {
        id: row.id.0,
        code: row.code.clone(),
        trucks: row.trucks.iter().filter_map(|id| refs::subject(facts, *id)).collect(),
        site: row.site.and_then(|id| refs::subject(facts, id)),
        disposal_site: row.disposal_site.and_then(|id| refs::subject(facts, id)),
        corridor: refs::places(&row.corridor),
        corridor_half_width_m: row.corridor_half_width_m,
        windows: row.windows.iter().map(window).collect(),
        valid_from: row.valid_from.into(),
        valid_to: row.valid_to.map(Time::from),
        suspended: row.suspended,
    }
}

/// Whether a permit allows driving at `at`: valid, not suspended, inside one of its windows.
pub(crate) fn open_at(row: &Permit, at: EventTime) -> bool {
    let valid = !row.suspended && row.valid_from <= at && row.valid_to.is_none_or(|end| at < end);
    valid && (row.windows.is_empty() || row.windows.iter().any(|window| inside(window, at)))
}

fn inside(window: &WeekWindow, at: EventTime) -> bool {
    let local = at.0.saturating_add(i64::from(BEIJING_OFFSET_MINUTES) * 60_000);
    let minute = u16::try_from(local.rem_euclid(86_400_000) / 60_000).unwrap_or(0);
    // 1970-01-01 was a Thursday.
    let weekday = |day: i64| u8::try_from((day + 3).rem_euclid(7) + 1).unwrap_or(1);
    let on = |day: i64| window.weekdays.is_empty() || window.weekdays.contains(&weekday(day));
    let today = local_day(at);
    if window.from_minute <= window.to_minute {
        on(today) && (window.from_minute..window.to_minute).contains(&minute)
    } else {
        (on(today) && minute >= window.from_minute) || (on(today - 1) && minute < window.to_minute)
    }
}

pub(crate) fn profile(facts: &Facts, row: &DeviceProfile) -> ProfileRow {
    let factors = row.factors.iter().map(|factor| FactorRow {
        code: factor.code.clone(),
        quantity: factor.quantity.clone(),
        unit: factor.unit.code().to_owned(),
        scale: factor.scale,
        offset: factor.offset,
        statistic: factor.statistic.map(Into::into),
        min: factor.min,
        max: factor.max,
    });
    ProfileRow {
        code: row.code.clone(),
        name: row.name.clone(),
        protocol: row.protocol.into(),
        strictness: row.strictness.into(),
        offset_minutes: row.offset_minutes,
        expected_interval_s: row.expected_interval_s,
        gcj02: row.gcj02,
        factors: factors.collect(),
        registers: u32::try_from(row.registers.len()).unwrap_or(u32::MAX),
        devices: facts.devices.values().filter(|device| device.profile == row.code).count() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::parse_rfc3339;

    fn at(text: &str) -> EventTime {
        EventTime(parse_rfc3339(text).unwrap())
    }

    #[test]
    fn a_night_window_belongs_to_the_day_it_starts_on() {
        // Saturday 22:00 to 06:00.
        let window = WeekWindow { weekdays: vec![6], from_minute: 22 * 60, to_minute: 6 * 60 };
        assert!(inside(&window, at("2026-11-21T23:00:00+08:00")));
        assert!(inside(&window, at("2026-11-22T05:59:00+08:00")));
        assert!(!inside(&window, at("2026-11-22T06:00:00+08:00")));
        assert!(!inside(&window, at("2026-11-21T05:00:00+08:00")));
        assert!(!inside(&window, at("2026-11-22T23:00:00+08:00")));
    }
}
