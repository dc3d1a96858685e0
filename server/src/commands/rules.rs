//! `lantian rules`: check, test, backtest, diff and explain.

use crate::args::Rules;
use crate::compose::Stores;
use anyhow::Result;

mod diff;
mod files;

/// Runs what needs no data; `None` for the others.
pub(super) fn without_config(command: &Rules) -> Option<Result<()>> {
    match command {
        Rules::Check(wanted) => Some(files::check(wanted)),
        Rules::Test(wanted) => Some(files::test(wanted)),
        Rules::Diff(wanted) => diff::of_files(wanted),
    }
}

/// Runs what looks into the registers.
pub(super) async fn with_registers(stores: &Stores, command: &Rules) -> Result<()> {
    match command {
        Rules::Check(wanted) => files::check(wanted),
        Rules::Test(wanted) => files::test(wanted),
        Rules::Diff(wanted) => diff::with_registers(stores, wanted).await,
    }
}
