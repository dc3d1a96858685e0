//! Rows of the registers as the page shows them.

use crate::dto::common::Time;
use crate::dto::registers::{FactorRow, LimitRow, PermitRow, PermitSuspension, ProfileRow, Window};
use crate::view::refs;
use model::facts::Facts;
use model::register::{DeviceProfile, Limit, Permit, Suspension, WeekWindow};
use model::time::EventTime;

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

pub(crate) fn permit(facts: &Facts, row: &Permit, now: EventTime) -> PermitRow {
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
        suspensions: row.suspensions.iter().map(suspension).collect(),
        suspended_now: row.is_suspended(now),
    }
}

fn suspension(row: &Suspension) -> PermitSuspension {
    PermitSuspension { from: row.from.into(), to: row.to.map(Time::from), why: row.why.clone() }
}

pub(crate) fn suspension_in(row: PermitSuspension) -> Suspension {
    Suspension { from: row.from.into(), to: row.to.map(Into::into), why: row.why }
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
