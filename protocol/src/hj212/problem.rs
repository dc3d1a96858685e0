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

            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

problems! {
    /// No digits behind `##`.
    LengthMissing = "length_missing";
    /// The declared length is not the segment's, and no mistake it looks like: that of another frame?
    LengthWrong = "length_wrong";
    /// One more or less.
    LengthOffByOne = "length_off_by_one";
    /// Four more: the check is counted.
    LengthCountsCheck = "length_counts_check";
    /// Six more: the check and the line end are counted.
    LengthCountsLineEnd = "length_counts_line_end";
    /// The whole frame is counted.
    LengthCountsAll = "length_counts_all";
    /// Two less: the closing `&&` is not counted.
    LengthWithoutEnd = "length_without_end";
    /// The length is not written with four digits.
    LengthDigits = "length_digits";
    CheckMissing = "check_missing";
    CheckNotHex = "check_not_hex";
    /// Fewer than four digits: leading zeros left out.
    CheckShort = "check_short";
    /// `0000`, `FFFF`, `????`, `?A`: never computed.
    CheckPlaceholder = "check_placeholder";
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
    /// Seconds or milliseconds since 1970.
    QnEpoch = "qn_epoch";
    /// 17 digits with letters behind them.
    QnSuffix = "qn_suffix";
    /// 17 digits of a day or time that does not exist.
    QnNoDate = "qn_no_date";
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
    /// A day or time that does not exist.
    DataTimeNoDate = "data_time_no_date";
    /// A second `DataTime`; the first is taken.
    DataTimeTwice = "data_time_twice";
    /// A value or flag of a factor that was given before; the first is taken.
    DuplicateFactor = "duplicate_factor";
    /// A letter of no edition behind `-Flag`: the value counts toward nothing.
    FlagUnknown = "flag_unknown";
    /// 2011 with means or 2051 with instant values.
    StatisticForCommand = "statistic_for_command";
    /// `LA-Rtd-Rtd`, read as `LA-Rtd`.
    SuffixRepeated = "suffix_repeated";
    /// A head field that no edition has.
    HeadKeyUnknown = "head_key_unknown";
    /// More fields than are read.
    TooManyFields = "too_many_fields";
    /// Bit D of `Flag` without `PNUM` and `PNO`, or one without the other.
    PacketNumbersMissing = "packet_numbers_missing";
    /// `PNO` 0 or above `PNUM`.
    PacketNumbersWrong = "packet_numbers_wrong";
    /// `PNUM` and `PNO` without bit D.
    PacketFlagMissing = "packet_flag_missing";
    /// LF alone, or CR alone.
    LineEndOdd = "line_end_odd";
    LineEndMissing = "line_end_missing";
    /// Bytes before `##`.
    BytesBefore = "bytes_before";
    /// Bytes behind the frame, perhaps another one.
    BytesBehind = "bytes_behind";
    CnUnknown = "cn_unknown";
    StUnknown = "st_unknown";
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
