//! Numbers of alarms: 32 characters that nobody can guess, from which nothing has to be remembered.
//!
//! ```text
//! 4fd2 | 28 hex digits of the keyed hash of day, phone and alarm id        4fd2 = day since 1970
//! ```

use model::time::IngestTime;
use std::fmt;

const DAY_MS: i64 = 86_400_000;
/// A number is good on the day it was given and so many days after.
const DAYS: u16 = 7;
const DIGITS: usize = 28;

type Hash = dyn Fn(&[u8]) -> [u8; 32] + Send + Sync;

/// Made with a keyed hash that only the server has.
pub struct Numbers(Box<Hash>);

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Numbers(..)")
    }
}

impl Numbers {
    /// `hash` must be a keyed one, of this purpose alone.
    pub fn new(hash: impl Fn(&[u8]) -> [u8; 32] + Send + Sync + 'static) -> Self {
        Self(Box::new(hash))
    }

    /// The number of a phone's alarm.
    pub fn give(&self, phone: &str, alarm: &[u8], now: IngestTime) -> String {
        self.of(phone, alarm, day(now))
    }

    /// Whether we gave it, lately, for that alarm.
    pub fn is_ours(&self, phone: &str, alarm: &[u8], number: &[u8], now: IngestTime) -> bool {
        let given = number.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(given) = given.and_then(|digits| u16::from_str_radix(digits, 16).ok()) else { return false };
        let today = day(now);
        if !(today.saturating_sub(DAYS)..=today).contains(&given) {
            return false;
        }
        let right = self.of(phone, alarm, given);
        // All digits are compared, so that the time tells nothing.
        let differing = right.bytes().zip(number).fold(0, |bits, (one, other)| bits | (one ^ other));
        number.len() == right.len() && differing == 0
    }

    fn of(&self, phone: &str, alarm: &[u8], day: u16) -> String {
        let told = [&day.to_be_bytes()[..], phone.as_bytes(), &[0], alarm].concat();
        let digits = (self.0)(&told).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
        format!("{day:04x}{}", digits.get(..DIGITS).unwrap_or_default())
    }
}

fn day(now: IngestTime) -> u16 {
    u16::try_from(now.as_ms() / DAY_MS).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_good_for_its_phone_alarm_and_week_alone() {
        let numbers = Numbers::new(|told| {
            let mut hash = [7_u8; 32];
            for (at, byte) in told.iter().enumerate() {
                hash[at % 14] = hash[at % 14].wrapping_mul(31).wrapping_add(*byte);
            }
            hash
        });
        let now = IngestTime(1_767_240_000_000);
        let number = numbers.give("13800000001", b"alarm-1", now);
        assert_eq!(number.len(), 32);
        let good = |phone, alarm: &[u8], number: &str, days: i64| {
            numbers.is_ours(phone, alarm, number.as_bytes(), now.plus_ms(days * DAY_MS))
        };
        assert!(good("13800000001", b"alarm-1", &number, 0) && good("13800000001", b"alarm-1", &number, 7));
        assert!(!good("13800000001", b"alarm-1", &number, 8) && !good("13800000001", b"alarm-1", &number, -1));
        assert!(!good("13800000002", b"alarm-1", &number, 0) && !good("13800000001", b"alarm-2", &number, 0));
        let mut other = number.clone().into_bytes();
        other[31] ^= 1;
        assert!(!numbers.is_ours("13800000001", b"alarm-1", &other, now));
        for odd in [&b""[..], b"zzzz", &[0xFF; 32], &number.as_bytes()[..31]] {
            assert!(!numbers.is_ours("13800000001", b"alarm-1", odd, now));
        }
    }
}
