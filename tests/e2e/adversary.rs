//! What somebody with another's secret, another's bytes or another's name gets out of them. Each test is named for what it does
//! not get.

use crate::stock::{add, started};
use crate::wire::{Mqtt, ask, hj212_frame};
use anyhow::{Context, Result, bail, ensure};
use e2e::{Api, Server, eventually};
use protocol::jt808::{Authenticate, Decoded, Event, Framer, Message, Parts, Phone, Version, encode, id};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(15);

fn authenticate(phone: &str, code: &str) -> Result<Vec<u8>> {
    let phone = Phone::from_digits(phone, Version::V2013).context("a phone")?;
    let message = Message::Authenticate(Authenticate { code: code.as_bytes(), imei: b"", software: b"" });
    Ok(encode(Version::V2013, &phone, 1, &message))
}

/// The result of the general reply to a 0x0102.
async fn result(stream: &mut TcpStream) -> Result<u8> {
    let mut framer = Framer::new();
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {
        framer.push(&byte);
        if let Some(Event::Frame { raw, .. }) = framer.next_event() {
            let parts = Parts::split(&raw).context("a frame")?;
            match Decoded::read(&parts.header, parts.body).message {
                Message::PlatformReply { id: id::AUTHENTICATE, result, .. } => return Ok(result),
                other => bail!("0x0102 was answered by {other:?}"),
            }
        }
    }
    bail!("0x0102 was not answered")
}

async fn log_in(server: &Server, phone: &str, code: &str) -> Result<(TcpStream, u8)> {
    let mut stream = TcpStream::connect(&server.addresses().jt808).await?;
    stream.write_all(&authenticate(phone, code)?).await?;
    let result = tokio::time::timeout(LIMIT, result(&mut stream)).await.context("no answer")??;
    Ok((stream, result))
}

async fn refused(api: &Api, wanted: &str) -> Result<()> {
    eventually(&format!("{wanted:?} stands among the refused"), LIMIT, || async {
        Ok(api.get("/api/v1/quarantine/refused").await?.to_string().contains(wanted).then_some(()))
    })
    .await
}

/// The phone is part of what the code is made of; whoever has both is the newer connection, which is seen, and ends with the rotation.
#[tokio::test]
async fn a_stolen_code_opens_no_other_phone_and_nothing_once_it_is_rotated() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let (own, other) = ("13900000007", "13900000008");
    let code = add(&server, &["--code", "truck-a", "--profile", "truck-jt808", "--identity", own])?;
    add(&server, &["--code", "truck-b", "--profile", "truck-jt808", "--identity", other])?;
    let (mut driver, first) = eventually("the truck is let in", LIMIT, || async {
        let (stream, result) = log_in(&server, own, &code).await?;
        Ok((result == 0).then_some((stream, result)))
    })
    .await?;
    ensure!(first == 0, "the truck itself is not let in");
    ensure!(log_in(&server, other, &code).await?.1 == 1, "the code opened another phone");
    let api = server.administrator().await?;
    refused(&api, "sent a wrong authentication code").await?;
    // From another terminal: the phone's older connection is cut, which its driver and the metric notice.
    let (mut thief, _) = log_in(&server, own, &code).await?;
    let mut byte = [0];
    let cut = tokio::time::timeout(LIMIT, driver.read(&mut byte)).await.context("the older connection lives on")?;
    ensure!(cut.unwrap_or(0) == 0, "something was said to the older connection");
    server.metric_reaches("gateway_takeovers_total", 1.0, LIMIT).await?;
    server.command(&["device", "rotate", "truck-a"])?;
    let cut = tokio::time::timeout(LIMIT, thief.read(&mut byte)).await.context("the thief's connection lives on")?;
    ensure!(cut.unwrap_or(0) == 0, "something was said to the thief");
    ensure!(log_in(&server, own, &code).await?.1 == 1, "the old code still opens its phone");
    server.stop()
}

/// A recorded CONNECT with its PUBLISH, sent again byte by byte: it stores nothing twice, is seen, and dies with the credential.
#[tokio::test]
async fn a_replayed_connect_stores_nothing_twice_and_nothing_once_the_token_is_rotated() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let mut own = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    let reading = r#"{"ts":1790000000000,"values":{"fume":1.25}}"#;
    own.say("lantian/v1/fume-a/telemetry", reading).await?;
    let mut again = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    ensure!(own.is_closed(LIMIT).await, "two connections of one client id live");
    again.say("lantian/v1/fume-a/telemetry", reading).await?;
    server.metric_reaches("ingest_settle_records_total{verdict=\"duplicate\"}", 1.0, LIMIT).await?;
    server.metric_reaches("gateway_mqtt_closed_total{why=\"taken_over\"}", 1.0, LIMIT).await?;
    server.command(&["device", "rotate", "fume-a"])?;
    ensure!(again.is_closed(LIMIT).await, "the replayed connection outlives the rotation");
    ensure!(Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await.is_err(), "let in with the old token");
    server.stop()
}

#[tokio::test]
async fn a_foreign_mn_is_not_answered_though_its_sender_is_known() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let (own, foreign) = ("4101000000000000000000A1", "4101000000000000000000B2");
    let password = add(&server, &["--code", "dust-a", "--profile", "dust-hj212-ug", "--identity", own])?;
    add(&server, &["--code", "dust-b", "--profile", "dust-hj212-ug", "--identity", foreign])?;
    let data = "DataTime=20261001080000;a34002-Rtd=61.5,a34002-Flag=N";
    let to = &server.addresses().hj212;
    eventually("the logger is answered", LIMIT, || async {
        let answer = ask(to, &hj212_frame(own, &password, "20261001080000000", data)).await?;
        Ok(String::from_utf8_lossy(&answer).contains("CN=9014").then_some(()))
    })
    .await?;
    // On a connection of its own, in the middle of its frames, with its own password.
    let mut both = hj212_frame(own, &password, "20261001080001000", data);
    both.extend(hj212_frame(foreign, &password, "20261001080002000", data));
    both.extend(hj212_frame(own, &password, "20261001080003000", data));
    let heard = String::from_utf8_lossy(&ask(to, &both).await?).into_owned();
    ensure!(heard.contains("20261001080001000") && heard.contains("20261001080003000"), "{heard}");
    ensure!(!heard.contains("20261001080002000") && !heard.contains(foreign), "the foreign MN was answered: {heard}");
    let api = server.administrator().await?;
    refused(&api, &format!("wrong PW for MN {foreign}")).await?;
    let listed = api.get("/api/v1/quarantine/refused").await?.to_string();
    ensure!(!listed.contains(&format!("PW={password}")), "the list shows a password");
    server.stop()
}

#[tokio::test]
async fn a_topic_outside_the_identity_is_neither_written_nor_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let other = add(&server, &["--code", "fume-b", "--profile", "fume-mqtt"])?;
    let address = server.addresses().mqtt.clone();
    for topic in [
        "lantian/v1/fume-b/telemetry",
        "lantian/v1/fume-a/command",
        "lantian/v1/fume-a/../fume-b/telemetry",
        "lantian/v1/nobody/telemetry",
        "$SYS/broker",
    ] {
        let mut own = Mqtt::connect(&address, "a", "fume-a", &token).await?;
        own.publish(topic, br#"{"fume":9.0}"#).await?;
        ensure!(own.acknowledged().await.is_err(), "{topic} was acknowledged");
    }
    for filter in ["#", "lantian/#", "lantian/v1/+/telemetry", "lantian/v1/fume-b/#", "lantian/v1/fume-b/command"] {
        let mut own = Mqtt::connect(&address, "a", "fume-a", &token).await?;
        ensure!(own.subscribe(filter).await? == 0x80, "{filter} was granted");
    }
    let mut neighbour = eventually("the neighbour is let in", LIMIT, || async {
        Ok(Mqtt::connect(&address, "b", "fume-b", &other).await.ok())
    })
    .await?;
    neighbour.say("lantian/v1/fume-b/telemetry", r#"{"fume":1.0}"#).await?;
    let api = server.administrator().await?;
    let devices = api.get("/api/v1/devices?q=fume-b").await?;
    ensure!(!devices.to_string().contains("9.0"), "a foreign value is shown: {devices}");
    server.stop()
}

#[tokio::test]
async fn who_guesses_is_banned_and_an_administrator_lifts_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let address = server.addresses().mqtt.clone();
    for guess in 0..=30 {
        ensure!(Mqtt::connect(&address, "a", "fume-a", &format!("guess-{guess}")).await.is_err(), "let in by a guess");
    }
    ensure!(Mqtt::connect(&address, "a", "fume-a", &token).await.is_err(), "let in while banned");
    let api = server.administrator().await?;
    let list = api.get("/api/v1/quarantine/addresses").await?;
    ensure!(list["bans"][0]["reason"] == "guessing" && list["bans"][0]["address"] == "127.0.0.1", "{list}");
    ensure!(server.metric("gateway_banned_addresses").await? >= 1.0, "the metric does not tell");
    api.post("/api/v1/quarantine/addresses/lift", json!({"address": "127.0.0.1"})).await?;
    let mut own = Mqtt::connect(&address, "a", "fume-a", &token).await?;
    own.say("lantian/v1/fume-a/telemetry", r#"{"fume":1.0}"#).await?;
    ensure!(server.complaints().is_empty(), "{:?}", server.complaints());
    server.stop()
}
