//! Promises of the connection loop, shown with HJ 212 sessions over an in-memory pipe.

mod limited;
mod secured;

use super::testing::{World, device};
use super::{CloseReason, Opening, Signals, TcpConfig, run, serve};
use crate::hj212::Hj212Session;
use crate::limits::Seat;
use model::envelope::ProtocolKind;
use model::principal::Strictness;
use model::seams::AppendError;
use protocol::hj212::{Head, encode};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn world() -> World {
    World::new(vec![(device(1, ProtocolKind::Hj212, "A1", Strictness::Reject), "123456")])
}

fn frame(minute: usize) -> Vec<u8> {
    let qn = format!("202601011200{minute:02}000");
    let head = Head {
        qn: Some(&qn),
        st: Some("22"),
        cn: Some("2011"),
        pw: Some("123456"),
        mn: Some("A1"),
        flag: Some(5),
        packet: None,
    };
    encode(&head, "DataTime=20260101120000;a34002-Rtd=5,a34002-Flag=N")
}

struct Peer {
    stream: DuplexStream,
    task: JoinHandle<CloseReason>,
    cancel: CancellationToken,
    cut: CancellationToken,
}

fn connect(world: &World, config: TcpConfig) -> Peer {
    let (stream, ours) = tokio::io::duplex(1 << 20);
    let (cancel, cut) = (CancellationToken::new(), CancellationToken::new());
    let (edge, wake) = (world.edge.clone(), Arc::<Notify>::default());
    let peer = "test".to_owned();
    let seat = Seat::nowhere(&edge.limits);
    let opening = Opening {
        edge: edge.clone(),
        connection: 1,
        peer,
        cut: cut.clone(),
        wake: Arc::clone(&wake),
        seat: Arc::clone(&seat),
    };
    let session = Hj212Session::new(opening, 4_096);
    let crowded_out = CancellationToken::new();
    let signals = Signals { cut: cut.clone(), wake, seat, crowded_out, cancel: cancel.clone() };
    let task = tokio::spawn(run(ours, session, edge, config, signals));
    Peer { stream, task, cancel, cut }
}

/// Everything the peer is sent until the connection ends.
async fn rest(stream: &mut DuplexStream) -> String {
    let mut sent = Vec::new();
    stream.read_to_end(&mut sent).await.unwrap();
    String::from_utf8(sent).unwrap()
}

async fn answers(stream: &mut DuplexStream, count: usize) -> String {
    let (mut lines, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..count {
        while sent.last() != Some(&b'\n') {
            sent.push(stream.read_u8().await.unwrap());
        }
        lines.append(&mut sent);
    }
    String::from_utf8(lines).unwrap()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_before_it_is_durable() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    peer.stream.write_all(&frame(1)).await.unwrap();
    world.inlet.frames(1).await;
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_secs(4), peer.stream.read(&mut byte)).await;
    assert!(early.is_err(), "answered before the append");
    world.inlet.release(&Ok(()));
    let answer = answers(&mut peer.stream, 1).await;
    assert!(answer.contains("QN=20260101120001000;ST=91;CN=9014;PW=123456;MN=A1;Flag=4;CP=&&&&"), "{answer}");
    peer.cancel.cancel();
    assert_eq!(peer.task.await.unwrap(), CloseReason::Stopping);
    assert_eq!(world.wire.acknowledged.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_leave_in_order_though_batches_complete_in_any() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    for number in 0..4 {
        peer.stream.write_all(&frame(number)).await.unwrap();
        world.inlet.frames(number + 1).await;
    }
    world.inlet.release(&Ok(()));
    let sent = answers(&mut peer.stream, 4).await;
    let order: Vec<_> = sent.lines().map(|line| line[21..23].to_owned()).collect();
    assert_eq!(order, ["00", "01", "02", "03"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_append_is_not_answered_and_closes() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    peer.stream.write_all(&frame(1)).await.unwrap();
    world.inlet.frames(1).await;
    world.inlet.release(&Err(AppendError::DiskFull));
    assert_eq!(rest(&mut peer.stream).await, "");
    assert_eq!(peer.task.await.unwrap(), CloseReason::AppendFailed);
    assert!(world.wire.acknowledged.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_append_is_not_answered_and_closes() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    peer.stream.write_all(&frame(1)).await.unwrap();
    assert_eq!(rest(&mut peer.stream).await, "");
    assert_eq!(peer.task.await.unwrap(), CloseReason::AppendStalled);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_window_waits_at_the_journal() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    let flood: Vec<u8> = (0..200).flat_map(|number| frame(number % 60)).collect();
    peer.stream.write_all(&flood).await.unwrap();
    world.inlet.frames(64).await;
    // Virtual time passes only when every task waits: all that could be taken has been.
    tokio::time::advance(Duration::from_millis(100)).await;
    assert_eq!(world.inlet.count(), 64);
    for round in [128, 192, 200] {
        world.inlet.release(&Ok(()));
        world.inlet.frames(round).await;
    }
    world.inlet.release(&Ok(()));
    answers(&mut peer.stream, 200).await;
    assert_eq!(world.inlet.count(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_slow_loris_is_closed_though_it_never_stops_sending() {
    let world = world();
    let config = TcpConfig { first_frame_timeout: Duration::from_hours(1), ..TcpConfig::default() };
    let mut peer = connect(&world, config);
    let began = tokio::time::Instant::now();
    for byte in frame(1) {
        if peer.stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(peer.task.await.unwrap(), CloseReason::SlowFrame);
    assert!(began.elapsed() < Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn who_never_shows_an_identity_is_closed() {
    let world = world();
    let peer = connect(&world, TcpConfig::default());
    assert_eq!(peer.task.await.unwrap(), CloseReason::FirstFrame);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_the_device_reported_gone() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    peer.stream.write_all(&frame(1)).await.unwrap();
    world.inlet.frames(1).await;
    world.inlet.release(&Ok(()));
    assert_eq!(peer.task.await.unwrap(), CloseReason::Idle);
    let events: Vec<_> = world.wire.events.lock().unwrap().iter().map(|(_, event)| *event).collect();
    assert_eq!(events, ["connected", "disconnected"]);
    assert!(world.edge.online.is_empty());
}

#[tokio::test(start_paused = true)]
async fn stopping_answers_what_is_at_the_journal_first() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    peer.stream.write_all(&frame(7)).await.unwrap();
    world.inlet.frames(1).await;
    peer.cancel.cancel();
    tokio::time::advance(Duration::from_millis(10)).await;
    world.inlet.release(&Ok(()));
    assert!(rest(&mut peer.stream).await.contains("CN=9014"));
    assert_eq!(peer.task.await.unwrap(), CloseReason::Stopping);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_has_closed_its_side_still_gets_its_answers() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    peer.stream.write_all(&frame(7)).await.unwrap();
    peer.stream.shutdown().await.unwrap();
    world.inlet.frames(1).await;
    tokio::time::advance(Duration::from_millis(10)).await;
    world.inlet.release(&Ok(()));
    assert!(rest(&mut peer.stream).await.contains("CN=9014"));
    assert_eq!(peer.task.await.unwrap(), CloseReason::Peer);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_connection_ends() {
    let world = world();
    let peer = connect(&world, TcpConfig::default());
    peer.cut.cancel();
    assert_eq!(peer.task.await.unwrap(), CloseReason::TakenOver);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_connection_ends_at_once_when_its_password_changes() {
    let world = world();
    let mut peer = connect(&world, TcpConfig::default());
    peer.stream.write_all(&frame(1)).await.unwrap();
    world.inlet.frames(1).await;
    world.inlet.release(&Ok(()));
    answers(&mut peer.stream, 1).await;
    let began = tokio::time::Instant::now();
    // What does not concern it leaves it alone.
    let strict = Strictness::Reject;
    let own = || device(1, ProtocolKind::Hj212, "A1", strict);
    world.directory.set(vec![(own(), "123456"), (device(2, ProtocolKind::Hj212, "A2", strict), "1")]);
    peer.stream.write_all(&frame(2)).await.unwrap();
    world.inlet.frames(2).await;
    world.inlet.release(&Ok(()));
    answers(&mut peer.stream, 1).await;
    world.directory.set(vec![(own(), "another")]);
    assert_eq!(rest(&mut peer.stream).await, "");
    assert_eq!(peer.task.await.unwrap(), CloseReason::Revoked);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(world.edge.online.is_empty());
}

#[tokio::test]
async fn the_listener_accepts_no_more_than_its_bound_and_stops_clean() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let config = TcpConfig { connections_max: 1, ..TcpConfig::default() };
    let make = |opening| Hj212Session::new(opening, 4_096);
    let served = tokio::spawn(serve(listener, ProtocolKind::Hj212, world.edge.clone(), config, cancel.clone(), make));
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(&frame(1)).await.unwrap();
    world.inlet.frames(1).await;
    // The kernel queues the second; it is served when the first has gone.
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(&frame(2)).await.unwrap();
    assert_eq!(world.inlet.count(), 1);
    world.inlet.release(&Ok(()));
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    drop(first);
    world.inlet.frames(2).await;
    world.inlet.release(&Ok(()));
    second.read_exact(&mut byte).await.unwrap();
    cancel.cancel();
    served.await.unwrap();
}
