//! The built page, embedded. In a crate of its own, so that a rebuilt page recompiles nothing else. Knows nothing of HTTP: names in,
//! bytes out. Before the page is built the folder is empty, and [`file`] finds nothing.

use rust_embed::RustEmbed;
use std::borrow::Cow;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the page.
#[derive(Debug, Clone)]
pub struct File {
    pub bytes: Cow<'static, [u8]>,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// The file of that name, such as `index.html` or `assets/app-1a2b.js`.
pub fn file(name: &str) -> Option<File> {
    Dist::get(name).map(|found| File { bytes: found.data, sha256: found.metadata.sha256_hash() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_there_finds_nothing() {
        assert!(file("no-such-file.js").is_none());
        assert!(file("../Cargo.toml").is_none());
    }
}
