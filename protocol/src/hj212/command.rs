//! Every command a platform meets, in one table: who sends it, what it is, its names, and what comes back.
//!
//! A number can mean two things: `2051` from a logger is an upload of minute data, from a platform a request for its history.
//! [`direction`] tells them apart by what the data holds. Rows of 2025 come from running code, not from the standard's text;
//! rows marked `vendor` stand in no edition.

use super::cn;
use super::message::Message;
use super::version::Version;
use crate::explain::{Direction, Label};

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wants 9011, then (uploads and) 9012.
    Request,
    /// Wants 9013.
    Notice,
    /// Data; wants 9014 when bit A of the flag is set.
    Upload,
    /// 9011 … 9014 themselves; never answered.
    Answer,
}

/// What a request makes its device send between 9011 and 9012.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploads {
    None,
    /// One message of the same command (it may be split).
    One,
    /// One message for each period asked for, each with a QN of its own.
    History,
    /// From now on, until the matching notice stops it.
    Stream,
}

/// One direction of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    pub kind: Kind,
    pub name: Label,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    pub cn: &'static str,
    /// The first edition that is known to have it.
    pub since: Version,
    pub vendor: bool,
    /// As a device sends it.
    pub up: Option<Use>,
    /// As a platform sends it.
    pub down: Option<Use>,
    /// What a request of this command brings.
    pub uploads: Uploads,
}

impl Command {
    /// By number.
    pub fn find(cn: &str) -> Option<&'static Self> {
        COMMANDS.binary_search_by(|row| row.cn.cmp(cn)).ok().and_then(|at| COMMANDS.get(at))
    }

    /// The use in one direction; for [`Direction::Either`] whichever there is.
    pub fn as_sent(&self, direction: Direction) -> Option<Use> {
        match direction {
            Direction::Up => self.up,
            Direction::Down => self.down,
            Direction::Either => self.up.or(self.down),
        }
    }
}

/// Which way a message travels, by its command and, where one number serves both ways, by what it carries.
pub fn direction(message: &Message<'_>) -> Direction {
    let Some(command) = message.cn.and_then(Command::find) else { return Direction::Up };
    match (command.up, command.down) {
        (Some(_), None) => Direction::Up,
        (None, Some(_)) => Direction::Down,
        (Some(up), Some(_)) if up.kind == Kind::Answer => Direction::Either,
        _ if is_upload(command, message) => Direction::Up,
        _ => Direction::Down,
    }
}

/// A message whose command is both an upload and a request: does it carry what only the upload has?
fn is_upload(command: &Command, message: &Message<'_>) -> bool {
    let has = |key: &str| message.plain(key).is_some();
    match command.cn {
        "1011" => has("SystemTime"),
        "1014" => !has("NewSK"),
        "1061" => has("RtdInterval"),
        "1063" => has("MinInterval"),
        "3017" => has("CstartTime") || has("Ctime"),
        "3018" => has("Stime"),
        "3019" => has("DataTime") || message.fields().any(|field| field.suffix.eq_ignore_ascii_case("SN")),
        "3020" => has("DataTime") || message.fields().any(|field| field.suffix.eq_ignore_ascii_case("Info")),
        _ => !(has("BeginTime") || has("EndTime")) && message.fields().next().is_some(),
    }
}

/// What a platform answers to an uplink, if its sender wants an answer; `None`: nothing, answers are not answered.
/// Commands that no table knows are data: a logger that hears nothing repeats itself for ever.
pub fn answer_to(message: &Message<'_>) -> Option<&'static str> {
    let up = message.cn.and_then(Command::find).and_then(|command| command.up);
    match up.map(|up| up.kind) {
        _ if !message.answer_wanted() => None,
        Some(Kind::Answer) => None,
        Some(Kind::Notice) => Some(cn::NOTIFY_ACK),
        Some(Kind::Upload | Kind::Request) | None => Some(cn::DATA_ACK),
    }
}

/// Names of the systems (`ST`).
pub fn system(st: &str) -> Option<Label> {
    SYSTEMS.iter().find(|(code, _, _)| *code == st).map(|(_, zh, en)| Label { zh, en })
}

/// The table, by number.
pub fn commands() -> &'static [Command] {
    COMMANDS
}

const fn used(kind: Kind, zh: &'static str, en: &'static str) -> Use {
    Use { kind, name: Label { zh, en } }
}

const fn row(cn: &'static str, since: Version, up: Option<Use>, down: Option<Use>, uploads: Uploads) -> Command {
    Command { cn, since, vendor: false, up, down, uploads }
}

const fn vendor(cn: &'static str, up: Option<Use>, down: Option<Use>) -> Command {
    Command { cn, since: Version::V2005, vendor: true, up, down, uploads: Uploads::None }
}

const V05: Version = Version::V2005;
const V17: Version = Version::V2017;
const V25: Version = Version::V2025;

#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    row("1000", V05, None, Some(used(Kind::Request, "设置超时时间及重发次数", "set timeout and repeats")), Uploads::None),
    row("1001", V25, Some(used(Kind::Upload, "上传数采仪硬件序号", "logger's hardware numbers")), None, Uploads::None),
    row("1002", V25, None, Some(used(Kind::Request, "设置数采仪 MN 编码", "set the logger's MN")), Uploads::None),
    row("1011", V05, Some(used(Kind::Upload, "上传现场机时间", "device time")), Some(used(Kind::Request, "提取现场机时间", "get device time")), Uploads::One),
    row("1012", V05, None, Some(used(Kind::Request, "设置现场机时间", "set device time")), Uploads::None),
    row("1013", V17, Some(used(Kind::Notice, "现场机时间校准请求", "device asks for the time")), None, Uploads::None),
    row("1014", V25, Some(used(Kind::Notice, "现场机获取新密钥", "device asks for a session key")), Some(used(Kind::Request, "下发新密钥", "send a session key")), Uploads::None),
    row("1061", V05, Some(used(Kind::Upload, "上传实时数据间隔", "real-time interval")), Some(used(Kind::Request, "提取实时数据间隔", "get real-time interval")), Uploads::One),
    row("1062", V05, None, Some(used(Kind::Request, "设置实时数据间隔", "set real-time interval")), Uploads::None),
    row("1063", V17, Some(used(Kind::Upload, "上传分钟数据间隔", "minute data interval")), Some(used(Kind::Request, "提取分钟数据间隔", "get minute data interval")), Uploads::One),
    row("1064", V17, None, Some(used(Kind::Request, "设置分钟数据间隔", "set minute data interval")), Uploads::None),
    row("1072", V05, None, Some(used(Kind::Request, "设置现场机访问密码", "set access password")), Uploads::None),
    vendor("2000", Some(used(Kind::Upload, "设备状态（厂商）", "device state (vendor)")), None),
    row("2011", V05, Some(used(Kind::Upload, "实时数据", "real-time data")), Some(used(Kind::Request, "取污染物实时数据", "start real-time data")), Uploads::Stream),
    row("2012", V05, None, Some(used(Kind::Notice, "停止察看污染物实时数据", "stop real-time data")), Uploads::None),
    row("2013", V25, Some(used(Kind::Upload, "原始监测数据", "raw readings")), Some(used(Kind::Request, "取原始监测数据", "get raw readings")), Uploads::History),
    row("2021", V05, Some(used(Kind::Upload, "设备运行状态", "state of facilities")), Some(used(Kind::Request, "取设备运行状态数据", "start state of facilities")), Uploads::Stream),
    row("2022", V05, None, Some(used(Kind::Notice, "停止察看设备运行状态", "stop state of facilities")), Uploads::None),
    row("2031", V05, Some(used(Kind::Upload, "日数据", "day data")), Some(used(Kind::Request, "取污染物日历史数据", "get day history")), Uploads::History),
    row("2041", V05, Some(used(Kind::Upload, "设备运行时间日数据", "run time of facilities a day")), Some(used(Kind::Request, "取设备运行时间日历史数据", "get run time history")), Uploads::History),
    row("2051", V05, Some(used(Kind::Upload, "分钟数据", "minute data")), Some(used(Kind::Request, "取污染物分钟历史数据", "get minute history")), Uploads::History),
    row("2052", V25, Some(used(Kind::Upload, "噪声单次测量数据", "single noise event")), Some(used(Kind::Request, "取噪声单次测量数据", "get single noise events")), Uploads::History),
    row("2061", V05, Some(used(Kind::Upload, "小时数据", "hour data")), Some(used(Kind::Request, "取污染物小时历史数据", "get hour history")), Uploads::History),
    row("2062", V25, Some(used(Kind::Upload, "自动标样核查数据", "standard check data")), Some(used(Kind::Request, "取自动标样核查数据", "get standard check data")), Uploads::History),
    row("2081", V17, Some(used(Kind::Upload, "数采仪开机时间", "logger boot time")), None, Uploads::None),
    row("2111", V25, Some(used(Kind::Upload, "炉膛温度 5 分钟均值", "furnace temperature, 5 min mean")), None, Uploads::None),
    row("3011", V17, None, Some(used(Kind::Request, "零点校准、量程校准", "calibrate zero and span")), Uploads::None),
    row("3012", V17, None, Some(used(Kind::Request, "即时采样", "sample now")), Uploads::None),
    row("3013", V17, None, Some(used(Kind::Request, "启动清洗/反吹", "start cleaning or back-flush")), Uploads::None),
    row("3014", V17, None, Some(used(Kind::Request, "比对采样", "comparison sampling")), Uploads::None),
    row("3015", V17, Some(used(Kind::Upload, "超标留样信息", "sample kept for exceedance")), Some(used(Kind::Request, "超标留样", "keep a sample for exceedance")), Uploads::One),
    row("3016", V17, None, Some(used(Kind::Request, "设置采样时间周期", "set sampling period")), Uploads::None),
    row("3017", V17, Some(used(Kind::Upload, "采样时间周期", "sampling period")), Some(used(Kind::Request, "提取采样时间周期", "get sampling period")), Uploads::One),
    row("3018", V17, Some(used(Kind::Upload, "出样时间", "time to a result")), Some(used(Kind::Request, "提取出样时间", "get time to a result")), Uploads::One),
    row("3019", V17, Some(used(Kind::Upload, "设备唯一标识", "instrument serial number")), Some(used(Kind::Request, "提取设备唯一标识", "get instrument serial number")), Uploads::One),
    row("3020", V17, Some(used(Kind::Upload, "现场机信息", "device log, state or parameter")), Some(used(Kind::Request, "提取现场机信息", "get device log, state or parameter")), Uploads::One),
    row("3021", V17, None, Some(used(Kind::Request, "设置现场机参数", "set device parameter")), Uploads::None),
    row("3022", V25, None, Some(used(Kind::Request, "下发即时留样任务", "keep a sample now")), Uploads::None),
    row("3024", V25, None, Some(used(Kind::Request, "启动标样核查", "start a standard check")), Uploads::None),
    row("9011", V05, Some(used(Kind::Answer, "请求应答", "answer to a request")), None, Uploads::None),
    row("9012", V05, Some(used(Kind::Answer, "执行结果", "result of a request")), None, Uploads::None),
    row("9013", V05, Some(used(Kind::Answer, "通知应答", "notice acknowledged")), Some(used(Kind::Answer, "通知应答", "notice acknowledged")), Uploads::None),
    row("9014", V05, Some(used(Kind::Answer, "数据应答", "data acknowledged")), Some(used(Kind::Answer, "数据应答", "data acknowledged")), Uploads::None),
    row("9015", V25, Some(used(Kind::Upload, "心跳", "heartbeat")), None, Uploads::None),
    vendor("9021", Some(used(Kind::Upload, "登录（厂商）", "login (vendor)")), None),
    vendor("9051", Some(used(Kind::Upload, "厂商命令 9051", "vendor command 9051")), None),
];

const SYSTEMS: &[(&str, &str, &str)] = &[
    ("21", "地表水质量监测", "surface water"),
    ("22", "空气质量监测", "ambient air"),
    ("23", "声环境质量监测", "ambient noise"),
    ("27", "挥发性有机物监测", "volatile organic compounds"),
    ("31", "大气环境污染源", "air pollution source"),
    ("32", "地表水体环境污染源", "water pollution source"),
    ("36", "声环境污染源", "noise source"),
    ("39", "工地扬尘污染源", "construction dust"),
    ("51", "烟气排放过程监控", "flue gas process"),
    ("52", "污水排放过程监控", "sewage process"),
    ("91", "系统交互", "system interaction"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_every_row_has_a_use() {
        assert!(COMMANDS.windows(2).all(|pair| pair[0].cn < pair[1].cn));
        for row in COMMANDS {
            assert!(row.up.is_some() || row.down.is_some(), "{}", row.cn);
            let requested = row.down.is_some_and(|down| down.kind == Kind::Request);
            assert!(requested || row.uploads == Uploads::None, "{}", row.cn);
            assert_eq!(Command::find(row.cn), Some(row));
        }
        assert_eq!(Command::find("0000"), None);
    }

    #[test]
    fn one_number_in_two_directions_is_told_by_its_data() {
        let cases = [
            ("2051", "DataTime=20260101120000;a34002-Avg=1", Direction::Up),
            ("2051", "BeginTime=20260101000000,EndTime=20260101010000", Direction::Down),
            ("2011", "", Direction::Down),
            ("2011", "a34002-Rtd=1", Direction::Up),
            ("1011", "PolId=a34002", Direction::Down),
            ("1011", "PolId=a34002;SystemTime=20260101120000", Direction::Up),
            ("3020", "PolId=a34002;InfoId=i11001;BeginTime=20260101000000,EndTime=20260101010000", Direction::Down),
            ("3020", "DataTime=20260101120000;PolId=a34002;i11001-Info=//x//", Direction::Up),
            ("9014", "", Direction::Either),
            ("1012", "SystemTime=20260101120000", Direction::Down),
            ("9021", "", Direction::Up),
            ("7777", "", Direction::Up),
        ];
        for (cn, data, expected) in cases {
            let text = format!("CN={cn};CP=&&{data}&&");
            assert_eq!(direction(&Message::parse(&text).0), expected, "{text}");
        }
    }

    #[test]
    fn what_a_platform_answers_follows_the_kind_and_bit_a() {
        for (cn, flag, expected) in [
            ("2011", 5, Some("9014")),
            ("2011", 4, None),
            ("1013", 5, Some("9013")),
            ("1014", 9, Some("9013")),
            ("9012", 5, None),
            ("7777", 5, Some("9014")),
            ("9021", 1, Some("9014")),
        ] {
            let text = format!("CN={cn};Flag={flag};CP=&&&&");
            assert_eq!(answer_to(&Message::parse(&text).0), expected, "{text}");
        }
    }
}
