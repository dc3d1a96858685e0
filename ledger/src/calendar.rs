//! Working time: deadlines that run in a bureau's hours only, in Beijing time. Pure.
//!
//! A day's windows are those of its weekday; none on a holiday; on a made-up workday (调休) those of Monday. A window with
//! `from > to` crosses midnight and belongs to the day it starts on.

use model::register::{Calendar, WeekWindow};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, local_day, local_day_text};

const DAY_MS: i64 = 86_400_000;
/// How far ahead a deadline is looked for: a calendar without working time ends the search.
const DAYS_MAX: i64 = 3_660;

/// The weekday of a local day, 1 = Monday; 1970-01-01 was a Thursday.
fn weekday(day: i64) -> u8 {
    u8::try_from((day + 3).rem_euclid(7) + 1).unwrap_or(1)
}

/// Windows that start on the local day, as UTC milliseconds, in order and without overlap.
fn windows_of(calendar: &Calendar, day: i64) -> Vec<(i64, i64)> {
    let date = local_day_text(day);
    if calendar.holidays.contains(&date) {
        return Vec::new();
    }
    let weekday = if calendar.workdays.contains(&date) { 1 } else { weekday(day) };
    let start = day * DAY_MS - i64::from(BEIJING_OFFSET_MINUTES) * 60_000;
    let applies = |window: &&WeekWindow| window.weekdays.is_empty() || window.weekdays.contains(&weekday);
    let mut windows: Vec<(i64, i64)> = calendar
        .hours
        .iter()
        .filter(applies)
        .map(|window| {
            let (from, to) = (i64::from(window.from_minute), i64::from(window.to_minute));
            let to = if to <= from { to + 1440 } else { to };
            (start + from * 60_000, start + to * 60_000)
        })
        .collect();
    windows.sort_unstable();
    windows
}

/// Working spans from `from` on, joined where they touch or overlap, at most [`DAYS_MAX`] days ahead.
fn spans(calendar: &Calendar, from: EventTime) -> impl Iterator<Item = (i64, i64)> {
    // The window of the day before may reach past midnight.
    let first = local_day(from) - 1;
    let mut done = from.as_ms();
    (first..first.saturating_add(DAYS_MAX)).flat_map(|day| windows_of(calendar, day)).filter_map(move |(start, end)| {
        let start = start.max(done);
        done = done.max(end);
        (start < end).then_some((start, end))
    })
}

pub fn is_working(calendar: &Calendar, at: EventTime) -> bool {
    let day = local_day(at);
    let inside = |(start, end): (i64, i64)| start <= at.as_ms() && at.as_ms() < end;
    [day - 1, day].into_iter().any(|day| windows_of(calendar, day).into_iter().any(inside))
}

/// The instant at which `minutes` of working time have passed since `start`; `start` itself for none.
/// `None` when the calendar has not that much working time in the next ten years.
pub fn add_working_minutes(calendar: &Calendar, start: EventTime, minutes: u32) -> Option<EventTime> {
    let mut left = i64::from(minutes) * 60_000;
    if left == 0 {
        return Some(start);
    }
    for (from, to) in spans(calendar, start) {
        if left <= to - from {
            return Some(EventTime(from + left));
        }
        left -= to - from;
    }
    None
}

/// Working time between two instants, milliseconds; 0 when `to` is not after `from`. Counts at most ten years.
pub fn working_ms_between(calendar: &Calendar, from: EventTime, to: EventTime) -> i64 {
    spans(calendar, from).take_while(|span| span.0 < to.as_ms()).map(|span| span.1.min(to.as_ms()) - span.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::parse_rfc3339;
    use proptest::prelude::*;

    fn office() -> Calendar {
        let window = |from, to| WeekWindow { weekdays: vec![1, 2, 3, 4, 5], from_minute: from, to_minute: to };
        Calendar {
            code: "office".into(),
            hours: vec![window(510, 720), window(840, 1080)],
            holidays: vec!["2026-10-01".into(), "2026-10-02".into()],
            workdays: vec!["2026-10-10".into()],
        }
    }

    fn at(text: &str) -> EventTime {
        EventTime(parse_rfc3339(text).unwrap())
    }

    #[test]
    fn a_deadline_skips_lunch_night_weekend_and_holidays() {
        let calendar = office();
        let end = |start, minutes| add_working_minutes(&calendar, at(start), minutes).unwrap();
        assert_eq!(end("2026-11-20T11:00:00+08:00", 120), at("2026-11-20T15:00:00+08:00"));
        assert_eq!(end("2026-11-20T17:30:00+08:00", 60), at("2026-11-23T09:00:00+08:00"));
        assert_eq!(end("2026-11-21T12:00:00+08:00", 1), at("2026-11-23T08:31:00+08:00"));
        // Thursday and Friday are holidays, Saturday 10 October is worked, Monday 5 October is an ordinary day.
        assert_eq!(end("2026-09-30T17:00:00+08:00", 61), at("2026-10-05T08:31:00+08:00"));
        assert_eq!(end("2026-10-09T17:59:00+08:00", 2), at("2026-10-10T08:31:00+08:00"));
    }

    #[test]
    fn a_window_across_midnight_belongs_to_the_day_it_starts_on() {
        let night = WeekWindow { weekdays: vec![5], from_minute: 1320, to_minute: 360 };
        let calendar = Calendar { code: "n".into(), hours: vec![night], holidays: vec![], workdays: vec![] };
        assert!(is_working(&calendar, at("2026-11-20T23:00:00+08:00")));
        assert!(is_working(&calendar, at("2026-11-21T05:59:00+08:00")));
        assert!(!is_working(&calendar, at("2026-11-21T06:00:00+08:00")));
        assert!(!is_working(&calendar, at("2026-11-21T23:00:00+08:00")));
        assert_eq!(
            add_working_minutes(&calendar, at("2026-11-21T05:00:00+08:00"), 120),
            Some(at("2026-11-27T23:00:00+08:00"))
        );
    }

    #[test]
    fn a_calendar_without_working_time_gives_no_deadline() {
        let calendar = Calendar { code: "none".into(), hours: vec![], holidays: vec![], workdays: vec![] };
        assert_eq!(add_working_minutes(&calendar, EventTime(0), 1), None);
        assert_eq!(add_working_minutes(&calendar, EventTime(5), 0), Some(EventTime(5)));
    }

    fn any_calendar() -> impl Strategy<Value = Calendar> {
        let window = (proptest::collection::vec(1_u8..=7, 0..4), 0_u16..1440, 1_u16..=1440)
            .prop_map(|(weekdays, from_minute, to_minute)| WeekWindow { weekdays, from_minute, to_minute });
        let days = || proptest::collection::vec((20_600_i64..20_640).prop_map(local_day_text), 0..6);
        (proptest::collection::vec(window, 1..4), days(), days()).prop_map(|(hours, holidays, workdays)| Calendar {
            code: "any".into(),
            hours,
            holidays,
            workdays,
        })
    }

    proptest! {
        #[test]
        fn the_time_to_a_deadline_is_what_was_added(calendar in any_calendar(), start in 0_i64..86_400_000 * 30, minutes in 0_u32..20_000) {
            let start = EventTime(20_600 * DAY_MS + start);
            if let Some(end) = add_working_minutes(&calendar, start, minutes) {
                prop_assert_eq!(working_ms_between(&calendar, start, end), i64::from(minutes) * 60_000);
                prop_assert!(end >= start);
            }
        }

        #[test]
        fn deadlines_add_up(calendar in any_calendar(), start in 0_i64..86_400_000 * 30, first in 1_u32..2_000, second in 1_u32..2_000) {
            let start = EventTime(20_600 * DAY_MS + start);
            let at_once = add_working_minutes(&calendar, start, first + second);
            let in_two = add_working_minutes(&calendar, start, first)
                .and_then(|middle| add_working_minutes(&calendar, middle, second));
            prop_assert_eq!(at_once.is_some() && in_two.is_some(), at_once.is_some());
            if let (Some(one), Some(two)) = (at_once, in_two) {
                prop_assert_eq!(one, two);
            }
        }

        #[test]
        fn an_instant_works_when_time_passes_in_it(calendar in any_calendar(), at in 0_i64..86_400_000 * 30) {
            let at = EventTime(20_600 * DAY_MS + at);
            let passed = working_ms_between(&calendar, at, at.plus_ms(1));
            prop_assert_eq!(is_working(&calendar, at), passed == 1);
        }
    }
}
