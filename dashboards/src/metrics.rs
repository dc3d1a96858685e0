//! Names of this crate's metrics.

/// Requests that ended in an internal error.
pub const ERRORS: &str = "dashboards_errors_total";
/// Logins refused because of too many attempts.
pub const LOGINS_LIMITED: &str = "dashboards_logins_limited_total";
/// Mutations refused because they came from another origin.
pub const ORIGIN_REFUSED: &str = "dashboards_origin_refused_total";
/// Requests that took longer than their time limit.
pub const TIMEOUTS: &str = "dashboards_request_timeouts_total";
/// Live sockets open now.
pub const LIVE_SOCKETS: &str = "dashboards_live_sockets";
/// Live sockets refused because there were too many.
pub const LIVE_REFUSED: &str = "dashboards_live_refused_total";
/// Snapshots sent again because a page was too slow.
pub const LIVE_RESNAPSHOTS: &str = "dashboards_live_resnapshots_total";
/// Pages told to fetch alerts or cases again.
pub const LIVE_REFETCHES: &str = "dashboards_live_refetches_total";
/// Live sockets closed because the page did not read or answer.
pub const LIVE_STALLED: &str = "dashboards_live_stalled_total";
