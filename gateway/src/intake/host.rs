//! Sparkplug B, the host's part: which edge nodes were born on this connection, whether their sequence has a gap, and when a
//! birth must be asked for again. Meaning is settle's; here is only what must be said to the node.
//!
//! | seen | asked for |
//! |---|---|
//! | data or a device's birth of a node without a birth | `no_birth` |
//! | data of a device without a birth | `no_birth` |
//! | `seq` is not the next one (the same once more is a message sent again) | `gap` |
//! | an alias that no birth gave | `alias` |
//!
//! At most once in [`PAUSE_MS`] a node; until its birth comes, each message behind a gap asks again once that time is over.

use super::Say;
use crate::metrics;
use ahash::{AHashMap, AHashSet};
use bytes::Bytes;
use model::time::IngestTime;
use protocol::sparkplug::{BD_SEQ, MessageKind, Payload, Topic, Value, rebirth_request};

/// Edge nodes of one connection that are watched.
const NODES_MAX: usize = 1_024;
/// Devices of one node, and aliases of one birth, that are remembered.
const DEVICES_MAX: usize = 256;
const ALIASES_MAX: usize = 8_192;
/// Between two requests to one node.
const PAUSE_MS: i64 = 10_000;

#[derive(Debug, Default)]
pub(super) struct Host {
    nodes: AHashMap<String, Node>,
}

#[derive(Debug, Default)]
struct Node {
    born: bool,
    bd_seq: Option<u64>,
    seq: Option<u64>,
    own: AHashSet<u64>,
    devices: AHashMap<String, AHashSet<u64>>,
    asked: Option<IngestTime>,
    /// Behind a gap what comes by alias counts toward nothing until the next birth.
    gap: bool,
}

impl Host {
    /// A message of a node or device: the request for a birth that it makes necessary.
    pub(super) fn see(&mut self, topic: &Topic<'_>, payload: &Payload<'_>, now: IngestTime) -> Option<Say> {
        let name = format!("{}/{}", topic.group, topic.edge);
        if !self.nodes.contains_key(&name) && self.nodes.len() >= NODES_MAX {
            ::metrics::counter!(metrics::SPARKPLUG_UNWATCHED_TOTAL).increment(1);
            return None;
        }
        let node = self.nodes.entry(name).or_default();
        let why = node.see(topic, payload).or_else(|| node.still_wanted(topic))?;
        if node.asked.is_some_and(|asked| now.since_ms(asked) < PAUSE_MS) {
            ::metrics::counter!(metrics::REBIRTHS_HELD_TOTAL).increment(1);
            return None;
        }
        node.asked = Some(now);
        ::metrics::counter!(metrics::REBIRTHS_ASKED_TOTAL, "why" => why).increment(1);
        let to = Topic { kind: MessageKind::NodeCommand, device: None, ..*topic };
        let request = rebirth_request(u64::try_from(now.as_ms()).unwrap_or(0));
        Some(Say { topic: to.to_string(), payload: Bytes::from(request), own: false })
    }
}

impl Node {
    fn see(&mut self, topic: &Topic<'_>, payload: &Payload<'_>) -> Option<&'static str> {
        match topic.kind {
            MessageKind::NodeBirth => {
                *self = Self {
                    born: true,
                    bd_seq: bd_seq(payload),
                    seq: payload.seq,
                    own: aliases(payload),
                    devices: AHashMap::new(),
                    asked: self.asked,
                    gap: false,
                };
                None
            }
            MessageKind::NodeDeath => {
                // The will of an earlier session may come after the birth of this one.
                if bd_seq(payload).is_none_or(|of| self.bd_seq.is_none_or(|own| own == of)) {
                    self.born = false;
                }
                None
            }
            MessageKind::NodeData => self.next(payload).or_else(|| unknown_alias(&self.own, payload)),
            MessageKind::DeviceBirth => {
                let why = self.next(payload);
                let device = topic.device.unwrap_or_default();
                if self.devices.len() < DEVICES_MAX || self.devices.contains_key(device) {
                    self.devices.insert(device.to_owned(), aliases(payload));
                }
                why
            }
            MessageKind::DeviceDeath => {
                let why = self.next(payload);
                self.devices.remove(topic.device.unwrap_or_default());
                why
            }
            MessageKind::DeviceData => {
                let why = self.next(payload);
                let device = self.devices.get(topic.device.unwrap_or_default());
                why.or_else(|| match device {
                    Some(known) => unknown_alias(known, payload),
                    None if self.devices.len() >= DEVICES_MAX => None,
                    None => Some("no_birth"),
                })
            }
            MessageKind::NodeCommand | MessageKind::DeviceCommand => None,
        }
    }

    fn next(&mut self, payload: &Payload<'_>) -> Option<&'static str> {
        if !self.born {
            return Some("no_birth");
        }
        let last = std::mem::replace(&mut self.seq, payload.seq);
        let fits = match (last, payload.seq) {
            (Some(last), Some(this)) => this == last || this == (last + 1) % 256,
            // A node that does not count cannot have a gap.
            _ => true,
        };
        self.gap |= !fits;
        (!fits).then_some("gap")
    }

    /// A birth that was held back, or asked for in vain.
    fn still_wanted(&self, topic: &Topic<'_>) -> Option<&'static str> {
        (self.born && self.gap && topic.kind.is_upward() && !topic.kind.is_death()).then_some("gap")
    }
}

fn bd_seq(payload: &Payload<'_>) -> Option<u64> {
    match payload.metric(BD_SEQ)?.value {
        Value::Int(number) => Some(u64::from(number)),
        Value::Long(number) => Some(number),
        _ => None,
    }
}

fn aliases(payload: &Payload<'_>) -> AHashSet<u64> {
    payload.metrics.iter().filter_map(|metric| metric.alias).take(ALIASES_MAX).collect()
}

fn unknown_alias(known: &AHashSet<u64>, payload: &Payload<'_>) -> Option<&'static str> {
    let nameless = payload.metrics.iter().filter(|metric| metric.name.is_none());
    let unknown = nameless.filter_map(|metric| metric.alias).any(|alias| !known.contains(&alias));
    (unknown && known.len() < ALIASES_MAX).then_some("alias")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sparkplug::Metric;

    fn at(ms: i64) -> IngestTime {
        IngestTime(ms)
    }

    fn see(host: &mut Host, name: &str, seq: Option<u64>, aliases: &[u64], ms: i64) -> Option<Say> {
        let topic = Topic::parse(name).unwrap();
        let metric = |alias: &u64| Metric {
            name: topic.kind.is_birth().then_some("m"),
            alias: Some(*alias),
            value: Value::Double(1.0),
            ..Metric::default()
        };
        let payload = Payload { timestamp: Some(1), seq, metrics: aliases.iter().map(metric).collect() };
        host.see(&topic, &payload, at(ms))
    }

    #[test]
    fn a_birth_is_asked_for_once_a_while_and_only_when_something_is_missing() {
        let mut host = Host::default();
        let asked = see(&mut host, "g/NDATA/e", Some(5), &[1], 0).unwrap();
        assert_eq!(asked.topic, "spBv1.0/g/NCMD/e");
        assert!(Payload::read(&asked.payload).unwrap().metric(protocol::sparkplug::REBIRTH).is_some());
        assert_eq!(see(&mut host, "g/NDATA/e", Some(6), &[1], 9_999), None, "not again at once");
        assert!(see(&mut host, "g/NDATA/e", Some(7), &[1], 10_000).is_some());
        assert_eq!(see(&mut host, "g/NBIRTH/e", Some(0), &[1], 20_001), None);
        assert_eq!(see(&mut host, "g/NDATA/e", Some(1), &[1], 30_000), None);
        assert_eq!(see(&mut host, "g/NDATA/e", Some(1), &[1], 30_001), None, "sent again");
        assert!(see(&mut host, "g/NDATA/e", Some(3), &[1], 50_000).is_some(), "a gap");
        assert_eq!(see(&mut host, "g/NBIRTH/e", Some(4), &[1], 69_000), None);
        assert!(see(&mut host, "g/NDATA/e", Some(5), &[9], 90_000).is_some(), "an alias nobody gave");
    }

    #[test]
    fn a_gap_is_asked_about_until_the_birth_comes_also_when_the_first_request_had_to_wait() {
        let mut host = Host::default();
        assert_eq!(see(&mut host, "g/NBIRTH/e", Some(0), &[1], 0), None);
        assert!(see(&mut host, "g/NDATA/e", Some(5), &[1], 1).is_some());
        assert_eq!(see(&mut host, "g/NBIRTH/e", Some(0), &[1], 100), None);
        assert_eq!(see(&mut host, "g/NDATA/e", Some(7), &[1], 200), None, "within ten seconds of the last");
        assert_eq!(see(&mut host, "g/NDATA/e", Some(8), &[1], 9_000), None);
        assert!(see(&mut host, "g/NDATA/e", Some(9), &[1], 10_001).is_some(), "held back, not dropped");
        assert!(see(&mut host, "g/NDATA/e", Some(10), &[1], 20_001).is_some(), "the request may have been lost");
        assert_eq!(see(&mut host, "g/NBIRTH/e", Some(0), &[1], 20_002), None);
        assert_eq!(see(&mut host, "g/NDATA/e", Some(1), &[1], 40_000), None, "settled");
    }

    #[test]
    fn the_sequence_wraps_and_devices_need_their_own_birth() {
        let mut host = Host::default();
        assert_eq!(see(&mut host, "g/NBIRTH/e", Some(254), &[1], 0), None);
        assert_eq!(see(&mut host, "g/DBIRTH/e/d", Some(255), &[2], 1), None);
        assert_eq!(see(&mut host, "g/DDATA/e/d", Some(0), &[2], 2), None);
        assert!(see(&mut host, "g/DDATA/e/other", Some(1), &[2], 3).is_some());
        assert_eq!(see(&mut host, "g/DDEATH/e/d", Some(2), &[], 20_000), None);
        assert!(see(&mut host, "g/DDATA/e/d", Some(3), &[2], 40_000).is_some());
    }

    #[test]
    fn nodes_beyond_the_bound_are_not_watched() {
        let mut host = Host::default();
        for n in 0..NODES_MAX {
            assert!(see(&mut host, &format!("g/NDATA/e{n}"), Some(0), &[], 0).is_some());
        }
        assert_eq!(see(&mut host, "g/NDATA/one-more", Some(0), &[], 0), None);
    }
}
