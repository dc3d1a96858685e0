//! Floods and guesses against the framed listeners.

use super::super::testing::World;
use super::*;
use crate::hj212::{self, Hj212Config};
use crate::limits::{Allowance, Limits, LimitsConfig};
use model::gatekeeper::{BanReason, Gatekeeper as _};
use tokio::time::Instant;

fn limited(config: LimitsConfig) -> World {
    let mut world = world();
    world.edge.limits = Limits::new(config, Arc::clone(&world.edge.clock));
    world
}

#[tokio::test(start_paused = true)]
async fn a_device_that_floods_is_read_more_slowly_and_loses_nothing() {
    let device = Allowance { frames_per_second: 10.0, frames_burst: 20.0, ..Allowance::default() };
    let world = limited(LimitsConfig { device, ..LimitsConfig::default() });
    let mut peer = connect(&world, TcpConfig::default());
    let began = Instant::now();
    let flood: Vec<u8> = (0..120).flat_map(|number| frame(number % 60)).collect();
    peer.stream.write_all(&flood).await.unwrap();
    let mut taken = 0;
    while taken < 120 {
        taken = world.inlet.frames(taken + 1).await.len();
        world.inlet.release(&Ok(()));
    }
    answers(&mut peer.stream, 120).await;
    let took = began.elapsed();
    assert!((Duration::from_secs(6)..Duration::from_secs(12)).contains(&took), "{took:?}");
    assert_eq!(world.edge.limits.slowed().len(), 1);
}

/// Frames that are right, of a logger that nobody knows.
#[tokio::test(start_paused = true)]
async fn who_has_not_got_in_is_read_slowly_until_he_has() {
    let world = limited(LimitsConfig {
        stranger_bytes_burst: 1_000,
        stranger_bytes_per_second: 500,
        ..LimitsConfig::default()
    });
    let mut peer = connect(&world, TcpConfig::default());
    let stranger = repaired(&String::from_utf8(frame(1)).unwrap().replace("MN=A1", "MN=NOBODY"));
    let sent: usize = 6_000 / stranger.len();
    for _ in 0..sent {
        peer.stream.write_all(&stranger).await.unwrap();
    }
    peer.stream.write_all(&frame(1)).await.unwrap();
    let began = Instant::now();
    world.inlet.frames(1).await;
    world.inlet.release(&Ok(()));
    answers(&mut peer.stream, 1).await;
    let took = began.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(12)).contains(&took), "{took:?}");
    for minute in 2..40 {
        peer.stream.write_all(&frame(minute)).await.unwrap();
    }
    let now = Instant::now();
    while world.inlet.count() < 39 {
        world.inlet.frames(world.inlet.count() + 1).await;
        world.inlet.release(&Ok(()));
    }
    assert!(now.elapsed() < Duration::from_secs(1));
}

async fn closed(address: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all is sent.
    stream.write_all(bytes).await.ok();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.ok();
    heard
}

#[tokio::test]
async fn who_guesses_passwords_or_floods_garbage_is_banned_for_a_while() {
    let config = LimitsConfig { rubbish_bytes_max: 100_000, stranger_bytes_burst: 1 << 20, ..LimitsConfig::default() };
    let world = limited(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let served = tokio::spawn(hj212::serve(listener, world.edge.clone(), Hj212Config::default(), cancel.clone()));
    let guess = |from: usize| -> Vec<u8> {
        let wrong = |n: usize| String::from_utf8(frame(1)).unwrap().replace("PW=123456", &format!("PW={n:06}"));
        (from..from + 8).flat_map(|n| repaired(&wrong(n))).collect()
    };
    for round in 0..4 {
        assert!(world.edge.limits.bans().is_empty(), "{round}");
        assert!(closed(address, &guess(round * 8)).await.is_empty());
    }
    let bans = world.edge.limits.bans();
    assert_eq!(bans[0].reason, BanReason::Guessing);
    // Even the right password is not heard now.
    assert!(closed(address, &frame(1)).await.is_empty());
    assert_eq!(world.inlet.count(), 0);
    assert!(world.edge.limits.lift(bans[0].address));
    assert!(closed(address, &vec![b'x'; 1_000_000]).await.is_empty());
    assert_eq!(world.edge.limits.bans()[0].reason, BanReason::Rubbish);
    cancel.cancel();
    served.await.unwrap();
}

/// With the length and check that its text has.
fn repaired(line: &str) -> Vec<u8> {
    let segment = &line[6..line.len() - 6];
    format!("##{:04}{segment}{:04X}\r\n", segment.len(), protocol::hj212::crc(segment.as_bytes())).into_bytes()
}

#[tokio::test]
async fn connections_that_say_nothing_keep_nobody_out() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let config = TcpConfig { connections_max: 3, ..TcpConfig::default() };
    let make = |opening| Hj212Session::new(opening, 4_096);
    let served = tokio::spawn(serve(listener, ProtocolKind::Hj212, world.edge.clone(), config, cancel.clone(), make));
    let mut good = TcpStream::connect(address).await.unwrap();
    good.write_all(&frame(1)).await.unwrap();
    world.inlet.frames(1).await;
    world.inlet.release(&Ok(()));
    good.read_exact(&mut [0; 4]).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut late = TcpStream::connect(address).await.unwrap();
    late.write_all(&frame(2)).await.unwrap();
    world.inlet.frames(2).await;
    world.inlet.release(&Ok(()));
    late.read_exact(&mut [0; 4]).await.unwrap();
    // Who got in before is not the one that gives way.
    good.write_all(&frame(3)).await.unwrap();
    world.inlet.frames(3).await;
    cancel.cancel();
    world.inlet.release(&Ok(()));
    served.await.unwrap();
}
