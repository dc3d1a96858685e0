//! Who may what: a device with right credentials can neither publish nor read as another; an unknown one waits until it is
//! accepted; bytes of nobody stop nothing.

use crate::stock::{add, started};
use crate::wire::{Mqtt, ask, hj212_frame, whatever_comes};
use anyhow::{Context, Result, bail, ensure};
use e2e::{Server, eventually};
use protocol::jt808::{Decoded, Event, Framer, Message, Parts, Phone, Register, RegisterForm, Version, encode};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

#[tokio::test]
async fn a_device_cannot_publish_as_another() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    add(&server, &["--code", "fume-b", "--profile", "fume-mqtt"])?;
    let mut own = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    own.say("lantian/v1/fume-a/telemetry", r#"{"fume":1.0}"#).await?;
    own.publish("lantian/v1/fume-b/telemetry", br#"{"fume":9.0}"#).await?;
    ensure!(own.acknowledged().await.is_err(), "a foreign topic was acknowledged");
    let api = server.administrator().await?;
    let refused = api.get("/api/v1/quarantine/refused").await?;
    ensure!(refused.to_string().contains("not_granted"), "{refused}");
    server.stop()
}

#[tokio::test]
async fn an_unknown_device_waits_in_quarantine_until_it_is_accepted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let api = server.administrator().await?;
    let address = server.addresses().mqtt.clone();
    ensure!(Mqtt::connect(&address, "x", "stranger-1", "whatever").await.is_err(), "a stranger was let in");
    let waiting = eventually("the stranger is listed", Duration::from_secs(10), || async {
        let list = api.get("/api/v1/quarantine/unknown").await?;
        let rows = list.as_array().context("a list")?.clone();
        Ok(rows.into_iter().find(|row| row["identity"] == "stranger-1"))
    })
    .await?;
    ensure!(waiting["protocol"] == "mqtt", "{waiting}");
    let accept = json!({"protocol": "mqtt", "identity": "stranger-1", "code": "stranger-1", "profile": "fume-mqtt"});
    let handout = api.post("/api/v1/quarantine/unknown/accept", accept).await?;
    let settings = handout["settings"].as_array().context("settings")?;
    let secret = settings.iter().find(|s| s["secret"] == true).and_then(|s| s["value"].as_str()).context("a secret")?;
    let mut device = Mqtt::connect(&address, "x", "stranger-1", secret).await?;
    device.say("lantian/v1/stranger-1/telemetry", r#"{"fume":0.7}"#).await?;
    server.stop()
}

#[tokio::test]
async fn unknown_and_wrong_identities_get_no_acknowledgement() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let mn = "4101000000000000000000B2";
    add(&server, &["--code", "dust-b", "--profile", "dust-hj212-ug", "--identity", mn])?;
    let data = "DataTime=20261001080000;a34002-Rtd=61.5,a34002-Flag=N";
    let unknown = hj212_frame("4101000000000000000000ZZ", "123456", "20261001080000000", data);
    ensure!(ask(&server.addresses().hj212, &unknown).await?.is_empty(), "an unknown MN was answered");
    let wrong = hj212_frame(mn, "wrong1", "20261001080000000", data);
    ensure!(ask(&server.addresses().hj212, &wrong).await?.is_empty(), "a wrong password was answered");
    ensure!(Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", "wrong").await.is_err(), "a wrong token was let in");
    server.stop()
}

/// What a terminal is answered to 0x0100: the result and the code.
async fn register(server: &Server, phone: &str, terminal: &str) -> Result<(u8, Vec<u8>)> {
    let version = Version::V2013;
    let register = Register {
        form: RegisterForm::V2013,
        province: 41,
        city: 101,
        maker: b"MAKER",
        model: b"M",
        terminal_id: terminal.as_bytes(),
        plate_colour: 2,
        plate: b"A12345",
    };
    let phone = Phone::from_digits(phone, version).context("a phone")?;
    let frame = encode(version, &phone, 1, &Message::Register(register));
    let mut framer = Framer::new();
    framer.push(&ask(&server.addresses().jt808, &frame).await?);
    let Some(Event::Frame { raw, .. }) = framer.next_event() else { bail!("0x0100 of {terminal} was not answered") };
    let parts = Parts::split(&raw).context("a frame")?;
    match Decoded::read(&parts.header, parts.body).message {
        Message::RegisterReply { result, code, .. } => Ok((result, code.to_vec())),
        other => bail!("0x0100 was answered by {other:?}"),
    }
}

#[tokio::test]
async fn a_stranger_who_knows_the_phone_gets_no_code() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let phone = "13900000007";
    add(&server, &["--code", "truck-a", "--profile", "truck-jt808", "--identity", phone])?;
    let named = ["--code", "truck-b", "--profile", "truck-jt808", "--identity", "13900000008", "--terminal", "T000008"];
    add(&server, &named)?;
    // The running server takes over what another process wrote within a second or two.
    let code = eventually("the truck's own terminal gets a code", Duration::from_secs(15), || async {
        let (result, code) = register(&server, phone, "T000001").await?;
        Ok((result == 0).then_some(code))
    })
    .await?;
    ensure!(code.len() == 32, "a code of {} characters", code.len());
    ensure!(register(&server, phone, "T000666").await? == (3, Vec::new()), "a stranger was given something");
    ensure!(register(&server, "13900000008", "T000666").await?.0 == 3, "a terminal that was not named got the code");
    ensure!(register(&server, "13900000008", "T000008").await?.0 == 0, "the terminal that was named got no code");
    let api = server.administrator().await?;
    let refused = api.get("/api/v1/quarantine/refused").await?.to_string();
    ensure!(refused.contains("T000666") && refused.contains("lantian device rotate truck-a"), "{refused}");
    server.stop()?;
    server.start().await?;
    ensure!(register(&server, phone, "T000666").await?.0 == 3, "the restart freed the phone");
    ensure!(register(&server, phone, "T000001").await? == (0, code.clone()), "the restart changed the code");
    server.command(&["device", "rotate", "truck-a"])?;
    eventually("another terminal may take the phone", Duration::from_secs(15), || async {
        let (result, fresh) = register(&server, phone, "T000002").await?;
        Ok((result == 0 && fresh != code).then_some(()))
    })
    .await?;
    ensure!(register(&server, phone, "T000001").await?.0 == 3, "the old terminal still gets a code");
    server.stop()
}

#[tokio::test]
async fn a_credential_that_is_rotated_cuts_a_quiet_connection_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let mut own = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    own.say("lantian/v1/fume-a/telemetry", r#"{"fume":1.0}"#).await?;
    let api = server.administrator().await?;
    let devices = api.get("/api/v1/devices?q=fume-a").await?;
    let id = devices["items"][0]["id"].as_i64().context("the device's id")?;
    let began = Instant::now();
    api.post(&format!("/api/v1/devices/{id}/credential"), json!({})).await?;
    ensure!(own.is_closed(Duration::from_secs(5)).await, "the old connection stays");
    ensure!(began.elapsed() < Duration::from_secs(1), "cut after {:?} only", began.elapsed());
    server.stop()
}

#[tokio::test]
async fn bytes_of_nobody_stop_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let to = server.addresses().clone();
    let garbage: Vec<u8> =
        (0..200_000_u32).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0)).collect();
    for address in [&to.mqtt, &to.hj212, &to.jt808, &to.web] {
        for start in [0, 1, 17, 4_000] {
            let mut stream = TcpStream::connect(address).await?;
            // The server may close before it has read everything: that is its right.
            stream.write_all(garbage.get(start..).unwrap_or_default()).await.ok();
            whatever_comes(&mut stream, Duration::from_millis(100)).await;
        }
    }
    let mut own = Mqtt::connect(&to.mqtt, "a", "fume-a", &token).await?;
    own.say("lantian/v1/fume-a/telemetry", r#"{"fume":1.0}"#).await?;
    server.check()?;
    server.stop()
}

#[tokio::test]
async fn bad_readings_are_acknowledged_and_visible_in_quarantine() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let api = server.administrator().await?;
    let mut own = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    let far_future = model::time::Clock::now(&model::time::SystemClock).as_ms() + 86_400_000;
    for bad in [
        "this is no JSON".to_owned(),
        r#"{"ts":"2026-02-31T00:00:00Z","values":{"fume":1}}"#.to_owned(),
        format!(r#"{{"ts":{far_future},"values":{{"fume":1}}}}"#),
        r#"{"ts":1000,"values":{"fume":1}}"#.to_owned(),
        r#"{"values":{"fume":1e999}}"#.to_owned(),
    ] {
        own.say("lantian/v1/fume-a/telemetry", &bad).await.with_context(|| format!("say {bad}"))?;
    }
    eventually("all five are in quarantine", Duration::from_secs(15), || async {
        let page = api.get("/api/v1/quarantine/records?limit=50").await?;
        Ok((page["items"].as_array().context("items")?.len() >= 5).then_some(()))
    })
    .await?;
    own.say("lantian/v1/fume-a/telemetry", r#"{"fume":1.0}"#).await?;
    server.stop()
}
