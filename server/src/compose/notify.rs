//! Notification: the planner, which turns what happened to alerts into deliveries by journal time, and the courier, which sends them:
//! one at a time for each channel, paced by what the receiver takes, with growing pauses while it does not.

use ::notify::Sender;
use anyhow::{Context, Result};
use cases::JudgeHandle;
use cases::metrics as names;
use cases::notify::{Claim, Notify, NotifyError, Planner, WorkClock};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use ledger::Ledger;
use model::notice::{Channel, Failure};
use model::time::{Clock, IngestTime};
use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between two looks at what is to be planned or sent.
const LOOK: Duration = Duration::from_millis(500);
/// After trouble with the database.
const TROUBLE: Duration = Duration::from_secs(5);
/// What is being sent at a stop may take so long; then it counts as unknown and is sent again.
const FINISH: Duration = Duration::from_secs(5);
const TIDY_MS: i64 = 60_000;
const MINUTE_MS: i64 = 60_000;
/// Longest pause of a channel that does not take anything, and of one message.
const CHANNEL_PAUSE_MS: i64 = 60_000;
const MESSAGE_PAUSE_MS: i64 = 300_000;

pub(super) async fn plan(planner: Planner, judge: JudgeHandle, stop: CancellationToken) -> Result<()> {
    loop {
        let pause = match catch_up(&planner, &judge, &stop).await {
            Ok(()) => LOOK,
            Err(error) => {
                warn!(error = %error, "failed to plan notifications, trying again");
                TROUBLE
            }
        };
        // Both branches are cancel-safe.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn catch_up(planner: &Planner, judge: &JudgeHandle, stop: &CancellationToken) -> Result<(), NotifyError> {
    while !stop.is_cancelled() {
        // Read before the notices, so that all that belong before it are there.
        let journal = judge.passed();
        let planned = planner.step(journal).await?;
        judge.publish(planned.changed);
        if planned.done == 0 {
            break;
        }
    }
    Ok(())
}

/// Working time by the calendar that deadlines run on.
pub(super) fn work_clock(ledger: &Ledger, calendar: &str) -> WorkClock {
    let (ledger, deadline) = (ledger.clone(), super::judge::deadline(calendar));
    Arc::new(move |from, minutes| deadline(&ledger.facts_now(), from, minutes))
}

/// How a channel is getting on.
#[derive(Debug, Default)]
struct Pace {
    /// Attempts of the last minute.
    tried: VecDeque<IngestTime>,
    not_before: IngestTime,
    failures: u32,
    busy: bool,
}

pub(super) struct Courier {
    pub(super) notify: Notify,
    pub(super) sender: Sender,
    pub(super) ledger: Ledger,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) page_url: String,
}

type Sending = BoxFuture<'static, (Channel, Claim, Result<(), Failure>)>;

pub(super) async fn send(courier: Courier, stop: CancellationToken) -> Result<()> {
    let back = courier.notify.recover().await.context("put interrupted notifications back into the queue")?;
    if back > 0 {
        info!(deliveries = back, "notifications that were being sent when the process ended are sent again");
    }
    let mut paces: BTreeMap<i64, Pace> = BTreeMap::new();
    let mut under_way: FuturesUnordered<Sending> = FuturesUnordered::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tidied = IngestTime(0);
    loop {
        // Cancel-safe: a token, a stream whose futures stay in it, a timer.
        let done = tokio::select! {
            () = stop.cancelled() => break,
            Some(done) = under_way.next(), if !under_way.is_empty() => courier.settle(done, &mut paces).await,
            _ = looks.tick() => courier.tidy(&mut tidied).await,
        };
        let looked = match done {
            Ok(()) => courier.claim(&mut paces, &mut under_way).await,
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            warn!(error = %error, "failed to work off notifications, trying again");
            tokio::time::sleep(TROUBLE).await;
        }
    }
    let until = tokio::time::Instant::now() + FINISH;
    while let Ok(Some(done)) = tokio::time::timeout_at(until, under_way.next()).await {
        courier.settle(done, &mut paces).await.context("write down what became of notifications")?;
    }
    Ok(())
}

impl Courier {
    async fn tidy(&self, tidied: &mut IngestTime) -> Result<(), NotifyError> {
        let now = self.clock.now();
        if now.since_ms(*tidied) < TIDY_MS {
            return Ok(());
        }
        let expired = self.notify.tidy(now).await?;
        if expired > 0 {
            metrics::counter!(names::DELIVERIES, "outcome" => "expired").increment(expired);
            warn!(deliveries = expired, "notifications could not be sent before their deadline");
        }
        *tidied = now;
        Ok(())
    }

    /// Starts one delivery of each channel that is free, may go on, and has one.
    async fn claim(
        &self,
        paces: &mut BTreeMap<i64, Pace>,
        under_way: &mut FuturesUnordered<Sending>,
    ) -> Result<(), NotifyError> {
        let (waiting, oldest) = self.notify.waiting().await?;
        let now = self.clock.now();
        let age = oldest.map_or(0, |oldest| now.since_ms(oldest).max(0));
        #[expect(clippy::cast_precision_loss, reason = "gauges")]
        {
            metrics::gauge!(names::OUTBOX_ROWS).set(waiting as f64);
            metrics::gauge!(names::OUTBOX_OLDEST_SECONDS).set(age as f64 / 1_000.0);
        }
        if waiting == 0 {
            return Ok(());
        }
        for channel in self.notify.senders().await? {
            let pace = match paces.entry(channel.id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let mut tried = self.notify.tried_since(channel.id, now.plus_ms(-MINUTE_MS)).await?;
                    tried.reverse();
                    place.insert(Pace { tried: tried.into(), ..Pace::default() })
                }
            };
            if !pace.may(&channel, now) {
                continue;
            }
            let claim = self.notify.claim(&channel, &self.ledger.facts_now(), &self.page_url, now).await?;
            let Some(claim) = claim else { continue };
            pace.busy = true;
            pace.tried.push_back(now);
            let sender = self.sender.clone();
            under_way.push(Box::pin(async move {
                let result = sender.send(&channel, &claim.message, now).await;
                (channel, claim, result)
            }));
        }
        Ok(())
    }

    async fn settle(
        &self,
        (channel, claim, result): (Channel, Claim, Result<(), Failure>),
        paces: &mut BTreeMap<i64, Pace>,
    ) -> Result<(), NotifyError> {
        let now = self.clock.now();
        let pace = paces.entry(channel.id).or_default();
        pace.busy = false;
        match result {
            Ok(()) => {
                (pace.failures, pace.not_before) = (0, IngestTime(0));
                metrics::counter!(names::DELIVERIES, "outcome" => "sent").increment(1);
                self.notify.sent(claim.id, now).await
            }
            Err(failure) => {
                let again =
                    now.plus_ms(pause(claim.id, claim.attempt, MESSAGE_PAUSE_MS).max(failure.wait_ms.unwrap_or(0)));
                if !failure.lasting {
                    pace.failures = pace.failures.saturating_add(1);
                    let wait = pause(channel.id, pace.failures, CHANNEL_PAUSE_MS).max(failure.wait_ms.unwrap_or(0));
                    pace.not_before = now.plus_ms(wait);
                }
                let outcome = if failure.lasting { "failed" } else { "retried" };
                metrics::counter!(names::DELIVERIES, "outcome" => outcome).increment(1);
                if failure.lasting || pace.failures == 1 {
                    warn!(channel = channel.id, delivery = claim.id, reason = %failure, "failed to send a notification");
                }
                self.notify.failed(claim.id, &failure, again, now).await
            }
        }
    }
}

impl Pace {
    fn may(&mut self, channel: &Channel, now: IngestTime) -> bool {
        while self.tried.front().is_some_and(|at| now.since_ms(*at) >= MINUTE_MS) {
            self.tried.pop_front();
        }
        let most = usize::try_from(channel.settings.per_minute_max).unwrap_or(usize::MAX);
        if !self.busy && self.tried.len() >= most {
            metrics::counter!(names::RATE_LIMITED).increment(1);
        }
        !self.busy && now >= self.not_before && self.tried.len() < most
    }
}

/// 1 s, 2 s, 4 s … up to `longest`, a little more or less for each id, so that not all come back at the same moment.
fn pause(id: i64, attempt: u32, longest: i64) -> i64 {
    let plain = 1_000_i64.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(longest);
    let spread = (id.unsigned_abs().wrapping_add(u64::from(attempt)).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 54;
    plain + plain / 5 * i64::try_from(spread).unwrap_or(0) / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::notice::{ChannelKind, ChannelSecret, ChannelSettings, Language};

    #[test]
    fn pauses_double_up_to_their_longest() {
        assert!((1_000..1_200).contains(&pause(7, 1, 60_000)));
        assert!((4_000..4_800).contains(&pause(7, 3, 60_000)));
        assert!((60_000..72_000).contains(&pause(7, 4_000_000_000, 60_000)));
    }

    #[test]
    fn a_channel_is_tried_no_more_than_so_often_in_any_minute() {
        let settings =
            ChannelSettings { language: Language::Zh, per_minute_max: 20, deadline_minutes: 60, email: None };
        let secret = ChannelSecret::default();
        let channel = Channel { id: 1, name: String::new(), kind: ChannelKind::Wecom, settings, secret };
        let mut pace = Pace::default();
        let mut tried = 0;
        for second in 0..60 {
            let now = IngestTime(second * 1_000);
            if pace.may(&channel, now) {
                pace.tried.push_back(now);
                tried += 1;
            }
        }
        assert_eq!(tried, 20);
        assert!(pace.may(&channel, IngestTime(60_000)));
    }
}
