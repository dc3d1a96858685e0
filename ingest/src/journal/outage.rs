//! Our own outages, as the journal can tell them: the time the process was down, and steps of the machine's clock. Pure.

use super::Recovery;
use model::stream::{Outage, OutageKind};
use model::time::IngestTime;
use std::time::Duration;

/// The time from the last entry to `now`, in which no process ran; `None` for a new journal. A clock that stands before
/// the last entry gives a clock step instead.
pub fn process_outage(recovery: &Recovery, now: IngestTime) -> Option<Outage> {
    let last = recovery.last_at?;
    let what = if now < last { OutageKind::ClockStep } else { OutageKind::Process };
    Some(Outage { from: last.min(now), to: last.max(now), what })
}

/// Compares the machine's clock with a clock that never steps, from one tick to the next.
#[derive(Debug, Clone, Copy)]
pub struct ClockWatch {
    last: IngestTime,
    tolerance: Duration,
}

impl ClockWatch {
    /// A step longer than `tolerance` between two ticks is an outage.
    pub const fn new(now: IngestTime, tolerance: Duration) -> Self {
        Self { last: now, tolerance }
    }

    /// `elapsed` is what a monotonic clock says has passed since the call before (or since [`Self::new`]).
    pub fn observe(&mut self, now: IngestTime, elapsed: Duration) -> Option<Outage> {
        let expected = self.last.plus_ms(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
        self.last = now;
        let step = now.since_ms(expected).unsigned_abs();
        (u128::from(step) > self.tolerance.as_millis()).then(|| Outage {
            from: expected.min(now),
            to: expected.max(now),
            what: OutageKind::ClockStep,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::envelope::Position;

    fn recovery(last_at: Option<i64>) -> Recovery {
        Recovery { last: Position::default(), torn_bytes: 0, last_at: last_at.map(IngestTime) }
    }

    #[test]
    fn the_time_between_two_runs_is_ours() {
        let outage = process_outage(&recovery(Some(1000)), IngestTime(5000)).unwrap();
        assert_eq!(outage, Outage { from: IngestTime(1000), to: IngestTime(5000), what: OutageKind::Process });
        assert_eq!(process_outage(&recovery(None), IngestTime(5000)), None);
        assert_eq!(process_outage(&recovery(Some(9000)), IngestTime(5000)).unwrap().what, OutageKind::ClockStep);
    }

    #[test]
    fn a_step_of_the_clock_between_two_ticks_is_an_outage_either_way() {
        let mut watch = ClockWatch::new(IngestTime(0), Duration::from_secs(2));
        let tick = Duration::from_secs(10);
        assert_eq!(watch.observe(IngestTime(10_500), tick), None);
        let ahead = watch.observe(IngestTime(80_500), tick).unwrap();
        assert_eq!((ahead.from, ahead.to, ahead.what), (IngestTime(20_500), IngestTime(80_500), OutageKind::ClockStep));
        let back = watch.observe(IngestTime(30_500), tick).unwrap();
        assert_eq!((back.from, back.to), (IngestTime(30_500), IngestTime(90_500)));
        assert_eq!(watch.observe(IngestTime(40_500), tick), None);
    }
}
