//! How far a device's clock is off, from the times its live frames tell; a whole number of hours is a time zone.

use super::book::{Book, Finding};

/// Offsets kept.
const KEPT_MAX: usize = 200;
/// Within it the clock is right.
const RIGHT_MS: i64 = 60_000;
/// How near a whole number of hours is one.
const ZONE_SLACK_MS: i64 = 5 * 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Offsets of received from told times, in milliseconds; positive: the device is behind.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    offsets: Vec<i64>,
}

impl ClockWatch {
    /// A live frame told the time `told` and came at `now`; `lag_ms` is how old it may be by right (the period of a mean).
    pub(super) fn heard(&mut self, told: i64, now: i64, lag_ms: i64) {
        let raw = now - told;
        // Within the period it speaks of, it is right.
        let offset = if (0..=lag_ms).contains(&raw) {
            0
        } else if raw > lag_ms {
            raw - lag_ms
        } else {
            raw
        };
        if self.offsets.len() >= KEPT_MAX {
            self.offsets.remove(0);
        }
        self.offsets.push(offset);
    }

    /// The middle one.
    pub(super) fn median_ms(&self) -> Option<i64> {
        let mut sorted = self.offsets.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// Writes what is known into the checks `clock` and `zone`; `place` is where the frame at hand tells the time, `utc`
    /// whether the protocol's times are UTC (then hours ahead are Beijing time).
    pub(super) fn judge(&self, book: &mut Book, place: Option<(usize, usize)>, utc: bool) {
        let Some(offset) = self.median_ms() else { return };
        book.note("clock", format!("偏差中位数 {:.1} 秒", seconds(offset)), format!("median {:.1} s", seconds(offset)));
        let hours = (offset + offset.signum() * HOUR_MS / 2) / HOUR_MS;
        let is_zone = hours != 0 && hours.abs() <= 14 && (offset - hours * HOUR_MS).abs() <= ZONE_SLACK_MS;
        if is_zone {
            let text = if utc {
                Finding::new(
                    "zone",
                    "zone_wrong",
                    "时间差整数小时：ts 应为 UTC 毫秒，勿加时区",
                    "whole hours off: ts is UTC milliseconds, no zone is added",
                )
            } else {
                Finding::new(
                    "zone",
                    "zone_wrong",
                    "时间差整数小时：设备发送的是 UTC？应发北京时间",
                    "whole hours off: does it send UTC? Beijing time is wanted",
                )
            };
            book.found(text.detail(format!("{:+} h", -hours)).at(place));
            return;
        }
        book.kept("zone");
        if offset.abs() > RIGHT_MS {
            let text = Finding::new("clock", "clock_off", "时钟偏差超过 60 秒", "the clock is off by more than 60 s");
            book.found(text.detail(format!("{:+.1} s", -seconds(offset))).at(place).advise(
                "打开自动校时，或接受平台的校时命令",
                "switch on time synchronisation, or take the platform's time",
            ));
        } else {
            book.kept("clock");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::book::{Protocol, Status};
    use super::*;

    fn judged(offset_ms: i64) -> Book {
        let mut book = Book::new(Protocol::Hj212, "LT");
        let mut watch = ClockWatch::default();
        for n in 0..5 {
            watch.heard(n * 1000 - offset_ms, n * 1000, 0);
        }
        watch.judge(&mut book, None, false);
        book
    }

    #[test]
    fn whole_hours_are_a_zone_and_anything_else_a_clock() {
        assert_eq!((judged(300).status("clock"), judged(300).status("zone")), (Status::Pass, Status::Pass));
        assert_eq!(judged(8 * HOUR_MS + 20_000).status("zone"), Status::Fail);
        assert_eq!(judged(8 * HOUR_MS).findings()[0].detail, "-8 h");
        assert_eq!((judged(150_000).status("clock"), judged(150_000).status("zone")), (Status::Fail, Status::Pass));
        assert_eq!(judged(-200_000).findings()[0].detail, "+200.0 s");
    }
}
