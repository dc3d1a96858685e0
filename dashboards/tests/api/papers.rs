//! Areas, notices, night permits, cleaning records, manifests, maintenance, schedules, background stations over HTTP.

use crate::bench::Bench;
use ledger::Role;
use serde_json::{Value, json};

/// One body of each, on the bench's restaurant 1, site 2, truck 3.
fn bodies() -> [(&'static str, Value); 8] {
    let from = "2026-11-01T00:00:00+08:00";
    let day = json!([{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from_minute": 420, "to_minute": 1320}]);
    [
        (
            "/areas",
            json!({"code": "a1", "name": "禁行区", "purpose": "no_go", "outline": [[113.5, 34.8], [113.52, 34.8], [113.52, 34.82]], "windows": day, "valid_from": from}),
        ),
        (
            "/notices",
            json!({"code": "n1", "level": "red", "stops": ["earthwork", "muck_transport"], "source": "合成通知", "valid_from": from}),
        ),
        (
            "/night-permits",
            json!({"code": "y1", "site": 2, "windows": day, "issuer": "合成机关", "valid_from": from, "valid_to": "2026-12-01T00:00:00+08:00"}),
        ),
        (
            "/cleanings",
            json!({"subject": 1, "cleaned_at": from, "parts": ["hood", "purifier"], "cleaned_by": "合成清洗"}),
        ),
        (
            "/manifests",
            json!({"code": "m1", "source": "driver", "truck": 3, "site": 2, "loaded_at": "2026-11-20T21:00:00+08:00", "volume_m3": 12.5}),
        ),
        (
            "/maintenances",
            json!({"device": 1, "valid_from": from, "valid_to": "2026-12-01T00:00:00+08:00", "why": "更换传感器"}),
        ),
        ("/schedules", json!({"subject_kind": "restaurant", "open": day, "valid_from": from})),
        ("/backgrounds", json!({"quantity": "pm10", "device": 1, "valid_from": from})),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_paper_is_written_listed_edited_and_found() {
    let bench = Bench::new().await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    for (path, body) in bodies() {
        bench.put(path, &viewer, body.clone()).await.refused(403, "forbidden");
        let made = bench.put(path, &leader, body.clone()).await.ok();
        let id = made["id"].as_i64().unwrap();
        let list = bench.get(path, &viewer).await.ok();
        assert_eq!((list["total"].as_i64(), &list["items"][0]), (Some(1), &made), "{path}");
        let mut edit = body.clone();
        edit["id"] = json!(id);
        // The same again is no edit and answers the same row.
        assert_eq!(bench.put(path, &leader, edit.clone()).await.ok(), made, "{path}");
        edit["id"] = json!(987_654);
        bench.put(path, &leader, edit).await.refused(404, "not_found");
        let mut strange = body;
        strange["colour"] = json!("red");
        let refused = bench.put(path, &leader, strange).await;
        assert!(refused.status.is_client_error(), "{path}: {}", refused.status);
    }
    let found = bench.get("/cleanings?subject=1", &viewer).await.ok();
    assert_eq!(found["items"][0]["subject"]["name"], "老蔡记");
    assert_eq!(bench.get("/cleanings?subject=2", &viewer).await.ok()["total"], 0);
    assert_eq!(bench.get("/manifests?q=a12345", &viewer).await.ok()["total"], 1);
    assert_eq!(bench.get("/manifests?q=nobody", &viewer).await.ok()["total"], 0);
    assert_eq!(bench.get("/notices?standing=in_force", &viewer).await.ok()["total"], 1);
    assert_eq!(bench.get("/notices?standing=over", &viewer).await.ok()["total"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_problems_of_a_row_are_told_at_once_and_it_is_not_written() {
    let bench = Bench::new().await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    let bow = json!([[113.50, 34.80], [113.52, 34.82], [113.52, 34.80], [113.50, 34.82]]);
    let body = json!({"code": "a 1", "name": "", "purpose": "speed", "outline": bow, "valid_from": "2026-11-01T00:00:00Z", "valid_to": "2026-10-01T00:00:00Z"});
    let answer = bench.put("/areas", &leader, body).await;
    answer.refused(422, "invalid_field");
    let told = answer.json()["problems"].as_array().unwrap().clone();
    let places: Vec<_> = told.iter().filter_map(|one| one["place"].as_str()).collect();
    for field in ["code", "name", "outline[0]", "speed_limit_kmh", "valid_to"] {
        assert!(places.iter().any(|place| place.ends_with(field)), "{field}: {places:?}");
    }
    assert_eq!(bench.get("/areas", &leader).await.ok()["total"], 0);
    let wrong = json!({"subject": 2, "cleaned_at": "2026-11-01T00:00:00Z", "parts": []});
    let told = bench.put("/cleanings", &leader, wrong).await.json()["problems"].as_array().unwrap().len();
    assert_eq!(told, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_stands_over_every_page_and_stops_the_trucks_while_it_is_in_force() {
    let bench = Bench::new().await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    let banners = async || bench.get("/health", &leader).await.ok()["banners"].as_array().unwrap().clone();
    assert!(banners().await.iter().all(|one| one["code"] != "notice_red"));
    assert_eq!(bench.get("/map", &leader).await.ok()["corridors"][0]["open_now"], true);
    let (_, mut body) = bodies()[1].clone();
    let id = bench.put("/notices", &leader, body.clone()).await.ok()["id"].clone();
    let told = banners().await;
    let banner = told.iter().find(|one| one["code"] == "notice_red").unwrap();
    assert_eq!(
        (banner["level"].as_str(), banner["detail"].as_str()),
        (Some("error"), Some("n1|earthwork,muck_transport|"))
    );
    assert_eq!(bench.get("/map", &leader).await.ok()["corridors"][0]["open_now"], false);
    body["id"] = id;
    body["void"] = json!(true);
    assert_eq!(bench.put("/notices", &leader, body).await.ok()["standing"], "void");
    assert!(banners().await.iter().all(|one| one["code"] != "notice_red"));
    assert_eq!(bench.get("/map", &leader).await.ok()["corridors"][0]["open_now"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_is_suspended_for_a_time_and_an_edit_that_says_nothing_of_it_keeps_that() {
    let bench = Bench::new().await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    let permit = bench.get("/permits", &leader).await.ok()["items"][0].clone();
    assert_eq!(permit["suspended_now"], false);
    let mut put = json!({"id": permit["id"], "code": "p1", "trucks": [3], "site": 2, "corridor": permit["corridor"],
        "corridor_half_width_m": 50.0, "valid_from": permit["valid_from"]});
    // The bench's clock stands at 2026-11-22T02:00:00Z.
    put["suspensions"] = json!([{"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z", "why": "橙色预警"}]);
    let row = bench.put("/permits", &leader, put.clone()).await.ok();
    assert_eq!((row["suspended_now"].as_bool(), row["suspended"].as_bool()), (Some(true), Some(false)));
    assert_eq!(bench.get("/map", &leader).await.ok()["corridors"][0]["open_now"], false);
    put.as_object_mut().unwrap().remove("suspensions");
    put["corridor_half_width_m"] = json!(60.0);
    assert_eq!(bench.put("/permits", &leader, put.clone()).await.ok()["suspensions"], row["suspensions"]);
    put["suspensions"] = json!([{"from": "2026-11-22T00:00:00Z"}, {"from": "2026-11-25T00:00:00Z"}]);
    bench.put("/permits", &leader, put).await.refused(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_comes_by_pages_newest_first_and_none_twice() {
    let bench = Bench::new().await;
    let leader = bench.person("leader", Role::ShiftLeader, "").await;
    for number in 0..5 {
        let body = json!({"code": format!("m{number}"), "source": "gps", "truck": 3, "loaded_at": "2026-11-20T21:00:00+08:00"});
        bench.put("/manifests", &leader, body).await.ok();
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench.get(&format!("/manifests?limit=2&cursor={cursor}"), &leader).await.ok();
        assert_eq!(page["total"], 5);
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["m4", "m3", "m2", "m1", "m0"]);
}
