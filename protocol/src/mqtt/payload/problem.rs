//! What of a payload cannot be used, each with a stable word and words for people.

use crate::explain::Label;
use std::fmt;

/// Something that could not be used, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: ProblemCode,
    /// `[3].values.fume`; empty: the whole document.
    pub place: String,
    /// Byte offset in the payload.
    pub offset: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} (byte {})", self.code.word(), self.place, self.offset)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemCode {
    NotUtf8,
    NotJson,
    Truncated,
    TooDeep,
    NoRecord,
    TooManyRecords,
    TooManyFields,
    NameTooLong,
    TextTooLong,
    NumberOutOfRange,
    DuplicateName,
    TimeUnreadable,
    /// A `ts` of ten digits: seconds, where milliseconds are wanted.
    TimeInSeconds,
    NotAValue,
    PositionUnusable,
    TooManyPictures,
    /// Further ahead of receipt than [`super::AHEAD_MS_MAX`]: the record is quarantined.
    TimeFarFuture,
    /// Further behind receipt than [`super::BEHIND_MS_MAX`]: the record is quarantined.
    TimeFarPast,
    /// A flag that is no letter of HJ 212; its value counts toward nothing.
    FlagUnknown,
    EventUnnamed,
    EndBeforeStart,
    /// Neither an address nor a part of the same request.
    PictureUnusable,
}

impl ProblemCode {
    /// In a sentence.
    pub const fn label(self) -> Label {
        let (zh, en) = match self {
            Self::NotUtf8 => ("载荷不是 UTF-8", "the payload is not UTF-8"),
            Self::NotJson => ("载荷不是 JSON", "the payload is no JSON"),
            Self::Truncated => ("JSON 不完整", "the JSON ends early"),
            Self::TooDeep => ("JSON 嵌套过深", "the JSON is nested too deep"),
            Self::NoRecord => ("没有记录", "no record"),
            Self::TooManyRecords => ("记录过多", "too many records"),
            Self::TooManyFields => ("字段过多", "too many fields"),
            Self::NameTooLong => ("字段名过长", "a name that is too long"),
            Self::TextTooLong => ("文本过长", "a text that is too long"),
            Self::NumberOutOfRange => ("数值超出范围", "a number out of range"),
            Self::DuplicateName => ("字段重复", "a name that is there twice"),
            Self::TimeUnreadable => (
                "时间无法读取：应为 UTC 毫秒或带时区的 RFC 3339",
                "no time: UTC milliseconds or RFC 3339 with an offset",
            ),
            Self::TimeInSeconds => ("时间像是秒，应为 UTC 毫秒", "this looks like seconds; write UTC milliseconds"),
            Self::NotAValue => ("不是一个值", "not a value"),
            Self::PositionUnusable => ("经纬度不可用", "no usable longitude and latitude"),
            Self::TooManyPictures => ("图片过多", "too many pictures"),
            Self::TimeFarFuture => {
                ("时间超前接收 5 分钟以上，记录被隔离", "more than five minutes ahead of receipt: quarantined")
            }
            Self::TimeFarPast => {
                ("时间早于接收 400 天以上，记录被隔离", "more than 400 days before receipt: quarantined")
            }
            Self::FlagUnknown => (
                "未知标记，数值不参与判定：应为 N F M S D C T B",
                "an unknown flag, its value counts toward nothing: N F M S D C T B",
            ),
            Self::EventUnnamed => ("事件没有名称", "an event without a name"),
            Self::EndBeforeStart => ("结束早于开始", "the end is before the start"),
            Self::PictureUnusable => (
                "图片引用不可用：应为网址或本次请求中的部件名",
                "no usable picture: an address (https://…) or the name of a part of this request",
            ),
        };
        Label { zh, en }
    }

    /// A stable word for files and the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::Truncated => "truncated",
            Self::TooDeep => "too_deep",
            Self::NoRecord => "no_record",
            Self::TooManyRecords => "too_many_records",
            Self::TooManyFields => "too_many_fields",
            Self::NameTooLong => "name_too_long",
            Self::TextTooLong => "text_too_long",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::DuplicateName => "duplicate_name",
            Self::TimeUnreadable => "time_unreadable",
            Self::TimeInSeconds => "time_in_seconds",
            Self::NotAValue => "not_a_value",
            Self::PositionUnusable => "position_unusable",
            Self::TooManyPictures => "too_many_pictures",
            Self::TimeFarFuture => "time_far_future",
            Self::TimeFarPast => "time_far_past",
            Self::FlagUnknown => "flag_unknown",
            Self::EventUnnamed => "event_unnamed",
            Self::EndBeforeStart => "end_before_start",
            Self::PictureUnusable => "picture_unusable",
        }
    }
}
