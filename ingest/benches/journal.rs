//! The journal on the real disk: records of 200 bytes. Prints records per second and the time of a commit, one caller at a
//! time and eight at once, and the time to encode, decode and read. The folder is under cargo's target folder.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use bytes::Bytes;
use lantian_ingest::journal::entry::Entry;
use lantian_ingest::journal::layer::Disk;
use lantian_ingest::journal::{Journal, JournalConfig};
use model::envelope::{Channel, Envelope, Position};
use model::id::{DeviceId, PrincipalId};
use model::time::{IngestTime, SystemClock};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-journal");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the bench's own folder can be emptied");
    }
    codec();
    let (journal, _) =
        Journal::open(JournalConfig::new(&folder), Arc::new(Disk), Arc::new(SystemClock)).expect("the journal opens");
    commits(&journal, 1);
    commits(&journal, 8);
    read(&journal);
    journal.stop();
    drop(journal);
    std::fs::remove_dir_all(&folder).expect("the bench's own folder can be removed");
}

fn envelope() -> Envelope {
    Envelope {
        received: IngestTime::from_ms(1_700_000_000_000),
        principal: PrincipalId(1234),
        device: DeviceId(1234),
        channel: Channel::MqttTelemetry,
        remarks: 0,
        connection: 99,
        raw: Bytes::from(vec![b'x'; RAW_BYTES]),
    }
}

fn codec() {
    let entry = Entry::Frame(envelope());
    let mut bytes = Vec::with_capacity(512);
    let started = Instant::now();
    for _ in 0..CODEC_ROUNDS {
        bytes.clear();
        std::hint::black_box(&entry).encode(&mut bytes).expect("frames encode");
        std::hint::black_box(&bytes);
    }
    let encode = started.elapsed();
    let shared = Bytes::from(bytes);
    let started = Instant::now();
    for _ in 0..CODEC_ROUNDS {
        std::hint::black_box(Entry::decode(std::hint::black_box(shared.clone())).expect("frames decode"));
    }
    let decode = started.elapsed();
    println!("journal codec: encode {:?}, decode {:?} an entry", encode / CODEC_ROUNDS, decode / CODEC_ROUNDS);
}

fn commits(journal: &Journal, callers: usize) {
    let started = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = Vec::new();
                    while started.elapsed() < RUN {
                        let batch = vec![Entry::Frame(envelope()); GROUP];
                        let sent = Instant::now();
                        journal.append_blocking(batch).expect("the bench's disk has room");
                        times.push(sent.elapsed());
                    }
                    times
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("callers do not panic")).collect()
    });
    let took = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |permille: usize| times.get(times.len() * permille / 1000).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = (times.len() * GROUP) as f64 / took;
    println!("journal commit: {callers} callers of {GROUP}: {rate:.0} records/s, p50 {:?}, p99 {:?}", at(500), at(990));
}

fn read(journal: &Journal) {
    let mut reader = journal.reader(Position { partition: 0, seq: 1 });
    let (started, mut count) = (Instant::now(), 0);
    loop {
        let batch = reader.read_batch(256 << 10).expect("the bench's files are whole");
        if batch.is_empty() {
            break;
        }
        count += batch.len();
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = count as f64 / started.elapsed().as_secs_f64();
    println!("journal read: {rate:.0} records/s ({count} records)");
}

const RAW_BYTES: usize = 180;
const GROUP: usize = 100;
const RUN: Duration = Duration::from_secs(3);
const CODEC_ROUNDS: u32 = 1_000_000;
