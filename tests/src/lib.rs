//! The harness of the whole-system tests and stages: real binaries, real sockets, real files, test servers on free
//! loopback ports in temporary folders. It knows the product only from outside: command line, wires, HTTP.
#![allow(clippy::unnecessary_debug_formatting, reason = "paths are quoted into TOML files")]
#![allow(clippy::format_push_string, reason = "small files of a test, written once")]
#![allow(clippy::duration_suboptimal_units, reason = "limits are compared in seconds")]

pub mod api;
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
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The first of `count` neighbouring free loopback ports.
pub fn free_ports(count: u16) -> Result<u16> {
    for _ in 0..100 {
        let first = free_port()?;
        let Some(last) = first.checked_add(count) else { continue };
        if (first..last).all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(first);
        }
    }
    bail!("no {count} neighbouring free ports")
}
