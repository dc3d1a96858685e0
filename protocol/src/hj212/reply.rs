//! What a device answers to a request: 9011 with `QnRtn`, 9012 with `ExeRtn`, 9013, 9014.

use super::cn;
use super::message::Message;
use crate::explain::Label;

macro_rules! returns {
    ($(#[$doc:meta])* $name:ident { $($(#[$row:meta])* $variant:ident = $number:literal, $zh:literal, $en:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$row])* $variant,)*
            /// A number no edition names.
            Other(u16),
        }

        impl $name {
            pub const fn from_number(number: u16) -> Self {
                match number { $($number => Self::$variant,)* other => Self::Other(other) }
            }

            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* Self::Other(other) => other }
            }

            pub const fn label(self) -> Label {
                match self {
                    $(Self::$variant => Label { zh: $zh, en: $en },)*
                    Self::Other(_) => Label { zh: "未知代码", en: "unknown code" },
                }
            }
        }
    };
}

returns! {
    /// `QnRtn` of a 9011: whether the request was taken.
    QnRtn {
        Ready = 1, "准备执行请求", "ready";
        Refused = 2, "请求被拒绝", "refused";
        PasswordWrong = 3, "PW 错误", "wrong PW";
        MnWrong = 4, "MN 错误", "wrong MN";
        StWrong = 5, "ST 错误", "wrong ST";
        FlagWrong = 6, "Flag 错误", "wrong Flag";
        QnWrong = 7, "QN 错误", "wrong QN";
        CnWrong = 8, "CN 错误", "wrong CN";
        CrcWrong = 9, "CRC 错误", "wrong CRC";
        Unknown = 100, "未知错误", "unknown error";
    }
}

returns! {
    /// `ExeRtn` of a 9012: how it ended.
    ExeRtn {
        Done = 1, "执行成功", "done";
        Failed = 2, "执行失败，原因未知", "failed";
        BadCondition = 3, "命令请求条件错误", "wrong conditions";
        Timeout = 4, "通讯超时", "communication timed out";
        Busy = 5, "系统繁忙", "busy";
        Fault = 6, "系统故障", "system fault";
        NoData = 100, "没有数据", "no data";
    }
}

/// An answer, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// 9011; `None` when `QnRtn` is missing or no number.
    Request(Option<QnRtn>),
    /// 9012
    Result(Option<ExeRtn>),
    /// 9013
    NoticeTaken,
    /// 9014
    DataTaken,
}

impl Reply {
    /// `None` when the message is no answer.
    pub fn read(message: &Message<'_>) -> Option<Self> {
        let number = |key| message.plain(key).and_then(|text| text.parse().ok());
        Some(match message.cn? {
            cn::REQUEST_ANSWER => Self::Request(number("QnRtn").map(QnRtn::from_number)),
            cn::REQUEST_RESULT => Self::Result(number("ExeRtn").map(ExeRtn::from_number)),
            cn::NOTIFY_ACK => Self::NoticeTaken,
            cn::DATA_ACK => Self::DataTaken,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cn: &str, data: &str) -> Option<Reply> {
        Reply::read(&Message::parse(&format!("CN={cn};CP=&&{data}&&")).0)
    }

    #[test]
    fn answers_are_read_with_their_names() {
        assert_eq!(read("9011", "QnRtn=1"), Some(Reply::Request(Some(QnRtn::Ready))));
        assert_eq!(read("9011", "QnRtn=100"), Some(Reply::Request(Some(QnRtn::Unknown))));
        assert_eq!(read("9011", ""), Some(Reply::Request(None)));
        assert_eq!(read("9012", "ExeRtn=2"), Some(Reply::Result(Some(ExeRtn::Failed))));
        assert_eq!(read("9012", "ExeRtn=77"), Some(Reply::Result(Some(ExeRtn::Other(77)))));
        assert_eq!(read("9013", ""), Some(Reply::NoticeTaken));
        assert_eq!(read("9014", ""), Some(Reply::DataTaken));
        assert_eq!(read("2011", ""), None);
        for number in 0..200 {
            assert_eq!(QnRtn::from_number(number).number(), number);
            assert_eq!(ExeRtn::from_number(number).number(), number);
        }
    }
}
