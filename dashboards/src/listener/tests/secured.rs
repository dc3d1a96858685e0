//! The page over TLS, beside the plain port.

use super::*;
use tls::testing::{Authority, VERSIONS};
use tls::tokio_rustls::rustls::version::TLS13;
use tls::{Gate, Keeper};

struct Both {
    authority: Authority,
    plain: SocketAddr,
    tls: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

async fn both(handshake: Duration) -> Both {
    let (authority, folder) = (Authority::new("district"), tempfile::tempdir().unwrap());
    let keeper = Keeper::open(authority.server().write(folder.path())).unwrap();
    let plain = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let tls = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addresses = [plain.local_addr().unwrap(), tls.local_addr().unwrap()];
    let acceptor = Acceptor::new(keeper, Gate::new(10), "web", handshake);
    let ports = Ports { plain: Some(plain), tls: Some((tls, acceptor)) };
    let stop = CancellationToken::new();
    let how = get(|request: Request| async move {
        if request.extensions().get::<OverTls>().is_some() { "secured" } else { "plain" }
    });
    let app = app().route("/how", how);
    let task = tokio::spawn(serve(ports, app, ListenerConfig::default(), stop.clone()));
    Both { authority, plain: addresses[0], tls: addresses[1], stop, task, _folder: folder }
}

const HOW: &[u8] = b"GET /how HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    stream.write_all(HOW).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok(); // a reset is an end, too
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_request_over_tls_is_answered_and_known_as_such() {
    let both = both(Duration::from_secs(10)).await;
    for version in VERSIONS {
        let client = both.authority.connect(both.tls, version, None).await.unwrap();
        assert!(answer(client).await.ends_with("secured"));
    }
    assert!(answer(TcpStream::connect(both.plain).await.unwrap()).await.ends_with("plain"));
    let mut idle = both.authority.connect(both.tls, &TLS13, None).await.unwrap();
    idle.write_all(b"GET /how HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"secured") {
        seen.push(idle.read_u8().await.unwrap());
    }
    both.stop.cancel();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "closed with TLS's own goodbye");
    both.task.await.unwrap();
}

#[tokio::test]
async fn the_wrong_port_is_told_in_words_it_understands_or_closed() {
    let both = both(Duration::from_secs(10)).await;
    let told = answer(TcpStream::connect(both.tls).await.unwrap()).await;
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("https://"), "{told}");
    assert!(both.authority.connect(both.plain, &TLS13, None).await.is_err());
}

#[tokio::test]
async fn a_stalled_handshake_gives_its_seat_back() {
    let both = both(Duration::from_millis(200)).await;
    let mut silent = TcpStream::connect(both.tls).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert!(answer(both.authority.connect(both.tls, &TLS13, None).await.unwrap()).await.ends_with("secured"));
}
