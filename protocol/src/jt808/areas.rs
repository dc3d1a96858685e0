//! Areas and routes that a platform sets (0x8600 – 0x8608) and asks back (0x0608). Latitudes and longitudes are
//! magnitudes; attribute bits 6 and 7 make them south and west.

use super::field::{Field, field, hex, names, text, time};
use super::flags::{AREA, Issue};
use super::header::Version;
use super::source::{B, Body, Codec, D, Len, List, Nested, Num, Source, W, Width, elements, layout};
use crate::error::WireError;

/// Bits of an area's or route's attributes that decide what follows.
pub mod area {
    pub const BY_TIME: u16 = 1;
    pub const SPEED_LIMITED: u16 = 1 << 1;
    pub const SOUTH: u16 = 1 << 6;
    pub const WEST: u16 = 1 << 7;
    /// Of a route's segment.
    pub const SEGMENT_TIMED: u8 = 1;
    pub const SEGMENT_SPEED_LIMITED: u8 = 1 << 1;
}

layout! {
    /// 1e-6 degree.
    pub struct Point {
        lat_e6: u32 => Num, field("lat", "纬度", "latitude").degree();
        lon_e6: u32 => Num, field("lon", "经度", "longitude").degree();
    }
}

layout! {
    /// When it holds; a daily window has the date 00-00-00.
    pub struct Window {
        start_bcd: [u8; 6] => Num, time("start", "起始时间", "start");
        end_bcd: [u8; 6] => Num, time("end", "结束时间", "end");
    }
}

/// How fast one may be inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeedLimit {
    pub max_kmh: u16,
    pub duration_s: u8,
    /// 2019.
    pub night_max_kmh: Option<u16>,
}

/// 0x8600
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circles<'a> {
    /// 0 update, 1 append, 2 modify.
    pub setting: u8,
    pub circles: Vec<Circle<'a>>,
}

/// 0x8602
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rectangles<'a> {
    pub setting: u8,
    pub rectangles: Vec<Rectangle<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle<'a> {
    pub id: u32,
    pub attributes: u16,
    pub centre: Point,
    pub radius_m: u32,
    /// With attribute bit 0.
    pub window: Option<Window>,
    /// With attribute bit 1.
    pub speed: Option<SpeedLimit>,
    /// 2019; GBK.
    pub name: Option<&'a [u8]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rectangle<'a> {
    pub id: u32,
    pub attributes: u16,
    pub top_left: Point,
    pub bottom_right: Point,
    pub window: Option<Window>,
    pub speed: Option<SpeedLimit>,
    pub name: Option<&'a [u8]>,
}

/// 0x8604; one in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polygon<'a> {
    pub id: u32,
    pub attributes: u16,
    pub window: Option<Window>,
    pub speed: Option<SpeedLimit>,
    pub vertices: Vec<Point>,
    pub name: Option<&'a [u8]>,
}

/// 0x8606
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    pub id: u32,
    /// Bits 0 and 2–5.
    pub attributes: u16,
    pub window: Option<Window>,
    pub points: Vec<RoutePoint>,
    pub name: Option<&'a [u8]>,
}

/// A bend and the segment that ends there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePoint {
    pub id: u32,
    pub segment: u32,
    pub point: Point,
    pub width_m: u8,
    pub attributes: u8,
    /// Seconds: longer is too long, shorter too short. With attribute bit 0.
    pub times: Option<(u16, u16)>,
    /// With attribute bit 1.
    pub speed: Option<SpeedLimit>,
}

const SETTING: Field =
    names("setting", "设置属性", "setting", &[(0, "更新", "update"), (1, "追加", "append"), (2, "修改", "modify")]);
const ID: Field = field("area_id", "区域 ID", "id of the area");
const ATTRIBUTES: Field =
    field("area_attributes", "区域属性", "attributes").show(super::field::Show::Flags(AREA, Issue::V2019));
const WINDOW: Field = field("window", "时间", "window");
const NAME: Field = text("name", "名称", "name");

fn window<'a, S: Source<'a>>(source: &mut S, present: bool) -> Result<Option<Window>, WireError> {
    if present { source.group(&WINDOW, Window::read).map(Some) } else { Ok(None) }
}

fn speed<'a, S: Source<'a>>(source: &mut S, present: bool) -> Result<Option<SpeedLimit>, WireError> {
    if !present {
        return Ok(None);
    }
    let max_kmh = source.u16(&field("max_speed", "最高速度", "maximum speed").unit("km/h"))?;
    let duration_s = source.u8(&field("duration", "超速持续时间", "overspeed duration").unit("s"))?;
    Ok(Some(SpeedLimit { max_kmh, duration_s, night_max_kmh: None }))
}

fn night<'a, S: Source<'a>>(source: &mut S, speed: &mut Option<SpeedLimit>) -> Result<(), WireError> {
    if let Some(limit) = speed.as_mut().filter(|_| source.version().is_2019()) {
        limit.night_max_kmh =
            Some(source.u16(&field("night_max_speed", "夜间最高速度", "maximum speed at night").unit("km/h"))?);
    }
    Ok(())
}

fn name<'a, S: Source<'a>>(source: &mut S) -> Result<Option<&'a [u8]>, WireError> {
    if source.version().is_2019() { <Len<W> as Codec<'a, &'a [u8]>>::read(source, &NAME).map(Some) } else { Ok(None) }
}

fn write_window(window: Option<&Window>, out: &mut Vec<u8>, version: Version) {
    if let Some(window) = window {
        window.write(out, version);
    }
}

fn write_speed(speed: Option<&SpeedLimit>, out: &mut Vec<u8>) {
    if let Some(limit) = speed {
        out.extend(limit.max_kmh.to_be_bytes());
        out.push(limit.duration_s);
    }
}

fn write_night(speed: Option<&SpeedLimit>, out: &mut Vec<u8>, version: Version) {
    if let Some(limit) = speed.filter(|_| version.is_2019()) {
        out.extend(limit.night_max_kmh.unwrap_or(limit.max_kmh).to_be_bytes());
    }
}

fn write_name(name: Option<&[u8]>, out: &mut Vec<u8>, version: Version) {
    if version.is_2019() {
        <Len<W> as Codec<'_, &[u8]>>::write(&name.unwrap_or_default(), out, version);
    }
}

impl<'a> Body<'a> for Circle<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let id = source.u32(&ID)?;
        let attributes = source.u16(&ATTRIBUTES)?;
        let centre = source.group(&field("centre", "中心点", "centre"), Point::read)?;
        let radius_m = source.u32(&field("radius", "半径", "radius").unit("m"))?;
        let window = window(source, attributes & area::BY_TIME != 0)?;
        let mut speed = speed(source, attributes & area::SPEED_LIMITED != 0)?;
        night(source, &mut speed)?;
        Ok(Self { id, attributes, centre, radius_m, window, speed, name: name(source)? })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.id.to_be_bytes());
        out.extend(self.attributes.to_be_bytes());
        self.centre.write(out, version);
        out.extend(self.radius_m.to_be_bytes());
        write_window(self.window.as_ref(), out, version);
        write_speed(self.speed.as_ref(), out);
        write_night(self.speed.as_ref(), out, version);
        write_name(self.name, out, version);
    }
}

impl<'a> Body<'a> for Rectangle<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let id = source.u32(&ID)?;
        let attributes = source.u16(&ATTRIBUTES)?;
        let top_left = source.group(&field("top_left", "左上点", "top left"), Point::read)?;
        let bottom_right = source.group(&field("bottom_right", "右下点", "bottom right"), Point::read)?;
        let window = window(source, attributes & area::BY_TIME != 0)?;
        let mut speed = speed(source, attributes & area::SPEED_LIMITED != 0)?;
        night(source, &mut speed)?;
        Ok(Self { id, attributes, top_left, bottom_right, window, speed, name: name(source)? })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.id.to_be_bytes());
        out.extend(self.attributes.to_be_bytes());
        self.top_left.write(out, version);
        self.bottom_right.write(out, version);
        write_window(self.window.as_ref(), out, version);
        write_speed(self.speed.as_ref(), out);
        write_night(self.speed.as_ref(), out, version);
        write_name(self.name, out, version);
    }
}

impl<'a> Body<'a> for Polygon<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let id = source.u32(&ID)?;
        let attributes = source.u16(&ATTRIBUTES)?;
        let window = window(source, attributes & area::BY_TIME != 0)?;
        let mut speed = speed(source, attributes & area::SPEED_LIMITED != 0)?;
        let vertices =
            <List<W, Nested> as Codec<'a, Vec<Point>>>::read(source, &field("vertices", "顶点", "vertices"))?;
        night(source, &mut speed)?;
        Ok(Self { id, attributes, window, speed, vertices, name: name(source)? })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.id.to_be_bytes());
        out.extend(self.attributes.to_be_bytes());
        write_window(self.window.as_ref(), out, version);
        write_speed(self.speed.as_ref(), out);
        <List<W, Nested> as Codec<'_, Vec<Point>>>::write(&self.vertices, out, version);
        write_night(self.speed.as_ref(), out, version);
        write_name(self.name, out, version);
    }
}

impl<'a> Route<'a> {
    fn read_form<S: Source<'a>>(source: &mut S, timed: Option<bool>) -> Result<Self, WireError> {
        let id = source.u32(&field("route_id", "路线 ID", "id of the route"))?;
        let attributes = source
            .u16(&Field { label: crate::explain::Label { zh: "路线属性", en: "attributes" }, ..ATTRIBUTES })?;
        let window = window(source, timed.unwrap_or(attributes & area::BY_TIME != 0))?;
        let points = field("points", "拐点", "points");
        let points = <List<W, Nested> as Codec<'a, Vec<RoutePoint>>>::read(source, &points)?;
        Ok(Self { id, attributes, window, points, name: name(source)? })
    }
}

impl<'a> Body<'a> for Route<'a> {
    /// The text leaves open whether the times are there when bit 0 is clear: where only that fits, it is taken.
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let by_bit = source.fits(|probe| Self::read_form(probe, None));
        let timed = !by_bit && source.fits(|probe| Self::read_form(probe, Some(true)));
        Self::read_form(source, timed.then_some(true))
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.id.to_be_bytes());
        out.extend(self.attributes.to_be_bytes());
        write_window(self.window.as_ref(), out, version);
        <List<W, Nested> as Codec<'_, Vec<RoutePoint>>>::write(&self.points, out, version);
        write_name(self.name, out, version);
    }
}

impl<'a> Body<'a> for RoutePoint {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let id = source.u32(&field("point_id", "拐点 ID", "id of the point"))?;
        let segment = source.u32(&field("segment_id", "路段 ID", "id of the segment"))?;
        let point = Point::read(source)?;
        let width_m = source.u8(&field("width", "路段宽度", "width").unit("m"))?;
        let attributes = source.u8(&hex("segment_attributes", "路段属性", "attributes of the segment"))?;
        let times = if attributes & area::SEGMENT_TIMED == 0 {
            None
        } else {
            let too_long = source.u16(&field("too_long", "路段行驶过长阈值", "too long").unit("s"))?;
            Some((too_long, source.u16(&field("too_short", "路段行驶不足阈值", "too short").unit("s"))?))
        };
        let mut speed = speed(source, attributes & area::SEGMENT_SPEED_LIMITED != 0)?;
        night(source, &mut speed)?;
        Ok(Self { id, segment, point, width_m, attributes, times, speed })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.id.to_be_bytes());
        out.extend(self.segment.to_be_bytes());
        self.point.write(out, version);
        out.extend([self.width_m, self.attributes]);
        if let Some((too_long, too_short)) = self.times {
            out.extend(too_long.to_be_bytes());
            out.extend(too_short.to_be_bytes());
        }
        write_speed(self.speed.as_ref(), out);
        write_night(self.speed.as_ref(), out, version);
    }
}

impl<'a> Body<'a> for Circles<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let setting = source.u8(&SETTING)?;
        let circles =
            <List<B, Nested> as Codec<'a, Vec<Circle<'a>>>>::read(source, &field("circles", "圆形区域", "circles"))?;
        Ok(Self { setting, circles })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.push(self.setting);
        <List<B, Nested> as Codec<'_, Vec<Circle<'_>>>>::write(&self.circles, out, version);
    }
}

impl<'a> Body<'a> for Rectangles<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let setting = source.u8(&SETTING)?;
        let list = field("rectangles", "矩形区域", "rectangles");
        let rectangles = <List<B, Nested> as Codec<'a, Vec<Rectangle<'a>>>>::read(source, &list)?;
        Ok(Self { setting, rectangles })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.push(self.setting);
        <List<B, Nested> as Codec<'_, Vec<Rectangle<'_>>>>::write(&self.rectangles, out, version);
    }
}

layout! {
    /// 0x8601, 0x8603, 0x8605, 0x8607: at most 125; none = all.
    pub struct AreaIds {
        ids: Vec<u32> => List<B, Num>, field("area_ids", "区域 ID 列表", "ids of the areas");
    }
}

layout! {
    /// 0x8608 (2019): 1 circles, 2 rectangles, 3 polygons, 4 routes; no ids = all.
    pub struct AreasWanted {
        kind: u8 => Num, names("kind", "查询类型", "kind", SHAPES);
        ids: Vec<u32> => List<D, Num>, field("area_ids", "区域 ID 列表", "ids of the areas");
    }
}

const SHAPES: &[super::field::Name] =
    &[(1, "圆形区域", "circles"), (2, "矩形区域", "rectangles"), (3, "多边形区域", "polygons"), (4, "路线", "routes")];

/// What a 0x0608 (2019) holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Areas<'a> {
    Circles(Vec<Circle<'a>>),
    Rectangles(Vec<Rectangle<'a>>),
    Polygons(Vec<Polygon<'a>>),
    Routes(Vec<Route<'a>>),
    Other { kind: u8, count: u32, data: &'a [u8] },
}

impl<'a> Body<'a> for Areas<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let kind = source.u8(&names("kind", "查询类型", "kind", SHAPES))?;
        let at = source.offset();
        let count = source.u32(&super::field::COUNT)?;
        let many = usize::try_from(count).unwrap_or(usize::MAX);
        let area = field("area", "区域数据", "area");
        Ok(match kind {
            1 => Self::Circles(elements::<_, Nested, S>(source, &area, many, at)),
            2 => Self::Rectangles(elements::<_, Nested, S>(source, &area, many, at)),
            3 => Self::Polygons(elements::<_, Nested, S>(source, &area, many, at)),
            // The probing of a lone route looks at all that is left, which is wrong for one of several.
            4 => Self::Routes(elements::<_, ByBit, S>(source, &area, many, at)),
            kind => {
                Self::Other { kind, count, data: source.rest(&super::field::bytes("areas", "区域数据", "areas")) }
            }
        })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        fn all<'a, T: Body<'a>>(kind: u8, list: &[T], out: &mut Vec<u8>, version: Version) {
            out.push(kind);
            let count = D::write(list.len(), out);
            for area in list.iter().take(count) {
                area.write(out, version);
            }
        }
        match self {
            Self::Circles(list) => all(1, list, out, version),
            Self::Rectangles(list) => all(2, list, out, version),
            Self::Polygons(list) => all(3, list, out, version),
            Self::Routes(list) => all(4, list, out, version),
            Self::Other { kind, count, data } => {
                out.push(*kind);
                out.extend(count.to_be_bytes());
                out.extend_from_slice(data);
            }
        }
    }
}

struct ByBit;

impl<'a> Codec<'a, Route<'a>> for ByBit {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<Route<'a>, WireError> {
        source.group(field, |source| Route::read_form(source, None))
    }
    fn write(value: &Route<'a>, out: &mut Vec<u8>, version: Version) {
        value.write(out, version);
    }
}
