//! The commands under way on one HJ 212 connection: at most one for each device that speaks on it.

use crate::downlink::hj212::{Outcome, Talk, Voice};
use crate::downlink::sooner;
use crate::edge::Edge;
use crate::metrics;
use crate::tcp::Actions;
use model::downlink::{Command, Order, Told};
use model::id::DeviceId;
use model::principal::DeviceAtEdge;
use model::time::IngestTime;
use protocol::hj212::{Message, QnSource, Version};

/// Devices of one connection that can be sent to.
const VOICES_MAX: usize = 256;
/// The system of answers and of what names none.
const SYSTEM: &str = "91";

#[derive(Debug, Default)]
pub(super) struct Talks {
    voices: Vec<(DeviceId, Voice)>,
    open: Vec<Talk>,
    numbers: QnSource,
}

impl Talks {
    /// A device speaks on this connection, and how.
    pub(super) fn note(&mut self, device: &DeviceAtEdge, message: &Message<'_>) {
        let st = message.st.filter(|st| !st.is_empty()).unwrap_or(SYSTEM);
        let version = Version::of_flag(message.flag);
        let room = self.voices.len() < VOICES_MAX;
        match self.voices.iter_mut().find(|(id, _)| *id == device.id) {
            Some((_, voice)) => {
                // Answers come as ST=91; a device's own system is in its data.
                if st != SYSTEM && *voice.st != *st {
                    voice.st = st.into();
                }
                (voice.version, voice.offset_minutes) = (version, device.offset_minutes);
            }
            None if room => {
                let mn = message.mn.unwrap_or_default().into();
                let voice = Voice { mn, st: st.into(), version, offset_minutes: device.offset_minutes };
                self.voices.push((device.id, voice));
            }
            None => {}
        }
    }

    /// A message of the device, which may be an answer.
    pub(super) fn hear(
        &mut self,
        (edge, connection): (&Edge, u64),
        device: DeviceId,
        message: &Message<'_>,
        now: IngestTime,
    ) {
        let Some(at) = self.open.iter().position(|talk| talk.order.device == device) else { return };
        let Some(talk) = self.open.get_mut(at) else { return };
        let Outcome { told, ended, .. } = talk.hear(message, now);
        let id = talk.order.id;
        if ended {
            self.open.swap_remove(at);
        }
        if let Some(told) = told {
            edge.downlink.told(device, id, connection, told);
        }
    }

    /// Somebody called: commands to take, or one that stands no more.
    pub(super) fn turn(&mut self, (edge, connection): (&Edge, u64), now: IngestTime, out: &mut Actions) {
        self.open.retain(|talk| edge.downlink.stands(talk.order.id, connection));
        let free: Vec<DeviceId> = self
            .voices
            .iter()
            .map(|(device, _)| *device)
            .filter(|device| self.open.iter().all(|talk| talk.order.device != *device))
            .collect();
        for device in free {
            if let Some(order) = edge.downlink.take(device, connection) {
                self.begin((edge, connection), order, now, out);
            }
        }
    }

    fn begin(&mut self, (edge, connection): (&Edge, u64), order: Order, now: IngestTime, out: &mut Actions) {
        let (device, id) = (order.device, order.id);
        let tells_time = matches!(order.command, Command::Hj212SetTime { .. });
        let Some((_, voice)) = self.voices.iter().find(|(known, _)| *known == device) else { return };
        let password = password(edge, device);
        match Talk::start(order, voice, &password, &mut self.numbers, now) {
            Ok((talk, outcome)) => {
                ::metrics::counter!(metrics::COMMANDS_SENT_TOTAL, "protocol" => "hj212").increment(1);
                if tells_time {
                    ::metrics::counter!(metrics::TIMES_TOLD_TOTAL).increment(1);
                }
                out.send.extend(outcome.frame.unwrap_or_default());
                self.open.push(talk);
                if let Some(told) = outcome.told {
                    edge.downlink.told(device, id, connection, told);
                }
            }
            Err(told) => edge.downlink.told(device, id, connection, told),
        }
    }

    pub(super) fn next_time(&self) -> Option<IngestTime> {
        self.open.iter().map(Talk::next_time).fold(None, sooner)
    }

    pub(super) fn on_time(&mut self, (edge, connection): (&Edge, u64), now: IngestTime, out: &mut Actions) {
        let mut told: Vec<(DeviceId, model::id::CommandId, Told)> = Vec::new();
        let voices = &self.voices;
        self.open.retain_mut(|talk| {
            let Order { device, id, .. } = talk.order;
            let Some((_, voice)) = voices.iter().find(|(known, _)| *known == device) else { return false };
            let outcome = talk.on_time(voice, &password(edge, device), now);
            if let Some(frame) = outcome.frame {
                ::metrics::counter!(metrics::COMMANDS_AGAIN_TOTAL, "protocol" => "hj212").increment(1);
                out.send.extend(frame);
            }
            told.extend(outcome.told.map(|told| (device, id, told)));
            !outcome.ended
        });
        for (device, id, told) in told {
            edge.downlink.told(device, id, connection, told);
        }
    }
}

fn password(edge: &Edge, device: DeviceId) -> String {
    edge.directory.hj212_password(device).as_deref().unwrap_or_default().to_owned()
}
