//! Pictures and other files on their way into the blob store. What its disk refuses is owed: it is tried again each second, and while
//! anything is owed the worker's cursor stays where it is as long as the head has room, so that a restart reads it from the journal
//! again. A store that is full, or will not take so large a file, has given its answer and is not asked twice.

use crate::metrics::{BLOBS_LOST_TOTAL, BLOBS_OWED};
use bytes::Bytes;
use model::id::DeviceId;
use model::seams::{BlobError, BlobStore};
use model::time::IngestTime;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes that may wait; beyond it the oldest is let go, counted and logged.
const BYTES_MAX: usize = 64 << 20;
const PAUSE_MS: i64 = 1_000;

#[derive(Debug)]
pub(super) struct Owed {
    store: Option<Arc<dyn BlobStore>>,
    waiting: VecDeque<(DeviceId, Bytes)>,
    bytes: usize,
    tried: IngestTime,
}

impl Owed {
    pub(super) fn new(store: Option<Arc<dyn BlobStore>>) -> Self {
        Self { store, waiting: VecDeque::new(), bytes: 0, tried: IngestTime::MIN }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a file, now or as soon as the disk takes it.
    pub(super) fn keep(&mut self, device: DeviceId, bytes: Bytes, now: IngestTime) {
        let Err(error) = self.put(device, &bytes) else { return };
        if self.waiting.is_empty() {
            tracing::error!(%device, %error, "failed to keep a picture; it is in the journal and tried again each second");
        }
        self.tried = now;
        self.bytes += bytes.len();
        self.waiting.push_back((device, bytes));
        while self.bytes > BYTES_MAX
            && let Some((device, bytes)) = self.waiting.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(bytes.len());
            metrics::counter!(BLOBS_LOST_TOTAL).increment(1);
            tracing::error!(%device, bytes = bytes.len(), "failed to keep a picture; too many wait for the disk");
        }
        self.report();
    }

    /// To be called again and again.
    pub(super) fn try_again(&mut self, now: IngestTime) {
        if self.waiting.is_empty() || now.since_ms(self.tried) < PAUSE_MS {
            return;
        }
        self.tried = now;
        while let Some((device, bytes)) = self.waiting.pop_front() {
            if self.put(device, &bytes).is_err() {
                self.waiting.push_front((device, bytes));
                break;
            }
            self.bytes = self.bytes.saturating_sub(bytes.len());
        }
        if self.waiting.is_empty() {
            tracing::info!("pictures that waited for the disk are kept");
        }
        self.report();
    }

    /// An error may be over later.
    fn put(&self, device: DeviceId, bytes: &Bytes) -> Result<(), BlobError> {
        let Some(store) = &self.store else { return Ok(()) };
        match store.put(device, bytes) {
            Ok(_) => Ok(()),
            // Counted by the store.
            Err(error @ (BlobError::Full | BlobError::TooLarge(_))) => {
                tracing::debug!(%device, bytes = bytes.len(), %error, "a picture found no room");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn report(&self) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(BLOBS_OWED).set(self.waiting.len() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::{BlobConfig, Blobs};
    use model::blob::BlobId;
    use model::time::{Clock, ManualClock};
    use sha2::{Digest, Sha256};

    #[test]
    fn a_picture_that_the_disk_refuses_is_kept_once_it_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(IngestTime(0)));
        let blobs = Blobs::open(folder.path(), BlobConfig::default(), clock).unwrap();
        let drafts = folder.path().join("new");
        // No file can be begun where the folder for it is missing.
        std::fs::remove_dir(&drafts).unwrap();
        let mut owed = Owed::new(Some(Arc::new(blobs.clone())));
        let picture = Bytes::from_static(b"a picture");
        owed.keep(DeviceId(3), picture.clone(), IngestTime(0));
        owed.keep(DeviceId(3), Bytes::from_static(b"another"), IngestTime(0));
        assert!(!owed.is_empty());
        owed.try_again(IngestTime(1_000));
        assert!(!owed.is_empty(), "the disk still refuses");
        std::fs::create_dir(&drafts).unwrap();
        owed.try_again(IngestTime(1_500));
        assert!(!owed.is_empty(), "not before its second is over");
        owed.try_again(IngestTime(2_000));
        assert!(owed.is_empty());
        let id = BlobId(Sha256::digest(&picture).into());
        assert_eq!(blobs.read(id).unwrap().as_deref(), Some(&picture[..]));
    }

    #[test]
    fn what_waits_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(IngestTime(0)));
        let blobs = Blobs::open(folder.path(), BlobConfig::default(), clock).unwrap();
        std::fs::remove_dir(folder.path().join("new")).unwrap();
        let mut owed = Owed::new(Some(Arc::new(blobs)));
        for _ in 0..20 {
            owed.keep(DeviceId(3), Bytes::from(vec![0; 8 << 20]), IngestTime(0));
        }
        assert_eq!((owed.waiting.len(), owed.bytes), (8, BYTES_MAX));
    }
}
