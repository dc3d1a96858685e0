//! Stages that run a whole system: `demo`, `browser`, `screenshots`, `bench`. `make` calls them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on its standard streams")]

use anyhow::{Result, bail};
use e2e::stage::{bench, browser, demo};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("demo") => demo::run().await,
        Some("browser") => browser::test().await,
        Some("screenshots") => browser::screenshots().await,
        Some("bench") => bench::run().await,
        Some("bench-frames") => bench::run_frames().await,
        other => {
            println!("stage demo | browser | screenshots | bench | bench-frames");
            bail!("know the stage {other:?}")
        }
    }
}
