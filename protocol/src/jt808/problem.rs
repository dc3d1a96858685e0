//! What is odd about a message that could be read all the same, or why a body is kept as bytes.

use crate::explain::Label;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    pub code: ProblemCode,
    /// In the body.
    pub offset: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// The body is shorter than its fixed part; it is kept as bytes.
    BodyTruncated,
    /// The body is encrypted and was not looked at.
    Encrypted,
    /// A part of a split message; it was not looked at.
    SubPacket,
    TimeNotDigits,
    /// Digits, but no date: the clock was not set.
    TimeImpossible,
    PlaceImpossible,
    ItemTruncated,
    /// An item's length is not the standard's; what could be read of it was.
    ItemLength,
    TooManyItems,
    /// A batch announces another number of positions than it holds.
    BatchCount,
    /// A position of a batch cannot be read.
    BatchElement,
    /// A list announces more elements than it holds.
    CountMismatch,
    /// A parameter's length is not the one of its type; it is kept as bytes.
    ParameterLength,
    /// The body is laid out as in another issue than the header.
    OtherIssue,
    /// Bytes after the last field.
    TrailingBytes,
}

impl ProblemCode {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BodyTruncated => "body_truncated",
            Self::Encrypted => "encrypted",
            Self::SubPacket => "sub_packet",
            Self::TimeNotDigits => "time_not_digits",
            Self::TimeImpossible => "time_impossible",
            Self::PlaceImpossible => "place_impossible",
            Self::ItemTruncated => "item_truncated",
            Self::ItemLength => "item_length",
            Self::TooManyItems => "too_many_items",
            Self::BatchCount => "batch_count",
            Self::BatchElement => "batch_element",
            Self::CountMismatch => "count_mismatch",
            Self::ParameterLength => "parameter_length",
            Self::OtherIssue => "other_issue",
            Self::TrailingBytes => "trailing_bytes",
        }
    }

    /// In a sentence.
    pub const fn label(self) -> Label {
        let (zh, en) = match self {
            Self::BodyTruncated => ("消息体比固定部分短", "the body is shorter than its fixed part"),
            Self::Encrypted => ("消息体已加密，未解析", "the body is encrypted and was not read"),
            Self::SubPacket => ("分包消息的一部分，未单独解析", "a part of a split message; not read on its own"),
            Self::TimeNotDigits => ("时间不是 BCD 数字", "the time is no BCD digits"),
            Self::TimeImpossible => ("时间不是有效日期", "no such date"),
            Self::PlaceImpossible => ("经纬度超出范围", "no such place"),
            Self::ItemTruncated => ("附加信息超出消息体", "the item runs over the end of the body"),
            Self::ItemLength => {
                ("附加信息长度与标准不同，按实际长度解析", "the item's length is not the standard's; read as sent")
            }
            Self::TooManyItems => ("附加信息过多", "too many items"),
            Self::BatchCount => ("数据项个数与内容不符", "another number of positions than announced"),
            Self::BatchElement => ("批量中的位置无法解析", "a position of the batch cannot be read"),
            Self::CountMismatch => ("数量与内容不符", "fewer elements than announced"),
            Self::ParameterLength => ("参数长度与类型不符", "the parameter's length is not its type's"),
            Self::OtherIssue => ("消息体版本与消息头不同", "the body is of another issue than the header"),
            Self::TrailingBytes => ("消息体末尾有多余字节", "bytes after the last field"),
        };
        Label { zh, en }
    }

    /// Whether the message could not be read for it.
    pub const fn is_fatal(self) -> bool {
        matches!(self, Self::BodyTruncated)
    }
}
