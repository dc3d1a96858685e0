//! The deviations that real frames show, each with a name. None of them stops the reading.

/// A named deviation at an offset of the segment (or of the frame, for those of length and check).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    pub code: ProblemCode,
    pub offset: usize,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemCode { $($(#[$doc])* $name,)* }

        impl ProblemCode {
            /// Stable name.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

problems! {
    /// The declared length is not the segment's.
    LengthWrong = "length_wrong";
    /// The length is not written with four digits.
    LengthDigits = "length_digits";
    CheckMissing = "check_missing";
    /// `????`, `?A`, or fewer than four digits.
    CheckNotHex = "check_not_hex";
    CheckLowerCase = "check_lower_case";
    CheckModbus = "check_modbus";
    CheckModbusSwapped = "check_modbus_swapped";
    CheckSwapped = "check_swapped";
    CheckWithoutEnd = "check_without_end";
    CheckOtherAlgorithm = "check_other_algorithm";
    CheckWrong = "check_wrong";
    /// Longer than the 1024 bytes of the standard.
    SegmentLong = "segment_long";
    /// The closing `&&` is missing.
    EndMissing = "end_missing";
    CpMissing = "cp_missing";
    /// Read as GBK.
    NotUtf8 = "not_utf8";
    QnMissing = "qn_missing";
    QnInCp = "qn_in_cp";
    /// Not 17 digits.
    QnDigits = "qn_digits";
    StMissing = "st_missing";
    CnMissing = "cn_missing";
    PwMissing = "pw_missing";
    PwEmpty = "pw_empty";
    MnMissing = "mn_missing";
    MnEmpty = "mn_empty";
    FlagMissing = "flag_missing";
    FlagNotNumber = "flag_not_number";
    /// `FLAG=` for `Flag=` and the like.
    KeyCase = "key_case";
    CommaInHead = "comma_in_head";
    /// An item `Flag=N` that belongs to no factor.
    BareFlag = "bare_flag";
    TrailingSemicolon = "trailing_semicolon";
    /// A field without `=`.
    NoValue = "no_value";
    DataTimeMissing = "data_time_missing";
    /// Not 14 digits (17 with milliseconds are read).
    DataTimeDigits = "data_time_digits";
    /// 2011 with means or 2051 with instant values.
    StatisticForCommand = "statistic_for_command";
    /// More fields than are read.
    TooManyFields = "too_many_fields";
}

impl From<super::CheckHint> for ProblemCode {
    fn from(hint: super::CheckHint) -> Self {
        use super::CheckHint as H;
        match hint {
            H::Modbus => Self::CheckModbus,
            H::ModbusSwapped => Self::CheckModbusSwapped,
            H::Swapped => Self::CheckSwapped,
            H::WithoutEnd => Self::CheckWithoutEnd,
            H::OtherAlgorithm => Self::CheckOtherAlgorithm,
        }
    }
}
