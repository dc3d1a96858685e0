//! Conventions of others: frames behind a modem, ThingsBoard, Sparkplug B, ONVIF.

use super::v4_qos::QoS as Q4;
use super::v5_qos::QoS as Q5;
use super::*;
use model::envelope::Channel;
use model::verdict::RefusalReason;
use proptest::prelude::*;
use protocol::jt808::{self, Message, Phone, Version};
use protocol::mqtt::titled;
use protocol::sparkplug::{Metric, Payload, REBIRTH, Value, rebirth_request};

const HJ: &str = "lantian/v1/dev-3001/raw/hj212";
const TRUCK: &str = "lantian/v1/dev-4001/raw/jt808";

fn hj212(mn: &str, cn: &str) -> Vec<u8> {
    let segment = format!("QN=20261122080000000;ST=31;CN={cn};PW=000000;MN={mn};Flag=5;CP=&&DataTime=20261122080000&&");
    let crc = protocol::hj212::crc(segment.as_bytes());
    format!("##{:04}{segment}{crc:04X}\r\n", segment.len()).into_bytes()
}

fn heartbeat(phone: &str, serial: u16) -> Vec<u8> {
    let phone = Phone::from_digits(phone, Version::V2013).unwrap();
    jt808::encode(Version::V2013, &phone, serial, &Message::Heartbeat { body: &[] })
}

fn raw_v4(topic: &str, pkid: u16, payload: &[u8]) -> v4::Packet {
    let mut publish = v4::Publish::new(topic, Q4::AtLeastOnce, payload.to_vec());
    publish.pkid = pkid;
    v4::Packet::Publish(publish)
}

fn raw_v5(topic: &str, pkid: u16, payload: &[u8]) -> v5::Packet {
    let mut publish = v5::Publish::new(topic, Q5::AtLeastOnce, payload.to_vec(), None);
    publish.pkid = pkid;
    v5::Packet::Publish(publish)
}

fn channels(bench: &Bench) -> Vec<(i64, Channel)> {
    bench.world.appended.lock().unwrap().iter().map(|e| (e.device.0, e.channel)).collect()
}

async fn is_refused(client: &mut V5, packet: v5::Packet) -> bool {
    client.send(packet).await;
    matches!(client.next().await, Some(v5::Packet::PubAck(ack)) if ack.reason == v5::PubAckReason::NotAuthorized)
}

async fn is_taken(client: &mut V5, packet: v5::Packet) -> bool {
    client.send(packet).await;
    matches!(client.next().await, Some(v5::Packet::PubAck(ack)) if ack.reason == v5::PubAckReason::Success)
}

/// PUBACKs, and payloads of deliveries, of the next packets.
async fn gather(client: &mut V4, packets: usize) -> (Vec<u16>, Vec<Vec<u8>>) {
    let (mut acks, mut said) = (Vec::new(), Vec::new());
    for _ in 0..packets {
        match client.next().await {
            Some(v4::Packet::PubAck(ack)) => acks.push(ack.pkid),
            Some(v4::Packet::Publish(publish)) => said.push(publish.payload.to_vec()),
            other => panic!("{other:?}"),
        }
    }
    (acks, said)
}

#[tokio::test(start_paused = true)]
async fn frames_behind_a_modem_are_answered_once_they_are_durable() {
    let bench = Bench::new();
    let mut modem = bench.v4("modem", "dtu").await;
    assert!(matches!(
        subscribe_v4(&mut modem, &format!("{HJ}/reply"), Q4::AtMostOnce).await,
        v4::SubscribeReasonCode::Success(_)
    ));
    bench.world.mode(Mode::Hold);
    let two = [hj212("MN3001", "2011"), hj212("MN3001", "1013")].concat();
    modem.send(raw_v4(HJ, 1, &two)).await;
    modem.quiet().await;
    let done = bench.world.held.lock().unwrap().remove(0);
    done(Ok(bench.world.committed(2)));
    // 9014; 9013, and the time is told by a command of the device's line; PUBACK.
    let (acks, said) = gather(&mut modem, 3).await;
    assert_eq!(acks, [1]);
    assert!(String::from_utf8_lossy(&said[0]).contains("CN=9014"), "{said:?}");
    let second = String::from_utf8_lossy(&said[1]);
    assert!(second.contains("CN=9013"), "{second}");
    assert_eq!(channels(&bench), [(3001, Channel::Hj212Frame), (3001, Channel::Hj212Frame)]);
    assert_eq!(bench.world.appended.lock().unwrap()[0].principal, PrincipalId(102));
}

#[tokio::test(start_paused = true)]
async fn a_terminal_behind_a_modem_registers_authenticates_and_is_answered() {
    let bench = Bench::new();
    let mut modem = bench.v4("modem", "dtu").await;
    subscribe_v4(&mut modem, &format!("{TRUCK}/reply"), Q4::AtMostOnce).await;
    modem.send(raw_v4(TRUCK, 1, &heartbeat("000139004001", 7))).await;
    let (acks, said) = gather(&mut modem, 2).await;
    assert_eq!(acks, [1]);
    // 0x8001 for serial 7.
    assert!(said[0].windows(5).any(|five| five == [0, 7, 0, 2, 0]), "{said:02X?}");
    let phone = Phone::from_digits("000139004001", Version::V2013).unwrap();
    let authenticate = jt808::encode(
        Version::V2013,
        &phone,
        8,
        &Message::Authenticate(jt808::Authenticate { code: b"whatever", imei: b"", software: b"" }),
    );
    modem.send(raw_v4(TRUCK, 2, &authenticate)).await;
    let (acks, said) = gather(&mut modem, 2).await;
    assert_eq!((acks, said.len()), (vec![2], 1));
    assert_eq!(channels(&bench), [(4001, Channel::Jt808Frame)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_terminal_behind_a_modem_owes_is_asked_for_again_in_time() {
    let bench = Bench::new();
    let mut modem = bench.v4("modem", "dtu").await;
    subscribe_v4(&mut modem, &format!("{TRUCK}/reply"), Q4::AtMostOnce).await;
    let phone = Phone::from_digits("000139004001", Version::V2013).unwrap();
    let packet = jt808::Packet { total: 3, number: 1 };
    let first = jt808::encode_raw(Version::V2013, &phone, 9, Some(packet), jt808::id::BATCH, &[7; 64]);
    modem.send(raw_v4(TRUCK, 1, &first)).await;
    assert_eq!(gather(&mut modem, 2).await.0, [1]);
    for _ in 0..2 {
        bench.clock.advance_ms(5_000);
        // 0x8003 for packets 2 and 3 of the message that began with serial 9.
        let (_, said) = gather(&mut modem, 1).await;
        assert!(said[0].windows(2).any(|id| id == [0x80, 0x03]), "{said:02X?}");
        assert!(said[0].windows(7).any(|body| body == [0, 9, 2, 0, 2, 0, 3]), "{said:02X?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_frame_behind_a_modem_is_refused_and_the_own_ones_beside_it_are_not() {
    let bench = Bench::new();
    let mut modem = bench.v5("modem", "dtu").await;
    let mixed = [hj212("MN3002", "2011"), hj212("MN3001", "2011")].concat();
    assert!(is_taken(&mut modem, raw_v5(HJ, 1, &mixed)).await);
    assert!(is_taken(&mut modem, raw_v5(TRUCK, 2, &heartbeat("000139004002", 1))).await);
    assert_eq!(channels(&bench), [(3001, Channel::Hj212Frame)]);
    assert_eq!(bench.world.refused(), [RefusalReason::NotGranted; 2]);
    let details: Vec<_> = bench.world.refusals.lock().unwrap().iter().map(|r| r.detail.clone()).collect();
    assert!(details[0].contains("MN3002") && details[0].contains("dev-3001"), "{details:?}");
    // A topic outside the grants, and one of a device that speaks otherwise.
    for topic in ["lantian/v1/dev-3002/raw/hj212", "lantian/v1/dev-3001/raw/jt808", "lantian/v1/dev-1/raw/hj212"] {
        assert!(is_refused(&mut modem, raw_v5(topic, 3, &hj212("MN3001", "2011"))).await, "{topic}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_frame_waits_for_the_rest_and_a_damaged_one_is_refused() {
    let bench = Bench::new();
    let mut modem = bench.v5("modem", "dtu").await;
    let whole = hj212("MN3001", "2011");
    let (first, rest) = whole.split_at(40);
    assert!(is_taken(&mut modem, raw_v5(HJ, 1, first)).await);
    assert_eq!(channels(&bench), []);
    assert!(is_taken(&mut modem, raw_v5(HJ, 2, rest)).await);
    assert_eq!(channels(&bench), [(3001, Channel::Hj212Frame)]);
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    assert!(is_taken(&mut modem, raw_v5(HJ, 3, &damaged)).await);
    assert_eq!(bench.world.refused(), [RefusalReason::CheckBad]);
    // Without an end for ever: no more than a segment is kept, and the next frame is found.
    for pkid in 4..20 {
        assert!(is_taken(&mut modem, raw_v5(HJ, pkid, &[b'x'; 4096])).await);
    }
    assert!(is_taken(&mut modem, raw_v5(HJ, 20, &whole)).await);
    assert_eq!(channels(&bench).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_thingsboard_gateway_speaks_for_its_devices_and_for_no_other() {
    let bench = Bench::new();
    let mut gateway = bench.v5("logger", "tb").await;
    let text = br#"{"dev-1":[{"ts":1800000000000,"values":{"fume":1}}],"dev-2":[{"fume":2}],"dev-7":[{"fume":3}]}"#;
    assert!(is_taken(&mut gateway, raw_v5("v1/gateway/telemetry", 1, text)).await);
    assert_eq!(channels(&bench), [(1, Channel::MqttThingsboard), (2, Channel::MqttThingsboard)]);
    assert_eq!(bench.world.payloads()[1], r#"[{"fume":2}]"#);
    assert_eq!(bench.world.refused(), [RefusalReason::NotGranted]);
    assert!(is_taken(&mut gateway, raw_v5("v1/gateway/connect", 2, br#"{"device":"dev-1"}"#)).await);
    assert!(is_refused(&mut gateway, raw_v5("v1/gateway/connect", 3, br#"{"device":"dev-9"}"#)).await);
    assert!(is_refused(&mut gateway, raw_v5("v1/gateway/telemetry", 4, br#"{"dev-9":[{"x":1}]}"#)).await);
    assert!(is_refused(&mut gateway, raw_v5("v1/gateway/telemetry", 5, b"[").clone()).await);
    assert!(is_taken(&mut gateway, raw_v5("v1/gateway/attributes", 6, br#"{"dev-2":{"rev":3}}"#)).await);
    assert_eq!(channels(&bench).last(), Some(&(2, Channel::MqttStatus)));
}

#[tokio::test(start_paused = true)]
async fn thingsboard_devices_get_answers_that_are_their_own() {
    let bench = Bench::new();
    let (mut one, mut other) = (bench.v4("dev-1", "a").await, bench.v4("dev-2", "b").await);
    for client in [&mut one, &mut other] {
        let filter = "v1/devices/me/attributes/response/+";
        assert!(matches!(subscribe_v4(client, filter, Q4::AtMostOnce).await, v4::SubscribeReasonCode::Success(_)));
    }
    one.send(raw_v4("v1/devices/me/attributes/request/5", 1, b"{}")).await;
    let (acks, said) = gather(&mut one, 2).await;
    assert_eq!((acks, said), (vec![1], vec![b"{}".to_vec()]));
    other.quiet().await;
    one.send(raw_v4("v1/devices/me/attributes", 2, br#"{"rev":1}"#)).await;
    one.send(raw_v4("v1/devices/me/rpc/response/1", 3, b"{}")).await;
    assert_eq!(gather(&mut one, 2).await.0, [2, 3]);
    assert_eq!(channels(&bench), [(1, Channel::MqttStatus), (1, Channel::MqttReply)]);
}

fn sparkplug(seq: u64, metric: Metric<'_>) -> Vec<u8> {
    Payload { timestamp: Some(1_800_000_000_000), seq: Some(seq), metrics: vec![metric] }.encode()
}

#[tokio::test(start_paused = true)]
async fn a_sparkplug_node_without_a_birth_is_asked_for_one() {
    let bench = Bench::new();
    let mut node = bench.v4("dev-1", "edge").await;
    let filter = "spBv1.0/g/NCMD/dev-1";
    assert!(matches!(subscribe_v4(&mut node, filter, Q4::AtMostOnce).await, v4::SubscribeReasonCode::Success(_)));
    let data = sparkplug(4, Metric { alias: Some(1), value: Value::Double(1.0), ..Metric::default() });
    node.send(raw_v4("spBv1.0/g/NDATA/dev-1", 1, &data)).await;
    let (acks, said) = gather(&mut node, 2).await;
    assert_eq!(acks, [1]);
    assert!(Payload::read(&said[0]).unwrap().metric(REBIRTH).is_some());
    assert_eq!(said[0], rebirth_request(1_800_000_000_000));
    let appended = bench.world.appended.lock().unwrap()[0].clone();
    assert_eq!((appended.device, appended.channel), (DeviceId(1), Channel::MqttSparkplug));
    assert_eq!(titled::split(&appended.raw), Some(("spBv1.0/g/NDATA/dev-1", &data[..])));
    // It never passes as another, neither up nor down.
    let mut other = bench.v5("dev-2", "x").await;
    assert!(is_refused(&mut other, raw_v5("spBv1.0/g/NDATA/dev-1", 2, &data)).await);
    assert!(is_refused(&mut other, raw_v5("spBv1.0/g/NCMD/dev-2", 3, &data)).await);
    assert!(is_refused(&mut other, raw_v5("spBv1.0/g/DDATA/dev-1/dev-2", 4, &data)).await);
    let filter = v5::Filter::new("spBv1.0/g/NCMD/dev-1", Q5::AtMostOnce);
    assert_eq!(subscribe_v5(&mut other, filter).await, v5::SubscribeReasonCode::NotAuthorized);
}

#[tokio::test(start_paused = true)]
async fn a_sparkplug_node_that_waits_for_its_host_is_told_that_it_is_there() {
    let bench = Bench::new();
    let mut node = bench.v4("dev-1", "edge").await;
    subscribe_v4(&mut node, "spBv1.0/STATE/district", Q4::AtLeastOnce).await;
    let (_, said) = gather(&mut node, 1).await;
    assert_eq!(said, [br#"{"online":true,"timestamp":1800000000000}"#.to_vec()]);
}

#[tokio::test(start_paused = true)]
async fn a_sparkplug_death_is_a_will_that_reaches_the_journal() {
    let bench = Bench::new();
    let mut connect = v4::Connect::new("edge");
    let death = sparkplug(0, Metric { name: Some("bdSeq"), value: Value::Long(3), ..Metric::default() });
    connect.last_will = Some(v4::LastWill::new("spBv1.0/g/NDEATH/dev-1", death, Q4::AtLeastOnce, false));
    let (node, _) = bench.v4_with("dev-1", connect).await;
    drop(node);
    settle().await;
    assert_eq!(channels(&bench), [(1, Channel::MqttSparkplug)]);
    let mut foreign = v4::Connect::new("x");
    foreign.last_will = Some(v4::LastWill::new("spBv1.0/g/NDEATH/dev-1", "", Q4::AtLeastOnce, false));
    foreign.set_login("dev-2", "secret");
    let mut client = V4 { stream: bench.stream(), buffer: BytesMut::new() };
    client.send(v4::Packet::Connect(foreign)).await;
    let Some(v4::Packet::ConnAck(ack)) = client.next().await else { panic!("no CONNACK") };
    assert_eq!(ack.code, v4::ConnectReturnCode::NotAuthorized);
}

#[tokio::test(start_paused = true)]
async fn cameras_tell_events_under_a_prefix_that_claims_nobody_else() {
    let bench = Bench::new();
    let mut camera = bench.v5("dev-1", "cam").await;
    for topic in ["lantian/v1/dev-1/onvif-ej/RuleEngine/Plate", "gate-3/onvif-ej/RuleEngine/Plate"] {
        assert!(is_taken(&mut camera, raw_v5(topic, 1, b"{}")).await, "{topic}");
    }
    assert!(is_taken(&mut camera, raw_v5("gate-3/onvif-ej/RuleEngine/Motion", 2, b"")).await);
    assert_eq!(channels(&bench), [(1, Channel::MqttOnvif); 3]);
    assert!(is_taken(&mut camera, raw_v5("gate-3/onvif-mj/VideoAnalytics/p/m", 3, b"{}")).await);
    assert_eq!(channels(&bench).len(), 3, "metadata is not taken");
    assert!(is_refused(&mut camera, raw_v5("lantian/v1/dev-2/onvif-ej/RuleEngine/Plate", 4, b"{}")).await);
}

#[tokio::test(start_paused = true)]
async fn a_client_id_with_control_characters_is_refused() {
    let bench = Bench::new();
    for id in ["a\u{0}b", "a\nb", "\u{7f}"] {
        let mut connect = v4::Connect::new(id);
        connect.set_login("dev-1", "secret");
        let mut client = V4 { stream: bench.stream(), buffer: BytesMut::new() };
        client.send(v4::Packet::Connect(connect)).await;
        let answer = client.next().await;
        let refused =
            matches!(&answer, Some(v4::Packet::ConnAck(ack)) if ack.code == v4::ConnectReturnCode::BadClientId);
        assert!(refused || answer.is_none(), "{id:?}: {answer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However a stream is cut into publishes, the same frames come to the journal.
    #[test]
    fn any_cut_of_a_stream_gives_the_same_frames(cuts in proptest::collection::vec(0_usize..600, 0..6)) {
        let frames = [hj212("MN3001", "2011"), hj212("MN3001", "2051"), hj212("MN3002", "2011"), hj212("MN3001", "2061")];
        let stream = frames.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let payloads = runtime.block_on(async {
            let bench = Bench::new();
            let mut modem = bench.v5("modem", "dtu").await;
            for (pkid, pair) in (1..).zip(cuts.windows(2)) {
                assert!(is_taken(&mut modem, raw_v5(HJ, pkid, &stream[pair[0]..pair[1]])).await);
            }
            bench.world.payloads()
        });
        prop_assert_eq!(payloads.len(), 3);
    }
}
