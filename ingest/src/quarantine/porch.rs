//! The doorstep: who knocked without being known, and what the edge refused. Bounded; the oldest goes first and is counted.

use crate::metrics::{DOORSTEP_DROPPED_TOTAL, DOORSTEP_REFUSED_TOTAL};
use bytes::Bytes;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::seams::{Doorstep, Knock, Refusal};
use model::time::{EventTime, IngestTime, local_day};
use model::verdict::RefusalReason;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bounds of the doorstep.
#[derive(Debug, Clone, Copy)]
pub struct PorchConfig {
    pub identities_max: usize,
    pub samples_per_identity_max: usize,
    pub refusal_samples_max: usize,
    /// Of those, one device's; those whose device is not known count as one.
    pub refusal_samples_per_device_max: usize,
    /// Lines of the refusal counters (device, day, reason).
    pub refusal_lines_max: usize,
}

impl Default for PorchConfig {
    fn default() -> Self {
        Self {
            identities_max: 1_000,
            samples_per_identity_max: 16,
            refusal_samples_max: 2_000,
            refusal_samples_per_device_max: 100,
            refusal_lines_max: 20_000,
        }
    }
}

/// Someone who is not in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownIdentity {
    pub protocol: ProtocolKind,
    /// As sent.
    pub identity: String,
    pub first: IngestTime,
    pub last: IngestTime,
    /// How often it knocked.
    pub knocks: u64,
    /// The latest peer address.
    pub peer: String,
    /// The first samples of what it sent, oldest first.
    #[serde(with = "hex_list")]
    pub samples: Vec<Bytes>,
    /// A person said no; it stays out of the list of those who wait, and no new samples are kept.
    pub rejected: bool,
}

/// How many frames were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalLine {
    /// `None`: the frame did not say.
    pub device: Option<DeviceId>,
    /// Local day.
    pub day: i64,
    pub reason: RefusalReason,
    pub frames: u64,
}

/// A refused frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalSample {
    pub at: IngestTime,
    pub protocol: ProtocolKind,
    pub device: Option<DeviceId>,
    pub peer: String,
    pub reason: RefusalReason,
    pub detail: String,
    #[serde(with = "hex")]
    pub sample: Bytes,
}

#[derive(Debug, Default)]
struct State {
    unknown: BTreeMap<(ProtocolKind, String), UnknownIdentity>,
    refusals: BTreeMap<(Option<DeviceId>, i64, RefusalReason), u64>,
    /// By device, so that a flood for one leaves those of the others.
    samples: BTreeMap<Option<DeviceId>, VecDeque<(u64, RefusalSample)>>,
    samples_kept: usize,
    next_sample: u64,
    /// Grows with every change, so that the saver knows whether there is work.
    version: u64,
}

/// The edge's [`Doorstep`], kept in memory and saved by [`Porch::to_json`] in the background.
#[derive(Debug)]
pub struct Porch {
    config: PorchConfig,
    state: Mutex<State>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    unknown: Vec<UnknownIdentity>,
    refusals: Vec<RefusalLine>,
    samples: Vec<RefusalSample>,
}

impl Porch {
    pub fn new(config: PorchConfig) -> Self {
        Self { config, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who wait for a decision, the latest knock first.
    pub fn waiting(&self) -> Vec<UnknownIdentity> {
        let mut list: Vec<_> = self.lock().unknown.values().filter(|one| !one.rejected).cloned().collect();
        list.sort_by(|a, b| (b.last, &a.identity).cmp(&(a.last, &b.identity)));
        list
    }

    /// Those a person turned away.
    pub fn rejected(&self) -> Vec<UnknownIdentity> {
        self.lock().unknown.values().filter(|one| one.rejected).cloned().collect()
    }

    /// Takes an identity off the list and returns it; the ledger makes a device of it.
    pub fn accept(&self, protocol: ProtocolKind, identity: &str) -> Option<UnknownIdentity> {
        let mut state = self.lock();
        state.version += 1;
        state.unknown.remove(&(protocol, identity.to_owned()))
    }

    /// Turns an identity away: it stays known as rejected. False when it is not on the list.
    pub fn reject(&self, protocol: ProtocolKind, identity: &str) -> bool {
        let mut state = self.lock();
        state.version += 1;
        let Some(one) = state.unknown.get_mut(&(protocol, identity.to_owned())) else { return false };
        one.rejected = true;
        one.samples.clear();
        true
    }

    /// Forgets an identity; when it knocks again it is new. False when it is not on the list.
    pub fn forget(&self, protocol: ProtocolKind, identity: &str) -> bool {
        self.accept(protocol, identity).is_some()
    }

    /// Refused frames by device, day and reason, for `from_day ..= to_day`.
    pub fn refusals(&self, from_day: i64, to_day: i64) -> Vec<RefusalLine> {
        let state = self.lock();
        let lines = state.refusals.iter().filter(|((_, day, _), _)| (from_day..=to_day).contains(day));
        lines
            .map(|((device, day, reason), frames)| RefusalLine {
                device: *device,
                day: *day,
                reason: *reason,
                frames: *frames,
            })
            .collect()
    }

    /// The latest refused frames, newest first, of one device or all.
    pub fn refusal_samples(&self, device: Option<DeviceId>, limit: usize) -> Vec<RefusalSample> {
        let state = self.lock();
        if let Some(device) = device {
            let ring = state.samples.get(&Some(device));
            return ring.into_iter().flatten().rev().take(limit).map(|(_, sample)| sample.clone()).collect();
        }
        let mut all: Vec<_> = state.samples.values().flat_map(|ring| ring.iter().rev().take(limit)).collect();
        all.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        all.into_iter().take(limit).map(|(_, sample)| sample.clone()).collect()
    }

    /// Grows with every change.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// All of it, for the saver.
    pub fn to_json(&self) -> String {
        let state = self.lock();
        let saved = Saved {
            unknown: state.unknown.values().cloned().collect(),
            refusals: state
                .refusals
                .iter()
                .map(|((device, day, reason), frames)| RefusalLine {
                    device: *device,
                    day: *day,
                    reason: *reason,
                    frames: *frames,
                })
                .collect(),
            samples: state.in_order(),
        };
        drop(state);
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// Puts back what [`Self::to_json`] gave.
    pub fn restore(&self, json: &str) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(json)?;
        let mut state = self.lock();
        for one in saved.unknown.into_iter().take(self.config.identities_max) {
            state.unknown.insert((one.protocol, one.identity.clone()), one);
        }
        for line in saved.refusals.into_iter().take(self.config.refusal_lines_max) {
            *state.refusals.entry((line.device, line.day, line.reason)).or_default() += line.frames;
        }
        for sample in saved.samples.into_iter().take(self.config.refusal_samples_max) {
            state.keep(sample, &self.config);
        }
        Ok(())
    }
}

impl Doorstep for Porch {
    fn unknown(&self, knock: Knock) {
        let identity: String = knock.identity.chars().take(IDENTITY_CHARS_MAX).collect();
        let sample = knock.sample.slice(..knock.sample.len().min(SAMPLE_BYTES_MAX));
        let mut state = self.lock();
        state.version += 1;
        let key = (knock.protocol, identity);
        if !state.unknown.contains_key(&key) && state.unknown.len() >= self.config.identities_max {
            // The one that knocked longest ago goes; those a person rejected go first.
            let oldest = state.unknown.values().min_by_key(|one| (!one.rejected, one.last));
            if let Some(oldest) = oldest.map(|one| (one.protocol, one.identity.clone())) {
                state.unknown.remove(&oldest);
                metrics::counter!(DOORSTEP_DROPPED_TOTAL).increment(1);
            }
        }
        let one = state.unknown.entry(key.clone()).or_insert_with(|| UnknownIdentity {
            protocol: key.0,
            identity: key.1,
            first: knock.at,
            last: knock.at,
            knocks: 0,
            peer: String::new(),
            samples: Vec::new(),
            rejected: false,
        });
        one.last = knock.at;
        one.knocks += 1;
        one.peer = knock.peer;
        if !one.rejected && !sample.is_empty() && one.samples.len() < self.config.samples_per_identity_max {
            // A copy of its own: a slice would keep the whole read buffer alive.
            one.samples.push(Bytes::copy_from_slice(&sample));
        }
    }

    fn refused(&self, refusal: Refusal) {
        metrics::counter!(DOORSTEP_REFUSED_TOTAL, "reason" => reason_word(refusal.reason)).increment(1);
        let day = local_day(EventTime(refusal.at.0));
        let mut state = self.lock();
        state.version += 1;
        let key = (refusal.device, day, refusal.reason);
        if !state.refusals.contains_key(&key) && state.refusals.len() >= self.config.refusal_lines_max {
            let oldest = state.refusals.keys().min_by_key(|(_, day, _)| *day).copied();
            if let Some(oldest) = oldest {
                state.refusals.remove(&oldest);
                metrics::counter!(DOORSTEP_DROPPED_TOTAL).increment(1);
            }
        }
        *state.refusals.entry(key).or_default() += 1;
        let sample = RefusalSample {
            at: refusal.at,
            protocol: refusal.protocol,
            device: refusal.device,
            peer: refusal.peer,
            reason: refusal.reason,
            detail: refusal.detail.chars().take(DETAIL_CHARS_MAX).collect(),
            sample: Bytes::copy_from_slice(refusal.sample.get(..SAMPLE_BYTES_MAX).unwrap_or(&refusal.sample)),
        };
        state.keep(sample, &self.config);
    }
}

impl State {
    /// In the place of its device's oldest when that has its fill; in that of the oldest of whoever has most when all have theirs.
    fn keep(&mut self, sample: RefusalSample, config: &PorchConfig) {
        let device = sample.device;
        let full = |ring: Option<&VecDeque<_>>| ring.map_or(0, VecDeque::len) >= config.refusal_samples_per_device_max;
        let gives_way = if full(self.samples.get(&device)) {
            Some(device)
        } else if self.samples_kept >= config.refusal_samples_max {
            self.samples.iter().max_by_key(|(_, ring)| ring.len()).map(|(device, _)| *device)
        } else {
            None
        };
        if let Some(device) = gives_way
            && let Some(ring) = self.samples.get_mut(&device)
        {
            self.samples_kept -= usize::from(ring.pop_front().is_some());
            if ring.is_empty() {
                self.samples.remove(&device);
            }
        }
        self.next_sample += 1;
        self.samples_kept += 1;
        self.samples.entry(device).or_default().push_back((self.next_sample, sample));
    }

    /// The oldest first.
    fn in_order(&self) -> Vec<RefusalSample> {
        let mut all: Vec<_> = self.samples.values().flatten().collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, sample)| sample.clone()).collect()
    }
}

const fn reason_word(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::CheckBad => "check_bad",
        RefusalReason::LengthBad => "length_bad",
        RefusalReason::Malformed => "malformed",
        RefusalReason::Oversize => "oversize",
        RefusalReason::NotAuthenticated => "not_authenticated",
        RefusalReason::NotGranted => "not_granted",
        RefusalReason::Unanswered => "unanswered",
    }
}

/// Bytes as hexadecimal text.
mod hex {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Write;

    pub(super) fn text(bytes: &[u8]) -> String {
        bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").ok(); // a String never refuses
            text
        })
    }

    pub(super) fn parse(text: &str) -> Option<Bytes> {
        let digits = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        digits.collect::<Option<Vec<u8>>>().map(Bytes::from)
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

/// A list of bytes as hexadecimal texts.
mod hex_list {
    use super::hex;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(list: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|bytes| hex::text(bytes)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let list = texts.iter().map(|text| hex::parse(text)).collect::<Option<Vec<_>>>();
        list.ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

const IDENTITY_CHARS_MAX: usize = 64;
const DETAIL_CHARS_MAX: usize = 256;
const SAMPLE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn knock(identity: &str, at: i64) -> Knock {
        Knock {
            at: IngestTime(at),
            protocol: ProtocolKind::Hj212,
            identity: identity.into(),
            peer: "10.0.0.1:5000".into(),
            sample: Bytes::from_static(b"##0000"),
        }
    }

    #[test]
    fn at_most_sixteen_samples_of_an_unknown_identity_are_kept() {
        let porch = Porch::new(PorchConfig::default());
        for at in 0..40 {
            porch.unknown(knock("MN1", at));
        }
        let waiting = porch.waiting();
        assert_eq!((waiting.len(), waiting[0].samples.len(), waiting[0].knocks), (1, 16, 40));
    }

    #[test]
    fn the_list_of_identities_is_bounded_and_the_oldest_goes() {
        let porch = Porch::new(PorchConfig { identities_max: 3, ..PorchConfig::default() });
        for at in 0..5 {
            porch.unknown(knock(&format!("MN{at}"), at));
        }
        let names: Vec<_> = porch.waiting().into_iter().map(|one| one.identity).collect();
        assert_eq!(names, ["MN4", "MN3", "MN2"]);
    }

    #[test]
    fn accept_and_reject_take_an_identity_off_the_waiting_list_and_survive_a_restart() {
        let porch = Porch::new(PorchConfig::default());
        porch.unknown(knock("A", 1));
        porch.unknown(knock("B", 2));
        assert!(porch.reject(ProtocolKind::Hj212, "A"));
        let again = Porch::new(PorchConfig::default());
        again.restore(&porch.to_json()).unwrap();
        assert_eq!(again.rejected().len(), 1);
        assert_eq!(again.accept(ProtocolKind::Hj212, "B").map(|one| one.knocks), Some(1));
        assert!(again.waiting().is_empty());
    }

    #[test]
    fn a_flood_for_one_device_leaves_the_samples_of_the_others() {
        let config =
            PorchConfig { refusal_samples_max: 10, refusal_samples_per_device_max: 4, ..PorchConfig::default() };
        let porch = Porch::new(config);
        let refused = |device: Option<i64>, at: i64| {
            porch.refused(Refusal {
                at: IngestTime(at),
                protocol: ProtocolKind::Hj212,
                device: device.map(DeviceId),
                peer: String::new(),
                reason: RefusalReason::CheckBad,
                detail: String::new(),
                sample: Bytes::from_static(b"x"),
            });
        };
        refused(Some(1), 1);
        refused(Some(2), 2);
        for at in 3..1_000 {
            refused(Some(7), at);
            refused(None, at);
        }
        let kept = |device: i64| porch.refusal_samples(Some(DeviceId(device)), 100).len();
        assert_eq!((kept(1), kept(2), kept(7)), (1, 1, 4));
        let all = porch.refusal_samples(None, 100);
        assert_eq!((all.len(), all[0].at, all[9].at), (10, IngestTime(999), IngestTime(1)));
        // So many devices that there is no room for all: whoever has most gives way.
        for device in 100..106 {
            refused(Some(device), 2_000);
        }
        assert_eq!((kept(1), kept(2), porch.refusal_samples(None, 100).len()), (1, 1, 10));
        let again = Porch::new(config);
        again.restore(&porch.to_json()).unwrap();
        assert_eq!(again.refusal_samples(None, 100), porch.refusal_samples(None, 100));
    }

    #[test]
    fn refused_frames_are_counted_by_device_day_and_reason_and_sampled() {
        let porch = Porch::new(PorchConfig { refusal_samples_max: 2, ..PorchConfig::default() });
        for at in 0..3 {
            porch.refused(Refusal {
                at: IngestTime(at),
                protocol: ProtocolKind::Jt808,
                device: Some(DeviceId(7)),
                peer: "p".into(),
                reason: RefusalReason::CheckBad,
                detail: "check".into(),
                sample: Bytes::from_static(&[0x7e; 600]),
            });
        }
        assert_eq!(porch.refusals(0, 0)[0].frames, 3);
        let samples = porch.refusal_samples(Some(DeviceId(7)), 10);
        assert_eq!((samples.len(), samples[0].sample.len()), (2, 512));
    }
}
