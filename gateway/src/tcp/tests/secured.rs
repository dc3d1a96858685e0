//! HJ 212 and JT/T 808 beside each other on plain and TLS ports, over real sockets.

use super::super::testing::{World, device};
use super::frame;
use crate::hj212::{self, Hj212Config};
use crate::jt808::{self, Jt808Config};
use model::envelope::ProtocolKind;
use model::principal::Strictness;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tls::testing::{Authority, VERSIONS};
use tls::tokio_rustls::rustls::version::TLS13;
use tls::{Acceptor, ClientAuth, Files, Gate, Keeper, Ports};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

struct Pair {
    ports: Ports,
    plain: SocketAddr,
    tls: SocketAddr,
}

async fn pair(files: Files, limit: Duration) -> Pair {
    let [plain, tls] = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)));
    let (plain, tls) = (plain.await.unwrap(), tls.await.unwrap());
    let addresses = [plain.local_addr().unwrap(), tls.local_addr().unwrap()];
    let acceptor = Acceptor::new(Keeper::open(files).unwrap(), Gate::new(10), "test", limit);
    let ports = Ports { plain: Some(plain), tls: Some((tls, acceptor)) };
    Pair { ports, plain: addresses[0], tls: addresses[1] }
}

const LIMIT: Duration = Duration::from_secs(10);

fn world() -> World {
    World::new(vec![(device(1, ProtocolKind::Hj212, "A1", Strictness::Reject), "123456")])
}

async fn asked(world: &World, stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), count: usize) {
    stream.write_all(&frame(count)).await.unwrap();
    stream.flush().await.unwrap();
    world.inlet.frames(count).await;
    world.inlet.release(&Ok(()));
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(String::from_utf8_lossy(&answer).contains("CN=9014"));
}

fn files(folder: &Path, authority: &Authority) -> Files {
    authority.server().write(folder)
}

#[tokio::test]
async fn hj212_is_spoken_plainly_and_over_both_versions_at_once() {
    let (world, folder, authority) = (world(), tempfile::tempdir().unwrap(), Authority::new("district"));
    let Pair { ports, plain, tls } = pair(files(folder.path(), &authority), LIMIT).await;
    let cancel = CancellationToken::new();
    let served = tokio::spawn(hj212::serve(ports, world.edge.clone(), Hj212Config::default(), cancel.clone()));
    asked(&world, &mut TcpStream::connect(plain).await.unwrap(), 1).await;
    for (number, version) in VERSIONS.into_iter().enumerate() {
        asked(&world, &mut authority.connect(tls, version, None).await.unwrap(), number + 2).await;
    }
    // A stop ends a connection with TLS's own goodbye.
    let mut last = authority.connect(tls, &TLS13, None).await.unwrap();
    asked(&world, &mut last, 4).await;
    cancel.cancel();
    assert_eq!(last.read(&mut [0]).await.unwrap(), 0);
    served.await.unwrap();
}

#[tokio::test]
async fn jt808_is_answered_over_both_versions() {
    use protocol::jt808::{Message, Phone, Register, RegisterForm, Version, encode};
    let (world, folder, authority) = (world(), tempfile::tempdir().unwrap(), Authority::new("district"));
    let Pair { ports, tls, .. } = pair(files(folder.path(), &authority), LIMIT).await;
    let cancel = CancellationToken::new();
    let served = tokio::spawn(jt808::serve(ports, world.edge.clone(), Jt808Config::default(), cancel.clone()));
    let register = Message::Register(Register {
        form: RegisterForm::V2013,
        province: 41,
        city: 100,
        maker: b"MAKER",
        model: b"M",
        terminal_id: b"T",
        plate_colour: 2,
        plate: b"X",
    });
    let phone = Phone::from_digits("013900000001", Version::V2013).unwrap();
    for version in VERSIONS {
        let mut terminal = authority.connect(tls, version, None).await.unwrap();
        terminal.write_all(&encode(Version::V2013, &phone, 7, &register)).await.unwrap();
        let mut answer = [0; 16];
        terminal.read_exact(&mut answer).await.unwrap();
        // 0x8100 to serial 7: the phone is unknown.
        assert_eq!((&answer[1..3], &answer[13..16]), (&[0x81, 0x00][..], &[0, 7, 4][..]));
    }
    cancel.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn who_comes_to_the_wrong_port_is_closed_and_told_to_the_operator() {
    let (world, folder, authority) = (world(), tempfile::tempdir().unwrap(), Authority::new("district"));
    let Pair { ports, plain, tls } = pair(files(folder.path(), &authority), LIMIT).await;
    let cancel = CancellationToken::new();
    let served = tokio::spawn(hj212::serve(ports, world.edge.clone(), Hj212Config::default(), cancel.clone()));
    let mut stray = TcpStream::connect(tls).await.unwrap();
    stray.write_all(&frame(1)).await.unwrap();
    stray.read_to_end(&mut Vec::new()).await.ok(); // closing with unread bytes is a reset
    assert!(authority.connect(plain, &TLS13, None).await.is_err());
    cancel.cancel();
    served.await.unwrap();
    assert_eq!(world.inlet.count(), 0);
    let told: Vec<_> = world.doorstep.refusals.lock().unwrap().iter().map(|one| one.detail.clone()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("plain connection on the TLS port"), "{told:?}");
    assert!(told[1].starts_with("TLS on the plain port"), "{told:?}");
    assert!(world.doorstep.refusals.lock().unwrap().iter().all(|one| one.sample.is_empty()));
}

#[tokio::test]
async fn who_stalls_in_the_handshake_is_cut_while_others_are_served() {
    let (world, folder, authority) = (world(), tempfile::tempdir().unwrap(), Authority::new("district"));
    let Pair { ports, tls, .. } = pair(files(folder.path(), &authority), Duration::from_millis(300)).await;
    let cancel = CancellationToken::new();
    let served = tokio::spawn(hj212::serve(ports, world.edge.clone(), Hj212Config::default(), cancel.clone()));
    let mut silent = TcpStream::connect(tls).await.unwrap();
    asked(&world, &mut authority.connect(tls, &TLS13, None).await.unwrap(), 1).await;
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    cancel.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_lets_in_but_the_password_decides_who_it_is() {
    let (world, folder, authority) = (world(), tempfile::tempdir().unwrap(), Authority::new("district"));
    let clients = ClientAuth::Required(authority.write(folder.path()));
    let Pair { ports, tls, .. } = pair(Files { clients, ..files(folder.path(), &authority) }, LIMIT).await;
    let cancel = CancellationToken::new();
    let served = tokio::spawn(hj212::serve(ports, world.edge.clone(), Hj212Config::default(), cancel.clone()));
    for version in VERSIONS {
        let refused = match authority.connect(tls, version, None).await {
            // In 1.3 the client has finished before it hears that it is refused.
            Ok(mut client) => client.read(&mut [0]).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    let own = authority.client("not the name of any device");
    asked(&world, &mut authority.connect(tls, &TLS13, Some(&own)).await.unwrap(), 1).await;
    let mut wrong = authority.connect(tls, &TLS13, Some(&own)).await.unwrap();
    let other = String::from_utf8(frame(2)).unwrap().replace("PW=123456", "PW=654321");
    wrong.write_all(other.as_bytes()).await.unwrap();
    cancel.cancel();
    served.await.unwrap();
    assert_eq!(world.inlet.count(), 1);
}
