//! Pictures of terminals: in sub-packets, as files of an alarm, and what is left of them after a kill; and a terminal over UDP.

use crate::stock::{add, started};
use crate::wire::Terminal;
use anyhow::{Context, Result, bail, ensure};
use e2e::{Api, Server, eventually};
use protocol::jt808::{
    AlarmForm, AlarmId, AttachmentFile, Attachments, Authenticate, Decoded, Event, FileInfo, Framer, Item, Media,
    MediaEvent, MediaForm, Message, Packet, Parts, Phone, Position, Register, RegisterForm, SafetyAlarm, SafetyPlace,
    Version, encode, encode_body, encode_chunk, id, time_bcd,
};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

const PHONE: &str = "13900000021";
const V: Version = Version::V2013;
const WAIT: Duration = Duration::from_secs(20);

async fn terminal(server: &Server) -> Result<Terminal> {
    // The running server takes over what another process wrote within a second or two.
    eventually("the terminal is let in", WAIT, || async {
        Ok(Terminal::connect(&server.addresses().jt808, PHONE).await.ok())
    })
    .await
}

fn position() -> Position<'static> {
    let time_bcd = time_bcd((2026, 10, 1, 8, 0, 0, 0));
    Position { status: 3, lat_e6: 34_800_000, lon_e6: 113_550_000, time_bcd, ..Position::default() }
}

async fn bytes_of(api: &Api, path: &str) -> Result<(u16, Vec<u8>)> {
    let request = reqwest::Client::new().get(format!("{}{path}", api.base())).header("cookie", api.cookie());
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
}

/// The event of that kind, once it is there with a picture.
async fn event(api: &Api, what: &str) -> Result<Value> {
    let devices = api.get("/api/v1/devices?q=truck-c").await?;
    let device = devices["items"][0]["id"].as_i64().context("the device's id")?;
    let path = format!("/api/v1/devices/{device}/events?from=2026-10-01T00:00:00Z&to=2026-10-01T01:00:00Z");
    eventually(&format!("an event {what}"), WAIT, || async {
        let events = api.get(&path).await?;
        let found = events.as_array().context("events")?.iter().find(|one| one["what"] == what).cloned();
        Ok(found.filter(|one| one["pictures"][0].is_string()))
    })
    .await
}

#[tokio::test]
async fn a_picture_called_complete_survives_a_kill() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    add(&server, &["--code", "truck-c", "--profile", "truck-jt808", "--identity", PHONE])?;
    let mut terminal = terminal(&server).await?;
    let picture = device_sim::scene::picture(5, 1_790_000_000_000);
    let head = MediaEvent { id: 77, kind: 0, format: 0, event: 1, channel: 3 };
    let media = Media { head, form: MediaForm::Place(position()), data: &picture };
    let body = encode_body(V, &Message::Media(media));
    let packets: Vec<_> = (1_u16..).zip(body.chunks(900)).collect();
    let total = u16::try_from(packets.len())?;
    ensure!(total > 5, "{total} packets");
    for (number, part) in &packets {
        terminal.packet(id::MEDIA, 300, Packet { total, number: *number }, part).await?;
    }
    loop {
        let raw = terminal.heard().await?;
        let parts = Parts::split(&raw).context("an answer")?;
        match Decoded::read(&parts.header, parts.body).message {
            Message::PlatformReply { result: 0, .. } => {}
            Message::MediaReply(done) => {
                ensure!(done.id == 77 && done.missing.is_empty(), "{done:?}");
                break;
            }
            other => bail!("{other:?}"),
        }
    }
    // The terminal may delete it now.
    server.kill()?;
    server.start().await?;
    let api = server.administrator().await?;
    let event = event(&api, "media").await?;
    let hash = event["pictures"][0].as_str().context("a hash")?;
    let (status, kept) = bytes_of(&api, &format!("/api/v1/pictures/{hash}")).await?;
    ensure!(status == 200 && kept == picture, "{status}, {} of {} bytes", kept.len(), picture.len());
    // A backup has it, too.
    server.stop()?;
    let backup = folder.path().join("backup");
    server.command(&["backup", &backup.to_string_lossy()])?;
    ensure!(backup.join("blobs").join(&hash[..2]).join(hash).is_file());
    Ok(())
}

/// A connection of attachments.
struct Files {
    stream: TcpStream,
    phone: Phone,
    framer: Framer,
}

impl Files {
    async fn say(&mut self, message: &Message<'_>) -> Result<()> {
        Ok(self.stream.write_all(&encode(V, &self.phone, 1, message)).await?)
    }

    async fn hear(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(Event::Frame { raw, .. }) = self.framer.next_event() {
                return Ok(raw.to_vec());
            }
            let mut bytes = [0; 512];
            let count = tokio::time::timeout(WAIT, self.stream.read(&mut bytes)).await.context("no answer")??;
            ensure!(count > 0, "closed");
            self.framer.push(&bytes[..count]);
        }
    }

    async fn result(&mut self) -> Result<u8> {
        let raw = self.hear().await?;
        let parts = Parts::split(&raw).context("an answer")?;
        match Decoded::read(&parts.header, parts.body).message {
            Message::PlatformReply { result, .. } => Ok(result),
            other => bail!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_file_of_an_alarm_is_asked_for_taken_and_survives_a_kill() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    add(&server, &["--code", "truck-c", "--profile", "truck-jt808", "--identity", PHONE])?;
    let mut terminal = terminal(&server).await?;
    let at = position();
    let alarm = AlarmId {
        form: AlarmForm::SuBiao,
        terminal: b"T000009",
        time_bcd: at.time_bcd,
        number: 1,
        attachments: 1,
        reserve: &[0],
    };
    let place = SafetyPlace {
        speed_kmh: 40,
        altitude_m: 110,
        lat_e6: 34_800_000,
        lon_e6: 113_550_000,
        time_bcd: at.time_bcd,
        vehicle: 1,
    };
    let value = SafetyAlarm { id: 1, flag: 0, kind: 2, level: Some(2), specific: &[0; 5], place, alarm }.to_bytes();
    let told = Position { items: vec![Item { id: 0x65, value: &value }], ..at };
    let answer = terminal.ask(&Message::Position(told)).await?;
    ensure!(answer.get(..2) == Some(&[0x80, 0x01]), "{answer:02x?}");
    let raw = terminal.heard().await?;
    let parts = Parts::split(&raw).context("an order")?;
    let Message::AttachmentsWanted(wanted) = Decoded::read(&parts.header, parts.body).message else {
        bail!("0x9208 expected, got {raw:02x?}")
    };
    let to = format!("{}:{}", String::from_utf8_lossy(wanted.host), wanted.tcp_port);
    ensure!(to == server.addresses().attachments, "{to}");
    // A restart between order and upload forgets nothing.
    server.kill()?;
    server.start().await?;
    let phone = Phone::from_digits(PHONE, V).context("a phone")?;
    let mut files = Files { stream: TcpStream::connect(&to).await?, phone, framer: Framer::new() };
    let (name, picture) = (&b"00_65_6502_1_x.jpg"[..], device_sim::scene::picture(6, 1_790_000_000_000));
    let size_bytes = u32::try_from(picture.len())?;
    let list = |number| {
        let files = vec![AttachmentFile { name, size_bytes }];
        Message::Attachments(Attachments { terminal: b"T000009", alarm, alarm_number: number, kind: 0, files })
    };
    files.say(&list(&[b'0'; 32])).await?;
    ensure!(files.result().await? == 1, "a made-up number is refused");
    files.say(&list(wanted.alarm_number)).await?;
    ensure!(files.result().await? == 0);
    let info = || FileInfo { name, kind: 0, size_bytes };
    files.say(&Message::FileInfo(info())).await?;
    ensure!(files.result().await? == 0);
    for (at, piece) in picture.chunks(5_000).enumerate() {
        let chunk = encode_chunk(name, u32::try_from(at * 5_000)?, piece).context("a piece")?;
        files.stream.write_all(&chunk).await?;
    }
    files.say(&Message::FileDone(info())).await?;
    let raw = files.hear().await?;
    let parts = Parts::split(&raw).context("an answer")?;
    match Decoded::read(&parts.header, parts.body).message {
        Message::FileAnswer(answer) => ensure!(answer.result == 0 && answer.name == name, "{answer:?}"),
        other => bail!("{other:?}"),
    }
    server.kill()?;
    server.start().await?;
    let api = server.administrator().await?;
    let event = event(&api, "alarm_attachment").await?;
    let hash = event["pictures"][0].as_str().context("a hash")?;
    let (status, kept) = bytes_of(&api, &format!("/api/v1/pictures/{hash}")).await?;
    ensure!(status == 200 && kept == picture, "{status}, {} of {} bytes", kept.len(), picture.len());
    server.stop()
}

#[tokio::test]
async fn a_terminal_over_udp_is_acknowledged_when_its_position_is_on_disk() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    add(&server, &["--code", "truck-c", "--profile", "truck-jt808", "--identity", PHONE])?;
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(&server.addresses().jt808).await?;
    let phone = Phone::from_digits(PHONE, V).context("a phone")?;
    let ask = async |message: &Message<'_>| -> Result<Vec<u8>> {
        socket.send(&encode(V, &phone, 1, message)).await?;
        let mut buffer = [0; 2_000];
        let count =
            tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await.context("no answer")??;
        let mut framer = Framer::new();
        framer.push(&buffer[..count]);
        match framer.next_event() {
            Some(Event::Frame { raw, .. }) => Ok(raw.to_vec()),
            other => bail!("{other:?}"),
        }
    };
    let register = || Register {
        form: RegisterForm::V2013,
        province: 41,
        city: 100,
        maker: b"MAKER",
        model: b"M",
        terminal_id: b"T1",
        plate_colour: 2,
        plate: b"X",
    };
    let code = eventually("the terminal is let in", WAIT, || async {
        let answer = ask(&Message::Register(register())).await?;
        ensure!(answer.get(14) == Some(&0), "{answer:02x?}");
        Ok(Some(answer.get(15..answer.len() - 1).unwrap_or_default().to_vec()))
    })
    .await?;
    let reply = ask(&Message::Authenticate(Authenticate { code: &code, imei: &[], software: &[] })).await?;
    ensure!(reply.get(16) == Some(&0), "{reply:02x?}");
    let reply = ask(&Message::Position(position())).await?;
    ensure!(reply.get(..2) == Some(&[0x80, 0x01]) && reply.get(16) == Some(&0), "{reply:02x?}");
    server.kill()?;
    server.start().await?;
    let api = server.administrator().await?;
    eventually("the position is stored", WAIT, || async {
        let devices = api.get("/api/v1/devices?q=truck-c").await?;
        let id = devices["items"][0]["id"].as_i64().context("the device's id")?;
        let loss = api.get(&format!("/api/v1/devices/{id}/loss?from_day=2026-10-01&to_day=2026-10-01")).await?;
        let stored: u64 = loss.as_array().context("loss days")?.iter().filter_map(|day| day["stored"].as_u64()).sum();
        Ok((stored == 1).then_some(()))
    })
    .await?;
    server.stop()
}
