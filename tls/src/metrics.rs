//! Names of this crate's metrics. Labels come from small closed sets.

/// Handshakes that succeeded. Labels `listener`, `version`.
pub const HANDSHAKES_TOTAL: &str = "tls_handshakes_total";
/// Handshakes that failed. Labels `listener`, `reason` (see `Why::code`).
pub const REFUSED_TOTAL: &str = "tls_handshakes_refused_total";
/// Handshakes under way, over all listeners.
pub const UNDER_WAY: &str = "tls_handshakes_under_way";
/// Days until the certificate expires; below nought when it has.
pub const EXPIRES_DAYS: &str = "tls_certificate_expires_days";
/// New files looked at. Label `result`: `taken`, `refused`.
pub const RELOADS_TOTAL: &str = "tls_certificate_reloads_total";
/// 1 while the files on the disk are not the certificate in use, because they are bad.
pub const FILES_BAD: &str = "tls_certificate_files_bad";
