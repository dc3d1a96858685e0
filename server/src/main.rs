//! The binary `lantian`. Exit codes: 64 bad configuration or arguments, 1 failed start or command, 0 done.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on its standard streams")]

mod args;
mod commands;
mod compose;
mod config;
mod shutdown;
mod telemetry;

use clap::Parser;
use std::process::ExitCode;

const BAD_USAGE: u8 = 64;

/// Ten thousand quiet connections cost a quarter less than with the system's allocator, which keeps what a log-in needed for a moment.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    quiet_when_nobody_reads();
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok(); // a closed standard stream changes nothing
            return if error.use_stderr() { ExitCode::from(BAD_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if let Some(done) = commands::without_config(&cli.command) {
        return ended(done);
    }
    let config = match commands::read_config(cli.config.as_deref(), &cli.command) {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("{} problems in the configuration; nothing was started", problems.len());
            return ExitCode::from(BAD_USAGE);
        }
    };
    ended(commands::run(cli.command, config))
}

/// `lantian … | head`: the reader has seen enough, which is no panic.
fn quiet_when_nobody_reads() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            #[expect(clippy::exit, reason = "println! has no other way to end")]
            std::process::exit(0);
        }
        report(panic);
    }));
}

fn ended(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lantian: failed to {error:#}");
            ExitCode::FAILURE
        }
    }
}
