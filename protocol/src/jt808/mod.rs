//! JT/T 808 (2011, 2013, 2019 headers on one port): framer, header, messages, encoders.
//!
//! ```text
//! 7e | header 12/16 or 17/21 bytes | body | check | 7e        7e → 7d 02, 7d → 7d 01 inside
//! ```
//!
//! [`Framer`] gives frames un-escaped, from the first header byte through the check byte; that is also how they are kept.
//! [`Parts::split`] reads check and header, [`Decoded::read`] the body. A decoder never drops a message for one bad item:
//! what cannot be read is named among the problems and kept as bytes.

mod areas;
mod attachment;
mod catalogue;
mod control;
mod encode;
mod explain;
mod field;
mod flags;
mod frame;
mod header;
mod items;
mod media;
mod message;
mod parameters;
mod position;
mod problem;
mod reassembly;
mod safety;
mod session;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod truck;
mod video;

pub use areas::{
    AreaIds, Areas, AreasWanted, Circle, Circles, Point, Polygon, Rectangle, Rectangles, Route, RoutePoint, SpeedLimit,
    Window, area,
};
pub use attachment::{
    AlarmForm, AlarmId, AttachmentFile, Attachments, AttachmentsWanted, FileAnswer, FileInfo, FilePart,
};
pub use catalogue::{KINDS, Kind, id, kind};
pub use control::{
    AlarmConfirmation, Attributes, CanBatch, CanFrame, Compressed, Control, Driver, DriverCard, Passthrough,
    PositionReply, Text, Tracking, Upgrade, UpgradeResult, VehicleControl,
};
pub use encode::{BODY_BYTES_MAX, encode, encode_all, encode_body, encode_raw, split};
pub use explain::{SPANS_MAX, explain, explain_kept, plain};
pub use field::gbk;
pub use flags::{
    ABNORMAL_DRIVING, ALARM, AREA, AlarmEdges, Flag, IN_OUT, Issue, SIGNALS, STATUS, VIDEO_ALARM, VIDEO_EVENT_BITS,
    event_bits, set_flags,
};
pub use frame::{Event, FRAME_BYTES_MAX, Framer, check, escape};
pub use header::{Header, Packet, Parts, Phone, Version};
pub use items::{Item, ItemValue};
pub use media::{
    Media, MediaEvent, MediaForm, MediaFound, MediaItem, MediaReply, MediaSearch, MediaUpload, MediaUploadOne, Record,
    Shoot, ShootReply, media_packet_2011,
};
pub use message::{Decoded, Message};
pub use parameters::{Parameter, ParameterIds, ParameterValue, Parameters, ParametersSet};
pub use position::{Batch, BatchKind, Position, encode_position, status};
pub use problem::{Problem, ProblemCode};
pub use reassembly::{
    Lost, LostWhy, MISSING_MAX, Missing, Outcome, PACKET_OVERHEAD_BYTES, Pushed, Reassembly, ReassemblyLimits, Refusal,
    Whole,
};
pub use safety::{SafetyAlarm, SafetyPlace, Tyre, TyreAlarm};
pub use session::{Authenticate, Register, RegisterForm, Resend, RsaKey};
pub use stream::{AttachmentEvent, AttachmentFramer, CHUNK_BYTES_MAX, ChunkHead, encode_chunk};
pub use truck::{
    Bits, Dump, Load, LoadSource, Place, StateSource, Tristate, TruckProfile, TruckState, Violations, nested,
};
pub use video::{AvAttributes, Recording, Recordings, RecordingsUploaded};

use crate::Stamp;

/// `YYMMDDhhmmss` of six BCD bytes; `None` when a nibble is no digit. Years are of this century.
pub fn bcd_time(bytes: &[u8]) -> Option<Stamp> {
    let [year, month, day, hour, minute, second] = bytes else { return None };
    let number = |byte: u8| (byte >> 4 < 10 && byte & 15 < 10).then_some((byte >> 4) * 10 + (byte & 15));
    let year = 2000 + u16::from(number(*year)?);
    Some((year, number(*month)?, number(*day)?, number(*hour)?, number(*minute)?, number(*second)?, 0))
}

/// Six BCD bytes of a time; its century and milliseconds are lost, fields above 99 are written modulo 100.
pub fn time_bcd(time: Stamp) -> [u8; 6] {
    let bcd = |number: u8| ((number / 10 % 10) << 4) | (number % 10);
    let year = u8::try_from(time.0 % 100).unwrap_or(0);
    [bcd(year), bcd(time.1), bcd(time.2), bcd(time.3), bcd(time.4), bcd(time.5)]
}
