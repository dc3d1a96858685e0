//! ThingsBoard gateways: the document is taken apart, and each device's part goes to the journal as its own.

use super::{Entry, Intake, Publish, Taken, named};
use model::envelope::Channel;
use model::verdict::RefusalReason;
use protocol::mqtt::foreign::GatewayTopic;
use protocol::mqtt::thingsboard;

/// Of a name in a refusal.
const NAME_CHARS_MAX: usize = 64;

impl Intake {
    pub(super) fn gateway(&self, topic: GatewayTopic, publish: Publish<'_>, taken: &mut Taken) {
        match topic {
            GatewayTopic::Telemetry => self.apart(Channel::MqttThingsboard, publish, taken),
            GatewayTopic::Attributes => self.apart(Channel::MqttStatus, publish, taken),
            GatewayTopic::Connect | GatewayTopic::Disconnect => {
                let name = thingsboard::device(publish.payload);
                let device = match &name {
                    Ok(name) => named(&self.principal, name, &*self.edge.directory),
                    Err(problem) => return self.unreadable(&problem.to_string(), publish, taken),
                };
                let (Some(device), wire) = (device, &self.edge.wire) else {
                    return self.all_foreign(&name.unwrap_or_default(), publish, taken);
                };
                if topic == GatewayTopic::Connect {
                    wire.connected(device.id, self.connection, &self.peer, publish.received);
                } else {
                    wire.disconnected(device.id, self.connection, publish.received);
                }
            }
        }
    }

    fn apart(&self, channel: Channel, publish: Publish<'_>, taken: &mut Taken) {
        let parts = match thingsboard::parts(publish.payload) {
            Ok(parts) => parts,
            Err(problem) => return self.unreadable(&problem.to_string(), publish, taken),
        };
        let mut foreign = None;
        for part in parts {
            let Some(device) = named(&self.principal, &part.device, &*self.edge.directory) else {
                self.foreign(&part.device, publish);
                foreign = Some(part.device);
                continue;
            };
            // A part of its own memory: the journal may keep it longer than its neighbours.
            let raw = publish.payload.slice(part.range);
            let envelope = self.envelope(&device, channel, raw, publish.received);
            taken.entries.push(Entry { envelope, carrier: None });
        }
        taken.refused = taken.entries.is_empty() && foreign.is_some();
    }

    fn foreign(&self, name: &str, publish: Publish<'_>) {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        let detail = format!("{} is no device that {} speaks for", name, self.principal.name);
        self.refuse(RefusalReason::NotGranted, detail, publish);
    }

    fn all_foreign(&self, name: &str, publish: Publish<'_>, taken: &mut Taken) {
        self.foreign(name, publish);
        taken.refused = true;
    }

    /// No device is known for it, so there is nowhere to keep it.
    fn unreadable(&self, problem: &str, publish: Publish<'_>, taken: &mut Taken) {
        self.refuse(RefusalReason::Malformed, format!("{}: {problem}", publish.topic), publish);
        taken.refused = true;
    }
}
