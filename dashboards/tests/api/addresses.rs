//! Bans on the page, and what they and the limits do to payloads over HTTP.

use crate::bench::Bench;
use axum::http::header;
use ledger::Role;
use model::gatekeeper::{Ban, BanReason};
use model::time::IngestTime;
use serde_json::json;

fn ban(address: &str) -> Ban {
    let (since, until) = (IngestTime(1_790_000_000_000), IngestTime(1_790_000_060_000));
    Ban { address: address.parse().unwrap(), reason: BanReason::Guessing, since, until, times: 2, refused: 40 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_sees_who_is_banned_and_lifts_it() {
    let bench = Bench::new().await;
    bench.gate.bans.lock().unwrap().push(ban("203.0.113.9"));
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    bench.get("/quarantine/addresses", &viewer).await.refused(403, "forbidden");
    let admin = bench.person("admin", Role::Administrator, "").await;
    let list = bench.get("/quarantine/addresses", &admin).await.ok();
    let row = &list["bans"][0];
    assert_eq!((row["address"].as_str(), row["reason"].as_str()), (Some("203.0.113.9"), Some("guessing")));
    assert_eq!((row["times"].as_u64(), row["refused"].as_u64()), (Some(2), Some(40)));
    let lift = |address: &'static str| bench.post("/quarantine/addresses/lift", &admin, json!({ "address": address }));
    lift("nobody").await.refused(422, "invalid_field");
    lift("203.0.113.8").await.refused(404, "not_found");
    assert_eq!(lift("203.0.113.9").await.status.as_u16(), 204);
    assert_eq!(bench.get("/quarantine/addresses", &admin).await.ok()["bans"].as_array().map(Vec::len), Some(0));
    let audit = bench.get("/audit", &admin).await;
    assert!(audit.text().contains("ban_lifted"), "{}", audit.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_guesses_are_told_to_the_edge_and_a_device_over_its_limit_is_told_when_to_come_again() {
    let bench = Bench::new().await;
    let token = crate::arrivals::token(&bench, 1).await;
    let push =
        async |token: &str| crate::arrivals::push(&bench, "fume-1/telemetry", "fume-1", token, br#"{"fume": 1}"#).await;
    push("wrong").await.refused(401, "unauthenticated");
    assert_eq!(*bench.gate.guesses.lock().unwrap(), ["127.0.0.1 fume-1"]);
    *bench.gate.wait_ms.lock().unwrap() = Some(2_500);
    let before = bench.journal.durable().seq;
    let slow = push(&token).await;
    slow.refused(429, "too_fast");
    assert_eq!(slow.headers[header::RETRY_AFTER], "3");
    assert_eq!(bench.journal.durable().seq, before);
    *bench.gate.wait_ms.lock().unwrap() = None;
    bench.gate.bans.lock().unwrap().push(ban("127.0.0.1"));
    push(&token).await.refused(429, "too_many_attempts");
}
