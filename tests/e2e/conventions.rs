//! Conventions of others, with rumqttc as the device: a Sparkplug B edge node, an HJ 212 logger behind a modem, an ONVIF camera.

use crate::stock::add;
use anyhow::{Context, Result, ensure};
use e2e::{Server, Setup, eventually, tools};
use protocol::sparkplug::{DataType, Metric, Payload, REBIRTH, Value};
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, Publish, QoS};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

struct Client {
    client: AsyncClient,
    events: EventLoop,
}

impl Client {
    fn connect(server: &Server, user: &str, password: &str, will: Option<LastWill>) -> Result<Self> {
        let (host, port) = server.addresses().mqtt.rsplit_once(':').context("an address")?;
        let mut options = MqttOptions::new(format!("{user}-1"), host, port.parse()?);
        options.set_credentials(user, password).set_keep_alive(Duration::from_secs(30));
        if let Some(will) = will {
            options.set_last_will(will);
        }
        let (client, events) = AsyncClient::new(options, 16);
        Ok(Self { client, events })
    }

    /// Drives the connection until `wanted` finds something.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Packet) -> Option<T>) -> Result<T> {
        let driving = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await?
                    && let Some(found) = wanted(&packet)
                {
                    return Ok(found);
                }
            }
        };
        tokio::time::timeout(LIMIT, driving).await.with_context(|| format!("{what}: not in time"))?
    }

    async fn subscribe(&mut self, filter: &str) -> Result<()> {
        self.client.subscribe(filter, QoS::AtLeastOnce).await?;
        self.until("SUBACK", |packet| matches!(packet, Packet::SubAck(_)).then_some(())).await
    }

    /// Publishes; gives what came before the PUBACK.
    async fn say(&mut self, topic: &str, payload: Vec<u8>) -> Result<Vec<Publish>> {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await?;
        let mut came = Vec::new();
        self.until("PUBACK", |packet| match packet {
            Packet::PubAck(_) => Some(()),
            Packet::Publish(publish) => {
                came.push(publish.clone());
                None
            }
            _ => None,
        })
        .await?;
        Ok(came)
    }

    async fn heard(&mut self) -> Result<Publish> {
        self.until("a message", |packet| match packet {
            Packet::Publish(publish) => Some(publish.clone()),
            _ => None,
        })
        .await
    }
}

fn prepared(folder: &Path) -> Result<Server> {
    let server = Server::prepare(folder, Setup::default())?;
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    Ok(server)
}

async fn device(api: &e2e::Api, code: &str) -> Result<serde_json::Value> {
    let devices = api.get(&format!("/api/v1/devices?q={code}")).await?;
    let id = devices["items"][0]["id"].as_i64().context("the device's id")?;
    api.get(&format!("/api/v1/devices/{id}")).await
}

/// The current fume value of a device.
async fn fume(api: &e2e::Api, code: &str) -> Result<Option<f64>> {
    let device = device(api, code).await?;
    let latest = device["latest"].as_array().into_iter().flatten();
    Ok(latest.filter(|value| value["quantity"] == "fume").find_map(|value| value["value"].as_f64()))
}

async fn fume_is(api: &e2e::Api, code: &str, wanted: f64) -> Result<()> {
    eventually(&format!("{code} shows {wanted}"), LIMIT, || async {
        Ok((fume(api, code).await? == Some(wanted)).then_some(()))
    })
    .await
}

fn now_ms() -> u64 {
    use model::time::Clock;
    model::time::SystemClock.now().as_ms().unsigned_abs()
}

fn sparkplug(seq: u64, metrics: Vec<Metric<'_>>) -> Vec<u8> {
    Payload { timestamp: Some(now_ms()), seq: Some(seq), metrics }.encode()
}

fn birth() -> Vec<u8> {
    let fume = Metric { value: Value::Double(1.0), datatype: Some(DataType::DOUBLE), ..by_alias(4, 0.0) };
    let number = Metric { name: Some("bdSeq"), value: Value::Long(1), ..Metric::default() };
    sparkplug(0, vec![number, Metric { name: Some("fume"), ..fume }])
}

fn by_alias(alias: u64, value: f64) -> Metric<'static> {
    Metric { alias: Some(alias), value: Value::Double(value), ..Metric::default() }
}

#[tokio::test]
async fn a_sparkplug_node_is_born_counted_asked_again_and_never_shown_by_its_past() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = prepared(folder.path())?;
    let token = add(&server, &["--code", "edge-1", "--profile", "fume-mqtt"])?;
    server.start().await?;
    let api = server.administrator().await?;
    let death = Payload {
        metrics: vec![Metric { name: Some("bdSeq"), value: Value::Long(1), ..Metric::default() }],
        ..Payload::default()
    };
    let will = LastWill::new("spBv1.0/d/NDEATH/edge-1", death.encode(), QoS::AtLeastOnce, false);
    let mut node = Client::connect(&server, "edge-1", &token, Some(will))?;
    node.subscribe("spBv1.0/d/NCMD/edge-1").await?;
    node.say("spBv1.0/d/NBIRTH/edge-1", birth()).await?;
    fume_is(&api, "edge-1", 1.0).await?;
    node.say("spBv1.0/d/NDATA/edge-1", sparkplug(1, vec![by_alias(4, 1.5)])).await?;
    fume_is(&api, "edge-1", 1.5).await?;
    // What it kept while it was away is newer than nothing, and is not shown.
    let kept = Metric { is_historical: true, timestamp: Some(now_ms()), ..by_alias(4, 9.0) };
    node.say("spBv1.0/d/NDATA/edge-1", sparkplug(2, vec![kept])).await?;
    // Aliases outlive a restart of ours; the node's own connection ends with it.
    server.stop()?;
    server.start().await?;
    let api = server.log_in().await?;
    node.subscribe("spBv1.0/d/NCMD/edge-1").await.ok(); // the first poll meets the connection that has gone
    node.subscribe("spBv1.0/d/NCMD/edge-1").await?;
    let came = node.say("spBv1.0/d/NDATA/edge-1", sparkplug(3, vec![by_alias(4, 2.5)])).await?;
    let asked = match came.into_iter().next() {
        Some(asked) => asked,
        None => node.heard().await?,
    };
    ensure!(asked.topic == "spBv1.0/d/NCMD/edge-1", "{asked:?}");
    ensure!(Payload::read(&asked.payload)?.metric(REBIRTH).is_some(), "no rebirth in {asked:?}");
    fume_is(&api, "edge-1", 2.5).await?;
    node.say("spBv1.0/d/NBIRTH/edge-1", birth()).await?;
    fume_is(&api, "edge-1", 1.0).await?;
    let before = server.metric("gateway_sparkplug_rebirths_asked_total").await?;
    node.say("spBv1.0/d/NDATA/edge-1", sparkplug(1, vec![by_alias(4, 3.5)])).await?;
    fume_is(&api, "edge-1", 3.5).await?;
    ensure!(server.metric("gateway_sparkplug_rebirths_asked_total").await? < before + 0.5, "asked without need");
    server.stop()
}

#[tokio::test]
async fn a_logger_behind_a_modem_is_stored_and_answered() -> Result<()> {
    const MN: &str = "4101000000000000000000B7";
    let folder = tempfile::tempdir()?;
    let mut server = prepared(folder.path())?;
    add(&server, &["--code", "dust-7", "--profile", "dust-hj212-ug", "--identity", MN])?;
    let issued = server.command(&["bridge", "add", "modem-7", "--device", "dust-7"])?;
    let token = issued.lines().find(|line| line.trim_start().starts_with("password")).context("a token")?;
    let token = token.split_whitespace().last().context("a token")?.to_owned();
    server.start().await?;
    let mut modem = Client::connect(&server, "modem-7", &token, None)?;
    modem.subscribe("lantian/v1/dust-7/raw/hj212/reply").await?;
    let frame = |mn: &str| {
        let cp = "DataTime=20261001080000;a34002-Rtd=55,a34002-Flag=N";
        let segment = format!("QN=20261001080000000;ST=22;CN=2011;PW=123456;MN={mn};Flag=5;CP=&&{cp}&&");
        format!("##{:04}{segment}{:04X}\r\n", segment.len(), protocol::hj212::crc(segment.as_bytes()))
    };
    let own = frame(MN);
    let (head, tail) = own.split_at(50);
    modem.say("lantian/v1/dust-7/raw/hj212", head.into()).await?;
    let came = modem.say("lantian/v1/dust-7/raw/hj212", format!("{tail}{}", frame("FOREIGN")).into_bytes()).await?;
    let answer = match came.into_iter().next() {
        Some(answer) => answer,
        None => modem.heard().await?,
    };
    ensure!(String::from_utf8_lossy(&answer.payload).contains("CN=9014"), "{answer:?}");
    let api = server.administrator().await?;
    eventually("the reading is stored", LIMIT, || async {
        let device = device(&api, "dust-7").await?;
        Ok(device["latest"].as_array().into_iter().flatten().find(|v| v["quantity"] == "pm10").map(drop))
    })
    .await?;
    let refused = api.get("/api/v1/quarantine/refused").await?.to_string();
    ensure!(refused.contains("FOREIGN") && refused.contains("not_granted"), "{refused}");
    server.stop()
}

#[tokio::test]
async fn a_cameras_event_is_stored_with_plate_cover_and_picture() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = prepared(folder.path())?;
    let token = add(&server, &["--code", "cam-1", "--profile", "gate-camera-onvif"])?;
    server.start().await?;
    let api = server.administrator().await?;
    let mut camera = Client::connect(&server, "cam-1", &token, None)?;
    let text = r#"{"UtcTime":"2026-10-01T00:00:00Z","Source":{"VideoSource":"1"},"Data":{"PlateNumber":"豫A12345",
        "Direction":"leave","CoverState":"open","WashState":"washed","PictureUri":"https://cam/1.jpg"}}"#;
    let topic = "lantian/v1/cam-1/onvif-ej/tns1:RuleEngine/Recognition/LicensePlate/&VideoSource_1";
    camera.say(topic, text.into()).await?;
    camera.say(topic, text.into()).await?;
    camera.say("lantian/v1/cam-1/onvif-ej/tns1:VideoSource/MotionAlarm", Vec::new()).await?;
    camera.say("lantian/v1/cam-1/onvif-mj/VideoAnalytics/p/m", b"{}".to_vec()).await?;
    let device = device(&api, "cam-1").await?;
    let id = device["id"].as_i64().context("the device's id")?;
    eventually("one event, told twice", LIMIT, || async {
        let loss = api.get(&format!("/api/v1/devices/{id}/loss?from_day=2026-09-15&to_day=2026-11-30")).await?;
        let sum = |key: &str| loss.as_array().into_iter().flatten().filter_map(|day| day[key].as_u64()).sum::<u64>();
        Ok(((sum("stored"), sum("duplicate")) == (1, 1)).then_some(()))
    })
    .await?;
    ensure!(server.metric("gateway_onvif_metadata_total").await? > 0.5, "metadata is counted");
    server.stop()
}
