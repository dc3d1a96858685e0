//! `lantian rules`: check, test, backtest, diff and explain.

use crate::args::Rules;
use crate::compose::Stores;
use anyhow::{Context, Result};
use dashboards::Pulse;
use dashboards::trial::Source;
use ingest::chunks::{ChunkConfig, ChunkStore};
use model::envelope::Position;
use model::time::EventTime;

mod backtest;
mod diff;
mod drafts;
mod explain;
mod files;

/// Runs what needs no data; `None` for the others.
pub(super) fn without_config(command: &Rules) -> Option<Result<()>> {
    match command {
        Rules::Check(wanted) => Some(files::check(wanted)),
        Rules::Test(wanted) => Some(files::test(wanted)),
        Rules::Diff(wanted) => diff::of_files(wanted),
        _ => None,
    }
}

/// Runs what looks into the registers.
pub(super) async fn with_registers(stores: &Stores, command: &Rules) -> Result<()> {
    match command {
        Rules::Check(wanted) => files::check(wanted),
        Rules::Test(wanted) => files::test(wanted),
        Rules::Diff(wanted) => diff::with_registers(stores, wanted).await,
        Rules::Backtest(wanted) => backtest::run(stores, wanted).await,
        Rules::Explain(wanted) => explain::run(stores, wanted).await,
        Rules::Draft(wanted) => drafts::write(stores, wanted).await,
        Rules::Shadow(step) => drafts::shadow(stores, step).await,
        Rules::Submit(step) => drafts::submit(stores, step).await,
        Rules::Approve(step) => drafts::approve(stores, step).await,
        Rules::Reject(step) => drafts::reject(stores, step).await,
        Rules::Withdraw(step) => drafts::withdraw(stores, step).await,
        Rules::Drafts { json } => drafts::list(stores, *json).await,
        Rules::Off { code, note, who } => drafts::off(stores, code, note, who).await,
    }
}

/// Beijing time or RFC 3339.
fn time(text: &str) -> Result<EventTime> {
    let ms = ::rules::unit_test::time_ms(text);
    ms.map(EventTime).with_context(|| format!("read the time {text:?}: write 2026-11-20, 2026-11-20T19:30 or RFC 3339"))
}

/// The stores as a trial reads them.
async fn source(stores: &Stores) -> Result<Source> {
    let chunks = ChunkStore::open(stores.chunks.clone(), ChunkConfig::default()).await.context("open the records")?;
    // The table of our outages is made by the first start of a server.
    Pulse::open(stores.main.clone()).await.context("open the list of outages")?;
    let as_of = Position { partition: 0, seq: u64::MAX };
    Ok(Source { ledger: stores.ledger.clone(), chunks, main: stores.main.clone(), as_of })
}
