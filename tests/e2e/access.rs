//! Who may what: a device with right credentials can neither publish nor read as another; an unknown one waits until it is
//! accepted; bytes of nobody stop nothing.

use crate::stock::{add, started};
use crate::wire::{Mqtt, ask, hj212_frame, whatever_comes};
use anyhow::{Context, Result, ensure};
use e2e::eventually;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

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
