//! What a permit must be: its route, its windows, its suspensions.

use super::{POINTS_MAX, Told, code, is_a, place, span};
use model::facts::Facts;
use model::register::{Permit, WeekWindow};
use model::time::EventTime;

pub(super) fn permit(row: &Permit, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    told.must(!row.trucks.is_empty(), "trucks", "name at least one truck");
    for (index, id) in row.trucks.iter().enumerate() {
        is_a(*id, "truck", &format!("trucks[{index}]"), facts, told);
    }
    row.site.into_iter().for_each(|id| is_a(id, "site", "site", facts, told));
    row.disposal_site.into_iter().for_each(|id| is_a(id, "disposal_site", "disposal_site", facts, told));
    let points = (2..=POINTS_MAX).contains(&row.corridor.len());
    told.must(points, "corridor", "write at least 2 points of the route, at most 5000");
    for (index, point) in row.corridor.iter().enumerate() {
        place(*point, &format!("corridor[{index}]"), told);
    }
    for (index, pair) in row.corridor.windows(2).enumerate() {
        if let [a, b] = pair
            && a.distance_m(*b) > LEG_M_MAX
        {
            let far = format!("lies {:.0} km from the point before; check its digits", a.distance_m(*b) / 1000.0);
            told.bad(&format!("corridor[{}]", index + 1), far);
        }
    }
    let width = (1.0..=2_000.0).contains(&row.corridor_half_width_m);
    told.must(width, "corridor_half_width_m", "write metres from 1 to 2000");
    windows(&row.windows, "windows", told);
    span(row.valid_from, row.valid_to, told);
    suspensions(row, told);
}

pub(super) fn windows(windows: &[WeekWindow], field: &str, told: &mut Told<'_>) {
    for (index, window) in windows.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let days = window.weekdays.iter().all(|day| (1..=8).contains(day));
        told.must(days, &format!("{field}.weekdays"), "write 1 (Monday) to 7 (Sunday), or 8 for public holidays");
        told.must(
            window.from_minute < 1440,
            &format!("{field}.from_minute"),
            "write minutes after midnight, 0 to 1439",
        );
        let to = (1..=1440).contains(&window.to_minute) && window.to_minute != window.from_minute;
        told.must(
            to,
            &format!("{field}.to_minute"),
            "write minutes after midnight, 1 to 1440, not the same as from_minute",
        );
    }
}

/// Suspensions lie apart and in order, so that one day has one answer and one reason.
fn suspensions(row: &Permit, told: &mut Told<'_>) {
    let mut last: Option<EventTime> = None;
    for (index, one) in row.suspensions.iter().enumerate() {
        let field = |name: &str| format!("suspensions[{index}].{name}");
        told.must(one.to.is_none_or(|to| one.from < to), &field("to"), "must be after from; leave it out for no end");
        let apart = last.is_none_or(|end| end <= one.from);
        told.must(apart, &field("from"), "begins before the suspension above it ends; write them one after the other");
        last = Some(one.to.unwrap_or(EventTime::MAX));
    }
}

const LEG_M_MAX: f64 = 20_000.0;
