//! Names of this crate's metrics.

/// Edits that were written.
pub const EDITS: &str = "ledger_edits_total";
/// Edits that were refused because of their content.
pub const EDITS_REFUSED: &str = "ledger_edits_refused_total";
/// JT/T 808 terminals that hold their phones since.
pub const TERMINALS_BOUND: &str = "ledger_terminals_bound_total";
/// Terminals not answered because too many waited to be written down.
pub const TERMINAL_CLAIMS_FULL: &str = "ledger_terminal_claims_full_total";
/// Devices that were made by a claim code.
pub const CLAIMS_USED: &str = "ledger_claims_used_total";
/// Devices that showed a claim code and got nothing.
pub const CLAIMS_REFUSED: &str = "ledger_claims_refused_total";
/// Wrong passwords of people.
pub const LOGINS_REFUSED: &str = "ledger_logins_refused_total";
/// Log-ins refused because too many were being checked.
pub const LOGINS_BUSY: &str = "ledger_logins_busy_total";
/// Accounts that were locked for a while.
pub const LOCKOUTS: &str = "ledger_lockouts_total";
/// Sessions deleted because a person had too many.
pub const SESSIONS_CUT: &str = "ledger_sessions_cut_total";
