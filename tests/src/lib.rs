//! The harness of the whole-system tests and stages: real binaries, real sockets, real files, test servers on free
//! loopback ports in temporary folders. It knows the product only from outside: command line, wires, HTTP.
#![allow(clippy::unnecessary_debug_formatting, reason = "paths are quoted into TOML files")]
#![allow(clippy::format_push_string, reason = "small files of a test, written once")]
#![allow(clippy::duration_suboptimal_units, reason = "limits are compared in seconds")]

pub mod api;
pub mod brokers;
pub mod district;
pub mod process;
pub mod server;
pub mod stage;
pub mod tools;

pub use api::Api;
pub use process::Running;
pub use server::{Server, Setup};

use anyhow::{Result, bail};
use std::future::Future;
use std::time::Duration;

/// Asks `question` until it has an answer; gives up with `what` after `limit`.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut question: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let until = tokio::time::Instant::now() + limit;
    loop {
        let answer = question().await;
        match answer {
            Ok(Some(value)) => return Ok(value),
            Ok(None) if tokio::time::Instant::now() < until => {}
            Ok(None) => bail!("{what}: not within {} s", limit.as_secs()),
            Err(error) if tokio::time::Instant::now() >= until => {
                return Err(error.context(format!("{what}: not in time")));
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A loopback port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    free_ports(1)
}

/// The first of `count` neighbouring free loopback ports, below the range the system gives to outgoing connections: one
/// of those could otherwise sit on a port between its choice and its use. No two calls of a process get the same.
pub fn free_ports(count: u16) -> Result<u16> {
    use std::sync::atomic::{AtomicU32, Ordering};
    const FIRST: u32 = 11_000;
    const RANGE: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..500 {
        let step = NEXT.fetch_add(u32::from(count).max(8), Ordering::Relaxed);
        let offset = std::process::id().wrapping_mul(613).wrapping_add(step) % RANGE;
        let first = u16::try_from(FIRST + offset)?;
        if (first..first + count).all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(first);
        }
    }
    bail!("no {count} neighbouring free ports")
}
