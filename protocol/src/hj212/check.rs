//! The check of HJ 212-2017 annex A. It is not Modbus's CRC, although many loggers send that one: the hints below tell an
//! installer which mistake a wrong check looks like.

/// The standard's check, over the data segment alone. The register keeps eight bits between bytes, so only 256 values
/// exist: a right check is not enough to trust a frame.
pub fn crc(segment: &[u8]) -> u16 {
    segment.iter().fold(0xFFFF_u16, |register, byte| step((register >> 8) ^ u16::from(*byte)))
}

/// Modbus's CRC-16.
pub fn modbus_crc(bytes: &[u8]) -> u16 {
    crate::modbus::crc16(bytes)
}

/// `shift_eight` of a value below 256.
fn step(low: u16) -> u16 {
    TABLE.get(usize::from(low)).copied().unwrap_or_default()
}

static TABLE: [u16; 256] = table();

#[expect(clippy::cast_possible_truncation, reason = "below 256")]
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut low = 0;
    while low < 256 {
        table[low] = shift_eight(low as u16);
        low += 1;
    }
    table
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
