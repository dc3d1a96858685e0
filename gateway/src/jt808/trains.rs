//! Which sub-packets of a message came, so that missing ones can be asked for. Only numbers are kept, never bodies: settle puts the
//! messages together, from the journal.
//!
//! A packet counts once it is on disk. Missing ones are asked for when the message's last packet is there, and again whenever nothing of
//! the message came for [`QUIET_MS`]; [`ASKS_MAX`] times at most, then the message is given up and counted. What comes of it all the same
//! within [`AGE_MS`] still completes it.

use crate::metrics;
use model::time::IngestTime;
use protocol::jt808::{MISSING_MAX, Parts, Version, id, media_packet_2011};
use std::collections::VecDeque;

/// Unfinished messages of one terminal; beyond it the oldest is no longer asked for.
const TRAINS_MAX: usize = 8;
/// Packets of one message, as many as settle puts together; one of more is stored and not asked for.
const PACKETS_MAX: u32 = 2_048;
const QUIET_MS: i64 = 5_000;
const ASKS_MAX: u8 = 3;
/// After it a message is no longer asked for, and a finished one no longer remembered.
const AGE_MS: i64 = 120_000;

/// A question without its numbers: marks, head of 2019, first serial or medium, count, check.
const FRAME_BYTES_MAX: usize = 28;

/// What a frame says of its place in a message of many, or that it is a whole medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    id: u16,
    version: Version,
    serial: u16,
    total: u32,
    /// From 1.
    number: u32,
    /// Id of the medium, where the packet has it.
    medium: Option<u32>,
    /// Numbered in the body only, as in 2011.
    in_body: bool,
}

/// What is to be said to the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Say {
    /// 0x8800: the medium is complete. `asked` in the form of 2011.
    MediumDone { version: Version, asked: Option<u16>, medium: u32 },
    /// 0x8800 with what is missing of a medium that is numbered in the body.
    MediumMissing { version: Version, asked: u16, medium: u32, missing: Vec<u32> },
    /// 0x8003
    Missing { version: Version, first: u16, numbers: Vec<u16> },
}

impl Say {
    /// Most bytes that a question takes on the wire; `None`: it is none.
    pub(super) fn bytes(&self) -> Option<usize> {
        match self {
            Self::MediumDone { .. } => None,
            Self::MediumMissing { missing, .. } => Some(FRAME_BYTES_MAX + 2 * missing.len()),
            Self::Missing { numbers, .. } => Some(FRAME_BYTES_MAX + 2 * numbers.len()),
        }
    }

    /// Leaves out the last numbers, for so many bytes; false: none is left.
    pub(super) fn cut(&mut self, bytes: usize) -> bool {
        let less = bytes.div_ceil(2);
        let left = |count: usize| count.saturating_sub(less);
        match self {
            Self::MediumDone { .. } => return true,
            Self::MediumMissing { missing, .. } => missing.truncate(left(missing.len())),
            Self::Missing { numbers, .. } => numbers.truncate(left(numbers.len())),
        }
        self.bytes().is_some_and(|bytes| bytes > FRAME_BYTES_MAX)
    }
}

impl Part {
    /// `None` for a message without packets that is no medium, and for encrypted ones.
    pub(super) fn of(parts: &Parts<'_>) -> Option<Self> {
        let header = &parts.header;
        if header.encryption != 0 {
            return None;
        }
        let is_medium = header.id == id::MEDIA;
        let medium = parts.body.first_chunk().map(|id| u32::from_be_bytes(*id)).filter(|_| is_medium);
        let part = |total, number, medium, in_body| Self {
            id: header.id,
            version: header.version,
            serial: header.serial,
            total,
            number,
            medium,
            in_body,
        };
        if let Some(packet) = header.packet.filter(|packet| packet.total > 1) {
            let medium = medium.filter(|_| packet.number == 1);
            return Some(part(packet.total.into(), packet.number.into(), medium, false));
        }
        if !is_medium {
            return None;
        }
        match media_packet_2011(parts.body) {
            Some((total, number)) => Some(part(total, number, medium, true)),
            None => Some(part(1, 1, medium, false)),
        }
    }

    /// Serial of the message's first packet; none where the body numbers them.
    fn first(&self) -> u16 {
        let before = u16::try_from(self.number.saturating_sub(1)).unwrap_or(u16::MAX);
        if self.in_body { 0 } else { self.serial.wrapping_sub(before) }
    }

    fn key(&self) -> Key {
        let medium = self.medium.filter(|_| self.in_body);
        Key { id: self.id, first: self.first(), total: self.total, medium }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    id: u16,
    first: u16,
    total: u32,
    /// Of a medium numbered in the body.
    medium: Option<u32>,
}

#[derive(Debug)]
struct Train {
    key: Key,
    version: Version,
    last_serial: u16,
    medium: Option<u32>,
    /// A bit for each packet.
    came: Vec<u64>,
    have: u32,
    touched: IngestTime,
    asked: u8,
    given_up: bool,
}

/// The messages of one connection.
#[derive(Debug, Default)]
pub(super) struct Trains {
    open: VecDeque<Train>,
    finished: VecDeque<(Key, IngestTime, Option<u32>)>,
}

impl Trains {
    /// A packet is on disk. What its message being complete means for the terminal, if it is.
    pub(super) fn came(&mut self, part: Part, now: IngestTime) -> Option<Say> {
        let key = part.key();
        if !(1..=part.total).contains(&part.number) || part.total > PACKETS_MAX {
            return None;
        }
        if part.total == 1 {
            return done(&part, part.medium);
        }
        self.expire(now);
        if let Some((_, _, medium)) = self.finished.iter().find(|(finished, _, _)| *finished == key) {
            // Sent again: perhaps our answer was lost.
            return done(&part, *medium).filter(|_| part.number == part.total);
        }
        let index = self.find(key, &part).unwrap_or_else(|| self.begin(key, &part, now));
        let train = self.open.get_mut(index)?;
        train.take(&part, now);
        if train.have < train.key.total {
            return None;
        }
        let train = self.open.remove(index)?;
        if self.finished.len() >= TRAINS_MAX {
            self.finished.pop_front();
        }
        self.finished.push_back((train.key, now, train.medium));
        done(&part, train.medium)
    }

    /// When [`Trains::missing`] has something to do; `None`: nothing is missing.
    pub(super) fn next_time(&self) -> Option<IngestTime> {
        let waiting = self.open.iter().filter(|train| !train.given_up);
        waiting.map(|train| train.touched.plus_ms(QUIET_MS)).min()
    }

    /// The connection ends: nobody can be asked any more.
    pub(super) fn close(&mut self) {
        given_up("closed", self.open.drain(..).filter(|train| !train.given_up).count());
    }

    /// What to ask for now; what is returned counts as asked.
    pub(super) fn missing(&mut self, now: IngestTime) -> Vec<Say> {
        if self.open.is_empty() {
            return Vec::new();
        }
        self.expire(now);
        for train in self.open.iter_mut().filter(|train| train.is_hopeless(now)) {
            train.given_up = true;
            given_up("asked", 1);
        }
        let wanted = self.open.iter_mut().filter(|train| train.is_due(now));
        let wanted: Vec<_> = wanted.filter_map(|train| train.ask(now)).collect();
        ::metrics::counter!(metrics::JT808_ASKED_AGAIN_TOTAL).increment(u64::try_from(wanted.len()).unwrap_or(0));
        wanted
    }

    /// By its serials; else one that lacks the number, of a terminal that does not count serials up.
    fn find(&self, key: Key, part: &Part) -> Option<usize> {
        let uncounted = |train: &Train| {
            let (one, other) = (train.key, key);
            let alike = (one.id, one.total, one.medium) == (other.id, other.total, other.medium);
            alike && train.last_serial == part.serial && !train.has(part.number)
        };
        let exact = self.open.iter().position(|train| train.key == key);
        exact.or_else(|| self.open.iter().position(uncounted))
    }

    fn begin(&mut self, key: Key, part: &Part, now: IngestTime) -> usize {
        if self.open.len() >= TRAINS_MAX {
            let oldest = self.open.pop_front();
            given_up("room", oldest.into_iter().filter(|train| !train.given_up).count());
        }
        let words = usize::try_from(key.total.div_ceil(64)).unwrap_or(0);
        self.open.push_back(Train {
            key,
            version: part.version,
            last_serial: part.serial,
            medium: None,
            came: vec![0; words],
            have: 0,
            touched: now,
            asked: 0,
            given_up: false,
        });
        self.open.len() - 1
    }

    fn expire(&mut self, now: IngestTime) {
        let is_old = |train: &Train| now.since_ms(train.touched) > AGE_MS;
        given_up("age", self.open.iter().filter(|train| is_old(train) && !train.given_up).count());
        self.open.retain(|train| !is_old(train));
        self.finished.retain(|(_, at, _)| now.since_ms(*at) <= AGE_MS);
    }
}

fn given_up(reason: &'static str, count: usize) {
    if count > 0 {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        ::metrics::counter!(metrics::JT808_TRAINS_GIVEN_UP_TOTAL, "reason" => reason).increment(count);
    }
}

/// A medium that is complete is answered by name.
fn done(part: &Part, medium: Option<u32>) -> Option<Say> {
    let asked = part.in_body.then_some(part.serial);
    Some(Say::MediumDone { version: part.version, asked, medium: medium? })
}

impl Train {
    fn place(number: u32) -> (usize, u64) {
        let at = number.saturating_sub(1);
        (usize::try_from(at / 64).unwrap_or(usize::MAX), 1 << (at % 64))
    }

    fn has(&self, number: u32) -> bool {
        let (word, bit) = Self::place(number);
        self.came.get(word).is_some_and(|word| word & bit != 0)
    }

    fn take(&mut self, part: &Part, now: IngestTime) {
        let (word, bit) = Self::place(part.number);
        let Some(word) = self.came.get_mut(word) else { return };
        self.last_serial = part.serial;
        self.medium = self.medium.or(part.medium);
        if *word & bit == 0 {
            *word |= bit;
            self.have += 1;
            self.touched = now;
        }
    }

    fn is_due(&self, now: IngestTime) -> bool {
        let first_time = self.asked == 0 && self.has(self.key.total);
        self.asked < ASKS_MAX && (first_time || now.since_ms(self.touched) >= QUIET_MS)
    }

    /// Asked for often enough, and nothing came.
    fn is_hopeless(&self, now: IngestTime) -> bool {
        !self.given_up && self.asked >= ASKS_MAX && now.since_ms(self.touched) >= QUIET_MS
    }

    fn ask(&mut self, now: IngestTime) -> Option<Say> {
        self.asked += 1;
        self.touched = now;
        let missing: Vec<u32> = (1..=self.key.total).filter(|number| !self.has(*number)).take(MISSING_MAX).collect();
        if let Some(medium) = self.key.medium {
            return Some(Say::MediumMissing { version: self.version, asked: self.last_serial, medium, missing });
        }
        let numbers: Result<Vec<_>, _> = missing.into_iter().map(u16::try_from).collect();
        Some(Say::Missing { version: self.version, first: self.key.first, numbers: numbers.ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: IngestTime = IngestTime(1_767_240_000_000);

    fn part(total: u32, number: u32) -> Part {
        let serial = u16::MAX.wrapping_add(u16::try_from(number).unwrap());
        let medium = (number == 1).then_some(7);
        Part { id: id::MEDIA, version: Version::V2013, serial, total, number, medium, in_body: false }
    }

    fn done(say: Option<&Say>) -> bool {
        say == Some(&Say::MediumDone { version: Version::V2013, asked: None, medium: 7 })
    }

    #[test]
    fn what_is_missing_is_asked_for_when_the_last_came_and_not_for_ever() {
        let mut trains = Trains::default();
        for number in [1, 3, 4] {
            assert_eq!(trains.came(part(5, number), NOW), None);
            assert!(trains.missing(NOW).is_empty());
        }
        trains.came(part(5, 5), NOW);
        let wanted = vec![Say::Missing { version: Version::V2013, first: 0, numbers: vec![2] }];
        assert_eq!(trains.missing(NOW), wanted);
        assert!(trains.missing(NOW).is_empty());
        let mut now = NOW;
        let mut asked = 1;
        for _ in 0..20 {
            now = now.plus_ms(QUIET_MS);
            asked += trains.missing(now).len();
        }
        assert_eq!(asked, usize::from(ASKS_MAX));
        assert_eq!(trains.next_time(), None, "given up");
        assert!(done(trains.came(part(5, 2), now).as_ref()));
        // Sent again, it asks for nothing.
        assert_eq!(trains.came(part(5, 3), now), None);
        assert!(done(trains.came(part(5, 5), now).as_ref()));
        assert!(trains.missing(now.plus_ms(QUIET_MS)).is_empty());
    }

    #[test]
    fn a_medium_numbered_in_its_body_is_asked_for_and_answered_by_its_id() {
        let mut trains = Trains::default();
        let of_2011 = |number| Part { medium: Some(9), in_body: true, serial: 40, ..part(3, number) };
        assert_eq!(trains.came(of_2011(1), NOW), None);
        assert_eq!(trains.came(of_2011(3), NOW), None);
        let wanted = Say::MediumMissing { version: Version::V2013, asked: 40, medium: 9, missing: vec![2] };
        assert_eq!(trains.missing(NOW), [wanted]);
        let said = trains.came(of_2011(2), NOW);
        assert_eq!(said, Some(Say::MediumDone { version: Version::V2013, asked: Some(40), medium: 9 }));
    }

    #[test]
    fn too_many_and_impossible_messages_take_no_room() {
        let mut trains = Trains::default();
        for total in 2..100 {
            trains.came(Part { serial: u16::try_from(total * 50).unwrap(), ..part(total, 1) }, NOW);
        }
        for odd in [part(3, 4), part(3, 0), part(PACKETS_MAX + 1, 1)] {
            assert_eq!(trains.came(Part { serial: 9_999, ..odd }, NOW), None);
        }
        assert_eq!(trains.open.len(), TRAINS_MAX);
    }

    proptest! {
        /// Whatever the order and however often: complete exactly when every packet came.
        #[test]
        fn a_message_is_complete_once_when_all_came(total in 2_u32..80, numbers in prop::collection::vec(1_u32..80, 0..200)) {
            let mut trains = Trains::default();
            let mut left: std::collections::BTreeSet<u32> = (1..=total).collect();
            for number in numbers.into_iter().map(|number| number % total + 1).chain(1..=total) {
                let was_open = !left.is_empty();
                left.remove(&number);
                let said = trains.came(part(total, number), NOW);
                if was_open {
                    prop_assert_eq!(done(said.as_ref()), left.is_empty());
                }
            }
            prop_assert!(trains.open.is_empty());
        }
    }
}
