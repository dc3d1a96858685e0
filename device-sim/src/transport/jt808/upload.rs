//! An alarm of active safety as a Su-biao terminal tells it (item 0x65, a hand at the telephone), and its picture on a second connection:
//! 0x1210, 0x1211, the pieces, 0x1212, until 0x9212 says that it is complete.

use super::VERSION;
use crate::scene;
use anyhow::{Context, Result, bail, ensure};
use protocol::jt808::{
    AlarmForm, AlarmId, AttachmentFile, Attachments, AttachmentsWanted, Decoded, Event, FileInfo, FilePart, Framer,
    Message, Parts, Phone, Position, SafetyAlarm, SafetyPlace, bcd_time, encode, encode_chunk,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Item of the driver's alarms.
pub(super) const ITEM: u8 = 0x65;
const TELEPHONE: u8 = 2;
const ANSWER_WAIT: Duration = Duration::from_secs(20);
const ROUNDS_MAX: usize = 5;
const PIECE_BYTES: usize = 16 << 10;

pub(super) const fn alarm(terminal: &[u8], time_bcd: [u8; 6]) -> AlarmId<'_> {
    AlarmId { form: AlarmForm::SuBiao, terminal, time_bcd, number: 0, attachments: 1, reserve: &[0] }
}

/// The item's value.
pub(super) fn item(alarm: AlarmId<'_>, position: &Position<'_>) -> Vec<u8> {
    let place = SafetyPlace {
        speed_kmh: u8::try_from(position.speed_dkmh / 10).unwrap_or(u8::MAX),
        altitude_m: position.altitude_m,
        lat_e6: position.lat_e6.unsigned_abs(),
        lon_e6: position.lon_e6.unsigned_abs(),
        time_bcd: alarm.time_bcd,
        vehicle: 0x0401,
    };
    SafetyAlarm { id: 1, flag: 0, kind: TELEPHONE, level: Some(1), specific: &[0; 5], place, alarm }.to_bytes()
}

/// Uploads of one terminal: one at a time, as on its one modem; what is asked for meanwhile is left out.
#[derive(Debug)]
pub(super) struct Uploads(Arc<Semaphore>);

impl Default for Uploads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Uploads {
    pub(super) fn send(&self, phone: Phone, wanted: &AttachmentsWanted<'_>) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        let host = String::from_utf8_lossy(wanted.host).into_owned();
        let (port, alarm, number) = (wanted.tcp_port, wanted.alarm.to_bytes(), wanted.alarm_number.to_vec());
        tokio::spawn(async move {
            if let Err(error) = upload(phone, (&host, port), &alarm, &number).await {
                tracing::warn!(error = format!("{error:#}"), "an alarm's picture was not sent");
            }
            drop(place);
        });
    }
}

async fn upload(phone: Phone, to: (&str, u16), alarm: &[u8], number: &[u8]) -> Result<()> {
    let alarm = AlarmId::of_bytes(alarm).context("an alarm id")?;
    let time = bcd_time(&alarm.time_bcd).context("a time")?;
    let seconds = (i64::from(time.3) * 60 + i64::from(time.4)) * 60 + i64::from(time.5);
    let seed = phone.trimmed().bytes().fold(3, |seed: u64, digit| seed.wrapping_mul(31).wrapping_add(digit.into()));
    let picture = scene::picture(seed, seconds * 1_000);
    let name = format!("00_65_65{TELEPHONE:02}_0_{}.jpg", String::from_utf8_lossy(number.get(..8).unwrap_or_default()));
    let (name, size_bytes) = (name.as_bytes(), u32::try_from(picture.len())?);
    let mut wire = Wire { stream: TcpStream::connect(to).await.context("connect")?, phone, framer: Framer::new() };
    let files = vec![AttachmentFile { name, size_bytes }];
    let list = Attachments { terminal: alarm.terminal, alarm, alarm_number: number, kind: 0, files };
    wire.confirmed(&Message::Attachments(list)).await.context("announce the files")?;
    let info = || FileInfo { name, kind: 0, size_bytes };
    wire.confirmed(&Message::FileInfo(info())).await.context("begin the file")?;
    let mut wanted = vec![FilePart { offset: 0, length: size_bytes }];
    for _ in 0..ROUNDS_MAX {
        for part in &wanted {
            let (from, length) = (usize::try_from(part.offset)?, usize::try_from(part.length)?);
            let bytes = picture.get(from..from + length).context("a part of the picture")?;
            for (at, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
                let offset = u32::try_from(from + at * PIECE_BYTES)?;
                let chunk = encode_chunk(name, offset, piece).context("a piece that fits")?;
                wire.stream.write_all(&chunk).await.context("send a piece")?;
            }
        }
        wire.say(&Message::FileDone(info())).await?;
        let raw = wire.hear().await?;
        let parts = Parts::split(&raw).context("an answer")?;
        match Decoded::read(&parts.header, parts.body).message {
            Message::FileAnswer(answer) if answer.result == 0 => return Ok(()),
            Message::FileAnswer(answer) => wanted = answer.missing,
            other => bail!("0x9212 expected, got {other:?}"),
        }
    }
    bail!("the file is not complete after {ROUNDS_MAX} rounds")
}

struct Wire {
    stream: TcpStream,
    phone: Phone,
    framer: Framer,
}

impl Wire {
    async fn say(&mut self, message: &Message<'_>) -> Result<()> {
        self.stream.write_all(&encode(VERSION, &self.phone, 0, message)).await.context("send")
    }

    async fn hear(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(Event::Frame { raw, .. }) = self.framer.next_event() {
                return Ok(raw.to_vec());
            }
            let mut bytes = [0; 512];
            let count =
                tokio::time::timeout(ANSWER_WAIT, self.stream.read(&mut bytes)).await.context("no answer")??;
            ensure!(count > 0, "the connection was closed");
            self.framer.push(bytes.get(..count).unwrap_or_default());
        }
    }

    async fn confirmed(&mut self, message: &Message<'_>) -> Result<()> {
        self.say(message).await?;
        let raw = self.hear().await?;
        let parts = Parts::split(&raw).context("an answer")?;
        match Decoded::read(&parts.header, parts.body).message {
            Message::PlatformReply { result: 0, .. } => Ok(()),
            other => bail!("0x8001 with result 0 expected, got {other:?}"),
        }
    }
}
