//! CSV import: a dry run lists every problem with its line and column; a commit applies all rows or none.

use super::common::FieldProblem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

super::words::mirror! {
    /// Which register a table is of.
    ImportKind = ledger::CsvKind { Restaurants, Sites, Trucks, Devices, Installations, Permits, Cleanings, Manifests, NightPermits }
}

#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    pub kind: ImportKind,
    /// False (the default): only check.
    #[serde(default)]
    pub commit: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportReport {
    pub kind: ImportKind,
    pub rows: u64,
    pub added: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// Not empty: nothing was applied.
    pub problems: Vec<FieldProblem>,
    pub committed: bool,
    /// Devices: the credentials of the new ones as CSV, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
}
