//! Commands to the terminal: the next of its line is sent, its answers are matched, what is answered is told.

use super::Jt808Session;
use crate::downlink::jt808::{Exchange, Outcome};
use crate::metrics;
use crate::tcp::Actions;
use model::id::DeviceId;
use model::principal::DeviceAtEdge;
use model::time::IngestTime;
use protocol::jt808::{Decoded, Header, Phone, Version};

/// How a device is addressed, as it addresses us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    device: DeviceId,
    offset_minutes: i32,
    version: Version,
    pub(super) phone: Phone,
}

impl Voice {
    pub(super) fn of(header: &Header, device: &DeviceAtEdge) -> Self {
        let Header { version, phone, .. } = *header;
        Self { device: device.id, offset_minutes: device.offset_minutes, version, phone }
    }
}

impl Jt808Session {
    /// Takes the next command, and gives up one that stands no more.
    pub(super) fn command_turn(&mut self, now: IngestTime, out: &mut Actions) {
        let (edge, connection) = self.door.line();
        if self.exchange.as_ref().is_some_and(|exchange| edge.downlink.stands(exchange.order.id, connection)) {
            return;
        }
        self.exchange = None;
        let Some(Voice { device, offset_minutes, version, phone }) = self.voice else { return };
        let Some(order) = edge.downlink.take(device, connection) else { return };
        let id = order.id;
        match Exchange::start(order, (version, &phone), self.serial, offset_minutes, now) {
            Ok((exchange, Outcome { bytes, told, .. })) => {
                ::metrics::counter!(metrics::COMMANDS_SENT_TOTAL, "protocol" => "jt808").increment(1);
                self.serial = self.serial.wrapping_add(exchange.serials());
                self.exchange = Some(exchange);
                out.send.extend(bytes);
                if let Some(told) = told {
                    edge.downlink.told(device, id, connection, told);
                }
            }
            Err(told) => edge.downlink.told(device, id, connection, told),
        }
    }

    pub(super) fn heard_answer(&mut self, header: &Header, body: &[u8], now: IngestTime, out: &mut Actions) {
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.listens_to(header.id)) else { return };
        let outcome = match header.packet {
            // Its parts are put together elsewhere; that the last one came is enough here.
            Some(packet) if packet.number < packet.total => return,
            _ => exchange.hear(&Decoded::read(header, body).message, now),
        };
        self.answered(outcome, out);
    }

    pub(super) fn answered(&mut self, outcome: Outcome, out: &mut Actions) {
        let Some(exchange) = &self.exchange else { return };
        let (device, id) = (exchange.order.device, exchange.order.id);
        out.send.extend(outcome.bytes);
        if outcome.ended {
            self.exchange = None;
        }
        if let Some(told) = outcome.told {
            let (edge, connection) = self.door.line();
            edge.downlink.told(device, id, connection, told);
        }
    }

    pub(super) fn command_time(&mut self, now: IngestTime, out: &mut Actions) {
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.next_time() <= now) else { return };
        let outcome = exchange.on_time(now);
        if !outcome.bytes.is_empty() {
            ::metrics::counter!(metrics::COMMANDS_AGAIN_TOTAL, "protocol" => "jt808").increment(1);
        }
        self.answered(outcome, out);
    }
}
