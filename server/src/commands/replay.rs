//! `dump`: what was decided, as lines of JSON. `replay`: the same, decided anew from the journal alone, on empty stores.
//! With `--decided` the two are byte for byte the same: that is how an upgrade is tried and an appeal is answered. Without
//! it they are, too, until a person moves a case: the journal does not hold people's moves, and a replay says so.

use crate::args::Part;
use crate::compose::{Stores, replay as run};
use crate::config::Config;
use anyhow::{Context, Result};
use database::Database;

pub(super) async fn dump(stores: &Stores, what: Part) -> Result<()> {
    // The tables exist once a server has run; a dump of a new folder is empty.
    cases::Judge::cursor_of(&stores.main, 0).await.context("open the cases")?;
    print!("{}", text(&stores.main, what).await?);
    Ok(())
}

/// Everything, or the verdict set alone.
pub(crate) async fn text(db: &Database, what: Part) -> Result<String> {
    match what {
        Part::All => cases::dump_canonical(db).await,
        Part::Decided => cases::dump_decided(db).await,
    }
    .context("dump what was decided")
}

pub(super) async fn replay(config: &Config, what: Part) -> Result<()> {
    super::ensure_data(&config.data_dir)?;
    let _lock = super::lock(&config.data_dir)?;
    print!("{}", run::decide_anew(config, what).await?);
    if what == Part::All {
        eprintln!(
            "people's moves are not in the journal and were not derived; compare with --decided once a case was moved"
        );
    }
    Ok(())
}
