//! The second connection of an alarm's attachments: frames of JT/T 808 and raw chunks of files on one stream.
//!
//! ```text
//! 30 31 63 64 | name[50] | offset DW | length DW | data, at most 64 KiB
//! ```

use super::field::{field, text};
use super::frame::{check, unescape};
use super::source::{Body, Fixed, Num, Plain, layout};
use crate::jt808::header::Version;
use bytes::Bytes;

pub(super) const CHUNK_MAGIC: &[u8] = &[0x30, 0x31, 0x63, 0x64];
/// Bytes of a chunk's data.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;
const HEAD_BYTES: usize = 62;
const FLAG: u8 = 0x7e;
const FRAME_BYTES_MIN: usize = 13;
const ESCAPED_BYTES_MAX: usize = 2 * super::frame::FRAME_BYTES_MAX;

layout! {
    /// What precedes a chunk's data.
    pub struct ChunkHead<'a> {
        /// Padded with zeros.
        name: &'a [u8] => Fixed<50>, text("file_name", "文件名称", "file name");
        offset: u32 => Num, field("offset", "数据偏移量", "offset").unit("B");
        length: u32 => Num, field("length", "数据长度", "length").unit("B");
    }
}

/// What the framer found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachmentEvent {
    /// As [`super::Event::Frame`].
    Frame { raw: Bytes, garbage: usize },
    /// A piece of a file. The name is without its padding.
    Chunk { name: Bytes, offset: u32, data: Bytes, garbage: usize },
    /// A frame or chunk longer than any; the stream goes on behind its first bytes.
    Oversize,
}

/// A bounded, incremental framer of such a stream.
#[derive(Debug, Default)]
pub struct AttachmentFramer {
    buffer: Vec<u8>,
    garbage: usize,
}

/// A chunk on the wire; a longer name is cut. `None` when the data is longer than a chunk may be.
pub fn encode_chunk(name: &[u8], offset: u32, data: &[u8]) -> Option<Vec<u8>> {
    if data.len() > CHUNK_BYTES_MAX {
        return None;
    }
    let mut wire = Vec::with_capacity(HEAD_BYTES + data.len());
    wire.extend_from_slice(CHUNK_MAGIC);
    ChunkHead { name, offset, length: u32::try_from(data.len()).ok()? }.write(&mut wire, Version::V2013);
    wire.extend_from_slice(data);
    Some(wire)
}

impl AttachmentFramer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds received bytes. Call [`AttachmentFramer::next_event`] until it returns `None` before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The most bytes it holds after it has been drained.
    pub const fn bound(&self) -> usize {
        HEAD_BYTES + CHUNK_BYTES_MAX
    }

    pub fn next_event(&mut self) -> Option<AttachmentEvent> {
        loop {
            match self.buffer.first()? {
                &FLAG => match self.frame()? {
                    Step::Found(event) => return Some(event),
                    Step::Again => {}
                },
                byte if Some(byte) == CHUNK_MAGIC.first() => {
                    let begins = self.buffer.iter().zip(CHUNK_MAGIC).all(|(found, wanted)| found == wanted);
                    if !begins {
                        self.skip(1);
                    } else if self.buffer.len() < CHUNK_MAGIC.len() {
                        return None;
                    } else {
                        return self.chunk();
                    }
                }
                _ => {
                    let next = self.buffer.iter().position(|byte| *byte == FLAG || Some(byte) == CHUNK_MAGIC.first());
                    self.skip(next.unwrap_or(self.buffer.len()));
                }
            }
        }
    }

    fn chunk(&mut self) -> Option<AttachmentEvent> {
        let head = self.buffer.get(CHUNK_MAGIC.len()..HEAD_BYTES)?;
        let mut problems = Vec::new();
        let head = ChunkHead::read(&mut Plain::new(head, Version::V2013, 0, &mut problems)).ok()?;
        let len = usize::try_from(head.length).unwrap_or(usize::MAX);
        if len > CHUNK_BYTES_MAX {
            self.skip(CHUNK_MAGIC.len());
            return Some(AttachmentEvent::Oversize);
        }
        let data = Bytes::copy_from_slice(self.buffer.get(HEAD_BYTES..HEAD_BYTES + len)?);
        let end = head.name.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        let name = Bytes::copy_from_slice(head.name.get(..end).unwrap_or_default());
        let offset = head.offset;
        self.buffer.drain(..HEAD_BYTES + len);
        Some(AttachmentEvent::Chunk { name, offset, data, garbage: std::mem::take(&mut self.garbage) })
    }

    /// At a `7e`. A frame with the right check takes its closing `7e` along; otherwise that one may open the next.
    fn frame(&mut self) -> Option<Step> {
        let rest = self.buffer.get(1..).unwrap_or_default();
        let prefix = rest.iter().zip(CHUNK_MAGIC).take_while(|(found, wanted)| found == wanted).count();
        if prefix == CHUNK_MAGIC.len() {
            self.skip(1);
            return Some(Step::Again);
        }
        let end = memchr::memchr(FLAG, rest);
        if end.unwrap_or(rest.len()) > ESCAPED_BYTES_MAX {
            self.skip(1);
            return Some(Step::Found(AttachmentEvent::Oversize));
        }
        let content = rest.get(..end?).unwrap_or_default();
        if content.len() < FRAME_BYTES_MIN {
            let len = content.len() + 1;
            self.skip(len);
            return Some(Step::Again);
        }
        let raw = unescape(content);
        let whole = raw.split_last().is_some_and(|(found, rest)| check(rest) == *found);
        self.buffer.drain(..content.len() + 1 + usize::from(whole));
        Some(Step::Found(AttachmentEvent::Frame { raw, garbage: std::mem::take(&mut self.garbage) }))
    }

    fn skip(&mut self, count: usize) {
        let skipped = self.buffer.get(..count).unwrap_or_default();
        self.garbage += skipped.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != FLAG).count();
        self.buffer.drain(..count.min(self.buffer.len()));
    }
}

enum Step {
    Found(AttachmentEvent),
    Again,
}

#[cfg(test)]
mod tests {
    use super::super::{Message, Phone, encode};
    use super::*;
    use proptest::prelude::*;

    fn drain(stream: &[u8], cut: usize) -> Vec<AttachmentEvent> {
        let mut framer = AttachmentFramer::new();
        let mut found = Vec::new();
        for chunk in stream.chunks(cut) {
            framer.push(chunk);
            while let Some(event) = framer.next_event() {
                found.push(event);
            }
            assert!(framer.buffered() <= framer.bound());
        }
        found
    }

    fn good_frame() -> Vec<u8> {
        let phone = Phone::from_digits("13800000001", Version::V2013).unwrap();
        encode(Version::V2013, &phone, 1, &Message::Logout)
    }

    #[test]
    fn frames_and_chunks_share_a_stream() {
        let chunk = encode_chunk(b"00_65_6501_0_x.jpg", 4, &[0x7e, 0x30, 0x31, 0x63, 0x64, 0x7e]).unwrap();
        let stream = [good_frame(), chunk.clone(), b"junk".to_vec(), chunk, good_frame(), good_frame()].concat();
        for cut in [1, 7, 10_000] {
            let found = drain(&stream, cut);
            assert_eq!(found.len(), 5, "{found:?}");
            let AttachmentEvent::Chunk { name, offset, data, garbage } = &found[2] else { panic!("{found:?}") };
            assert_eq!((&name[..], *offset, data.len(), *garbage), (&b"00_65_6501_0_x.jpg"[..], 4, 6, 4));
        }
    }

    #[test]
    fn a_chunk_that_announces_too_much_is_refused_and_the_next_frame_read() {
        let mut chunk = encode_chunk(b"x", 0, b"abc").unwrap();
        chunk[58..62].copy_from_slice(&65_537_u32.to_be_bytes());
        let stream = [chunk, good_frame()].concat();
        for cut in [1, 10_000] {
            let found = drain(&stream, cut);
            assert!(matches!(found[..], [AttachmentEvent::Oversize, AttachmentEvent::Frame { .. }]), "{found:?}");
        }
        assert_eq!(encode_chunk(b"x", 0, &vec![0; CHUNK_BYTES_MAX + 1]), None);
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_pieces_and_nothing_outgrows_the_bound(
            parts in prop::collection::vec(prop_oneof![
                Just(good_frame()),
                prop::collection::vec(any::<u8>(), 0..300).prop_map(|data| encode_chunk(b"a.jpg", 1, &data).unwrap()),
                prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\x7e\x7d01cd".to_vec())], 0..200),
            ], 0..6),
            cut in 1_usize..70,
        ) {
            let stream = parts.concat();
            prop_assert_eq!(drain(&stream, cut), drain(&stream, 1_000_000));
            prop_assert_eq!(drain(&stream, 1), drain(&stream, 1_000_000));
        }
    }
}
