//! Answers, order, windows, bounds.

use super::v4_qos::QoS as Q4;
use super::v5_qos::QoS as Q5;
use super::*;
use model::verdict::RefusalReason;
use proptest::prelude::*;

fn puback(packet: Option<v4::Packet>) -> u16 {
    match packet {
        Some(v4::Packet::PubAck(ack)) => ack.pkid,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_leaves_only_after_the_append_and_in_order() {
    let bench = Bench::new();
    bench.world.mode(Mode::Hold);
    let mut client = bench.v4("dev-1", "a").await;
    client.send(publish_v4(&telemetry("dev-1"), Q4::AtLeastOnce, 1, "{\"fume\":1}")).await;
    settle().await;
    client.send(publish_v4(&telemetry("dev-1"), Q4::AtLeastOnce, 2, "{\"fume\":2}")).await;
    client.quiet().await;
    // The second batch is durable first; its answer still waits for the first.
    let second = bench.world.held.lock().unwrap().remove(1);
    second(Ok(bench.world.committed(1)));
    client.quiet().await;
    bench.world.release();
    assert_eq!((puback(client.next().await), puback(client.next().await)), (1, 2));
    assert_eq!(bench.world.payloads(), ["{\"fume\":1}", "{\"fume\":2}"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_together_is_appended_together() {
    let bench = Bench::new();
    let mut client = bench.v4("dev-1", "a").await;
    let mut bytes = BytesMut::new();
    for pkid in 1..=40 {
        publish_v4(&telemetry("dev-1"), Q4::AtLeastOnce, pkid, "{}").write(&mut bytes, 10_000).unwrap();
    }
    client.raw(&bytes).await;
    for pkid in 1..=40 {
        assert_eq!(puback(client.next().await), pkid);
    }
    assert_eq!(*bench.world.batches.lock().unwrap(), [40]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_append_is_not_answered_and_closes_the_connection() {
    let bench = Bench::new();
    bench.world.mode(Mode::Fail(AppendError::DiskFull));
    let mut old = bench.v4("dev-1", "a").await;
    old.send(publish_v4(&telemetry("dev-1"), Q4::AtLeastOnce, 1, "{}")).await;
    assert!(old.next().await.is_none());
    for (error, code) in [
        (AppendError::DiskFull, v5::DisconnectReasonCode::QuotaExceeded),
        (AppendError::Overloaded, v5::DisconnectReasonCode::ServerBusy),
    ] {
        bench.world.mode(Mode::Fail(error));
        let mut new = bench.v5("dev-2", "b").await;
        new.send(publish_v5(&telemetry("dev-2"), Q5::AtLeastOnce, 1, "{}")).await;
        assert!(matches!(new.next().await, Some(v5::Packet::Disconnect(d)) if d.reason_code == code));
        assert!(new.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_that_stalls_closes_the_connection_after_five_seconds() {
    let bench = Bench::new();
    bench.world.mode(Mode::Hold);
    let mut client = bench.v5("dev-1", "a").await;
    let before = tokio::time::Instant::now();
    client.send(publish_v5(&telemetry("dev-1"), Q5::AtLeastOnce, 1, "{}")).await;
    let last = client.next().await;
    assert!(
        matches!(&last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::ServerBusy),
        "{last:?}"
    );
    let took = before.elapsed();
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(7), "{took:?}");
    // The late answer of the inlet finds nobody and harms nobody.
    bench.world.release();
    assert!(client.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn qos_2_is_appended_once_for_any_number_of_repeats() {
    let bench = Bench::new();
    let mut client = bench.v4("dev-1", "a").await;
    for _ in 0..3 {
        client.send(publish_v4(&telemetry("dev-1"), Q4::ExactlyOnce, 5, "{}")).await;
        assert!(matches!(client.next().await, Some(v4::Packet::PubRec(rec)) if rec.pkid == 5));
    }
    for _ in 0..2 {
        client.send(v4::Packet::PubRel(v4::PubRel::new(5))).await;
        assert!(matches!(client.next().await, Some(v4::Packet::PubComp(comp)) if comp.pkid == 5));
    }
    assert_eq!(bench.world.payloads().len(), 1);
    // After PUBREL the id is free again.
    client.send(publish_v4(&telemetry("dev-1"), Q4::ExactlyOnce, 5, "{}")).await;
    client.next().await.unwrap();
    assert_eq!(bench.world.payloads().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn qos_0_is_appended_and_not_answered_even_when_the_client_leaves_at_once() {
    let bench = Bench::new();
    let mut client = bench.v4("dev-1", "a").await;
    client.send(publish_v4(&telemetry("dev-1"), Q4::AtMostOnce, 0, "{}")).await;
    client.send(v4::Packet::Disconnect).await;
    assert!(client.next().await.is_none());
    assert_eq!(bench.world.payloads().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_64_unacknowledged_reading_stops_and_the_keep_alive_lives() {
    let bench = Bench::new();
    bench.world.mode(Mode::Hold);
    let mut connect = v4::Connect::new("a");
    connect.keep_alive = 2;
    let (mut client, _) = bench.v4_with("dev-1", connect).await;
    for pkid in 1..=100 {
        client.send(publish_v4(&telemetry("dev-1"), Q4::AtLeastOnce, pkid, "{}")).await;
    }
    settle().await;
    assert_eq!(bench.world.appended.lock().unwrap().len(), 64);
    // Longer than one and a half keep-alives, shorter than the append's time.
    tokio::time::sleep(Duration::from_millis(3_800)).await;
    bench.world.mode(Mode::AtOnce);
    while !bench.world.held.lock().unwrap().is_empty() {
        bench.world.release();
    }
    for pkid in 1..=100 {
        assert_eq!(puback(client.next().await), pkid);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_of_one_and_a_half_keep_alives_closes() {
    let bench = Bench::new();
    let mut connect = connect_v5("a");
    connect.keep_alive = 10;
    let (mut client, _) = bench.v5_with("dev-1", connect, None).await;
    tokio::time::sleep(Duration::from_secs(14)).await;
    client.send(v5::Packet::PingReq(v5::PingReq)).await;
    assert!(matches!(client.next().await, Some(v5::Packet::PingResp(_))));
    let before = tokio::time::Instant::now();
    let last = client.next().await;
    assert!(
        matches!(&last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::KeepAliveTimeout)
    );
    assert_eq!(before.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_no_connect_is_dropped_after_ten_seconds() {
    let bench = Bench::new();
    let mut stream = bench.stream();
    let before = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0_u8; 8]).await.unwrap(), 0);
    assert_eq!(before.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_oversize_packet_is_refused_by_its_header() {
    let bench = Bench::new();
    let mut client = bench.v5("dev-1", "a").await;
    client.raw(&[0x32, 0xFF, 0xFF, 0x7F]).await;
    let last = client.next().await;
    assert!(
        matches!(last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::PacketTooLarge)
    );
    assert_eq!(bench.world.refused(), [RefusalReason::Oversize]);
}

#[tokio::test(start_paused = true)]
async fn malformed_bytes_close_their_connection_and_no_other() {
    let bench = Bench::new();
    let mut good = bench.v4("dev-1", "good").await;
    let mut bad = bench.v5("dev-2", "bad").await;
    bad.raw(&[0x00, 0x05, 1, 2, 3, 4, 5]).await;
    let last = bad.next().await;
    assert!(
        matches!(last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::MalformedPacket)
    );
    let mut stranger = bench.stream();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(stranger.read(&mut [0_u8; 8]).await.unwrap(), 0);
    assert_eq!(bench.world.refused(), [RefusalReason::Malformed, RefusalReason::Malformed]);
    good.send(v4::Packet::PingReq).await;
    assert!(matches!(good.next().await, Some(v4::Packet::PingResp)));
}

#[tokio::test(start_paused = true)]
async fn a_topic_alias_stands_for_its_topic_and_a_wrong_one_closes() {
    let bench = Bench::new();
    let mut client = bench.v5("dev-1", "a").await;
    for (topic, pkid) in [(telemetry("dev-1"), 1), (String::new(), 2)] {
        let properties = v5::PublishProperties { topic_alias: Some(3), ..Default::default() };
        let mut publish = v5::Publish::new(topic, Q5::AtLeastOnce, "{}", Some(properties));
        publish.pkid = pkid;
        client.send(v5::Packet::Publish(publish)).await;
        assert!(matches!(client.next().await, Some(v5::Packet::PubAck(ack)) if ack.pkid == pkid));
    }
    assert_eq!(bench.world.payloads().len(), 2);
    let properties = v5::PublishProperties { topic_alias: Some(17), ..Default::default() };
    client.send(v5::Packet::Publish(v5::Publish::new("", Q5::AtMostOnce, "{}", Some(properties)))).await;
    let last = client.next().await;
    assert!(
        matches!(last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::TopicAliasInvalid)
    );
}

#[tokio::test(start_paused = true)]
async fn connack_says_what_is_taken_and_auth_is_refused() {
    let bench = Bench::new();
    let mut connect = connect_v5("");
    connect.keep_alive = 0;
    let (mut client, ack) = bench.v5_with("dev-1", connect, None).await;
    let given = ack.properties.unwrap();
    assert_eq!((given.receive_max, given.max_packet_size, given.topic_alias_max), (Some(64), Some(65_536), Some(16)));
    assert_eq!((given.shared_subscription_available, given.server_keep_alive), (Some(0), Some(3_600)));
    assert!(given.assigned_client_identifier.is_some());
    client.raw(&[0xF0, 2, 0x18, 0]).await;
    let mut last = [0_u8; 4];
    client.stream.read_exact(&mut last).await.unwrap();
    assert_eq!(last, [0xE0, 2, 0x8C, 0]);
    let mut connect = connect_v5("x");
    connect.properties =
        Some(v5::ConnectProperties { authentication_method: Some("SCRAM".into()), ..Default::default() });
    let (_, ack) = bench.v5_with("dev-1", connect, None).await;
    assert_eq!(ack.code, v5::ConnectReturnCode::BadAuthenticationMethod);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_appends_on_their_way_and_answers_them() {
    let bench = Bench::new();
    bench.world.mode(Mode::Hold);
    let mut client = bench.v5("dev-1", "a").await;
    client.send(publish_v5(&telemetry("dev-1"), Q5::AtLeastOnce, 1, "{}")).await;
    settle().await;
    bench.stop.cancel();
    settle().await;
    bench.world.release();
    assert!(matches!(client.next().await, Some(v5::Packet::PubAck(_))));
    let last = client.next().await;
    assert!(
        matches!(last, Some(v5::Packet::Disconnect(d)) if d.reason_code == v5::DisconnectReasonCode::ServerShuttingDown)
    );
    bench.front.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_no_json_is_appended_and_its_device_is_told_where() {
    let bench = Bench::new();
    let mut client = bench.v4("dev-1", "a").await;
    subscribe_v4(&mut client, "lantian/v1/dev-1/errors", Q4::AtMostOnce).await;
    client.send(publish_v4(&telemetry("dev-1"), Q4::AtLeastOnce, 1, "{\"fume\":1e999}")).await;
    let (mut acknowledged, mut told) = (false, String::new());
    for _ in 0..2 {
        match client.next().await {
            Some(v4::Packet::PubAck(_)) => acknowledged = true,
            Some(v4::Packet::Publish(publish)) => told = String::from_utf8(publish.payload.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    assert!(acknowledged && told.contains("number_out_of_range") && told.contains("\"place\":\"fume\""), "{told}");
    assert_eq!(bench.world.payloads().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_bytes_never_stop_the_front(bytes in proptest::collection::vec(any::<u8>(), 1..200), after_connect: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let mut stream = if after_connect { bench.v4("dev-1", "x").await.stream } else { bench.stream() };
            stream.write_all(&bytes).await.unwrap();
            settle().await;
            drop(stream);
            settle().await;
            let mut client = bench.v4("dev-2", "y").await;
            client.send(v4::Packet::PingReq).await;
            assert!(matches!(client.next().await, Some(v4::Packet::PingResp)));
        });
    }
}
