//! Editions of the standard, told apart by bits 2–7 of `Flag`, and the two low bits.
//!
//! ```text
//! Flag=5  = 0b000001_0_1   edition 1 (2017), no packet numbers, answer wanted
//! Flag=9  = 0b000010_0_1   edition 2 (2025)
//! ```

/// An edition of HJ 212.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HJ/T 212-2005: no version bits; often no `Flag` at all.
    V2005,
    V2017,
    /// HJ 212-2025, plain frames.
    V2025,
    /// Version bits that no known edition uses.
    Other(u8),
}

impl Version {
    /// Bit A of `Flag`: the sender waits for an answer.
    pub const ANSWER_WANTED: u8 = 1;
    /// Bit D of `Flag`: `PNUM` and `PNO` are there.
    pub const PACKET: u8 = 2;

    /// By the flag of a frame; one without a flag is read as 2005.
    pub const fn of_flag(flag: Option<u8>) -> Self {
        match flag {
            None => Self::V2005,
            Some(flag) => match flag >> 2 {
                0 => Self::V2005,
                1 => Self::V2017,
                2 => Self::V2025,
                other => Self::Other(other),
            },
        }
    }

    /// The version bits in their place: `Flag` of a frame that wants no answer and is whole (4 in 2017, 8 in 2025).
    pub const fn flag(self) -> u8 {
        match self {
            Self::V2005 => 0,
            Self::V2017 => 4,
            Self::V2025 => 8,
            Self::Other(bits) => bits << 2,
        }
    }

    /// The standard's name.
    pub const fn standard(self) -> &'static str {
        match self {
            Self::V2005 => "HJ/T 212-2005",
            Self::V2017 => "HJ 212-2017",
            Self::V2025 => "HJ 212-2025",
            Self::Other(_) => "HJ 212",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_bits_survive_both_low_bits() {
        for version in [Version::V2005, Version::V2017, Version::V2025, Version::Other(3)] {
            for low in 0..4 {
                assert_eq!(Version::of_flag(Some(version.flag() | low)), version);
            }
        }
        assert_eq!(Version::of_flag(None), Version::V2005);
        assert_eq!((Version::V2017.flag(), Version::V2025.flag()), (4, 8));
    }
}
