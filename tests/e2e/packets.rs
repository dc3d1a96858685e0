//! A long message of a terminal, in sub-packets, one of which is lost on the way.

use crate::stock::{add, started};
use crate::wire::Terminal;
use anyhow::{Context, Result, ensure};
use e2e::eventually;
use protocol::jt808::{
    Batch, BatchKind, Decoded, Message, Packet, Parts, Position, Version, encode_body, id, time_bcd,
};
use std::time::Duration;

const PHONE: &str = "13900000011";
/// Serial of the first packet.
const FIRST: u16 = 500;
const POSITIONS: u8 = 40;

#[tokio::test]
async fn a_missing_sub_packet_is_asked_for_and_the_whole_is_stored() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    add(&server, &["--code", "truck-p", "--profile", "truck-jt808", "--identity", PHONE])?;
    // The running server takes over what another process wrote within a second or two.
    let mut terminal = eventually("the terminal is let in", Duration::from_secs(15), || async {
        Ok(Terminal::connect(&server.addresses().jt808, PHONE).await.ok())
    })
    .await?;
    let position = |second| Position {
        status: 3,
        lat_e6: 34_800_000,
        lon_e6: 113_550_000,
        time_bcd: time_bcd((2026, 10, 1, 8, 0, second, 0)),
        ..Position::default()
    };
    let batch = Batch { kind: BatchKind::BlindZone, positions: (0..POSITIONS).map(position).collect() };
    let body = encode_body(Version::V2013, &Message::Batch(batch));
    let packets: Vec<_> = (1..).zip(body.chunks(500)).collect();
    let total = u16::try_from(packets.len())?;
    ensure!(total == 3, "{total} packets");
    for (number, part) in packets.iter().filter(|(number, _)| *number != 2) {
        terminal.packet(id::BATCH, FIRST, Packet { total, number: *number }, part).await?;
    }
    // Each packet is answered, then the lost one is asked for.
    let mut answered = Vec::new();
    let wanted = loop {
        let raw = terminal.heard().await?;
        let parts = Parts::split(&raw).context("an answer")?;
        match Decoded::read(&parts.header, parts.body).message {
            Message::PlatformReply { serial, result: 0, .. } => answered.push(serial),
            Message::ResendDown(wanted) => break wanted,
            other => anyhow::bail!("{other:?}"),
        }
    };
    ensure!(answered == [FIRST, FIRST + 2], "answered {answered:?}");
    ensure!((wanted.first, wanted.numbers.as_slice()) == (FIRST, &[2][..]), "asked for {wanted:?}");
    let (number, part) = packets[1];
    terminal.packet(id::BATCH, FIRST, Packet { total, number }, part).await?;
    let raw = terminal.heard().await?;
    ensure!(raw.get(..2) == Some(&[0x80, 0x01]), "0x8001 expected, got {raw:02x?}");
    let api = server.administrator().await?;
    eventually("the positions are stored", Duration::from_secs(15), || async {
        let devices = api.get("/api/v1/devices?q=truck-p").await?;
        let id = devices["items"][0]["id"].as_i64().context("the device's id")?;
        let loss = api.get(&format!("/api/v1/devices/{id}/loss?from_day=2026-10-01&to_day=2026-10-01")).await?;
        let stored: u64 = loss.as_array().context("loss days")?.iter().filter_map(|day| day["stored"].as_u64()).sum();
        Ok((stored == u64::from(POSITIONS)).then_some(()))
    })
    .await?;
    server.stop()
}
