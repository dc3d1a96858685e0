//! Telemetry and events over HTTP.

use crate::bench::{Answer, Bench, author};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ingest::journal::entry::Entry;
use ledger::Role;
use model::envelope::{Channel, Position};
use model::id::DeviceId;
use std::net::SocketAddr;

/// The token of a device, handed out now.
pub(crate) async fn token(bench: &Bench, device: i64) -> String {
    let issued = bench.ledger.credentials().issue(&author(), DeviceId(device)).await.unwrap();
    issued.settings.iter().find(|setting| setting.name == "password").unwrap().value.clone()
}

pub(crate) async fn push(bench: &Bench, path: &str, user: &str, token: &str, body: &[u8]) -> Answer {
    let credential = STANDARD.encode(format!("{user}:{token}"));
    let request = Request::post(format!("/api/v1/devices/{path}"))
        .header(header::AUTHORIZATION, format!("Basic {credential}"))
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))))
        .body(Body::from(body.to_vec()))
        .unwrap();
    bench.send(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_over_http_is_on_disk_when_it_is_answered_and_shows_on_the_page() {
    let bench = Bench::new().await;
    let token = token(&bench, 1).await;
    let told = push(&bench, "fume-1/telemetry", "fume-1", &token, br#"{"fume": 1.25}"#).await.ok();
    assert_eq!((told["records"].as_u64(), told["problems"].as_array().map(Vec::len)), (Some(1), Some(0)));
    let seq = told["position"]["seq"].as_u64().unwrap();
    assert!(bench.journal.durable().seq >= seq);
    let Ok(Some(Entry::Frame(frame))) = bench.journal.read_at(Position { partition: 0, seq }) else { panic!("{seq}") };
    assert_eq!(
        (frame.device, frame.channel, &frame.raw[..]),
        (DeviceId(1), Channel::HttpTelemetry, &br#"{"fume": 1.25}"#[..])
    );
    bench.settled().await;
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    let device = bench.get("/devices/1", &viewer).await;
    assert!(device.text().contains("1.25"), "{}", device.text());
    let frames = bench.get("/devices/1/frames", &viewer).await.ok();
    assert!(frames[0]["acknowledged"].is_string(), "{frames}");
    let event = br#"{"event": "vehicle_exit", "plate": "A1", "ts": 1795305600000}"#;
    push(&bench, "fume-1/events", "fume-1", &token, event).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_cannot_be_read_is_kept_and_its_place_is_answered() {
    let bench = Bench::new().await;
    let token = token(&bench, 1).await;
    let before = bench.journal.durable().seq;
    let told = push(&bench, "fume-1/telemetry", "fume-1", &token, br#"{"fume": "#).await.ok();
    assert_eq!(told["records"], 0);
    assert_eq!(told["problems"][0]["code"], "truncated");
    assert!(bench.journal.durable().seq > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_will_be_quarantined_or_left_out_is_told_in_the_answer() {
    let bench = Bench::new().await;
    let token = token(&bench, 1).await;
    let cases = [
        (r#"{"ts":1,"fume":1}"#, "time_far_past"),
        (r#"{"ts":9223372036854775807,"fume":1}"#, "time_far_future"),
        (r#"{"fume":{"value":1,"flag":"Z"}}"#, "flag_unknown"),
        (r#"{"event":"","plate":"x"}"#, "event_unnamed"),
        (r#"{"event":"wash","end":1}"#, "end_before_start"),
        (r#"{"event":"wash","pictures":["nope"]}"#, "picture_unusable"),
    ];
    for (text, code) in cases {
        let told = push(&bench, "fume-1/events", "fume-1", &token, text.as_bytes()).await.ok();
        assert_eq!(told["problems"][0]["code"], code, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_speak_for_a_device_stores_nothing_and_learns_nothing() {
    let bench = Bench::new().await;
    let token = token(&bench, 1).await;
    let before = bench.journal.durable().seq;
    let body = br#"{"fume": 9}"#;
    for (path, user, token) in [
        ("fume-1/telemetry", "fume-1", "wrong"),
        ("fume-2/telemetry", "fume-1", token.as_str()),
        ("none/telemetry", "fume-1", token.as_str()),
        ("fume-1/telemetry", "stranger", token.as_str()),
        ("fume-1/events", "", ""),
    ] {
        let answer = push(&bench, path, user, token, body).await;
        answer.refused(401, "unauthenticated");
        assert!(!answer.text().contains("fume-2"), "{}", answer.text());
    }
    let large = vec![b' '; 300 << 10];
    push(&bench, "fume-1/telemetry", "fume-1", &token, &large).await.refused(413, "too_large");
    assert_eq!(bench.journal.durable().seq, before);
    let admin = bench.person("admin", Role::Administrator, "").await;
    let refused = bench.get("/quarantine/refused", &admin).await;
    assert!(refused.text().contains("may not speak for fume-2"), "{}", refused.text());
    let unknown = bench.get("/quarantine/unknown", &admin).await;
    assert!(unknown.text().contains("stranger"), "{}", unknown.text());
}
