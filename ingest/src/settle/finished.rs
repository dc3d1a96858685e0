//! Messages of sub-packets that were complete a short while ago, by the hashes of their packets: a packet sent again is a frame and
//! begins nothing. Saved with what waits, so that a restart forgets none.

use super::hash;
use super::merge::{Cursor, put_bytes};
use model::envelope::{Channel, Envelope, Position};
use model::id::DeviceId;
use model::time::IngestTime;
use std::collections::BTreeMap;

/// Messages of one device that are remembered; the oldest goes first.
const PER_DEVICE_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct Finished {
    keep_ms: i64,
    /// By device and where the last packet stands.
    messages: BTreeMap<(DeviceId, Position), Message>,
    /// The earliest of all.
    earliest: IngestTime,
}

#[derive(Debug)]
struct Message {
    at: IngestTime,
    /// Of the packets as received, sorted.
    hashes: Vec<u64>,
}

impl Finished {
    /// What it saves begins with this; no split message has such a key.
    pub(super) const KEY: &'static str = "\u{1}finished";

    pub(super) const fn new(keep_ms: i64) -> Self {
        Self { keep_ms, messages: BTreeMap::new(), earliest: IngestTime::MAX }
    }

    /// Whether the frame was a packet of one of them.
    pub(super) fn has(&self, envelope: &Envelope) -> bool {
        if envelope.channel != Channel::Jt808Frame || self.messages.is_empty() {
            return false;
        }
        let mut recent = self
            .of_device(envelope.device)
            .filter(|(_, message)| envelope.received.since_ms(message.at) <= self.keep_ms)
            .peekable();
        if recent.peek().is_none() {
            return false;
        }
        let hash = hash::frame(&envelope.raw);
        recent.any(|(_, message)| message.hashes.binary_search(&hash).is_ok())
    }

    pub(super) fn put<'a>(&mut self, position: Position, last: &Envelope, packets: impl Iterator<Item = &'a Envelope>) {
        let mut hashes: Vec<_> = packets.map(|packet| hash::frame(&packet.raw)).collect();
        hashes.sort_unstable();
        let of_device: Vec<_> = self.of_device(last.device).map(|(key, _)| *key).collect();
        for oldest in of_device.iter().take((of_device.len() + 1).saturating_sub(PER_DEVICE_MAX)) {
            self.messages.remove(oldest);
        }
        self.insert((last.device, position), Message { at: last.received, hashes });
    }

    /// Forgets what is too old to count.
    pub(super) fn expire(&mut self, now: IngestTime) {
        if self.messages.is_empty() || now.since_ms(self.earliest) <= self.keep_ms {
            return;
        }
        self.messages.retain(|_, message| now.since_ms(message.at) <= self.keep_ms);
        self.earliest = self.messages.values().map(|message| message.at).min().unwrap_or(IngestTime::MAX);
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        for ((device, position), message) in &self.messages {
            put_bytes(out, Self::KEY.as_bytes());
            let words =
                [device.0.cast_unsigned(), u64::from(position.partition), position.seq, message.at.0.cast_unsigned()];
            out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            let hashes: Vec<u8> = message.hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
            put_bytes(out, &hashes);
        }
    }

    /// Puts back one message, after its key.
    pub(super) fn restore(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let device = DeviceId(cursor.word()?.cast_signed());
        let position = Position { partition: u16::try_from(cursor.word()?).ok()?, seq: cursor.word()? };
        let at = IngestTime(cursor.word()?.cast_signed());
        let hashes = cursor.bytes()?.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        self.insert((device, position), Message { at, hashes });
        Some(())
    }

    fn insert(&mut self, key: (DeviceId, Position), message: Message) {
        self.earliest = self.earliest.min(message.at);
        self.messages.insert(key, message);
    }

    fn of_device(&self, device: DeviceId) -> impl Iterator<Item = (&(DeviceId, Position), &Message)> {
        let first = (device, Position { partition: 0, seq: 0 });
        self.messages.range(first..).take_while(move |((of, _), _)| *of == device)
    }
}
