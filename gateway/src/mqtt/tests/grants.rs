//! Who gets in and who may do what.

use super::v4_qos::QoS as Q4;
use super::v5_qos::QoS as Q5;
use super::*;
use model::verdict::RefusalReason;

async fn refused_v4(bench: &Bench, user: &str, password: &str) -> v4::ConnectReturnCode {
    let mut connect = v4::Connect::new("x");
    connect.set_login(user, password);
    let mut client = V4 { stream: bench.stream(), buffer: BytesMut::new() };
    client.send(v4::Packet::Connect(connect)).await;
    let Some(v4::Packet::ConnAck(ack)) = client.next().await else { panic!("no CONNACK") };
    assert!(client.next().await.is_none());
    ack.code
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_and_an_unknown_identity_are_refused_and_seen() {
    let bench = Bench::new();
    assert_eq!(refused_v4(&bench, "dev-1", "wrong").await, v4::ConnectReturnCode::BadUserNamePassword);
    assert_eq!(bench.world.refused(), [RefusalReason::NotAuthenticated]);
    assert_eq!(refused_v4(&bench, "stranger", "hunter2").await, v4::ConnectReturnCode::NotAuthorized);
    assert_eq!(refused_v4(&bench, "off", "secret").await, v4::ConnectReturnCode::NotAuthorized);
    let knocks = bench.world.knocks.lock().unwrap().clone();
    assert_eq!(knocks.len(), 1);
    assert_eq!(knocks[0].identity, "stranger");
    // A secret never gets into a sample.
    assert!(!String::from_utf8_lossy(&knocks[0].sample).contains("hunter2"));

    let login = v5::Login { username: "dev-1".into(), password: "wrong".into() };
    let mut client = V5 { stream: bench.stream(), buffer: BytesMut::new() };
    client.send(v5::Packet::Connect(connect_v5("x"), None, Some(login))).await;
    let Some(v5::Packet::ConnAck(ack)) = client.next().await else { panic!("no CONNACK") };
    assert_eq!(ack.code, v5::ConnectReturnCode::BadUserNamePassword);
}

#[tokio::test(start_paused = true)]
async fn a_device_cannot_publish_as_another() {
    let bench = Bench::new();
    let mut new = bench.v5("dev-1", "a").await;
    for topic in [telemetry("dev-2"), "lantian/v1/dev-1/command".into(), "other".into(), telemetry("nobody")] {
        new.send(publish_v5(&topic, Q5::AtLeastOnce, 1, "{}")).await;
        let answer = new.next().await;
        assert!(
            matches!(answer, Some(v5::Packet::PubAck(ack)) if ack.reason == v5::PubAckReason::NotAuthorized),
            "{topic}"
        );
    }
    let mut old = bench.v4("dev-1", "b").await;
    old.send(publish_v4(&telemetry("dev-2"), Q4::AtLeastOnce, 1, "{}")).await;
    assert!(old.next().await.is_none());
    assert_eq!(bench.world.refused(), [RefusalReason::NotGranted; 5]);
    assert!(bench.world.payloads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_device_cannot_read_as_another() {
    let bench = Bench::new();
    let mut client = bench.v4("dev-1", "a").await;
    for filter in [
        "#",
        "lantian/#",
        "lantian/v1/+/command",
        "lantian/v1/dev-2/command",
        "$share/g/lantian/v1/dev-1/#",
        "lantian/v1/#",
        "a#",
    ] {
        let code = subscribe_v4(&mut client, filter, Q4::AtLeastOnce).await;
        assert_eq!(code, v4::SubscribeReasonCode::Failure, "{filter}");
    }
    for filter in ["lantian/v1/dev-1/command", "lantian/v1/dev-1/#", "lantian/v1/dev-1/+"] {
        let code = subscribe_v4(&mut client, filter, Q4::AtLeastOnce).await;
        assert_eq!(code, v4::SubscribeReasonCode::Success(Q4::AtLeastOnce), "{filter}");
    }
    let mut new = bench.v5("dev-1", "b").await;
    let code = subscribe_v5(&mut new, v5::Filter::new("lantian/#", Q5::AtMostOnce)).await;
    assert_eq!(code, v5::SubscribeReasonCode::NotAuthorized);
    let code = subscribe_v5(&mut new, v5::Filter::new("$share/g/a", Q5::AtMostOnce)).await;
    assert_eq!(code, v5::SubscribeReasonCode::SharedSubscriptionsNotSupported);
}

#[tokio::test(start_paused = true)]
async fn a_bridge_speaks_for_its_devices_and_the_topic_says_which() {
    let bench = Bench::new();
    for user in ["bridge", "logger"] {
        let mut client = bench.v5(user, "a").await;
        client.send(publish_v5(&telemetry("dev-2"), Q5::AtLeastOnce, 1, "{}")).await;
        assert!(
            matches!(client.next().await, Some(v5::Packet::PubAck(ack)) if ack.reason == v5::PubAckReason::Success)
        );
        assert_eq!(bench.world.appended.lock().unwrap().last().unwrap().device, DeviceId(2));
    }
    let mut logger = bench.v5("logger", "a").await;
    logger.send(publish_v5(&telemetry("dev-3"), Q5::AtLeastOnce, 1, "{}")).await;
    assert!(
        matches!(logger.next().await, Some(v5::Packet::PubAck(ack)) if ack.reason == v5::PubAckReason::NotAuthorized)
    );
}

#[tokio::test(start_paused = true)]
async fn an_observer_publishes_nothing() {
    let bench = Bench::new();
    let mut client = bench.v5("staff", "a").await;
    client.send(publish_v5(&telemetry("dev-1"), Q5::AtLeastOnce, 1, "{}")).await;
    assert!(
        matches!(client.next().await, Some(v5::Packet::PubAck(ack)) if ack.reason == v5::PubAckReason::NotAuthorized)
    );
    let code = subscribe_v5(&mut client, v5::Filter::new("#", Q5::AtMostOnce)).await;
    assert_eq!(code, v5::SubscribeReasonCode::NotAuthorized);
}

#[tokio::test(start_paused = true)]
async fn the_thingsboard_topic_is_the_connected_devices() {
    let bench = Bench::new();
    let mut client = bench.v4("dev-4", "a").await;
    client.send(publish_v4("v1/devices/me/telemetry", Q4::AtLeastOnce, 1, "{}")).await;
    client.next().await.unwrap();
    let envelope = bench.world.appended.lock().unwrap()[0].clone();
    assert_eq!((envelope.device, envelope.channel), (DeviceId(4), model::envelope::Channel::MqttThingsboard));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_credential_ends_the_connection() {
    let bench = Bench::new();
    let mut client = bench.v5("dev-1", "a").await;
    bench.world.revoked.store(true, Ordering::SeqCst);
    let began = tokio::time::Instant::now();
    bench.world.changes.send_modify(|revision| *revision += 1);
    let last = client.next().await;
    assert!(began.elapsed() < Duration::from_secs(1), "it says nothing and is told at once");
    assert!(
        matches!(last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::NotAuthorized)
    );
}
