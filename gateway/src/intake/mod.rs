//! What a publish on a topic of somebody else's convention becomes: frames behind an MQTT modem, ThingsBoard's device and
//! gateway topics, Sparkplug B, ONVIF events. One [`Intake`] a connection, be it a client of our front or a broker that we
//! read from; it decides and never waits.
//!
//! Identity is the connection's principal: a topic or payload may name a device only within its grants, and a frame behind a
//! modem must itself be of the device that the topic names. What is not granted is refused, counted and listed.
//!
//! | file | what |
//! |---|---|
//! | `carrier` | HJ 212 and JT/T 808 sessions behind a modem |
//! | `host` | Sparkplug: births, sequence, rebirth |
//! | `parts` | ThingsBoard gateways: one document for several devices |

mod carrier;
mod host;
mod parts;

use crate::edge::Edge;
use crate::limits::Seat;
use crate::metrics;
use crate::mqtt::grants;
use bytes::Bytes;
use carrier::Carriers;
use host::Host;
use model::envelope::{Channel, Envelope, Position, ProtocolKind};
use model::principal::{DeviceAtEdge, Grants, Principal};
use model::seams::{DeviceDirectory, Refusal};
use model::time::IngestTime;
use model::verdict::RefusalReason;
use protocol::mqtt::foreign::{Foreign, RawWire};
use protocol::mqtt::{titled, topic};
use protocol::sparkplug;
use std::sync::Arc;
use tokio::sync::Notify;

/// The device whose frames alone a session behind a modem takes.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) principal: Arc<Principal>,
    pub(crate) device: Arc<DeviceAtEdge>,
}

impl Carried {
    /// Why a frame of another is refused.
    pub(crate) fn foreign(&self, who: &str) -> String {
        let Self { principal, device } = self;
        format!("{who} came in the topic of {} ({}), published by {}", device.code, device.identity, principal.name)
    }
}

/// A message that somebody published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publish<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a Bytes,
    pub(crate) received: IngestTime,
}

/// A message to who published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Say {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    /// The topic does not name the device, so that only the connection it came by may get it.
    pub(crate) own: bool,
}

/// What goes to the journal, with the session behind a modem that waits for it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) envelope: Envelope,
    pub(crate) carrier: Option<u64>,
}

/// What became of a publish.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) entries: Vec<Entry>,
    /// At once: none of it acknowledges data.
    pub(crate) say: Vec<Say>,
    /// Nothing was taken, and it has been listed.
    pub(crate) refused: bool,
}

#[derive(Debug)]
pub(crate) struct Intake {
    edge: Edge,
    principal: Arc<Principal>,
    connection: u64,
    peer: String,
    seat: Arc<Seat>,
    carriers: Carriers,
    host: Host,
}

/// Whether a (checked) filter of these conventions stays with what is the principal's own.
pub(crate) fn may_subscribe(principal: &Principal, filter: &str, directory: &dyn DeviceDirectory) -> bool {
    if let Some(rest) = filter.strip_prefix(sparkplug::ROOT) {
        let levels: Vec<&str> = rest.split('/').collect();
        return match *levels.as_slice() {
            // Whether a host is there: no secret.
            ["STATE", _] => true,
            [_, "NCMD" | "DCMD", edge, ..] => named(principal, edge, directory).is_some(),
            _ => false,
        };
    }
    // Their answers go to the connection that asked, whatever the filter.
    let own = ["v1/devices/me/attributes", "v1/devices/me/attributes/response/+", "v1/devices/me/rpc/request/+"];
    let gateway = ["v1/gateway/attributes", "v1/gateway/attributes/response", "v1/gateway/rpc"];
    principal.grants != Grants::Observer && (own.contains(&filter) || gateway.contains(&filter))
}

/// The envelope of a will of these conventions: a Sparkplug node's death. `None`: not granted, or no death.
pub(crate) fn of_will(principal: &Principal, will: Publish<'_>, directory: &dyn DeviceDirectory) -> Option<Envelope> {
    let foreign = Foreign::parse(will.topic)?;
    if !matches!(foreign, Foreign::Sparkplug(topic) if topic.kind.is_death()) {
        return None;
    }
    let device = device_of(principal, &foreign, directory)?;
    Some(Envelope {
        received: will.received,
        principal: principal.id,
        device: device.id,
        channel: Channel::MqttSparkplug,
        remarks: 0,
        connection: 0,
        raw: Bytes::from(titled::join(will.topic, will.payload)),
    })
}

/// The device that a stored will is about, whose topic was checked when the client connected.
pub(crate) fn device_of_will(topic: &str, directory: &dyn DeviceDirectory) -> Option<Arc<DeviceAtEdge>> {
    let Some(Foreign::Sparkplug(topic)) = Foreign::parse(topic) else { return None };
    directory.device_by_code(topic.edge).or_else(|| directory.device_by_identity(ProtocolKind::Mqtt, topic.edge))
}

/// A device by code, or by the user name it would log in with, within the grants.
fn named(principal: &Principal, name: &str, directory: &dyn DeviceDirectory) -> Option<Arc<DeviceAtEdge>> {
    let by_identity = || directory.device_by_identity(ProtocolKind::Mqtt, name);
    let device = directory.device_by_code(name).or_else(by_identity)?;
    (device.enabled && principal.speaks_for(&device)).then_some(device)
}

/// The device that is connected itself.
fn own(principal: &Principal, directory: &dyn DeviceDirectory) -> Option<Arc<DeviceAtEdge>> {
    let Grants::One(id) = &principal.grants else { return None };
    directory.device(*id).filter(|device| device.enabled)
}

/// The device of a topic that names one.
fn device_of(
    principal: &Principal,
    foreign: &Foreign<'_>,
    directory: &dyn DeviceDirectory,
) -> Option<Arc<DeviceAtEdge>> {
    match foreign {
        Foreign::Raw { device, wire } => {
            let device = directory.device_by_code(device)?;
            let speaks = match wire {
                RawWire::Hj212 => ProtocolKind::Hj212,
                RawWire::Jt808 => ProtocolKind::Jt808,
            };
            let granted = device.enabled && principal.speaks_for(&device);
            (granted && device.protocol == speaks).then_some(device)
        }
        Foreign::Attributes | Foreign::AttributesRequest { .. } | Foreign::RpcResponse => own(principal, directory),
        Foreign::Gateway(_) => None,
        Foreign::Sparkplug(topic) if !topic.kind.is_upward() => None,
        Foreign::Sparkplug(topic) => match topic.device {
            None => named(principal, topic.edge, directory),
            Some(device) => {
                // A device speaks through an edge node of the same principal.
                named(principal, topic.edge, directory)?;
                let full = format!("{}/{device}", topic.edge);
                named(principal, &full, directory).or_else(|| named(principal, device, directory))
            }
        },
        Foreign::OnvifEvent { prefix, .. } | Foreign::OnvifMetadata { prefix } => {
            match prefix.strip_prefix(topic::ROOT) {
                Some(code) => named(principal, code, directory),
                // A camera's prefix is set by hand; behind its own credential it claims nothing.
                None => named(principal, prefix, directory).or_else(|| own(principal, directory)),
            }
        }
    }
}

impl Intake {
    pub(crate) fn new(edge: Edge, principal: Arc<Principal>, connection: u64, peer: String, seat: Arc<Seat>) -> Self {
        Self { edge, principal, connection, peer, seat, carriers: Carriers::default(), host: Host::default() }
    }

    /// For a broker, where topics of our own come the same way as others': what is not granted is listed.
    pub(crate) fn take_any(&mut self, publish: Publish<'_>) -> Taken {
        let sound = topic::check_name(publish.topic).is_ok();
        if let Some(grant) = grants::publish(&self.principal, publish.topic, &*self.edge.directory) {
            let envelope = self.envelope(&grant.device, grant.channel, publish.payload.clone(), publish.received);
            return Taken { entries: vec![Entry { envelope, carrier: None }], ..Taken::default() };
        }
        if let Some(taken) = sound.then(|| self.take(publish)).flatten() {
            return taken;
        }
        let shown: String = publish.topic.chars().take(128).collect();
        self.refuse(RefusalReason::NotGranted, format!("publish to {shown}"), publish);
        Taken { refused: true, ..Taken::default() }
    }

    /// A message that is too long to be taken was passed over.
    pub(crate) fn oversize(&self, topic: &str, bytes: usize, received: IngestTime) {
        let shown: String = topic.chars().take(128).collect();
        let publish = Publish { topic, payload: &Bytes::new(), received };
        self.refuse(RefusalReason::Oversize, format!("a message of {bytes} bytes to {shown}"), publish);
    }

    /// `None`: the topic is of no such convention, or not granted.
    pub(crate) fn take(&mut self, publish: Publish<'_>) -> Option<Taken> {
        let foreign = Foreign::parse(publish.topic)?;
        let mut taken = Taken::default();
        if let Foreign::Gateway(topic) = foreign {
            if self.principal.grants == Grants::Observer {
                return None;
            }
            count("thingsboard_gateway");
            self.gateway(topic, publish, &mut taken);
            return Some(taken);
        }
        let device = device_of(&self.principal, &foreign, &*self.edge.directory)?;
        match foreign {
            Foreign::Raw { wire, .. } => {
                count(wire.word());
                let opening = self.edge.clone();
                let carried = Carried { principal: Arc::clone(&self.principal), device };
                self.carriers.take(
                    (opening, self.connection, &self.peer, &self.seat),
                    carried,
                    wire,
                    publish,
                    &mut taken,
                );
            }
            Foreign::Attributes => {
                count("thingsboard");
                let envelope = self.envelope(&device, Channel::MqttStatus, publish.payload.clone(), publish.received);
                taken.entries.push(Entry { envelope, carrier: None });
            }
            Foreign::AttributesRequest { id } => {
                count("thingsboard");
                // There are none; a client waits for this answer before it begins.
                let topic = format!("v1/devices/me/attributes/response/{id}");
                taken.say.push(Say { topic, payload: Bytes::from_static(b"{}"), own: true });
            }
            Foreign::RpcResponse => {
                count("thingsboard");
                let envelope = self.envelope(&device, Channel::MqttReply, publish.payload.clone(), publish.received);
                taken.entries.push(Entry { envelope, carrier: None });
            }
            Foreign::Sparkplug(topic) => {
                count("sparkplug");
                // What cannot be read is kept: settle says why.
                if let Ok(payload) = sparkplug::Payload::read(publish.payload) {
                    taken.say.extend(self.host.see(&topic, &payload, publish.received));
                }
                taken.entries.push(self.titled(&device, Channel::MqttSparkplug, publish));
            }
            Foreign::OnvifEvent { .. } => {
                count("onvif");
                taken.entries.push(self.titled(&device, Channel::MqttOnvif, publish));
            }
            Foreign::OnvifMetadata { .. } => ::metrics::counter!(metrics::ONVIF_METADATA_TOTAL).increment(1),
            Foreign::Gateway(_) => {}
        }
        Some(taken)
    }

    /// The frame that a session behind a modem waits for is on disk.
    pub(crate) fn durable(&mut self, carrier: u64, position: Position, now: IngestTime) -> Vec<Say> {
        self.carriers.durable(carrier, position, now)
    }

    /// Told when a session behind a modem has something to look at: then [`Self::turn`].
    pub(crate) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.carriers.wake)
    }

    pub(crate) fn turn(&mut self, now: IngestTime) -> Vec<Say> {
        self.carriers.turn(now)
    }

    /// When [`Self::turn`] is due though nobody was told.
    pub(crate) fn next_time(&self) -> Option<IngestTime> {
        self.carriers.next_time()
    }

    /// The connection is gone.
    pub(crate) fn close(&mut self, now: IngestTime) {
        self.carriers.close(now);
    }

    fn envelope(&self, device: &DeviceAtEdge, channel: Channel, raw: Bytes, received: IngestTime) -> Envelope {
        let (principal, connection) = (self.principal.id, self.connection);
        Envelope { received, principal, device: device.id, channel, remarks: 0, connection, raw }
    }

    fn titled(&self, device: &DeviceAtEdge, channel: Channel, publish: Publish<'_>) -> Entry {
        let raw = Bytes::from(titled::join(publish.topic, publish.payload));
        Entry { envelope: self.envelope(device, channel, raw, publish.received), carrier: None }
    }

    fn refuse(&self, reason: RefusalReason, detail: String, publish: Publish<'_>) {
        const SAMPLE_BYTES_MAX: usize = 512;
        let word = match reason {
            RefusalReason::NotGranted => "not_granted",
            RefusalReason::Oversize => "oversize",
            _ => "malformed",
        };
        ::metrics::counter!(metrics::REFUSED_TOTAL, "protocol" => "mqtt", "reason" => word).increment(1);
        let sample = publish.payload.get(..SAMPLE_BYTES_MAX).unwrap_or(publish.payload);
        let device = match &self.principal.grants {
            Grants::One(device) => Some(*device),
            _ => None,
        };
        self.edge.doorstep.refused(Refusal {
            at: publish.received,
            protocol: ProtocolKind::Mqtt,
            device,
            peer: self.peer.clone(),
            reason,
            detail,
            sample: Bytes::copy_from_slice(sample),
        });
    }
}

fn count(convention: &'static str) {
    ::metrics::counter!(metrics::INTAKE_TOTAL, "convention" => convention).increment(1);
}
