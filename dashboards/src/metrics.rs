//! Names of this crate's metrics.

/// Payloads of devices that came over HTTP and are on disk.
pub const ARRIVALS_TOTAL: &str = "dashboards_arrivals_total";
/// Payloads over HTTP that were not taken, by reason.
pub const ARRIVALS_REFUSED: &str = "dashboards_arrivals_refused_total";
/// Pictures that came over HTTP and are on disk.
pub const PICTURES_TOTAL: &str = "dashboards_pictures_total";
/// Requests that ended in an internal error.
pub const ERRORS: &str = "dashboards_errors_total";
/// Logins refused because of too many attempts.
pub const LOGINS_LIMITED: &str = "dashboards_logins_limited_total";
/// Mutations refused because they came from another origin.
pub const ORIGIN_REFUSED: &str = "dashboards_origin_refused_total";
/// Requests that took longer than their time limit.
pub const TIMEOUTS: &str = "dashboards_request_timeouts_total";
/// HTTP connections open now, live sockets among them.
pub const HTTP_CONNECTIONS: &str = "dashboards_http_connections";
/// Connections that were turned away, by the bound that was reached, or what was wrong with TLS (`plain`, `tls_on_plain`, `handshake`).
pub const HTTP_REFUSED: &str = "dashboards_http_refused_total";
/// Connections that were cut because they took too long, by what took too long.
pub const HTTP_CUT: &str = "dashboards_http_cut_total";
/// Connections that could not be accepted.
pub const HTTP_ACCEPT_ERRORS: &str = "dashboards_http_accept_errors_total";
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
