//! Two times, two types: [`EventTime`] is what the device says, [`IngestTime`] is when we received it. Both are UTC
//! milliseconds since 1970. Zone-less wire time is a [`LocalStamp`] and becomes an [`EventTime`] only through the
//! device's configured offset. This is the only file that may read the machine's clock.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicI64, Ordering};

macro_rules! instant_type {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            pub const MIN: Self = Self(i64::MIN);
            pub const MAX: Self = Self(i64::MAX);
            #[must_use]
            pub const fn from_ms(ms: i64) -> Self { Self(ms) }
            pub const fn as_ms(self) -> i64 { self.0 }
            /// Saturating: a time near the ends stays at the end.
            #[must_use]
            pub const fn plus_ms(self, ms: i64) -> Self { Self(self.0.saturating_add(ms)) }
            /// `self - earlier` in milliseconds, saturating.
            pub const fn since_ms(self, earlier: Self) -> i64 { self.0.saturating_sub(earlier.0) }
            /// RFC 3339 in UTC with milliseconds; out-of-range values print as `ms:<number>`.
            pub fn to_rfc3339(self) -> String { rfc3339(self.0) }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.to_rfc3339()) }
        }
    )*};
}

instant_type! {
    /// When it happened, as the device says, after its clock offset was applied.
    EventTime;
    /// When we received it, by our own clock. Recorded in the journal; everything behind the journal reads it from there.
    IngestTime;
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("ms:{ms}"), |t| format!("{t:.3}"))
}

/// Parses RFC 3339 into UTC milliseconds.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// A calendar time without a zone, as HJ 212 and JT/T 808 carry it. It is a real date (no 31 February).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LocalStamp {
    /// Milliseconds since 1970-01-01T00:00 on the device's own wall clock.
    ms: i64,
}

impl LocalStamp {
    /// `None` for an impossible date or time of day. Seconds 60 is refused: no logger here counts leap seconds.
    pub fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8, ms: u16) -> Option<Self> {
        let date =
            jiff::civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
                .ok()?;
        let (hour, minute, second) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?);
        let time = jiff::civil::Time::new(hour, minute, second, i32::from(ms).checked_mul(1_000_000)?).ok()?;
        let zoned = date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self { ms: zoned.timestamp().as_millisecond() })
    }

    /// Applies the clock's offset from UTC, in minutes (Beijing time: 480).
    pub const fn at_offset(self, offset_minutes: i32) -> EventTime {
        EventTime(self.ms - offset_minutes as i64 * 60_000)
    }

    /// The wall-clock reading of `at` on a clock `offset_minutes` ahead of UTC.
    pub const fn of(at: EventTime, offset_minutes: i32) -> Self {
        Self { ms: at.0 + offset_minutes as i64 * 60_000 }
    }

    /// `(year, month, day, hour, minute, second, millisecond)`; years outside 1–9999 give `None`.
    pub fn fields(self) -> Option<(u16, u8, u8, u8, u8, u8, u16)> {
        let stamp = jiff::Timestamp::from_millisecond(self.ms).ok()?.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let small = |v: i8| u8::try_from(v).ok();
        Some((
            u16::try_from(stamp.year()).ok()?,
            small(stamp.month())?,
            small(stamp.day())?,
            small(stamp.hour())?,
            small(stamp.minute())?,
            small(stamp.second())?,
            u16::try_from(stamp.millisecond()).ok()?,
        ))
    }
}

/// Beijing time, the default offset of a device clock and the offset of every "day" and "night" in the district.
pub const BEIJING_OFFSET_MINUTES: i32 = 480;

/// The local day (days since 1970-01-01) an instant falls in, Beijing time.
pub const fn local_day(at: EventTime) -> i64 {
    (at.0 + BEIJING_OFFSET_MINUTES as i64 * 60_000).div_euclid(86_400_000)
}

/// `YYYY-MM-DD` of a [`local_day`].
pub fn local_day_text(day: i64) -> String {
    let text = rfc3339(day.saturating_mul(86_400_000));
    text.get(..10).map_or_else(|| text.clone(), str::to_owned)
}

/// Where "now" comes from. Passed in; nothing below `server` asks the machine.
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> IngestTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> IngestTime {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        IngestTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that tests set.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub const fn at(now: IngestTime) -> Self {
        Self(AtomicI64::new(now.0))
    }
    pub fn set(&self, now: IngestTime) {
        self.0.store(now.0, Ordering::SeqCst);
    }
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> IngestTime {
        IngestTime(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_time_becomes_an_instant_only_through_the_offset() {
        let stamp = LocalStamp::new(2026, 11, 22, 8, 0, 0, 0).unwrap();
        assert_eq!(stamp.at_offset(480).to_rfc3339(), "2026-11-22T00:00:00.000Z");
        assert_eq!(stamp.at_offset(0).to_rfc3339(), "2026-11-22T08:00:00.000Z");
        assert_eq!(LocalStamp::of(stamp.at_offset(480), 480).fields(), Some((2026, 11, 22, 8, 0, 0, 0)));
    }

    #[test]
    fn impossible_dates_are_refused() {
        assert!(LocalStamp::new(2026, 2, 30, 0, 0, 0, 0).is_none());
        assert!(LocalStamp::new(2026, 13, 1, 0, 0, 0, 0).is_none());
        assert!(LocalStamp::new(2026, 1, 1, 24, 0, 0, 0).is_none());
        assert!(LocalStamp::new(2000, 0, 0, 0, 0, 0, 0).is_none());
    }

    #[test]
    fn the_local_day_turns_at_midnight_in_zhengzhou() {
        let before = EventTime(parse_rfc3339("2026-11-21T15:59:59.999Z").unwrap());
        assert_eq!(local_day_text(local_day(before)), "2026-11-21");
        assert_eq!(local_day_text(local_day(before.plus_ms(1))), "2026-11-22");
    }
}
