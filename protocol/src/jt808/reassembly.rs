//! Puts messages together that came in sub-packets.
//!
//! The packets of a message carry consecutive serials, so number and serial of any packet give the serial of the first: that,
//! with phone and message id, is the train a packet belongs to, in whatever order they come. A train is bounded in packets,
//! bytes and age; one that ends unfinished is reported. Two dialects are survived: packets that all have one serial, and
//! packets sent again under new serials after they were asked for. 2011's 0x0801 has its own numbering in the body, with or
//! without sub-packets in the header; its repeated heads are cut so that the message has one.
//!
//! No clock: the caller passes milliseconds of any origin.

use super::catalogue::id;
use super::header::{Header, Packet, Phone, Version};
use super::media::{HEAD_2011, media_packet_2011};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

/// Bounds of a [`Reassembly`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReassemblyLimits {
    /// Unfinished messages at once.
    pub trains_max: usize,
    /// Packets of one message.
    pub packets_max: u16,
    /// Bytes of one message.
    pub message_bytes_max: usize,
    /// Bytes of all unfinished messages, with [`PACKET_OVERHEAD_BYTES`] for each packet.
    pub bytes_max: usize,
    /// Since the last new packet of a message.
    pub age_ms_max: u64,
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        Self { trains_max: 8, packets_max: 4_096, message_bytes_max: 2 << 20, bytes_max: 4 << 20, age_ms_max: 120_000 }
    }
}

/// What a kept packet costs beside its bytes.
pub const PACKET_OVERHEAD_BYTES: usize = 96;
/// Numbers in one request for packets: the count of 2013 is a byte.
pub const MISSING_MAX: usize = 255;
/// Finished messages remembered, so that their packets sent again open nothing.
const FINISHED_MAX: usize = 8;

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The message is complete.
    Whole(Whole),
    /// Kept; so many of so many are there.
    Waiting {
        have: u16,
        total: u16,
    },
    /// It was there before, or its message is complete.
    Duplicate,
    Refused(Refusal),
    /// No part of anything: read it as it is.
    Single,
}

/// Why a packet was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Number 0, or greater than the total.
    NumberOutOfRange,
    /// The train has another total.
    TotalMismatch,
    /// The same number came before with other bytes; the first stays.
    Conflict,
    /// More packets than a message may have.
    TooManyPackets,
    /// The message would be longer than one may be; its train is dropped.
    TooLong,
}

impl Refusal {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NumberOutOfRange => "packet_number_out_of_range",
            Self::TotalMismatch => "packet_total_mismatch",
            Self::Conflict => "packet_conflict",
            Self::TooManyPackets => "too_many_packets",
            Self::TooLong => "message_too_long",
        }
    }
}

/// A message put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub phone: Phone,
    pub version: Version,
    pub id: u16,
    /// Serial of its first packet.
    pub first: u16,
    pub packets: u16,
    pub body: Vec<u8>,
}

/// A message that will not be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    pub phone: Phone,
    pub id: u16,
    pub first: u16,
    pub have: u16,
    pub total: u16,
    pub why: LostWhy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostWhy {
    /// Nothing new for too long.
    Age,
    /// Room was needed for another message.
    Room,
    TooLong,
    /// The connection ended.
    Closed,
}

/// Packets to ask for: with 0x8003, or 0x0005 the other way; a medium of 2011 with 0x8800.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub phone: Phone,
    pub version: Version,
    pub id: u16,
    pub first: u16,
    /// Id of the medium, when the packets are numbered in the body only.
    pub medium: Option<u32>,
    /// At most [`MISSING_MAX`], the lowest first.
    pub numbers: Vec<u16>,
}

/// The result of a packet: what it became, and which messages were given up for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub outcome: Outcome,
    pub lost: Vec<Lost>,
}

#[derive(Debug)]
pub struct Reassembly {
    limits: ReassemblyLimits,
    /// Oldest first.
    trains: Vec<Train>,
    finished: VecDeque<Finished>,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    phone: Phone,
    id: u16,
    first: u16,
    total: u16,
    /// Of 2011's media: the train is of the medium, not of serials.
    medium: Option<u32>,
}

#[derive(Debug)]
struct Finished {
    key: Key,
    at_ms: u64,
    /// Of the packets, in order.
    hashes: Box<[u64]>,
}

#[derive(Debug)]
struct Train {
    key: Key,
    version: Version,
    /// Serial of the packet last taken.
    last_serial: u16,
    touched_ms: u64,
    asked: u8,
    bytes: usize,
    packets: BTreeMap<u16, Box<[u8]>>,
}

impl Reassembly {
    pub const fn new(limits: ReassemblyLimits) -> Self {
        Self { limits, trains: Vec::new(), finished: VecDeque::new(), bytes: 0 }
    }

    /// Takes a frame's header and body. A frame that is no part of anything is [`Outcome::Single`].
    pub fn push(&mut self, now_ms: u64, header: &Header, body: &[u8]) -> Pushed {
        let mut lost = self.expire(now_ms);
        let outcome = match self.place(header, body) {
            Ok(Some((key, number))) => self.take(now_ms, header, key, number, body, &mut lost),
            Ok(None) => Outcome::Single,
            Err(refusal) => Outcome::Refused(refusal),
        };
        Pushed { outcome, lost }
    }

    /// Gives up what is too old.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Lost> {
        let age_ms_max = self.limits.age_ms_max;
        self.give_up(LostWhy::Age, |train| now_ms.saturating_sub(train.touched_ms) > age_ms_max)
    }

    /// Gives up everything, at the end of a connection.
    pub fn close(&mut self) -> Vec<Lost> {
        self.finished.clear();
        self.give_up(LostWhy::Closed, |_| true)
    }

    /// The messages whose packets should be asked for: quiet for `quiet_ms`, and asked for fewer than `asks_max` times.
    /// What is returned counts as asked.
    pub fn missing(&mut self, now_ms: u64, quiet_ms: u64, asks_max: u8) -> Vec<Missing> {
        let mut wanted = Vec::new();
        for train in &mut self.trains {
            if now_ms.saturating_sub(train.touched_ms) < quiet_ms || train.asked >= asks_max {
                continue;
            }
            train.asked += 1;
            train.touched_ms = now_ms;
            let Key { phone, id, first, medium, .. } = train.key;
            wanted.push(Missing { phone, version: train.version, id, first, medium, numbers: train.missing() });
        }
        wanted
    }

    /// Unfinished messages, and the bytes that they hold.
    pub fn held(&self) -> (usize, usize) {
        (self.trains.len(), self.bytes)
    }

    /// Which train a frame belongs to, and its number there.
    fn place(&self, header: &Header, body: &[u8]) -> Result<Option<(Key, u16)>, Refusal> {
        let split = header.packet.filter(|packet| packet.total > 1 || packet.number > 1);
        let of_2011 = if header.id == id::MEDIA { media_packet_2011(body) } else { None };
        let medium = of_2011.filter(|(total, _)| *total > 1);
        let Header { phone, id, .. } = *header;
        let (total, number, first, medium) = match (split, medium) {
            (None, None) => return Ok(None),
            // Numbered in the body only.
            (None, Some((total, number))) => {
                let (Ok(total), Ok(number)) = (u16::try_from(total), u16::try_from(number)) else {
                    return Err(Refusal::TooManyPackets);
                };
                (total, number, 0, body.first_chunk().map(|id| u32::from_be_bytes(*id)))
            }
            (Some(Packet { total, number }), _) => {
                (total, number, header.serial.wrapping_sub(number.wrapping_sub(1)), None)
            }
        };
        if number == 0 || number > total {
            return Err(Refusal::NumberOutOfRange);
        }
        if total > self.limits.packets_max {
            return Err(Refusal::TooManyPackets);
        }
        Ok(Some((Key { phone, id, first, total, medium }, number)))
    }

    fn take(
        &mut self,
        now_ms: u64,
        header: &Header,
        key: Key,
        number: u16,
        part: &[u8],
        lost: &mut Vec<Lost>,
    ) -> Outcome {
        let index = match self.find(key, number, header.serial) {
            Ok(Some(index)) => index,
            Ok(None) if self.is_finished(now_ms, key, number, part) => return Outcome::Duplicate,
            Ok(None) => {
                lost.extend(self.make_room());
                self.trains.push(Train::new(key, header, now_ms));
                self.trains.len() - 1
            }
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let Some(train) = self.trains.get(index) else { return Outcome::Duplicate };
        if let Some(there) = train.packets.get(&number) {
            return if **there == *part { Outcome::Duplicate } else { Outcome::Refused(Refusal::Conflict) };
        }
        let too_long = train.bytes + part.len() > self.limits.message_bytes_max;
        let Some(index) = self.room_for(part.len() + PACKET_OVERHEAD_BYTES, index, lost).filter(|_| !too_long) else {
            lost.extend(
                self.trains.iter().position(|train| train.key == key).map(|at| self.drop_train(at, LostWhy::TooLong)),
            );
            return Outcome::Refused(Refusal::TooLong);
        };
        let Some(train) = self.trains.get_mut(index) else { return Outcome::Duplicate };
        train.packets.insert(number, part.into());
        train.bytes += part.len();
        train.touched_ms = now_ms;
        train.last_serial = header.serial;
        let (have, total) = (train.have(), train.key.total);
        self.bytes += part.len() + PACKET_OVERHEAD_BYTES;
        if have == total { self.finish(now_ms, index) } else { Outcome::Waiting { have, total } }
    }

    /// Gives up other trains, the oldest first, until there is room; where the train is then. `None` when it has all the
    /// room there is.
    fn room_for(&mut self, cost: usize, mut index: usize, lost: &mut Vec<Lost>) -> Option<usize> {
        while self.bytes + cost > self.limits.bytes_max {
            let other = (0..self.trains.len()).find(|other| *other != index)?;
            lost.push(self.drop_train(other, LostWhy::Room));
            index -= usize::from(other < index);
        }
        Some(index)
    }

    /// Whether the packet was part of a message finished a short while ago. Serials wrap and start anew, so its bytes must
    /// be the same.
    fn is_finished(&self, now_ms: u64, key: Key, number: u16, part: &[u8]) -> bool {
        self.finished.iter().any(|finished| {
            let recent = now_ms.saturating_sub(finished.at_ms) <= self.limits.age_ms_max;
            let there = finished.hashes.get(usize::from(number).wrapping_sub(1));
            recent && finished.key == key && there == Some(&hash(part))
        })
    }

    /// The train of a packet: by its serials, else one that lacks the number and whose terminal does not count serials up
    /// or was asked to send again.
    fn find(&self, key: Key, number: u16, serial: u16) -> Result<Option<usize>, Refusal> {
        let same = |train: &Train| {
            let other = train.key;
            other.phone == key.phone && other.id == key.id && other.medium == key.medium && other.first == key.first
        };
        if let Some(index) = self.trains.iter().position(same) {
            let total = train_key(&self.trains, index).map(|key| key.total);
            return if total == Some(key.total) { Ok(Some(index)) } else { Err(Refusal::TotalMismatch) };
        }
        let lacks = |train: &Train| {
            let other = train.key;
            let alike = other.phone == key.phone && other.id == key.id && other.total == key.total;
            let dialect = train.asked > 0 || train.last_serial == serial;
            alike && other.medium == key.medium && dialect && !train.packets.contains_key(&number)
        };
        Ok(self.trains.iter().position(lacks))
    }

    fn make_room(&mut self) -> Vec<Lost> {
        let mut lost = Vec::new();
        while !self.trains.is_empty() && self.trains.len() >= self.limits.trains_max {
            lost.push(self.drop_train(0, LostWhy::Room));
        }
        lost
    }

    fn finish(&mut self, now_ms: u64, index: usize) -> Outcome {
        let train = self.remove(index);
        if self.finished.len() >= FINISHED_MAX {
            self.finished.pop_front();
        }
        let hashes = train.packets.values().map(|part| hash(part)).collect();
        self.finished.push_back(Finished { key: train.key, at_ms: now_ms, hashes });
        Outcome::Whole(train.whole())
    }

    fn drop_train(&mut self, index: usize, why: LostWhy) -> Lost {
        self.remove(index).lost(why)
    }

    fn remove(&mut self, index: usize) -> Train {
        let train = self.trains.remove(index);
        self.bytes -= train.cost();
        train
    }

    fn give_up(&mut self, why: LostWhy, gone: impl Fn(&Train) -> bool) -> Vec<Lost> {
        let mut lost = Vec::new();
        self.trains.retain(|train| {
            if gone(train) {
                self.bytes -= train.cost();
                lost.push(train.lost(why));
            }
            !gone(train)
        });
        lost
    }
}

fn train_key(trains: &[Train], index: usize) -> Option<Key> {
    trains.get(index).map(|train| train.key)
}

fn hash(part: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
}

impl Train {
    fn new(key: Key, header: &Header, now_ms: u64) -> Self {
        let (version, last_serial) = (header.version, header.serial);
        Self { key, version, last_serial, touched_ms: now_ms, asked: 0, bytes: 0, packets: BTreeMap::new() }
    }

    fn have(&self) -> u16 {
        u16::try_from(self.packets.len()).unwrap_or(u16::MAX)
    }

    fn cost(&self) -> usize {
        self.bytes + self.packets.len() * PACKET_OVERHEAD_BYTES
    }

    fn lost(&self, why: LostWhy) -> Lost {
        let Key { phone, id, first, total, .. } = self.key;
        Lost { phone, id, first, have: self.have(), total, why }
    }

    fn missing(&self) -> Vec<u16> {
        (1..=self.key.total).filter(|number| !self.packets.contains_key(number)).take(MISSING_MAX).collect()
    }

    fn whole(self) -> Whole {
        let Key { phone, id, first, total, .. } = self.key;
        let repeats_head = id == id::MEDIA && self.packets.values().next().is_some_and(|one| is_2011(one));
        let mut body = Vec::with_capacity(self.bytes);
        for (at, part) in self.packets.values().enumerate() {
            let own = if at > 0 && repeats_head && same_medium(&body, part) { part.get(HEAD_2011..) } else { None };
            body.extend_from_slice(own.unwrap_or(part));
        }
        Whole { phone, version: self.version, id, first, packets: total, body }
    }
}

fn is_2011(part: &[u8]) -> bool {
    media_packet_2011(part).is_some()
}

/// Whether a packet repeats the head: the medium's eight bytes and the total.
fn same_medium(whole: &[u8], part: &[u8]) -> bool {
    match (whole.get(..12), part.get(..12)) {
        (Some(head), Some(repeated)) => head == repeated,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
