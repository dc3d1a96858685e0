//! Commands to the devices that speak on a connection: taken from their lines, published to the session's own subscription, answered by
//! a reply that names them. A device whose client does not subscribe to its commands has them wait.

use super::Connection;
use crate::downlink::mqtt;
use crate::metrics as shared;
use crate::mqtt::session::lock;
use ::metrics::counter;
use bytes::Bytes;
use model::downlink::Told;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::principal::DeviceAtEdge;
use protocol::mqtt::topic::{self, Topic, TopicKind};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Devices of one connection, a bridge's, that commands are sent to.
const COMMANDED_MAX: usize = 256;

/// A device that commands may be sent to here.
#[derive(Debug)]
pub(crate) struct Commanded {
    device: DeviceId,
    topic: Box<str>,
    code: Arc<str>,
}

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// The device speaks here: its commands come here.
    pub(in crate::mqtt) fn attach(&mut self, row: &DeviceAtEdge) {
        let (device, code) = (row.id, &row.code);
        let known = self.commanded.iter().any(|one| one.device == device);
        // One behind a modem is told by the session that its frames have.
        if known || row.protocol != ProtocolKind::Mqtt || self.commanded.len() >= COMMANDED_MAX {
            return;
        }
        let topic = Topic::Device { device: code, kind: TopicKind::Command }.to_string().into();
        self.commanded.push(Commanded { device, topic, code: Arc::clone(code) });
        self.tell_attached(device);
    }

    /// What is subscribed to has changed: what was not taken may be now.
    pub(in crate::mqtt) fn attach_again(&self) {
        for one in &self.commanded {
            self.tell_attached(one.device);
        }
    }

    fn tell_attached(&self, device: DeviceId) {
        let port = Arc::clone(&self.port);
        self.hub.edge.downlink.attach(device, self.id, Arc::new(move || port.orders()));
    }

    pub(super) fn detach_all(&mut self) {
        for one in std::mem::take(&mut self.commanded) {
            self.hub.edge.downlink.detach(one.device, self.id);
        }
    }

    pub(super) fn send_commands(&self) {
        let edge = &self.hub.edge;
        for one in &self.commanded {
            // One at a time a device; the next is given when this one has ended.
            let Some(order) = edge.downlink.take(one.device, self.id) else { continue };
            let told = match mqtt::payload(&order, edge.clock.now()) {
                None => Told::Failed { why: "cannot_be_written", text: String::new() },
                Some(_) if !self.subscribes_to(&one.topic) => {
                    counter!(shared::COMMANDS_NOT_TAKEN_TOTAL).increment(1);
                    Told::NotTaken { why: "not_subscribed" }
                }
                Some(text) => {
                    counter!(shared::COMMANDS_SENT_TOTAL, "protocol" => "mqtt").increment(1);
                    self.hub.publish_to_device(&one.code, TopicKind::Command, Bytes::from(text), 1);
                    Told::Sent { number: order.id.to_string() }
                }
            };
            edge.downlink.told(one.device, order.id, self.id, told);
        }
    }

    fn subscribes_to(&self, name: &str) -> bool {
        lock(&self.session.state).subscriptions.iter().any(|own| topic::matches(&own.filter, name))
    }

    /// A reply of the device; one that names no command is data like any other.
    pub(in crate::mqtt) fn heard_reply(&self, device: DeviceId, raw: &[u8]) {
        if let Some((id, told)) = mqtt::read(raw) {
            self.hub.edge.downlink.told(device, id, self.id, told);
        }
    }
}
