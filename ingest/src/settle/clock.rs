//! Stage 4: the event time against the time of receipt. A time is never rewritten.

use super::SettleConfig;
use super::draft::{Draft, Fault, Origin};
use model::verdict::QuarantineReason;

/// Quarantines what lies outside of the horizon; remarks a clock that runs ahead.
pub fn check(config: &SettleConfig, origin: &Origin, draft: &mut Draft<'_>) -> Result<(), Fault> {
    if let Some(fault) = draft.fault.take() {
        return Err(fault);
    }
    let ahead_ms = draft.key.at.0.saturating_sub(origin.received.0);
    if ahead_ms > config.future_ms_max {
        return Err(Fault::new(QuarantineReason::FarFuture, draft.key.at.to_rfc3339()));
    }
    if ahead_ms < -config.past_ms_max {
        return Err(Fault::new(QuarantineReason::FarPast, draft.key.at.to_rfc3339()));
    }
    if ahead_ms > config.skew_ms_max {
        draft.remark("clock_skew", &format!("{} s ahead", ahead_ms / 1000));
    }
    Ok(())
}
