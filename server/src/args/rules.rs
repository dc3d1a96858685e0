//! `lantian rules …`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Check rule files: every problem at once, with its place and what to write instead. Needs no configuration.
    #[command(after_help = "Examples:
  lantian rules check config/library/rules
  lantian rules check my-rule.toml --json

Exit code 0: all are right; 1: there are problems.")]
    Check(Files),
    /// Run the unit tests beside rules: <code>.test.toml has what devices say and the episodes that must stand. Needs no configuration.
    #[command(after_help = "Examples:
  lantian rules test config/library/rules
  lantian rules test my-rule.toml --json

docs/rules.md tells how tests are written. Exit code 0: all pass; 1: some fail, or a rule has none.")]
    Test(Files),
    /// What two versions do differently: every setting with its old and new value, comments and order aside.
    #[command(after_help = "Examples:
  lantian rules diff config/library/rules/fume-exceedance.toml my-rule.toml
  lantian rules diff fume-exceedance my-rule.toml            the live version against a file
  lantian rules diff fume-exceedance@3 fume-exceedance@4     two versions of the registers")]
    Diff(Diff),
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A file, a rule's code for its live version, or CODE@VERSION.
    pub(crate) old: String,
    /// Likewise.
    pub(crate) new: String,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Rule files, or folders with them.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}
