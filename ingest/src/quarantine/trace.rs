//! Presence and the last frames of each device: what a vendor wants to see while mounting it. In memory only; after a restart it
//! fills again. The raw bytes of a frame are in the journal at its position.

use crate::metrics::WIRE_TRACES_DROPPED_TOTAL;
use ahash::AHashMap;
use model::envelope::{Channel, Position};
use model::id::DeviceId;
use model::record::Remark;
use model::seams::WireLog;
use model::time::IngestTime;
use model::verdict::Verdict;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bounds of the trace.
#[derive(Debug, Clone, Copy)]
pub struct WireTraceConfig {
    pub frames_per_device_max: usize,
    /// Devices whose frames are kept; beyond it new ones are counted only.
    pub devices_max: usize,
}

impl Default for WireTraceConfig {
    fn default() -> Self {
        Self { frames_per_device_max: 50, devices_max: 20_000 }
    }
}

/// Whether a device is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Presence {
    pub device: DeviceId,
    pub connected: bool,
    /// When the connection was opened or, if there is none, closed.
    pub since: IngestTime,
    pub peer: String,
    /// The last frame that was settled.
    pub last_contact: Option<IngestTime>,
}

/// One frame on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedFrame {
    pub position: Position,
    /// `None` until settle has read it.
    pub channel: Option<Channel>,
    pub received: Option<IngestTime>,
    /// When the acknowledgement left; `None`: none was asked for, or it has not left yet.
    pub acknowledged: Option<IngestTime>,
    /// The worst verdict of its records; `None`: it holds no record, or is not settled yet.
    pub verdict: Option<Verdict>,
    pub settled: bool,
    /// What settle remarked on its records, `code place`. One list for frames in a row that say the same.
    pub remarks: Option<Arc<[String]>>,
}

#[derive(Debug, Default)]
struct DeviceTrace {
    connection: Option<u64>,
    since: IngestTime,
    peer: String,
    last_contact: Option<IngestTime>,
    /// By position.
    frames: VecDeque<TracedFrame>,
}

/// The edge's [`WireLog`]. Sharded by device, so that connections do not wait for each other.
#[derive(Debug)]
pub struct WireTrace {
    config: WireTraceConfig,
    shards: [Mutex<AHashMap<DeviceId, DeviceTrace>>; SHARDS],
}

const SHARDS: usize = 16;
/// Remarks of one frame that are kept.
const REMARKS_MAX: usize = 8;

impl WireTrace {
    pub fn new(config: WireTraceConfig) -> Self {
        Self { config, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    fn shard(&self, device: DeviceId) -> MutexGuard<'_, AHashMap<DeviceId, DeviceTrace>> {
        let index = usize::try_from(device.0.rem_euclid(16)).unwrap_or(0);
        self.shards[index % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, device: DeviceId, work: impl FnOnce(&mut DeviceTrace) -> T) -> Option<T> {
        let mut shard = self.shard(device);
        if !shard.contains_key(&device) && shard.len() >= self.config.devices_max / SHARDS {
            metrics::counter!(WIRE_TRACES_DROPPED_TOTAL).increment(1);
            return None;
        }
        Some(work(shard.entry(device).or_default()))
    }

    fn frame(&self, trace: &mut DeviceTrace, position: Position, change: impl FnOnce(&mut TracedFrame)) {
        let index = trace.frames.partition_point(|frame| frame.position < position);
        if trace.frames.get(index).is_none_or(|frame| frame.position != position) {
            if trace.frames.len() >= self.config.frames_per_device_max {
                if index == 0 {
                    return; // older than all that are kept
                }
                trace.frames.pop_front();
                return self.insert(trace, index - 1, position, change);
            }
            return self.insert(trace, index, position, change);
        }
        if let Some(frame) = trace.frames.get_mut(index) {
            change(frame);
        }
    }

    #[expect(clippy::unused_self, reason = "belongs to the method above")]
    fn insert(&self, trace: &mut DeviceTrace, index: usize, position: Position, change: impl FnOnce(&mut TracedFrame)) {
        let mut frame = TracedFrame {
            position,
            channel: None,
            received: None,
            acknowledged: None,
            verdict: None,
            settled: false,
            remarks: None,
        };
        change(&mut frame);
        trace.frames.insert(index, frame);
    }

    /// Told by settle's worker for each frame.
    pub fn settled(
        &self,
        device: DeviceId,
        position: Position,
        channel: Channel,
        received: IngestTime,
        verdict: Option<Verdict>,
    ) {
        self.with(device, |trace| {
            trace.last_contact = trace.last_contact.max(Some(received));
            self.frame(trace, position, |frame| {
                frame.channel = Some(channel);
                frame.received = Some(received);
                frame.verdict = verdict;
                frame.settled = true;
            });
        });
    }

    /// Told by settle's worker for each record that has remarks, after [`Self::settled`].
    pub fn remarked(&self, device: DeviceId, position: Position, remarks: &[Remark]) {
        self.with(device, |trace| {
            let at = trace.frames.partition_point(|frame| frame.position < position);
            let before = at.checked_sub(1).and_then(|at| trace.frames.get(at)).and_then(|frame| frame.remarks.clone());
            let Some(frame) = trace.frames.get_mut(at).filter(|frame| frame.position == position) else { return };
            let known = frame.remarks.as_deref().unwrap_or_default().iter().cloned();
            let more = remarks.iter().map(|one| format!("{} {}", one.code, one.place).trim_end().to_owned());
            let all: Vec<String> = known.chain(more).take(REMARKS_MAX).collect();
            frame.remarks = Some(before.filter(|before| **before == *all).unwrap_or_else(|| all.into()));
        });
    }

    pub fn presence(&self, device: DeviceId) -> Option<Presence> {
        self.shard(device).get(&device).map(|trace| presence_of(device, trace))
    }

    /// Presence of all devices that were ever seen, by device.
    pub fn presences(&self) -> Vec<Presence> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.iter().map(|(device, trace)| presence_of(*device, trace)));
        }
        all.sort_unstable_by_key(|presence| presence.device);
        all
    }

    /// The last frames of a device, newest first.
    pub fn frames(&self, device: DeviceId) -> Vec<TracedFrame> {
        self.shard(device).get(&device).map(|trace| trace.frames.iter().rev().cloned().collect()).unwrap_or_default()
    }
}

fn presence_of(device: DeviceId, trace: &DeviceTrace) -> Presence {
    Presence {
        device,
        connected: trace.connection.is_some(),
        since: trace.since,
        peer: trace.peer.clone(),
        last_contact: trace.last_contact,
    }
}

impl WireLog for WireTrace {
    fn connected(&self, device: DeviceId, connection: u64, peer: &str, at: IngestTime) {
        self.with(device, |trace| {
            trace.connection = Some(connection);
            trace.since = at;
            trace.peer = peer.chars().take(64).collect();
        });
    }

    fn disconnected(&self, device: DeviceId, connection: u64, at: IngestTime) {
        self.with(device, |trace| {
            // A newer connection may have taken over already.
            if trace.connection == Some(connection) {
                trace.connection = None;
                trace.since = at;
            }
        });
    }

    fn acknowledged(&self, device: DeviceId, first: Position, acknowledged: IngestTime) {
        self.with(device, |trace| self.frame(trace, first, |frame| frame.acknowledged = Some(acknowledged)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64) -> Position {
        Position { partition: 0, seq }
    }

    #[test]
    fn the_last_fifty_frames_are_kept_whichever_side_tells_first() {
        let trace = WireTrace::new(WireTraceConfig::default());
        let device = DeviceId(3);
        for seq in 1..=60 {
            if seq % 2 == 0 {
                trace.acknowledged(device, at(seq), IngestTime(7));
            }
            trace.settled(device, at(seq), Channel::Hj212Frame, IngestTime(5), Some(Verdict::Stored));
            if seq % 2 == 1 {
                trace.acknowledged(device, at(seq), IngestTime(7));
            }
        }
        let frames = trace.frames(device);
        assert_eq!((frames.len(), frames[0].position, frames[49].position), (50, at(60), at(11)));
        assert!(frames.iter().all(|frame| frame.settled && frame.acknowledged == Some(IngestTime(7))));
    }

    #[test]
    fn a_frame_shows_what_was_remarked_on_its_records() {
        let trace = WireTrace::new(WireTraceConfig::default());
        let remark = |code: &str, place: &str| Remark { code: code.into(), place: place.into() };
        for seq in 1..=2 {
            trace.settled(DeviceId(3), at(seq), Channel::Hj212Frame, IngestTime(5), Some(Verdict::Stored));
            trace.remarked(DeviceId(3), at(seq), &[remark("duplicate_factor", "a34041=9.9"), remark("clock_skew", "")]);
        }
        trace.remarked(DeviceId(3), at(9), &[remark("not_kept", "")]);
        let frames = trace.frames(DeviceId(3));
        let told = |at: usize| frames[at].remarks.clone().unwrap();
        assert_eq!(told(0).to_vec(), ["duplicate_factor a34041=9.9", "clock_skew"]);
        assert!(Arc::ptr_eq(&told(0), &told(1)), "what every frame says is held once");
        for _ in 0..20 {
            trace.remarked(DeviceId(3), at(2), &[remark("more", "")]);
        }
        assert_eq!(trace.frames(DeviceId(3))[0].remarks.as_ref().unwrap().len(), REMARKS_MAX);
    }

    #[test]
    fn an_old_connection_that_closes_late_does_not_end_the_new_ones_presence() {
        let trace = WireTrace::new(WireTraceConfig::default());
        trace.connected(DeviceId(1), 1, "a", IngestTime(1));
        trace.connected(DeviceId(1), 2, "b", IngestTime(2));
        trace.disconnected(DeviceId(1), 1, IngestTime(3));
        assert!(trace.presence(DeviceId(1)).unwrap().connected);
        trace.disconnected(DeviceId(1), 2, IngestTime(4));
        let presence = trace.presence(DeviceId(1)).unwrap();
        assert_eq!((presence.connected, presence.since), (false, IngestTime(4)));
    }

    #[test]
    fn the_number_of_traced_devices_is_bounded() {
        let trace = WireTrace::new(WireTraceConfig { frames_per_device_max: 1, devices_max: 32 });
        for id in 0..1_000 {
            trace.connected(DeviceId(id), 1, "a", IngestTime(1));
        }
        assert_eq!(trace.presences().len(), 32);
    }
}
