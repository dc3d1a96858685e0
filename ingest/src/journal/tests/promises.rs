//! One promise each, with the threads running.

use super::*;
use crate::journal::layer::{Disk, FileLayer};
use crate::journal::{Health, Waited};
use ::model::seams::{AppendError, Inlet};
use std::sync::mpsc::sync_channel;

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let clock = ::model::time::SystemClock;
    let from = ::model::time::Clock::now(&clock);
    while !condition() {
        assert!(::model::time::Clock::now(&clock).since_ms(from) < 20_000, "{what} did not come");
        std::thread::yield_now();
    }
}

#[test]
fn acked_frame_survives_power_cut() {
    let disk = MemoryLayer::new();
    let (journal, recovery) = open(&disk, 4096);
    assert_eq!((recovery.last.seq, recovery.last_at), (0, None));
    let sent = frames(1, 100);
    for (index, entry) in sent.iter().enumerate() {
        let committed = journal.append_blocking(vec![entry.clone()]).unwrap();
        assert_eq!((committed.first, committed.count), (at(index as u64 + 1), 1));
    }
    disk.cut_power(|| false);
    drop(journal);
    let (journal, recovery) = open(&disk, 4096);
    assert_eq!(recovery.last, at(100));
    assert_eq!(recovery.last_at, sent[99].at());
    assert_eq!(read_all(journal.reader(at(0)), 700).unwrap(), sent);
}

#[test]
fn a_full_disk_acknowledges_nothing_and_recovers() {
    let disk = MemoryLayer::new();
    let (journal, _) = open(&disk, 4096);
    let mut acknowledged = frames(1, 10);
    journal.append_blocking(acknowledged.clone()).unwrap();
    disk.set_space(Some(disk.used()));
    let mut number = 11;
    let error = loop {
        match journal.append_blocking(frames(number, 10)) {
            Ok(_) => acknowledged.extend(frames(number, 10)),
            Err(error) => break error,
        }
        number += 10;
    };
    assert_eq!(error, AppendError::DiskFull);
    assert_eq!(journal.append_blocking(frames(5000, 1)), Err(AppendError::DiskFull));
    wait_for("the health", || matches!(journal.health(), Health::DiskFull { .. }));
    assert_eq!(read_all(journal.reader(at(1)), 4096).unwrap(), acknowledged);
    disk.set_space(None);
    wait_for("recovery", || journal.health() == Health::Ok);
    acknowledged.extend(frames(number, 10));
    journal.append_blocking(frames(number, 10)).unwrap();
    disk.cut_power(|| false);
    drop(journal);
    let (journal, _) = open(&disk, 4096);
    assert_eq!(read_all(journal.reader(at(1)), 4096).unwrap(), acknowledged);
}

#[test]
fn a_failed_sync_is_not_acknowledged_and_its_segment_is_left() {
    let disk = MemoryLayer::new();
    let (journal, _) = open(&disk, 1 << 16);
    journal.append_blocking(frames(1, 3)).unwrap();
    // The keeper syncs too; its work is done once the reserve is there.
    wait_for("the reserve", || journal.shared.reserve.lock().unwrap().is_some());
    disk.fail_syncs(1);
    assert!(matches!(journal.append_blocking(frames(4, 3)), Err(AppendError::Io(_))));
    wait_for("recovery", || journal.health() == Health::Ok);
    let committed = journal.append_blocking(frames(7, 3)).unwrap();
    assert_eq!(committed.first, at(4));
    assert!(disk.content(&hot(4)).is_some());
    disk.cut_power(|| true);
    drop(journal);
    let (journal, _) = open(&disk, 1 << 16);
    let expected: Vec<Entry> = frames(1, 3).into_iter().chain(frames(7, 3)).collect();
    assert_eq!(read_all(journal.reader(at(1)), 4096).unwrap(), expected);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let disk = MemoryLayer::new();
    let tight = JournalConfig { queue_entries_max: 5, ..config(4096) };
    let (journal, _) = Journal::open(tight, Arc::new(disk), clock()).unwrap();
    let (send, receive) = sync_channel(1);
    journal.append(frames(1, 6), Box::new(move |done| send.send(done).unwrap()));
    assert_eq!(receive.recv().unwrap(), Err(AppendError::Overloaded));
    assert_eq!(journal.append_blocking(frames(1, 5)).unwrap().count, 5);
}

#[test]
fn a_stopped_journal_wrote_what_was_queued_and_refuses_the_rest() {
    let disk = MemoryLayer::new();
    let (journal, _) = open(&disk, 4096);
    let (send, receive) = sync_channel(100);
    for entry in frames(1, 100) {
        let Entry::Frame(envelope) = entry else { continue };
        let send = send.clone();
        journal.accept(vec![envelope], Box::new(move |done| send.send(done).unwrap()));
    }
    journal.stop();
    let committed: Vec<u64> = receive.try_iter().map(|done| done.unwrap().first.seq).collect();
    assert_eq!(committed, (1..=100).collect::<Vec<u64>>());
    assert_eq!(journal.append_blocking(frames(1, 1)), Err(AppendError::Stopping));
    assert_eq!(journal.reader(at(101)).wait(Duration::from_secs(20)), Waited::Stopped);
}

#[test]
fn entries_of_many_threads_keep_each_threads_order() {
    let disk = MemoryLayer::new();
    let (journal, _) = open(&disk, 8192);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let journal = &journal;
            scope.spawn(move || {
                for number in 0..100 {
                    journal.append_blocking(vec![frame(thread * 1000 + number, 30)]).unwrap();
                }
            });
        }
    });
    let all = read_all(journal.reader(at(1)), 9999).unwrap();
    assert_eq!(all.len(), 400);
    for thread in 0..4_u64 {
        let own = all.iter().filter(|entry| matches!(entry, Entry::Frame(e) if e.connection / 1000 == thread));
        assert!(own.eq(&(0..100).map(|number| frame(thread * 1000 + number, 30)).collect::<Vec<_>>()));
    }
}

#[test]
fn a_reader_that_waits_is_woken_by_the_next_entry() {
    let disk = MemoryLayer::new();
    let (journal, _) = open(&disk, 8192);
    let mut reader = journal.reader(at(1));
    assert!(reader.read_batch(100).unwrap().is_empty());
    assert_eq!(reader.wait(Duration::ZERO), Waited::TimedOut);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let waited = reader.wait(Duration::from_secs(20));
            (waited, reader.read_batch(100).unwrap().len())
        });
        journal.append_blocking(frames(1, 1)).unwrap();
        assert_eq!(waiting.join().unwrap(), (Waited::Data, 1));
    });
}

#[tokio::test]
async fn an_async_reader_is_woken_too_and_told_of_the_end() {
    let disk = MemoryLayer::new();
    let (journal, _) = open(&disk, 8192);
    let mut reader = journal.reader(at(1));
    let (waited, appended) = tokio::join!(reader.wait_async(), journal.append_wait(frames(1, 2)));
    assert_eq!((waited, appended.unwrap().count), (Waited::Data, 2));
    assert_eq!(reader.read_batch(10_000).unwrap().len(), 2);
    assert_eq!(journal.durable_watch().borrow().seq, 2);
    journal.stop();
    assert_eq!(reader.wait_async().await, Waited::Stopped);
}

#[test]
fn replay_from_the_archive_equals_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JournalConfig { segment_bytes: 16 << 10, ..JournalConfig::new(folder.path()) };
    let open = || Journal::open(settings.clone(), Arc::new(Disk), clock()).unwrap();
    let (journal, _) = open();
    let sent = frames(1, 2000);
    for group in sent.chunks(37) {
        journal.append_blocking(group.to_vec()).unwrap();
    }
    let mut standing = journal.reader(at(1));
    let begun = standing.read_batch(1000).unwrap().len();
    journal.release(at(1500));
    wait_for("the archive", || journal.shared.catalog().archivable(1500).is_none());
    let archived = Disk.list(&folder.path().join("archive")).unwrap();
    assert!(archived.iter().filter(|name| !name.contains("tmp")).count() > 5);
    assert_eq!(read_all(standing, 5000).unwrap(), sent[begun..]);
    assert_eq!(read_all(journal.reader(at(1)), 5000).unwrap(), sent);
    drop(journal);
    let (journal, recovery) = open();
    assert_eq!(recovery.last, at(2000));
    assert_eq!(read_all(journal.reader(at(1)), 100_000).unwrap(), sent);
    for seq in [1, 2, 700, 1499, 1500, 1999, 2000] {
        assert_eq!(journal.read_at(at(seq)).unwrap().as_ref(), sent.get(index(seq) - 1));
    }
    assert_eq!(journal.read_at(at(2001)).unwrap(), None);
    let (_, last) = journal.shared.catalog().archivable(u64::MAX).unwrap();
    assert!(last >= 1500, "only what was released may leave");
}

#[test]
fn archived_segments_outlive_the_retention_by_no_means_settle_has_not_passed() {
    let disk = MemoryLayer::new();
    let time = clock();
    let short = JournalConfig { archive_retention: Duration::from_hours(1), ..config(2048) };
    let (shared, _) = open_shared(short, Arc::new(disk.clone()), Arc::clone(&time) as _).unwrap();
    let mut log = Log::new(Arc::clone(&shared));
    for group in frames(1, 200).chunks(5) {
        commit(&mut log, group).unwrap();
    }
    time.advance_ms(7_200_000);
    crate::journal::keeper::work(&shared, || false).unwrap();
    assert_eq!(shared.catalog().first(), 1, "nothing was released yet");
    shared.released.store(150, std::sync::atomic::Ordering::SeqCst);
    crate::journal::keeper::work(&shared, || false).unwrap();
    let first = shared.catalog().first();
    assert!(first > 50 && first <= 150, "{first}");
    let gone = JournalReader::new(Arc::clone(&shared), 1).read_batch(1);
    assert!(matches!(gone, Err(JournalError::Gone { wanted: 1, first: kept }) if kept == first));
    assert_eq!(read_all(JournalReader::new(shared, first), 999).unwrap(), frames(first, 201 - first));
}

#[test]
fn a_group_larger_than_a_segment_gets_one_of_its_own() {
    let disk = MemoryLayer::new();
    let (journal, _) = open(&disk, 4096);
    journal.append_blocking(frames(1, 3)).unwrap();
    let large: Vec<Entry> = (4..7).map(|number| frame(number, 300_000)).collect();
    journal.append_blocking(large.clone()).unwrap();
    journal.append_blocking(frames(7, 3)).unwrap();
    let all = read_all(journal.reader(at(1)), 1000).unwrap();
    assert_eq!(all, frames(1, 3).into_iter().chain(large).chain(frames(7, 3)).collect::<Vec<_>>());
    assert_eq!(journal.read_at(at(5)).unwrap(), Some(frame(5, 300_000)));
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JournalConfig { segment_bytes: 1 << 16, ..JournalConfig::new(folder.path()) };
    let (journal, _) = Journal::open(settings.clone(), Arc::new(Disk), clock()).unwrap();
    assert!(matches!(
        Journal::open(settings.clone(), Arc::new(Disk), clock()),
        Err(JournalError::Io { what: "lock", .. })
    ));
    drop(journal);
    Journal::open(settings, Arc::new(Disk), clock()).unwrap();
}
