//! Devices, their frames and charts; quarantine.

use crate::bench::Bench;
use axum::http::Method;
use ingest::journal::entry::Entry;
use ledger::Role;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::principal::{Admission, Attempt};
use model::seams::{DeviceDirectory, Doorstep, Knock, WireLog};
use model::time::Clock;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_devices_credential_is_shown_once_and_lets_it_in() {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    let new = json!({"code": "fume-9", "protocol": "mqtt", "profile": "fume-mqtt", "vendor": "甲公司",
        "install": {"subject": 1, "point": "outlet"}});
    let made = bench.post("/devices", &admin, new.clone()).await.ok();
    bench.post("/devices", &admin, new).await.refused(422, "invalid_field");
    let id = made["device"].as_i64().unwrap();
    let password = setting(&made, "password");
    let admit = |password: &str| {
        let attempt = Attempt::Mqtt { client_id: "x", username: Some("fume-9"), password: Some(password.as_bytes()) };
        bench.ledger.directory().admit(attempt)
    };
    assert!(matches!(admit(&password), Admission::Granted(_)));
    let rotated = bench.call(Method::POST, &format!("/api/v1/devices/{id}/credential"), &admin, None).await.ok();
    assert!(matches!(admit(&password), Admission::WrongSecret));
    assert!(matches!(admit(&setting(&rotated, "password")), Admission::Granted(_)));
    let detail = bench.get(&format!("/devices/{id}"), &admin).await;
    assert!(!detail.text().contains(&password));
    assert_eq!(detail.ok()["subject"]["name"], "老蔡记");
    let off = bench.post(&format!("/devices/{id}/enabled"), &admin, json!({"enabled": false})).await.ok();
    assert_eq!(off["presence"], "disabled");
    assert!(matches!(admit(&setting(&rotated, "password")), Admission::Disabled));
    let bad = json!({"code": "No Good", "protocol": "hj212", "identity": "1", "profile": "none"});
    let problems = bench.post("/devices", &admin, bad).await;
    problems.refused(422, "invalid_field");
    assert!(problems.json()["problems"].as_array().unwrap().len() > 1, "{}", problems.text());
}

fn setting(handout: &Value, name: &str) -> String {
    let settings = handout["settings"].as_array().unwrap();
    let one = settings.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {handout}"));
    one["value"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_tells_gaps_refusals_and_clocks_and_lists_the_worst_first() {
    let bench = Bench::new().await;
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    for _ in 0..5 {
        bench.clock.advance_ms(60_000);
        bench.telemetry(1, json!({"fume": 1.0})).await;
    }
    // Twenty minutes without data.
    bench.clock.advance_ms(20 * 60_000);
    bench.telemetry(1, json!({"fume": 1.0})).await;
    bench.journal.append_wait(vec![bench.frame(1, "not json".into())]).await.unwrap();
    bench.settled().await;
    let ledger = bench.get("/devices/1/ledger", &viewer).await.ok();
    assert_eq!(ledger["days"].as_array().unwrap().len(), 7);
    let today = &ledger["days"][0];
    assert_eq!((&today["counts"]["received"], &today["counts"]["quarantined"]), (&json!(7), &json!(1)));
    assert_eq!(today["counts"]["quarantined_by"], json!([{"reason": "not_understood", "records": 1}]));
    assert_eq!(today["counts"]["balanced"], true);
    let gaps = &today["gaps"];
    assert!(gaps["missing"].as_u64().unwrap() >= 18 && gaps["missing"] == gaps["longest"], "{gaps}");
    assert!(today["clock"]["median_ms"].as_i64().unwrap().abs() < 1_000, "{}", today["clock"]);
    assert!(ledger["days"][1]["gaps"].is_null(), "nothing was due before the first data: {ledger}");
    let district = bench.get("/ledger?sort=gap", &viewer).await.ok();
    assert_eq!(district["rows"][0]["device"]["id"], 1);
    assert_eq!(district["sum"]["received"], 7);
    let csv = bench.get("/ledger/export?sort=gap", &viewer).await.text();
    assert!(csv.contains("缺数分钟") && csv.contains("not_understood=1"), "{csv}");
    bench.get("/ledger?from=2026-01-01&to=2026-12-31", &viewer).await.refused(400, "bad_request");
    bench.get("/devices/1/ledger?from=yesterday", &viewer).await.refused(400, "bad_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_devices_page_shows_its_frames_verdicts_loss_and_chart_with_the_limit() {
    let bench = Bench::new().await;
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    for value in [1.0, 1.5, 1.5] {
        bench.clock.advance_ms(10_000);
        bench.telemetry(1, json!({"fume": value})).await;
    }
    bench.telemetry(1, json!({"fume": 1.5})).await;
    bench.clock.advance_ms(120_000);
    bench.telemetry(1, json!({"fume": 3.0})).await;
    bench.journal.append_wait(vec![bench.frame(1, "not json".into())]).await.unwrap();
    bench.settled().await;

    let detail = bench.get("/devices/1", &viewer).await.ok();
    assert_eq!((detail["presence"].as_str(), detail["latest"][0]["value"].as_f64()), (Some("online"), Some(3.0)));
    assert_eq!(
        (detail["latest"][0]["unit"].as_str(), detail["loss"]["balanced"].as_bool()),
        (Some("mg/m3"), Some(true))
    );
    assert_eq!(detail["loss"]["received"], 6, "{}", detail["loss"]);
    assert_eq!((&detail["loss"]["quarantined"], &detail["loss"]["duplicate"]), (&json!(1), &json!(1)));

    let frames = bench.get("/devices/1/frames", &viewer).await.ok();
    assert_eq!(frames.as_array().unwrap().len(), 6);
    assert_eq!(
        (frames[0]["verdict"].as_str(), frames[0]["reason"].as_str()),
        (Some("quarantined"), Some("not_understood"))
    );
    assert!(frames[0].get("acknowledged").is_none() && frames[1]["acknowledged"].is_string());

    let path = "/devices/1/series?quantity=fume&from=2026-11-22T01:00:00Z";
    let series = bench.get(path, &viewer).await.ok();
    assert_eq!(series["v"].as_array().unwrap().last().unwrap(), &json!(3.0));
    assert_eq!(series["gaps"].as_array().unwrap().len(), 1, "{series}");
    assert_eq!((series["limits"][0]["value"].as_f64(), series["unit"].as_str()), (Some(2.0), Some("mg/m3")));
    assert!(series["data_as_of"].is_string());
    let none = bench.get("/devices/2/series?quantity=fume&from=2026-11-22T01:00:00Z", &viewer).await.ok();
    assert_eq!(none["not_judged"][0]["because"], "not_installed");
    bench
        .get("/devices/1/series?quantity=nothing&from=2026-11-22T01:00:00Z", &viewer)
        .await
        .refused(422, "invalid_field");

    bench.clock.advance_ms(600_000);
    assert_eq!(bench.get("/devices/1", &viewer).await.ok()["presence"], "silent");
    let overview = bench.get("/overview", &viewer).await.ok();
    assert_eq!(overview["silent"][0]["device"]["code"], "fume-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_identity_waits_until_a_person_accepts_or_rejects_it() {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    for identity in ["MN-9", "MN-8"] {
        bench.porch.unknown(Knock {
            at: bench.state.clock.now(),
            protocol: ProtocolKind::Mqtt,
            identity: identity.into(),
            peer: "10.0.0.9".into(),
            sample: bytes("hello"),
        });
    }
    let list = bench.get("/quarantine/unknown", &admin).await.ok();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["samples"][0]["text"], "hello");
    let wanted = json!({"protocol": "mqtt", "identity": "MN-9", "code": "new-9", "profile": "no-such-profile"});
    bench.post("/quarantine/unknown/accept", &admin, wanted).await.refused(422, "invalid_field");
    let wanted = json!({"protocol": "mqtt", "identity": "MN-9", "code": "new-9", "profile": "fume-mqtt",
        "install": {"subject": 1}});
    let handout = bench.post("/quarantine/unknown/accept", &admin, wanted.clone()).await.ok();
    assert!(!handout["settings"].as_array().unwrap().is_empty());
    bench.post("/quarantine/unknown/accept", &admin, wanted).await.refused(404, "not_found");
    let no = json!({"protocol": "mqtt", "identity": "MN-8", "reason": "不是我们的"});
    assert_eq!(bench.post("/quarantine/unknown/reject", &admin, no).await.status.as_u16(), 204);
    let list = bench.get("/quarantine/unknown", &admin).await.ok();
    assert_eq!((list.as_array().unwrap().len(), list[0]["rejected"].as_bool()), (1, Some(true)));
}

fn bytes(text: &str) -> axum::body::Bytes {
    axum::body::Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quarantined_records_show_reason_and_raw_bytes_and_a_rederivation_is_an_entry_of_the_journal() {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    bench.telemetry(1, json!({"ts": "2036-01-01T00:00:00Z", "fume": 1.0})).await;
    let page = bench.get("/quarantine/records?device=1", &admin).await.ok();
    assert_eq!(page["items"][0]["reason"], "far_future");
    assert!(page["items"][0]["text"].as_str().unwrap().contains("2036"));
    let report = bench.post("/quarantine/rederive", &admin, json!({"device": 1})).await.ok();
    assert_eq!(report["frames"], 1);
    let place = model::envelope::Position { partition: 0, seq: report["position"]["seq"].as_u64().unwrap() };
    assert!(matches!(bench.journal.read_at(place), Ok(Some(Entry::Unknown { .. }))));
    bench.post("/quarantine/rederive", &admin, json!({"device": 2})).await.refused(409, "refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_out_of_range_is_a_bad_request_that_names_its_field() {
    let bench = Bench::new().await;
    let viewer = bench.person("days", Role::Viewer, "").await;
    for (query, field) in [
        ("to_day=9999-12-31", "to_day"),
        ("from_day=9999-01-01&to_day=9999-01-02", "from_day"),
        ("from_day=99999999999", "from_day"),
        ("from_day=1970-01-01", "from_day"),
        ("from_day=2026-02-30", "from_day"),
        ("from_day=2026-11-22x", "from_day"),
        ("from_day=%E4%B8%80%E4%BA%8C%E4%B8%89", "from_day"),
        ("from_day=2026-01-01&to_day=2026-11-22", "to_day"),
        ("from_day=2026-11-22&to_day=2026-11-01", "to_day"),
    ] {
        let answer = bench.get(&format!("/devices/1/loss?{query}"), &viewer).await;
        answer.refused(400, "bad_request");
        assert_eq!(answer.json()["field"], field, "{query}");
    }
    bench.get("/devices/1/loss?from_day=2026-11-01&to_day=2026-11-22", &viewer).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_connected_but_was_never_heard_says_so() {
    let bench = Bench::new().await;
    let viewer = bench.person("conn", Role::Viewer, "").await;
    assert_eq!(bench.get("/devices/2", &viewer).await.ok()["presence"], "never");
    bench.trace.connected(DeviceId(2), 7, "10.0.0.1:5", bench.clock.now());
    let device = bench.get("/devices/2", &viewer).await.ok();
    assert_eq!((device["presence"].as_str(), device["connected"].as_bool()), (Some("connected"), Some(true)));
    let listed = bench.get("/devices?presence=connected", &viewer).await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    let overview = bench.get("/overview", &viewer).await.ok();
    let counts = overview["kpi"]["presence"].as_array().unwrap();
    assert!(counts.iter().any(|one| one["presence"] == "connected" && one["count"] == 1), "{counts:?}");
    assert_eq!(overview["health"]["disk"]["journal_bytes"], 4 << 20);
}
