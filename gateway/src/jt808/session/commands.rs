//! Commands to the terminal: the next of its line is sent, its answers are matched, what is answered is told.

use super::Jt808Session;
use crate::downlink::jt808::{Exchange, Outcome};
use crate::metrics;
use crate::tcp::Actions;
use model::time::IngestTime;
use protocol::jt808::{Decoded, Header};

impl Jt808Session {
    /// Takes the next command, and gives up one that stands no more.
    pub(super) fn command_turn(&mut self, now: IngestTime, out: &mut Actions) {
        let (edge, connection) = self.door.line();
        if self.exchange.as_ref().is_some_and(|exchange| edge.downlink.stands(exchange.order.id, connection)) {
            return;
        }
        self.exchange = None;
        let Some(who) = &self.who else { return };
        let (device, offset) = (who.device.id, who.device.offset_minutes);
        let Some(order) = edge.downlink.take(device, connection) else { return };
        let id = order.id;
        match Exchange::start(order, (who.version, &who.phone), self.serial, offset, now) {
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
}
