//! Every route with every role, and what a vendor may see.

use crate::bench::Bench;
use dashboards::access::Access;
use ledger::Role;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_just_the_roles_of_its_access() {
    let bench = Bench::new().await;
    for spec in dashboards::specs() {
        let path = format!(
            "/api/v1{}",
            spec.path.replace("{id}", "987654").replace("{command}", "987654").replace("{code}", "none")
        );
        if spec.access == Access::Public {
            continue;
        }
        let nobody = bench.call(spec.method.clone(), &path, "", None).await;
        assert_eq!(nobody.status.as_u16(), 401, "{spec:?}");
    }
    for role in Role::ALL {
        let login = format!("role-{}", role.code().replace('_', "-"));
        let cookie = bench.person(&login, role, if role == Role::Vendor { "甲公司" } else { "" }).await;
        for spec in dashboards::specs() {
            // These end the session that the walk needs.
            if matches!(spec.access, Access::Public | Access::Device) || spec.path.starts_with("/auth/logout") {
                continue;
            }
            let path = format!(
                "/api/v1{}",
                spec.path.replace("{id}", "987654").replace("{command}", "987654").replace("{code}", "none")
            );
            // Without a body: who is let in is told that it is missing, or gets the answer.
            let answer = bench.call(spec.method.clone(), &path, &cookie, None).await;
            let status = answer.status.as_u16();
            let code = if answer.status.is_success() { String::new() } else { answer.json()["code"].to_string() };
            match (spec.access.allows(role), role) {
                (true, _) => {
                    assert!(status != 401 && status != 403 && status != 500, "{role:?} {spec:?}: {status} {code}");
                }
                (false, Role::Vendor) => assert_eq!((status, code.as_str()), (404, "\"not_found\""), "{spec:?}"),
                (false, _) => assert_eq!((status, code.as_str()), (403, "\"forbidden\""), "{role:?} {spec:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_sees_its_own_devices_and_learns_of_no_other() {
    let bench = Bench::new().await;
    bench.telemetry(1, json!({"fume": 1.0})).await;
    bench.telemetry(2, json!({"fume": 1.0})).await;
    bench.telemetry(2, json!({"ts": "2026-02-30T00:00:00Z", "fume": 1.0})).await;
    let vendor = bench.person("vendor-a", Role::Vendor, "甲公司").await;
    let list = bench.get("/devices", &vendor).await.ok();
    assert_eq!((list["total"].as_i64(), list["items"][0]["code"].as_str()), (Some(1), Some("fume-1")));
    assert_eq!(list["vendors"], json!(["甲公司"]));
    bench.get("/devices/1", &vendor).await.ok();
    let frames = bench.get("/devices/1/frames", &vendor).await.ok();
    assert_eq!(frames[0]["text"], "{\"fume\":1.0}");
    let series = "series?quantity=fume&from=2026-11-22T00:00:00Z";
    bench.get(&format!("/devices/1/{series}"), &vendor).await.ok();
    for path in ["", "/frames", "/loss", &format!("/{series}")] {
        bench.get(&format!("/devices/2{path}"), &vendor).await.refused(404, "not_found");
    }
    let quarantined = bench.get("/quarantine/records", &vendor).await.ok();
    assert_eq!(quarantined["items"], json!([]));
    let hits = bench.get("/search?q=fume", &vendor).await.ok();
    assert_eq!(hits.as_array().unwrap().len(), 1);
    assert_eq!(bench.get("/search?q=%E8%80%81%E8%94%A1", &vendor).await.ok(), json!([]));
    assert_eq!(bench.get("/alerts", &vendor).await.ok()["items"], json!([]));
}
