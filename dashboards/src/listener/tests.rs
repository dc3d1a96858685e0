//! Real sockets against the listener's bounds.

mod secured;

use super::*;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::get;
use tokio::task::JoinHandle;

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn app() -> Router {
    let echo = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(message @ Message::Text(_))) = socket.recv().await {
                socket.send(message).await.ok();
            }
        })
    };
    Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { format!("hello {}", peer.ip()) }))
        .route("/live", get(echo))
}

/// Short time-outs, so that the tests are.
fn config() -> ListenerConfig {
    ListenerConfig {
        header_timeout: Duration::from_millis(150),
        idle_timeout: Duration::from_millis(300),
        ..ListenerConfig::default()
    }
}

async fn served(config: ListenerConfig, app: Router) -> Served {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let task = tokio::spawn(serve(listener, app, config, stop.clone()));
    Served { address, stop, task }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A request on a connection of its own.
    async fn ask(&self) -> String {
        let mut stream = self.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        rest(&mut stream).await
    }
}

/// Everything until the end; a reset is an end, too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Until the text has come.
async fn until(stream: &mut TcpStream, text: &str) {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        seen.push(stream.read_u8().await.unwrap());
    }
}

#[tokio::test]
async fn who_sends_a_head_slowly_is_cut_while_others_are_served() {
    let served = served(config(), app()).await;
    let mut slow = served.connect().await;
    let mut silent = served.connect().await;
    let began = Instant::now();
    let (mut reader, mut writer) = slow.split();
    let drip = async {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        for byte in b"GET / HTTP/1.1\r\nhost: a\r\nx-slow: ".iter().chain(std::iter::repeat(&b'a')) {
            every.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = reader.read_to_end(&mut answer) => {}
    }
    assert!(answer.is_empty() && began.elapsed() < Duration::from_secs(5));
    assert_eq!(rest(&mut silent).await, "");
    assert!(served.ask().await.ends_with("hello 127.0.0.1"));
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_time_out_and_is_closed_after_its_own() {
    let served = served(config(), app()).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut stream, "hello 127.0.0.1").await;
    let began = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert!(began.elapsed() >= Duration::from_millis(280), "it waited for {:?}", began.elapsed());
}

#[tokio::test]
async fn who_never_reads_its_answer_is_cut_and_loses_its_seat() {
    let flood = app().route("/flood", get(|| async { vec![b'x'; 64 << 20] }));
    let served = served(ListenerConfig { connections_max: 1, ..config() }, flood).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    while !served.ask().await.contains("hello") {}
    drop(stream);
}

#[tokio::test]
async fn above_the_bound_a_connection_is_turned_away_and_a_freed_seat_is_given_again() {
    let served = served(ListenerConfig { connections_max: 2, ..ListenerConfig::default() }, app()).await;
    let mut first = served.connect().await;
    let mut second = served.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        until(stream, "hello").await;
    }
    let refused = served.ask().await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("too many connections"), "{refused}");
    first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut first).await.contains("hello"), "who has a seat is served");
    while !served.ask().await.contains("hello") {}
}

#[tokio::test]
async fn one_address_cannot_take_every_seat_unless_it_is_a_trusted_proxy() {
    let own = ListenerConfig { connections_per_address_max: 1, ..ListenerConfig::default() };
    let strict = served(own.clone(), app()).await;
    let mut held = strict.connect().await;
    held.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut held, "hello").await;
    assert!(strict.ask().await.starts_with("HTTP/1.1 503"));
    let trusting = served(ListenerConfig { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..own }, app()).await;
    let mut held = trusting.connect().await;
    held.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut held, "hello").await;
    assert!(trusting.ask().await.contains("hello"));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let served = served(ListenerConfig::default(), app()).await;
    let mut stream = served.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(HEAD_BYTES_MAX * 4));
    stream.write_all(head.as_bytes()).await.ok(); // it may be closed before all is sent
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(served.ask().await.contains("hello"));
}

#[tokio::test]
async fn a_live_socket_outlives_the_time_outs_and_keeps_its_seat() {
    let served = served(ListenerConfig { connections_max: 2, ..config() }, app()).await;
    let mut stream = served.connect().await;
    let hello = "GET /live HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(hello.as_bytes()).await.unwrap();
    until(&mut stream, "\r\n\r\n").await;
    for _ in 0..4 {
        // Each lasts as long as a head may.
        assert_eq!(rest(&mut served.connect().await).await, "");
    }
    // A masked text frame "hi" with the mask 0; it comes back without a mask.
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    until(&mut stream, "hi").await;
    let _other = served.connect().await;
    assert!(served.ask().await.starts_with("HTTP/1.1 503"), "its seat is taken");
}

#[tokio::test]
async fn a_stop_lets_a_request_end_and_closes_idle_connections() {
    let (entered, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (told, waits) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = Router::new().route(
        "/",
        get(move || {
            let (told, waits) = (Arc::clone(&told), Arc::clone(&waits));
            async move {
                told.add_permits(1);
                waits.acquire().await.unwrap().forget();
                "done"
            }
        }),
    );
    let served = served(ListenerConfig::default(), slow).await;
    let mut idle = served.connect().await;
    let mut busy = served.connect().await;
    busy.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    entered.acquire().await.unwrap().forget();
    served.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    release.add_permits(1);
    assert!(rest(&mut busy).await.ends_with("done"));
    tokio::time::timeout(Duration::from_secs(5), served.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
