//! The words whose bits have names: alarms and status of 0x0200 for each issue of the standard, the items' bit fields, and
//! the edges between two alarm words.

use crate::explain::Label;

/// Issues of the standard. 2011 and 2013 share a header, so which of the two a terminal speaks is a matter of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Issue {
    V2011,
    V2013,
    V2019,
}

/// A named bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    pub bit: u8,
    /// Stable name.
    pub name: &'static str,
    pub label: Label,
    issues: u8,
}

const I11: u8 = 1;
const I13: u8 = 2;
const I19: u8 = 4;
const ALL: u8 = I11 | I13 | I19;

impl Flag {
    /// Whether the issue has the bit; otherwise it is reserved.
    pub const fn is_in(&self, issue: Issue) -> bool {
        let mask = match issue {
            Issue::V2011 => I11,
            Issue::V2013 => I13,
            Issue::V2019 => I19,
        };
        self.issues & mask != 0
    }
}

const fn flag(bit: u8, name: &'static str, zh: &'static str, en: &'static str, issues: u8) -> Flag {
    Flag { bit, name, label: Label { zh, en }, issues }
}

/// The flags of a table that are set, in order of bits; bits that the issue reserves are left out.
pub fn set_flags(table: &'static [Flag], bits: u32, issue: Issue) -> impl Iterator<Item = &'static Flag> {
    table.iter().filter(move |flag| bits >> flag.bit & 1 == 1 && flag.is_in(issue))
}

/// Bits of the alarm word.
pub const ALARM: &[Flag] = &[
    flag(0, "sos", "紧急报警", "emergency", ALL),
    flag(1, "overspeed", "超速", "overspeed", ALL),
    flag(2, "fatigue", "疲劳驾驶", "fatigue", ALL),
    flag(3, "danger_warning", "危险预警", "danger warning", ALL),
    flag(4, "gnss_fault", "GNSS 模块故障", "GNSS fault", ALL),
    flag(5, "antenna_cut", "GNSS 天线未接或被剪断", "antenna cut", ALL),
    flag(6, "antenna_short", "GNSS 天线短路", "antenna short", ALL),
    flag(7, "supply_low", "主电源欠压", "supply low", ALL),
    flag(8, "supply_cut", "主电源掉电", "supply cut", ALL),
    flag(9, "display_fault", "显示器故障", "display fault", ALL),
    flag(10, "tts_fault", "TTS 模块故障", "TTS fault", ALL),
    flag(11, "camera_fault", "摄像头故障", "camera fault", ALL),
    flag(12, "card_reader_fault", "IC 卡模块故障", "IC card reader fault", I13 | I19),
    flag(13, "overspeed_warning", "超速预警", "overspeed warning", I13 | I19),
    flag(14, "fatigue_warning", "疲劳驾驶预警", "fatigue warning", I13 | I19),
    flag(15, "violation", "违规行驶", "violation", I19),
    flag(16, "tyre_warning", "胎压预警", "tyre warning", I19),
    flag(17, "blind_spot", "右转盲区异常", "right blind spot", I19),
    flag(18, "daily_driving", "当天累计驾驶超时", "driving too long today", ALL),
    flag(19, "parking_overtime", "超时停车", "parking too long", ALL),
    flag(20, "area_crossed", "进出区域", "area entered or left", ALL),
    flag(21, "route_crossed", "进出路线", "route entered or left", ALL),
    flag(22, "segment_time", "路段行驶时间不足/过长", "segment too fast or too slow", ALL),
    flag(23, "off_route", "路线偏离", "off route", ALL),
    flag(24, "vss_fault", "车辆 VSS 故障", "speed sensor fault", ALL),
    flag(25, "fuel_abnormal", "油量异常", "fuel abnormal", ALL),
    flag(26, "theft", "车辆被盗", "theft", ALL),
    flag(27, "illegal_ignition", "非法点火", "illegal ignition", ALL),
    flag(28, "illegal_movement", "非法位移", "illegal movement", ALL),
    flag(29, "collision", "碰撞", "collision", I13 | I19),
    flag(30, "rollover", "侧翻", "rollover", I13 | I19),
    flag(31, "illegal_door", "非法开门", "illegal door opening", I13),
];

/// Bits of the status word, but 8 and 9, which are the load.
pub const STATUS: &[Flag] = &[
    flag(0, "ignition", "ACC 开", "ignition on", ALL),
    flag(1, "fixed", "定位", "fixed", ALL),
    flag(2, "south", "南纬", "south", ALL),
    flag(3, "west", "西经", "west", ALL),
    flag(4, "out_of_service", "停运", "out of service", ALL),
    flag(5, "encrypted", "经纬度已加密", "place encrypted", ALL),
    flag(6, "forward_collision", "前撞预警", "forward collision warning", I19),
    flag(7, "lane_departure", "车道偏移预警", "lane departure warning", I19),
    flag(10, "fuel_cut", "油路断开", "fuel cut", ALL),
    flag(11, "circuit_cut", "电路断开", "circuit cut", ALL),
    flag(12, "doors_locked", "车门加锁", "doors locked", ALL),
    flag(13, "door_1", "门1(前门)开", "door 1 open", I13 | I19),
    flag(14, "door_2", "门2(中门)开", "door 2 open", I13 | I19),
    flag(15, "door_3", "门3(后门)开", "door 3 open", I13 | I19),
    flag(16, "door_4", "门4(驾驶席门)开", "door 4 open", I13 | I19),
    flag(17, "door_5", "门5开", "door 5 open", I13 | I19),
    flag(18, "gps", "GPS 定位", "GPS", I13 | I19),
    flag(19, "beidou", "北斗定位", "BeiDou", I13 | I19),
    flag(20, "glonass", "GLONASS 定位", "GLONASS", I13 | I19),
    flag(21, "galileo", "Galileo 定位", "Galileo", I13 | I19),
    flag(22, "moving", "行驶", "moving", I19),
];

/// What bits 8 and 9 say; empty where the issue has none.
pub(super) fn load_label(status: u32, issue: Issue) -> String {
    match (issue, status >> 8 & 3) {
        (Issue::V2011, _) => String::new(),
        (_, 0) => "空车 empty".to_owned(),
        (_, 1) => "半载 half loaded".to_owned(),
        (_, 2) => "载重保留值 load reserved".to_owned(),
        _ => "满载 full".to_owned(),
    }
}

/// Item 0x25.
pub const SIGNALS: &[Flag] = &[
    flag(0, "low_beam", "近光灯", "low beam", ALL),
    flag(1, "high_beam", "远光灯", "high beam", ALL),
    flag(2, "turn_right", "右转向灯", "turning right", ALL),
    flag(3, "turn_left", "左转向灯", "turning left", ALL),
    flag(4, "brake", "制动", "brake", ALL),
    flag(5, "reverse", "倒挡", "reverse", ALL),
    flag(6, "fog_lamp", "雾灯", "fog lamp", ALL),
    flag(7, "side_marker", "示廓灯", "side marker", ALL),
    flag(8, "horn", "喇叭", "horn", ALL),
    flag(9, "air_conditioner", "空调", "air conditioner", ALL),
    flag(10, "neutral", "空挡", "neutral", ALL),
    flag(11, "retarder", "缓速器", "retarder", ALL),
    flag(12, "abs", "ABS 工作", "ABS", ALL),
    flag(13, "heater", "加热器", "heater", ALL),
    flag(14, "clutch", "离合器", "clutch", ALL),
];

/// Item 0x2A.
pub const IN_OUT: &[Flag] =
    &[flag(0, "deep_sleep", "深度休眠", "deep sleep", ALL), flag(1, "sleep", "休眠", "sleep", ALL)];

/// Item 0x14 (JT/T 1078).
pub const VIDEO_ALARM: &[Flag] = &[
    flag(0, "signal_loss", "视频信号丢失", "signal loss", ALL),
    flag(1, "occlusion", "视频信号遮挡", "occlusion", ALL),
    flag(2, "storage_fault", "存储单元故障", "storage fault", ALL),
    flag(3, "other_fault", "其他视频设备故障", "other fault", ALL),
    flag(4, "bus_overload", "客车超员", "bus overload", ALL),
    flag(5, "abnormal_driving", "异常驾驶行为", "abnormal driving", ALL),
    flag(6, "special_storage", "特殊报警录像达到存储阈值", "special recording storage threshold", ALL),
];

/// Item 0x18 (JT/T 1078).
pub const ABNORMAL_DRIVING: &[Flag] = &[
    flag(0, "fatigue", "疲劳", "fatigue", ALL),
    flag(1, "phone", "打电话", "phone", ALL),
    flag(2, "smoking", "抽烟", "smoking", ALL),
    flag(11, "custom_11", "自定义1", "custom 1", ALL),
    flag(12, "custom_12", "自定义2", "custom 2", ALL),
    flag(13, "custom_13", "自定义3", "custom 3", ALL),
    flag(14, "custom_14", "自定义4", "custom 4", ALL),
    flag(15, "custom_15", "自定义5", "custom 5", ALL),
];

/// Attributes of areas and routes.
pub const AREA: &[Flag] = &[
    flag(0, "by_time", "按时间", "by time", ALL),
    flag(1, "speed_limited", "限速", "speed limited", ALL),
    flag(2, "enter_driver", "进报警给驾驶员", "entering tells the driver", ALL),
    flag(3, "enter_platform", "进报警给平台", "entering tells the platform", ALL),
    flag(4, "leave_driver", "出报警给驾驶员", "leaving tells the driver", ALL),
    flag(5, "leave_platform", "出报警给平台", "leaving tells the platform", ALL),
    flag(6, "south", "南纬", "south", ALL),
    flag(7, "west", "西经", "west", ALL),
    flag(8, "doors_forbidden", "禁止开门", "doors forbidden", ALL),
    flag(14, "radio_off", "进区域关闭通信模块", "radio off inside", ALL),
    flag(15, "gnss_detail", "进区域采集 GNSS 详细数据", "detailed GNSS inside", ALL),
];

/// What changed between two alarm words. Event bits stay set until the platform acknowledges them, so what counts is the
/// edge, not the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlarmEdges {
    pub raised: u32,
    /// For an event bit this says that the terminal has heard the acknowledgement, not that the event ended.
    pub cleared: u32,
}

impl AlarmEdges {
    /// `previous` is `None` at the first position of a terminal: everything set is raised then.
    pub const fn between(previous: Option<u32>, now: u32) -> Self {
        let previous = match previous {
            Some(previous) => previous,
            None => 0,
        };
        Self { raised: now & !previous, cleared: previous & !now }
    }

    /// The raised bits that the terminal keeps until they are acknowledged (0x8203, or 0x8001 with result 4).
    pub const fn events(self, issue: Issue) -> u32 {
        self.raised & event_bits(issue)
    }

    pub const fn is_empty(self) -> bool {
        self.raised == 0 && self.cleared == 0
    }
}

/// Alarm bits of the kind *event*: 0, 3, 20, 21, 22, 27, 28 and, where it is not reserved, 31.
pub const fn event_bits(issue: Issue) -> u32 {
    let common = 1 | 1 << 3 | 1 << 20 | 1 << 21 | 1 << 22 | 1 << 27 | 1 << 28;
    match issue {
        Issue::V2013 => common | 1 << 31,
        Issue::V2011 | Issue::V2019 => common,
    }
}

/// Of item 0x14 only this bit waits for an acknowledgement.
pub const VIDEO_EVENT_BITS: u32 = 1 << 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_stays_is_raised_once() {
        let first = AlarmEdges::between(None, 0b11);
        assert_eq!((first.raised, first.cleared, first.events(Issue::V2013)), (0b11, 0, 1));
        assert!(AlarmEdges::between(Some(0b11), 0b11).is_empty());
        let last = AlarmEdges::between(Some(0b11), 0b100);
        assert_eq!((last.raised, last.cleared), (0b100, 0b11));
    }

    #[test]
    fn a_bit_means_what_its_issue_says() {
        let names = |bits, issue| set_flags(ALARM, bits, issue).map(|flag| flag.name).collect::<Vec<_>>();
        assert_eq!(names(1 << 31 | 1 << 15, Issue::V2013), ["illegal_door"]);
        assert_eq!(names(1 << 31 | 1 << 15, Issue::V2019), ["violation"]);
        assert_eq!(names(1 << 31 | 1 << 13, Issue::V2011), Vec::<&str>::new());
        assert_eq!(event_bits(Issue::V2019) >> 31, 0);
        assert_eq!(load_label(3 << 8, Issue::V2011), "");
        for table in [ALARM, STATUS, SIGNALS, IN_OUT, VIDEO_ALARM, ABNORMAL_DRIVING, AREA] {
            assert!(table.is_sorted_by(|one, next| one.bit < next.bit));
        }
    }
}
