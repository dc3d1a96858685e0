//! Subjects, limits, permits, rules, imports, search, map.

use crate::bench::{Bench, fume_rule};
use axum::body::Body;
use axum::http::{Method, Request, header};
use ledger::Role;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_edited_with_source_and_validity_and_keeps_its_history() {
    let bench = Bench::new().await;
    let author = bench.person("author", Role::RuleAuthor, "").await;
    let limits = bench.get("/limits", &author).await.ok();
    let id = limits[0]["id"].as_i64().unwrap();
    let mut put = json!({"id": id, "quantity": "fume", "value": 1.5, "unit": "mg/m3", "standard": "DB41/1604-2018",
        "subject_kind": "restaurant", "valid_from": "2026-01-01T00:00:00+08:00", "source": "第5页"});
    assert_eq!(bench.put("/limits", &author, put.clone()).await.ok()["value"], 1.5);
    put["source"] = json!(" ");
    bench.put("/limits", &author, put.clone()).await.refused(422, "invalid_field");
    put["source"] = json!("x");
    put["unit"] = json!("furlong");
    assert_eq!(bench.put("/limits", &author, put.clone()).await.json()["field"], "unit");
    put["unit"] = json!("mg/m3");
    put["id"] = json!(99);
    bench.put("/limits", &author, put).await.refused(404, "not_found");
    let history = bench.get(&format!("/limits/{id}/history"), &author).await.ok();
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!((history[0]["row"]["value"].as_f64(), history[1]["row"]["value"].as_f64()), (Some(1.5), Some(2.0)));
    assert_eq!(history[0]["author"], "author");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_checked_versioned_and_rolled_back() {
    let bench = Bench::new().await;
    let author = bench.person("author", Role::RuleAuthor, "").await;
    let broken = fume_rule()
        .replace("window = \"60s\"", "window = \"sixty\"")
        .replace("quantity = \"fume\"", "quantity = \"fum\"");
    let check = bench.post("/rules/check", &author, json!({"text": broken})).await.ok();
    assert_eq!(check["ok"], false);
    assert!(check["problems"].as_array().unwrap().len() >= 2, "{check}");
    let put = json!({"text": broken, "version": 0});
    bench.put("/rules/fume-exceedance", &author, put).await.refused(422, "rule_invalid");
    let put = json!({"text": fume_rule(), "version": 0});
    bench.put("/rules/other-code", &author, put.clone()).await.refused(422, "rule_invalid");
    let first = bench.put("/rules/fume-exceedance", &author, put.clone()).await.ok();
    assert_eq!((first["version"].as_i64(), first["demo"].as_bool()), (Some(1), Some(true)));
    bench.put("/rules/fume-exceedance", &author, put).await.refused(409, "conflict");
    let other = fume_rule().replace("window = \"60s\"", "window = \"120s\"");
    let second = bench.put("/rules/fume-exceedance", &author, json!({"text": other, "version": 1})).await.ok();
    assert_eq!(second["version"], 2);
    let back = json!({"to_version": 1, "version": 2});
    let third = bench.post("/rules/fume-exceedance/rollback", &author, back).await.ok();
    assert_eq!((third["version"].as_i64(), &third["text"]), (Some(3), &first["text"]));
    let history = bench.get("/rules/fume-exceedance/history", &author).await.ok();
    assert_eq!(history.as_array().unwrap().len(), 3);
    bench.get("/rules/none", &author).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_a_plate_and_a_device_are_found_by_one_search() {
    let bench = Bench::new().await;
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    let first = async |text: &str| {
        let query = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        bench.get(&format!("/search?q={query}"), &viewer).await.ok()[0].clone()
    };
    assert_eq!(first("老蔡").await["title"], "老蔡记");
    assert_eq!(first("a12345").await["title"], "豫A12345");
    assert_eq!(first("fume-2").await["kind"], "device");
    assert_eq!(first("p1").await["kind"], "permit");
    let trucks = bench.get("/subjects?kind=truck", &viewer).await.ok();
    assert_eq!(
        (trucks["total"].as_i64(), trucks["items"][0]["details"]["plate"].as_str()),
        (Some(1), Some("豫A12345"))
    );
    let one = bench.get("/subjects?limit=1", &viewer).await.ok();
    let next = one["next"].as_str().unwrap();
    let two = bench.get(&format!("/subjects?limit=1&cursor={next}"), &viewer).await.ok();
    assert_ne!(one["items"][0]["id"], two["items"][0]["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_is_made_edited_and_drawn() {
    let bench = Bench::new().await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    let new = json!({"code": "r9", "name": "新店", "place": [113.57, 34.83], "details": {"kind": "restaurant", "address": "新路"}});
    let made = bench.post("/subjects", &leader, new.clone()).await.ok();
    let id = made["id"].as_i64().unwrap();
    let mut edit = new;
    edit["name"] = json!("老店");
    assert_eq!(bench.put(&format!("/subjects/{id}"), &leader, edit.clone()).await.ok()["name"], "老店");
    edit["place"] = json!([999.0, 0.0]);
    bench.put(&format!("/subjects/{id}"), &leader, edit.clone()).await.refused(422, "invalid_field");
    bench.put("/subjects/9999", &leader, edit).await.refused(404, "not_found");
    let position =
        json!({"position": {"lon": 113.56, "lat": 34.81, "speed_kmh": 40, "heading_deg": 90, "fixed": true}});
    bench.telemetry(3, position).await;
    bench.telemetry(1, json!({"fume": 1.2})).await;
    let map = bench.get("/map", &leader).await.ok();
    assert_eq!(
        (map["trucks"][0]["plate"].as_str(), map["trucks"][0]["place"][0].as_f64()),
        (Some("豫A12345"), Some(113.56))
    );
    assert_eq!(map["corridors"][0]["open_now"], true);
    let shop = map["subjects"].as_array().unwrap().iter().find(|one| one["code"] == "r1").unwrap();
    assert_eq!((shop["presence"].as_str(), shop["reading"]["limit"].as_f64()), (Some("online"), Some(2.0)));
    assert_eq!(map["district"], "合成示范区");
    let truck = bench.get("/subjects/3", &leader).await.ok();
    assert_eq!((truck["permits"][0]["code"].as_str(), truck["fix"]["device"].as_i64()), (Some("p1"), Some(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_tells_every_problem_and_applies_all_or_nothing() {
    let bench = Bench::new().await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    let import = async |query: &str, text: &str| {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/imports?{query}"))
            .header(header::COOKIE, &leader)
            .header(header::CONTENT_TYPE, "text/csv")
            .body(Body::from(text.to_owned()))
            .unwrap();
        bench.send(request).await
    };
    let good = "编码,名称,经度,纬度\nr7,七号店,113.5,34.8\nr8,八号店,113.6,34.8\n";
    let bad = "编码,名称,经度,纬度\nr7,七号店,999,34.8\nr8,,113.6,abc\n";
    let dry = import("kind=restaurants", good).await.ok();
    assert_eq!((dry["added"].as_i64(), dry["committed"].as_bool()), (Some(2), Some(false)), "{dry}");
    let report = import("kind=restaurants&commit=true", bad).await.ok();
    assert!(report["problems"].as_array().unwrap().len() >= 2, "{report}");
    assert_eq!(report["committed"], false);
    assert_eq!(bench.get("/subjects?kind=restaurant", &leader).await.ok()["total"], 1);
    let done = import("kind=restaurants&commit=true", good).await.ok();
    assert_eq!(done["committed"], true);
    assert_eq!(bench.get("/subjects?kind=restaurant", &leader).await.ok()["total"], 3);
    import("kind=devices", good).await.refused(403, "forbidden");
    import("kind=nonsense", good).await.refused(400, "bad_request");
}
