//! What the journal holds, and how one entry is written as bytes. The layout is on disk for years: a kind keeps its
//! number and its body for ever, and a change of a body takes a new number.
//!
//! ```text
//! entry    := kind u8, body
//! Frame    1: received i, principal i, device i, channel u8, remarks u8, connection u, raw (the rest)
//! Tick     2: at i, synchronised u8, listening u (bit n: protocol n)
//! Revision 3: JSON of `model::register::Revision`
//! Outage   4: from i, to i, what u8 (1 process, 2 listener, 3 disk full, 4 clock step, 5 upstream broker)
//! Fact     5: bytes, reserved
//! u = LEB128, i = LEB128 of the zigzag form
//! ```
//!
//! A kind, channel or outage number that this version does not know is kept as [`Entry::Unknown`], byte for byte. A
//! revision that cannot be read is an error instead: going on without it would change verdicts in silence.

use bytes::{Buf, Bytes};
use model::envelope::{Channel, Envelope, ProtocolKind};
use model::id::{DeviceId, PrincipalId};
use model::register::Revision;
use model::stream::{Outage, OutageKind, Tick};
use model::time::IngestTime;

/// An entry of the journal: everything that can change a verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Frame(Envelope),
    Tick(Tick),
    Revision(Box<Revision>),
    Outage(Outage),
    /// A fact of the first stage, journaled again under another key. Reserved: kept as it is.
    Fact(Bytes),
    /// Of a kind that this version does not know. Kept as it is.
    Unknown {
        kind: u8,
        body: Bytes,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    #[error("entry is cut short")]
    Short,
    #[error("revision is not readable: {0}")]
    Revision(#[from] serde_json::Error),
}

impl Entry {
    /// Appends the entry's bytes to `out`. Only a revision can fail.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EntryError> {
        match self {
            Self::Frame(envelope) => encode_frame(envelope, out),
            Self::Tick(tick) => {
                out.push(TICK);
                put_signed(out, tick.at.as_ms());
                out.push(u8::from(tick.clock_synchronised));
                put(out, tick.listening.iter().fold(0, |bits, protocol| bits | (1 << (*protocol as u8))));
            }
            Self::Revision(revision) => {
                let json = serde_json::to_vec(revision)?;
                // JSON has no NaN: what would not read back must not get in.
                serde_json::from_slice::<Revision>(&json)?;
                out.push(REVISION);
                out.extend_from_slice(&json);
            }
            Self::Outage(outage) => {
                out.push(OUTAGE);
                put_signed(out, outage.from.as_ms());
                put_signed(out, outage.to.as_ms());
                out.push(outage_number(outage.what));
            }
            Self::Fact(body) => {
                out.push(FACT);
                out.extend_from_slice(body);
            }
            Self::Unknown { kind, body } => {
                out.push(*kind);
                out.extend_from_slice(body);
            }
        }
        Ok(())
    }

    /// Reads one entry; a frame's raw bytes are a slice of `bytes`, not a copy.
    pub fn decode(mut bytes: Bytes) -> Result<Self, EntryError> {
        let kind = take_u8(&mut bytes)?;
        let body = bytes.clone();
        Ok(match kind {
            FRAME => decode_frame(bytes)?.map_or(Self::Unknown { kind, body }, Self::Frame),
            TICK => Self::Tick(decode_tick(&mut bytes)?),
            REVISION => Self::Revision(Box::new(serde_json::from_slice(&bytes)?)),
            OUTAGE => decode_outage(&mut bytes)?.map_or(Self::Unknown { kind, body }, Self::Outage),
            FACT => Self::Fact(bytes),
            _ => Self::Unknown { kind, body: bytes },
        })
    }

    /// The journal's own time of the entry, where it has one.
    pub fn at(&self) -> Option<IngestTime> {
        match self {
            Self::Frame(envelope) => Some(envelope.received),
            Self::Tick(tick) => Some(tick.at),
            Self::Revision(revision) => Some(revision.at),
            Self::Outage(outage) => Some(outage.to),
            Self::Fact(_) | Self::Unknown { .. } => None,
        }
    }
}

/// The bytes of [`Entry::Frame`], without taking the envelope.
pub(super) fn encode_frame(envelope: &Envelope, out: &mut Vec<u8>) {
    out.push(FRAME);
    put_signed(out, envelope.received.as_ms());
    put_signed(out, envelope.principal.0);
    put_signed(out, envelope.device.0);
    out.push(envelope.channel as u8);
    out.push(envelope.remarks);
    put(out, envelope.connection);
    out.extend_from_slice(&envelope.raw);
}

fn decode_frame(mut bytes: Bytes) -> Result<Option<Envelope>, EntryError> {
    let received = IngestTime(take_signed(&mut bytes)?);
    let principal = PrincipalId(take_signed(&mut bytes)?);
    let device = DeviceId(take_signed(&mut bytes)?);
    let channel = Channel::from_u8(take_u8(&mut bytes)?);
    let remarks = take_u8(&mut bytes)?;
    let connection = take(&mut bytes)?;
    Ok(channel.map(|channel| Envelope { received, principal, device, channel, remarks, connection, raw: bytes }))
}

fn decode_tick(bytes: &mut Bytes) -> Result<Tick, EntryError> {
    let at = IngestTime(take_signed(bytes)?);
    let clock_synchronised = take_u8(bytes)? != 0;
    let bits = take(bytes)?;
    let listening = ProtocolKind::ALL.into_iter().filter(|protocol| bits & (1 << (*protocol as u8)) != 0).collect();
    Ok(Tick { at, clock_synchronised, listening })
}

fn decode_outage(bytes: &mut Bytes) -> Result<Option<Outage>, EntryError> {
    let (from, to) = (IngestTime(take_signed(bytes)?), IngestTime(take_signed(bytes)?));
    let what = match take_u8(bytes)? {
        1 => OutageKind::Process,
        2 => OutageKind::Listener,
        3 => OutageKind::DiskFull,
        4 => OutageKind::ClockStep,
        5 => OutageKind::UpstreamBroker,
        _ => return Ok(None),
    };
    Ok(Some(Outage { from, to, what }))
}

const fn outage_number(what: OutageKind) -> u8 {
    match what {
        OutageKind::Process => 1,
        OutageKind::Listener => 2,
        OutageKind::DiskFull => 3,
        OutageKind::ClockStep => 4,
        OutageKind::UpstreamBroker => 5,
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

fn take_u8(bytes: &mut Bytes) -> Result<u8, EntryError> {
    bytes.try_get_u8().map_err(|_| EntryError::Short)
}

fn take(bytes: &mut Bytes) -> Result<u64, EntryError> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            bytes.advance(index + 1);
            return Ok(value);
        }
    }
    Err(EntryError::Short)
}

fn take_signed(bytes: &mut Bytes) -> Result<i64, EntryError> {
    let value = take(bytes)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

const FRAME: u8 = 1;
const TICK: u8 = 2;
const REVISION: u8 = 3;
const OUTAGE: u8 = 4;
const FACT: u8 = 5;
const VARINT_BYTES_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(entry: &Entry) -> Entry {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes).unwrap();
        Entry::decode(bytes.into()).unwrap()
    }

    proptest! {
        #[test]
        fn a_frame_reads_back(
            received: i64, principal: i64, device: i64, channel in 0..Channel::ALL.len(), remarks: u8, connection: u64,
            raw: Vec<u8>,
        ) {
            let entry = Entry::Frame(Envelope {
                received: IngestTime(received), principal: PrincipalId(principal), device: DeviceId(device),
                channel: Channel::ALL[channel], remarks, connection, raw: raw.into(),
            });
            prop_assert_eq!(round_trip(&entry), entry);
        }

        #[test]
        fn a_tick_reads_back(at: i64, clock_synchronised: bool, bits in 0_u8..16) {
            let listening = ProtocolKind::ALL.into_iter().filter(|p| bits & (1 << (*p as u8 - 1)) != 0).collect();
            let entry = Entry::Tick(Tick { at: IngestTime(at), clock_synchronised, listening });
            prop_assert_eq!(round_trip(&entry), entry);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            Entry::decode(bytes.into()).ok();
        }
    }

    #[test]
    fn outages_facts_and_revisions_read_back() {
        use OutageKind::{ClockStep, DiskFull, Listener, Process, UpstreamBroker};
        for what in [Process, Listener, DiskFull, ClockStep, UpstreamBroker] {
            let entry = Entry::Outage(Outage { from: IngestTime(-5), to: IngestTime(i64::MAX), what });
            assert_eq!(round_trip(&entry), entry);
        }
        let fact = Entry::Fact(Bytes::from_static(b"\x00\xff"));
        assert_eq!(round_trip(&fact), fact);
        let json = r#"{"number":7,"at":1,"author":"a","object":"calendar","row":{"code":"cn","hours":[]}}"#;
        let revision = Entry::Revision(Box::new(serde_json::from_str(json).unwrap()));
        assert_eq!(round_trip(&revision), revision);
    }

    #[test]
    fn unknown_kinds_and_channels_are_kept_byte_for_byte() {
        for bytes in [&b"\x63later"[..], b"\x01\x02\x02\x02\xc8\x00\x01raw", b"\x04\x02\x02\x09"] {
            let entry = Entry::decode(Bytes::from_static(bytes)).unwrap();
            assert!(matches!(entry, Entry::Unknown { .. }), "{entry:?}");
            let mut again = Vec::new();
            entry.encode(&mut again).unwrap();
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn a_revision_that_cannot_be_read_is_an_error_not_a_gap() {
        assert!(matches!(Entry::decode(Bytes::from_static(b"\x03{}")), Err(EntryError::Revision(_))));
    }
}
