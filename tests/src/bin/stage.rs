//! Stages that run a whole system: `demo`, `browser`, `screenshots`, `bench`, `bench-edge`. `make` calls them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on its standard streams")]

use anyhow::{Context, Result, bail};
use e2e::stage::{bench, browser, demo, edge};

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
        Some("bench-edge") => {
            let divisor = std::env::args().nth(2).map_or(Ok(1), |text| text.parse());
            edge::run(divisor.context("read how much smaller: a whole number")?).await
        }
        other => {
            println!("stage demo | browser | screenshots | bench | bench-frames | bench-edge [DIVISOR]");
            bail!("know the stage {other:?}")
        }
    }
}
