//! Packed columns: how the records of one (device, kind, hour) are written. The format is on disk; [`FORMAT`] is its number.
//!
//! ```text
//! chunk   = FORMAT u8 · length of body u32 · zstd(body)
//! body    = rows u32 · at · received · seq · slot · subject · verdict (integer columns)
//!           · value columns u16 · { quantity u16 · statistic u8 · presence · flags · numbers }
//!           · fixes: presence · lon · lat · speed · heading · altitude · fixed · status · alarm
//!           · extras u32 · { row u32 · length u32 · JSON of happening and remarks }
//! column  = length u32 · kind u8 · bytes      kind 0: deltas as zigzag varints, 1: pco of i64, 2: raw f64, 3: pco of f64, 4: all the same
//! ```
//!
//! Numbers are little-endian. A value column holds the rows that have the value; presence is a bit a row (absent when all have it), flags a byte
//! a present row (absent when all are normal). What is read is bit for bit what was written.

use super::Columns;
use super::row::{Extras, verdict_of};
use model::envelope::Position;
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, RecordKey, RecordKind, SettledRecord, Statistic, Value};
use model::time::{EventTime, IngestTime};
use std::collections::BTreeMap;

/// Number of the format.
pub(super) const FORMAT: u8 = 1;
/// Bytes of an unpacked body at most; a chunk that claims more is damaged.
const BODY_BYTES_MAX: usize = 1 << 30;
const ROWS_MAX: usize = 50_000_000;
/// Below so many numbers the simple forms are smaller.
const PCO_FROM: usize = 48;
const PCO_LEVEL: usize = 4;
const ZSTD_LEVEL: i32 = 1;

/// Why a chunk cannot be read.
pub(super) type Damage = &'static str;

/// Packs chunk after chunk with one zstd context: making one costs as much as packing a small chunk.
pub(super) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    pub(super) fn new() -> Result<Self, Damage> {
        zstd::bulk::Compressor::new(ZSTD_LEVEL).map(Self).map_err(|_| "zstd refused")
    }

    /// Packs records of one device and kind, in the order given.
    pub(super) fn pack(&mut self, records: &[SettledRecord]) -> Result<Vec<u8>, Damage> {
        let body = pack_body(records)?;
        let mut out = vec![FORMAT];
        put_u32(&mut out, body.len());
        let packed = self.0.compress(&body).map_err(|_| "zstd refused")?;
        out.extend_from_slice(&packed);
        Ok(out)
    }
}

fn pack_body(records: &[SettledRecord]) -> Result<Vec<u8>, Damage> {
    let mut body = Vec::new();
    put_u32(&mut body, records.len());
    let integers = |of: &dyn Fn(&SettledRecord) -> i64| records.iter().map(of).collect::<Vec<i64>>();
    for column in [
        integers(&|r| r.key.at.0),
        integers(&|r| r.received.0),
        integers(&|r| r.position.seq.cast_signed()),
        integers(&|r| i64::from(r.key.slot)),
        integers(&|r| r.subject.map_or(0, |subject| subject.0)),
        integers(&|r| r.verdict as i64),
    ] {
        put_integers(&mut body, &column)?;
    }
    pack_values(&mut body, records)?;
    pack_fixes(&mut body, records)?;
    let extras = records.iter().enumerate().filter(|(_, r)| r.body.happening.is_some() || !r.remarks.is_empty());
    let extras: Vec<_> = extras.collect();
    put_u32(&mut body, extras.len());
    for (row, record) in extras {
        let json = Extras { happening: record.body.happening.clone(), remarks: record.remarks.clone() };
        let json = serde_json::to_vec(&json).map_err(|_| "extras cannot be written")?;
        put_u32(&mut body, row);
        put_u32(&mut body, json.len());
        body.extend_from_slice(&json);
    }
    Ok(body)
}

#[derive(Default)]
struct Column {
    rows: Vec<usize>,
    flags: Vec<u8>,
    numbers: Vec<f64>,
}

fn pack_values(body: &mut Vec<u8>, records: &[SettledRecord]) -> Result<(), Damage> {
    let mut columns: BTreeMap<(Quantity, Statistic), Column> = BTreeMap::new();
    for (row, record) in records.iter().enumerate() {
        for value in &record.body.values {
            let column = columns.entry((value.quantity, value.statistic)).or_default();
            column.rows.push(row);
            column.flags.push(value.flag as u8);
            column.numbers.push(value.value);
        }
    }
    let count = u16::try_from(columns.len()).map_err(|_| "too many columns")?;
    body.extend_from_slice(&count.to_le_bytes());
    for ((quantity, statistic), column) in columns {
        body.extend_from_slice(&quantity.0.to_le_bytes());
        body.push(statistic as u8);
        put_presence(body, &column.rows, records.len());
        if column.flags.iter().all(|flag| *flag == 0) {
            put_u32(body, 0);
        } else {
            put_u32(body, column.flags.len());
            body.extend_from_slice(&column.flags);
        }
        put_numbers(body, &column.numbers)?;
    }
    Ok(())
}

fn pack_fixes(body: &mut Vec<u8>, records: &[SettledRecord]) -> Result<(), Damage> {
    let fixes: Vec<(usize, Fix)> =
        records.iter().enumerate().filter_map(|(row, record)| record.body.fix.map(|fix| (row, fix))).collect();
    let rows: Vec<usize> = fixes.iter().map(|(row, _)| *row).collect();
    put_u32(body, rows.len());
    if rows.is_empty() {
        return Ok(());
    }
    put_presence(body, &rows, records.len());
    let numbers = |of: fn(&Fix) -> f64| fixes.iter().map(|(_, fix)| of(fix)).collect::<Vec<f64>>();
    for column in [numbers(|fix| fix.place.lon), numbers(|fix| fix.place.lat), numbers(|fix| fix.speed_kmh)] {
        put_numbers(body, &column)?;
    }
    let integers = |of: fn(&Fix) -> i64| fixes.iter().map(|(_, fix)| of(fix)).collect::<Vec<i64>>();
    for column in [
        integers(|fix| i64::from(fix.heading_deg)),
        integers(|fix| i64::from(fix.altitude_m)),
        integers(|fix| i64::from(fix.fixed)),
        integers(|fix| i64::from(fix.status)),
        integers(|fix| i64::from(fix.alarm)),
    ] {
        put_integers(body, &column)?;
    }
    Ok(())
}

fn put_u32(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_presence(out: &mut Vec<u8>, rows: &[usize], of: usize) {
    if rows.len() == of {
        out.push(0);
        return;
    }
    out.push(1);
    let mut bits = vec![0_u8; of.div_ceil(8)];
    for row in rows {
        if let Some(byte) = bits.get_mut(row / 8) {
            *byte |= 1 << (row % 8);
        }
    }
    out.extend_from_slice(&bits);
}

fn put_column(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    put_u32(out, bytes.len());
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn put_integers(out: &mut Vec<u8>, numbers: &[i64]) -> Result<(), Damage> {
    if let Some(first) = numbers.first()
        && numbers.iter().all(|number| number == first)
    {
        put_column(out, 4, &first.to_le_bytes());
    } else if numbers.len() < PCO_FROM {
        let mut bytes = Vec::with_capacity(numbers.len() * 2);
        let mut before = 0_i64;
        for number in numbers {
            let delta = number.wrapping_sub(before);
            before = *number;
            let mut zigzag = (delta.cast_unsigned() << 1) ^ (delta >> 63).cast_unsigned();
            while zigzag >= 0x80 {
                bytes.push(0x80 | u8::try_from(zigzag & 0x7f).unwrap_or(0));
                zigzag >>= 7;
            }
            bytes.push(u8::try_from(zigzag).unwrap_or(0));
        }
        put_column(out, 0, &bytes);
    } else {
        let config = pco_config().with_mode_spec(pco::ModeSpec::Classic);
        let bytes = pco::standalone::simple_compress(numbers, &config).map_err(|_| "pco refused")?;
        put_column(out, 1, &bytes);
    }
    Ok(())
}

/// Readings and counters follow their predecessors: always first differences. Letting pco look for the best differences took
/// three quarters of the packing time (0.20 against 0.075 µs a number in columns of 120) and found the same ones.
fn pco_config() -> pco::ChunkConfig {
    pco::ChunkConfig::default().with_compression_level(PCO_LEVEL).with_delta_spec(pco::DeltaSpec::TryConsecutive(1))
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[f64]) -> Result<(), Damage> {
    if let Some(first) = numbers.first()
        && numbers.iter().all(|number| number.to_bits() == first.to_bits())
    {
        put_column(out, 4, &first.to_le_bytes());
    } else if numbers.len() < PCO_FROM {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        put_column(out, 2, &bytes);
    } else {
        let bytes = pco::standalone::simple_compress(numbers, &pco_config()).map_err(|_| "pco refused")?;
        put_column(out, 3, &bytes);
    }
    Ok(())
}

/// An unpacked body; columns are read when asked for.
pub(super) struct Chunk {
    body: Vec<u8>,
}

/// One value column, expanded to the rows that have it.
pub(super) struct ValueColumn {
    pub(super) rows: Vec<usize>,
    pub(super) flags: Vec<Flag>,
    pub(super) numbers: Vec<f64>,
}

impl Chunk {
    pub(super) fn open(packed: &[u8]) -> Result<Self, Damage> {
        let (head, zstd) = packed.split_first_chunk::<5>().ok_or("shorter than its head")?;
        let [format, length @ ..] = *head;
        if format != FORMAT {
            return Err("unknown format");
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > BODY_BYTES_MAX {
            return Err("longer than the limit");
        }
        let body = zstd::bulk::decompress(zstd, length).map_err(|_| "zstd cannot read it")?;
        Ok(Self { body })
    }

    /// Event time, slot and journal sequence number of each row.
    pub(super) fn keys(&self) -> Result<Vec<(EventTime, u32, u64)>, Damage> {
        let mut reader = Reader(&self.body);
        let rows = reader.rows()?;
        let at = reader.integers(rows)?;
        reader.skip_column()?;
        let (seq, slot) = (reader.integers(rows)?, reader.integers(rows)?);
        let slots = slot.into_iter().map(|slot| u32::try_from(slot).unwrap_or(0));
        Ok(at
            .into_iter()
            .zip(slots)
            .zip(seq)
            .map(|((at, slot), seq)| (EventTime(at), slot, seq.cast_unsigned()))
            .collect())
    }

    /// The column of one quantity and statistic, if there is one.
    pub(super) fn column(&self, quantity: Quantity, statistic: Statistic) -> Result<Option<ValueColumn>, Damage> {
        let mut reader = Reader(&self.body);
        let rows = reader.rows()?;
        for _ in 0..6 {
            reader.skip_column()?;
        }
        for _ in 0..reader.u16()? {
            let (found, kind) = (Quantity(reader.u16()?), reader.u8()?);
            if (found, kind) == (quantity, statistic as u8) {
                return reader.values(rows).map(Some);
            }
            reader.skip_values(rows)?;
        }
        Ok(None)
    }

    /// All records, as they were packed.
    pub(super) fn records(
        &self,
        device: DeviceId,
        kind: RecordKind,
        partition: u16,
    ) -> Result<Vec<SettledRecord>, Damage> {
        self.picked(device, kind, partition, None)
    }

    /// All records with the wanted parts alone; `None`: all parts.
    pub(super) fn picked(
        &self,
        device: DeviceId,
        kind: RecordKind,
        partition: u16,
        wanted: Option<&Columns>,
    ) -> Result<Vec<SettledRecord>, Damage> {
        let mut reader = Reader(&self.body);
        let rows = reader.rows()?;
        let (at, received, seq) = (reader.integers(rows)?, reader.integers(rows)?, reader.integers(rows)?);
        let (slot, subject, verdict) = (reader.integers(rows)?, reader.integers(rows)?, reader.integers(rows)?);
        let mut records = Vec::with_capacity(rows);
        let columns = at.into_iter().zip(received).zip(seq).zip(slot).zip(subject).zip(verdict);
        for (((((at, received), seq), slot), subject), verdict) in columns {
            records.push(SettledRecord {
                key: RecordKey { device, kind, slot: u32::try_from(slot).map_err(|_| "slot")?, at: EventTime(at) },
                subject: (subject != 0).then_some(SubjectId(subject)),
                received: IngestTime(received),
                position: Position { partition, seq: seq.cast_unsigned() },
                verdict: u8::try_from(verdict).ok().and_then(verdict_of).ok_or("verdict")?,
                body: Body::default(),
                remarks: Vec::new(),
            });
        }
        for _ in 0..reader.u16()? {
            let (quantity, statistic) = (Quantity(reader.u16()?), reader.u8()?);
            if wanted.is_some_and(|wanted| !wanted.quantities.contains(&quantity)) {
                reader.skip_values(rows)?;
                continue;
            }
            let statistic = Statistic::from_u8(statistic).ok_or("statistic")?;
            let column = reader.values(rows)?;
            for ((row, flag), value) in column.rows.into_iter().zip(column.flags).zip(column.numbers) {
                let record = records.get_mut(row).ok_or("row")?;
                record.body.values.push(Value { quantity, statistic, flag, value });
            }
        }
        if wanted.is_some_and(|wanted| !wanted.fixes && !wanted.happenings) {
            return Ok(records);
        }
        reader.fixes(rows, &mut records)?;
        if wanted.is_some_and(|wanted| !wanted.happenings) {
            return Ok(records);
        }
        for _ in 0..reader.u32()? {
            let (row, length) = (reader.u32()?, reader.u32()?);
            let extras: Extras = serde_json::from_slice(reader.bytes(length)?).map_err(|_| "extras")?;
            let record = records.get_mut(row).ok_or("row")?;
            record.body.happening = extras.happening;
            record.remarks = extras.remarks;
        }
        Ok(records)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.bytes(N)?.try_into().map_err(|_| "ends too early")
    }

    fn u8(&mut self) -> Result<u8, Damage> {
        self.take().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, Damage> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<usize, Damage> {
        usize::try_from(u32::from_le_bytes(self.take()?)).map_err(|_| "too long")
    }

    fn rows(&mut self) -> Result<usize, Damage> {
        self.u32().and_then(|rows| if rows <= ROWS_MAX { Ok(rows) } else { Err("too many rows") })
    }

    fn skip_column(&mut self) -> Result<(), Damage> {
        let length = self.u32()?;
        self.bytes(length + 1).map(drop)
    }

    fn integers(&mut self, rows: usize) -> Result<Vec<i64>, Damage> {
        let length = self.u32()?;
        let kind = self.u8()?;
        let bytes = self.bytes(length)?;
        let numbers = match kind {
            0 => varints(bytes)?,
            1 => pco::standalone::simple_decompress::<i64>(bytes).map_err(|_| "pco cannot read it")?,
            4 => vec![i64::from_le_bytes(bytes.try_into().map_err(|_| "constant")?); rows],
            _ => return Err("unknown kind of column"),
        };
        if numbers.len() == rows { Ok(numbers) } else { Err("a column of another length") }
    }

    fn numbers(&mut self, rows: usize) -> Result<Vec<f64>, Damage> {
        let length = self.u32()?;
        let kind = self.u8()?;
        let bytes = self.bytes(length)?;
        let numbers = match kind {
            2 => bytes.chunks_exact(8).filter_map(|word| word.try_into().ok().map(f64::from_le_bytes)).collect(),
            3 => pco::standalone::simple_decompress::<f64>(bytes).map_err(|_| "pco cannot read it")?,
            4 => vec![f64::from_le_bytes(bytes.try_into().map_err(|_| "constant")?); rows],
            0 if rows == 0 => Vec::new(),
            _ => return Err("unknown kind of column"),
        };
        if numbers.len() == rows { Ok(numbers) } else { Err("a column of another length") }
    }

    fn presence(&mut self, rows: usize) -> Result<Vec<usize>, Damage> {
        if self.u8()? == 0 {
            return Ok((0..rows).collect());
        }
        let bits = self.bytes(rows.div_ceil(8))?;
        Ok((0..rows).filter(|row| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)).collect())
    }

    fn flags(&mut self, present: usize) -> Result<Vec<Flag>, Damage> {
        match self.u32()? {
            0 => Ok(vec![Flag::Normal; present]),
            count if count == present => {
                self.bytes(count)?.iter().map(|flag| Flag::from_u8(*flag).ok_or("flag")).collect()
            }
            _ => Err("flags of another length"),
        }
    }

    fn values(&mut self, rows: usize) -> Result<ValueColumn, Damage> {
        let rows = self.presence(rows)?;
        let flags = self.flags(rows.len())?;
        let numbers = self.numbers(rows.len())?;
        Ok(ValueColumn { rows, flags, numbers })
    }

    fn skip_values(&mut self, rows: usize) -> Result<(), Damage> {
        if self.u8()? != 0 {
            self.bytes(rows.div_ceil(8))?;
        }
        let flags = self.u32()?;
        self.bytes(flags)?;
        self.skip_column()
    }

    fn fixes(&mut self, rows: usize, records: &mut [SettledRecord]) -> Result<(), Damage> {
        let count = self.u32()?;
        if count == 0 {
            return Ok(());
        }
        let present = self.presence(rows)?;
        if present.len() != count {
            return Err("fixes of another length");
        }
        let (lon, lat, speed) = (self.numbers(count)?, self.numbers(count)?, self.numbers(count)?);
        let (heading, altitude, fixed) = (self.integers(count)?, self.integers(count)?, self.integers(count)?);
        let (status, alarm) = (self.integers(count)?, self.integers(count)?);
        let places = lon.into_iter().zip(lat).zip(speed);
        let words = heading.into_iter().zip(altitude).zip(fixed).zip(status).zip(alarm);
        for ((row, ((lon, lat), speed_kmh)), ((((heading, altitude), fixed), status), alarm)) in
            present.into_iter().zip(places).zip(words)
        {
            records.get_mut(row).ok_or("row")?.body.fix = Some(Fix {
                place: Wgs84 { lon, lat },
                speed_kmh,
                heading_deg: u16::try_from(heading).map_err(|_| "heading")?,
                altitude_m: i16::try_from(altitude).map_err(|_| "altitude")?,
                fixed: fixed == 1,
                status: u32::try_from(status).map_err(|_| "status")?,
                alarm: u32::try_from(alarm).map_err(|_| "alarm")?,
            });
        }
        Ok(())
    }
}

fn varints(mut bytes: &[u8]) -> Result<Vec<i64>, Damage> {
    let (mut numbers, mut before) = (Vec::new(), 0_i64);
    while !bytes.is_empty() {
        let (mut zigzag, mut shift) = (0_u64, 0_u32);
        loop {
            let (byte, rest) = bytes.split_first().ok_or("ends inside a number")?;
            bytes = rest;
            if shift > 63 {
                return Err("a number too long");
            }
            zigzag |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let delta = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        before = before.wrapping_add(delta);
        numbers.push(before);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests;
