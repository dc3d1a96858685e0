//! Bounds of settle. They belong to the journal: another value gives other verdicts on replay, so they change rarely.

use protocol::mqtt::payload::{AHEAD_MS_MAX, BEHIND_MS_MAX};

/// See each field; [`SettleConfig::default`] is what a district runs with.
#[derive(Debug, Clone, Copy)]
pub struct SettleConfig {
    /// An event time further ahead of receipt is quarantined.
    pub future_ms_max: i64,
    /// An event time further behind receipt is quarantined.
    pub past_ms_max: i64,
    /// An event time further ahead of receipt is remarked as clock skew. A time *behind* receipt may be a late message as well as a slow
    /// clock, and is not remarked.
    pub skew_ms_max: i64,
    /// How long (journal time) the packets of a split message wait for each other.
    pub split_wait_ms: i64,
    /// Split messages that may wait at once, and their bytes; beyond it a packet is quarantined.
    pub split_max: usize,
    pub split_bytes_max: usize,
    /// The same for one device, so that one cannot use up what all share; beyond it the device's oldest is given up.
    pub split_per_device_max: usize,
    pub split_per_device_bytes_max: usize,
    /// Packets of one split message.
    pub split_packets_max: u32,
    /// The same for JT/T 808, where a picture has hundreds; `split_per_device_bytes_max` holds as many.
    pub train_packets_max: u32,
    /// Codes that no profile maps, over all devices.
    pub foreign_max: usize,
    /// The same for one device, so that one cannot use up what all share.
    pub foreign_per_device_max: usize,
    /// Memory for the key sets that tell duplicates.
    pub dedupe_bytes_max: usize,
}

impl Default for SettleConfig {
    fn default() -> Self {
        Self {
            // What a sender is told at once is what happens to it here.
            future_ms_max: AHEAD_MS_MAX,
            past_ms_max: BEHIND_MS_MAX,
            skew_ms_max: 60_000,
            split_wait_ms: 10 * 60_000,
            split_max: 1_000,
            split_bytes_max: 64 << 20,
            split_per_device_max: 8,
            split_per_device_bytes_max: 2_304 << 10,
            split_packets_max: 64,
            train_packets_max: 2_048,
            foreign_max: 10_000,
            foreign_per_device_max: 256,
            dedupe_bytes_max: 8 << 20,
        }
    }
}
