//! JT/T 808: message bodies from commands, and one exchange about one of them.
//!
//! An answer is matched by the serial it names. A message in sub-packets is confirmed once for all or once for each: the one for the
//! last ends it. What a terminal lacks (0x0005) it gets again, and where nothing is heard everything goes again with the same serials:
//! after T, then T × 2, then T × 2 × 3, as the standard lets terminals do.

use model::downlink::{
    AreaShape, Circle, Command, Control, Order, ParameterValue, Polygon, Rectangle, RoutePoint, Setting, Speed, Told,
    Window, Wrong,
};
use model::geo::Wgs84;
use model::time::{EventTime, IngestTime, LocalStamp};
use protocol::jt808::{
    self, AlarmConfirmation, AreaIds, Areas, AreasWanted, Circles, Message, Parameter, ParameterError, ParameterIds,
    ParametersSet, Phone, Point, Rectangles, Route, Shoot, SpeedLimit, Text, Tracking, Version, area, encode_body, id,
    parameter_of_number, parameter_of_text, split, time_bcd, to_gbk,
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The first wait for an answer.
const ANSWER_MS: i64 = 10_000;
const SENDS_MAX: u8 = 3;
/// From a confirmation to the answer of its own.
const RESULT_MS: i64 = 60_000;
/// Sub-packets sent again because the terminal asked.
const ASKED_AGAIN_MAX: usize = 256;
/// Bytes of text on a driver's display (0x8300).
const TEXT_BYTES_MAX: usize = 1_024;
const LIST_MAX: usize = 125;
const POINTS_MAX: usize = 4_000;
/// Of a 0x8203.
const CONFIRMABLE: u32 = 1 | 1 << 3 | 1 << 20 | 1 << 21 | 1 << 22 | 1 << 27 | 1 << 28;
/// Attribute bits that follow from the other fields.
const DERIVED: u16 = area::BY_TIME | area::SPEED_LIMITED | area::SOUTH | area::WEST;

/// Whether a message can be made of it, in both issues.
pub(super) fn check(command: &Command) -> Result<(), Wrong> {
    body(command, Version::V2013, model::time::BEIJING_OFFSET_MINUTES)?;
    body(command, Version::V2019 { protocol: 1 }, model::time::BEIJING_OFFSET_MINUTES).map(drop)
}

/// Id and body.
fn body(command: &Command, version: Version, offset_minutes: i32) -> Result<(u16, Vec<u8>), Wrong> {
    let write = |message: &Message<'_>| Ok((message.id(), encode_body(version, message)));
    match command {
        Command::Jt808SetParameters { parameters } => {
            let values = parameters.iter().enumerate().map(|(at, one)| parameter(at, one));
            let values: Vec<(u32, Vec<u8>)> = values.collect::<Result<_, _>>()?;
            listed("parameters", values.len(), 1..=255)?;
            let list = values.iter().map(|(id, value)| Parameter { id: *id, value }).collect();
            write(&Message::ParametersSet(ParametersSet { list }))
        }
        Command::Jt808GetParameters { ids } if ids.is_empty() => write(&Message::ParametersWanted),
        Command::Jt808GetParameters { ids } => {
            listed("ids", ids.len(), 1..=255)?;
            write(&Message::SomeParametersWanted(ParameterIds { ids: ids.clone() }))
        }
        Command::Jt808Control { action, parameters } => {
            let parameters = gbk("parameters", parameters, TEXT_BYTES_MAX)?;
            write(&Message::Control(jt808::Control { command: control(*action), parameters: &parameters }))
        }
        Command::Jt808GetAttributes => write(&Message::AttributesWanted),
        Command::Jt808GetPosition => write(&Message::PositionWanted),
        Command::Jt808LinkTest => write(&Message::LinkTest),
        Command::Jt808Track { interval_s, validity_s } => {
            if *interval_s > 0 && *validity_s == 0 {
                return Err(Wrong::new("validity_s", "write for how many seconds; interval 0 stops tracking"));
            }
            let validity_s = (*interval_s > 0).then_some(*validity_s);
            write(&Message::Tracking(Tracking { interval_s: *interval_s, validity_s }))
        }
        Command::Jt808ConfirmAlarm { serial, kinds } => {
            if kinds & CONFIRMABLE == 0 || kinds & !CONFIRMABLE != 0 {
                return Err(Wrong::new(
                    "kinds",
                    "alarm bits 0, 3, 20, 21, 22, 27 and 28 can be confirmed, at least one",
                ));
            }
            write(&Message::AlarmConfirmation(AlarmConfirmation { serial: *serial, kinds: *kinds }))
        }
        Command::Jt808Text { .. } | Command::Jt808Photo { .. } => shown_and_seen(command, version),
        Command::Jt808DeleteAreas { shape, ids } => {
            listed("ids", ids.len(), 0..=LIST_MAX)?;
            let ids = AreaIds { ids: ids.clone() };
            write(&match shape {
                AreaShape::Circle => Message::CirclesDeleted(ids),
                AreaShape::Rectangle => Message::RectanglesDeleted(ids),
                AreaShape::Polygon => Message::PolygonsDeleted(ids),
                AreaShape::Route => Message::RoutesDeleted(ids),
            })
        }
        Command::Jt808GetAreas { shape, ids } => {
            listed("ids", ids.len(), 0..=LIST_MAX)?;
            let kind = match shape {
                AreaShape::Circle => 1,
                AreaShape::Rectangle => 2,
                AreaShape::Polygon => 3,
                AreaShape::Route => 4,
            };
            write(&Message::AreasWanted(AreasWanted { kind, ids: ids.clone() }))
        }
        Command::Jt808Circles { .. }
        | Command::Jt808Rectangles { .. }
        | Command::Jt808Polygon(_)
        | Command::Jt808Route { .. } => areas(command, version, offset_minutes),
        _ => Err(Wrong::new("kind", "is no command of JT/T 808")),
    }
}

/// What the driver reads and the camera sees.
fn shown_and_seen(command: &Command, version: Version) -> Result<(u16, Vec<u8>), Wrong> {
    let write = |message: &Message<'_>| Ok((message.id(), encode_body(version, message)));
    match command {
        Command::Jt808Text { text, urgent, display, speak, sign } => {
            if text.trim().is_empty() {
                return Err(Wrong::new("text", "write the text"));
            }
            let bytes = gbk("text", text, TEXT_BYTES_MAX)?;
            let bit = |on: &bool, bit: u8| if *on { 1 << bit } else { 0 };
            // 2019: bits 0–1 are a class, of which 2 is urgent and 1 a service.
            let class = if version.is_2019() { if *urgent { 2 } else { 1 } } else { bit(urgent, 0) };
            let flags = class | bit(display, 2) | bit(speak, 3) | bit(sign, 4);
            let kind = version.is_2019().then_some(1);
            write(&Message::Text(Text { flags, kind, text: &bytes }))
        }
        Command::Jt808Photo { channel, count, interval_s, keep, resolution, quality } => {
            if !(1..=100).contains(count) {
                return Err(Wrong::new("count", "write 1 to 100 pictures"));
            }
            if !(1..=10).contains(quality) {
                return Err(Wrong::new("quality", "write 1 (best) to 10 (smallest)"));
            }
            write(&Message::Shoot(Shoot {
                channel: *channel,
                command: *count,
                interval_s: *interval_s,
                save: u8::from(*keep),
                resolution: *resolution,
                quality: *quality,
                brightness: 128,
                contrast: 64,
                saturation: 64,
                chroma: 128,
            }))
        }
        _ => Err(Wrong::new("kind", "is no text or picture")),
    }
}

fn areas(command: &Command, version: Version, offset_minutes: i32) -> Result<(u16, Vec<u8>), Wrong> {
    let write = |message: &Message<'_>| Ok((message.id(), encode_body(version, message)));
    match command {
        Command::Jt808Circles { setting, circles } => {
            listed("circles", circles.len(), 1..=LIST_MAX)?;
            let names = circles.iter().map(|one| gbk("circles.name", &one.name, 255)).collect::<Result<Vec<_>, _>>()?;
            let circles = circles.iter().zip(&names);
            let circles = circles.map(|(one, name)| circle(one, name, offset_minutes)).collect::<Result<_, _>>()?;
            write(&Message::Circles(Circles { setting: setting_number(*setting), circles }))
        }
        Command::Jt808Rectangles { setting, rectangles } => {
            listed("rectangles", rectangles.len(), 1..=LIST_MAX)?;
            let names =
                rectangles.iter().map(|one| gbk("rectangles.name", &one.name, 255)).collect::<Result<Vec<_>, _>>()?;
            let all = rectangles.iter().zip(&names);
            let rectangles = all.map(|(one, name)| rectangle(one, name, offset_minutes)).collect::<Result<_, _>>()?;
            write(&Message::Rectangles(Rectangles { setting: setting_number(*setting), rectangles }))
        }
        Command::Jt808Polygon(one) => {
            let name = gbk("name", &one.name, 255)?;
            write(&Message::Polygon(polygon(one, &name, offset_minutes)?))
        }
        Command::Jt808Route { id, name, points, window } => {
            listed("points", points.len(), 2..=POINTS_MAX)?;
            let name = gbk("name", name, 255)?;
            let side = half("points", points.iter().map(|point| point.place))?;
            let attributes = if window.is_some() { area::BY_TIME } else { 0 };
            let points = points.iter().zip(1..).map(|(point, number)| route_point(point, number, side));
            write(&Message::Route(Route {
                id: *id,
                attributes,
                window: window.map(|window| wire_window(&window, offset_minutes)).transpose()?,
                points: points.collect::<Result<_, _>>()?,
                name: Some(&name),
            }))
        }
        _ => Err(Wrong::new("kind", "is no area")),
    }
}

const fn control(action: Control) -> u8 {
    match action {
        Control::Upgrade => 1,
        Control::Connect => 2,
        Control::Off => 3,
        Control::Reset => 4,
        Control::FactorySettings => 5,
        Control::DataOff => 6,
        Control::RadioOff => 7,
    }
}

const fn setting_number(setting: Setting) -> u8 {
    match setting {
        Setting::Update => 0,
        Setting::Append => 1,
        Setting::Modify => 2,
    }
}

fn listed(field: &str, count: usize, allowed: std::ops::RangeInclusive<usize>) -> Result<(), Wrong> {
    if allowed.contains(&count) {
        return Ok(());
    }
    Err(Wrong::new(field, format!("{} to {} entries, not {count}", allowed.start(), allowed.end())))
}

fn gbk(field: &str, text: &str, bytes_max: usize) -> Result<Vec<u8>, Wrong> {
    let bytes = to_gbk(text).ok_or_else(|| Wrong::new(field, "has a character that GBK does not have"))?;
    if bytes.len() > bytes_max {
        return Err(Wrong::new(field, format!("at most {bytes_max} bytes of GBK, these are {}", bytes.len())));
    }
    Ok(bytes)
}

fn parameter(at: usize, one: &model::downlink::Parameter) -> Result<(u32, Vec<u8>), Wrong> {
    let bytes = match &one.value {
        ParameterValue::Number(number) => parameter_of_number(one.id, *number),
        ParameterValue::Text(text) => parameter_of_text(one.id, text),
    };
    let wrong = |error: ParameterError| {
        Wrong::new(format!("parameters[{at}].value"), format!("parameter 0x{:04X} {error}", one.id))
    };
    Ok((one.id, bytes.map_err(wrong)?))
}

/// South and west, which hold for a whole area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Half {
    south: bool,
    west: bool,
}

impl Half {
    const fn bits(self) -> u16 {
        (if self.south { area::SOUTH } else { 0 }) | (if self.west { area::WEST } else { 0 })
    }
}

fn half(field: &str, mut places: impl Iterator<Item = Wgs84>) -> Result<Half, Wrong> {
    let of = |place: Wgs84| Half { south: place.lat < 0.0, west: place.lon < 0.0 };
    let first = places.next().map_or(Half { south: false, west: false }, of);
    if places.all(|place| of(place) == first) {
        return Ok(first);
    }
    Err(Wrong::new(field, "an area on both sides of the equator or of Greenwich cannot be written"))
}

fn point(field: &str, place: Wgs84) -> Result<Point, Wrong> {
    let known = Wgs84::new(place.lon, place.lat);
    let known = known.ok_or_else(|| Wrong::new(field, "write a place as [longitude, latitude] in degrees"))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 180 degrees")]
    let e6 = |degrees: f64| (degrees.abs() * 1e6).round() as u32;
    Ok(Point { lat_e6: e6(known.lat), lon_e6: e6(known.lon) })
}

fn wire_window(window: &Window, offset_minutes: i32) -> Result<jt808::Window, Wrong> {
    let bcd = |at: EventTime| {
        let stamp = LocalStamp::of(at, offset_minutes).fields();
        let mut bcd = time_bcd(stamp.ok_or_else(|| Wrong::new("window", "write times of the years 1 to 9999"))?);
        if window.daily {
            // A daily window has the date 00-00-00.
            bcd.iter_mut().take(3).for_each(|byte| *byte = 0);
        }
        Ok(bcd)
    };
    if !window.daily && window.to <= window.from {
        return Err(Wrong::new("window", "the end is not behind the beginning"));
    }
    Ok(jt808::Window { start_bcd: bcd(window.from)?, end_bcd: bcd(window.to)? })
}

fn speed(speed: Option<Speed>) -> Option<SpeedLimit> {
    speed.map(|Speed { max_kmh, for_s, night_max_kmh }| SpeedLimit { max_kmh, duration_s: for_s, night_max_kmh })
}

fn attributes(own: u16, window: Option<&Window>, limited: Option<&Speed>, half: Half) -> u16 {
    let by_time = if window.is_some() { area::BY_TIME } else { 0 };
    let by_speed = if limited.is_some() { area::SPEED_LIMITED } else { 0 };
    (own & !DERIVED) | by_time | by_speed | half.bits()
}

fn circle<'a>(one: &Circle, name: &'a [u8], offset_minutes: i32) -> Result<jt808::Circle<'a>, Wrong> {
    if one.radius_m == 0 {
        return Err(Wrong::new("circles.radius_m", "write a radius in metres"));
    }
    let half = half("circles.centre", std::iter::once(one.centre))?;
    Ok(jt808::Circle {
        id: one.id,
        attributes: attributes(one.attributes, one.window.as_ref(), one.speed.as_ref(), half),
        centre: point("circles.centre", one.centre)?,
        radius_m: one.radius_m,
        window: one.window.map(|window| wire_window(&window, offset_minutes)).transpose()?,
        speed: speed(one.speed),
        name: Some(name),
    })
}

fn rectangle<'a>(one: &Rectangle, name: &'a [u8], offset_minutes: i32) -> Result<jt808::Rectangle<'a>, Wrong> {
    let (north_west, south_east) = (one.north_west, one.south_east);
    if north_west.lat <= south_east.lat || north_west.lon >= south_east.lon {
        return Err(Wrong::new("rectangles.south_east", "must lie south and east of north_west"));
    }
    let half = half("rectangles", [north_west, south_east].into_iter())?;
    Ok(jt808::Rectangle {
        id: one.id,
        attributes: attributes(one.attributes, one.window.as_ref(), one.speed.as_ref(), half),
        top_left: point("rectangles.north_west", north_west)?,
        bottom_right: point("rectangles.south_east", south_east)?,
        window: one.window.map(|window| wire_window(&window, offset_minutes)).transpose()?,
        speed: speed(one.speed),
        name: Some(name),
    })
}

fn polygon<'a>(one: &Polygon, name: &'a [u8], offset_minutes: i32) -> Result<jt808::Polygon<'a>, Wrong> {
    listed("vertices", one.vertices.len(), 3..=POINTS_MAX)?;
    let half = half("vertices", one.vertices.iter().copied())?;
    Ok(jt808::Polygon {
        id: one.id,
        attributes: attributes(one.attributes, one.window.as_ref(), one.speed.as_ref(), half),
        window: one.window.map(|window| wire_window(&window, offset_minutes)).transpose()?,
        speed: speed(one.speed),
        vertices: one.vertices.iter().map(|place| point("vertices", *place)).collect::<Result<_, _>>()?,
        name: Some(name),
    })
}

fn route_point(one: &RoutePoint, number: u32, half: Half) -> Result<jt808::RoutePoint, Wrong> {
    if one.width_m == 0 {
        return Err(Wrong::new("points.width_m", "write a width of 1 to 255 m"));
    }
    // Bits 2 and 3 of a segment are its half of the earth.
    let attributes = if one.speed.is_some() { area::SEGMENT_SPEED_LIMITED } else { 0 }
        | if half.south { 1 << 2 } else { 0 }
        | if half.west { 1 << 3 } else { 0 };
    Ok(jt808::RoutePoint {
        id: number,
        segment: number,
        point: point("points.place", one.place)?,
        width_m: one.width_m,
        attributes,
        times: None,
        speed: speed(one.speed),
    })
}

/// What ends an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// 0x0001 alone.
    Reply,
    /// An answer of its own; 0x0001 before it only confirms.
    Own(u16),
}

/// A command under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) order: Order,
    id: u16,
    first: u16,
    frames: Vec<Vec<u8>>,
    wants: Wants,
    confirmed: bool,
    sends: u8,
    wait_ms: i64,
    deadline: IngestTime,
    asked_again: usize,
}

/// What a step asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// To be sent, frame by frame.
    pub(crate) bytes: Vec<u8>,
    pub(crate) told: Option<Told>,
    pub(crate) ended: bool,
}

impl Outcome {
    fn told(told: Told) -> Self {
        Self { told: Some(told), ..Self::default() }
    }

    fn end(told: Told) -> Self {
        Self { bytes: Vec::new(), told: Some(told), ended: true }
    }
}

impl Exchange {
    /// The frames under serials from `first` on, and the exchange about them.
    pub(crate) fn start(
        order: Order,
        (version, phone): (Version, &Phone),
        first: u16,
        offset_minutes: i32,
        now: IngestTime,
    ) -> Result<(Self, Outcome), Told> {
        let failed = |text: String| Told::Failed { why: "cannot_be_written", text };
        let (id, body) = body(&order.command, version, offset_minutes).map_err(|wrong| failed(wrong.message))?;
        let frames = split(version, phone, first, id, &body).ok_or_else(|| failed("it is too long".into()))?;
        let wants = match id {
            id::PARAMETERS_WANTED | id::SOME_PARAMETERS_WANTED => Wants::Own(id::PARAMETERS),
            id::ATTRIBUTES_WANTED => Wants::Own(id::ATTRIBUTES),
            id::POSITION_WANTED => Wants::Own(id::POSITION_REPLY),
            id::AREAS_WANTED => Wants::Own(id::AREAS),
            id::SHOOT => Wants::Own(id::SHOOT_REPLY),
            _ => Wants::Reply,
        };
        let bytes = frames.concat();
        let deadline = now.plus_ms(ANSWER_MS).min(order.deadline);
        let exchange = Self {
            order,
            id,
            first,
            frames,
            wants,
            confirmed: false,
            sends: 1,
            wait_ms: ANSWER_MS,
            deadline,
            asked_again: 0,
        };
        let number = format!("0x{id:04X}/{first}");
        Ok((exchange, Outcome { bytes, told: Some(Told::Sent { number }), ended: false }))
    }

    /// Serials it takes.
    pub(crate) fn serials(&self) -> u16 {
        u16::try_from(self.frames.len()).unwrap_or(u16::MAX)
    }

    pub(crate) const fn next_time(&self) -> IngestTime {
        self.deadline
    }

    /// Whether a message of this id may be about it: what is not need not be decoded.
    pub(crate) fn listens_to(&self, message_id: u16) -> bool {
        matches!(message_id, id::TERMINAL_REPLY | id::RESEND_UP) || self.wants == Wants::Own(message_id)
    }

    pub(crate) fn hear(&mut self, message: &Message<'_>, now: IngestTime) -> Outcome {
        match message {
            Message::TerminalReply { serial, id, result } if *id == self.id => self.replied(*serial, *result, now),
            Message::ResendUp(wanted) if wanted.first == self.first => self.again(&wanted.numbers),
            other if self.wants == Wants::Own(other.id()) => self.answered(other),
            _ => Outcome::default(),
        }
    }

    fn replied(&mut self, serial: u16, result: u8, now: IngestTime) -> Outcome {
        let place = serial.wrapping_sub(self.first);
        if place >= self.serials() {
            return Outcome::default();
        }
        match result {
            // 4 is for alarms; it is not a refusal.
            0 | 4 if self.wants == Wants::Reply && place + 1 == self.serials() => {
                Outcome::end(Told::Done { text: "0x0001".into(), result: None })
            }
            0 | 4 => {
                self.confirmed = true;
                self.deadline = now.plus_ms(RESULT_MS).min(self.order.deadline);
                Outcome::told(Told::Confirmed { text: "0x0001".into() })
            }
            1 => Outcome::end(Told::Failed { why: "not_done", text: "0x0001: 1 失败".into() }),
            2 => Outcome::end(Told::Failed { why: "refused", text: "0x0001: 2 消息有误".into() }),
            3 => Outcome::end(Told::Failed { why: "refused", text: "0x0001: 3 不支持".into() }),
            other => Outcome::end(Told::Failed { why: "refused", text: format!("0x0001: {other}") }),
        }
    }

    fn again(&mut self, numbers: &[u16]) -> Outcome {
        let room = ASKED_AGAIN_MAX.saturating_sub(self.asked_again);
        let frames: Vec<_> = numbers
            .iter()
            .filter_map(|number| self.frames.get(usize::from(number.checked_sub(1)?)))
            .take(room)
            .map(Vec::as_slice)
            .collect();
        self.asked_again += frames.len();
        Outcome { bytes: frames.concat(), ..Outcome::default() }
    }

    fn answered(&self, message: &Message<'_>) -> Outcome {
        let serial = match message {
            Message::Parameters(list) => Some(list.serial),
            Message::PositionReply(reply) => Some(reply.serial),
            Message::ShootReply(reply) => Some(reply.serial),
            _ => None,
        };
        if serial.is_some_and(|serial| serial != self.first) {
            return Outcome::default();
        }
        let result = match message {
            Message::ShootReply(reply) if reply.result != 0 => {
                let why = if reply.result == 2 { "refused" } else { "not_done" };
                return Outcome::end(Told::Failed { why, text: format!("0x0805: {}", reply.result) });
            }
            Message::ShootReply(reply) => json!({ "media": reply.ids }),
            Message::Parameters(list) => json!({ "parameters": list.list.iter().map(shown).collect::<Vec<_>>() }),
            Message::PositionReply(reply) => json!({
                "position": [f64::from(reply.position.lon_e6) / 1e6, f64::from(reply.position.lat_e6) / 1e6],
                "speed_kmh": f64::from(reply.position.speed_dkmh) / 10.0,
            }),
            Message::Attributes(own) => json!({
                "maker": plain(own.maker), "model": plain(own.model), "terminal": plain(own.terminal_id),
                "hardware": plain(own.hardware), "firmware": plain(own.firmware),
            }),
            Message::Areas(areas) => json!({ "areas": count(areas) }),
            // The answer came in sub-packets, which are put together elsewhere.
            _ => Value::Null,
        };
        let result = (!result.is_null()).then(|| result.to_string());
        Outcome::end(Told::Done { text: format!("0x{:04X}", message.id()), result })
    }

    /// Time passed.
    pub(crate) fn on_time(&mut self, now: IngestTime) -> Outcome {
        if now < self.deadline {
            return Outcome::default();
        }
        if self.confirmed && self.wants == Wants::Reply {
            // One confirmation for all of its packets, by another serial than the last.
            return Outcome::end(Told::Done { text: "0x0001".into(), result: None });
        }
        if self.confirmed {
            return Outcome::end(Told::Failed { why: "no_result", text: String::new() });
        }
        if self.sends >= SENDS_MAX || now >= self.order.deadline {
            return Outcome::end(Told::Failed { why: "no_answer", text: format!("sends={}", self.sends) });
        }
        self.sends += 1;
        self.wait_ms = self.wait_ms.saturating_mul(i64::from(self.sends));
        self.deadline = now.plus_ms(self.wait_ms).min(self.order.deadline);
        Outcome { bytes: self.frames.concat(), told: Some(Told::Again { send: self.sends }), ended: false }
    }
}

fn shown(parameter: &Parameter<'_>) -> Value {
    let value = match parameter.read() {
        jt808::ParameterValue::Dword(number) => json!(number),
        jt808::ParameterValue::Word(number) => json!(number),
        jt808::ParameterValue::Byte(number) => json!(number),
        jt808::ParameterValue::Text(text) => json!(jt808::gbk(text)),
        jt808::ParameterValue::Bytes(bytes) => {
            json!(hex(bytes))
        }
    };
    let name = parameter.label().map(|label| label.zh);
    json!({ "id": parameter.id, "name": name, "value": value })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn plain(field: &[u8]) -> String {
    jt808::gbk(field).trim().to_owned()
}

fn count(areas: &Areas<'_>) -> usize {
    match areas {
        Areas::Circles(list) => list.len(),
        Areas::Rectangles(list) => list.len(),
        Areas::Polygons(list) => list.len(),
        Areas::Routes(list) => list.len(),
        Areas::Other { count, .. } => usize::try_from(*count).unwrap_or(usize::MAX),
    }
}
