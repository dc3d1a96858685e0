//! MQTT over TLS, over real sockets. Time runs.

use super::*;
use tls::testing::{Authority, VERSIONS};
use tls::tokio_rustls::rustls::version::TLS13;
use tls::{Acceptor, Gate, Keeper, Ports};
use tokio::net::TcpStream;

struct Secured {
    bench: Bench,
    authority: Authority,
    plain: std::net::SocketAddr,
    tls: std::net::SocketAddr,
    _folder: tempfile::TempDir,
}

async fn secured() -> Secured {
    let (bench, authority, folder) = (Bench::new(), Authority::new("district"), tempfile::tempdir().unwrap());
    let (plain, tls) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let keeper = Keeper::open(authority.server().write(folder.path())).unwrap();
    let acceptor = Acceptor::new(keeper, Gate::new(10), "mqtt", Duration::from_secs(10));
    let addresses = [plain.local_addr().unwrap(), tls.local_addr().unwrap()];
    let ports = Ports { plain: Some(plain), tls: Some((tls, acceptor)) };
    let front = bench.front.clone();
    tokio::spawn(async move { front.serve(ports).await });
    Secured { bench, authority, plain: addresses[0], tls: addresses[1], _folder: folder }
}

async fn say<S: AsyncWriteExt + Unpin>(stream: &mut S, packet: v4::Packet) {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, 1 << 20).unwrap();
    stream.write_all(&bytes).await.unwrap();
    stream.flush().await.unwrap();
}

async fn hear<S: AsyncReadExt + Unpin>(stream: &mut S, buffer: &mut BytesMut) -> v4::Packet {
    loop {
        if let Ok(packet) = v4::Packet::read(buffer, 1 << 20) {
            return packet;
        }
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "closed");
    }
}

fn connect() -> v4::Packet {
    let mut connect = v4::Connect::new("over-tls");
    connect.set_login("dev-1", "secret");
    v4::Packet::Connect(connect)
}

#[tokio::test]
async fn a_message_is_acknowledged_over_both_versions() {
    let secured = secured().await;
    for (number, version) in VERSIONS.into_iter().enumerate() {
        let mut client = secured.authority.connect(secured.tls, version, None).await.unwrap();
        let mut buffer = BytesMut::new();
        say(&mut client, connect()).await;
        assert!(matches!(hear(&mut client, &mut buffer).await, v4::Packet::ConnAck(_)));
        let mut publish = v4::Publish::new(telemetry("dev-1"), rumqttc::QoS::AtLeastOnce, "{\"fume\":1}");
        publish.pkid = 1;
        say(&mut client, v4::Packet::Publish(publish)).await;
        assert!(matches!(hear(&mut client, &mut buffer).await, v4::Packet::PubAck(_)));
        assert_eq!(secured.bench.world.payloads().len(), number + 1);
    }
}

#[tokio::test]
async fn a_client_that_reads_late_gets_the_last_byte_of_what_filled_its_socket() {
    const MESSAGES: usize = 200;
    let secured = secured().await;
    let mut client = secured.authority.connect(secured.tls, &TLS13, None).await.unwrap();
    let mut buffer = BytesMut::new();
    say(&mut client, connect()).await;
    assert!(matches!(hear(&mut client, &mut buffer).await, v4::Packet::ConnAck(_)));
    let mut subscribe = v4::Subscribe::new("lantian/v1/dev-1/command", rumqttc::QoS::AtMostOnce);
    subscribe.pkid = 1;
    say(&mut client, v4::Packet::Subscribe(subscribe)).await;
    assert!(matches!(hear(&mut client, &mut buffer).await, v4::Packet::SubAck(_)));
    let payload = Bytes::from(vec![b'x'; 60 * 1024]);
    for _ in 0..MESSAGES {
        secured.bench.front.publish_to_device("dev-1", TopicKind::Command, payload.clone(), Delivery::AtMostOnce);
    }
    for _ in 0..MESSAGES {
        let v4::Packet::Publish(got) = hear(&mut client, &mut buffer).await else { panic!("no message") };
        assert_eq!(got.payload, payload);
    }
}

#[tokio::test]
async fn who_comes_to_the_wrong_port_is_closed_and_told_to_the_operator() {
    let secured = secured().await;
    let mut stray = TcpStream::connect(secured.tls).await.unwrap();
    say(&mut stray, connect()).await;
    stray.read_to_end(&mut Vec::new()).await.ok(); // closing with unread bytes is a reset
    assert!(secured.authority.connect(secured.plain, &TLS13, None).await.is_err());
    secured.bench.stop.cancel();
    secured.bench.front.finish().await;
    let told: Vec<_> = secured.bench.world.refusals.lock().unwrap().iter().map(|one| one.detail.clone()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("plain connection on the TLS port"), "{told:?}");
    assert!(told[1].starts_with("TLS on the plain port"), "{told:?}");
}
