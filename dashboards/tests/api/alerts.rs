//! What people do with alerts: give to somebody, acknowledge many, silence; and who is told.

use crate::bench::{Bench, fume_rule};
use ledger::Role;
use serde_json::json;

async fn with_alert() -> (Bench, String) {
    let bench = Bench::new().await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    let put = json!({"text": fume_rule(), "version": 0});
    bench.put("/rules/fume-exceedance", &admin, put).await.ok();
    bench.publish().await;
    bench.fume_case().await;
    (bench, admin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_given_to_somebody_and_everything_is_told_with_who_and_when() {
    let (bench, admin) = with_alert().await;
    let acceptor = bench.person("acceptor", Role::Acceptor, "").await;
    bench.person("maker", Role::Vendor, "甲公司").await;
    let people = bench.get("/assignees", &acceptor).await.ok();
    let people = people.as_array().unwrap();
    assert!(people.iter().all(|one| one["role"] != "vendor"), "{people:?}");
    let id = |role: &str| people.iter().find(|one| one["role"] == role).unwrap()["id"].as_i64().unwrap();
    let given = json!({"user": id("acceptor"), "comment": "请核实"});
    let detail = bench.post("/alerts/1/assign", &admin, given).await.ok();
    assert_eq!(detail["assignee"]["id"], id("acceptor"), "{detail}");
    let seen = bench.post("/alerts/acknowledge", &acceptor, json!({"ids": [1, 99], "comment": "收到"})).await.ok();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    assert!(seen["items"][0]["acknowledged_by"].is_string() && seen["items"][0]["acknowledged_at"].is_string());
    let mine = bench.get("/alerts?mine=true&attention=true", &acceptor).await.ok();
    assert_eq!(mine["items"][0]["id"], 1);
    assert_eq!(bench.get("/alerts?mine=true", &admin).await.ok()["items"], json!([]));
    let history = bench.get("/alerts/1", &admin).await.ok()["history"].clone();
    let told: Vec<_> = history.as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert!(told.starts_with(&["raised"]) && told.ends_with(&["assigned", "acknowledged"]), "{told:?}");
    let last = history.as_array().unwrap().last().unwrap();
    assert!(last["by"].is_string() && last["at"].is_string(), "{last}");
    let none = bench.post("/alerts/1/assign", &acceptor, json!({})).await.ok();
    assert!(none.get("assignee").is_none());
    bench.post("/alerts/1/assign", &admin, json!({"user": 999})).await.refused(422, "invalid_field");
    bench.post("/alerts/acknowledge", &admin, json!({"ids": []})).await.refused(422, "invalid_field");
    let audit = bench.get("/audit?kind=alert", &admin).await.ok();
    let what: Vec<_> = audit["items"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(what, ["alert_assigned", "alert_acknowledged", "alert_assigned"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_shows_at_the_alerts_it_covers_until_somebody_ends_it() {
    let (bench, admin) = with_alert().await;
    let until = "2027-01-01T00:00:00Z";
    let made = bench.post("/silences", &admin, json!({"subject": 1, "until": until, "reason": "停业检修"})).await.ok();
    assert_eq!((made["state"].as_str(), made["subject"]["name"].as_str()), (Some("active"), Some("老蔡记")));
    let row = bench.get("/alerts", &admin).await.ok()["items"][0].clone();
    assert_eq!(row["silence"]["reason"], "停业检修", "{row}");
    for (body, field) in [
        (json!({"until": until, "reason": "x"}), "rule"),
        (json!({"subject": 99, "until": until, "reason": "x"}), "subject"),
        (json!({"rule": "no-such", "until": until, "reason": "x"}), "rule"),
        (json!({"subject": 1, "until": "2020-01-01T00:00:00Z", "reason": "x"}), "until"),
        (json!({"subject": 1, "until": until, "reason": ""}), "reason"),
    ] {
        let refused = bench.post("/silences", &admin, body).await;
        refused.refused(422, "invalid_field");
        assert_eq!(refused.json()["field"], field);
    }
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    bench.post("/silences/1/end", &viewer, json!({})).await.refused(403, "forbidden");
    let ended = bench.post("/silences/1/end", &admin, json!({})).await.ok();
    assert_eq!(ended["state"], "ended");
    assert!(bench.get("/alerts", &admin).await.ok()["items"][0].get("silence").is_none());
    assert_eq!(bench.get("/silences", &viewer).await.ok(), json!([]));
    assert_eq!(bench.get("/silences?all=true", &viewer).await.ok().as_array().unwrap().len(), 1);
    assert_eq!(bench.get("/audit?kind=silence", &admin).await.ok()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_shows_its_host_and_never_its_secret_and_a_policy_names_what_is_wrong() {
    let (bench, admin) = with_alert().await;
    let hook = "https://qyapi.example/cgi-bin/webhook/send?key=geheim-1";
    let new = json!({"name": "值班群", "kind": "wecom", "enabled": true, "language": "zh", "url": hook});
    let made = bench.put("/notify/channels", &admin, new.clone()).await.ok();
    assert_eq!((made["shown"].as_str(), made["per_minute_max"].as_i64()), (Some("https://qyapi.example/…"), Some(20)));
    let mail = json!({
        "name": "邮件", "kind": "email", "enabled": true, "language": "en", "secret": "geheim-2",
        "email": {"host": "mail.example", "port": 465, "security": "tls", "user": "u", "from": "a@b.example", "to": ["c@d.example"]},
    });
    bench.put("/notify/channels", &admin, mail).await.ok();
    bench.put("/notify/channels", &admin, new).await.refused(422, "invalid_field");
    let stale = json!({"id": 1, "version": 7, "name": "x", "kind": "wecom", "enabled": true, "language": "zh"});
    bench.put("/notify/channels", &admin, stale).await.refused(409, "conflict");
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    let everything = [
        bench.get("/notify/channels", &viewer).await.text(),
        bench.get("/audit", &admin).await.text(),
        bench.get("/notify/deliveries", &viewer).await.text(),
    ];
    assert!(everything.iter().all(|text| !text.contains("geheim")), "{everything:?}");
    let route = json!({"code": "all", "enabled": true, "channels": [1], "scope": {"severities": ["urgent", "normal"], "offices": [2]}});
    let policy = json!({"version": 0, "policy": {"routes": [route]}});
    assert_eq!(bench.put("/notify/policy", &admin, policy.clone()).await.ok()["version"], 1);
    bench.put("/notify/policy", &admin, policy).await.refused(409, "conflict");
    for (wrong, field) in [
        (json!({"routes": [{"code": "a", "enabled": true, "channels": [77]}]}), "routes[0].channels"),
        (
            json!({"routes": [{"code": "a", "enabled": true, "channels": [1], "scope": {"offices": [99]}}]}),
            "policy.routes[0].scope.offices",
        ),
        (
            json!({"escalations": [{"code": "a", "enabled": true, "steps": [{"after_minutes": 5, "assignee": 99}]}]}),
            "policy.escalations[0].steps",
        ),
        (json!({"escalations": [{"code": "a", "enabled": true, "steps": []}]}), "escalations[0].steps"),
    ] {
        let refused = bench.put("/notify/policy", &admin, json!({"version": 1, "policy": wrong})).await;
        refused.refused(422, "invalid_field");
        assert_eq!(refused.json()["field"], field);
    }
    let test = bench.post("/notify/channels/1/test", &admin, json!({})).await.ok();
    assert_eq!((test["kind"].as_str(), test["state"].as_str()), (Some("test"), Some("queued")));
    bench.post("/notify/channels/9/test", &admin, json!({})).await.refused(404, "not_found");
    let log = bench.get("/notify/deliveries?channel=1&state=queued", &viewer).await.ok();
    assert_eq!((log["items"][0]["channel_name"].as_str(), log["items"].as_array().unwrap().len()), (Some("值班群"), 1));
    bench.post("/notify/deliveries/99/again", &admin, json!({})).await.refused(404, "not_found");
}
