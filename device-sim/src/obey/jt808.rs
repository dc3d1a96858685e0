//! A JT/T 808-2013 terminal that is told things: 0x0001 to most, an answer of its own where the standard has one. It keeps parameters,
//! areas and routes, and takes long ones in sub-packets.

use super::Manners;
use protocol::jt808::{
    Attributes, Header, Message, Parameter, Parameters, Position, PositionReply, ShootReply, Version, id,
};
use std::collections::{BTreeMap, BTreeSet};

/// Sub-packets of one message that are kept.
const PACKETS_MAX: u16 = 512;

/// A terminal's settings.
#[derive(Debug, Default)]
pub struct Obedient {
    pub manners: Manners,
    parameters: BTreeMap<u32, Vec<u8>>,
    /// Areas and routes it holds, by the message that set them and their id.
    areas: BTreeSet<(u16, u32)>,
    texts: u64,
    pictures: u32,
    /// Of the message whose sub-packets are coming.
    parts: BTreeMap<u16, Vec<u8>>,
}

/// What it says back, whichever serial it goes under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// 0x0001 to the serial.
    Reply {
        serial: u16,
        id: u16,
        result: u8,
    },
    Parameters {
        serial: u16,
        list: Vec<(u32, Vec<u8>)>,
    },
    Attributes,
    Position {
        serial: u16,
    },
    Pictures {
        serial: u16,
        ids: Vec<u32>,
    },
}

impl Say {
    /// Hands the message to `write`.
    pub fn write<T>(&self, position: &Position<'_>, write: impl FnOnce(&Message<'_>) -> T) -> T {
        match self {
            Self::Reply { serial, id, result } => {
                write(&Message::TerminalReply { serial: *serial, id: *id, result: *result })
            }
            Self::Parameters { serial, list } => {
                let list = list.iter().map(|(id, value)| Parameter { id: *id, value }).collect();
                write(&Message::Parameters(Parameters { serial: *serial, list }))
            }
            Self::Attributes => write(&Message::Attributes(Attributes {
                kind: 0,
                maker: b"SIM01",
                model: b"LANTIAN-SIM",
                terminal_id: b"SIM",
                iccid: [0; 10],
                hardware: b"1",
                firmware: b"1.0",
                gnss: 3,
                radio: 32,
            })),
            Self::Position { serial } => {
                write(&Message::PositionReply(PositionReply { serial: *serial, position: position.clone() }))
            }
            Self::Pictures { serial, ids } => {
                write(&Message::ShootReply(ShootReply { serial: *serial, result: 0, ids: Some(ids.clone()) }))
            }
        }
    }
}

impl Obedient {
    pub fn new(manners: Manners) -> Self {
        // What most terminals come with.
        let parameters = [(0x0001, 60_u32), (0x0029, 10), (0x0055, 80)];
        let parameters = parameters.into_iter().map(|(id, value)| (id, value.to_be_bytes().to_vec())).collect();
        Self { manners, parameters, ..Self::default() }
    }

    /// Routes and areas it holds.
    pub fn areas(&self) -> usize {
        self.areas.len()
    }

    pub fn texts(&self) -> u64 {
        self.texts
    }

    /// What it says to a platform's message; nothing to answers.
    pub fn obey(&mut self, header: &Header, body: &[u8]) -> Vec<Say> {
        let is_command =
            matches!(header.id, 0x8103..=0x8108 | 0x8201..=0x8204 | 0x8300 | 0x8500 | 0x8600..=0x8608 | 0x8801);
        if !is_command || self.manners == Manners::Silent {
            return Vec::new();
        }
        let whole = match header.packet {
            Some(packet) if packet.total > 1 => {
                if packet.total > PACKETS_MAX {
                    return vec![Say::Reply { serial: header.serial, id: header.id, result: 1 }];
                }
                self.parts.insert(packet.number, body.to_vec());
                if self.parts.len() < usize::from(packet.total) {
                    return Vec::new();
                }
                std::mem::take(&mut self.parts).into_values().flatten().collect()
            }
            _ => body.to_vec(),
        };
        let say = if self.manners == Manners::Refuse {
            Say::Reply { serial: header.serial, id: header.id, result: 1 }
        } else {
            self.answer(header, &whole)
        };
        if self.manners == Manners::Twice { vec![say.clone(), say] } else { vec![say] }
    }

    fn answer(&mut self, header: &Header, body: &[u8]) -> Say {
        let Header { serial, id, .. } = *header;
        let ok = Say::Reply { serial, id, result: 0 };
        let decoded = protocol::jt808::Decoded::read_whole(id, Version::V2013, body);
        match decoded.message {
            Message::ParametersSet(set) => {
                self.parameters.extend(set.list.iter().map(|one| (one.id, one.value.to_vec())));
                ok
            }
            Message::ParametersWanted => {
                let list = self.parameters.iter().map(|(id, value)| (*id, value.clone())).collect();
                Say::Parameters { serial, list }
            }
            Message::SomeParametersWanted(wanted) => {
                let known = |id: &u32| self.parameters.get(id).map(|value| (*id, value.clone()));
                Say::Parameters { serial, list: wanted.ids.iter().filter_map(known).collect() }
            }
            Message::AttributesWanted => Say::Attributes,
            Message::PositionWanted => Say::Position { serial },
            Message::Shoot(wanted) => {
                let count = u32::from(wanted.command.min(100));
                let ids = (self.pictures + 1..=self.pictures + count).collect();
                self.pictures += count;
                Say::Pictures { serial, ids }
            }
            Message::Text(_) => {
                self.texts += 1;
                ok
            }
            Message::Circles(set) => {
                self.areas.extend(set.circles.iter().map(|one| (id, one.id)));
                ok
            }
            Message::Rectangles(set) => {
                self.areas.extend(set.rectangles.iter().map(|one| (id, one.id)));
                ok
            }
            Message::Polygon(one) => {
                self.areas.insert((id, one.id));
                ok
            }
            Message::Route(one) => {
                self.areas.insert((id, one.id));
                ok
            }
            Message::CirclesDeleted(gone)
            | Message::RectanglesDeleted(gone)
            | Message::PolygonsDeleted(gone)
            | Message::RoutesDeleted(gone) => {
                // They were set by the message before this one.
                self.areas.retain(|(set, one)| *set + 1 != id || !(gone.ids.is_empty() || gone.ids.contains(one)));
                ok
            }
            Message::Control(_) | Message::Tracking(_) | Message::AlarmConfirmation(_) | Message::LinkTest => ok,
            // Not of 2013, or not read.
            Message::Other { .. } => Say::Reply { serial, id, result: 2 },
            _ => Say::Reply { serial, id, result: 3 },
        }
    }
}

/// Whether a message of this id wants something of a terminal.
pub const fn is_command(message_id: u16) -> bool {
    !matches!(message_id, id::PLATFORM_REPLY | id::REGISTER_REPLY | id::TIME | id::RESEND_DOWN | id::MEDIA_REPLY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::jt808::{AreaIds, Event, Framer, Parts, Phone, Point, Route, RoutePoint, Tracking, encode_all};

    fn told(own: &mut Obedient, message: &Message<'_>) -> Vec<Say> {
        let phone = Phone::from_digits("13800000001", Version::V2013).unwrap();
        let mut framer = Framer::new();
        for frame in encode_all(Version::V2013, &phone, 40, message).unwrap() {
            framer.push(&frame);
        }
        let mut said = Vec::new();
        while let Some(Event::Frame { raw, .. }) = framer.next_event() {
            let parts = Parts::split(&raw).unwrap();
            said.extend(own.obey(&parts.header, parts.body));
        }
        said
    }

    fn route(points: u32) -> Message<'static> {
        let point = |id| RoutePoint {
            id,
            segment: id,
            point: Point { lat_e6: 34_800_000, lon_e6: 113_500_000 + id },
            width_m: 60,
            attributes: 0,
            times: None,
            speed: None,
        };
        Message::Route(Route {
            id: 9,
            attributes: 0,
            window: None,
            points: (0..points).map(point).collect(),
            name: None,
        })
    }

    #[test]
    fn a_route_is_kept_also_from_sub_packets_and_deleted() {
        let mut own = Obedient::new(Manners::Obey);
        let ok = |serial| vec![Say::Reply { serial, id: id::ROUTE, result: 0 }];
        assert_eq!(told(&mut own, &route(3)), ok(40));
        assert_eq!(told(&mut own, &route(130)), ok(42));
        assert_eq!(own.areas(), 1);
        told(&mut own, &Message::RoutesDeleted(AreaIds { ids: vec![9] }));
        assert_eq!(own.areas(), 0);
    }

    #[test]
    fn parameters_are_set_and_asked_back_and_bad_manners_are_kept() {
        let mut own = Obedient::new(Manners::Obey);
        let all = told(&mut own, &Message::ParametersWanted);
        assert!(matches!(&all[..], [Say::Parameters { serial: 40, list }] if list.len() == 3));
        let track = Message::Tracking(Tracking { interval_s: 0, validity_s: None });
        assert!(told(&mut Obedient::new(Manners::Silent), &track).is_empty());
        assert_eq!(told(&mut Obedient::new(Manners::Twice), &track).len(), 2);
        let refused = told(&mut Obedient::new(Manners::Refuse), &track);
        assert_eq!(refused, [Say::Reply { serial: 40, id: id::TRACKING, result: 1 }]);
    }
}
