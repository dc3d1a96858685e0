//! A message: which body it has, read and written. What cannot be read becomes [`Message::Other`].

use super::areas::{AreaIds, Areas, AreasWanted, Circles, Polygon, Rectangles, Route};
use super::attachment::{Attachments, AttachmentsWanted, FileAnswer, FileInfo};
use super::catalogue::id;
use super::control::{
    AlarmConfirmation, Attributes, CanBatch, Compressed, Control, Driver, Passthrough, PositionReply, Text, Tracking,
    Upgrade, UpgradeResult, VehicleControl,
};
use super::field::{bytes, field, hex, names, text, time};
use super::header::{Header, Version};
use super::media::{
    Media, MediaEvent, MediaFound, MediaReply, MediaSearch, MediaUpload, MediaUploadOne, Record, Shoot, ShootReply,
};
use super::parameters::{ParameterIds, Parameters, ParametersSet};
use super::position::{Batch, Position};
pub(super) use super::problem::{Problem, ProblemCode};
use super::session::{Authenticate, Register, Resend, RsaKey};
use super::source::{Body, Plain, Source};
use super::video::{AvAttributes, Recordings, RecordingsUploaded};
use crate::error::WireError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// 0x0001: 0 ok, 1 failed, 2 bad, 3 unsupported.
    TerminalReply { serial: u16, id: u16, result: u8 },
    /// 0x0002; vendors send bodies.
    Heartbeat { body: &'a [u8] },
    /// 0x0003
    Logout,
    /// 0x0004
    TimeWanted,
    /// 0x0100
    Register(Register<'a>),
    /// 0x0102
    Authenticate(Authenticate<'a>),
    /// 0x0200
    Position(Position<'a>),
    /// 0x0704
    Batch(Batch<'a>),
    /// 0x8001: as 0x0001, 4 = alarm confirmed.
    PlatformReply { serial: u16, id: u16, result: u8 },
    /// 0x8004, UTC in BCD.
    Time { utc_bcd: [u8; 6] },
    /// 0x8100: 0 ok, 1 vehicle already registered, 2 no such vehicle, 3 terminal already registered, 4 no such terminal.
    RegisterReply { serial: u16, result: u8, code: &'a [u8] },
    /// 0x8104
    ParametersWanted,
    /// 0x8107, not in 2011.
    AttributesWanted,
    /// 0x8201
    PositionWanted,
    /// 0x8204, 2019.
    LinkTest,
    /// 0x0005, 2019: the terminal lacks packets.
    ResendUp(Resend),
    /// 0x8003, not in 2011: the platform lacks packets.
    ResendDown(Resend),
    /// 0x8103
    ParametersSet(ParametersSet<'a>),
    /// 0x8106, not in 2011.
    SomeParametersWanted(ParameterIds),
    /// 0x0104
    Parameters(Parameters<'a>),
    /// 0x8105
    Control(Control<'a>),
    /// 0x0107, not in 2011.
    Attributes(Attributes<'a>),
    /// 0x8108
    Upgrade(Upgrade<'a>),
    /// 0x0108
    UpgradeResult(UpgradeResult),
    /// 0x0201
    PositionReply(PositionReply<'a>),
    /// 0x8202
    Tracking(Tracking),
    /// 0x8203, not in 2011.
    AlarmConfirmation(AlarmConfirmation),
    /// 0x8300
    Text(Text<'a>),
    /// 0x8500
    VehicleControl(VehicleControl<'a>),
    /// 0x0500
    VehicleControlReply(PositionReply<'a>),
    /// 0x8600
    Circles(Circles<'a>),
    /// 0x8601
    CirclesDeleted(AreaIds),
    /// 0x8602
    Rectangles(Rectangles<'a>),
    /// 0x8603
    RectanglesDeleted(AreaIds),
    /// 0x8604
    Polygon(Polygon<'a>),
    /// 0x8605
    PolygonsDeleted(AreaIds),
    /// 0x8606
    Route(Route<'a>),
    /// 0x8607
    RoutesDeleted(AreaIds),
    /// 0x8608, 2019.
    AreasWanted(AreasWanted),
    /// 0x0608, 2019.
    Areas(Areas<'a>),
    /// 0x0702
    Driver(Driver<'a>),
    /// 0x0705, not in 2011.
    CanBatch(CanBatch),
    /// 0x0800
    MediaEvent(MediaEvent),
    /// 0x0801
    Media(Media<'a>),
    /// 0x8800
    MediaReply(MediaReply),
    /// 0x8801
    Shoot(Shoot),
    /// 0x0805
    ShootReply(ShootReply),
    /// 0x8802
    MediaSearch(MediaSearch),
    /// 0x0802
    MediaFound(MediaFound<'a>),
    /// 0x8803
    MediaUpload(MediaUpload),
    /// 0x8804
    Record(Record),
    /// 0x8805
    MediaUploadOne(MediaUploadOne),
    /// 0x0900
    PassthroughUp(Passthrough<'a>),
    /// 0x8900
    PassthroughDown(Passthrough<'a>),
    /// 0x0901
    Compressed(Compressed<'a>),
    /// 0x0A00
    RsaKeyUp(RsaKey<'a>),
    /// 0x8A00
    RsaKeyDown(RsaKey<'a>),
    /// 0x1003 (JT/T 1078)
    AvAttributes(AvAttributes),
    /// 0x1205 (JT/T 1078)
    Recordings(Recordings),
    /// 0x1206 (JT/T 1078)
    RecordingsUploaded(RecordingsUploaded),
    /// 0x9208
    AttachmentsWanted(AttachmentsWanted<'a>),
    /// 0x1210
    Attachments(Attachments<'a>),
    /// 0x1211
    FileInfo(FileInfo<'a>),
    /// 0x1212
    FileDone(FileInfo<'a>),
    /// 0x9212
    FileAnswer(FileAnswer<'a>),
    /// Anything else, and what could not be read.
    Other { id: u16, body: &'a [u8] },
}

/// A message and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub message: Message<'a>,
    pub problems: Vec<Problem>,
}

impl<'a> Decoded<'a> {
    /// Reads a body. Sub-packets and encrypted bodies are left as bytes.
    pub fn read(header: &Header, body: &'a [u8]) -> Self {
        match opaque(header) {
            Some(code) => {
                let message = Message::Other { id: header.id, body };
                Self { message, problems: vec![Problem { code, offset: 0 }] }
            }
            None => Self::read_whole(header.id, header.version, body),
        }
    }

    /// Reads a body that was put together from sub-packets.
    pub fn read_whole(id: u16, version: Version, body: &'a [u8]) -> Self {
        let mut problems = Vec::new();
        let message = read(id, &mut Plain::new(body, version, 0, &mut problems));
        let message = message.unwrap_or_else(|error| {
            problems.push(Problem { code: ProblemCode::BodyTruncated, offset: error.offset() });
            Message::Other { id, body }
        });
        Self { message, problems }
    }
}

/// Why a body is not looked at.
pub(super) fn opaque(header: &Header) -> Option<ProblemCode> {
    if header.packet.is_some_and(|packet| packet.total > 1) {
        Some(ProblemCode::SubPacket)
    } else if header.encryption != 0 {
        Some(ProblemCode::Encrypted)
    } else {
        None
    }
}

/// Reads a whole body; bytes after the last field are a problem.
pub(super) fn read<'a, S: Source<'a>>(id: u16, source: &mut S) -> Result<Message<'a>, WireError> {
    let message = match id {
        id::TERMINAL_REPLY => {
            reply(source).map(|(serial, id, result)| Message::TerminalReply { serial, id, result })?
        }
        id::PLATFORM_REPLY => {
            reply(source).map(|(serial, id, result)| Message::PlatformReply { serial, id, result })?
        }
        id::HEARTBEAT => Message::Heartbeat { body: source.rest(&bytes("extra", "厂商扩展", "vendor's extra")) },
        id::LOGOUT => Message::Logout,
        id::TIME_WANTED => Message::TimeWanted,
        id::TIME => Message::Time { utc_bcd: source.array(&time("utc", "服务器时间 (UTC)", "time (UTC)"))? },
        id::REGISTER_REPLY => {
            let serial = source.u16(&super::control::ASKED)?;
            let result = source.u8(&names("result", "结果", "result", REGISTER_RESULTS))?;
            // The code is there only when the terminal is registered.
            let code = if result == 0 { source.rest(&text("code", "鉴权码", "authentication code")) } else { &[] };
            Message::RegisterReply { serial, result, code }
        }
        id::REGISTER => Message::Register(Register::read(source)?),
        id::AUTHENTICATE => Message::Authenticate(Authenticate::read(source)?),
        id::POSITION => Message::Position(Position::read_from(source)?),
        id::BATCH => Message::Batch(Batch::read(source)?),
        id::PARAMETERS_WANTED => Message::ParametersWanted,
        id::ATTRIBUTES_WANTED => Message::AttributesWanted,
        id::POSITION_WANTED => Message::PositionWanted,
        id::LINK_TEST => Message::LinkTest,
        id => match read_body(id, source)? {
            Some(message) => message,
            None => Message::Other { id, body: source.rest(&bytes("body", "消息体", "body")) },
        },
    };
    if source.remaining() > 0 {
        source.problem(ProblemCode::TrailingBytes, source.offset(), None);
        source.rest(&bytes("trailing", "多余字节", "trailing bytes"));
    }
    Ok(message)
}

const REGISTER_RESULTS: &[super::field::Name] = &[
    (0, "成功", "ok"),
    (1, "车辆已被注册", "vehicle already registered"),
    (2, "数据库中无该车辆", "no such vehicle"),
    (3, "终端已被注册", "terminal already registered"),
    (4, "数据库中无该终端", "no such terminal"),
];
const RESULTS: &[super::field::Name] = &[
    (0, "成功/确认", "ok"),
    (1, "失败", "failed"),
    (2, "消息有误", "bad message"),
    (3, "不支持", "unsupported"),
    (4, "报警处理确认", "alarm confirmed"),
];

fn reply<'a, S: Source<'a>>(source: &mut S) -> Result<(u16, u16, u8), WireError> {
    let serial = source.u16(&field("answered_serial", "应答流水号", "serial answered"))?;
    let id = source.u16(&hex("answered_id", "应答 ID", "message answered"))?;
    Ok((serial, id, source.u8(&names("result", "结果", "result", RESULTS))?))
}

/// The messages whose body is a type of its own.
macro_rules! bodies {
    ($($id:ident => $variant:ident,)*) => {
        fn read_body<'a, S: Source<'a>>(id: u16, source: &mut S) -> Result<Option<Message<'a>>, WireError> {
            Ok(Some(match id {
                $(id::$id => Message::$variant(Body::read(source)?),)*
                _ => return Ok(None),
            }))
        }

        impl Message<'_> {
            pub const fn id(&self) -> u16 {
                match self {
                    Self::TerminalReply { .. } => id::TERMINAL_REPLY,
                    Self::PlatformReply { .. } => id::PLATFORM_REPLY,
                    Self::Heartbeat { .. } => id::HEARTBEAT,
                    Self::Logout => id::LOGOUT,
                    Self::TimeWanted => id::TIME_WANTED,
                    Self::Time { .. } => id::TIME,
                    Self::Register(_) => id::REGISTER,
                    Self::RegisterReply { .. } => id::REGISTER_REPLY,
                    Self::Authenticate(_) => id::AUTHENTICATE,
                    Self::Position(_) => id::POSITION,
                    Self::Batch(_) => id::BATCH,
                    Self::ParametersWanted => id::PARAMETERS_WANTED,
                    Self::AttributesWanted => id::ATTRIBUTES_WANTED,
                    Self::PositionWanted => id::POSITION_WANTED,
                    Self::LinkTest => id::LINK_TEST,
                    Self::Other { id, .. } => *id,
                    $(Self::$variant(_) => id::$id,)*
                }
            }

            /// The bytes of the body.
            pub(super) fn write(&self, out: &mut Vec<u8>, version: Version) {
                match self {
                    Self::TerminalReply { serial, id, result } | Self::PlatformReply { serial, id, result } => {
                        out.extend(serial.to_be_bytes());
                        out.extend(id.to_be_bytes());
                        out.push(*result);
                    }
                    Self::Heartbeat { body } | Self::Other { body, .. } => out.extend_from_slice(body),
                    Self::Logout
                    | Self::TimeWanted
                    | Self::ParametersWanted
                    | Self::AttributesWanted
                    | Self::PositionWanted
                    | Self::LinkTest => {}
                    Self::Time { utc_bcd } => out.extend(utc_bcd),
                    Self::RegisterReply { serial, result, code } => {
                        out.extend(serial.to_be_bytes());
                        out.push(*result);
                        if *result == 0 {
                            out.extend_from_slice(code);
                        }
                    }
                    Self::Register(body) => body.write(out, version),
                    Self::Authenticate(body) => body.write(out, version),
                    Self::Position(body) => body.write(out, version),
                    Self::Batch(body) => body.write(out, version),
                    $(Self::$variant(body) => body.write(out, version),)*
                }
            }
        }
    };
}

bodies! {
    RESEND_UP => ResendUp,
    RESEND_DOWN => ResendDown,
    PARAMETERS_SET => ParametersSet,
    SOME_PARAMETERS_WANTED => SomeParametersWanted,
    PARAMETERS => Parameters,
    CONTROL => Control,
    ATTRIBUTES => Attributes,
    UPGRADE => Upgrade,
    UPGRADE_RESULT => UpgradeResult,
    POSITION_REPLY => PositionReply,
    TRACKING => Tracking,
    ALARM_CONFIRMATION => AlarmConfirmation,
    TEXT => Text,
    VEHICLE_CONTROL => VehicleControl,
    VEHICLE_CONTROL_REPLY => VehicleControlReply,
    CIRCLES => Circles,
    CIRCLES_DELETED => CirclesDeleted,
    RECTANGLES => Rectangles,
    RECTANGLES_DELETED => RectanglesDeleted,
    POLYGON => Polygon,
    POLYGONS_DELETED => PolygonsDeleted,
    ROUTE => Route,
    ROUTES_DELETED => RoutesDeleted,
    AREAS_WANTED => AreasWanted,
    AREAS => Areas,
    DRIVER => Driver,
    CAN_BATCH => CanBatch,
    MEDIA_EVENT => MediaEvent,
    MEDIA => Media,
    MEDIA_REPLY => MediaReply,
    SHOOT => Shoot,
    SHOOT_REPLY => ShootReply,
    MEDIA_SEARCH => MediaSearch,
    MEDIA_FOUND => MediaFound,
    MEDIA_UPLOAD => MediaUpload,
    RECORD => Record,
    MEDIA_UPLOAD_ONE => MediaUploadOne,
    PASSTHROUGH_UP => PassthroughUp,
    PASSTHROUGH_DOWN => PassthroughDown,
    COMPRESSED => Compressed,
    RSA_KEY_UP => RsaKeyUp,
    RSA_KEY_DOWN => RsaKeyDown,
    AV_ATTRIBUTES => AvAttributes,
    RECORDINGS => Recordings,
    RECORDINGS_UPLOADED => RecordingsUploaded,
    ATTACHMENTS_WANTED => AttachmentsWanted,
    ATTACHMENTS => Attachments,
    FILE_INFO => FileInfo,
    FILE_DONE => FileDone,
    FILE_ANSWER => FileAnswer,
}
