//! A JT/T 808-2013 terminal: registers, authenticates with the code it is given, reports positions, sends pictures in sub-packets, and
//! the file of an alarm over a connection of its own ([`upload`]). It obeys commands.

mod upload;

use super::Payload;
use super::tcp::{Dialect, Heard};
use crate::obey::Manners;
use crate::obey::jt808::Obedient;
use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use model::geo::Wgs84;
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use protocol::jt808::{
    Authenticate, Decoded, Event, Framer, Item, Media, MediaEvent, MediaForm, Message, Parts, Phone, Position,
    Register, RegisterForm, Version, encode, encode_all, id, status, time_bcd,
};

#[derive(Debug)]
pub struct Terminal {
    phone: Phone,
    /// The platform lets no other terminal register the phone, so it is the same in every run: the phone's last digits.
    own_id: Vec<u8>,
    serial: u16,
    framer: Framer,
    uploads: upload::Uploads,
    own: Obedient,
    /// The last fix, for who asks.
    last: Position<'static>,
}

pub(super) const VERSION: Version = Version::V2013;
/// GBK of the plate field; the registration is by phone.
const PLATE: &[u8] = b"SIM";

impl Terminal {
    pub fn new(phone: &str) -> Result<Self> {
        Self::with(phone, Manners::Obey)
    }

    pub fn with(phone: &str, manners: Manners) -> Result<Self> {
        let own_id = phone.as_bytes().get(phone.len().saturating_sub(7)..).unwrap_or_default().to_vec();
        let phone = Phone::from_digits(phone, VERSION).with_context(|| format!("{phone} is no phone number"))?;
        Ok(Self {
            phone,
            own_id,
            serial: 0,
            framer: Framer::new(),
            uploads: upload::Uploads::default(),
            own: Obedient::new(manners),
            last: Position::default(),
        })
    }

    fn next(&mut self, message: &Message<'_>) -> (u16, Bytes) {
        let serial = self.serial;
        self.serial = self.serial.wrapping_add(1);
        (serial, encode(VERSION, &self.phone, serial, message).into())
    }
}

fn position(place: Wgs84, (speed_kmh, heading_deg): (f64, u16), fixed: bool, at_ms: i64) -> Result<Position<'static>> {
    let stamp = LocalStamp::of(EventTime(at_ms), BEIJING_OFFSET_MINUTES).fields().context("a time of our age")?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in China and a truck's speed")]
    Ok(Position {
        alarm: 0,
        status: status::IGNITION | if fixed { status::FIXED } else { 0 },
        lat_e6: (place.lat * 1e6).round() as i32,
        lon_e6: (place.lon * 1e6).round() as i32,
        altitude_m: 110,
        speed_dkmh: (speed_kmh * 10.0).round() as u16,
        course_degree: heading_deg,
        time_bcd: time_bcd(stamp),
        items: Vec::new(),
    })
}

impl Dialect for Terminal {
    fn hello(&mut self) -> Vec<Bytes> {
        self.framer = Framer::new();
        let register = Register {
            form: RegisterForm::V2013,
            province: 41,
            city: 100,
            maker: b"SIM01",
            model: b"LANTIAN-SIM",
            terminal_id: &self.own_id,
            plate_colour: 2,
            plate: PLATE,
        };
        let (phone, serial) = (self.phone, self.serial);
        self.serial = self.serial.wrapping_add(1);
        vec![encode(VERSION, &phone, serial, &Message::Register(register)).into()]
    }

    fn frames(&mut self, payload: &Payload) -> Result<Vec<(u64, Bytes)>> {
        match payload {
            Payload::Position { place, speed_kmh, heading_deg, fixed, at_ms } => {
                let position = position(*place, (*speed_kmh, *heading_deg), *fixed, *at_ms)?;
                self.last = position.clone();
                let (serial, frame) = self.next(&Message::Position(position));
                Ok(vec![(u64::from(serial), frame)])
            }
            Payload::Picture { place, speed_kmh, heading_deg, at_ms, jpeg } => {
                let place = position(*place, (*speed_kmh, *heading_deg), true, *at_ms)?;
                // The second of the day is a number that no other picture of that day has.
                let id = u32::try_from(at_ms.div_euclid(1_000).rem_euclid(86_400)).unwrap_or(0);
                let head = MediaEvent { id, kind: 0, format: 0, event: 1, channel: 1 };
                let media = Media { head, form: MediaForm::Place(place), data: jpeg };
                let first = self.serial;
                let frames = encode_all(VERSION, &self.phone, first, &Message::Media(media));
                let frames = frames.context("a picture of less than 65,535 packets")?;
                self.serial = first.wrapping_add(u16::try_from(frames.len()).unwrap_or(u16::MAX));
                let numbered = frames.into_iter().zip(0_u16..);
                Ok(numbered.map(|(frame, at)| (first.wrapping_add(at).into(), frame.into())).collect())
            }
            Payload::Alarm { place, speed_kmh, heading_deg, at_ms } => {
                let mut position = position(*place, (*speed_kmh, *heading_deg), true, *at_ms)?;
                let alarm = upload::alarm(&self.own_id, position.time_bcd);
                let value = upload::item(alarm, &position);
                position.items.push(Item { id: upload::ITEM, value: &value });
                let (serial, frame) = self.next(&Message::Position(position));
                Ok(vec![(u64::from(serial), frame)])
            }
            Payload::Json { .. } | Payload::Hj212 { .. } | Payload::Polled { .. } => {
                bail!("JT/T 808 sends positions, pictures and alarms")
            }
        }
    }

    fn read(&mut self, input: &mut BytesMut) -> Vec<Heard> {
        self.framer.push(&input.split());
        let mut heard = Vec::new();
        while let Some(event) = self.framer.next_event() {
            let Event::Frame { raw, .. } = event else { continue };
            let Some(parts) = Parts::split(&raw) else { continue };
            for say in self.own.obey(&parts.header, parts.body) {
                let last = std::mem::take(&mut self.last);
                let frame = say.write(&last, |message| self.next(message).1);
                self.last = last;
                let late = self.own.manners == Manners::Late;
                heard.push(if late { Heard::Late(frame) } else { Heard::Reply(frame) });
            }
            match Decoded::read(&parts.header, parts.body).message {
                Message::RegisterReply { result: 0, code, .. } => {
                    let authenticate = Authenticate { code, imei: b"", software: b"" };
                    heard.push(Heard::Reply(self.next(&Message::Authenticate(authenticate)).1));
                }
                Message::RegisterReply { result, .. } => {
                    heard.push(Heard::Refused(format!("registration: result {result}")));
                }
                Message::PlatformReply { id: id::AUTHENTICATE, result: 0, .. } => heard.push(Heard::Ready),
                Message::PlatformReply { id: id::AUTHENTICATE, result, .. } => {
                    heard.push(Heard::Refused(format!("authentication: result {result}")));
                }
                Message::PlatformReply { serial, id: id::POSITION | id::MEDIA, result: 0 } => {
                    heard.push(Heard::Answer(u64::from(serial)));
                }
                Message::AttachmentsWanted(wanted) => {
                    let (serial, phone) = (parts.header.serial, self.phone);
                    let reply = Message::TerminalReply { serial, id: id::ATTACHMENTS_WANTED, result: 0 };
                    heard.push(Heard::Reply(self.next(&reply).1));
                    self.uploads.send(phone, &wanted);
                }
                _ => {}
            }
        }
        heard
    }
}
