//! JT/T 808 (2011, 2013, 2019 headers on one port): framer, header, messages, encoders, explainer, reassembly.
//!
//! ```text
//! 7e | header 12/16 or 17/21 bytes | body | check | 7e        7e → 7d 02, 7d → 7d 01 inside
//! ```
//!
//! [`Framer`] gives frames un-escaped, from the first header byte through the check byte; that is also how they are kept.
//! [`Parts::split`] reads check and header, [`Decoded::read`] the body, [`Reassembly`] puts sub-packets together for
//! [`Decoded::read_whole`]. A decoder never drops a message for one bad item: what cannot be read is named among the
//! problems and kept as bytes. [`explain()`] walks the same code and names every byte.
//!
//! What is read and written (↑ from the terminal) and what answers it; [`KINDS`] names more, which stay
//! [`Message::Other`]:
//!
//! | id | | [`Message`] | what | answer |
//! |---|---|---|---|---|
//! | 0001 | ↑ | `TerminalReply` | terminal's general reply | – |
//! | 0002 | ↑ | `Heartbeat` | heartbeat | 8001 |
//! | 0003 | ↑ | `Logout` | logout | 8001 |
//! | 0004 | ↑ | `TimeWanted` | time wanted | 8004 |
//! | 0005 | ↑ | `ResendUp` | packets wanted again | – |
//! | 0100 | ↑ | `Register` | registration | 8100 |
//! | 0102 | ↑ | `Authenticate` | authentication | 8001 |
//! | 0104 | ↑ | `Parameters` | parameters | 8001 |
//! | 0107 | ↑ | `Attributes` | attributes | 8001 |
//! | 0108 | ↑ | `UpgradeResult` | result of an upgrade | 8001 |
//! | 0200 | ↑ | `Position` | position | 8001 |
//! | 0201 | ↑ | `PositionReply` | position as asked | – |
//! | 0500 | ↑ | `VehicleControlReply` | vehicle controlled | – |
//! | 0608 | ↑ | `Areas` | areas and routes | 8001 |
//! | 0702 | ↑ | `Driver` | driver | 8001 |
//! | 0704 | ↑ | `Batch` | positions in a batch | 8001 |
//! | 0705 | ↑ | `CanBatch` | bus data | 8001 |
//! | 0800 | ↑ | `MediaEvent` | media event | 8001 |
//! | 0801 | ↑ | `Media` | media | 8800, 8001 |
//! | 0802 | ↑ | `MediaFound` | stored media | 8001 |
//! | 0805 | ↑ | `ShootReply` | pictures taken | 8001 |
//! | 0900 | ↑ | `PassthroughUp` | pass-through up | 8001 |
//! | 0901 | ↑ | `Compressed` | compressed | 8001 |
//! | 0A00 | ↑ | `RsaKeyUp` | terminal's RSA key | 8A00 |
//! | 1003 | ↑ | `AvAttributes` | audio and video attributes | 8001 |
//! | 1205 | ↑ | `Recordings` | recordings | 8001 |
//! | 1206 | ↑ | `RecordingsUploaded` | recordings uploaded | 8001 |
//! | 1210 | ↑ | `Attachments` | attachments of an alarm | 8001 |
//! | 1211 | ↑ | `FileInfo` | file begins | 8001 |
//! | 1212 | ↑ | `FileDone` | file ends | 9212 |
//! | 8001 | ↓ | `PlatformReply` | platform's general reply | – |
//! | 8003 | ↓ | `ResendDown` | packets wanted again | – |
//! | 8004 | ↓ | `Time` | time | – |
//! | 8100 | ↓ | `RegisterReply` | registration's answer | – |
//! | 8103 | ↓ | `ParametersSet` | set parameters | 0001 |
//! | 8104 | ↓ | `ParametersWanted` | parameters wanted | 0104 |
//! | 8105 | ↓ | `Control` | control | 0001 |
//! | 8106 | ↓ | `SomeParametersWanted` | some parameters wanted | 0104 |
//! | 8107 | ↓ | `AttributesWanted` | attributes wanted | 0107 |
//! | 8108 | ↓ | `Upgrade` | upgrade package | 0001, 0108 |
//! | 8201 | ↓ | `PositionWanted` | position wanted | 0201 |
//! | 8202 | ↓ | `Tracking` | tracking | 0001 |
//! | 8203 | ↓ | `AlarmConfirmation` | alarms confirmed | 0001 |
//! | 8204 | ↓ | `LinkTest` | link test | 0001 |
//! | 8300 | ↓ | `Text` | text | 0001 |
//! | 8500 | ↓ | `VehicleControl` | vehicle control | 0500 |
//! | 8600 | ↓ | `Circles` | circles | 0001 |
//! | 8601 | ↓ | `CirclesDeleted` | delete circles | 0001 |
//! | 8602 | ↓ | `Rectangles` | rectangles | 0001 |
//! | 8603 | ↓ | `RectanglesDeleted` | delete rectangles | 0001 |
//! | 8604 | ↓ | `Polygon` | polygon | 0001 |
//! | 8605 | ↓ | `PolygonsDeleted` | delete polygons | 0001 |
//! | 8606 | ↓ | `Route` | route | 0001 |
//! | 8607 | ↓ | `RoutesDeleted` | delete routes | 0001 |
//! | 8608 | ↓ | `AreasWanted` | areas wanted | 0608 |
//! | 8800 | ↓ | `MediaReply` | media's answer | – |
//! | 8801 | ↓ | `Shoot` | take pictures | 0001, 0805 |
//! | 8802 | ↓ | `MediaSearch` | stored media wanted | 0802 |
//! | 8803 | ↓ | `MediaUpload` | upload stored media | 0001 |
//! | 8804 | ↓ | `Record` | record sound | 0001 |
//! | 8805 | ↓ | `MediaUploadOne` | upload one medium | 0001 |
//! | 8900 | ↓ | `PassthroughDown` | pass-through down | 0001 |
//! | 8A00 | ↓ | `RsaKeyDown` | platform's RSA key | – |
//! | 9208 | ↓ | `AttachmentsWanted` | upload attachments | 0001 |
//! | 9212 | ↓ | `FileAnswer` | file's answer | – |

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
pub use field::{gbk, to_gbk};
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
pub use parameters::{
    Parameter, ParameterError, ParameterIds, ParameterValue, Parameters, ParametersSet, parameter_of_number,
    parameter_of_text,
};
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
