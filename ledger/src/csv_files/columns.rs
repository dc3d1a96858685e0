//! The columns of each table.

use model::register::Object;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The tables that are kept as CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsvKind {
    Restaurants,
    Sites,
    Trucks,
    Devices,
    Installations,
    Permits,
    Cleanings,
    Manifests,
    NightPermits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Text,
    Number,
    Whole,
    Yes,
    Time,
    Protocol,
    /// One of these words: (in files, in Chinese).
    Word(&'static [(&'static str, &'static str)]),
    /// Several of these words.
    Words(&'static [(&'static str, &'static str)]),
    Codes,
    /// `113.5 34.8; 113.6 34.8`
    Line,
    /// `22:00-06:00; 12:00-13:00`
    Windows,
    /// Half of `place`: index 0 or 1.
    Coordinate(usize),
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) field: &'static str,
    pub(super) zh: &'static str,
    pub(super) en: &'static str,
    pub(super) cell: Cell,
    pub(super) needed: bool,
}

const fn column(field: &'static str, zh: &'static str, en: &'static str, cell: Cell) -> Column {
    Column { field, zh, en, cell, needed: false }
}

const fn needed(field: &'static str, zh: &'static str, en: &'static str, cell: Cell) -> Column {
    Column { field, zh, en, cell, needed: true }
}

pub(super) const CODE: Column = needed("code", "编码", "code", Cell::Text);
const NAME: Column = needed("name", "名称", "name", Cell::Text);
const GRID: Column = column("grid", "网格", "grid", Cell::Text);
const LON: Column = column("place", "经度", "longitude", Cell::Coordinate(0));
const LAT: Column = column("place", "纬度", "latitude", Cell::Coordinate(1));
const ACTIVE: Column = column("active", "启用", "active", Cell::Yes);
const FROM: Column = needed("valid_from", "起始", "valid_from", Cell::Time);
const TO: Column = column("valid_to", "截止", "valid_to", Cell::Time);

const VOID: Column = column("void", "作废", "void", Cell::Yes);

const RESTAURANTS: &[Column] = &[
    CODE,
    NAME,
    GRID,
    LON,
    LAT,
    column(
        "details.size_class",
        "规模",
        "size_class",
        Cell::Word(&[("small", "小型"), ("medium", "中型"), ("large", "大型")]),
    ),
    column("details.stoves", "灶头数", "stoves", Cell::Number),
    column("details.address", "地址", "address", Cell::Text),
    column("details.licence", "许可证号", "licence", Cell::Text),
    column("details.contact", "联系人", "contact", Cell::Text),
    column("details.phone", "电话", "phone", Cell::Text),
    ACTIVE,
];
const SITES: &[Column] = &[
    CODE,
    NAME,
    GRID,
    LON,
    LAT,
    column(
        "details.stage",
        "施工阶段",
        "stage",
        Cell::Word(&[("earthwork", "土方"), ("foundation", "基础"), ("structure", "主体"), ("finishing", "装饰")]),
    ),
    column("details.address", "地址", "address", Cell::Text),
    column("details.builder", "施工单位", "builder", Cell::Text),
    ACTIVE,
];
const TRUCKS: &[Column] = &[
    CODE,
    needed("details.plate", "车牌", "plate", Cell::Text),
    column("name", "名称", "name", Cell::Text),
    column("details.plate_colour", "车牌颜色", "plate_colour", Cell::Text),
    column("details.company", "运输企业", "company", Cell::Text),
    column("details.load_t", "核定载重", "load_t", Cell::Number),
    column("grid", "网格", "grid", Cell::Text),
    ACTIVE,
];
const DEVICES: &[Column] = &[
    CODE,
    column("name", "名称", "name", Cell::Text),
    needed("protocol", "协议", "protocol", Cell::Protocol),
    needed("identity", "标识", "identity", Cell::Text),
    needed("profile", "型号配置", "profile", Cell::Text),
    column("vendor", "厂商", "vendor", Cell::Text),
    column("poll.address", "轮询地址", "poll_address", Cell::Text),
    column("poll.unit", "从站号", "poll_unit", Cell::Whole),
    column("poll.interval_ms", "轮询毫秒", "poll_interval_ms", Cell::Whole),
    column("enabled", "启用", "enabled", Cell::Yes),
];
const INSTALLATIONS: &[Column] = &[
    needed("device", "设备", "device", Cell::Text),
    needed("subject", "监管对象", "subject", Cell::Text),
    column("point", "点位", "point", Cell::Text),
    FROM,
    TO,
];
const PERMITS: &[Column] = &[
    CODE,
    needed("trucks", "车辆", "trucks", Cell::Codes),
    column("site", "工地", "site", Cell::Text),
    column("disposal_site", "消纳场", "disposal_site", Cell::Text),
    needed("corridor", "路线", "corridor", Cell::Line),
    needed("corridor_half_width_m", "半宽米", "corridor_half_width_m", Cell::Number),
    column("windows", "时段", "windows", Cell::Windows),
    FROM,
    TO,
    column("suspended", "暂停", "suspended", Cell::Yes),
];

const CLEANINGS: &[Column] = &[
    needed("subject", "餐馆", "restaurant", Cell::Text),
    needed("cleaned_at", "清洗时间", "cleaned_at", Cell::Time),
    needed(
        "parts",
        "清洗部位",
        "parts",
        Cell::Words(&[("hood", "集气罩"), ("duct", "烟道"), ("purifier", "净化器"), ("fan", "风机")]),
    ),
    column("cleaned_by", "清洗单位", "cleaned_by", Cell::Text),
    column("picture", "照片", "picture", Cell::Text),
    column("note", "备注", "note", Cell::Text),
    VOID,
];
const MANIFESTS: &[Column] = &[
    needed("code", "联单号", "code", Cell::Text),
    needed("source", "来源", "source", Cell::Word(&[("driver", "司机"), ("gps", "定位")])),
    needed("truck", "车辆", "truck", Cell::Text),
    column("site", "工地", "site", Cell::Text),
    column("disposal_site", "消纳场", "disposal_site", Cell::Text),
    column("permit", "准运证", "permit", Cell::Text),
    needed("loaded_at", "装车时间", "loaded_at", Cell::Time),
    column("unloaded_at", "卸车时间", "unloaded_at", Cell::Time),
    column("volume_m3", "方量", "volume_m3", Cell::Number),
    VOID,
];
const NIGHT_PERMITS: &[Column] = &[
    needed("code", "证明编号", "code", Cell::Text),
    needed("site", "工地", "site", Cell::Text),
    column("windows", "时段", "windows", Cell::Windows),
    column("issuer", "核发机关", "issuer", Cell::Text),
    column("reason", "事由", "reason", Cell::Text),
    FROM,
    TO,
    VOID,
];

impl CsvKind {
    pub const ALL: [Self; 9] = [
        Self::Restaurants,
        Self::Sites,
        Self::Trucks,
        Self::Devices,
        Self::Installations,
        Self::Permits,
        Self::Cleanings,
        Self::Manifests,
        Self::NightPermits,
    ];

    /// What a row is known by: its code; a manifest's number and source.
    pub(super) fn known_by<'a>(self, code: &'a str, source: &str) -> Cow<'a, str> {
        if self != Self::Manifests {
            return Cow::Borrowed(code);
        }
        let source = match source {
            "司机" => "driver",
            "定位" => "gps",
            other => other,
        };
        Cow::Owned(format!("{code} {source}"))
    }

    pub(super) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Restaurants => RESTAURANTS,
            Self::Sites => SITES,
            Self::Trucks => TRUCKS,
            Self::Devices => DEVICES,
            Self::Installations => INSTALLATIONS,
            Self::Permits => PERMITS,
            Self::Cleanings => CLEANINGS,
            Self::Manifests => MANIFESTS,
            Self::NightPermits => NIGHT_PERMITS,
        }
    }

    pub(super) const fn register(self) -> &'static str {
        match self {
            Self::Restaurants | Self::Sites | Self::Trucks => "subject",
            Self::Devices => "device",
            Self::Installations => "installation",
            Self::Permits => "permit",
            Self::Cleanings => "cleaning",
            Self::Manifests => "manifest",
            Self::NightPermits => "night_permit",
        }
    }

    pub(super) const fn subject_kind(self) -> Option<&'static str> {
        match self {
            Self::Restaurants => Some("restaurant"),
            Self::Sites => Some("site"),
            Self::Trucks => Some("truck"),
            _ => None,
        }
    }

    pub(super) fn holds(self, object: &Object) -> bool {
        match (self.subject_kind(), object) {
            (Some(kind), Object::Subject(row)) => row.details.kind() == kind,
            (kind, _) => kind.is_none(),
        }
    }
}
