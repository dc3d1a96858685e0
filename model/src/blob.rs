//! Blobs: pictures and other files of devices, named by the SHA-256 of their bytes. A record refers to one as
//! `sha256:<64 hex digits>`; the bytes are in a [`crate::seams::BlobStore`].

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// SHA-256 of a blob's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BlobId(pub [u8; 32]);

/// What is no 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 of 64 hex digits")]
pub struct NoBlobId;

const SCHEME: &str = "sha256:";

impl BlobId {
    /// As a record refers to it.
    pub fn reference(&self) -> String {
        format!("{SCHEME}{self}")
    }

    /// `None`: an address of the device's own.
    pub fn of_reference(reference: &str) -> Option<Self> {
        reference.strip_prefix(SCHEME)?.parse().ok()
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobId {
    type Err = NoBlobId;

    /// Lower-case digits alone, so that a blob has one name.
    fn from_str(text: &str) -> Result<Self, NoBlobId> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NoBlobId),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(NoBlobId);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for BlobId {
    type Error = NoBlobId;
    fn try_from(text: String) -> Result<Self, NoBlobId> {
        text.parse()
    }
}

/// Pictures that came with an event, by the name of their part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    pub pictures: Vec<(String, BlobId)>,
}

/// A file that belongs to an alarm of a JT/T 808 terminal (Su-biao, Yue-biao).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The alarm's id as the terminal made it, in hex; it begins with the terminal's own id.
    pub alarm: String,
    /// `YYMMDDhhmmss` of the alarm on the terminal's clock.
    pub time: String,
    pub name: String,
    /// 0 picture, 1 audio, 2 video, 3 text, 4 other.
    pub kind: u8,
    pub bytes: u64,
    pub blob: BlobId,
    /// What it is by its first bytes.
    pub is_picture: bool,
}

/// What a blob is by its first bytes, whatever its sender calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Jpeg,
    Png,
    Webp,
    Tiff,
    Wav,
    Mp3,
    Mp4,
    Other,
}

impl Media {
    pub fn of(bytes: &[u8]) -> Self {
        let at = |from: usize, magic: &[u8]| bytes.get(from..).is_some_and(|rest| rest.starts_with(magic));
        if at(0, &[0xFF, 0xD8, 0xFF]) {
            Self::Jpeg
        } else if at(0, b"\x89PNG\r\n\x1a\n") {
            Self::Png
        } else if at(0, b"RIFF") && at(8, b"WEBP") {
            Self::Webp
        } else if at(0, b"RIFF") && at(8, b"WAVE") {
            Self::Wav
        } else if at(0, b"II*\0") || at(0, b"MM\0*") {
            Self::Tiff
        } else if at(4, b"ftyp") {
            Self::Mp4
        } else if at(0, b"ID3") || at(0, &[0xFF, 0xFB]) {
            Self::Mp3
        } else {
            Self::Other
        }
    }

    /// What every browser shows as a picture.
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Webp)
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Mp4 => "video/mp4",
            Self::Other => "application/octet-stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_reference_names_its_blob_and_nothing_else_is_one(bytes: [u8; 32], other in ".{0,80}") {
            let id = BlobId(bytes);
            prop_assert_eq!(BlobId::of_reference(&id.reference()), Some(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse::<BlobId>().is_ok(), !id.to_string().contains(|c: char| c.is_ascii_lowercase()));
            prop_assert_eq!(BlobId::of_reference(&other), None);
        }
    }

    #[test]
    fn what_a_blob_is_follows_from_its_bytes() {
        assert_eq!(Media::of(&[0xFF, 0xD8, 0xFF, 0xE0]), Media::Jpeg);
        assert_eq!(Media::of(b"<svg onload=alert(1)>"), Media::Other);
        assert_eq!(Media::of(b"\0\0\0\x18ftypmp42"), Media::Mp4);
        assert!(!Media::of(b"").is_picture() && Media::Png.is_picture());
    }
}
