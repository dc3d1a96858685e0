//! The messages of the standard by id: what they are called, which way they go, what answers them.

use crate::explain::{Direction, Label};

/// Message ids.
pub mod id {
    pub const TERMINAL_REPLY: u16 = 0x0001;
    pub const HEARTBEAT: u16 = 0x0002;
    pub const LOGOUT: u16 = 0x0003;
    pub const TIME_WANTED: u16 = 0x0004;
    pub const RESEND_UP: u16 = 0x0005;
    pub const REGISTER: u16 = 0x0100;
    pub const AUTHENTICATE: u16 = 0x0102;
    pub const PARAMETERS: u16 = 0x0104;
    pub const ATTRIBUTES: u16 = 0x0107;
    pub const UPGRADE_RESULT: u16 = 0x0108;
    pub const POSITION: u16 = 0x0200;
    pub const POSITION_REPLY: u16 = 0x0201;
    pub const VEHICLE_CONTROL_REPLY: u16 = 0x0500;
    pub const AREAS: u16 = 0x0608;
    pub const DRIVER: u16 = 0x0702;
    pub const BATCH: u16 = 0x0704;
    pub const CAN_BATCH: u16 = 0x0705;
    pub const MEDIA_EVENT: u16 = 0x0800;
    pub const MEDIA: u16 = 0x0801;
    pub const MEDIA_FOUND: u16 = 0x0802;
    pub const SHOOT_REPLY: u16 = 0x0805;
    pub const PASSTHROUGH_UP: u16 = 0x0900;
    pub const COMPRESSED: u16 = 0x0901;
    pub const RSA_KEY_UP: u16 = 0x0A00;
    pub const AV_ATTRIBUTES: u16 = 0x1003;
    pub const RECORDINGS: u16 = 0x1205;
    pub const RECORDINGS_UPLOADED: u16 = 0x1206;
    pub const ATTACHMENTS: u16 = 0x1210;
    pub const FILE_INFO: u16 = 0x1211;
    pub const FILE_DONE: u16 = 0x1212;
    pub const PLATFORM_REPLY: u16 = 0x8001;
    pub const RESEND_DOWN: u16 = 0x8003;
    pub const TIME: u16 = 0x8004;
    pub const REGISTER_REPLY: u16 = 0x8100;
    pub const PARAMETERS_SET: u16 = 0x8103;
    pub const PARAMETERS_WANTED: u16 = 0x8104;
    pub const CONTROL: u16 = 0x8105;
    pub const SOME_PARAMETERS_WANTED: u16 = 0x8106;
    pub const ATTRIBUTES_WANTED: u16 = 0x8107;
    pub const UPGRADE: u16 = 0x8108;
    pub const POSITION_WANTED: u16 = 0x8201;
    pub const TRACKING: u16 = 0x8202;
    pub const ALARM_CONFIRMATION: u16 = 0x8203;
    pub const LINK_TEST: u16 = 0x8204;
    pub const TEXT: u16 = 0x8300;
    pub const VEHICLE_CONTROL: u16 = 0x8500;
    pub const CIRCLES: u16 = 0x8600;
    pub const CIRCLES_DELETED: u16 = 0x8601;
    pub const RECTANGLES: u16 = 0x8602;
    pub const RECTANGLES_DELETED: u16 = 0x8603;
    pub const POLYGON: u16 = 0x8604;
    pub const POLYGONS_DELETED: u16 = 0x8605;
    pub const ROUTE: u16 = 0x8606;
    pub const ROUTES_DELETED: u16 = 0x8607;
    pub const AREAS_WANTED: u16 = 0x8608;
    pub const MEDIA_REPLY: u16 = 0x8800;
    pub const SHOOT: u16 = 0x8801;
    pub const MEDIA_SEARCH: u16 = 0x8802;
    pub const MEDIA_UPLOAD: u16 = 0x8803;
    pub const RECORD: u16 = 0x8804;
    pub const MEDIA_UPLOAD_ONE: u16 = 0x8805;
    pub const PASSTHROUGH_DOWN: u16 = 0x8900;
    pub const RSA_KEY_DOWN: u16 = 0x8A00;
    pub const ATTACHMENTS_WANTED: u16 = 0x9208;
    pub const FILE_ANSWER: u16 = 0x9212;
}

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub id: u16,
    pub title: Label,
    pub direction: Direction,
    /// Ids of messages that answer it; none when nothing does.
    pub answers: &'static [u16],
    /// JT/T 808, or what extends it.
    pub standard: &'static str,
}

const S808: &str = "JT/T 808";
const S1078: &str = "JT/T 1078";
const SU: &str = "T/JSATL 12";

const fn up(id: u16, zh: &'static str, en: &'static str, answers: &'static [u16]) -> Kind {
    Kind { id, title: Label { zh, en }, direction: Direction::Up, answers, standard: S808 }
}

const fn down(id: u16, zh: &'static str, en: &'static str, answers: &'static [u16]) -> Kind {
    Kind { id, title: Label { zh, en }, direction: Direction::Down, answers, standard: S808 }
}

const fn of(standard: &'static str, mut kind: Kind) -> Kind {
    kind.standard = standard;
    kind
}

const GENERAL: &[u16] = &[id::PLATFORM_REPLY];
const TERMINAL: &[u16] = &[id::TERMINAL_REPLY];

/// What is known of a message; `None` for ids of vendors and of the future.
pub fn kind(id: u16) -> Option<&'static Kind> {
    KINDS.binary_search_by_key(&id, |kind| kind.id).ok().and_then(|at| KINDS.get(at))
}

/// All known messages, by id.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    up(0x0001, "终端通用应答", "terminal's general reply", &[]),
    up(0x0002, "终端心跳", "heartbeat", GENERAL),
    up(0x0003, "终端注销", "logout", GENERAL),
    up(0x0004, "查询服务器时间请求", "time wanted", &[0x8004]),
    up(0x0005, "终端补传分包请求", "packets wanted again", &[]),
    up(0x0100, "终端注册", "registration", &[0x8100]),
    up(0x0102, "终端鉴权", "authentication", GENERAL),
    up(0x0104, "查询终端参数应答", "parameters", GENERAL),
    up(0x0107, "查询终端属性应答", "attributes", GENERAL),
    up(0x0108, "终端升级结果通知", "result of an upgrade", GENERAL),
    up(0x0200, "位置信息汇报", "position", GENERAL),
    up(0x0201, "位置信息查询应答", "position as asked", &[]),
    up(0x0301, "事件报告", "event", GENERAL),
    up(0x0302, "提问应答", "answer to a question", GENERAL),
    up(0x0303, "信息点播/取消", "information wanted", GENERAL),
    up(0x0500, "车辆控制应答", "vehicle controlled", &[]),
    up(0x0608, "查询区域或线路数据应答", "areas and routes", GENERAL),
    up(0x0700, "行驶记录数据上传", "recorder data", GENERAL),
    up(0x0701, "电子运单上报", "waybill", GENERAL),
    up(0x0702, "驾驶员身份信息采集上报", "driver", GENERAL),
    up(0x0704, "定位数据批量上传", "positions in a batch", GENERAL),
    up(0x0705, "CAN 总线数据上传", "bus data", GENERAL),
    up(0x0800, "多媒体事件信息上传", "media event", GENERAL),
    up(0x0801, "多媒体数据上传", "media", &[0x8800, 0x8001]),
    up(0x0802, "存储多媒体数据检索应答", "stored media", GENERAL),
    up(0x0805, "摄像头立即拍摄命令应答", "pictures taken", GENERAL),
    up(0x0900, "数据上行透传", "pass-through up", GENERAL),
    up(0x0901, "数据压缩上报", "compressed", GENERAL),
    up(0x0A00, "终端 RSA 公钥", "terminal's RSA key", &[id::RSA_KEY_DOWN]),
    of(S1078, up(0x1003, "终端上传音视频属性", "audio and video attributes", GENERAL)),
    of(S1078, up(0x1005, "终端上传乘客流量", "passengers", GENERAL)),
    of(S1078, up(0x1205, "终端上传音视频资源列表", "recordings", GENERAL)),
    of(S1078, up(0x1206, "文件上传完成通知", "recordings uploaded", GENERAL)),
    of(SU, up(0x1210, "报警附件信息", "attachments of an alarm", GENERAL)),
    of(SU, up(0x1211, "文件信息上传", "file begins", GENERAL)),
    of(SU, up(0x1212, "文件上传完成", "file ends", &[id::FILE_ANSWER])),
    down(0x8001, "平台通用应答", "platform's general reply", &[]),
    down(0x8003, "服务器补传分包请求", "packets wanted again", &[]),
    down(0x8004, "查询服务器时间应答", "time", &[]),
    down(0x8100, "终端注册应答", "registration's answer", &[]),
    down(0x8103, "设置终端参数", "set parameters", TERMINAL),
    down(0x8104, "查询终端参数", "parameters wanted", &[id::PARAMETERS]),
    down(0x8105, "终端控制", "control", TERMINAL),
    down(0x8106, "查询指定终端参数", "some parameters wanted", &[id::PARAMETERS]),
    down(0x8107, "查询终端属性", "attributes wanted", &[id::ATTRIBUTES]),
    down(0x8108, "下发终端升级包", "upgrade package", &[id::TERMINAL_REPLY, id::UPGRADE_RESULT]),
    down(0x8201, "位置信息查询", "position wanted", &[id::POSITION_REPLY]),
    down(0x8202, "临时位置跟踪控制", "tracking", TERMINAL),
    down(0x8203, "人工确认报警消息", "alarms confirmed", TERMINAL),
    down(0x8204, "链路检测", "link test", TERMINAL),
    down(0x8300, "文本信息下发", "text", TERMINAL),
    down(0x8301, "事件设置", "set events", TERMINAL),
    down(0x8302, "提问下发", "question", TERMINAL),
    down(0x8303, "信息点播菜单设置", "information menu", TERMINAL),
    down(0x8304, "信息服务", "information", TERMINAL),
    down(0x8400, "电话回拨", "call back", TERMINAL),
    down(0x8401, "设置电话本", "phone book", TERMINAL),
    down(0x8500, "车辆控制", "vehicle control", &[id::VEHICLE_CONTROL_REPLY]),
    down(0x8600, "设置圆形区域", "circles", TERMINAL),
    down(0x8601, "删除圆形区域", "delete circles", TERMINAL),
    down(0x8602, "设置矩形区域", "rectangles", TERMINAL),
    down(0x8603, "删除矩形区域", "delete rectangles", TERMINAL),
    down(0x8604, "设置多边形区域", "polygon", TERMINAL),
    down(0x8605, "删除多边形区域", "delete polygons", TERMINAL),
    down(0x8606, "设置路线", "route", TERMINAL),
    down(0x8607, "删除路线", "delete routes", TERMINAL),
    down(0x8608, "查询区域或线路数据", "areas wanted", &[id::AREAS]),
    down(0x8700, "行驶记录数据采集命令", "recorder data wanted", TERMINAL),
    down(0x8701, "行驶记录参数下传命令", "recorder parameters", TERMINAL),
    down(0x8702, "上报驾驶员身份信息请求", "driver wanted", &[id::DRIVER]),
    down(0x8800, "多媒体数据上传应答", "media's answer", &[]),
    down(0x8801, "摄像头立即拍摄命令", "take pictures", &[id::TERMINAL_REPLY, id::SHOOT_REPLY]),
    down(0x8802, "存储多媒体数据检索", "stored media wanted", &[id::MEDIA_FOUND]),
    down(0x8803, "存储多媒体数据上传命令", "upload stored media", TERMINAL),
    down(0x8804, "录音开始命令", "record sound", TERMINAL),
    down(0x8805, "单条存储多媒体数据检索上传命令", "upload one medium", TERMINAL),
    down(0x8900, "数据下行透传", "pass-through down", TERMINAL),
    down(0x8A00, "平台 RSA 公钥", "platform's RSA key", &[]),
    of(S1078, down(0x9003, "查询终端音视频属性", "audio and video attributes wanted", &[id::AV_ATTRIBUTES])),
    of(S1078, down(0x9101, "实时音视频传输请求", "live video", TERMINAL)),
    of(S1078, down(0x9102, "音视频实时传输控制", "live video control", TERMINAL)),
    of(S1078, down(0x9201, "平台下发远程录像回放请求", "replay", &[id::RECORDINGS])),
    of(S1078, down(0x9202, "平台下发远程录像回放控制", "replay control", TERMINAL)),
    of(S1078, down(0x9205, "查询资源列表", "recordings wanted", &[id::RECORDINGS])),
    of(S1078, down(0x9206, "文件上传指令", "upload recordings", &[id::TERMINAL_REPLY, id::RECORDINGS_UPLOADED])),
    of(S1078, down(0x9207, "文件上传控制", "upload control", TERMINAL)),
    of(SU, down(0x9208, "报警附件上传指令", "upload attachments", TERMINAL)),
    of(SU, down(0x9212, "文件上传完成消息应答", "file's answer", &[])),
    of(S1078, down(0x9301, "云台旋转", "PTZ turn", TERMINAL)),
    of(S1078, down(0x9302, "云台调整焦距控制", "PTZ focus", TERMINAL)),
    of(S1078, down(0x9303, "云台调整光圈控制", "PTZ iris", TERMINAL)),
    of(S1078, down(0x9304, "云台雨刷控制", "PTZ wiper", TERMINAL)),
    of(S1078, down(0x9305, "红外补光控制", "PTZ infrared", TERMINAL)),
    of(S1078, down(0x9306, "云台变倍控制", "PTZ zoom", TERMINAL)),
];
