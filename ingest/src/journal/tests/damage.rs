//! Damaged files: a torn tail is cut, anything else is reported with its place; and files of old formats are still read.

use super::*;
use crate::journal::layer::Disk;
use crate::journal::segment::{GROUP_BYTES, HEADER_BYTES};
use ::model::stream::{Outage, OutageKind, Tick};

/// Three groups of five in one segment.
fn written() -> MemoryLayer {
    let disk = MemoryLayer::new();
    let (shared, _) = open_still(&disk, 1 << 16).unwrap();
    let mut log = Log::new(shared);
    for group in frames(1, 15).chunks(5) {
        commit(&mut log, group).unwrap();
    }
    disk
}

fn end_of(disk: &MemoryLayer, first: u64) -> usize {
    disk.content(&hot(first)).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1
}

fn group_length(entries: &[Entry]) -> usize {
    let records = entries.iter().map(|entry| {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes).unwrap();
        bytes.len() + 8
    });
    GROUP_BYTES + records.sum::<usize>()
}

#[test]
fn a_torn_last_group_is_cut_off_whole() {
    let disk = written();
    let end = end_of(&disk, 1);
    disk.damage(&hot(1), |bytes| bytes[end - 3..end].fill(0));
    let (shared, recovery) = open_still(&disk, 1 << 16).unwrap();
    assert_eq!(recovery.last, at(10));
    assert_eq!(index(recovery.torn_bytes), group_length(&frames(11, 5)) - 3);
    let mut log = Log::new(Arc::clone(&shared));
    assert_eq!(commit(&mut log, &frames(100, 2)).unwrap(), 11);
    let expected: Vec<Entry> = frames(1, 10).into_iter().chain(frames(100, 2)).collect();
    assert_eq!(read_all(JournalReader::new(shared, 1), 300).unwrap(), expected);
}

#[test]
fn a_broken_group_before_a_whole_one_is_damage_even_in_the_last_segment() {
    let disk = written();
    let place = HEADER_BYTES + group_length(&frames(1, 5)) + GROUP_BYTES + 20;
    disk.damage(&hot(1), |bytes| bytes[place] ^= 1);
    match open_still(&disk, 1 << 16) {
        Err(JournalError::Corrupt { seq, offset, .. }) => {
            assert_eq!((seq, index(offset)), (6, HEADER_BYTES + group_length(&frames(1, 5))));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bad_record_in_an_older_segment_is_reported_with_its_place() {
    let disk = MemoryLayer::new();
    let (shared, _) = open_still(&disk, 2048).unwrap();
    let mut log = Log::new(shared);
    for entry in frames(1, 60) {
        commit(&mut log, &[entry]).unwrap();
    }
    disk.damage(&hot(1), |bytes| bytes[HEADER_BYTES + group_length(&frames(1, 2)) + 2 * GROUP_BYTES + 9] ^= 0x40);
    let (shared, _) = open_still(&disk, 2048).unwrap();
    let mut reader = JournalReader::new(Arc::clone(&shared), 1);
    let error = loop {
        if let Err(error) = reader.read_batch(100) {
            break error;
        }
    };
    assert!(matches!(&error, JournalError::Corrupt { path, seq: 3, .. } if *path == hot(1)), "{error}");
    shared.released.store(61, std::sync::atomic::Ordering::SeqCst);
    assert!(crate::journal::keeper::work(&shared, || false).is_err(), "a damaged segment stays where it is");
    assert!(disk.content(&hot(1)).is_some());
}

#[test]
fn a_missing_segment_is_noticed() {
    let disk = MemoryLayer::new();
    let (shared, _) = open_still(&disk, 2048).unwrap();
    let mut log = Log::new(Arc::clone(&shared));
    for entry in frames(1, 60) {
        commit(&mut log, &[entry]).unwrap();
    }
    let second = *shared.catalog().segments.keys().nth(1).unwrap();
    crate::journal::layer::FileLayer::remove(&disk, &hot(second)).unwrap();
    let (shared, _) = open_still(&disk, 2048).unwrap();
    let read = read_all(JournalReader::new(shared, 1), 100);
    assert!(matches!(read, Err(JournalError::Corrupt { .. })), "{read:?}");
}

#[test]
fn another_format_or_partition_is_refused_in_plain_words() {
    let disk = written();
    disk.damage(&hot(1), |bytes| bytes[8] = 9);
    let error = open_still(&disk, 1 << 16).unwrap_err().to_string();
    assert!(error.contains("format version 9, this program reads 1"), "{error}");
    let disk = written();
    let other = JournalConfig { partition: 3, ..config(1 << 16) };
    assert!(matches!(open_shared(other, Arc::new(disk), clock()), Err(JournalError::Corrupt { .. })));
}

#[test]
fn a_payload_cannot_pass_for_a_later_group() {
    let disk = MemoryLayer::new();
    let (shared, _) = open_still(&disk, 1 << 16).unwrap();
    let mut log = Log::new(shared);
    commit(&mut log, &frames(1, 2)).unwrap();
    // A device that knows the layout, but not the salt.
    let forged = crate::journal::segment::Group { first: 9, count: 1, bytes: 40 }.to_bytes(0);
    let Entry::Frame(mut envelope) = frame(3, 0) else { return };
    envelope.raw = forged.to_vec().into();
    commit(&mut log, &[Entry::Frame(envelope), frame(4, 40)]).unwrap();
    let end = end_of(&disk, 1);
    disk.damage(&hot(1), |bytes| bytes[end - 1] ^= 1);
    assert_eq!(open_still(&disk, 1 << 16).unwrap().1.last, at(2));
}

/// What the fixture holds, of every kind.
fn fixture_entries() -> Vec<Entry> {
    let revision =
        r#"{"number":1,"at":1700000000000,"author":"seed","object":"calendar","row":{"code":"cn","hours":[]}}"#;
    let mut entries = frames(1, 20);
    entries.push(Entry::Tick(Tick {
        at: IngestTime::from_ms(1_700_000_010_000),
        clock_synchronised: true,
        listening: ::model::envelope::ProtocolKind::ALL.to_vec(),
    }));
    entries.push(Entry::Revision(Box::new(serde_json::from_str(revision).unwrap())));
    entries.push(Entry::Outage(Outage {
        from: IngestTime::from_ms(1_700_000_010_000),
        to: IngestTime::from_ms(1_700_000_020_000),
        what: OutageKind::Process,
    }));
    entries.push(Entry::Fact(Bytes::from_static(b"passed")));
    entries.push(Entry::Unknown { kind: 200, body: Bytes::from_static(b"later") });
    entries
}

fn fixture_dir() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/journal-v1")
}

#[test]
fn files_of_format_version_1_are_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("archive")).unwrap();
    for name in FIXTURE_FILES {
        std::fs::copy(fixture_dir().join(name), folder.path().join(name)).unwrap();
    }
    let settings = JournalConfig { segment_bytes: 4096, ..JournalConfig::new(folder.path()) };
    let (journal, recovery) = Journal::open(settings, Arc::new(Disk), clock()).unwrap();
    assert_eq!(recovery.last, at(25));
    assert_eq!(read_all(journal.reader(at(1)), 500).unwrap(), fixture_entries());
}

/// The same files, written now. Only a new format version needs them kept as a new fixture.
#[test]
fn this_version_writes_what_the_fixture_holds() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JournalConfig { segment_bytes: 1500, ..JournalConfig::new(folder.path()) };
    let (shared, _) = open_shared(settings, Arc::new(Disk), clock()).unwrap();
    let mut log = Log::new(Arc::clone(&shared));
    for group in fixture_entries().chunks(4) {
        commit(&mut log, group).unwrap();
    }
    shared.released.store(17, std::sync::atomic::Ordering::SeqCst);
    crate::journal::keeper::work(&shared, || false).unwrap();
    for name in FIXTURE_FILES {
        let written = std::fs::read(folder.path().join(name)).unwrap();
        let kept = fixture_dir().join(name);
        if !kept.exists() {
            std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
            std::fs::write(&kept, &written).unwrap();
        }
        // Their salts differ.
        assert_eq!(std::fs::read(kept).unwrap().len(), written.len(), "{name}");
    }
}

const FIXTURE_FILES: [&str; 2] = ["00000000000000000017.seg", "archive/00000000000000000001.zst"];
