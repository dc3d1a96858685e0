//! HJ 212 (2005, 2017, 2025 plain): framer, check, message and its problems, encoders.
//!
//! ```text
//! ##0089QN=20260101120000000;ST=22;CN=2011;PW=123456;MN=A1;Flag=5;CP=&&DataTime=…;a34002-Rtd=5,a34002-Flag=N&&1C80 CR LF
//! └┬┘└┬┘└──────────────────────────────── segment ────────────────────────────────────────────────────────┘└┬─┘
//! start length of the segment, decimal                                                          check, hex ─┘
//! ```
//!
//! What a platform sends is in [`Request`], what it waits for in [`Dialogue`]; [`explain`] says a frame byte by byte.
//!
//! Almost no logger writes this exactly. Reading is therefore in two steps that never fail: [`Parts::split`] finds the
//! pieces of one frame (whatever the [`Framer`] returned, or what the journal kept), and [`Message::parse`] reads the segment;
//! each deviation is a [`Problem`] with a name and an offset.
//!
//! ```
//! use lantian_protocol::hj212::{Message, Parts};
//! let raw = b"##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&C901\r\n";
//! let parts = Parts::split(raw);
//! assert!(parts.crc_ok() && parts.length_ok());
//! let text = parts.text();
//! let (message, problems) = Message::parse(&text);
//! assert_eq!((message.cn, message.answer_wanted()), (Some("9021"), true));
//! assert!(problems.is_empty());
//! ```

mod advice;
mod check;
mod command;
mod dialogue;
mod encode;
mod explain;
mod factor;
mod frame;
mod message;
mod number;
mod packet;
mod parts;
mod problem;
mod reply;
mod request;
#[cfg(test)]
mod tests;
mod version;

pub use check::{CheckHint, crc, modbus_crc};
pub use command::{Command, Kind, Uploads, Use, answer_to, commands, direction, system};
pub use dialogue::{Dialogue, Ending, Heard, Step, Timing, reply_data};
pub use encode::{Head, answer, encode, frame};
pub use explain::{explain, explain_kept};
pub use factor::{DataFlag, FactorName, InfoKind, RunState, Suffix, factor_name, log_text};
pub use frame::{Event, Framer, SEGMENT_BYTES_MAX};
pub use message::{Field, Item, Message};
pub use number::QnSource;
pub use packet::{MergeKey, PACKETS_MAX, Split};
pub use parts::{Parts, line_end_problem};
pub use problem::{Problem, ProblemCode};
pub use reply::{ExeRtn, QnRtn, Reply};
pub use request::{Address, History, MINUTE_INTERVALS, Period, Request, RequestError};
pub use version::Version;

/// Command numbers a platform meets.
pub mod cn {
    pub const REAL_TIME: &str = "2011";
    pub const MINUTE: &str = "2051";
    pub const HOUR: &str = "2061";
    pub const DAY: &str = "2031";
    pub const DEVICE_STATE: &str = "2021";
    pub const RUN_TIME: &str = "2041";
    pub const LOGGER_BOOT: &str = "2081";
    pub const TIME_WANTED: &str = "1013";
    pub const REQUEST_ANSWER: &str = "9011";
    pub const REQUEST_RESULT: &str = "9012";
    pub const NOTIFY_ACK: &str = "9013";
    pub const DATA_ACK: &str = "9014";
}
