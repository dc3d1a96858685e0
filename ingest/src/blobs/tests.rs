//! The promises of the blob store, on a real folder.

use super::*;
use model::time::{IngestTime, ManualClock};

const HOUR: i64 = 3_600_000;
const ONE: DeviceId = DeviceId(1);
const TWO: DeviceId = DeviceId(2);

struct World {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    config: BlobConfig,
}

impl World {
    fn new(config: BlobConfig) -> Self {
        let clock = Arc::new(ManualClock::at(IngestTime(1_767_240_000_000)));
        Self { dir: tempfile::tempdir().unwrap(), clock, config }
    }

    fn open(&self) -> Blobs {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        Blobs::open(&self.dir.path().join("blobs"), self.config, clock).unwrap()
    }

    fn later(&self) {
        self.clock.set(IngestTime(self.clock.now().0 + 2 * HOUR));
    }

    fn files(&self) -> usize {
        let drawers = std::fs::read_dir(self.dir.path().join("blobs")).unwrap().flatten();
        drawers.map(|drawer| std::fs::read_dir(drawer.path()).unwrap().count()).sum()
    }
}

fn small() -> BlobConfig {
    BlobConfig { blob_bytes_max: 100, bytes_max: 250, device_bytes_max: 200, young_ms: HOUR }
}

#[test]
fn a_kept_blob_is_read_back_after_a_restart_with_who_sent_it_and_its_pin() {
    let world = World::new(small());
    let blobs = world.open();
    let id = blobs.put(ONE, b"picture").unwrap();
    assert_eq!(id.to_string(), "2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97");
    assert_eq!(blobs.put(TWO, b"picture").unwrap(), id);
    blobs.pin(id).unwrap();
    drop(blobs);
    let blobs = world.open();
    assert_eq!(blobs.read(id).unwrap().as_deref(), Some(&b"picture"[..]));
    assert_eq!(blobs.devices(id), [ONE, TWO]);
    assert!(blobs.is_pinned(id));
    assert_eq!(blobs.held(), (1, 7));
    assert_eq!(blobs.read(BlobId([0; 32])).unwrap(), None);
}

#[test]
fn pieces_in_any_order_make_one_blob_and_one_given_up_leaves_nothing() {
    let world = World::new(small());
    let blobs = world.open();
    let whole = blobs.put(ONE, b"picture").unwrap();
    let mut file = blobs.begin().unwrap();
    file.write_at(4, b"ure").unwrap();
    file.write_at(0, b"pict").unwrap();
    assert_eq!(file.finish(ONE).unwrap(), whole);
    let mut unfinished = blobs.begin().unwrap();
    unfinished.write_at(0, b"half").unwrap();
    drop(unfinished);
    // The bytes and the mark of the device.
    assert_eq!(world.files(), 2);
}

#[test]
fn one_that_is_too_large_is_refused_before_it_is_written() {
    let world = World::new(small());
    let blobs = world.open();
    assert_eq!(blobs.put(ONE, &[0; 101]), Err(BlobError::TooLarge(100)));
    let mut file = blobs.begin().unwrap();
    assert_eq!(file.write_at(u64::MAX, b"x"), Err(BlobError::TooLarge(100)));
    assert_eq!(file.write_at(1 << 40, b"x"), Err(BlobError::TooLarge(100)));
    drop(file);
    assert_eq!((blobs.held(), world.files()), ((0, 0), 0));
}

#[test]
fn the_oldest_go_first_and_what_evidence_needs_never() {
    let world = World::new(small());
    let blobs = world.open();
    let put = |device, byte: u8| {
        world.later();
        blobs.put(device, &[byte; 60])
    };
    let first = put(ONE, 0).unwrap();
    let ids: Vec<_> = (1..=3).map(|byte| put(ONE, byte).unwrap()).collect();
    // A fourth of device 1 is over its 200 bytes: its own oldest went.
    assert_eq!(blobs.read(first).unwrap(), None);
    blobs.pin(ids[0]).unwrap();
    let fourth = put(ONE, 4).unwrap();
    // The store is full with another device's: the oldest of all that are not pinned go.
    let fifth = put(TWO, 5).unwrap();
    let sixth = put(TWO, 6).unwrap();
    assert!(blobs.read(ids[0]).unwrap().is_some());
    assert!(blobs.read(ids[1]).unwrap().is_none() && blobs.read(ids[2]).unwrap().is_none());
    assert_eq!(blobs.held(), (4, 240));
    for id in [ids[0], fourth, fifth, sixth] {
        blobs.pin(id).unwrap();
    }
    assert_eq!(put(TWO, 7), Err(BlobError::Full));
    let again = world.open();
    assert_eq!(again.held(), (4, 240), "a restart finds the same");
    assert_eq!(again.put(TWO, &[7; 60]), Err(BlobError::Full));
}

#[test]
fn what_is_young_may_not_be_pinned_yet_and_stays() {
    let world = World::new(small());
    let blobs = world.open();
    let ids = [1, 2, 3].map(|byte| blobs.put(ONE, &[byte; 60]).unwrap());
    assert_eq!(blobs.put(ONE, &[4; 60]), Err(BlobError::Full));
    world.later();
    // Sent again, the first is young again.
    blobs.put(ONE, &[1; 60]).unwrap();
    blobs.put(ONE, &[4; 60]).unwrap();
    let left = ids.map(|id| blobs.read(id).unwrap().is_some());
    assert!(left[0] && left[1] != left[2], "one of the two old ones went: {left:?}");
}

#[test]
fn a_damaged_blob_is_told_and_not_shown() {
    let world = World::new(small());
    let blobs = world.open();
    let id = blobs.put(ONE, b"picture").unwrap();
    let path = world.dir.path().join("blobs").join(&id.to_string()[..2]).join(id.to_string());
    std::fs::write(path, b"pictura").unwrap();
    assert_eq!(blobs.read(id), Err(BlobError::Damaged(id)));
}
