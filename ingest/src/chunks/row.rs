//! Rows of the head: settled records as bytes in large blocks, so that a record costs what it holds and no allocation of its own. Rows of one
//! bucket are chained backwards. Never on disk.

use model::envelope::Position;
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, Happening, RecordKey, RecordKind, Remark, SettledRecord, Statistic, Value};
use model::time::{EventTime, IngestTime};
use model::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// What few records have, as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Extras {
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub(super) happening: Option<Box<Happening>>,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) remarks: Vec<Remark>,
}

/// Where a row is: block, offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    block: u32,
    at: u32,
}

/// An append-only list of rows.
#[derive(Debug, Default)]
pub(super) struct RowLog {
    blocks: Vec<Vec<u8>>,
    bytes: usize,
    rows: u64,
}

impl RowLog {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a record, chained to `previous` of its bucket.
    pub(super) fn push(&mut self, record: &SettledRecord, previous: Option<Address>) -> Address {
        let extras = if record.body.happening.is_none() && record.remarks.is_empty() {
            Vec::new()
        } else {
            let extras = Extras { happening: record.body.happening.clone(), remarks: record.remarks.clone() };
            serde_json::to_vec(&extras).unwrap_or_default()
        };
        let length = HEAD_BYTES
            + record.body.values.len() * VALUE_BYTES
            + record.body.fix.map_or(0, |_| FIX_BYTES)
            + extras.len();
        if self.blocks.last().is_none_or(|block| block.capacity() - block.len() < length) {
            self.blocks.push(Vec::with_capacity(BLOCK_BYTES.max(length)));
        }
        let index = self.blocks.len().saturating_sub(1);
        let Some(block) = self.blocks.last_mut() else { return Address { block: 0, at: 0 } };
        let at = block.len();
        write_row(block, record, previous, &extras, length);
        self.bytes += length;
        self.rows += 1;
        Address { block: u32::try_from(index).unwrap_or(u32::MAX), at: u32::try_from(at).unwrap_or(u32::MAX) }
    }

    /// The record at an address and the one before it in its bucket.
    pub(super) fn get(&self, address: Address, partition: u16) -> Option<(SettledRecord, Option<Address>)> {
        let block = self.blocks.get(usize::try_from(address.block).ok()?)?;
        let mut reader = Reader(block.get(usize::try_from(address.at).ok()?..)?);
        read_row(&mut reader, partition)
    }

    /// Records after `seq`, in order, up to about `max`; never cut inside one entry.
    pub(super) fn after(&self, seq: u64, max: usize, partition: u16) -> Vec<SettledRecord> {
        let mut found: Vec<SettledRecord> = Vec::new();
        for block in &self.blocks {
            let mut reader = Reader(block);
            while let Some((length, row_seq)) = reader.peek() {
                if row_seq <= seq {
                    reader.0 = reader.0.get(length..).unwrap_or_default();
                    continue;
                }
                if found.len() >= max && found.last().is_some_and(|last| last.position.seq != row_seq) {
                    return found;
                }
                let Some((record, _)) = read_row(&mut reader, partition) else { break };
                found.push(record);
            }
        }
        found
    }
}

fn write_row(block: &mut Vec<u8>, record: &SettledRecord, previous: Option<Address>, extras: &[u8], length: usize) {
    let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    block.extend_from_slice(&small(length));
    block.extend_from_slice(&previous.map_or(u32::MAX, |address| address.block).to_le_bytes());
    block.extend_from_slice(&previous.map_or(0, |address| address.at).to_le_bytes());
    block.extend_from_slice(&record.position.seq.to_le_bytes());
    block.extend_from_slice(&record.key.device.0.to_le_bytes());
    block.extend_from_slice(&record.key.at.0.to_le_bytes());
    block.extend_from_slice(&record.received.0.to_le_bytes());
    block.extend_from_slice(&record.subject.map_or(0, |subject| subject.0).to_le_bytes());
    block.extend_from_slice(&record.key.slot.to_le_bytes());
    block.extend_from_slice(&[record.key.kind as u8, record.verdict as u8, u8::from(record.body.fix.is_some()), 0]);
    block.extend_from_slice(&small(record.body.values.len()));
    block.extend_from_slice(&small(extras.len()));
    for value in &record.body.values {
        block.extend_from_slice(&value.quantity.0.to_le_bytes());
        block.extend_from_slice(&[value.statistic as u8, value.flag as u8]);
        block.extend_from_slice(&value.value.to_le_bytes());
    }
    if let Some(fix) = record.body.fix {
        for number in [fix.place.lon, fix.place.lat, fix.speed_kmh] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(&fix.heading_deg.to_le_bytes());
        block.extend_from_slice(&fix.altitude_m.to_le_bytes());
        block.extend_from_slice(&fix.status.to_le_bytes());
        block.extend_from_slice(&fix.alarm.to_le_bytes());
        block.push(u8::from(fix.fixed));
    }
    block.extend_from_slice(extras);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn f64(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    /// Length and sequence number of the row at the start.
    fn peek(&self) -> Option<(usize, u64)> {
        let mut ahead = Reader(self.0);
        let length = usize::try_from(ahead.u32()?).ok()?;
        ahead.take::<8>()?;
        Some((length, ahead.take().map(u64::from_le_bytes)?))
    }
}

fn read_row(reader: &mut Reader<'_>, partition: u16) -> Option<(SettledRecord, Option<Address>)> {
    reader.u32()?;
    let (block, at) = (reader.u32()?, reader.u32()?);
    let seq = reader.take().map(u64::from_le_bytes)?;
    let device = DeviceId(reader.i64()?);
    let (event, received, subject) = (EventTime(reader.i64()?), IngestTime(reader.i64()?), reader.i64()?);
    let slot = reader.u32()?;
    let [kind, verdict, has_fix, _] = reader.take()?;
    let (values, extras) = (reader.u32()?, usize::try_from(reader.u32()?).ok()?);
    let mut body = Body { values: Vec::with_capacity(usize::try_from(values).ok()?), ..Body::default() };
    for _ in 0..values {
        let quantity = Quantity(reader.take().map(u16::from_le_bytes)?);
        let [statistic, flag] = reader.take()?;
        let (statistic, flag) = (Statistic::from_u8(statistic)?, Flag::from_u8(flag)?);
        body.values.push(Value { quantity, statistic, flag, value: reader.f64()? });
    }
    if has_fix == 1 {
        body.fix = Some(Fix {
            place: Wgs84 { lon: reader.f64()?, lat: reader.f64()? },
            speed_kmh: reader.f64()?,
            heading_deg: reader.take().map(u16::from_le_bytes)?,
            altitude_m: reader.take().map(i16::from_le_bytes)?,
            status: reader.u32()?,
            alarm: reader.u32()?,
            fixed: reader.take::<1>()? == [1],
        });
    }
    let (json, rest) = reader.0.split_at_checked(extras)?;
    reader.0 = rest;
    let extras = if json.is_empty() { Extras::default() } else { serde_json::from_slice(json).ok()? };
    body.happening = extras.happening;
    let record = SettledRecord {
        key: RecordKey { device, kind: RecordKind::from_u8(kind)?, slot, at: event },
        subject: (subject != 0).then_some(SubjectId(subject)),
        received,
        position: Position { partition, seq },
        verdict: verdict_of(verdict)?,
        body,
        remarks: extras.remarks,
    };
    Some((record, (block != u32::MAX).then_some(Address { block, at })))
}

pub(super) const fn verdict_of(number: u8) -> Option<Verdict> {
    match number {
        1 => Some(Verdict::Stored),
        2 => Some(Verdict::Revised),
        3 => Some(Verdict::Duplicate),
        4 => Some(Verdict::Quarantined),
        _ => None,
    }
}

const BLOCK_BYTES: usize = 256 << 10;
const HEAD_BYTES: usize = 3 * 4 + 5 * 8 + 4 + 4 + 4 + 4;
const VALUE_BYTES: usize = 12;
const FIX_BYTES: usize = 3 * 8 + 2 + 2 + 4 + 4 + 1;
