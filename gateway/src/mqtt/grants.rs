//! Who may publish and subscribe to what. Pure: topic, principal and directory in, answer out.

use model::envelope::Channel;
use model::principal::{DeviceAtEdge, Grants, Principal};
use model::seams::DeviceDirectory;
use protocol::mqtt::topic::{ROOT, Topic, TopicKind};
use std::sync::Arc;

/// What a topic name means for a principal that may publish to it.
#[derive(Debug, Clone)]
pub(crate) struct PublishGrant {
    pub(crate) device: Arc<DeviceAtEdge>,
    pub(crate) kind: TopicKind,
    pub(crate) channel: Channel,
}

/// `None`: not granted.
pub(crate) fn publish(principal: &Principal, topic: &str, directory: &dyn DeviceDirectory) -> Option<PublishGrant> {
    let (device, kind, channel) = match Topic::parse(topic)? {
        Topic::Device { device, kind } => (directory.device_by_code(device)?, kind, channel(kind)?),
        Topic::Thingsboard => {
            let Grants::One(id) = &principal.grants else { return None };
            (directory.device(*id)?, TopicKind::Telemetry, Channel::MqttThingsboard)
        }
    };
    (device.enabled && principal.speaks_for(&device)).then_some(PublishGrant { device, kind, channel })
}

const fn channel(kind: TopicKind) -> Option<Channel> {
    Some(match kind {
        TopicKind::Telemetry => Channel::MqttTelemetry,
        TopicKind::Event => Channel::MqttEvent,
        TopicKind::Status => Channel::MqttStatus,
        TopicKind::Reply => Channel::MqttReply,
        TopicKind::Command | TopicKind::Errors => return None,
    })
}

/// Whether a (checked) filter stays inside what the principal may read: observers all of ours, others the topics of
/// devices they speak for, each named without a wildcard.
pub(crate) fn subscribe(principal: &Principal, filter: &str, directory: &dyn DeviceDirectory) -> bool {
    if principal.grants == Grants::Observer {
        return filter == "lantian" || filter.starts_with("lantian/");
    }
    let Some((code, _)) = filter.strip_prefix(ROOT).and_then(|rest| rest.split_once('/')) else { return false };
    directory.device_by_code(code).is_some_and(|device| principal.speaks_for(&device))
}
