//! Windows of the week at an instant, in Beijing time, over midnight and on holidays. Pure.
//!
//! A window with `from > to` crosses midnight and belongs to the day it starts on. A list of windows that names no 8 knows no
//! holidays: a holiday is as its weekday. In a list that names 8, on a public holiday only the windows with 8 hold (and those of
//! every day), and a made-up workday (调休) is as a Monday.

use super::{Calendar, WeekWindow};
use crate::time::{BEIJING_OFFSET_MINUTES, EventTime, local_day, local_day_text};

/// What 8 stands for in [`WeekWindow::weekdays`].
pub const HOLIDAY: u8 = 8;

/// The weekday of a local day, 1 = Monday; 1970-01-01 was a Thursday.
pub fn weekday(day: i64) -> u8 {
    u8::try_from((day + 3).rem_euclid(7) + 1).unwrap_or(1)
}

/// Minutes since midnight, Beijing time.
pub fn local_minute(at: EventTime) -> u16 {
    let local = at.0.saturating_add(i64::from(BEIJING_OFFSET_MINUTES) * 60_000);
    u16::try_from(local.rem_euclid(86_400_000) / 60_000).unwrap_or(0)
}

/// Whether one of the windows holds; an empty list holds always.
pub fn is_open(windows: &[WeekWindow], calendar: Option<&Calendar>, at: EventTime) -> bool {
    windows.is_empty() || is_in_one(windows, calendar, at)
}

/// Whether one of the windows holds; an empty list holds never.
pub fn is_in_one(windows: &[WeekWindow], calendar: Option<&Calendar>, at: EventTime) -> bool {
    let holidays = calendar.filter(|_| windows.iter().any(|window| window.weekdays.contains(&HOLIDAY)));
    let (today, minute) = (local_day(at), local_minute(at));
    windows.iter().any(|window| {
        let on = |day: i64| window.weekdays.is_empty() || window.weekdays.contains(&kind_of_day(day, holidays));
        if window.from_minute <= window.to_minute {
            (window.from_minute..window.to_minute).contains(&minute) && on(today)
        } else {
            (minute >= window.from_minute && on(today)) || (minute < window.to_minute && on(today - 1))
        }
    })
}

/// 1 to 7, or [`HOLIDAY`].
fn kind_of_day(day: i64, calendar: Option<&Calendar>) -> u8 {
    let Some(calendar) = calendar else { return weekday(day) };
    if calendar.is_holiday(day) {
        HOLIDAY
    } else if calendar.is_made_up_workday(day) {
        1
    } else {
        weekday(day)
    }
}

impl Calendar {
    /// Whether the local day is a public holiday that is entered.
    pub fn is_holiday(&self, day: i64) -> bool {
        !self.holidays.is_empty() && self.holidays.contains(&local_day_text(day))
    }

    /// Whether the local day is worked although it falls on a weekend (调休).
    pub fn is_made_up_workday(&self, day: i64) -> bool {
        !self.workdays.is_empty() && self.workdays.contains(&local_day_text(day))
    }

    /// Whether any day of the year is entered. They are announced year by year; before that nobody knows.
    pub fn knows_year(&self, year: i16) -> bool {
        let year = format!("{year:04}-");
        self.holidays.iter().chain(&self.workdays).any(|date| date.starts_with(&year))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_rfc3339;

    fn at(text: &str) -> EventTime {
        EventTime(parse_rfc3339(text).unwrap())
    }

    fn window(weekdays: &[u8], from_minute: u16, to_minute: u16) -> WeekWindow {
        WeekWindow { weekdays: weekdays.to_vec(), from_minute, to_minute }
    }

    fn national_day() -> Calendar {
        Calendar {
            code: "office".into(),
            hours: Vec::new(),
            holidays: vec!["2026-10-01".into()],
            workdays: vec!["2026-10-10".into()],
        }
    }

    #[test]
    fn a_night_window_belongs_to_the_day_it_starts_on() {
        let friday_night = [window(&[5], 1320, 360)];
        let open = |text| is_open(&friday_night, None, at(text));
        assert!(open("2026-11-20T22:00:00+08:00"));
        assert!(open("2026-11-21T05:59:59+08:00"));
        assert!(!open("2026-11-21T06:00:00+08:00"));
        assert!(!open("2026-11-20T05:00:00+08:00"));
        assert!(is_open(&[], None, at("2026-11-20T05:00:00+08:00")));
        assert!(!is_in_one(&[], None, at("2026-11-20T05:00:00+08:00")));
    }

    #[test]
    fn a_whole_day_has_no_gap_at_midnight() {
        let all_day = [window(&[6], 0, 1440)];
        assert!(is_open(&all_day, None, at("2026-11-21T00:00:00+08:00")));
        assert!(is_open(&all_day, None, at("2026-11-21T23:59:59+08:00")));
        assert!(!is_open(&all_day, None, at("2026-11-22T00:00:00+08:00")));
    }

    #[test]
    fn only_a_list_that_names_holidays_knows_them() {
        let calendar = national_day();
        let plain = [window(&[1, 2, 3, 4, 5], 480, 600)];
        // 1 October 2026 is a Thursday, 10 October a Saturday that is worked.
        let holiday = at("2026-10-01T09:00:00+08:00");
        let made_up = at("2026-10-10T09:00:00+08:00");
        assert!(is_open(&plain, Some(&calendar), holiday) && !is_open(&plain, Some(&calendar), made_up));
        let knowing = [window(&[1, 2, 3, 4, 5], 480, 600), window(&[6, 7, 8], 600, 720)];
        assert!(!is_open(&knowing, Some(&calendar), holiday) && is_open(&knowing, Some(&calendar), made_up));
        assert!(is_open(&knowing, Some(&calendar), at("2026-10-01T10:00:00+08:00")));
        assert!(is_open(&knowing, None, holiday));
    }

    #[test]
    fn a_year_is_known_when_a_day_of_it_is_entered() {
        let calendar = national_day();
        assert!(calendar.knows_year(2026) && !calendar.knows_year(2027));
    }
}
