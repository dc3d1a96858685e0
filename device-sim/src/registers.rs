//! The registers of a district as files for `lantian apply`.

use crate::district::District;
use anyhow::Result;
use std::path::Path;

pub fn write(_district: &District, _first_port: u16, _out: &Path) -> Result<()> {
    anyhow::bail!("not yet")
}
