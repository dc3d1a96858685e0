//! Load for an MQTT listener: `cargo run --release --example load -- PORT CONNECTIONS SECONDS WINDOW`. Each connection is
//! one of the devices of the example `front`, publishes readings of 6 fields at `QoS` 1 and keeps WINDOW unanswered.
//! Prints acknowledged messages a second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PAYLOAD: &str = r#"{"ts":1795305600000,"values":{"fume":1.234,"pm10":0.123,"nmhc":3.21,"temperature":41.5,"humidity":63.2,"fan_on":true}}"#;

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut length = body.len();
    while length >= 128 {
        out.push(u8::try_from(length % 128).unwrap_or(0) | 0x80);
        length /= 128;
    }
    out.push(u8::try_from(length).unwrap_or(0));
    out.extend_from_slice(body);
    out
}

async fn client(port: u16, number: usize, window: usize, acknowledged: Arc<AtomicU64>) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend_from_slice(&[4, 0xC2, 0, 60]);
    for word in [format!("load-{number}").as_str(), format!("dev-{number}").as_str(), "secret"] {
        text(&mut body, word);
    }
    stream.write_all(&packet(0x10, &body)).await?;
    let mut answer = [0_u8; 4];
    stream.read_exact(&mut answer).await?;
    if answer != [0x20, 2, 0, 0] {
        return Err(io::Error::other("CONNECT was refused"));
    }
    let mut body = Vec::new();
    text(&mut body, &format!("lantian/v1/dev-{number}/telemetry"));
    body.extend_from_slice(&[0, 1]);
    body.extend_from_slice(PAYLOAD.as_bytes());
    let publish = packet(0x32, &body);
    let mut answers = vec![0_u8; 4096];
    let (mut free, mut part) = (window, 0);
    loop {
        stream.write_all(&publish.repeat(free)).await?;
        let read = stream.read(&mut answers).await? + part;
        if read == part {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        free = read / 4;
        part = read % 4;
        acknowledged.fetch_add(u64::try_from(free).unwrap_or(0), Ordering::Relaxed);
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "a tool's result")]
async fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [port, connections, seconds, window] = arguments[..] else { return };
    let port = u16::try_from(port).unwrap_or(1883);
    let acknowledged = Arc::new(AtomicU64::new(0));
    for number in 1..=connections {
        tokio::spawn(client(port, number, window, Arc::clone(&acknowledged)));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = acknowledged.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(u64::try_from(seconds).unwrap_or(5))).await;
    let count = acknowledged.load(Ordering::Relaxed) - before;
    println!("{} messages/s", count / u64::try_from(seconds).unwrap_or(5));
}
