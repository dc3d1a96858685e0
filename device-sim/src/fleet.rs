//! Runs the devices of a district: each reads its signal at its interval and sends it when it leaves, over its own wire.
//! A fleet that starts in the past sends as fast as it is acknowledged until it has caught up with the clock.

mod devices;
mod schedule;

pub use schedule::Schedule;

use crate::district::District;
use crate::fault::Faults;
use crate::obey::Manners;
use crate::plan::Plan;
use crate::rtu::LineFaults;
use crate::transport::Targets;
use anyhow::{Context, Result};
use devices::Member;
use model::time::Clock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Secrets by device code, as `lantian apply --credentials FILE` writes them.
pub type Secrets = BTreeMap<String, Secret>;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secret {
    /// User name, MN or phone.
    pub identity: String,
    /// Token, password or authentication code.
    pub secret: String,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub targets: Targets,
    pub faults: Faults,
    /// How devices answer commands.
    pub manners: Manners,
    /// Stop when the timeline is over and everything was acknowledged.
    pub stop_at_end: bool,
    /// Trucks take pictures now and then.
    pub pictures: bool,
    /// Event times from which to send; the timeline's start for a whole run.
    pub from_ms: i64,
}

/// What was sent and acknowledged so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub sent: AtomicU64,
    pub acknowledged: AtomicU64,
    /// Members that have caught up with the clock.
    pub caught_up: AtomicU64,
    pub members: AtomicU64,
}

/// Starts every device and returns when all have ended: at the end of the timeline, or when `stop` is cancelled.
///
/// # Errors
/// When a device's wire cannot be used at all (no secret, refused for good).
pub async fn run(
    district: Arc<District>,
    plan: Arc<Plan>,
    secrets: &Secrets,
    options: Options,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    stop: CancellationToken,
) -> Result<()> {
    let members = devices::members(&district, &plan, secrets, &options)?;
    tally.members.store(u64::try_from(members.len()).unwrap_or(0), Ordering::Relaxed);
    let line_faults = if options.faults == Faults::NONE { LineFaults::NONE } else { LineFaults::TENTH };
    for member in &members {
        member.listen(&options.targets, line_faults).await?;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for member in members {
        let (options, clock, tally, stop) = (options.clone(), Arc::clone(&clock), Arc::clone(&tally), stop.clone());
        let end_ms = plan.timeline.start_ms + plan.timeline.length_s * 1000;
        tasks.spawn(async move {
            let name = member.name.clone();
            drive(member, options, end_ms, clock, tally, stop).await.with_context(|| format!("device {name}"))
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("join a device")??;
    }
    Ok(())
}

async fn drive(
    mut member: Member,
    options: Options,
    end_ms: i64,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    stop: CancellationToken,
) -> Result<()> {
    let mut schedule = Schedule::new(options.from_ms, member.interval_ms, options.faults, member.key);
    let mut caught_up = false;
    loop {
        let (send_ms, event_ms) = schedule.next(|event| member.leaves_ms(event));
        if options.stop_at_end && event_ms >= end_ms && send_ms >= end_ms {
            break;
        }
        let wait_ms = send_ms - clock.now().as_ms();
        if wait_ms > 0 {
            if !caught_up {
                caught_up = true;
                tally.caught_up.fetch_add(1, Ordering::Relaxed);
            }
            // Cancel-safe: a sleep and a token. Answers that come meanwhile are read, so that a peer is never stalled.
            tokio::select! {
                () = stop.cancelled() => break,
                () = member.link.idle(Duration::from_millis(wait_ms.unsigned_abs()), &tally) => {}
            }
        }
        if stop.is_cancelled() {
            break;
        }
        for payload in member.payloads(event_ms) {
            tally.sent.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                // A message cut short by the stop is one that was never acknowledged.
                () = stop.cancelled() => return Ok(()),
                sent = member.link.send(payload, &tally) => sent?,
            }
        }
    }
    member.link.drain(Duration::from_secs(30), &tally).await
}
