//! JT/T 808 sub-packets: which message one belongs to, and the message put together.
//!
//! The packets of a message carry consecutive serials, so number and serial of any of them give the serial of the first: with device
//! and message id that names the message, in whatever order its packets come. A packet sent again is by the standard the same frame;
//! terminals that give all packets one serial are survived too. A medium of 2011 is numbered in its body and named by its own id.

use super::draft::Packet;
use bytes::Bytes;
use model::envelope::Envelope;
use protocol::jt808::{Outcome, Parts, Reassembly, ReassemblyLimits, Whole, id, media_packet_2011};

/// Place of a frame in its message; `None` when it is a message of its own. Encrypted parts are not put together.
pub fn packet(parts: &Parts<'_>) -> Option<Packet> {
    let header = &parts.header;
    if header.encryption != 0 {
        return None;
    }
    if let Some(packet) = header.packet.filter(|packet| packet.total > 1) {
        let first = header.serial.wrapping_sub(packet.number.wrapping_sub(1));
        let key = format!("jt808/{:04X}/{first}", header.id);
        return Some(Packet { key, of: packet.total.into(), number: packet.number.into() });
    }
    if header.id != id::MEDIA {
        return None;
    }
    let (of, number) = media_packet_2011(parts.body).filter(|(total, _)| *total > 1)?;
    let medium = parts.body.first_chunk().map(|id| u32::from_be_bytes(*id))?;
    Some(Packet { key: format!("jt808/{:04X}/medium/{medium}", header.id), of, number })
}

/// Whether two packets have one serial: their terminal does not count them.
pub fn is_uncounted(last: &Bytes, this: &Bytes) -> bool {
    let read =
        |raw| Parts::split(raw).map(|parts| (parts.header.id, parts.header.serial, parts.header.packet.is_some()));
    read(last).is_some_and(|one| one.2 && read(this) == Some(one))
}

/// The message that all its packets, in their order, make; `None` when they do not fit together.
pub fn whole<'a>(packets: impl Iterator<Item = &'a Envelope>) -> Option<Whole> {
    const LIMITS: ReassemblyLimits = ReassemblyLimits {
        trains_max: 1,
        packets_max: u16::MAX,
        message_bytes_max: usize::MAX,
        bytes_max: usize::MAX,
        age_ms_max: u64::MAX,
    };
    let mut reassembly = Reassembly::new(LIMITS);
    packets.into_iter().find_map(|envelope| {
        let parts = Parts::split(&envelope.raw)?;
        match reassembly.push(0, &parts.header, parts.body).outcome {
            Outcome::Whole(whole) => Some(whole),
            _ => None,
        }
    })
}
