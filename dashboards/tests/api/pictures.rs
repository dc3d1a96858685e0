//! Events with pictures over HTTP, and who is shown them.

use crate::arrivals::token;
use crate::bench::{Answer, Bench, fume_rule};
use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use ledger::Role;
use model::blob::BlobId;
use model::seams::BlobStore;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const BOUNDARY: &str = "lantian-test-boundary";

/// Begins as a JPEG does.
fn jpeg(fill: u8, bytes: usize) -> Vec<u8> {
    [&[0xFF, 0xD8, 0xFF, 0xE0][..], &vec![fill; bytes]].concat()
}

fn hash(bytes: &[u8]) -> BlobId {
    BlobId(Sha256::digest(bytes).into())
}

fn part(name: &str, kind: &str, file: bool, bytes: &[u8]) -> Vec<u8> {
    let file = if file { "; filename=\"x.jpg\"" } else { "" };
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\nContent-Type: {kind}\r\n\r\n"
    );
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

fn event(json: &str) -> Vec<u8> {
    part("event", "application/json", false, json.as_bytes())
}

fn picture(name: &str, bytes: &[u8]) -> Vec<u8> {
    part(name, "image/jpeg", true, bytes)
}

fn end() -> Vec<u8> {
    format!("--{BOUNDARY}--\r\n").into_bytes()
}

async fn push(bench: &Bench, device: &str, token: &str, length: Option<u64>, body: Body) -> Answer {
    let credential = STANDARD.encode(format!("{device}:{token}"));
    let mut request = Request::post(format!("/api/v1/devices/{device}/events"))
        .header(header::AUTHORIZATION, format!("Basic {credential}"))
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
    if let Some(length) = length {
        request = request.header(header::CONTENT_LENGTH, length);
    }
    bench.send(request.body(body).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_on_disk_before_the_answer_and_shown_to_who_may_see_the_device() {
    let bench = Bench::new().await;
    let token = token(&bench, 1).await;
    let (front, rear) = (jpeg(1, 30_000), jpeg(2, 40_000));
    let json = r#"{"event":"vehicle_exit","plate":"A1","pictures":["front"]}"#;
    let body = [picture("front", &front), event(json), picture("rear", &rear), end()].concat();
    let told = push(&bench, "fume-1", &token, None, Body::from(body)).await.ok();
    assert_eq!((told["records"].as_u64(), told["problems"].as_array().map(Vec::len)), (Some(1), Some(0)));
    assert_eq!(bench.blobs.read(hash(&front)).unwrap().as_deref(), Some(&front[..]));
    assert!(bench.journal.durable().seq >= told["position"]["seq"].as_u64().unwrap());
    bench.settled().await;

    let viewer = bench.person("viewer", Role::Viewer, "").await;
    let events = bench.get("/devices/1/events", &viewer).await.ok();
    let hashes = [hash(&front), hash(&rear)].map(|id| Value::from(id.to_string()));
    assert_eq!(events[0]["pictures"], Value::from(hashes.to_vec()));
    let own = bench.person("vendor-a", Role::Vendor, "甲公司").await;
    for cookie in [&viewer, &own] {
        let shown = bench.get(&format!("/pictures/{}", hash(&rear)), cookie).await;
        assert_eq!((shown.status.as_u16(), &shown.bytes[..]), (200, &rear[..]));
        assert_eq!(shown.headers[header::CONTENT_TYPE], "image/jpeg");
        assert_eq!(shown.headers["x-content-type-options"], "nosniff");
    }
    // Another vendor, nobody, and names that are none learn nothing.
    let other = bench.person("vendor-b", Role::Vendor, "乙公司").await;
    bench.get(&format!("/pictures/{}", hash(&rear)), &other).await.refused(404, "not_found");
    bench.get(&format!("/pictures/{}", hash(&rear)), "").await.refused(401, "unauthenticated");
    for odd in ["abc".to_owned(), "..%2f..%2fsecret.key".to_owned(), hash(b"none").to_string()] {
        bench.get(&format!("/pictures/{odd}"), &viewer).await.refused(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_of_a_gigabyte_is_refused_early_and_never_held() {
    let bench = Bench::new().await;
    let token = token(&bench, 1).await;
    let before = bench.journal.durable().seq;
    // It says how large it is: not a byte of it is wanted.
    let pulled = Arc::new(AtomicUsize::new(0));
    let endless = |pulled: &Arc<AtomicUsize>| {
        let pulled = Arc::clone(pulled);
        let head = Bytes::from([event("{\"event\":\"x\"}"), picture("front", &jpeg(0, 0))].concat());
        let head = head.slice(..head.len() - 2);
        let piece = Bytes::from(vec![0x55_u8; 64 << 10]);
        let pieces = std::iter::once(head).chain(std::iter::repeat_n(piece, 16_384));
        Body::from_stream(stream::iter(pieces.map(move |piece| {
            pulled.fetch_add(piece.len(), Ordering::SeqCst);
            Ok::<_, std::io::Error>(piece)
        })))
    };
    let told = push(&bench, "fume-1", &token, Some(1 << 30), endless(&pulled)).await;
    told.refused(413, "too_large");
    // It does not say so: it is refused where its bound is, and only read out so that its sender sees the answer.
    let silent = Arc::new(AtomicUsize::new(0));
    push(&bench, "fume-1", &token, None, endless(&silent)).await.refused(413, "too_large");
    for pulled in [pulled, silent] {
        let pulled = pulled.load(Ordering::SeqCst);
        assert!(pulled < 44 << 20, "{pulled} bytes of a gigabyte were read");
    }
    assert_eq!((bench.journal.durable().seq, bench.blobs.held()), (before, (0, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_picture_no_event_or_of_nobody_stores_nothing() {
    let bench = Bench::new().await;
    let token = token(&bench, 1).await;
    let before = bench.journal.durable().seq;
    let good = event("{\"event\":\"vehicle_exit\"}");
    let svg = part("front", "image/jpeg", true, b"<svg onload='alert(1)'/>");
    let told = push(&bench, "fume-1", &token, None, Body::from([good.clone(), svg, end()].concat())).await;
    told.refused(422, "invalid_field");
    assert_eq!(told.json()["field"], "front");
    let twice = [good.clone(), good.clone(), end()].concat();
    push(&bench, "fume-1", &token, None, Body::from(twice)).await.refused(422, "invalid_field");
    push(&bench, "fume-1", &token, None, Body::from(end())).await.refused(422, "invalid_field");
    push(&bench, "fume-1", &token, None, Body::from("no parts")).await.refused(400, "bad_request");
    let many: Vec<u8> = (0..20).flat_map(|n| picture(&format!("p{n}"), &jpeg(n, 10))).collect();
    push(&bench, "fume-1", &token, None, Body::from([good.clone(), many, end()].concat()))
        .await
        .refused(422, "invalid_field");
    let front = picture("front", &jpeg(99, 10));
    let body = || Body::from([good.clone(), front.clone(), end()].concat());
    push(&bench, "fume-1", "wrong", None, body()).await.refused(401, "unauthenticated");
    push(&bench, "fume-2", &token, None, body()).await.refused(401, "unauthenticated");
    assert_eq!(bench.journal.durable().seq, before);
    assert_eq!(bench.blobs.read(hash(&jpeg(99, 10))).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_of_a_case_are_shown_with_it_and_kept_for_good() {
    let bench = Bench::new().await;
    bench.run();
    let token = token(&bench, 1).await;
    let before = jpeg(7, 100);
    let body = [event(r#"{"event":"smoke"}"#), picture("roof", &before), end()].concat();
    push(&bench, "fume-1", &token, None, Body::from(body)).await.ok();
    let admin = bench.person("admin", Role::Administrator, "").await;
    bench.put("/rules/fume-exceedance", &admin, json!({"text": fume_rule(), "version": 0})).await.ok();
    bench.publish().await;
    bench.fume_case().await;
    let cases = bench.get("/cases", &admin).await.ok();
    let id = cases["items"][0]["id"].as_i64().unwrap();
    let case = bench.get(&format!("/cases/{id}"), &admin).await.ok();
    assert_eq!(
        (case["pictures"][0]["hash"].as_str(), case["pictures"][0]["what"].as_str()),
        (Some(&*hash(&before).to_string()), Some("smoke"))
    );
    let alert = case["alerts"][0]["id"].as_i64().unwrap();
    let alert = bench.get(&format!("/alerts/{alert}"), &admin).await.ok();
    assert_eq!(alert["pictures"], case["pictures"]);
    let pinned = async {
        while !bench.blobs.is_pinned(hash(&before)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(40), pinned).await.expect("the picture is pinned");
}
