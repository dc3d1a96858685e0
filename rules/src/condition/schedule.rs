//! Hours of a rule as people write them: `mon-fri 11:00-13:30`, `22:00-06:00`, `sat,sun,holiday 00:00-24:00`.

use crate::definition::reader::Findings;
use model::register::WeekWindow;

pub(super) fn read(texts: &[&str], found: &mut Findings<'_>) -> Vec<WeekWindow> {
    let mut windows = Vec::new();
    for text in texts {
        match window(text) {
            Some(window) => windows.push(window),
            None => found.add(
                "condition",
                "schedule",
                format!("\"{text}\" is no window of the week"),
                "write for example \"22:00-06:00\" or \"mon-fri 11:00-13:30\"",
            ),
        }
    }
    windows
}

fn window(text: &str) -> Option<WeekWindow> {
    let text = text.trim();
    let (days, hours) = text.rsplit_once(' ').map_or(("", text), |(days, hours)| (days.trim(), hours));
    let (from, to) = hours.split_once('-')?;
    let (from_minute, to_minute) = (minute(from)?, minute(to)?);
    let mut weekdays = Vec::new();
    for part in days.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        if last < first {
            return None;
        }
        weekdays.extend(first..=last);
    }
    (from_minute != to_minute && from_minute < 1_440).then_some(WeekWindow { weekdays, from_minute, to_minute })
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0))).then_some(hours * 60 + minutes)
}

/// 1 = Monday … 7 = Sunday, 8 = a public holiday.
fn day(text: &str) -> Option<u8> {
    const DAYS: [&str; 8] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"];
    let place = DAYS.iter().position(|day| *day == text.trim().to_ascii_lowercase())?;
    u8::try_from(place + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_people_write_them() {
        let read = |text| window(text).map(|window| (window.weekdays, window.from_minute, window.to_minute));
        assert_eq!(read("22:00-06:00"), Some((vec![], 1_320, 360)));
        assert_eq!(read("mon-fri 11:00-13:30"), Some((vec![1, 2, 3, 4, 5], 660, 810)));
        assert_eq!(read("sat, holiday 00:00-24:00"), Some((vec![6, 8], 0, 1_440)));
        for wrong in ["25:00-26:00", "fri-mon 1:00-2:00", "10:00", "10:00-10:00", "someday 1:00-2:00"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
