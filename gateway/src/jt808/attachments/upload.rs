//! One file on its way to the blob store. Its bytes are written by a thread that may wait for the disk; here is only what waits for it.

use super::ranges::Ranges;
use bytes::Bytes;
use model::blob::{BlobId, Media};
use model::id::DeviceId;
use model::seams::{BlobError, BlobFile, BlobStore};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::oneshot::{self, error::TryRecvError};

/// A file of an alarm.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) name: Vec<u8>,
    pub(super) kind: u8,
    pub(super) size: u32,
    /// Rounds in which parts were asked for again.
    pub(super) rounds: u8,
    /// Its first bytes are those of a picture.
    pub(super) is_picture: bool,
    came: Ranges,
    state: State,
    queue: Vec<(u64, Bytes)>,
    queued_bytes: usize,
    /// 0x1212 came and every byte with it.
    whole: bool,
}

#[derive(Debug)]
enum State {
    /// Nothing of it came yet.
    Announced,
    Open(Box<dyn BlobFile>),
    Busy(oneshot::Receiver<Outcome>),
    /// In the blob store.
    Stored,
    /// Stored, journaled and told.
    Done,
    Failed,
}

#[derive(Debug)]
enum Outcome {
    Written(Box<dyn BlobFile>),
    Finished(BlobId),
    Failed(BlobError),
}

/// What came of a piece of work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// The file is in the blob store.
    Stored(BlobId),
    Failed(String),
}

/// Who does the work.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) blobs: Arc<dyn BlobStore>,
    pub(super) wake: Arc<Notify>,
    pub(super) device: DeviceId,
}

impl Upload {
    pub(super) fn new(name: &[u8], size: u32) -> Self {
        Self {
            name: name.to_vec(),
            kind: 4,
            size,
            rounds: 0,
            is_picture: false,
            came: Ranges::default(),
            state: State::Announced,
            queue: Vec::new(),
            queued_bytes: 0,
            whole: false,
        }
    }

    pub(super) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.state, State::Busy(_))
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) const fn is_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// After a failure the terminal may send the file once more from its beginning.
    pub(super) fn begin_anew(&mut self) {
        *self = Self { rounds: self.rounds, ..Self::new(&self.name, self.size) };
    }

    /// On its way from the store to the journal and the answer.
    pub(super) const fn is_closing(&self) -> bool {
        self.whole
    }

    pub(super) fn done(&mut self) {
        self.state = State::Done;
    }

    /// Takes a piece; the reason when it cannot be.
    pub(super) fn take(&mut self, offset: u32, data: Bytes, desk: &Desk) -> Result<(), &'static str> {
        if self.whole || matches!(self.state, State::Stored | State::Done) {
            // Sent again after it was whole.
            return Ok(());
        }
        if self.is_failed() {
            return Err("failed");
        }
        let from = u64::from(offset);
        let to = from + u64::try_from(data.len()).unwrap_or(u64::MAX);
        if to > u64::from(self.size) {
            return Err("beyond_its_size");
        }
        if !self.came.add(from, to) {
            return Err("too_many_holes");
        }
        if offset == 0 {
            self.is_picture = Media::of(&data).is_picture();
        }
        self.queued_bytes += data.len();
        self.queue.push((from, data));
        self.work(desk);
        Ok(())
    }

    /// 0x1212: what is missing, the first `max` parts; none, and it is being finished.
    pub(super) fn end(&mut self, max: usize, desk: &Desk) -> Vec<(u64, u64)> {
        let missing = self.came.missing(u64::from(self.size), max);
        if missing.is_empty() && !self.is_failed() && !self.is_done() {
            self.whole = true;
            self.work(desk);
        }
        missing
    }

    /// Looks whether work is done, and begins what is next.
    pub(super) fn look(&mut self, desk: &Desk) -> Step {
        let State::Busy(told) = &mut self.state else { return Step::Nothing };
        let outcome = match told.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return Step::Nothing,
            Err(TryRecvError::Closed) => {
                Outcome::Failed(BlobError::Io { what: "write a blob", why: Arc::from("the work was cut short") })
            }
        };
        match outcome {
            Outcome::Written(file) => {
                self.state = State::Open(file);
                self.work(desk);
                Step::Nothing
            }
            Outcome::Finished(id) => {
                self.state = State::Stored;
                Step::Stored(id)
            }
            Outcome::Failed(error) => {
                self.state = State::Failed;
                self.queue.clear();
                self.queued_bytes = 0;
                Step::Failed(error.to_string())
            }
        }
    }

    fn work(&mut self, desk: &Desk) {
        if self.queue.is_empty() && !self.whole {
            return;
        }
        let file = match std::mem::replace(&mut self.state, State::Failed) {
            State::Announced => None,
            State::Open(file) => Some(file),
            other => {
                self.state = other;
                return;
            }
        };
        let queue = std::mem::take(&mut self.queue);
        self.queued_bytes = 0;
        let (tell, told) = oneshot::channel();
        let (desk, finish) = (desk.clone(), self.whole);
        tokio::task::spawn_blocking(move || {
            // Nobody listens any more when the connection has gone.
            tell.send(run(file, &queue, finish, &desk)).ok();
            desk.wake.notify_one();
        });
        self.state = State::Busy(told);
    }
}

fn run(file: Option<Box<dyn BlobFile>>, queue: &[(u64, Bytes)], finish: bool, desk: &Desk) -> Outcome {
    let work = || {
        let mut file = file.map_or_else(|| desk.blobs.begin(), Ok)?;
        for (offset, data) in queue {
            file.write_at(*offset, data)?;
        }
        if finish { file.finish(desk.device).map(Outcome::Finished) } else { Ok(Outcome::Written(file)) }
    };
    work().unwrap_or_else(Outcome::Failed)
}
