//! Topics that are not of our own grammar ([`super::topic`]) and that devices publish all the same.
//!
//! ```text
//! lantian/v1/{device}/raw/hj212|jt808                       frames behind an MQTT modem; …/reply goes back
//! v1/devices/me/attributes, …/rpc/response/{id}             ThingsBoard's, the device is the one connected
//! v1/devices/me/attributes/request/{id}                     answered at …/attributes/response/{id}
//! v1/gateway/telemetry|attributes|connect|disconnect        ThingsBoard's, the payload names the devices
//! spBv1.0/{group}/{message}/{edge}[/{device}]               Sparkplug B, see [`crate::sparkplug`]
//! {prefix}/onvif-ej/{topic}, {prefix}/onvif-mj/{topic}      ONVIF Profile M: events, metadata
//! ```

use super::topic::{ROOT, is_device_code};
use crate::sparkplug;

/// The protocol of frames behind a modem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RawWire {
    Hj212,
    Jt808,
}

impl RawWire {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hj212 => "hj212",
            Self::Jt808 => "jt808",
        }
    }
}

/// What a modem's device reads its answers at.
pub fn raw_reply(device: &str, wire: RawWire) -> String {
    format!("{ROOT}{device}/raw/{}/reply", wire.word())
}

/// A topic of `v1/gateway/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayTopic {
    Telemetry,
    Attributes,
    Connect,
    Disconnect,
}

/// A topic that somebody may publish to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign<'a> {
    Raw {
        device: &'a str,
        wire: RawWire,
    },
    Attributes,
    AttributesRequest {
        id: &'a str,
    },
    RpcResponse,
    Gateway(GatewayTopic),
    Sparkplug(sparkplug::Topic<'a>),
    OnvifEvent {
        prefix: &'a str,
        topic: &'a str,
    },
    /// What a camera sees all the time.
    OnvifMetadata {
        prefix: &'a str,
    },
}

impl<'a> Foreign<'a> {
    /// `None`: none of these.
    pub fn parse(name: &'a str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("spBv1.0/") {
            return sparkplug::Topic::parse(rest).map(Self::Sparkplug);
        }
        if let Some(rest) = name.strip_prefix("v1/gateway/") {
            return Some(Self::Gateway(match rest {
                "telemetry" => GatewayTopic::Telemetry,
                "attributes" => GatewayTopic::Attributes,
                "connect" => GatewayTopic::Connect,
                "disconnect" => GatewayTopic::Disconnect,
                _ => return None,
            }));
        }
        if let Some(rest) = name.strip_prefix("v1/devices/me/") {
            return match rest.split_once("/request/") {
                Some(("attributes", id)) => is_request_id(id).then_some(Self::AttributesRequest { id }),
                _ if rest == "attributes" => Some(Self::Attributes),
                _ => rest.strip_prefix("rpc/response/").filter(|id| is_request_id(id)).map(|_| Self::RpcResponse),
            };
        }
        if let Some((device, wire)) = name.strip_prefix(ROOT).and_then(|rest| rest.split_once("/raw/")) {
            let wire = match wire {
                "hj212" => RawWire::Hj212,
                "jt808" => RawWire::Jt808,
                _ => return None,
            };
            return is_device_code(device).then_some(Self::Raw { device, wire });
        }
        if let Some((prefix, topic)) = name.split_once("/onvif-ej/") {
            return (!prefix.is_empty() && !topic.is_empty()).then_some(Self::OnvifEvent { prefix, topic });
        }
        let (prefix, _) = name.split_once("/onvif-mj/")?;
        (!prefix.is_empty()).then_some(Self::OnvifMetadata { prefix })
    }
}

/// ThingsBoard's request ids are whole numbers.
fn is_request_id(id: &str) -> bool {
    (1..=10).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_convention_is_told_by_its_topic() {
        let raw = Foreign::Raw { device: "yj-1", wire: RawWire::Hj212 };
        assert_eq!(Foreign::parse("lantian/v1/yj-1/raw/hj212"), Some(raw));
        assert_eq!(raw_reply("yj-1", RawWire::Jt808), "lantian/v1/yj-1/raw/jt808/reply");
        assert_eq!(Foreign::parse("v1/devices/me/attributes"), Some(Foreign::Attributes));
        assert_eq!(Foreign::parse("v1/devices/me/rpc/response/17"), Some(Foreign::RpcResponse));
        let request = Foreign::AttributesRequest { id: "3" };
        assert_eq!(Foreign::parse("v1/devices/me/attributes/request/3"), Some(request));
        assert_eq!(Foreign::parse("v1/gateway/telemetry"), Some(Foreign::Gateway(GatewayTopic::Telemetry)));
        let event = Foreign::OnvifEvent { prefix: "lantian/v1/cam-1", topic: "RuleEngine/Motion/&Source" };
        assert_eq!(Foreign::parse("lantian/v1/cam-1/onvif-ej/RuleEngine/Motion/&Source"), Some(event));
        let metadata = Foreign::OnvifMetadata { prefix: "cam-1" };
        assert_eq!(Foreign::parse("cam-1/onvif-mj/VideoAnalytics/p/m"), Some(metadata));
        for none in [
            "",
            "lantian/v1/yj-1/raw/hj212/reply",
            "lantian/v1/yj-1/raw/modbus",
            "lantian/v1/A/raw/hj212",
            "v1/devices/me/rpc/response/x",
            "v1/devices/me/rpc/request/1",
            "v1/gateway/rpc",
            "/onvif-ej/x",
            "a/onvif-ej/",
            "spBv1.0/g/NDATA",
        ] {
            assert_eq!(Foreign::parse(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_answered(name in ".{0,60}") {
            let _ = Foreign::parse(&name);
        }
    }
}
