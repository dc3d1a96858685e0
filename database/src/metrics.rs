//! Names of this crate's metrics.

/// Transactions that ran again after a conflict.
pub const CONFLICTS: &str = "database_conflicts_total";
/// Transactions given up after the last repetition.
pub const CONFLICTS_GIVEN_UP: &str = "database_conflicts_given_up_total";
/// No connection became free in time.
pub const POOL_TIMEOUTS: &str = "database_pool_timeouts_total";
