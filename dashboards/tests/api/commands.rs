//! Commands over HTTP: who may, what is refused, what is shown, and that changes are pushed.

use crate::bench::{Bench, author};
use ledger::Role;
use model::downlink::{Downlink, Told};
use model::envelope::ProtocolKind;
use model::id::{DeviceId, InstallationId, SubjectId};
use model::register::{Device, DeviceProfile, Installation, Object};
use model::time::EventTime;
use serde_json::{Value, json};
use std::sync::Arc;

/// A logger and a truck's terminal of 乙公司 beside the bench's devices; their ids.
async fn with_devices(bench: &Bench) -> (i64, i64) {
    let facts = bench.ledger.facts_now();
    let old = facts.profiles.get("fume-mqtt").unwrap();
    let profile = |code: &str, protocol| {
        let code = code.to_owned();
        Object::Profile(DeviceProfile { code, protocol, ..DeviceProfile::clone(old) })
    };
    let device = |id, code: &str, protocol, identity: &str, profile: &str| {
        Object::Device(Device {
            id: DeviceId(id),
            code: code.into(),
            name: String::new(),
            protocol,
            identity: identity.into(),
            profile: profile.into(),
            vendor: "乙公司".into(),
            enabled: true,
            poll: None,
        })
    };
    let truck = facts.installations_of(DeviceId(3)).next().unwrap().subject;
    let install = Installation {
        id: InstallationId(0),
        device: DeviceId(-2),
        subject: SubjectId(truck.0),
        point: "808".into(),
        valid_from: EventTime(0),
        valid_to: None,
    };
    let batch = vec![
        profile("p-hj212", ProtocolKind::Hj212),
        profile("p-jt808", ProtocolKind::Jt808),
        device(-1, "logger", ProtocolKind::Hj212, "MN0001", "p-hj212"),
        device(-2, "terminal", ProtocolKind::Jt808, "13800000009", "p-jt808"),
        Object::Installation(install),
    ];
    bench.ledger.edit(&author(), batch).await.unwrap();
    let facts = bench.ledger.facts_now();
    let id = |code: &str| facts.devices.values().find(|device| device.code == code).unwrap().id.0;
    (id("logger"), id("terminal"))
}

fn set_time() -> Value {
    json!({"command": {"kind": "hj212_set_time"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_orders_who_may_not_does_not_and_a_vendor_sees_its_own_devices_line() {
    let bench = Bench::new().await;
    let (logger, _) = with_devices(&bench).await;
    let path = format!("/devices/{logger}/commands");
    let dispatcher = bench.person("dispatcher", Role::Dispatcher, "").await;
    let viewer = bench.person("viewer", Role::Viewer, "").await;
    let (own, other) =
        (bench.person("own", Role::Vendor, "乙公司").await, bench.person("other", Role::Vendor, "甲公司").await);
    bench.post(&path, &viewer, set_time()).await.refused(403, "forbidden");
    bench.post(&path, &own, set_time()).await.refused(404, "not_found");
    let made = bench.post(&path, &dispatcher, set_time()).await.ok();
    assert_eq!((made["state"].as_str(), made["author"].as_str()), (Some("queued"), Some("dispatcher")));
    assert_eq!(made["command"], json!({"kind": "hj212_set_time"}));
    for who in [&dispatcher, &viewer, &own] {
        assert_eq!(bench.get(&path, who).await.ok().as_array().unwrap().len(), 1);
    }
    bench.get(&path, &other).await.refused(404, "not_found");

    let password = json!({"command": {"kind": "hj212_set_password", "password": "654321"}});
    bench.post(&path, &dispatcher, password.clone()).await.refused(403, "forbidden");
    let admin = bench.person("admin", Role::Administrator, "").await;
    let made = bench.post(&path, &admin, password).await;
    assert!(!made.text().contains("654321"));
    let id = made.ok()["id"].as_i64().unwrap();
    assert!(!bench.get(&path, &admin).await.text().contains("654321"));
    let ended = bench.post(&format!("{path}/{id}/cancel"), &dispatcher, json!({})).await.ok();
    assert_eq!(ended["state"], "cancelled");
    bench.post(&format!("{path}/{id}/cancel"), &dispatcher, json!({})).await.refused(409, "refused");
    bench.post(&format!("/devices/1/commands/{id}/cancel"), &dispatcher, json!({})).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_refused_with_its_field() {
    let bench = Bench::new().await;
    bench.ledger.desk().set_check(|command| match command {
        model::downlink::Command::Hj212SetMinuteInterval { minutes: 7 } => {
            Err(model::downlink::Wrong::new("minutes", "write 1, 2, 3 …"))
        }
        _ => Ok(()),
    });
    let (logger, terminal) = with_devices(&bench).await;
    let admin = bench.person("admin", Role::Administrator, "").await;
    for (device, body, field) in [
        (logger, json!({"command": {"kind": "hj212_dance"}}), "command"),
        (logger, json!({"command": {"kind": "jt808_link_test"}}), "command"),
        (logger, json!({"command": {"kind": "hj212_set_minute_interval", "minutes": 7}}), "command.minutes"),
        (logger, json!({}), "command"),
        (logger, json!({"command": {"kind": "hj212_set_time"}, "wait_s": 5}), "wait_s"),
        (logger, json!({"route_of_permit": 1}), "route_of_permit"),
        (terminal, json!({"route_of_permit": 99}), "route_of_permit"),
    ] {
        let answer = bench.post(&format!("/devices/{device}/commands"), &admin, body.clone()).await;
        answer.refused(422, "invalid_field");
        assert_eq!(answer.json()["field"], field, "{body} {}", answer.text());
    }
    let route = bench.post(&format!("/devices/{terminal}/commands"), &admin, json!({"route_of_permit": 1})).await.ok();
    assert_eq!(route["command"]["kind"], "jt808_route");
    assert_eq!(route["command"]["points"][1], json!({"place": [113.6, 34.81], "width_m": 100}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_a_command_is_pushed_to_the_devices_page() {
    let bench = Bench::new().await;
    let (logger, _) = with_devices(&bench).await;
    let ledger = bench.ledger.clone();
    tokio::spawn(async move { ledger.keep_commands().await });
    let cookie = bench.person("dispatcher", Role::Dispatcher, "").await;
    let address = crate::live::serve(&bench).await;
    let mut page = crate::live::connect(address, &cookie, "").await.ok().unwrap();
    page.say(json!({"op": "sub", "id": 3, "topic": format!("device/{logger}")})).await;
    page.until(|message| message["type"] == "snapshot").await;
    let made = bench.post(&format!("/devices/{logger}/commands"), &cookie, set_time()).await.ok();
    let id = made["id"].as_i64().unwrap();
    let is = |state: &'static str| move |message: &Value| message["data"]["commands"][0]["state"] == state;
    page.until(is("queued")).await;
    bench.ledger.desk().attach(DeviceId(logger), 5, Arc::new(|| {}));
    page.until(is("sent")).await;
    let order = bench.ledger.desk().take(DeviceId(logger), 5).unwrap();
    bench.ledger.desk().told(DeviceId(logger), order.id, 5, Told::Failed { why: "refused", text: "QnRtn=3".into() });
    let last = page.until(is("failed")).await;
    let row = &last["data"]["commands"][0];
    assert_eq!((row["id"].as_i64(), row["story"][2]["why"].as_str()), (Some(id), Some("refused")));
}
