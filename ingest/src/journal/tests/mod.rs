//! The journal's promises: against a model with crash points (`model`), one by one (`promises`), and on damaged files
//! (`damage`).

mod damage;
mod model;
mod promises;

use super::entry::Entry;
use super::log::Log;
use super::memory::MemoryLayer;
use super::segment::{begin_record, end_record};
use super::{Journal, JournalConfig, JournalError, JournalReader, Recovery, Shared, open_shared};
use ::model::envelope::{Channel, Envelope, Position};
use ::model::id::{DeviceId, PrincipalId};
use ::model::time::{IngestTime, ManualClock};
use bytes::Bytes;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DIR: &str = "/journal";

fn config(segment_bytes: u64) -> JournalConfig {
    JournalConfig { segment_bytes, retry_max: Duration::from_millis(1), ..JournalConfig::new(DIR) }
}

fn at(seq: u64) -> Position {
    Position { partition: 0, seq }
}

fn frame(number: u64, length: usize) -> Entry {
    Entry::Frame(Envelope {
        received: IngestTime::from_ms(1_700_000_000_000 + number.cast_signed()),
        principal: PrincipalId(7),
        device: DeviceId(number.cast_signed() % 50),
        channel: Channel::MqttTelemetry,
        remarks: 0,
        connection: number,
        raw: Bytes::from(vec![(number % 251) as u8; length]),
    })
}

fn frames(from: u64, count: u64) -> Vec<Entry> {
    (from..from + count).map(|number| frame(number, 40 + (number % 90) as usize)).collect()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(IngestTime::from_ms(1_700_000_100_000)))
}

fn open(disk: &MemoryLayer, segment_bytes: u64) -> (Arc<Journal>, Recovery) {
    Journal::open(config(segment_bytes), Arc::new(disk.clone()), clock()).unwrap()
}

/// Without threads: what happens, happens in this order.
fn open_still(disk: &MemoryLayer, segment_bytes: u64) -> Result<(Arc<Shared>, Recovery), JournalError> {
    open_shared(config(segment_bytes), Arc::new(disk.clone()), clock())
}

fn commit(log: &mut Log, entries: &[Entry]) -> io::Result<u64> {
    let mut records = Vec::new();
    for entry in entries {
        let start = begin_record(&mut records);
        entry.encode(&mut records).unwrap();
        assert!(end_record(&mut records, start));
    }
    log.commit([records.as_slice()].into_iter(), u32::try_from(entries.len()).unwrap())
}

/// All there is from `from` on, checking that numbers run without gaps.
fn read_all(mut reader: JournalReader, batch_bytes: usize) -> Result<Vec<Entry>, JournalError> {
    let mut all = Vec::new();
    loop {
        let expected = reader.next().seq;
        let batch = reader.read_batch(batch_bytes)?;
        if batch.is_empty() {
            return Ok(all);
        }
        for (index, (place, entry)) in batch.into_iter().enumerate() {
            assert_eq!(place.seq, expected + index as u64);
            all.push(entry);
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn hot(first: u64) -> std::path::PathBuf {
    Path::new(DIR).join(format!("{first:020}.seg"))
}
