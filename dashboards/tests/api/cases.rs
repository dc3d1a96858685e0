//! From readings above the limit to a case that a person moves.

use crate::bench::{Bench, fume_rule};
use axum::body::Body;
use axum::http::{Method, Request, header};
use ledger::Role;
use serde_json::{Value, json};

async fn with_case() -> (Bench, String) {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    let put = json!({"text": fume_rule(), "version": 0});
    bench.put("/rules/fume-exceedance", &admin, put).await.ok();
    bench.publish().await;
    bench.fume_case().await;
    (bench, admin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_tells_its_limit_evidence_and_reason_and_becomes_a_case() {
    let (bench, admin) = with_case().await;
    let list = bench.get("/alerts", &admin).await.ok();
    assert_eq!(list["total"], 1, "{list}");
    let row = &list["items"][0];
    assert_eq!((row["rule"].as_str(), row["demo"].as_bool()), (Some("fume-exceedance"), Some(true)));
    assert_eq!((row["subject"]["name"].as_str(), row["unit"].as_str()), (Some("老蔡记"), Some("mg/m3")));
    let id = row["id"].as_i64().unwrap();
    let detail = bench.get(&format!("/alerts/{id}"), &admin).await.ok();
    assert_eq!(detail["limit"]["standard"], "GB 18483-2001");
    assert!(!detail["evidence"].as_array().unwrap().is_empty());
    assert_eq!(detail["evidence"][0]["sha256"].as_str().unwrap().len(), 64);
    assert!(detail["explain"]["sentence"].as_str().unwrap().contains("油烟"));
    assert!(detail["explain"]["rule_text"].as_str().unwrap().contains("fume-exceedance"));
    assert_eq!(detail["chart"]["device"], 1);

    let seen = bench.post(&format!("/alerts/{id}/acknowledge"), &admin, json!({"comment": "已通知"})).await.ok();
    assert_eq!((seen["state"].as_str(), seen["comments"][0]["text"].as_str()), (Some("acknowledged"), Some("已通知")));
    let said = bench.post(&format!("/alerts/{id}/comments"), &admin, json!({"text": "复查"})).await.ok();
    assert_eq!(said["comments"].as_array().unwrap().len(), 2);
    let after = row["seq"].as_u64().unwrap();
    let changed = bench.get(&format!("/alerts?after_seq={after}"), &admin).await.ok();
    assert_eq!(changed["items"].as_array().unwrap().len(), 1);

    let csv = bench.get("/alerts/export", &admin).await;
    assert!(csv.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
    assert!(csv.text().contains("老蔡记"));
    bench.get("/alerts/999", &admin).await.refused(404, "not_found");
    bench.get("/alerts?state=nonsense", &admin).await.refused(422, "invalid_field");
}

async fn move_case(bench: &Bench, cookie: &str, id: i64, key: &str, body: Value) -> crate::bench::Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/api/v1/cases/{id}/moves"))
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", key)
        .body(Body::from(body.to_string()))
        .unwrap();
    bench.send(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_goes_from_hand_to_hand_and_a_stale_or_illegal_move_is_refused() {
    let (bench, admin) = with_case().await;
    let acceptor = bench.person("acceptor", Role::Acceptor, "").await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    let list = bench.get("/cases", &acceptor).await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let id = list["items"][0]["id"].as_i64().unwrap();
    let case = bench.get(&format!("/cases/{id}"), &acceptor).await.ok();
    assert_eq!((case["state"].as_str(), case["source"].as_str()), (Some("registered"), Some("iot")));
    let moves: Vec<_> =
        case["allowed_moves"].as_array().unwrap().iter().map(|one| one["move"].as_str().unwrap()).collect();
    assert_eq!(moves, ["verify", "reject"]);
    assert!(!case["evidence"].as_array().unwrap().is_empty());
    let version = case["version"].as_i64().unwrap();

    let verify = json!({"move": "verify", "version": version});
    let moved = move_case(&bench, &acceptor, id, "key-00000001", verify.clone()).await.ok();
    assert_eq!(moved["state"], "verifying");
    let again = move_case(&bench, &acceptor, id, "key-00000001", verify.clone()).await.ok();
    assert_eq!((&again["state"], &again["version"]), (&moved["state"], &moved["version"]));
    move_case(&bench, &acceptor, id, "key-00000002", verify).await.refused(409, "conflict");

    let version = moved["version"].as_i64().unwrap();
    let file = json!({"move": "file", "version": version});
    move_case(&bench, &acceptor, id, "key-00000003", file.clone()).await.refused(403, "forbidden");
    let filed = move_case(&bench, &leader, id, "key-00000004", file).await.ok();
    let version = filed["version"].as_i64().unwrap();
    let close = json!({"move": "close", "version": version});
    move_case(&bench, &admin, id, "key-00000005", close).await.refused(409, "illegal_move");
    let nowhere = json!({"move": "dispatch", "version": version});
    move_case(&bench, &admin, id, "key-00000006", nowhere).await.refused(422, "invalid_field");
    let sent = json!({"move": "dispatch", "version": version, "office": 2});
    let sent = move_case(&bench, &admin, id, "key-00000007", sent).await.ok();
    assert_eq!((sent["state"].as_str(), sent["office"]["id"].as_i64()), (Some("dispatched"), Some(2)));

    // A squadron moves only what was dispatched to its office.
    let squadron = bench.person("squadron", Role::Squadron, "").await;
    let seen = bench.get(&format!("/cases/{id}"), &squadron).await.ok();
    assert_eq!(seen["allowed_moves"], json!([]));
    let counts = bench.get("/cases?state=all", &admin).await.ok();
    let dispatched = counts["counts"].as_array().unwrap().iter().find(|one| one["state"] == "dispatched").unwrap();
    assert_eq!(dispatched["count"], 1);
    let hits = bench.get("/search?q=2026-", &admin).await.ok();
    assert!(hits.as_array().unwrap().iter().any(|hit| hit["kind"] == "case"), "{hits}");
    assert!(bench.get("/cases/export?state=all", &admin).await.text().contains("老蔡记"));
    let audit = bench.get("/audit?kind=case", &admin).await.ok();
    assert_eq!(audit["items"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_speaks_in_the_words_of_the_version_that_raised_it() {
    let (bench, admin) = with_case().await;
    let before = bench.get("/alerts/1", &admin).await.ok();
    let text = fume_rule()
        .replace("window = \"60s\"", "window = \"2h\"")
        .replace("severity = \"normal\"", "severity = \"urgent\"");
    assert_ne!(text, fume_rule());
    bench.put("/rules/fume-exceedance", &admin, json!({"text": text, "version": 1})).await.ok();
    bench.publish().await;
    let after = bench.get("/alerts/1", &admin).await.ok();
    assert_eq!(after["explain"], before["explain"]);
    assert_eq!((&after["severity"], &after["rule_version"]), (&before["severity"], &before["rule_version"]));
    assert!(bench.get("/rules/fume-exceedance", &admin).await.ok()["sentence"].as_str().unwrap().contains("2小时"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_is_for_one_move_of_one_person() {
    let (bench, admin) = with_case().await;
    let other = bench.person("other", Role::Administrator, "").await;
    let verify = json!({"move": "verify", "version": 1});
    move_case(&bench, &admin, 1, "key-00001", verify.clone()).await.ok();
    move_case(&bench, &admin, 1, "key-00001", verify.clone()).await.ok();
    let reject = json!({"move": "reject", "version": 2, "reason": "查无实据"});
    let refused = move_case(&bench, &admin, 1, "key-00001", reject).await;
    refused.refused(409, "key_reused");
    assert!(refused.json()["message"].as_str().unwrap().contains("a key of its own"));
    move_case(&bench, &other, 1, "key-00001", verify).await.refused(409, "key_reused");
    assert_eq!(bench.get("/cases/1", &admin).await.ok()["state"], "verifying");
}
