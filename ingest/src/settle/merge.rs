//! Stage 2: the packets of one split message (HJ 212 PNUM/PNO, JT/T 808 sub-packets) become one message.
//!
//! Each packet is a frame of its own: acknowledged alone, counted as a frame when it comes. The record counts once, when all packets are
//! there or when [`SettleConfig::split_wait_ms`] of journal time have passed since the first; then what came is stored with the remark
//! `incomplete`, or quarantined for that reason when nothing in it can be used. Packets are kept raw and decoded together, with the profile
//! as of the entry that completes them. A packet that comes twice counts as a frame and is ignored. One that comes after its message was given up
//! starts a new wait and ends as a revision.
//!
//! JT/T 808 sub-packets ([`super::train`]) are waited for the same way, with two differences: a message with a packet missing is
//! quarantined as a whole, and for a while what was complete is remembered ([`super::finished`]), since terminals send packets again
//! whose acknowledgement they missed.
//!
//! A device may have [`SettleConfig::split_per_device_max`] messages waiting, and so many bytes; beyond it the one whose first packet
//! stands first in the journal is given up before its time, so that one device crowds out itself alone.
//!
//! What waits is saved with the cursor ([`Merge::save`]), so a restart anywhere gives the same records.

use super::SettleConfig;
use super::decode;
use super::draft::{Decoded, Draft, Fault, How, Origin, Packet};
use super::finished::Finished;
use super::foreign::Foreign;
use super::profile::Profile;
use super::train;
use crate::metrics::{SETTLE_SPLIT_CROWDED_TOTAL, SETTLE_SPLIT_INCOMPLETE_TOTAL, SETTLE_SPLIT_REFUSED_TOTAL};
use bytes::Bytes;
use model::envelope::{Channel, Envelope, Position};
use model::facts::Facts;
use model::id::{DeviceId, PrincipalId};
use model::time::IngestTime;
use model::verdict::QuarantineReason;
use std::collections::BTreeMap;

/// What became of a packet.
#[derive(Debug)]
pub enum Merged {
    Waiting,
    Complete(Split),
    /// No room to wait.
    Refused,
    /// Its number is none of its message, or there are more packets than any message has.
    Impossible,
    /// It takes the place of this one of the same number, which says otherwise: a sound packet that of a doubtful one, a later sound packet
    /// that of an earlier.
    Instead(Position, Envelope),
    /// Another one of the same number has its place, and this one is doubtful.
    Beside,
}

/// A split message with the packets that came, by number.
#[derive(Debug)]
pub struct Split {
    of: u32,
    since: IngestTime,
    packets: BTreeMap<u32, (Position, Envelope)>,
    /// Of all packets.
    bytes: usize,
}

/// Device, and what its packets have in common.
type Key = (DeviceId, String);

#[derive(Debug)]
pub struct Merge {
    config: SettleConfig,
    waiting: BTreeMap<Key, Split>,
    /// The earliest `since` of all that wait.
    earliest: IngestTime,
    /// Of all that wait.
    bytes: usize,
    finished: Finished,
}

impl Merge {
    fn new(config: SettleConfig) -> Self {
        let finished = Finished::new(config.split_wait_ms);
        Self { config, waiting: BTreeMap::new(), earliest: IngestTime::MAX, bytes: 0, finished }
    }

    fn key_of(&self, envelope: &Envelope, packet: &Packet) -> Key {
        let key = (envelope.device, format!("{}/{}", packet.key, packet.of));
        if self.waiting.contains_key(&key) {
            return key;
        }
        if envelope.channel != Channel::Jt808Frame {
            return self.key_untimed(envelope, packet).unwrap_or(key);
        }
        let is_same = |split: &Split| {
            split.of == packet.of
                && !split.packets.contains_key(&packet.number)
                && split.last().is_some_and(|(_, last)| train::is_uncounted(&last.raw, &envelope.raw))
        };
        let uncounted = self.of_device(envelope.device).find(|(_, split)| is_same(split)).map(|(key, _)| key.clone());
        uncounted.unwrap_or(key)
    }

    /// HJ 212: a packet without a `DataTime` belongs to the newest message of its command that lacks its number, and the packets of a
    /// message whose first to come had none to that one.
    fn key_untimed(&self, envelope: &Envelope, packet: &Packet) -> Option<Key> {
        let (command, time) = packet.key.split_once('/')?;
        let lacks = |key: &str, split: &Split| {
            let mut parts = key.split('/');
            let same = parts.next() == Some(command) && split.of == packet.of;
            let untimed = parts.next().is_some_and(str::is_empty);
            same && (time.is_empty() || untimed) && !split.packets.contains_key(&packet.number)
        };
        let open = self.of_device(envelope.device).filter(|((_, key), split)| lacks(key, split));
        open.max_by_key(|(_, split)| split.first()).map(|(key, _)| key.clone())
    }

    /// A message of the packet's device that must be given up before there is room for it. To be asked until there is none.
    pub fn crowded(&mut self, envelope: &Envelope, packet: &Packet) -> Option<Split> {
        if !self.is_possible(envelope, packet) || self.finished.has(envelope) {
            return None;
        }
        let key = self.key_of(envelope, packet);
        let (mut count, mut bytes, mut oldest) = (0, envelope.raw.len(), None);
        for (other, split) in self.of_device(envelope.device) {
            bytes += split.bytes;
            if *other == key {
                if split.packets.contains_key(&packet.number) {
                    return None;
                }
                continue;
            }
            count += 1;
            let first = (split.first(), other);
            oldest = Some(oldest.map_or(first, |oldest| first.min(oldest)));
        }
        if count < self.config.split_per_device_max && bytes <= self.config.split_per_device_bytes_max {
            return None;
        }
        let oldest = oldest?.1.clone();
        metrics::counter!(SETTLE_SPLIT_CROWDED_TOTAL).increment(1);
        self.take(&oldest)
    }

    /// [`Self::crowded`] comes first.
    pub fn put(&mut self, position: Position, envelope: &Envelope, packet: &Packet) -> Merged {
        if self.finished.has(envelope) {
            return Merged::Waiting;
        }
        let key = self.key_of(envelope, packet);
        let bytes = envelope.raw.len();
        let known = self.waiting.get(&key);
        if known.is_some_and(|split| split.packets.contains_key(&packet.number)) {
            return self.again(&key, position, envelope, packet.number);
        }
        if !self.is_possible(envelope, packet) {
            metrics::counter!(SETTLE_SPLIT_REFUSED_TOTAL).increment(1);
            return Merged::Impossible;
        }
        if (known.is_none() && self.waiting.len() >= self.config.split_max)
            || self.bytes + bytes > self.config.split_bytes_max
            || known.map_or(0, |split| split.bytes) + bytes > self.config.split_per_device_bytes_max
        {
            metrics::counter!(SETTLE_SPLIT_REFUSED_TOTAL).increment(1);
            return Merged::Refused;
        }
        let split = self.waiting.entry(key.clone()).or_insert_with(|| Split::new(packet.of, envelope.received));
        split.bytes += bytes;
        self.bytes += bytes;
        split.packets.insert(packet.number, (position, envelope.clone()));
        self.earliest = self.earliest.min(split.since);
        if split.packets.len() < usize::try_from(split.of).unwrap_or(usize::MAX) {
            return Merged::Waiting;
        }
        let Some(split) = self.take(&key) else { return Merged::Waiting };
        if envelope.channel == Channel::Jt808Frame {
            self.finished.put(position, envelope, split.packets.values().map(|(_, envelope)| envelope));
        }
        Merged::Complete(split)
    }

    /// A number that has come already.
    fn again(&mut self, key: &Key, position: Position, envelope: &Envelope, number: u32) -> Merged {
        let Some(split) = self.waiting.get_mut(key) else { return Merged::Waiting };
        let Some((_, held)) = split.packets.get(&number) else { return Merged::Waiting };
        let is_doubtful = |envelope: &Envelope| Origin::of(position, envelope).is_doubtful();
        let (was_doubtful, doubtful) = (is_doubtful(held), is_doubtful(envelope));
        if data(held) == data(envelope) && (doubtful || !was_doubtful) {
            return Merged::Waiting;
        }
        let more = envelope.raw.len().saturating_sub(held.raw.len());
        if doubtful || self.bytes + more > self.config.split_bytes_max {
            return Merged::Beside;
        }
        self.bytes = (self.bytes + envelope.raw.len()).saturating_sub(held.raw.len());
        split.bytes = (split.bytes + envelope.raw.len()).saturating_sub(held.raw.len());
        match split.packets.insert(number, (position, envelope.clone())) {
            Some((position, envelope)) => Merged::Instead(position, envelope),
            None => Merged::Waiting,
        }
    }

    fn is_possible(&self, envelope: &Envelope, packet: &Packet) -> bool {
        let most = match envelope.channel {
            Channel::Jt808Frame => self.config.train_packets_max,
            _ => self.config.split_packets_max,
        };
        packet.of <= most && (1..=packet.of).contains(&packet.number)
    }

    fn of_device(&self, device: DeviceId) -> impl Iterator<Item = (&Key, &Split)> {
        self.waiting.range((device, String::new())..).take_while(move |((of, _), _)| *of == device)
    }

    fn take(&mut self, key: &Key) -> Option<Split> {
        let split = self.waiting.remove(key)?;
        self.bytes = self.bytes.saturating_sub(split.bytes);
        Some(split)
    }

    /// The next message whose time is over at `now`, by (time, device, key).
    pub fn expired(&mut self, now: IngestTime) -> Option<Split> {
        self.finished.expire(now);
        if now.since_ms(self.earliest) <= self.config.split_wait_ms {
            return None;
        }
        let oldest = self.waiting.iter().min_by_key(|(key, split)| (split.since, (*key).clone()));
        let (key, since) = oldest.map(|(key, split)| (key.clone(), split.since)).unzip();
        self.earliest = since.unwrap_or(IngestTime::MAX);
        if now.since_ms(self.earliest) <= self.config.split_wait_ms {
            return None;
        }
        metrics::counter!(SETTLE_SPLIT_INCOMPLETE_TOTAL).increment(1);
        self.take(&key?)
    }

    /// All that waits, as bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for ((_, key), split) in &self.waiting {
            for (number, (position, envelope)) in &split.packets {
                put_bytes(&mut out, key.as_bytes());
                for word in [
                    u64::from(split.of),
                    u64::from(*number),
                    split.since.0.cast_unsigned(),
                    u64::from(position.partition),
                    position.seq,
                    envelope.received.0.cast_unsigned(),
                    envelope.principal.0.cast_unsigned(),
                    envelope.device.0.cast_unsigned(),
                    envelope.channel as u64,
                    u64::from(envelope.remarks),
                    envelope.connection,
                ] {
                    out.extend_from_slice(&word.to_le_bytes());
                }
                put_bytes(&mut out, &envelope.raw);
            }
        }
        self.finished.save(&mut out);
        out
    }

    /// Puts back what [`Self::save`] gave; bytes that are not its own are ignored from the first wrong one on.
    pub fn restore(config: SettleConfig, saved: &[u8]) -> Self {
        let mut merge = Self::new(config);
        let mut cursor = Cursor(saved);
        while !cursor.0.is_empty() {
            if merge.restore_one(&mut cursor).is_none() {
                tracing::error!(rest_bytes = cursor.0.len(), "saved split messages are damaged, the rest is left out");
                break;
            }
        }
        merge
    }

    fn restore_one(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let key = String::from_utf8(cursor.bytes()?.to_vec()).ok()?;
        if key == Finished::KEY {
            return self.finished.restore(cursor);
        }
        let (of, number) = (u32::try_from(cursor.word()?).ok()?, u32::try_from(cursor.word()?).ok()?);
        let since = IngestTime(cursor.word()?.cast_signed());
        let position = Position { partition: u16::try_from(cursor.word()?).ok()?, seq: cursor.word()? };
        let envelope = Envelope {
            received: IngestTime(cursor.word()?.cast_signed()),
            principal: PrincipalId(cursor.word()?.cast_signed()),
            device: DeviceId(cursor.word()?.cast_signed()),
            channel: Channel::from_u8(u8::try_from(cursor.word()?).ok()?)?,
            remarks: u8::try_from(cursor.word()?).ok()?,
            connection: cursor.word()?,
            raw: Bytes::copy_from_slice(cursor.bytes()?),
        };
        let split = self.waiting.entry((envelope.device, key));
        let split = split.or_insert_with(|| Split::new(of, since));
        split.bytes += envelope.raw.len();
        self.bytes += envelope.raw.len();
        split.packets.insert(number, (position, envelope));
        self.earliest = self.earliest.min(since);
        Some(())
    }
}

impl Split {
    const fn new(of: u32, since: IngestTime) -> Self {
        Self { of, since, packets: BTreeMap::new(), bytes: 0 }
    }

    /// Where its first packet stands in the journal.
    fn first(&self) -> Option<Position> {
        self.packets.values().map(|(position, _)| *position).min()
    }

    fn last(&self) -> Option<&(Position, Envelope)> {
        self.packets.values().max_by_key(|(position, _)| *position)
    }

    pub fn device(&self) -> DeviceId {
        self.last().map_or(DeviceId(0), |(_, envelope)| envelope.device)
    }

    /// Origin of the complete message: settled by its last packet.
    pub fn origin(&self, last: &Origin) -> Origin {
        if last.how != How::Frame {
            return last.clone();
        }
        let remarks = self.packets.values().fold(0, |bits, (_, envelope)| bits | envelope.remarks);
        Origin { frames: self.frames(), edge_remarks: remarks, how: How::Merged, ..last.clone() }
    }

    /// Origin of a message that was given up, settled by the entry that let its time run out.
    pub fn expired_origin(&self, position: Position) -> Origin {
        let (frame, received, channel) =
            self.last().map_or((position, self.since, Channel::Hj212Frame), |(frame, envelope)| {
                (*frame, envelope.received, envelope.channel)
            });
        let remarks = self.packets.values().fold(0, |bits, (_, envelope)| bits | envelope.remarks);
        let came = u32::try_from(self.packets.len()).unwrap_or(u32::MAX);
        Origin {
            position,
            frame,
            frames: self.frames(),
            device: self.device(),
            channel,
            received,
            edge_remarks: remarks,
            how: How::Incomplete { came, of: self.of },
        }
    }

    fn frames(&self) -> Vec<Position> {
        self.packets.values().map(|(position, _)| *position).collect()
    }

    /// All packets as one draft, in their order.
    pub fn decode<'p>(&self, facts: &Facts, profile: Option<&'p Profile>, foreign: &mut Foreign) -> Decoded<'p> {
        let complete = self.packets.len() == usize::try_from(self.of).unwrap_or(usize::MAX);
        if let Some((_, last)) = self.last()
            && last.channel == Channel::Jt808Frame
        {
            let packets = self.packets.values().map(|(_, envelope)| envelope);
            return if complete { decode::decode_train(last, packets, profile) } else { self.incomplete() };
        }
        let mut whole: Option<Draft<'p>> = None;
        let mut fault = None;
        for (_, envelope) in self.packets.values() {
            match decode::decode_packet(envelope, facts, profile, foreign) {
                Decoded::Drafts(drafts) => {
                    for draft in drafts {
                        match &mut whole {
                            None => whole = Some(draft),
                            Some(whole) => absorb(whole, draft),
                        }
                    }
                }
                Decoded::Unreadable(found) => fault = Some(found),
                Decoded::Nothing | Decoded::Packet(_) => {}
            }
        }
        match (whole, fault) {
            (Some(draft), _) if complete || !draft.values.is_empty() => Decoded::Drafts(vec![draft]),
            (_, Some(fault)) if complete => Decoded::Unreadable(fault),
            (None, None) if complete => Decoded::Nothing,
            _ => self.incomplete(),
        }
    }

    fn incomplete<'p>(&self) -> Decoded<'p> {
        let place = format!("{} of {} packets", self.packets.len(), self.of);
        Decoded::Unreadable(Fault::new(QuarantineReason::Incomplete, place))
    }
}

/// Values of a later packet go behind those of the earlier ones; of two for one quantity the earlier counts.
fn absorb<'p>(whole: &mut Draft<'p>, part: Draft<'p>) {
    let has_no_time =
        |draft: &Draft<'p>| draft.fault.as_ref().is_some_and(|fault| fault.reason == QuarantineReason::NoTime);
    // One DataTime is enough for all of a message's packets.
    match (has_no_time(whole), has_no_time(&part)) {
        (true, false) => {
            whole.key = part.key;
            whole.fault = part.fault;
        }
        (false, true) => {}
        _ => whole.fault = whole.fault.take().or(part.fault),
    }
    whole.values.extend(part.values);
    for remark in part.remarks {
        whole.remark(&remark.code, &remark.place);
    }
}

/// What a packet says: of an HJ 212 frame its data, since a resend may carry a request number of its own.
fn data(envelope: &Envelope) -> &[u8] {
    let raw = &envelope.raw[..];
    if envelope.channel != Channel::Hj212Frame {
        return raw;
    }
    let from = raw.windows(3).position(|three| three == b"CP=").unwrap_or(0);
    let to = raw.windows(2).rposition(|two| two == b"&&").unwrap_or(raw.len());
    raw.get(from..to).unwrap_or(raw)
}

/// Of bytes that several have saved one behind the other: what the owner of a key saved, empty when it saved nothing, and what stands
/// behind it. Damaged bytes are left out whole.
pub(super) fn section<'s>(saved: &'s [u8], key: &[u8]) -> (Cursor<'s>, &'s [u8]) {
    let mut cursor = Cursor(saved);
    if cursor.bytes() != Some(key) {
        return (Cursor(&[]), saved);
    }
    let Some(all) = cursor.bytes() else {
        tracing::error!(section = %key.escape_ascii(), "saved state is damaged and left out");
        return (Cursor(&[]), &[]);
    };
    (Cursor(all), cursor.0)
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.word()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}
