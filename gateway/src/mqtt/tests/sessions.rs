//! Takeover, wills, retained messages, what outlives a connection and a restart.

use super::v4_qos::QoS as Q4;
use super::v5_qos::QoS as Q5;
use super::*;

fn persistent_v4(client_id: &str) -> v4::Connect {
    let mut connect = v4::Connect::new(client_id);
    connect.clean_session = false;
    connect
}

fn persistent_v5(client_id: &str, clean_start: bool, expiry_s: u32) -> v5::Connect {
    let properties = v5::ConnectProperties { session_expiry_interval: Some(expiry_s), ..Default::default() };
    v5::Connect { clean_start, properties: Some(properties), ..connect_v5(client_id) }
}

fn text(packet: Option<v4::Packet>) -> (String, Q4, bool) {
    match packet {
        Some(v4::Packet::Publish(publish)) => {
            (String::from_utf8(publish.payload.to_vec()).unwrap(), publish.qos, publish.retain)
        }
        other => panic!("{other:?}"),
    }
}

fn text_v5(packet: Option<v5::Packet>) -> v5::Publish {
    match packet {
        Some(v5::Packet::Publish(publish)) => publish,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_connection_takes_over_and_the_first_is_told() {
    let bench = Bench::new();
    let mut first = bench.v5("dev-1", "same").await;
    let mut other = bench.v5("dev-2", "same").await;
    let mut second = bench.v5("dev-1", "same").await;
    let last = first.next().await;
    assert!(
        matches!(last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::SessionTakenOver)
    );
    assert!(first.next().await.is_none());
    // The same client id of another principal is another session.
    for client in [&mut second, &mut other] {
        client.send(v5::Packet::PingReq(v5::PingReq)).await;
        assert!(matches!(client.next().await, Some(v5::Packet::PingResp(_))));
    }
    assert_eq!(bench.front.counts().sessions, 2);
}

fn will(delay_s: u32) -> v5::LastWill {
    let properties = v5::LastWillProperties {
        delay_interval: Some(delay_s),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };
    v5::LastWill::new("lantian/v1/dev-1/status", "gone", Q5::AtLeastOnce, true, Some(properties))
}

#[tokio::test(start_paused = true)]
async fn a_will_is_published_when_the_client_is_lost_and_not_when_it_leaves() {
    let bench = Bench::new();
    let mut staff = bench.v4("staff", "s").await;
    subscribe_v4(&mut staff, "lantian/v1/+/status", Q4::AtLeastOnce).await;
    let mut connect = v4::Connect::new("w");
    connect.last_will = Some(v4::LastWill::new("lantian/v1/dev-1/status", "gone", Q4::AtLeastOnce, false));
    let (mut leaves, _) = bench.v4_with("dev-1", connect.clone()).await;
    leaves.send(v4::Packet::Disconnect).await;
    assert!(leaves.next().await.is_none());
    staff.quiet().await;
    let (lost, _) = bench.v4_with("dev-1", connect).await;
    drop(lost);
    assert_eq!(text(staff.next().await).0, "gone");
    // It is a message like any other: durable before it is delivered.
    assert_eq!(bench.world.payloads(), ["gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_will_on_another_devices_topic_is_refused_at_connect() {
    let bench = Bench::new();
    let mut foreign = will(0);
    foreign.topic = Bytes::from_static(b"lantian/v1/dev-2/status");
    let (_, ack) = bench.v5_with("dev-1", connect_v5("w"), Some(foreign)).await;
    assert_eq!(ack.code, v5::ConnectReturnCode::NotAuthorized);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_will_waits_and_is_void_when_the_client_returns() {
    let bench = Bench::new();
    let (lost, _) = bench.v5_with("dev-1", persistent_v5("w", true, 600), Some(will(30))).await;
    drop(lost);
    settle().await;
    bench.clock.advance_ms(20_000);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (again, ack) = bench.v5_with("dev-1", persistent_v5("w", false, 600), Some(will(30))).await;
    assert!(ack.session_present);
    bench.clock.advance_ms(60_000);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(bench.world.payloads().is_empty());
    drop(again);
    settle().await;
    bench.clock.advance_ms(31_000);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.world.payloads(), ["gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_retained_message_comes_with_the_subscription_and_goes_with_an_empty_one() {
    let bench = Bench::new();
    let mut device = bench.v4("dev-1", "d").await;
    let mut publish = v4::Publish::new("lantian/v1/dev-1/status", Q4::AtLeastOnce, "on");
    (publish.pkid, publish.retain) = (1, true);
    device.send(v4::Packet::Publish(publish.clone())).await;
    device.next().await.unwrap();
    let mut staff = bench.v4("staff", "s").await;
    subscribe_v4(&mut staff, "lantian/v1/+/status", Q4::AtMostOnce).await;
    assert_eq!(text(staff.next().await), ("on".into(), Q4::AtMostOnce, true));

    let mut careful = bench.v5("staff", "c").await;
    for (rule, comes) in [
        (v5::RetainForwardRule::Never, false),
        (v5::RetainForwardRule::OnNewSubscribe, false),
        (v5::RetainForwardRule::OnEverySubscribe, true),
    ] {
        let filter = v5::Filter { retain_forward_rule: rule, ..v5::Filter::new("lantian/v1/dev-1/#", Q5::AtLeastOnce) };
        subscribe_v5(&mut careful, filter).await;
        if comes {
            assert_eq!(&text_v5(careful.next().await).payload[..], b"on");
        } else {
            careful.quiet().await;
        }
    }
    publish.payload = Bytes::new();
    device.send(v4::Packet::Publish(publish)).await;
    device.next().await.unwrap();
    assert_eq!(bench.front.counts().retained, 0);
}

#[tokio::test(start_paused = true)]
async fn deliveries_respect_qos_retain_as_published_and_no_local() {
    let bench = Bench::new();
    let mut device = bench.v5("dev-1", "d").await;
    let own = v5::Filter { nolocal: true, ..v5::Filter::new("lantian/v1/dev-1/#", Q5::AtLeastOnce) };
    subscribe_v5(&mut device, own).await;
    let mut staff = bench.v5("staff", "s").await;
    let filter = v5::Filter { preserve_retain: true, ..v5::Filter::new("lantian/v1/dev-1/#", Q5::ExactlyOnce) };
    subscribe_v5(&mut staff, filter).await;
    let mut publish = v5::Publish::new("lantian/v1/dev-1/event", Q5::AtLeastOnce, "{\"event\":\"wash\"}", None);
    (publish.pkid, publish.retain) = (1, true);
    device.send(v5::Packet::Publish(publish)).await;
    let got = text_v5(staff.next().await);
    assert_eq!((got.qos, got.retain), (Q5::AtLeastOnce, true));
    assert!(matches!(device.next().await, Some(v5::Packet::PubAck(_))));
    device.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_no_more_than_its_receive_maximum_unanswered() {
    let bench = Bench::new();
    let mut connect = connect_v5("d");
    connect.properties = Some(v5::ConnectProperties { receive_maximum: Some(2), ..Default::default() });
    let (mut device, _) = bench.v5_with("dev-1", connect, None).await;
    subscribe_v5(&mut device, v5::Filter::new("lantian/v1/dev-1/command", Q5::ExactlyOnce)).await;
    for number in 0..5 {
        let payload = Bytes::from(number.to_string());
        assert_eq!(bench.front.publish_to_device("dev-1", TopicKind::Command, payload, Delivery::AtLeastOnce), 1);
    }
    for number in 0..5 {
        let got = text_v5(device.next().await);
        assert_eq!(&got.payload[..], number.to_string().as_bytes());
        if number == 1 {
            device.quiet().await;
            device.send(v5::Packet::PubAck(v5::PubAck::new(1, None))).await;
        } else if number > 1 {
            device.send(v5::Packet::PubAck(v5::PubAck::new(got.pkid, None))).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_its_connection_and_our_restart() {
    let bench = Bench::new();
    let (mut device, present) = bench.v4_with("dev-1", persistent_v4("d")).await;
    assert!(!present);
    subscribe_v4(&mut device, "lantian/v1/dev-1/command", Q4::ExactlyOnce).await;
    let command = |text: &'static str| Bytes::from_static(text.as_bytes());
    bench.front.publish_to_device("dev-1", TopicKind::Command, command("one"), Delivery::ExactlyOnce);
    assert_eq!(text(device.next().await).0, "one");
    // PUBREC is never sent: "one" is unanswered when the client is lost. A QoS 2 id of the device waits for its PUBREL.
    device.send(publish_v4(&telemetry("dev-1"), Q4::ExactlyOnce, 7, "{}")).await;
    device.next().await.unwrap();
    drop(device);
    settle().await;
    bench.front.publish_to_device("dev-1", TopicKind::Command, command("two"), Delivery::AtLeastOnce);

    let bench = bench.restart().await;
    bench.front.publish_to_device("dev-1", TopicKind::Command, command("three"), Delivery::AtLeastOnce);
    let (mut device, present) = bench.v4_with("dev-1", persistent_v4("d")).await;
    assert!(present);
    let Some(v4::Packet::Publish(again)) = device.next().await else { panic!("nothing resent") };
    assert!(again.dup && &again.payload[..] == b"one");
    assert_eq!(text(device.next().await).0, "two");
    assert_eq!(text(device.next().await).0, "three");
    device.send(publish_v4(&telemetry("dev-1"), Q4::ExactlyOnce, 7, "{}")).await;
    assert!(matches!(device.next().await, Some(v4::Packet::PubRec(_))));
    assert!(bench.world.payloads().is_empty(), "appended before the restart, so not again");
    // A clean start forgets it all.
    drop(device);
    settle().await;
    let mut clean = bench.v4("dev-1", "d").await;
    clean.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn retained_messages_outlive_our_restart() {
    let bench = Bench::new();
    let mut device = bench.v4("dev-1", "d").await;
    let mut publish = v4::Publish::new("lantian/v1/dev-1/status", Q4::AtLeastOnce, "on");
    (publish.pkid, publish.retain) = (1, true);
    device.send(v4::Packet::Publish(publish)).await;
    device.next().await.unwrap();
    let bench = bench.restart().await;
    let mut staff = bench.v4("staff", "s").await;
    subscribe_v4(&mut staff, "lantian/#", Q4::AtLeastOnce).await;
    assert_eq!(text(staff.next().await), ("on".into(), Q4::AtLeastOnce, true));
}

#[tokio::test(start_paused = true)]
async fn an_observers_session_keeps_what_it_missed_within_its_bound() {
    let bench = Bench::new();
    let (mut staff, _) = bench.v5_with("staff", persistent_v5("s", true, 60), None).await;
    subscribe_v5(&mut staff, v5::Filter::new("lantian/v1/+/telemetry", Q5::AtLeastOnce)).await;
    drop(staff);
    settle().await;
    let mut device = bench.v4("dev-1", "d").await;
    for number in 0..1_100_u16 {
        device.send(publish_v4(&telemetry("dev-1"), Q4::AtLeastOnce, number + 1, &number.to_string())).await;
        device.next().await.unwrap();
    }
    assert_eq!(bench.front.counts().queued, 1_000);
    let (mut staff, ack) = bench.v5_with("staff", persistent_v5("s", false, 60), None).await;
    assert!(ack.session_present);
    for number in 100..1_100 {
        let got = text_v5(staff.next().await);
        assert_eq!(&got.payload[..], number.to_string().as_bytes());
        staff.send(v5::Packet::PubAck(v5::PubAck::new(got.pkid, None))).await;
    }
    drop(staff);
    settle().await;
    bench.clock.advance_ms(61_000);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (_, ack) = bench.v5_with("staff", persistent_v5("s", false, 60), None).await;
    assert!(!ack.session_present, "its time was over");
}

#[tokio::test(start_paused = true)]
async fn an_expired_message_is_not_delivered() {
    let bench = Bench::new();
    let (mut staff, _) = bench.v5_with("staff", persistent_v5("s", true, 600), None).await;
    subscribe_v5(&mut staff, v5::Filter::new("lantian/v1/+/telemetry", Q5::AtLeastOnce)).await;
    drop(staff);
    settle().await;
    let mut device = bench.v5("dev-1", "d").await;
    for (pkid, expiry, payload) in [(1, 5, "soon"), (2, 500, "later")] {
        let properties = v5::PublishProperties { message_expiry_interval: Some(expiry), ..Default::default() };
        let mut publish = v5::Publish::new(telemetry("dev-1"), Q5::AtLeastOnce, payload, Some(properties));
        publish.pkid = pkid;
        device.send(v5::Packet::Publish(publish)).await;
        device.next().await.unwrap();
    }
    bench.clock.advance_ms(10_000);
    let (mut staff, _) = bench.v5_with("staff", persistent_v5("s", false, 600), None).await;
    let got = text_v5(staff.next().await);
    assert_eq!(&got.payload[..], b"later");
    assert_eq!(got.properties.unwrap().message_expiry_interval, Some(490));
}

#[tokio::test(start_paused = true)]
async fn unsuback_says_whether_there_was_a_subscription() {
    let bench = Bench::new();
    let mut client = bench.v5("dev-1", "d").await;
    subscribe_v5(&mut client, v5::Filter::new("lantian/v1/dev-1/command", Q5::AtLeastOnce)).await;
    for want in [v5::UnsubAckReason::Success, v5::UnsubAckReason::NoSubscriptionExisted] {
        let mut unsubscribe = v5::Unsubscribe::new("lantian/v1/dev-1/command", None);
        unsubscribe.pkid = 4;
        client.send(v5::Packet::Unsubscribe(unsubscribe)).await;
        let Some(v5::Packet::UnsubAck(ack)) = client.next().await else { panic!("no UNSUBACK") };
        assert_eq!(ack.reasons, [want]);
    }
    let command = Bytes::from_static(b"x");
    assert_eq!(bench.front.publish_to_device("dev-1", TopicKind::Command, command, Delivery::AtLeastOnce), 0);
}

#[tokio::test(start_paused = true)]
async fn one_credential_cannot_take_the_sessions_of_the_others() {
    let bench = Bench::new();
    let bound = MqttConfig::new(bench.directory.path().to_owned()).sessions_per_principal_max;
    for number in 0..bound + 20 {
        let (client, _) = bench.v5_with("dev-1", persistent_v5(&format!("q{number}"), true, u32::MAX), None).await;
        drop(client);
        settle().await;
    }
    assert_eq!(bench.front.counts().sessions, bound);
    // Its own newest session is still there, the oldest gave way, and another device has its place.
    let newest = format!("q{}", bound + 19);
    let (_, ack) = bench.v5_with("dev-1", persistent_v5(&newest, false, u32::MAX), None).await;
    assert!(ack.session_present);
    let (_, ack) = bench.v5_with("dev-1", persistent_v5("q0", false, u32::MAX), None).await;
    assert!(!ack.session_present);
    bench.v5("dev-2", "other").await;
    assert_eq!(bench.front.counts().sessions, bound + 1);
}
