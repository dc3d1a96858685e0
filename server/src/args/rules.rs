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
    /// Try a draft on stored records: which alerts would be new, gone or changed against the live version, and how many cases.
    #[command(after_help = "Examples:
  lantian rules backtest my-rule.toml --from 2026-11-01 --to 2026-12-01
  lantian rules backtest --draft 7 --from 2026-11-01 --to 2026-12-01 --login li     notes the result on the draft
  lantian rules backtest fume-exceedance@3 --from 2026-11-01 --to 2026-11-08 --csv > changes.csv

Times are Beijing time, or RFC 3339. The server may run meanwhile.")]
    Backtest(Backtest),
    /// Why an alert stands, or why a rule did not fire: each operand with its value at each step around the time.
    #[command(after_help = "Examples:
  lantian rules explain 4711
  lantian rules explain --why-not fume-exceedance r-0007 2026-11-20T19:30
  lantian rules explain --why-not truck-off-route 豫A12345 2026-11-20T23:10 --around 10min --json")]
    Explain(ExplainRule),
    /// Begin a draft from a file and its tests, or bring the one under way to what the file says; runs the tests.
    #[command(after_help = "Example:
  lantian rules draft my-rule.toml --login li --password-file ~/.lantian-password

The way of a draft: draft, shadow, backtest, submit, and approve by another person. docs/rules.md tells it.")]
    Draft(Draft),
    /// Let a draft run beside the live version: its alerts are marked, no case opens, nobody is told.
    Shadow(Step),
    /// Ask another person to approve a draft.
    Submit(Step),
    /// Make a submitted draft live; who wrote any of it may not.
    Approve(Step),
    /// Send a submitted draft back to its author; say why with --note.
    Reject(Step),
    /// Give a draft up and end its shadow.
    Withdraw(Step),
    /// Drafts and how far they are, the newest first.
    Drafts {
        /// One JSON document instead of text.
        #[arg(long)]
        json: bool,
    },
    /// The emergency switch: a live rule stops at once, by one person, with a reason.
    #[command(after_help = "Example:
  lantian rules off fume-exceedance --note 'floods the desk since the new profile' --login li")]
    Off {
        code: String,
        #[arg(long)]
        note: String,
        #[command(flatten)]
        who: Who,
    },
}

/// Who does it. Steps of a draft are a person's.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// Account. Its password comes from --password-file or the variable `LANTIAN_PASSWORD`.
    #[arg(long)]
    pub(crate) login: String,
    #[arg(long)]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Step {
    /// Number of the draft.
    pub(crate) id: i64,
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    #[command(flatten)]
    pub(crate) who: Who,
}

#[derive(Debug, Args)]
pub(crate) struct Draft {
    pub(crate) file: PathBuf,
    /// Its tests; without it those beside it, <code>.test.toml.
    #[arg(long)]
    pub(crate) tests: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) who: Who,
}

#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// A file, a rule's code, or CODE@VERSION.
    #[arg(required_unless_present = "draft", conflicts_with = "draft")]
    pub(crate) rule: Option<String>,
    /// A draft by its number; what is found is noted on it.
    #[arg(long, requires = "login")]
    pub(crate) draft: Option<i64>,
    #[arg(long)]
    pub(crate) from: String,
    #[arg(long)]
    pub(crate) to: String,
    /// A file, a rule's code or CODE@VERSION instead of the live version.
    #[arg(long)]
    pub(crate) against: Option<String>,
    /// One JSON document instead of text.
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// The changes as CSV instead of text.
    #[arg(long)]
    pub(crate) csv: bool,
    /// Threads; without it one for each core.
    #[arg(long)]
    pub(crate) workers: Option<usize>,
    #[arg(long)]
    pub(crate) login: Option<String>,
    #[arg(long)]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainRule {
    /// Number of an alert.
    #[arg(required_unless_present = "why_not")]
    pub(crate) alert: Option<i64>,
    /// Rule (or CODE@VERSION, or a file), subject (code or plate), time.
    #[arg(long, num_args = 3, value_names = ["RULE", "SUBJECT", "TIME"], conflicts_with = "alert")]
    pub(crate) why_not: Option<Vec<String>>,
    /// Steps so long before and after the time.
    #[arg(long, default_value = "15min")]
    pub(crate) around: String,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(crate) json: bool,
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
