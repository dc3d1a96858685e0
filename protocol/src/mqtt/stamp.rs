//! RFC 3339 to UTC milliseconds, by hand: it runs once a record and must neither allocate nor know of a time library.
//!
//! `2026-11-22T08:00:00.250+08:00` is 1,795,305,600,250. There are no leap seconds.

/// UTC milliseconds of an RFC 3339 time with an offset. `None` for anything else, also for an impossible date and for a
/// time without an offset: that one has no meaning without the device's clock offset, which this layer does not know.
pub(super) fn rfc3339_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (year, month, day) = (number(bytes, 0, 4)?, number(bytes, 5, 2)?, number(bytes, 8, 2)?);
    let (hour, minute, second) = (number(bytes, 11, 2)?, number(bytes, 14, 2)?, number(bytes, 17, 2)?);
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, want)| bytes.get(*at) != Some(want))
        || !matches!(bytes.get(10), Some(b'T' | b't' | b' '))
        || !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let mut at = 19;
    let mut ms = 0;
    if bytes.get(at) == Some(&b'.') {
        let digits = bytes.get(at + 1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > 9 {
            return None;
        }
        for place in 0..3 {
            let digit = if place < digits { number(bytes, at + 1 + place, 1)? } else { 0 };
            ms = ms * 10 + digit;
        }
        at += 1 + digits;
    }
    let offset_minutes = match bytes.get(at..)? {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(bytes, at + 1, 2)?, number(bytes, at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let total = hours * 60 + minutes;
            if *sign == b'-' { -total } else { total }
        }
        _ => return None,
    };
    let days = days_since_1970(year, month, day);
    Some((((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second) * 1000 + ms)
}

fn number(bytes: &[u8], from: usize, digits: usize) -> Option<i64> {
    let mut value = 0;
    for byte in bytes.get(from..from + digits)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar; years begin in March so that the leap day is the last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_an_offset_are_read() {
        assert_eq!(rfc3339_ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339_ms("2026-11-22T08:00:00+08:00"), Some(1_795_305_600_000));
        assert_eq!(rfc3339_ms("2026-11-22T00:00:00.25Z"), Some(1_795_305_600_250));
        assert_eq!(rfc3339_ms("2024-02-29T23:59:59.123456789-01:30"), Some(1_709_256_599_123));
        assert_eq!(rfc3339_ms("1969-12-31T23:59:59.999Z"), Some(-1));
    }

    #[test]
    fn impossible_or_zoneless_times_are_not() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T08:00:00",
            "2026-02-30T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T00:00:00.Z",
            "2026-11-22T00:00:00+0800",
            "2026-11-22T00:00:00Zx",
            "x026-11-22T00:00:00Z",
            "2026-11-22T00:00:60Z",
        ] {
            assert_eq!(rfc3339_ms(text), None, "{text}");
        }
    }
}
