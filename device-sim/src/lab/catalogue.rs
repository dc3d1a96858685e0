//! What is checked of each protocol, by name, with the place in the standard it rests on. Clauses whose number was not
//! read in the standard's text are named by their subject.

use super::book::Protocol;
use protocol::explain::Label;

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    pub id: &'static str,
    pub title: Label,
    pub clause: &'static str,
    /// Without it the run is inconclusive; others may stay unseen (a device that never splits a message).
    pub needed: bool,
    /// The lab does something for it: withholds, cuts, commands.
    pub active: bool,
}

const fn must(id: &'static str, zh: &'static str, en: &'static str, clause: &'static str) -> Check {
    Check { id, title: Label { zh, en }, clause, needed: true, active: false }
}

const fn may(id: &'static str, zh: &'static str, en: &'static str, clause: &'static str) -> Check {
    Check { id, title: Label { zh, en }, clause, needed: false, active: false }
}

const fn test(id: &'static str, zh: &'static str, en: &'static str, clause: &'static str) -> Check {
    Check { id, title: Label { zh, en }, clause, needed: true, active: true }
}

const fn probe(id: &'static str, zh: &'static str, en: &'static str, clause: &'static str) -> Check {
    Check { id, title: Label { zh, en }, clause, needed: false, active: true }
}

/// The checks of a protocol, in the order of a report.
pub const fn checks(protocol: Protocol) -> &'static [Check] {
    match protocol {
        Protocol::Hj212 => HJ212,
        Protocol::Jt808 => JT808,
        Protocol::Mqtt => MQTT,
        Protocol::Modbus => MODBUS,
    }
}

const TABLE_4: &str = "HJ 212-2017 表4";

#[rustfmt::skip]
const HJ212: &[Check] = &[
    must("check", "CRC 校验正确", "the CRC is right", "HJ 212-2017 附录A"),
    must("length", "数据段长度正确", "the length is right", "HJ 212-2017 通讯包结构"),
    must("form", "包头、结尾 && 与包尾 CR LF", "## , closing && and CR LF", "HJ 212-2017 通讯包结构"),
    must("head", "QN ST CN PW MN Flag 齐全且书写规范", "QN ST CN PW MN Flag are there and well written", "HJ 212-2017 数据段结构"),
    must("qn", "QN 为 17 位毫秒时间且不重复使用", "QN is a time of 17 digits, each used once", TABLE_4),
    must("data_time", "DataTime 为 14 位有效时间", "DataTime is a real time of 14 digits", TABLE_4),
    may("period", "统计数据的 DataTime 是时段开始", "DataTime of statistics is the start of the period", TABLE_4),
    must("statistic", "2011 用 Rtd，2051/2061/2031 用 Avg Min Max", "2011 carries Rtd; 2051, 2061, 2031 carry Avg Min Max", TABLE_4),
    must("flag", "每个监测值带数据标记且为标准字母", "each value has a flag of the standard's letters", TABLE_4),
    must("clock", "时钟与平台相差不超过 60 秒", "the clock is within 60 s", "HJ 212-2017 6.7"),
    must("zone", "时间为北京时间（非 UTC）", "times are Beijing time, not UTC", "HJ 212-2017 表4"),
    must("value", "监测值在合理范围，单位可信", "values are possible and their unit is credible", "HJ 212-2017 附录B"),
    may("interval", "实时数据按固定间隔上报", "real-time data come at a steady interval", TABLE_4),
    may("packets", "分包的 PNUM、PNO 与 Flag 一致", "PNUM, PNO and Flag of split messages agree", "HJ 212-2017 表C.49、C.50"),
    test("retransmit", "未收到应答时重发同一包（QN 不变）", "an unanswered frame comes again with its QN", "HJ 212-2017 超时重发"),
    test("time_set", "接受校时 1012：9011 与 9012", "takes the time (1012): 9011, then 9012", "HJ 212-2017 6.7"),
    probe("ask_interval", "应答提取间隔 1061：9011、1061、9012", "answers 1061: 9011, 1061, 9012", "HJ 212-2017 6.7"),
    test("reconnect", "断线后自动重连", "connects again after a cut", "HJ 212-2017 通讯链路"),
    probe("backlog", "断线期间的数据在重连后补传", "data of the break come afterwards", "HJ 212-2017 数据补传"),
    may("duplicate", "重发内容与原包一致，不改值", "what comes again is what came before", "HJ 212-2017 超时重发"),
];

#[rustfmt::skip]
const JT808: &[Check] = &[
    must("check", "校验码正确", "the check byte is right", "JT/T 808 校验码"),
    must("length", "消息体长度正确", "the body's length is right", "JT/T 808 消息头"),
    must("form", "标识位与转义正确", "delimiters and escapes are right", "JT/T 808 标识位与转义"),
    must("header", "消息头版本标识与格式一致", "bit 14 fits the header", "JT/T 808 消息头"),
    must("first", "先注册或鉴权，再发其他消息", "registers or authenticates before anything else", "JT/T 808 通信连接"),
    must("code", "鉴权码与平台下发的一致", "authenticates with the code it was given", "JT/T 808 终端鉴权"),
    must("serial", "流水号逐一递增、循环", "serials count up by one, cyclic", "JT/T 808 消息头"),
    must("body", "消息体可完整读取，附加信息长度正确", "bodies and items can be read whole", "JT/T 808 数据格式"),
    must("time", "时间为有效 BCD 北京时间", "times are BCD and real", "JT/T 808 位置信息汇报"),
    must("clock", "时钟与平台相差不超过 60 秒", "the clock is within 60 s", "JT/T 808 位置信息汇报"),
    must("zone", "时间为 GMT+8（非 UTC）", "times are GMT+8, not UTC", "JT/T 808 位置信息汇报"),
    must("place", "定位有效时经纬度、速度、方向合理", "place, speed and course are possible", "JT/T 808 位置信息汇报"),
    may("packets", "分包序号连续", "sub-packets are numbered without gaps", "JT/T 808 7.12"),
    test("retransmit", "未收到应答时重发同一流水号", "an unanswered message comes again with its serial", "JT/T 808 终端主发的消息"),
    test("parameters", "接受参数设置 0x8103 并应答 0x0001", "takes parameters (0x8103) and answers 0x0001", "JT/T 808 设置终端参数"),
    probe("heartbeat", "按设定间隔发送心跳", "heartbeats come at the interval that was set", "JT/T 808 通信连接"),
    probe("query", "应答参数查询 0x8104：0x0104", "answers 0x8104 with 0x0104", "JT/T 808 查询终端参数"),
    test("text", "接受文本下发 0x8300 并应答 0x0001", "takes text (0x8300) and answers 0x0001", "JT/T 808 文本信息下发"),
    probe("unknown", "不认识的命令应答“不支持”，不断线", "answers an unknown command instead of breaking off", "JT/T 808 终端通用应答"),
    test("reconnect", "断线后自动重连并重新鉴权", "connects and authenticates again after a cut", "JT/T 808 通信连接"),
    probe("backlog", "断线期间的位置在重连后补传（0x0704）", "positions of the break come afterwards (0x0704)", "JT/T 808 定位数据批量上传"),
    may("duplicate", "同一流水号重发内容一致", "what comes again is what came before", "JT/T 808 终端主发的消息"),
];

#[rustfmt::skip]
const MQTT: &[Check] = &[
    must("packet", "报文格式正确", "packets are well formed", "MQTT-2.2"),
    must("first", "首个报文是 CONNECT，且只有一次", "CONNECT is first and comes once", "MQTT-3.1.0-1"),
    must("login", "使用用户名和密码登录", "logs in with user name and password", "MQTT-3.1.3.4"),
    must("session", "保留会话（clean=0 或会话有效期大于 0）", "keeps its session (clean 0, or an expiry)", "MQTT-3.1.2.4"),
    must("keep_alive", "设置保持连接并按时发送", "has a keep-alive and keeps it", "MQTT-3.1.2-24"),
    must("topic", "主题属于本设备且符合规则", "publishes to its own topics", "MQTT-4.7"),
    must("qos", "数据以 QoS 1 发布", "publishes data at QoS 1", "MQTT-4.3.2"),
    must("packet_id", "报文标识符非 0，未应答前不重用", "packet ids are not 0 and not reused while unanswered", "MQTT-2.3.1"),
    must("payload", "载荷为可读取的 JSON", "payloads are JSON that can be read", "Lantian payload"),
    must("ts", "每条记录带毫秒时间 ts", "each record has its time in milliseconds", "Lantian payload"),
    must("clock", "时钟与平台相差不超过 60 秒", "the clock is within 60 s", "Lantian payload"),
    must("zone", "ts 为 UTC 毫秒（未加 8 小时）", "ts is UTC, eight hours were not added", "Lantian payload"),
    must("value", "监测值在合理范围", "values are possible", "Lantian payload"),
    test("retransmit", "重连后以 DUP=1 重发未应答的报文", "sends unanswered messages again with DUP after reconnecting", "MQTT-4.4.0-1"),
    test("reconnect", "断线后自动重连", "connects again after a cut", "MQTT-3.1"),
    probe("backlog", "断线期间的数据在重连后补传", "data of the break come afterwards", "MQTT-4.4"),
    probe("command", "订阅命令主题并在 reply 应答", "subscribes to commands and replies", "Lantian command"),
    may("duplicate", "重发内容与原报文一致", "what comes again is what came before", "MQTT-3.3.1-1"),
];

#[rustfmt::skip]
const MODBUS: &[Check] = &[
    test("connect", "接受连接", "takes a connection", "Modbus TCP"),
    test("answer", "在超时内应答每次读取", "answers each read in time", "Modbus 应用协议"),
    must("frame", "帧格式、长度与字节数正确", "frames, lengths and counts are right", "Modbus 应用协议"),
    must("check", "RTU 的 CRC 正确（TCP：事务标识一致）", "RTU: the CRC is right; TCP: the transaction comes back", "Modbus 应用协议"),
    must("unit", "应答的从站地址与请求一致", "answers as the unit that was asked", "Modbus 应用协议"),
    must("function", "应答的功能码与请求一致", "answers with the function that was asked", "Modbus 应用协议"),
    test("bad_address", "越界地址以异常码 02 拒绝", "refuses an address that is none with code 02", "Modbus 应用协议 异常码"),
    probe("bad_function", "不支持的功能以异常码 01 拒绝", "refuses a function it has not with code 01", "Modbus 应用协议 异常码"),
    probe("other_unit", "不代替其他从站应答数据", "gives no data for another unit", "Modbus 应用协议"),
    may("steady", "长时间轮询无丢失", "stays steady while it is polled", "Modbus 应用协议"),
    test("reconnect", "断开后可再次连接", "takes another connection after a cut", "Modbus TCP"),
    probe("value", "寄存器不是全 0 或全 FFFF", "registers are not all 0 or all FFFF", "设备手册"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_check_has_a_name_of_its_own_a_clause_and_words_in_both_languages() {
        for protocol in Protocol::ALL {
            let mut names = HashSet::new();
            for check in checks(protocol) {
                assert!(names.insert(check.id), "{}", check.id);
                assert!(!check.title.zh.is_empty() && !check.title.en.is_empty() && !check.clause.is_empty());
            }
        }
    }
}
