//! Frames of HJ 212 and JT/T 808 behind an MQTT modem. Each device has the session it would have on a socket, with the
//! modem's credential as its identity; a publish is a cut of its stream, with one frame, several, or a part of one.
//!
//! **What PUBACK promises.** The frames that end in the publish are on disk. A frame whose end is still to come is promised by
//! nothing but its own answer (9014, 0x8001), which leaves after its append on the topic `…/reply`.

use super::{Carried, Entry, Publish, Say, Taken};
use crate::edge::Edge;
use crate::hj212::Hj212Session;
use crate::jt808::Jt808Session;
use crate::limits::Seat;
use crate::metrics;
use crate::tcp::{Actions, Opening, Session};
use bytes::Bytes;
use model::envelope::Position;
use model::principal::DeviceAtEdge;
use model::seams::Committed;
use model::time::IngestTime;
use protocol::hj212::SEGMENT_BYTES_MAX;
use protocol::mqtt::foreign::{RawWire, raw_reply};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Devices behind one connection whose streams are kept; the one that was silent longest gives way.
const CARRIERS_MAX: usize = 256;

/// The least recently used first.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    list: VecDeque<Carrier>,
    given: u64,
    /// Somebody has something for one of the sessions.
    pub(super) wake: Arc<Notify>,
}

struct Carrier {
    number: u64,
    wire: RawWire,
    device: Arc<DeviceAtEdge>,
    edge: Edge,
    session: Box<dyn Session>,
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carrier")
            .field("number", &self.number)
            .field("device", &self.device.code)
            .finish_non_exhaustive()
    }
}

impl Carriers {
    pub(super) fn take(
        &mut self,
        (edge, connection, peer, seat): (Edge, u64, &str, &Arc<Seat>),
        carried: Carried,
        wire: RawWire,
        publish: Publish<'_>,
        taken: &mut Taken,
    ) {
        let known = self.list.iter().position(|carrier| carrier.wire == wire && carrier.device.id == carried.device.id);
        let known = known.and_then(|place| self.list.remove(place));
        let mut carrier = match known {
            Some(known) if *known.device == *carried.device => known,
            // A device whose registration has changed begins anew.
            other => {
                if let Some(mut old) = other {
                    old.session.on_close(publish.received);
                }
                self.given += 1;
                let wake = Arc::clone(&self.wake);
                Carrier::new((edge, connection, peer, wake), seat, carried, wire, self.given)
            }
        };
        let closed = carrier.take(publish, taken);
        if closed {
            carrier.session.on_close(publish.received);
            return;
        }
        if self.list.len() >= CARRIERS_MAX
            && let Some(mut oldest) = self.list.pop_front()
        {
            ::metrics::counter!(metrics::CARRIERS_CROWDED_TOTAL).increment(1);
            oldest.session.on_close(publish.received);
        }
        self.list.push_back(carrier);
    }

    pub(super) fn durable(&mut self, number: u64, position: Position, now: IngestTime) -> Vec<Say> {
        // One that gave way is not answered: its device sends again.
        let Some(carrier) = self.list.iter_mut().find(|carrier| carrier.number == number) else { return Vec::new() };
        let mut actions = Actions::default();
        carrier.session.on_durable(&Committed { first: position, count: 1, at: now }, now, &mut actions);
        for (device, position) in &actions.acknowledged {
            carrier.edge.wire.acknowledged(*device, *position, now);
        }
        carrier.say(actions.send).into_iter().collect()
    }

    /// Lets each session look what there is for it, and what is due: a command without an answer, sub-packets that did not come.
    pub(super) fn turn(&mut self, now: IngestTime) -> Vec<Say> {
        let turn = |carrier: &mut Carrier| {
            let mut actions = Actions::default();
            carrier.session.on_wake(now, &mut actions);
            if carrier.session.next_time().is_some_and(|due| due <= now) {
                carrier.session.on_time(now, &mut actions);
            }
            carrier.say(actions.send)
        };
        self.list.iter_mut().filter_map(turn).collect()
    }

    /// When [`Self::turn`] has something to do without being woken.
    pub(super) fn next_time(&self) -> Option<IngestTime> {
        self.list.iter().filter_map(|carrier| carrier.session.next_time()).min()
    }

    pub(super) fn close(&mut self, now: IngestTime) {
        for mut carrier in self.list.drain(..) {
            carrier.session.on_close(now);
        }
    }
}

impl Carrier {
    fn new(
        (edge, connection, peer, wake): (Edge, u64, &str, Arc<Notify>),
        seat: &Arc<Seat>,
        carried: Carried,
        wire: RawWire,
        number: u64,
    ) -> Self {
        let device = Arc::clone(&carried.device);
        let opening = Opening {
            edge: edge.clone(),
            connection,
            peer: peer.to_owned(),
            // A device that connects by itself as well does not end the modem's connection.
            cut: CancellationToken::new(),
            wake,
            // The modem's own: what it carries that is no frame counts against its address.
            seat: Arc::clone(seat),
        };
        let session: Box<dyn Session> = match wire {
            RawWire::Hj212 => Box::new(Hj212Session::carried(opening, SEGMENT_BYTES_MAX, carried)),
            RawWire::Jt808 => Box::new(Jt808Session::carried(opening, carried)),
        };
        Self { number, wire, device, edge, session }
    }

    /// True: the session wants to end.
    fn take(&mut self, publish: Publish<'_>, taken: &mut Taken) -> bool {
        let mut actions = Actions::default();
        self.session.on_bytes(publish.payload);
        // The whole publish is appended before it is acknowledged, so there is no bound but its own size.
        self.session.advance(publish.received, usize::MAX, &mut actions);
        let carrier = Some(self.number);
        taken.entries.extend(actions.append.into_iter().map(|envelope| Entry { envelope, carrier }));
        taken.say.extend(self.say(actions.send));
        actions.close.is_some()
    }

    fn say(&self, bytes: Vec<u8>) -> Option<Say> {
        let topic = raw_reply(&self.device.code, self.wire);
        (!bytes.is_empty()).then(|| Say { topic, payload: Bytes::from(bytes), own: false })
    }
}
