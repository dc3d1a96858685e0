//! Which alarms of a terminal have attachments, and the order 0x9208 for each: once a connection, after the alarm is on disk.

use super::Attachments;
use crate::metrics;
use model::time::IngestTime;
use protocol::jt808::{AlarmId, AttachmentsWanted, Decoded, ItemValue, Message, Parts, Phone, Position, id};
use std::collections::VecDeque;
use std::sync::Arc;

/// Alarms of one frame.
const ASKS_MAX: usize = 8;
/// Alarms remembered, so that none is asked for twice: terminals repeat one in every position while it lasts.
const REMEMBERED_MAX: usize = 64;

/// An alarm's id as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask(Vec<u8>);

/// An order that is to be sent.
#[derive(Debug)]
pub(in crate::jt808) struct Order {
    shared: Arc<Attachments>,
    alarm: Vec<u8>,
    number: String,
}

/// One connection's part.
#[derive(Debug)]
pub struct Asking {
    shared: Arc<Attachments>,
    known: VecDeque<Ask>,
}

impl Asking {
    pub const fn new(shared: Arc<Attachments>) -> Self {
        Self { shared, known: VecDeque::new() }
    }

    /// The alarms of a frame that were not asked for before.
    pub(in crate::jt808) fn alarms(&mut self, parts: &Parts<'_>) -> Vec<Ask> {
        let mut found = Vec::new();
        if !matches!(parts.header.id, id::POSITION | id::BATCH) {
            return found;
        }
        match Decoded::read(&parts.header, parts.body).message {
            Message::Position(position) => self.collect(&position, &mut found),
            Message::Batch(batch) => batch.positions.iter().for_each(|position| self.collect(position, &mut found)),
            _ => {}
        }
        found
    }

    fn collect(&mut self, position: &Position<'_>, found: &mut Vec<Ask>) {
        for item in &position.items {
            let alarm = match item.read() {
                ItemValue::Adas(alarm) | ItemValue::Dsm(alarm) | ItemValue::BlindSpot(alarm) => alarm.alarm,
                ItemValue::TyrePressure(alarm) => alarm.alarm,
                _ => continue,
            };
            let ask = Ask(alarm.to_bytes());
            if alarm.attachments == 0 || found.len() >= ASKS_MAX || self.known.contains(&ask) {
                continue;
            }
            if self.known.len() >= REMEMBERED_MAX {
                self.known.pop_front();
            }
            self.known.push_back(ask.clone());
            found.push(ask);
        }
    }

    pub(in crate::jt808) fn orders(&self, phone: &Phone, asks: &[Ask], now: IngestTime) -> Vec<Order> {
        let orders = asks.iter().map(|Ask(alarm)| Order {
            shared: Arc::clone(&self.shared),
            alarm: alarm.clone(),
            number: self.shared.numbers.give(phone.trimmed(), alarm, now),
        });
        let orders: Vec<_> = orders.collect();
        ::metrics::counter!(metrics::ATTACHMENTS_ASKED_TOTAL).increment(u64::try_from(orders.len()).unwrap_or(0));
        orders
    }
}

impl Order {
    pub(in crate::jt808) fn message(&self) -> Message<'_> {
        match AlarmId::of_bytes(&self.alarm) {
            Some(alarm) => Message::AttachmentsWanted(AttachmentsWanted {
                host: self.shared.host.as_bytes(),
                tcp_port: self.shared.port,
                udp_port: 0,
                alarm,
                alarm_number: self.number.as_bytes(),
                reserve: &[],
            }),
            // Its bytes are of [`AlarmId::to_bytes`], so this is never sent.
            None => Message::LinkTest,
        }
    }
}
