//! The check of HJ 212-2017 annex A. It is not Modbus's CRC, although many loggers send that one: the hints below tell an
//! installer which mistake a wrong check looks like.

/// The standard's check, over the data segment alone. The register keeps eight bits between bytes, so only 256 values
/// exist: a right check is not enough to trust a frame.
pub fn crc(segment: &[u8]) -> u16 {
    let Some((last, body)) = segment.split_last() else { return 0xFFFF };
    // Every step is linear, so eight bytes go at once: each byte's share through the steps behind it, added up.
    let mut chunks = body.chunks_exact(8);
    let mut high = 0xFF_u8;
    for chunk in &mut chunks {
        let shares = SHARES.iter().zip(chunk).skip(1).map(|(shares, byte)| at(shares, *byte));
        let first = SHARES.first().zip(chunk.first()).map_or(0, |(shares, byte)| at(shares, high ^ *byte));
        high = shares.fold(first, |sum, share| sum ^ share);
    }
    let [.., one] = &SHARES;
    for byte in chunks.remainder() {
        high = at(one, high ^ *byte);
    }
    shift_eight(u16::from(high ^ *last))
}

fn at(shares: &[u8; 256], byte: u8) -> u8 {
    shares.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Modbus's CRC-16.
pub fn modbus_crc(bytes: &[u8]) -> u16 {
    crate::modbus::crc16(bytes)
}

/// What a byte adds to the high half of the register: row 7 when it is the last one, row 0 with seven behind it.
static SHARES: [[u8; 256]; 8] = shares();

#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const fn shares() -> [[u8; 256]; 8] {
    let mut shares = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        shares[7][byte] = (shift_eight(byte as u16) >> 8) as u8;
        byte += 1;
    }
    let mut row = 7;
    while row > 0 {
        let mut byte = 0;
        while byte < 256 {
            shares[row - 1][byte] = shares[7][shares[row][byte] as usize];
            byte += 1;
        }
        row -= 1;
    }
    shares
}

const fn shift_eight(mut register: u16) -> u16 {
    let mut bit = 0;
    while bit < 8 {
        let low = register & 1;
        register >>= 1;
        if low == 1 {
            register ^= 0xA001;
        }
        bit += 1;
    }
    register
}

/// What a wrong check looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckHint {
    /// Modbus CRC over the segment.
    Modbus,
    /// Modbus CRC, bytes swapped.
    ModbusSwapped,
    /// The right check, bytes swapped.
    Swapped,
    /// The check over the segment without its closing `&&`.
    WithoutEnd,
    /// A low byte this check can never have: some other algorithm.
    OtherAlgorithm,
}

/// Guesses why `found` is not the segment's check; `None`: looks corrupt.
pub(super) fn hint(segment: &[u8], found: u16) -> Option<CheckHint> {
    let modbus = modbus_crc(segment);
    if found == modbus {
        Some(CheckHint::Modbus)
    } else if found == modbus.swap_bytes() {
        Some(CheckHint::ModbusSwapped)
    } else if found == crc(segment).swap_bytes() {
        Some(CheckHint::Swapped)
    } else if segment.strip_suffix(b"&&").is_some_and(|body| crc(body) == found) {
        Some(CheckHint::WithoutEnd)
    } else if !possible(found) {
        Some(CheckHint::OtherAlgorithm)
    } else {
        None
    }
}

/// Whether the standard's algorithm can give this value at all.
pub(super) const fn possible(check: u16) -> bool {
    matches!(check & 0xFF, 0x00 | 0x01 | 0x40 | 0x41 | 0x80 | 0x81 | 0xC0 | 0xC1)
}

/// Four hex digits of either case.
pub(super) fn parse_hex4(token: &[u8]) -> Option<u16> {
    if token.len() != 4 {
        return None;
    }
    token.iter().try_fold(0_u16, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some((value << 4) | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_once_give_what_the_annex_gives_byte_by_byte() {
        let text: Vec<u8> = (0..=255_u8).cycle().map(|byte| byte.wrapping_mul(37) ^ 0x5A).take(600).collect();
        for length in 0..text.len() {
            let segment = &text[..length];
            let slow =
                segment.iter().fold(0xFFFF_u16, |register, byte| shift_eight((register >> 8) ^ u16::from(*byte)));
            assert_eq!(crc(segment), slow, "{length}");
        }
    }
}
