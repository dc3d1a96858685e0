//! `dump`: what was decided, as lines of JSON. `replay`: the same, decided anew from the journal alone, on empty stores.
//! The two are byte for byte the same: that is how an upgrade is tried and an appeal is answered.

use crate::compose::{Stores, replay as run};
use crate::config::Config;
use anyhow::{Context, Result};

pub(super) async fn dump(stores: &Stores) -> Result<()> {
    // The tables exist once a server has run; a dump of a new folder is empty.
    cases::Judge::cursor_of(&stores.main, 0).await.context("open the cases")?;
    print!("{}", cases::dump_canonical(&stores.main).await.context("dump the cases")?);
    Ok(())
}

pub(super) async fn replay(config: &Config) -> Result<()> {
    super::ensure_data(&config.data_dir)?;
    let _lock = super::lock(&config.data_dir)?;
    print!("{}", run::decide_anew(config).await?);
    Ok(())
}
