//! A broker on a real socket, as far as the promises need one: what is acknowledged when, and what is told while it is away.

use super::*;
use crate::tcp::testing::{World, device};
use bytes::BytesMut;
use model::envelope::{Channel, ProtocolKind};
use model::principal::Strictness;
use model::seams::AppendError;
use model::stream::OutageKind;
use model::time::{Clock, ManualClock};
use model::verdict::RefusalReason;
use rumqttc::mqttbytes::{QoS, v4};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

struct Bench {
    world: World,
    clock: Arc<ManualClock>,
    listener: TcpListener,
    brokers: Brokers,
    told: mpsc::Receiver<Outage>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Bench {
    async fn new(bridge: &str) -> Self {
        let devices = vec![
            (device(1, ProtocolKind::Mqtt, "d1", Strictness::Reject), "x"),
            (device(2, ProtocolKind::Hj212, "MN2", Strictness::Reject), "x"),
        ];
        let mut world = World::new(devices);
        let clock = Arc::new(ManualClock::at(IngestTime(1_800_000_000_000)));
        world.edge.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = BrokerConfig {
            name: "city".into(),
            host: "127.0.0.1".into(),
            port: listener.local_addr().unwrap().port(),
            tls: None,
            version: BrokerVersion::V3,
            client_id: "lantian".into(),
            username: Some("u".into()),
            password: Some("p".into()),
            bridge: bridge.into(),
            filters: vec!["city/#".into()],
            strip: "city/".into(),
            keep_alive: Duration::from_mins(1),
            session_expiry_s: 3_600,
            packet_bytes_max: 64 * 1024,
            append_timeout: Duration::from_secs(5),
        };
        let (tell, told) = mpsc::channel(16);
        let outages = Outages(Arc::new(move |outage| drop(tell.try_send(outage))));
        let (brokers, stop, tasks) = (Brokers::default(), CancellationToken::new(), TaskTracker::new());
        tasks.spawn(serve(config, world.edge.clone(), brokers.clone(), outages, stop.clone()));
        Self { world, clock, listener, brokers, told, stop, tasks }
    }

    /// Takes the next connection, up to its SUBSCRIBE.
    async fn accept(&self, session_present: bool) -> Peer {
        let mut peer = Peer { stream: self.listener.accept().await.unwrap().0, buffer: BytesMut::new() };
        let Some(v4::Packet::Connect(connect)) = peer.next().await else { panic!("no CONNECT") };
        assert!(!connect.clean_session && connect.client_id == "lantian");
        peer.send(v4::Packet::ConnAck(v4::ConnAck::new(v4::ConnectReturnCode::Success, session_present))).await;
        let Some(v4::Packet::Subscribe(subscribe)) = peer.next().await else { panic!("no SUBSCRIBE") };
        assert_eq!(subscribe.filters[0].qos, QoS::AtLeastOnce);
        let codes = vec![v4::SubscribeReasonCode::Success(QoS::AtLeastOnce)];
        peer.send(v4::Packet::SubAck(v4::SubAck::new(subscribe.pkid, codes))).await;
        peer
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Peer {
    async fn send(&mut self, packet: v4::Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, 1_000_000).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn publish(&mut self, topic: &str, pkid: u16, payload: impl Into<Vec<u8>>) {
        let mut publish = v4::Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = pkid;
        self.send(v4::Packet::Publish(publish)).await;
    }

    async fn next(&mut self) -> Option<v4::Packet> {
        loop {
            if let Ok(packet) = v4::Packet::read(&mut self.buffer, 1_000_000) {
                return Some(packet);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn puback(&mut self) -> u16 {
        match self.next().await {
            Some(v4::Packet::PubAck(ack)) => ack.pkid,
            other => panic!("{other:?}"),
        }
    }
}

const TOPIC: &str = "city/lantian/v1/d1/telemetry";

#[tokio::test]
async fn a_message_is_acknowledged_once_it_is_durable_and_in_order() {
    let bench = Bench::new("city").await;
    let mut peer = bench.accept(false).await;
    peer.publish(TOPIC, 7, "{\"fume\":1}").await;
    bench.world.inlet.frames(1).await;
    peer.publish(TOPIC, 8, "{\"fume\":2}").await;
    let seen = bench.world.inlet.frames(2).await;
    assert_eq!((seen[1].device.0, seen[1].channel, seen[1].principal.0), (1, Channel::MqttTelemetry, 900));
    // The newest is durable first.
    bench.world.inlet.release(&Ok(()));
    assert_eq!((peer.puback().await, peer.puback().await), (7, 8));
    assert!(bench.brokers.states()[0].up);
    bench.end().await;
}

#[tokio::test]
async fn what_became_durable_after_the_connection_broke_is_acknowledged_on_no_other() {
    let bench = Bench::new("city").await;
    let mut first = bench.accept(false).await;
    first.publish(TOPIC, 1, "{\"fume\":1}").await;
    bench.world.inlet.frames(1).await;
    drop(first);
    let mut second = bench.accept(true).await;
    // Another message has the id by now; the old append must not answer it.
    bench.world.inlet.release(&Ok(()));
    second.publish(TOPIC, 2, "{\"fume\":2}").await;
    second.publish(TOPIC, 1, "{\"fume\":1}").await;
    bench.world.inlet.frames(3).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!((second.puback().await, second.puback().await), (2, 1));
    bench.end().await;
}

#[tokio::test]
async fn a_failed_append_ends_the_connection_without_an_acknowledgement() {
    let bench = Bench::new("city").await;
    let mut peer = bench.accept(false).await;
    peer.publish(TOPIC, 1, "{}").await;
    bench.world.inlet.frames(1).await;
    bench.world.inlet.release(&Err(AppendError::DiskFull));
    assert!(peer.next().await.is_none());
    let mut again = bench.accept(true).await;
    again.publish(TOPIC, 1, "{}").await;
    bench.world.inlet.frames(2).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(again.puback().await, 1);
    bench.end().await;
}

#[tokio::test]
async fn what_the_bridge_may_not_say_is_listed_and_acknowledged() {
    let bench = Bench::new("city").await;
    let mut peer = bench.accept(false).await;
    peer.publish("city/lantian/v1/nobody/telemetry", 1, "{}").await;
    assert_eq!(peer.puback().await, 1);
    peer.publish("city/\u{1}", 2, "{}").await;
    assert_eq!(peer.puback().await, 2);
    let refusals = bench.world.doorstep.refusals.lock().unwrap().clone();
    assert_eq!(refusals.iter().map(|r| r.reason).collect::<Vec<_>>(), [RefusalReason::NotGranted; 2]);
    assert!(refusals[0].peer.contains("broker city"), "{refusals:?}");
    assert_eq!(bench.world.inlet.count(), 0);
    bench.end().await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_listed_passed_over_and_never_comes_again() {
    let bench = Bench::new("city").await;
    let mut peer = bench.accept(false).await;
    peer.publish(TOPIC, 1, vec![b'x'; 300 * 1024]).await;
    peer.publish(TOPIC, 2, "{\"fume\":2}").await;
    assert_eq!(bench.world.inlet.frames(1).await[0].raw, "{\"fume\":2}");
    bench.world.inlet.release(&Ok(()));
    assert_eq!((peer.puback().await, peer.puback().await), (1, 2));
    assert_eq!(bench.world.doorstep.refusals.lock().unwrap()[0].reason, RefusalReason::Oversize);
    bench.end().await;
}

#[tokio::test]
async fn frames_behind_a_modem_at_the_broker_are_answered_there() {
    let bench = Bench::new("city").await;
    let mut peer = bench.accept(false).await;
    let segment = "QN=20261122080000000;ST=31;CN=2011;PW=000000;MN=MN2;Flag=5;CP=&&DataTime=20261122080000&&";
    let frame = format!("##{:04}{segment}{:04X}\r\n", segment.len(), protocol::hj212::crc(segment.as_bytes()));
    peer.publish("city/lantian/v1/d2/raw/hj212", 1, frame).await;
    assert_eq!(bench.world.inlet.frames(1).await[0].channel, Channel::Hj212Frame);
    bench.world.inlet.release(&Ok(()));
    let Some(v4::Packet::Publish(answer)) = peer.next().await else { panic!("no answer") };
    assert_eq!(answer.topic, "city/lantian/v1/d2/raw/hj212/reply");
    assert!(String::from_utf8_lossy(&answer.payload).contains("CN=9014"));
    assert_eq!(peer.puback().await, 1);
    bench.end().await;
}

#[tokio::test]
async fn the_time_that_a_broker_was_away_is_told_as_ours() {
    let mut bench = Bench::new("city").await;
    let peer = bench.accept(false).await;
    let lost = bench.clock.now();
    drop(peer);
    while bench.brokers.states().iter().any(|state| state.up) {
        tokio::task::yield_now().await;
    }
    bench.clock.advance_ms(60_000);
    let _again = bench.accept(true).await;
    let outage = bench.told.recv().await.unwrap();
    assert_eq!(outage.what, OutageKind::UpstreamBroker);
    assert_eq!((outage.from, outage.to), (lost, lost.plus_ms(60_000)));
    bench.end().await;
}

#[tokio::test]
async fn without_its_bridge_nothing_is_taken_and_that_is_said() {
    let bench = Bench::new("nobody").await;
    let (stream, _) = bench.listener.accept().await.unwrap();
    let mut peer = Peer { stream, buffer: BytesMut::new() };
    assert!(peer.next().await.is_none());
    // The second try shows that the first has been told of.
    let _again = bench.listener.accept().await.unwrap();
    let state = bench.brokers.states().remove(0);
    assert!(!state.up && state.detail.contains("bridge nobody"), "{state:?}");
    bench.end().await;
}
