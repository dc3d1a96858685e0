//! Request numbers: the time of the request to the millisecond, each used once.

use crate::Stamp;

/// Gives numbers that grow, whatever the clock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QnSource {
    last: Option<Stamp>,
}

impl QnSource {
    /// The number for a request made at `now` (a real date): `now`, or one millisecond behind the last number.
    pub fn next(&mut self, now: Stamp) -> String {
        let stamp = match self.last {
            Some(last) if last >= now => next_millisecond(last),
            _ => now,
        };
        self.last = Some(stamp);
        let (year, month, day, hour, minute, second, ms) = stamp;
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{ms:03}")
    }
}

fn next_millisecond(stamp: Stamp) -> Stamp {
    let (year, month, day, hour, minute, second, ms) = stamp;
    if ms < 999 {
        return (year, month, day, hour, minute, second, ms + 1);
    }
    if second < 59 {
        return (year, month, day, hour, minute, second + 1, 0);
    }
    if minute < 59 {
        return (year, month, day, hour, minute + 1, 0, 0);
    }
    if hour < 23 {
        return (year, month, day, hour + 1, 0, 0, 0);
    }
    if day < days_in(year, month) {
        return (year, month, day + 1, 0, 0, 0, 0);
    }
    if month < 12 {
        return (year, month + 1, 1, 0, 0, 0, 0);
    }
    (year.saturating_add(1), 1, 1, 0, 0, 0, 0)
}

const fn days_in(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_when_the_clock_stands_or_goes_back() {
        let mut source = QnSource::default();
        let now = (2027, 12, 31, 23, 59, 59, 998);
        assert_eq!(source.next(now), "20271231235959998");
        assert_eq!(source.next(now), "20271231235959999");
        assert_eq!(source.next((2020, 1, 1, 0, 0, 0, 0)), "20280101000000000");
        assert_eq!(source.next((2028, 2, 28, 23, 59, 59, 999)), "20280228235959999");
        assert_eq!(source.next(now), "20280229000000000");
    }
}
