//! Claim codes over HTTP, fleets by CSV, and the refused frames of one device.

use crate::bench::Bench;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use ledger::Role;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::seams::{Doorstep as _, Refusal};
use model::time::Clock as _;
use model::verdict::RefusalReason;
use serde_json::{Value, json};
use std::net::SocketAddr;

fn new(uses: u32, policy: &str, expires: &str) -> Value {
    json!({"name": "street 7", "profile": "fume", "prefix": "s7-", "policy": policy, "uses_max": uses, "expires": expires})
}

async fn provision(bench: &Bench, from: &str, code: &str, serial: &str) -> crate::bench::Answer {
    let peer: SocketAddr = format!("{from}:9").parse().unwrap();
    let request = Request::post("/api/v1/provision")
        .header(header::CONTENT_TYPE, "application/json")
        .extension(ConnectInfo(peer))
        .body(Body::from(json!({"code": code, "serial": serial}).to_string()))
        .unwrap();
    bench.send(request).await
}

fn in_a_day(bench: &Bench) -> String {
    bench.clock.now().plus_ms(86_400_000).to_rfc3339()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_claims_its_credential_and_the_page_shows_who_did() {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    let profile = bench.get("/profiles", &admin).await.ok()[0]["code"].as_str().unwrap().to_owned();
    let mut wanted = new(1, "pending", &in_a_day(&bench));
    wanted["profile"] = profile.into();
    bench.post("/claims", &viewer, wanted.clone()).await.refused(403, "forbidden");
    let made = bench.post("/claims", &admin, wanted).await.ok();
    let (code, id) = (made["code"].as_str().unwrap(), made["claim"]["id"].as_i64().unwrap());
    let told = provision(&bench, "10.0.0.7", code, "A001").await.ok();
    assert_eq!((told["policy"].as_str(), told["credential"]["code"].as_str()), (Some("pending"), Some("s7-a001")));
    assert!(told["credential"]["settings"].as_array().unwrap().iter().any(|one| one["secret"] == true));
    provision(&bench, "10.0.0.7", code, "A002").await.refused(403, "claim_refused");
    let list = bench.get("/claims", &admin).await;
    let text = list.text().clone();
    let list = list.ok();
    assert_eq!((list["claims"][0]["uses"].as_u64(), list["claims"][0]["open"].as_bool()), (Some(1), Some(false)));
    assert!(list["attempts"].as_array().unwrap().iter().any(|one| one["refusal"] == "used_up"), "{text}");
    assert!(list["attempts"].as_array().unwrap().iter().any(|one| one["device"]["code"] == "s7-a001"), "{text}");
    assert!(!text.contains(code), "the list shows the code");
    assert_eq!(bench.post(&format!("/claims/{id}/revoke"), &admin, json!({})).await.status.as_u16(), 204);
    bench.post("/claims/999/revoke", &admin, json!({})).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_claim_codes_waits_and_is_told_to_the_edge() {
    let bench = Bench::new().await;
    for guess in 0..20 {
        provision(&bench, "203.0.113.5", &format!("guess-{guess}"), "A001").await.refused(403, "claim_refused");
    }
    let slow = provision(&bench, "203.0.113.5", "guess", "A001").await;
    slow.refused(429, "too_many_attempts");
    assert!(slow.headers.contains_key(header::RETRY_AFTER));
    provision(&bench, "203.0.113.6", "guess", "A001").await.refused(403, "claim_refused");
    assert_eq!(bench.gate.guesses.lock().unwrap().len(), 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_come_with_their_credentials_out_of_a_table_this_once() {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    let profile = bench.get("/profiles", &admin).await.ok()[0]["code"].as_str().unwrap().to_owned();
    let table = format!("编码,协议,标识,型号配置\nnew-1,mqtt,new-1,{profile}\nnew-2,mqtt,new-2,{profile}\n");
    let import = async |commit: bool, table: &str| {
        let request = Request::post(format!("/api/v1/imports?kind=devices&commit={commit}"))
            .header(header::COOKIE, admin.clone())
            .header(header::CONTENT_TYPE, "text/csv")
            .body(Body::from(table.to_owned()))
            .unwrap();
        bench.send(request).await.ok()
    };
    let dry = import(false, &table).await;
    assert_eq!((dry["added"].as_u64(), dry["credentials"].is_null()), (Some(2), true), "{dry}");
    let done = import(true, &table).await;
    let credentials = done["credentials"].as_str().unwrap();
    assert_eq!(credentials.lines().count(), 3, "{credentials}");
    let again = import(true, &table).await;
    assert_eq!((again["unchanged"].as_u64(), again["credentials"].is_null()), (Some(2), true), "{again}");
    let wrong = import(true, "编码,协议,标识,型号配置,密码\nnew-3,mqtt,new-3,none,123456\n").await;
    assert_eq!(
        (wrong["committed"].as_bool(), wrong["problems"][0]["line"].as_u64()),
        (Some(false), Some(2)),
        "{wrong}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_refused_frames_of_one_device_are_listed_alone() {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    for (device, detail) in [(Some(1), "of one"), (Some(2), "of two"), (None, "of nobody")] {
        bench.porch.refused(Refusal {
            at: bench.clock.now(),
            protocol: ProtocolKind::Mqtt,
            device: device.map(DeviceId),
            peer: "10.0.0.7:1".into(),
            reason: RefusalReason::NotGranted,
            detail: detail.into(),
            sample: "newpw=s3cret".into(),
        });
    }
    let all = bench.get("/quarantine/refused", &admin).await;
    assert_eq!(all.ok()["items"].as_array().unwrap().len(), 3);
    assert!(!all.text().contains("s3cret"), "{}", all.text());
    let one = bench.get("/quarantine/refused?device=2", &admin).await.ok();
    assert_eq!((one["items"].as_array().unwrap().len(), one["items"][0]["detail"].as_str()), (1, Some("of two")));
    assert_eq!(one["counts"].as_array().unwrap().len(), 1);
}
