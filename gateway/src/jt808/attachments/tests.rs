//! The way of an alarm's files: asked for on the terminal's connection, taken on another. Real sockets; the blob store is one in memory.

use super::*;
use crate::jt808::{Jt808Config, serve_asking};
use crate::tcp::testing::{World, device};
use model::blob::{Attachment, BlobId};
use model::envelope::Channel;
use model::id::DeviceId;
use model::principal::Strictness;
use model::seams::{AppendError, BlobError, BlobFile};
use protocol::jt808::{
    AlarmForm, AlarmId, AttachmentFile, Attachments as List, Authenticate, Decoded, Event, FileInfo, Framer, Item,
    Message, Parts, Phone, Position, SafetyAlarm, SafetyPlace, Version, encode, encode_chunk, id, time_bcd,
};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const V: Version = Version::V2013;
const NAME: &[u8] = b"00_65_6502_0_alarm.jpg";

type Kept = Arc<Mutex<Vec<(DeviceId, Vec<u8>)>>>;

/// Names a blob by its length and first byte.
#[derive(Debug, Default)]
struct Shelf {
    kept: Kept,
    full: bool,
}

#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    kept: Kept,
    full: bool,
}

impl BlobStore for Shelf {
    fn begin(&self) -> Result<Box<dyn BlobFile>, BlobError> {
        Ok(Box::new(Page { bytes: Vec::new(), kept: Arc::clone(&self.kept), full: self.full }))
    }
    fn read(&self, _id: BlobId) -> Result<Option<Vec<u8>>, BlobError> {
        Ok(None)
    }
    fn devices(&self, _id: BlobId) -> Vec<DeviceId> {
        Vec::new()
    }
    fn pin(&self, _id: BlobId) -> Result<(), BlobError> {
        Ok(())
    }
}

impl BlobFile for Page {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), BlobError> {
        let from = usize::try_from(offset).unwrap();
        self.bytes.resize(self.bytes.len().max(from + bytes.len()), 0);
        self.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    fn finish(self: Box<Self>, device: DeviceId) -> Result<BlobId, BlobError> {
        if self.full {
            return Err(BlobError::Full);
        }
        let mut id = [0; 32];
        id[0] = self.bytes.first().copied().unwrap_or(0);
        id[24..].copy_from_slice(&(self.bytes.len() as u64).to_be_bytes());
        self.kept.lock().unwrap().push((device, self.bytes));
        Ok(BlobId(id))
    }
}

struct Bench {
    world: World,
    kept: Kept,
    terminals: SocketAddr,
    files: SocketAddr,
    cancel: CancellationToken,
    served: Vec<JoinHandle<()>>,
}

impl Bench {
    async fn new(full: bool) -> Self {
        let kind = ProtocolKind::Jt808;
        let world = World::new(vec![
            (device(1, kind, "13800000001", Strictness::Reject), "code-1"),
            (device(2, kind, "13800000002", Strictness::Reject), "code-2"),
        ]);
        let shelf = Shelf { full, ..Shelf::default() };
        let kept = Arc::clone(&shelf.kept);
        let (one, two) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (terminals, files) = (one.local_addr().unwrap(), two.local_addr().unwrap());
        let numbers = Numbers::new(|told| {
            let mut hash = [11_u8; 32];
            for (at, byte) in told.iter().enumerate() {
                hash[at % 14] = hash[at % 14].wrapping_mul(37).wrapping_add(*byte);
            }
            hash
        });
        let shared = Arc::new(Attachments {
            host: "127.0.0.1".to_owned(),
            port: files.port(),
            numbers,
            blobs: Arc::new(shelf),
            files_max: 4,
            file_bytes_max: 1 << 20,
            alarm_bytes_max: 2 << 20,
        });
        let cancel = CancellationToken::new();
        let asking = Some(Arc::clone(&shared));
        let served = vec![
            tokio::spawn(serve_asking(one, world.edge.clone(), Jt808Config::default(), asking, cancel.clone())),
            tokio::spawn(serve(two, world.edge.clone(), TcpConfig::default(), shared, cancel.clone())),
        ];
        Self { world, kept, terminals, files, cancel, served }
    }

    async fn stop(self) {
        self.cancel.cancel();
        for served in self.served {
            served.await.unwrap();
        }
    }
}

struct Wire {
    stream: TcpStream,
    phone: Phone,
    framer: Framer,
}

impl Wire {
    async fn connect(to: SocketAddr, number: u8) -> Self {
        let phone = Phone::from_digits(&format!("1380000000{number}"), V).unwrap();
        Self { stream: TcpStream::connect(to).await.unwrap(), phone, framer: Framer::new() }
    }

    async fn say(&mut self, message: &Message<'_>) {
        let frame = encode(V, &self.phone, 1, message);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next frame, un-escaped.
    async fn hear(&mut self) -> Vec<u8> {
        loop {
            if let Some(Event::Frame { raw, .. }) = self.framer.next_event() {
                return raw.to_vec();
            }
            let mut bytes = [0; 512];
            let reading = tokio::time::timeout(Duration::from_secs(10), self.stream.read(&mut bytes));
            let count = reading.await.expect("an answer").unwrap();
            assert!(count > 0, "the connection is closed");
            self.framer.push(&bytes[..count]);
        }
    }

    /// Result of the next 0x8001.
    async fn result(&mut self) -> u8 {
        let raw = self.hear().await;
        let parts = Parts::split(&raw).unwrap();
        let Message::PlatformReply { result, .. } = Decoded::read(&parts.header, parts.body).message else {
            panic!("{raw:02x?}")
        };
        result
    }

    /// Result and missing parts of the next 0x9212.
    async fn file_answer(&mut self) -> (u8, Vec<(u32, u32)>) {
        let raw = self.hear().await;
        let parts = Parts::split(&raw).unwrap();
        let Message::FileAnswer(answer) = Decoded::read(&parts.header, parts.body).message else {
            panic!("{raw:02x?}")
        };
        assert_eq!(answer.name, NAME);
        (answer.result, answer.missing.iter().map(|part| (part.offset, part.length)).collect())
    }

    async fn list(&mut self, alarm: AlarmId<'_>, number: &[u8], files: &[(&[u8], u32)]) -> u8 {
        let files = files.iter().map(|(name, size_bytes)| AttachmentFile { name, size_bytes: *size_bytes }).collect();
        let list = List { terminal: b"T000001", alarm, alarm_number: number, kind: 0, files };
        self.say(&Message::Attachments(list)).await;
        self.result().await
    }

    async fn begins(&mut self, size_bytes: u32) -> u8 {
        self.say(&Message::FileInfo(FileInfo { name: NAME, kind: 0, size_bytes })).await;
        self.result().await
    }

    async fn ends(&mut self, size_bytes: u32) {
        self.say(&Message::FileDone(FileInfo { name: NAME, kind: 0, size_bytes })).await;
    }

    async fn chunk(&mut self, offset: usize, data: &[u8]) {
        let wire = encode_chunk(NAME, u32::try_from(offset).unwrap(), data).unwrap();
        self.stream.write_all(&wire).await.unwrap();
    }
}

fn alarm(attachments: u8) -> AlarmId<'static> {
    let time_bcd = time_bcd((2026, 1, 1, 12, 0, 0, 0));
    AlarmId { form: AlarmForm::SuBiao, terminal: b"T000001", time_bcd, number: 0, attachments, reserve: &[0] }
}

fn position(attachments: u8) -> Vec<u8> {
    let time_bcd = time_bcd((2026, 1, 1, 12, 0, 0, 0));
    let place =
        SafetyPlace { speed_kmh: 40, altitude_m: 9, lat_e6: 34_800_000, lon_e6: 113_500_000, time_bcd, vehicle: 0 };
    SafetyAlarm { id: 1, flag: 1, kind: 2, level: Some(1), specific: &[0; 5], place, alarm: alarm(attachments) }
        .to_bytes()
}

/// Logs in, tells an alarm, and gives the number that 0x9208 brings.
async fn asked(bench: &Bench) -> (Wire, Vec<u8>) {
    let mut terminal = Wire::connect(bench.terminals, 1).await;
    terminal.say(&Message::Authenticate(Authenticate { code: b"code-1", imei: &[], software: &[] })).await;
    assert_eq!(terminal.result().await, 0);
    let item = position(2);
    let items = vec![Item { id: 0x65, value: &item }];
    let time_bcd = time_bcd((2026, 1, 1, 12, 0, 0, 0));
    terminal.say(&Message::Position(Position { status: 3, time_bcd, items, ..Position::default() })).await;
    bench.world.inlet.frames(1).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(terminal.result().await, 0);
    let raw = terminal.hear().await;
    let parts = Parts::split(&raw).unwrap();
    let Message::AttachmentsWanted(wanted) = Decoded::read(&parts.header, parts.body).message else {
        panic!("{raw:02x?}")
    };
    assert_eq!((wanted.host, wanted.tcp_port, wanted.alarm), (&b"127.0.0.1"[..], bench.files.port(), alarm(2)));
    let number = wanted.alarm_number.to_vec();
    (terminal, number)
}

#[tokio::test]
async fn a_file_is_complete_when_it_and_the_event_that_names_it_are_on_disk() {
    let bench = Bench::new(false).await;
    let (_terminal, number) = asked(&bench).await;
    let picture: Vec<u8> = [&[0xFF, 0xD8, 0xFF][..], &vec![0x7e; 150_000]].concat();
    let size = u32::try_from(picture.len()).unwrap();
    let mut files = Wire::connect(bench.files, 1).await;
    assert_eq!(files.list(alarm(2), &number, &[(NAME, size)]).await, 0);
    assert_eq!(files.begins(size).await, 0);
    // The middle piece is lost on the way.
    files.chunk(0, &picture[..60_000]).await;
    files.chunk(100_000, &picture[100_000..]).await;
    files.ends(size).await;
    assert_eq!(files.file_answer().await, (1, vec![(60_000, 40_000)]));
    files.chunk(60_000, &picture[60_000..100_000]).await;
    files.ends(size).await;
    let frames = bench.world.inlet.frames(2).await;
    assert_eq!(bench.kept.lock().unwrap().as_slice(), [(DeviceId(1), picture)], "kept before it is journaled");
    let note: Attachment = serde_json::from_slice(&frames[1].raw).unwrap();
    assert_eq!((frames[1].channel, frames[1].device), (Channel::Jt808Attachment, DeviceId(1)));
    assert_eq!(
        (note.name.as_bytes(), note.bytes, note.is_picture, note.time.as_str()),
        (NAME, 150_003, true, "260101120000")
    );
    assert!(note.alarm.starts_with("54303030303031"), "{}", note.alarm);
    // Asked again before it is durable, nothing is said.
    files.ends(size).await;
    files.say(&Message::Heartbeat { body: &[] }).await;
    assert_eq!(files.result().await, 0);
    bench.world.inlet.release(&Ok(()));
    assert_eq!(files.file_answer().await, (0, vec![]));
    // Our answer was lost: it is said again, and nothing is stored twice.
    files.ends(size).await;
    assert_eq!(files.file_answer().await, (0, vec![]));
    assert_eq!(bench.world.inlet.count(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn only_alarms_that_we_asked_for_are_let_in_from_their_own_phone() {
    let bench = Bench::new(false).await;
    let (_terminal, number) = asked(&bench).await;
    let mut files = Wire::connect(bench.files, 1).await;
    // A piece before anything, a guess, another alarm, another phone.
    files.chunk(0, b"\xFF\xD8\xFF").await;
    assert_eq!(files.list(alarm(2), &[b'0'; 32], &[(NAME, 9)]).await, 1);
    assert_eq!(files.list(alarm(3), &number, &[(NAME, 9)]).await, 1);
    assert_eq!(files.begins(9).await, 1);
    let mut thief = Wire::connect(bench.files, 2).await;
    assert_eq!(thief.list(alarm(2), &number, &[(NAME, 9)]).await, 1);
    assert_eq!(files.list(alarm(2), &number, &[(NAME, 9)]).await, 0, "the right one still is");
    assert_eq!(bench.kept.lock().unwrap().len(), 0);
    {
        let refusals = bench.world.doorstep.refusals.lock().unwrap();
        assert_eq!(refusals.len(), 5, "{refusals:?}");
        assert!(refusals.iter().all(|one| one.detail.starts_with("attachments: ")));
    }
    bench.stop().await;
}

#[tokio::test]
async fn files_too_many_too_large_or_unannounced_are_refused() {
    let bench = Bench::new(false).await;
    let (_terminal, number) = asked(&bench).await;
    let mut files = Wire::connect(bench.files, 1).await;
    let many = [(NAME, 1); 5];
    assert_eq!(files.list(alarm(2), &number, &many).await, 1);
    assert_eq!(files.list(alarm(2), &number, &[(NAME, (1 << 20) + 1)]).await, 1);
    assert_eq!(files.list(alarm(2), &number, &[(NAME, 1 << 20), (b"b", 1 << 20), (b"c", 1)]).await, 1);
    assert_eq!(files.list(alarm(2), &number, &[(NAME, 10)]).await, 0);
    assert_eq!(files.begins(11).await, 1, "another size than announced");
    assert_eq!(files.begins(10).await, 0);
    files.chunk(8, b"beyond").await;
    files.chunk(0, &[1; 10]).await;
    files.ends(10).await;
    bench.world.inlet.frames(2).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(files.file_answer().await, (0, vec![]));
    assert_eq!(bench.kept.lock().unwrap()[0].1, [1; 10]);
    bench.stop().await;
}

#[tokio::test]
async fn a_file_that_finds_no_room_or_no_journal_is_never_called_complete() {
    let bench = Bench::new(true).await;
    let (_terminal, number) = asked(&bench).await;
    let mut files = Wire::connect(bench.files, 1).await;
    assert_eq!(files.list(alarm(2), &number, &[(NAME, 3)]).await, 0);
    files.chunk(0, b"abc").await;
    files.ends(3).await;
    // It asks again until it is told.
    loop {
        files.ends(3).await;
        files.say(&Message::Heartbeat { body: &[] }).await;
        let raw = files.hear().await;
        let parts = Parts::split(&raw).unwrap();
        let Message::PlatformReply { id: answered, result, .. } = Decoded::read(&parts.header, parts.body).message
        else {
            panic!("{raw:02x?}")
        };
        if answered == id::FILE_DONE {
            assert_eq!(result, 1);
            break;
        }
    }
    // Sent from its beginning it is taken again: by then there may be room.
    files.say(&Message::FileInfo(FileInfo { name: NAME, kind: 0, size_bytes: 3 })).await;
    loop {
        let raw = files.hear().await;
        let parts = Parts::split(&raw).unwrap();
        if let Message::PlatformReply { id: id::FILE_INFO, result, .. } =
            Decoded::read(&parts.header, parts.body).message
        {
            assert_eq!(result, 0);
            break;
        }
    }
    assert_eq!(bench.world.inlet.count(), 1);
    bench.stop().await;

    let bench = Bench::new(false).await;
    let (_terminal, number) = asked(&bench).await;
    let mut files = Wire::connect(bench.files, 1).await;
    assert_eq!(files.list(alarm(2), &number, &[(NAME, 3)]).await, 0);
    files.chunk(0, b"abc").await;
    files.ends(3).await;
    bench.world.inlet.frames(2).await;
    bench.world.inlet.release(&Err(AppendError::DiskFull));
    let mut rest = Vec::new();
    files.stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "the connection ends without a word: {rest:02x?}");
    bench.stop().await;
}

#[tokio::test]
async fn an_alarm_is_asked_for_once_however_often_it_is_told() {
    let bench = Bench::new(false).await;
    let (mut terminal, _) = asked(&bench).await;
    let item = position(2);
    let time_bcd = time_bcd((2026, 1, 1, 12, 0, 3, 0));
    for (count, attachments) in [(2, 2), (3, 0)] {
        let none = position(attachments);
        let value = if attachments == 0 { &none } else { &item };
        let items = vec![Item { id: 0x65, value }];
        terminal.say(&Message::Position(Position { status: 3, time_bcd, items, ..Position::default() })).await;
        bench.world.inlet.frames(count).await;
        bench.world.inlet.release(&Ok(()));
        assert_eq!(terminal.result().await, 0);
    }
    terminal.say(&Message::Heartbeat { body: &[] }).await;
    bench.world.inlet.frames(4).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(terminal.result().await, 0, "no 0x9208 between");
    bench.stop().await;
}
