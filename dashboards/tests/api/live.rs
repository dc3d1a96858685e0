//! The live socket over a real connection.

use crate::bench::{Bench, fume_rule};
use futures_util::{SinkExt, StreamExt};
use ledger::Role;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

pub(crate) struct Client(WebSocketStream<TcpStream>);

pub(crate) async fn serve(bench: &Bench) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (app, stop) = (bench.app.clone(), bench.state.stop.clone());
    tokio::spawn(dashboards::serve(listener, app, dashboards::ListenerConfig::default(), stop));
    address
}

pub(crate) async fn connect(address: SocketAddr, cookie: &str, origin: &str) -> Result<Client, u16> {
    let mut request = format!("ws://{address}/api/v1/live").into_client_request().unwrap();
    request.headers_mut().insert("cookie", HeaderValue::from_str(cookie).unwrap());
    let origin = if origin.is_empty() { format!("http://{address}") } else { origin.to_owned() };
    request.headers_mut().insert("origin", HeaderValue::from_str(&origin).unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(Client(socket)),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

impl Client {
    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    /// The next message that fits.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if fits(&message) {
                        return message;
                    }
                }
                Some(Ok(_)) => {}
                other => panic!("the socket ended: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_page_gets_a_snapshot_and_then_what_the_device_says() {
    let bench = Bench::new().await;
    bench.telemetry(1, json!({"fume": 1.0})).await;
    let cookie = bench.person("viewer", Role::Viewer, "").await;
    let address = serve(&bench).await;
    let mut page = connect(address, &cookie, "").await.ok().unwrap();
    page.say(json!({"op": "sub", "id": 7, "topic": "device/1"})).await;
    let snapshot = page.until(|message| message["id"] == 7).await;
    assert_eq!((snapshot["type"].as_str(), snapshot["seq"].as_u64()), (Some("snapshot"), Some(0)));
    assert_eq!(snapshot["data"]["values"][0]["value"], 1.0);
    bench.clock.advance_ms(1_000);
    bench.telemetry(1, json!({"fume": 4.25})).await;
    let delta = page.until(|message| message["id"] == 7).await;
    assert_eq!((delta["type"].as_str(), delta["seq"].as_u64()), (Some("delta"), Some(1)));
    assert_eq!(delta["data"]["values"][0]["value"], 4.25);
    bench.clock.advance_ms(1_000);
    bench.telemetry(1, json!({"event": "wash", "plate": "豫A12345"})).await;
    let event = page.until(|message| !message["data"]["events"].as_array().is_none_or(Vec::is_empty)).await;
    assert_eq!(event["data"]["events"][0]["what"], "wash");

    page.say(json!({"op": "sub", "id": 8, "topic": "map"})).await;
    let map = page.until(|message| message["id"] == 8).await;
    assert_eq!(map["type"], "snapshot");
    let fix = json!({"position": {"lon": 113.58, "lat": 34.81, "speed_kmh": 40, "heading_deg": 90, "fixed": true}});
    bench.telemetry(3, fix).await;
    let moved = page.until(|message| message["id"] == 8 && message["data"]["trucks"][0]["place"][0] == 113.58).await;
    assert_eq!(moved["type"], "delta");
    for topic in ["kpi", "health", "cases"] {
        page.say(json!({"op": "sub", "id": 9, "topic": topic})).await;
        let first = page.until(|message| message["id"] == 9).await;
        assert_eq!((first["type"].as_str(), first["data"]["topic"].as_str()), (Some("snapshot"), Some(topic)));
    }
    page.say(json!({"op": "sub", "id": 10, "topic": "nonsense"})).await;
    assert_eq!(page.until(|message| message["id"] == 10).await["code"], "unknown_topic");
    page.say(json!({"op": "ping"})).await;
    page.until(|message| message["type"] == "pong").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_and_cases_arrive_as_they_are_committed() {
    let bench = Bench::new().await;
    bench.run();
    let admin = bench.person("admin", Role::Administrator, "").await;
    bench.put("/rules/fume-exceedance", &admin, json!({"text": fume_rule(), "version": 0})).await.ok();
    bench.publish().await;
    let address = serve(&bench).await;
    let mut page = connect(address, &admin, "").await.ok().unwrap();
    page.say(json!({"op": "sub", "id": 1, "topic": "alerts"})).await;
    page.say(json!({"op": "sub", "id": 2, "topic": "cases"})).await;
    page.until(|message| message["id"] == 1 && message["data"]["alerts"] == json!([])).await;
    page.until(|message| message["id"] == 2 && message["data"]["cases"] == json!([])).await;
    bench.fume_case().await;
    let alert = page.until(|message| message["id"] == 1 && message["type"] == "delta").await;
    assert_eq!(alert["data"]["alerts"][0]["rule"], "fume-exceedance");
    let case = page.until(|message| message["id"] == 2 && message["type"] == "delta").await;
    assert_eq!(case["data"]["cases"][0]["state"], "registered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_needs_a_session_and_our_own_origin_and_ends_with_the_session() {
    let bench = Bench::new().await;
    let cookie = bench.person("vendor-a", Role::Vendor, "甲公司").await;
    let address = serve(&bench).await;
    assert_eq!(connect(address, "", "").await.err(), Some(401));
    assert_eq!(connect(address, &cookie, "http://evil.example").await.err(), Some(403));
    let mut page = connect(address, &cookie, "").await.ok().unwrap();
    for topic in ["device/2", "map", "kpi", "cases"] {
        page.say(json!({"op": "sub", "id": 3, "topic": topic})).await;
        assert_eq!(page.until(|message| message["id"] == 3).await["code"], "not_found", "{topic}");
    }
    page.say(json!({"op": "sub", "id": 4, "topic": "device/1"})).await;
    assert_eq!(page.until(|message| message["id"] == 4).await["type"], "snapshot");
    let token = cookie.split_once('=').unwrap().1;
    bench.ledger.people().logout(token).await.unwrap();
    assert_eq!(page.until(|message| message["type"] == "bye").await["code"], "session_ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_beyond_the_limit_is_answered_and_the_answer_can_be_read() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = Bench::new().await;
    let cookie = bench.person("large", Role::Administrator, "").await;
    let address = serve(&bench).await;
    for path in ["/api/v1/auth/login", "/api/v1/imports?kind=devices"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let bytes = 20 << 20;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\ncontent-type: application/json\r\n\
             content-length: {bytes}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // All of it is taken, as a plain client sends it before it reads.
        for _ in 0..20 {
            stream.write_all(&vec![b' '; 1 << 20]).await.unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains("too_large"), "{answer}");
    }
}
