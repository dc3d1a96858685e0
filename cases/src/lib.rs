//! Alerts and the case flow (登记 → … → 结案), and the judge: it drives the rules over settled items and commits their
//! effects. Times in these tables are journal times or the mover's clock, never this machine's.
//!
//! | call | promise |
//! |---|---|
//! | [`judge::Judge::open`] | migrates, loads rule state as of its cursor |
//! | [`judge::Judge::on_batch`] | judges a batch of settle; effects, alerts and cases are committed before it returns |
//! | [`judge::Judge::flush`] | commits state and cursor now (clean stop) |
//! | [`judge::JudgeHandle`] | cursor J, live events after commit, `explain`, counters; cheap to clone |
//! | [`dump_canonical`], [`dump_decided`] | alerts and cases as JSON lines, for comparing runs; only what no person changes |
//! | [`flow::Cases`] | queries and moves of cases and alerts for the API, silences |
//! | [`notify`] | who is told of which alert: policy, channels, outbox, log |
//!
//! One case per (rule, subject) while it is open; later episodes join it. A machine only registers a case; filing is a person's move.

pub mod dto;
mod dump;
pub mod flow;
pub mod judge;
pub mod metrics;
pub mod notify;
mod rows;
#[cfg(test)]
mod testing;

pub use dto::{
    AlertEvent, AlertQuery, AlertRow, AlertState, CaseDetail, CaseEvent, CaseQuery, CaseRow, EvidenceRow, HistoryRow,
    LiveEvent, Page,
};
pub use dump::{dump_canonical, dump_decided};
pub use flow::{Actor, AlertHistoryRow, Cases, FlowError, MoveRequest, NewSilence, Silence, SilenceMatch};
pub use judge::{Judge, JudgeConfig, JudgeError, JudgeHandle, RawFrames};
