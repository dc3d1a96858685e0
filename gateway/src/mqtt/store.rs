//! Where sessions and retained messages are kept over a restart, and its form on files: one small JSON file a session and
//! a retained topic, written beside and renamed, synced. The directory:
//!
//! ```text
//! sessions/7-636c69656e74.json     principal 7, client id in hexadecimal (long ones: a hash)
//! retained/6c616e7469616e.json     the topic in hexadecimal (long ones: a hash)
//! ```
//!
//! What is promised: after a clean stop everything; after a crash the state of at most about a second before. A message
//! may then be delivered to a subscriber again, and a subscription made in that second may be missing. Nothing that a
//! device was acknowledged depends on these files.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A session at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// Form of this file.
    pub version: u32,
    pub principal: i64,
    pub client_id: String,
    pub expiry_s: u32,
    /// UTC milliseconds at which it ends; absent while the client is connected or when it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<i64>,
    pub subscriptions: Vec<StoredSubscription>,
    /// Packet ids of `QoS` 2 messages from the client that wait for PUBREL.
    #[serde(default)]
    pub received: Vec<u16>,
    #[serde(default)]
    pub inflight: Vec<StoredInflight>,
    #[serde(default)]
    pub queue: Vec<StoredOut>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSubscription {
    pub filter: String,
    pub qos: u8,
    #[serde(default)]
    pub no_local: bool,
    #[serde(default)]
    pub retain_as_published: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredInflight {
    pub pkid: u16,
    pub released: bool,
    pub out: StoredOut,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOut {
    pub qos: u8,
    pub retain: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscription_ids: Vec<u32>,
    pub message: StoredMessage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    pub topic: String,
    pub payload: StoredBytes,
    pub qos: u8,
    pub retain: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_format: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<StoredBytes>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user: Vec<(String, String)>,
}

/// Bytes as text where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredBytes {
    Text(String),
    Hex(String),
}

impl StoredBytes {
    pub fn of(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Hex(hex(bytes)), |text| Self::Text(text.to_owned()))
    }

    /// `None`: damaged.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Hex(text) => text
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect(),
        }
    }
}

/// Current [`StoredSession::version`].
pub const STORED_VERSION: u32 = 1;

/// Everything that was kept.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub sessions: Vec<StoredSession>,
    pub retained: Vec<StoredMessage>,
    /// Entries that could not be read; they are left where they are.
    pub unreadable: usize,
}

/// Called from one thread of the front's own, which may wait.
pub trait SessionStore: Send + Sync {
    fn load(&self) -> io::Result<Loaded>;
    fn save(&self, session: &StoredSession) -> io::Result<()>;
    fn remove(&self, principal: i64, client_id: &str) -> io::Result<()>;
    fn save_retained(&self, message: &StoredMessage) -> io::Result<()>;
    fn remove_retained(&self, topic: &str) -> io::Result<()>;
}

/// [`SessionStore`] on a directory of files.
#[derive(Debug)]
pub struct FileSessionStore {
    sessions: PathBuf,
    retained: PathBuf,
}

impl FileSessionStore {
    /// Makes the directories when they are missing.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let store = Self { sessions: directory.join("sessions"), retained: directory.join("retained") };
        std::fs::create_dir_all(&store.sessions)?;
        std::fs::create_dir_all(&store.retained)?;
        Ok(store)
    }

    fn session_file(&self, principal: i64, client_id: &str) -> PathBuf {
        self.sessions.join(format!("{principal}-{}.json", file_word(client_id.as_bytes())))
    }

    fn retained_file(&self, topic: &str) -> PathBuf {
        self.retained.join(format!("{}.json", file_word(topic.as_bytes())))
    }
}

impl SessionStore for FileSessionStore {
    fn load(&self) -> io::Result<Loaded> {
        let mut loaded = Loaded::default();
        loaded.sessions = read_all(&self.sessions, &mut loaded.unreadable)?;
        loaded.retained = read_all(&self.retained, &mut loaded.unreadable)?;
        let before = loaded.sessions.len();
        loaded.sessions.retain(|session| session.version == STORED_VERSION);
        loaded.unreadable += before - loaded.sessions.len();
        Ok(loaded)
    }

    fn save(&self, session: &StoredSession) -> io::Result<()> {
        write_file(&self.session_file(session.principal, &session.client_id), session)
    }

    fn remove(&self, principal: i64, client_id: &str) -> io::Result<()> {
        remove_file(&self.session_file(principal, client_id))
    }

    fn save_retained(&self, message: &StoredMessage) -> io::Result<()> {
        write_file(&self.retained_file(&message.topic), message)
    }

    fn remove_retained(&self, topic: &str) -> io::Result<()> {
        remove_file(&self.retained_file(topic))
    }
}

/// Beside, synced, renamed: a reader sees the old file or the new one. The directory is not synced: after a crash of the
/// machine the old file may be back, which the promise above allows.
fn write_file<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let text = serde_json::to_vec(value)?;
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(&text)?;
    file.sync_data()?;
    drop(file);
    std::fs::rename(&beside, path)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn read_all<T: for<'de> Deserialize<'de>>(directory: &Path, unreadable: &mut usize) -> io::Result<Vec<T>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match serde_json::from_slice(&std::fs::read(&path)?) {
            Ok(value) => found.push(value),
            Err(_damaged) => *unreadable += 1,
        }
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// A file name for any bytes: hexadecimal, or for long ones FNV-1a over 128 bits.
fn file_word(bytes: &[u8]) -> String {
    if bytes.len() <= 100 {
        return hex(bytes);
    }
    let hash = bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
    });
    format!("long-{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> StoredSession {
        StoredSession {
            version: STORED_VERSION,
            principal: 7,
            client_id: "客户/端".into(),
            expiry_s: 60,
            ends_ms: Some(5),
            subscriptions: vec![StoredSubscription {
                filter: "lantian/#".into(),
                qos: 1,
                no_local: false,
                retain_as_published: true,
                id: Some(3),
            }],
            received: vec![1, 2],
            inflight: Vec::new(),
            queue: Vec::new(),
        }
    }

    fn message(topic: &str) -> StoredMessage {
        StoredMessage {
            topic: topic.into(),
            payload: StoredBytes::of(&[0xff, 0]),
            qos: 1,
            retain: true,
            expires_ms: None,
            payload_format: None,
            content_type: None,
            response_topic: None,
            correlation: None,
            user: Vec::new(),
        }
    }

    #[test]
    fn what_was_saved_is_loaded_and_what_was_removed_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = FileSessionStore::open(directory.path()).unwrap();
        store.save(&session()).unwrap();
        store.save_retained(&message("a/b")).unwrap();
        store.save_retained(&message(&"long/".repeat(60))).unwrap();
        store.remove_retained("a/b").unwrap();
        store.remove_retained("never/there").unwrap();
        let loaded = FileSessionStore::open(directory.path()).unwrap().load().unwrap();
        assert_eq!(loaded.sessions, [session()]);
        assert_eq!(loaded.retained, [message(&"long/".repeat(60))]);
        assert_eq!(loaded.retained[0].payload.bytes().unwrap(), [0xff, 0]);
        store.remove(7, "客户/端").unwrap();
        assert!(store.load().unwrap().sessions.is_empty());
    }

    #[test]
    fn a_damaged_or_newer_file_is_counted_and_does_not_stop_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let store = FileSessionStore::open(directory.path()).unwrap();
        store.save(&session()).unwrap();
        store.save(&StoredSession { version: 99, client_id: "x".into(), ..session() }).unwrap();
        std::fs::write(directory.path().join("sessions/bad.json"), b"{").unwrap();
        let loaded = store.load().unwrap();
        assert_eq!((loaded.sessions.len(), loaded.unreadable), (1, 2));
    }
}
