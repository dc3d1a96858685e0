//! Real sockets and files: versions, refusals by reason, replacement while connections live.

use crate::testing::{Authority, Issued, VERSIONS};
use crate::*;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::version::{TLS12, TLS13};

struct Port {
    listener: TcpListener,
    acceptor: Acceptor,
    address: SocketAddr,
}

async fn port(keeper: &Arc<Keeper>, gate: Arc<Gate>, limit: Duration) -> Port {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    Port { listener, acceptor: Acceptor::new(Arc::clone(keeper), gate, "test", limit), address }
}

async fn ready(keeper: &Arc<Keeper>) -> Port {
    port(keeper, Gate::new(100), Duration::from_secs(10)).await
}

impl Port {
    async fn accept(&self) -> Result<TlsStream, Why> {
        let (stream, _) = self.listener.accept().await.unwrap();
        self.acceptor.accept(stream).await.map_err(|refused| refused.why)
    }
}

fn opened(folder: &Path, issued: &Issued) -> Arc<Keeper> {
    Keeper::open(issued.write(folder)).unwrap()
}

async fn echo(server: &mut TlsStream, client: &mut tokio_rustls::client::TlsStream<TcpStream>) {
    client.write_all(b"ping").await.unwrap();
    let mut read = [0; 4];
    server.read_exact(&mut read).await.unwrap();
    server.write_all(&read).await.unwrap();
    server.flush().await.unwrap();
    client.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"ping");
}

fn shown_certificate(client: &tokio_rustls::client::TlsStream<TcpStream>) -> CertificateDer<'static> {
    client.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn both_versions_are_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("district");
    let port = ready(&opened(folder.path(), &authority.server())).await;
    for version in VERSIONS {
        let (server, client) = tokio::join!(port.accept(), authority.connect(port.address, version, None));
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        assert_eq!(server.get_ref().1.protocol_version(), Some(version.version));
        echo(&mut server, &mut client).await;
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_the_old_ones_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("district");
    let (first, second) = (authority.server(), authority.server());
    let keeper = opened(folder.path(), &first);
    let port = ready(&keeper).await;
    assert_eq!(keeper.look(Asked::ByTime), Look::Same);
    let (server, client) = tokio::join!(port.accept(), authority.connect(port.address, &TLS13, None));
    let (mut old_server, mut old_client) = (server.unwrap(), client.unwrap());
    second.write(folder.path());
    assert_eq!(keeper.look(Asked::ByTime), Look::Taken);
    let (server, client) = tokio::join!(port.accept(), authority.connect(port.address, &TLS13, None));
    let (_server, client) = (server.unwrap(), client.unwrap());
    assert_eq!(shown_certificate(&old_client).as_ref(), first.der());
    assert_eq!(shown_certificate(&client).as_ref(), second.der());
    echo(&mut old_server, &mut old_client).await;
}

#[tokio::test]
async fn bad_files_keep_the_old_certificate_and_are_told_once_they_rest() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("district");
    let first = authority.server();
    let keeper = opened(folder.path(), &first);
    // A renewal that has written one file of two.
    let second = authority.server();
    std::fs::write(folder.path().join("certificate.pem"), &second.certificate).unwrap();
    assert_eq!(keeper.look(Asked::ByTime), Look::Same);
    let Look::Kept(problems) = keeper.look(Asked::ByTime) else { panic!("not told") };
    assert_eq!(problems.iter().map(|problem| problem.key).collect::<Vec<_>>(), ["key"]);
    assert!(problems[0].message.contains("does not belong to"), "{problems:?}");
    assert_eq!(keeper.look(Asked::ByTime), Look::Same);
    assert!(keeper.is_bad());
    let port = ready(&keeper).await;
    let (server, client) = tokio::join!(port.accept(), authority.connect(port.address, &TLS12, None));
    server.unwrap();
    assert_eq!(shown_certificate(&client.unwrap()).as_ref(), first.der());
    // Asked, it says so again; with the other file it is whole.
    assert!(matches!(keeper.look(Asked::ByOperator), Look::Kept(_)));
    second.write(folder.path());
    assert_eq!(keeper.look(Asked::ByTime), Look::Taken);
    assert!(!keeper.is_bad());
}

#[tokio::test]
async fn who_stalls_in_the_handshake_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = opened(folder.path(), &Authority::new("district").server());
    let port = port(&keeper, Gate::new(100), Duration::from_millis(100)).await;
    // One says nothing, one begins a record and does not end it.
    let silent = TcpStream::connect(port.address).await.unwrap();
    assert_eq!(port.accept().await.unwrap_err(), Why::Timeout);
    let mut begun = TcpStream::connect(port.address).await.unwrap();
    begun.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    assert_eq!(port.accept().await.unwrap_err(), Why::Timeout);
    let mut rest = Vec::new();
    begun.read_to_end(&mut rest).await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn stalled_handshakes_do_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("district");
    let keeper = opened(folder.path(), &authority.server());
    let port = port(&keeper, Gate::with_grace(1, Duration::ZERO), Duration::from_secs(10)).await;
    let _silent = TcpStream::connect(port.address).await.unwrap();
    let stalled = port.accept();
    let good = async {
        // The silent one is first in the listener's queue; the task that accepts it waits for its first byte.
        let client = authority.connect(port.address, &TLS13, None);
        tokio::join!(port.accept(), client)
    };
    let (stalled, (server, client)) = tokio::join!(stalled, good);
    assert_eq!(stalled.unwrap_err(), Why::CrowdedOut);
    server.unwrap();
    client.unwrap();
    let busy = self::port(&keeper, Gate::with_grace(1, Duration::from_mins(1)), Duration::from_millis(100)).await;
    let (_one, _two) =
        (TcpStream::connect(busy.address).await.unwrap(), TcpStream::connect(busy.address).await.unwrap());
    let (first, second) = tokio::join!(busy.accept(), busy.accept());
    assert_eq!((first.unwrap_err(), second.unwrap_err()), (Why::Timeout, Why::Busy));
}

#[tokio::test]
async fn plain_talk_is_told_from_tls_and_left_unread() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("district");
    let port = ready(&opened(folder.path(), &authority.server())).await;
    for plain in [&b"GET / HTTP/1.1\r\n"[..], b"##0102", b"\x7e\x01\x00", b"\x10\x0c\x00\x04MQTT"] {
        let mut client = TcpStream::connect(port.address).await.unwrap();
        client.write_all(plain).await.unwrap();
        let (stream, _) = port.listener.accept().await.unwrap();
        let refused = port.acceptor.accept(stream).await.unwrap_err();
        assert_eq!(refused.why, Why::Plain);
        let mut read = vec![0; plain.len()];
        refused.stream.unwrap().read_exact(&mut read).await.unwrap();
        assert_eq!(read, plain);
        assert!(!looks_like_tls(plain));
    }
    let gone = TcpStream::connect(port.address).await.unwrap();
    drop(gone);
    assert_eq!(port.accept().await.unwrap_err(), Why::Gone);
    // And the other way: what a client of each version begins with.
    let plain = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    for version in VERSIONS {
        let hello = async {
            let (mut stream, _) = plain.accept().await.unwrap();
            let mut first = [0; 6];
            stream.read_exact(&mut first).await.unwrap();
            first
        };
        let (first, _) = tokio::join!(hello, authority.connect(plain.local_addr().unwrap(), version, None));
        assert!(looks_like_tls(&first));
    }
}

#[tokio::test]
async fn client_certificates_are_asked_for_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new("district"), Authority::new("elsewhere"));
    let client_ca = authority.write(folder.path());
    let files = authority.server().write(folder.path());
    let (own, foreign) = (authority.client("logger"), stranger.client("logger"));
    let required = Keeper::open(Files { clients: ClientAuth::Required(client_ca.clone()), ..files.clone() }).unwrap();
    let optional = Keeper::open(Files { clients: ClientAuth::Optional(client_ca), ..files }).unwrap();
    for version in VERSIONS {
        for (keeper, shown, wanted) in [
            (&required, None, Err(Why::NoCertificate)),
            (&required, Some(&foreign), Err(Why::BadCertificate)),
            (&required, Some(&own), Ok(())),
            (&optional, None, Ok(())),
            (&optional, Some(&foreign), Err(Why::BadCertificate)),
            (&optional, Some(&own), Ok(())),
        ] {
            let port = ready(keeper).await;
            let (server, _client) = tokio::join!(port.accept(), authority.connect(port.address, version, shown));
            assert_eq!(server.map(drop), wanted);
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_trust_us_is_counted_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let port = ready(&opened(folder.path(), &Authority::new("district").server())).await;
    for version in VERSIONS {
        let stranger = Authority::new("elsewhere");
        let (server, client) = tokio::join!(port.accept(), stranger.connect(port.address, version, None));
        assert!(client.is_err());
        assert_eq!(server.unwrap_err(), Why::ByPeer);
    }
}

#[test]
fn every_problem_of_the_files_has_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("district");
    let good = authority.server().write(folder.path());
    let text = folder.path().join("text.pem");
    std::fs::write(&text, "not PEM at all").unwrap();
    let locked = folder.path().join("locked.pem");
    std::fs::write(&locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
        .unwrap();
    let missing = folder.path().join("missing.pem");
    let told = |files: &Files| -> Vec<String> {
        load(files).map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
    };
    let all = told(&Files { certificate: text.clone(), key: locked, clients: ClientAuth::Required(missing.clone()) });
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[0].starts_with("certificate: no certificate in"), "{all:?}");
    assert!(all[1].starts_with("key: the key is encrypted"), "{all:?}");
    assert!(all[2].starts_with("client_ca: cannot read"), "{all:?}");
    let swapped = told(&Files { certificate: good.key.clone(), ..good.clone() });
    assert!(swapped[0].starts_with("certificate: no certificate in"), "{swapped:?}");
    let swapped = told(&Files { key: good.certificate.clone(), ..good.clone() });
    assert!(swapped[0].starts_with("key: no private key in"), "{swapped:?}");
    assert!(told(&good).is_empty());
    assert!(load(&good).unwrap().warnings.is_empty());
    std::fs::set_permissions(&good.key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(load(&good).unwrap().warnings[0].key, "key");
}

#[tokio::test]
async fn a_client_trusts_its_authority_alone_and_shows_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("city");
    let foreign = Authority::new("another");
    let mut files = authority.server().write(folder.path());
    files.clients = ClientAuth::Required(authority.write(folder.path()));
    let port = ready(&Keeper::open(files).unwrap()).await;
    let own_folder = tempfile::tempdir().unwrap();
    let own = authority.client("lantian").write(own_folder.path());
    let own = (own.certificate.as_path(), own.key.as_path());

    let connector = Connector::open(&authority.write(folder.path()), Some(own)).unwrap();
    let connect = |connector: Connector, host: &'static str| async move {
        let stream = TcpStream::connect(port.address).await.unwrap();
        connector.connect(host, stream).await
    };
    let (server, client) = tokio::join!(port.accept(), connect(connector.clone(), "localhost"));
    echo(&mut server.unwrap(), &mut client.unwrap()).await;

    // Another name, another authority, no certificate of ours.
    let (_, refused) = tokio::join!(port.accept(), connect(connector, "broker.example"));
    assert!(refused.is_err());
    let elsewhere = Connector::open(&foreign.write(own_folder.path()), Some(own)).unwrap();
    let (_, refused) = tokio::join!(port.accept(), connect(elsewhere, "localhost"));
    assert!(refused.is_err());
    let nameless = Connector::open(&authority.write(folder.path()), None).unwrap();
    let (refused, _) = tokio::join!(port.accept(), connect(nameless, "localhost"));
    assert_eq!(refused.unwrap_err(), Why::NoCertificate);
}

#[test]
fn a_file_without_a_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    assert!(Connector::open(&file, None).unwrap_err().to_string().contains("ca.pem"));
    std::fs::write(&file, "no certificate").unwrap();
    assert!(Connector::open(&file, None).unwrap_err().to_string().contains("holds no certificate"));
}
