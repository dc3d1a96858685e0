//! Names of this crate's metrics.

/// Items judged.
pub const ITEMS: &str = "cases_judge_items_total";
/// Transactions committed.
pub const COMMITS: &str = "cases_judge_commits_total";
/// Commits that failed and were tried again.
pub const COMMIT_RETRIES: &str = "cases_judge_commit_retries_total";
/// Seconds a commit took.
pub const COMMIT_SECONDS: &str = "cases_judge_commit_seconds";
/// Bytes of rule state written.
pub const STATE_BYTES: &str = "cases_judge_state_bytes_total";
/// Observations later than the horizon, not judged.
pub const BEYOND_HORIZON: &str = "cases_observations_beyond_horizon";
/// Observations that the memory bound made final before their horizon.
pub const MEMORY_BOUND: &str = "cases_observations_memory_bound";
/// Alerts raised.
pub const ALERTS: &str = "cases_alerts_raised_total";
/// Cases registered by rules.
pub const CASES: &str = "cases_cases_registered_total";
/// Cases not registered because the rule's daily cap was reached.
pub const CASES_CAPPED: &str = "cases_cases_capped_total";
/// Raw frames that could not be pinned.
pub const EVIDENCE_MISSING: &str = "cases_evidence_missing_total";
/// Deliveries that were not put into a full outbox.
pub const OUTBOX_FULL: &str = "cases_notify_outbox_full_total";
/// Deliveries that a silence, another alert or a withdrawal suppressed.
pub const DELIVERIES_SUPPRESSED: &str = "cases_notify_suppressed_total";
/// Deliveries by what became of them: `sent`, `retried`, `failed`, `expired`.
pub const DELIVERIES: &str = "cases_notify_deliveries_total";
/// Deliveries that wait to be sent.
pub const OUTBOX_ROWS: &str = "cases_notify_outbox_rows";
/// Age of the oldest of them.
pub const OUTBOX_OLDEST_SECONDS: &str = "cases_notify_outbox_oldest_seconds";
/// Looks at which a channel had to wait for its receiver's limit.
pub const RATE_LIMITED: &str = "cases_notify_rate_limited_total";
