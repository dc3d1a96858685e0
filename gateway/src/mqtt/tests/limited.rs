//! Floods, dribbles and guesses against the front.

use super::*;
use crate::limits::Allowance;
use model::gatekeeper::{BanReason, Gatekeeper as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

fn allowance(frames_per_second: f64, frames_burst: f64) -> Allowance {
    Allowance { frames_per_second, frames_burst, ..Allowance::default() }
}

fn bench(limits: LimitsConfig) -> Bench {
    Bench::limited(Arc::new(tempfile::tempdir().unwrap()), limits)
}

#[tokio::test(start_paused = true)]
async fn a_device_that_floods_is_read_more_slowly_and_loses_nothing() {
    let bench = bench(LimitsConfig { device: allowance(10.0, 20.0), ..LimitsConfig::default() });
    let mut client = bench.v4("dev-1", "a").await;
    let mut other = bench.v4("dev-2", "b").await;
    let began = Instant::now();
    for pkid in 1..=120 {
        client.send(publish_v4(&telemetry("dev-1"), v4_qos::QoS::AtLeastOnce, pkid, "{\"fume\":1}")).await;
    }
    other.send(publish_v4(&telemetry("dev-2"), v4_qos::QoS::AtLeastOnce, 1, "{\"fume\":2}")).await;
    assert!(matches!(other.next().await, Some(v4::Packet::PubAck(_))));
    assert!(began.elapsed() < Duration::from_secs(1), "another device waits for it");
    for pkid in 1..=120 {
        let Some(v4::Packet::PubAck(ack)) = client.next().await else { panic!("{pkid}") };
        assert_eq!(ack.pkid, pkid);
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(12)).contains(&took), "{took:?}");
    let slowed = bench.front.hub.edge.limits.slowed();
    assert_eq!(slowed.iter().map(|one| one.device).collect::<Vec<_>>(), [DeviceId(1)]);
    // A second connection of the same device has no allowance of its own.
    let mut second = bench.v4("dev-1", "c").await;
    let began = Instant::now();
    for pkid in 1..=20 {
        second.send(publish_v4(&telemetry("dev-1"), v4_qos::QoS::AtLeastOnce, pkid, "{\"fume\":1}")).await;
        assert!(matches!(second.next().await, Some(v4::Packet::PubAck(_))));
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_is_closed_though_it_never_stops() {
    let bench = Bench::new();
    let mut client = bench.v5("dev-1", "a").await;
    let began = Instant::now();
    let mut packet = BytesMut::new();
    publish_v5(&telemetry("dev-1"), v5_qos::QoS::AtLeastOnce, 1, &"x".repeat(500)).write(&mut packet, None).unwrap();
    for byte in &packet {
        if client.stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let took = began.elapsed();
    assert!((Duration::from_mins(1)..Duration::from_secs(63)).contains(&took), "{took:?}");
    let Some(v5::Packet::Disconnect(told)) = client.next().await else { panic!("not told") };
    assert_eq!(told.reason_code, v5::DisconnectReasonCode::KeepAliveTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_replayed_connect_on_an_open_connection_ends_it() {
    let bench = Bench::new();
    let mut client = bench.v4("dev-1", "a").await;
    let mut again = v4::Connect::new("a");
    again.set_login("dev-2", "secret");
    client.send(v4::Packet::Connect(again)).await;
    assert!(client.next().await.is_none(), "a second CONNECT was taken");
    assert!(bench.world.payloads().is_empty());
}

/// Guesses over real connections: the directory's answer is the same each time, so what stops it is the ban.
#[tokio::test]
async fn who_guesses_tokens_is_banned_and_who_got_in_before_stays() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let front = bench.front.clone();
    tokio::spawn(async move { front.serve(listener).await });
    let connect = |user: &str, password: &str| {
        let mut connect = v4::Connect::new(user);
        connect.set_login(user, password);
        let mut bytes = BytesMut::new();
        v4::Packet::Connect(connect).write(&mut bytes, 1_000).unwrap();
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.ok().map(|_| (stream, answer[3]))
        }
    };
    let (mut good, code) = connect("dev-1", "secret").await.unwrap();
    assert_eq!(code, 0);
    let mut tried = 0;
    while bench.front.hub.edge.limits.bans().is_empty() {
        tried += 1;
        // The one that got in lets its address guess as much again.
        assert!(tried <= 61, "never banned");
        assert_eq!(connect("dev-2", &format!("guess-{tried}")).await.unwrap().1, 4);
    }
    assert_eq!(tried, 61);
    assert!(connect("dev-2", "secret").await.is_none(), "let in while banned");
    assert_eq!(bench.front.hub.edge.limits.bans()[0].reason, BanReason::Guessing);
    let mut bytes = BytesMut::new();
    publish_v4(&telemetry("dev-1"), v4_qos::QoS::AtLeastOnce, 7, "{}").write(&mut bytes, 1_000).unwrap();
    good.write_all(&bytes).await.unwrap();
    let mut ack = [0; 4];
    good.read_exact(&mut ack).await.unwrap();
    assert_eq!(ack, [0x40, 2, 0, 7]);
    assert!(bench.front.hub.edge.limits.lift("127.0.0.1".parse().unwrap()));
    assert_eq!(connect("dev-2", "secret").await.unwrap().1, 0);
}
