//! From the publish to the open page: a value on a device's page, and an alert on the list, over the live socket, with
//! five thousand other messages a second flowing.

use super::{CONNECTIONS, mqtt_devices, percentile};
use crate::district::Staged;
use crate::{Api, Server};
use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use model::time::{Clock, SystemClock};
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, QoS};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

const VALUES: u32 = 200;
const ALERTS: usize = 60;
const BACKGROUND: &str = "5000";

pub(super) async fn run(server: &Server, api: &Api, staged: &Staged) -> Result<()> {
    let mut load = Command::new(crate::process::binary("device-sim")?);
    // The first devices carry the background; the last ones are measured.
    load.args(["load", "--mqtt", &server.addresses().mqtt, "--connections", &(CONNECTIONS - 100).to_string()]);
    load.args(["--rate", BACKGROUND, "--seconds", "60"]).arg("--credentials").arg(&staged.credentials);
    let mut load = load.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("start the background load")?;
    let measured = both(server, api, staged).await;
    load.kill().ok(); // it may have ended by itself
    load.wait()?;
    measured
}

async fn both(server: &Server, api: &Api, staged: &Staged) -> Result<()> {
    let secrets = staged.secrets()?;
    let devices: Vec<_> = mqtt_devices(&secrets).skip(CONNECTIONS - 100).collect();
    let (first, rest) = devices.split_first().context("devices to measure")?;
    let mut page = to_page(server, api, first).await?;
    page.sort_by(f64::total_cmp);
    println!(
        "publish to open device page beside {BACKGROUND} msg/s: p50 {:.1} ms, p99 {:.1} ms ({} values)",
        percentile(&page, 0.5),
        percentile(&page, 0.99),
        page.len()
    );
    let mut alert = to_alert(server, api, rest).await?;
    alert.sort_by(f64::total_cmp);
    println!(
        "publish to alert on the page beside {BACKGROUND} msg/s: p50 {:.1} ms, p99 {:.1} ms ({} alerts)",
        percentile(&alert, 0.5),
        percentile(&alert, 0.99),
        alert.len()
    );
    Ok(())
}

type Credential<'a> = (&'a String, &'a device_sim::fleet::Secret);

/// A client whose event loop runs in a task of its own.
async fn publisher(server: &Server, (_, secret): &Credential<'_>) -> Result<AsyncClient> {
    let (host, port) = server.addresses().mqtt.rsplit_once(':').context("an address")?;
    let mut options = MqttOptions::new(format!("bench-{}", secret.identity), host, port.parse()?);
    options.set_credentials(secret.identity.clone(), secret.secret.clone());
    let (client, mut events) = AsyncClient::new(options, 100);
    while !matches!(events.poll().await?, Event::Incoming(rumqttc::Packet::ConnAck(_))) {}
    tokio::spawn(
        async move { while !matches!(events.poll().await, Err(_) | Ok(Event::Outgoing(Outgoing::Disconnect))) {} },
    );
    Ok(client)
}

async fn socket(server: &Server, api: &Api, topic: &str) -> Result<Socket> {
    let mut request = format!("ws://{}/api/v1/live", server.addresses().web).into_client_request()?;
    request.headers_mut().insert("cookie", api.cookie().parse()?);
    request.headers_mut().insert("origin", server.url().parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.context("open the live socket")?;
    socket.send(Message::text(json!({"op": "sub", "id": 1, "topic": topic}).to_string())).await?;
    next(&mut socket, |message| message["type"] == "snapshot").await?;
    Ok(socket)
}

/// The next message that is wanted.
async fn next(socket: &mut Socket, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let reading = async {
        while let Some(message) = socket.next().await {
            if let Message::Text(text) = message? {
                let value: Value = serde_json::from_str(&text)?;
                if wanted(&value) {
                    return Ok(value);
                }
            }
        }
        bail!("the live socket was closed")
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.context("nothing came over the live socket")?
}

async fn id_of(api: &Api, device: &str) -> Result<i64> {
    let list = api.get(&format!("/api/v1/devices?q={device}")).await?;
    let rows = list["items"].as_array().context("devices")?;
    rows.iter().find(|row| row["code"] == device).and_then(|row| row["id"].as_i64()).context("the device's id")
}

async fn to_page(server: &Server, api: &Api, device: &Credential<'_>) -> Result<Vec<f64>> {
    let id = id_of(api, device.0).await?;
    let mut socket = socket(server, api, &format!("device/{id}")).await?;
    let client = publisher(server, device).await?;
    let mut took = Vec::new();
    for n in 1..=VALUES {
        let value = f64::from(n) / 1000.0;
        let begin = Instant::now();
        client
            .publish(
                format!("lantian/v1/{}/telemetry", device.0),
                QoS::AtLeastOnce,
                false,
                json!({"fume": value}).to_string(),
            )
            .await?;
        next(&mut socket, |m| {
            let values = m["data"]["values"].as_array();
            values.is_some_and(|all| all.iter().any(|v| v["value"].as_f64().is_some_and(|x| (x - value).abs() < 1e-9)))
        })
        .await?;
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
        // Values come at no fixed beat, so that no coalescing interval is met in step.
        tokio::time::sleep(Duration::from_millis(60 + u64::from(n * 37 % 53))).await;
    }
    Ok(took)
}

async fn to_alert(server: &Server, api: &Api, devices: &[Credential<'_>]) -> Result<Vec<f64>> {
    let mut socket = socket(server, api, "alerts").await?;
    let now = SystemClock.now().as_ms();
    let mut took = Vec::new();
    for device in devices.iter().take(ALERTS) {
        let client = publisher(server, device).await?;
        let topic = format!("lantian/v1/{}/telemetry", device.0);
        // An hour of good minutes, then one reading that lifts the mean above the limit.
        let calm: Vec<Value> = (1..60).map(|m| json!({"ts": now - m * 60_000, "values": {"fume": 0.4}})).collect();
        client.publish(&topic, QoS::AtLeastOnce, false, json!(calm).to_string()).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begin = Instant::now();
        client.publish(&topic, QoS::AtLeastOnce, false, json!({"fume": 300.0}).to_string()).await?;
        next(&mut socket, |m| {
            let alerts = m["data"]["alerts"].as_array();
            // Only the exceedance: the batch before it may close a gap, which is an alert too.
            let own = |a: &Value| a["device"]["code"] == device.0.as_str() && a["rule"] == "fume-exceedance";
            alerts.is_some_and(|all| all.iter().any(own))
        })
        .await?;
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
        client.disconnect().await?;
    }
    Ok(took)
}
