//! Labels of the frame's parts and of keys without a suffix.

use crate::explain::Label;

pub(super) const BEFORE: Label = Label { zh: "包前字节", en: "bytes before the frame" };
pub(super) const START: Label = Label { zh: "包头", en: "start" };
pub(super) const LENGTH: Label = Label { zh: "数据段长度", en: "length of the segment" };
pub(super) const SEGMENT: Label = Label { zh: "数据段", en: "data segment" };
pub(super) const CHECK: Label = Label { zh: "CRC 校验", en: "check" };
pub(super) const LINE_END: Label = Label { zh: "包尾", en: "line end" };
pub(super) const BEHIND: Label = Label { zh: "包后字节", en: "bytes behind the frame" };
pub(super) const REST: Label = Label { zh: "未解释的其余字节", en: "the rest, not explained" };
pub(super) const CP: Label = Label { zh: "数据区开始", en: "data begin" };
pub(super) const END: Label = Label { zh: "数据区结束", en: "data end" };
pub(super) const SEPARATOR: Label = Label { zh: "多余分隔符", en: "separators" };
pub(super) const UNKNOWN_FIELD: Label = Label { zh: "未知字段", en: "unknown field" };
pub(super) const UNKNOWN_COMMAND: Label = Label { zh: "未知命令", en: "unknown command" };
const UNKNOWN_CODE: Label = Label { zh: "未收录的编码", en: "a code of no table here" };
const FACILITY: Label = Label { zh: "污染治理设施", en: "facility" };

/// The answers of a platform, with their numbers.
pub(super) fn with_number(cn: &str) -> Option<Label> {
    match cn {
        "9013" => Some(Label { zh: "9013 通知应答", en: "9013 notice acknowledged" }),
        "9014" => Some(Label { zh: "9014 数据应答", en: "9014 data acknowledged" }),
        _ => None,
    }
}

/// A head field's name as the standard writes it.
pub(super) fn head_key(key: &str) -> Option<(&'static str, Label)> {
    HEAD.iter().find(|row| row.0.eq_ignore_ascii_case(key)).map(|(name, zh, en)| (*name, Label { zh, en }))
}

/// Label, unit and clause of a key without a suffix.
pub(super) fn plain_key(key: &str, cn: &str) -> Option<(Label, &'static str, &'static str)> {
    if key.eq_ignore_ascii_case("DataTime") {
        let label = match cn {
            "2011" | "2021" => Label { zh: "数据时间（时刻）", en: "data time (instant)" },
            "2031" | "2041" | "2051" | "2061" => {
                Label { zh: "数据时间（时段开始）", en: "data time (start of the period)" }
            }
            _ => Label { zh: "数据时间", en: "data time" },
        };
        return Some((label, "", TABLE_4));
    }
    PLAIN
        .iter()
        .find(|row| row.0.eq_ignore_ascii_case(key))
        .map(|(_, zh, en, unit, clause)| (Label { zh, en }, *unit, *clause))
}

/// Items of codes that are no factor of the table.
pub(super) fn code_label(code: &str) -> Label {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if code.strip_prefix("SB").is_some_and(digits) { FACILITY } else { UNKNOWN_CODE }
}

const TABLE_4: &str = "HJ 212-2017 表4";

const HEAD: &[(&str, &str, &str)] = &[
    ("QN", "请求编码", "request number"),
    ("ST", "系统编码", "system"),
    ("CN", "命令编码", "command"),
    ("PW", "访问密码", "password"),
    ("MN", "设备唯一标识", "device identity"),
    ("Flag", "拆分包及应答标志", "version, packets, answer wanted"),
    ("PNUM", "总包数", "packets in all"),
    ("PNO", "包号", "this packet"),
];

#[rustfmt::skip]
const PLAIN: &[(&str, &str, &str, &str, &str)] = &[
    ("SystemTime", "系统时间", "system time", "", TABLE_4),
    ("RestartTime", "数采仪开机时间", "logger boot time", "", TABLE_4),
    ("BeginTime", "开始时间", "from", "", TABLE_4),
    ("EndTime", "截止时间", "to", "", TABLE_4),
    ("PolId", "污染因子编码", "factor code", "", TABLE_4),
    ("InfoId", "现场端信息编码", "code of device information", "", ""),
    ("RtdInterval", "实时数据上报间隔（30–3600）", "real-time interval (30–3600)", "s", TABLE_4),
    ("MinInterval", "分钟数据上报间隔", "minute data interval", "min", TABLE_4),
    ("OverTime", "超时时间", "timeout", "s", TABLE_4),
    ("ReCount", "重发次数", "repeats", "", TABLE_4),
    ("QnRtn", "请求回应代码", "answer to the request", "", TABLE_4),
    ("ExeRtn", "执行结果回应代码", "result of the request", "", TABLE_4),
    ("NewPW", "新密码", "new password", "", TABLE_4),
    ("CstartTime", "设备采样起始时间", "first sample of a day", "", ""),
    ("Ctime", "采样周期", "sampling period", "h", ""),
    ("Stime", "出样时间", "time to a result", "min", ""),
    ("VaseNo", "留样瓶编号", "bottle number", "", ""),
    ("QN", "请求编码", "request number", "", ""),
    ("Flag", "标志", "flag", "", ""),
    ("SKCreateTime", "密钥创建时间", "session key made at", "", ""),
    ("NewSK", "新密钥", "new session key", "", ""),
    ("Model", "设备型号（厂商）", "model (vendor)", "", ""),
    ("CCID", "SIM 卡号（厂商）", "SIM card (vendor)", "", ""),
    ("HardwareVersion", "硬件版本（厂商）", "hardware version (vendor)", "", ""),
    ("SoftwareVersion", "软件版本（厂商）", "software version (vendor)", "", ""),
];
