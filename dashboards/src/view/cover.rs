//! Secrets in raw bytes, covered with `*` before a page shows them. The bytes may be damaged, so what looks like a secret is covered
//! wherever it stands: what a page shows must not let anybody speak as the device.
//!
//! | where | what |
//! |---|---|
//! | text | the value behind every key that ends with `pw`, `pwd`, `password`, `passwd`, `token` or `secret`, in any case, with or without quotes and spaces, behind `=` or `:` |
//! | JT/T 808 | everything behind the header of a 0x0102, escaped or not |
//! | anywhere | 32 or more hexadecimal digits in capitals: an authentication code as we hand it out |

pub(crate) fn covered(shown: &[u8]) -> Vec<u8> {
    let mut bytes = shown.to_vec();
    values(&mut bytes);
    authentication(&mut bytes);
    codes(&mut bytes);
    bytes
}

fn values(bytes: &mut [u8]) {
    let mut from = 0;
    while let Some((start, end)) = next_value(bytes, from) {
        if let Some(value) = bytes.get_mut(start..end) {
            value.fill(b'*');
        }
        from = end.max(from + 1);
    }
}

/// The next value of a secret key at or behind `from`.
fn next_value(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let sign =
        (from..bytes.len()).find(|at| matches!(bytes.get(*at), Some(b'=' | b':')) && is_secret(bytes.get(..*at)))?;
    let mut start = sign + 1;
    while matches!(bytes.get(start), Some(b' ' | b'\t' | b'"' | b'\'')) {
        start += 1;
    }
    let rest = bytes.get(start..).unwrap_or_default();
    let end = rest.iter().position(|byte| ENDS.contains(byte)).unwrap_or(rest.len());
    Some((start, start + end))
}

/// Whether what stands before a sign ends with a secret's key.
fn is_secret(before: Option<&[u8]>) -> bool {
    let before = before.unwrap_or_default();
    let end = before.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\'')).map_or(0, |at| at + 1);
    let key = before.get(..end).unwrap_or_default();
    KEYS.iter().any(|wanted| {
        key.len()
            .checked_sub(wanted.len())
            .and_then(|at| key.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(wanted))
    })
}

/// The body of a 0x0102. A header has 12 bytes, or 17 where it shows a version; the code begins behind the shorter one at the earliest.
fn authentication(bytes: &mut [u8]) {
    let start = usize::from(bytes.first() == Some(&FLAG));
    if bytes.get(start..start + 2) != Some(AUTHENTICATE) {
        return;
    }
    let end = bytes.len().saturating_sub(1 + start);
    if let Some(body) = bytes.get_mut(start + HEADER_BYTES..end) {
        body.fill(b'*');
    }
}

fn codes(bytes: &mut [u8]) {
    for run in bytes.chunk_by_mut(|one, next| is_digit(*one) == is_digit(*next)) {
        if run.len() >= CODE_DIGITS && run.first().is_some_and(|byte| is_digit(*byte)) {
            run.fill(b'*');
        }
    }
}

const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

const KEYS: [&[u8]; 6] = [b"pw", b"pwd", b"password", b"passwd", b"token", b"secret"];
/// Where a value ends.
const ENDS: &[u8] = b";&,\r\n\"'}";
const FLAG: u8 = 0x7e;
const AUTHENTICATE: &[u8] = &[0x01, 0x02];
const HEADER_BYTES: usize = 12;
const CODE_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &str) -> String {
        String::from_utf8(covered(bytes.as_bytes())).unwrap()
    }

    #[test]
    fn a_password_is_covered_however_it_is_written() {
        for frame in [
            "##0077QN=1;ST=21;CN=9021;PW=s3cret;MN=1;Flag=5;CP=&&&&C901",
            "##0077QN=1;PW = s3cret;MN=1",
            "##0077QN=1;pw=s3cret",
            "##0077QN=PW=s3cret;MN=1",
            "##0077XPW=s3cret;MN=1",
            "CP=&&newpw=s3cret&&C901",
            "PW=s3cret;PW=s3cret;MN=1",
            r#"{"password": "s3cret", "fume": 1}"#,
            "{'Token':'s3cret'}",
            "user:secret:s3cret",
        ] {
            let shown = text(frame);
            assert!(!shown.contains("s3cret"), "{frame} is shown as {shown}");
            assert_eq!(shown.len(), frame.len());
        }
        assert_eq!(text("QN=1;MN=2;PWR=5;CP=&&DataTime=3&&"), "QN=1;MN=2;PWR=5;CP=&&DataTime=3&&");
    }

    #[test]
    fn the_code_of_a_damaged_authentication_is_covered() {
        let code = b"0123456789ABCDEF0123456789ABCDEF";
        let header = [0x01, 0x02, 0, 32, 0x01, 0x39, 0, 0, 0, 7, 0, 1];
        let frame = |header: &[u8], check: u8| [header, code, &[check]].concat();
        for raw in [
            frame(&header, 0),
            [&[0x7e], &*frame(&header, 9), &[0x7e]].concat(),
            // Damaged in its id, and a short code in a whole one.
            frame(&[0x41, 0x02, 0, 32, 0x01, 0x39, 0, 0, 0, 7, 0, 1], 0),
            [&header[..], b"hunter2", &[0]].concat(),
        ] {
            let shown = covered(&raw);
            let holds = |secret: &[u8]| shown.windows(secret.len()).any(|window| window == secret);
            assert!(!holds(code) && !holds(b"hunter2") && !holds(b"0123456789"), "{shown:02x?}");
            assert_eq!(shown.len(), raw.len());
        }
        // An MN of 24 digits stays to be read.
        assert_eq!(text("MN=4101000000000000000000A1;"), "MN=4101000000000000000000A1;");
    }
}
