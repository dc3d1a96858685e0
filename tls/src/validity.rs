//! From when to when a certificate is valid, read out of its DER form (RFC 5280, section 4.1):
//!
//! ```text
//! Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version?, serial, algorithm, issuer, SEQUENCE { from, to }, … }, … }
//! ```
//!
//! Everything else about certificates is the TLS library's, which does not tell these two times.

use model::time::{IngestTime, parse_rfc3339};

/// Both ends are valid moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: IngestTime,
    pub to: IngestTime,
}

impl Validity {
    /// `None`: this is no certificate.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (SEQUENCE, certificate, _) = element(der)? else { return None };
        let (SEQUENCE, mut fields, _) = element(certificate)? else { return None };
        if fields.first() == Some(&VERSION) {
            fields = element(fields)?.2;
        }
        for _serial_algorithm_issuer in 0..3 {
            fields = element(fields)?.2;
        }
        let (SEQUENCE, times, _) = element(fields)? else { return None };
        let (from_tag, from, rest) = element(times)?;
        let (to_tag, to, _) = element(rest)?;
        Some(Self { from: time(from_tag, from)?, to: time(to_tag, to)? })
    }

    /// Whole days from `now` until the end; negative after it.
    pub const fn days_left(self, now: IngestTime) -> i64 {
        self.to.since_ms(now).div_euclid(86_400_000)
    }
}

/// Tag, content and what follows of the first element.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 3 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` (1950 to 2049) or `YYYYMMDDhhmmssZ`; the profile of RFC 5280 allows no other form.
fn time(tag: u8, text: &[u8]) -> Option<IngestTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if year == "9999" {
        return Some(IngestTime::MAX); // the profile's word for "never"
    }
    let two = |at: usize| rest.get(at..at + 2);
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    parse_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).map(IngestTime)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Authority;

    #[test]
    fn the_times_of_issued_certificates_are_read() {
        let authority = Authority::new("district");
        for (year, text) in [(2031, "2031-05-17T00:00:00.000Z"), (2077, "2077-05-17T00:00:00.000Z")] {
            let der = authority.server_until((year, 5, 17)).der();
            let validity = Validity::of(&der).unwrap();
            assert_eq!(validity.to.to_rfc3339(), text);
            assert!(validity.from < validity.to);
        }
        let never = authority.server_until((9999, 12, 31)).der();
        assert_eq!(Validity::of(&never).unwrap().to, IngestTime::MAX);
    }

    #[test]
    fn days_are_whole_and_go_below_nought() {
        let validity = Validity { from: IngestTime(0), to: IngestTime(10 * 86_400_000) };
        assert_eq!(validity.days_left(IngestTime(1)), 9);
        assert_eq!(validity.days_left(IngestTime(10 * 86_400_000 + 1)), -1);
    }

    #[test]
    fn what_is_no_certificate_gives_nothing_however_it_is_cut() {
        let der = Authority::new("district").server().der();
        // The validity ends long before the certificate does, but every outer length must hold.
        for cut in 0..der.len() {
            assert_eq!(Validity::of(&der[..cut]), None);
        }
        for at in 0..200.min(der.len()) {
            let mut bad = der.clone();
            bad[at] ^= 0xff;
            let _read_without_a_panic = Validity::of(&bad);
        }
    }
}
